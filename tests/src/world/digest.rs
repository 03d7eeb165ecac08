//! Whether two runs gave the same outputs, without keeping them.

use std::io::{self, Write};

use kinora_core::io::{AppendBody, MediaCommand, Output};
use kinora_core::telemetry::log::{Log, LogError, replay};
use kinora_core::time::Timestamp;

/// A digest of outputs (FNV-1a over their serialised form).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    hash: u64,
    /// The player changes media before it is appended: of what comes of that, a log has nothing.
    changed: bool,
}

/// An output as far as a replay can know it that has neither keys nor media; none if it need not have it.
pub fn without_media(output: &Output) -> Option<Output> {
    let mut output = output.clone();
    if let Output::Media(operation) = &mut output
        && let MediaCommand::Append { body: AppendBody::Bytes(bytes), .. } = &mut operation.command
    {
        bytes.clear();
    }
    // What was found in media is an input of its own, after which the player rests.
    (!matches!(output, Output::Timeout(_))).then_some(output)
}

impl Digest {
    /// Of nothing yet. The player may turn or decrypt media before it is appended.
    pub const fn new(changed: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, changed }
    }

    /// Takes in an output and the instant of the input that caused it.
    pub fn take(&mut self, now: Timestamp, output: &Output) {
        let known = if self.changed { without_media(output) } else { None };
        let output = match (&known, self.changed) {
            (Some(known), _) => known,
            (None, true) => return,
            (None, false) => output,
        };
        postcard::to_io(&(now, output), self).expect("every output can be serialised");
    }

    /// The digest of what a session's log replays to.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn of_replay(log: &[u8], changed: bool) -> Result<Self, LogError> {
        let mut digest = Self::new(changed);
        replay(Log::parse(log)?, |now, output| digest.take(now, &output))?;
        Ok(digest)
    }
}

impl Write for Digest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
