//! Live: what an encoder makes now, published while it is made, as Low-Latency HLS (RFC 8216bis) and low-latency
//! DASH (ISO/IEC 23009-1; DASH-IF's low-latency modes) over the same bytes.
//!
//! ```text
//! input → encoder (ffmpeg) → demux → cut → broadcast → hls, dash → routes
//! ```
//!
//! [`input`] says what is broadcast, `encoder` runs ffmpeg over it, `demux` takes samples out of what that writes, and
//! `cut` puts them together to parts of equal length (CMAF chunks). [`broadcast`] is the state: the segments of a
//! sliding window, part by part. `hls` and `dash` describe it, [`channel`] lets requests wait for what is not there yet,
//! and [`routes`] answers them. `supervise` keeps the encoder going.

pub mod broadcast;
pub mod channel;
mod cut;
mod dash;
mod demux;
mod directives;
mod encoder;
mod hls;
pub mod input;
pub mod routes;
mod supervise;
#[cfg(test)]
mod tests;

pub use supervise::{Status, air};

use crate::{
    Error, Result,
    package::{
        encode,
        ladder::{self, Rung, RungSpec},
        source::{FrameRate, Probe},
    },
};
use broadcast::Shape;
use input::Input;

/// What to broadcast and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What comes in.
    pub input: Input,
    /// A file is played once, and the broadcast ends with it, in place of over and over.
    pub once: bool,
    /// What it is called.
    pub title: String,
    /// The ladder by hand; empty: chosen from the source.
    pub ladder: Vec<RungSpec>,
    /// x264's preset.
    pub preset: String,
    /// Kilobits a second for the sound.
    pub audio_kbps: u32,
    /// The nominal length of a segment in seconds.
    pub segment_seconds: f64,
    /// The nominal length of a part in seconds.
    pub part_seconds: f64,
    /// How far back viewers may go, in seconds.
    pub window_seconds: f64,
    /// How far behind what happens players are to play, in seconds.
    pub latency_seconds: f64,
    /// Bytes of media to hold at most; more shortens the window.
    pub most_bytes: u64,
}

impl Options {
    /// The usual options.
    pub fn new(input: Input) -> Self {
        Self {
            input,
            once: false,
            title: "Live".into(),
            ladder: Vec::new(),
            preset: "veryfast".into(),
            audio_kbps: 128,
            segment_seconds: 2.0,
            part_seconds: 0.5,
            window_seconds: 60.0,
            latency_seconds: 2.2,
            most_bytes: 512 << 20,
        }
    }

    /// # Errors
    /// [`Error::Option`] for what makes no sense together.
    fn check(&self) -> Result<()> {
        let refuse = |flag, reason: &str| Err(Error::Option { flag, reason: reason.into() });
        if !(0.5..=10.0).contains(&self.segment_seconds) {
            return refuse("--segment-seconds", "a live segment lasts from 0.5 to 10 seconds");
        }
        if !(0.1..=self.segment_seconds).contains(&self.part_seconds) {
            return refuse("--part-seconds", "a part lasts from 0.1 seconds to a whole segment");
        }
        if !(self.segment_seconds * 4.0..=86_400.0).contains(&self.window_seconds) {
            return refuse("--window", "it holds at least four segments, and a day at most");
        }
        if !(self.part_seconds * 3.0..=self.window_seconds / 2.0).contains(&self.latency_seconds) {
            let reason = "from three parts to half of the window: players need that much to wait";
            return refuse("--latency", reason);
        }
        if self.most_bytes < 16 << 20 {
            return refuse("--memory", "at least 16 MiB");
        }
        Ok(())
    }

    /// The plan for a source.
    ///
    /// # Errors
    /// [`Error::Option`], and [`Error::Source`] when it cannot be broadcast.
    pub async fn plan(self) -> Result<Plan> {
        self.check()?;
        let probe = self.input.probe().await?;
        let rungs = match self.ladder.as_slice() {
            [] => ladder::choose(&probe),
            specs => ladder::from_specs(&probe, specs)?,
        };
        let rate: FrameRate = probe.frame_rate;
        let part_frames = (self.part_seconds * rate.as_f64()).round().max(1.0) as u32;
        let part = f64::from(part_frames) / rate.as_f64();
        let shape = Shape {
            frame_rate: rate,
            part_frames,
            parts: (self.segment_seconds / part).round().max(1.0) as u32,
            sample_rate: probe.audio.map(|audio| encode::audio_output(audio).sample_rate),
            window_seconds: self.window_seconds,
            latency_seconds: self.latency_seconds.max(part * 3.0),
            most_bytes: self.most_bytes,
        };
        Ok(Plan { options: self, probe, rungs, shape })
    }
}

/// How a source is broadcast.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What was asked for.
    pub options: Options,
    /// What the source holds.
    pub probe: Probe,
    /// The ladder, best first.
    pub rungs: Vec<Rung>,
    /// The lengths of things.
    pub shape: Shape,
}
