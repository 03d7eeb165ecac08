//! What lets a client follow a live playlist closely (RFC 8216bis §4.4.3.7, §4.4.3.8, §4.4.4.9,
//! §4.4.5.3, §4.4.5.4).

use super::attributes::Attributes;
use super::reading::Reading;
use crate::io::ByteRange;
use crate::time::MediaTime;

/// A part of a segment, published before the whole is complete (`EXT-X-PART`).
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Media sequence number of the segment.
    pub segment: u64,
    /// Which part of it, counted from 0.
    pub index: u64,
    /// Where it begins on the presentation timeline.
    pub start: MediaTime,
    /// How long it lasts.
    pub duration: MediaTime,
    /// Absolute URL.
    pub url: String,
    /// The part of the resource it is; all of it if absent.
    pub range: Option<ByteRange>,
    /// It begins with a key frame.
    pub independent: bool,
    /// The server says it is missing and must not be fetched.
    pub gap: bool,
    /// As [`Segment::init`](crate::presentation::Segment::init).
    pub init: Option<usize>,
    /// As [`Segment::key`](crate::presentation::Segment::key).
    pub key: Option<usize>,
    /// As [`Segment::discontinuity`](crate::presentation::Segment::discontinuity).
    pub discontinuity: u64,
}

/// What a server can do for its clients, and asks of them (`EXT-X-SERVER-CONTROL`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerControl {
    /// It answers a request for a version that is still to come once that is there.
    pub can_block_reload: bool,
    /// It can leave out segments older than this before the end (the skip boundary).
    pub can_skip_until: Option<MediaTime>,
    /// It can leave out date ranges, too.
    pub can_skip_dateranges: bool,
    /// Distance from the end at which to play.
    pub hold_back: Option<MediaTime>,
    /// Distance from the end at which to play, when parts are played.
    pub part_hold_back: Option<MediaTime>,
}

/// A resource that will be needed soon, to be asked for already (`EXT-X-PRELOAD-HINT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreloadHint {
    /// What it will be.
    pub kind: HintKind,
    /// Absolute URL.
    pub url: String,
    /// The part of the resource; `length` is absent if it is not known yet.
    pub range: Option<ByteRange>,
    /// As [`Segment::discontinuity`](crate::presentation::Segment::discontinuity).
    pub discontinuity: u64,
}

/// What a [`PreloadHint`] is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintKind {
    /// The next part.
    Part,
    /// The next initialisation segment.
    Map,
}

/// How far another rendition is (`EXT-X-RENDITION-REPORT`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenditionReport {
    /// Absolute URL of its playlist.
    pub url: String,
    /// Media sequence number of its last segment, complete or not.
    pub last_number: u64,
    /// The last part of that segment, if it has parts.
    pub last_part: Option<u64>,
}

impl ServerControl {
    pub(super) fn read(value: &str, line: u64, reading: &mut Reading<'_>) -> Self {
        let attributes =
            Attributes::read("EXT-X-SERVER-CONTROL", value, line, &mut reading.warnings);
        Self {
            can_block_reload: attributes.yes("CAN-BLOCK-RELOAD"),
            can_skip_until: attributes.seconds("CAN-SKIP-UNTIL", reading),
            can_skip_dateranges: attributes.yes("CAN-SKIP-DATERANGES"),
            hold_back: attributes.seconds("HOLD-BACK", reading),
            part_hold_back: attributes.seconds("PART-HOLD-BACK", reading),
        }
    }
}

impl PreloadHint {
    /// None if it lacks what it makes no sense without.
    pub(super) fn read(
        value: &str,
        line: u64,
        discontinuity: u64,
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let attributes = Attributes::read("EXT-X-PRELOAD-HINT", value, line, &mut reading.warnings);
        let kind = match attributes.word("TYPE") {
            Some("PART") => HintKind::Part,
            Some("MAP") => HintKind::Map,
            // Clients overlook hints of types they do not know.
            Some(_) => return None,
            None => {
                attributes.lacks("TYPE", reading);
                return None;
            }
        };
        let Some(url) = attributes.url("URI", reading) else {
            attributes.lacks("URI", reading);
            return None;
        };
        let start = attributes.integer("BYTERANGE-START", reading);
        let length = attributes.integer("BYTERANGE-LENGTH", reading);
        let range = (start.is_some() || length.is_some())
            .then(|| ByteRange { start: start.unwrap_or(0), length });
        Some(Self { kind, url, range, discontinuity })
    }
}

impl RenditionReport {
    /// None if it lacks its URI. A server may leave out what is the same as of the playlist that the
    /// report is in (RFC 8216bis §4.4.5.4): `last` is that.
    pub(super) fn read(
        value: &str,
        line: u64,
        last: (u64, Option<u64>),
        reading: &mut Reading<'_>,
    ) -> Option<Self> {
        let attributes =
            Attributes::read("EXT-X-RENDITION-REPORT", value, line, &mut reading.warnings);
        let Some(url) = attributes.url("URI", reading) else {
            attributes.lacks("URI", reading);
            return None;
        };
        let number = attributes.integer("LAST-MSN", reading);
        let part = attributes.integer("LAST-PART", reading);
        let last_number = number.unwrap_or(last.0);
        // Of another segment, a part that is not stated is not known.
        let last_part = part.or(last.1.filter(|_| last_number == last.0));
        Some(Self { url, last_number, last_part })
    }
}
