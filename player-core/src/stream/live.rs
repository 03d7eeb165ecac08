//! What a stream does differently while the presentation is still being made: media may be yet to
//! come, gone already, or sent while it is made.

use core::time::Duration;

use super::init;
use super::moved::Moves;
use super::{
    Chosen, Fetch, Fetched, Key, Operation, Setbacks, Stream, TOLERANCE, World, representation,
};
use crate::error::Error;
use crate::io::{AppendBody, RequestId};
use crate::live::Place;
use crate::manifest::dash::availability;
use crate::media;
use crate::presentation::{Segment, SegmentIndex, Segments};
use crate::requests::OriginId;
use crate::telemetry::{TimerReason, TimerState};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// A segment that ought to be there is asked for so often before it is passed over,
const MOST_MISSING: u32 = 6;
/// and so often if it has been for long.
const MOST_GONE: u32 = 2;
/// The pause between two attempts at it grows by this.
const MISSING_PAUSE: Duration = Duration::from_millis(300);
/// An encoder may be so late, or early, by its own clock,
const MOST_LATE: Duration = Duration::from_secs(60);
/// and is looked after so often once nothing of what should be there is,
const LATE_PAUSE: Duration = Duration::from_millis(2_500);
/// and so often if that has been so for long.
const VAIN_PAUSE: Duration = Duration::from_secs(4);

/// Where a stream goes on.
pub(super) enum Next {
    Here(Located),
    /// What should come next is gone; this is the first that is there.
    Skip(MediaTime),
    /// The period is over.
    Over,
    /// It is not there yet.
    Later,
    /// This representation goes on without a break; the one asked for does not.
    Instead(Key),
}

/// What a stream fetches next.
pub(super) struct Located {
    pub(super) segment: Segment,
    /// It is a part of a segment.
    pub(super) partial: bool,
    /// It will be there soon.
    pub(super) hinted: bool,
    /// It may be sent while it is made, chunk by chunk.
    pub(super) chunked: bool,
    /// It is complete so much later.
    pub(super) growing: Duration,
    /// Since when it ought to be there, where only the clock says so.
    pub(super) there: Option<Timestamp>,
}

impl Located {
    pub(super) fn whole(segment: Segment) -> Self {
        Self {
            segment,
            partial: false,
            hinted: false,
            chunked: false,
            growing: Duration::ZERO,
            there: None,
        }
    }
}

impl Stream {
    /// Playback begins at `at`; playlists that are on their way are still wanted.
    pub(crate) fn join(&mut self, world: &mut World<'_, '_>, at: MediaTime) {
        if !matches!(self.fetch, Fetch::Index { .. }) {
            self.restart(world, at);
            return;
        }
        self.next = at;
        self.seam = false;
        self.reconsider();
    }

    /// The segment that comes next in a representation.
    pub(super) fn locate(&mut self, world: &mut World<'_, '_>, key: Key) -> Next {
        if world.live.playlists.is_growing(key) {
            return self.locate_in_playlist(world, key);
        }
        let presentation = &*world.presentation;
        let Some(representation) = representation(presentation, key) else { return Next::Over };
        let Segments::Known(index) = &representation.segments else { return Next::Later };
        let found = segment_at(index, self.next, self.seam);
        let (Some(live), Some(wall)) = (&presentation.live, world.live.clock.now(world.cx.now))
        else {
            return found.map_or(Next::Over, |(_, segment)| Next::Here(Located::whole(segment)));
        };
        // All of it comes a little later than it says, if what came before did.
        let known = wall - world.live.lateness;
        let there = availability::segments(presentation, representation, known);
        let Some((position, segment)) = found else {
            if presentation.periods.len() > key.period + 1 {
                return Next::Over;
            }
            world.live.starve(presentation, world.cx.now);
            return Next::Later;
        };
        if position < there.start
            && let Some(first) = index.get(there.start).filter(|_| !there.is_empty())
        {
            return Next::Skip(first.start);
        }
        let chunked = representation.chunked.as_ref();
        let complete = live.origin.map(|origin| origin + segment.end());
        let early = chunked.map_or(MediaTime::ZERO, |chunked| chunked.offset);
        let promised = complete
            .filter(|_| !index.is_listed())
            .and_then(|complete| world.live.clock.when(complete - early, world.cx.now));
        if position >= there.end {
            let now = world.cx.now;
            let at = promised.map(|at| at + world.live.lateness.to_duration());
            let mut at = at.unwrap_or(now).max(now + Duration::from_millis(1));
            if let Some(first) = self.late_from.filter(|first| *first < self.next) {
                // Nothing that should have come since is there, either: those are no holes, all of it is late.
                self.turn_to(presentation, first);
                self.holes.iter_mut().for_each(|hole| hole.end = hole.end.min(first));
                self.holes.retain(|hole| hole.start < hole.end);
                self.setbacks.early = true;
                let known = core::mem::replace(&mut self.in_vain, true);
                at = now + if known { VAIN_PAUSE } else { LATE_PAUSE };
            }
            self.wait = Some(TimerState { reason: TimerReason::Availability, at });
            return Next::Later;
        }
        let left = complete.map_or(MediaTime::ZERO, |complete| complete - wall);
        Next::Here(Located {
            chunked: chunked.is_some_and(|chunked| !chunked.complete),
            growing: left.to_duration(),
            there: promised,
            ..Located::whole(segment)
        })
    }

    fn locate_in_playlist(&mut self, world: &mut World<'_, '_>, key: Key) -> Next {
        let (presentation, playlists) = (&*world.presentation, &mut world.live.playlists);
        let place = playlists.place(presentation, key, self.next, self.seam);
        let last =
            self.last.filter(|last| *last != key && self.seam && playlists.is_growing(*last));
        let begins = matches!(&place, Place::Here { independent: true, .. });
        // In the middle of a segment only the representation that began it goes on.
        if let Some(last) = last.filter(|_| !begins)
            && let Place::Here { independent: false, .. } =
                playlists.place(presentation, last, self.next, self.seam)
        {
            return Next::Instead(last);
        }
        playlists.follow(key, world.cx.now);
        playlists.reached(presentation, key, self.next);
        match place {
            Place::Here { segment, hinted: true, .. }
                if self.refused.as_ref() == Some(&segment.url) =>
            {
                Next::Later
            }
            Place::Here { segment, partial, hinted, .. } => Next::Here(Located {
                partial,
                hinted,
                growing: if hinted { segment.duration.to_duration() } else { Duration::ZERO },
                ..Located::whole(segment)
            }),
            Place::Later => Next::Later,
        }
    }

    /// A segment of a live presentation did not come. It may be late, or lost.
    pub(super) fn miss(
        &mut self,
        world: &mut World<'_, '_>,
        chosen: &Chosen,
        error: Error,
    ) -> Result<(), Error> {
        let (key, segment) = (chosen.key, &chosen.segment);
        if chosen.hinted {
            self.refused = Some(segment.url.clone());
            self.starved = Some(world.live.version);
            return Ok(());
        }
        self.missing += 1;
        let now = world.cx.now;
        let there = chosen.there.filter(|_| error.is_missing()).map(|there| there + MOST_LATE);
        // Segments are made in order: what precedes one that has come is no more on its way.
        let late = there.is_some_and(|until| now < until) && segment.end() > self.newest;
        let most = if there.is_some() && !late { MOST_GONE } else { MOST_MISSING };
        if self.missing >= most {
            self.pass_missing(world, segment, late, &error);
            return Ok(());
        }
        // What is late is there in a moment; a network that is gone has been insisted on already.
        let pause = match error.is_passing() {
            true => MISSING_PAUSE.max(segment.duration.to_duration() / 2),
            false => MISSING_PAUSE,
        };
        let early = chosen.early_until.is_some_and(|until| world.cx.now < until);
        if early && error.is_missing() {
            // No other representation is made sooner.
            self.setbacks.early = true;
        } else if self.missing > 1 && self.fail(world, key, error).is_err() {
            // Where none has it, all of them may yet get it.
            let early = self.setbacks.early || late;
            self.setbacks = Setbacks::default();
            self.setbacks.early = early;
        }
        let at = world.cx.now + pause * self.missing;
        self.wait = Some(TimerState { reason: TimerReason::Availability, at });
        Ok(())
    }

    /// A segment did not come, however often it was asked for; it may be no more than late. What has come of those that
    /// follow it will tell.
    fn pass_missing(
        &mut self,
        world: &mut World<'_, '_>,
        segment: &Segment,
        late: bool,
        error: &Error,
    ) {
        self.setbacks = Setbacks::default();
        match late {
            true => _ = self.late_from.get_or_insert(segment.start),
            false => self.late_from = None,
        }
        // At the beginning of a window, what follows what has gone may have gone as well: each is asked for once, until
        // something comes. Further on, who passes on as fast loses more than there is a hole.
        let timing = world.timing();
        let from = timing.map(|timing| timing.window.start + MediaTime::from_duration(MOST_LATE));
        let gone = error.is_missing() && from.is_some_and(|from| segment.start < from);
        self.missing = if late || gone { MOST_MISSING - 1 } else { 0 };
        // Others will come; what is lost is a hole.
        let mut range = TimeRange { start: segment.start, end: segment.end() };
        // Segments are made in order. Where none was there the first and the newest tell whether any is.
        if late && self.in_vain && self.late_from == Some(segment.start) {
            let newest = timing.map(|timing| timing.window.end - segment.duration.times(2));
            range.end = newest.map_or(range.end, |newest| newest.max(range.end));
        }
        self.pass_gap(range, world.playhead);
    }

    /// What was looked for is in the window no more, and the playhead is taken on to `to`. What has been passed over in
    /// vain beyond that is not looked for anew: it may go as fast as it is looked for.
    pub(crate) fn take_on(&mut self, world: &mut World<'_, '_>, to: MediaTime) {
        let (missing, late) = (self.missing, self.late_from.is_some());
        let passed = self.holes.last().is_some_and(|hole| {
            hole.start <= to + TOLERANCE && hole.end > to && hole.end <= self.next + TOLERANCE
        });
        if missing > 0 && passed {
            return;
        }
        self.seek(world, to);
        self.missing = missing;
        self.late_from = late.then_some(to);
    }

    /// Whether what ought to be there is not.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing > 0
    }

    /// What was live has ended: what was asked for beyond the end will not come.
    pub(crate) fn leave_beyond_end(&mut self, world: &mut World<'_, '_>) {
        if let (Fetch::Segment { chosen, .. }, Some(end)) =
            (&self.fetch, self.known_end(world.presentation))
            && chosen.segment.start + TOLERANCE > end
        {
            self.drop_fetch(world);
        }
    }

    /// Something has come of the segment that is being fetched: how late it was tells how late others will be.
    pub(super) fn learn_lateness(&mut self, world: &mut World<'_, '_>) {
        if let Fetch::Segment { chosen, .. } = &mut self.fetch
            && let Some(there) = chosen.there.take()
        {
            // One that is later will not get better by being waited for.
            let late = chosen.asked.since(there).min(MOST_LATE);
            world.live.learn_lateness(late, self.setbacks.early);
        }
    }

    /// A chunk of the segment that is being fetched is whole.
    pub(super) fn take_chunk(
        &mut self,
        id: RequestId,
        head: Vec<u8>,
        (start, end): (u64, u64),
        came: (OriginId, Timestamp),
    ) {
        let Fetch::Segment { chosen, .. } = &mut self.fetch else { return };
        chosen.chunks += 1;
        let mut chunk = (**chosen).clone();
        chunk.partial = true;
        let body = AppendBody::Span { head: Vec::new(), id, start, end };
        self.push_part(chunk, (body, head, end - start), came);
    }

    /// Queues a part of the segment that is being fetched: what is appended, the boxes before its `mdat`, and its size.
    pub(super) fn push_part(
        &mut self,
        chosen: Chosen,
        (body, head, bytes): (AppendBody, Vec<u8>, u64),
        (origin, arrived): (OriginId, Timestamp),
    ) {
        self.queue.push(Fetched {
            chosen,
            body,
            head,
            sealed: None,
            own: None,
            origin,
            arrived,
            before: Setbacks::default(),
            bytes,
            last_of: None,
            lost: false,
        });
    }

    /// The segment that came in chunks is complete.
    pub(super) fn end_chunks(&mut self, world: &mut World<'_, '_>, id: RequestId) {
        let of_it = |fetched: &&mut Fetched| matches!(fetched.body, AppendBody::Span { id: mine, .. } if mine == id);
        match self.queue.iter_mut().rev().find(of_it) {
            Some(last) => last.last_of = Some(id),
            None => world.cx.out.cancel(id),
        }
    }

    /// The host has let a body go that came in chunks, and another attempt follows.
    pub(super) fn lose_chunks(&mut self, id: RequestId) {
        let mut appending = matches!(self.operation, Some(Operation::Segment));
        self.queue.retain_mut(|fetched| {
            let is_first = core::mem::replace(&mut appending, false);
            let of_it = matches!(fetched.body, AppendBody::Span { id: mine, .. } if mine == id);
            fetched.lost |= of_it;
            !of_it || is_first
        });
    }

    /// No other attempt follows: what came in chunks, and did not come whole, is with the host no longer.
    pub(super) fn lose_unfinished(&mut self) {
        let unfinished = self.queue.iter().find_map(|fetched| match fetched.body {
            AppendBody::Span { id, .. } => {
                let ends = self.queue.iter().any(|other| other.last_of == Some(id));
                (!ends).then_some(id)
            }
            _ => None,
        });
        unfinished.into_iter().for_each(|id| self.lose_chunks(id));
    }

    /// How long a part that was only announced really is, as far as its media tells.
    pub(super) fn true_end(
        &self,
        segment: &Segment,
        init: Option<init::InitKey>,
        head: &[u8],
    ) -> MediaTime {
        let fragment = init
            .and_then(|init| self.inits.get(init))
            .and_then(|init| media::fragment::parse(head, &init.info).ok());
        fragment.map_or(segment.end(), |fragment| segment.start + fragment.duration)
    }

    /// The manifest has been loaded again, and what it names is elsewhere now.
    pub(crate) fn adopt(&mut self, moves: &Moves, sets: Vec<Option<usize>>) {
        self.sets = sets;
        self.period = moves.period(self.period).unwrap_or(0);
        self.last = self.last.and_then(|last| moves.of(last));
        self.aside.iter_mut().for_each(|aside| aside.key = moves.of_or_nowhere(aside.key));
        self.doubted.iter_mut().for_each(|(key, _)| *key = moves.of_or_nowhere(*key));
        self.inits.move_to(moves);
        self.in_buffer = self.in_buffer.map(|key| init::moved(key, moves));
        self.buffer.rename(|key| moves.of_or_nowhere(key));
        if let Some(Operation::Init(key)) = &mut self.operation {
            *key = init::moved(*key, moves);
        }
        let adopt = |chosen: &mut Chosen| {
            chosen.key = moves.of_or_nowhere(chosen.key);
            chosen.init = chosen.init.map(|key| init::moved(key, moves));
        };
        self.queue.iter_mut().for_each(|fetched| adopt(&mut fetched.chosen));
        match &mut self.fetch {
            Fetch::Idle => {}
            Fetch::Index { key, .. } => *key = moves.of_or_nowhere(*key),
            Fetch::Segment { chosen, .. } => adopt(chosen),
        }
        self.setbacks = Setbacks::default();
        self.reconsider();
    }

    /// Gives up what can no longer be of use after that.
    pub(crate) fn settle(&mut self, world: &mut World<'_, '_>) {
        if matches!(&self.fetch, Fetch::Index { key, .. } if key.period == usize::MAX) {
            self.drop_fetch(world);
        }
        // Nothing of what was played is there any more: the period is found anew.
        let starts =
            world.presentation.periods.iter().rposition(|period| period.start <= self.next);
        if self.set_of(self.period).is_none() {
            self.period = starts.unwrap_or(0);
        }
        // What was fetched beyond where a period begins that nobody knew of is of that one, and was placed by the one before.
        let following = world.presentation.periods.get(self.period + 1).map(|period| period.start);
        if let Some(start) = following.filter(|start| *start + TOLERANCE < self.next) {
            self.buffer.forget_misplaced(start);
            self.turn_back(world, start.max(world.playhead));
        }
    }
}

/// The segment that plays at `next`. At a seam, where one segment ended and another is to follow, a
/// segment that is all but over is not the one: boundaries of representations may differ by a frame
/// or two. Where the viewer chose to be, it is.
fn segment_at(index: &SegmentIndex, next: MediaTime, seam: bool) -> Option<(usize, Segment)> {
    let position = index.position_at(next)?;
    let segment = index.get(position)?;
    let slack = TOLERANCE.min(MediaTime::from_flicks(segment.duration.flicks() / 4));
    if seam && segment.end() - next <= slack {
        return Some((position + 1, index.get(position + 1)?));
    }
    Some((position, segment))
}
