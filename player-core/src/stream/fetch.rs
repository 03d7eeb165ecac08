//! Fetching: which segment next, from which representation, and what to do when it does not come.

use kinora_abr::{InFlight, Phase, Reasons, Verdict};

use super::buffer::TOLERANCE;
use super::choice::{self, Choice, Moment};
use super::init::InitKey;
use super::requests::{Outcome, Wish};
use super::{Chosen, Fetch, Fetched, Key, Stream, World, representation, representation_mut};
use crate::context::Context;
use crate::error::Error;
use crate::io::{BodyHandling, Decision, Event, MediaKind, RequestId, RequestKind, Warning};
use crate::manifest::{self, hls::SegmentFormat};
use crate::media::{FileIndex, IndexProgress};
use crate::presentation::{Presentation, Segment, SegmentIndex, Segments, SwitchingSet};
use crate::telemetry::{TimerReason, TimerState};
use crate::time::{MediaTime, Timestamp};

/// No more than this many fetched segments wait for the platform to take them.
const MAX_QUEUE: usize = 3;
/// A segment is looked for in this many representations before playback gives up.
const MAX_FAILED: usize = 3;

impl Stream {
    /// Takes one step towards the next fetch. Whether another may follow.
    pub(super) fn fetch_next(&mut self, world: &mut World<'_, '_>) -> Result<bool, Error> {
        let now = world.cx.now;
        if self.wait.as_ref().is_some_and(|wait| wait.at > now) {
            return Ok(false);
        }
        self.wait = None;
        if self.queue.len() >= MAX_QUEUE || self.next > world.fetch_limit {
            return Ok(false);
        }
        let inside = if self.seam { self.next + TOLERANCE } else { self.next };
        if let Some(held) = self.buffer.held_at(inside)
            && self.pinned.as_ref().is_none_or(|pinned| *pinned == held.quality.id)
            && held.range.end > self.next
        {
            self.next = held.range.end;
            self.seam = true;
            return Ok(true);
        }
        let Some(set_index) = self.set_of(self.period) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        let ahead = (self.next - world.playhead).max(MediaTime::ZERO);
        let goal = self.goal(world.cx);
        if ahead >= goal {
            self.wait_for_playhead(world, ahead - goal);
            return Ok(false);
        }
        let set = &world.presentation.periods[self.period].sets[set_index];
        let moment = self.moment(world.playhead, world.phase, world.rate, goal, set);
        let (representation, reasons) = match moment.choose(world.cx) {
            Choice::Fetch { representation, reasons } => (representation, reasons),
            Choice::Wait { until } => {
                self.wait = Some(TimerState { reason: TimerReason::Rule, at: until });
                return Ok(false);
            }
        };
        let key = Key { period: self.period, set: set_index, representation };
        self.fetch_from(world, key, reasons)
    }

    fn moment<'m>(
        &'m self,
        playhead: MediaTime,
        phase: Phase,
        rate: f64,
        goal: MediaTime,
        set: &'m SwitchingSet,
    ) -> Moment<'m> {
        Moment {
            kind: self.kind,
            set,
            start: self.next + TOLERANCE,
            ahead: (self.next - playhead).max(MediaTime::ZERO),
            goal,
            phase,
            rate,
            current: self
                .last
                .filter(|last| self.set_of(last.period) == Some(last.set))
                .filter(|last| last.period == self.period)
                .map(|last| last.representation),
            pinned: self.pinned.as_deref(),
            failed: &self.failed,
        }
    }

    fn goal(&self, cx: &Context<'_>) -> MediaTime {
        let goal = MediaTime::from_duration(cx.config.buffer.forward).max(MediaTime::from_secs(1));
        self.goal_limit.map_or(goal, |limit| limit.min(goal))
    }

    /// The buffer is full: looks again when the playhead has used up what is too much. A paused
    /// playhead uses up nothing; its next move wakes the stream.
    fn wait_for_playhead(&mut self, world: &World<'_, '_>, excess: MediaTime) {
        let rate = if world.rate > 0.0 { world.rate } else { 1.0 };
        let pause =
            MediaTime::from_seconds(excess.seconds() / rate).max(MediaTime::from_millis(50));
        let moving = matches!(world.phase, Phase::Playing);
        let pause = if moving { pause } else { pause.max(MediaTime::from_secs(1)) };
        self.wait = Some(TimerState {
            reason: TimerReason::BufferGoal,
            at: world.cx.now + pause.to_duration(),
        });
    }

    fn enter_next_period(&mut self, presentation: &Presentation) -> bool {
        match presentation.periods.get(self.period + 1) {
            Some(period) => {
                self.period += 1;
                self.next = self.next.max(period.start);
                self.seam = true;
                self.failed.clear();
                true
            }
            // Started beyond the end: the last segment is the nearest there is.
            None if self.last.is_none() && self.mime_type.is_none() => {
                let end = self.known_end(presentation).unwrap_or(MediaTime::ZERO);
                self.complete = end == MediaTime::ZERO || self.next < end;
                self.next = (end - TOLERANCE).max(MediaTime::ZERO);
                !self.complete
            }
            None => {
                self.complete = true;
                false
            }
        }
    }

    /// Asks for the next segment of a representation, or for its index if that is not known yet.
    /// Whether, instead, the next segment turned out to lie elsewhere.
    fn fetch_from(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        reasons: Reasons,
    ) -> Result<bool, Error> {
        let Some(representation) = representation(world.presentation, key) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        let index = match &representation.segments {
            Segments::Known(index) => index,
            Segments::Playlist { url } => {
                let wish = Wish {
                    kind: RequestKind::MediaPlaylist(self.kind),
                    url: url.clone(),
                    range: None,
                    body: BodyHandling::Deliver,
                    rung: None,
                };
                let ticket = world.requests.start(world.cx, wish);
                self.fetch = Fetch::Index { ticket, key, reasons, file: None };
                return Ok(false);
            }
            Segments::IndexBox { url, range, init, media_offset, end } => {
                let file = FileIndex::new(url, *range, init.clone(), *media_offset, *end);
                let url = url.clone();
                self.fetch_index(world, key, reasons, &url, file);
                return Ok(false);
            }
        };
        let Some(segment) = segment_from(index, self.next, self.seam) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        if segment.gap {
            self.next = segment.end();
            self.seam = true;
            return Ok(true);
        }
        let init = segment.init.map(|init| InitKey { representation: key, init });
        let quality = choice::quality(representation);
        if let (Some(init), Some(source)) = (init, index.init(&segment)) {
            self.inits.request(world.cx, world.requests, self.kind, init, source);
        }
        let wish = Wish {
            kind: RequestKind::Segment(self.kind),
            url: segment.url.clone(),
            range: segment.range,
            body: BodyHandling::Keep,
            rung: (self.kind == MediaKind::Video).then_some(key.representation),
        };
        let several =
            world.presentation.periods[key.period].sets[key.set].representations.len() > 1;
        if several {
            world.cx.out.event(Event::Decision(Box::new(Decision {
                kind: self.kind,
                segment_start: segment.start,
                quality: quality.clone(),
                buffer: (self.next - world.playhead).max(MediaTime::ZERO),
                reasons: reasons.clone(),
            })));
        }
        self.decided = Some((quality.clone(), reasons.clone()));
        let ticket = world.requests.start(world.cx, wish);
        let chosen = Box::new(Chosen { key, segment, init, quality, reasons });
        self.fetch = Fetch::Segment { ticket, chosen };
        Ok(false)
    }

    /// Takes what became of a request, if it is one of this stream's; gives it back if it is not.
    pub(crate) fn handle(
        &mut self,
        world: &mut World<'_, '_>,
        outcome: Outcome,
    ) -> Result<Option<Outcome>, Error> {
        let ticket = match &outcome {
            Outcome::Delivered { ticket, .. }
            | Outcome::Kept { ticket, .. }
            | Outcome::Progress { ticket }
            | Outcome::Failed { ticket, .. } => *ticket,
        };
        if let Some(init) = self.inits.loading(ticket) {
            match outcome {
                Outcome::Delivered { body, url, .. } => {
                    let container = representation(world.presentation, init.representation)
                        .map(|representation| representation.container.clone())
                        .unwrap_or_default();
                    if let Err(error) = self.inits.loaded(init, body, &container) {
                        self.lose_init(world, init, Error::Segment { url, error })?;
                    }
                }
                Outcome::Failed { error, .. } => self.lose_init(world, init, error)?,
                Outcome::Kept { .. } | Outcome::Progress { .. } => {}
            }
            return Ok(None);
        }
        match &self.fetch {
            Fetch::Index { ticket: mine, .. } | Fetch::Segment { ticket: mine, .. }
                if *mine == ticket => {}
            _ => return Ok(Some(outcome)),
        }
        match outcome {
            Outcome::Progress { .. } => self.check_in_flight(world)?,
            Outcome::Delivered { body, url, .. } => self.take_index(world, &body, &url)?,
            Outcome::Kept { id, head, .. } => self.take_segment(id, head),
            Outcome::Failed { error, .. } => {
                let key = match core::mem::replace(&mut self.fetch, Fetch::Idle) {
                    Fetch::Index { key, .. } => key,
                    Fetch::Segment { chosen, .. } => chosen.key,
                    Fetch::Idle => return Ok(None),
                };
                self.fail(world, key, error)?;
            }
        }
        Ok(None)
    }

    /// A representation could not deliver. Another may; when enough have been tried, none will.
    pub(super) fn fail(
        &mut self,
        world: &World<'_, '_>,
        key: Key,
        error: Error,
    ) -> Result<(), Error> {
        if !self.failed.contains(&key.representation) {
            self.failed.push(key.representation);
        }
        let alternatives = world
            .presentation
            .periods
            .get(key.period)
            .and_then(|period| period.sets.get(key.set))
            .map_or(0, |set| set.representations.len());
        if self.failed.len() >= alternatives.min(MAX_FAILED) {
            return Err(error);
        }
        Ok(())
    }

    fn lose_init(
        &mut self,
        world: &mut World<'_, '_>,
        init: InitKey,
        error: Error,
    ) -> Result<(), Error> {
        self.inits.forget(init);
        let waiting = self.queue.iter().find(|fetched| fetched.chosen.init == Some(init));
        let from = match (waiting, &self.fetch) {
            (Some(fetched), _) => fetched.chosen.segment.start,
            (None, Fetch::Segment { chosen, .. }) if chosen.init == Some(init) => {
                chosen.segment.start
            }
            _ => return Ok(()),
        };
        let failed = core::mem::take(&mut self.failed);
        self.restart(world, from);
        self.failed = failed;
        self.fail(world, init.representation, error)
    }

    /// Asks for the piece of a media file that its index is read from next.
    fn fetch_index(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        reasons: Reasons,
        url: &str,
        file: FileIndex,
    ) {
        let wish = Wish {
            kind: RequestKind::Index(self.kind),
            url: url.to_owned(),
            range: Some(file.wanted()),
            body: BodyHandling::Deliver,
            rung: None,
        };
        let ticket = world.requests.start(world.cx, wish);
        self.fetch = Fetch::Index { ticket, key, reasons, file: Some(Box::new(file)) };
    }

    fn take_index(
        &mut self,
        world: &mut World<'_, '_>,
        body: &[u8],
        url: &str,
    ) -> Result<(), Error> {
        let Fetch::Index { key, reasons, file, .. } =
            core::mem::replace(&mut self.fetch, Fetch::Idle)
        else {
            return Ok(());
        };
        let parsed = match file {
            None => read_playlist(body, url, &world.presentation.variables, world.cx),
            Some(file) => match file.take(body) {
                Ok(IndexProgress::Needs(file)) => {
                    let Some(Segments::IndexBox { url, .. }) =
                        representation(world.presentation, key).map(|found| found.segments.clone())
                    else {
                        return Ok(());
                    };
                    self.fetch_index(world, key, reasons, &url, file);
                    return Ok(());
                }
                Ok(IndexProgress::Complete(index)) => Ok(index),
                Err(error) => Err(Error::Segment { url: url.to_owned(), error }),
            },
        };
        let parsed = parsed.map(|index| {
            if let Some(representation) = representation_mut(world.presentation, key) {
                representation.segments = Segments::Known(index);
            }
        });
        match parsed {
            Ok(()) => self.fetch_from(world, key, reasons).map(|_| ()),
            Err(error) => self.fail(world, key, error),
        }
    }

    fn take_segment(&mut self, body: RequestId, head: Vec<u8>) {
        let Fetch::Segment { chosen, .. } = core::mem::replace(&mut self.fetch, Fetch::Idle) else {
            return;
        };
        self.next = chosen.segment.end();
        self.seam = true;
        self.last = Some(chosen.key);
        self.failed.clear();
        self.abandoned = 0;
        self.queue.push(Fetched { chosen: *chosen, body, head });
    }

    /// Gives a download up when the rule says that a smaller one comes sooner.
    pub(super) fn check_in_flight(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        let Fetch::Segment { ticket, chosen } = &self.fetch else { return Ok(()) };
        if self.kind != MediaKind::Video || self.pinned.is_some() {
            return Ok(());
        }
        let Some(transferred) = world.requests.transferred(*ticket) else { return Ok(()) };
        let in_flight = InFlight {
            rung: chosen.key.representation,
            started_us: transferred.started.micros(),
            first_byte_us: transferred.first_byte.map(Timestamp::micros),
            bytes_loaded: transferred.received,
            bytes_total: transferred.total,
            abandoned: self.abandoned,
            replaces_ahead_s: None,
        };
        let key = chosen.key;
        let set = &world.presentation.periods[key.period].sets[key.set];
        let goal = self.goal(world.cx);
        let moment = self.moment(world.playhead, world.phase, world.rate, goal, set);
        let (ladder, allowed) = (choice::ladder(set), moment.allowed(world.cx));
        let sizes = moment.sizes();
        let situation = moment.situation(world.cx.now, &ladder, &allowed, &sizes);
        let check = world.cx.abr.check_in_flight(&in_flight, &situation);
        let Verdict::AbandonTo { rung } = check.verdict else { return Ok(()) };
        world
            .cx
            .out
            .warn(Warning::Abandoned { kind: self.kind, segment_start: chosen.segment.start });
        self.drop_fetch(world);
        self.abandoned += 1;
        let key = Key { representation: rung, ..key };
        self.fetch_from(world, key, check.reasons).map(|_| ())
    }
}

/// The segment that plays at `next`. At a seam, where one segment ended and another is to follow, a
/// segment that is all but over is not the one: boundaries of representations may differ by a frame
/// or two. Where the viewer chose to be, it is.
fn segment_from(index: &SegmentIndex, next: MediaTime, seam: bool) -> Option<Segment> {
    let position = index.position_at(next)?;
    let segment = index.get(position)?;
    let slack = TOLERANCE.min(MediaTime::from_flicks(segment.duration.flicks() / 4));
    if seam && segment.end() - next <= slack { index.get(position + 1) } else { Some(segment) }
}

/// Turns the body of a playlist into an index. It may use the `variables` of its multivariant
/// playlist.
fn read_playlist(
    body: &[u8],
    url: &str,
    variables: &[(String, String)],
    cx: &mut Context<'_>,
) -> Result<SegmentIndex, Error> {
    let parsed = manifest::hls::parse_media_with(body, url, variables)
        .map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
    for warning in parsed.warnings {
        cx.out.warn(Warning::Manifest {
            url: url.to_owned(),
            line: warning.line,
            code: warning.code,
            message: warning.message,
        });
    }
    let playlist = parsed.value;
    let unsupported = if playlist.live {
        Some("a live playlist")
    } else if !playlist.index.keys().is_empty() {
        Some("encrypted content")
    } else {
        match playlist.format {
            SegmentFormat::MpegTs => Some("MPEG-2 transport stream segments"),
            SegmentFormat::PackedAudio => Some("packed audio segments"),
            SegmentFormat::WebVtt => Some("WebVTT segments"),
            SegmentFormat::FragmentedMp4 | SegmentFormat::Unknown => None,
        }
    };
    match unsupported {
        Some(feature) => {
            Err(Error::Unsupported { url: url.to_owned(), feature: feature.to_owned() })
        }
        None => Ok(playlist.index),
    }
}
