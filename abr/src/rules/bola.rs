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
    placeholder_s: f64,
    safety: BufferSafety,
    /// Original bitrate of the segment before, so that a mask does not confuse it.
    last_bps: f64,
}

/// The buffer level up to which the lowest rung is right, seconds.
const MINIMUM_BUFFER_S: f64 = 10.0;
/// What each rung adds to the level at which the highest is right, seconds.
const BUFFER_PER_RUNG_S: f64 = 2.0;

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
            placeholder_s: 0.0,
            safety: BufferSafety::default(),
            last_bps: 0.0,
        }
    }

    fn last_rung(&self, step: &Step) -> usize {
        step.bitrates_bps.iter().rposition(|&b| b <= self.last_bps).unwrap_or(0)
    }
}

impl Controller for Bola {
    fn rule(&self) -> Rule {
        Rule::Bola
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        let score = Score::new(step);
        let sustained = step.sustained(estimate.throughput_bps, estimate.ttfb_s);
        if !self.started {
            if estimate.source == Source::Default {
                let rung = self.last_rung(step);
                return Choice { rung, delay_s: 0.0, cause: Cause::Startup, costs: Vec::new() };
            }
            self.started = true;
            self.safety = BufferSafety::default();
            self.placeholder_s = (score.lowest_level(sustained, step) - step.buffer_s).max(0.0);
            let costs = score.costs(step, step.buffer_s + self.placeholder_s);
            return Choice { rung: sustained, delay_s: 0.0, cause: Cause::Startup, costs };
        }

        let costs = score.costs(step, step.buffer_s + self.placeholder_s);
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

        let excess_s = step.buffer_s + self.placeholder_s - score.highest_level(rung);
        let mut delay_s = 0.0;
        if excess_s > self.placeholder_s {
            delay_s = excess_s - self.placeholder_s;
            self.placeholder_s = 0.0;
        } else if excess_s > 0.0 {
            self.placeholder_s -= excess_s;
        }
        if rung == step.top() {
            delay_s = 0.0;
        }

        let safe = self.safety.limit(rung, step, estimate);
        if safe < rung {
            rung = safe;
            delay_s = 0.0;
            cause = Cause::BufferLow;
            let most = (score.lowest_level(rung, step) - step.buffer_s).max(0.0);
            self.placeholder_s = self.placeholder_s.min(most);
        }
        Choice { rung, delay_s, cause, costs }
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        _estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        let rate = in_flight.rate_bps()?;
        // Another request costs another time to first byte: compare what will be true after it.
        let left = in_flight.remaining_bits() - in_flight.ttfb_s * rate;
        if left <= 0.0 {
            return None;
        }
        let score = Score::new(step);
        let level_s = (step.buffer_s + self.placeholder_s - in_flight.ttfb_s).max(0.0);
        let value = |rung: usize, bits: f64| (score.highest_level(rung) - level_s) / bits;
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
        let bitrate = |rung: usize| step.bitrates_bps.get(rung).copied().unwrap_or(0.0);
        match *observation {
            Observation::Idle { seconds } => self.placeholder_s += seconds,
            Observation::Seeked => self.started = false,
            Observation::Fetched { rung, replaced: true, .. } => {
                self.last_bps = bitrate(rung);
                self.placeholder_s += step.duration_s;
            }
            Observation::Fetched { rung, download_s, replaced: false } => {
                self.last_bps = bitrate(rung);
                let level_was = step.buffer_s + download_s;
                let most = (score.highest_level(rung) - level_was).max(0.0);
                self.placeholder_s = self.placeholder_s.min(most);
                // The segment may not have been this rule's choice. An empty buffer is no reason to
                // inflate the placeholder.
                if step.buffer_s > 0.0 {
                    let least = score.lowest_level(rung, step) - level_was;
                    self.placeholder_s = self.placeholder_s.max(least);
                }
            }
            Observation::Abandoned { from, to } => {
                self.last_bps = bitrate(from);
                let wanted = if to > 0 { score.lowest_level(to, step) } else { MINIMUM_BUFFER_S };
                self.placeholder_s = self.placeholder_s.min((wanted - step.buffer_s).max(0.0));
            }
        }
    }
}

impl Score {
    fn new(step: &Step) -> Self {
        let lowest = step.bitrates_bps.first().copied().unwrap_or(1.0);
        let utilities: Vec<f64> = step.bitrates_bps.iter().map(|b| 1.0 + ln(b / lowest)).collect();
        let span = utilities.last().copied().unwrap_or(1.0) - 1.0;
        let rungs = utilities.len() as f64;
        let buffer_s = (MINIMUM_BUFFER_S + BUFFER_PER_RUNG_S * rungs).max(step.capacity_s);
        // With a single rung (or equal ones) any positive γp gives the same choice.
        let gp = if span > 0.0 { span / (buffer_s / MINIMUM_BUFFER_S - 1.0) } else { 1.0 };
        Self { v: MINIMUM_BUFFER_S / gp, gp, utilities }
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
        let bitrate = |r: usize| step.bitrates_bps.get(r).copied().unwrap_or(1.0);
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
    fn costs(&self, step: &Step, level_s: f64) -> Vec<f64> {
        let cost =
            |(rung, &bitrate): (usize, &f64)| -(self.highest_level(rung) - level_s) / bitrate;
        step.bitrates_bps.iter().enumerate().map(cost).collect()
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
