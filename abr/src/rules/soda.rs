//! SODA: model-predictive control in time slots, smooth by construction (Chen et al.: SODA, SIGCOMM
//! 2024).

use core::cmp::Ordering;

use crate::math::clamp;
use crate::rules::{Choice, Controller, Download, Observation, Rule, Throughput};
use crate::{Cause, Config, Estimate, Objective, Phase, Step};

/// Minimises, over slots of equal *time*, distortion per second of media gained, distance from a target
/// buffer level, and the squares of changes of distortion. Because the cost is convex and the throughput
/// one number, only monotone sequences of rungs need to be searched.
#[derive(Clone, Debug)]
pub struct Soda {
    objective: Objective,
    throughput: Throughput,
}

/// Slots looked ahead.
const HORIZON: usize = 5;
/// Target level as a part of what the buffer holds at most when a segment is requested.
const TARGET: f64 = 0.6;
/// Weight of the squared distance from the target, and the part of it that counts above the target.
const BUFFER_WEIGHT: f64 = 5.0;
const ABOVE_TARGET: f64 = 0.2;
/// Weight of the squared change of distortion, times [`Objective::switching`].
const CHANGE_WEIGHT: f64 = 2.0;
/// Weight of a slot stalled, times [`Objective::stall`]: the original forbids it.
const STALL_WEIGHT: f64 = 10.0;

impl Soda {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self { objective: config.objective, throughput: Throughput::new(config) }
    }
}

impl Controller for Soda {
    fn rule(&self) -> Rule {
        Rule::Soda
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let startup = self.throughput.choose(step, estimate);
        if step.phase == Phase::Starting && step.buffer_ms <= 0.0 {
            return startup;
        }
        // Media gained per unit of time.
        let pace = |bits: f64| {
            let download_ms = estimate.ttfb_ms() + bits / estimate.throughput_kbps();
            step.duration_ms / (download_ms * step.rate)
        };
        let nominal = |&bitrate: &f64| pace(bitrate * step.duration_ms);
        let search = Search {
            objective: &self.objective,
            distortions: step.qualities.iter().map(|quality| 1.0 - quality).collect(),
            paces: step.bitrates_kbps.iter().map(nominal).collect(),
            slot: step.duration_ms / (TARGET * step.capacity_ms),
            room: (step.capacity_ms - step.duration_ms) / (TARGET * step.capacity_ms),
        };
        let level = step.buffer_ms / (TARGET * step.capacity_ms);
        let mut costs = Vec::new();
        let mut best = (f64::INFINITY, 0);
        for (rung, &bits) in step.sizes_bits.iter().enumerate() {
            let before = step.previous.unwrap_or(rung);
            let (cost, level) = search.slot(rung, before, level, pace(bits));
            let cost =
                cost + search.rest(rung, rung.cmp(&before), level, HORIZON - 1, best.0 - cost);
            if cost < best.0 {
                best = (cost, rung);
            }
            costs.push(cost);
        }
        Choice { rung: best.1, delay_ms: 0.0, cause: Cause::Planned, costs }
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        self.throughput.abandon(in_flight, step, estimate)
    }

    fn observe(&mut self, observation: &Observation, step: &Step) {
        self.throughput.observe(observation, step);
    }
}

/// Buffer levels and durations are in units of the target level.
struct Search<'a> {
    objective: &'a Objective,
    distortions: Vec<f64>,
    paces: Vec<f64>,
    slot: f64,
    room: f64,
}

impl Search<'_> {
    /// What one slot at `rung` costs, and the level after it.
    fn slot(&self, rung: usize, before: usize, level: f64, pace: f64) -> (f64, f64) {
        let distortion = |rung: usize| self.distortions.get(rung).copied().unwrap_or(0.0);
        let change = distortion(rung) - distortion(before);
        let after = level + (pace - 1.0) * self.slot;
        let stall = (-after).max(0.0) / self.slot * self.objective.stall;
        let after = clamp(after, 0.0, self.room.max(self.slot));
        let distance = after - 1.0;
        let weight = if distance < 0.0 { BUFFER_WEIGHT } else { BUFFER_WEIGHT * ABOVE_TARGET };
        let cost = distortion(rung) * pace
            + weight * distance * distance
            + CHANGE_WEIGHT * self.objective.switching * change * change
            + STALL_WEIGHT * stall;
        (cost, after)
    }

    /// The least that the slots `left` cost when rungs go on in one direction from `before`, or more
    /// than `enough` when it is more than that.
    fn rest(
        &self,
        before: usize,
        direction: Ordering,
        level: f64,
        left: usize,
        enough: f64,
    ) -> f64 {
        if left == 0 || enough <= 0.0 {
            return 0.0;
        }
        let rungs = match direction {
            Ordering::Less => 0..before + 1,
            Ordering::Equal => 0..self.paces.len(),
            Ordering::Greater => before..self.paces.len(),
        };
        let mut best = f64::INFINITY;
        for rung in rungs {
            let pace = self.paces.get(rung).copied().unwrap_or(1.0);
            let (cost, level) = self.slot(rung, before, level, pace);
            let direction = direction.then(rung.cmp(&before));
            let enough = best.min(enough) - cost;
            if enough > 0.0 {
                best = best.min(cost + self.rest(rung, direction, level, left - 1, enough));
            }
        }
        best
    }
}
