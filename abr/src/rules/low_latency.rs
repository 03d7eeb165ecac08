//! For playback close to the live edge: latency is part of the state, and the segment to be chosen may
//! still be in the making.

use crate::math::{exp, ln};
use crate::rules::kinora::rescue;
use crate::rules::{Choice, Controller, Download, Observation, Rule, Throughput};
use crate::{Cause, Config, Estimate, Objective, Phase, Step};

/// Follows each rung over a few segments, for each of the throughputs that may come: what it stalls, and
/// how far behind the live edge that leaves the viewer.
///
/// Live, a segment plays while it arrives: it stalls when its first chunk is late, or its last. What
/// is lost in stalls is latency from then on, until the playback rate has won it back
/// ([`CatchUp`](crate::CatchUp)).
#[derive(Clone, Debug)]
pub struct LowLatency {
    objective: Objective,
    throughput: Throughput,
}

/// Segments looked ahead.
const HORIZON: u32 = 5;
/// How much of each later segment counts.
const DISCOUNT: f64 = 0.9;
/// What part of the excess latency the playback rate wins back during a segment.
const CAUGHT_UP: f64 = 0.1;

impl LowLatency {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self { objective: config.objective, throughput: Throughput::new(config) }
    }

    /// What it is worth to fetch `bits` of `rung` now, and to stay with it.
    fn worth(&self, rung: usize, bits: f64, step: &Step, estimate: &Estimate) -> f64 {
        let quality = |rung: usize| step.qualities.get(rung).copied().unwrap_or(0.0);
        let change =
            step.previous.map_or(0.0, |previous| (quality(rung) - quality(previous)).abs());
        let nominal = step.bitrates_kbps.get(rung).copied().unwrap_or(1.0) * step.duration_ms;
        let median = ln(estimate.median_bps / 1000.0);
        let mut worth = -self.objective.switching * change;
        for (offset, weight) in Estimate::outcomes(estimate.spread) {
            let rate_kbps = exp(median + offset);
            let (mut buffer_ms, mut excess_ms) =
                (step.buffer_ms, step.excess_latency_ms.unwrap_or(0.0));
            let mut counts = weight;
            for segment in 0..HORIZON {
                let bits = if segment == 0 { bits } else { nominal };
                let first_ms = estimate.ttfb_ms() * step.rate;
                let last_ms = first_ms + bits / rate_kbps * step.rate;
                let stalled_ms = if step.excess_latency_ms.is_some() {
                    (first_ms - buffer_ms).max(last_ms - buffer_ms - step.duration_ms).max(0.0)
                } else {
                    (last_ms - buffer_ms).max(0.0)
                };
                buffer_ms = (buffer_ms + step.duration_ms + stalled_ms - last_ms).max(0.0);
                excess_ms = excess_ms * (1.0 - CAUGHT_UP) + stalled_ms;
                // What is ahead of the live edge does not exist yet.
                buffer_ms = buffer_ms.min(step.capacity_ms);
                worth += counts
                    * (quality(rung)
                        - (self.objective.stall * stalled_ms
                            + self.objective.latency * excess_ms.max(0.0))
                            / 1000.0);
                counts *= DISCOUNT;
            }
        }
        worth
    }
}

impl Controller for LowLatency {
    fn rule(&self) -> Rule {
        Rule::LowLatency
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let startup = self.throughput.choose(step, estimate);
        if step.phase == Phase::Starting && step.buffer_ms <= 0.0 {
            return startup;
        }
        let mut best = (f64::NEG_INFINITY, 0);
        let mut costs = Vec::new();
        for (rung, &bits) in step.sizes_bits.iter().enumerate() {
            let worth = self.worth(rung, bits, step, estimate);
            if worth > best.0 {
                best = (worth, rung);
            }
            costs.push(-worth);
        }
        let affordable = step.sustained(estimate.median_bps / 1000.0, estimate.ttfb_ms());
        // There is no buffer to spend on a rung that the network does not sustain.
        let most = step.previous.unwrap_or(0).max(affordable);
        let cause = match best.1 {
            rung if rung > most => Cause::ClimbHeld,
            rung if rung < affordable => Cause::BufferLow,
            _ => Cause::Planned,
        };
        Choice { rung: best.1.min(most), delay_ms: 0.0, cause, costs }
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        let rate = in_flight.rate_kbps()?;
        let late = rescue(in_flight, rate, step, estimate.ttfb_ms());
        late.map(|rung| (rung, Cause::StallAhead))
            .or_else(|| self.throughput.abandon(in_flight, step, estimate))
    }

    fn observe(&mut self, observation: &Observation, step: &Step) {
        self.throughput.observe(observation, step);
    }
}
