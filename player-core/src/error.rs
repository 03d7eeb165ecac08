//! The crate's error, and the table every platform's error is made from.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::io::MediaKind;
use crate::manifest::ManifestError;
use crate::media::BoxError;

/// What can go wrong: one variant for each way the world outside deviates from what it should do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// No response came.
    Network {
        /// What was asked for.
        url: String,
        /// What the platform says of it.
        reason: String,
    },
    /// A body broke off.
    Interrupted {
        /// What was asked for.
        url: String,
        /// What the platform says of it.
        reason: String,
    },
    /// Nothing arrived for too long.
    Stalled {
        /// What was asked for.
        url: String,
        /// How long nothing arrived, in milliseconds.
        silence_ms: u64,
    },
    /// So little arrives that it would never be in time, on a network that can do better.
    TooSlow {
        /// What was asked for.
        url: String,
        /// What arrived lately, in bit/s.
        bits_per_second: u64,
    },
    /// The server refused.
    HttpStatus {
        /// What was asked for.
        url: String,
        /// The status.
        status: u16,
    },
    /// A body is larger than the player accepts for its kind.
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// The server sent the whole resource where a part was asked for.
    RangeIgnored {
        /// What was asked for.
        url: String,
    },
    /// A presentation needs something that the player does not do.
    Unsupported {
        /// Where it came from.
        url: String,
        /// What it needs.
        feature: String,
    },
    /// The body is neither an HLS playlist nor an MPD.
    UnknownFormat {
        /// Where it came from.
        url: String,
        /// The `Content-Type` it came with.
        content_type: Option<String>,
    },
    /// A manifest cannot be understood.
    Manifest {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        error: ManifestError,
    },
    /// A segment, initialisation segment or index cannot be understood.
    Segment {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        error: BoxError,
    },
    /// The manifest holds nothing that can be played here.
    NothingPlayable {
        /// Where it came from.
        url: String,
    },
    /// The platform can play none of the codecs of a track.
    NotSupported {
        /// Picture or sound.
        kind: MediaKind,
        /// Container and codecs.
        mime_type: String,
        /// What the platform says of it.
        reason: String,
    },
    /// The platform could not decode a segment.
    Decode {
        /// Picture or sound.
        kind: MediaKind,
        /// What the platform says of it.
        reason: String,
    },
    /// The media element or source broke.
    Element {
        /// What the platform says of it.
        reason: String,
    },
    /// Not even a single segment fits into the platform's buffer.
    BufferTooSmall {
        /// Picture or sound.
        kind: MediaKind,
    },
    /// None of the key systems that would do is there.
    KeySystem {
        /// Those that would.
        systems: String,
        /// Why none of them.
        reason: String,
    },
    /// A licence server refuses.
    License {
        /// Where it was asked.
        url: String,
        /// The status of its answer.
        status: u16,
        /// What it said, if it is a problem document (RFC 9457).
        said: String,
    },
    /// The key system does not let a key be used.
    Key {
        /// Its status, as Encrypted Media Extensions have it; `missing` if the licence does not hold it.
        status: String,
    },
    /// The key system did not create a session, or did not take a licence.
    KeySession {
        /// What the platform says of it.
        reason: String,
    },
    /// What is encrypted as a whole cannot be decrypted, or its key is none.
    Decryption {
        /// Where it came from.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The app asked for something that makes no sense.
    InvalidArgument {
        /// What, and what to do instead.
        reason: String,
    },
}

impl Error {
    /// The server says that there is no such thing, or not yet.
    pub(crate) const fn is_missing(&self) -> bool {
        matches!(self, Self::HttpStatus { status: 404, .. })
    }

    /// The row of the public table that this error belongs to.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Network { .. } => ErrorCode::NetworkUnreachable,
            Self::Interrupted { .. } => ErrorCode::NetworkInterrupted,
            Self::Stalled { .. } | Self::TooSlow { .. } => ErrorCode::NetworkTimeout,
            Self::HttpStatus { .. } => ErrorCode::HttpStatus,
            Self::TooLarge { .. } => ErrorCode::ResponseTooLarge,
            Self::RangeIgnored { .. } => ErrorCode::RangeIgnored,
            Self::Unsupported { .. } => ErrorCode::FeatureUnsupported,
            Self::UnknownFormat { .. } => ErrorCode::ManifestUnknownFormat,
            Self::Manifest { .. } => ErrorCode::ManifestInvalid,
            Self::Segment { .. } => ErrorCode::MediaInvalid,
            Self::NothingPlayable { .. } => ErrorCode::NothingPlayable,
            Self::NotSupported { .. } => ErrorCode::MediaNotSupported,
            Self::Decode { .. } => ErrorCode::MediaDecode,
            Self::Element { .. } => ErrorCode::MediaElement,
            Self::BufferTooSmall { .. } => ErrorCode::BufferTooSmall,
            Self::KeySystem { .. } => ErrorCode::KeySystemUnavailable,
            Self::License { .. } => ErrorCode::LicenseRefused,
            Self::Key { .. } => ErrorCode::KeyUnusable,
            Self::KeySession { .. } => ErrorCode::KeySessionFailed,
            Self::Decryption { .. } => ErrorCode::DecryptionFailed,
            Self::InvalidArgument { .. } => ErrorCode::InvalidArgument,
        }
    }

    /// The URL the error is about, if it is about one.
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Network { url, .. }
            | Self::Interrupted { url, .. }
            | Self::Stalled { url, .. }
            | Self::TooSlow { url, .. }
            | Self::HttpStatus { url, .. }
            | Self::TooLarge { url, .. }
            | Self::RangeIgnored { url }
            | Self::Unsupported { url, .. }
            | Self::UnknownFormat { url, .. }
            | Self::Manifest { url, .. }
            | Self::Segment { url, .. }
            | Self::License { url, .. }
            | Self::Decryption { url, .. }
            | Self::NothingPlayable { url } => Some(url),
            _ => None,
        }
    }

    /// Whether the same request may be answered otherwise soon.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Network { .. }
            | Self::Interrupted { .. }
            | Self::Stalled { .. }
            | Self::TooSlow { .. } => true,
            Self::HttpStatus { status, .. } => is_passing(*status),
            _ => false,
        }
    }

    /// Whether something came, and was not what was asked for: another place may have better.
    pub(crate) const fn is_of_content(&self) -> bool {
        matches!(
            self,
            Self::UnknownFormat { .. }
                | Self::Manifest { .. }
                | Self::Segment { .. }
                | Self::Decryption { .. }
        )
    }

    /// As apps see it: `Fatal` ends playback, `Recoverable` was survived.
    pub fn to_player_error(&self, severity: Severity) -> PlayerError {
        let code = self.code();
        PlayerError {
            category: code.category(),
            code,
            severity,
            message: self.to_string(),
            url: self.url().map(str::to_owned),
            http_status: match self {
                Self::HttpStatus { status, .. } | Self::License { status, .. } => Some(*status),
                _ => None,
            },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { url, reason } => {
                write!(
                    f,
                    "no response from {url}: {reason}; check the connection, the host and its CORS headers"
                )
            }
            Self::Interrupted { url, reason } => {
                write!(f, "the response from {url} broke off: {reason}")
            }
            Self::Stalled { url, silence_ms } => {
                write!(f, "nothing arrived from {url} for {silence_ms} ms")
            }
            Self::TooSlow { url, bits_per_second } => {
                write!(
                    f,
                    "{url} arrives at {bits_per_second} bit/s, which is too slow to be of use"
                )
            }
            Self::HttpStatus { url, status } => write!(f, "{url} answered with status {status}"),
            Self::TooLarge { url, limit } => {
                write!(f, "{url} is larger than the {limit} bytes accepted for its kind")
            }
            Self::RangeIgnored { url } => {
                write!(
                    f,
                    "{url} came whole where a byte range was asked for; the server must support ranges"
                )
            }
            Self::Unsupported { url, feature } => {
                write!(f, "{url} needs what this player does not do: {feature}")
            }
            Self::UnknownFormat { url, content_type } => {
                write!(f, "{url} is neither an HLS playlist nor a DASH MPD")?;
                match content_type {
                    Some(content_type) => write!(f, " (it came as {content_type})"),
                    None => Ok(()),
                }
            }
            Self::Manifest { url, error } => write!(f, "{url} cannot be understood: {error}"),
            Self::Segment { url, error } => write!(f, "{url} is not the media expected: {error}"),
            Self::NothingPlayable { url } => {
                write!(f, "{url} holds neither video nor audio with a segment to play")
            }
            Self::NotSupported { kind, mime_type, reason } => {
                write!(f, "this platform cannot play the {} ({mime_type}): {reason}", kind.name())
            }
            Self::Decode { kind, reason } => {
                write!(f, "the {} could not be decoded: {reason}", kind.name())
            }
            Self::Element { reason } => write!(f, "the media element failed: {reason}"),
            Self::BufferTooSmall { kind } => {
                write!(f, "the platform's {} buffer does not hold a single segment", kind.name())
            }
            Self::KeySystem { systems, reason } => {
                write!(f, "no key system can be used of {systems}: {reason}")
            }
            Self::License { url, status, said } => {
                write!(f, "the licence server at {url} refused with status {status}")?;
                if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
            }
            Self::Key { status } => write!(f, "a key cannot be used: it is {status}"),
            Self::KeySession { reason } => write!(f, "a key session failed: {reason}"),
            Self::Decryption { url, reason } => {
                write!(f, "{url} cannot be decrypted: {reason}")
            }
            Self::InvalidArgument { reason } => f.write_str(reason),
        }
    }
}

impl core::error::Error for Error {}

/// An error as apps see it, the same on every platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayerError {
    /// The part of the system at fault.
    pub category: ErrorCategory,
    /// The row of the table.
    pub code: ErrorCode,
    /// Whether playback ended.
    pub severity: Severity,
    /// What is wrong and what to do, for an engineer.
    pub message: String,
    /// What it is about.
    pub url: Option<String>,
    /// The status, if an HTTP status is the reason.
    pub http_status: Option<u16>,
}

impl fmt::Display for PlayerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl core::error::Error for PlayerError {}

/// The part of the system at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorCategory {
    /// The network or a server.
    Network,
    /// The manifest.
    Manifest,
    /// The media or the platform that decodes it.
    Media,
    /// Keys and licences.
    Drm,
    /// The app's use of the player.
    Player,
}

impl ErrorCategory {
    /// The name in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Manifest => "manifest",
            Self::Media => "media",
            Self::Drm => "drm",
            Self::Player => "player",
        }
    }
}

/// Whether playback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// The player went on.
    Recoverable,
    /// Playback cannot go on.
    Fatal,
}

impl Severity {
    /// The name in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recoverable => "recoverable",
            Self::Fatal => "fatal",
        }
    }
}

/// Declares the table once, so that codes, names and categories cannot drift apart.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $category:ident;)+) => {
        /// The rows of the public error table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ErrorCode { $($(#[$doc])* $variant,)+ }

        impl ErrorCode {
            /// Every row, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in every language.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The part of the system at fault.
            pub const fn category(self) -> ErrorCategory {
                match self { $(Self::$variant => ErrorCategory::$category,)+ }
            }
        }
    };
}

codes! {
    /// No response came.
    NetworkUnreachable = "NETWORK_UNREACHABLE", Network;
    /// A body broke off.
    NetworkInterrupted = "NETWORK_INTERRUPTED", Network;
    /// Nothing arrived for too long, or too little.
    NetworkTimeout = "NETWORK_TIMEOUT", Network;
    /// The server answered with an error status.
    HttpStatus = "HTTP_STATUS", Network;
    /// A body is larger than accepted.
    ResponseTooLarge = "RESPONSE_TOO_LARGE", Network;
    /// The server does not support byte ranges.
    RangeIgnored = "RANGE_IGNORED", Network;
    /// The presentation needs something the player does not do.
    FeatureUnsupported = "FEATURE_UNSUPPORTED", Manifest;
    /// The manifest is neither HLS nor DASH.
    ManifestUnknownFormat = "MANIFEST_UNKNOWN_FORMAT", Manifest;
    /// The manifest cannot be understood.
    ManifestInvalid = "MANIFEST_INVALID", Manifest;
    /// The manifest holds nothing playable.
    NothingPlayable = "NOTHING_PLAYABLE", Manifest;
    /// A segment cannot be understood.
    MediaInvalid = "MEDIA_INVALID", Media;
    /// The platform cannot play the codecs.
    MediaNotSupported = "MEDIA_NOT_SUPPORTED", Media;
    /// The platform could not decode the media.
    MediaDecode = "MEDIA_DECODE", Media;
    /// The media element or source broke.
    MediaElement = "MEDIA_ELEMENT", Media;
    /// The platform's buffer does not hold a single segment.
    BufferTooSmall = "BUFFER_TOO_SMALL", Media;
    /// None of the key systems that would do is there.
    KeySystemUnavailable = "KEY_SYSTEM_UNAVAILABLE", Drm;
    /// A licence server refuses.
    LicenseRefused = "LICENSE_REFUSED", Drm;
    /// The key system does not let a key be used.
    KeyUnusable = "KEY_UNUSABLE", Drm;
    /// The key system did not create a session, or did not take a licence.
    KeySessionFailed = "KEY_SESSION_FAILED", Drm;
    /// A segment cannot be decrypted: its key is the wrong one, or none.
    DecryptionFailed = "DECRYPTION_FAILED", Drm;
    /// The app asked for something that makes no sense.
    InvalidArgument = "INVALID_ARGUMENT", Player;
    /// The player itself failed, or could not be started on this platform.
    Internal = "INTERNAL", Player;
}

/// Whether a server that answers so may answer otherwise soon (RFC 9110 §15).
pub(crate) const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_error_says_what_and_where() {
        let error = Error::HttpStatus { url: "https://cdn.example/seg-7.m4s".into(), status: 404 };
        let public = error.to_player_error(Severity::Fatal);
        assert_eq!(public.category, ErrorCategory::Network);
        assert_eq!(public.http_status, Some(404));
        assert_eq!(
            public.to_string(),
            "HTTP_STATUS: https://cdn.example/seg-7.m4s answered with status 404"
        );
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }
}
