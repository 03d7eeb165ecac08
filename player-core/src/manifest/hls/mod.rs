//! HTTP Live Streaming playlists (RFC 8216bis).

mod attributes;
mod date_range;
mod key;
mod lines;
mod low_latency;
mod media;
mod multivariant;
mod reading;
mod variables;

pub(crate) use key::data_uri;
pub use low_latency::{HintKind, Part, PreloadHint, RenditionReport, ServerControl};
pub(crate) use media::plain;
pub use media::{
    AlignedBy, Alignment, Deviation, MediaPlaylist, PlaylistType, Refreshed, Reload, SegmentFormat,
};

pub use crate::presentation::index::Difference;

use super::{Fault, ManifestError, ManifestErrorKind, Parsed};
use crate::io::MediaKind;
use crate::presentation::{Period, Presentation, Purpose, Representation, Segments, SwitchingSet};
use crate::url as urls;
use lines::{Content, Lines};

/// Reads a playlist of either kind from `url`, against which its references resolve.
///
/// A media playlist becomes a presentation of one representation whose codecs are unknown.
///
/// # Errors
/// As [`parse_multivariant`] and [`parse_media`], and
/// [`Empty`](ManifestErrorKind::Empty) if it has tags of neither kind.
pub fn parse(bytes: &[u8], url: &str) -> Result<Parsed<Presentation>, ManifestError> {
    read(bytes, url).map_err(|fault| *fault)
}

fn read(bytes: &[u8], url: &str) -> Result<Parsed<Presentation>, Fault> {
    let text = text(bytes)?;
    for line in Lines::new(text) {
        let name = match line.content() {
            Content::Tag { name, .. } => name,
            Content::Uri(_) => continue,
        };
        match name {
            "EXT-X-STREAM-INF"
            | "EXT-X-MEDIA"
            | "EXT-X-I-FRAME-STREAM-INF"
            | "EXT-X-IMAGE-STREAM-INF"
            | "EXT-X-SESSION-DATA"
            | "EXT-X-SESSION-KEY"
            | "EXT-X-CONTENT-STEERING" => return multivariant::parse(text, url),
            "EXTINF"
            | "EXT-X-TARGETDURATION"
            | "EXT-X-MEDIA-SEQUENCE"
            | "EXT-X-DISCONTINUITY-SEQUENCE"
            | "EXT-X-PLAYLIST-TYPE"
            | "EXT-X-MAP"
            | "EXT-X-KEY"
            | "EXT-X-BYTERANGE"
            | "EXT-X-PROGRAM-DATE-TIME"
            | "EXT-X-I-FRAMES-ONLY"
            | "EXT-X-PART-INF"
            | "EXT-X-SERVER-CONTROL"
            | "EXT-X-ENDLIST" => {
                let Parsed { value, warnings } = media::parse(text, url, &[])?;
                return Ok(Parsed { value: alone(value), warnings });
            }
            _ => {}
        }
    }
    Err(ManifestErrorKind::Empty.at(1))
}

/// Reads a multivariant playlist (RFC 8216bis §4.4.6) from `url`, against which its references
/// resolve.
///
/// # Errors
/// If it has no variant that could be played, is a media playlist, or is not understood.
pub fn parse_multivariant(bytes: &[u8], url: &str) -> Result<Parsed<Presentation>, ManifestError> {
    text(bytes).and_then(|text| multivariant::parse(text, url)).map_err(|fault| *fault)
}

/// Reads a media playlist (RFC 8216bis §4.4.3) from `url`, against which its references resolve.
///
/// # Errors
/// If it has no segments and never will, needs what this player cannot do, is a multivariant
/// playlist, or is not understood.
pub fn parse_media(bytes: &[u8], url: &str) -> Result<Parsed<MediaPlaylist>, ManifestError> {
    parse_media_with(bytes, url, &[])
}

/// As [`parse_media`], for a playlist that may import the variables of its multivariant playlist
/// (`EXT-X-DEFINE` with `IMPORT`).
///
/// # Errors
/// Likewise, and if it imports what is not there.
pub fn parse_media_with(
    bytes: &[u8],
    url: &str,
    variables: &[(String, String)],
) -> Result<Parsed<MediaPlaylist>, ManifestError> {
    text(bytes).and_then(|text| media::parse(text, url, variables)).map_err(|fault| *fault)
}

/// The text of a playlist, once it is known to be one (RFC 8216bis §4.1, §4.4.1.1).
fn text(bytes: &[u8]) -> Result<&str, Fault> {
    let text = super::text(bytes)?;
    match Lines::new(text).next().map(|line| line.content()) {
        Some(Content::Tag { name: "EXTM3U", .. }) => Ok(text),
        _ => Err(ManifestErrorKind::NotPlaylist.at(1)),
    }
}

/// A media playlist that was given without a multivariant playlist.
fn alone(playlist: MediaPlaylist) -> Presentation {
    let names = playlist.index.get(0).map(|first| first.url).unwrap_or_default();
    let sound_by_name = [".m4a", ".cmfa"].iter().any(|ending| urls::path(&names).ends_with(ending));
    let (kind, container) = match playlist.format {
        SegmentFormat::MpegTs => (MediaKind::Video, "video/mp2t"),
        SegmentFormat::PackedAudio => (MediaKind::Audio, "audio/aac"),
        SegmentFormat::WebVtt => (MediaKind::Text, "text/vtt"),
        SegmentFormat::FragmentedMp4 if sound_by_name => (MediaKind::Audio, "audio/mp4"),
        SegmentFormat::FragmentedMp4 => (MediaKind::Video, "video/mp4"),
        // What has no EXT-X-MAP and is nothing else.
        SegmentFormat::Unknown => (MediaKind::Video, "video/mp2t"),
    };
    let duration = (!playlist.live).then(|| playlist.index.end());
    let live = playlist.timing();
    let bandwidth = playlist.bandwidth.unwrap_or(1).max(1);
    let representation = Representation {
        container: container.into(),
        ..Representation::new("media", bandwidth, Segments::Known(playlist.index))
    };
    let purpose = match playlist.i_frames_only {
        true => Purpose::TrickPlay { of: None },
        false => Purpose::Playback,
    };
    let set = SwitchingSet {
        default: true,
        purpose,
        representations: vec![representation],
        ..SwitchingSet::new(kind)
    };
    let MediaPlaylist { events, start, unknown, .. } = playlist;
    let period = Period { duration, sets: vec![set], events, ..Period::default() };
    let periods = vec![period];
    Presentation { duration, live, start, periods, unknown, ..Presentation::default() }
}

#[cfg(test)]
mod live_tests;
#[cfg(test)]
mod tests;
