//! Media Presentation Descriptions (ISO/IEC 23009-1).

use super::{ManifestError, ManifestErrorKind, Parsed};
use crate::presentation::Presentation;

/// Reads an MPD.
pub fn parse_mpd(_bytes: &[u8], _url: &str) -> Result<Parsed<Presentation>, ManifestError> {
    Err(ManifestErrorKind::unsupported("DASH").at(1))
}
