//! The throughput rule: the highest rung that the measured throughput sustains.

use crate::rules::{BufferSafety, Choice, Controller, Download, Observation, Rule};
use crate::{Cause, Config, Estimate, Phase, Source, Step};

/// Chooses the highest rung whose segments arrive within their own duration at 90 % of the measured
/// throughput, and lower when the buffer is too short for that.
#[derive(Clone, Debug)]
pub struct Throughput {
    startup_budget_ms: f64,
    safety: BufferSafety,
}

const SAFETY: f64 = 0.9;
/// How much of an untested belief to rely on for the first segment.
const UNMEASURED_SAFETY: f64 = 0.5;
/// A transfer may take this many times the duration of its media.
const PATIENCE: f64 = 1.8;
/// No transfer is judged earlier than this, milliseconds.
const GRACE_MS: f64 = 500.0;

impl Throughput {
    /// The rule with nothing decided yet.
    pub fn new(config: &Config) -> Self {
        Self {
            startup_budget_ms: config.startup_budget_s * 1000.0,
            safety: BufferSafety::default(),
        }
    }

    /// The rung for a first segment: the highest that arrives within the start-up budget.
    pub(crate) fn first_rung(&self, step: &Step, estimate: &Estimate) -> usize {
        let trust = if estimate.source == Source::Measured { SAFETY } else { UNMEASURED_SAFETY };
        let budget_ms = self.startup_budget_ms - estimate.ttfb_ms();
        let quick = |bits: f64| bits <= budget_ms * trust * estimate.throughput_kbps();
        let within_budget = step.sizes_bits.iter().skip(1).take_while(|&&bits| quick(bits)).count();
        within_budget.min(step.sustained(trust * estimate.throughput_kbps(), estimate.ttfb_ms()))
    }
}

impl Controller for Throughput {
    fn rule(&self) -> Rule {
        Rule::Throughput
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let choice = |rung, cause| {
            let costs = costs(step, estimate);
            Choice { rung, delay_ms: 0.0, cause, costs }
        };
        if step.phase == Phase::Starting && step.buffer_ms <= 0.0 {
            return choice(self.first_rung(step, estimate), Cause::Startup);
        }
        let sustained = step.sustained(estimate.throughput_kbps() * SAFETY, estimate.ttfb_ms());
        let rung = self.safety.limit(sustained, step, estimate);
        choice(rung, if rung < sustained { Cause::BufferLow } else { Cause::ThroughputBound })
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        _estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        let rate = in_flight.rate_kbps().filter(|_| in_flight.elapsed_ms >= GRACE_MS)?;
        let left = in_flight.remaining_bits();
        if in_flight.elapsed_ms + left / rate <= PATIENCE * step.duration_ms {
            return None;
        }
        let rung = step.sustained(rate * SAFETY, in_flight.ttfb_ms);
        let smaller = rung < in_flight.rung && in_flight.bits_in(rung, step) < left;
        smaller.then_some((rung, Cause::TooSlow))
    }

    fn observe(&mut self, observation: &Observation, _step: &Step) {
        if matches!(observation, Observation::Seeked) {
            self.safety = BufferSafety::default();
        }
    }
}

/// A rung that is sustained costs less the better it is; any other, the time it takes per second of
/// media.
fn costs(step: &Step, estimate: &Estimate) -> Vec<f64> {
    let sustained = step.sustained(estimate.throughput_kbps() * SAFETY, estimate.ttfb_ms());
    let rungs = step.bitrates_kbps.iter().zip(&step.qualities).enumerate();
    rungs
        .map(|(rung, (&bitrate, &quality))| {
            if rung <= sustained {
                -quality
            } else {
                bitrate / (estimate.throughput_kbps() * SAFETY)
            }
        })
        .collect()
}
