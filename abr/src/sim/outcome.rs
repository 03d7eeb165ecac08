//! What a session was worth.

use crate::math::ln;
use crate::sim::{Movie, Session};

/// How far a second of stall outweighs a unit of utility in [`Outcome::score`].
pub(super) const STALL_WEIGHT: f64 = 5.0;

/// Figures of one session. The short names in serialised form are the customary ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// Mean bitrate played, kbit/s.
    pub kbps: f64,
    /// Mean utility: logarithm of bitrate over the lowest one.
    #[serde(rename = "util")]
    pub utility: f64,
    /// Stalled share of the session.
    #[serde(rename = "rr")]
    pub stall_ratio: f64,
    /// Seconds stalled, start-up not included.
    #[serde(rename = "reb")]
    pub stalled_s: f64,
    /// Number of stalls.
    #[serde(rename = "ev")]
    pub stalls: f64,
    /// Mean change of bitrate between neighbouring segments, kbit/s.
    #[serde(rename = "chg")]
    pub change_kbps: f64,
    /// Utility per segment duration of the session, less five times the stalled share.
    pub score: f64,
    /// Seconds until playback starts.
    #[serde(rename = "start")]
    pub startup_s: f64,
    /// Linear quality of experience per segment, Mbit/s: bitrate, less changes of bitrate, less the
    /// highest bitrate for each second of stall and start-up (Yin et al., SIGCOMM 2015).
    #[serde(rename = "lin")]
    pub linear: f64,
}

impl Session {
    /// The figures of this session.
    pub fn outcome(&self, movie: &Movie) -> Outcome {
        let segments = self.rungs.len().max(1) as f64;
        let bitrates: Vec<f64> = self.rungs.iter().map(|&r| movie.bitrate(r)).collect();
        let lowest = movie.bitrate(0);
        let highest = movie.bitrates_kbps.last().copied().unwrap_or(0.0);
        let bitrate: f64 = bitrates.iter().sum();
        let utility: f64 = bitrates.iter().map(|b| ln(b / lowest)).sum();
        let change: f64 = bitrates.windows(2).map(|pair| (pair[1] - pair[0]).abs()).sum();
        let duration_ms = movie.segment_duration_ms;
        let session_ms = self.startup_ms + self.stalled_ms + duration_ms * segments;
        let waited_s = (self.stalled_ms + self.startup_ms) / 1000.0;
        Outcome {
            kbps: bitrate / segments,
            utility: utility / segments,
            stall_ratio: self.stalled_ms / session_ms,
            stalled_s: self.stalled_ms / 1000.0,
            stalls: f64::from(self.stalls),
            change_kbps: change / segments,
            score: (utility - STALL_WEIGHT * self.stalled_ms / duration_ms)
                / (session_ms / duration_ms),
            startup_s: self.startup_ms / 1000.0,
            linear: (bitrate - change - highest * waited_s) / segments / 1000.0,
        }
    }
}
