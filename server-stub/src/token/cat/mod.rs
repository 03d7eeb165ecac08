//! What lets a player fetch media: Common Access Tokens (CTA-5007-A), short-lived and for one package.
//!
//! The role `playback` issues one for the manifests of what it lets play; the role `delivery` writes another,
//! for the media, into the manifest it makes of it. Both are in the path, `/t/TOKEN/library/PACKAGE/…`, for
//! three reasons: the relative URLs of segments keep it without a player's doing, it needs no cookie, and what
//! follows it is the same for every viewer. A cache drops `/t/TOKEN` from its key, once it has checked it, and so
//! keeps one copy of each segment.

mod claims;
mod keys;

pub use keys::DeliveryKeys;

use crate::{
    clock::UnixTime,
    id::{AccountId, PlaybackId},
    web::text::Slug,
};

/// Seconds in which a player has to fetch the manifest it was sent to.
pub const MANIFEST_LIFETIME: u32 = 300;
/// Seconds that media may be fetched for at most.
pub const LONGEST_LIFETIME: u32 = 12 * 3600;

/// What a token allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The playback it is for (`cti`).
    pub playback: PlaybackId,
    /// The account that plays (`sub`).
    pub account: AccountId,
    /// The package of the library.
    pub package: Slug,
    /// When it was issued (`iat`).
    pub issued: UnixTime,
    /// From when on it is not valid (`exp`).
    pub expires: UnixTime,
    /// What of the package.
    pub scope: Scope,
}

/// What of a package may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The files right in its directory (`catu`: the parent path, exactly), of which the manifests are written
    /// on these terms.
    Manifests(Terms),
    /// Everything below it (`catu`: the beginning of the path), or just these directories if any are named.
    Media {
        /// The directories of the representations the viewer may have.
        directories: Vec<String>,
    },
}

/// On which terms a manifest is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// No picture has more lines.
    pub max_height: Option<u16>,
    /// The codings the device plays, as the first part of RFC 6381's names; any if there is none.
    pub codecs: Vec<String>,
    /// Seconds that the media may be fetched for.
    pub media_seconds: u32,
}

/// Why a token does not let somebody fetch something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no token, not one of ours, or changed.
    #[error("the token in the path is not valid")]
    Invalid,
    /// It was valid.
    #[error("the token in the path has expired; begin the playback again")]
    Expired,
    /// It is for something else.
    #[error("the token in the path is for something else")]
    OutOfScope,
}

impl Grant {
    /// Checks that the grant covers a path, `/library/…` as it stands in the URI, and is valid now.
    ///
    /// # Errors
    /// Why it does not.
    pub fn allows(&self, path: &str, now: UnixTime) -> Result<(), Refusal> {
        if now >= self.expires {
            return Err(Refusal::Expired);
        }
        let inside = path
            .strip_prefix("/library/")
            .and_then(|rest| rest.strip_prefix(self.package.as_str())?.strip_prefix('/'));
        let inside = inside.ok_or(Refusal::OutOfScope)?;
        let covered = match (&self.scope, inside.split_once('/')) {
            (Scope::Manifests(_), None) => true,
            (Scope::Manifests(_), Some(_)) | (Scope::Media { .. }, None) => false,
            (Scope::Media { directories }, Some((directory, _))) => {
                directories.is_empty() || directories.iter().any(|allowed| allowed == directory)
            }
        };
        if covered { Ok(()) } else { Err(Refusal::OutOfScope) }
    }
}
