//! The key system `org.w3.clearkey`.

use crate::KeyRing;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use kinora_cenc::ContentKey;
use kinora_core::io::{Input, KeySessionId, KeyState, KeyStatus, LicenseCommand};
use kinora_core::presentation::KeyId;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Its name.
pub const NAME: &str = "org.w3.clearkey";
/// A licence with more keys is none.
const MOST_KEYS: usize = 4096;

/// The sessions of one player.
#[derive(Default)]
pub struct ClearKey {
    sessions: HashMap<KeySessionId, Vec<KeyId>>,
}

/// Initialisation data of the type `keyids`, and a licence request, which says its `type` besides.
#[derive(Serialize, Deserialize)]
struct KeyIds {
    kids: Vec<String>,
    #[serde(rename = "type", default = "temporary")]
    kind: String,
}

fn temporary() -> String {
    "temporary".to_owned()
}

/// A licence: a JSON Web Key set.
#[derive(Deserialize)]
struct License {
    keys: Vec<JsonWebKey>,
}

#[derive(Deserialize)]
struct JsonWebKey {
    kid: String,
    k: String,
}

impl ClearKey {
    /// Carries out what the core asks for; the answers are inputs.
    pub fn execute(&mut self, command: LicenseCommand, keys: &mut KeyRing) -> Vec<Input> {
        match command {
            LicenseCommand::Open { systems } => {
                let there = systems.iter().any(|offer| offer.key_system == NAME);
                vec![Input::KeySystem {
                    opened: there.then(|| NAME.to_owned()),
                    reason: format!("this player knows {NAME} alone"),
                }]
            }
            LicenseCommand::Create { session, init_data, .. } => {
                let Ok(asked) = serde_json::from_slice::<KeyIds>(&init_data) else {
                    let reason = "the initialisation data names no keys".to_owned();
                    return vec![Input::KeySessionFailed { session, reason }];
                };
                self.sessions.insert(session, Vec::new());
                let message = serde_json::to_vec(&asked).unwrap_or_default();
                vec![Input::KeyMessage { session, message }]
            }
            LicenseCommand::Update { session, response } => {
                vec![match self.update(session, &response, keys) {
                    Ok(statuses) => Input::KeyStatuses { session, statuses },
                    Err(reason) => Input::KeySessionFailed { session, reason: reason.to_owned() },
                }]
            }
            LicenseCommand::Close { session } => {
                self.forget(session, keys);
                Vec::new()
            }
            LicenseCommand::Shut => {
                for session in self.sessions.keys().copied().collect::<Vec<_>>() {
                    self.forget(session, keys);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Takes a licence: all of it, or nothing.
    fn update(
        &mut self,
        session: KeySessionId,
        response: &[u8],
        ring: &mut KeyRing,
    ) -> Result<Vec<KeyState>, &'static str> {
        let held = self.sessions.get_mut(&session).ok_or("there is no such session")?;
        // What is wrong with it is not quoted: it holds keys.
        let license: License =
            serde_json::from_slice(response).map_err(|_| "the licence is no JSON Web Key set")?;
        if license.keys.is_empty() || license.keys.len() > MOST_KEYS {
            return Err("the licence has no key, or too many");
        }
        let bytes = |text: &str| BASE64URL.decode(text.trim_end_matches('=')).ok();
        let mut keys = Vec::new();
        for JsonWebKey { kid, k } in &license.keys {
            let id = bytes(kid).and_then(|id| KeyId::try_from(id).ok());
            let key = bytes(k).and_then(|key| ContentKey::from_slice(&key));
            keys.push(id.zip(key).ok_or("a key of the licence or its id is not 16 bytes")?);
        }
        for (id, key) in keys {
            ring.add(id, &key);
            if !held.contains(&id) {
                held.push(id);
            }
        }
        let usable = |id: &KeyId| KeyState { id: id.to_vec(), status: KeyStatus::Usable };
        Ok(held.iter().map(usable).collect())
    }

    fn forget(&mut self, session: KeySessionId, ring: &mut KeyRing) {
        for id in self.sessions.remove(&session).unwrap_or_default() {
            if !self.sessions.values().any(|others| others.contains(&id)) {
                ring.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: KeySessionId = KeySessionId(1);

    fn create(clear_key: &mut ClearKey, ring: &mut KeyRing, data: &str) -> Vec<Input> {
        let init_data = data.as_bytes().to_vec();
        let (session, init_data_type) = (SESSION, "keyids".to_owned());
        let command =
            LicenseCommand::Create { session, init_data_type, init_data, persistent: false };
        clear_key.execute(command, ring)
    }

    fn update(clear_key: &mut ClearKey, ring: &mut KeyRing, license: &str) -> Vec<Input> {
        let response = license.as_bytes().to_vec();
        clear_key.execute(LicenseCommand::Update { session: SESSION, response }, ring)
    }

    #[test]
    fn a_licence_opens_its_keys_and_nothing_else_does() {
        let (mut clear_key, mut ring) = (ClearKey::default(), KeyRing::default());
        let asked = create(&mut clear_key, &mut ring, r#"{"kids":["AAAAAAAAAAAAAAAAAAAAAA"]}"#);
        let message = br#"{"kids":["AAAAAAAAAAAAAAAAAAAAAA"],"type":"temporary"}"#.to_vec();
        assert_eq!(asked, [Input::KeyMessage { session: SESSION, message }]);
        for wrong in [
            "",
            "[]",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kty":"oct","kid":"AAAAAAAAAAAAAAAAAAAAAA","k":"canary"}]}"#,
        ] {
            let refused = update(&mut clear_key, &mut ring, wrong);
            let [Input::KeySessionFailed { reason, .. }] = refused.as_slice() else {
                panic!("{refused:?}");
            };
            assert!(!reason.contains("canary"), "{reason}");
            assert!(ring.is_empty());
        }
        let license = r#"{"keys":[{"kty":"oct","kid":"AAAAAAAAAAAAAAAAAAAAAA","k":"AQEBAQEBAQEBAQEBAQEBAQ"}],"type":"temporary"}"#;
        let told = update(&mut clear_key, &mut ring, license);
        let statuses = vec![KeyState { id: vec![0; 16], status: KeyStatus::Usable }];
        assert_eq!(told, [Input::KeyStatuses { session: SESSION, statuses }]);
        assert!(!ring.is_empty());
        clear_key.execute(LicenseCommand::Shut, &mut ring);
        assert!(ring.is_empty(), "nothing stays when it is over");
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_server_says_is_taken_whole_or_not_at_all(answer in answer()) {
            let (mut clear_key, mut ring) = (ClearKey::default(), KeyRing::default());
            create(&mut clear_key, &mut ring, r#"{"kids":["AAAAAAAAAAAAAAAAAAAAAA"]}"#);
            match update(&mut clear_key, &mut ring, &answer).as_slice() {
                [Input::KeySessionFailed { reason, .. }] => {
                    assert!(ring.is_empty());
                    assert!(!reason.contains("AQEB"), "{reason}");
                }
                [Input::KeyStatuses { statuses, .. }] => {
                    assert!(!ring.is_empty() && !statuses.is_empty());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Licences, and what is nearly one.
    fn answer() -> impl proptest::strategy::Strategy<Value = String> {
        use proptest::prelude::*;
        let text = prop_oneof![
            Just("AQEBAQEBAQEBAQEBAQEBAQ".to_owned()),
            Just("AQEBAQEBAQEBAQEBAQEBAQ==".to_owned()),
            Just("AQEB".to_owned()),
            "[A-Za-z0-9_=-]{0,30}",
        ];
        let key = (text.clone(), text, "kty|kid|k|other")
            .prop_map(|(kid, k, other)| format!(r#"{{"kid":"{kid}","k":"{k}","{other}x":1}}"#));
        let keys = proptest::collection::vec(key, 0..4);
        let licence = keys.prop_map(|keys| format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
        prop_oneof![4 => licence, 1 => ".{0,40}"]
    }
}
