//! The default rule: stochastic buffer prediction, solved by value iteration.
//!
//! A session is a Markov decision process. Its state is the throughput believed in, the buffer level
//! and the rung of the segment before; an action is the rung of the next segment. The next transfer's
//! throughput is the belief times a heavy-tailed random factor, and part of that surprise stays in the
//! belief. A [`Table`] holds what every state is worth; a decision looks one segment ahead with the
//! real sizes and the present uncertainty, and takes the worth of what comes after from the table.

use crate::math::{clamp, exp, ln, pow};
use crate::rules::table::{DISCOUNT, GAIN, INTERRUPTION_S, Table};
use crate::rules::{Choice, Controller, Download, Dynamic, Observation, Rule};
use crate::{Cause, Config, Estimate, Objective, Phase, Step};

/// Plans over the distribution of what the network may do next.
///
/// Until its tables are built (see [`Controller::prepare`]) and for the first segment, [`Dynamic`]
/// decides.
#[derive(Clone, Debug)]
pub struct Kinora {
    objective: Objective,
    fallback: Dynamic,
    /// For a steady network and for an erratic one; what lies between is interpolated.
    tables: Option<[Table; 2]>,
    /// A rung that could not be kept up, and the throughput believed in then.
    overreach: Option<Overreach>,
    /// Decisions in a row that the tables were built for longer segments than.
    shorter: u32,
}

/// A rung that had to be left again (bitrate, kbit/s), and the logarithm of the throughput believed in
/// at that moment.
#[derive(Clone, Copy, Debug)]
struct Overreach {
    bitrate_kbps: f64,
    belief: f64,
}

/// The part of the buffer that a download may be expected to use up.
const USABLE_BUFFER: f64 = 0.9;
/// Below this spread of the estimate, the network counts as steady.
const STEADY: f64 = 0.25;
/// How much faster the network has to get before a rung is tried again that could not be kept up
/// (logarithm).
const RETRY: f64 = 0.1;
/// Spread of the estimate that each table is built for.
const SPREADS: [f64; 2] = [0.4, 1.2];
/// How much more a smaller segment has to be worth than the one in flight, in qualities of the top rung.
const MARGIN: f64 = 0.1;
/// A transfer is judged after this time, milliseconds.
const GRACE_MS: f64 = 500.0;
/// A transfer that will be late is given up after this time, milliseconds, if a smaller one arrives
/// within this part of the buffer.
const RESCUE_AFTER_MS: f64 = 1000.0;
const RESCUE_BUFFER: f64 = 0.8;
/// The belief follows a transfer in flight as if it were a measurement for each of these, milliseconds;
/// at most so many.
const IN_FLIGHT_SAMPLE_MS: f64 = 1500.0;
const IN_FLIGHT_SAMPLES: f64 = 3.0;
/// Only a transfer this much slower than believed is given up (logarithm).
const DISAPPOINTMENT: f64 = 0.2;
/// One much faster than believed says no more than this (logarithm).
const ELATION: f64 = 0.3;
/// Tables are rebuilt for shorter segments after so many of them.
const SHORTER_TO_REBUILD: u32 = 5;

impl Kinora {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self {
            objective: config.objective,
            fallback: Dynamic::new(config),
            tables: None,
            overreach: None,
            shorter: 0,
        }
    }

    fn plan<'a>(&'a self, step: &'a Step, estimate: &'a Estimate) -> Option<Plan<'a>> {
        let tables =
            self.tables.as_ref().filter(|t| t.iter().all(|t| t.is_ready() && t.is_for(step)))?;
        let spread = clamp(estimate.spread, SPREADS[0], SPREADS[1]);
        Some(Plan {
            tables,
            objective: &self.objective,
            step,
            spread,
            erratic: (spread - SPREADS[0]) / (SPREADS[1] - SPREADS[0]),
            ttfb_ms: estimate.ttfb_ms(),
        })
    }
}

impl Controller for Kinora {
    fn rule(&self) -> Rule {
        Rule::Kinora
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        // Asked every time, so that it is up to date whenever it is needed.
        let fallback = self.fallback.choose(step, estimate);
        self.keep_tables(step);
        let first = step.phase == Phase::Starting && step.buffer_ms <= 0.0;
        let Some(plan) = self.plan(step, estimate).filter(|_| !first) else { return fallback };

        let belief = ln(estimate.median_bps / 1000.0);
        let outlook = plan.outlook(belief);
        let costs: Vec<f64> = step
            .sizes_bits
            .iter()
            .enumerate()
            .map(|(rung, &bits)| -plan.worth(rung, bits, &outlook, plan.ttfb_ms))
            .collect();
        let mut rung = 0;
        for (other, &cost) in costs.iter().enumerate() {
            if costs.get(rung).is_some_and(|&lowest| cost < lowest) {
                rung = other;
            }
        }
        let affordable = step.sustained(estimate.median_bps / 1000.0, estimate.ttfb_ms());
        let rung = within_buffer(rung, step, estimate);
        let rung = if estimate.spread < STEADY {
            self.steady(rung, affordable, belief, step)
        } else {
            rung
        };
        let cause = if rung < affordable { Cause::BufferLow } else { Cause::Planned };
        Choice { rung, delay_ms: 0.0, cause, costs }
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        let Some(plan) = self.plan(step, estimate) else {
            return self.fallback.abandon(in_flight, step, estimate);
        };
        let rate = in_flight.rate_kbps().filter(|_| in_flight.elapsed_ms >= GRACE_MS)?;
        if let Some(rung) = rescue(in_flight, rate, step, plan.ttfb_ms) {
            return Some((rung, Cause::StallAhead));
        }
        let before = ln(estimate.median_bps / 1000.0);
        let samples = ((in_flight.elapsed_ms - in_flight.ttfb_ms) / IN_FLIGHT_SAMPLE_MS)
            .min(IN_FLIGHT_SAMPLES);
        let followed = 1.0 - pow(1.0 - GAIN, samples);
        let belief = before + followed * (ln(rate) - before).min(ELATION);
        if belief >= before - DISAPPOINTMENT {
            return None;
        }
        let outlook = plan.outlook(belief);
        let go_on = plan.worth(in_flight.rung, in_flight.remaining_bits(), &outlook, 0.0);
        let mut best = (go_on + MARGIN, None);
        for (rung, &bits) in step.sizes_bits.iter().enumerate().take(in_flight.rung) {
            let worth = plan.worth(rung, bits, &outlook, plan.ttfb_ms);
            if worth > best.0 {
                best = (worth, Some((rung, Cause::StallAhead)));
            }
        }
        best.1
    }

    fn observe(&mut self, observation: &Observation, step: &Step) {
        self.fallback.observe(observation, step);
    }

    fn prepare(&mut self, step: &Step) -> bool {
        if self.tables.is_none() {
            self.keep_tables(step);
        }
        let Some(tables) = &mut self.tables else { return true };
        match tables.iter_mut().find(|table| !table.is_ready()) {
            Some(table) => {
                table.advance();
                tables.iter().all(Table::is_ready)
            }
            None => true,
        }
    }
}

impl Kinora {
    /// Keeps from climbing again and again to a rung that the network does not sustain: worth it segment
    /// by segment while the buffer is full, but no pleasure to watch.
    fn steady(&mut self, rung: usize, affordable: usize, belief: f64, step: &Step) -> usize {
        let bitrate = |rung: usize| step.bitrates_kbps.get(rung).copied().unwrap_or(0.0);
        let Some(previous) = step.previous else { return rung };
        if rung < previous {
            self.overreach = Some(Overreach { bitrate_kbps: bitrate(previous), belief });
            return rung;
        }
        let Some(overreach) = self.overreach else { return rung };
        if belief > overreach.belief + RETRY {
            self.overreach = None;
            return rung;
        }
        let floor = previous.max(affordable);
        (floor..=rung)
            .rev()
            .find(|&r| bitrate(r) < overreach.bitrate_kbps)
            .unwrap_or(rung.min(floor))
    }

    /// Replaces the tables where they do not fit the ladder, the buffer or the segments any more.
    fn keep_tables(&mut self, step: &Step) {
        if !Table::is_feasible(step) {
            self.tables = None;
            return;
        }
        let [fits, shorter] = match &self.tables {
            Some([table, _]) => [table.is_for(step), table.is_for_longer_than(step)],
            None => [false, false],
        };
        self.shorter = if fits && shorter { self.shorter + 1 } else { 0 };
        if !fits || self.shorter > SHORTER_TO_REBUILD {
            self.shorter = 0;
            self.tables = Some(SPREADS.map(|spread| Table::new(step, &self.objective, spread)));
        }
    }
}

/// The highest rung up to `rung` whose segment should arrive before the buffer is all but used up. The
/// expected worth alone would now and then trade an imperceptible stall for a better picture.
fn within_buffer(rung: usize, step: &Step, estimate: &Estimate) -> usize {
    let median_kbps = estimate.median_bps / 1000.0;
    let in_time = |bits: f64| {
        (estimate.ttfb_ms() + bits / median_kbps) * step.rate <= USABLE_BUFFER * step.buffer_ms
    };
    step.sizes_bits.iter().take(rung + 1).rposition(|&bits| in_time(bits)).unwrap_or(0)
}

/// The highest rung that still comes in time, when the one in flight, at the rate it comes, does not.
/// By the objective a short stall may be the lesser evil; a viewer remembers it longer than a few
/// seconds of a coarser picture.
fn rescue(in_flight: &Download, rate_kbps: f64, step: &Step, ttfb_ms: f64) -> Option<usize> {
    if in_flight.elapsed_ms < RESCUE_AFTER_MS || step.phase != Phase::Playing {
        return None;
    }
    if in_flight.remaining_bits() / rate_kbps * step.rate <= step.buffer_ms {
        return None;
    }
    let usable_ms = RESCUE_BUFFER * step.buffer_ms;
    let in_time = |&bits: &f64| (ttfb_ms + bits / rate_kbps) * step.rate <= usable_ms;
    step.sizes_bits.iter().take(in_flight.rung).rposition(in_time)
}

/// One decision's view of the tables.
struct Plan<'a> {
    tables: &'a [Table; 2],
    objective: &'a Objective,
    step: &'a Step,
    spread: f64,
    /// Where the spread lies between the tables'.
    erratic: f64,
    ttfb_ms: f64,
}

/// What the next transfer may turn out to be.
struct Outcome {
    weight: f64,
    rate_kbps: f64,
    /// Logarithm of the throughput believed in afterwards, in media time.
    belief: f64,
}

impl Plan<'_> {
    /// What may happen, given the logarithm of the throughput believed in.
    fn outlook(&self, belief: f64) -> Vec<Outcome> {
        // At another playback rate the network is, in media time, that much slower.
        let pace = ln(self.step.rate);
        Estimate::outcomes(self.spread)
            .map(|(offset, weight)| Outcome {
                weight,
                rate_kbps: exp(belief + offset),
                belief: belief + GAIN * offset - pace,
            })
            .collect()
    }

    /// What it is worth to fetch `bits` of `rung`.
    fn worth(&self, rung: usize, bits: f64, outlook: &[Outcome], ttfb_ms: f64) -> f64 {
        let step = self.step;
        let quality = |rung: usize| step.qualities.get(rung).copied().unwrap_or(0.0);
        let change =
            step.previous.map_or(0.0, |previous| (quality(rung) - quality(previous)).abs());
        let [steady, erratic] = self.tables;
        let mut worth = quality(rung) - self.objective.switching * change;
        for Outcome { weight, rate_kbps, belief } in outlook {
            let download_ms = (ttfb_ms + bits / rate_kbps) * step.rate;
            let missing_ms = download_ms - step.buffer_ms;
            let stall_s = if missing_ms > 0.0 {
                INTERRUPTION_S + missing_ms / step.rate / 1000.0
            } else {
                0.0
            };
            let buffer_ms = (step.buffer_ms - download_ms).max(0.0) + step.duration_ms;
            let next = (1.0 - self.erratic) * steady.value(rung, *belief, buffer_ms)
                + self.erratic * erratic.value(rung, *belief, buffer_ms);
            worth += weight * (DISCOUNT * next - self.objective.stall * stall_s);
        }
        worth
    }
}
