//! Keys: which content needs which, the platform's key system that holds them, and the licences that give them.
//!
//! A key set is asked for once, as soon as a manifest names it and before anything that it decrypts is
//! appended. What a licence does not give, or the key system does not let be used, masks what it would have decrypted:
//! the rest plays on.

mod found;
mod json;
mod segments;
mod system;
#[cfg(test)]
mod tests;

pub(crate) use found::in_init;
pub(crate) use segments::Decrypted;

use core::time::Duration;

use kinora_cenc::{TransportCipher, segment};

use self::segments::SegmentKeys;
use self::system::{Family, decryptable};
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
/// A renewal that failed is tried again after so long, as long as the keys may be used.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

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
    segments: SegmentKeys,
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
    /// The same, and what its media said of it.
    known: Protection,
    stage: Stage,
    /// What the key system asked with last.
    message: Vec<u8>,
    license: Option<Ticket>,
    /// It is no licence that was asked for, but the key itself.
    bare: bool,
    statuses: Vec<KeyState>,
    denied: Option<Error>,
    renew_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For an initialisation segment to name the keys.
    Unnamed,
    /// For the key system to be open, or to ask.
    Waiting,
    /// For a licence, the first or a later one.
    Licensing,
    /// For the key system to take it.
    Updating,
    Licensed,
}

impl Keys {
    /// Asks for every key that a manifest names; for those of whole segments only where they are named beforehand.
    pub(crate) fn survey(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        presentation: &Presentation,
    ) {
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
            self.need(cx, requests, protection);
        }
        for representation in sets().flat_map(|set| &set.representations) {
            if let Some(protection) = &representation.protection {
                self.need_session(cx, protection);
            } else if let Segments::Known(index) = &representation.segments {
                index.keys().iter().for_each(|protection| self.need_session(cx, protection));
            }
        }
    }

    /// Asks for keys, unless that has been done.
    pub(crate) fn need(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        protection: &Protection,
    ) {
        match segments::key_url(protection) {
            Some(url) => self.segments.need(cx, requests, url),
            None => self.need_session(cx, protection),
        }
    }

    fn need_session(&mut self, cx: &mut Context<'_>, protection: &Protection) {
        if !decryptable(protection) || self.session(protection).is_some() {
            return;
        }
        if self.sessions.len() >= MOST_SESSIONS {
            return;
        }
        self.last_session += 1;
        let ids = system::key_ids(protection);
        let named = system::is_named(protection, &ids);
        self.sessions.push(Session {
            id: KeySessionId(self.last_session),
            ids,
            protection: protection.clone(),
            known: protection.clone(),
            stage: if named { Stage::Waiting } else { Stage::Unnamed },
            message: Vec::new(),
            license: None,
            bare: false,
            statuses: Vec::new(),
            denied: None,
            renew_at: None,
        });
        if named {
            self.begin(cx, self.sessions.len() - 1);
        }
    }

    /// Learns from an initialisation segment which keys those are that a manifest does not name.
    pub(crate) fn learn(
        &mut self,
        cx: &mut Context<'_>,
        protection: &Protection,
        found: Option<&Protection>,
    ) {
        let unnamed = |session: &Session| {
            session.stage == Stage::Unnamed && session.protection.systems == protection.systems
        };
        let Some(position) = self.sessions.iter().position(unnamed) else { return };
        let session = &mut self.sessions[position];
        let Some(found) = found else {
            let reason = "neither manifest nor initialisation segment names a key".to_owned();
            session.deny(cx, Error::KeySession { reason });
            return;
        };
        session.known.key_ids.clone_from(&found.key_ids);
        session.known.systems.extend_from_slice(&found.systems);
        session.ids = system::key_ids(&session.known);
        session.stage = Stage::Waiting;
        self.begin(cx, position);
    }

    fn begin(&mut self, cx: &mut Context<'_>, session: usize) {
        match &self.system {
            System::Unneeded => self.open(cx, session),
            System::Open { .. } => self.create(cx, session),
            System::Opening(_) | System::Failed(_) => {}
        }
    }

    /// Asks for the key of samples in a transport stream, which the player decrypts; of what it cannot, as
    /// [`need`](Self::need).
    pub(crate) fn need_in_transport(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        protection: &Protection,
    ) {
        match segments::sample_key_url(protection) {
            Some(url) => self.segments.need(cx, requests, url),
            None => self.need(cx, requests, protection),
        }
    }

    /// What decrypts samples in a transport stream, `number` being the media sequence number of the segment.
    pub(crate) fn cipher(&self, protection: &Protection, number: u64) -> Option<TransportCipher> {
        let key = self.segments.key(segments::sample_key_url(protection)?)?;
        Some(TransportCipher::new(key, protection.iv.unwrap_or(segment::iv_of_sequence(number))))
    }

    /// Where a key is that the player itself decrypts with.
    fn own_key_url<'p>(&self, protection: &'p Protection) -> Option<&'p str> {
        // Of samples it does where the key was asked for.
        let of_samples = || segments::sample_key_url(protection);
        let known = |url: &&str| self.segments.knows(url);
        segments::key_url(protection).or_else(|| of_samples().filter(known))
    }

    /// What may be done with content that is so protected.
    pub(crate) fn access(&self, protection: Option<&Protection>) -> Access {
        let Some(protection) = protection else { return Access::Granted };
        if let Some(url) = self.own_key_url(protection) {
            return self.segments.access(url);
        }
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
        if let Some(error) = self.own_key_url(protection).and_then(|url| self.segments.reason(url))
        {
            return error.clone();
        }
        if let System::Failed(error) = &self.system {
            return error.clone();
        }
        let session = self.session(protection);
        let denied = session.and_then(|session| session.denied.clone());
        denied.unwrap_or(Error::Key { status: KeyStatus::InternalError.name().to_owned() })
    }

    /// Decrypts what is encrypted as a whole, `number` being its media sequence number.
    pub(crate) fn decrypt(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        protection: &Protection,
        (number, bytes): (Option<u64>, &mut Vec<u8>),
    ) -> Decrypted {
        self.segments.decrypt(cx, requests, protection, (number, bytes))
    }

    /// A key fits, or does not: what it made of a segment is no media.
    pub(crate) fn judge(&mut self, protection: &Protection, fits: bool) {
        if let Some(url) = self.own_key_url(protection) {
            self.segments.judge(url, fits);
        }
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
        let systems = system::offers(&cx.config.drm, &session.known, &session.ids, types);
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
        if session.stage == Stage::Unnamed {
            return;
        }
        let Some((kind, data)) = family.init_data(&session.known, &session.ids) else {
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
        let mut wish = match url.or(family.license_url(&session.known)) {
            Some(url) => {
                let mut wish = Wish::new(RequestKind::License, requests.origins.place(url));
                wish.post = Some(session.message.clone());
                wish.headers.push(("Content-Type".to_owned(), family.content_type().to_owned()));
                session.bare = false;
                wish
            }
            None => {
                let Some(url) = family.key_url(&session.known) else {
                    let reason = "no licence URL is known".to_owned();
                    session.deny(cx, Error::KeySession { reason });
                    return;
                };
                session.bare = true;
                Wish::new(RequestKind::Key, requests.origins.place(url))
            }
        };
        for header in own.into_iter().flat_map(|own| &own.headers) {
            wish.headers.push(header.clone());
        }
        session.stage = Stage::Licensing;
        session.license = Some(requests.start(cx, wish));
    }

    /// Takes what became of a request for a licence or a key, if it is one; gives it back if it is not.
    pub(crate) fn take(&mut self, cx: &mut Context<'_>, outcome: Outcome) -> Option<Outcome> {
        let outcome = self.segments.take(cx, outcome)?;
        let ticket = outcome.ticket();
        let System::Open { name, family } = &self.system else { return Some(outcome) };
        let mut sessions = self.sessions.iter_mut();
        let Some(session) = sessions.find(|session| session.license == Some(ticket)) else {
            return Some(outcome);
        };
        match outcome {
            Outcome::Delivered { mut body, url, .. } => {
                session.license = None;
                if session.bare {
                    let (Some(id), 16) = (session.ids.first(), body.len()) else {
                        session.deny(cx, segments::no_key(&url));
                        return None;
                    };
                    body = json::license(id, &body);
                }
                session.stage = Stage::Updating;
                let own = cx.config.drm.key_systems.iter().find(|own| own.key_system == *name);
                let said = match family {
                    Family::ClearKey => json::expires_in(&body),
                    _ => None,
                };
                let said = said.map(|seconds| Duration::from_secs(seconds.into()));
                let after = own.and_then(|own| own.renew_after).or(said);
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
                if session.access(&session.ids) == Access::Granted {
                    session.renew_at = Some(cx.now + RENEWAL_PAUSE);
                }
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

/// Whether content that is so protected can be decrypted at all.
pub(crate) fn supported(protection: &Protection) -> bool {
    decryptable(protection) || is_whole(protection)
}

/// Whether the player itself decrypts it, as a whole.
pub(crate) fn is_whole(protection: &Protection) -> bool {
    segments::key_url(protection).is_some()
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
