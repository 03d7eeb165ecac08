//! Signing in on a screen without a keyboard: the device authorisation grant (RFC 8628).

use crate::{
    clock::UnixTime,
    id::{AccountId, hex, random},
    storage::{
        self, Sessions,
        sessions::{Expected, Versioned},
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A code is good for so long.
pub const EXPIRES_IN: u32 = 600;
/// A device waits so long between two questions.
pub const INTERVAL: u32 = 5;
/// How often a new user code is drawn if one is taken.
const DRAWS: usize = 8;

/// What is kept of a device that waits.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    user_code: String,
    device: String,
    expires: UnixTime,
    interval: u32,
    asked_at: Option<UnixTime>,
    decision: Decision,
}

/// What has been decided about a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// Nothing yet.
    Pending,
    /// It may sign in to this account, under this epoch.
    Approved(AccountId, u32),
    /// It may not.
    Denied,
}

/// The codes that a device begins with.
#[derive(Debug, Clone)]
pub struct Codes {
    /// What the device proves itself with.
    pub device_code: String,
    /// What its owner types in elsewhere.
    pub user_code: String,
}

/// What a device is told when it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It may sign in to this account, under this epoch, under the name it gave. Told once.
    Approved(AccountId, u32, String),
    /// Nobody has decided.
    Pending,
    /// It has to ask less often.
    SlowDown,
    /// It was refused.
    Denied,
    /// Its code has expired.
    Expired,
    /// There is no such code, or it has been used.
    Unknown,
}

/// The devices that wait, over a storage.
#[derive(Clone)]
pub struct Devices {
    sessions: Arc<dyn Sessions>,
}

impl Devices {
    /// Devices in a storage.
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self { sessions }
    }

    /// Gives a device its codes.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn begin(&self, device: String, now: UnixTime) -> storage::Result<Codes> {
        let device_code = format!("{PREFIX}{}", BASE64URL.encode(random::<32>()));
        let key = key(&device_code);
        let expires = now.plus(EXPIRES_IN);
        for _ in 0..DRAWS {
            let user_code = user_code();
            let by_user = user_key(&user_code);
            let free = Expected::Absent;
            if self.sessions.write(&by_user, free, key.as_bytes(), expires, now).await?.is_none() {
                continue;
            }
            let waiting = Waiting {
                user_code: user_code.clone(),
                device,
                expires,
                interval: INTERVAL,
                asked_at: None,
                decision: Decision::Pending,
            };
            self.write(&key, Expected::Absent, &waiting, now).await?;
            return Ok(Codes { device_code, user_code });
        }
        Err(storage::Error::Unavailable { reason: "every user code drawn is taken".to_owned() })
    }

    /// Answers a device that asks.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn ask(&self, device_code: &str, now: UnixTime) -> storage::Result<Asked> {
        let key = key(device_code);
        loop {
            let Some((version, waiting)) = self.read(&key, now).await? else {
                return Ok(Asked::Unknown);
            };
            if waiting.expires <= now {
                return Ok(Asked::Expired);
            }
            let waited = waiting.asked_at.map_or(u64::MAX, |at| now.since(at));
            let early = waited < u64::from(waiting.interval);
            if let (Decision::Pending, _) | (_, true) = (&waiting.decision, early) {
                let more = if early { 5 } else { 0 };
                let interval = waiting.interval.saturating_add(more);
                let waiting = Waiting { interval, asked_at: Some(now), ..waiting };
                if !self.write(&key, Expected::Version(version), &waiting, now).await? {
                    continue;
                }
                return Ok(if early { Asked::SlowDown } else { Asked::Pending });
            }
            if self.sessions.remove(&key, version, now).await? {
                return Ok(match waiting.decision {
                    Decision::Approved(account, epoch) => {
                        Asked::Approved(account, epoch, waiting.device)
                    }
                    _ => Asked::Denied,
                });
            }
        }
    }

    /// The name of the device that shows a user code, while nobody has decided about it.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn find(&self, user_code: &str, now: UnixTime) -> storage::Result<Option<String>> {
        let Some((_, _, waiting)) = self.pending(user_code, now).await? else { return Ok(None) };
        Ok(Some(waiting.device))
    }

    /// Decides about the device that shows a user code; false when none does, or somebody has decided.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn decide(
        &self,
        user_code: &str,
        decision: Decision,
        now: UnixTime,
    ) -> storage::Result<bool> {
        loop {
            let Some((key, version, waiting)) = self.pending(user_code, now).await? else {
                return Ok(false);
            };
            let waiting = Waiting { decision: decision.clone(), ..waiting };
            if self.write(&key, Expected::Version(version), &waiting, now).await? {
                return Ok(true);
            }
        }
    }

    async fn pending(
        &self,
        user_code: &str,
        now: UnixTime,
    ) -> storage::Result<Option<(String, u64, Waiting)>> {
        let Some(user_code) = parse_user_code(user_code) else { return Ok(None) };
        let Some(record) = self.sessions.read(&user_key(&user_code), now).await? else {
            return Ok(None);
        };
        let key = String::from_utf8_lossy(&record.value).into_owned();
        let Some((version, waiting)) = self.read(&key, now).await? else { return Ok(None) };
        let open = waiting.decision == Decision::Pending && waiting.expires > now;
        Ok((open && waiting.user_code == user_code).then_some((key, version, waiting)))
    }

    async fn read(&self, key: &str, now: UnixTime) -> storage::Result<Option<(u64, Waiting)>> {
        let Some(Versioned { version, value }) = self.sessions.read(key, now).await? else {
            return Ok(None);
        };
        match serde_json::from_slice(&value) {
            Ok(waiting) => Ok(Some((version, waiting))),
            Err(error) => {
                Err(storage::Error::Damaged { what: "device", reason: error.to_string() })
            }
        }
    }

    async fn write(
        &self,
        key: &str,
        expected: Expected,
        waiting: &Waiting,
        now: UnixTime,
    ) -> storage::Result<bool> {
        let value = serde_json::to_vec(waiting).unwrap_or_default();
        // Kept for longer than it is good, so that a late device is told what happened.
        let kept = waiting.expires.plus(EXPIRES_IN);
        Ok(self.sessions.write(key, expected, &value, kept, now).await?.is_some())
    }
}

const PREFIX: &str = "kinora_dc_";
/// Consonants alone make no words, and none of these is taken for another (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const USER_CODE: usize = 8;

/// The code itself is not kept.
fn key(device_code: &str) -> String {
    format!("device/{}", hex(&Sha256::digest(device_code)))
}

fn user_key(user_code: &str) -> String {
    format!("user-code/{user_code}")
}

fn user_code() -> String {
    let mut code = String::with_capacity(USER_CODE);
    while code.len() < USER_CODE {
        // 240 is the largest multiple of 20 in a byte: beyond it some letters would be likelier.
        let letters = random::<16>().into_iter().filter(|byte| *byte < 240);
        for byte in letters.take(USER_CODE - code.len()) {
            code.push(char::from(LETTERS[usize::from(byte) % LETTERS.len()]));
        }
    }
    code
}

/// A user code as people type it: in any case, with what they put between its letters.
fn parse_user_code(text: &str) -> Option<String> {
    if text.len() > 32 {
        return None;
    }
    let separator = |c: &char| !(c.is_whitespace() || *c == '-');
    let code = text.chars().filter(separator).collect::<String>().to_ascii_uppercase();
    let whole = code.len() == USER_CODE && code.bytes().all(|letter| LETTERS.contains(&letter));
    whole.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::SqliteSessions;

    const NOW: UnixTime = UnixTime(1_000_000);

    async fn devices() -> (tempfile::TempDir, Devices) {
        let directory = tempfile::tempdir().unwrap();
        let sessions = SqliteSessions::open(directory.path()).await.unwrap();
        (directory, Devices::new(Arc::new(sessions)))
    }

    #[tokio::test]
    async fn a_device_signs_in_once_when_it_was_approved() {
        let (_directory, devices) = devices().await;
        let codes = devices.begin("TV".to_owned(), NOW).await.unwrap();
        let ask = |later| devices.ask(&codes.device_code, NOW.plus(later));
        assert_eq!(ask(0).await.unwrap(), Asked::Pending);
        let typed = format!(" {}-{}", &codes.user_code[..4].to_lowercase(), &codes.user_code[4..]);
        assert_eq!(devices.find(&typed, NOW).await.unwrap().as_deref(), Some("TV"));
        let account = AccountId::random();
        let approved = Decision::Approved(account.clone(), 3);
        assert!(devices.decide(&typed, approved, NOW).await.unwrap());
        assert!(!devices.decide(&typed, Decision::Denied, NOW).await.unwrap(), "decided once");
        assert_eq!(devices.find(&typed, NOW).await.unwrap(), None);
        assert_eq!(ask(5).await.unwrap(), Asked::Approved(account, 3, "TV".to_owned()));
        assert_eq!(ask(10).await.unwrap(), Asked::Unknown, "used");
    }

    #[tokio::test]
    async fn a_device_that_hurries_has_to_wait_longer_each_time() {
        let (_directory, devices) = devices().await;
        let codes = devices.begin("TV".to_owned(), NOW).await.unwrap();
        let ask = |later| devices.ask(&codes.device_code, NOW.plus(later));
        assert_eq!(ask(0).await.unwrap(), Asked::Pending);
        assert_eq!(ask(4).await.unwrap(), Asked::SlowDown);
        assert_eq!(ask(13).await.unwrap(), Asked::SlowDown, "ten seconds by now");
        assert_eq!(ask(28).await.unwrap(), Asked::Pending, "fifteen");
        let account = AccountId::random();
        let approved = Decision::Approved(account, 0);
        assert!(devices.decide(&codes.user_code, approved, NOW).await.unwrap());
        assert_eq!(ask(29).await.unwrap(), Asked::SlowDown);
        assert!(matches!(ask(49).await.unwrap(), Asked::Approved(..)));
    }

    #[tokio::test]
    async fn a_refused_a_late_and_an_invented_device_are_told_apart() {
        let (_directory, devices) = devices().await;
        let codes = devices.begin("TV".to_owned(), NOW).await.unwrap();
        assert!(devices.decide(&codes.user_code, Decision::Denied, NOW).await.unwrap());
        assert_eq!(devices.ask(&codes.device_code, NOW).await.unwrap(), Asked::Denied);
        let codes = devices.begin("TV".to_owned(), NOW).await.unwrap();
        let late = NOW.plus(EXPIRES_IN);
        assert_eq!(devices.find(&codes.user_code, late).await.unwrap(), None);
        assert!(!devices.decide(&codes.user_code, Decision::Denied, late).await.unwrap());
        assert_eq!(devices.ask(&codes.device_code, late).await.unwrap(), Asked::Expired);
        assert_eq!(devices.ask("kinora_dc_x", NOW).await.unwrap(), Asked::Unknown);
        assert_eq!(devices.ask("", NOW).await.unwrap(), Asked::Unknown);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_that_ask_at_once_one_signs_in() {
        let (_directory, devices) = devices().await;
        let codes = devices.begin("TV".to_owned(), NOW).await.unwrap();
        let approved = Decision::Approved(AccountId::random(), 0);
        devices.decide(&codes.user_code, approved, NOW).await.unwrap();
        let asked: Vec<_> = (0..8)
            .map(|_| {
                let (devices, code) = (devices.clone(), codes.device_code.clone());
                tokio::spawn(async move { devices.ask(&code, NOW).await.unwrap() })
            })
            .collect();
        let mut approved = 0;
        for asked in asked {
            approved += usize::from(matches!(asked.await.unwrap(), Asked::Approved(..)));
        }
        assert_eq!(approved, 1);
    }

    #[test]
    fn a_user_code_is_read_as_it_is_typed() {
        assert_eq!(parse_user_code("bcdf-ghjk").as_deref(), Some("BCDFGHJK"));
        for text in ["", "BCDFGHJ", "BCDFGHJKL", "ACDFGHJK", "ßCDFGHJK", &"B".repeat(1000)] {
            assert_eq!(parse_user_code(text), None, "{text}");
        }
        assert_eq!(parse_user_code(&user_code()).map(|code| code.len()), Some(USER_CODE));
    }
}
