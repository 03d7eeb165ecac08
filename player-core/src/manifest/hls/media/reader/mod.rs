//! Reads a media playlist, whole or from where it goes on from the one held.

mod jump;
mod tags;

use super::follow::{EventPlaces, Following, Requests, SegmentEnd};
use super::{MediaPlaylist, PlaylistType, format_by_name};
use crate::io::ByteRange;
use crate::manifest::hls::attributes;
use crate::manifest::hls::key::Keys;
use crate::manifest::hls::lines::Lines;
use crate::manifest::hls::low_latency::RenditionReport;
use crate::manifest::hls::reading::Reading;
use crate::manifest::hls::variables::Variables;
use crate::manifest::{Fault, ManifestErrorKind, Parsed, WarningCode, decimal};
use crate::presentation::index::{List, ListEntry, MovingText, Queue, Setting, Shared, same_eight};
use crate::presentation::{SegmentIndex, TimedEvent};
use crate::time::{MediaTime, WallTime};
pub(super) use jump::Jump;

/// The most segments of a playlist: eleven days of one a second.
const MOST_SEGMENTS: usize = 1_000_000;

const LINES_AT_ONCE: usize = 256;

/// Reads a media playlist whose text has been checked for its first line.
pub(in crate::manifest::hls) fn parse(
    text: &str,
    url: &str,
    imports: &[(String, String)],
) -> Result<Parsed<MediaPlaylist>, Fault> {
    let mut shared = Shared::default();
    let mut version = Version::new(url, Variables::importing(imports));
    let last_line = version.read(text, &mut shared, None)?;
    if version.list.len() == 0 && !version.playlist.live {
        return Err(ManifestErrorKind::Empty.at(last_line));
    }
    let end = version.text_end();
    let Version { reading, mut playlist, list, ends, event_places, format, .. } = version;
    playlist.index = SegmentIndex::from_encrypted_list(list, shared);
    playlist.unknown = reading.unknown;
    if let Some(format) = format {
        playlist.format = format;
    }
    if playlist.live {
        playlist.following = Some(Box::new(Following {
            text: MovingText::growing(text.get(..end).unwrap_or("")),
            ends: Queue::from(ends),
            variables: reading.variables,
            events: event_places,
            requests: Requests::default(),
        }));
    }
    Ok(reading.warnings.with(playlist))
}

/// What one version of a playlist says, less what was not read again.
pub(super) struct Version<'a> {
    pub(super) reading: Reading<'a>,
    /// All but the index, the unknown tags, and how to follow it.
    pub(super) playlist: MediaPlaylist,
    /// The segments, after those of `jump`.
    pub(super) list: List,
    pub(super) ends: Vec<SegmentEnd>,
    pub(super) jump: Option<Jump>,
    /// A delta update leaves out what is not held, up to this number.
    pub(super) out_of_reach: Option<u64>,
    /// `EXT-X-MEDIA-SEQUENCE`.
    pub(super) first_number: u64,
    /// Ids of date ranges that a delta update says are gone, if it leaves out those that are not.
    pub(super) removed_events: Option<Vec<String>>,
    /// What tags and names tell of the segments.
    pub(super) format: Option<super::SegmentFormat>,
    /// How many parts there are of the segment after the last.
    pub(super) part_count: u64,
    pub(super) event_places: EventPlaces,
    pub(super) discontinuity_stated: bool,
}

impl<'a> Version<'a> {
    pub(super) fn new(url: &'a str, variables: Variables) -> Self {
        let mut reading = Reading::new(url);
        reading.variables = variables;
        Self {
            reading,
            playlist: MediaPlaylist::nothing(),
            list: List::new(base(url), 0),
            ends: Vec::new(),
            jump: None,
            out_of_reach: None,
            first_number: 0,
            removed_events: None,
            format: None,
            part_count: 0,
            event_places: EventPlaces::default(),
            discontinuity_stated: false,
        }
    }

    /// Reads a text to its end, and says how many lines there were. `shared` is what the playlist held
    /// has, to which more is added.
    pub(super) fn read(
        &mut self,
        text: &'a str,
        shared: &mut Shared,
        held: Option<Held<'_>>,
    ) -> Result<u64, Fault> {
        let mut reader = MediaReader {
            version: self,
            held,
            shared,
            reports: Vec::new(),
            target_stated: false,
            ended: false,
            time: MediaTime::ZERO,
            duration: None,
            range: None,
            gap: false,
            date: None,
            applied: false,
            part_time: MediaTime::ZERO,
            setting: Setting::default(),
            keys: Keys::default(),
            keys_changed: false,
            key_bytes: 0,
            discontinuity_seen: false,
            longest: MediaTime::ZERO,
            overlong: MediaTime::MAX,
        };
        let last_line = reader.read(text)?;
        reader.finish(last_line)?;
        Ok(last_line)
    }

    /// Where the text up to the last segment ends, if anything can come after it.
    pub(super) fn text_end(&self) -> usize {
        self.ends.last().map_or(0, |end| end.place as usize)
    }

    /// Whether nothing of a segment has come yet.
    fn is_head(&self) -> bool {
        self.list.len() == 0 && self.jump.is_none()
    }
}

/// What of a playlist held reading the next version needs.
#[derive(Clone, Copy)]
pub(super) struct Held<'h> {
    pub(super) list: &'h List,
    pub(super) following: &'h Following,
    pub(super) events: &'h [TimedEvent],
}

struct MediaReader<'a, 'h> {
    version: &'h mut Version<'a>,
    held: Option<Held<'h>>,
    shared: &'h mut Shared,
    /// Reports are read at the end, when it is known what they leave out.
    reports: Vec<(&'a str, u64)>,
    /// `EXT-X-TARGETDURATION` was there.
    target_stated: bool,
    /// `EXT-X-ENDLIST` was there.
    ended: bool,

    /// Where the next segment begins.
    time: MediaTime,
    /// What the tags since the last segment say of the next one.
    duration: Option<MediaTime>,
    range: Option<(u64, Option<u64>)>,
    gap: bool,
    date: Option<WallTime>,
    /// Any of them, for the next one alone, has been there.
    applied: bool,
    part_time: MediaTime,
    /// What holds from here on.
    setting: Setting,
    keys: Keys,
    keys_changed: bool,
    key_bytes: usize,
    discontinuity_seen: bool,
    longest: MediaTime,
    /// From here on a segment is longer than its playlist allows.
    overlong: MediaTime,
}

impl<'a> MediaReader<'a, '_> {
    /// Reads to the end; says how many lines there were.
    fn read(&mut self, text: &'a str) -> Result<u64, Fault> {
        let mut lines = Lines::new(text);
        while self.read_some(text, &mut lines)? {}
        Ok(lines.number())
    }

    /// Reads lines, but not all of a long text, and says whether there may be more. A browser replaces
    /// quickly compiled code by fast code between calls alone.
    #[inline(never)]
    fn read_some(&mut self, text: &'a str, lines: &mut Lines<'a>) -> Result<bool, Fault> {
        for _ in 0..LINES_AT_ONCE {
            let Some(line) = lines.next() else { return Ok(false) };
            // The tags that most lines are come first, by their first eight bytes.
            match line.text.as_bytes().first_chunk() {
                Some(b"#EXTINF:") => self.extinf(line.text.get(8..).unwrap_or(""), line.number),
                Some(b"#EXT-X-P") if line.text.get(8..12) == Some("ART:") => {
                    self.part(trimmed(line.text.get(12..).unwrap_or("")), line.number);
                }
                Some(b"#EXT-X-P") => match after(line.text, b"#EXT-X-PROGRAM-DATE-TIME:") {
                    Some(date) => self.date(date, line.number),
                    None => self.tag(line, lines),
                },
                Some(b"#EXT-X-B") => match after(line.text, b"#EXT-X-BYTERANGE:") {
                    Some(range) => self.byte_range(range, line.number),
                    None => self.tag(line, lines),
                },
                _ if line.text.starts_with('#') => self.tag(line, lines),
                _ => {
                    let first = self.version.ends.is_empty();
                    if self.segment(line.text, line.number) {
                        // Of a last line that no line feed ends, it cannot be known that it is whole.
                        let place = lines.place().min(text.len()) as u32;
                        let end = SegmentEnd { place, line: line.number as u32 };
                        self.version.ends.push(end);
                        if first && self.held.is_some() {
                            self.jump_over(text, lines, line.number);
                        }
                    }
                }
            }
            self.version.reading.check()?;
            if self.version.out_of_reach.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    #[inline]
    fn extinf(&mut self, value: &str, line: u64) {
        let end = value.bytes().position(|byte| byte == b',').unwrap_or(value.len());
        let text = trimmed(value.get(..end).unwrap_or(""));
        self.duration = attributes::duration(text);
        if self.duration.is_none() {
            self.version.reading.fail_value("EXTINF", text, line);
        }
        self.applied = true;
    }

    #[inline]
    fn byte_range(&mut self, value: &str, line: u64) {
        self.range = byte_range(value);
        if self.range.is_none() {
            self.version.reading.fail_value("EXT-X-BYTERANGE", value, line);
        }
        self.applied = true;
    }

    #[inline]
    fn date(&mut self, text: &str, line: u64) {
        let reading = &mut self.version.reading;
        self.date = reading.dates.read(trimmed(text));
        if self.date.is_none() {
            reading.bad_value("EXT-X-PROGRAM-DATE-TIME", text, line);
        }
        self.applied = true;
    }

    /// A line that is no tag: the URI of a segment. Whether it was taken in.
    #[inline]
    fn segment(&mut self, reference: &'a str, line: u64) -> bool {
        let stated = self.range.take();
        let gap = core::mem::take(&mut self.gap);
        let wall_time = self.date.take();
        self.applied = false;
        self.version.part_count = 0;
        let Some(duration) = self.duration.take() else {
            let message = "a segment without EXTINF is left out";
            self.version.reading.warn(line, WarningCode::Missing, message);
            return false;
        };
        if self.version.list.len() >= MOST_SEGMENTS {
            self.version.reading.fail_limit("segments", MOST_SEGMENTS, line);
            return false;
        }
        let reference = self.version.reading.substitute(reference, line);
        let range = match stated {
            Some((length, Some(start))) => Some(ByteRange { start, length: Some(length) }),
            Some((length, None)) => {
                let range = self.range_after(&reference, length);
                if range.is_none() {
                    self.version.reading.fail_without("EXT-X-BYTERANGE", "offset", line);
                }
                range
            }
            None => None,
        };
        if self.version.format.is_none() {
            self.version.format = Some(format_by_name(&reference));
        }
        if duration >= self.overlong {
            self.overlong = MediaTime::MAX;
            let message = "a segment is longer than EXT-X-TARGETDURATION";
            self.version.reading.warn(line, WarningCode::Inconsistent, message);
        }
        self.longest = self.longest.max(duration);
        let peak = match range.and_then(|range| range.length) {
            Some(bytes) => bit_rate(bytes, duration),
            None => self.setting.bit_rate,
        };
        let bandwidth = &mut self.version.playlist.bandwidth;
        *bandwidth = (*bandwidth).max(peak);
        let key = if self.keys_changed { self.key(line) } else { self.setting.key };
        self.version.list.push(ListEntry {
            start: self.time,
            duration,
            reference: &reference,
            range,
            init: self.setting.init,
            key,
            discontinuity: self.setting.discontinuity,
            gap,
            wall_time,
            bit_rate: self.setting.bit_rate,
        });
        self.time = self.time + duration;
        true
    }

    /// The range of `length` bytes after that of the segment before, which must be of the same
    /// resource (RFC 8216bis §4.4.4.2).
    fn range_after(&self, reference: &str, length: u64) -> Option<ByteRange> {
        let list = &self.version.list;
        let last = list.next_number().checked_sub(1)?;
        let held = || self.held.and_then(|held| held.list.resource(last));
        let (before, range) = list.resource(last).or_else(held)?;
        let range = range.filter(|_| before == reference)?;
        let start = range.start.saturating_add(range.length.unwrap_or(0));
        Some(ByteRange { start, length: Some(length) })
    }

    /// Draws what follows from all that was read.
    fn finish(&mut self, last_line: u64) -> Result<(), Fault> {
        let version = &mut *self.version;
        if !self.target_stated {
            if version.is_head() {
                return Err(ManifestErrorKind::missing("EXT-X-TARGETDURATION").at(last_line));
            }
            let message = "EXT-X-TARGETDURATION is missing";
            version.reading.warn(last_line, WarningCode::Missing, message);
            version.playlist.target_duration = self.longest;
        }
        let playlist = &mut version.playlist;
        playlist.ended = self.ended;
        playlist.live = !self.ended && playlist.playlist_type != Some(PlaylistType::Vod);
        playlist.independent = version.reading.independent;
        playlist.start = version.reading.start;
        let next = version.list.next_number();
        let last = match version.part_count.checked_sub(1) {
            Some(part) => (next, Some(part)),
            None => {
                let number = next.saturating_sub(1);
                let parts = playlist.parts.iter().filter(|part| part.segment == number);
                (number, parts.map(|part| part.index).max())
            }
        };
        for (value, line) in core::mem::take(&mut self.reports) {
            let report = RenditionReport::read(value, line, last, &mut version.reading);
            playlist.reports.extend(report);
            version.reading.check()?;
        }
        Ok(())
    }
}

/// What references resolve against: a query is no part of it, and changes with every blocking reload.
fn base(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.get(..end).unwrap_or(url)
}

/// What follows a name of `8n + 1` bytes. Eight at a time, as names are long and lines many.
#[inline]
fn after<'t, const N: usize>(text: &'t str, name: &[u8; N]) -> Option<&'t str> {
    let start = text.as_bytes().first_chunk::<N>()?;
    let (eights, rest) = name.as_chunks::<8>();
    let (own, own_rest) = start.as_chunks::<8>();
    let alike = own.iter().zip(eights).all(|(one, other)| same_eight(one, other));
    (alike && own_rest.first() == rest.first()).then(|| text.get(N..)).flatten()
}

/// Without white space around it, which is rarely there.
#[inline]
fn trimmed(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if *first > b' ' && *last > b' ' => text,
        _ => text.trim_ascii(),
    }
}

/// `n[@o]`: count of bytes, and where they begin (RFC 8216bis §4.4.4.2).
#[inline]
fn byte_range(text: &str) -> Option<(u64, Option<u64>)> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'@');
    let number = |text: Option<&str>| decimal::integer(trimmed(text?));
    let (length, start) = match at {
        Some(at) => (number(text.get(..at))?, Some(number(text.get(at + 1..))?)),
        None => (number(Some(text))?, None),
    };
    start.unwrap_or(0).checked_add(length)?;
    Some((length, start))
}

fn bit_rate(bytes: u64, duration: MediaTime) -> Option<u64> {
    const BITS: u64 = 8 * crate::time::FLICKS_PER_SECOND as u64;
    let flicks = u64::try_from(duration.flicks()).ok().filter(|&flicks| flicks > 0)?;
    // Of gigabytes, gigabits are enough.
    Some(match bytes.checked_mul(BITS) {
        Some(product) => product / flicks,
        None => (bytes / flicks).saturating_mul(BITS),
    })
}
