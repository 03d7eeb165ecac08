//! The player as an object of the host's language.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use kinora_core::Config;
use kinora_core::io::{Input, Output};
use kinora_core::telemetry::State;
use kinora_core::time::Timestamp;

use crate::{SdkError, TimedInput};

/// The player: a state machine that a driver in the host's language feeds and obeys.
///
/// ```text
/// loop {
///     player.handleInputs(what happened since, each with its instant, oldest first)
///     for (output in player.pollOutputs()) carry it out; Timeout comes last, and once
///     wait for something to happen, or for the instant of the Timeout; then hand in Input.Timeout
/// }
/// ```
///
/// Crossing from the host's language costs microseconds, so both directions are batched. Calls may
/// come from any thread, and are carried out one after another.
#[derive(uniffi::Object)]
pub struct Player(Mutex<Inner>);

struct Inner {
    player: kinora_core::Player,
    /// Drained from the player after each input, as its contract demands, and not yet fetched.
    outputs: VecDeque<Output>,
    /// What the last drain ended with.
    timeout: Option<Timestamp>,
}

#[uniffi::export]
impl Player {
    /// A player with nothing loaded.
    #[uniffi::constructor]
    pub fn new(config: Config, now: Timestamp) -> Result<Arc<Self>, SdkError> {
        Ok(Arc::new(Self(Mutex::new(Inner {
            player: kinora_core::Player::new(config, now),
            outputs: VecDeque::new(),
            timeout: None,
        }))))
    }

    /// Tells the player what happened at `now`.
    pub fn handle_input(&self, now: Timestamp, input: Input) -> Result<(), SdkError> {
        self.lock()?.handle(now, input);
        Ok(())
    }

    /// Tells the player everything that happened, oldest first.
    pub fn handle_inputs(&self, inputs: Vec<TimedInput>) -> Result<(), SdkError> {
        let mut inner = self.lock()?;
        for TimedInput { at, input } in inputs {
            inner.handle(at, input);
        }
        Ok(())
    }

    /// Everything the player asks since the last call, in order. The last of them is the `Timeout`
    /// that says how long there is nothing to do, and it is the only one.
    pub fn poll_outputs(&self) -> Result<Vec<Output>, SdkError> {
        let mut inner = self.lock()?;
        let timeout = Output::Timeout(inner.timeout);
        Ok(inner.outputs.drain(..).chain([timeout]).collect())
    }

    /// Everything a support engineer wants to know of the player now.
    pub fn state(&self) -> Result<State, SdkError> {
        Ok(self.lock()?.player.state())
    }

    /// Every input so far, for `replay`; empty unless the configuration said to
    /// record.
    pub fn session_log(&self) -> Result<Vec<u8>, SdkError> {
        Ok(self.lock()?.player.session_log().to_vec())
    }
}

impl Player {
    /// A panic in an earlier call has left the player in an unknown state.
    fn lock(&self) -> Result<MutexGuard<'_, Inner>, SdkError> {
        self.0.lock().map_err(|_| SdkError::Broken)
    }
}

impl Inner {
    fn handle(&mut self, now: Timestamp, input: Input) {
        self.player.handle_input(now, input);
        self.timeout = loop {
            match self.player.poll_output() {
                Output::Timeout(timeout) => break timeout,
                output => self.outputs.push_back(output),
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kinora_core::io::Source;

    fn player() -> Arc<Player> {
        Player::new(Config::default(), Timestamp::default()).expect("nothing can go wrong")
    }

    fn load(at: u64) -> TimedInput {
        let source =
            Source { url: "https://cdn.example/a.mpd".to_owned(), format: None, start: None };
        TimedInput { at: Timestamp::from_micros(at), input: Input::Load(source) }
    }

    #[test]
    fn a_batch_is_drained_input_by_input_and_ends_with_one_timeout() {
        let player = player();
        player.handle_inputs(vec![load(5), load(9)]).expect("whole");
        let outputs = player.poll_outputs().expect("whole");
        let requests = outputs.iter().filter(|output| matches!(output, Output::Request(_))).count();
        assert_eq!(requests, 2);
        let timeouts: Vec<_> =
            outputs.iter().filter(|output| matches!(output, Output::Timeout(_))).collect();
        assert_eq!(timeouts, outputs.last().as_slice());
        assert_eq!(player.poll_outputs().expect("whole").len(), 1, "nothing is handed out twice");
    }

    #[test]
    fn a_player_that_broke_says_so() {
        let player = player();
        let shared = Arc::clone(&player);
        let fault = std::thread::spawn(move || {
            let _held = shared.lock();
            panic!("a fault in the middle of a call");
        });
        assert!(fault.join().is_err());
        assert_eq!(player.handle_inputs(vec![load(1)]), Err(SdkError::Broken));
        assert_eq!(player.state(), Err(SdkError::Broken));
    }
}
