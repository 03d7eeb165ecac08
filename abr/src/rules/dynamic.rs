//! DYNAMIC: throughput while the buffer is low, BOLA-E when it is not (Spiteri, Sitaraman, Sparacio,
//! MMSys 2018).

use crate::rules::{Bola, Choice, Controller, Download, Observation, Rule, Throughput};
use crate::{Cause, Config, Estimate, Step};

/// Hands over to BOLA-E above a buffer level and back to the throughput rule below half of it.
#[derive(Clone, Debug)]
pub struct Dynamic {
    threshold_ms: Option<f64>,
    throughput: Throughput,
    bola: Bola,
    by_buffer: bool,
}

const THRESHOLD_MS: f64 = 10_000.0;
/// Where 10 s is out of reach of the buffer goal, this part of the goal takes its place.
const THRESHOLD_SHARE: f64 = 0.6;

impl Dynamic {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self {
            threshold_ms: config.dynamic_threshold_s.map(|s| s * 1000.0),
            throughput: Throughput::new(config),
            bola: Bola::new(config),
            by_buffer: false,
        }
    }
}

impl Controller for Dynamic {
    fn rule(&self) -> Rule {
        Rule::Dynamic
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let threshold_ms =
            self.threshold_ms.unwrap_or(THRESHOLD_MS.min(THRESHOLD_SHARE * step.capacity_ms));
        if self.by_buffer {
            self.by_buffer = step.buffer_ms >= threshold_ms / 2.0;
        } else {
            self.by_buffer = step.buffer_ms > threshold_ms;
        }
        if self.by_buffer {
            self.bola.choose(step, estimate)
        } else {
            self.throughput.choose(step, estimate)
        }
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        if self.by_buffer {
            self.bola.abandon(in_flight, step, estimate)
        } else {
            self.throughput.abandon(in_flight, step, estimate)
        }
    }

    fn observe(&mut self, observation: &Observation, step: &Step) {
        if matches!(observation, Observation::Seeked) {
            self.by_buffer = false;
        }
        self.bola.observe(observation, step);
        self.throughput.observe(observation, step);
    }
}
