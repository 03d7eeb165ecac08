//! The worth of every state of a session, by value iteration.

use crate::math::{clamp, exp, ln};
use crate::{Estimate, Objective, Step};

/// What a table is made for: how erratic the network is, and how far-sighted and how cautious to be there.
///
/// On a steady network a stall is seen coming, by the look ahead of each decision and again while the
/// segment is in flight: caution on top of that only leaves the buffer unused. On an erratic one the
/// buffer is all there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    /// Spread of the estimate.
    pub(crate) spread: f64,
    /// What a segment is worth relative to the one before it.
    pub(crate) discount: f64,
    /// By how much to multiply the weight of stalls.
    pub(crate) stall: f64,
}

impl Profile {
    /// A steady network and an erratic one; what lies between is interpolated.
    pub(crate) const ALL: [Self; 2] = [
        Self { spread: 0.2, discount: 0.94, stall: 0.5 },
        Self { spread: 1.2, discount: 0.97, stall: 1.0 },
    ];
}

/// The part of a surprise about the throughput that stays in the belief (logarithms).
pub(crate) const GAIN: f64 = 0.4;
/// A surprise beyond this is an outage, or the end of one: it says no more about what comes after.
const OUTAGE: f64 = 1.0;
/// That playback stops at all weighs as much as so many seconds of standing still.
pub(crate) const INTERRUPTION_S: f64 = 0.05;

/// How far a surprise moves the belief.
pub(crate) fn surprise_kept(offset: f64) -> f64 {
    GAIN * clamp(offset, -OUTAGE, OUTAGE)
}

/// Expected discounted worth per rung of the segment before, throughput believed in, and buffer level.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    bitrates_kbps: Vec<f64>,
    qualities: Vec<f64>,
    duration_ms: f64,
    capacity_ms: f64,
    switching: f64,
    stall_per_ms: f64,
    profile: Profile,
    grid: Grid,
    /// Throughput of a download by speed and outcome, kbit/s: every sweep and every rung asks for it.
    throughputs: Vec<f64>,
    /// By rung, speed, level.
    values: Vec<f32>,
    next: Vec<f32>,
    /// The worth after 1, 2, 4, … sweeps: that of so many segments, and nothing after them.
    endings: Vec<Vec<f32>>,
    /// Scratch: the worth of each level after a download.
    after: Vec<f32>,
    /// The row of `next` to be computed next.
    row: usize,
    sweeps: u32,
}

/// The states that are told apart.
#[derive(Clone, Copy, Debug)]
struct Grid {
    speeds: usize,
    levels: usize,
    /// Distance between levels, milliseconds.
    level_ms: f64,
    /// Logarithm of the lowest speed, kbit/s.
    slowest: f64,
}

/// Logarithmic distance between speeds.
const SPEED_STEP: f64 = 0.25;
/// How far speeds reach below the lowest bitrate and above the highest (logarithms).
const REACH_BELOW: f64 = 2.0;
const REACH_ABOVE: f64 = 1.5;
const MAX_SPEEDS: usize = 64;
/// Levels per segment, unless that makes too many.
const LEVELS_PER_SEGMENT: f64 = 6.0;
const MAX_LEVELS: usize = 64;
/// Longer ladders are not tabulated.
const MAX_RUNGS: usize = 32;
/// The worth of states changes little after so many sweeps.
const SWEEPS: u32 = 40;
/// State updates per slice: half a millisecond or so, natively and in a browser; a few times that on a
/// telephone, or where code has yet to be optimised.
const SLICE: usize = 200_000;
/// A usual time to first byte, milliseconds.
const TTFB_MS: f64 = 60.0;

impl Table {
    /// Whether the ladder is of a kind that can be tabulated.
    pub(crate) fn is_feasible(step: &Step) -> bool {
        (2..=MAX_RUNGS).contains(&step.rungs())
    }

    /// A table to be filled by [`Table::advance`].
    pub(crate) fn new(step: &Step, objective: &Objective, profile: Profile) -> Self {
        let grid = Grid::new(step);
        let size = step.rungs() * grid.speeds * grid.levels;
        Self {
            bitrates_kbps: step.bitrates_kbps.clone(),
            qualities: step.qualities.clone(),
            duration_ms: step.duration_ms,
            capacity_ms: step.capacity_ms,
            switching: objective.switching,
            stall_per_ms: objective.stall * profile.stall / 1000.0,
            profile,
            grid,
            throughputs: grid.throughputs(profile.spread),
            values: vec![0.0; size],
            next: vec![0.0; size],
            endings: vec![vec![0.0; size]],
            after: vec![0.0; grid.levels],
            row: 0,
            sweeps: 0,
        }
    }

    /// Whether it was made for this ladder, about this capacity, and segments at least about this long.
    pub(crate) fn is_for(&self, step: &Step) -> bool {
        self.bitrates_kbps == step.bitrates_kbps
            && self.qualities == step.qualities
            && (self.capacity_ms - step.capacity_ms).abs() <= 0.1 * self.capacity_ms
            && step.duration_ms <= 1.5 * self.duration_ms
    }

    /// Whether it was made for segments much longer than these.
    pub(crate) fn is_for_longer_than(&self, step: &Step) -> bool {
        self.duration_ms > 1.5 * step.duration_ms
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.sweeps >= SWEEPS
    }

    /// At least so many slices are to be computed until it is ready.
    pub(crate) fn slices_left(&self) -> usize {
        let size = self.values.len();
        let sweeps = SWEEPS.saturating_sub(self.sweeps + 1) as usize;
        // The row that a slice ends with may be the last of a sweep.
        sweeps * size * (OUTCOMES + 2) / (SLICE + 3 * size)
    }

    /// Computes one slice.
    pub(crate) fn advance(&mut self) {
        let rows = self.bitrates_kbps.len() * self.grid.speeds;
        let mut budget = SLICE;
        while budget > 0 && !self.is_ready() {
            self.compute_row(self.row);
            budget = budget.saturating_sub(self.grid.levels * OUTCOMES);
            self.row += 1;
            if self.row == rows {
                // Up the ladder and down again.
                budget = budget.saturating_sub(2 * self.values.len());
                self.allow_switches();
                core::mem::swap(&mut self.values, &mut self.next);
                self.row = 0;
                self.sweeps += 1;
                if self.sweeps.is_power_of_two() {
                    self.endings.push(self.values.clone());
                }
            }
        }
    }

    /// The worth of a state: rung of the segment before, logarithm of the throughput believed in
    /// (kbit/s), buffer level; and how many segments are left to fetch, `None` for no end in sight. What
    /// is in the buffer at the end is worth nothing.
    pub(crate) fn value(&self, rung: usize, belief: f64, buffer_ms: f64, left: Option<u64>) -> f64 {
        let Some(left) = left.filter(|left| *left < u64::from(SWEEPS)) else {
            return self.value_in(&self.values, rung, belief, buffer_ms);
        };
        // The table for so many segments lies between those of two powers of two.
        let below = left.checked_ilog2();
        let place = below.map_or(0, |power| power as usize + 1);
        let table = |at: usize| self.endings.get(at).unwrap_or(&self.values);
        let before = self.value_in(table(place), rung, belief, buffer_ms);
        let from = below.map_or(0, |power| 1 << power);
        if left == from {
            return before;
        }
        let part = (left - from) as f64 / from as f64;
        before + part * (self.value_in(table(place + 1), rung, belief, buffer_ms) - before)
    }

    fn value_in(&self, values: &[f32], rung: usize, belief: f64, buffer_ms: f64) -> f64 {
        let Grid { speeds, levels, .. } = self.grid;
        let (speed, faster) = position((belief - self.grid.slowest) / SPEED_STEP, speeds);
        let (level, fuller) = position(buffer_ms / self.grid.level_ms, levels);
        let at = |speed: usize, level: usize| {
            let index = (rung * speeds + speed) * levels + level;
            f64::from(values.get(index).copied().unwrap_or(0.0))
        };
        let between = |low: f64, high: f64, part: f64| low + (high - low) * part;
        between(
            between(at(speed, level), at(speed, level + 1), fuller),
            between(at(speed + 1, level), at(speed + 1, level + 1), fuller),
            faster,
        )
    }

    /// For one rung and one speed, at every level: what it is worth to fetch a segment in this rung,
    /// a switch to it aside.
    fn compute_row(&mut self, row: usize) {
        let Grid { speeds, levels, level_ms, .. } = self.grid;
        let (rung, speed) = (row / speeds, row % speeds);
        let (Some(&quality), Some(&bitrate), Some(out)) = (
            self.qualities.get(rung),
            self.bitrates_kbps.get(rung),
            self.next.get_mut(row * levels..(row + 1) * levels),
        ) else {
            return;
        };
        out.fill(quality as f32);
        let segment = self.duration_ms / level_ms;
        let throughputs = self.throughputs.get(speed * OUTCOMES..).unwrap_or(&[]);
        for ((offset, weight), throughput) in
            Estimate::outcomes(self.profile.spread).zip(throughputs)
        {
            let download = (TTFB_MS + bitrate * self.duration_ms / throughput) / level_ms;
            let (next, faster) =
                position(speed as f64 + surprise_kept(offset) / SPEED_STEP, speeds);
            let from = (rung * speeds + next) * levels;
            let pair = self.values.get(from..from + 2 * levels).unwrap_or(&[]);
            let (near, far) = pair.split_at(levels.min(pair.len()));
            let later = weight * self.profile.discount;
            let [near_weight, far_weight] =
                [later * (1.0 - faster), later * faster].map(|w| w as f32);
            for ((after, near), far) in self.after.iter_mut().zip(near).zip(far) {
                *after = near_weight * near + far_weight * far;
            }
            let stall = (weight * self.stall_per_ms * level_ms) as f32;
            let halt = (weight * self.stall_per_ms * INTERRUPTION_S * 1000.0) as f32;
            fetch(out, &self.after, download, segment, halt, stall);
        }
    }

    /// Lets every state choose its best action. The cost of a switch adds up along the ladder, so that
    /// a pass up and a pass down find the best of all.
    fn allow_switches(&mut self) {
        let block = self.grid.speeds * self.grid.levels;
        let rungs = self.qualities.len();
        let up = (1..rungs).map(|rung| (rung - 1, rung));
        let down = (1..rungs).rev().map(|rung| (rung, rung - 1));
        for (from, to) in up.chain(down) {
            let quality = |rung: usize| self.qualities.get(rung).copied().unwrap_or(0.0);
            let cost = (self.switching * (quality(from) - quality(to)).abs()) as f32;
            let (low, high) = self.next.split_at_mut(from.max(to) * block);
            let low = low.get_mut(from.min(to) * block..).unwrap_or(&mut []);
            let high = high.get_mut(..block).unwrap_or(&mut []);
            let (source, target) = if from < to { (low, high) } else { (high, low) };
            for (here, there) in target.iter_mut().zip(source) {
                *here = here.max(*there - cost);
            }
        }
    }
}

const OUTCOMES: usize = 9;

/// Adds to the worth of each level what comes `after` a download that takes so many levels and brings a
/// `segment` of so many, less the cost of a stall: `halt` at all, and `stall` per level missing.
fn fetch(worth: &mut [f32], after: &[f32], download: f64, segment: f64, halt: f32, stall: f32) {
    let levels = after.len();
    let at = |x: f64| {
        let (level, part) = position(x, levels);
        match after.get(level..level + 2) {
            Some(&[low, high]) => low + (high - low) * part as f32,
            _ => 0.0,
        }
    };
    // Too low: the download empties the buffer, whatever was in it.
    let lasting = (libm::ceil(clamp(download, 0.0, worth.len() as f64)) as usize).min(worth.len());
    let (dry, wet) = worth.split_at_mut(lasting);
    let landing = at(segment);
    for (level, worth) in dry.iter_mut().enumerate() {
        *worth += landing - halt - stall * (download - level as f64) as f32;
    }
    // Otherwise every level moves by the same amount, up to the highest.
    let start = lasting as f64 + segment - download;
    let (first, part) = (start as usize, (start - libm::floor(start)) as f32);
    let pairs = after.get(first.min(levels)..).unwrap_or(&[]).windows(2);
    let moved = pairs.len().min(wet.len());
    let (moving, full) = wet.split_at_mut(moved);
    for (worth, pair) in moving.iter_mut().zip(pairs) {
        if let &[low, high] = pair {
            *worth += low + (high - low) * part;
        }
    }
    let highest = after.last().copied().unwrap_or(0.0);
    for worth in full {
        *worth += highest;
    }
}

impl Grid {
    fn new(step: &Step) -> Self {
        let bitrate = |rung: usize| step.bitrates_kbps.get(rung).copied().unwrap_or(1.0);
        let fastest = ln(bitrate(step.top())) + REACH_ABOVE;
        let span = clamp(
            fastest - ln(bitrate(0)) + REACH_BELOW,
            0.0,
            (MAX_SPEEDS - 2) as f64 * SPEED_STEP,
        );
        // A request is made once its segment fits.
        let room_ms = (step.capacity_ms - step.duration_ms).max(step.duration_ms);
        let level_ms =
            (step.duration_ms / LEVELS_PER_SEGMENT).max(room_ms / (MAX_LEVELS - 1) as f64);
        Self {
            speeds: (span / SPEED_STEP) as usize + 2,
            levels: ((room_ms / level_ms) as usize + 1).clamp(2, MAX_LEVELS),
            level_ms,
            slowest: fastest - span,
        }
    }

    fn throughputs(&self, spread: f64) -> Vec<f64> {
        let mut throughputs = Vec::with_capacity(self.speeds * OUTCOMES);
        for speed in 0..self.speeds {
            let belief = self.slowest + speed as f64 * SPEED_STEP;
            throughputs.extend(Estimate::outcomes(spread).map(|(offset, _)| exp(belief + offset)));
        }
        throughputs
    }
}

/// The grid point at or below `x`, not the last of `size`, and how far beyond it `x` lies.
fn position(x: f64, size: usize) -> (usize, f64) {
    let x = clamp(x, 0.0, (size - 1) as f64);
    let below = (x as usize).min(size - 2);
    (below, x - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Rung, Situation};

    fn table(profile: Profile) -> Table {
        let ladder = [300e3, 800e3, 2e6, 5e6].map(Rung::new);
        let objective = Objective::default();
        let step = Step::new(&Situation::new(0, &ladder), &objective);
        let mut table = Table::new(&step, &objective, profile);
        while !table.is_ready() {
            table.advance();
        }
        table
    }

    #[test]
    fn worth_grows_with_buffer_and_throughput() {
        for profile in Profile::ALL {
            let table = table(profile);
            for rung in 0..4 {
                for speed in 0..20 {
                    for level in 0..20 {
                        let (belief, buffer_ms) =
                            (4.5 + 0.3 * f64::from(speed), 1300.0 * f64::from(level));
                        let here = table.value(rung, belief, buffer_ms, None);
                        let fuller = table.value(rung, belief, buffer_ms + 1300.0, None);
                        let faster = table.value(rung, belief + 0.3, buffer_ms, None);
                        assert!(
                            fuller >= here - 1e-4 && faster >= here - 1e-4,
                            "{rung} {speed} {level}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn no_more_slices_are_said_to_be_left_than_are_and_few_less() {
        for rungs in [2, 5, 32] {
            let ladder: Vec<Rung> = (1..=rungs).map(|n| Rung::new(300e3 * f64::from(n))).collect();
            let objective = Objective::default();
            let step = Step::new(&Situation::new(0, &ladder), &objective);
            let mut table = Table::new(&step, &objective, Profile::ALL[0]);
            let mut said = vec![table.slices_left()];
            while !table.is_ready() {
                table.advance();
                said.push(table.slices_left());
            }
            for (left, said) in said.iter().rev().enumerate() {
                assert!(*said <= left && left <= 2 * said + 4, "{said} of {left}");
            }
        }
    }

    #[test]
    fn plenty_is_worth_the_top_rung_for_ever() {
        let table = table(Profile::ALL[0]);
        let mut geometric = 0.0;
        for _ in 0..SWEEPS {
            geometric = 1.0 + Profile::ALL[0].discount * geometric;
        }
        let worth = table.value(3, ln(60_000.0), 20_000.0, None);
        assert!((worth - geometric).abs() < 0.01, "{worth} {geometric}");
    }
}
