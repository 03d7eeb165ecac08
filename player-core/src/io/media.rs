//! Operations on the media element and its buffers, in the terms of Media Source Extensions.

use serde::{Deserialize, Serialize};

use super::{MediaKind, RequestId};
use crate::time::{MediaTime, TimeRange};

/// Names a media operation; never used twice by one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OperationId(pub u64);

/// One thing to do to the media element or its buffers.
///
/// Operations are carried out in the order they were asked for, except that the buffers of
/// different kinds may work at the same time. Each is answered once, by
/// [`Input::MediaResult`](super::Input::MediaResult).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MediaOperation {
    /// Its name in the answer.
    pub id: OperationId,
    /// What to do.
    pub command: MediaCommand,
}

/// What to do to the media element or its buffers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MediaCommand {
    /// Attach an empty media source to the element, dropping whatever was there.
    Open,
    /// `addSourceBuffer`: all buffers are added before anything is appended.
    AddBuffer {
        /// The buffer's kind, its name from now on.
        kind: MediaKind,
        /// Container and codecs, such as `video/mp4; codecs="avc1.64001f"`.
        mime_type: String,
    },
    /// `changeType`: what is appended from here on is of another type.
    ChangeType {
        /// The buffer.
        kind: MediaKind,
        /// Container and codecs.
        mime_type: String,
    },
    /// `appendBuffer`.
    Append {
        /// The buffer.
        kind: MediaKind,
        /// What is added to the media's own timestamps (`timestampOffset`).
        timestamp_offset: MediaTime,
        /// What lies outside is dropped (`appendWindowStart`, `appendWindowEnd`).
        window: TimeRange,
        /// The bytes.
        body: AppendBody,
    },
    /// `remove`, of a span of the presentation timeline.
    Remove {
        /// The buffer.
        kind: MediaKind,
        /// What to drop.
        range: TimeRange,
    },
    /// Set the media source's duration; [`MediaTime::MAX`] while it is live and has no end.
    SetDuration(MediaTime),
    /// `setLiveSeekableRange`: where the viewer may go while the duration is without end.
    SetLiveSeekableRange(TimeRange),
    /// `endOfStream`: every buffer holds its last segment.
    EndOfStream,
    /// Set the element's `currentTime`.
    Seek(MediaTime),
    /// Set the element's `playbackRate`.
    SetRate(f64),
    /// Detach the media source and forget every kept body.
    Close,
    /// Find out whether the platform decodes this well (Media Capabilities, `decodingInfo`). It stands
    /// outside the order of the others, and is best answered at once. `Done` says that it does;
    /// [`MediaFailure::NotSupported`] that it does not, or not fluently; anything else that nobody knows.
    Probe(DecoderQuery),
}

/// Media that a platform may be able to decode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecoderQuery {
    /// Picture or sound.
    pub kind: MediaKind,
    /// Container and codecs.
    pub mime_type: String,
    /// Width in pixels, if known.
    pub width: Option<u32>,
    /// Height in pixels, if known.
    pub height: Option<u32>,
    /// Frames in a second, if known.
    pub frame_rate: Option<f64>,
    /// Peak bit rate in bit/s.
    pub bandwidth: u64,
    /// Channels of sound, if known.
    pub channels: Option<u32>,
    /// Samples of sound in a second, if known.
    pub sampling_rate: Option<u32>,
}

/// The bytes of an append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AppendBody {
    /// Bytes from the player: initialisation segments, and media it had to change.
    Bytes(Vec<u8>),
    /// The body the host kept for this request; the host may forget it once appended.
    Kept(RequestId),
    /// A span of the body the host keeps for this request: a chunk
    /// ([`BodyHandling::KeepChunks`](super::BodyHandling::KeepChunks)), or any part that has arrived
    /// ([`BodyHandling::Keep`](super::BodyHandling::Keep)).
    Span {
        /// Bytes from the player that stand before it; none before a chunk.
        head: Vec<u8>,
        /// The request.
        id: RequestId,
        /// First byte, counted from the start of the body.
        start: u64,
        /// The first byte after it.
        end: u64,
    },
}

/// What came of a media operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OperationResult {
    /// Done. For `Append` and `Remove`: what the buffer now holds, in order, without overlaps.
    Done {
        /// The buffer's ranges; empty for other operations.
        buffered: Vec<TimeRange>,
    },
    /// Not done.
    Failed(MediaFailure),
}

/// Why a media operation failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MediaFailure {
    /// The buffer is full (`QuotaExceededError`).
    QuotaExceeded,
    /// The platform cannot play this type (`NotSupportedError`).
    NotSupported(String),
    /// The bytes could not be parsed or decoded.
    Decode(String),
    /// The element or media source was not in a state to do it.
    InvalidState(String),
}
