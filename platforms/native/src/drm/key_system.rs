//! The key system of a player, as an app may hand over one of its own.

use kinora_clearkey::{ClearKey, KeyRing};
use kinora_core::io::{Input, KeySessionId, KeyState, LicenseCommand};
use tokio::sync::mpsc;

/// What carries out the core's wishes for keys: ClearKey, unless an app gives [`Options`](crate::Options) another, for
/// tests or for a device that has one.
///
/// It decides nothing. Which sessions there are and when licences are asked for is the core's to say; the requests for
/// them are the player's to make. Keys go into the [`KeyRing`] that the media element decrypts with.
pub trait KeySystem: Send {
    /// Carries out a command; it must not block. What comes of it goes to `answers`, now or later: whether a key system
    /// is open after `Open`, a message whenever a session asks its licence server, statuses after every `Update` and
    /// every change, or that a session failed.
    fn execute(&mut self, command: LicenseCommand, keys: &mut KeyRing, answers: &KeyAnswers);
}

impl KeySystem for ClearKey {
    fn execute(&mut self, command: LicenseCommand, keys: &mut KeyRing, answers: &KeyAnswers) {
        for answer in ClearKey::execute(self, command, keys) {
            answers.tell(answer);
        }
    }
}

/// Where a key system answers, from any thread. What a stopped player is told is lost.
#[derive(Clone, Debug)]
pub struct KeyAnswers(mpsc::UnboundedSender<Input>);

impl KeyAnswers {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Input>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// The key system of this name is open: one that was offered.
    pub fn opened(&self, name: impl Into<String>) {
        self.tell(Input::KeySystem { opened: Some(name.into()), reason: String::new() });
    }

    /// None of those that were offered is there; in words that an error may repeat.
    pub fn unavailable(&self, reason: impl Into<String>) {
        self.tell(Input::KeySystem { opened: None, reason: reason.into() });
    }

    /// A session asks its licence server this.
    pub fn message(&self, session: KeySessionId, message: Vec<u8>) {
        self.tell(Input::KeyMessage { session, message });
    }

    /// All keys of a session, and what may be done with them.
    pub fn statuses(&self, session: KeySessionId, statuses: Vec<KeyState>) {
        self.tell(Input::KeyStatuses { session, statuses });
    }

    /// A session could not be made, or did not take its licence; in words that an error may repeat, so without keys.
    pub fn failed(&self, session: KeySessionId, reason: impl Into<String>) {
        self.tell(Input::KeySessionFailed { session, reason: reason.into() });
    }

    fn tell(&self, answer: Input) {
        let _ = self.0.send(answer);
    }
}
