//! The public error table, and what a call across the border can fail with.

use kinora_core::error::{ErrorCategory, ErrorCode, PlayerError, Severity};

/// Why a call of the SDK failed. What goes wrong in playback is not among these: that arrives as an
/// event, and its error is a row of the public table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum SdkError {
    /// An earlier call ended in the middle because of a fault inside the SDK.
    #[error("this player broke in an earlier call; close it and make a new one")]
    Broken,
    /// The bytes are not a session log of this version.
    #[error("not a session log: {reason}")]
    InvalidLog {
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes are not the media they should be.
    #[error("not the media expected: {reason}")]
    InvalidMedia {
        /// What is wrong with them.
        reason: String,
    },
}

/// One row of the public error table.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ErrorRow {
    /// The row.
    pub code: ErrorCode,
    /// Its name, the same in every language and in logs.
    pub name: String,
    /// The part of the system at fault.
    pub category: ErrorCategory,
}

/// Every row of the public error table, in order.
#[uniffi::export]
pub fn error_table() -> Result<Vec<ErrorRow>, SdkError> {
    Ok(ErrorCode::ALL
        .iter()
        .map(|&code| ErrorRow { code, name: code.name().to_owned(), category: code.category() })
        .collect())
}

/// An error as apps see it, the same on every platform.
#[uniffi::remote(Record)]
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

/// The part of the system at fault.
#[uniffi::remote(Enum)]
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

/// Whether playback ended.
#[uniffi::remote(Enum)]
pub enum Severity {
    /// The player went on.
    Recoverable,
    /// Playback cannot go on.
    Fatal,
}

/// The rows of the public error table.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum ErrorCode {
    /// No response came.
    NetworkUnreachable,
    /// A body broke off.
    NetworkInterrupted,
    /// Nothing arrived for too long.
    NetworkTimeout,
    /// The server answered with an error status.
    HttpStatus,
    /// A body is larger than accepted.
    ResponseTooLarge,
    /// The server does not support byte ranges.
    RangeIgnored,
    /// The presentation needs something the player does not do.
    FeatureUnsupported,
    /// The manifest is neither HLS nor DASH.
    ManifestUnknownFormat,
    /// The manifest cannot be understood.
    ManifestInvalid,
    /// The manifest holds nothing playable.
    NothingPlayable,
    /// A segment cannot be understood.
    MediaInvalid,
    /// The platform cannot play the codecs.
    MediaNotSupported,
    /// The platform could not decode the media.
    MediaDecode,
    /// The media element or source broke.
    MediaElement,
    /// The platform's buffer does not hold a single segment.
    BufferTooSmall,
    /// None of the key systems that would do is there.
    KeySystemUnavailable,
    /// A licence server refuses.
    LicenseRefused,
    /// The key system does not let a key be used.
    KeyUnusable,
    /// The key system did not create a session, or did not take a licence.
    KeySessionFailed,
    /// A segment cannot be decrypted: its key is the wrong one, or none.
    DecryptionFailed,
    /// The app asked for something that makes no sense.
    InvalidArgument,
    /// The player itself failed, or could not be started on this platform.
    Internal,
}
