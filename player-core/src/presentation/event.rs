//! Timed metadata: what happens beside the media, and when.

use crate::time::{MediaTime, WallTime};

/// Something that happens at a time (RFC 8216bis §4.4.5.1, `EXT-X-DATERANGE`; ISO/IEC 23009-1
/// §5.10.2, `Event`; `emsg`).
#[derive(Clone, Debug, PartialEq)]
pub struct TimedEvent {
    /// Its id, the same on every load.
    pub id: String,
    /// What its data means (`CLASS`, `@schemeIdUri`).
    pub scheme: String,
    /// Tells kinds of a scheme apart (`EventStream@value`).
    pub value: String,
    /// When it begins.
    pub start: EventTime,
    /// How long it lasts, if that is known.
    pub duration: Option<MediaTime>,
    /// How long it is meant to last (`PLANNED-DURATION`).
    pub planned_duration: Option<MediaTime>,
    /// It ends where the next of its scheme begins (`END-ON-NEXT`).
    pub end_on_next: bool,
    /// What it says.
    pub data: EventData,
    /// Splice commands (SCTE 35).
    pub scte35: Scte35,
    /// Other content to be played at that time.
    pub interstitial: Option<Box<Interstitial>>,
}

impl TimedEvent {
    /// An event of which nothing more is known.
    pub fn new(id: String, start: EventTime) -> Self {
        Self {
            id,
            scheme: String::new(),
            value: String::new(),
            start,
            duration: None,
            planned_duration: None,
            end_on_next: false,
            data: EventData::None,
            scte35: Scte35::default(),
            interstitial: None,
        }
    }
}

/// When an event begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTime {
    /// On the presentation timeline.
    Media(MediaTime),
    /// By the wall clock, to be placed by the segments' own dates.
    Wall(WallTime),
}

/// What an event says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum EventData {
    /// Nothing more.
    #[default]
    None,
    /// Text or XML, as written.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Names and values, as written, less their quotes (`X-...` of a date range).
    Attributes(Vec<(String, String)>),
}

/// Splice commands of an event, binary (SCTE 35 `splice_info_section`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scte35 {
    /// `SCTE35-CMD`.
    pub command: Option<Vec<u8>>,
    /// `SCTE35-OUT`.
    pub out: Option<Vec<u8>>,
    /// `SCTE35-IN`.
    pub back: Option<Vec<u8>>,
}

/// Other content to be played at a time (RFC 8216bis Appendix D; alternative MPD events of ISO/IEC
/// 23009-1 §5.10.4).
#[derive(Clone, Debug, PartialEq)]
pub struct Interstitial {
    /// What to play.
    pub asset: Asset,
    /// Where the main content goes on, after where it was left; none: after as long as the
    /// interstitial played.
    pub resume_offset: Option<MediaTime>,
    /// The most of it that is played.
    pub playout_limit: Option<MediaTime>,
    /// Move the way out (`OUT`) or the way back (`IN`) to the nearest segment boundary.
    pub snap_out: bool,
    /// See [`snap_out`](Self::snap_out).
    pub snap_in: bool,
    /// The viewer may not jump over it (`JUMP`).
    pub restrict_jump: bool,
    /// The viewer may not move within it or play it faster (`SKIP`).
    pub restrict_skip: bool,
    /// To be played before anything else (`PRE`).
    pub before: bool,
    /// To be played after everything else (`POST`).
    pub after: bool,
    /// To be played once only (`ONCE`).
    pub once: bool,
    /// Others of the audience may be given other content (`X-CONTENT-MAY-VARY`).
    pub may_vary: bool,
    /// It takes up a range of the timeline, not a point (`X-TIMELINE-OCCUPIES`).
    pub occupies_range: bool,
    /// It is shown apart from the main content on the timeline (`X-TIMELINE-STYLE=HIGHLIGHT`).
    pub highlighted: bool,
}

/// What an interstitial plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asset {
    /// A manifest at this absolute URL.
    Manifest(String),
    /// A list of manifests, in JSON, at this absolute URL (`X-ASSET-LIST`).
    List(String),
}
