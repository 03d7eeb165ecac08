//! One decision of the default rule: what each possibility is worth.

use crate::math::{clamp, exp, ln, pow};
use crate::rules::Download;
use crate::rules::table::{GAIN, INTERRUPTION_S, Profile, Table, surprise_kept};
use crate::{Estimate, Objective, Phase, Step};

/// The tables, seen from the present state.
pub(crate) struct Plan<'a> {
    tables: &'a [Table; 2],
    objective: &'a Objective,
    step: &'a Step,
    spread: f64,
    /// Where the spread lies between the tables'.
    erratic: f64,
    /// Time to first byte, milliseconds.
    pub(crate) ttfb_ms: f64,
    /// Logarithm of the throughput believed in, kbit/s.
    pub(crate) belief: f64,
}

/// What the next transfer may turn out to be.
pub(crate) struct Outcome {
    weight: f64,
    rate_kbps: f64,
    /// Logarithm of the throughput believed in afterwards, in media time.
    belief: f64,
}

/// What another rung for a queued segment brings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upgrade {
    /// Better picture, less what it changes about the switches around it.
    gain: f64,
    /// Rung of the last queued segment without and with it.
    last: [usize; 2],
}

/// The belief follows a transfer in flight as if it were a measurement for each of these, milliseconds;
/// at most so many.
const IN_FLIGHT_SAMPLE_MS: f64 = 1500.0;
const IN_FLIGHT_SAMPLES: f64 = 3.0;
/// One much faster than believed says no more than this (logarithm).
const ELATION: f64 = 0.3;
/// What a replacement takes from the buffer counts this much: the table knows nothing of replacements,
/// and takes the buffer for cheaper than it is to a rule that makes them.
const REPLACEMENT_PRICE: f64 = 1.5;

impl<'a> Plan<'a> {
    pub(crate) fn new(
        tables: &'a [Table; 2],
        objective: &'a Objective,
        step: &'a Step,
        estimate: &Estimate,
    ) -> Self {
        let [steady, erratic] = Profile::ALL.map(|profile| profile.spread);
        let spread = clamp(estimate.spread, steady, erratic);
        Self {
            tables,
            objective,
            step,
            spread,
            erratic: (spread - steady) / (erratic - steady),
            ttfb_ms: estimate.ttfb_ms(),
            belief: ln(estimate.median_bps / 1000.0),
        }
    }

    /// What is believed of the throughput while a transfer goes on at this rate (logarithm of kbit/s).
    pub(crate) fn belief_during(&self, in_flight: &Download, rate_kbps: f64) -> f64 {
        let samples = ((in_flight.elapsed_ms - in_flight.ttfb_ms) / IN_FLIGHT_SAMPLE_MS)
            .min(IN_FLIGHT_SAMPLES);
        let followed = 1.0 - pow(1.0 - GAIN, samples);
        self.belief + followed * (ln(rate_kbps) - self.belief).min(ELATION)
    }

    /// What may happen, given the logarithm of the throughput believed in.
    pub(crate) fn outlook(&self, belief: f64) -> Vec<Outcome> {
        // At another playback rate the network is, in media time, that much slower.
        let pace = ln(self.step.rate);
        Estimate::outcomes(self.spread)
            .map(|(offset, weight)| Outcome {
                weight,
                rate_kbps: exp(belief + offset),
                belief: belief + surprise_kept(offset) - pace,
            })
            .collect()
    }

    /// What it is worth to fetch `bits` of `rung`.
    pub(crate) fn worth(&self, rung: usize, bits: f64, outlook: &[Outcome], ttfb_ms: f64) -> f64 {
        let step = self.step;
        let change =
            step.previous.map_or(0.0, |before| (self.quality(rung) - self.quality(before)).abs());
        let own = step.segment_qualities.get(rung).copied().unwrap_or(0.0);
        let left = step.remaining.map(|left| left.saturating_sub(1));
        let starting = step.phase == Phase::Starting && step.buffer_ms <= 0.0;
        let [stall, discount] = [|p: Profile| p.stall, |p: Profile| p.discount].map(|of| {
            let [steady, erratic] = Profile::ALL.map(of);
            [(1.0 - self.erratic) * steady, self.erratic * erratic]
        });
        let stall = self.objective.stall * (stall[0] + stall[1]);
        let mut worth = own - self.objective.switching * change;
        for Outcome { weight, rate_kbps, belief } in outlook {
            let download_ms = (ttfb_ms + bits / rate_kbps) * step.rate;
            let missing_s = (download_ms - step.buffer_ms) / step.rate / 1000.0;
            let waited = if starting {
                self.objective.startup * missing_s
            } else if missing_s > 0.0 {
                stall * (INTERRUPTION_S + missing_s)
            } else {
                0.0
            };
            let buffer_ms = (step.buffer_ms - download_ms).max(0.0) + step.duration_ms;
            let later = self.value(discount, rung, *belief, buffer_ms, left);
            worth += weight * (later - waited);
        }
        worth
    }

    /// What it brings to have a queued segment in another rung.
    pub(crate) fn upgrade(&self, at: usize, rung: usize) -> Option<Upgrade> {
        let queued = &self.step.queued;
        let rung_of = |at: usize| queued.get(at).map(|waiting| waiting.rung);
        let (old, after) = (rung_of(at)?, rung_of(at + 1));
        let neighbours = [at.checked_sub(1).and_then(rung_of), after];
        let switches = |rung: usize| {
            let change = |other: &usize| (self.quality(rung) - self.quality(*other)).abs();
            neighbours.iter().flatten().map(change).sum::<f64>()
        };
        let switched = self.objective.switching * (switches(rung) - switches(old));
        let last = rung_of(queued.len() - 1)?;
        Some(Upgrade {
            gain: self.quality(rung) - self.quality(old) - switched,
            last: [last, if after.is_none() { rung } else { last }],
        })
    }

    /// What it is worth to spend a transfer of `bits` on an upgrade of the segment that plays in
    /// `ahead_ms`: its gain if it comes in time, less what the transfer takes from the buffer anyway.
    pub(crate) fn worth_upgrading(
        &self,
        upgrade: &Upgrade,
        bits: f64,
        ahead_ms: f64,
        outlook: &[Outcome],
        ttfb_ms: f64,
    ) -> f64 {
        let step = self.step;
        let [without, with] = upgrade.last;
        let mut worth = 0.0;
        for Outcome { weight, rate_kbps, belief } in outlook {
            let value = |rung: usize, buffer_ms: f64| {
                let shares = [1.0 - self.erratic, self.erratic];
                self.value(shares, rung, *belief, buffer_ms, step.remaining)
            };
            let download_ms = (ttfb_ms + bits / rate_kbps) * step.rate;
            let left_ms = step.buffer_ms - download_ms.min(ahead_ms);
            let drained = value(without, left_ms);
            worth += weight * REPLACEMENT_PRICE * (drained - value(without, step.buffer_ms));
            if download_ms < ahead_ms {
                let last = if with == without { 0.0 } else { value(with, left_ms) - drained };
                worth += weight * (upgrade.gain + last);
            }
        }
        worth
    }

    fn quality(&self, rung: usize) -> f64 {
        self.step.qualities.get(rung).copied().unwrap_or(0.0)
    }

    /// The worth of a state, of each table so much.
    fn value(
        &self,
        shares: [f64; 2],
        rung: usize,
        belief: f64,
        buffer_ms: f64,
        left: Option<u64>,
    ) -> f64 {
        let both = self.tables.iter().zip(shares).filter(|(_, share)| *share > 0.0);
        both.map(|(table, share)| share * table.value(rung, belief, buffer_ms, left)).sum()
    }
}
