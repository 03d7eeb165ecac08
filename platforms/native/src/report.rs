//! What a headless run has to say for itself.

use kinora_core::PlayerError;
use kinora_core::io::{Event, MediaKind, PlaybackStatus, Warning};
use kinora_core::time::Timestamp;
use serde::Serialize;

use crate::driver::Snapshot;

/// What a headless run has to say for itself: every second that was played, accounted for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HeadlessReport {
    /// What was played.
    pub url: String,
    /// How it ended: `ended`, `failed`, or what playback was doing when it was stopped.
    pub status: PlaybackStatusName,
    /// Seconds of media the playhead passed by playing.
    pub played_s: f64,
    /// From the load to the first frame that could play; absent if there never was one.
    pub startup_ms: Option<f64>,
    /// How often playback ran dry, the start and seeks not counted.
    pub stalls: u32,
    /// Seconds it was dry.
    pub stall_s: f64,
    /// Seconds of sound that came out of the decoder for what was played.
    pub decoded_audio_s: f64,
    /// Seconds of `played_s` without sound, although there was an audio track.
    pub missing_audio_s: f64,
    /// Seconds of sound cut away because the next frame had begun.
    pub overlapping_audio_s: f64,
    /// Seconds of sound below -60 dB of full scale.
    pub silent_audio_s: f64,
    /// Root mean square of the sound; 1 is full scale.
    pub audio_rms: f64,
    /// Pictures presented.
    pub video_frames: u64,
    /// Pictures presented by size.
    pub video_sizes: Vec<VideoSize>,
    /// Seconds of `played_s` without a picture, although there was a video track.
    pub missing_video_s: f64,
    /// The qualities shown, in order.
    pub qualities: Vec<ShownQuality>,
    /// Changes of the picture's quality, the first one not counted.
    pub switches: u32,
    /// Mean bit rate of the media presented in bit/s.
    pub mean_bitrate: f64,
    /// Bytes of bodies received, whatever for.
    pub bytes: u64,
    /// Requests made.
    pub requests: u32,
    /// What went wrong, in order: the last is fatal if `status` is `failed`.
    pub errors: Vec<PlayerError>,
    /// What else the player warned of.
    pub warnings: Vec<Warning>,
}

/// A [`PlaybackStatus`] that is written as its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaybackStatusName(pub PlaybackStatus);

impl Serialize for PlaybackStatusName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

/// Pictures of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct VideoSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How many were presented.
    pub frames: u64,
}

/// A quality that was shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownQuality {
    /// Seconds from the load until it was first shown.
    pub at_s: f64,
    /// `video` or `audio`.
    pub kind: &'static str,
    /// The representation's id.
    pub id: String,
    /// Height in pixels, if known.
    pub height: Option<u32>,
    /// Peak bit rate in bit/s.
    pub bandwidth: u64,
    /// Why it was chosen.
    pub reason: &'static str,
}

impl HeadlessReport {
    /// An empty report.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// Takes note of an event.
    pub fn note(&mut self, now: Timestamp, event: &Event) {
        match event {
            Event::QualityChanged { kind, from, to, reason } => {
                if *kind == MediaKind::Video && from.is_some() {
                    self.switches += 1;
                }
                self.qualities.push(ShownQuality {
                    at_s: now.since(Timestamp::default()).as_secs_f64(),
                    kind: kind.name(),
                    id: to.id.clone(),
                    height: to.height,
                    bandwidth: to.bandwidth,
                    reason: reason.code(),
                });
            }
            Event::Warning(Warning::Retry { error, .. }) | Event::Error(error) => {
                self.errors.push(error.clone());
            }
            Event::Warning(warning) => self.warnings.push(warning.clone()),
            _ => {}
        }
        match event {
            Event::Ended => self.status.0 = PlaybackStatus::Ended,
            Event::Error(_) => self.status.0 = PlaybackStatus::Failed,
            _ => {}
        }
    }

    /// Takes over the totals of a player.
    pub fn take_totals(&mut self, snapshot: &Snapshot) {
        let Snapshot { state, presented, .. } = snapshot;
        self.status.0 = state.status;
        self.played_s = presented.played.seconds();
        self.startup_ms = state.totals.startup.map(|startup| startup.as_secs_f64() * 1000.0);
        self.stalls = state.totals.stalls;
        self.stall_s = state.totals.stalled.as_secs_f64();
        self.decoded_audio_s = presented.audio.seconds();
        self.missing_audio_s = presented.audio_missing.seconds();
        self.overlapping_audio_s = presented.audio_overlap.seconds();
        self.silent_audio_s = presented.audio_silent.seconds();
        self.audio_rms = presented.audio_rms();
        self.video_frames = presented.video_frames;
        self.video_sizes = presented
            .video_sizes
            .iter()
            .map(|&(width, height, frames)| VideoSize { width, height, frames })
            .collect();
        self.missing_video_s = presented.video_missing.seconds();
        self.mean_bitrate = presented.mean_bitrate();
        self.bytes = state.totals.bytes;
        self.requests = state.totals.requests;
    }

    /// The error that ended playback, if one did.
    pub fn fatal(&self) -> Option<&PlayerError> {
        self.errors.last().filter(|_| self.status.0 == PlaybackStatus::Failed)
    }
}
