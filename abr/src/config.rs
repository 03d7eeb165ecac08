//! What the owner of the player may choose.

use crate::Rule;

/// How an [`Abr`](crate::Abr) decides. `Config::default()` suits on-demand and ordinary live playback.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Config {
    /// The rule that chooses.
    pub rule: Rule,
    /// What the rule maximises.
    pub objective: Objective,
    /// Throughput assumed before anything was measured, bits per second.
    pub initial_throughput_bps: f64,
    /// Time to first byte assumed before anything was measured, seconds.
    pub initial_ttfb_s: f64,
    /// Transfers smaller than this say more about latency than about throughput and are left out,
    /// bytes.
    pub min_sample_bytes: u64,
    /// How long the first segment may take to arrive, seconds: a larger value starts later and sharper.
    pub startup_budget_s: f64,
    /// `dynamic` hands over from throughput to BOLA above this buffer level, and back at half of it,
    /// seconds. `None`: 10 s, or 60 % of the buffer goal where that is less.
    pub dynamic_threshold_s: Option<f64>,
    /// BOLA never climbs above the rung the measured throughput sustains (BOLA-O): steadier, and
    /// slightly lower quality.
    pub bola_avoid_oscillation: bool,
    /// Whether a segment in flight may be given up for a smaller one.
    pub abandon: bool,
    /// Whether queued segments may be fetched again in a better rung, where the player offers them
    /// ([`Situation::queued`](crate::Situation::queued)).
    pub replace: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rule: Rule::default(),
            objective: Objective::default(),
            initial_throughput_bps: 1_500_000.0,
            initial_ttfb_s: 0.1,
            min_sample_bytes: 16_000,
            startup_budget_s: 1.0,
            dynamic_threshold_s: None,
            bola_avoid_oscillation: true,
            abandon: true,
            replace: true,
        }
    }
}

/// The quality of experience the rules aim for, per segment:
/// quality − `switching` · |change of quality| − `stall` · stalled seconds − `startup` · seconds of
/// start-up, where the highest rung has a quality of 1, so that the weights do not depend on the scale
/// of the ladder.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Objective {
    /// Where quality comes from.
    pub utility: Utility,
    /// Weight of a change of quality between neighbouring segments.
    pub switching: f64,
    /// Weight of a second of stall.
    pub stall: f64,
    /// Weight of a second of start-up delay.
    pub startup: f64,
    /// Weight of a second of latency beyond the one aimed for, when live
    /// ([`Rule::LowLatency`]).
    pub latency: f64,
}

impl Default for Objective {
    fn default() -> Self {
        Self { utility: Utility::Balanced, switching: 0.8, stall: 1.0, startup: 1.0, latency: 0.1 }
    }
}

/// What counts as the quality of a rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Utility {
    /// Three quarters of [`Utility::Bitrate`] and one of [`Utility::LogBitrate`]: what a bit adds
    /// shrinks along the ladder, though not as fast as the logarithm says.
    #[default]
    Balanced,
    /// Its bitrate, as a share of the highest one's.
    Bitrate,
    /// The logarithm of its bitrate over the lowest one's, as a share of the highest one's.
    LogBitrate,
    /// [`Rung::quality`](crate::Rung::quality); bitrate where a rung lacks one.
    Table,
}
