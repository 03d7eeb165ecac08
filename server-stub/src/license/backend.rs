//! What makes a licence of a request that may have one.

use crate::{
    id::{AccountId, PlaybackId, SessionId},
    vault::Key,
    web::Onward,
};
use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longer requests are none of any key system's.
pub const LONGEST_REQUEST: usize = 32 * 1024;
/// Longer licences are not passed on.
pub const LONGEST_LICENSE: usize = 64 * 1024;

/// A key system, as it stands in a path.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum System {
    Clearkey,
    Widevine,
    Playready,
    Fairplay,
}

impl System {
    /// Its name in paths and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clearkey => "clearkey",
            Self::Widevine => "widevine",
            Self::Playready => "playready",
            Self::Fairplay => "fairplay",
        }
    }
}

/// A request of a playback that was found to be whose it says it is.
#[derive(Debug, Clone)]
pub struct Request {
    /// The playback.
    pub playback: PlaybackId,
    /// Whose it is.
    pub account: AccountId,
    /// The device.
    pub device: SessionId,
    /// What plays.
    pub item: String,
    /// The keys that the playback may have.
    pub keys: Vec<Key>,
    /// What the key system wrote.
    pub body: Bytes,
    /// The media type of that, if it is stated.
    pub content_type: Option<String>,
    /// The names of the request here.
    pub onward: Onward,
}

/// A licence. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct License {
    /// For the key system.
    pub body: Bytes,
    /// Its media type.
    pub content_type: String,
}

impl std::fmt::Debug for License {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "License({} bytes)", self.body.len())
    }
}

/// Why there is no licence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The request is none of this key system's.
    #[error("this is no licence request: {0}")]
    Malformed(&'static str),
    /// None of the keys that are asked for may be given.
    #[error("none of these keys is for what plays, in a quality that this key system may have")]
    NotEntitled,
    /// The licence server refused, with this status.
    #[error("the licence server refused with status {0}")]
    Refused(u16),
    /// The licence server cannot be reached, or did not answer in time or with sense.
    #[error("the licence server {0}")]
    Unavailable(&'static str),
}

/// Makes licences for one key system.
#[async_trait]
pub trait LicenseBackend: Send + Sync + 'static {
    /// The licence.
    ///
    /// # Errors
    /// See [`BackendError`]. Errors never hold a part of a request or a licence.
    async fn license(&self, request: &Request) -> Result<License, BackendError>;
}
