//! Sessions over again.

use kinora_core::io::Output;
use kinora_core::telemetry::log;
use kinora_core::time::Timestamp;

use crate::SdkError;

/// An output, and when it was made.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct TimedOutput {
    /// When, on the clock of the recorded host.
    pub at: Timestamp,
    /// What.
    pub output: Output,
}

/// Plays a session log again, through the same player, and gives every output it made. The last
/// output of each input is a `Timeout`, which a running player only hands out once a batch.
#[uniffi::export]
pub fn replay(session_log: Vec<u8>) -> Result<Vec<TimedOutput>, SdkError> {
    let mut outputs = Vec::new();
    log::replay(log::Log::parse(&session_log)?, |at, output| {
        outputs.push(TimedOutput { at, output })
    })?;
    Ok(outputs)
}

/// As `replay`, as bytes: two platforms agree if and only if these are the same.
#[uniffi::export]
pub fn replay_to_bytes(session_log: Vec<u8>) -> Result<Vec<u8>, SdkError> {
    Ok(log::replay_to_bytes(&session_log)?)
}

impl From<log::LogError> for SdkError {
    fn from(error: log::LogError) -> Self {
        Self::InvalidLog { reason: error.to_string() }
    }
}
