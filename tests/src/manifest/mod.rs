//! What a manifest says, as `kinora-lab manifest` prints it and as tests compare it.

mod folder;
mod playlist;
mod tree;
mod view;

pub use folder::{Answer, Place, UnreadableFolder};
pub use tree::tree;
pub use view::{PresentationView, RefusalView, Refusals};

use kinora_core::io::SourceFormat;
use kinora_core::manifest::{self, ManifestError, Parsed, dash, hls};
use kinora_core::presentation::Presentation;

/// Understands a manifest of either format. What begins as neither is taken for a playlist, whose
/// parser says what is wrong with its beginning.
///
/// # Errors
/// Those of the format's parser.
pub fn parse(
    bytes: &[u8],
    url: &str,
) -> (SourceFormat, Result<Parsed<Presentation>, ManifestError>) {
    match manifest::sniff(bytes, None) {
        Some(SourceFormat::Dash) => (SourceFormat::Dash, dash::parse_mpd(bytes, url)),
        Some(SourceFormat::Hls) => (SourceFormat::Hls, hls::parse(bytes, url)),
        // XML that is no MPD.
        None if bytes.trim_ascii_start().starts_with(b"<") => {
            (SourceFormat::Dash, dash::parse_mpd(bytes, url))
        }
        None => (SourceFormat::Hls, hls::parse(bytes, url)),
    }
}
