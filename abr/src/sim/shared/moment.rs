//! What the engine is told about a moment.

use crate::{Phase, Rung, Situation};

/// What the engine is told about a moment.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now_us: u64,
    pub(super) phase: Phase,
    pub(super) buffer_s: f64,
    pub(super) buffer_goal_s: f64,
    pub(super) duration_s: f64,
    pub(super) rate: f64,
    pub(super) current: Option<usize>,
    pub(super) remaining: Option<u64>,
    pub(super) latency_s: Option<f64>,
    pub(super) target_s: Option<f64>,
}

impl Moment {
    pub(super) fn situation<'a>(
        &self,
        ladder: &'a [Rung],
        next_bytes: &'a [Option<u64>],
    ) -> Situation<'a> {
        Situation {
            phase: self.phase,
            buffer_s: self.buffer_s,
            buffer_goal_s: self.buffer_goal_s,
            segment_duration_s: self.duration_s,
            playback_rate: self.rate,
            next_bytes,
            current: self.current,
            segments_remaining: self.remaining,
            live_latency_s: self.latency_s,
            live_target_s: self.target_s,
            ..Situation::new(self.now_us, ladder)
        }
    }
}
