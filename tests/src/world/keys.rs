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
    /// Sessions that were created: the ids of their keys.
    pub created: Vec<Vec<Vec<u8>>>,
    /// What may be done with keys, once a licence has them: they are usable if it is not said.
    statuses: Vec<(Vec<u8>, KeyStatus)>,
    sessions: Vec<Session>,
    answers: Vec<(Timestamp, Input)>,
}

#[derive(Debug)]
struct Session {
    id: KeySessionId,
    keys: Vec<Vec<u8>>,
    licensed: bool,
    expired: bool,
    expires: Option<Timestamp>,
}

impl KeySystem {
    /// Whether the decoder waits for keys: there are none yet, or some may not be used any more.
    pub fn starves(&self) -> bool {
        let none = self.sessions.iter().all(|session| !session.licensed);
        none && !self.sessions.is_empty() || self.sessions.iter().any(|session| session.expired)
    }

    /// How many sessions there are.
    pub fn held(&self) -> usize {
        self.sessions.len()
    }

    /// Says what may be done with a key, from now on.
    pub fn set_status(&mut self, now: Timestamp, key: [u8; 16], status: KeyStatus) {
        self.statuses.retain(|(other, _)| *other != key);
        self.statuses.push((key.to_vec(), status));
        let holds = |session: &&Session| session.licensed && session.keys.iter().any(|k| *k == key);
        let told: Vec<Input> =
            self.sessions.iter().filter(holds).map(|one| one.statuses(&self.statuses)).collect();
        self.answers.extend(told.into_iter().map(|input| (now + THINKS, input)));
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
                self.created.push(keys.clone());
                let (licensed, expired, expires) = (false, false, None);
                self.sessions.push(Session { id: session, keys, licensed, expired, expires });
                answer(Input::KeyMessage { session, message: init_data });
            }
            LicenseCommand::Update { session, response } => {
                self.licences.push((now, response));
                let lasts = self.lasts;
                let known = self.sessions.iter_mut().find(|known| known.id == session);
                let known = known.expect("an update is of a session that was created");
                (known.licensed, known.expired) = (true, false);
                known.expires = lasts.map(|lasts| now + lasts);
                let input = known.statuses(&self.statuses);
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
        (session.expires, session.licensed, session.expired) = (None, false, true);
        Some(session.statuses(&[]))
    }
}

impl Session {
    fn statuses(&self, said: &[(Vec<u8>, KeyStatus)]) -> Input {
        let state = |id: &Vec<u8>| {
            let said = said.iter().find(|(key, _)| key == id).map(|(_, status)| *status);
            let status =
                if self.expired { KeyStatus::Expired } else { said.unwrap_or(KeyStatus::Usable) };
            KeyState { id: id.clone(), status }
        };
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
