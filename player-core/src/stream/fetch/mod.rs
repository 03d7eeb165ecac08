//! Fetching: which segment next, from which representation.

mod answer;
mod ask;
mod in_flight;
mod setbacks;
#[cfg(test)]
mod tests;

use kinora_abr::Phase;

pub(in crate::stream) use self::setbacks::{Aside, Setbacks};
use super::choice::{Choice, Moment};
use super::replace::Waiting;
use super::{Key, Stream, TOLERANCE, Target, World};
use crate::decoders::Decoders;
use crate::drm::Access;
use crate::error::Error;
use crate::io::MediaKind;
use crate::presentation::{Presentation, SwitchingSet};
use crate::telemetry::{TimerReason, TimerState};
use crate::time::MediaTime;

/// No more than this many fetched segments wait for the platform to take them.
const MAX_QUEUE: usize = 3;

impl Stream {
    /// Takes one step towards the next fetch. Whether another may follow.
    pub(in crate::stream) fn fetch_next(
        &mut self,
        world: &mut World<'_, '_>,
    ) -> Result<bool, Error> {
        let now = world.cx.now;
        if self.wait.as_ref().is_some_and(|wait| wait.at > now) {
            return Ok(false);
        }
        self.wait = None;
        if self.starved == Some(world.live.version) {
            return Ok(false);
        }
        self.starved = None;
        // Where nothing has come, the rest is asked for to know what is late.
        let leads = self.next > world.fetch_limit && self.late_from.is_none();
        if self.queue.len() >= MAX_QUEUE || leads {
            return Ok(false);
        }
        let inside = if self.seam { self.next + TOLERANCE } else { self.next };
        // Beyond the end of the last nothing is held, nor is there anything.
        if let Some(held) = self.buffer.held_at(inside).or_else(|| self.buffer.held_at(self.next))
            && self.is_own(held.key)
            // What is playing already, or was, is not shown again for a pin.
            && (held.range.start <= world.playhead
                || self.pinned.as_ref().is_none_or(|pinned| *pinned == held.quality.id))
            && held.range.end > self.next
            && !self.is_denied(world, held.key, inside)
        {
            // What precedes it may yet take it away.
            if self.overruns && !self.queue.is_empty() {
                return Ok(false);
            }
            let (end, key) = (held.range.end, held.key);
            self.next = end;
            self.last = Some(key);
            self.seam = true;
            return Ok(true);
        }
        // What the platform is taking is as good as held.
        if let Some(chosen) = self.appending()
            && chosen.range().contains(inside)
            && self.is_own(chosen.key)
            && self.pinned.as_ref().is_none_or(|pinned| *pinned == chosen.quality.id)
        {
            let (end, key) = (chosen.segment.end(), chosen.key);
            self.next = end;
            self.last = Some(key);
            self.seam = true;
            return Ok(true);
        }
        let Some(set_index) = self.set_of(self.period) else {
            return Ok(self.enter_next_period(world.presentation));
        };
        let ahead = self.ahead_of_next(world.playhead);
        self.recover_goal(world.cx);
        let goal = self.goal(world.cx);
        if self.is_full_of_bytes(world) {
            // As soon as a segment has been shown there may be room.
            self.wait_for_playhead(world, MediaTime::from_secs(1));
            return Ok(false);
        }
        if self.last.is_none()
            && let Some(at) = world.decoders.wait_until(now)
        {
            self.wait = Some(TimerState { reason: TimerReason::Decoders, at });
            return Ok(false);
        }
        self.recall(set_index, now);
        self.lock(world, set_index)?;
        let period = world.presentation.periods.get(self.period);
        let Some(set) = period.and_then(|period| period.sets.get(set_index)) else {
            return Ok(false);
        };
        // Live, what waits is little, and playlists of other qualities are not at hand.
        let replaces = self.kind == MediaKind::Video
            && world.presentation.live.is_none()
            && self.pinned.is_none()
            && world.attached
            && world.cx.config.abr.replace;
        let waiting = if replaces { self.waiting(world.playhead, set) } else { Vec::new() };
        if ahead >= goal && waiting.is_empty() {
            self.wait_for_playhead(world, ahead - goal);
            return Ok(false);
        }
        let mut moment =
            self.moment(world.decoders, (world.playhead, world.phase, world.rate), goal, set);
        moment.waiting = &waiting;
        moment.behind = world.behind();
        let choice = moment.choose(world.cx);
        let masked = moment.masked(world.cx);
        self.masked = masked;
        match choice {
            Choice::Replace { waiting: at, representation, reasons } => {
                let Some(Waiting { range, .. }) = waiting.get(at) else { return Ok(false) };
                let key = Key { period: self.period, set: set_index, representation };
                self.replace(world, key, *range, reasons)
            }
            Choice::Fetch { .. } if ahead >= goal => {
                self.wait_for_playhead(world, ahead - goal);
                Ok(false)
            }
            Choice::Fetch { representation, reasons } => {
                let key = Key { period: self.period, set: set_index, representation };
                self.fetch_from(world, key, reasons, Target::Next)
            }
            Choice::Wait { full: true, .. } if !matches!(world.phase, Phase::Playing) => {
                self.wait_for_playhead(world, MediaTime::ZERO);
                Ok(false)
            }
            Choice::Wait { until, full } => {
                let reason = if full { TimerReason::BufferGoal } else { TimerReason::Rule };
                self.wait = Some(TimerState { reason, at: until });
                Ok(false)
            }
        }
    }

    pub(super) fn moment<'m>(
        &'m self,
        decoders: &'m Decoders,
        (playhead, phase, rate): (MediaTime, Phase, f64),
        goal: MediaTime,
        set: &'m SwitchingSet,
    ) -> Moment<'m> {
        Moment {
            kind: self.kind,
            set,
            start: self.next + TOLERANCE,
            ahead: self.ahead_of_next(playhead),
            goal,
            phase,
            rate,
            current: self
                .last
                .filter(|last| self.set_of(last.period) == Some(last.set))
                .filter(|last| last.period == self.period)
                .map(|last| last.representation),
            pinned: self.pinned.as_deref(),
            failed: &self.setbacks.failed,
            locked: &self.locked,
            waiting: &[],
            behind: None,
            decoders,
        }
    }

    /// Finds out which representations cannot be chosen because their keys may not be used. If no other is left,
    /// playback ends.
    fn lock(&mut self, world: &World<'_, '_>, set: usize) -> Result<(), Error> {
        self.locked.clear();
        let period = world.presentation.periods.get(self.period);
        let set = period.and_then(|period| period.sets.get(set));
        let representations = set.map_or(&[][..], |set| &set.representations);
        let mut denied = None;
        for (index, representation) in representations.iter().enumerate() {
            let protection = representation.protection_at(self.next + TOLERANCE);
            if world.keys.access(protection) == Access::Denied {
                denied = denied.or(protection);
                self.locked.push(index);
            }
        }
        match denied {
            Some(protection) if self.locked.len() >= representations.len() => {
                Err(world.keys.reason(protection))
            }
            _ => Ok(()),
        }
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
                self.setbacks.failed.clear();
                self.setbacks.recalled.clear();
                true
            }
            // Started beyond the end: the last segment is the nearest there is. A buffer that was given nothing knows not
            // even what it is of, and its element waits for that without end.
            None if self.last.is_none() => {
                let end = self.last_media(presentation).unwrap_or(MediaTime::ZERO);
                let last = (end - TOLERANCE).max(MediaTime::ZERO);
                // Of this representation there may be nothing there all the same.
                let passed = self.holes.iter().any(|hole| hole.contains(last));
                self.complete = end == MediaTime::ZERO || self.next < end || passed;
                self.turn_to(presentation, last);
                !self.complete
            }
            None => {
                self.complete = true;
                false
            }
        }
    }
}
