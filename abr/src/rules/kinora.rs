//! The default rule: stochastic buffer prediction, solved by value iteration.
//!
//! A session is a Markov decision process. Its state is the throughput believed in, the buffer level
//! and the rung of the segment before; an action is the rung of the next segment. The next transfer's
//! throughput is the belief times a heavy-tailed random factor, and part of that surprise stays in the
//! belief. A [`Table`] holds what every state is worth; a decision looks one segment ahead with the
//! real sizes and the present uncertainty, and takes the worth of what comes after from the table.
//! [`Plan`] is that look.
//!
//! So close to the live edge that the buffer may hold no more than two segments there is nothing to plan with
//! it, and a stall is latency from then on: [`LowLatency`] decides there, whose state that is.
//!
//! # Why these numbers
//!
//! The constants here, in [`table`](crate::rules::table) and [`plan`](crate::rules::plan), of the estimator,
//! and the weights of [`Objective`] were chosen on recorded 3G, 4G, broadband (FCC) and video-session (Oboe)
//! networks; of each set, two thirds to choose by and one third, picked by a hash of the name, to check
//! with. Figures are the part of the way from the lowest rung throughout (0) to the clairvoyant optimum
//! (100): by linear quality of experience, and by mean utility per time (see `sim::Outcome`).
//!
//! | set (buffer) | best published rule | chosen by | checked with | without replacement |
//! | --- | --- | --- | --- | --- |
//! | 3G (25 s) | 58.7 / 85.4 | 79.0 / 88.0 | 74.5 / 86.0 | 77.2 / 86.7 |
//! | 3G (10 s) | 41.5 / 72.7 | 64.7 / 84.6 | 58.6 / 82.4 | 59.8 / 81.5 |
//! | 4G, 4K (25 s) | 91.3 / 95.4 | 94.3 / 96.4 | 94.0 / 96.6 | 93.9 / 96.2 |
//! | 4G, 4K (10 s) | 73.6 / 88.5 | 88.6 / 94.8 | 88.3 / 95.1 | 86.5 / 93.8 |
//! | 4G, HD (25 s) | 98.8 / 99.4 | 98.8 / 99.4 | 99.5 / 99.7 | 97.4 / 98.9 |
//! | FCC steps, SD | 91.5 / 93.0 | 95.0 / 94.3 | 94.4 / 93.2 | 89.5 / 90.0 |
//! | FCC steps, 4K | 79.8 / 87.0 | 87.5 / 92.4 | 90.6 / 92.8 | 87.7 / 89.0 |
//! | Oboe, HD (25 s) | 90.2 / 95.5 | 92.4 / 95.1 | 92.5 / 96.0 | 91.8 / 95.2 |
//! | mean | | 87.5 / 93.1 | 86.5 / 92.7 | 85.5 / 91.4 |
//!
//! What is best published differs from cell to cell; the last column is over all. The search saw only the
//! first part; where it was indifferent, a plain value was taken. The plateau is wide: a constant moved to
//! its neighbouring value changes either mean by no more than about 0.3, but for the spread of the erratic
//! table (1.4 instead of 1.2 costs 0.5 / 0.9). What made a difference, in means:
//!
//! * replacing queued segments, priced by the table: +1.7 / +1.6, most of it on networks that step up;
//! * a far-sighted and fearful table for erratic networks only: the same caution everywhere loses 3 points
//!   where a steady network steps up, and the same boldness everywhere up to 14 on 3G;
//! * the spread of an outcome in the tails growing with that in the middle, which on steady networks leaves
//!   outages to the look at the transfer in flight: +0.2 / +0.4;
//! * knowing how many segments are left: +0.1 / +0.2;
//! * the [`reserve`](crate::rules::reserve) against outages, which costs 0.1 / 0.0, most of it on Oboe's
//!   networks (0.3 / 0.1). On a link of 5 Mbit/s, a ladder of 2.35 and 4.3 and audio beside it, 25 s of
//!   nothing after 15 s stall for 10 s instead of 22, as when playing a rung lower throughout; 14 s of
//!   nothing are not noticed. A term in the tables that fears outages by the buffer level, tried instead,
//!   made no difference to such an outage before it cost 1.5 of the score.
//!
//! What made none: the sizes of segments beyond the next one; a shorter memory for the rate of a transfer
//! in flight; outages that lower the belief for long.

use crate::math::exp;
use crate::rules::plan::{Plan, Upgrade};
use crate::rules::reserve::Reserve;
use crate::rules::table::{Profile, Table};
use crate::rules::{Choice, Controller, Download, Dynamic, LowLatency, Observation, Rule};
use crate::{Cause, Config, Estimate, Objective, Phase, Source, Step};

/// Plans over the distribution of what the network may do next.
///
/// Until its tables are built (see [`Controller::prepare`]) and for the first segment, [`Dynamic`]
/// decides.
#[derive(Clone, Debug)]
pub struct Kinora {
    objective: Objective,
    fallback: Dynamic,
    low_latency: LowLatency,
    /// For a steady network and for an erratic one; what lies between is interpolated.
    tables: Option<[Table; 2]>,
    /// Slices of them that were put off.
    owed: usize,
    /// A rung that could not be kept up, and the throughput believed in then.
    overreach: Option<Overreach>,
    /// The replacement advised last.
    upgrade: Option<Upgrade>,
    reserve: Reserve,
    /// Bits asked for, and bits of them that were or will be replaced.
    asked_bits: f64,
    wasted_bits: f64,
    /// Decisions in a row that the tables were built for longer segments than.
    shorter: u32,
}

/// A rung that had to be left again.
#[derive(Clone, Copy, Debug)]
struct Overreach {
    /// Its bitrate, kbit/s.
    bitrate_kbps: f64,
    /// The throughput believed in at that moment, less by how much it moved since, up or down (logarithm):
    /// the more has changed, the less it says. On a link that others share something always changes, and
    /// whoever failed once on it is not to leave it to them for good.
    belief: f64,
    /// What was believed last.
    last: f64,
}

/// The part of the buffer that a download may be expected to use up.
const USABLE_BUFFER: f64 = 0.9;
/// Below this spread of the estimate, the network counts as steady.
const STEADY: f64 = 0.105;
/// How much faster the network has to get before a rung is tried again that could not be kept up
/// (logarithm).
const RETRY: f64 = 0.1;
/// How much more a smaller segment has to be worth than the one in flight, in qualities of the top rung.
const MARGIN: f64 = 0.1;
/// A transfer is judged after this time, milliseconds.
const GRACE_MS: f64 = 500.0;
/// A transfer that will be late is given up after this time, milliseconds, if a smaller one arrives
/// within this part of the buffer.
const RESCUE_AFTER_MS: f64 = 1000.0;
const RESCUE_BUFFER: f64 = 0.8;
/// Only a transfer this much slower than believed is given up (logarithm).
const DISAPPOINTMENT: f64 = 0.2;
/// A replacement is worth this much at least, in qualities of the top rung.
const WORTHWHILE: f64 = 0.005;
/// Replacements throw away no more than this part of what is fetched.
const WASTE: f64 = 0.3;
/// Segments the buffer may hold, of a live stream that is played close to its edge.
const LOW_LATENCY_SEGMENTS: f64 = 2.0;
/// Tables are rebuilt for shorter segments after so many of them.
const SHORTER_TO_REBUILD: u32 = 5;

impl Kinora {
    /// The rule at its start.
    pub fn new(config: &Config) -> Self {
        Self {
            objective: config.objective,
            fallback: Dynamic::new(config),
            low_latency: LowLatency::new(config),
            tables: None,
            owed: 0,
            overreach: None,
            upgrade: None,
            reserve: Reserve::default(),
            asked_bits: 0.0,
            wasted_bits: 0.0,
            shorter: 0,
        }
    }

    fn plan<'a>(&'a self, step: &'a Step, estimate: &'a Estimate) -> Option<Plan<'a>> {
        let tables =
            self.tables.as_ref().filter(|t| t.iter().all(|t| t.is_ready() && t.is_for(step)))?;
        Some(Plan::new(tables, &self.objective, step, estimate))
    }
}

impl Controller for Kinora {
    fn rule(&self) -> Rule {
        Rule::Kinora
    }

    fn replace(&mut self, step: &Step, estimate: &Estimate) -> Option<(usize, Choice)> {
        self.reserve.look(step, estimate);
        if let Some(found) = self.replace_reserve(step, estimate) {
            return Some(found);
        }
        let plan = self.plan(step, estimate).filter(|_| !self.reserve.is_extending())?;
        let outlook = plan.outlook(plan.belief);
        let may_waste = WASTE * self.asked_bits - self.wasted_bits;
        let (mut best, mut found) = (WORTHWHILE, None);
        for (at, waiting) in step.queued.iter().enumerate() {
            let size = |rung: usize| waiting.sizes_bits.get(rung).copied().unwrap_or(0.0);
            // Only up to the segment after it: what is better than its neighbours is a switch more.
            let ceiling = step.queued.get(at + 1).map_or(step.top(), |after| after.rung);
            if ceiling <= waiting.rung || size(waiting.rung) > may_waste {
                continue;
            }
            for rung in waiting.rung + 1..=ceiling {
                let Some(upgrade) = plan.upgrade(at, rung) else { continue };
                let ahead_ms = waiting.ahead_ms;
                let worth =
                    plan.worth_upgrading(&upgrade, size(rung), ahead_ms, &outlook, plan.ttfb_ms);
                if worth > best {
                    best = worth;
                    found = Some((at, rung, upgrade));
                }
            }
        }
        let (at, rung, upgrade) = found?;
        let waiting = step.queued.get(at)?;
        self.upgrade = Some(upgrade);
        self.reserve.replace_other();
        self.wasted_bits += waiting.sizes_bits.get(waiting.rung).copied().unwrap_or(0.0);
        Some((at, Choice { rung, delay_ms: 0.0, cause: Cause::Upgrade, costs: Vec::new() }))
    }

    fn keep_replacing(&mut self, in_flight: &Download, step: &Step, estimate: &Estimate) -> bool {
        let rate = in_flight.rate_kbps().filter(|_| in_flight.elapsed_ms >= GRACE_MS);
        let (Some(plan), Some(rate)) = (self.plan(step, estimate), rate) else { return true };
        // A pause of the network may be over any moment, and there is nothing better to do meanwhile.
        let believed = rate.max(exp(plan.belief));
        let keep = match (self.reserve.comes_in_time(in_flight, believed), self.upgrade) {
            (Some(in_time), _) => in_time,
            (None, Some(upgrade)) => {
                let ahead_ms = in_flight.replaces_ahead_ms.unwrap_or(0.0);
                let outlook = plan.outlook(plan.belief_during(in_flight, rate));
                let left_bits = in_flight.remaining_bits();
                plan.worth_upgrading(&upgrade, left_bits, ahead_ms, &outlook, 0.0) > 0.0
            }
            (None, None) => true,
        };
        if !keep {
            self.wasted_bits += in_flight.loaded_bits;
        }
        keep
    }

    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice {
        // Asked every time, so that it is up to date whenever it is needed.
        let fallback = self.fallback.choose(step, estimate);
        if is_close_to_the_edge(step) {
            return self.low_latency.choose(step, estimate);
        }
        self.keep_tables(step);
        let first = step.phase == Phase::Starting && step.buffer_ms <= 0.0;
        // Before anything is known there is nothing to plan with.
        let blind = first && estimate.source == Source::Default;
        let Some(mut choice) = self.shown(step, estimate).filter(|_| !blind) else {
            return fallback;
        };
        if first {
            // However good it would be later, the viewer is waiting.
            let rung = choice.rung.min(fallback.rung);
            return Choice { rung, cause: Cause::Startup, ..choice };
        }
        if self.reserve.is_extending()
            || self.extends_reserve(&mut choice.rung, step, step, estimate)
        {
            choice = Choice { rung: 0, cause: Cause::Reserve, ..choice };
        }
        self.asked_bits += step.sizes_bits.get(choice.rung).copied().unwrap_or(0.0);
        choice
    }

    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        if is_close_to_the_edge(step) {
            return self.low_latency.abandon(in_flight, step, estimate);
        }
        let Some(plan) = self.plan(step, estimate) else {
            return self.fallback.abandon(in_flight, step, estimate);
        };
        let rate = in_flight.rate_kbps().filter(|_| in_flight.elapsed_ms >= GRACE_MS)?;
        if let Some(rung) = rescue(in_flight, rate, step, plan.ttfb_ms) {
            return Some((rung, Cause::StallAhead));
        }
        let belief = plan.belief_during(in_flight, rate);
        if belief >= plan.belief - DISAPPOINTMENT {
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
        self.low_latency.observe(observation, step);
        self.reserve.observe(observation);
    }

    fn prepare(&mut self, step: &Step) -> bool {
        self.prepare_up_to(2, step)
    }

    fn put_off(&mut self, step: &Step) {
        self.prepare_up_to(0, step);
    }
}

impl Kinora {
    /// Owes one slice more, and makes up for so many, or for all if they may complete the tables. True when those are
    /// complete.
    fn prepare_up_to(&mut self, slices: usize, step: &Step) -> bool {
        if self.tables.is_none() && !is_close_to_the_edge(step) {
            self.keep_tables(step);
        }
        let Some(tables) = &mut self.tables else { return true };
        self.owed += 1;
        let left: usize = tables.iter().map(Table::slices_left).sum();
        let now = if left <= self.owed { self.owed } else { slices.min(self.owed) };
        self.owed -= now;
        for _ in 0..now {
            if let Some(table) = tables.iter_mut().find(|table| !table.is_ready()) {
                table.advance();
            }
        }
        tables.iter().all(Table::is_ready)
    }

    /// What to fetch next to be shown.
    fn shown(&mut self, step: &Step, estimate: &Estimate) -> Option<Choice> {
        let plan = self.plan(step, estimate)?;
        let belief = plan.belief;
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
        if step.phase != Phase::Starting || step.buffer_ms > 0.0 {
            rung = within_buffer(rung, step, estimate);
            if estimate.spread < STEADY {
                rung = self.steady(rung, affordable, belief, step);
            }
        }
        let cause = if rung < affordable { Cause::BufferLow } else { Cause::Planned };
        Some(Choice { rung, delay_ms: 0.0, cause, costs })
    }

    /// What takes the place of the reserve's first segment, unless the reserve is to be extended first.
    fn replace_reserve(&mut self, step: &Step, estimate: &Estimate) -> Option<(usize, Choice)> {
        while let Some((at, head)) = self.reserve.first(step) {
            let choice = self.shown(&head, estimate)?;
            let (mut rung, own) = (choice.rung, step.queued.get(at)?.rung);
            if self.extends_reserve(&mut rung, step, &head, estimate) {
                return None;
            }
            if rung > own {
                let size = |rung: usize| head.sizes_bits.get(rung).copied().unwrap_or(0.0);
                self.asked_bits += size(rung);
                self.wasted_bits += size(own);
                self.reserve.replace_first(step);
                return Some((at, Choice { rung, cause: Cause::Upgrade, ..choice }));
            }
            self.reserve.keep_first(own);
        }
        None
    }

    /// Whether the next segment is one for the reserve. While that is short, `rung` is brought down so that
    /// it fills.
    fn extends_reserve(
        &mut self,
        rung: &mut usize,
        step: &Step,
        head: &Step,
        estimate: &Estimate,
    ) -> bool {
        let modest = self.reserve.modest(*rung, step, head, estimate, self.asked_bits);
        modest.is_some_and(|modest| {
            *rung = modest;
            self.reserve.extend(modest, step, head, estimate)
        })
    }

    /// Keeps from climbing again and again to a rung that the network does not sustain: worth it segment
    /// by segment while the buffer is full, but no pleasure to watch.
    fn steady(&mut self, rung: usize, affordable: usize, belief: f64, step: &Step) -> usize {
        let bitrate = |rung: usize| step.bitrates_kbps.get(rung).copied().unwrap_or(0.0);
        let Some(previous) = step.previous else { return rung };
        if rung < previous {
            let bitrate_kbps = bitrate(previous);
            self.overreach = Some(Overreach { bitrate_kbps, belief, last: belief });
            return rung;
        }
        let Some(overreach) = &mut self.overreach else { return rung };
        overreach.belief -= (belief - overreach.last).abs();
        overreach.last = belief;
        let overreach = *overreach;
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
            self.owed = 0;
            self.tables =
                Some(Profile::ALL.map(|profile| Table::new(step, &self.objective, profile)));
        }
    }
}

/// Whether playback is live and keeps no more than two segments ahead.
fn is_close_to_the_edge(step: &Step) -> bool {
    step.excess_latency_ms.is_some() && step.capacity_ms <= LOW_LATENCY_SEGMENTS * step.duration_ms
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
pub(crate) fn rescue(
    in_flight: &Download,
    rate_kbps: f64,
    step: &Step,
    ttfb_ms: f64,
) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rung, Situation};

    /// Whether the tables are complete after each of so many slices, the first of which are put off.
    fn complete(put_off: usize, slices: usize) -> Vec<bool> {
        let config = Config::default();
        let ladder = [300e3, 800e3, 2e6, 5e6].map(Rung::new);
        let step = Step::new(&Situation::new(0, &ladder), &config.objective);
        let mut rule = Kinora::new(&config);
        let one = |slice: usize| {
            if slice < put_off {
                rule.put_off(&step);
            } else {
                rule.prepare(&step);
            }
            rule.tables.iter().flatten().all(Table::is_ready)
        };
        (0..slices).map(one).collect()
    }

    #[test]
    fn tables_are_complete_when_they_would_be_whatever_is_put_off() {
        let slices = 80;
        let usual = complete(0, slices);
        assert!(!usual[5] && usual[slices - 5]);
        for put_off in [1, 5, 20, slices / 2, slices] {
            assert_eq!(complete(put_off, slices), usual, "{put_off} put off");
        }
    }
}
