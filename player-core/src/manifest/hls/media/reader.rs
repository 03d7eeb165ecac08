//! Reads a media playlist, whole or from where it goes on from the one held.

use super::follow::{EventPlaces, Following, Requests, SegmentEnd};
use super::{MediaPlaylist, PlaylistType, SegmentFormat, format_by_name};
use crate::io::ByteRange;
use crate::manifest::hls::attributes::{self, Attributes};
use crate::manifest::hls::date_range;
use crate::manifest::hls::key::{Key, Keys};
use crate::manifest::hls::lines::{Content, Line, Lines};
use crate::manifest::hls::low_latency::{Part, PreloadHint, RenditionReport, ServerControl};
use crate::manifest::hls::reading::Reading;
use crate::manifest::hls::variables::Variables;
use crate::manifest::{Fault, ManifestErrorKind, Parsed, WarningCode, decimal};
use crate::presentation::index::{List, ListEntry, MovingText, Queue, Setting, Shared, same_eight};
use crate::presentation::{InitSegment, SegmentIndex, TimedEvent};
use crate::time::{MediaTime, WallTime};

/// The most segments of a playlist: eleven days of one a second.
const MOST_SEGMENTS: usize = 1_000_000;
/// The most initialisation segments, keys and date ranges.
const MOST_INITS: usize = 10_000;
const MOST_KEYS: usize = 10_000;
const MOST_KEY_BYTES: usize = 4 << 20;
const MOST_EVENTS: usize = 10_000;
/// The most parts that are kept: those of the last segments are of use.
const MOST_PARTS: usize = 256;
/// The most hints and reports.
const MOST_HINTS: usize = 16;
const MOST_REPORTS: usize = 1000;

/// Reads a media playlist whose text has been checked for its first line.
pub(in crate::manifest::hls) fn parse(
    text: &str,
    url: &str,
    imports: &[(String, String)],
) -> Result<Parsed<MediaPlaylist>, Fault> {
    let mut shared = Shared::default();
    let mut reader = MediaReader::new(url, &mut shared, None);
    reader.reading.variables = Variables::importing(imports);
    let last_line = reader.read(text)?;
    reader.finish(last_line)?.into_playlist(text, last_line, shared)
}

/// What of a playlist held reading the next version needs.
#[derive(Clone, Copy)]
pub(super) struct Held<'h> {
    pub(super) list: &'h List,
    pub(super) following: &'h Following,
    pub(super) events: &'h [TimedEvent],
}

/// A stretch of segments that was not read, because the playlist held has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jump {
    /// The last segment.
    pub(super) to: u64,
    /// Where the text goes on.
    pub(super) place: usize,
    pub(super) line: u64,
    /// The server left it out (`EXT-X-SKIP`); else the text was the same.
    pub(super) skipped: bool,
}

pub(super) struct MediaReader<'a, 'h> {
    pub(super) reading: Reading<'a>,
    held: Option<Held<'h>>,
    list: List,
    shared: &'h mut Shared,
    ends: Vec<SegmentEnd>,
    jump: Option<Jump>,
    /// A delta update leaves out what is not held: the number before which it would have to be.
    out_of_reach: Option<u64>,
    /// `EXT-X-MEDIA-SEQUENCE`.
    first_number: u64,
    /// Ids of date ranges that a delta update says are gone.
    removed_events: Option<Vec<String>>,

    target_duration: Option<MediaTime>,
    playlist_type: Option<PlaylistType>,
    ended: bool,
    i_frames_only: bool,
    format: Option<SegmentFormat>,
    control: ServerControl,
    part_target: Option<MediaTime>,
    hints: Vec<PreloadHint>,
    /// Reports are read at the end, when it is known what they leave out.
    reports: Vec<(&'a str, u64)>,
    parts: Vec<Part>,
    events: Vec<TimedEvent>,
    event_places: EventPlaces,

    /// Where the next segment begins.
    time: MediaTime,
    /// What the tags since the last segment say of the next one.
    duration: Option<MediaTime>,
    range: Option<(u64, Option<u64>)>,
    gap: bool,
    date: Option<WallTime>,
    /// Any of them, for the next one alone, has been there.
    applied: bool,
    part_count: u64,
    part_time: MediaTime,
    /// What holds from here on.
    setting: Setting,
    keys: Keys,
    keys_changed: bool,
    key_bytes: usize,
    discontinuity_stated: bool,
    discontinuity_seen: bool,
    longest: MediaTime,
    /// From here on a segment is longer than its playlist allows.
    overlong: MediaTime,
    peak: Option<u64>,
}

impl<'a, 'h> MediaReader<'a, 'h> {
    /// `shared`: what the playlist held has, to which more is added.
    pub(super) fn new(url: &'a str, shared: &'h mut Shared, held: Option<Held<'h>>) -> Self {
        Self {
            reading: Reading::new(url),
            held,
            list: List::new(base(url), 0),
            shared,
            ends: Vec::new(),
            jump: None,
            out_of_reach: None,
            first_number: 0,
            removed_events: None,
            target_duration: None,
            playlist_type: None,
            ended: false,
            i_frames_only: false,
            format: None,
            control: ServerControl::default(),
            part_target: None,
            hints: Vec::new(),
            reports: Vec::new(),
            parts: Vec::new(),
            events: Vec::new(),
            event_places: EventPlaces::default(),
            time: MediaTime::ZERO,
            duration: None,
            range: None,
            gap: false,
            date: None,
            applied: false,
            part_count: 0,
            part_time: MediaTime::ZERO,
            setting: Setting::default(),
            keys: Keys::default(),
            keys_changed: false,
            key_bytes: 0,
            discontinuity_stated: false,
            discontinuity_seen: false,
            longest: MediaTime::ZERO,
            overlong: MediaTime::MAX,
            peak: None,
        }
    }

    /// Reads to the end; says how many lines there were.
    pub(super) fn read(&mut self, text: &'a str) -> Result<u64, Fault> {
        let mut lines = Lines::new(text);
        while let Some(line) = lines.next() {
            // The tags that most lines are come first, by their first eight bytes.
            match line.text.as_bytes().first_chunk() {
                Some(b"#EXTINF:") => {
                    self.extinf(line.text.get(8..).unwrap_or(""), line.number)?;
                }
                Some(b"#EXT-X-P") => match after(line.text, b"#EXT-X-PROGRAM-DATE-TIME:") {
                    Some(date) => self.date(date, line.number),
                    None => self.tag(line, &mut lines)?,
                },
                Some(b"#EXT-X-B") => match after(line.text, b"#EXT-X-BYTERANGE:") {
                    Some(range) => self.byte_range(range, line.number)?,
                    None => self.tag(line, &mut lines)?,
                },
                _ if line.text.starts_with('#') => self.tag(line, &mut lines)?,
                _ => {
                    let first = self.ends.is_empty();
                    if !self.segment(line)? {
                        continue;
                    }
                    // Of a last line that no line feed ends, it cannot be known that it is whole.
                    let place = lines.place().min(text.len()) as u32;
                    self.ends.push(SegmentEnd { place, line: line.number as u32 });
                    if first && let Some(jump) = self.find_jump(text, lines.place(), line.number) {
                        self.ends.clear();
                        self.take_jump(jump);
                        lines = Lines::resume(text, jump.place, jump.line);
                    }
                }
            }
            if self.out_of_reach.is_some() {
                break;
            }
        }
        Ok(lines.number())
    }

    #[inline]
    fn extinf(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        let end = value.bytes().position(|byte| byte == b',').unwrap_or(value.len());
        let text = trimmed(value.get(..end).unwrap_or(""));
        match attributes::duration(text) {
            Some(duration) => self.duration = Some(duration),
            None => return Err(ManifestErrorKind::invalid("EXTINF", text).at(line)),
        }
        self.applied = true;
        Ok(())
    }

    #[inline]
    fn byte_range(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        self.range = Some(byte_range("EXT-X-BYTERANGE", value, line)?);
        self.applied = true;
        Ok(())
    }

    #[inline]
    fn date(&mut self, text: &str, line: u64) {
        self.date = self.reading.dates.read(trimmed(text));
        if self.date.is_none() {
            self.reading.bad_value("EXT-X-PROGRAM-DATE-TIME", text, line);
        }
        self.applied = true;
    }

    #[inline(never)]
    fn tag(&mut self, line: Line<'a>, lines: &mut Lines<'a>) -> Result<(), Fault> {
        let Content::Tag { name, value } = line.content() else { return Ok(()) };
        let number = line.number;
        match name {
            "EXT-X-PART" => self.part(value, number)?,
            "EXT-X-DISCONTINUITY" => {
                self.setting.discontinuity = self.setting.discontinuity.saturating_add(1);
                self.discontinuity_seen = true;
                self.applied = true;
            }
            "EXT-X-GAP" => {
                self.gap = true;
                self.applied = true;
            }
            "EXT-X-MAP" => self.map(value, number)?,
            "EXT-X-KEY" => {
                if let Some(key) = Key::read("EXT-X-KEY", value, number, &mut self.reading)? {
                    self.keys.take(key);
                    self.keys_changed = true;
                }
                self.applied = true;
            }
            "EXT-X-BITRATE" => match decimal::integer(value) {
                Some(kilobits) => self.setting.bit_rate = Some(kilobits.saturating_mul(1000)),
                None => self.reading.bad_value(name, value, number),
            },
            "EXT-X-DATERANGE" => self.date_range(value, number)?,
            "EXT-X-TARGETDURATION" => match attributes::duration(value) {
                Some(duration) if duration > MediaTime::ZERO => {
                    self.target_duration = Some(duration);
                    self.overlong = duration + MediaTime::from_millis(500);
                }
                _ => self.reading.bad_value(name, value, number),
            },
            "EXT-X-MEDIA-SEQUENCE" => match decimal::integer(value) {
                Some(first) if self.is_head() => {
                    self.list.set_first_number(first);
                    self.first_number = first;
                }
                Some(_) => self.reading.late(name, number),
                None => self.reading.bad_value(name, value, number),
            },
            "EXT-X-DISCONTINUITY-SEQUENCE" => match decimal::integer(value) {
                Some(first) if self.is_head() && !self.discontinuity_seen => {
                    self.setting.discontinuity = first;
                    self.discontinuity_stated = true;
                }
                Some(_) => self.reading.late(name, number),
                None => self.reading.bad_value(name, value, number),
            },
            "EXT-X-PLAYLIST-TYPE" => match value {
                "VOD" => self.playlist_type = Some(PlaylistType::Vod),
                "EVENT" => self.playlist_type = Some(PlaylistType::Event),
                _ => self.reading.bad_value(name, value, number),
            },
            "EXT-X-ENDLIST" => self.ended = true,
            "EXT-X-I-FRAMES-ONLY" => self.i_frames_only = true,
            "EXT-X-PART-INF" => {
                let warnings = &mut self.reading.warnings;
                let attributes = Attributes::read(name, value, number, warnings);
                self.part_target = attributes.seconds("PART-TARGET", &mut self.reading);
            }
            "EXT-X-SERVER-CONTROL" => {
                self.control = ServerControl::read(value, number, &mut self.reading);
            }
            "EXT-X-SKIP" => self.skip(value, line, lines)?,
            "EXT-X-PRELOAD-HINT" if self.hints.len() < MOST_HINTS => {
                self.hints.extend(PreloadHint::read(value, number, &mut self.reading)?);
            }
            "EXT-X-RENDITION-REPORT" if self.reports.len() < MOST_REPORTS => {
                self.reports.push((value, number));
            }
            "EXT-X-PRELOAD-HINT" | "EXT-X-RENDITION-REPORT" => {}
            "EXT-X-STREAM-INF" | "EXT-X-MEDIA" | "EXT-X-I-FRAME-STREAM-INF" => {
                let media = !self.is_head() || self.target_duration.is_some();
                return Err(if media {
                    ManifestErrorKind::MixedPlaylist
                } else {
                    ManifestErrorKind::NotMediaPlaylist
                }
                .at(number));
            }
            // With white space before the colon, or no colon at all.
            "EXTINF" => self.extinf(value, number)?,
            "EXT-X-BYTERANGE" => self.byte_range(value, number)?,
            "EXT-X-PROGRAM-DATE-TIME" => self.date(value, number),
            _ if self.reading.common(name, value, number)? => {}
            _ => {
                let applies = self.applied || !self.is_head();
                let (next, time) = (self.list.next_number(), self.time);
                let of = applies.then_some((next, time)).unzip();
                self.reading.keep_unknown(name, value, number, of.0, of.1);
            }
        }
        Ok(())
    }

    /// Whether nothing of a segment has come yet.
    fn is_head(&self) -> bool {
        self.list.len() == 0 && self.jump.is_none()
    }

    /// `EXT-X-MAP` (RFC 8216bis §4.4.4.5).
    fn map(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        const TAG: &str = "EXT-X-MAP";
        let attributes = Attributes::read(TAG, value, line, &mut self.reading.warnings);
        let Some(reference) = attributes.text("URI", &mut self.reading)? else {
            return Err(ManifestErrorKind::missing_attribute(TAG, "URI").at(line));
        };
        let range = match attributes.text("BYTERANGE", &mut self.reading)? {
            Some(text) => {
                let (length, start) = byte_range(TAG, &text, line)?;
                Some(ByteRange { start: start.unwrap_or(0), length: Some(length) })
            }
            None => None,
        };
        let init = InitSegment { url: self.reading.resolve(&reference, line)?, range };
        let key = self.key(line)?;
        self.format = Some(SegmentFormat::FragmentedMp4);
        self.applied = true;
        let Shared { inits, init_keys, .. } = &mut *self.shared;
        // Playlists with advertisements go back and forth between a few.
        let recent = inits.len().saturating_sub(LOOKED_AT);
        let known = inits.iter().zip(init_keys.iter()).skip(recent);
        let known = known.into_iter().position(|known| known == (&init, &key));
        self.setting.init = Some(match known {
            Some(position) => recent + position,
            None if inits.len() >= MOST_INITS => {
                return Err(ManifestErrorKind::limit("EXT-X-MAP tags", MOST_INITS).at(line));
            }
            None => {
                inits.push(init);
                init_keys.push(key);
                inits.len() - 1
            }
        });
        Ok(())
    }

    /// The key that holds here.
    fn key(&mut self, line: u64) -> Result<Option<usize>, Fault> {
        if !core::mem::take(&mut self.keys_changed) {
            return Ok(self.setting.key);
        }
        self.setting.key = None;
        let Some(protection) = self.keys.protection() else { return Ok(None) };
        let keys = &mut self.shared.keys;
        let recent = keys.len().saturating_sub(KEYS_LOOKED_AT);
        let known = keys.iter().skip(recent).position(|known| *known == protection);
        self.setting.key = Some(match known {
            Some(position) => recent + position,
            None => {
                self.key_bytes += self.keys.size();
                if keys.len() >= MOST_KEYS || self.key_bytes > MOST_KEY_BYTES {
                    return Err(ManifestErrorKind::limit("keys", MOST_KEYS).at(line));
                }
                keys.push(protection);
                keys.len() - 1
            }
        });
        Ok(self.setting.key)
    }

    /// `EXT-X-PART` (RFC 8216bis §4.4.4.9).
    fn part(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        self.applied = true;
        let attributes = Attributes::read("EXT-X-PART", value, line, &mut self.reading.warnings);
        let Some(duration) = attributes.seconds("DURATION", &mut self.reading) else {
            if attributes.word("DURATION").is_none() {
                attributes.lacks("DURATION", &mut self.reading);
            }
            return Ok(());
        };
        if self.part_count == 0 {
            self.part_time = self.time;
        }
        let (start, index) = (self.part_time, self.part_count);
        self.part_time = start + duration;
        self.part_count += 1;
        let Some(url) = attributes.url("URI", &mut self.reading)? else {
            attributes.lacks("URI", &mut self.reading);
            return Ok(());
        };
        let range = match attributes.text("BYTERANGE", &mut self.reading)? {
            Some(text) => {
                let (length, start) = byte_range("EXT-X-PART", &text, line)?;
                let before = self.parts.last().filter(|last| last.url == url);
                let before = before.and_then(|last| last.range);
                // It goes on where the part before ended, in the same resource.
                let end = |range: ByteRange| range.start.saturating_add(range.length.unwrap_or(0));
                let start = start.or_else(|| before.map(end)).unwrap_or(0);
                Some(ByteRange { start, length: Some(length) })
            }
            None => None,
        };
        let key = self.key(line)?;
        if self.parts.len() >= MOST_PARTS {
            self.parts = self.parts.split_off(MOST_PARTS / 2);
        }
        self.parts.push(Part {
            segment: self.list.next_number(),
            index,
            start,
            duration,
            url,
            range,
            independent: attributes.yes("INDEPENDENT"),
            gap: attributes.yes("GAP"),
            init: self.setting.init,
            key,
            discontinuity: self.setting.discontinuity,
        });
        Ok(())
    }

    /// `EXT-X-DATERANGE` (RFC 8216bis §4.4.5.1).
    fn date_range(&mut self, value: &str, line: u64) -> Result<(), Fault> {
        let (events, places) = (&mut self.events, &self.event_places);
        // One in what was not read again still holds.
        let held = self.held.filter(|_| self.jump.is_some());
        let event = date_range::read(value, line, &mut self.reading, |id| {
            places.take(events, id).or_else(|| {
                let held = held?;
                held.following.events.find(held.events, id).cloned()
            })
        })?;
        let Some(event) = event else { return Ok(()) };
        if self.events.len() >= MOST_EVENTS {
            return Err(ManifestErrorKind::limit("EXT-X-DATERANGE tags", MOST_EVENTS).at(line));
        }
        let before = self.list.next_number();
        self.event_places.put(&mut self.events, event, before);
        Ok(())
    }

    /// `EXT-X-SKIP` (RFC 8216bis §4.4.5.2): the server left out what it had sent before.
    fn skip(&mut self, value: &str, line: Line<'a>, lines: &Lines<'a>) -> Result<(), Fault> {
        const TAG: &str = "EXT-X-SKIP";
        let attributes = Attributes::read(TAG, value, line.number, &mut self.reading.warnings);
        let Some(count) = attributes.integer("SKIPPED-SEGMENTS", &mut self.reading) else {
            return Err(
                ManifestErrorKind::missing_attribute(TAG, "SKIPPED-SEGMENTS").at(line.number)
            );
        };
        if let Some(ids) = attributes.text("RECENTLY-REMOVED-DATERANGES", &mut self.reading)? {
            let ids = ids.split('\t').filter(|id| !id.is_empty());
            self.removed_events = Some(ids.map(str::to_owned).collect());
        }
        if !self.is_head() {
            self.reading.late(TAG, line.number);
            return Ok(());
        }
        let Some(held) = self.held else {
            let feature = "a delta update without the playlist that it goes on from";
            return Err(ManifestErrorKind::unsupported(feature).at(line.number));
        };
        let Some(before_last) = count.checked_sub(1) else { return Ok(()) };
        let to = self.first_number.saturating_add(before_last);
        if held.list.span_of(to).is_none() || held.list.first_number() > self.first_number {
            self.out_of_reach = Some(to);
            return Ok(());
        }
        let (place, number) = (lines.place(), line.number);
        self.take_jump(Jump { to, place, line: number, skipped: true });
        Ok(())
    }

    /// How far the text after the first segment, whose line ends at `place`, is that of the playlist
    /// held.
    fn find_jump(&self, text: &str, place: usize, line: u64) -> Option<Jump> {
        let held = self.held?;
        let number = self.first_number;
        let Following { text: before, ends, variables, .. } = held.following;
        // The first segment must be the same, with all that holds for it and after it.
        let stated = |list: &List| list.date_of(number);
        let same = self.jump.is_none()
            && self.list.first_number() == number
            && held.list.compare(&self.list, number).is_none()
            && held.list.resource(number) == self.list.resource(number)
            && held.list.setting(number).bit_rate == self.setting.bit_rate
            && stated(&self.list).is_none_or(|date| stated(held.list) == Some(date))
            && held.list.has_base(&self.list)
            && variables.same(&self.reading.variables);
        if !same {
            return None;
        }
        let position = usize::try_from(number.checked_sub(held.list.first_number())?).ok()?;
        let from = ends.get(position)?;
        let theirs = before.from(from.place).as_bytes();
        let common = common(theirs, text.as_bytes().get(place..)?);
        let front = ends.first()?.place;
        let reach = from.place.wrapping_sub(front) as usize + common;
        let within = |end: &SegmentEnd| end.place.wrapping_sub(front) as usize <= reach;
        // The last line of the text held may have had no end, and be longer now.
        let last = ends.partition_point(within).checked_sub(1)?;
        let (last, place) = [last, last.saturating_sub(1)].into_iter().find_map(|last| {
            let place = place + ends.get(last)?.place.wrapping_sub(from.place) as usize;
            let whole = text.as_bytes().get(place.wrapping_sub(1)) == Some(&b'\n');
            (last > position && whole).then_some((last, place))
        })?;
        let lines = ends.get(last)?.line.wrapping_sub(from.line);
        Some(Jump {
            to: number.checked_add((last - position) as u64)?,
            place,
            line: line + u64::from(lines),
            skipped: false,
        })
    }

    /// Goes on as if the segments up to one that is held had been read.
    fn take_jump(&mut self, jump: Jump) {
        let Some(held) = self.held else { return };
        // What came before is placed as the first segment is.
        let first = self.first_number;
        if let Some((ours, theirs)) = self.list.span_of(first).zip(held.list.span_of(first)) {
            let shift = theirs.0 - ours.0;
            let discontinuity = held.list.setting(first).discontinuity;
            for part in &mut self.parts {
                part.start = part.start + shift;
                part.discontinuity = discontinuity;
            }
            for tag in &mut self.reading.unknown {
                tag.start = tag.start.map(|start| start + shift);
            }
        }
        let setting = held.list.setting(jump.to);
        self.time = held.list.span_of(jump.to).map_or(self.time, |(_, end)| end);
        self.setting = setting;
        self.keys = setting
            .key
            .and_then(|key| self.shared.keys.get(key))
            .map_or_else(Keys::default, Keys::of);
        self.keys_changed = false;
        self.list = List::new(base(self.reading.url), jump.to.saturating_add(1));
        self.jump = Some(jump);
    }

    /// A line that is no tag: the URI of a segment. Whether it was taken in.
    #[inline]
    fn segment(&mut self, line: Line<'a>) -> Result<bool, Fault> {
        let number = line.number;
        let stated = self.range.take();
        let gap = core::mem::take(&mut self.gap);
        let wall_time = self.date.take();
        self.applied = false;
        self.part_count = 0;
        let Some(duration) = self.duration.take() else {
            let message = "a segment without EXTINF is left out";
            self.reading.warnings.add(number, WarningCode::Missing, message);
            return Ok(false);
        };
        if self.list.len() >= MOST_SEGMENTS {
            return Err(ManifestErrorKind::limit("segments", MOST_SEGMENTS).at(number));
        }
        let reference = self.reading.variables.substitute(line.text, number)?;
        let range = match stated {
            Some((length, Some(start))) => Some(ByteRange { start, length: Some(length) }),
            Some((length, None)) => {
                Some(self.range_after(&reference, length).ok_or_else(|| {
                    ManifestErrorKind::missing_attribute("EXT-X-BYTERANGE", "offset").at(number)
                })?)
            }
            None => None,
        };
        if self.format.is_none() {
            self.format = Some(format_by_name(&reference));
        }
        if duration >= self.overlong {
            self.overlong = MediaTime::MAX;
            let message = "a segment is longer than EXT-X-TARGETDURATION";
            self.reading.warnings.add(number, WarningCode::Inconsistent, message);
        }
        self.longest = self.longest.max(duration);
        let peak = match range.and_then(|range| range.length) {
            Some(bytes) => bit_rate(bytes, duration),
            None => self.setting.bit_rate,
        };
        self.peak = self.peak.max(peak);
        let key = if self.keys_changed { self.key(number)? } else { self.setting.key };
        self.list.push(ListEntry {
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
        Ok(true)
    }

    /// The range of `length` bytes after that of the segment before, which must be of the same
    /// resource (RFC 8216bis §4.4.4.2).
    fn range_after(&self, reference: &str, length: u64) -> Option<ByteRange> {
        let last = self.list.next_number().checked_sub(1)?;
        let held = || self.held.and_then(|held| held.list.resource(last));
        let (before, range) = self.list.resource(last).or_else(held)?;
        let range = range.filter(|_| before == reference)?;
        let start = range.start.saturating_add(range.length.unwrap_or(0));
        Some(ByteRange { start, length: Some(length) })
    }

    /// What was read, once that is all.
    pub(super) fn finish(mut self, last_line: u64) -> Result<Version<'a>, Fault> {
        let target_duration = match self.target_duration {
            Some(target_duration) => target_duration,
            None if self.is_head() => {
                return Err(ManifestErrorKind::missing("EXT-X-TARGETDURATION").at(last_line));
            }
            None => {
                let message = "EXT-X-TARGETDURATION is missing";
                self.reading.warnings.add(last_line, WarningCode::Missing, message);
                self.longest
            }
        };
        let next = self.list.next_number();
        let last = match self.part_count.checked_sub(1) {
            Some(part) => (next, Some(part)),
            None => {
                let number = next.saturating_sub(1);
                let parts = self.parts.iter().filter(|part| part.segment == number);
                (number, parts.map(|part| part.index).max())
            }
        };
        let mut reports = Vec::with_capacity(self.reports.len());
        for (value, line) in core::mem::take(&mut self.reports) {
            reports.extend(RenditionReport::read(value, line, last, &mut self.reading)?);
        }
        Ok(Version {
            live: !self.ended && self.playlist_type != Some(PlaylistType::Vod),
            reading: self.reading,
            list: self.list,
            ends: self.ends,
            jump: self.jump,
            out_of_reach: self.out_of_reach,
            first_number: self.first_number,
            removed_events: self.removed_events,
            target_duration,
            playlist_type: self.playlist_type,
            i_frames_only: self.i_frames_only,
            format: self.format,
            control: self.control,
            part_target: self.part_target,
            hints: self.hints,
            reports,
            parts: self.parts,
            part_count: self.part_count,
            events: self.events,
            event_places: self.event_places,
            discontinuity_stated: self.discontinuity_stated,
            peak: self.peak,
        })
    }
}

/// What one version of a playlist says, less what was not read again.
pub(super) struct Version<'a> {
    pub(super) reading: Reading<'a>,
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
    pub(super) live: bool,
    pub(super) target_duration: MediaTime,
    pub(super) playlist_type: Option<PlaylistType>,
    pub(super) i_frames_only: bool,
    pub(super) format: Option<SegmentFormat>,
    pub(super) control: ServerControl,
    pub(super) part_target: Option<MediaTime>,
    pub(super) hints: Vec<PreloadHint>,
    pub(super) reports: Vec<RenditionReport>,
    pub(super) parts: Vec<Part>,
    /// How many parts there are of the segment after the last.
    pub(super) part_count: u64,
    pub(super) events: Vec<TimedEvent>,
    pub(super) event_places: EventPlaces,
    pub(super) discontinuity_stated: bool,
    pub(super) peak: Option<u64>,
}

impl Version<'_> {
    /// The text up to the last segment, if anything can come after it.
    pub(super) fn text_end(&self) -> usize {
        self.ends.last().map_or(0, |end| end.place as usize)
    }

    /// The playlist, read for the first time.
    fn into_playlist(
        self,
        text: &str,
        last_line: u64,
        shared: Shared,
    ) -> Result<Parsed<MediaPlaylist>, Fault> {
        if self.list.len() == 0 && !self.live {
            return Err(ManifestErrorKind::Empty.at(last_line));
        }
        let mut text_kept = MovingText::default();
        let following = if self.live {
            text_kept.push(text.get(..self.text_end()).unwrap_or(""));
            Some(Box::new(Following {
                text: text_kept,
                ends: Queue::from(self.ends),
                variables: self.reading.variables,
                events: self.event_places,
                requests: Requests::default(),
            }))
        } else {
            None
        };
        let playlist = MediaPlaylist {
            index: SegmentIndex::from_encrypted_list(self.list, shared),
            live: self.live,
            target_duration: self.target_duration,
            playlist_type: self.playlist_type,
            independent: self.reading.independent,
            i_frames_only: self.i_frames_only,
            format: self.format.unwrap_or(SegmentFormat::Unknown),
            bandwidth: self.peak,
            start: self.reading.start,
            events: self.events,
            control: self.control,
            part_target: self.part_target,
            parts: self.parts,
            hints: self.hints,
            reports: self.reports,
            unknown: self.reading.unknown,
            following,
        };
        Ok(self.reading.warnings.with(playlist))
    }
}

/// How many of the last initialisation segments and keys are looked at for one that is known.
const LOOKED_AT: usize = 16;
const KEYS_LOOKED_AT: usize = 4;

/// What references resolve against: a query is no part of it, and changes with every blocking reload.
fn base(url: &str) -> &str {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    url.get(..end).unwrap_or(url)
}

/// How many bytes two texts begin with alike. Compares eight at a time.
fn common(one: &[u8], other: &[u8]) -> usize {
    let eights = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let same = eights.take_while(|(one, other)| same_eight(one, other)).count() * 8;
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same + rest.take_while(|(one, other)| one == other).count()
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
fn byte_range(tag: &str, text: &str, line: u64) -> Result<(u64, Option<u64>), Fault> {
    let bytes = text.as_bytes();
    let at = bytes.iter().position(|&byte| byte == b'@');
    let number = |text: Option<&str>| decimal::integer(trimmed(text?));
    let parsed = match at {
        Some(at) => number(text.get(..at)).zip(number(text.get(at + 1..)).map(Some)),
        None => number(Some(text)).map(|length| (length, None)),
    };
    parsed
        .filter(|&(length, start)| start.unwrap_or(0).checked_add(length).is_some())
        .ok_or_else(|| ManifestErrorKind::invalid(tag, text).at(line))
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
