//! HTTP requests, and what comes of them.

use serde::{Deserialize, Serialize};

use super::MediaKind;

/// Names a request; never used twice by one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// A request for the host to make: GET, or POST if it has a body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its name in every report on it.
    pub id: RequestId,
    /// What it is for.
    pub kind: RequestKind,
    /// Absolute URL.
    pub url: String,
    /// The part of the resource wanted (RFC 9110 §14); all of it if absent.
    pub range: Option<ByteRange>,
    /// Who keeps the body.
    pub body: BodyHandling,
    /// Header fields to send besides `Range`.
    pub headers: Vec<(String, String)>,
    /// What to send as the body.
    pub post: Option<Vec<u8>>,
}

/// What is sent with it does not print: there may be credentials among it.
impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("url", &self.url)
            .field("range", &self.range)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// What a request is for: budgets, timeouts and reports differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RequestKind {
    /// An HLS multivariant playlist (or a media playlist given directly) or an MPD.
    Manifest,
    /// An HLS media playlist.
    MediaPlaylist(MediaKind),
    /// An initialisation segment (`EXT-X-MAP`, `Initialization`).
    Initialization(MediaKind),
    /// A segment index box (`sidx`).
    Index(MediaKind),
    /// A media segment, or a part of one.
    Segment(MediaKind),
    /// A steering manifest.
    Steering,
    /// A licence. Neither request nor response belong in any log.
    License,
    /// A key of whole segments (HLS `AES-128`). The response belongs in no log.
    Key,
    /// The server's time (ISO/IEC 23009-1 §5.8.5.7, `UTCTiming`).
    Clock,
    /// What has happened, for a collector (CTA-5004-B §2.2). Nothing depends on the answer, and once a load has ended nobody
    /// waits for it.
    Report,
}

impl RequestKind {
    /// A short name for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::MediaPlaylist(_) => "playlist",
            Self::Initialization(_) => "init",
            Self::Index(_) => "index",
            Self::Segment(_) => "segment",
            Self::Steering => "steering",
            Self::License => "license",
            Self::Key => "key",
            Self::Clock => "clock",
            Self::Report => "report",
        }
    }

    /// Whether what is said in it belongs in no log, and a refusal of it is worth reading.
    pub(crate) const fn is_secret(self) -> bool {
        matches!(self, Self::License | Self::Key)
    }

    /// The kind of media it serves, if it is one alone.
    pub const fn media(self) -> Option<MediaKind> {
        match self {
            Self::Manifest
            | Self::Steering
            | Self::License
            | Self::Key
            | Self::Clock
            | Self::Report => None,
            Self::MediaPlaylist(kind)
            | Self::Initialization(kind)
            | Self::Index(kind)
            | Self::Segment(kind) => Some(kind),
        }
    }
}

/// A span of bytes of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Count of bytes; to the end of the resource if absent.
    pub length: Option<u64>,
}

impl ByteRange {
    /// The value of the `Range` header field (RFC 9110 §14.2), such as `bytes=0-499`.
    pub fn header_value(&self) -> String {
        match self.length {
            Some(length) => {
                let last = self.start.saturating_add(length).saturating_sub(1);
                format!("bytes={}-{last}", self.start)
            }
            None => format!("bytes={}-", self.start),
        }
    }
}

/// Who keeps a response's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BodyHandling {
    /// The player needs the bytes: send each chunk as [`Input::Body`](super::Input::Body).
    Deliver,
    /// The host keeps the bytes until an append of all of them is done or a cancel drops it. It reports
    /// progress ([`Input::BodyProgress`](super::Input::BodyProgress)) and, as soon as it has them,
    /// the boxes before the first `mdat` ([`Input::BodyHead`](super::Input::BodyHead)). While they
    /// arrive, and after that, appends may name spans of them
    /// ([`AppendBody::Span`](super::AppendBody::Span)); a cancel names the request after the last.
    Keep,
    /// As [`Keep`](Self::Keep), for a segment that is sent while it is made: the host tells of each
    /// `moof` with its `mdat` once it is whole ([`Input::BodyChunk`](super::Input::BodyChunk)), and
    /// appends name spans of the body ([`AppendBody::Span`](super::AppendBody::Span)). It keeps the
    /// body until a cancel names the request, which comes once the last span is appended.
    KeepChunks,
}

/// Status line and header fields of a response, once they have arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseHead {
    /// HTTP status code.
    pub status: u16,
    /// URL after redirects; relative URLs inside the body resolve against it.
    pub url: String,
    /// `Content-Type`, if the host can see it.
    pub content_type: Option<String>,
    /// `Content-Length` in bytes, if the host can see it and it is that of the body as it is handed
    /// on: `None` where a content coding was undone, or may have been. A body that ends before it
    /// counts as interrupted.
    pub content_length: Option<u64>,
    /// `Retry-After` as it came: seconds or a date.
    pub retry_after: Option<String>,
    /// `Date` as it came, if the host can see it.
    pub date: Option<String>,
    /// `CMSD-Dynamic` as it came, if the host can see it (CTA-5006): what servers say of the network.
    pub cmsd_dynamic: Option<String>,
    /// `CMSD-Static` as it came, if the host can see it (CTA-5006): what servers say of the object.
    pub cmsd_static: Option<String>,
    /// `SMRT-Data` as it came, if the host can see it: how the response was made (streaming media response tracing).
    pub smrt_data: Option<String>,
}

impl ResponseHead {
    /// A head of which nothing is known but its status.
    pub const fn of_status(status: u16) -> Self {
        Self {
            status,
            url: String::new(),
            content_type: None,
            content_length: None,
            retry_after: None,
            date: None,
            cmsd_dynamic: None,
            cmsd_static: None,
            smrt_data: None,
        }
    }
}

/// Why a request came to nothing. Bad statuses are not failures to the host: it reports the head
/// and the body as usual, and the player judges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RequestFailure {
    /// No response: name resolution, connection, TLS, CORS or an offline device.
    Network(String),
    /// The body broke off before its end.
    Interrupted(String),
    /// The request itself could not be made, such as a URL the host refuses.
    Invalid(String),
}
