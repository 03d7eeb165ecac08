//! Media playlists (RFC 8216bis §4.4.3 and §4.4.4).

use super::attributes::{self, Attributes};
use super::lines::{Content, Lines};
use super::variables::Variables;
use crate::io::ByteRange;
use crate::manifest::{Fault, ManifestErrorKind, Parsed, WarningCode, Warnings, decimal};
use crate::presentation::index::{List, ListEntry, Shared};
use crate::presentation::{InitSegment, SegmentIndex};
use crate::time::MediaTime;
use crate::url;

/// A media playlist: the segments of one representation.
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
    /// Every segment begins with a key frame (`EXT-X-INDEPENDENT-SEGMENTS`).
    pub independent: bool,
    /// What the segments are, as far as their tags and names tell.
    pub format: SegmentFormat,
    /// Peak bit rate of the segments in bit/s, as far as byte ranges and `EXT-X-BITRATE` tell.
    pub bandwidth: Option<u64>,
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

/// The most segments of a playlist: eleven days of one a second.
const MOST_SEGMENTS: usize = 1_000_000;
/// The most initialisation segments, and the most bytes in their URLs.
const MOST_INITS: usize = 10_000;
const MOST_INIT_BYTES: usize = 4 << 20;

/// Reads a media playlist whose text has been checked for its first line.
pub(super) fn parse(text: &str, url: &str) -> Result<Parsed<MediaPlaylist>, Fault> {
    let mut reader = MediaReader::new(url);
    let mut lines = Lines::new(text);
    for line in lines.by_ref() {
        match line.content {
            Content::Tag { name, value } => reader.tag(name, value, line.number)?,
            Content::Uri(reference) => reader.segment(reference, line.number)?,
        }
    }
    reader.finish(lines.number())
}

struct MediaReader<'a> {
    url: &'a str,
    list: List,
    inits: Vec<InitSegment>,
    init_bytes: usize,
    variables: Variables,
    warnings: Warnings,

    target_duration: Option<MediaTime>,
    playlist_type: Option<PlaylistType>,
    ended: bool,
    independent: bool,
    format: Option<SegmentFormat>,

    /// Where the next segment begins.
    time: MediaTime,
    /// What the tags since the last segment say of the next one.
    duration: Option<MediaTime>,
    range: Option<(u64, Option<u64>)>,
    gap: bool,
    /// What holds from here on.
    init: Option<usize>,
    discontinuity: u64,
    discontinuity_seen: bool,
    bit_rate: Option<u64>,
    /// The last segment, for byte ranges that go on from it.
    previous: Option<(String, ByteRange)>,
    longest: MediaTime,
    overlong: bool,
    peak: Option<u64>,
}

impl<'a> MediaReader<'a> {
    fn new(url: &'a str) -> Self {
        Self {
            url,
            list: List::new(url, 0),
            inits: Vec::new(),
            init_bytes: 0,
            variables: Variables::default(),
            warnings: Warnings::default(),
            target_duration: None,
            playlist_type: None,
            ended: false,
            independent: false,
            format: None,
            time: MediaTime::ZERO,
            duration: None,
            range: None,
            gap: false,
            init: None,
            discontinuity: 0,
            discontinuity_seen: false,
            bit_rate: None,
            previous: None,
            longest: MediaTime::ZERO,
            overlong: false,
            peak: None,
        }
    }

    fn tag(&mut self, name: &str, value: &str, line: u64) -> Result<(), Fault> {
        match name {
            "EXTINF" => {
                let text = value.split_once(',').map_or(value, |(text, _)| text).trim_ascii();
                let duration = attributes::duration(text)
                    .ok_or_else(|| ManifestErrorKind::invalid(name, text).at(line))?;
                self.duration = Some(duration);
            }
            "EXT-X-BYTERANGE" => self.range = Some(byte_range(name, value, line)?),
            "EXT-X-DISCONTINUITY" => {
                self.discontinuity = self.discontinuity.saturating_add(1);
                self.discontinuity_seen = true;
            }
            "EXT-X-GAP" => self.gap = true,
            "EXT-X-MAP" => self.map(value, line)?,
            "EXT-X-KEY" => self.key(value, line)?,
            "EXT-X-BITRATE" => match decimal::integer(value) {
                Some(kilobits) => self.bit_rate = Some(kilobits.saturating_mul(1000)),
                None => self.wrong(name, value, line),
            },
            "EXT-X-TARGETDURATION" => match attributes::duration(value) {
                Some(duration) if duration > MediaTime::ZERO => {
                    self.target_duration = Some(duration);
                }
                _ => self.wrong(name, value, line),
            },
            "EXT-X-MEDIA-SEQUENCE" => match decimal::integer(value) {
                Some(number) if self.list.len() == 0 => self.list.set_first_number(number),
                Some(_) => self.late(name, line),
                None => self.wrong(name, value, line),
            },
            "EXT-X-DISCONTINUITY-SEQUENCE" => match decimal::integer(value) {
                Some(number) if self.list.len() == 0 && !self.discontinuity_seen => {
                    self.discontinuity = number;
                }
                Some(_) => self.late(name, line),
                None => self.wrong(name, value, line),
            },
            "EXT-X-PLAYLIST-TYPE" => match value {
                "VOD" => self.playlist_type = Some(PlaylistType::Vod),
                "EVENT" => self.playlist_type = Some(PlaylistType::Event),
                _ => self.wrong(name, value, line),
            },
            "EXT-X-ENDLIST" => self.ended = true,
            "EXT-X-INDEPENDENT-SEGMENTS" => self.independent = true,
            "EXT-X-DEFINE" => self.variables.define(value, line, self.url, &mut self.warnings)?,
            "EXT-X-STREAM-INF" | "EXT-X-MEDIA" | "EXT-X-I-FRAME-STREAM-INF" => {
                let media = self.list.len() > 0 || self.target_duration.is_some();
                return Err(if media {
                    ManifestErrorKind::MixedPlaylist
                } else {
                    ManifestErrorKind::NotMediaPlaylist
                }
                .at(line));
            }
            // Whatever else there is does not change what the segments are (RFC 8216bis §6.3.1).
            _ => {}
        }
        Ok(())
    }

    /// `EXT-X-MAP` (RFC 8216bis §4.4.4.5).
    fn map(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        const TAG: &str = "EXT-X-MAP";
        let attributes = Attributes::read(TAG, value, line, &mut self.warnings);
        let reference = attributes.need_text("URI", &self.variables, &mut self.warnings)?;
        let range = match attributes.text("BYTERANGE", &self.variables, &mut self.warnings)? {
            Some(text) => {
                let (length, start) = byte_range(TAG, &text, line)?;
                Some(ByteRange { start: start.unwrap_or(0), length: Some(length) })
            }
            None => None,
        };
        let init = InitSegment { url: url::resolve(self.url, &reference), range };
        self.format = Some(SegmentFormat::FragmentedMp4);
        // Playlists with advertisements go back and forth between a few.
        const LOOKED_AT: usize = 16;
        let recent = self.inits.len().saturating_sub(LOOKED_AT);
        let known = self.inits.iter().skip(recent).position(|known| *known == init);
        self.init = Some(match known {
            Some(position) => recent + position,
            None if self.inits.len() >= MOST_INITS => {
                return Err(ManifestErrorKind::limit("EXT-X-MAP tags", MOST_INITS).at(line));
            }
            None => {
                self.init_bytes += init.url.len();
                if self.init_bytes > MOST_INIT_BYTES {
                    let what = "bytes in the URLs of EXT-X-MAP tags";
                    return Err(ManifestErrorKind::limit(what, MOST_INIT_BYTES).at(line));
                }
                self.inits.push(init);
                self.inits.len() - 1
            }
        });
        Ok(())
    }

    /// `EXT-X-KEY` (RFC 8216bis §4.4.4.4).
    fn key(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        let attributes = Attributes::read("EXT-X-KEY", value, line, &mut self.warnings);
        match attributes.word("METHOD") {
            Some("NONE") => Ok(()),
            Some(method) => {
                let method = crate::manifest::error::excerpt(method);
                let feature = format!("encryption with METHOD={method}");
                Err(ManifestErrorKind::Unsupported { feature }.at(line))
            }
            None => Err(ManifestErrorKind::missing_attribute("EXT-X-KEY", "METHOD").at(line)),
        }
    }

    /// A line that is no tag: the URI of a segment.
    fn segment(&mut self, reference: &str, line: u64) -> Result<(), Fault> {
        let range = self.range.take();
        let gap = core::mem::take(&mut self.gap);
        let Some(duration) = self.duration.take() else {
            self.warnings.add(line, WarningCode::Missing, "a segment without EXTINF is left out");
            return Ok(());
        };
        if self.list.len() >= MOST_SEGMENTS {
            return Err(ManifestErrorKind::limit("segments", MOST_SEGMENTS).at(line));
        }
        let reference = self.variables.substitute(reference, line)?;
        let range = match range {
            Some((length, Some(start))) => Some(ByteRange { start, length: Some(length) }),
            Some((length, None)) => {
                // It goes on where the one before, which must be of the same resource, ended
                // (RFC 8216bis §4.4.4.2).
                let start = match &self.previous {
                    Some((before, range)) if *before == reference => {
                        range.start.saturating_add(range.length.unwrap_or(0))
                    }
                    _ => {
                        let kind =
                            ManifestErrorKind::missing_attribute("EXT-X-BYTERANGE", "offset");
                        return Err(kind.at(line));
                    }
                };
                Some(ByteRange { start, length: Some(length) })
            }
            None => None,
        };
        if self.format.is_none() {
            self.format = Some(format_by_name(&reference));
        }
        if let Some(target) = self.target_duration
            && !self.overlong
            && duration >= target + MediaTime::from_millis(500)
        {
            self.overlong = true;
            self.warnings.add(
                line,
                WarningCode::Inconsistent,
                "a segment is longer than EXT-X-TARGETDURATION",
            );
        }
        self.longest = self.longest.max(duration);
        let peak = match range.and_then(|range| range.length) {
            Some(bytes) => bit_rate(bytes, duration),
            None => self.bit_rate,
        };
        self.peak = self.peak.max(peak);

        self.list.push(ListEntry {
            start: self.time,
            duration,
            reference: &reference,
            range,
            init: self.init,
            discontinuity: self.discontinuity,
            gap,
            ..ListEntry::default()
        });
        self.time = self.time + duration;
        match (&mut self.previous, range) {
            (Some((before, last)), Some(range)) if *before == reference => *last = range,
            (previous, range) => *previous = range.map(|range| (reference.into_owned(), range)),
        }
        Ok(())
    }

    fn finish(mut self, last_line: u64) -> Result<Parsed<MediaPlaylist>, Fault> {
        let live = !self.ended && self.playlist_type != Some(PlaylistType::Vod);
        if self.list.len() == 0 && !live {
            return Err(ManifestErrorKind::Empty.at(last_line));
        }
        let target_duration = match self.target_duration {
            Some(target_duration) => target_duration,
            None if self.list.len() == 0 => {
                return Err(ManifestErrorKind::missing("EXT-X-TARGETDURATION").at(last_line));
            }
            None => {
                self.warnings.add(
                    last_line,
                    WarningCode::Missing,
                    "EXT-X-TARGETDURATION is missing",
                );
                self.longest
            }
        };
        let value = MediaPlaylist {
            index: SegmentIndex::from_encrypted_list(
                self.list,
                Shared { inits: self.inits, ..Shared::default() },
            ),
            live,
            target_duration,
            playlist_type: self.playlist_type,
            independent: self.independent,
            format: self.format.unwrap_or(SegmentFormat::Unknown),
            bandwidth: self.peak,
        };
        Ok(self.warnings.with(value))
    }

    fn wrong(&mut self, name: &str, value: &str, line: u64) {
        let value = crate::manifest::error::excerpt(value);
        self.warnings.add(
            line,
            WarningCode::BadValue,
            format!("\"{value}\" is no value for {name}"),
        );
    }

    fn late(&mut self, name: &str, line: u64) {
        self.warnings.add(
            line,
            WarningCode::Misplaced,
            format!("{name} comes too late and is overlooked"),
        );
    }
}

/// `n[@o]`: count of bytes, and where they begin (RFC 8216bis §4.4.4.2).
fn byte_range(tag: &str, text: &str, line: u64) -> Result<(u64, Option<u64>), Fault> {
    let parsed = match text.split_once('@') {
        Some((length, start)) => decimal::integer(length.trim_ascii())
            .zip(decimal::integer(start.trim_ascii()).map(Some)),
        None => decimal::integer(text.trim_ascii()).map(|length| (length, None)),
    };
    parsed
        .filter(|&(length, start)| start.unwrap_or(0).checked_add(length).is_some())
        .ok_or_else(|| ManifestErrorKind::invalid(tag, text).at(line))
}

fn bit_rate(bytes: u64, duration: MediaTime) -> Option<u64> {
    let flicks = u128::try_from(duration.flicks()).ok().filter(|&flicks| flicks > 0)?;
    let rate = u128::from(bytes) * 8 * crate::time::FLICKS_PER_SECOND as u128 / flicks;
    u64::try_from(rate).ok()
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
