//! What following a presentation that is still being made takes.

use crate::time::{MediaTime, WallTime};

/// A presentation that is still being made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Live {
    /// Wall-clock time of the presentation's zero (`MPD@availabilityStartTime`, or the first
    /// `EXT-X-PROGRAM-DATE-TIME`).
    pub origin: Option<WallTime>,
    /// When its last segment goes (`MPD@availabilityEndTime`).
    pub until: Option<WallTime>,
    /// How far back from the live edge it can be played (`MPD@timeShiftBufferDepth`); none: as far
    /// as segments are listed.
    pub window: Option<MediaTime>,
    /// How far behind the live edge to play (`MPD@suggestedPresentationDelay`, `HOLD-BACK`).
    pub delay: Option<MediaTime>,
    /// As [`delay`](Self::delay), when parts are played (`PART-HOLD-BACK`).
    pub part_delay: Option<MediaTime>,
    /// Ways to learn the server's time (`UTCTiming`), best first.
    pub clocks: Vec<Clock>,
}

/// A way to learn the server's time (ISO/IEC 23009-1 §5.8.5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It is this, as the manifest was made (`urn:mpeg:dash:utc:direct:2014`).
    Direct(WallTime),
    /// Ask with `HEAD` and read the `Date` header.
    HttpHead(String),
    /// The body is a date in `xs:dateTime` form.
    HttpXsDate(String),
    /// The body is a date in ISO 8601 form.
    HttpIso(String),
    /// The body is eight bytes of NTP time.
    HttpNtp(String),
}

/// Where the author wants playback to begin (RFC 8216bis §4.4.2.2, `EXT-X-START`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartPoint {
    /// After the beginning; if negative, before the end of the last segment.
    pub offset: MediaTime,
    /// Show nothing before it, even of the segment it lies in.
    pub precise: bool,
}

/// How to load the manifest again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// No sooner than this after the last load (`MPD@minimumUpdatePeriod`); none: it will not
    /// change. Zero: whenever an event in the media says so.
    pub period: Option<MediaTime>,
    /// When this version was made (`MPD@publishTime`).
    pub published: Option<WallTime>,
    /// Where to load it from, absolute; none: where it came from (`Location`).
    pub locations: Vec<String>,
    /// Where to load what changed, absolute, and until when that is kept (`PatchLocation`, `@ttl`).
    pub patches: Vec<(String, Option<WallTime>)>,
}

/// What a service asks of players (ISO/IEC 23009-1 Annex K).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceDescription {
    /// `@id`.
    pub id: Option<String>,
    /// Schemes of the clients it is for (`Scope`); empty: all.
    pub scopes: Vec<String>,
    /// Latency in flicks: from when something happens to when it is shown.
    pub latency: Option<Target<MediaTime>>,
    /// Which reference time latency is measured by (`Latency@referenceId`).
    pub latency_reference: Option<String>,
    /// Playback rate for catching up and falling back.
    pub rate: Option<Target<f64>>,
    /// Bit rate in bit/s over all media together.
    pub bandwidth: Option<Target<u64>>,
}

/// A value to aim at and its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target<T> {
    /// Not below.
    pub least: Option<T>,
    /// To aim at.
    pub target: Option<T>,
    /// Not above.
    pub most: Option<T>,
}

/// What ties media time to wall-clock time (ISO/IEC 23009-1 §5.12).
#[derive(Clone, Debug, PartialEq)]
pub struct ReferenceTime {
    /// `@id`.
    pub id: String,
    /// Times in the media itself (`prft` boxes) correct this one.
    pub inband: bool,
    /// The wall-clock time is that of capture; else of encoding.
    pub captured: bool,
    /// Wall-clock time.
    pub wall: WallTime,
    /// The same moment on the presentation timeline.
    pub media: MediaTime,
}
