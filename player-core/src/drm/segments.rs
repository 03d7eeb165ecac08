//! HLS encryption of whole segments (`AES-128`, RFC 8216bis §4.4.4.4 and §5.2), and of samples in transport streams
//! (`SAMPLE-AES`): a URL gives the key, and the player itself decrypts.

use kinora_cenc::{ContentKey, segment};

use super::system::Family;
use super::{Access, json};
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{RequestKind, Warning};
use crate::manifest::hls::data_uri;
use crate::presentation::{Protection, ProtectionMethod};
use crate::requests::{Outcome, Requests, Ticket, Wish};

/// Keys kept at once: of each quality, the one that holds and the next. One that is needed again is fetched again.
const MOST_KEYS: usize = 64;
/// `KEYFORMAT`: the URL gives the key itself.
pub(super) const IDENTITY: &str = "identity";

/// Keys of whole segments, the one asked for last at the end.
#[derive(Debug, Default)]
pub(super) struct SegmentKeys(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    url: String,
    state: State,
    /// It did not fit once, and was asked for again.
    again: bool,
}

/// What became of an attempt to decrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decrypted {
    Done,
    /// The key did not fit: it was replaced, maybe, and is asked for once more.
    Again,
    /// The key does not fit.
    Failed,
}

#[derive(Debug)]
enum State {
    Asked(Ticket),
    Here(ContentKey),
    Denied(Error),
}

/// Where the key of whole segments is; none if they are not encrypted so, or a key of another format is needed.
pub(super) fn key_url(protection: &Protection) -> Option<&str> {
    identity_url(protection).filter(|_| protection.method == ProtectionMethod::Aes128)
}

/// Where the key of samples is, if the URL gives the key itself. In transport streams the player decrypts them, in
/// fragmented MP4 a key system does.
pub(super) fn sample_key_url(protection: &Protection) -> Option<&str> {
    identity_url(protection).filter(|_| protection.method == ProtectionMethod::SampleAes)
}

fn identity_url(protection: &Protection) -> Option<&str> {
    let identity = protection.systems.iter().find(|system| {
        system.scheme == IDENTITY && (system.versions.is_empty() || system.versions.contains(&1))
    });
    identity?.uri.as_deref()
}

/// What came in place of a key.
pub(super) fn no_key(url: &str) -> Error {
    let reason = "a key is 16 bytes, and this is something else".to_owned();
    Error::Decryption { url: url.to_owned(), reason }
}

impl SegmentKeys {
    /// Asks for a key, unless that has been done.
    pub(super) fn need(&mut self, cx: &mut Context<'_>, requests: &mut Requests, url: &str) {
        if self.0.iter().any(|entry| entry.url == url) {
            return;
        }
        if self.0.len() >= MOST_KEYS
            && let Some(oldest) =
                self.0.iter().position(|entry| !matches!(entry.state, State::Asked(_)))
        {
            crate::items::take(&mut self.0, oldest);
        }
        let state = match data_uri(url) {
            Some(bytes) => State::of(cx, "the playlist", &bytes),
            None => State::ask(cx, requests, url),
        };
        self.0.push(Entry { url: url.to_owned(), state, again: false });
    }

    /// Takes what became of a request for a key, if it is one; gives it back if it is not.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Option<Outcome> {
        let asked = outcome.ticket();
        let mine =
            |entry: &&mut Entry| matches!(entry.state, State::Asked(ticket) if ticket == asked);
        let Some(entry) = self.0.iter_mut().find(mine) else { return Some(outcome) };
        let error = match outcome {
            Outcome::Delivered { body, url, .. } => {
                entry.state = State::of(cx, &url, &body);
                return None;
            }
            Outcome::Refused { status, body, url, .. } => {
                Error::License { url, status, said: json::problem(&body) }
            }
            Outcome::Failed { error, .. } => error,
            _ => return None,
        };
        entry.state = State::denied(cx, error);
        None
    }

    /// Whether a key was asked for.
    pub(super) fn knows(&self, url: &str) -> bool {
        self.state(url).is_some()
    }

    /// A key that is here.
    pub(super) fn key(&self, url: &str) -> Option<&ContentKey> {
        match self.state(url) {
            Some(State::Here(key)) => Some(key),
            _ => None,
        }
    }

    pub(super) fn access(&self, url: &str) -> Access {
        match self.state(url) {
            Some(State::Here(_)) => Access::Granted,
            Some(State::Denied(_)) => Access::Denied,
            Some(State::Asked(_)) | None => Access::Pending,
        }
    }

    /// Why a key is not to be had.
    pub(super) fn reason(&self, url: &str) -> Option<&Error> {
        match self.state(url) {
            Some(State::Denied(error)) => Some(error),
            _ => None,
        }
    }

    /// Decrypts what is encrypted as a whole, `number` being its media sequence number.
    pub(super) fn decrypt(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        protection: &Protection,
        (number, bytes): (Option<u64>, &mut Vec<u8>),
    ) -> Decrypted {
        let Some(url) = key_url(protection) else { return Decrypted::Failed };
        let Some(entry) = self.0.iter_mut().find(|entry| entry.url == url) else {
            return Decrypted::Failed;
        };
        // An initialisation segment has no number (RFC 8216bis §4.4.4.5).
        let iv = protection.iv.or(number.map(segment::iv_of_sequence));
        match (&entry.state, iv) {
            (State::Here(key), Some(iv)) if segment::decrypt(key, &iv, bytes).is_ok() => {
                entry.again = false;
                Decrypted::Done
            }
            (State::Here(_), Some(_)) if !entry.again && data_uri(url).is_none() => {
                entry.again = true;
                entry.state = State::ask(cx, requests, url);
                Decrypted::Again
            }
            _ => {
                self.judge(url, false);
                Decrypted::Failed
            }
        }
    }

    /// A key turned out to be the right one, or the wrong one.
    pub(super) fn judge(&mut self, url: &str, fits: bool) {
        if !fits {
            self.0.retain(|entry| entry.url != url || matches!(entry.state, State::Asked(_)));
        } else if let Some(entry) = self.0.iter_mut().find(|entry| entry.url == url) {
            entry.again = false;
        }
    }

    fn state(&self, url: &str) -> Option<&State> {
        self.0.iter().find(|entry| entry.url == url).map(|entry| &entry.state)
    }
}

impl State {
    fn ask(cx: &mut Context<'_>, requests: &mut Requests, url: &str) -> Self {
        let mut wish = Wish::new(RequestKind::Key, requests.origins.place(url));
        // A bare key is what ClearKey's licences hold, too.
        for system in &cx.config.drm.key_systems {
            if Family::of_key_system(&system.key_system) == Some(Family::ClearKey) {
                wish.headers.extend_from_slice(&system.headers);
            }
        }
        Self::Asked(requests.start(cx, wish))
    }

    fn of(cx: &mut Context<'_>, url: &str, bytes: &[u8]) -> Self {
        match ContentKey::from_slice(bytes) {
            Some(key) => Self::Here(key),
            None => Self::denied(cx, no_key(url)),
        }
    }

    fn denied(cx: &mut Context<'_>, error: Error) -> Self {
        cx.out.warn(Warning::Key { error: error.to_player_error(Severity::Recoverable) });
        Self::Denied(error)
    }
}
