//! BOLA-E: buffer-based choice by Lyapunov optimisation, made quick to start and safe when low
//! (Spiteri, Urgaonkar, Sitaraman: BOLA, INFOCOM 2016; Spiteri, Sitaraman, Sparacio: From Theory to
//! Practice, MMSys 2018).

use crate::math::ln;
use crate::rules::{BufferSafety, Choice, Controller, Download, Observation, Rule};
use crate::{Cause, Config, Estimate, Source, Step};

/// Chooses by buffer level, with a *placeholder*: media that is not there but would be, had playback
/// not just begun or the buffer not been full.
#[derive(Clone, Debug)]
pub struct Bola {
    avoid_oscillation: bool,
    started: bool,
    placeholder_ms: f64,
    safety: BufferSafety,
    /// Original bitrate of the segment before, so that a mask does not confuse it.
    last_kbps: f64,
}

/// The buffer level up to which the lowest rung is right, milliseconds.
const MINIMUM_BUFFER_MS: f64 = 10_000.0;
/// What each rung adds to the level at which the highest is right, milliseconds.
const BUFFER_PER_RUNG_MS: f64 = 2000.0;

/// The parameters V and γp for a ladder, and its utilities.
struct Score {
    v: f64,
    gp: f64,
    utilities: Vec<f64>,
}

impl Bola {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self {
            avoid_oscillation: config.bola_avoid_oscillation,
            started: false,
            placeholder_ms: 0.0,
            safety: BufferSafety::default(),
            last_kbps: 0.0,
        }
    }

    fn last_rung(&self, step: &Step) -> usize {
        step.bitrates_kbps.iter().rposition(|&b| b <= self.last_kbps).unwrap_or(0)
    }
}

impl Controller for Bola {
    fn rule(&self) -> Rule {
        Rule::Bola
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let score = Score::new(step);
        let sustained = step.sustained(estimate.throughput_kbps(), estimate.ttfb_ms());
        if !self.started {
            if estimate.source == Source::Default {
                let rung = self.last_rung(step);
                return Choice { rung, delay_ms: 0.0, cause: Cause::Startup, costs: Vec::new() };
            }
            self.started = true;
            self.safety = BufferSafety::default();
            self.placeholder_ms = (score.lowest_level(sustained, step) - step.buffer_ms).max(0.0);
            let costs = score.costs(step, step.buffer_ms + self.placeholder_ms);
            return Choice { rung: sustained, delay_ms: 0.0, cause: Cause::Startup, costs };
        }

        let costs = score.costs(step, step.buffer_ms + self.placeholder_ms);
        let mut rung = lowest(&costs);
        let mut cause = Cause::BufferBased;
        let last = self.last_rung(step);
        if rung > last && rung > sustained {
            rung = last.max(sustained);
            if !self.avoid_oscillation {
                rung += 1;
            }
            cause = Cause::ClimbHeld;
        }

        let excess_ms = step.buffer_ms + self.placeholder_ms - score.highest_level(rung);
        let mut delay_ms = 0.0;
        if excess_ms > self.placeholder_ms {
            delay_ms = excess_ms - self.placeholder_ms;
            self.placeholder_ms = 0.0;
        } else if excess_ms > 0.0 {
            self.placeholder_ms -= excess_ms;
        }
        if rung == step.top() {
            delay_ms = 0.0;
        }

        let safe = self.safety.limit(rung, step, estimate);
        if safe < rung {
            rung = safe;
            delay_ms = 0.0;
            cause = Cause::BufferLow;
            let most = (score.lowest_level(rung, step) - step.buffer_ms).max(0.0);
            self.placeholder_ms = self.placeholder_ms.min(most);
        }
        Choice { rung, delay_ms, cause, costs }
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        _estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        let rate = in_flight.rate_kbps()?;
        // Another request costs another time to first byte: compare what will be true after it.
        let left = in_flight.remaining_bits() - in_flight.ttfb_ms * rate;
        if left <= 0.0 {
            return None;
        }
        let score = Score::new(step);
        let level_ms = (step.buffer_ms + self.placeholder_ms - in_flight.ttfb_ms).max(0.0);
        let value = |rung: usize, bits: f64| (score.highest_level(rung) - level_ms) / bits;
        let mut best = (value(in_flight.rung, left), None);
        for rung in 0..in_flight.rung {
            let bits = in_flight.bits_in(rung, step);
            let value = value(rung, bits);
            if bits < left && value > best.0 {
                best = (value, Some((rung, Cause::StallAhead)));
            }
        }
        best.1
    }

    fn observe(&mut self, observation: &Observation, step: &Step) {
        let score = Score::new(step);
        let bitrate = |rung: usize| step.bitrates_kbps.get(rung).copied().unwrap_or(0.0);
        match *observation {
            Observation::Idle { ms } => self.placeholder_ms += ms,
            Observation::Seeked => self.started = false,
            Observation::Fetched { rung, replaced: true, .. } => {
                self.last_kbps = bitrate(rung);
                self.placeholder_ms += step.duration_ms;
            }
            Observation::Fetched { rung, download_ms, replaced: false, .. } => {
                self.last_kbps = bitrate(rung);
                let level_was = step.buffer_ms + download_ms;
                let most = (score.highest_level(rung) - level_was).max(0.0);
                self.placeholder_ms = self.placeholder_ms.min(most);
                // The segment may not have been this rule's choice. An empty buffer is no reason to
                // inflate the placeholder.
                if step.buffer_ms > 0.0 {
                    let least = score.lowest_level(rung, step) - level_was;
                    self.placeholder_ms = self.placeholder_ms.max(least);
                }
            }
            Observation::Abandoned { from, to } => {
                self.last_kbps = bitrate(from);
                let wanted = if to > 0 { score.lowest_level(to, step) } else { MINIMUM_BUFFER_MS };
                self.placeholder_ms = self.placeholder_ms.min((wanted - step.buffer_ms).max(0.0));
            }
        }
    }
}

impl Score {
    fn new(step: &Step) -> Self {
        let lowest = step.bitrates_kbps.first().copied().unwrap_or(1.0);
        let offset = 1.0 - ln(lowest);
        let utilities: Vec<f64> = step.bitrates_kbps.iter().map(|&b| ln(b) + offset).collect();
        let span = utilities.last().copied().unwrap_or(1.0) - 1.0;
        let rungs = utilities.len() as f64;
        let buffer_ms = (MINIMUM_BUFFER_MS + BUFFER_PER_RUNG_MS * rungs).max(step.capacity_ms);
        // With a single rung (or equal ones) any positive γp gives the same choice.
        let gp = if span > 0.0 { span / (buffer_ms / MINIMUM_BUFFER_MS - 1.0) } else { 1.0 };
        Self { v: MINIMUM_BUFFER_MS / gp, gp, utilities }
    }

    fn utility(&self, rung: usize) -> f64 {
        self.utilities.get(rung).copied().unwrap_or(1.0)
    }

    /// The level above which fetching this rung gains nothing.
    fn highest_level(&self, rung: usize) -> f64 {
        self.v * (self.utility(rung) + self.gp)
    }

    /// The level from which this rung is preferred to every lower one.
    fn lowest_level(&self, rung: usize, step: &Step) -> f64 {
        let bitrate = |r: usize| step.bitrates_kbps.get(r).copied().unwrap_or(1.0);
        let (here, mine) = (bitrate(rung), self.utility(rung));
        (0..rung)
            .filter(|&lower| self.utility(lower) < mine)
            .map(|lower| {
                let there = bitrate(lower);
                self.v * (self.gp + (here * self.utility(lower) - there * mine) / (here - there))
            })
            .fold(0.0, f64::max)
    }

    /// Minus the BOLA score of each rung.
    fn costs(&self, step: &Step, level_ms: f64) -> Vec<f64> {
        let cost =
            |(rung, &bitrate): (usize, &f64)| -(self.highest_level(rung) - level_ms) / bitrate;
        step.bitrates_kbps.iter().enumerate().map(cost).collect()
    }
}

/// The first of the lowest costs.
fn lowest(costs: &[f64]) -> usize {
    let mut best = (0, f64::INFINITY);
    for (rung, &cost) in costs.iter().enumerate() {
        if cost < best.1 {
            best = (rung, cost);
        }
    }
    best.0
}
