//! Turning to another place, quality or track: what is on its way or waits is kept if it is of use there, and given back
//! if it is not.

use super::buffer::Buffer;
use super::{
    Chosen, Fetch, Fetched, Operation, Setbacks, Stream, TOLERANCE, Target, World, representation,
};
use crate::io::AppendBody;
use crate::presentation::Presentation;
use crate::time::MediaTime;

impl Stream {
    /// The playhead moves to `time`: keeps what is of use there and turns to what is missing.
    pub(crate) fn seek(&mut self, world: &mut World<'_, '_>, time: MediaTime) {
        self.wait = None;
        self.full_until = None;
        self.drop_replacement(world);
        self.fixed_until = MediaTime::MIN;
        let mut buffered_to = self.end_of_own(time).map(|end| self.reach(end));
        let appending = self.appending().filter(|chosen| self.is_own(chosen.key));
        if let Some(range) = appending.map(Chosen::range)
            && range.start <= buffered_to.unwrap_or(time) + TOLERANCE
            && time < range.end
        {
            // It is as good as there. What follows may not: an earlier seek can have turned elsewhere.
            buffered_to = Some(buffered_to.map_or(range.end, |end| end.max(range.end)));
        }
        let coming_from = self
            .queue
            .iter()
            .skip(usize::from(self.appending().is_some()))
            .find(|fetched| fetched.chosen.target == Target::Next)
            .map(|fetched| fetched.chosen.segment.start)
            .or(match &self.fetch {
                Fetch::Segment { chosen, .. } => Some(chosen.segment.start),
                _ => None,
            })
            .unwrap_or(self.next);
        // What is on its way is kept if playback will reach it without a hole.
        let reachable = buffered_to.unwrap_or(time) + TOLERANCE;
        let of_use = coming_from <= reachable && (time < self.next || buffered_to.is_some());
        if of_use && time <= self.next || self.has_begun(time) || self.comes_next(time) {
            return;
        }
        self.restart(world, buffered_to.unwrap_or(time));
        self.seam = buffered_to.is_some();
    }

    /// Whether what is on its way is shown at `time`, and nothing waits before it.
    fn comes_next(&self, time: MediaTime) -> bool {
        let appending = usize::from(self.appending().is_some());
        matches!(&self.fetch, Fetch::Segment { chosen, .. }
            if chosen.target == Target::Next && chosen.range().contains(time))
            && self.queue.len() == appending
    }

    /// There is a hole at `from` that was taken to be filled: fetches what belongs there.
    pub(crate) fn ask_again(&mut self, world: &mut World<'_, '_>, from: MediaTime) {
        match self.buffer.end_of_range(from) {
            None => self.restart(world, from),
            // An element stops a little before the end of what it holds.
            Some(end) if end - from <= TOLERANCE => {
                self.restart(world, self.buffer.listed(end));
                self.seam = true;
            }
            Some(_) => {}
        }
    }

    /// Turns to the media at `from`, dropping what was on its way. Beyond the end, to the last segment:
    /// MSE makes the duration whatever is buffered when the stream ends (§3.15.7).
    pub(super) fn restart(&mut self, world: &mut World<'_, '_>, from: MediaTime) {
        let last = self
            .last_media(world.presentation)
            .filter(|_| world.presentation.live.is_none())
            .map_or(from, |end| (end - TOLERANCE).max(MediaTime::ZERO));
        let from = from.min(last);
        self.drop_fetch(world);
        self.drop_queue(world);
        self.turn_to(world.presentation, from);
        self.holes.retain(|hole| hole.end <= from);
        self.complete = false;
        self.wait = None;
        self.setbacks = Setbacks::default();
        self.starved = None;
        self.missing = 0;
        self.late_from = None;
        self.abandoned = 0;
        self.fixed_until = MediaTime::MIN;
    }

    /// The same, where that may be in the segment that is looked for already: what has failed is remembered.
    pub(super) fn turn_within(&mut self, world: &mut World<'_, '_>, from: MediaTime) {
        let before = core::mem::take(&mut self.setbacks);
        self.restart(world, from);
        self.setbacks = before;
    }

    /// What is fetched next is at `from`, wherever that is in a segment.
    pub(super) fn turn_to(&mut self, presentation: &Presentation, from: MediaTime) {
        self.next = from;
        self.seam = false;
        let periods = &presentation.periods;
        let period = periods.iter().rposition(|period| period.start <= from + TOLERANCE);
        self.period = period.unwrap_or(0);
    }

    /// Turns back to the media at `from`, dropping what was on its way from there on. What precedes it
    /// still waits for the platform, but for what came of a segment that is not there yet.
    pub(super) fn turn_back(&mut self, world: &mut World<'_, '_>, from: MediaTime) {
        let starts: Vec<MediaTime> =
            self.queue.iter().map(|fetched| fetched.chosen.segment.start).collect();
        self.drop_fetch(world);
        let from = starts.get(self.queue.len()).map_or(from, |lost| from.min(*lost));
        let appending = usize::from(matches!(self.operation, Some(Operation::Segment)));
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        for (position, fetched) in core::mem::take(&mut self.queue).into_iter().enumerate() {
            let stays = position < appending || fetched.chosen.segment.start < from;
            if stays { kept.push(fetched) } else { dropped.push(fetched) }
        }
        self.restart(world, from);
        self.queue = kept;
        self.give_back(world, dropped);
    }

    /// What the platform has been given is all it gets, until the playhead is moved.
    pub(crate) fn stop_here(&mut self, world: &mut World<'_, '_>) {
        if self.complete {
            return;
        }
        self.drop_fetch(world);
        self.drop_queue(world);
        self.wait = None;
        self.complete = true;
    }

    /// The platform's buffer is gone, and another takes its place, to be filled from `at`.
    pub(crate) fn rebuild(&mut self, world: &mut World<'_, '_>, at: MediaTime) {
        self.buffer = Buffer::default();
        self.operation = None;
        self.evicted = None;
        self.mime_type = None;
        self.in_buffer = None;
        self.full_until = None;
        self.wants_rebuild = false;
        let waits = self.first_queued().is_some_and(|first| {
            first.chosen.range().start <= at + TOLERANCE && at < first.chosen.range().end
        });
        // What waits in order from there on is still of use, unless what came before it in its segment is gone.
        let broken = self
            .first_queued()
            .and_then(|first| first.chosen.piece)
            .is_some_and(|piece| piece.into > MediaTime::ZERO);
        if !waits || broken || self.queue.iter().any(|one| one.chosen.target != Target::Next) {
            self.restart(world, at);
        }
    }

    /// Plays one representation only, or hands the choice back. What is buffered beyond the segment
    /// after the playhead's is fetched again in the representation pinned.
    pub(crate) fn pin(&mut self, world: &mut World<'_, '_>, id: Option<String>) {
        self.pinned = id;
        self.wait = None;
        self.drop_replacement(world);
        let Some(pinned) = &self.pinned else { return };
        if let Fetch::Index { key, target: Target::Next, .. } = &self.fetch
            && representation(world.presentation, *key).is_some_and(|other| other.id != *pinned)
        {
            // What it is to tell of is not wanted any more.
            self.drop_fetch(world);
        }
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
        if self.sets == sets {
            return;
        }
        self.sets = sets;
        self.pinned = None;
        self.last = None;
        self.restart(world, world.playhead);
    }

    /// Up to where, by the manifest, this track is held without a hole around the end of a range: one in the media alone,
    /// where a part of the film begins, is filled by nothing.
    pub(super) fn reach(&self, end: MediaTime) -> MediaTime {
        let mut end = self.buffer.listed(end);
        for held in self.buffer.held() {
            if (held.range.start - end).abs() <= TOLERANCE && self.is_own(held.key) {
                end = end.max(held.range.end);
            }
        }
        end
    }

    /// Where the media of this track that lies at `time` ends. What another track left in the buffer is
    /// not to be heard.
    pub(super) fn end_of_own(&self, time: MediaTime) -> Option<MediaTime> {
        let end = self.buffer.end_of_range(time)?;
        let held = self.buffer.held().iter();
        let other = held.filter(|held| !self.is_own(held.key) && time < held.range.end);
        match other.map(|held| held.range.start).min() {
            Some(start) if start <= time + TOLERANCE => None,
            start => Some(start.map_or(end, |start| end.min(start))),
        }
    }

    /// Gives up what is on its way, and with it what has come of that and waits.
    pub(crate) fn drop_fetch(&mut self, world: &mut World<'_, '_>) {
        match core::mem::replace(&mut self.fetch, Fetch::Idle) {
            Fetch::Idle => {}
            Fetch::Index { ticket, .. } | Fetch::Segment { ticket, .. } => {
                world.requests.cancel(world.cx, ticket);
                self.lose_unfinished();
            }
        }
    }

    pub(super) fn drop_queue(&mut self, world: &mut World<'_, '_>) {
        // The platform still reads the body that is being appended.
        let keep = usize::from(matches!(self.operation, Some(Operation::Segment)));
        let dropped = crate::items::split(&mut self.queue, keep);
        self.give_back(world, dropped);
    }

    /// The bodies of what has left the queue are given back: at once, or after what is left of them in it.
    fn give_back(&mut self, world: &mut World<'_, '_>, dropped: Vec<Fetched>) {
        for fetched in dropped {
            if let AppendBody::Kept(id) | AppendBody::Span { id, .. } = fetched.body {
                self.end_chunks(world, id);
            }
        }
    }

    /// Gives everything back that waits for the platform, or is on its way.
    pub(crate) fn leave(&mut self, world: &mut World<'_, '_>) {
        self.drop_fetch(world);
        let dropped = core::mem::take(&mut self.queue);
        self.give_back(world, dropped);
    }
}
