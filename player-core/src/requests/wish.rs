//! What the player's rooms wish for, and what becomes of it.

use core::time::Duration;

use super::origins::OriginId;
use crate::error::Error;
use crate::io::{BodyHandling, ByteRange, RequestId, RequestKind};
use crate::telemetry::cmcd::Facts;
use crate::time::Timestamp;

/// One wish for one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(pub(super) u64);

/// What is wished for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: RequestKind,
    /// Where it can be had, never empty; see [`Origins::places`](super::Origins::places).
    pub(crate) places: Vec<Place>,
    pub(crate) range: Option<ByteRange>,
    pub(crate) body: BodyHandling,
    /// Rung of the video ladder that the transfer belongs to, for the estimator.
    pub(crate) rung: Option<usize>,
    /// When the playhead gets there, if that can be foretold: until then there is time to try again.
    pub(crate) needed_by: Option<Timestamp>,
    /// Playback has begun: it is tried for as long as there is time, however many attempts that takes.
    pub(crate) patient: bool,
    /// Something else may do as well: no more attempts are made than are budgeted, even if there is
    /// time.
    pub(crate) alternative: bool,
    /// Something smaller may do as well: whoever wishes turns to that if this is too slow, and would be again.
    pub(crate) smaller: bool,
    /// What a CDN may be told of it.
    pub(crate) facts: Option<Box<Facts>>,
    /// Whoever wishes turns to one of these if all of its places are penalised.
    pub(crate) detours: Vec<OriginId>,
    /// It was insisted on before: where something else may do one attempt at each place is enough, as it is of a segment;
    /// where nothing does, pauses are as long as they had become.
    pub(crate) once: bool,
    /// Until then the place may not have it yet: that it says so is held against none, as long as no other has it.
    pub(crate) early_until: Option<Timestamp>,
    /// It is encrypted as a whole: the player decrypts it, and the session log holds what that gave in its place.
    pub(crate) sealed: bool,
    /// It is encrypted in blocks of 16 bytes: a body of any other length is not whole.
    pub(crate) blocks: bool,
    /// Header fields of its own.
    pub(crate) headers: Vec<(String, String)>,
    /// What is sent as the body.
    pub(crate) post: Option<Vec<u8>>,
    /// The server may hold its answer back so long (blocking reload, RFC 8216bis §6.2.5.2), or send it
    /// while it is made: its pace says nothing of the network then.
    pub(crate) hold: Duration,
}

/// A place that has it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) origin: OriginId,
    /// Absolute.
    pub(crate) url: String,
}

impl Wish {
    /// A wish for a whole resource whose bytes the player needs.
    #[inline(never)]
    pub(crate) fn new(kind: RequestKind, places: Vec<Place>) -> Self {
        Self {
            kind,
            places,
            range: None,
            body: BodyHandling::Deliver,
            rung: None,
            needed_by: None,
            patient: false,
            alternative: false,
            smaller: false,
            facts: None,
            detours: Vec::new(),
            once: false,
            early_until: None,
            sealed: false,
            blocks: false,
            headers: Vec::new(),
            post: None,
            hold: Duration::ZERO,
        }
    }

    /// When it begins to be missed, if it was first asked for at `first`.
    pub(super) fn missed_from(&self, first: Timestamp) -> Timestamp {
        self.needed_by.map_or(first, |needed| needed.max(first))
    }
}

/// What became of a wish, or a step on the way.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A delivered body is complete.
    Delivered {
        ticket: Ticket,
        /// Of the attempt that brought it.
        id: RequestId,
        /// While a log is replayed: what was found behind the encryption of a body that is encrypted as a whole.
        told: Option<Vec<u8>>,
        body: Vec<u8>,
        /// How many bytes came: what is replayed may lack them.
        bytes: u64,
        /// After redirects.
        url: String,
        content_type: Option<String>,
        /// Which of the wish's places it came from.
        place: usize,
        origin: OriginId,
    },
    /// A kept body is complete; `id` names it to the host, `head` is what precedes its `mdat`.
    Kept { ticket: Ticket, id: RequestId, head: Vec<u8>, bytes: u64, origin: OriginId },
    /// More of a kept body has arrived.
    Progress { ticket: Ticket },
    /// A licence server refuses, and says why.
    Refused { ticket: Ticket, status: u16, body: Vec<u8>, url: String },
    /// A chunk of a kept body is whole; `head` is what precedes its `mdat`.
    Chunk { ticket: Ticket, id: RequestId, head: Vec<u8>, start: u64, end: u64, origin: OriginId },
    /// An attempt whose body was kept has failed, and another follows; `id` was its name.
    Restarts { ticket: Ticket, id: RequestId },
    /// There is no getting it.
    Failed { ticket: Ticket, error: Error },
}

impl Outcome {
    /// Of which wish.
    pub(crate) const fn ticket(&self) -> Ticket {
        match self {
            Self::Delivered { ticket, .. }
            | Self::Kept { ticket, .. }
            | Self::Progress { ticket }
            | Self::Refused { ticket, .. }
            | Self::Chunk { ticket, .. }
            | Self::Restarts { ticket, .. }
            | Self::Failed { ticket, .. } => *ticket,
        }
    }
}

/// A body that the host keeps, on its way.
#[derive(Debug)]
pub(crate) struct Arriving<'a> {
    pub(crate) id: RequestId,
    /// What precedes its `mdat`; empty as long as that is not known.
    pub(crate) head: &'a [u8],
    pub(crate) received: u64,
    pub(crate) total: Option<u64>,
    /// Since when it has come without a break, and what had been received by then.
    pub(crate) flows: (Timestamp, u64),
    pub(crate) origin: OriginId,
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transferred {
    pub(crate) started: Timestamp,
    pub(crate) first_byte: Option<Timestamp>,
    pub(crate) received: u64,
    pub(crate) total: Option<u64>,
}
