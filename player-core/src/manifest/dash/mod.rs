//! Media Presentation Descriptions (ISO/IEC 23009-1).
//!
//! Reading takes two steps. `tree` takes in what is written, in one pass over the XML, with `runs`
//! for what most of a large MPD is made of. `resolve` then works out what it means: where periods
//! begin, what is inherited from level to level, and which segments there are.

mod addressing;
pub mod availability;
mod describe;
mod document;
mod duration;
mod links;
mod live;
mod names;
mod patch;
mod protection;
mod resolve;
mod runs;
mod switching;
mod template;
mod timeline;
mod tree;
mod xml;

pub use document::{Deviation, Document, Refreshed};
pub use links::Link;
pub use patch::PatchError;

use names::Name;
use resolve::Held;
use tree::{Reader, Source, Tree};

use super::{Fault, ManifestError, Parsed, Warnings, lines_in, text};
use crate::presentation::Presentation;

/// Reads an MPD from `url`, against which its references resolve.
///
/// # Errors
/// If it has nothing that could be played, needs what this player cannot do, or is not understood.
/// A representation that is not understood is left out with a warning as long as others remain.
pub fn parse_mpd(bytes: &[u8], url: &str) -> Result<Parsed<Presentation>, ManifestError> {
    let text = text(bytes).map_err(|fault| *fault)?;
    let Parsed { value, warnings } = read(text, url, Keep::Nothing)?;
    Ok(Parsed { value: value.presentation, warnings })
}

/// As [`parse_mpd`], and keeps the document of one that is live, to follow it. A complete one leaves
/// nothing behind but what it means.
///
/// # Errors
/// As [`parse_mpd`].
pub fn follow_mpd(
    bytes: &[u8],
    url: &str,
) -> Result<Parsed<(Option<Document>, Presentation)>, ManifestError> {
    let text = text(bytes).map_err(|fault| *fault)?;
    let Parsed { value: Read { tree, held, presentation }, warnings } =
        read(text, url, Keep::Live)?;
    let live = presentation.live.is_some();
    let document = live.then(|| Document::of(text, url, tree, held));
    Ok(Parsed { value: (document, presentation), warnings })
}

/// What was read of a document.
struct Read {
    tree: Tree,
    held: Held,
    presentation: Presentation,
}

/// Which documents are kept, so that all of the tree must be.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Nothing,
    Live,
    All,
}

#[inline(never)]
fn read(text: &str, url: &str, keep: Keep) -> Result<Parsed<Read>, ManifestError> {
    let (mut lines, mut warnings) = (Lines::of(text), Warnings::default());
    let read = read_tree(text, url, keep, &mut warnings);
    let read = read.map_err(|fault| lines.of_fault(*fault))?;
    let mut parsed = warnings.with(read);
    lines.of_warnings(&mut parsed);
    Ok(parsed)
}

fn read_tree(text: &str, url: &str, keep: Keep, warnings: &mut Warnings) -> Result<Read, Fault> {
    let mut tree = Tree::default();
    let mut reader = Reader::new(text, 0, &mut tree)?;
    let id = reader.document(Name::Mpd, keep)?;
    let lists = match reader.keeps {
        true => Vec::new(),
        false => core::mem::take(&mut tree.lists),
    };
    let source = Source::new(&tree, text);
    let (presentation, held) =
        resolve::presentation(source.element(id), url, text.len(), lists, warnings, None)?;
    Ok(Read { tree, held, presentation })
}

/// Turns offsets in a text, which are where faults and warnings say they stand, into lines.
struct Lines<'a> {
    text: &'a str,
    /// Offset that the text begins with.
    base: usize,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self::after(text, 0)
    }

    fn after(text: &'a str, base: usize) -> Self {
        Self { text, base, at: 0, line: 1 }
    }

    /// The line of an offset. Offsets mostly rise, so lines are counted on from the last.
    fn line(&mut self, offset: u64) -> u64 {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).saturating_sub(self.base);
        let offset = offset.min(self.text.len());
        if offset < self.at {
            (self.at, self.line) = (0, 1);
        }
        let between = self.text.as_bytes().get(self.at..offset).unwrap_or_default();
        self.line += lines_in(between);
        self.at = offset;
        self.line
    }

    fn of_fault(&mut self, mut fault: ManifestError) -> ManifestError {
        fault.line = self.line(fault.line);
        fault
    }

    fn of_warnings<T>(&mut self, parsed: &mut Parsed<T>) {
        for warning in &mut parsed.warnings {
            warning.line = self.line(warning.line);
        }
    }
}

#[cfg(test)]
mod tests;
