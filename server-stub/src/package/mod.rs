//! Packaging: one encode of a source, one set of CMAF segments, and the HLS and DASH manifests over it.
//!
//! [`source`] says what comes in, [`ladder`] which representations it becomes, and one call to ffmpeg encodes
//! them all. `fragmented` reads what it wrote, `cmaf` cuts it, and `publish` lays the pieces out in a
//! directory that appears whole or not at all. [`presentation`] is the result, from which `hls` and `dash`
//! write their manifests. [`protect`] encrypts on the way.

pub(crate) mod chunk;
mod cmaf;
pub(crate) mod dash;
pub(crate) mod encode;
pub(crate) mod ffmpeg;
pub(crate) mod fragmented;
pub(crate) mod hls;
pub mod ladder;
mod pictures;
pub mod presentation;
pub mod protect;
mod publish;
pub mod source;

pub use dash::Addressing;
pub use ffmpeg::Progress;

use crate::{Error, Result};
use cmaf::Cut;
use fragmented::Track;
use ladder::RungSpec;
use presentation::{Kind, Presentation};
use protect::plan::Plan;
use publish::Staging;
use source::Source;
use std::{num::NonZeroU32, path::PathBuf};

/// What to package and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What comes in.
    pub source: Source,
    /// The directory that comes out.
    pub output: PathBuf,
    /// Replace what is in the directory.
    pub force: bool,
    /// The nominal length of a segment in seconds; the real one is the nearest whole number of frames.
    pub segment_seconds: f64,
    /// x264's preset: how much time to spend on each bit.
    pub preset: String,
    /// Threads of each video encoder; by default as many as ffmpeg thinks good. With one, the same source always
    /// gives the same bytes; with several, x264's rate control depends on which of them is first.
    pub threads: Option<NonZeroU32>,
    /// The ladder by hand; empty: chosen from the source.
    pub ladder: Vec<RungSpec>,
    /// Kilobits a second for the audio.
    pub audio_kbps: u32,
    /// One file for each representation in place of one for each segment.
    pub single_file: bool,
    /// The DASH manifests to write, the main one first.
    pub addressing: Vec<Addressing>,
    /// How to encrypt it.
    pub protect: Option<protect::Options>,
    /// The title; by default the source's own, or its file name.
    pub title: Option<String>,
    /// Whom to name.
    pub credit: Option<String>,
    /// The licence.
    pub license: Option<String>,
}

/// What [`package`] does at the moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The ladder is chosen and encoding starts.
    Encoding {
        /// Seconds to encode.
        duration: f64,
        /// The ladder.
        rungs: Vec<ladder::Rung>,
    },
    /// Encoding has come this far.
    Encoded(Progress),
    /// Encoding is over; segments and manifests are being written.
    Writing,
}

impl Options {
    /// The usual options.
    pub fn new(source: Source, output: impl Into<PathBuf>) -> Self {
        Self {
            source,
            output: output.into(),
            force: false,
            segment_seconds: 2.0,
            preset: "veryfast".into(),
            threads: None,
            ladder: Vec::new(),
            audio_kbps: 128,
            single_file: false,
            addressing: Vec::new(),
            protect: None,
            title: None,
            credit: None,
            license: None,
        }
    }

    /// The DASH manifests to write: as asked, or the one that suits the layout.
    fn addressing(&self) -> Vec<Addressing> {
        if self.encrypts_segments() {
            return Vec::new(); // DASH has no word for it
        }
        match (self.addressing.as_slice(), self.single_file) {
            ([], true) => vec![Addressing::Base],
            ([], false) => vec![Addressing::Timeline],
            (asked, _) => asked.to_vec(),
        }
    }

    fn encrypts_segments(&self) -> bool {
        self.protect.as_ref().is_some_and(|protect| protect.method == protect::Method::Aes128)
    }

    fn check(&self) -> Result<()> {
        if let Some(protect) = &self.protect {
            protect.check()?;
        }
        if self.encrypts_segments() && !self.addressing.is_empty() {
            let reason = "whole segments that are encrypted cannot be played from DASH".into();
            return Err(Error::Option { flag: "--dash-addressing", reason });
        }
        if !(0.2..=30.0).contains(&self.segment_seconds) {
            let reason = "a segment lasts from 0.2 to 30 seconds".into();
            return Err(Error::Option { flag: "--segment-seconds", reason });
        }
        let layout = publish::layout(self.single_file, &self.addressing());
        if let Some(other) = self.addressing().into_iter().find(|a| !a.fits(&layout)) {
            let files = if self.single_file { "single files" } else { "these segment files" };
            let reason = format!("`{}` cannot address {files}", other.name());
            return Err(Error::Option { flag: "--dash-addressing", reason });
        }
        Ok(())
    }
}

/// Packages a source: encodes it, cuts it, writes it. The output directory appears whole, at the end; when
/// the future is dropped before, nothing is left behind.
///
/// # Errors
/// See [`Error`].
pub async fn package(options: &Options, mut report: impl FnMut(Step)) -> Result<Presentation> {
    options.check()?;
    let staging = Staging::beside(&options.output, options.force)?;
    let probe = options.source.probe().await?;
    let rungs = match options.ladder.as_slice() {
        [] => ladder::choose(&probe),
        specs => ladder::from_specs(&probe, specs)?,
    };
    let rate = probe.frame_rate;
    let gop = (options.segment_seconds * rate.as_f64()).round().max(1.0) as u32;
    let segment_duration = f64::from(gop) / rate.as_f64();

    report(Step::Encoding { duration: probe.duration, rungs: rungs.clone() });
    let job = encode::Job {
        source: &options.source,
        probe: &probe,
        rungs: &rungs,
        gop,
        preset: &options.preset,
        threads: options.threads,
        audio_bitrate: u64::from(options.audio_kbps) * 1000,
        scratch: staging.scratch(),
    };
    let encoded = job.run(|progress| report(Step::Encoded(progress))).await?;

    report(Step::Writing);
    let title =
        options.title.clone().or(probe.title.clone()).unwrap_or_else(|| options.file_stem());
    let mut presentation = Presentation {
        title,
        credit: options.credit.clone(),
        license: options.license.clone(),
        duration: 0.0,
        segment_duration,
        poster: None,
        thumbnails: None,
        hls: "master.m3u8".into(),
        dash: Vec::new(),
        video: Vec::new(),
        audio: Vec::new(),
    };
    if let [largest, ..] = encoded.video.as_slice() {
        pictures::poster(&staging, largest, probe.duration).await?;
        presentation.poster = Some(pictures::POSTER.into());
    }
    if let Some((smallest, rung)) = encoded.video.last().zip(rungs.last()) {
        let index = pictures::thumbnails(&staging, smallest, rung, probe.duration).await?;
        presentation.thumbnails = Some(index);
    }
    let _abandon = staging.abandon_on_drop();
    // Long file work: off the threads that serve sockets and timers.
    let (options, runtime) = (options.clone(), tokio::runtime::Handle::current());
    let write = move || {
        let writer = staging.writer(options.single_file, &options.addressing());
        let mut starts = Vec::new();
        let mut plan = options.protect.as_ref().map(Plan::new);
        let mut protect = |kind: &Kind, cut: &Cut| {
            let length = cut.time(cut.len().saturating_sub(1)).end;
            plan.as_mut().map(|plan| plan.track(kind, cut.track().timescale, length)).transpose()
        };
        for (index, (rung, path)) in rungs.iter().zip(&encoded.video).enumerate() {
            let cut = Cut::video(Track::read(path)?)?;
            if index == 0 {
                let scale = f64::from(cut.track().timescale);
                starts = (0..cut.len()).map(|i| cut.time(i).start as f64 / scale).collect();
            }
            let same_height = rungs.iter().filter(|r| r.height == rung.height).count() > 1;
            let suffix = if same_height { format!("-{index}") } else { String::new() };
            let id = format!("video-{}p{suffix}", rung.height);
            let kind = Kind::Video {
                width: rung.width,
                height: rung.height,
                frame_rate: probe.frame_rate,
            };
            let protected = protect(&kind, &cut)?;
            presentation.video.push(writer.write(id, kind, &cut, protected)?);
        }
        check_alignment(&presentation)?;
        if let Some((path, source)) = encoded.audio.as_ref().zip(probe.audio) {
            let cut = Cut::audio(Track::read(path)?, &starts, segment_duration)?;
            let source::AudioProbe { sample_rate, channels } = encode::audio_output(source);
            let kind = Kind::Audio { sample_rate, channels };
            let protected = protect(&kind, &cut)?;
            presentation.audio.push(writer.write("audio".into(), kind, &cut, protected)?);
        }
        let all = presentation.video.iter().chain(&presentation.audio);
        presentation.duration = all.map(|r| r.duration()).fold(0.0, f64::max);
        staging.write_manifests(&mut presentation, &options.addressing())?;
        // Keys first: what is published can be played.
        if let (Some(plan), Some(protect)) = (plan, &options.protect) {
            runtime.block_on(protect.vault.keep(&plan.into_keys()))?;
        }
        staging.publish()?;
        Ok(presentation)
    };
    match tokio::task::spawn_blocking(write).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

impl Options {
    fn file_stem(&self) -> String {
        let path = match &self.source {
            Source::File(path) => path,
            Source::Generated(_) => &self.output,
        };
        path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// All video representations are cut at the same times, so that a player can switch at any of them.
fn check_alignment(presentation: &Presentation) -> Result<()> {
    let [reference, others @ ..] = presentation.video.as_slice() else { return Ok(()) };
    for other in others {
        let times = |r: &presentation::Representation| -> Vec<(u64, u64)> {
            r.segments.iter().map(|s| (s.start, s.duration)).collect()
        };
        let (expected, found) = (times(reference), times(other));
        if expected != found || reference.timescale != other.timescale {
            let same = expected.iter().zip(&found).take_while(|(a, b)| a == b).count();
            return Err(Error::Misaligned {
                id: other.id.clone(),
                reference: reference.id.clone(),
                segment: same + 1,
            });
        }
    }
    Ok(())
}
