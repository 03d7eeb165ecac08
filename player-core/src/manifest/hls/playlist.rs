//! What a media playlist says.

use crate::presentation::SegmentIndex;
use crate::time::MediaTime;

/// A media playlist (RFC 8216bis §4.4.3): the segments of one representation.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaPlaylist {
    /// Its segments. The first begins at zero of the presentation timeline.
    pub index: SegmentIndex,
    /// More segments may come: there is no `EXT-X-ENDLIST`.
    pub live: bool,
    /// `EXT-X-TARGETDURATION`: no segment is longer, rounded to seconds.
    pub target_duration: MediaTime,
    /// `EXT-X-PLAYLIST-TYPE`.
    pub playlist_type: Option<PlaylistType>,
    /// What the segments are, as far as their tags and names tell.
    pub format: SegmentFormat,
}

/// Whether a playlist may change (RFC 8216bis §4.4.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaylistType {
    /// It may only grow.
    Event,
    /// It cannot change.
    Vod,
}

/// The format of a playlist's segments (RFC 8216bis §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SegmentFormat {
    /// Fragmented MPEG-4: there is an `EXT-X-MAP`.
    FragmentedMp4,
    /// MPEG-2 transport stream.
    MpegTs,
    /// ADTS, MP3, AC-3 or Enhanced AC-3 without a container.
    PackedAudio,
    /// WebVTT text.
    WebVtt,
    /// Neither tags nor names tell.
    Unknown,
}
