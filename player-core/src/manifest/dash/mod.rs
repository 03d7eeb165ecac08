//! Media Presentation Descriptions (ISO/IEC 23009-1).
//!
//! Reading takes two steps. `document` takes in what is written, in one pass over the XML.
//! `resolve` then works out what it means: where periods begin, what is inherited from level to
//! level, and which segments there are.

mod document;
mod duration;
mod resolve;
mod template;
mod timeline;
mod xml;

use super::{Fault, ManifestError, Parsed, Warnings, text};
use crate::presentation::Presentation;

/// Reads an MPD from `url`, against which its references resolve.
///
/// # Errors
/// If it has nothing that could be played, needs what this player cannot do, or is not understood.
/// A representation that is not understood is left out with a warning as long as others remain.
pub fn parse_mpd(bytes: &[u8], url: &str) -> Result<Parsed<Presentation>, ManifestError> {
    read(bytes, url).map_err(|fault| *fault)
}

fn read(bytes: &[u8], url: &str) -> Result<Parsed<Presentation>, Fault> {
    let text = text(bytes)?;
    let mut warnings = Warnings::default();
    let mpd = document::read(text, &mut warnings)?;
    let presentation = resolve::presentation(&mpd, url, text.len(), &mut warnings)?;
    Ok(warnings.with(presentation))
}

#[cfg(test)]
mod tests;
