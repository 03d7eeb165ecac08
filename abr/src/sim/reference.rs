//! Published rules that are only of interest for comparison.

use crate::math::ln;
use crate::rules::Throughput;
use crate::{Cause, Choice, Config, Controller, Download, Estimate, Observation, Rule, Step};

/// Always the same rung.
#[derive(Clone, Copy, Debug)]
pub struct Fixed(
    /// Position in the ladder.
    pub usize,
);

impl Controller for Fixed {
    fn rule(&self) -> Rule {
        Rule::Custom
    }

    fn choose(&mut self, step: &Step, _estimate: &Estimate) -> Choice {
        choice(self.0.min(step.top()), 0.0)
    }
}

/// A plan made beforehand.
#[derive(Clone, Debug)]
pub struct Script(
    /// Position in the ladder of each segment, to the end of the title.
    pub Vec<usize>,
);

impl Controller for Script {
    fn rule(&self) -> Rule {
        Rule::Custom
    }

    fn choose(&mut self, step: &Step, _estimate: &Estimate) -> Choice {
        let left = step.remaining.map_or(usize::MAX, |left| left as usize);
        let planned = self.0.get(self.0.len().saturating_sub(left)).copied();
        choice(planned.unwrap_or(0).min(step.top()), 0.0)
    }
}

/// BOLA as first published, with the up-switch held to the throughput's rung plus one (BOLA-U) or
/// exactly that (BOLA-O), and γp of five seconds.
#[derive(Clone, Debug)]
pub struct BolaBasic {
    avoid_oscillation: bool,
    /// Aims for a smaller buffer near the beginning and the end of the title (BOLA-FINITE).
    finite: bool,
    segment: u64,
    last: usize,
}

const GAMMA_P: f64 = 5.0;

impl BolaBasic {
    /// The rule at its start.
    pub fn new(avoid_oscillation: bool) -> Self {
        Self { avoid_oscillation, finite: false, segment: 0, last: 0 }
    }
}

impl Controller for BolaBasic {
    fn rule(&self) -> Rule {
        Rule::Custom
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let lowest = step.bitrates_kbps.first().copied().unwrap_or(1.0);
        let offset = -ln(lowest);
        let utilities: Vec<f64> = step.bitrates_kbps.iter().map(|b| ln(*b) + offset).collect();
        let span = utilities.last().copied().unwrap_or(0.0);
        let near = self.segment.min(step.remaining.unwrap_or(u64::MAX)) as f64;
        let aim_ms = if self.finite {
            ((near / 2.0).max(3.0) * step.duration_ms).min(step.capacity_ms)
        } else {
            step.capacity_ms
        };
        let v = (aim_ms - step.duration_ms) / (span + GAMMA_P);
        let score = |rung: usize| {
            (v * (utilities[rung] + GAMMA_P) - step.buffer_ms) / step.bitrates_kbps[rung]
        };

        let mut rung = 0;
        for other in 1..step.rungs() {
            if score(other) > score(rung) {
                rung = other;
            }
        }
        let mut delay_ms = 0.0;
        if rung > self.last {
            let sustained = step.sustained(estimate.throughput_kbps(), estimate.ttfb_ms());
            if rung > sustained {
                if self.last > sustained {
                    rung = self.last;
                } else if self.avoid_oscillation {
                    rung = sustained;
                    delay_ms = (step.buffer_ms - v * (GAMMA_P + utilities[rung])).max(0.0);
                    if rung == step.top() {
                        delay_ms = 0.0;
                    }
                } else {
                    rung = sustained + 1;
                }
            }
        }
        self.last = rung;
        choice(rung, delay_ms)
    }

    fn observe(&mut self, observation: &Observation, _step: &Step) {
        if matches!(observation, Observation::Fetched { replaced: false, .. }) {
            self.segment += 1;
        }
    }
}

/// Throughput and BOLA side by side, handing over where they agree around 10 s of buffer.
#[derive(Clone, Debug)]
pub struct DynamicBasic {
    bola: BolaBasic,
    throughput: Throughput,
    by_buffer: bool,
}

impl DynamicBasic {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        let bola = BolaBasic { finite: true, ..BolaBasic::new(false) };
        Self { bola, throughput: Throughput::new(config), by_buffer: false }
    }
}

impl Controller for DynamicBasic {
    fn rule(&self) -> Rule {
        Rule::Custom
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let bola = self.bola.choose(step, estimate);
        let throughput = self.throughput.choose(step, estimate);
        if self.by_buffer {
            self.by_buffer = step.buffer_ms >= 10_000.0 || bola.rung >= throughput.rung;
        } else {
            self.by_buffer = step.buffer_ms > 10_000.0 && bola.rung >= throughput.rung;
        }
        if self.by_buffer { bola } else { throughput }
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
        if matches!(observation, Observation::Fetched { replaced: true, .. }) {
            self.by_buffer = false;
        }
        self.bola.observe(observation, step);
        self.throughput.observe(observation, step);
    }
}

fn choice(rung: usize, delay_ms: f64) -> Choice {
    Choice { rung, delay_ms, cause: Cause::BufferBased, costs: Vec::new() }
}
