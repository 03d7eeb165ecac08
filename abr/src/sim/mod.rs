//! A trace-driven simulator: rules against recorded networks and real segment sizes, beside the best
//! that could have been done.
//!
//! Everything here is plain computation over data handed in; reading files and writing tables is the
//! caller's part. Times are milliseconds, sizes bits and rates bits per millisecond (kbit/s), as in the
//! trace format.
//!
//! ```
//! use kinora_abr::sim::{Movie, Options, Period, Player, Trace, play};
//! use kinora_abr::{Config, Rule};
//!
//! let movie = Movie {
//!     segment_duration_ms: 3000.0,
//!     bitrates_kbps: vec![500.0, 1000.0, 2000.0],
//!     segment_sizes_bits: vec![vec![1.5e6, 3e6, 6e6]; 40],
//! };
//! let trace = Trace(vec![Period { duration_ms: 1000.0, bandwidth_kbps: 1500.0, latency_ms: 20.0 }]);
//! let player = Player::rule(Rule::Dynamic, &Config::default());
//! let session = play(&movie, &trace, player, &Options { capacity_ms: 25_000.0, ..Options::default() });
//! assert_eq!(session.outcome(&movie).stalls, 0.0);
//! ```

mod buffer;
mod network;
mod optimum;
mod outcome;
mod published;
pub mod reference;
mod session;
pub mod shared;
mod timeline;

pub use network::{Period, Trace};
pub use optimum::{Goal, Resolution, optimum};
pub use outcome::Outcome;
pub use published::Published;
pub use session::{Options, Player, Replacement, Session, TransferRecord, play};

/// A title: its ladder and the size of every segment.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Movie {
    /// Duration of every segment, milliseconds.
    pub segment_duration_ms: f64,
    /// Nominal bitrates, ascending.
    pub bitrates_kbps: Vec<f64>,
    /// Bits per segment and rung.
    pub segment_sizes_bits: Vec<Vec<f64>>,
}

impl Movie {
    /// Whether there is something to play: a ladder of positive ascending bitrates, and for each
    /// segment a positive size per rung.
    pub fn is_sound(&self) -> bool {
        let positive = |x: &f64| x.is_finite() && *x > 0.0;
        let rungs = self.bitrates_kbps.len();
        rungs > 0
            && positive(&self.segment_duration_ms)
            && self.bitrates_kbps.iter().all(positive)
            && self.bitrates_kbps.is_sorted()
            && !self.segment_sizes_bits.is_empty()
            && self.segment_sizes_bits.iter().all(|s| s.len() == rungs && s.iter().all(positive))
    }

    /// Its first `segments` segments.
    pub fn beginning(mut self, segments: usize) -> Self {
        self.segment_sizes_bits.truncate(segments.max(1));
        self
    }

    fn size(&self, segment: usize, rung: usize) -> f64 {
        self.segment_sizes_bits
            .get(segment)
            .and_then(|sizes| sizes.get(rung))
            .copied()
            .unwrap_or(0.0)
    }

    fn bitrate(&self, rung: usize) -> f64 {
        self.bitrates_kbps.get(rung).copied().unwrap_or(0.0)
    }
}
