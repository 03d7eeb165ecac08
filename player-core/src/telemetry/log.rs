//! The session log: every input of a player, from which the same player replays anywhere.
//!
//! Format: the eight bytes `KINORA\x00\x02` (the last two are the version, big-endian), the
//! configuration, the instant the player was made, and then for each input twice the microseconds since
//! the one before and the input, all as [postcard](https://postcard.jamesmunns.com/wire-format)
//! values one after another. A log that breaks off replays as far as it goes.
//!
//! One more than twice the microseconds says that a part of a manifest's body follows, as what is new in it: which of
//! up to 16 texts it is (a byte), the request, and pieces: bytes that are new, and where in the text that came before
//! by another request, and how long, the same stood that follows them. In version 1, which is read as well, the
//! microseconds stand as they are and all bodies whole.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::texts::{Piece, Texts};
use crate::Player;
use crate::config::Config;
use crate::io::{Input, Output, RequestId};
use crate::time::Timestamp;

const MAGIC: [u8; 8] = *b"KINORA\x00\x02";
/// Version 1 had no texts.
const FIRST: [u8; 8] = *b"KINORA\x00\x01";
/// A log that has grown to this size takes no more: half an hour of playback is a few megabytes at most, and a host
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
    texts: Texts,
}

impl Recorder {
    pub(crate) fn new(config: &Config, now: Timestamp) -> Self {
        let mut recorder = Self {
            bytes: MAGIC.to_vec(),
            last: now,
            full: false,
            newest: 0,
            texts: Texts::default(),
        };
        recorder.write(&config.without_secrets());
        recorder.write(&now);
        recorder
    }

    /// Records an input, or what a log may hold in its place. Of licences, requests for them and keys that is the
    /// length alone. A body that is loaded again and again has the `name` of its text.
    pub(crate) fn record(
        &mut self,
        now: Timestamp,
        input: &Input,
        (instead, name): (Option<&Input>, Option<&str>),
    ) {
        if self.full {
            return;
        }
        self.newest = self.bytes.len();
        let elapsed = (now.since(self.last).as_micros() as u64) << 1;
        self.last = now;
        if let (Input::Body { id, data }, None, Some(name)) = (input, instead, name)
            && let Some(number) = self.texts.find(name, *id, data.len())
        {
            let pieces = self.texts.compare(number, *id, data);
            // As they would be written as one value, without the code for that.
            for number in [elapsed | 1, number.into(), id.0, pieces.len() as u64] {
                self.write(&number);
            }
            for (fresh, from, length) in pieces {
                self.write(&(fresh.len() as u64));
                self.bytes.extend_from_slice(fresh);
                self.write(&u64::from(from));
                self.write(&u64::from(length));
            }
            return self.keep_within_bounds();
        }
        self.write(&elapsed);
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
    }

    /// Records what the last input made it possible to decrypt. It stands before that input, so that a replay knows
    /// it when it is needed.
    pub(crate) fn precede(&mut self, opened: Vec<(RequestId, Vec<u8>)>) {
        if self.full || opened.is_empty() {
            return;
        }
        let newest = crate::items::split(&mut self.bytes, self.newest);
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
    /// None in a log of version 1.
    texts: Option<Texts>,
}

impl<'a> Log<'a> {
    /// Reads the head of a log.
    ///
    /// # Errors
    /// [`LogError::NotALog`] and [`LogError::Corrupt`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, LogError> {
        let texts = bytes.starts_with(&MAGIC).then(Texts::default);
        let magic = if texts.is_some() { MAGIC } else { FIRST };
        let rest = bytes.strip_prefix(&magic).ok_or(LogError::NotALog)?;
        let length = bytes.len();
        let corrupt = |rest: &[u8]| LogError::Corrupt { offset: length - rest.len() };
        let (config, rest) = postcard::take_from_bytes(rest).map_err(|_| corrupt(rest))?;
        let (started, rest) = postcard::take_from_bytes(rest).map_err(|_| corrupt(rest))?;
        Ok(Self { config, started, rest, length, last: started, texts })
    }

    fn read<T: Deserialize<'a>>(&mut self) -> Result<T, LogError> {
        let offset = self.length - self.rest.len();
        let (value, rest) =
            postcard::take_from_bytes(self.rest).map_err(|_| LogError::Corrupt { offset })?;
        self.rest = rest;
        Ok(value)
    }

    fn read_text(&mut self) -> Result<Input, LogError> {
        let offset = self.length - self.rest.len();
        let (number, id, pieces): (u8, RequestId, Vec<Piece<'a>>) = self.read()?;
        let texts = self.texts.as_mut();
        let data = texts.and_then(|texts| texts.restore(number, id, &pieces));
        Ok(Input::Body { id, data: data.ok_or(LogError::Corrupt { offset })? })
    }
}

impl Iterator for Log<'_> {
    type Item = Result<(Timestamp, Input), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut entry = || {
            let mut elapsed: u64 = self.read()?;
            let new = self.texts.is_some() && elapsed & 1 == 1;
            if self.texts.is_some() {
                elapsed >>= 1;
            }
            let input = if new { self.read_text()? } else { self.read()? };
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn bodies(log: &[u8]) -> Vec<(Timestamp, Input)> {
        let log = Log::parse(log).expect("a log");
        log.collect::<Result<_, _>>().expect("it reads")
    }

    fn body(id: u64, data: &[u8]) -> Input {
        Input::Body { id: RequestId(id), data: data.to_vec() }
    }

    #[test]
    fn texts_are_read_as_they_came() {
        let now = Timestamp::from_micros(7);
        let mut recorder = Recorder::new(&Config::default(), now);
        let mut all = Vec::new();
        for id in 1..40 {
            let text =
                format!("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{id}\n{}", "a line of it\n".repeat(90));
            let at = now + Duration::from_millis(id * 333);
            let input = body(id, text.as_bytes());
            recorder.record(at, &input, (None, Some("https://a.example/media.m3u8")));
            recorder.record(at, &Input::Timeout, (None, None));
            all.extend([(at, input), (at, Input::Timeout)]);
        }
        assert_eq!(bodies(recorder.bytes()), all);
        assert!(recorder.bytes().len() < 5_000, "{} bytes", recorder.bytes().len());
    }

    #[test]
    fn logs_of_the_first_version_are_read() {
        let mut log = FIRST.to_vec();
        let now = Timestamp::from_micros(7);
        let input = body(3, b"#EXTM3U");
        log = postcard::to_extend(&Config::default(), log).expect("a configuration");
        log = postcard::to_extend(&(now, 5_u64, &input), log).expect("an input");
        assert_eq!(bodies(&log), [(Timestamp::from_micros(12), input)]);
    }

    #[test]
    fn texts_that_refer_to_nothing_are_damage() {
        let now = Timestamp::from_micros(7);
        let mut log = Recorder::new(&Config::default(), now).bytes().to_vec();
        let offset = log.len() + 1;
        let pieces: Vec<Piece<'_>> = vec![(b"x", 9, 9)];
        log = postcard::to_extend(&(1_u64, 0_u8, RequestId(1), pieces), log).expect("an input");
        let read = Log::parse(&log).expect("a log").next();
        assert_eq!(read, Some(Err(LogError::Corrupt { offset })));
    }
}
