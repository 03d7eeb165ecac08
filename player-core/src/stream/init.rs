//! Initialisation segments: each is fetched once and given to the platform as often as it is needed.

use super::Key;
use super::feed::{has_codecs_of, names_codecs_of};
use super::moved::Moves;
use super::sealed::Sealed;
use crate::context::Context;
use crate::media::{self, BoxError, init::InitInfo};
use crate::presentation::{InitSegment, Protection, Representation};
use crate::requests::{OriginId, Requests, Ticket, Wish};

/// So many are kept besides those in use: a live presentation may bring a new one with every break.
const MOST_KEPT: usize = 24;

/// Names an initialisation segment: one of a representation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InitKey {
    pub(crate) representation: Key,
    /// Counted over the whole stream, because manifests count anew when they drop old ones.
    pub(crate) init: usize,
}

/// An initialisation segment that has arrived.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) info: InitInfo,
    /// Type made from what the segment itself says.
    pub(crate) mime_type: String,
    /// It was made of the media itself: its type is what is appended, whatever the manifest says.
    pub(crate) made: bool,
}

impl Loaded {
    fn read(bytes: Vec<u8>, container: &str) -> Result<Self, BoxError> {
        let info = media::init::parse(&bytes)?;
        let codecs = info.codecs();
        let mime_type = if codecs.is_empty() {
            container.to_owned()
        } else {
            format!("{container}; codecs=\"{codecs}\"")
        };
        Ok(Self { bytes, info, mime_type, made: false })
    }

    /// The type to append it under, `declared` being what the manifest says.
    pub(super) fn type_of(&self, declared: String) -> String {
        let fits = match self.made {
            true => has_codecs_of(&declared, &self.mime_type),
            false => names_codecs_of(&declared, &self.mime_type),
        };
        if fits { declared } else { self.mime_type.clone() }
    }
}

/// The initialisation segments of a stream.
#[derive(Debug, Default)]
pub(crate) struct Inits {
    entries: Vec<Entry>,
    counted: usize,
}

#[derive(Debug)]
struct Entry {
    key: InitKey,
    source: InitSegment,
    /// What it is encrypted with as a whole.
    protection: Option<Protection>,
    state: State,
}

#[derive(Debug)]
enum State {
    Loading(Ticket),
    /// It waits for the key of what it is encrypted with as a whole: what came, whence, and from which origin.
    Sealed(Sealed, Vec<u8>, String, OriginId),
    Loaded(Loaded),
}

impl Inits {
    /// Asks for a segment unless it is here or on its way; `wish` says how urgently. Those that `in_use` holds are kept.
    pub(crate) fn request(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        wish: Wish,
        (key, source, representation): (Key, &InitSegment, &Representation),
        protection: Option<&Protection>,
        in_use: impl Fn(InitKey) -> bool,
    ) -> InitKey {
        let known = self
            .entries
            .iter()
            .find(|entry| entry.key.representation == key && entry.source == *source);
        if let Some(entry) = known {
            return entry.key;
        }
        self.make_room(in_use);
        let places = requests.origins.places(representation, &source.url);
        let wish = Wish {
            places,
            range: source.range,
            detours: requests.origins.detours(representation),
            sealed: protection.is_some(),
            blocks: protection.is_some(),
            ..wish
        };
        let ticket = requests.start(cx, wish);
        let key = InitKey { representation: key, init: self.counted };
        self.counted += 1;
        let (source, protection) = (source.clone(), protection.cloned());
        self.entries.push(Entry { key, source, protection, state: State::Loading(ticket) });
        key
    }

    /// Keeps one that was made of the representation's own segments, unless it is here. Those that `in_use` holds are
    /// kept.
    pub(super) fn made(
        &mut self,
        (key, bytes, container): (Key, &[u8], &str),
        in_use: impl Fn(InitKey) -> bool,
    ) -> Result<InitKey, BoxError> {
        let same = |entry: &&Entry| {
            let State::Loaded(loaded) = &entry.state else { return false };
            entry.key.representation == key && loaded.made && loaded.bytes == bytes
        };
        if let Some(entry) = self.entries.iter().find(same) {
            return Ok(entry.key);
        }
        self.make_room(in_use);
        let key = InitKey { representation: key, init: self.counted };
        self.counted += 1;
        let loaded = Loaded { made: true, ..Loaded::read(bytes.to_vec(), container)? };
        let source = InitSegment { url: String::new(), range: None };
        self.entries.push(Entry { key, source, protection: None, state: State::Loaded(loaded) });
        Ok(key)
    }

    /// Forgets the oldest, if there are many.
    fn make_room(&mut self, in_use: impl Fn(InitKey) -> bool) {
        let idle = |entry: &Entry| matches!(entry.state, State::Loaded(_)) && !in_use(entry.key);
        if self.entries.len() >= MOST_KEPT
            && let Some(oldest) = self.entries.iter().position(idle)
        {
            crate::items::take(&mut self.entries, oldest);
        }
    }

    pub(crate) fn loading(&self, ticket: Ticket) -> Option<InitKey> {
        self.entries.iter().find_map(|entry| match &entry.state {
            State::Loading(mine) if *mine == ticket => Some(entry.key),
            _ => None,
        })
    }

    /// Keeps what came until its key is here, if it is encrypted as a whole; gives it back if it is not.
    pub(super) fn seal(
        &mut self,
        key: InitKey,
        sealed: Sealed,
        (bytes, url, origin): (Vec<u8>, String, OriginId),
    ) -> Option<(Vec<u8>, String, OriginId)> {
        let mut entries = self.entries.iter_mut();
        match entries.find(|entry| entry.key == key && entry.protection.is_some()) {
            Some(entry) => {
                entry.state = State::Sealed(sealed, bytes, url, origin);
                None
            }
            None => Some((bytes, url, origin)),
        }
    }

    /// Those that wait for a key, and what they are encrypted with.
    pub(super) fn sealed(&self) -> Vec<(InitKey, Protection)> {
        let sealed = |entry: &Entry| match (&entry.state, &entry.protection) {
            (State::Sealed(..), Some(protection)) => Some((entry.key, protection.clone())),
            _ => None,
        };
        self.entries.iter().filter_map(sealed).collect()
    }

    pub(super) fn sealed_bodies(&self) -> impl Iterator<Item = &Sealed> {
        self.entries.iter().filter_map(|entry| match &entry.state {
            State::Sealed(sealed, ..) => Some(sealed),
            _ => None,
        })
    }

    pub(super) fn all_sealed(&mut self) -> impl Iterator<Item = &mut Sealed> {
        self.entries.iter_mut().filter_map(|entry| match &mut entry.state {
            State::Sealed(sealed, ..) => Some(sealed),
            _ => None,
        })
    }

    /// Takes out what waits for a key.
    pub(super) fn unseal(&mut self, key: InitKey) -> Option<(Sealed, Vec<u8>, String, OriginId)> {
        self.entries.iter_mut().find_map(|entry| match &mut entry.state {
            State::Sealed(sealed, bytes, url, origin) if entry.key == key => {
                Some((sealed.clone(), core::mem::take(bytes), url.clone(), *origin))
            }
            _ => None,
        })
    }

    pub(crate) fn loaded(
        &mut self,
        key: InitKey,
        bytes: Vec<u8>,
        container: &str,
    ) -> Result<(), BoxError> {
        let loaded = Loaded::read(bytes, container)?;
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) {
            entry.state = State::Loaded(loaded);
        }
        Ok(())
    }

    /// Forgets one; says what was asked for.
    pub(crate) fn forget(&mut self, key: InitKey) -> Option<InitSegment> {
        let position = self.entries.iter().position(|entry| entry.key == key)?;
        crate::items::take(&mut self.entries, position).map(|entry| entry.source)
    }

    pub(crate) fn get(&self, key: InitKey) -> Option<&Loaded> {
        self.entries.iter().find_map(|entry| match &entry.state {
            State::Loaded(loaded) if entry.key == key => Some(loaded),
            _ => None,
        })
    }

    /// The first segment to have arrived of a representation.
    pub(crate) fn first(&self, representation: Key) -> Option<&Loaded> {
        self.entries.iter().find_map(|entry| match &entry.state {
            State::Loaded(loaded) if entry.key.representation == representation => Some(loaded),
            _ => None,
        })
    }

    /// Representations are elsewhere now.
    pub(crate) fn move_to(&mut self, moves: &Moves) {
        for entry in &mut self.entries {
            entry.key = moved(entry.key, moves);
        }
    }
}

/// The name of an initialisation segment whose representation is elsewhere now.
pub(super) fn moved(key: InitKey, moves: &Moves) -> InitKey {
    InitKey { representation: moves.of_or_nowhere(key.representation), ..key }
}
