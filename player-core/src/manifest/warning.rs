//! What of a manifest was overlooked.

use serde::{Deserialize, Serialize};

use super::Parsed;

/// A deviation that was overlooked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestWarning {
    /// Line of the manifest, counted from 1.
    pub line: u64,
    /// What kind of deviation it is.
    pub code: WarningCode,
    /// What is wrong.
    pub message: String,
}

/// A kind of deviation. Its name stays the same from release to release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum WarningCode {
    /// A tag, element or scheme this player does not know; reported where it first stands.
    Unknown,
    /// A value is not of the form its tag, element or attribute has.
    BadValue,
    /// A list of attributes is not written as one.
    Syntax,
    /// A tag, element or attribute that must be there is not.
    Missing,
    /// Something stands twice that may be there once; the first counts.
    Duplicate,
    /// Something stands where it has no meaning.
    Misplaced,
    /// It contradicts something else in the manifest.
    Inconsistent,
    /// Periods, segments or runs of them overlap.
    Overlap,
    /// It needs what this player cannot do, and is left out.
    Unsupported,
    /// There is more of something than is kept.
    Limit,
}

impl WarningCode {
    /// Its name, as logs and tools print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown-tag",
            Self::BadValue => "bad-value",
            Self::Syntax => "syntax",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Misplaced => "misplaced",
            Self::Inconsistent => "inconsistent",
            Self::Overlap => "overlap",
            Self::Unsupported => "unsupported",
            Self::Limit => "limit",
        }
    }
}

/// Gathers warnings, up to a number that still says all a person wants to read.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<ManifestWarning>);

impl Warnings {
    const MOST: usize = 100;

    #[cold]
    #[inline(never)]
    pub(crate) fn add(&mut self, line: u64, code: WarningCode, message: impl Into<String>) {
        if self.0.len() < Self::MOST {
            self.0.push(ManifestWarning { line, code, message: message.into() });
        }
    }

    pub(crate) fn with<T>(self, value: T) -> Parsed<T> {
        Parsed { value, warnings: self.0 }
    }
}
