//! The whole border of the crate, as plain data: what a host tells the player ([`Input`]) and what
//! the player asks of its host ([`Output`]).
//!
//! Everything here can be serialised, because the session log is nothing but the inputs of a session.

mod event;
mod input;
mod license;
mod media;
mod request;

pub use event::{
    Cue, Decision, Event, LatencyStanding, Picture, PlaybackStatus, Quality, Resource,
    SteeringFault, Tile, TrackInfo, Warning,
};
pub use input::{
    Area, ElementState, Environment, Input, NetworkState, PictureKind, ReadyState, Selection,
    Source, SourceFormat,
};
pub use license::{KeySessionId, KeyState, KeyStatus, KeySystemOffer, LicenseCommand};
pub use media::{
    AppendBody, DecoderQuery, MediaCommand, MediaFailure, MediaOperation, OperationId,
    OperationResult,
};
pub use request::{
    BodyHandling, ByteRange, Request, RequestFailure, RequestId, RequestKind, ResponseHead,
};

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What the player asks of its host, one at a time, by [`Player::poll_output`](crate::Player::poll_output).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Output {
    /// Start an HTTP request, and report on it under its id.
    Request(Request),
    /// Abort the request if it still runs, and forget the body if it was kept.
    Cancel(RequestId),
    /// Do something to the media element or its buffers, and report under the operation's id.
    Media(MediaOperation),
    /// Do something with the platform's key system.
    License(LicenseCommand),
    /// Tell the app.
    Event(Event),
    /// Nothing more to do before this instant or the next input; `None`: only an input can matter.
    Timeout(Option<Timestamp>),
}

/// The kinds of media that have a buffer of their own. Audio muxed into the video's segments is
/// part of `Video`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MediaKind {
    /// Pictures, or pictures and sound in one.
    Video,
    /// Sound.
    Audio,
    /// Subtitles and captions.
    Text,
}

impl MediaKind {
    /// The name used in MIME types and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Text => "text",
        }
    }
}
