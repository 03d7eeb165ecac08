//! What there is to play: periods, switching sets, representations and their segments. This model
//! knows neither HLS nor DASH; only the two parsers do.

pub(crate) mod index;

pub use index::{InitSegment, Segment, SegmentIndex};

use crate::io::{ByteRange, MediaKind};
use crate::time::MediaTime;

/// Everything a manifest offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Presentation {
    /// Length of the whole; absent while it is unknown or still growing.
    pub duration: Option<MediaTime>,
    /// It is still being made.
    pub live: bool,
    /// In the order they play, without overlaps. Never empty.
    pub periods: Vec<Period>,
}

/// A stretch of the presentation with one set of tracks.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    /// Its id, if it has one (ISO/IEC 23009-1 §5.3.2).
    pub id: Option<String>,
    /// Where it begins in the presentation.
    pub start: MediaTime,
    /// How long it lasts, if that is known.
    pub duration: Option<MediaTime>,
    /// Its tracks.
    pub sets: Vec<SwitchingSet>,
}

/// One track: the same content in one or more representations between which a player may switch at
/// any segment boundary (DASH Adaptation Set; HLS variants or one rendition across groups).
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchingSet {
    /// What its segments carry. Audio muxed with video is `Video`.
    pub kind: MediaKind,
    /// Language (BCP 47).
    pub language: Option<String>,
    /// A name for people (HLS `NAME`, DASH `Label`).
    pub label: Option<String>,
    /// DASH roles (`urn:mpeg:dash:role:2011`), or what HLS `CHARACTERISTICS`, `DEFAULT` and `FORCED`
    /// amount to in those terms.
    pub roles: Vec<String>,
    /// The author wants it played unless the viewer says otherwise.
    pub default: bool,
    /// Lowest bandwidth first. Never empty.
    pub representations: Vec<Representation>,
}

/// One encoding of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Its id: DASH `@id`; for HLS one made from the playlist that is the same on every load.
    pub id: String,
    /// Peak bit rate in bit/s (HLS `BANDWIDTH` less the audio it was reckoned with, DASH
    /// `@bandwidth`).
    pub bandwidth: u64,
    /// Container, such as `video/mp4`.
    pub container: String,
    /// Codecs of this representation alone (RFC 6381), comma-separated; may be empty.
    pub codecs: String,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Frames in a second.
    pub frame_rate: Option<f64>,
    /// Its segments, or where to learn of them.
    pub segments: Segments,
}

impl Representation {
    /// The type for `addSourceBuffer` and `isTypeSupported`.
    pub fn mime_type(&self) -> String {
        if self.codecs.is_empty() {
            self.container.clone()
        } else {
            format!("{}; codecs=\"{}\"", self.container, self.codecs)
        }
    }
}

/// The segments of a representation, or where to learn of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Segments {
    /// An HLS media playlist must be loaded and parsed by
    /// [`manifest::hls::parse_media`](crate::manifest::hls::parse_media).
    Playlist {
        /// Absolute URL.
        url: String,
    },
    /// A `sidx` box must be loaded and turned into an index by
    /// [`SegmentIndex::from_sidx`].
    IndexBox {
        /// Absolute URL of the media file.
        url: String,
        /// Where the box lies (`@indexRange`); if absent, at the start of the file, after the
        /// initialisation segment.
        range: Option<ByteRange>,
        /// The initialisation segment, if the manifest says where it is.
        init: Option<InitSegment>,
        /// What to add to the media's own timestamps: start of the period less
        /// `@presentationTimeOffset`.
        media_offset: MediaTime,
        /// End of the period, beyond which no segment is played.
        end: Option<MediaTime>,
    },
    /// Known.
    Known(SegmentIndex),
}
