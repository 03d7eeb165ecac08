//! What the playhead has passed: every frame of sound decoded and measured, every picture counted.

use std::sync::Arc;

use kinora_core::time::{MediaTime, TimeRange};
use serde::Serialize;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::packet::PacketRef;
use symphonia::core::units::{Duration, Timestamp};
use symphonia::default::codecs::AacDecoder;

use super::mp4::{Sample, Track, TrackCodec};
use super::track_buffer::TrackBuffer;

/// Frames quieter than this, as root mean square of full scale, count as silence (-60 dB).
const SILENCE: f64 = 0.001;

/// What has been presented since the media source was opened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PresentedMedia {
    /// How far the playhead moved by playing.
    pub played: MediaTime,
    /// Sound that came out of the decoder for it.
    pub audio: MediaTime,
    /// How much of that was silence, below -60 dB of full scale.
    pub audio_silent: MediaTime,
    /// Parts of `played` without sound, although there is an audio track.
    pub audio_missing: MediaTime,
    /// Sound cut away from the ends of frames, because frames appended later begin before.
    pub audio_overlap: MediaTime,
    /// Mean of the squared sound samples, full scale being 1.
    pub audio_mean_square: f64,
    /// Pictures shown.
    pub video_frames: u64,
    /// Of these, how many of each size, smallest first: width, height, count.
    pub video_sizes: Vec<(u32, u32, u64)>,
    /// Parts of `played` without a picture, although there is a video track.
    pub video_missing: MediaTime,
    /// Bytes of the coded frames presented.
    pub bytes: u64,
}

impl PresentedMedia {
    /// Root mean square of the sound, full scale being 1.
    pub fn audio_rms(&self) -> f64 {
        self.audio_mean_square.sqrt()
    }

    /// Mean bit rate of what was presented in bit/s; zero before anything was.
    pub fn mean_bitrate(&self) -> f64 {
        let seconds = self.played.seconds();
        if seconds > 0.0 { self.bytes as f64 * 8.0 / seconds } else { 0.0 }
    }
}

/// Presents frames as the playhead passes them.
#[derive(Default)]
pub(super) struct Presenter {
    presented: PresentedMedia,
    /// Start of the last picture counted.
    picture: Option<MediaTime>,
    decoder: Option<Decoder>,
    /// Number of PCM frames behind `audio_mean_square`.
    measured: u64,
}

impl Presenter {
    pub(super) fn presented(&self) -> &PresentedMedia {
        &self.presented
    }

    /// The playhead has been moved elsewhere: what is on show there is presented anew.
    pub(super) fn jump(&mut self) {
        self.picture = None;
        if let Some(decoder) = &mut self.decoder {
            decoder.reset();
        }
    }

    /// The playhead has played through `range`.
    pub(super) fn advance(&mut self, range: TimeRange) {
        self.presented.played = self.presented.played + range.duration();
    }

    /// Counts the pictures of `range`.
    pub(super) fn show(&mut self, range: TimeRange, video: &TrackBuffer) {
        let mut covered = range.start;
        for frame in video.shown_in(range) {
            self.presented.video_missing =
                self.presented.video_missing + (frame.pts - covered).max(MediaTime::ZERO);
            covered = covered.max(frame.end());
            if self.picture.is_some_and(|shown| shown >= frame.pts) {
                continue;
            }
            self.picture = Some(frame.pts);
            self.presented.video_frames += 1;
            self.presented.bytes += frame.data.len() as u64;
            if let TrackCodec::Video { width, height } = frame.track.codec {
                self.count_size(width, height);
            }
        }
        self.presented.video_missing =
            self.presented.video_missing + (range.end - covered).max(MediaTime::ZERO);
    }

    fn count_size(&mut self, width: u32, height: u32) {
        let sizes = &mut self.presented.video_sizes;
        match sizes.binary_search_by_key(&(width, height), |size| (size.0, size.1)) {
            Ok(at) => {
                if let Some(size) = sizes.get_mut(at) {
                    size.2 += 1;
                }
            }
            Err(at) => sizes.insert(at, (width, height, 1)),
        }
    }

    /// Decodes the sound of `range`.
    pub(super) fn sound(&mut self, range: TimeRange, audio: &TrackBuffer) -> Result<(), String> {
        let mut covered = range.start;
        for frame in audio.shown_in(range) {
            let missing = (frame.pts - covered).max(MediaTime::ZERO);
            self.presented.audio_missing = self.presented.audio_missing + missing;
            covered = covered.max(frame.end());
            let part =
                TimeRange { start: frame.pts.max(range.start), end: frame.end().min(range.end) };
            self.sound_frame(frame, part)?;
        }
        let missing = (range.end - covered).max(MediaTime::ZERO);
        self.presented.audio_missing = self.presented.audio_missing + missing;
        Ok(())
    }

    /// Decodes `frame`, if it has not been already, and measures the part of it inside `part`.
    fn sound_frame(&mut self, frame: &Sample, part: TimeRange) -> Result<(), String> {
        let decoder = match &mut self.decoder {
            Some(decoder) if decoder.decodes(&frame.track) => decoder,
            _ => self.decoder.insert(Decoder::new(&frame.track)?),
        };
        let fresh = decoder.decode(frame)?;
        if fresh {
            self.presented.bytes += frame.data.len() as u64;
            self.presented.audio_overlap =
                self.presented.audio_overlap + (frame.coded_duration - frame.duration);
        }
        let pcm = decoder.slice(part.start - frame.pts, part.end - frame.pts);
        let channels = decoder.channels.max(1);
        let count = pcm.len() / channels;
        if count == 0 {
            return Ok(());
        }
        let mean = pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>()
            / (count * channels) as f64;
        let length = MediaTime::from_unsigned(count as u64, decoder.rate);
        self.presented.audio = self.presented.audio + length;
        if mean.sqrt() < SILENCE {
            self.presented.audio_silent = self.presented.audio_silent + length;
        }
        self.measured += count as u64;
        let weight = count as f64 / self.measured as f64;
        self.presented.audio_mean_square += (mean - self.presented.audio_mean_square) * weight;
        Ok(())
    }
}

/// The decoder, and the frame it decoded last.
struct Decoder {
    config: Vec<u8>,
    inner: AacDecoder,
    /// Start of the frame that `pcm` holds.
    decoded: Option<MediaTime>,
    pcm: Vec<f32>,
    channels: usize,
    rate: u32,
}

impl Decoder {
    fn new(track: &Arc<Track>) -> Result<Self, String> {
        let TrackCodec::Aac { config } = &track.codec else {
            return Err("the audio track holds no AAC".into());
        };
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC).with_extra_data(config.clone().into());
        let inner = AacDecoder::try_new(&parameters, &AudioDecoderOptions::default())
            .map_err(|error| format!("the AAC decoder refuses the track: {error}"))?;
        Ok(Self {
            config: config.clone(),
            inner,
            decoded: None,
            pcm: Vec::new(),
            channels: 0,
            rate: 0,
        })
    }

    fn decodes(&self, track: &Track) -> bool {
        matches!(&track.codec, TrackCodec::Aac { config } if *config == self.config)
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.decoded = None;
    }

    /// Decodes `frame` unless it was the last one decoded; says whether it did.
    fn decode(&mut self, frame: &Sample) -> Result<bool, String> {
        if self.decoded == Some(frame.pts) {
            return Ok(false);
        }
        let packet = PacketRef::new(
            frame.track.id,
            Timestamp::new(frame.pts.flicks()),
            Duration::new(frame.duration.flicks().unsigned_abs()),
            &frame.data,
        );
        let buffer = self
            .inner
            .decode_ref(&packet)
            .map_err(|error| format!("the AAC frame at {} s is broken: {error}", frame.pts))?;
        self.channels = buffer.spec().channels().count();
        self.rate = buffer.spec().rate();
        buffer.copy_to_vec_interleaved(&mut self.pcm);
        self.decoded = Some(frame.pts);
        Ok(true)
    }

    /// The PCM between two distances from the start of the decoded frame.
    fn slice(&self, from: MediaTime, to: MediaTime) -> &[f32] {
        let index = |time: MediaTime| {
            // Rounded, so that adjacent slices neither share nor lose a PCM frame.
            let flicks = time + MediaTime::from_scaled(1, self.rate.max(1).saturating_mul(2));
            usize::try_from(flicks.scaled(self.rate)).unwrap_or(0).saturating_mul(self.channels)
        };
        let end = index(to).min(self.pcm.len());
        self.pcm.get(index(from).min(end)..end).unwrap_or_default()
    }
}
