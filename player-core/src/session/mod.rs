//! One load: from the manifest's request to the last frame.

mod ahead;
mod device;
mod element;
mod live;
mod manifest;
mod rebuild;
mod report;
pub(crate) mod tracks;
mod viewer;

use self::tracks::Preferred;
use crate::context::Context;
use crate::decoders::Decoders;
use crate::drm::Keys;
use crate::error::Error;
use crate::io::{
    Input, MediaCommand, MediaKind, NetworkState, OperationId, PlaybackStatus, Quality, RequestId,
    RequestKind, Selection, Source,
};
use crate::live::Live;
use crate::pictures::Pictures;
use crate::playback::Playback;
use crate::presentation::Presentation;
use crate::requests::{Outcome, Requests, Ticket, Wish};
use crate::steering::Steering;
use crate::stream::timeline::Timeline;
use crate::stream::{Stream, World};
use crate::text::Text;
use crate::time::{MediaTime, Timestamp};

/// No stream fetches so much further than another: sound far ahead is no use while the picture is
/// late, and takes the bandwidth that the picture waits for.
const MAX_LEAD: MediaTime = MediaTime::from_secs(4);

/// One load.
#[derive(Debug)]
pub(crate) struct Session {
    source: Source,
    loaded_at: Timestamp,
    manifest: Option<Ticket>,
    requests: Requests,
    playback: Playback,
    timeline: Timeline,
    keys: Keys,
    presentation: Option<Presentation>,
    steering: Option<Steering>,
    streams: Vec<Stream>,
    opening: OperationId,
    /// Operations on the element as a whole that have not been answered.
    operations: Vec<OperationId>,
    /// The last seek of them.
    seeking: Option<OperationId>,
    attached: bool,
    /// It is fetched ahead: nothing is asked of the platform yet.
    preloading: bool,
    end_of_stream: bool,
    /// Where the playhead stood when a hole was asked for again.
    asked_again: Option<MediaTime>,
    rate: f64,
    shown: Vec<(MediaKind, Quality)>,
    decoders: Decoders,
    pictures: Pictures,
    text: Text,
    /// The app was told what there is to play.
    loaded: bool,
    /// How often a decoder's failure was survived.
    recoveries: u32,
    /// Frames the element has counted, and those dropped of them.
    frames: (u64, u64),
    /// Tracks that were asked for, of this or of what played before it in the queue.
    preferred: Preferred,
    /// What was asked for before it was known what there is: of each kind the last word.
    early: Vec<Selection>,
    live: Live,
    /// It was being made when it was last looked at.
    was_live: bool,
}

impl Session {
    /// Asks for the manifest, and for an empty media source meanwhile.
    pub(crate) fn start(
        cx: &mut Context<'_>,
        source: Source,
        rate: f64,
        preferred: Preferred,
    ) -> Self {
        let opening = cx.out.media(MediaCommand::Open);
        let mut session = Self::asking(cx, source, rate, opening);
        session.preferred = preferred;
        session.report_events(cx);
        session
    }

    fn asking(cx: &mut Context<'_>, source: Source, rate: f64, opening: OperationId) -> Self {
        let mut requests = Requests::new(cx.config.seed, cx.now);
        let wish = Wish::new(RequestKind::Manifest, requests.origins.place(&source.url));
        let manifest = Some(requests.start(cx, wish));
        let start = source.start.unwrap_or(MediaTime::ZERO).max(MediaTime::ZERO);
        Self {
            source,
            loaded_at: cx.now,
            manifest,
            requests,
            playback: Playback::new(cx.now, start),
            timeline: Timeline::default(),
            keys: Keys::default(),
            presentation: None,
            steering: None,
            streams: Vec::new(),
            opening,
            operations: vec![opening],
            seeking: None,
            attached: false,
            preloading: false,
            end_of_stream: false,
            asked_again: None,
            rate,
            shown: Vec::new(),
            decoders: Decoders::default(),
            pictures: Pictures::default(),
            text: Text::default(),
            loaded: false,
            recoveries: 0,
            frames: (0, 0),
            preferred: Vec::new(),
            early: Vec::new(),
            live: Live::new(cx.device_clock),
            was_live: false,
        }
    }

    /// Gives everything back.
    pub(crate) fn close(mut self, cx: &mut Context<'_>) {
        self.part(cx);
        self.keys.shut(cx);
        cx.out.media(MediaCommand::Close);
    }

    pub(crate) fn handle(&mut self, cx: &mut Context<'_>, input: Input) {
        if self.playback.status() == PlaybackStatus::Failed {
            return;
        }
        let input = match input {
            Input::BodyHead { id, data } if self.requests.is_told(id) => {
                // A log says what the input after it brings to light: nothing has happened yet.
                self.requests.tell(id, &data);
                self.streams.iter_mut().for_each(|stream| stream.note_opened(id, &data));
                return;
            }
            input => input,
        };
        let result = self.dispatch(cx, input).and_then(|()| self.advance(cx));
        if let Err(error) = result {
            self.playback.fail(cx);
            self.requests.cmcd.failed(error.code().name());
            self.report_events(cx);
            self.requests.cancel_all(cx);
            cx.out.fatal(&error);
        }
    }

    fn dispatch(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), Error> {
        match input {
            Input::Timeout => self.tick(cx),
            Input::Network(state) => {
                self.requests.network(cx, state);
                self.tick(cx)
            }
            Input::Seek(to) => {
                self.seek(cx, to);
                Ok(())
            }
            Input::SetRate(rate) => self.set_rate(cx, rate),
            Input::Select(selection) => self.select(cx, selection),
            Input::Muted(_) => Ok(()),
            Input::Configure(_) | Input::Environment(_) => {
                self.streams.iter_mut().for_each(Stream::reconsider);
                Ok(())
            }
            Input::Picture { id, at, kind } => {
                self.pictures.ask(cx, &mut self.requests, (id, at, kind));
                Ok(())
            }
            Input::Element(element) => self.take_element(cx, element),
            Input::MediaResult { id, result } => self.take_result(cx, id, &result),
            Input::Evicted { kind, buffered } => {
                let mut streams = self.streams.iter_mut();
                if let Some(stream) = streams.find(|stream| self.attached && stream.kind == kind) {
                    stream.evicted = Some(buffered);
                }
                Ok(())
            }
            Input::Streaming(wanted) => {
                self.requests.satisfied = !wanted;
                Ok(())
            }
            Input::KeySystem { .. }
            | Input::KeyMessage { .. }
            | Input::KeyStatuses { .. }
            | Input::KeySessionFailed { .. } => {
                self.take_keys(cx, input);
                Ok(())
            }
            Input::WallClock(_) => {
                self.live.clock.set_device(cx.device_clock);
                Ok(())
            }
            Input::ResponseHead { id, head } => {
                if let Some(attempt) = self.requests.attempt_of(id) {
                    self.live.hear(cx, &mut self.requests, attempt, &head);
                }
                let outcome = self.requests.handle(cx, Input::ResponseHead { id, head });
                outcome.map_or(Ok(()), |outcome| self.take(cx, outcome))
            }
            input => match self.requests.handle(cx, input) {
                Some(outcome) => self.take(cx, outcome),
                None => Ok(()),
            },
        }
    }

    /// The device slept for so long: nobody waited meanwhile.
    pub(crate) fn slept(&mut self, cx: &mut Context<'_>, long: core::time::Duration) {
        self.playback.slept(cx.now, long);
        self.requests.network(cx, NetworkState::Changed);
        self.streams.iter_mut().for_each(Stream::reconsider);
    }

    fn tick(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        while let Some(outcome) = self.requests.tick(cx) {
            self.take(cx, outcome)?;
        }
        self.keys.tick(cx, &mut self.requests);
        Ok(())
    }

    /// What the platform's key system says.
    fn take_keys(&mut self, cx: &mut Context<'_>, input: Input) {
        let (keys, requests) = (&mut self.keys, &mut self.requests);
        match input {
            Input::KeySystem { opened, reason } => keys.opened(cx, opened, reason),
            Input::KeyMessage { session, message } => keys.asked(cx, requests, session, message),
            Input::KeyStatuses { session, statuses } => keys.told(cx, requests, session, statuses),
            Input::KeySessionFailed { session, reason } => keys.failed(cx, session, reason),
            _ => {}
        }
        self.streams.iter_mut().for_each(Stream::reconsider);
    }

    /// Whether a request runs.
    pub(crate) fn expects(&self, id: RequestId) -> bool {
        self.requests.kind(id).is_some()
    }

    /// What the text is known by that a request brings, if it brings one that may come again.
    pub(crate) fn text_of(&self, id: RequestId) -> Option<&str> {
        self.requests.text_of(id)
    }

    /// What a log may hold in an input's place; none if there is nothing against the input itself.
    pub(crate) fn for_log(&self, input: &Input) -> Option<Input> {
        match input {
            Input::Body { id, data } => self.requests.for_log(*id, data),
            _ => None,
        }
    }

    /// After any input: whatever can be done next.
    fn advance(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.inform_cdns(cx);
        if !self.steering.as_ref().is_some_and(|steering| steering.holds(cx.now)) {
            self.pump(cx)?;
        }
        if !self.attached && !self.preloading && self.attach(cx) {
            self.pump(cx)?;
        }
        if let Some(steering) = &mut self.steering {
            steering.ask(cx, &mut self.requests);
        }
        self.rebuild_if_due(cx)?;
        self.jump_gap(cx)?;
        let joined = self.live.joined;
        self.follow_live(cx)?;
        if joined != self.live.joined {
            self.pump(cx)?;
        }
        self.pump_text(cx);
        self.finish(cx);
        self.report_quality(cx);
        self.report_events(cx);
        Ok(())
    }

    /// Lets every stream do what it can.
    fn pump(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        loop {
            let before = self.slowest();
            self.each_stream(cx, |stream, world| stream.pump(world))?;
            // Where one passed over something without asking for anything, others need not wait for it any longer: and no
            // answer will come to tell them.
            if self.slowest() <= before {
                return Ok(());
            }
        }
    }

    /// Where the stream is that has got the least far; nowhere once all have everything.
    fn slowest(&self) -> Option<MediaTime> {
        self.streams.iter().filter_map(Stream::front).min()
    }

    fn each_stream(
        &mut self,
        cx: &mut Context<'_>,
        mut act: impl FnMut(&mut Stream, &mut World<'_, '_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some((mut world, streams, _)) = self.rooms(cx) else { return Ok(()) };
        streams.iter_mut().try_for_each(|stream| act(stream, &mut world))
    }

    /// What streams and text work with, and these.
    fn rooms<'s, 'c>(
        &'s mut self,
        cx: &'s mut Context<'c>,
    ) -> Option<(World<'s, 'c>, &'s mut [Stream], &'s mut Text)> {
        let slowest = self.slowest();
        let presentation = self.presentation.as_mut()?;
        let picture = self.streams.iter().find(|stream| stream.kind == MediaKind::Video);
        let world = World {
            picture: picture.and_then(Stream::unfed),
            fetch_limit: slowest.map_or(MediaTime::MAX, |slowest| slowest + MAX_LEAD),
            playhead: self.playback.playhead(cx.now),
            phase: self.playback.phase(),
            rate: self.playback.rate(),
            attached: self.attached,
            decoders: &self.decoders,
            cx,
            presentation,
            requests: &mut self.requests,
            timeline: &mut self.timeline,
            keys: &mut self.keys,
            live: &mut self.live,
        };
        Some((world, &mut self.streams, &mut self.text))
    }

    /// Lets the text track come as far as picture and sound have.
    fn pump_text(&mut self, cx: &mut Context<'_>) {
        let reached = || self.streams.iter().map(Stream::reached).max();
        let front = self.slowest().or_else(reached).unwrap_or(MediaTime::MAX);
        if self.attached
            && let Some((mut world, _, text)) = self.rooms(cx)
        {
            text.pump(&mut world, front);
        }
    }

    fn take(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Result<(), Error> {
        if self.requests.cmcd.events.take(&outcome) {
            return Ok(());
        }
        let Some(outcome) = self.keys.take(cx, outcome) else { return Ok(()) };
        match outcome {
            Outcome::Delivered { ticket, body, url, content_type, .. }
                if self.manifest == Some(ticket) =>
            {
                self.manifest = None;
                self.take_manifest(cx, &body, &url, content_type, self.loaded_at)
            }
            Outcome::Failed { ticket, error } if self.manifest == Some(ticket) => Err(error),
            Outcome::Delivered { ticket, .. } | Outcome::Failed { ticket, .. }
                if self.steering.as_ref().is_some_and(|steering| steering.asked(ticket)) =>
            {
                self.steer(cx, outcome);
                Ok(())
            }
            outcome if self.live.owns(outcome.ticket()) => self.take_live(cx, &outcome),
            outcome => {
                let mut left = self.pictures.handle(cx, &mut self.requests, outcome);
                if let (Some(outcome), Some((mut world, _, text))) = (left.take(), self.rooms(cx)) {
                    left = text.take(&mut world, outcome);
                }
                self.each_stream(cx, |stream, world| {
                    if let Some(outcome) = left.take() {
                        left = stream.handle(world, outcome)?;
                    }
                    Ok(())
                })
            }
        }
    }

    fn steer(&mut self, cx: &mut Context<'_>, outcome: Outcome) {
        let (Some(steering), Some(presentation)) = (&mut self.steering, &mut self.presentation)
        else {
            return;
        };
        match outcome {
            Outcome::Delivered { body, url, .. } => {
                steering.take(cx, &mut self.requests, presentation, &body, &url);
                self.streams.iter_mut().for_each(Stream::reconsider);
            }
            Outcome::Failed { error, .. } => steering.fail(cx, &error),
            _ => {}
        }
    }
}

/// Where the last of what the streams know ends.
fn known_end(streams: &[Stream], presentation: &Presentation) -> Option<MediaTime> {
    streams.iter().filter_map(|stream| stream.known_end(presentation)).max()
}
