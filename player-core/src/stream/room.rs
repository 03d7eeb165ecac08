//! Room in the platform's buffer: how much is kept ahead and behind, in time and in bytes, and what
//! happens when the platform has room for less.

use core::time::Duration;

use super::buffer::{Held, TOLERANCE};
use super::{Fetch, Operation, Stream, World};
use crate::context::Context;
use crate::error::Error;
use crate::io::{MediaCommand, Warning};
use crate::time::{MediaTime, TimeRange};

/// What is behind is dropped in one go once it reaches this far behind what is to be kept, so that
/// the buffer is not trimmed at every frame.
const TRIM_STEP: MediaTime = MediaTime::from_secs(10);
/// After a buffer was full, it is filled less; so long after the last time, a little more again.
const RECOVERY: Duration = Duration::from_secs(60);

impl Stream {
    /// How much to have ahead.
    pub(super) fn goal(&self, cx: &Context<'_>) -> MediaTime {
        let goal = MediaTime::from_duration(cx.config.buffer.forward).max(MediaTime::from_secs(1));
        self.goal_limit.map_or(goal, |limit| limit.min(goal))
    }

    /// What was full once may be less so by now: other pages and other apps come and go.
    pub(super) fn recover_goal(&mut self, cx: &Context<'_>) {
        let (Some(limit), Some(since)) = (self.goal_limit, self.full_since) else { return };
        if cx.now.since(since) < RECOVERY {
            return;
        }
        let larger = MediaTime::from_flicks(limit.flicks() / 4 * 5);
        let enough = larger >= MediaTime::from_duration(cx.config.buffer.forward);
        self.goal_limit = (!enough).then_some(larger);
        self.full_since = Some(cx.now);
    }

    /// Whether so many bytes wait to be shown that no more are fetched. Two segments always may, or
    /// nothing would play; and what a seek back left beyond a hole keeps nobody from filling it.
    pub(super) fn is_full_of_bytes(&self, world: &World<'_, '_>) -> bool {
        let limit = world.cx.config.buffer.forward_bytes;
        let reached = self.buffer.end_of_range(world.playhead).unwrap_or(world.playhead);
        let waits = |held: &TimeRange| held.end > world.playhead && held.start <= reached;
        let held = self.buffer.held().iter().filter(|held| waits(&held.range));
        let sizes = held.map(|held| held.bytes).chain(self.queue.iter().map(|one| one.bytes));
        let (mut count, mut bytes) = (0, 0_u64);
        for size in sizes {
            count += 1;
            bytes = bytes.saturating_add(size);
        }
        count >= 2 && bytes >= limit
    }

    /// What lies too far behind. A stream that is complete, with nothing left to append, drops
    /// nothing: a removal would take the media source out of its ended state (MSE §5.6, `remove`), and nothing more needs
    /// the room.
    pub(super) fn due_for_removal(&self, world: &World<'_, '_>) -> Option<TimeRange> {
        if self.complete && self.queue.is_empty() {
            return None;
        }
        if let Some(unwanted) = self.not_to_be_heard(world) {
            return Some(unwanted);
        }
        let first = self.buffer.ranges().first()?;
        let keep_from = world.playhead - MediaTime::from_duration(world.cx.config.buffer.back);
        let by_time = if keep_from - TRIM_STEP > first.start { Some(keep_from) } else { None };
        let by_bytes = self.too_many_bytes_before(world);
        self.buffer.droppable(by_time.max(by_bytes)?)
    }

    /// What another track left ahead, where the platform counts it in what it has enough of: nothing could be fetched in
    /// its place before it is heard.
    fn not_to_be_heard(&self, world: &World<'_, '_>) -> Option<TimeRange> {
        let end = self.buffer.end_of_range(world.playhead).filter(|_| world.requests.satisfied)?;
        let other = |held: &Held| {
            let set = self.set_of(held.key.period);
            set.is_some_and(|set| set != held.key.set)
        };
        let ahead = |held: &&Held| held.media.end > world.playhead && held.media.start < end;
        let mut ahead = self.buffer.held().iter().filter(ahead).skip_while(|held| !other(held));
        let start = ahead.next()?.media.start.max(world.playhead);
        let end = ahead.find(|held| !other(held)).map_or(end, |own| own.media.start);
        (start < end).then_some(TimeRange { start, end })
    }

    /// From where on media behind the playhead is within its limit of bytes, if not all of it is.
    fn too_many_bytes_before(&self, world: &World<'_, '_>) -> Option<MediaTime> {
        let mut left = world.cx.config.buffer.back_bytes;
        let behind = self.buffer.held().iter().rev().filter(|h| h.range.end <= world.playhead);
        for held in behind {
            match left.checked_sub(held.bytes) {
                Some(rest) => left = rest,
                None => return Some(held.range.end),
            }
        }
        None
    }

    pub(super) fn remove(&mut self, world: &mut World<'_, '_>, range: TimeRange) {
        self.buffer.leave(range);
        self.operate(world, Operation::Remove, MediaCommand::Remove { kind: self.kind, range });
    }

    /// The platform's buffer is full. What is behind goes first, then what a seek
    /// left behind far ahead; less is kept ahead from now on. If nothing can go, waits until something can.
    pub(super) fn make_room(&mut self, world: &mut World<'_, '_>) -> Result<(), Error> {
        // What lies there already is good enough for a full buffer.
        if self.retract_replacement(world) {
            return Ok(());
        }
        let Some(fetched) = self.queue.first() else { return Ok(()) };
        let segment = fetched.chosen.segment.duration;
        let ahead = self.keep_less(world, segment);
        let spare = self.buffer.droppable(world.playhead);
        if let Some(range) = spare.or_else(|| self.buffer.detached(world.playhead)) {
            // What was counted on there has to be fetched again.
            if range.start > world.playhead && range.start < self.next {
                // Media may begin before its segment does, which is not the one before.
                let goes = |held: &&Held| held.media.end > range.start + TOLERANCE;
                let held = self.buffer.held().iter().find(goes);
                let from = held.map_or(range.start, |held| held.range.start.max(range.start));
                self.turn_back(world, from);
            }
            self.remove(world, range);
            return Ok(());
        }
        if ahead <= TOLERANCE {
            return Err(Error::BufferTooSmall { kind: self.kind });
        }
        self.full_until =
            Some(world.playhead + segment.min(ahead - TOLERANCE).max(MediaTime::from_millis(10)));
        Ok(())
    }

    /// The platform has no room for what is ahead, which is so much: less is kept from now on, but for two segments. What
    /// it has no room for may be but a piece of one.
    fn keep_less(&mut self, world: &mut World<'_, '_>, segment: MediaTime) -> MediaTime {
        if self.full_since.is_none() {
            world.cx.out.warn(Warning::BufferFull { kind: self.kind });
        }
        let ahead = self.ahead(world.playhead);
        let reduced = MediaTime::from_flicks(ahead.flicks() / 5 * 4);
        self.goal_limit = Some(reduced.max(self.longest_at_hand().max(segment).times(2)));
        self.full_since = Some(world.cx.now);
        ahead
    }

    /// The longest segment that is held, waits or is on its way.
    fn longest_at_hand(&self) -> MediaTime {
        let held = self.buffer.held().iter().map(|held| held.range.duration());
        let waits = self.queue.iter().map(|fetched| {
            let into = fetched.chosen.piece.map_or(MediaTime::ZERO, |piece| piece.into);
            into + fetched.chosen.segment.duration
        });
        let comes = match &self.fetch {
            Fetch::Segment { chosen, .. } => chosen.segment.duration,
            _ => MediaTime::ZERO,
        };
        held.chain(waits).fold(comes, MediaTime::max)
    }

    /// The platform has dropped media by itself, and holds this now: what is yet to be shown of it is fetched once more.
    pub(super) fn take_eviction(&mut self, world: &mut World<'_, '_>, buffered: Vec<TimeRange>) {
        let lost = self.buffer.first_lost(&buffered, world.playhead);
        self.buffer.update(buffered);
        if let Some(lost) = lost.filter(|lost| lost.start < self.next) {
            let ahead = self.keep_less(world, lost.duration());
            // At once it would be dropped as before.
            let half = MediaTime::from_flicks(ahead.flicks() / 2);
            self.full_until = (ahead > TOLERANCE).then_some(world.playhead + half);
            // Once all has come, a source does not miss what it drops at the end (MSE, `buffered` of the element).
            world.requests.satisfied &= !self.complete;
            self.turn_back(world, lost.start);
            self.seam = true;
        }
    }
}
