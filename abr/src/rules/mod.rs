//! The rules that choose a rung, behind one trait.

mod bola;
mod dynamic;
mod kinora;
mod low_latency;
mod plan;
mod reserve;
mod robust_mpc;
mod soda;
mod table;
mod throughput;

use core::fmt;
use core::str::FromStr;

pub use bola::Bola;
pub use dynamic::Dynamic;
pub use kinora::Kinora;
pub use low_latency::LowLatency;
pub use robust_mpc::RobustMpc;
pub use soda::Soda;
pub use throughput::Throughput;

use crate::math::clamp;
use crate::{Cause, Config, Estimate, InFlight, Step};

/// One rule. Rungs are positions in the [`Step`]'s ladder throughout, except where "original" is said.
pub trait Controller: Send {
    /// Which rule it is.
    fn rule(&self) -> Rule;

    /// Chooses the rung of the next segment.
    fn choose(&mut self, step: &Step, estimate: &Estimate) -> Choice;

    /// The queued segment that is better fetched again before anything else, if any, and how: its
    /// position in [`Step::queued`]. Asked before each choice, and when the buffer is full.
    fn replace(&mut self, step: &Step, estimate: &Estimate) -> Option<(usize, Choice)> {
        let _ = (step, estimate);
        None
    }

    /// Whether a transfer that is to replace a queued segment still pays.
    fn keep_replacing(&mut self, in_flight: &Download, step: &Step, estimate: &Estimate) -> bool {
        let _ = estimate;
        in_flight.replaces_ahead_ms.is_none_or(|ahead_ms| {
            let left_ms = in_flight.rate_kbps().map_or(0.0, |r| in_flight.remaining_bits() / r);
            ahead_ms > left_ms * step.rate
        })
    }

    /// The lower rung the segment in flight should be given up for, if any. Asked only while that is
    /// permitted, with a rung in flight that is not the lowest.
    fn abandon(
        &mut self,
        in_flight: &Download,
        step: &Step,
        estimate: &Estimate,
    ) -> Option<(usize, Cause)> {
        let _ = (in_flight, step, estimate);
        None
    }

    /// Learns what happened since the last decision.
    fn observe(&mut self, observation: &Observation, step: &Step) {
        let _ = (observation, step);
    }

    /// Advances the construction of tables by a slice that takes no more than a few milliseconds.
    /// True when nothing is left to do.
    fn prepare(&mut self, step: &Step) -> bool {
        let _ = step;
        true
    }

    /// Instead of [`Controller::prepare`] where there is no time for it: the slice is made up for, at the latest
    /// with the one that completes the tables, so that decisions are the same.
    fn put_off(&mut self, step: &Step) {
        self.prepare(step);
    }
}

/// Only the name: a table of methods that leads to the figures inside would bring the formatting of
/// floats into every build, and that costs a browser several kilobytes.
impl fmt::Debug for dyn Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule().name())
    }
}

/// What a rule chose.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Position in the step's ladder.
    pub rung: usize,
    /// Milliseconds to wait before requesting it.
    pub delay_ms: f64,
    /// What tipped the balance.
    pub cause: Cause,
    /// Per rung of the step: what the rule holds against it; may be empty.
    pub costs: Vec<f64>,
}

/// The state of a transfer, as a rule sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Download {
    /// Position in the step's ladder of the rung in flight.
    pub rung: usize,
    /// Milliseconds since it was requested.
    pub elapsed_ms: f64,
    /// Milliseconds until its first byte.
    pub ttfb_ms: f64,
    /// Bits received.
    pub loaded_bits: f64,
    /// Bits in all.
    pub total_bits: f64,
    /// How many requests for this segment were given up before.
    pub abandoned: u32,
    /// Media between the playhead and the queued segment that it is to replace, milliseconds.
    pub replaces_ahead_ms: Option<f64>,
}

impl Download {
    /// Reads an in-flight transfer in the terms of a step.
    pub(crate) fn new(in_flight: &InFlight, rung: usize, now_us: u64, step: &Step) -> Self {
        let until = |at: u64| at.saturating_sub(in_flight.started_us) as f64 / 1000.0;
        let loaded_bits = in_flight.bytes_loaded as f64 * 8.0;
        let nominal = step.sizes_bits.get(rung).copied().unwrap_or(1.0);
        let total_bits = in_flight.bytes_total.map_or(nominal, |bytes| bytes as f64 * 8.0);
        Self {
            rung,
            elapsed_ms: until(now_us),
            ttfb_ms: until(in_flight.first_byte_us.unwrap_or(now_us)),
            loaded_bits,
            total_bits: total_bits.max(loaded_bits),
            abandoned: in_flight.abandoned,
            replaces_ahead_ms: in_flight
                .replaces_ahead_s
                .map(|ahead_s| clamp(ahead_s, 0.0, 1e6) * 1000.0),
        }
    }

    /// Bits still to come.
    pub fn remaining_bits(&self) -> f64 {
        (self.total_bits - self.loaded_bits).max(0.0)
    }

    /// Rate since the first byte, kbit/s; `None` before anything arrived.
    pub fn rate_kbps(&self) -> Option<f64> {
        let transfer_ms = self.elapsed_ms - self.ttfb_ms;
        (transfer_ms > 0.0 && self.loaded_bits > 0.0).then(|| self.loaded_bits / transfer_ms)
    }

    /// Size of the same segment in another rung, in proportion to the bitrates.
    pub fn bits_in(&self, rung: usize, step: &Step) -> f64 {
        let bitrate = |r: usize| step.bitrates_kbps.get(r).copied().unwrap_or(1.0);
        self.total_bits * bitrate(rung) / bitrate(self.rung)
    }
}

/// What happened between two decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Observation {
    /// A segment arrived and is part of the buffer.
    Fetched {
        /// Position of its rung in the step's ladder.
        rung: usize,
        /// Milliseconds from request to end.
        download_ms: f64,
        /// Its throughput from the first byte on, kbit/s.
        rate_kbps: f64,
        /// Whether it took the place of a segment that was there.
        replaced: bool,
    },
    /// The segment in flight was given up for another rung.
    Abandoned {
        /// Position of the rung given up.
        from: usize,
        /// Position of the rung to be fetched instead.
        to: usize,
    },
    /// Nothing was requested for a while because the buffer was full.
    Idle {
        /// Milliseconds.
        ms: f64,
    },
    /// The buffer was discarded.
    Seeked,
}

/// The built-in rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Rule {
    /// The highest rung the throughput sustains.
    Throughput,
    /// BOLA-E: buffer-based with a placeholder buffer (Spiteri et al., MMSys 2018).
    Bola,
    /// Throughput while the buffer is low, BOLA-E when it is not.
    Dynamic,
    /// Model-predictive control against a pessimistic throughput (Yin et al., SIGCOMM 2015).
    RobustMpc,
    /// Model-predictive control in time slots, smooth by construction (Chen et al., SIGCOMM 2024).
    Soda,
    /// Stochastic buffer prediction, solved by value iteration.
    #[default]
    Kinora,
    /// For playback close to the live edge, with latency as part of the state.
    LowLatency,
    /// A controller handed in by the application.
    Custom,
}

impl Rule {
    /// The rules that [`Rule::controller`] can make.
    pub const ALL: &[Self] = &[
        Self::Throughput,
        Self::Bola,
        Self::Dynamic,
        Self::RobustMpc,
        Self::Soda,
        Self::LowLatency,
        Self::Kinora,
    ];

    /// The rule of that name; `None` for a name that is not one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }

    /// Its name, as used in configuration and on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Bola => "bola",
            Self::Dynamic => "dynamic",
            Self::RobustMpc => "robust_mpc",
            Self::Soda => "soda",
            Self::LowLatency => "low_latency",
            Self::Kinora => "kinora",
            Self::Custom => "custom",
        }
    }

    /// Makes the controller; the default one where there is none of that name.
    pub fn controller(self, config: &Config) -> Box<dyn Controller> {
        match self {
            Self::Throughput => Box::new(Throughput::new(config)),
            Self::Bola => Box::new(Bola::new(config)),
            Self::Dynamic => Box::new(Dynamic::new(config)),
            Self::RobustMpc => Box::new(RobustMpc::new(config)),
            Self::Soda => Box::new(Soda::new(config)),
            Self::LowLatency => Box::new(LowLatency::new(config)),
            Self::Kinora | Self::Custom => Box::new(Kinora::new(config)),
        }
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, UnknownRule> {
        Self::from_name(name).ok_or(UnknownRule)
    }
}

/// A name that no rule has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRule;

impl core::error::Error for UnknownRule {}

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such rule; there are")?;
        for (at, rule) in Rule::ALL.iter().enumerate() {
            f.write_str(if at == 0 { " " } else { ", " })?;
            f.write_str(rule.name())?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Discount on the buffer a segment may use up, tightening from decision to decision
/// (the insufficient-buffer rule of the reference player).
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferSafety(f64);

impl Default for BufferSafety {
    fn default() -> Self {
        Self(Self::INITIAL)
    }
}

impl BufferSafety {
    const INITIAL: f64 = 0.9;
    const LEAST: f64 = 0.5;

    /// The highest rung, up to `rung`, whose segment arrives well before the buffer runs dry.
    pub(crate) fn limit(&mut self, rung: usize, step: &Step, estimate: &Estimate) -> usize {
        let safe_bits = self.0 * (step.buffer_ms - estimate.ttfb_ms()) * estimate.throughput_kbps();
        self.0 = (self.0 * Self::INITIAL).max(Self::LEAST);
        let safe = |bitrate: f64| bitrate * step.duration_ms <= safe_bits;
        step.bitrates_kbps.iter().skip(1).take(rung).take_while(|&&bitrate| safe(bitrate)).count()
    }
}
