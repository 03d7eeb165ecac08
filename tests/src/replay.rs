//! Session logs: replaying them, and comparing the outputs with those of another build.

use std::io::{self, Write};

use kinora_core::io::Output;
use kinora_core::telemetry::log::{self, Log, LogError};
use kinora_core::time::Timestamp;
use serde::Serialize;

/// Why a log was not replayed to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log is at fault.
    #[error("the session log does not replay: {0}; record it again")]
    Log(LogError),
    /// The outputs could not be written.
    #[error("the outputs cannot be written: {0}")]
    Write(#[from] io::Error),
}

/// One output as a JSON line.
#[derive(Serialize)]
struct Line<'a> {
    at_us: u64,
    output: &'a Output,
}

/// Replays `session_log` and writes each output as a line of JSON. Gives their number.
pub fn write_json_lines(session_log: &[u8], mut to: impl Write) -> Result<usize, ReplayError> {
    let mut written = 0;
    let mut failure = None;
    let replayed = log::replay(Log::parse(session_log).map_err(ReplayError::Log)?, |at, output| {
        if failure.is_some() {
            return;
        }
        let line = Line { at_us: at.micros(), output: &output };
        let result = serde_json::to_writer(&mut to, &line)
            .map_err(io::Error::from)
            .and_then(|()| to.write_all(b"\n"));
        match result {
            Ok(()) => written += 1,
            Err(error) => failure = Some(error),
        }
    });
    // What was handed out before an error stands, so let it be seen.
    if let Some(error) = failure.or(to.flush().err()) {
        return Err(error.into());
    }
    replayed.map_err(ReplayError::Log)?;
    Ok(written)
}

/// Replays `session_log` into the byte stream that every build of the core agrees on.
pub fn raw(session_log: &[u8]) -> Result<Vec<u8>, ReplayError> {
    log::replay_to_bytes(session_log).map_err(ReplayError::Log)
}

/// How two replays of one log compare.
#[derive(Debug, PartialEq)]
pub enum Comparison {
    /// They are the same, byte for byte.
    Same {
        /// How many outputs there are.
        outputs: usize,
    },
    /// They part somewhere.
    Different(Box<Difference>),
}

/// Where two replays part.
#[derive(Debug, PartialEq)]
pub struct Difference {
    /// Number of the first output that differs, from zero.
    pub index: usize,
    /// What this build has there; nothing if it ends before.
    pub ours: Option<(Timestamp, Output)>,
    /// What the other has there; nothing if it ends before or cannot be read.
    pub theirs: Option<(Timestamp, Output)>,
}

/// Replays `session_log` and compares its outputs with `theirs`, a byte stream as [`raw`] makes it.
pub fn compare(session_log: &[u8], theirs: &[u8]) -> Result<Comparison, ReplayError> {
    let ours = raw(session_log)?;
    let (mut ours_rest, mut theirs_rest) = (ours.as_slice(), theirs);
    let mut index = 0;
    while !ours_rest.is_empty() || !theirs_rest.is_empty() {
        let our_output = take(&mut ours_rest);
        let their_output = take(&mut theirs_rest);
        let same_bytes = ours.len() - ours_rest.len() == theirs.len() - theirs_rest.len();
        if our_output.is_none() || our_output != their_output || !same_bytes {
            let difference = Difference { index, ours: our_output, theirs: their_output };
            return Ok(Comparison::Different(Box::new(difference)));
        }
        index += 1;
    }
    if ours == theirs {
        return Ok(Comparison::Same { outputs: index });
    }
    // Equal values in other bytes: floating-point zeros, or a number written at length.
    let difference = Difference { index: 0, ours: None, theirs: None };
    Ok(Comparison::Different(Box::new(difference)))
}

fn take(bytes: &mut &[u8]) -> Option<(Timestamp, Output)> {
    let (output, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_core::io::{Input, RequestFailure, RequestId, Source};
    use kinora_core::{Config, Player};

    /// A session against a server that is not there, until the player gives up.
    fn session() -> Vec<u8> {
        let config = Config { record: true, ..Config::default() };
        let mut player = Player::new(config, Timestamp::default());
        let source =
            Source { url: "http://cdn.example/film.m3u8".into(), format: None, start: None };
        let mut now = Timestamp::default();
        let mut inputs = vec![Input::Load(source)];
        for _ in 0..100 {
            let Some(input) = inputs.pop() else { break };
            player.handle_input(now, input);
            loop {
                match player.poll_output() {
                    Output::Request(request) => inputs.push(refused(request.id)),
                    Output::Timeout(at) => {
                        if let Some(at) = at.filter(|_| inputs.is_empty()) {
                            now = at;
                            inputs.push(Input::Timeout);
                        }
                        break;
                    }
                    _ => {}
                }
            }
        }
        player.session_log().to_vec()
    }

    fn refused(id: RequestId) -> Input {
        Input::RequestFailed { id, failure: RequestFailure::Network("refused".into()) }
    }

    #[test]
    fn every_output_becomes_a_line() {
        let mut lines = Vec::new();
        let written = write_json_lines(&session(), &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let parsed: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(parsed.len(), written);
        assert_eq!(parsed[0]["at_us"], 0);
        let request = parsed.iter().find_map(|line| line["output"].get("Request"));
        assert_eq!(request.unwrap()["url"], "http://cdn.example/film.m3u8");
        let fatal = parsed.iter().find_map(|line| line["output"]["Event"].get("Error"));
        assert_eq!(fatal.unwrap()["code"], "NetworkUnreachable");
    }

    #[test]
    fn a_replay_agrees_with_itself() {
        let log = session();
        let outputs = raw(&log).unwrap();
        let count = write_json_lines(&log, io::sink()).unwrap();
        assert_eq!(compare(&log, &outputs).unwrap(), Comparison::Same { outputs: count });
    }

    #[test]
    fn the_first_difference_is_found() {
        let log = session();
        let outputs = raw(&log).unwrap();
        let count = write_json_lines(&log, io::sink()).unwrap();
        let shorter: Vec<u8> = {
            let mut rest = outputs.as_slice();
            for _ in 0..count - 1 {
                take(&mut rest).unwrap();
            }
            outputs[..outputs.len() - rest.len()].to_vec()
        };
        let Comparison::Different(difference) = compare(&log, &shorter).unwrap() else {
            panic!("an output is missing");
        };
        assert_eq!(difference.index, count - 1);
        assert!(difference.ours.is_some() && difference.theirs.is_none());
        let garbage = compare(&log, b"garbage").unwrap();
        assert!(matches!(garbage, Comparison::Different(difference) if difference.index == 0));
    }

    #[test]
    fn a_log_cut_off_anywhere_is_refused_or_replays_in_part() {
        let log = session();
        let whole = raw(&log).unwrap();
        for length in 0..log.len() {
            match raw(&log[..length]) {
                Ok(outputs) => assert!(whole.starts_with(&outputs), "cut at {length}"),
                Err(error) => assert!(error.to_string().contains("record it again")),
            }
        }
        assert!(matches!(raw(b"#EXTM3U\n"), Err(ReplayError::Log(LogError::NotALog))));
    }
}
