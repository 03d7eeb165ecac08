//! Where the pictures come from: a file, or a clip the encoder draws itself.

use super::ffmpeg;
use crate::{Error, Result};
use serde::Deserialize;
use std::{collections::HashMap, fmt, path::PathBuf, str::FromStr};

/// What to package.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A video file, in anything ffmpeg reads.
    File(PathBuf),
    /// A generated clip.
    Generated(Pattern),
}

/// A generated clip: moving test pattern with a running time code, a tone that beeps each second, and
/// along the bottom edge the frame's number in binary, least significant bit at the left, as sixteen
/// blocks over the full width: white is one, black is zero. A program that looks at a picture can tell
/// which frame it sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pattern {
    /// Length in seconds.
    pub seconds: f64,
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames a second.
    pub frame_rate: FrameRate,
    /// Whether there is a tone.
    pub audio: bool,
}

/// Frames a second as an exact fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameRate {
    /// Numerator.
    pub frames: u32,
    /// Denominator, in seconds.
    pub seconds: u32,
}

/// What matters about a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Width in square pixels, as shown.
    pub width: u32,
    /// Height in pixels, as shown.
    pub height: u32,
    /// Frames a second.
    pub frame_rate: FrameRate,
    /// Length in seconds; without bound where there is no end to tell.
    pub duration: f64,
    /// Bits a second of the video stream, where the file says.
    pub video_bitrate: Option<u64>,
    /// Whether the picture is interlaced.
    pub interlaced: bool,
    /// The first audio stream.
    pub audio: Option<AudioProbe>,
    /// The title tag.
    pub title: Option<String>,
}

/// What matters about the audio of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioProbe {
    /// Samples a second.
    pub sample_rate: u32,
    /// Channels.
    pub channels: u32,
}

impl Source {
    /// The arguments that make this source ffmpeg's inputs.
    pub(super) fn input_args(&self) -> Vec<String> {
        match self {
            Self::File(path) => vec!["-i".into(), protocol_safe(path)],
            Self::Generated(pattern) => pattern.input_args(false),
        }
    }

    /// The stream specifier of the video among these inputs.
    pub(super) fn video_specifier(&self) -> &'static str {
        // Upper-case V leaves out cover pictures.
        if matches!(self, Self::File(_)) { "0:V:0" } else { "0:v:0" }
    }

    /// The stream specifier of the audio among these inputs.
    pub(super) fn audio_specifier(&self) -> &'static str {
        if matches!(self, Self::File(_)) { "0:a:0" } else { "1:a:0" }
    }

    /// Finds out what the source holds.
    ///
    /// # Errors
    /// [`Error::ToolMissing`] without ffprobe, [`Error::Source`] when it is no video.
    pub async fn probe(&self) -> Result<Probe> {
        match self {
            Self::File(path) => {
                if !path.is_file() {
                    return Err(self.unusable("no such file"));
                }
                let probe = probe_any(&path.display().to_string(), &protocol_safe(path)).await?;
                if probe.duration.is_infinite() {
                    return Err(self.unusable("its length is unknown"));
                }
                Ok(probe)
            }
            Self::Generated(pattern) => Ok(pattern.probe()),
        }
    }

    pub(super) fn unusable(&self, reason: impl Into<String>) -> Error {
        Error::Source { source_name: self.to_string(), reason: reason.into() }
    }
}

/// Finds out what ffmpeg's input of that name holds; errors call it `shown`.
///
/// # Errors
/// [`Error::ToolMissing`] without ffprobe, [`Error::Source`] when it is no video.
pub(crate) async fn probe_any(shown: &str, input: &str) -> Result<Probe> {
    let unusable = |reason| Error::Source { source_name: shown.to_owned(), reason };
    let args = ["-v", "error", "-of", "json", "-show_format", "-show_streams", "-i", input];
    let args: Vec<String> = args.map(String::from).into();
    let json = ffmpeg::capture("ffprobe", &args).await.map_err(|error| match error {
        Error::Encoder { message, .. } => unusable(message),
        other => other,
    })?;
    let report: Report = serde_json::from_slice(&json)
        .map_err(|error| unusable(format!("ffprobe's report: {error}")))?;
    report.read().map_err(unusable)
}

/// A path that ffmpeg cannot take for a URL or an option.
fn protocol_safe(path: &std::path::Path) -> String {
    format!("file:{}", path.display())
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Generated(pattern) => pattern.fmt(f),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// A path, or `testsrc:SECONDS[:WIDTHxHEIGHT[:FPS]]`, or `silent:` in its place for no tone.
    fn from_str(text: &str) -> Result<Self, String> {
        let (audio, rest) = match text.split_once(':') {
            Some(("testsrc", rest)) => (true, rest),
            Some(("silent", rest)) => (false, rest),
            _ => return Ok(Self::File(text.into())),
        };
        let mut parts = rest.split(':');
        let seconds: f64 = parts
            .next()
            .and_then(|s| s.parse().ok())
            .filter(|s| (0.5..=86_400.0).contains(s))
            .ok_or("expected testsrc:SECONDS, from 0.5 to 86400")?;
        let (width, height) = match parts.next() {
            None => (1280, 720),
            Some(size) => size
                .split_once('x')
                .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)))
                .filter(|(w, h)| {
                    [*w, *h].iter().all(|n: &u32| (32..=7680).contains(n) && n.is_multiple_of(2))
                })
                .ok_or("expected a size such as 1280x720, both even, from 32 to 7680")?,
        };
        let frame_rate = match parts.next() {
            None => FrameRate { frames: 24, seconds: 1 },
            Some(rate) => rate.parse()?,
        };
        if parts.next().is_some() {
            return Err("expected testsrc:SECONDS:WIDTHxHEIGHT:FPS and no more".into());
        }
        Ok(Self::Generated(Pattern { seconds, width, height, frame_rate, audio }))
    }
}

impl Pattern {
    /// ffmpeg's inputs: the whole clip as fast as it can be drawn, or without an end and at the speed it plays at.
    pub(crate) fn input_args(&self, live: bool) -> Vec<String> {
        let Self { seconds, width, height, frame_rate, audio } = self;
        let length = if live { String::new() } else { format!(":duration={seconds}") };
        let bits = (0..16).map(|bit| {
            let block = format!("x=iw*{bit}/16:y=ih*15/16:w=iw/16:h=ih/16:t=fill");
            let divisor = 1_u32 << bit;
            format!(
                ",drawbox={block}:color=black,drawbox={block}:color=white:\
                 enable='mod(floor(n/{divisor}),2)'"
            )
        });
        let picture = format!("testsrc2=size={width}x{height}:rate={frame_rate}{length}");
        let picture = std::iter::once(picture).chain(bits).collect::<String>();
        let mut inputs = vec![picture];
        if *audio {
            let tone = "sine=frequency=220:beep_factor=4:sample_rate=48000";
            inputs.push(format!("{tone}{length}"));
        }
        let pace = if live { ["-re"].as_slice() } else { &[] };
        let args = |input: &String| {
            let pace = pace.iter().copied();
            pace.chain(["-f", "lavfi", "-i", input]).map(String::from).collect::<Vec<_>>()
        };
        inputs.iter().flat_map(args).collect()
    }

    pub(crate) fn probe(&self) -> Probe {
        Probe {
            width: self.width,
            height: self.height,
            frame_rate: self.frame_rate,
            duration: self.seconds,
            video_bitrate: None,
            interlaced: false,
            audio: self.audio.then_some(AudioProbe { sample_rate: 48_000, channels: 2 }),
            title: Some("Test pattern".into()),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.audio { "testsrc" } else { "silent" };
        let Self { seconds, width, height, frame_rate, .. } = self;
        write!(f, "{kind}:{seconds}:{width}x{height}:{frame_rate}")
    }
}

impl FrameRate {
    /// The rates that television and cinema use; a measured rate within a thousandth of one is that one.
    const STANDARD: [Self; 9] = [
        Self::of(24_000, 1001),
        Self::of(24, 1),
        Self::of(25, 1),
        Self::of(30_000, 1001),
        Self::of(30, 1),
        Self::of(48, 1),
        Self::of(50, 1),
        Self::of(60_000, 1001),
        Self::of(60, 1),
    ];

    const fn of(frames: u32, seconds: u32) -> Self {
        Self { frames, seconds }
    }

    /// Frames a second, rounded to a float.
    pub fn as_f64(self) -> f64 {
        f64::from(self.frames) / f64::from(self.seconds)
    }

    /// The closest exact rate to a measured one: a standard rate where one is near.
    fn nearest(frames: u32, seconds: u32) -> Option<Self> {
        let rate = f64::from(frames) / f64::from(seconds);
        if !rate.is_finite() || !(1.0..=240.0).contains(&rate) {
            return None;
        }
        let error = |standard: &Self| (standard.as_f64() / rate - 1.0).abs();
        let closest = Self::STANDARD
            .into_iter()
            .filter(|standard| error(standard) < 5e-4)
            .min_by(|a, b| error(a).total_cmp(&error(b)));
        Some(closest.unwrap_or_else(|| {
            if seconds == 1 || (frames <= 100_000 && seconds <= 1001) {
                Self::of(frames, seconds)
            } else {
                Self::of((rate * 1000.0).round() as u32, 1000)
            }
        }))
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.frames),
            seconds => write!(f, "{}/{seconds}", self.frames),
        }
    }
}

impl FromStr for FrameRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (frames, seconds) = text.split_once('/').unwrap_or((text, "1"));
        let parse = |s: &str| s.parse().ok();
        parse(frames)
            .zip(parse(seconds))
            .and_then(|(frames, seconds)| Self::nearest(frames, seconds))
            .ok_or_else(|| format!("{text:?} is no frame rate from 1 to 240"))
    }
}

/// ffprobe's JSON, as much of it as is read here.
#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    duration: Option<String>,
    bit_rate: Option<String>,
    #[serde(default)]
    tags: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    r_frame_rate: Option<String>,
    field_order: Option<String>,
    duration: Option<String>,
    bit_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    #[serde(default)]
    disposition: HashMap<String, i64>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

impl Report {
    fn read(&self) -> Result<Probe, String> {
        let is_kind = |stream: &&Stream, kind| stream.codec_type.as_deref() == Some(kind);
        let video = self
            .streams
            .iter()
            .filter(|s| s.disposition.get("attached_pic") != Some(&1))
            .find(|s| is_kind(s, "video"))
            .ok_or("it holds no video stream")?;
        let audio = self.streams.iter().find(|s| is_kind(s, "audio"));

        let (width, height) = video.shown_size().ok_or("its picture has no size")?;
        let duration = [&self.format.duration, &video.duration]
            .into_iter()
            .find_map(number::<f64>)
            .filter(|d| d.is_finite() && *d > 0.0)
            .unwrap_or(f64::INFINITY);
        let frame_rate = [&video.avg_frame_rate, &video.r_frame_rate]
            .into_iter()
            .find_map(number::<FrameRate>)
            .ok_or("its frame rate is unknown")?;
        let video_bitrate = number(&video.bit_rate).or_else(|| {
            let rest: u64 = audio.and_then(|a| number(&a.bit_rate)).unwrap_or(0);
            number::<u64>(&self.format.bit_rate)?.checked_sub(rest)
        });
        Ok(Probe {
            width,
            height,
            frame_rate,
            duration,
            video_bitrate: video_bitrate.filter(|rate| *rate > 0),
            interlaced: matches!(video.field_order.as_deref(), Some("tt" | "bb" | "tb" | "bt")),
            audio: audio.and_then(|a| {
                let sample_rate = number(&a.sample_rate).filter(|rate| *rate > 0)?;
                Some(AudioProbe { sample_rate, channels: a.channels.filter(|c| *c > 0)? })
            }),
            title: self.format.tags.get("title").filter(|t| !t.trim().is_empty()).cloned(),
        })
    }
}

impl Stream {
    /// The picture's size as shown: square pixels, turned upright.
    fn shown_size(&self) -> Option<(u32, u32)> {
        let (width, height) = self.width.zip(self.height).filter(|(w, h)| *w > 0 && *h > 0)?;
        let aspect = self
            .sample_aspect_ratio
            .as_deref()
            .and_then(|ratio| ratio.split_once(':'))
            .and_then(|(n, d)| Some((n.parse::<u32>().ok()?, d.parse::<u32>().ok()?)))
            .filter(|(n, d)| *n > 0 && *d > 0)
            .map_or(1.0, |(n, d)| f64::from(n) / f64::from(d));
        let width = (f64::from(width) * aspect).round().clamp(1.0, 65_535.0) as u32;
        let turned = self
            .side_data_list
            .iter()
            .find_map(|side| side.rotation)
            .is_some_and(|degrees| (degrees / 90.0).round() as i64 % 2 != 0);
        Some(if turned { (height, width) } else { (width, height) })
    }
}

fn number<T: FromStr>(text: &Option<String>) -> Option<T> {
    text.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_source_is_named_by_its_shape() {
        let source: Source = "testsrc:6:320x180:30000/1001".parse().unwrap();
        let Source::Generated(pattern) = source else { panic!("not generated") };
        assert_eq!((pattern.seconds, pattern.width, pattern.height), (6.0, 320, 180));
        assert_eq!(pattern.frame_rate, FrameRate { frames: 30_000, seconds: 1001 });
        assert_eq!("film.mp4".parse(), Ok(Source::File("film.mp4".into())));
        for bad in
            ["testsrc:", "testsrc:0", "testsrc:5:1x1", "testsrc:5:321x180", "testsrc:5:64x64:0"]
        {
            assert!(bad.parse::<Source>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_measured_frame_rate_becomes_the_standard_one() {
        let rate = |text: &str| text.parse::<FrameRate>().map(|r| r.to_string());
        assert_eq!(rate("2997/125"), Ok("24000/1001".into()));
        assert_eq!(rate("24"), Ok("24".into()));
        assert_eq!(rate("15/2"), Ok("15/2".into()));
        assert_eq!(rate("1234567/98765"), Ok("12500/1000".into()));
        assert!(rate("0/0").is_err());
        assert!(rate("90000").is_err());
    }

    #[test]
    fn a_report_is_read_as_the_picture_is_shown() {
        let report = serde_json::json!({
            "streams": [
                {"codec_type": "video", "width": 300, "height": 300, "disposition": {"attached_pic": 1}},
                {"codec_type": "video", "width": 720, "height": 576, "sample_aspect_ratio": "16:15",
                 "avg_frame_rate": "25/1", "field_order": "tt", "bit_rate": "900000",
                 "side_data_list": [{"side_data_type": "Display Matrix", "rotation": -90}]},
                {"codec_type": "audio", "sample_rate": "44100", "channels": 6}
            ],
            "format": {"duration": "12.5", "tags": {"title": "A film"}}
        });
        let probe = serde_json::from_value::<Report>(report).unwrap().read().unwrap();
        assert_eq!((probe.width, probe.height), (576, 768));
        assert!(probe.interlaced);
        assert_eq!(probe.video_bitrate, Some(900_000));
        assert_eq!(probe.audio, Some(AudioProbe { sample_rate: 44_100, channels: 6 }));
        assert_eq!(probe.title.as_deref(), Some("A film"));
    }

    #[test]
    fn a_source_without_video_says_so() {
        let report = serde_json::json!({"streams": [{"codec_type": "audio"}], "format": {}});
        let reason = serde_json::from_value::<Report>(report).unwrap().read().unwrap_err();
        assert_eq!(reason, "it holds no video stream");
    }
}
