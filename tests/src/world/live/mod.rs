//! A broadcast: servers whose answers depend on the clock.
//!
//! Segments are made in real time. What is published of them, and how, is HLS or DASH, with parts or
//! chunks or without.

mod dash;
mod hls;
mod subtitles;

use std::collections::BTreeMap;
use std::time::Duration;

use kinora_core::io::Request;
use kinora_core::time::{MediaTime, Timestamp, WallTime};

use super::boxes::{Track, init_segment, media_segment, producer_reference};
use super::content::Resource;
use super::film::live_segment;

pub use dash::Addressing;

/// Wall-clock time at the world's zero: 2026-01-01T00:00:00Z.
const EPOCH_US: i64 = 1_767_225_600_000_000;
const TIMESCALE: u32 = 1_000;
/// A manifest that has stopped is asked for ever less often: it may take so long to be noticed that it goes on.
const STALE_NOTICED_MS: u64 = 30_000;

/// A broadcast under `base`: `base/master.m3u8` and `base/live.mpd`.
#[derive(Clone, Debug)]
pub struct Broadcast {
    /// Where it is published.
    pub base: String,
    /// Milliseconds of a segment.
    pub segment_ms: u64,
    /// Milliseconds of a part or chunk; none: segments are published whole.
    pub part_ms: Option<u64>,
    /// Seconds for which segments stay.
    pub window_s: u64,
    /// Milliseconds from the end of a segment, part or chunk to its publication.
    pub encoding_ms: u64,
    /// Milliseconds for which it has been going on when the world begins.
    pub lead_ms: u64,
    /// Video rungs: kbit/s and height, lowest first.
    pub rungs: Vec<(u32, u32)>,
    /// Audio in kbit/s, if there is sound.
    pub audio_kbps: Option<u32>,
    /// Playlists carry dates.
    pub dated: bool,
    /// Responses carry `Date`.
    pub date_header: bool,
    /// The MPD names a clock.
    pub utc_timing: bool,
    /// How DASH addresses segments.
    pub addressing: Addressing,
    /// A new period (DASH) or discontinuity (HLS), with timestamps from zero, every so many segments.
    pub break_every: Option<u64>,
    /// Periods of the MPD say how long they are, and what comes after them is announced a little before it begins.
    pub periods_end: bool,
    /// The MPD offers patches.
    pub patches: bool,
    /// From and to when, in milliseconds of the world, manifests are those of the beginning.
    pub stale: Option<(u64, u64)>,
    /// When it ends, in milliseconds of the world.
    pub ends_ms: Option<u64>,
    /// HLS is in transport streams; it has no parts then.
    pub transport: bool,
    /// The key of everything, of which only initialisation segments tell.
    pub key_id: Option<[u8; 16]>,
    /// HLS playlists say that they only grow.
    pub event: bool,
    /// It has subtitles; MPDs have them where they offer no patches.
    pub subtitles: bool,
    /// The MPD names a steering server, and itself as pathway `A`; any host has what this one has.
    pub steered: bool,
    /// `minimumUpdatePeriod` in milliseconds, if it is not what suits the MPD.
    pub update_ms: Option<u64>,
    /// Chunks say that they were captured so many milliseconds before the MPD's clock would have it (`prft`).
    pub captured_ms: Option<u64>,
    /// The source's clock runs so much too fast, in millionths: what it says lasts a second takes another time.
    pub drift_ppm: i64,
    /// How often each URL was answered with media, for tests that count.
    pub served: BTreeMap<String, u32>,
}

impl Default for Broadcast {
    fn default() -> Self {
        Self {
            base: "https://live.example/show".to_owned(),
            segment_ms: 2_000,
            part_ms: None,
            window_s: 60,
            encoding_ms: 100,
            lead_ms: 600_000,
            rungs: vec![(300, 240), (1_000, 480), (3_000, 720)],
            audio_kbps: Some(96),
            dated: true,
            date_header: false,
            utc_timing: false,
            addressing: Addressing::Number,
            break_every: None,
            periods_end: false,
            patches: false,
            stale: None,
            ends_ms: None,
            transport: false,
            key_id: None,
            event: false,
            subtitles: false,
            steered: false,
            update_ms: None,
            captured_ms: None,
            drift_ppm: 0,
            served: BTreeMap::new(),
        }
    }
}

/// What a broadcast answers.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) resource: Resource,
    /// The server holds the answer back so long.
    pub(super) delay: Duration,
    /// When how many bytes are there, if it is being made.
    pub(super) made: Vec<(Timestamp, u64)>,
}

/// Wall-clock time at an instant of the world.
pub fn wall(now: Timestamp) -> WallTime {
    WallTime::from_micros(EPOCH_US + now.micros() as i64)
}

/// A `Date` header field.
pub(super) fn http_date(now: Timestamp) -> String {
    let micros = wall(now).micros();
    let date = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// An ISO date, to the millisecond.
fn iso(micros: i64) -> String {
    let date = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    date.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

impl Broadcast {
    /// The HLS multivariant playlist.
    pub fn hls(&self) -> String {
        format!("{}/master.m3u8", self.base)
    }

    /// The MPD.
    pub fn dash(&self) -> String {
        format!("{}/live.mpd", self.base)
    }

    /// Milliseconds of the broadcast at an instant.
    pub fn moment(&self, now: Timestamp) -> u64 {
        now.micros() * self.pace() / 1_000_000_000 + self.lead_ms
    }

    fn instant(&self, moment: u64) -> Timestamp {
        let since = moment.saturating_sub(self.lead_ms) * 1_000_000_000;
        Timestamp::from_micros(since.div_ceil(self.pace()))
    }

    /// Millionths of a second of its own in a second.
    fn pace(&self) -> u64 {
        1_000_000_u64.saturating_add_signed(self.drift_ppm)
    }

    fn wall_of(&self, moment: u64) -> i64 {
        EPOCH_US + (moment as i64 - self.lead_ms as i64) * 1_000
    }

    /// What manifests are made of.
    fn published(&self, moment: u64) -> u64 {
        let world = moment.saturating_sub(self.lead_ms);
        let stale = self.stale.filter(|(from, to)| (*from..*to).contains(&world));
        stale.map_or(moment, |(from, _)| from + self.lead_ms)
    }

    /// Whether something new is published about now.
    pub(super) fn goes_on(&self, now: Timestamp) -> bool {
        let world = now.micros() / 1_000;
        let stale =
            self.stale.is_some_and(|(from, to)| (from..to + STALE_NOTICED_MS).contains(&world));
        !stale && self.ends_ms.is_none_or(|end| world < end)
    }

    /// Whether what plays at a place is there by the MPD's clock and is not, as the source's own clock runs slower.
    pub(super) fn owes(&self, position: MediaTime, now: Timestamp) -> bool {
        let position = u64::try_from(position.micros()).unwrap_or(0) / 1_000;
        let (segment, piece) = (self.segment_ms, self.part_ms.unwrap_or(self.segment_ms));
        let into = (position % segment / piece + 1) * piece;
        let whole = position - position % segment + into.min(segment) + self.encoding_ms;
        self.addressing == Addressing::Number
            && self.moment(now) < whole
            && whole <= self.clock(now)
    }

    /// Milliseconds of the broadcast by the MPD's clock.
    fn clock(&self, now: Timestamp) -> u64 {
        now.micros() / 1_000 + self.lead_ms
    }

    /// How late the source is by the MPD's clock: for so long, and a segment, somebody may wait for what it owes.
    pub(super) fn lateness(&self, now: Timestamp) -> Duration {
        let late = self.clock(now).saturating_sub(self.moment(now));
        Duration::from_millis(late + self.segment_ms)
    }

    /// Whether the source is so late, or so early, that nothing that the MPD lists by its clock is there: it has left the
    /// window before it is made, or before it is listed.
    pub(super) fn lists_nothing(&self, now: Timestamp) -> bool {
        let off = self.clock(now).abs_diff(self.moment(now));
        self.addressing == Addressing::Number && off + 2 * self.segment_ms >= self.window_s * 1_000
    }

    /// Whether a segment is of a break that the manifest did not tell of when it was made, because it stood still.
    pub(super) fn is_unannounced(&self, name: &str) -> bool {
        let (Addressing::Number, Some(every)) = (self.addressing, self.break_every) else {
            return false;
        };
        let file = name.rsplit('/').next().and_then(|file| file.split('.').next());
        let Some(number) = file.and_then(|number| number.parse::<u64>().ok()) else { return false };
        let made = (number * self.segment_ms).saturating_sub(self.lead_ms);
        self.stale.is_some_and(|(from, to)| {
            (from..to).contains(&made) && number / every > self.announced(from + self.lead_ms)
        })
    }

    /// The last break that an MPD tells of. The next is announced a little before it begins, unless segments are to be
    /// listed.
    fn announced(&self, moment: u64) -> u64 {
        let ahead = if self.addressing == Addressing::Number { 2 } else { 0 };
        (self.complete(moment) + ahead) / self.break_every.unwrap_or(u64::MAX)
    }

    /// When it is over, in its own time.
    fn end(&self) -> Option<u64> {
        let end = self.ends_ms? + self.lead_ms;
        Some(end - end % self.segment_ms)
    }

    /// Segments that are whole and published at a moment.
    fn complete(&self, moment: u64) -> u64 {
        let moment = moment.saturating_sub(self.encoding_ms);
        self.end().map_or(moment, |end| moment.min(end)) / self.segment_ms
    }

    fn first(&self, moment: u64) -> u64 {
        if self.event {
            return self.lead_ms / self.segment_ms;
        }
        self.complete(moment).saturating_sub(self.window_s * 1_000 / self.segment_ms)
    }

    /// What it takes to keep up with playlists that list everything since the beginning: those of picture and sound are
    /// loaded once in three segments at least, and a segment is an address, a duration and maybe a date.
    pub(super) fn listing_kbps(&self, now: Timestamp) -> u64 {
        if !self.event {
            return 0;
        }
        let moment = self.published(self.moment(now));
        let listed = self.complete(moment).saturating_sub(self.first(moment));
        let bytes = if self.dated { 80 } else { 30 };
        let playlists = 1 + u64::from(self.audio_kbps.is_some());
        playlists * listed * bytes * 8 / (3 * self.segment_ms)
    }

    /// Of which break a segment is, and how far into it its timestamps are.
    fn timestamps(&self, segment: u64) -> (u64, u64) {
        match self.break_every {
            None => (0, segment * self.segment_ms),
            Some(every) => (segment / every, segment % every * self.segment_ms),
        }
    }

    fn renditions(&self) -> Vec<(String, u32, bool)> {
        let video = self.rungs.iter().map(|(kbps, height)| (format!("v{height}"), *kbps, true));
        let audio = self.audio_kbps.map(|kbps| ("audio".to_owned(), kbps, false));
        video.chain(audio).collect()
    }

    /// The answer to a request, if it is for this broadcast.
    pub(super) fn answer(&mut self, request: &Request, now: Timestamp) -> Option<Reply> {
        let rest = match request.url.strip_prefix(&self.base) {
            None if self.steered => {
                let (_, show) = self.base.rsplit_once('/')?;
                request.url.split_once(&format!("/{show}"))?.1
            }
            rest => rest?,
        };
        let rest = rest.strip_prefix('/')?.to_owned();
        let (path, query) = rest.split_once('?').unwrap_or((&rest, ""));
        let moment = self.moment(now);
        Some(match path {
            "master.m3u8" => text("application/vnd.apple.mpegurl", self.multivariant()),
            "live.mpd" => text("application/dash+xml", self.mpd(self.published(moment))),
            "live.mpp" => self.patch(query, moment),
            "time" => text("text/plain", iso(wall(now).micros())),
            _ => {
                let (name, file) = path.split_once('/')?;
                if name == "text" && self.subtitles {
                    return Some(match file {
                        "media.m3u8" => self.playlist(name, query, moment),
                        file => {
                            let reply = self.written(file, moment);
                            if reply.status == 200 {
                                *self.served.entry(request.url.clone()).or_default() += 1;
                            }
                            reply
                        }
                    });
                }
                let (_, kbps, video) =
                    self.renditions().into_iter().find(|(known, ..)| known == name)?;
                match file {
                    "media.m3u8" => self.playlist(name, query, moment),
                    "init.mp4" => {
                        let entry = if video { b"avc1" } else { b"mp4a" };
                        media(init_segment(Track {
                            video,
                            entry,
                            timescale: TIMESCALE,
                            key_id: self.key_id,
                        }))
                    }
                    file => {
                        let reply = match file.strip_suffix(".ts") {
                            Some(number) => self.transport(number, kbps, video, moment),
                            None => self.media(file, kbps, moment),
                        };
                        if reply.status == 200 {
                            *self.served.entry(request.url.clone()).or_default() += 1;
                        }
                        reply
                    }
                }
            }
        })
    }

    /// The bytes of its largest segment.
    pub(crate) fn largest_segment(&self) -> u64 {
        let most = self.rungs.iter().map(|(kbps, _)| *kbps).chain(self.audio_kbps).max();
        u64::from(most.unwrap_or(0)) * self.segment_ms / 8
    }

    /// A segment (`12.m4s`) or a part of one (`12.3.m4s`).
    fn media(&self, file: &str, kbps: u32, moment: u64) -> Reply {
        let mut numbers = file.strip_suffix(".m4s").unwrap_or(file).split('.');
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
        let Some(segment) = number(numbers.next()) else { return missing() };
        let part = number(numbers.next());
        let begins = segment * self.segment_ms;
        let (from, to) = match (part, self.part_ms) {
            (Some(part), Some(length)) => {
                let from = begins + part * length;
                (from, (from + length).min(begins + self.segment_ms))
            }
            _ => (begins, begins + self.segment_ms),
        };
        let slack = 3;
        let gone = segment + slack < self.first(moment);
        if gone || from >= to || self.end().is_some_and(|end| to > end) {
            return missing();
        }
        let media_time = |moment: u64| self.timestamps(segment).1 + (moment - begins);
        let published = to + self.encoding_ms;
        match (part, self.part_ms) {
            // A part that is hinted at may be asked for before it is there.
            (Some(_), _) if from <= moment => {
                let wait = published.saturating_sub(moment);
                let mut reply = one(media_time(from), to - from, kbps);
                reply.delay = Duration::from_millis(wait);
                reply
            }
            (Some(_), _) => missing(),
            (None, _) if published <= moment => one(media_time(from), to - from, kbps),
            (None, Some(length)) if from + length + self.encoding_ms <= moment => {
                self.chunked(segment, kbps)
            }
            _ => missing(),
        }
    }

    /// A segment in a transport stream.
    fn transport(&self, number: &str, kbps: u32, video: bool, moment: u64) -> Reply {
        let Ok(segment) = number.parse::<u64>() else { return missing() };
        // There when the other is.
        if self.media(number, kbps, moment).status != 200 {
            return missing();
        }
        let (_, begins) = self.timestamps(segment);
        let bytes = live_segment(begins, self.segment_ms, video, kbps);
        reply(200, Resource::new("video/mp2t", bytes))
    }

    /// A segment of chunks, each there when it is made.
    fn chunked(&self, segment: u64, kbps: u32) -> Reply {
        let length = self.part_ms.unwrap_or(self.segment_ms);
        let (begins, offset) = (segment * self.segment_ms, self.timestamps(segment).1);
        let (mut pieces, mut made, mut size, mut from) = (Vec::new(), Vec::new(), 0, 0);
        while from < self.segment_ms {
            let duration = length.min(self.segment_ms - from);
            let bytes = bytes_of(kbps, duration);
            let captured = self.captured_ms.map(|before| {
                let at = wall(self.instant(begins + from)).micros() - before as i64 * 1_000;
                producer_reference(at, offset + from)
            });
            let mut head = captured.unwrap_or_default();
            let rest = bytes - head.len() as u64;
            head.extend(media_segment((offset + from, duration as u32), (rest, 1), None));
            pieces.push((size, head));
            size += bytes;
            from += duration;
            made.push((self.instant(begins + from + self.encoding_ms), size));
        }
        let resource = Resource::sparse("video/iso.segment", size, pieces);
        Reply { status: 200, resource, delay: Duration::ZERO, made }
    }
}

fn bytes_of(kbps: u32, duration_ms: u64) -> u64 {
    (u64::from(kbps) * duration_ms / 8).max(200)
}

fn one(start: u64, duration: u64, kbps: u32) -> Reply {
    let size = bytes_of(kbps, duration);
    let head = media_segment((start, duration as u32), (size, 1), None);
    reply(200, Resource::sparse("video/iso.segment", size, vec![(0, head)]))
}

fn reply(status: u16, resource: Resource) -> Reply {
    Reply { status, resource, delay: Duration::ZERO, made: Vec::new() }
}

fn text(content_type: &'static str, text: String) -> Reply {
    reply(200, Resource::new(content_type, text.into_bytes()))
}

fn media(bytes: Vec<u8>) -> Reply {
    reply(200, Resource::new("video/mp4", bytes))
}

fn missing() -> Reply {
    reply(404, Resource::new("text/plain", b"not there".to_vec()))
}
