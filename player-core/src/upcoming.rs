//! What plays next: an item the app expects to load, or the queue's. Its manifest, initialisation and
//! first segments are fetched once the current item needs nothing more, and wait with the host.

use crate::context::Context;
use crate::io::{Input, MediaKind, PlaybackStatus, Source};
use crate::session::Session;
use crate::session::tracks::TrackKey;

/// A longer queue is an app's mistake.
pub(crate) const MAX_QUEUE: usize = 1_000;

/// What plays next.
#[derive(Debug, Default)]
pub(crate) struct Upcoming {
    queue: Vec<Source>,
    /// Named by the app, whatever the queue says.
    expected: Option<Source>,
    session: Option<Session>,
    /// It could not be fetched ahead; when its time comes, it is tried once more.
    failed: Option<Source>,
}

impl Upcoming {
    /// The app expects to load this.
    pub(crate) fn expect(&mut self, source: Source) {
        self.expected = Some(source);
        self.failed = None;
    }

    /// From now on, these come next.
    pub(crate) fn set_queue(&mut self, queue: Vec<Source>) {
        self.queue = queue;
        self.queue.truncate(MAX_QUEUE);
        self.failed = None;
    }

    /// What waits in the queue.
    pub(crate) fn queue(&self) -> &[Source] {
        &self.queue
    }

    /// What is being fetched ahead.
    pub(crate) fn preloading(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Takes the queue's first out.
    pub(crate) fn take_next(&mut self) -> Option<Source> {
        crate::items::take(&mut self.queue, 0)
    }

    /// Takes out what was fetched ahead of a source that is about to play.
    pub(crate) fn take(&mut self, source: &Source) -> Option<Session> {
        if self.expected.as_ref() == Some(source) {
            self.expected = None;
        }
        self.session.take_if(|session| session.source() == source)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self, cx: &mut Context<'_>) {
        self.queue.clear();
        self.expected = None;
        self.drop_session(cx);
    }

    /// Begins to fetch ahead if the current item can spare it, and gives up what is not wanted any more.
    /// What comes next in the queue is to play tracks like those that were `preferred`.
    pub(crate) fn advance(
        &mut self,
        cx: &mut Context<'_>,
        spare: bool,
        preferred: &[(MediaKind, TrackKey)],
    ) {
        let wanted = self.expected.as_ref().or(self.queue.first());
        // The element has keys for what plays, and none for what does not yet.
        let locked = cx.out.take_withheld();
        let failed =
            locked || self.session.as_ref().is_some_and(|s| s.status() == PlaybackStatus::Failed);
        if failed {
            self.failed = self.session.as_ref().map(|session| session.source().clone());
        }
        if self.session.as_ref().is_some_and(|session| failed || Some(session.source()) != wanted) {
            self.drop_session(cx);
            return self.advance(cx, spare, preferred);
        }
        if self.session.is_none()
            && spare
            && let Some(source) = wanted
            && self.failed.as_ref() != Some(source)
        {
            let source = source.clone();
            let preferred = if self.expected.is_none() { preferred.to_vec() } else { Vec::new() };
            self.session = Some(quietly(cx, |cx| Session::preload(cx, source, preferred)));
        }
    }

    /// Hands an input to what is fetched ahead, and gives it back if it is not for that.
    pub(crate) fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Option<Input> {
        let Some(session) = self.session.as_mut().filter(|session| session.owns(&input)) else {
            return Some(input);
        };
        quietly(cx, |cx| session.handle(cx, input));
        None
    }

    /// Time has passed, or something changed that concerns everything.
    pub(crate) fn tell(&mut self, cx: &mut Context<'_>, input: Input) {
        if let Some(session) = &mut self.session {
            quietly(cx, |cx| session.handle(cx, input));
        }
    }

    fn drop_session(&mut self, cx: &mut Context<'_>) {
        if let Some(session) = self.session.take() {
            session.leave(cx);
        }
    }
}

/// The app hears nothing of an item that does not play.
fn quietly<T>(cx: &mut Context<'_>, act: impl FnOnce(&mut Context<'_>) -> T) -> T {
    cx.out.mute(true);
    let result = act(cx);
    cx.out.mute(false);
    result
}
