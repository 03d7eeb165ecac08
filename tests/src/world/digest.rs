//! Whether two runs gave the same outputs, without keeping them.

use std::io::{self, Write};

use kinora_core::io::Output;
use kinora_core::telemetry::log::{Log, LogError, replay};
use kinora_core::time::Timestamp;

/// A digest of outputs (FNV-1a over their serialised form).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes in an output and the instant of the input that caused it.
    pub fn take(&mut self, now: Timestamp, output: &Output) {
        postcard::to_io(&(now, output), self).expect("every output can be serialised");
    }

    /// The digest of what a session's log replays to.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn of_replay(log: &[u8]) -> Result<Self, LogError> {
        let mut digest = Self::default();
        replay(Log::parse(log)?, |now, output| digest.take(now, &output))?;
        Ok(digest)
    }
}

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
