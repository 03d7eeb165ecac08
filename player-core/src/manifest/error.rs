//! Why a manifest cannot be understood.

use core::fmt;

use serde::{Deserialize, Serialize};

/// A fault of a manifest that keeps it from being played, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestError {
    /// Line, counted from 1.
    pub line: u64,
    /// The fault.
    pub kind: ManifestErrorKind,
}

/// A fault of a manifest: one variant for each way it deviates from what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ManifestErrorKind {
    /// It is not UTF-8.
    NotText,
    /// It does not begin with `#EXTM3U` (RFC 8216bis §4.4.1.1).
    NotPlaylist,
    /// It does not contain an `MPD` element.
    NotMpd,
    /// A media playlist was expected, and this is a multivariant playlist.
    NotMediaPlaylist,
    /// A multivariant playlist was expected, and this is a media playlist.
    NotMultivariantPlaylist,
    /// It has tags of both kinds of playlist (RFC 8216bis §4.1).
    MixedPlaylist,
    /// It is not well-formed XML.
    Xml {
        /// What is wrong.
        reason: String,
    },
    /// It has a document type declaration, which an MPD has no use for and attacks do.
    DocumentType,
    /// It ends in the middle.
    UnexpectedEnd,
    /// A tag or element that must be there is not.
    Missing {
        /// Its name.
        name: String,
    },
    /// An attribute that must be there is not.
    MissingAttribute {
        /// The tag or element.
        name: String,
        /// The attribute.
        attribute: String,
    },
    /// A value is not of the form its tag, element or attribute has.
    InvalidValue {
        /// The tag, element or attribute.
        name: String,
        /// The value, or its beginning.
        value: String,
    },
    /// A variable is used that was never defined (RFC 8216bis §4.3).
    UndefinedVariable {
        /// Its name.
        name: String,
    },
    /// A variable is defined twice (RFC 8216bis §4.4.2.3).
    DefinedTwice {
        /// Its name.
        name: String,
    },
    /// There is no period, variant or segment in it.
    Empty,
    /// It asks for something this player cannot do.
    Unsupported {
        /// What.
        feature: String,
    },
    /// It has more of something than is accepted.
    Limit {
        /// What.
        what: String,
        /// The most that is accepted.
        most: u64,
    },
}

/// A fault on its way out of a parser. In a box, because results that hold one are handed on at
/// hundreds of places.
pub(crate) type Fault = Box<ManifestError>;

impl ManifestErrorKind {
    #[cold]
    #[inline(never)]
    pub(crate) fn at(self, line: u64) -> Fault {
        Box::new(ManifestError { line, kind: self })
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn missing(name: &str) -> Self {
        Self::Missing { name: name.to_owned() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn missing_attribute(name: &str, attribute: &str) -> Self {
        Self::MissingAttribute { name: name.to_owned(), attribute: attribute.to_owned() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn invalid(name: &str, value: &str) -> Self {
        Self::InvalidValue { name: name.to_owned(), value: excerpt(value).to_owned() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn unsupported(feature: &str) -> Self {
        Self::Unsupported { feature: feature.to_owned() }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn limit(what: &str, most: usize) -> Self {
        Self::Limit { what: what.to_owned(), most: most as u64 }
    }
}

/// The beginning of a value, short enough for a message.
pub(crate) fn excerpt(value: &str) -> &str {
    const MOST: usize = 80;
    value.get(..value.floor_char_boundary(MOST)).unwrap_or(value)
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.kind)
    }
}

impl core::error::Error for ManifestError {}

impl fmt::Display for ManifestErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => f.write_str("it is not UTF-8 text"),
            Self::NotPlaylist => f.write_str("it does not begin with #EXTM3U"),
            Self::NotMpd => f.write_str("it has no MPD element"),
            Self::NotMediaPlaylist => {
                f.write_str("it is a multivariant playlist where a media playlist should be")
            }
            Self::NotMultivariantPlaylist => {
                f.write_str("it is a media playlist where a multivariant playlist should be")
            }
            Self::MixedPlaylist => {
                f.write_str("it has tags of both multivariant and media playlists")
            }
            Self::Xml { reason } => write!(f, "it is not well-formed XML: {reason}"),
            Self::DocumentType => {
                f.write_str("it has a document type declaration; take <!DOCTYPE ...> out")
            }
            Self::UnexpectedEnd => f.write_str("it ends in the middle"),
            Self::Missing { name } => write!(f, "{name} is missing"),
            Self::MissingAttribute { name, attribute } => {
                write!(f, "{name} lacks its {attribute}")
            }
            Self::InvalidValue { name, value } => {
                write!(f, "\"{value}\" is no value for {name}")
            }
            Self::UndefinedVariable { name } => {
                write!(f, "the variable {name} is used without EXT-X-DEFINE")
            }
            Self::DefinedTwice { name } => write!(f, "the variable {name} is defined twice"),
            Self::Empty => f.write_str("there is nothing in it to play"),
            Self::Unsupported { feature } => write!(f, "{feature} cannot be played"),
            Self::Limit { what, most } => write!(f, "it has more than the {most} {what} accepted"),
        }
    }
}
