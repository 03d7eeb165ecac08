//! One call to ffmpeg that encodes every representation of a ladder.

use super::{
    ffmpeg::{self, Progress},
    ladder::{Profile, Rung},
    source::{AudioProbe, FrameRate, Probe, Source},
};
use crate::Result;
use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};

/// Seconds of the top rate that a rung's decoder buffer holds: a segment can cost at most its share plus
/// this, which keeps what the manifest says about rates true.
const BUFFER_SECONDS: f64 = 1.5;

/// What to encode.
pub(super) struct Job<'a> {
    pub(super) source: &'a Source,
    pub(super) probe: &'a Probe,
    pub(super) rungs: &'a [Rung],
    /// Frames between two random access points; every one starts a segment.
    pub(super) gop: u32,
    /// x264's speed.
    pub(super) preset: &'a str,
    /// Threads of each video encoder.
    pub(super) threads: Option<NonZeroU32>,
    /// Bits a second for the audio.
    pub(super) audio_bitrate: u64,
    /// Where the encoded tracks go.
    pub(super) scratch: &'a Path,
}

/// The tracks as the encoder leaves them: fragmented MP4 files of one track each, to be cut.
pub(super) struct Encoded {
    /// One for each rung, in order.
    pub(super) video: Vec<PathBuf>,
    pub(super) audio: Option<PathBuf>,
}

/// The output's audio: AAC in the source's rate where that is one of the two common ones.
pub(crate) fn audio_output(source: AudioProbe) -> AudioProbe {
    let sample_rate = if source.sample_rate == 44_100 { 44_100 } else { 48_000 };
    AudioProbe { sample_rate, channels: source.channels.min(2) }
}

impl Job<'_> {
    pub(super) async fn run(&self, report: impl FnMut(Progress)) -> Result<Encoded> {
        let outputs = self.outputs();
        ffmpeg::encode(&self.args(&outputs), report).await?;
        Ok(outputs)
    }

    fn outputs(&self) -> Encoded {
        let video = (0..self.rungs.len()).map(|i| self.scratch.join(format!("v{i}.mp4"))).collect();
        let audio = self.probe.audio.map(|_| self.scratch.join("a0.mp4"));
        Encoded { video, audio }
    }

    fn args(&self, outputs: &Encoded) -> Vec<String> {
        let mut args = Args(Vec::new());
        args.all(["-hide_banner", "-nostdin", "-y", "-loglevel", "error", "-nostats"]);
        args.all(["-progress", "pipe:1"]);
        args.0.extend(self.source.input_args());
        args.pair(
            "-filter_complex",
            filters(self.source.video_specifier(), self.probe, self.rungs),
        );
        for (index, (rung, path)) in self.rungs.iter().zip(&outputs.video).enumerate() {
            self.video_output(&mut args, index, *rung, path);
        }
        if let Some((source, path)) = self.probe.audio.zip(outputs.audio.as_ref()) {
            self.audio_output(&mut args, source, path);
        }
        args.0
    }

    fn video_output(&self, args: &mut Args, index: usize, rung: Rung, path: &Path) {
        args.video((index, rung), 0, self.gop, self.preset);
        if let Some(threads) = self.threads {
            args.pair("-threads", threads);
        }
        args.all(["-bf", if rung.profile == Profile::Baseline { "0" } else { "2" }]);
        args.pair("-video_track_timescale", timescale(self.probe.frame_rate));
        args.all(["-map_metadata", "-1", "-map_chapters", "-1"]);
        args.fragmented_mp4(path, "+frag_keyframe+empty_moov+default_base_moof");
    }

    fn audio_output(&self, args: &mut Args, source: AudioProbe, path: &Path) {
        args.audio(self.source.audio_specifier(), audio_output(source), self.audio_bitrate);
        args.all(["-map_metadata", "-1", "-map_chapters", "-1", "-frag_duration", "2000000"]);
        // With the header delayed, its edit list tells how much of the first packets is priming.
        args.fragmented_mp4(path, "+delay_moov+default_base_moof");
    }
}

/// Ticks a second of a video track in which every frame lasts a whole number of ticks.
pub(crate) fn timescale(rate: FrameRate) -> u32 {
    if rate.frames >= 1000 { rate.frames } else { rate.frames * 1000 }
}

/// A constant frame rate from time zero on (a frame's time is then its number over the rate, exactly,
/// in every rung), then one scaler for each rung: `[v0]`, `[v1]` and so on.
pub(crate) fn filters(input: &str, probe: &Probe, rungs: &[Rung]) -> String {
    let rate = probe.frame_rate;
    let deinterlace = if probe.interlaced { "yadif=deint=interlaced," } else { "" };
    let count = rungs.len();
    let split: String = (0..count).map(|i| format!("[s{i}]")).collect();
    let mut filters =
        format!("[{input}]{deinterlace}fps=fps={rate}:start_time=0,split={count}{split}");
    for (i, Rung { width, height, .. }) in rungs.iter().enumerate() {
        filters.push_str(&format!(
            ";[s{i}]scale={width}:{height}:flags=bicubic,setsar=1,format=yuv420p[v{i}]"
        ));
    }
    filters
}

/// ffmpeg's arguments as they come together.
pub(crate) struct Args(pub(crate) Vec<String>);

impl Args {
    /// A rung's picture of [`filters`] in H.264, as an output's video stream of that number.
    pub(crate) fn video(&mut self, rung: (usize, Rung), stream: usize, gop: u32, preset: &str) {
        let (index, rung) = rung;
        let mut set = |flag: &str, value: String| self.pair(&format!("{flag}:v:{stream}"), value);
        set("-c", "libx264".into());
        set("-preset", preset.into());
        set("-profile", rung.profile.name().into());
        set("-b", rung.bitrate.to_string());
        set("-maxrate", rung.peak().to_string());
        set("-bufsize", ((rung.peak() as f64 * BUFFER_SECONDS) as u64).to_string());
        // Random access points at the same frames in every rung: every `gop` frames and nowhere else, each
        // an IDR picture, no group reaching into the next.
        set("-g", gop.to_string());
        set("-keyint_min", gop.to_string());
        set("-sc_threshold", "0".into());
        set("-forced-idr", "1".into());
        set("-flags", "+cgop".into());
        set("-force_key_frames", format!("expr:not(mod(n,{gop}))"));
        self.pair("-map", format!("[v{index}]"));
    }

    /// An input's sound in AAC. Holes and a late start are filled with silence, so that the track runs without a
    /// gap from zero on.
    pub(crate) fn audio(&mut self, specifier: &str, output: AudioProbe, bitrate: u64) {
        self.pair("-map", specifier);
        self.all(["-c:a", "aac"]);
        self.pair("-b:a", bitrate);
        self.pair("-ar", output.sample_rate);
        self.pair("-ac", output.channels);
        self.all(["-af", "aresample=async=1:first_pts=0"]);
    }

    pub(crate) fn all<'a>(&mut self, args: impl IntoIterator<Item = &'a str>) {
        self.0.extend(args.into_iter().map(String::from));
    }

    pub(crate) fn pair(&mut self, flag: &str, value: impl ToString) {
        self.0.extend([flag.to_owned(), value.to_string()]);
    }

    fn fragmented_mp4(&mut self, path: &Path, movflags: &str) {
        self.all(["-f", "mp4", "-movflags", movflags]);
        self.0.push(format!("file:{}", path.display()));
    }
}
