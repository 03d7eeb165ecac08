//! What the buffer is expected to do.

use crate::math::{clamp, exp};
use crate::{Estimate, Phase, Step};

/// The predicted buffer level over time, as quantiles, when segments of one rung keep being fetched.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trajectory {
    /// Seconds between entries; the first entry is the present.
    pub step_s: f64,
    /// The level that is undercut with a probability of 10 %, seconds.
    pub low_s: Vec<f64>,
    /// The median level, seconds.
    pub median_s: Vec<f64>,
    /// The level that is exceeded with a probability of 10 %, seconds.
    pub high_s: Vec<f64>,
    /// Probability of having run dry by then, 0 to 1.
    pub stall_probability: Vec<f64>,
}

const STEP_S: f64 = 1.0;
const STEPS: usize = 30;
/// Levels of the buffer that are told apart.
const LEVELS: usize = 48;
/// Speeds of the network that are told apart, and the logarithmic distance between them.
const SPEEDS: usize = 13;
const SPEED_STEP: f64 = 0.3;

/// Predicts the buffer over the next 30 s, were `rung` fetched from now on.
///
/// Throughput is a random walk in its logarithm whose steps, one per segment, are those of the
/// estimate; the buffer fills at throughput ÷ bitrate and drains at the playback rate.
pub fn predict_buffer(step: &Step, estimate: &Estimate, rung: usize) -> Trajectory {
    let rung = rung.min(step.top());
    let bitrate = step.bitrates_kbps.get(rung).copied().unwrap_or(1.0) * 1000.0;
    let [buffer_s, capacity_s, duration_s] =
        [step.buffer_ms, step.capacity_ms, step.duration_ms].map(|ms| ms / 1000.0);
    let ceiling = capacity_s.max(buffer_s);
    let width = ceiling / (LEVELS - 1) as f64;
    let drain = if step.phase == Phase::Paused { 0.0 } else { step.rate };

    // Media seconds gained per second at each speed; requests cost their time to first byte.
    let gain: Vec<f64> = (0..SPEEDS)
        .map(|speed| {
            let offset = (speed as f64 - (SPEEDS / 2) as f64) * SPEED_STEP;
            let throughput = estimate.median_bps * exp(offset);
            duration_s / (estimate.ttfb_s + duration_s * bitrate / throughput)
        })
        .collect();
    let walk = speed_walk(estimate, clamp(STEP_S / duration_s, 0.0, 1.0));

    // Mass per (speed, level); level 0 is an empty buffer.
    let mut mass = vec![[0.0_f64; LEVELS]; SPEEDS];
    deposit(&mut mass[SPEEDS / 2], buffer_s / width, 1.0);
    let mut never_dry = mass.clone();
    let mut trajectory = Trajectory { step_s: STEP_S, ..Trajectory::default() };
    record(&mut trajectory, &mass, 0.0, width);
    for _ in 0..STEPS {
        for field in [&mut mass, &mut never_dry] {
            *field = advance(&diffuse(field, &walk), &gain, drain, capacity_s, width);
        }
        // A trajectory that touched the ground has stalled, whatever it does afterwards.
        if drain > 0.0 {
            for (speed, &gain) in never_dry.iter_mut().zip(&gain) {
                if gain < drain {
                    speed[0] = 0.0;
                }
            }
        }
        let survived: f64 = never_dry.iter().flatten().sum();
        record(&mut trajectory, &mass, clamp(1.0 - survived, 0.0, 1.0), width);
    }
    trajectory
}

/// Probability of moving by so many speed steps within one time step.
fn speed_walk(estimate: &Estimate, share: f64) -> Vec<(isize, f64)> {
    let reach = (SPEEDS / 2) as isize;
    let mut walk = vec![(0, 1.0 - share)];
    for (offset, weight) in Estimate::outcomes(estimate.spread) {
        let position = offset / SPEED_STEP;
        let below = libm::floor(position);
        let part = position - below;
        let below = (below as isize).clamp(-reach, reach);
        walk.push((below, share * weight * (1.0 - part)));
        walk.push(((below + 1).min(reach), share * weight * part));
    }
    walk
}

type Field = Vec<[f64; LEVELS]>;

fn diffuse(field: &Field, walk: &[(isize, f64)]) -> Field {
    let mut next = vec![[0.0; LEVELS]; SPEEDS];
    for (speed, levels) in field.iter().enumerate() {
        for &(by, weight) in walk {
            let to = (speed as isize + by).clamp(0, SPEEDS as isize - 1) as usize;
            if let Some(target) = next.get_mut(to) {
                for (sum, mass) in target.iter_mut().zip(levels) {
                    *sum += weight * mass;
                }
            }
        }
    }
    next
}

fn advance(field: &Field, gain: &[f64], drain: f64, capacity_s: f64, width: f64) -> Field {
    let mut next = vec![[0.0; LEVELS]; SPEEDS];
    for ((target, levels), gain) in next.iter_mut().zip(field).zip(gain) {
        for (level, &mass) in levels.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            let before = level as f64 * width;
            let room = (capacity_s - before).max(0.0) + drain * STEP_S;
            let after = before + (gain * STEP_S).min(room) - drain * STEP_S;
            deposit(target, after / width, mass);
        }
    }
    next
}

/// Splits `mass` between the two levels around `position`.
fn deposit(levels: &mut [f64; LEVELS], position: f64, mass: f64) {
    let position = clamp(position, 0.0, (LEVELS - 1) as f64);
    let below = (position as usize).min(LEVELS - 2);
    let part = position - below as f64;
    levels[below] += mass * (1.0 - part);
    levels[below + 1] += mass * part;
}

fn record(trajectory: &mut Trajectory, field: &Field, stalled: f64, width: f64) {
    let mut levels = [0.0; LEVELS];
    for speed in field {
        for (sum, mass) in levels.iter_mut().zip(speed) {
            *sum += mass;
        }
    }
    trajectory.low_s.push(quantile(&levels, 0.1) * width);
    trajectory.median_s.push(quantile(&levels, 0.5) * width);
    trajectory.high_s.push(quantile(&levels, 0.9) * width);
    trajectory.stall_probability.push(stalled);
}

/// The position below which `probability` of the mass lies.
fn quantile(levels: &[f64; LEVELS], probability: f64) -> f64 {
    let total: f64 = levels.iter().sum();
    let wanted = probability * total;
    let mut below = 0.0;
    for (level, &mass) in levels.iter().enumerate() {
        if below + mass >= wanted {
            let part = if mass > 0.0 { (wanted - below) / mass } else { 0.0 };
            return clamp(level as f64 - 0.5 + part, 0.0, (LEVELS - 1) as f64);
        }
        below += mass;
    }
    (LEVELS - 1) as f64
}

/// Median time to fetch `bits`, seconds.
pub(crate) fn download_s(estimate: &Estimate, bits: f64) -> f64 {
    estimate.ttfb_s + bits / estimate.median_bps
}
