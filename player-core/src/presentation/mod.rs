//! What there is to play: periods, switching sets, representations and their segments. This model
//! knows neither HLS nor DASH; only the two parsers do.

mod descriptor;
mod event;
pub(crate) mod index;
mod live;
mod protection;
mod source;

pub use descriptor::{Descriptor, Label, SessionData, UnknownTag};
pub use event::{Asset, EventData, EventTime, Interstitial, Scte35, TimedEvent};
pub use index::{InitSegment, Segment, SegmentIndex};
pub use live::{Clock, Live, ReferenceTime, ServiceDescription, StartPoint, Target, Update};
pub use protection::{KeyId, Protection, ProtectionMethod, ProtectionSystem};
pub use source::{Origin, Steering};

use std::borrow::Cow;
use std::sync::Arc;

use crate::io::{ByteRange, MediaKind};
use crate::time::MediaTime;

/// Everything a manifest offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presentation {
    /// Its id, if it has one (`MPD@id`).
    pub id: Option<String>,
    /// Length of the whole; absent while it is unknown or still growing.
    pub duration: Option<MediaTime>,
    /// It is still being made; how to follow it. An HLS multivariant playlist cannot tell: its media
    /// playlists do.
    pub live: Option<Live>,
    /// Where the author wants playback to begin.
    pub start: Option<StartPoint>,
    /// In the order they play, without overlaps. Never empty.
    pub periods: Vec<Period>,
    /// Which of several places to load from is decided by a steering server.
    pub steering: Option<Steering>,
    /// Keys announced before the playlists that use them (`EXT-X-SESSION-KEY`).
    pub protection: Vec<Protection>,
    /// What the service asks of players: latency, rate, bandwidth.
    pub services: Vec<ServiceDescription>,
    /// How to load the manifest again.
    pub update: Update,
    /// Data for the app (`EXT-X-SESSION-DATA`).
    pub data: Vec<SessionData>,
    /// What the parser does not know, kept for the app.
    pub unknown: Vec<UnknownTag>,
    /// Names and values that the documents it refers to may use (`EXT-X-DEFINE` with `IMPORT`).
    pub variables: Vec<(String, String)>,
}

/// A stretch of the presentation with one set of tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Period {
    /// Its id, if it has one (ISO/IEC 23009-1 §5.3.2).
    pub id: Option<String>,
    /// Where it begins in the presentation.
    pub start: MediaTime,
    /// How long it lasts, if that is known.
    pub duration: Option<MediaTime>,
    /// Its tracks.
    pub sets: Vec<SwitchingSet>,
    /// Timed metadata (`EventStream`), by start.
    pub events: Vec<TimedEvent>,
    /// Combinations of sets meant to be played together (§5.3.11), best first.
    pub preselections: Vec<Preselection>,
    /// What the service asks of players here, before what it asks of them in all.
    pub services: Vec<ServiceDescription>,
    /// Where its content must be loaded from before it can be played (`xlink:href`, `ImportedMPD`).
    pub remote: Option<String>,
}

/// Sets that make one experience together (ISO/IEC 23009-1 §5.3.11).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preselection {
    /// `@id`.
    pub id: Option<String>,
    /// Ids of the sets, the main one first.
    pub components: Vec<String>,
    /// Language (BCP 47).
    pub language: Option<String>,
    /// Names for people.
    pub labels: Vec<Label>,
    /// DASH roles.
    pub roles: Vec<String>,
    /// Codecs of the whole, if stated.
    pub codecs: String,
}

/// One track: the same content in one or more representations between which a player may switch at
/// any segment boundary (DASH Adaptation Set; HLS variants or one rendition across groups).
#[derive(Clone, Debug, PartialEq)]
pub struct SwitchingSet {
    /// `AdaptationSet@id`, if it has one.
    pub id: Option<String>,
    /// What its segments carry. Audio muxed with video is `Video`.
    pub kind: MediaKind,
    /// What it is for.
    pub purpose: Purpose,
    /// Language (BCP 47).
    pub language: Option<String>,
    /// A name for people (HLS `NAME`, the first DASH `Label`).
    pub label: Option<String>,
    /// Every name, in every language (DASH `Label`, `GroupLabel`).
    pub labels: Vec<Label>,
    /// DASH roles (`urn:mpeg:dash:role:2011`), or what HLS `CHARACTERISTICS`, `DEFAULT` and `FORCED`
    /// amount to in those terms.
    pub roles: Vec<String>,
    /// Whom it serves (DASH `Accessibility`; HLS `CHARACTERISTICS`, each as a scheme of its own).
    pub accessibility: Vec<Descriptor>,
    /// What else is said of it (`SupplementalProperty`, `Rating`, `Viewpoint`) and is not understood
    /// here but may be by the app.
    pub properties: Vec<Descriptor>,
    /// The author wants it played unless the viewer says otherwise.
    pub default: bool,
    /// It may be chosen without the viewer's asking for it by name: because there is no default, say
    /// (`AUTOSELECT`). In DASH any may.
    pub auto_select: bool,
    /// Higher is preferred among sets of a kind (`@selectionPriority`); 1 unless stated.
    pub priority: u32,
    /// Name of the captions inside the video's own stream that this track stands for
    /// (`INSTREAM-ID`), which has no representations then.
    pub in_stream: Option<String>,
    /// Schemes of the events its segments carry (`InbandEventStream`).
    pub event_schemes: Vec<Descriptor>,
    /// What ties media time to wall-clock time (`ProducerReferenceTime`).
    pub reference_times: Vec<ReferenceTime>,
    /// It goes on, at a period's end, in the set of this id in the next period without a seam
    /// (`urn:mpeg:dash:period-continuity:2015`) or with the same initialisation
    /// (`urn:mpeg:dash:period-connectivity:2015`).
    pub continues: Option<Continuity>,
    /// Lowest bandwidth first. Empty only for captions inside the video's own stream.
    pub representations: Vec<Representation>,
}

/// What a switching set is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Playing.
    #[default]
    Playback,
    /// Moving fast: key frames only (`EXT-X-I-FRAME-STREAM-INF`, `http://dashif.org/guidelines/trickmode`).
    TrickPlay {
        /// Id of the set it belongs to, if stated.
        of: Option<String>,
    },
    /// Pictures of tiles for a seek bar (`http://dashif.org/guidelines/thumbnail_tile`,
    /// `EXT-X-IMAGE-STREAM-INF`).
    Thumbnails,
}

/// How a set goes on after its period (ISO/IEC 23009-1 §5.3.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuity {
    /// Ids of the periods it goes on from or into.
    pub periods: Vec<String>,
    /// Timestamps go on, too; else only the initialisation is the same.
    pub timestamps: bool,
}

impl SwitchingSet {
    /// A track without representations, for playing.
    #[inline(never)]
    pub fn new(kind: MediaKind) -> Self {
        Self {
            id: None,
            kind,
            purpose: Purpose::Playback,
            language: None,
            label: None,
            labels: Vec::new(),
            roles: Vec::new(),
            accessibility: Vec::new(),
            properties: Vec::new(),
            default: false,
            auto_select: true,
            priority: 1,
            in_stream: None,
            event_schemes: Vec::new(),
            reference_times: Vec::new(),
            continues: None,
            representations: Vec::new(),
        }
    }

    /// The indexes of those representations whose is known.
    pub(crate) fn known(&self) -> impl Iterator<Item = &SegmentIndex> {
        self.representations.iter().filter_map(|one| match &one.segments {
            Segments::Known(index) => Some(index),
            _ => None,
        })
    }
}

/// One encoding of a track.
#[derive(Clone, Debug, PartialEq)]
pub struct Representation {
    /// Its id: DASH `@id`; for HLS one made from the playlist that is the same on every load.
    pub id: String,
    /// Peak bit rate in bit/s (HLS `BANDWIDTH` less the audio it was reckoned with, DASH
    /// `@bandwidth`).
    pub bandwidth: u64,
    /// Mean bit rate in bit/s (`AVERAGE-BANDWIDTH`), less the audio it was reckoned with.
    pub average_bandwidth: Option<u64>,
    /// Container of its segments, such as `video/mp4`; that of an HLS variant is a guess until its playlist is here.
    pub container: Cow<'static, str>,
    /// Codecs of this representation alone (RFC 6381), comma-separated; may be empty.
    pub codecs: String,
    /// Codecs that a decoder which knows them may use instead (`SUPPLEMENTAL-CODECS`,
    /// `@scte214:supplementalCodecs`), as written.
    pub supplemental_codecs: String,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
    /// Frames in a second.
    pub frame_rate: Option<f64>,
    /// Dynamic range of the picture.
    pub video_range: VideoRange,
    /// Channels of sound.
    pub channels: Option<u32>,
    /// Samples of sound in a second.
    pub sampling_rate: Option<u32>,
    /// Bits in a sample of sound (`BIT-DEPTH`).
    pub bit_depth: Option<u32>,
    /// The author's order of quality, higher is better (`SCORE`; DASH `@qualityRanking`, negated).
    pub score: Option<f64>,
    /// How the picture is laid out for stereo or a projection (`REQ-VIDEO-LAYOUT`), as written.
    pub layout: Option<String>,
    /// Least HDCP needed (`HDCP-LEVEL`), as written.
    pub hdcp: Option<String>,
    /// Key systems and robustness it may be played with (`ALLOWED-CPC`), as written.
    pub allowed_cpc: Option<String>,
    /// How it is encrypted, as far as the manifest says before its playlist is loaded.
    pub protection: Option<Arc<Protection>>,
    /// How many times faster than normal it can be played (`@maxPlayoutRate`).
    pub max_playout_rate: Option<f64>,
    /// Columns and rows of small pictures in each segment of a set of thumbnails.
    pub tiles: Option<(u32, u32)>,
    /// Segments can be had while they are being made.
    pub chunked: Option<Chunked>,
    /// Where it can be had; the first is that which `segments` names. Empty if there is one place.
    pub origins: Vec<Origin>,
    /// Its segments, or where to learn of them.
    pub segments: Segments,
}

/// Dynamic range of a picture (RFC 8216bis §4.4.6.2, `VIDEO-RANGE`; ISO/IEC 23091-2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VideoRange {
    /// Standard.
    #[default]
    Sdr,
    /// Hybrid log-gamma.
    Hlg,
    /// Perceptual quantiser: HDR10, Dolby Vision.
    Pq,
}

/// Segments that are published before they are complete (ISO/IEC 23009-1 §5.3.9.5.3,
/// `@availabilityTimeOffset`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunked {
    /// How long before its end a segment can be asked for; [`MediaTime::MAX`] for `INF`.
    pub offset: MediaTime,
    /// Whole segments are there that early; else they grow while they are sent
    /// (`@availabilityTimeComplete` is `false`).
    pub complete: bool,
    /// Longest distance between places to begin decoding in the middle of a segment (`Resync@dT`).
    pub resync: Option<MediaTime>,
}

impl Representation {
    /// How a segment of it is encrypted.
    pub fn protection_of(&self, segment: &Segment) -> Option<&Protection> {
        match (&self.protection, &self.segments) {
            (Some(protection), _) => Some(protection),
            (None, Segments::Known(index)) => index.key(segment),
            _ => None,
        }
    }

    /// How it is encrypted at a time, as far as that is known.
    pub(crate) fn protection_at(&self, time: MediaTime) -> Option<&Protection> {
        match (&self.protection, &self.segments) {
            (Some(protection), _) => Some(protection),
            (None, Segments::Known(index)) if !index.keys().is_empty() => {
                let segment = index.get(index.position_at(time)?)?;
                index.key(&segment)
            }
            _ => None,
        }
    }

    /// A representation of which nothing is known but where its segments are.
    pub fn new(id: impl Into<String>, bandwidth: u64, segments: Segments) -> Self {
        Self {
            id: id.into(),
            bandwidth,
            average_bandwidth: None,
            container: Cow::Borrowed(""),
            codecs: String::new(),
            supplemental_codecs: String::new(),
            width: None,
            height: None,
            frame_rate: None,
            video_range: VideoRange::Sdr,
            channels: None,
            sampling_rate: None,
            bit_depth: None,
            score: None,
            layout: None,
            hdcp: None,
            allowed_cpc: None,
            protection: None,
            max_playout_rate: None,
            tiles: None,
            chunked: None,
            origins: Vec::new(),
            segments,
        }
    }

    /// Whether its segments are listed in a playlist of each origin's own.
    pub(crate) fn has_playlist(&self) -> bool {
        match &self.segments {
            Segments::Playlist { .. } => true,
            Segments::IndexBox { .. } => false,
            // Only an MPD says beforehand where segments lie on the timeline.
            Segments::Known(index) => index.media_offset().is_none(),
        }
    }

    /// Loads it from another of its origins from now on, which becomes the first; its playlist there
    /// is not known yet.
    pub(crate) fn move_to(&mut self, origin: usize) {
        if origin < self.origins.len() && self.has_playlist() {
            self.origins.swap(0, origin);
            self.segments = Segments::Playlist { url: self.origins[0].url.clone() };
        }
    }

    /// Whether its segments are transport streams or packed audio, unless an initialisation segment says otherwise.
    pub(crate) fn is_transport(&self) -> bool {
        matches!(&*self.container, "video/mp2t" | "audio/mp2t" | "audio/aac") && self.has_playlist()
    }

    /// The container of what a platform is given of it.
    pub(crate) fn appended_container(&self) -> &str {
        match self.is_transport() {
            true if self.container == "video/mp2t" => "video/mp4",
            true => "audio/mp4",
            false => &self.container,
        }
    }

    /// The type for `addSourceBuffer` and `isTypeSupported`.
    pub fn mime_type(&self) -> String {
        let container = self.appended_container();
        if self.codecs.is_empty() {
            container.to_owned()
        } else {
            format!("{container}; codecs=\"{}\"", self.codecs)
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
    /// The index in the media file must be loaded and read with
    /// [`FileIndex`](crate::media::FileIndex).
    IndexBox {
        /// Absolute URL of the media file.
        url: String,
        /// Where the index lies (`@indexRange`); if absent, at the start of the file, after the
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
