//! Fetching again, in a better representation, what waits in the buffer: when the network has become
//! faster than the segments that were fetched before, the viewer need not sit through them.
//!
//! The rule says which segment and whether it pays; here it is carried out. What is replaced is a whole
//! segment whose boundaries agree in both representations, so that the append takes exactly the place
//! of what lies there (MSE §3.5.8, coded frame processing: what is appended over other frames removes
//! them, up to the next random access point). Nothing is touched that the playhead may reach first.

use kinora_abr::Reasons;

use super::init::InitKey;
use super::{Chosen, Fetch, Fetched, Key, Stream, TOLERANCE, Target, World};
use crate::io::{AppendBody, Warning};
use crate::presentation::{Representation, Segment, SegmentIndex, Segments, SwitchingSet};
use crate::time::{MediaTime, TimeRange};

/// A platform takes a segment within this time, with some to spare: what begins sooner is left alone.
const COMMIT: MediaTime = MediaTime::from_millis(500);

/// A segment that waits to be shown and may be fetched again.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) range: TimeRange,
    pub(crate) representation: usize,
    /// Its size in each representation of the set, where it is known.
    pub(crate) bytes: Vec<Option<u64>>,
}

impl Stream {
    /// What waits without a hole up to the segment that is fetched next, in playback order.
    pub(super) fn waiting(&self, playhead: MediaTime, set: &SwitchingSet) -> Vec<Waiting> {
        // A segment is replaced as a whole.
        let whole = self.queue.iter().filter(|fetched| fetched.chosen.piece.is_none());
        let queued = whole.map(|fetched| {
            let chosen = &fetched.chosen;
            (chosen.range(), chosen.key, fetched.bytes)
        });
        let held = self.buffer.held().iter().map(|held| (held.range, held.key, held.bytes));
        let all: Vec<(TimeRange, Key, u64)> = held.chain(queued).collect();
        let mut waiting = Vec::new();
        let mut end = self.next;
        let from = playhead.max(self.fixed_until);
        // Backwards from the end; of two in one place, the one that comes later replaces the other.
        while let Some((range, key, bytes)) =
            all.iter().rev().find(|(range, ..)| (range.end - end).abs() <= TOLERANCE)
        {
            let here = key.period == self.period && self.set_of(key.period) == Some(key.set);
            if !here || range.start <= from || range.start >= end {
                break;
            }
            let mut sizes: Vec<Option<u64>> =
                set.representations.iter().map(|one| size_at(one, range)).collect();
            if let Some(size) = sizes.get_mut(key.representation).filter(|_| *bytes > 0) {
                *size = Some(*bytes);
            }
            waiting.insert(
                0,
                Waiting { range: *range, representation: key.representation, bytes: sizes },
            );
            end = range.start;
        }
        waiting
    }

    /// Asks for a waiting segment again. Whether, instead, another choice has to be made.
    pub(super) fn replace(
        &mut self,
        world: &mut World<'_, '_>,
        key: Key,
        range: TimeRange,
        reasons: Reasons,
    ) -> Result<bool, crate::Error> {
        let chosen =
            reasons.candidates.iter().find(|candidate| candidate.rung == key.representation);
        let download_s = chosen.map_or(0.0, |candidate| candidate.download_s);
        let needs = MediaTime::from_seconds(download_s * world.rate.max(1.0)) + COMMIT;
        if range.start - world.playhead <= needs {
            self.leave_alone(range);
            return Ok(true);
        }
        self.fetch_from(world, key, reasons, Target::Instead(range))
    }

    /// Neither this segment nor one before it is fetched again: it cannot be, or it was tried.
    pub(super) fn leave_alone(&mut self, range: TimeRange) {
        self.fixed_until = self.fixed_until.max(range.start);
    }

    /// Gives up what could no longer be shown: a transfer, and what waits for the platform.
    pub(super) fn drop_late_replacements(&mut self, world: &mut World<'_, '_>) {
        let soon = world.playhead + COMMIT;
        let late = |target: Target| match target {
            Target::Instead(range) => range.start <= soon,
            Target::Next => false,
        };
        let target = match &self.fetch {
            Fetch::Index { target, .. } => *target,
            Fetch::Segment { chosen, .. } => chosen.target,
            Fetch::Idle => Target::Next,
        };
        if late(target) {
            self.drop_replacement(world);
        }
        // The first may be on its way into the platform's buffer.
        let fixed = usize::from(self.operation.is_some()).min(self.queue.len());
        while let Some(position) =
            self.queue.iter().skip(fixed).position(|fetched| late(fetched.chosen.target))
        {
            let late = crate::items::take(&mut self.queue, fixed + position);
            late.iter().for_each(|late| self.discard(world, late));
        }
    }

    /// Gives up the replacement that is being fetched, if one is.
    pub(super) fn drop_replacement(&mut self, world: &mut World<'_, '_>) {
        let range = match &self.fetch {
            Fetch::Index { target: Target::Instead(range), .. } => *range,
            Fetch::Segment { chosen, .. } => match chosen.target {
                Target::Instead(range) => range,
                Target::Next => return,
            },
            _ => return,
        };
        world.cx.out.warn(Warning::Abandoned { kind: self.kind, segment_start: range.start });
        if let Fetch::Segment { ticket, .. } = &self.fetch
            && let Some(transferred) = world.requests.transferred(*ticket)
        {
            let totals = &mut world.cx.totals;
            totals.discarded = totals.discarded.saturating_add(transferred.received);
        }
        self.drop_fetch(world);
        // The rule may think better of it at once, and again: one attempt is enough.
        self.leave_alone(range);
    }

    /// A replacement has arrived: it waits where what it replaces waited, or goes over it.
    pub(super) fn take_replacement(
        &mut self,
        world: &mut World<'_, '_>,
        fetched: Fetched,
        range: TimeRange,
    ) {
        if range.start <= world.playhead + COMMIT {
            self.discard(world, &fetched);
            return;
        }
        let last = (range.end - self.next).abs() <= TOLERANCE;
        if last {
            self.last = Some(fetched.chosen.key);
        }
        world.cx.totals.replaced = world.cx.totals.replaced.saturating_add(1);
        let fixed = usize::from(self.operation.is_some()).min(self.queue.len());
        let same = |other: &Fetched| (other.chosen.range().start - range.start).abs() <= TOLERANCE;
        let found = self.queue.iter().skip(fixed).position(same);
        let queued = found.and_then(|position| self.queue.get_mut(fixed + position));
        if let Some(queued) = queued {
            let before = core::mem::replace(queued, fetched);
            // It never reached the platform; what takes its place need not be in time for anything.
            queued.chosen.target = before.chosen.target;
            self.discard(world, &before);
        } else {
            if let Some(held) = self.buffer.held_at(range.start + TOLERANCE) {
                let bytes = held.bytes;
                world.cx.totals.discarded = world.cx.totals.discarded.saturating_add(bytes);
            }
            // Before what follows it, as its deadline is sooner; but a segment is not interrupted.
            let pieces = self.queue.iter().rposition(|waits| waits.chosen.piece.is_some());
            crate::items::put(
                &mut self.queue,
                fixed.max(pieces.map_or(0, |last| last + 1)),
                fetched,
            );
        }
    }

    fn discard(&self, world: &mut World<'_, '_>, fetched: &Fetched) {
        world.cx.totals.discarded = world.cx.totals.discarded.saturating_add(fetched.bytes);
        if let AppendBody::Kept(id) | AppendBody::Span { id, .. } = fetched.body {
            world.cx.out.cancel(id);
        }
    }

    /// Takes back what was fetched from the front of the queue, if it was a replacement: it cannot be
    /// used, and what lies there can. Whether it was.
    pub(super) fn retract_replacement(&mut self, world: &mut World<'_, '_>) -> bool {
        let Some(Target::Instead(range)) = self.queue.first().map(|first| first.chosen.target)
        else {
            return false;
        };
        let first = crate::items::take(&mut self.queue, 0);
        first.iter().for_each(|first| self.discard(world, first));
        self.leave_alone(range);
        true
    }

    /// Takes back the replacements that wait for an initialisation segment which will not come.
    pub(super) fn retract_replacements_of(&mut self, world: &mut World<'_, '_>, init: InitKey) {
        let mut position = 0;
        while let Some(chosen) = self.queue.get(position).map(|fetched| &fetched.chosen) {
            match chosen.target {
                Target::Instead(range) if chosen.init == Some(init) => {
                    let late = crate::items::take(&mut self.queue, position);
                    late.iter().for_each(|late| self.discard(world, late));
                    self.leave_alone(range);
                }
                _ => position += 1,
            }
        }
    }

    /// After a replacement was appended: a platform that lost what follows it (a segment whose last
    /// frame reaches into the next takes that one's key frame away) gets it once more, and nothing is
    /// replaced any more. What waits for the platform in that place will do, unless it is a replacement itself: that may
    /// yet be given up.
    pub(super) fn mend_after(&mut self, world: &mut World<'_, '_>, replaced: TimeRange) {
        let end = self.buffer.end_of_range(replaced.start).unwrap_or(replaced.start);
        let end = self.buffer.listed(end);
        let waits = self.queue.iter().any(|fetched| {
            fetched.chosen.target == Target::Next
                && (fetched.chosen.range().start - end).abs() <= TOLERANCE
        });
        // What a viewer who has gone elsewhere since left behind needs no mending.
        if end + TOLERANCE < self.next && world.playhead <= end && !waits {
            self.fixed_until = MediaTime::MAX;
            let fixed_until = self.fixed_until;
            self.restart(world, end);
            self.seam = true;
            self.fixed_until = fixed_until;
        }
    }
}

impl Chosen {
    /// Where it lies on the presentation timeline.
    pub(super) fn range(&self) -> TimeRange {
        TimeRange { start: self.segment.start, end: self.segment.end() }
    }
}

/// The segment of another representation that takes exactly the place of a range.
pub(super) fn segment_instead(index: &SegmentIndex, range: TimeRange) -> Option<Segment> {
    let segment = index.get(index.position_at(range.start + TOLERANCE)?)?;
    let near = |one: MediaTime, other: MediaTime| (one - other).abs() <= TOLERANCE;
    let fits = near(segment.start, range.start) && near(segment.end(), range.end);
    (fits && !segment.gap).then_some(segment)
}

fn size_at(representation: &Representation, range: &TimeRange) -> Option<u64> {
    match &representation.segments {
        Segments::Known(index) if !index.has_uniform_sizes() => {
            index.get(index.position_at(range.start + TOLERANCE)?)?.expected_size()
        }
        _ => None,
    }
}
