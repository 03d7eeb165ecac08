//! A key session: which keys it is to hold, how far it has come, what may be done with them.

use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{KeySessionId, KeyState, KeyStatus, Warning};
use crate::presentation::{KeyId, Protection};
use crate::requests::Ticket;
use crate::time::Timestamp;

/// A key set, and the session that is to hold it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: KeySessionId,
    pub(super) ids: Vec<KeyId>,
    pub(super) protection: Protection,
    /// The same, and what its media said of it.
    pub(super) known: Protection,
    pub(super) stage: Stage,
    /// What it was created with, once it was.
    pub(super) data: Option<Vec<u8>>,
    /// When its keys were asked for last.
    pub(super) needed_at: Timestamp,
    /// What the key system asked with last.
    pub(super) message: Vec<u8>,
    pub(super) license: Option<Ticket>,
    /// It is no licence that was asked for, but the key itself.
    pub(super) bare: bool,
    pub(super) statuses: Vec<KeyState>,
    pub(super) denied: Option<Error>,
    pub(super) renew_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// For an initialisation segment to name the keys, or a fragment.
    Unnamed,
    /// For the key system to be open, or to ask.
    Waiting,
    /// For a licence, the first or a later one.
    Licensing,
    /// For the key system to take it.
    Updating,
    Licensed,
}

/// What may be done with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// It can be played.
    Granted,
    /// It is not known yet.
    Pending,
    /// It cannot be played.
    Denied,
}

/// The keys of a session that content needs.
pub(super) fn needed(protection: &Protection, session: &Session) -> Vec<KeyId> {
    // Where a key is named, others in the same initialisation data are those of other times.
    let named = &protection.key_ids;
    if named.is_empty() { session.ids.clone() } else { named.clone() }
}

impl Session {
    pub(super) fn status(&self, id: &KeyId) -> Option<KeyStatus> {
        let own = self.statuses.iter().find(|state| state.id == id);
        // A platform that hides the ids of keys tells of all of them.
        let hidden = || self.statuses.iter().find(|state| state.id.len() != id.len());
        own.or_else(hidden).map(|state| state.status)
    }

    pub(super) fn access(&self, ids: &[KeyId]) -> Access {
        let mut all = Access::Granted;
        let mut with = |status: Option<KeyStatus>| match status {
            Some(status) if status.decrypts() => {}
            Some(KeyStatus::Pending | KeyStatus::UsableInFuture) => all = all.max(Access::Pending),
            // A later licence may have what the first had not, or has no more.
            _ if self.denied.is_none() && self.stage != Stage::Licensed => {
                all = all.max(Access::Pending);
            }
            _ => all = Access::Denied,
        };
        if ids.is_empty() {
            // Keys without names: the session stands for them.
            let worst = self.statuses.iter().map(|state| Some(state.status));
            worst.chain(self.statuses.is_empty().then_some(None)).for_each(&mut with);
        } else {
            ids.iter().map(|id| self.status(id)).for_each(&mut with);
        }
        all
    }

    /// Its keys are not to be had. Said once.
    pub(super) fn deny(&mut self, cx: &mut Context<'_>, error: Error) {
        if self.denied.is_none() {
            cx.out.warn(Warning::Key { error: error.to_player_error(Severity::Recoverable) });
        }
        self.denied = Some(error);
    }
}

impl KeyStatus {
    pub(super) const fn decrypts(self) -> bool {
        matches!(self, Self::Usable | Self::OutputDownscaled)
    }
}

impl Access {
    pub(super) fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied, _) | (_, Self::Denied) => Self::Denied,
            (Self::Pending, _) | (_, Self::Pending) => Self::Pending,
            _ => Self::Granted,
        }
    }
}
