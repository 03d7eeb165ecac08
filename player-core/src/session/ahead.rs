//! A load that is fetched ahead: everything up to its first segments, and nothing of the platform.

use super::Session;
use crate::context::Context;
use crate::io::{Input, MediaCommand, OperationId, PlaybackStatus, Source};
use crate::playback::Playback;
use crate::session::tracks::Preferred;
use crate::stream::Stream;
use crate::time::MediaTime;

impl Session {
    /// Asks for the manifest, and for no media source.
    pub(crate) fn preload(cx: &mut Context<'_>, source: Source, preferred: Preferred) -> Self {
        // Operations are counted from one.
        let mut session = Self::asking(cx, source, 1.0, OperationId(0));
        session.operations.clear();
        session.preloading = true;
        session.preferred = preferred;
        session
    }

    /// Its turn has come: what was fetched goes into a new media source.
    pub(crate) fn activate(
        mut self,
        cx: &mut Context<'_>,
        rate: f64,
        preferred: Preferred,
    ) -> Self {
        self.preloading = false;
        self.rate = rate;
        self.loaded_at = cx.now;
        let start = self.source.start.unwrap_or(MediaTime::ZERO).max(MediaTime::ZERO);
        self.playback = Playback::new(cx.now, start);
        self.opening = cx.out.media(MediaCommand::Open);
        self.operations = vec![self.opening];
        cx.abr.handle(cx.now.micros(), kinora_abr::Event::Seeked);
        self.streams.iter_mut().for_each(Stream::reconsider);
        self.prefer(cx, preferred);
        self.handle(cx, Input::Timeout);
        self
    }

    /// Gives its requests and bodies back, and leaves the platform to another load.
    pub(crate) fn leave(mut self, cx: &mut Context<'_>) {
        let left = self.each_stream(cx, |stream, world| {
            stream.leave(world);
            Ok(())
        });
        debug_assert!(left.is_ok());
        self.part(cx);
    }

    /// What it plays.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn status(&self) -> PlaybackStatus {
        self.playback.status()
    }

    /// Everything up to the end has been fetched: the network has time for something else.
    pub(crate) fn needs_nothing(&self) -> bool {
        !self.streams.is_empty() && self.streams.iter().all(|stream| stream.front().is_none())
    }

    /// Whether an input is the answer to something that this load asked for.
    pub(crate) fn owns(&self, input: &Input) -> bool {
        match input {
            Input::ResponseHead { id, .. }
            | Input::Body { id, .. }
            | Input::BodyProgress { id, .. }
            | Input::BodyEnd { id, .. }
            | Input::RequestFailed { id, .. } => self.requests.kind(*id).is_some(),
            Input::BodyHead { id, .. } => {
                self.requests.kind(*id).is_some()
                    || self.streams.iter().any(|stream| stream.holds_sealed(*id))
            }
            Input::MediaResult { id, .. } => self.decoders.asked(*id),
            _ => false,
        }
    }
}
