//! One stream of media: what to fetch next, what to give to the platform's buffer, what to drop.

pub(crate) mod buffer;
pub(crate) mod choice;
mod feed;
mod fetch;
mod init;
mod live;
pub(crate) mod moved;
mod overtaken;
mod pieces;
mod replace;
mod rests;
mod room;
mod sealed;
#[cfg(test)]
mod testing;
pub(crate) mod timeline;
mod turning;

use kinora_abr::{Phase, Reasons};

use self::buffer::Buffer;
pub(crate) use self::buffer::TOLERANCE;
use self::fetch::{Aside, Setbacks};
use self::init::{InitKey, Inits};
use self::pieces::{Begun, Piece};
use self::rests::Rests;
use self::sealed::Sealed;
use self::timeline::Timeline;
use crate::context::Context;
use crate::decoders::Decoders;
use crate::drm::{Access, Keys};
use crate::error::Error;
use crate::io::{AppendBody, MediaCommand, MediaKind, Quality, RequestId};
use crate::live::{Live, Timing};
use crate::media::FileIndex;
use crate::media::ts::{self, Remuxer};
use crate::presentation::{
    Presentation, Protection, Representation, Segment, SegmentIndex, Segments,
};
use crate::requests::{OriginId, Requests, Ticket};
use crate::telemetry::{Masked, StreamState, TimerState};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// What a stream works with besides itself.
pub(crate) struct World<'a, 'c> {
    pub(crate) cx: &'a mut Context<'c>,
    pub(crate) presentation: &'a mut Presentation,
    pub(crate) requests: &'a mut Requests,
    pub(crate) timeline: &'a mut Timeline,
    pub(crate) decoders: &'a Decoders,
    pub(crate) keys: &'a mut Keys,
    pub(crate) live: &'a mut Live,
    pub(crate) playhead: MediaTime,
    pub(crate) phase: Phase,
    pub(crate) rate: f64,
    /// The platform's buffers have been asked for, so that media can be appended.
    pub(crate) attached: bool,
    /// Where the picture goes on that the platform has not been given yet; nowhere if there is none, or no more.
    pub(crate) picture: Option<MediaTime>,
    /// No stream fetches what starts later, so that none runs ahead on bandwidth that another needs.
    pub(crate) fetch_limit: MediaTime,
}

impl World<'_, '_> {
    /// Whether it is not settled yet where playback begins.
    fn holds(&self) -> bool {
        self.presentation.live.is_some() && !self.live.joined
    }

    /// Live: how far behind the newest media the viewer is, and is to be.
    fn behind(&self) -> Option<[MediaTime; 2]> {
        let timing = self.timing()?;
        Some([timing.reference - self.playhead, timing.delay])
    }

    fn timing(&self) -> Option<Timing> {
        self.live.timing(self.presentation, &self.cx.config.live, self.cx.now)
    }
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
    /// What was passed over before that, because there is nothing: the playhead will not spend time there.
    holes: Vec<TimeRange>,
    /// `next` is where a segment ended, and not a place that the viewer chose.
    seam: bool,
    period: usize,
    /// Representation of the segment before that.
    last: Option<Key>,
    fetch: Fetch,
    inits: Inits,
    /// Fetched and not yet taken by the platform, in order; never more than a few.
    queue: Vec<Fetched>,
    operation: Option<Operation>,
    /// Type the platform's buffer is set to.
    mime_type: Option<String>,
    in_buffer: Option<InitKey>,
    pinned: Option<String>,
    setbacks: Setbacks,
    /// Representations of which not even the beginning could be had.
    aside: Vec<Aside>,
    abandoned: u32,
    /// What starts up to here is not fetched again for a better picture.
    fixed_until: MediaTime,
    /// Representations whose keys may not be used.
    locked: Vec<usize>,
    wait: Option<TimerState>,
    /// `changeType` was refused: only another media source takes what comes next.
    wants_rebuild: bool,
    /// What the platform could not decode.
    at_fault: Option<Key>,
    /// When the buffer was full last, or its goal was raised after that.
    full_since: Option<Timestamp>,
    /// The buffer goal that the platform's quota allows.
    goal_limit: Option<MediaTime>,
    /// Append nothing until the playhead is here, because the buffer is full.
    full_until: Option<MediaTime>,
    decided: Option<(Quality, Reasons)>,
    /// What could not be chosen then.
    masked: Vec<Masked>,
    complete: bool,
    /// Live: everything there was has been fetched, as of this version of what is there.
    starved: Option<u32>,
    /// Live: a part the server announced and then did not have.
    refused: Option<String>,
    /// Playlists that seem to have been cut off, and where; twice if others go on.
    doubted: Vec<(Key, OriginId)>,
    /// Live: attempts at a segment that ought to be there and is not.
    missing: u32,
    /// Live: where begins what was passed over and may yet come, as nothing has that follows it.
    late_from: Option<MediaTime>,
    /// Live: all that follows was asked for, and nothing has come since.
    in_vain: bool,
    /// Live: where ends the newest segment that has come.
    newest: MediaTime,
    /// Turns segments of other containers, of the representation that it turned the last one of.
    remuxer: (Option<Key>, Remuxer),
    rests: Rests,
    /// An append took away what follows it.
    overruns: bool,
    /// The platform has dropped media by itself, and holds this.
    pub(crate) evicted: Option<Vec<TimeRange>>,
}

#[derive(Debug)]
enum Fetch {
    Idle,
    /// The playlist or index of the representation chosen.
    Index {
        ticket: Ticket,
        key: Key,
        reasons: Reasons,
        /// Where the segment goes that is fetched once the index is there.
        target: Target,
        /// How far an index within a media file has been read; none for a playlist.
        file: Option<Box<FileIndex>>,
        /// When it was asked for.
        asked: Timestamp,
    },
    Segment {
        ticket: Ticket,
        chosen: Box<Chosen>,
        /// What has been handed over of it, while the rest is on its way.
        begun: Option<Box<Begun>>,
    },
}

#[derive(Clone, Debug)]
struct Chosen {
    key: Key,
    segment: Segment,
    init: Option<InitKey>,
    quality: Quality,
    reasons: Reasons,
    target: Target,
    /// What is added to the media's own timestamps, if the manifest says.
    media_offset: Option<MediaTime>,
    /// What lies outside is not shown.
    window: TimeRange,
    /// It has to be turned into what the platform's buffer takes.
    remux: bool,
    /// Its true length is in the media: it is a part of a segment, or grows while it is sent.
    partial: bool,
    /// The server has announced it, and may yet think better of it.
    hinted: bool,
    /// Where its media lies, as the media says it.
    placed: Option<TimeRange>,
    /// How many chunks of it have come.
    chunks: u32,
    /// It is a piece of a segment that was.
    piece: Option<Piece>,
    /// Since when it ought to be there, where only the clock says so.
    there: Option<Timestamp>,
    /// When it was asked for.
    asked: Timestamp,
    /// Until then it may not be there yet.
    early_until: Option<Timestamp>,
}

/// Where a segment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// After everything fetched before.
    Next,
    /// Over a segment that waits here in another quality.
    Instead(TimeRange),
}

/// A segment that the host keeps until the platform takes it.
#[derive(Debug)]
struct Fetched {
    chosen: Chosen,
    body: AppendBody,
    head: Vec<u8>,
    /// It is changed before it is appended, or was: it is encrypted as a whole, or in another container.
    sealed: Option<Sealed>,
    /// What it needs to be decrypted, where that is not what its representation says; none while it is not known.
    own: Option<Option<Box<Protection>>>,
    /// Size of the body.
    bytes: u64,
    /// Where it came from, and when.
    origin: OriginId,
    arrived: Timestamp,
    /// What failed before it came.
    before: Setbacks,
    /// With this, all of the body has been appended, and the host can let it go.
    last_of: Option<RequestId>,
    /// The host has let the body go: it can be appended no second time.
    lost: bool,
}

/// What the platform's buffer is doing.
#[derive(Clone, Copy, Debug)]
enum Operation {
    AddBuffer,
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
            holes: Vec::new(),
            seam: false,
            period: 0,
            last: None,
            fetch: Fetch::Idle,
            inits: Inits::default(),
            queue: Vec::new(),
            operation: None,
            mime_type: None,
            in_buffer: None,
            pinned: None,
            setbacks: Setbacks::default(),
            aside: Vec::new(),
            abandoned: 0,
            fixed_until: MediaTime::MIN,
            locked: Vec::new(),
            wait: None,
            wants_rebuild: false,
            at_fault: None,
            full_since: None,
            goal_limit: None,
            full_until: None,
            decided: None,
            masked: Vec::new(),
            complete: false,
            starved: None,
            refused: None,
            doubted: Vec::new(),
            missing: 0,
            late_from: None,
            in_vain: false,
            newest: MediaTime::MIN,
            remuxer: (None, Remuxer::default()),
            rests: Rests::default(),
            overruns: false,
            evicted: None,
        }
    }

    /// Does whatever can be done now: asks for the next segment, hands the platform the last.
    pub(crate) fn pump(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        if let Some(buffered) = self.evicted.take() {
            self.take_eviction(world, buffered);
        }
        self.drop_late_replacements(world);
        self.open_inits(world)?;
        self.leave_locked(world);
        self.leave_overtaken(world);
        if world.requests.satisfied {
            self.wait = None;
        }
        while matches!(self.fetch, Fetch::Idle) && !self.complete && !world.requests.satisfied {
            if !self.fetch_next(world)? {
                break;
            }
        }
        // Only what is in a segment tells what buffer it goes into; sound is always the same.
        let tells = |first: &Fetched| first.chosen.remux && self.kind != MediaKind::Audio;
        if !world.attached && self.queue.first().is_some_and(tells) {
            self.make_ready(world)?;
        }
        self.feed(world)
    }

    /// What plays may not be decrypted any more: looks for it in another quality.
    fn leave_locked(&mut self, world: &mut World<'_, '_>) {
        let at = world.playhead;
        let Some(held) = self.buffer.held_at(at) else { return };
        if !self.is_denied(world, held.key, at) {
            return;
        }
        let covers = |chosen: &Chosen| chosen.range().contains(at);
        let comes = match &self.fetch {
            Fetch::Idle => self.next <= at,
            Fetch::Index { .. } => true,
            Fetch::Segment { chosen, .. } => covers(chosen),
        };
        if !comes && !self.queue.iter().any(|fetched| covers(&fetched.chosen)) {
            self.restart(world, at);
        }
    }

    /// Whether the keys of a representation may not be used at a time.
    fn is_denied(&self, world: &World<'_, '_>, key: Key, at: MediaTime) -> bool {
        let owner = representation(world.presentation, key);
        let protection = owner.and_then(|owner| owner.protection_at(at));
        protection.is_some() && world.keys.access(protection) == Access::Denied
    }

    /// Where the next segment to fetch starts; nowhere once everything has been fetched.
    pub(crate) fn front(&self) -> Option<MediaTime> {
        (!self.complete).then_some(self.next)
    }

    /// Up to where it has been fetched from where playback is.
    pub(crate) fn reached(&self) -> MediaTime {
        self.next
    }

    /// Where what the platform has not been given yet begins; nowhere once there is no more.
    pub(crate) fn unfed(&self) -> Option<MediaTime> {
        let queued = self.first_queued().map(|first| first.chosen.segment.start);
        queued.or_else(|| self.front())
    }

    /// Everything has been fetched, and the platform has it.
    pub(crate) fn is_finished(&self) -> bool {
        self.complete && self.queue.is_empty() && self.operation.is_none()
    }

    /// The type to ask a platform buffer of, once the first representation chosen tells it.
    pub(crate) fn initial_mime_type(&self, presentation: &Presentation) -> Option<String> {
        let (key, remux) = match (&self.fetch, self.queue.first()) {
            (_, Some(fetched)) => (fetched.chosen.key, fetched.chosen.remux),
            (Fetch::Segment { chosen, .. }, None) => (chosen.key, chosen.remux),
            _ => return None,
        };
        let first = self.inits.first(key);
        let found = match self.queue.first().and_then(|first| first.chosen.init) {
            Some(init) => self.inits.get(init),
            None => first,
        };
        let representation = representation(presentation, key)?;
        if representation.codecs.is_empty() {
            if remux && self.kind == MediaKind::Audio {
                return Some(ts::SOUND.to_owned());
            }
            return found.or(first).map(|loaded| loaded.mime_type.clone());
        }
        let declared = representation.mime_type();
        Some(match found {
            Some(loaded) => loaded.type_of(declared),
            None => declared,
        })
    }

    pub(crate) fn attach(&mut self, cx: &mut Context<'_>, mime_type: String) {
        let command = MediaCommand::AddBuffer { kind: self.kind, mime_type: mime_type.clone() };
        self.mime_type = Some(mime_type);
        self.operation = Some(Operation::AddBuffer);
        self.buffer.busy = Some(cx.out.media(command));
    }

    /// End of the known media of this stream.
    pub(crate) fn known_end(&self, presentation: &Presentation) -> Option<MediaTime> {
        self.last_index(presentation).map(SegmentIndex::end)
    }

    /// Up to where there is something of this stream: a playlist may end with what it says that there is nothing of.
    fn last_media(&self, presentation: &Presentation) -> Option<MediaTime> {
        let index = self.last_index(presentation)?;
        let mut segments = (0..index.len()).rev().filter_map(|position| index.get(position));
        let last = segments.find(|segment| !segment.gap);
        Some(last.map_or(index.end(), |segment| segment.end()))
    }

    fn last_index<'p>(&self, presentation: &'p Presentation) -> Option<&'p SegmentIndex> {
        for (period, set) in self.sets.iter().enumerate().rev() {
            let Some(set) = *set else { continue };
            let set = presentation.periods.get(period)?.sets.get(set)?;
            // Of what was live, those that do not play may be known as they were long ago. What was announced, and has no
            // segments, ends where the period before does.
            match set.known().max_by_key(|index| index.end()) {
                Some(index) if index.is_empty() => {}
                index => return index,
            }
        }
        None
    }

    /// Where the media ends that the platform has been given, or is about to be.
    pub(crate) fn buffered_end(&self) -> MediaTime {
        let held = self.buffer.ranges().last().map(|range| range.end);
        let waiting = self.queue.iter().map(|fetched| fetched.chosen.segment.end());
        waiting.chain(held).max().unwrap_or_default()
    }

    /// Where the media begins that the buffer refuses to change its type for.
    pub(crate) fn refused_from(&self) -> Option<MediaTime> {
        let first = self.queue.first().filter(|_| self.wants_rebuild)?;
        Some(first.chosen.segment.start)
    }

    /// The representation that a decoder most likely stumbled over.
    pub(crate) fn suspect_at(&self, time: MediaTime) -> Option<Key> {
        let appending = self.queue.first().filter(|_| self.operation.is_some());
        let held = || self.buffer.held_at(time).map(|held| held.key);
        self.at_fault.or_else(held).or_else(|| appending.map(|first| first.chosen.key))
    }

    /// Something changed that earlier waits did not reckon with.
    pub(crate) fn reconsider(&mut self) {
        self.wait = None;
        self.starved = None;
    }

    /// Whether a segment is of the track that plays.
    pub(super) fn is_own(&self, key: Key) -> bool {
        self.set_of(key.period) == Some(key.set)
    }

    pub(crate) fn set_of(&self, period: usize) -> Option<usize> {
        self.sets.get(period).copied().flatten()
    }

    /// The segment that the platform is taking, if it has nothing in its place.
    fn appending(&self) -> Option<&Chosen> {
        let first =
            self.queue.first().filter(|_| matches!(self.operation, Some(Operation::Segment)));
        first.map(|fetched| &fetched.chosen).filter(|chosen| chosen.target == Target::Next)
    }

    /// The first fetched segment that the platform has nothing in the place of.
    fn first_queued(&self) -> Option<&Fetched> {
        self.queue.iter().find(|fetched| fetched.chosen.target == Target::Next)
    }

    /// Media ahead of the playhead that the platform holds without a hole.
    pub(crate) fn ahead(&self, playhead: MediaTime) -> MediaTime {
        self.buffer.end_of_range(playhead).map_or(MediaTime::ZERO, |end| end - playhead)
    }

    /// What there is to be played before the next segment to fetch.
    pub(super) fn ahead_of_next(&self, playhead: MediaTime) -> MediaTime {
        let mut ahead = self.next - playhead;
        for hole in &self.holes {
            ahead = ahead - (hole.end - hole.start.max(playhead)).max(MediaTime::ZERO);
        }
        ahead.max(MediaTime::ZERO)
    }

    /// Passes over a segment that there is not.
    fn pass_gap(&mut self, gap: TimeRange, playhead: MediaTime) {
        self.next = gap.end;
        self.seam = true;
        self.holes.retain(|hole| hole.end > playhead);
        match self.holes.last_mut() {
            Some(last) if (gap.start - last.end).abs() <= TOLERANCE => last.end = gap.end,
            _ => self.holes.push(gap),
        }
    }

    /// Whether everything before `time` has been fetched, or never will be.
    pub(crate) fn has_passed(&self, time: MediaTime) -> bool {
        let unfed = self.first_queued().is_some_and(|fetched| fetched.chosen.segment.start < time);
        !unfed && (self.complete || self.next >= time)
    }

    /// Whether there is nothing between two times that could be fetched: the playlist says so (`EXT-X-GAP`), it
    /// went on without what came between, or what should have been there never came.
    pub(crate) fn lacks(
        &self,
        presentation: &Presentation,
        from: MediaTime,
        to: MediaTime,
    ) -> bool {
        let known = self.last.and_then(|last| representation(presentation, last));
        let Some(Segments::Known(index)) = known.map(|known| &known.segments) else { return false };
        let Some(mut position) = index.position_at(from + TOLERANCE) else { return false };
        while let Some(segment) =
            index.get(position).filter(|segment| segment.start < to - TOLERANCE)
        {
            // What the platform was given lies where its media says: the playlist may be wrong about it.
            let middle = segment.start + MediaTime::from_flicks(segment.duration.flicks() / 2);
            let given = self.buffer.held_at(middle).is_some();
            let passed = self.holes.iter().any(|hole| hole.start <= middle && middle < hole.end);
            if !segment.gap && !given && !passed && segment.end() > from + TOLERANCE {
                return false;
            }
            position += 1;
        }
        true
    }

    /// Whether there is nothing of this stream between two times, though there are segments.
    pub(crate) fn rests(&self, from: MediaTime, to: MediaTime) -> bool {
        self.rests.cover(from, to)
    }

    /// The representation shown at a time, if it is one of the set that is being fetched.
    pub(crate) fn rung_at(&self, time: MediaTime) -> Option<usize> {
        let key = self.buffer.held_at(time)?.key;
        let same = key.period == self.period && self.set_of(key.period) == Some(key.set);
        same.then_some(key.representation)
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
            masked: self.masked.clone(),
            complete: self.complete,
        }
    }
}

pub(crate) fn representation(presentation: &Presentation, key: Key) -> Option<&Representation> {
    presentation.periods.get(key.period)?.sets.get(key.set)?.representations.get(key.representation)
}

pub(crate) fn representation_mut(
    presentation: &mut Presentation,
    key: Key,
) -> Option<&mut Representation> {
    presentation
        .periods
        .get_mut(key.period)?
        .sets
        .get_mut(key.set)?
        .representations
        .get_mut(key.representation)
}
