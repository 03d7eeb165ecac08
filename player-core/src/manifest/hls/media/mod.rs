//! Media playlists (RFC 8216bis §4.4.3 to §4.4.5).

mod align;
mod follow;
mod place;
mod reader;
mod refresh;
mod reload;

pub use align::{AlignedBy, Alignment};
pub use refresh::{Deviation, Refreshed};
pub use reload::Reload;
pub(crate) use reload::plain;

pub(super) use reader::parse;

use super::low_latency::{Part, PreloadHint, RenditionReport, ServerControl};
use crate::io::MediaKind;
use crate::presentation::{Live, SegmentIndex, StartPoint, TimedEvent, UnknownTag};
use crate::time::MediaTime;
use crate::url;
use follow::Following;

/// A media playlist: the segments of one representation.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaPlaylist {
    /// Its segments. The first begins at zero of the presentation timeline when the playlist is read
    /// for the first time; [`refresh`](Self::refresh) never moves a segment again.
    pub index: SegmentIndex,
    /// More segments may come: there is no `EXT-X-ENDLIST`.
    pub live: bool,
    /// `EXT-X-ENDLIST` is there. A playlist that is neither live nor ended says that it is for VoD.
    pub ended: bool,
    /// `EXT-X-TARGETDURATION`: no segment is longer, rounded to seconds.
    pub target_duration: MediaTime,
    /// `EXT-X-PLAYLIST-TYPE`.
    pub playlist_type: Option<PlaylistType>,
    /// Every segment begins with a key frame (`EXT-X-INDEPENDENT-SEGMENTS`).
    pub independent: bool,
    /// Every segment is one key frame (`EXT-X-I-FRAMES-ONLY`), shown as long as the segment lasts.
    pub i_frames_only: bool,
    /// What the segments are, as far as their tags and names tell.
    pub format: SegmentFormat,
    /// Peak bit rate of the segments in bit/s, as far as byte ranges and `EXT-X-BITRATE` tell.
    pub bandwidth: Option<u64>,
    /// Where the author wants playback to begin (`EXT-X-START`).
    pub start: Option<StartPoint>,
    /// Date ranges, in the order they stand there.
    pub events: Vec<TimedEvent>,
    /// What the server can do for its clients.
    pub control: ServerControl,
    /// `EXT-X-PART-INF`: no part is longer.
    pub part_target: Option<MediaTime>,
    /// Parts of the last segments, and of the one that is not complete yet.
    pub parts: Vec<Part>,
    /// What will be needed next.
    pub hints: Vec<PreloadHint>,
    /// How far other renditions are.
    pub reports: Vec<RenditionReport>,
    /// Tags that are not known, kept for the app.
    pub unknown: Vec<UnknownTag>,
    /// What it takes to merge the next version into this one; none once it has ended.
    following: Option<Box<Following>>,
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
    /// Fragmented MPEG-4.
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

impl SegmentFormat {
    /// The container of segments of this format, if it holds picture or sound of that kind. Where nothing tells, it is
    /// the one that segments without `EXT-X-MAP` are in (RFC 8216bis §3.1).
    pub(crate) const fn container(self, kind: MediaKind) -> Option<&'static str> {
        match (self, kind) {
            (Self::MpegTs | Self::Unknown, MediaKind::Video) => Some("video/mp2t"),
            (Self::MpegTs | Self::Unknown, MediaKind::Audio) => Some("audio/mp2t"),
            (Self::PackedAudio, _) => Some("audio/aac"),
            _ => None,
        }
    }
}

impl MediaPlaylist {
    /// One of which nothing is known.
    fn nothing() -> Self {
        Self {
            index: SegmentIndex::nothing(),
            live: false,
            ended: false,
            target_duration: MediaTime::ZERO,
            playlist_type: None,
            independent: false,
            i_frames_only: false,
            format: SegmentFormat::Unknown,
            bandwidth: None,
            start: None,
            events: Vec::new(),
            control: ServerControl::default(),
            part_target: None,
            parts: Vec::new(),
            hints: Vec::new(),
            reports: Vec::new(),
            unknown: Vec::new(),
            following: None,
        }
    }

    /// What following it takes; none if it has ended.
    pub fn timing(&self) -> Option<Live> {
        let start = self.index.start();
        let origin = self.index.wall_time_at(start).map(|wall| wall - start);
        self.live.then(|| Live {
            origin,
            // Three target durations, unless the server says (RFC 8216bis §4.4.3.8).
            delay: Some(self.control.hold_back.unwrap_or(self.target_duration.times(3))),
            part_delay: self.control.part_hold_back.filter(|_| self.part_target.is_some()),
            ..Live::default()
        })
    }

    /// The number of the segment after the last complete one, and how many parts of it there are.
    pub(crate) fn edge(&self) -> (u64, u64) {
        let next = self.index.list().map_or(0, |list| list.next_number());
        let parts = self.parts.iter().rev().take_while(|part| part.segment == next).count();
        (next, parts as u64)
    }
}

/// What the name of a segment without `EXT-X-MAP` tells.
fn format_by_name(reference: &str) -> SegmentFormat {
    let path = url::path(reference);
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is = |names: &[&str]| names.iter().any(|name| extension.eq_ignore_ascii_case(name));
    if is(&["ts", "m2ts", "mpegts"]) {
        SegmentFormat::MpegTs
    } else if is(&["aac", "mp3", "ac3", "ec3"]) {
        SegmentFormat::PackedAudio
    } else if is(&["vtt", "webvtt"]) {
        SegmentFormat::WebVtt
    } else if is(&["mp4", "m4s", "m4v", "m4a", "cmfv", "cmfa", "cmft"]) {
        SegmentFormat::FragmentedMp4
    } else {
        SegmentFormat::Unknown
    }
}
