//! Keys: which content needs which, the platform's key system that holds them, and the licences that give them.
//!
//! A key set is asked for once, as soon as a manifest names it and before anything that it decrypts is
//! appended. What a licence does not give, or the key system does not let be used, masks what it would have decrypted:
//! the rest plays on.

mod json;
mod system;
#[cfg(test)]
mod tests;

pub(crate) use system::decryptable;

use self::system::Family;
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{
    KeySessionId, KeyState, KeyStatus, KeySystemOffer, LicenseCommand, MediaKind, RequestKind,
    Warning,
};
use crate::presentation::{KeyId, Presentation, Protection, Segments};
use crate::requests::{Outcome, Requests, Ticket, Wish};
use crate::telemetry::{TimerReason, TimerState};
use crate::time::Timestamp;

/// Types that a key system is asked about, of each kind.
const MOST_TYPES: usize = 4;
/// Key sessions at once: what one presentation needs many times over.
const MOST_SESSIONS: usize = 256;

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

/// The keys of one presentation.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    system: System,
    sessions: Vec<Session>,
    last_session: u64,
    video: Vec<String>,
    audio: Vec<String>,
}

#[derive(Debug, Default)]
enum System {
    #[default]
    Unneeded,
    Opening(Vec<KeySystemOffer>),
    Open {
        name: String,
        family: Family,
    },
    Failed(Error),
}

/// A key set, and the session that is to hold it.
#[derive(Debug)]
struct Session {
    id: KeySessionId,
    ids: Vec<KeyId>,
    protection: Protection,
    stage: Stage,
    /// What the key system asked with last.
    message: Vec<u8>,
    license: Option<Ticket>,
    statuses: Vec<KeyState>,
    denied: Option<Error>,
    renew_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For the key system to be open, or to ask.
    Waiting,
    /// For a licence, the first or a later one.
    Licensing,
    /// For the key system to take it.
    Updating,
    Licensed,
}

impl Keys {
    /// Asks for every key that a manifest names.
    pub(crate) fn survey(&mut self, cx: &mut Context<'_>, presentation: &Presentation) {
        let sets = || presentation.periods.iter().flat_map(|period| &period.sets);
        for set in sets() {
            let types = match set.kind {
                MediaKind::Video => &mut self.video,
                MediaKind::Audio => &mut self.audio,
                MediaKind::Text => continue,
            };
            for representation in &set.representations {
                let mime_type = representation.mime_type();
                // Key systems are not asked about a container whose codecs are not known.
                let known = !representation.codecs.is_empty();
                if known && types.len() < MOST_TYPES && !types.contains(&mime_type) {
                    types.push(mime_type);
                }
            }
        }
        for protection in &presentation.protection {
            self.need(cx, protection);
        }
        for representation in sets().flat_map(|set| &set.representations) {
            if let Some(protection) = &representation.protection {
                self.need(cx, protection);
            } else if let Segments::Known(index) = &representation.segments {
                index.keys().iter().for_each(|protection| self.need(cx, protection));
            }
        }
    }

    /// Asks for keys, unless that has been done.
    pub(crate) fn need(&mut self, cx: &mut Context<'_>, protection: &Protection) {
        if !decryptable(protection) || self.session(protection).is_some() {
            return;
        }
        if self.sessions.len() >= MOST_SESSIONS {
            return;
        }
        self.last_session += 1;
        self.sessions.push(Session {
            id: KeySessionId(self.last_session),
            ids: system::key_ids(protection),
            protection: protection.clone(),
            stage: Stage::Waiting,
            message: Vec::new(),
            license: None,
            statuses: Vec::new(),
            denied: None,
            renew_at: None,
        });
        match &self.system {
            System::Unneeded => self.open(cx, self.sessions.len() - 1),
            System::Open { .. } => self.create(cx, self.sessions.len() - 1),
            System::Opening(_) | System::Failed(_) => {}
        }
    }

    /// What may be done with content that is so protected.
    pub(crate) fn access(&self, protection: Option<&Protection>) -> Access {
        let Some(protection) = protection else { return Access::Granted };
        if !decryptable(protection) || matches!(self.system, System::Failed(_)) {
            return Access::Denied;
        }
        match self.session(protection) {
            Some(session) => session.access(&needed(protection, session)),
            None if self.sessions.len() >= MOST_SESSIONS => Access::Denied,
            None => Access::Pending,
        }
    }

    /// Why content that is so protected cannot be played.
    pub(crate) fn reason(&self, protection: &Protection) -> Error {
        if let System::Failed(error) = &self.system {
            return error.clone();
        }
        let session = self.session(protection);
        let denied = session.and_then(|session| session.denied.clone());
        denied.unwrap_or(Error::Key { status: KeyStatus::InternalError.name().to_owned() })
    }

    /// The session that holds these keys or is to.
    fn session(&self, protection: &Protection) -> Option<&Session> {
        let ids = &protection.key_ids;
        self.sessions.iter().find(|session| match ids.is_empty() {
            true => session.protection.systems == protection.systems,
            false => ids.iter().all(|id| session.ids.contains(id)),
        })
    }

    fn open(&mut self, cx: &mut Context<'_>, first: usize) {
        let Some(session) = self.sessions.get(first) else { return };
        let types = (self.video.as_slice(), self.audio.as_slice());
        let systems = system::offers(&cx.config.drm, &session.protection, &session.ids, types);
        if systems.is_empty() {
            let mut named = String::new();
            for system in &session.protection.systems {
                named.push_str(if named.is_empty() { "" } else { ", " });
                named.push_str(&system.scheme);
            }
            let reason =
                "no key system of the manifest's has a licence URL, in it or in the configuration";
            self.fail(cx, Error::KeySystem { systems: named, reason: reason.to_owned() });
            return;
        }
        cx.out.license(LicenseCommand::Open { systems: systems.clone() });
        self.system = System::Opening(systems);
    }

    fn fail(&mut self, cx: &mut Context<'_>, error: Error) {
        cx.out.warn(Warning::Key { error: error.to_player_error(Severity::Recoverable) });
        self.system = System::Failed(error);
    }

    /// The host has opened a key system, or none.
    pub(crate) fn opened(&mut self, cx: &mut Context<'_>, name: Option<String>, reason: String) {
        let System::Opening(offers) = &self.system else { return };
        let family = name.as_deref().and_then(Family::of_key_system);
        match (name, family) {
            (Some(name), Some(family)) => {
                self.system = System::Open { name, family };
                for session in 0..self.sessions.len() {
                    self.create(cx, session);
                }
            }
            _ => {
                let mut systems = String::new();
                for offer in offers {
                    systems.push_str(if systems.is_empty() { "" } else { ", " });
                    systems.push_str(&offer.key_system);
                }
                self.fail(cx, Error::KeySystem { systems, reason });
            }
        }
    }

    fn create(&mut self, cx: &mut Context<'_>, session: usize) {
        let System::Open { name, family } = &self.system else { return };
        let Some(session) = self.sessions.get_mut(session) else { return };
        let Some((kind, data)) = family.init_data(&session.protection, &session.ids) else {
            let reason = "the manifest has nothing for the key system that is open".to_owned();
            session.deny(cx, Error::KeySession { reason });
            return;
        };
        let own = cx.config.drm.key_systems.iter().find(|own| own.key_system == *name);
        let persistent = own.is_some_and(|own| own.persistent);
        cx.out.license(LicenseCommand::Create {
            session: session.id,
            init_data_type: kind.to_owned(),
            init_data: data,
            persistent,
        });
    }

    /// The key system asks for a licence.
    pub(crate) fn asked(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        id: KeySessionId,
        message: Vec<u8>,
    ) {
        if let Some(position) = self.sessions.iter().position(|session| session.id == id) {
            self.sessions[position].message = message;
            self.ask(cx, requests, position);
        }
    }

    /// Asks the licence server with the key system's last message.
    fn ask(&mut self, cx: &mut Context<'_>, requests: &mut Requests, position: usize) {
        let System::Open { name, family } = &self.system else { return };
        let Some(session) = self.sessions.get_mut(position) else { return };
        if let Some(before) = session.license.take() {
            requests.cancel(cx, before);
        }
        session.renew_at = None;
        let own = cx.config.drm.key_systems.iter().find(|own| own.key_system == *name);
        let url = own.and_then(|own| own.license_url.as_deref());
        let Some(url) = url.or(family.license_url(&session.protection)) else {
            let reason = "no licence URL is known".to_owned();
            session.deny(cx, Error::KeySession { reason });
            return;
        };
        let places = requests.origins.place(url);
        let mut wish = Wish::new(RequestKind::License, places);
        wish.post = Some(session.message.clone());
        wish.headers.push(("Content-Type".to_owned(), family.content_type().to_owned()));
        for header in own.into_iter().flat_map(|own| &own.headers) {
            wish.headers.push(header.clone());
        }
        session.stage = Stage::Licensing;
        session.license = Some(requests.start(cx, wish));
    }

    /// Takes what became of a licence request, if it is one; gives it back if it is not.
    pub(crate) fn take(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Option<Outcome> {
        let ticket = outcome.ticket();
        let System::Open { name, .. } = &self.system else { return Some(outcome) };
        let mut sessions = self.sessions.iter_mut();
        let Some(session) = sessions.find(|session| session.license == Some(ticket)) else {
            return Some(outcome);
        };
        match outcome {
            Outcome::Delivered { body, .. } => {
                session.license = None;
                session.stage = Stage::Updating;
                let own = cx.config.drm.key_systems.iter().find(|own| own.key_system == *name);
                let after = own.and_then(|own| own.renew_after);
                session.renew_at = after.map(|after| cx.now + after);
                cx.out.license(LicenseCommand::Update { session: session.id, response: body });
            }
            Outcome::Refused { status, body, url, .. } => {
                session.license = None;
                session.deny(cx, Error::License { url, status, said: json::problem(&body) });
            }
            Outcome::Failed { error, .. } => {
                session.license = None;
                session.deny(cx, error);
            }
            _ => {}
        }
        None
    }

    /// What may be done with the keys of a session, all of them.
    pub(crate) fn told(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        id: KeySessionId,
        statuses: Vec<KeyState>,
    ) {
        let Some(position) = self.sessions.iter().position(|session| session.id == id) else {
            return;
        };
        let session = &mut self.sessions[position];
        let expires = |state: &KeyState| state.status == KeyStatus::Expired;
        let expired = !session.statuses.iter().any(expires) && statuses.iter().any(expires);
        session.statuses = statuses;
        if session.stage == Stage::Updating {
            session.stage = Stage::Licensed;
            session.denied = None;
        }
        if expired && session.stage == Stage::Licensed && !session.message.is_empty() {
            self.ask(cx, requests, position);
            return;
        }
        if session.access(&session.ids) == Access::Denied && session.denied.is_none() {
            let unusable = |id: &KeyId| match session.status(id) {
                Some(status) if status.decrypts() => None,
                status => Some(status.map_or("missing", KeyStatus::name)),
            };
            let status = session.ids.iter().find_map(unusable).unwrap_or("missing").to_owned();
            session.deny(cx, Error::Key { status });
        }
    }

    /// A session could not be created, or did not take its licence.
    pub(crate) fn failed(&mut self, cx: &mut Context<'_>, id: KeySessionId, reason: String) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) {
            session.deny(cx, Error::KeySession { reason });
        }
    }

    /// Renews what is due.
    pub(crate) fn tick(&mut self, cx: &mut Context<'_>, requests: &mut Requests) {
        for position in 0..self.sessions.len() {
            if self.sessions[position].renew_at.is_some_and(|at| at <= cx.now) {
                self.ask(cx, requests, position);
            }
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(crate) fn timer(&self) -> Option<TimerState> {
        let at = self.sessions.iter().filter_map(|session| session.renew_at).min()?;
        Some(TimerState { reason: TimerReason::License, at })
    }

    /// Gives everything back.
    pub(crate) fn shut(&mut self, cx: &mut Context<'_>) {
        if matches!(self.system, System::Opening(_) | System::Open { .. }) {
            cx.out.license(LicenseCommand::Shut);
        }
    }
}

/// The keys of a session that content needs.
fn needed(protection: &Protection, session: &Session) -> Vec<KeyId> {
    // Where a key is named, others in the same initialisation data are those of other times.
    let named = &protection.key_ids;
    if named.is_empty() { session.ids.clone() } else { named.clone() }
}

impl Session {
    fn status(&self, id: &KeyId) -> Option<KeyStatus> {
        self.statuses.iter().find(|state| state.id == id).map(|state| state.status)
    }

    fn access(&self, ids: &[KeyId]) -> Access {
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
    fn deny(&mut self, cx: &mut Context<'_>, error: Error) {
        if self.denied.is_none() {
            cx.out.warn(Warning::Key { error: error.to_player_error(Severity::Recoverable) });
        }
        self.denied = Some(error);
    }
}

impl KeyStatus {
    const fn decrypts(self) -> bool {
        matches!(self, Self::Usable | Self::OutputDownscaled)
    }
}

impl Access {
    fn max(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied, _) | (_, Self::Denied) => Self::Denied,
            (Self::Pending, _) | (_, Self::Pending) => Self::Pending,
            _ => Self::Granted,
        }
    }
}
