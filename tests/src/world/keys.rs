//! The platform's key system: it asks for licences, takes them, and lets them expire.

use std::time::Duration;

use kinora_core::io::{Input, KeySessionId, KeyState, KeyStatus, LicenseCommand};
use kinora_core::time::Timestamp;

/// It takes so long to answer.
const THINKS: Duration = Duration::from_millis(5);

/// `org.w3.clearkey`, but that its licences may expire.
#[derive(Debug, Default)]
pub struct KeySystem {
    /// Keys may be used so long after a licence; for ever if it is not said.
    pub lasts: Option<Duration>,
    /// Licences it was given, with the instant.
    pub licences: Vec<(Timestamp, Vec<u8>)>,
    sessions: Vec<Session>,
    answers: Vec<(Timestamp, Input)>,
}

#[derive(Debug)]
struct Session {
    id: KeySessionId,
    keys: Vec<Vec<u8>>,
    licensed: bool,
    expires: Option<Timestamp>,
}

impl KeySystem {
    /// Whether the decoder waits for keys: some that were asked for may not be used.
    pub fn starves(&self) -> bool {
        self.sessions.iter().any(|session| !session.licensed)
    }

    pub(crate) fn execute(&mut self, now: Timestamp, command: LicenseCommand) {
        let mut answer = |input| self.answers.push((now + THINKS, input));
        match command {
            LicenseCommand::Open { systems } => {
                let name = "org.w3.clearkey".to_owned();
                let there = systems.iter().any(|offer| offer.key_system == name);
                let reason = "only ClearKey".to_owned();
                answer(Input::KeySystem { opened: there.then_some(name), reason });
            }
            LicenseCommand::Create { session, init_data, .. } => {
                let keys = key_ids(&init_data);
                let (licensed, expires) = (false, None);
                self.sessions.push(Session { id: session, keys, licensed, expires });
                answer(Input::KeyMessage { session, message: init_data });
            }
            LicenseCommand::Update { session, response } => {
                self.licences.push((now, response));
                let lasts = self.lasts;
                let known = self.sessions.iter_mut().find(|known| known.id == session);
                let known = known.expect("an update is of a session that was created");
                known.licensed = true;
                known.expires = lasts.map(|lasts| now + lasts);
                let input = known.statuses(KeyStatus::Usable);
                self.answers.push((now + THINKS, input));
            }
            LicenseCommand::Close { session } => self.sessions.retain(|one| one.id != session),
            LicenseCommand::Shut => {
                self.sessions.clear();
                self.answers.clear();
            }
            other => panic!("this key system does not know {other:?}"),
        }
    }

    /// When it says something next.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        let answers = self.answers.iter().map(|(at, _)| *at);
        answers.chain(self.sessions.iter().filter_map(|session| session.expires)).min()
    }

    /// What it says now.
    pub(crate) fn advance(&mut self, now: Timestamp) -> Option<Input> {
        if let Some(position) = self.answers.iter().position(|(at, _)| *at <= now) {
            return Some(self.answers.remove(position).1);
        }
        let due = |session: &&mut Session| session.expires.is_some_and(|at| at <= now);
        let session = self.sessions.iter_mut().find(due)?;
        (session.expires, session.licensed) = (None, false);
        Some(session.statuses(KeyStatus::Expired))
    }
}

impl Session {
    fn statuses(&self, status: KeyStatus) -> Input {
        let state = |id: &Vec<u8>| KeyState { id: id.clone(), status };
        Input::KeyStatuses { session: self.id, statuses: self.keys.iter().map(state).collect() }
    }
}

/// The keys that initialisation data of the type `keyids` names.
fn key_ids(data: &[u8]) -> Vec<Vec<u8>> {
    let json: serde_json::Value = serde_json::from_slice(data).expect("key ids in JSON");
    let ids = json["kids"].as_array().expect("an array of key ids");
    ids.iter().map(|id| base64url(id.as_str().expect("a key id in base64url"))).collect()
}

fn base64url(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.chars() {
        bits = bits << 6 | DIGITS.find(digit).expect("a digit of base64url") as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}
