//! Keys: which content needs which, the platform's key system that holds them, and the licences that give them.
//!
//! A key set is asked for once, as soon as a manifest names it and before anything that it decrypts is
//! appended. What a licence does not give, or the key system does not let be used, masks what it would have decrypted:
//! the rest plays on.

mod found;
mod json;
mod segments;
mod session;
mod system;
#[cfg(test)]
mod tests;

pub(crate) use found::{in_fragment, in_init};
pub(crate) use segments::Decrypted;
pub(crate) use session::Access;

use core::time::Duration;

use kinora_cenc::{TransportCipher, segment};

use self::segments::SegmentKeys;
use self::session::{Session, Stage, needed};
use self::system::{Family, decryptable};
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{
    KeySessionId, KeyState, KeyStatus, KeySystemOffer, LicenseCommand, MediaKind, RequestKind,
    Warning,
};
use crate::presentation::{KeyId, Presentation, Protection, Segments};
use crate::requests::{Outcome, Requests, Wish};
use crate::telemetry::{TimerReason, TimerState};

/// Types that a key system is asked about, of each kind.
const MOST_TYPES: usize = 4;
/// Key sessions at once: what one presentation needs many times over. Where keys change for ever, that which was
/// needed longest ago is closed for the next.
const MOST_SESSIONS: usize = 64;
/// A renewal that failed is tried again after so long, as long as the keys may be used.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

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

impl System {
    /// The key system that will hold the keys: the one that is open, or the only one that may be.
    fn expected(&self) -> Option<(&str, Family)> {
        match self {
            Self::Open { name, family } => Some((name, *family)),
            Self::Opening(offers) => match offers.as_slice() {
                [only] => Some((&only.key_system, Family::of_key_system(&only.key_system)?)),
                _ => None,
            },
            Self::Unneeded | Self::Failed(_) => None,
        }
    }
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
            let named = match (&representation.protection, &representation.segments) {
                (Some(protection), _) => core::slice::from_ref(&**protection),
                (None, Segments::Known(index)) => index.keys(),
                _ => &[],
            };
            for protection in named {
                let new = decryptable(protection) && self.position(protection).is_none();
                // What comes later is asked for then.
                if new && self.sessions.len() < MOST_SESSIONS {
                    self.add_session(cx, protection);
                }
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
            None if decryptable(protection) => self.need_session(cx, requests, protection),
            None => {}
        }
    }

    fn need_session(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        protection: &Protection,
    ) {
        if let Some(position) = self.position(protection) {
            self.sessions[position].needed_at = cx.now;
            self.inform(cx, position, protection);
            return;
        }
        if self.sessions.len() >= MOST_SESSIONS {
            self.let_go(cx, requests);
        }
        self.add_session(cx, protection);
    }

    /// Closes the session whose keys were needed longest ago.
    fn let_go(&mut self, cx: &mut Context<'_>, requests: &mut Requests) {
        let sessions = self.sessions.iter().enumerate();
        let oldest = sessions.min_by_key(|(_, session)| session.needed_at);
        let oldest = oldest.map(|(position, _)| position);
        let oldest = oldest.and_then(|position| crate::items::take(&mut self.sessions, position));
        let Some(session) = oldest else { return };
        if let Some(license) = session.license {
            requests.cancel(cx, license);
        }
        if session.data.is_some() {
            cx.out.license(LicenseCommand::Close { session: session.id });
        }
    }

    fn add_session(&mut self, cx: &mut Context<'_>, protection: &Protection) {
        self.last_session += 1;
        let ids = system::key_ids(protection);
        let named = system::is_named(protection, &ids);
        self.sessions.push(Session {
            id: KeySessionId(self.last_session),
            ids,
            protection: protection.clone(),
            known: protection.clone(),
            stage: if named { Stage::Waiting } else { Stage::Unnamed },
            data: None,
            needed_at: cx.now,
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
        // A fragment may yet name what is not named here.
        let (Some(position), Some(found)) = (self.sessions.iter().position(unnamed), found) else {
            return;
        };
        let session = &mut self.sessions[position];
        session.known.key_ids.clone_from(&found.key_ids);
        session.known.systems.extend_from_slice(&found.systems);
        session.ids = system::key_ids(&session.known);
        session.stage = Stage::Waiting;
        self.begin(cx, position);
    }

    /// Asks for the keys that a fragment names itself; `known` is what was known of its protection before. What no
    /// fragment names either cannot be asked for.
    pub(crate) fn learn_of_fragment(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        known: Option<&Protection>,
        own: Option<&Protection>,
    ) {
        if let Some(own) = own.filter(|own| decryptable(own)) {
            self.need_session(cx, requests, own);
            return;
        }
        let position = known.and_then(|known| self.position(known));
        if let Some(session) = position.and_then(|position| self.sessions.get_mut(position))
            && session.stage == Stage::Unnamed
        {
            let reason = "neither manifest nor media name a key to ask for".to_owned();
            session.deny(cx, Error::KeySession { reason });
        }
    }

    /// Goes on with a session for which there was nothing to ask the key system with, if there is now.
    fn inform(&mut self, cx: &mut Context<'_>, position: usize, protection: &Protection) {
        let session = &mut self.sessions[position];
        if session.stage != Stage::Unnamed {
            return;
        }
        let held = session.known.systems.len();
        for system in &protection.systems {
            if system.pssh.is_some() && !session.known.systems.contains(system) {
                session.known.systems.push(system.clone());
            }
        }
        if session.known.systems.len() > held {
            for id in system::key_ids(&session.known) {
                if !session.ids.contains(&id) {
                    session.ids.push(id);
                }
            }
            session.denied = None;
            session.stage = Stage::Waiting;
            self.begin(cx, position);
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>, session: usize) {
        if matches!(self.system, System::Unneeded) {
            self.open(cx, session);
        }
        self.create(cx, session);
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

    /// Whether the platform has its key system.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.system, System::Open { .. })
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
        self.sessions.get(self.position(protection)?)
    }

    fn position(&self, protection: &Protection) -> Option<usize> {
        let ids = &protection.key_ids;
        self.sessions.iter().position(|session| match ids.is_empty() {
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
                let mut session = 0;
                while session < self.sessions.len() {
                    session += usize::from(self.create(cx, session));
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

    /// Creates a session, unless another was created with the same, and stands for both then. Whether it is there.
    fn create(&mut self, cx: &mut Context<'_>, position: usize) -> bool {
        let Some((name, family)) = self.system.expected() else { return true };
        let session = &mut self.sessions[position];
        if session.data.is_some() || session.stage == Stage::Unnamed {
            return true;
        }
        let Some((kind, data)) = family.init_data(&session.known, &session.ids) else {
            // The media may have something for the key system that is open.
            session.stage = Stage::Unnamed;
            return true;
        };
        let same = |other: &Session| other.data.as_ref() == Some(&data);
        if !session.ids.is_empty()
            && let Some(other) = self.sessions.iter().position(same)
        {
            let merged = self.sessions.remove(position);
            let other = &mut self.sessions[if other > position { other - 1 } else { other }];
            for id in merged.ids {
                if !other.ids.contains(&id) {
                    other.ids.push(id);
                }
            }
            return false;
        }
        let session = &mut self.sessions[position];
        session.data = Some(data.clone());
        let own = cx.config.drm.key_systems.iter().find(|own| own.key_system == name);
        let persistent = own.is_some_and(|own| own.persistent);
        cx.out.license(LicenseCommand::Create {
            session: session.id,
            init_data_type: kind.to_owned(),
            init_data: data,
            persistent,
        });
        true
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
        let access = session.access(&session.ids);
        if access == Access::Granted {
            // Should that end, it is news.
            session.denied = None;
        }
        if access == Access::Denied && session.denied.is_none() {
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
        if matches!(self.system, System::Failed(_)) {
            // Why has been said.
            return;
        }
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
