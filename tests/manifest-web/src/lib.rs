//! The manifest parsers alone, for JavaScript: they can be timed beside those of other players, and
//! the size of this module is theirs.
//!
//! What is parsed stays here, as in the player, whose requests are all that leave it.

use wasm_bindgen::prelude::*;

#[cfg(feature = "dash")]
mod dash;
#[cfg(feature = "hls")]
mod hls;
#[cfg(feature = "reload")]
mod reload;

#[cfg(feature = "dash")]
pub use dash::Mpd;
#[cfg(feature = "hls")]
pub use hls::Playlist;
#[cfg(feature = "reload")]
pub use reload::{LiveMpd, rehearse, variants};

/// What every module takes that is given bytes and text, and answers with an error in words: the
/// glue, the allocator, and what the standard library formats and panics with. It is in all of them,
/// so that what the parsers weigh is what they add to it.
#[wasm_bindgen]
pub fn floor(bytes: &[u8], url: String) -> Result<usize, JsError> {
    match bytes.first() {
        Some(_) => Ok(url.len()),
        None => Err(JsError::new(&format!("{url} has {} bytes", bytes.len()))),
    }
}

/// The one of the module that ships.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// Makes every segment of an index, URL and all, and counts them. The sum of the lengths of URLs
/// keeps a compiler from leaving the URLs out.
#[cfg(any(feature = "dash", feature = "hls"))]
fn expand(index: &kinora_core::presentation::SegmentIndex) -> (usize, usize) {
    index.iter().fold((0, 0), |(count, bytes), segment| (count + 1, bytes + segment.url.len()))
}
