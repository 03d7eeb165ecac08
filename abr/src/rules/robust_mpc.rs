//! RobustMPC: plans a few segments ahead against a pessimistic throughput (Yin, Jindal, Sekar, Sinopoli:
//! A Control-Theoretic Approach for Dynamic Adaptive Video Streaming over HTTP, SIGCOMM 2015).

use std::collections::VecDeque;

use crate::rules::{Choice, Controller, Observation, Rule, Throughput};
use crate::{Cause, Config, Estimate, Objective, Phase, Step};

/// Maximises quality less switches and stalls over the next five segments, believing in the harmonic
/// mean of the last five throughputs, divided by one plus the worst of its last five errors.
#[derive(Clone, Debug)]
pub struct RobustMpc {
    objective: Objective,
    startup: Throughput,
    rates_kbps: VecDeque<f64>,
    /// Relative overestimates.
    errors: VecDeque<f64>,
    predicted_kbps: Option<f64>,
}

const HORIZON: usize = 5;
const MEMORY: usize = 5;
/// Longer ladders are looked at only this far around the rung before, to bound the search.
const MAX_RUNGS: usize = 12;

impl RobustMpc {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self {
            objective: config.objective,
            startup: Throughput::new(config),
            rates_kbps: VecDeque::new(),
            errors: VecDeque::new(),
            predicted_kbps: None,
        }
    }
}

impl Controller for RobustMpc {
    fn rule(&self) -> Rule {
        Rule::RobustMpc
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let first = self.startup.choose(step, estimate);
        if step.phase == Phase::Starting && step.buffer_ms <= 0.0 {
            return first;
        }
        let inverse: f64 = self.rates_kbps.iter().map(|rate| 1.0 / rate).sum();
        let mean_kbps = if inverse > 0.0 {
            self.rates_kbps.len() as f64 / inverse
        } else {
            estimate.throughput_kbps()
        };
        self.predicted_kbps = Some(mean_kbps);
        let worst = self.errors.iter().copied().fold(0.0, f64::max);

        let previous = step.previous.unwrap_or(0);
        let lowest =
            previous.saturating_sub(MAX_RUNGS / 2).min(step.rungs().saturating_sub(MAX_RUNGS));
        let search = Search {
            step,
            objective: &self.objective,
            throughput_kbps: mean_kbps / (1.0 + worst),
            ttfb_ms: estimate.ttfb_ms(),
            rungs: lowest..(lowest + MAX_RUNGS).min(step.rungs()),
            best_quality: step.qualities.iter().copied().fold(0.0, f64::max),
        };
        let segments =
            step.remaining.map_or(HORIZON, |left| left.clamp(1, HORIZON as u64) as usize);
        let mut best = (f64::NEG_INFINITY, 0);
        let mut costs = Vec::new();
        for rung in 0..step.rungs() {
            let worth = if search.rungs.contains(&rung) {
                search.plan(rung, step.previous, step.buffer_ms, 0, segments, f64::NEG_INFINITY)
            } else {
                f64::NEG_INFINITY
            };
            if worth > best.0 {
                best = (worth, rung);
            }
            costs.push(-worth);
        }
        Choice { rung: best.1, delay_ms: 0.0, cause: Cause::Planned, costs }
    }

    fn observe(&mut self, observation: &Observation, _step: &Step) {
        let Observation::Fetched { rate_kbps, .. } = *observation else { return };
        if !(rate_kbps > 0.0 && rate_kbps.is_finite()) {
            return;
        }
        if let Some(predicted) = self.predicted_kbps {
            remember(&mut self.errors, (predicted - rate_kbps).abs() / rate_kbps);
        }
        remember(&mut self.rates_kbps, rate_kbps);
    }
}

fn remember(list: &mut VecDeque<f64>, value: f64) {
    if list.len() >= MEMORY {
        list.pop_front();
    }
    list.push_back(value);
}

struct Search<'a> {
    step: &'a Step,
    objective: &'a Objective,
    throughput_kbps: f64,
    ttfb_ms: f64,
    rungs: core::ops::Range<usize>,
    best_quality: f64,
}

impl Search<'_> {
    /// The most that `rung` now, and the best rungs for the segments after it, are worth; anything not
    /// above `enough` when that cannot be exceeded.
    fn plan(
        &self,
        rung: usize,
        previous: Option<usize>,
        buffer_ms: f64,
        depth: usize,
        segments: usize,
        enough: f64,
    ) -> f64 {
        let step = self.step;
        let quality = |rung: usize| step.qualities.get(rung).copied().unwrap_or(0.0);
        let nominal = step.bitrates_kbps.get(rung).copied().unwrap_or(1.0) * step.duration_ms;
        let bits = if depth == 0 {
            step.sizes_bits.get(rung).copied().unwrap_or(nominal)
        } else {
            nominal
        };
        let download_ms = (self.ttfb_ms + bits / self.throughput_kbps) * step.rate;
        let stall_s = (download_ms - buffer_ms).max(0.0) / step.rate / 1000.0;
        let change = previous.map_or(0.0, |previous| (quality(rung) - quality(previous)).abs());
        let own = if depth == 0 { &step.segment_qualities } else { &step.qualities };
        let own = own.get(rung).copied().unwrap_or(0.0);
        let worth = own - self.objective.switching * change - self.objective.stall * stall_s;
        let left = segments - depth - 1;
        if left == 0 {
            return worth;
        }
        if worth + left as f64 * self.best_quality <= enough {
            return f64::NEG_INFINITY;
        }
        let after = ((buffer_ms - download_ms).max(0.0) + step.duration_ms)
            .min(step.capacity_ms - step.duration_ms);
        let mut best = f64::NEG_INFINITY;
        // Staying is the likeliest to be best: tried first, it prunes the rest.
        for next in core::iter::once(rung).chain(self.rungs.clone().filter(|&next| next != rung)) {
            let enough = best.max(enough - worth);
            best = best.max(self.plan(next, Some(rung), after, depth + 1, segments, enough));
        }
        worth + best
    }
}
