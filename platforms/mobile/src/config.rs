//! How a player behaves.

use std::time::Duration;

use kinora_core::config::{AbrConfig, BufferConfig, Config, RetryConfig};

use crate::SdkError;

/// The configuration that suits video on demand; copy it with the fields that should differ.
#[uniffi::export]
pub fn default_config() -> Result<Config, SdkError> {
    Ok(Config::default())
}

/// How a player behaves.
#[uniffi::remote(Record)]
pub struct Config {
    /// How much media to have ahead of the playhead.
    pub buffer: BufferConfig,
    /// How qualities are chosen.
    pub abr: AbrConfig,
    /// How failed requests are repeated.
    pub retry: RetryConfig,
    /// Seed of everything that looks random, such as the jitter of retries.
    pub seed: u64,
    /// Record every input, so that the session can be replayed.
    pub record: bool,
}

/// How much media to have ahead of and behind the playhead.
#[uniffi::remote(Record)]
pub struct BufferConfig {
    /// Stop fetching with so much ahead.
    pub forward: Duration,
    /// Drop what is further behind than this.
    pub back: Duration,
}

/// How qualities are chosen.
#[uniffi::remote(Record)]
pub struct AbrConfig {
    /// Name of the rule; the default rule if absent.
    pub rule: Option<String>,
    /// Throughput to reckon with before anything was measured, in bit/s, such as the last session's.
    pub initial_throughput_bps: Option<f64>,
    /// Never choose a picture taller than this many pixels (unless all are).
    pub max_height: Option<u32>,
    /// Never choose a peak bit rate above this many bit/s (unless all are).
    pub max_bandwidth_bps: Option<u64>,
}

/// How failed requests are repeated.
#[uniffi::remote(Record)]
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
