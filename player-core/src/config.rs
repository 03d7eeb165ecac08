//! How a player behaves.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// How a player behaves. Every field has a default that suits video on demand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// How much media to have ahead of the playhead.
    pub buffer: BufferConfig,
    /// How qualities are chosen.
    pub abr: AbrConfig,
    /// How failed requests are repeated.
    pub retry: RetryConfig,
    /// Seed of everything that looks random, such as the jitter of retries.
    pub seed: u64,
    /// Record every input, so that the session can be replayed
    /// ([`Player::session_log`](crate::Player::session_log)).
    pub record: bool,
}

/// How much media to have ahead of and behind the playhead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BufferConfig {
    /// Stop fetching with so much ahead.
    pub forward: Duration,
    /// Drop what is further behind than this.
    pub back: Duration,
}

impl Default for BufferConfig {
    fn default() -> Self {
        Self { forward: Duration::from_secs(30), back: Duration::from_secs(30) }
    }
}

/// How qualities are chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AbrConfig {
    /// Name of the rule, as `kinora-abr` knows it; its default rule if absent.
    pub rule: Option<String>,
    /// Throughput to reckon with before anything was measured, in bit/s, such as the last session's.
    pub initial_throughput_bps: Option<f64>,
    /// Never choose a picture taller than this many pixels (unless all are).
    pub max_height: Option<u32>,
    /// Never choose a peak bit rate above this many bit/s (unless all are).
    pub max_bandwidth_bps: Option<u64>,
}

/// How failed requests are repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryConfig {
    /// Attempts at one resource, the first included.
    pub attempts: u32,
    /// Pause before the second attempt; it doubles each time, with jitter.
    pub base_delay: Duration,
    /// No pause is longer than this.
    pub max_delay: Duration,
    /// Give an attempt up when nothing has arrived for so long.
    pub stall_timeout: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts: 4,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            stall_timeout: Duration::from_secs(10),
        }
    }
}
