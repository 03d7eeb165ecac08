//! One stream of media: what to fetch next, what to give to the platform's buffer, what to drop.

pub(crate) mod buffer;
pub(crate) mod choice;
mod init;
pub(crate) mod requests;
pub(crate) mod timeline;

use std::collections::VecDeque;

use kinora_abr::{InFlight, Phase, Reasons, Verdict};

use self::buffer::{Buffer, Held, TOLERANCE};
use self::choice::{Choice, Moment};
use self::init::{InitKey, Inits};
use self::requests::{Outcome, Requests, Ticket, Wish};
use self::timeline::{Sequence, Timeline};
use crate::context::Context;
use crate::error::Error;
use crate::io::{
    AppendBody, BodyHandling, ByteRange, Decision, Event, MediaCommand, MediaFailure, MediaKind,
    OperationId, OperationResult, Quality, RequestId, RequestKind, Warning,
};
use crate::manifest::{self, hls::SegmentFormat};
use crate::media;
use crate::presentation::{Presentation, Segment, SegmentIndex, Segments, SwitchingSet};
use crate::telemetry::{StreamState, TimerReason, TimerState};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// Media ahead is dropped in one go once it reaches this far behind what is to be kept, so that the
/// buffer is not trimmed at every frame.
const TRIM_STEP: MediaTime = MediaTime::from_secs(10);
/// No more than this many fetched segments wait for the platform to take them.
const MAX_QUEUE: usize = 3;
/// A segment is looked for in this many representations before playback gives up.
const MAX_FAILED: usize = 3;
/// Where a `sidx` is looked for when the MPD does not say.
const INDEX_SEARCH_BYTES: u64 = 128 * 1024;

/// What a stream works with besides itself.
pub(crate) struct World<'a, 'c> {
    pub(crate) cx: &'a mut Context<'c>,
    pub(crate) presentation: &'a mut Presentation,
    pub(crate) requests: &'a mut Requests,
    pub(crate) timeline: &'a mut Timeline,
    pub(crate) playhead: MediaTime,
    pub(crate) phase: Phase,
    pub(crate) rate: f64,
    /// The platform's buffers have been asked for, so that media can be appended.
    pub(crate) attached: bool,
}

/// Names a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) period: usize,
    pub(crate) set: usize,
    pub(crate) representation: usize,
}

/// One stream of media.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) kind: MediaKind,
    pub(crate) buffer: Buffer,
    /// The switching set that plays, for each period; a period may lack the kind.
    sets: Vec<Option<usize>>,
    /// Where the next segment to fetch starts, and in which period.
    next: MediaTime,
    period: usize,
    /// Representation of the segment before that.
    last: Option<Key>,
    fetch: Fetch,
    inits: Inits,
    queue: VecDeque<Fetched>,
    operation: Option<Operation>,
    /// Type the platform's buffer is set to.
    mime_type: Option<String>,
    in_buffer: Option<InitKey>,
    pinned: Option<String>,
    /// Representations that could not deliver the next segment.
    failed: Vec<usize>,
    abandoned: u32,
    wait: Option<TimerState>,
    /// The buffer goal that the platform's quota allows.
    goal_limit: Option<MediaTime>,
    /// Append nothing until the playhead is here, because the buffer is full.
    full_until: Option<MediaTime>,
    decided: Option<(Quality, Reasons)>,
    complete: bool,
}

#[derive(Debug)]
enum Fetch {
    Idle,
    /// The playlist or index of the representation chosen.
    Index {
        ticket: Ticket,
        key: Key,
        reasons: Reasons,
    },
    Segment {
        ticket: Ticket,
        chosen: Chosen,
    },
}

#[derive(Clone, Debug)]
struct Chosen {
    key: Key,
    segment: Segment,
    init: Option<InitKey>,
    quality: Quality,
    reasons: Reasons,
}

/// A segment that the host keeps until the platform takes it.
#[derive(Debug)]
struct Fetched {
    chosen: Chosen,
    body: RequestId,
    head: Vec<u8>,
}

/// What the platform's buffer is doing.
#[derive(Clone, Copy, Debug)]
enum Operation {
    ChangeType,
    Init(InitKey),
    Segment,
    Remove,
}

impl Stream {
    /// A stream that starts at `start`; `sets` names its switching set in each period.
    pub(crate) fn new(kind: MediaKind, sets: Vec<Option<usize>>, start: MediaTime) -> Self {
        Self {
            kind,
            buffer: Buffer::default(),
            sets,
            next: start,
            period: 0,
            last: None,
            fetch: Fetch::Idle,
            inits: Inits::default(),
            queue: VecDeque::new(),
            operation: None,
            mime_type: None,
            in_buffer: None,
            pinned: None,
            failed: Vec::new(),
            abandoned: 0,
            wait: None,
            goal_limit: None,
            full_until: None,
            decided: None,
            complete: false,
        }
    }

    /// Does whatever can be done now: asks for the next segment, hands the platform the last.
    pub(crate) fn pump(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        while matches!(self.fetch, Fetch::Idle) && !self.complete {
            if !self.fetch_next(world)? {
                break;
            }
        }
        self.feed(world)
    }

    /// Everything has been fetched, and the platform has it.
    pub(crate) fn is_finished(&self) -> bool {
        self.complete && self.queue.is_empty() && self.operation.is_none()
    }

    /// The type to ask a platform buffer of, once the first representation chosen tells it.
    pub(crate) fn initial_mime_type(&self, presentation: &Presentation) -> Option<String> {
        let key = match (&self.fetch, self.queue.front()) {
            (_, Some(fetched)) => fetched.chosen.key,
            (Fetch::Segment { chosen, .. }, None) => chosen.key,
            _ => return None,
        };
        let representation = representation(presentation, key)?;
        if representation.codecs.is_empty() {
            self.inits.mime_type(key)
        } else {
            Some(representation.mime_type())
        }
    }

    pub(crate) fn attach(&mut self, mime_type: String) {
        self.mime_type = Some(mime_type);
    }

    /// End of the known media of this stream.
    pub(crate) fn known_end(&self, presentation: &Presentation) -> Option<MediaTime> {
        let (period, set) =
            self.sets.iter().enumerate().rev().find_map(|(p, s)| Some((p, (*s)?)))?;
        let set = presentation.periods.get(period)?.sets.get(set)?;
        set.representations.iter().find_map(|representation| match &representation.segments {
            Segments::Known(index) => Some(index.end()),
            _ => None,
        })
    }

    /// The playhead moves to `time`: keeps what is of use there and turns to what is missing.
    pub(crate) fn seek(&mut self, world: &mut World<'_, '_>, time: MediaTime) {
        self.wait = None;
        self.full_until = None;
        let buffered_to = self.buffer.end_of_range(time);
        let coming_from = self
            .queue
            .front()
            .map(|fetched| fetched.chosen.segment.start)
            .or(match &self.fetch {
                Fetch::Segment { chosen, .. } => Some(chosen.segment.start),
                _ => None,
            })
            .unwrap_or(self.next);
        let joins = |from: MediaTime| from <= buffered_to.unwrap_or(time) + TOLERANCE;
        if coming_from <= time + TOLERANCE && time < self.next
            || buffered_to.is_some() && joins(coming_from) && time <= self.next
        {
            return;
        }
        self.restart(world, buffered_to.unwrap_or(time));
    }

    /// Turns to the media at `from`, dropping what was on its way.
    fn restart(&mut self, world: &mut World<'_, '_>, from: MediaTime) {
        self.drop_fetch(world);
        self.drop_queue(world);
        self.next = from;
        self.period = world
            .presentation
            .periods
            .iter()
            .rposition(|period| period.start <= from + TOLERANCE)
            .unwrap_or(0);
        self.complete = false;
        self.wait = None;
        self.failed.clear();
        self.abandoned = 0;
    }

    /// Something changed that earlier waits did not reckon with.
    pub(crate) fn reconsider(&mut self) {
        self.wait = None;
    }

    /// Plays one representation only, or hands the choice back. What is buffered beyond the segment
    /// after the playhead's is fetched again in the representation pinned.
    pub(crate) fn pin(&mut self, world: &mut World<'_, '_>, id: Option<String>) {
        self.pinned = id;
        self.wait = None;
        let Some(pinned) = &self.pinned else { return };
        let mut from = world.playhead;
        for _ in 0..2 {
            match self.buffer.held_at(from) {
                Some(held) if held.quality.id != *pinned => from = held.range.end,
                _ => break,
            }
        }
        let elsewhere = |chosen: &Chosen| chosen.quality.id != *pinned;
        let stale = self.queue.iter().any(|fetched| elsewhere(&fetched.chosen))
            || matches!(&self.fetch, Fetch::Segment { chosen, .. } if elsewhere(chosen))
            || self.buffer.held_at(from).is_some_and(|held| held.quality.id != *pinned);
        if stale && from > world.playhead {
            self.restart(world, from);
        }
    }

    /// Plays another switching set from the playhead on.
    pub(crate) fn select(&mut self, world: &mut World<'_, '_>, sets: Vec<Option<usize>>) {
        self.sets = sets;
        self.pinned = None;
        self.last = None;
        self.restart(world, world.playhead);
        // The other track's media must not be taken for this one's.
        self.buffer.forget_held();
    }

    pub(crate) fn set_of(&self, period: usize) -> Option<usize> {
        self.sets.get(period).copied().flatten()
    }

    /// Drops everything, as before another load.
    pub(crate) fn drop_fetch(&mut self, world: &mut World<'_, '_>) {
        match core::mem::replace(&mut self.fetch, Fetch::Idle) {
            Fetch::Idle => {}
            Fetch::Index { ticket, .. } | Fetch::Segment { ticket, .. } => {
                world.requests.cancel(world.cx, ticket);
            }
        }
    }

    fn drop_queue(&mut self, world: &mut World<'_, '_>) {
        // The platform still reads the body that is being appended.
        let keep = usize::from(matches!(self.operation, Some(Operation::Segment)));
        for fetched in self.queue.drain(keep.min(self.queue.len())..) {
            world.cx.out.cancel(fetched.body);
        }
    }

    // ---- fetching -------------------------------------------------------------------------------

    /// Takes one step towards the next fetch. Whether another may follow.
    fn fetch_next(&mut self, world: &mut World<'_, '_>) -> Result<bool, Error> {
        let now = world.cx.now;
        if self.wait.as_ref().is_some_and(|wait| wait.at > now) || self.queue.len() >= MAX_QUEUE {
            return Ok(false);
        }
        self.wait = None;
        if let Some(held) = self.buffer.held_at(self.next + TOLERANCE)
            && self.pinned.as_ref().is_none_or(|pinned| *pinned == held.quality.id)
            && held.range.end > self.next
        {
            self.next = held.range.end;
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
                self.fetch = Fetch::Index { ticket, key, reasons };
                return Ok(false);
            }
            Segments::IndexBox { url, range, .. } => {
                let search = ByteRange { start: 0, length: Some(INDEX_SEARCH_BYTES) };
                let wish = Wish {
                    kind: RequestKind::Index(self.kind),
                    url: url.clone(),
                    range: Some(range.unwrap_or(search)),
                    body: BodyHandling::Deliver,
                    rung: None,
                };
                let ticket = world.requests.start(world.cx, wish);
                self.fetch = Fetch::Index { ticket, key, reasons };
                return Ok(false);
            }
        };
        let Some(segment) = segment_from(index, self.next) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        if segment.gap {
            self.next = segment.end();
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
        let chosen = Chosen { key, segment, init, quality, reasons };
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
                let (Fetch::Index { key, .. } | Fetch::Segment { chosen: Chosen { key, .. }, .. }) =
                    core::mem::replace(&mut self.fetch, Fetch::Idle)
                else {
                    return Ok(None);
                };
                self.fail(world, key, error)?;
            }
        }
        Ok(None)
    }

    /// A representation could not deliver. Another may; when enough have been tried, none will.
    fn fail(&mut self, world: &World<'_, '_>, key: Key, error: Error) -> Result<(), Error> {
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

    fn take_index(
        &mut self,
        world: &mut World<'_, '_>,
        body: &[u8],
        url: &str,
    ) -> Result<(), Error> {
        let Fetch::Index { key, reasons, .. } = core::mem::replace(&mut self.fetch, Fetch::Idle)
        else {
            return Ok(());
        };
        let parsed = {
            let Some(representation) = representation_mut(world.presentation, key) else {
                return Ok(());
            };
            let parsed = read_index(&representation.segments, body, url, world.cx);
            match parsed {
                Ok(index) => {
                    representation.segments = Segments::Known(index);
                    Ok(())
                }
                Err(error) => Err(error),
            }
        };
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
        self.last = Some(chosen.key);
        self.failed.clear();
        self.abandoned = 0;
        self.queue.push_back(Fetched { chosen, body, head });
    }

    /// Gives a download up when the rule says that a smaller one comes sooner.
    fn check_in_flight(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
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

    // ---- feeding the platform -------------------------------------------------------------------

    /// Hands the platform's buffer the next thing it can take.
    fn feed(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        if !world.attached || self.buffer.busy.is_some() {
            return Ok(());
        }
        if let Some(range) = self.due_for_removal(world) {
            self.operate(world, Operation::Remove, MediaCommand::Remove { kind: self.kind, range });
            return Ok(());
        }
        if self.full_until.is_some_and(|until| world.playhead < until) {
            return Ok(());
        }
        self.full_until = None;
        let Some(fetched) = self.queue.front() else { return Ok(()) };
        match fetched.chosen.init {
            Some(init) if self.in_buffer != Some(init) => self.feed_init(world, init),
            _ => self.feed_segment(world),
        }
    }

    fn operate(&mut self, world: &mut World<'_, '_>, operation: Operation, command: MediaCommand) {
        self.operation = Some(operation);
        self.buffer.busy = Some(world.cx.out.media(command));
    }

    /// What lies too far behind. A stream that is complete drops nothing: a removal would take the
    /// media source out of its ended state (MSE §5.6, `remove`), and nothing more needs the room.
    fn due_for_removal(&self, world: &World<'_, '_>) -> Option<TimeRange> {
        if self.complete {
            return None;
        }
        let back = MediaTime::from_duration(world.cx.config.buffer.back);
        let first = self.buffer.ranges().first()?;
        let due = world.playhead - back - TRIM_STEP > first.start;
        if due { self.buffer.droppable(world.playhead - back) } else { None }
    }

    fn feed_init(&mut self, world: &mut World<'_, '_>, init: InitKey) -> Result<(), Error> {
        let Some(loaded) = self.inits.get(init) else { return Ok(()) };
        let mime_type = representation(world.presentation, init.representation)
            .filter(|representation| !representation.codecs.is_empty())
            .map_or_else(|| loaded.mime_type.clone(), |representation| representation.mime_type());
        let same_type = self.mime_type.as_deref().is_some_and(|now| same_codecs(now, &mime_type));
        if !same_type {
            let command =
                MediaCommand::ChangeType { kind: self.kind, mime_type: mime_type.clone() };
            self.mime_type = Some(mime_type);
            self.operate(world, Operation::ChangeType, command);
            return Ok(());
        }
        let command = MediaCommand::Append {
            kind: self.kind,
            timestamp_offset: MediaTime::ZERO,
            window: TimeRange { start: MediaTime::ZERO, end: MediaTime::MAX },
            body: AppendBody::Bytes(loaded.bytes.clone()),
        };
        self.operate(world, Operation::Init(init), command);
        Ok(())
    }

    fn feed_segment(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        let Some(fetched) = self.queue.front() else { return Ok(()) };
        let chosen = &fetched.chosen;
        let fragment = match chosen.init.and_then(|init| self.inits.get(init)) {
            Some(init) => match media::fragment::parse(&fetched.head, &init.info) {
                Ok(fragment) => Some(fragment),
                Err(error) => return self.reject_segment(world, error),
            },
            None => None,
        };
        let known = representation(world.presentation, chosen.key).and_then(|representation| {
            match &representation.segments {
                Segments::Known(index) => index.media_offset(),
                _ => None,
            }
        });
        let sequence =
            Sequence { period: chosen.key.period, discontinuity: chosen.segment.discontinuity };
        let timestamp_offset = match (known, fragment) {
            (Some(offset), _) => offset,
            (None, Some(fragment)) => {
                world.timeline.offset(sequence, chosen.segment.start, fragment.presentation_start)
            }
            (None, None) => MediaTime::ZERO,
        };
        let command = MediaCommand::Append {
            kind: self.kind,
            timestamp_offset,
            window: append_window(world.presentation, chosen.key.period),
            body: AppendBody::Kept(fetched.body),
        };
        self.operate(world, Operation::Segment, command);
        Ok(())
    }

    /// What was fetched is not media, such as a page that a proxy sent instead.
    fn reject_segment(
        &mut self,
        world: &mut World<'_, '_>,
        error: media::BoxError,
    ) -> Result<(), Error> {
        let Some(fetched) = self.queue.front() else { return Ok(()) };
        let (key, segment) = (fetched.chosen.key, fetched.chosen.segment.clone());
        let failed = core::mem::take(&mut self.failed);
        self.restart(world, segment.start);
        self.failed = failed;
        self.fail(world, key, Error::Segment { url: segment.url, error })?;
        self.pump(world)
    }

    /// Takes what came of a media operation, if it is this stream's. Whether it was.
    pub(crate) fn handle_result(
        &mut self,
        world: &mut World<'_, '_>,
        id: OperationId,
        result: &OperationResult,
    ) -> Result<bool, Error> {
        if self.buffer.busy != Some(id) {
            return Ok(false);
        }
        self.buffer.busy = None;
        let Some(operation) = self.operation.take() else { return Ok(true) };
        match (result, operation) {
            (OperationResult::Done { .. }, Operation::ChangeType) => self.in_buffer = None,
            (OperationResult::Done { .. }, Operation::Init(init)) => self.in_buffer = Some(init),
            (OperationResult::Done { buffered }, Operation::Segment) => {
                if let Some(fetched) = self.queue.pop_front() {
                    self.buffer.hold(Held {
                        range: TimeRange {
                            start: fetched.chosen.segment.start,
                            end: fetched.chosen.segment.end(),
                        },
                        quality: fetched.chosen.quality,
                        cause: fetched.chosen.reasons.cause,
                    });
                }
                self.buffer.update(buffered.clone());
            }
            (OperationResult::Done { buffered }, Operation::Remove) => {
                self.buffer.update(buffered.clone());
            }
            (OperationResult::Failed(MediaFailure::QuotaExceeded), _) => self.make_room(world)?,
            (OperationResult::Failed(failure), _) => return Err(self.platform_error(failure)),
        }
        Ok(true)
    }

    fn platform_error(&self, failure: &MediaFailure) -> Error {
        match failure {
            MediaFailure::NotSupported(reason) => Error::NotSupported {
                kind: self.kind,
                mime_type: self.mime_type.clone().unwrap_or_default(),
                reason: reason.clone(),
            },
            MediaFailure::Decode(reason) => {
                Error::Decode { kind: self.kind, reason: reason.clone() }
            }
            MediaFailure::InvalidState(reason) => Error::Element { reason: reason.clone() },
            MediaFailure::QuotaExceeded => Error::BufferTooSmall { kind: self.kind },
        }
    }

    /// The platform's buffer is full: keeps less ahead from now on, and drops what is behind or, if
    /// nothing is, waits until something is.
    fn make_room(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        let Some(fetched) = self.queue.front() else { return Ok(()) };
        let segment = fetched.chosen.segment.duration;
        let ahead = self.ahead(world.playhead);
        if self.goal_limit.is_none() {
            world.cx.out.warn(Warning::BufferFull { kind: self.kind });
        }
        let reduced = MediaTime::from_flicks(ahead.flicks() / 5 * 4);
        self.goal_limit = Some(reduced.max(segment.times(2)));
        if let Some(range) = self.buffer.droppable(world.playhead) {
            self.operate(world, Operation::Remove, MediaCommand::Remove { kind: self.kind, range });
            return Ok(());
        }
        if ahead <= TOLERANCE {
            return Err(Error::BufferTooSmall { kind: self.kind });
        }
        self.full_until =
            Some(world.playhead + segment.min(ahead - TOLERANCE).max(MediaTime::from_millis(10)));
        Ok(())
    }

    // ---- looking ----------------------------------------------------------------------------------

    /// Media ahead of the playhead that the platform holds without a hole.
    pub(crate) fn ahead(&self, playhead: MediaTime) -> MediaTime {
        self.buffer.end_of_range(playhead).map_or(MediaTime::ZERO, |end| end - playhead)
    }

    /// Whether everything before `time` has been fetched, or never will be.
    pub(crate) fn has_passed(&self, time: MediaTime) -> bool {
        let unfed = self.queue.front().is_some_and(|fetched| fetched.chosen.segment.start < time);
        !unfed && (self.complete || self.next >= time)
    }

    pub(crate) fn timer(&self) -> Option<TimerState> {
        if matches!(self.fetch, Fetch::Idle) { self.wait.clone() } else { None }
    }

    pub(crate) fn state(&self, cx_goal: MediaTime, playhead: MediaTime) -> StreamState {
        let (next, reason) = self.decided.clone().unzip();
        StreamState {
            kind: self.kind,
            buffered: self.buffer.ranges().to_vec(),
            buffer_ahead: self.ahead(playhead),
            buffer_goal: self.goal_limit.map_or(cx_goal, |limit| limit.min(cx_goal)),
            shown: self.buffer.held_at(playhead).map(|held| held.quality.clone()),
            next,
            reason,
            complete: self.complete,
        }
    }
}

/// The segment that plays at `next`. Segment boundaries of representations may differ by a frame or
/// two, so a segment that is all but over at `next` is not the one.
fn segment_from(index: &SegmentIndex, next: MediaTime) -> Option<Segment> {
    let position = index.position_at(next)?;
    let segment = index.get(position)?;
    let slack = TOLERANCE.min(MediaTime::from_flicks(segment.duration.flicks() / 4));
    if segment.end() - next <= slack { index.get(position + 1) } else { Some(segment) }
}

fn representation(
    presentation: &Presentation,
    key: Key,
) -> Option<&crate::presentation::Representation> {
    presentation.periods.get(key.period)?.sets.get(key.set)?.representations.get(key.representation)
}

fn representation_mut(
    presentation: &mut Presentation,
    key: Key,
) -> Option<&mut crate::presentation::Representation> {
    presentation
        .periods
        .get_mut(key.period)?
        .sets
        .get_mut(key.set)?
        .representations
        .get_mut(key.representation)
}

/// Media of a period may reach beyond its end; only what lies inside is shown.
fn append_window(presentation: &Presentation, period: usize) -> TimeRange {
    let starts = |index: usize| presentation.periods.get(index).map(|period| period.start);
    TimeRange {
        start: starts(period).unwrap_or(MediaTime::ZERO).max(MediaTime::ZERO),
        end: starts(period + 1).unwrap_or(MediaTime::MAX),
    }
}

/// Whether a buffer of one type takes segments of the other: containers and codec families agree;
/// profiles and levels are the init segment's business.
fn same_codecs(one: &str, other: &str) -> bool {
    fn families(mime_type: &str) -> impl Iterator<Item = &str> {
        mime_type
            .split([';', ',', '"', '=', ' '])
            .filter(|part| !part.is_empty())
            .map(|part| part.split('.').next().unwrap_or(part))
    }
    families(one).eq(families(other))
}

/// Turns the body of a playlist or of an index box into an index.
fn read_index(
    pending: &Segments,
    body: &[u8],
    url: &str,
    cx: &mut Context<'_>,
) -> Result<SegmentIndex, Error> {
    match pending {
        Segments::Playlist { .. } => {
            let parsed = manifest::hls::parse_media(body, url)
                .map_err(|error| Error::Manifest { url: url.to_owned(), error })?;
            for warning in parsed.warnings {
                cx.out.warn(Warning::Manifest {
                    url: url.to_owned(),
                    line: warning.line,
                    message: warning.message,
                });
            }
            let playlist = parsed.value;
            let unsupported = if playlist.live {
                Some("a live playlist")
            } else {
                match playlist.format {
                    SegmentFormat::MpegTs => Some("MPEG-2 transport stream segments"),
                    SegmentFormat::PackedAudio => Some("packed audio segments"),
                    SegmentFormat::WebVtt => Some("WebVTT segments"),
                    SegmentFormat::FragmentedMp4 | SegmentFormat::Unknown => None,
                }
            };
            match unsupported {
                Some(feature) => Err(Error::Unsupported {
                    url: url.to_owned(),
                    feature: feature.to_owned(),
                }),
                None => Ok(playlist.index),
            }
        }
        Segments::IndexBox { url: media_url, range, init, media_offset, end } => {
            let start = range.map_or(0, |range| range.start);
            media::sidx::parse(body, start)
                .and_then(|sidx| {
                    SegmentIndex::from_sidx(&sidx, media_url, init.clone(), *media_offset, *end)
                })
                .map_err(|error| Error::Segment { url: url.to_owned(), error })
        }
        Segments::Known(index) => Ok(index.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::same_codecs;

    #[test]
    fn profiles_may_differ_within_a_buffer_but_codecs_may_not() {
        let baseline = "video/mp4; codecs=\"avc1.42c01e\"";
        assert!(same_codecs(baseline, "video/mp4; codecs=\"avc1.64001f\""));
        assert!(!same_codecs(baseline, "video/mp4; codecs=\"hvc1.1.6.L93\""));
        assert!(!same_codecs(baseline, "video/mp4; codecs=\"avc1.64001f, mp4a.40.2\""));
        assert!(!same_codecs(baseline, "video/webm; codecs=\"vp09.00.10.08\""));
    }
}
