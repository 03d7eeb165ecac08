//! The session log: every input of a player, from which the same player replays anywhere.
//!
//! Format: the eight bytes `KINORA\x00\x01` (the last two are the version, big-endian), the
//! configuration, the instant the player was made, and then for each input the microseconds since
//! the one before and the input, all as [postcard](https://postcard.jamesmunns.com/wire-format)
//! values one after another. A log that breaks off replays as far as it goes.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::Player;
use crate::config::Config;
use crate::io::{Input, Output, RequestId};
use crate::time::Timestamp;

const MAGIC: [u8; 8] = *b"KINORA\x00\x01";
/// A log that has grown to this size takes no more: a day of playback is a few megabytes, and a host
/// that forgets about its recorder must not run out of memory.
const MAX_BYTES: usize = 64 << 20;

/// Writes the log of a running player.
#[derive(Debug)]
pub(crate) struct Recorder {
    bytes: Vec<u8>,
    last: Timestamp,
    full: bool,
    /// Where the last input stands.
    newest: usize,
}

impl Recorder {
    pub(crate) fn new(config: &Config, now: Timestamp) -> Self {
        let mut recorder = Self { bytes: MAGIC.to_vec(), last: now, full: false, newest: 0 };
        recorder.write(&config.without_secrets());
        recorder.write(&now);
        recorder
    }

    /// Records an input, or what a log may hold in its place. Of licences, requests for them and keys that is the
    /// length alone.
    pub(crate) fn record(&mut self, now: Timestamp, input: &Input, instead: Option<&Input>) {
        if self.full {
            return;
        }
        self.newest = self.bytes.len();
        self.write(&(now.since(self.last).as_micros() as u64));
        match instead.unwrap_or(input) {
            Input::KeyMessage { session, message } => {
                let message = vec![0; message.len()];
                self.write(&Input::KeyMessage { session: *session, message });
            }
            Input::Configure(config) => {
                self.write(&Input::Configure(Box::new(config.without_secrets())));
            }
            input => self.write(input),
        }
        self.keep_within_bounds();
        self.last = now;
    }

    /// Records what the last input made it possible to decrypt. It stands before that input, so that a replay knows
    /// it when it is needed.
    pub(crate) fn precede(&mut self, opened: Vec<(RequestId, Vec<u8>)>) {
        if self.full || opened.is_empty() {
            return;
        }
        let newest = self.bytes.split_off(self.newest);
        for (id, data) in opened {
            self.write(&0_u64);
            self.write(&Input::BodyHead { id, data });
        }
        self.bytes.extend_from_slice(&newest);
        self.keep_within_bounds();
    }

    fn keep_within_bounds(&mut self) {
        if self.bytes.len() > MAX_BYTES {
            self.bytes.truncate(self.newest);
            self.full = true;
        }
    }

    fn write<T: Serialize>(&mut self, value: &T) {
        let bytes = core::mem::take(&mut self.bytes);
        match postcard::to_extend(value, bytes) {
            Ok(bytes) => self.bytes = bytes,
            // Writing to memory fails for no type of ours; if it did, the log would end here.
            Err(_) => self.full = true,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a log does not replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogError {
    /// It does not begin like a session log of this version.
    NotALog,
    /// What stands at this byte is not what the format says.
    Corrupt {
        /// Offset from the start of the log.
        offset: usize,
    },
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALog => f.write_str("this is not a session log of this version of Kinora"),
            Self::Corrupt { offset } => {
                write!(f, "the session log is damaged or cut off at byte {offset}")
            }
        }
    }
}

impl core::error::Error for LogError {}

/// A log, read one input at a time.
#[derive(Debug)]
pub struct Log<'a> {
    /// How the recorded player was configured. Change it before replaying to ask what another
    /// configuration would have done with the same inputs.
    pub config: Config,
    /// When the recorded player was made.
    pub started: Timestamp,
    rest: &'a [u8],
    length: usize,
    last: Timestamp,
}

impl<'a> Log<'a> {
    /// Reads the head of a log.
    ///
    /// # Errors
    /// [`LogError::NotALog`] and [`LogError::Corrupt`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LogError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(LogError::NotALog)?;
        let length = bytes.len();
        let corrupt = |rest: &[u8]| LogError::Corrupt { offset: length - rest.len() };
        let (config, rest) = postcard::take_from_bytes(rest).map_err(|_| corrupt(rest))?;
        let (started, rest) = postcard::take_from_bytes(rest).map_err(|_| corrupt(rest))?;
        Ok(Self { config, started, rest, length, last: started })
    }

    fn read<T: Deserialize<'a>>(&mut self) -> Result<T, LogError> {
        let offset = self.length - self.rest.len();
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| LogError::Corrupt { offset })?;
        self.rest = rest;
        Ok(value)
    }
}

impl Iterator for Log<'_> {
    type Item = Result<(Timestamp, Input), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut entry = || {
            let elapsed: u64 = self.read()?;
            let input: Input = self.read()?;
            self.last = Timestamp::from_micros(self.last.micros().saturating_add(elapsed));
            Ok((self.last, input))
        };
        let entry = entry();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

/// Replays a log and hands every output, with the instant of the input that caused it, to `take`.
/// What it has handed out before an error stands.
///
/// # Errors
/// [`LogError::Corrupt`], at the first input that cannot be read.
pub fn replay(log: Log<'_>, mut take: impl FnMut(Timestamp, Output)) -> Result<(), LogError> {
    let mut config = log.config.clone();
    config.record = false;
    let mut player = Player::new(config, log.started);
    for entry in log {
        let (now, input) = entry?;
        player.handle_input(now, input);
        loop {
            let output = player.poll_output();
            let drained = matches!(output, Output::Timeout(_));
            take(now, output);
            if drained {
                break;
            }
        }
    }
    Ok(())
}

/// Replays a log into one byte string: for each output the instant of its input and the output, as
/// postcard values one after another. Two players agree if and only if these bytes do.
///
/// # Errors
/// As [`Log::parse`] and [`replay`].
pub fn replay_to_bytes(log: &[u8]) -> Result<Vec<u8>, LogError> {
    let mut outputs = Vec::new();
    replay(Log::parse(log)?, |now, output| {
        if let Ok(extended) = postcard::to_extend(&(now, output), core::mem::take(&mut outputs)) {
            outputs = extended;
        }
    })?;
    Ok(outputs)
}
