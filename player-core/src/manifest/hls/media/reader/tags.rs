//! What each tag of a media playlist says.

use super::super::{PlaylistType, SegmentFormat};
use super::{MediaReader, byte_range};
use crate::io::ByteRange;
use crate::manifest::hls::attributes::{self, Attributes};
use crate::manifest::hls::date_range;
use crate::manifest::hls::key::Key;
use crate::manifest::hls::lines::{Content, Line, Lines};
use crate::manifest::hls::low_latency::{Part, PreloadHint, ServerControl};
use crate::manifest::{ManifestErrorKind, decimal};
use crate::presentation::InitSegment;
use crate::presentation::index::Shared;
use crate::time::MediaTime;

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
/// How many of the last initialisation segments and keys are looked at for one that is known.
const LOOKED_AT: usize = 16;
const KEYS_LOOKED_AT: usize = 4;

impl<'a> MediaReader<'a, '_> {
    #[inline(never)]
    pub(super) fn tag(&mut self, line: Line<'a>, lines: &Lines<'a>) {
        let Content::Tag { name, value } = line.content() else { return };
        let line = line.number;
        let version = &mut *self.version;
        match name {
            "EXT-X-PART" => self.part(value, line),
            "EXT-X-DISCONTINUITY" => {
                self.setting.discontinuity = self.setting.discontinuity.saturating_add(1);
                self.discontinuity_seen = true;
                self.applied = true;
            }
            "EXT-X-GAP" => {
                self.gap = true;
                self.applied = true;
            }
            "EXT-X-MAP" => self.map(value, line),
            "EXT-X-KEY" => {
                if let Some(key) = Key::read("EXT-X-KEY", value, line, &mut version.reading) {
                    self.keys.take(key);
                    self.keys_changed = true;
                }
                self.applied = true;
            }
            "EXT-X-DATERANGE" => self.date_range(value, line),
            "EXT-X-BITRATE"
            | "EXT-X-TARGETDURATION"
            | "EXT-X-MEDIA-SEQUENCE"
            | "EXT-X-DISCONTINUITY-SEQUENCE"
            | "EXT-X-PLAYLIST-TYPE" => self.plain(name, value, line),
            "EXT-X-ENDLIST" => self.ended = true,
            "EXT-X-I-FRAMES-ONLY" => version.playlist.i_frames_only = true,
            "EXT-X-PART-INF" => {
                let reading = &mut version.reading;
                let attributes = Attributes::read(name, value, line, &mut reading.warnings);
                version.playlist.part_target = attributes.seconds("PART-TARGET", reading);
            }
            "EXT-X-SERVER-CONTROL" => {
                version.playlist.control = ServerControl::read(value, line, &mut version.reading);
            }
            "EXT-X-SKIP" => self.skip(value, line, lines.place()),
            "EXT-X-PRELOAD-HINT" => {
                let hints = &mut version.playlist.hints;
                if hints.len() < MOST_HINTS {
                    let number = self.setting.discontinuity;
                    hints.extend(PreloadHint::read(value, line, number, &mut version.reading));
                }
            }
            "EXT-X-RENDITION-REPORT" => {
                if self.reports.len() < MOST_REPORTS {
                    self.reports.push((value, line));
                }
            }
            "EXT-X-STREAM-INF" | "EXT-X-MEDIA" | "EXT-X-I-FRAME-STREAM-INF" => {
                let kind = match !version.is_head() || self.target_stated {
                    true => ManifestErrorKind::MixedPlaylist,
                    false => ManifestErrorKind::NotMediaPlaylist,
                };
                version.reading.fail(kind, line);
            }
            // With white space before the colon, or no colon at all.
            "EXTINF" => self.extinf(value, line),
            "EXT-X-BYTERANGE" => self.byte_range(value, line),
            "EXT-X-PROGRAM-DATE-TIME" => self.date(value, line),
            _ if version.reading.common(name, value, line) => {}
            _ => {
                let applies = self.applied || !version.is_head();
                let (next, time) = (version.list.next_number(), self.time);
                let of = applies.then_some((next, time)).unzip();
                version.reading.keep_unknown(name, value, line, of.0, of.1);
            }
        }
    }

    /// Takes in a tag whose value is one word or number.
    fn plain(&mut self, name: &str, value: &str, line: u64) {
        let version = &mut *self.version;
        let number = decimal::integer(value);
        let mut late = false;
        match (name, number) {
            ("EXT-X-PLAYLIST-TYPE", _) if value == "VOD" => {
                version.playlist.playlist_type = Some(PlaylistType::Vod);
            }
            ("EXT-X-PLAYLIST-TYPE", _) if value == "EVENT" => {
                version.playlist.playlist_type = Some(PlaylistType::Event);
            }
            ("EXT-X-TARGETDURATION", _) => match attributes::duration(value) {
                Some(duration) if duration > MediaTime::ZERO => {
                    version.playlist.target_duration = duration;
                    self.target_stated = true;
                    self.overlong = duration + MediaTime::from_millis(500);
                }
                _ => version.reading.bad_value(name, value, line),
            },
            ("EXT-X-BITRATE", Some(kilobits)) => {
                self.setting.bit_rate = Some(kilobits.saturating_mul(1000));
            }
            ("EXT-X-MEDIA-SEQUENCE", Some(first)) => match version.is_head() {
                true => {
                    version.list.set_first_number(first);
                    version.first_number = first;
                }
                false => late = true,
            },
            ("EXT-X-DISCONTINUITY-SEQUENCE", Some(first)) => {
                match version.is_head() && !self.discontinuity_seen {
                    true => {
                        self.setting.discontinuity = first;
                        version.discontinuity_stated = true;
                    }
                    false => late = true,
                }
            }
            _ => version.reading.bad_value(name, value, line),
        }
        if late {
            version.reading.late(name, line);
        }
    }

    /// `EXT-X-MAP` (RFC 8216bis §4.4.4.5).
    fn map(&mut self, value: &str, line: u64) {
        const TAG: &str = "EXT-X-MAP";
        let reading = &mut self.version.reading;
        let attributes = Attributes::read(TAG, value, line, &mut reading.warnings);
        let Some(url) = attributes.url("URI", reading) else {
            return reading.fail_without(TAG, "URI", line);
        };
        let range = self.range_of(&attributes, TAG, line);
        let range = range
            .map(|(length, start)| ByteRange { start: start.unwrap_or(0), length: Some(length) });
        let init = InitSegment { url, range };
        let key = self.key(line);
        self.version.format = Some(SegmentFormat::FragmentedMp4);
        self.applied = true;
        let Shared { inits, init_keys, .. } = &mut *self.shared;
        // Playlists with advertisements go back and forth between a few.
        for place in (inits.len().saturating_sub(LOOKED_AT)..inits.len()).rev() {
            if inits.get(place) == Some(&init) && init_keys.get(place) == Some(&key) {
                self.setting.init = Some(place);
                return;
            }
        }
        if inits.len() >= MOST_INITS {
            return self.version.reading.fail_limit("EXT-X-MAP tags", MOST_INITS, line);
        }
        self.setting.init = Some(inits.len());
        inits.push(init);
        init_keys.push(key);
    }

    /// `BYTERANGE` of a tag.
    fn range_of(
        &mut self,
        attributes: &Attributes<'_>,
        tag: &str,
        line: u64,
    ) -> Option<(u64, Option<u64>)> {
        let reading = &mut self.version.reading;
        let text = attributes.text("BYTERANGE", reading)?;
        let range = byte_range(&text);
        if range.is_none() {
            reading.fail_value(tag, &text, line);
        }
        range
    }

    /// The key that holds here.
    #[inline(never)]
    pub(super) fn key(&mut self, line: u64) -> Option<usize> {
        if !core::mem::take(&mut self.keys_changed) {
            return self.setting.key;
        }
        self.setting.key = None;
        let protection = self.keys.protection()?;
        let keys = &mut self.shared.keys;
        let recent = keys.len().saturating_sub(KEYS_LOOKED_AT);
        let known = keys.iter().skip(recent).position(|known| *known == protection);
        self.setting.key = Some(match known {
            Some(position) => recent + position,
            None => {
                self.key_bytes += self.keys.size();
                if keys.len() >= MOST_KEYS || self.key_bytes > MOST_KEY_BYTES {
                    self.version.reading.fail_limit("keys", MOST_KEYS, line);
                    return None;
                }
                keys.push(protection);
                keys.len() - 1
            }
        });
        self.setting.key
    }

    /// `EXT-X-PART` (RFC 8216bis §4.4.4.9).
    #[inline(never)]
    pub(super) fn part(&mut self, value: &str, line: u64) {
        const TAG: &str = "EXT-X-PART";
        self.applied = true;
        let version = &mut *self.version;
        let reading = &mut version.reading;
        let attributes = Attributes::read(TAG, value, line, &mut reading.warnings);
        let Some(duration) = attributes.seconds("DURATION", reading) else {
            if attributes.word("DURATION").is_none() {
                attributes.lacks("DURATION", reading);
            }
            return;
        };
        if version.part_count == 0 {
            self.part_time = self.time;
        }
        let (start, index) = (self.part_time, version.part_count);
        self.part_time = start + duration;
        version.part_count += 1;
        let Some(url) = attributes.url("URI", reading) else {
            return attributes.lacks("URI", reading);
        };
        let stated = self.range_of(&attributes, TAG, line);
        let key = self.key(line);
        let (parts, segment) = (&mut self.version.playlist.parts, self.version.list.next_number());
        let range = stated.map(|(length, start)| {
            let before = parts.last().filter(|last| last.url == url);
            let before = before.and_then(|last| last.range);
            // It goes on where the part before ended, in the same resource.
            let end = |range: ByteRange| range.start.saturating_add(range.length.unwrap_or(0));
            let start = start.or_else(|| before.map(end)).unwrap_or(0);
            ByteRange { start, length: Some(length) }
        });
        if parts.len() >= MOST_PARTS {
            parts.drain(..MOST_PARTS / 2);
        }
        parts.push(Part {
            segment,
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
    }

    /// `EXT-X-DATERANGE` (RFC 8216bis §4.4.5.1).
    #[inline(never)]
    fn date_range(&mut self, value: &str, line: u64) {
        let version = &mut *self.version;
        let (events, places) = (&mut version.playlist.events, &mut version.event_places);
        // One in what was not read again still holds.
        let held = self.held.filter(|_| version.jump.is_some());
        let event = date_range::read(value, line, &mut version.reading, &mut |id| {
            places.take(events, id).or_else(|| {
                let held = held?;
                held.following.events.find(held.events, id).cloned()
            })
        });
        let Some(event) = event else { return };
        if events.len() >= MOST_EVENTS {
            return version.reading.fail_limit("EXT-X-DATERANGE tags", MOST_EVENTS, line);
        }
        let before = version.list.next_number();
        places.put(events, event, before);
    }
}
