//! Films in MPEG-2 transport streams, as most of HLS once was: real packets, and frames that are only a size.

use std::fmt::Write;
use std::ops::Range;

use kinora_cenc::{ContentKey, TransportCipher, segment};

use super::super::content::{Origin, Resource};
use super::{Film, Rendition, Sealing};
use crate::mpegts::{AAC, AVC, ENCRYPTED, Muxer, PPS, SPS, Stream, Unit, adts, annex_b, escaped};

/// How a film is carried.
#[derive(Clone, Copy, Debug)]
pub struct Carriage {
    /// Picture and sound are in the same segments.
    pub muxed: bool,
    /// Sound that has segments of its own is in no container (RFC 8216bis §3.4).
    pub packed: bool,
    /// Segments are encrypted, as a whole.
    pub sealing: Option<Sealing>,
    /// It is not all of them that is, but their samples (`SAMPLE-AES`).
    pub samples: bool,
    /// The multivariant playlist names codecs.
    pub codecs: bool,
}

/// Units of a timestamp in a millisecond.
const TICKS: u64 = 90;
/// From one picture to the next, in milliseconds.
const PICTURE: u64 = 40;
/// Sound begins so much sooner than the picture, in milliseconds.
const EARLY: i64 = 20;
/// Samples of sound in a second.
const RATE: u64 = 48_000;

impl Film {
    /// Everything a server needs to publish the film as `master.m3u8` under `base`, in transport streams.
    pub fn publish_transport(&self, base: &str, carriage: Carriage) -> Origin {
        let mut origin = self.origin();
        let hls = "application/vnd.apple.mpegurl";
        let mut text = self.multivariant();
        if carriage.muxed {
            let of_sound = |line: &&str| !line.starts_with("#EXT-X-MEDIA:TYPE=AUDIO");
            let lines: Vec<&str> = text.lines().filter(of_sound).collect();
            text = lines.join("\n").replace(",AUDIO=\"sound\"", "");
        }
        if !carriage.codecs {
            let ends = |rest: &str| rest.find('"').map_or(rest.len(), |end| end + 1);
            while let Some((before, rest)) = text.split_once(",CODECS=\"") {
                text = format!("{before}{}", &rest[ends(rest)..]);
            }
        }
        origin.add(&format!("{base}/master.m3u8"), hls, text);
        for number in 0..=self.segments() {
            let (url, key) = (format!("{base}/key-{number}.bin"), Sealing::key(number));
            origin.add(&url, "application/octet-stream", key);
        }
        for rendition in self.renditions() {
            if carriage.muxed && !rendition.video {
                continue;
            }
            let folder = format!("{base}/{}", rendition.name);
            let playlist = self.carry(&folder, &rendition, carriage, &mut origin);
            origin.add(&format!("{folder}/media.m3u8"), hls, playlist);
        }
        origin
    }

    /// Publishes one representation; its playlist.
    fn carry(
        &self,
        folder: &str,
        rendition: &Rendition,
        carriage: Carriage,
        origin: &mut Origin,
    ) -> String {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n",
            self.segment_seconds
        );
        let mut muxer = Muxer::default();
        for number in 0..self.segments() {
            if number > 0 && self.part_of(number) != self.part_of(number - 1) {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            let sealing = carriage.sealing.map(|sealing| {
                let key = number / sealing.rotation;
                if number % sealing.rotation == 0 {
                    let method = if carriage.samples { "SAMPLE-AES" } else { "AES-128" };
                    let _ = writeln!(text, "#EXT-X-KEY:METHOD={method},URI=\"../key-{key}.bin\"");
                }
                (ContentKey::from(Sealing::key(key)), segment::iv_of_sequence(number.into()))
            });
            let of_samples = sealing.as_ref().filter(|_| carriage.samples);
            let cipher = of_samples.map(|(key, iv)| TransportCipher::new(key, *iv));
            let (mut bytes, name) = match carriage.packed && !rendition.video {
                true => (self.packed(number, rendition, cipher.as_ref()), format!("{number}.aac")),
                false => {
                    let streams = self.streams(number, rendition, carriage.muxed, cipher.as_ref());
                    (muxer.segment(&streams), format!("{number}.ts"))
                }
            };
            if let Some((key, iv)) = sealing.filter(|_| !carriage.samples) {
                segment::encrypt(&key, &iv, &mut bytes);
            }
            let url = format!("{folder}/{name}");
            origin.know(&url, 0, bytes.len() as u64, self.truth(number, rendition));
            origin.add_resource(url, Resource::new("video/mp2t", bytes));
            let (_, duration) = self.listed(number, rendition.video);
            let (seconds, millis) = (duration / 1_000, duration % 1_000);
            let _ = writeln!(text, "#EXTINF:{seconds}.{millis:03},\n{name}");
        }
        text + "#EXT-X-ENDLIST\n"
    }

    /// When media of a segment is presented: what is added to the film's own milliseconds.
    fn clock_of(&self, number: u32) -> i64 {
        let part = self.part_of(number);
        let (first, _) = self.segment(self.part_segments(part).start, true);
        self.clock(part) as i64 - i64::from(first)
    }

    fn streams(
        &self,
        number: u32,
        rendition: &Rendition,
        muxed: bool,
        cipher: Option<&TransportCipher>,
    ) -> Vec<Stream> {
        let named = |clear: u8| match (cipher, ENCRYPTED.iter().find(|(known, _)| *known == clear))
        {
            (Some(_), Some((_, encrypted))) => *encrypted,
            _ => clear,
        };
        let mut streams = Vec::new();
        if rendition.video {
            let (start, duration) = self.segment(number, true);
            let at = i64::from(start) + self.clock_of(number);
            let units = pictures(at, duration.into(), self.size(number, rendition), cipher);
            streams.push(Stream { pid: 256, stream_type: named(AVC), units });
        }
        if let Some(kbps) = self.audio_kbps.filter(|_| muxed || !rendition.video) {
            let units = self.sound(number, kbps, cipher);
            let units = units.into_iter().map(|(pts, data)| Unit { pts, dts: pts, data }).collect();
            streams.push(Stream { pid: 257, stream_type: named(AAC), units });
        }
        streams
    }

    fn sound(
        &self,
        number: u32,
        kbps: u32,
        cipher: Option<&TransportCipher>,
    ) -> Vec<(u64, Vec<u8>)> {
        let (start, duration) = self.segment(number, false);
        let span = u64::from(start)..u64::from(start + duration);
        sound(span, self.clock_of(number), kbps, cipher)
    }

    /// Sound in no container: a tag says when it begins.
    fn packed(
        &self,
        number: u32,
        rendition: &Rendition,
        cipher: Option<&TransportCipher>,
    ) -> Vec<u8> {
        let frames = self.sound(number, rendition.kbps, cipher);
        let mut bytes = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0".to_vec();
        bytes.extend(b"com.apple.streaming.transportStreamTimestamp\0");
        let first = frames.first().map_or(0, |(pts, _)| pts & ((1 << 33) - 1));
        bytes.extend(first.to_be_bytes());
        frames.iter().for_each(|(_, frame)| bytes.extend(frame));
        bytes
    }
}

/// A segment of a broadcast whose media time begins at so many milliseconds.
pub(in crate::world) fn live_segment(
    begins: u64,
    duration: u64,
    video: bool,
    kbps: u32,
) -> Vec<u8> {
    let stream = if video {
        let units = pictures(begins as i64, duration, u64::from(kbps) * duration / 8, None);
        Stream { pid: 256, stream_type: AVC, units }
    } else {
        let frames = sound(begins..begins + duration, 0, kbps, None).into_iter();
        let units = frames.map(|(pts, data)| Unit { pts, dts: pts, data }).collect();
        Stream { pid: 257, stream_type: AAC, units }
    };
    Muxer::default().segment(&[stream])
}

/// Pictures from `at` on, in milliseconds, of so many bytes in all: each shown two after it is decoded, the first a key
/// frame.
fn pictures(at: i64, duration: u64, bytes: u64, cipher: Option<&TransportCipher>) -> Vec<Unit> {
    let count = duration.div_ceil(PICTURE).max(1);
    let size = bytes / count;
    let mut units = Vec::new();
    for position in 0..count {
        let mut unit = vec![if position == 0 { 0x65 } else { 0x41 }, 0x9a];
        unit.resize((size as usize).saturating_sub(60).max(8), 0x55);
        if let Some(cipher) = cipher {
            cipher.encrypt_nal(&mut unit);
            unit = escaped(&unit);
        }
        let data = match position {
            0 => annex_b(&[&[9, 0xf0], SPS, PPS, &unit]),
            _ => annex_b(&[&[9, 0xf0], &unit]),
        };
        let dts = (at + (position * PICTURE) as i64).max(0) as u64 * TICKS;
        units.push(Unit { pts: dts + 2 * PICTURE * TICKS, dts, data });
    }
    units
}

/// Frames of sound that begin in a span of milliseconds, of a stream that knows nothing of segments: with their times on
/// a clock that shows so much more. It keeps to the pictures, which are shown late.
fn sound(
    span: Range<u64>,
    clock: i64,
    kbps: u32,
    cipher: Option<&TransportCipher>,
) -> Vec<(u64, Vec<u8>)> {
    let size = u64::from(kbps) * 125 * 1_024 / RATE;
    let mut raw = vec![0x21; (size as usize).saturating_sub(7).max(4)];
    if let Some(cipher) = cipher {
        cipher.encrypt_frame(&mut raw);
    }
    let first = (span.start * RATE).div_ceil(1_024_000);
    let end = (span.end * RATE).div_ceil(1_024_000);
    // A little sooner than the picture, as encoders do.
    let clock = (clock + 2 * PICTURE as i64 - EARLY) * TICKS as i64;
    let stamp = |frame: u64| (frame * 1_024 * 1_000 * TICKS / RATE) as i64 + clock;
    (first..end).map(|frame| (stamp(frame).max(0) as u64, adts(&raw))).collect()
}
