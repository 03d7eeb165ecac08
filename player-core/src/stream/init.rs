//! Initialisation segments: each is fetched once and given to the platform as often as it is needed.

use super::Key;
use crate::context::Context;
use crate::io::{MediaKind, RequestKind};
use crate::media::{self, BoxError, init::InitInfo};
use crate::presentation::InitSegment;
use crate::requests::{Place, Requests, Ticket, Wish};

/// Names an initialisation segment: one of a representation's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InitKey {
    pub(crate) representation: Key,
    pub(crate) init: usize,
}

/// An initialisation segment that has arrived.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) info: InitInfo,
    /// Type made from what the segment itself says.
    pub(crate) mime_type: String,
}

/// The initialisation segments of a stream.
#[derive(Debug, Default)]
pub(crate) struct Inits {
    entries: Vec<(InitKey, State)>,
}

#[derive(Debug)]
enum State {
    Loading(Ticket),
    Loaded(Loaded),
}

impl Inits {
    /// Whether a segment is here or on its way.
    pub(crate) fn knows(&self, key: InitKey) -> bool {
        self.entries.iter().any(|(known, _)| *known == key)
    }

    /// Asks for a segment.
    pub(crate) fn request(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        kind: MediaKind,
        key: InitKey,
        source: &InitSegment,
        (places, detour): (Vec<Place>, bool),
    ) {
        let wish = Wish {
            range: source.range,
            detour,
            ..Wish::new(RequestKind::Initialization(kind), places)
        };
        let ticket = requests.start(cx, wish);
        self.entries.push((key, State::Loading(ticket)));
    }

    pub(crate) fn loading(&self, ticket: Ticket) -> Option<InitKey> {
        self.entries.iter().find_map(|(key, state)| match state {
            State::Loading(mine) if *mine == ticket => Some(*key),
            _ => None,
        })
    }

    pub(crate) fn loaded(
        &mut self,
        key: InitKey,
        bytes: Vec<u8>,
        container: &str,
    ) -> Result<(), BoxError> {
        let info = media::init::parse(&bytes)?;
        let codecs = info.codecs();
        let mime_type = if codecs.is_empty() {
            container.to_owned()
        } else {
            format!("{container}; codecs=\"{codecs}\"")
        };
        if let Some((_, state)) = self.entries.iter_mut().find(|(known, _)| *known == key) {
            *state = State::Loaded(Loaded { bytes, info, mime_type });
        }
        Ok(())
    }

    pub(crate) fn forget(&mut self, key: InitKey) {
        self.entries.retain(|(known, _)| *known != key);
    }

    pub(crate) fn get(&self, key: InitKey) -> Option<&Loaded> {
        self.entries.iter().find_map(|(known, state)| match state {
            State::Loaded(loaded) if *known == key => Some(loaded),
            _ => None,
        })
    }

    /// What the first segment to have arrived of a representation says of its type.
    pub(crate) fn mime_type(&self, representation: Key) -> Option<String> {
        self.entries.iter().find_map(|(known, state)| match state {
            State::Loaded(loaded) if known.representation == representation => {
                Some(loaded.mime_type.clone())
            }
            _ => None,
        })
    }
}
