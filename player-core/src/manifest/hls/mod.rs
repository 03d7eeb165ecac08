//! HTTP Live Streaming playlists (RFC 8216bis).

mod playlist;

pub use playlist::{MediaPlaylist, PlaylistType, SegmentFormat};

use super::{ManifestError, ManifestErrorKind, Parsed};
use crate::presentation::Presentation;

/// Reads a playlist of either kind.
pub fn parse(_bytes: &[u8], _url: &str) -> Result<Parsed<Presentation>, ManifestError> {
    Err(ManifestErrorKind::unsupported("HLS").at(1))
}

/// Reads a media playlist.
pub fn parse_media(_bytes: &[u8], _url: &str) -> Result<Parsed<MediaPlaylist>, ManifestError> {
    Err(ManifestErrorKind::unsupported("HLS").at(1))
}
