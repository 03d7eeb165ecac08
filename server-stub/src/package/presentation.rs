//! What a packaged title consists of: the model both manifests are written from.

use super::{
    protect::{Method, systems::System},
    source::FrameRate,
};
use crate::vault::{KeyId, Tier};
use serde::Serialize;

/// A packaged title.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Presentation {
    /// What it is called.
    pub title: String,
    /// Whom to name when it is shown, where its licence asks for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credit: Option<String>,
    /// The licence it is under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// A picture that stands for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poster: Option<String>,
    /// The index (WebVTT) of small pictures along its length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnails: Option<String>,
    /// Length in seconds: the longest representation's.
    pub duration: f64,
    /// The nominal length of a segment in seconds.
    pub segment_duration: f64,
    /// The HLS multivariant playlist.
    pub hls: String,
    /// The DASH manifests, the main one first.
    pub dash: Vec<String>,
    /// Video, best first, all cut at the same times.
    pub video: Vec<Representation>,
    /// Audio.
    pub audio: Vec<Representation>,
}

/// One encoding of one media component (ISO/IEC 23009-1, 3.1.33).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Representation {
    /// Unique in the presentation.
    pub id: String,
    /// The directory, relative to the manifests, that holds its files. Its name changes with its content.
    pub directory: String,
    /// Its coding (RFC 6381).
    pub codecs: String,
    /// What only video or only audio has.
    #[serde(flatten)]
    pub kind: Kind,
    /// Ticks a second of all times of this representation.
    pub timescale: u32,
    /// Bits a second of its most expensive segment.
    pub bandwidth: u64,
    /// Bits a second over its whole length.
    pub average_bandwidth: u64,
    /// Where its bytes are.
    pub layout: Layout,
    /// How it is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protected: Option<Protected>,
    /// Its segments, without a gap from time zero on.
    #[serde(skip)]
    pub segments: Vec<Segment>,
}

/// What only video or only audio has.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Video.
    Video {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// Frames a second, as a fraction.
        #[serde(serialize_with = "as_text")]
        frame_rate: FrameRate,
    },
    /// Audio.
    Audio {
        /// Samples a second.
        sample_rate: u32,
        /// Channels.
        channels: u32,
    },
}

/// How a representation is encrypted, and what is said of it in public.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Protected {
    /// What is encrypted.
    pub method: Method,
    /// Which keys it shares with others.
    pub tier: Tier,
    /// The package, as keys and key systems name it.
    pub content: String,
    /// Ticks after which the key changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<u64>,
    /// The crypto periods: one, unless the key changes.
    pub periods: Vec<ProtectedPeriod>,
    /// The key systems to tell of it.
    #[serde(skip)]
    pub systems: Vec<System>,
    /// Where ClearKey licences are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license_url: Option<String>,
    /// Where keys of whole segments are, `{id}` being a key's id.
    #[serde(skip)]
    pub key_url: String,
}

/// One crypto period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectedPeriod {
    /// Names the key.
    pub key_id: KeyId,
}

/// Where a representation's bytes are, inside its directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `init.mp4` and one file for each segment.
    Files {
        /// What the segments' file names say.
        names: SegmentNames,
    },
    /// `media.mp4`: initialization, index, segments.
    SingleFile {
        /// Bytes of the initialization at the start.
        initialization: u64,
        /// Bytes of the `sidx` after it.
        index: u64,
    },
}

/// What the file name of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentNames {
    /// Its number from 1, in five digits.
    Number,
    /// Its start in ticks.
    Time,
}

/// One media segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its file, or the one it lies in; relative to the representation's directory.
    pub file: String,
    /// Where in that file it starts.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its earliest presentation time, in ticks.
    pub start: u64,
    /// In ticks.
    pub duration: u64,
}

impl Representation {
    /// Seconds.
    pub fn duration(&self) -> f64 {
        let ticks = self.segments.last().map_or(0, |s| s.start + s.duration);
        ticks as f64 / f64::from(self.timescale)
    }

    /// A segment's length in seconds.
    pub fn segment_seconds(&self, segment: &Segment) -> f64 {
        segment.duration as f64 / f64::from(self.timescale)
    }

    /// Measures the rates from the segments: the peak (RFC 8216bis, 4.4.6.2: over anything of half the
    /// target duration or longer) and the average.
    pub(super) fn measure(&mut self) {
        let longest = self.segments.iter().map(|s| s.duration).max().unwrap_or(1);
        let rate = |size: u64, ticks: u64| {
            let bits = u128::from(size) * 8 * u128::from(self.timescale);
            bits.div_ceil(u128::from(ticks.max(1))).try_into().unwrap_or(u64::MAX)
        };
        let counts = |s: &&Segment| s.duration * 2 >= longest;
        let segments = &self.segments;
        let peak = segments.iter().filter(counts).map(|s| rate(s.size, s.duration)).max();
        let average =
            rate(segments.iter().map(|s| s.size).sum(), segments.iter().map(|s| s.duration).sum());
        self.bandwidth = peak.unwrap_or(average).max(average);
        self.average_bandwidth = average;
    }
}

fn as_text<S: serde::Serializer>(rate: &FrameRate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(rate)
}

#[cfg(test)]
pub(super) mod fixture {
    //! A small presentation, made up.

    use super::*;

    pub(crate) fn presentation(single_file: bool, names: SegmentNames) -> Presentation {
        let video = Kind::Video {
            width: 640,
            height: 360,
            frame_rate: FrameRate { frames: 30_000, seconds: 1001 },
        };
        let audio = Kind::Audio { sample_rate: 48_000, channels: 2 };
        let representation = |id: &str, codecs: &str, kind, timescale, segments: &[(u64, u64)]| {
            let mut representation = Representation {
                id: id.into(),
                directory: format!("{id}.0a1b2c3d"),
                codecs: codecs.into(),
                kind,
                timescale,
                bandwidth: 0,
                average_bandwidth: 0,
                protected: None,
                layout: match single_file {
                    true => Layout::SingleFile { initialization: 700, index: 68 },
                    false => Layout::Files { names },
                },
                segments: Vec::new(),
            };
            let (mut start, mut offset) = (0, 768);
            for (index, (duration, size)) in segments.iter().enumerate() {
                let file = match (single_file, names) {
                    (true, _) => "media.mp4".into(),
                    (_, SegmentNames::Number) => format!("seg-{:05}.m4s", index + 1),
                    (_, SegmentNames::Time) => format!("seg-{start}.m4s"),
                };
                let at = if single_file { offset } else { 0 };
                let (size, duration) = (*size, *duration);
                representation.segments.push(Segment { file, offset: at, size, start, duration });
                start += duration;
                offset += size;
            }
            representation.measure();
            representation
        };
        let video_segments = [(60_060, 250_250), (60_060, 200_200), (5005, 60_000)];
        let audio_segments = [(96_256, 32_000), (96_256, 32_000), (7168, 2400)];
        Presentation {
            title: "A & B".into(),
            credit: Some("© Someone".into()),
            license: Some("CC-BY 3.0".into()),
            poster: None,
            thumbnails: None,
            duration: 125_125.0 / 30_000.0,
            segment_duration: 2.002,
            hls: "master.m3u8".into(),
            dash: vec!["manifest.mpd".into()],
            video: vec![representation(
                "video-360p",
                "avc1.4d401e",
                video,
                30_000,
                &video_segments,
            )],
            audio: vec![representation("audio", "mp4a.40.2", audio, 48_000, &audio_segments)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_measured_over_segments_that_count() {
        let presentation = fixture::presentation(false, SegmentNames::Number);
        let video = &presentation.video[0];
        // 250 250 bytes in 2.002 s; the short last segment costs more a second, and does not count.
        assert_eq!(video.bandwidth, 1_000_000);
        assert_eq!(video.average_bandwidth, (510_450_u64 * 8 * 30_000).div_ceil(125_125));
    }
}
