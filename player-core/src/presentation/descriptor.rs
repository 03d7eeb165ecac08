//! What a manifest says in schemes that others define.

use crate::time::MediaTime;

/// A property in a scheme of its own (ISO/IEC 23009-1 §5.8.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// What the value means (`@schemeIdUri`).
    pub scheme: String,
    /// The value; empty if there is none.
    pub value: String,
    /// `@id`: descriptors of equal id are alternatives of each other.
    pub id: Option<String>,
}

/// A name for people, in one language (ISO/IEC 23009-1 §5.3.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Language (BCP 47).
    pub language: Option<String>,
    /// The name.
    pub text: String,
    /// It names the group of sets, not the one set (`GroupLabel`).
    pub group: bool,
}

/// Data for the app (RFC 8216bis §4.4.6.4, `EXT-X-SESSION-DATA`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionData {
    /// `DATA-ID`.
    pub id: String,
    /// `VALUE`, if it stands in the manifest.
    pub value: Option<String>,
    /// Absolute URL of the value, if it does not.
    pub url: Option<String>,
    /// The value behind the URL is not JSON (`FORMAT=RAW`).
    pub raw: bool,
    /// Language (BCP 47).
    pub language: Option<String>,
}

/// A tag that this player does not know, kept for the app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnknownTag {
    /// Line of the manifest, counted from 1.
    pub line: u64,
    /// Its name, without `#`.
    pub name: String,
    /// What follows the colon.
    pub value: String,
    /// Number of the segment it stands before; none if it is of the whole playlist.
    pub segment: Option<u64>,
    /// Where that segment begins.
    pub start: Option<MediaTime>,
}
