//! Keeping the latency: a little faster when too late, a little slower when too early, and a jump when
//! playing faster would take too long.

use core::time::Duration;

use kinora_abr::CatchUp;

use crate::io::LatencyStanding;
use crate::time::{MediaTime, Timestamp};

/// The playback rate is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// After a jump, the next waits for so long: the media there must be fetched first.
const JUMP_PAUSE: Duration = Duration::from_secs(8);
/// Viewers do not hear a change of this size in speech or music when the pitch is kept.
const DEFAULT_CHANGE: f64 = 0.05;

/// Keeps the latency.
#[derive(Debug)]
pub(crate) struct Keeper {
    /// The viewer is where the latency is to be kept.
    pub(crate) following: bool,
    /// The rate that keeps it.
    pub(crate) rate: f64,
    pub(super) standing: Option<LatencyStanding>,
    /// The viewer paused, and has not gone on yet.
    paused: bool,
    /// It has been played.
    begun: bool,
    /// Playback has been on time once, or was put there.
    arrived: bool,
    due: Option<Timestamp>,
    no_jump_before: Timestamp,
}

/// What is known at a look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) latency: MediaTime,
    pub(super) target: MediaTime,
    /// Media ahead of the playhead.
    pub(super) buffer: MediaTime,
    /// Latency this near the target is near enough.
    pub(super) tolerance: MediaTime,
    /// The longest segment, or part where parts are played.
    pub(super) step: MediaTime,
    /// Bounds of the rate that the service sets.
    pub(super) rates: (Option<f64>, Option<f64>),
    pub(super) max_change: Option<f64>,
    pub(super) jump_after: MediaTime,
    pub(super) paused: bool,
    pub(super) playing: bool,
    /// The rate may be changed.
    pub(super) free: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) rate: f64,
    pub(crate) jump: bool,
    pub(crate) standing: LatencyStanding,
}

impl Keeper {
    pub(super) fn new() -> Self {
        Self {
            following: true,
            rate: 1.0,
            standing: None,
            paused: false,
            begun: false,
            arrived: false,
            due: None,
            no_jump_before: Timestamp::default(),
        }
    }

    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// There is nothing to keep any more.
    pub(crate) fn rest(&mut self) {
        self.due = None;
    }

    pub(crate) fn look_again(&mut self, now: Timestamp) {
        self.due = Some(now + LOOK_EVERY);
    }

    /// Playback was moved, and where it is now takes a while to fill.
    pub(crate) fn moved(&mut self, now: Timestamp) {
        self.no_jump_before = now + JUMP_PAUSE;
    }

    /// Whether playback may still be put where it belongs without having been late: what is late by now was so before
    /// it began, because the first bytes took their time or the viewer did.
    pub(crate) fn is_arriving(&self) -> bool {
        self.following && !self.arrived
    }

    /// Playback is where it belongs; `playing` if somebody has seen it there.
    pub(crate) fn arrives(&mut self, playing: bool) {
        self.arrived = playing;
    }

    /// Notes how playback stands. Whether that is news.
    pub(crate) fn stands(&mut self, standing: LatencyStanding) -> bool {
        self.standing.replace(standing) != Some(standing)
    }

    pub(super) fn judge(&mut self, now: Timestamp, look: &Look) -> Verdict {
        let excess = look.latency - look.target;
        if self.paused && !look.paused && self.begun {
            // A viewer who paused goes on where that was, unless it was but for a moment.
            self.following &= excess <= look.jump_after;
        }
        self.paused = look.paused;
        self.begun |= look.playing;
        self.arrived |= look.playing && excess <= look.tolerance;
        let still = Verdict { rate: 1.0, jump: false, standing: LatencyStanding::Away };
        if look.paused {
            let standing = if self.following { self.standing } else { None };
            return Verdict { standing: standing.unwrap_or(LatencyStanding::Away), ..still };
        }
        if !self.following || !look.free {
            return still;
        }
        let jump = excess > look.jump_after && now >= self.no_jump_before;
        let bound = look.max_change.unwrap_or(match look.rates {
            (None, None) => DEFAULT_CHANGE,
            (least, most) => {
                let slower = least.map_or(0.0, |least| 1.0 - least);
                slower.max(most.map_or(0.0, |most| most - 1.0))
            }
        });
        // Having caught up to the middle of what is near enough ends a change; leaving it begins one.
        let changing = matches!(
            self.standing,
            Some(LatencyStanding::CatchingUp | LatencyStanding::FallingBack)
        );
        let tolerance = look.tolerance.seconds() * if changing { 0.25 } else { 1.0 };
        let law = CatchUp {
            max_change: bound,
            tolerance_s: tolerance,
            min_buffer_s: (look.step.seconds() / 2.0)
                .clamp(0.1, 0.5)
                .min(look.target.seconds() / 3.0),
        };
        let rate = law.rate(look.latency.seconds(), look.target.seconds(), look.buffer.seconds());
        let rate = rate.max(look.rates.0.unwrap_or(0.5)).min(look.rates.1.unwrap_or(1.5));
        let standing = if rate > 1.0 {
            LatencyStanding::CatchingUp
        } else if rate < 1.0 {
            LatencyStanding::FallingBack
        } else if excess.abs() <= look.tolerance {
            LatencyStanding::OnTarget
        } else if excess > MediaTime::ZERO {
            LatencyStanding::CatchingUp
        } else {
            LatencyStanding::FallingBack
        };
        Verdict { rate, jump, standing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(latency: i64, target: i64) -> Look {
        Look {
            latency: MediaTime::from_millis(latency),
            target: MediaTime::from_millis(target),
            buffer: MediaTime::from_secs(2),
            tolerance: MediaTime::from_millis(200),
            step: MediaTime::from_millis(500),
            rates: (None, None),
            max_change: None,
            jump_after: MediaTime::from_secs(5),
            paused: false,
            playing: true,
            free: true,
        }
    }

    #[test]
    fn rates_follow_the_latency_and_calm_down_again() {
        let mut keeper = Keeper::new();
        let now = Timestamp::from_micros(1);
        let mut judge = |latency| {
            let verdict = keeper.judge(now, &look(latency, 3000));
            keeper.standing = Some(verdict.standing);
            (verdict.rate, verdict.standing)
        };
        assert_eq!(judge(3100), (1.0, LatencyStanding::OnTarget));
        let (rate, standing) = judge(3400);
        assert!(rate > 1.0 && rate <= 1.05);
        assert_eq!(standing, LatencyStanding::CatchingUp);
        // It goes on beyond the bound that began it.
        assert!(judge(3150).0 > 1.0);
        assert_eq!(judge(3030), (1.0, LatencyStanding::OnTarget));
        let (rate, standing) = judge(2500);
        assert!(rate < 1.0 && standing == LatencyStanding::FallingBack);
    }

    #[test]
    fn far_too_late_is_jumped_but_not_twice_at_once() {
        let mut keeper = Keeper::new();
        let late = look(9000, 3000);
        assert!(keeper.judge(Timestamp::from_micros(1), &late).jump);
        keeper.moved(Timestamp::from_micros(1));
        assert!(!keeper.judge(Timestamp::from_micros(1_000_000), &late).jump);
        assert!(keeper.judge(Timestamp::from_micros(9_000_000), &late).jump);
    }

    #[test]
    fn a_viewer_who_paused_for_long_is_left_in_peace() {
        let mut keeper = Keeper::new();
        let now = Timestamp::from_micros(1);
        keeper.judge(now, &look(3000, 3000));
        keeper.judge(now, &Look { paused: true, playing: false, ..look(3000, 3000) });
        let verdict = keeper.judge(now, &look(60_000, 3000));
        assert_eq!(verdict, Verdict { rate: 1.0, jump: false, standing: LatencyStanding::Away });
        assert!(!keeper.following);
    }

    #[test]
    fn a_viewer_who_begins_late_begins_live() {
        let mut keeper = Keeper::new();
        let now = Timestamp::from_micros(1);
        keeper.judge(now, &Look { paused: true, playing: false, ..look(3000, 3000) });
        assert!(keeper.judge(now, &look(60_000, 3000)).jump);
        assert!(keeper.following && keeper.is_arriving());
        keeper.judge(now, &look(3100, 3000));
        assert!(!keeper.is_arriving());
    }

    #[test]
    fn the_service_bounds_the_rate() {
        let mut keeper = Keeper::new();
        let rates = (Some(0.98), Some(1.02));
        let verdict = keeper.judge(Timestamp::default(), &Look { rates, ..look(4500, 3000) });
        assert_eq!(verdict.rate, 1.02);
    }
}
