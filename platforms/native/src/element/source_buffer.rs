//! One `SourceBuffer`: what was appended under one kind, as tracks of coded frames.

use std::sync::Arc;

use bytes::Bytes;
use kinora_core::io::MediaFailure;
use kinora_core::time::{MediaTime, TimeRange};

use super::mime::MimeType;
use super::mp4::{self, Track};
use super::track_buffer::TrackBuffer;
use crate::drm::KeyRing;

/// One `SourceBuffer`.
#[derive(Debug, Default)]
pub(super) struct SourceBuffer {
    quota: usize,
    /// Tracks of the last initialisation segment.
    tracks: Vec<Arc<Track>>,
    video: Option<TrackBuffer>,
    audio: Option<TrackBuffer>,
}

impl SourceBuffer {
    /// An empty buffer that holds no more than `quota` bytes of coded frames.
    pub(super) fn new(mime_type: &str, quota: usize) -> Result<Self, MediaFailure> {
        MimeType::parse_supported(mime_type)?;
        Ok(Self { quota, ..Self::default() })
    }

    /// `changeType`.
    pub(super) fn change_type(&mut self, mime_type: &str) -> Result<(), MediaFailure> {
        MimeType::parse_supported(mime_type)?;
        self.tracks.clear();
        Ok(())
    }

    /// `appendBuffer`. A failed append changes nothing.
    pub(super) fn append(
        &mut self,
        data: &Bytes,
        timestamp_offset: MediaTime,
        window: TimeRange,
        keys: &KeyRing,
    ) -> Result<(), MediaFailure> {
        let parsed = mp4::parse(data, &self.tracks, keys).map_err(MediaFailure::Decode)?;
        let added = parsed.samples.iter().map(|sample| sample.data.len()).sum();
        if self.bytes().saturating_add(added) > self.quota {
            return Err(MediaFailure::QuotaExceeded);
        }
        if let Some(tracks) = parsed.init {
            self.adopt(tracks)?;
        }
        let (mut video, mut audio) = (Vec::new(), Vec::new());
        for mut sample in parsed.samples {
            sample.pts = sample.pts + timestamp_offset;
            sample.dts = sample.dts + timestamp_offset;
            if sample.track.codec.is_audio() { audio.push(sample) } else { video.push(sample) }
        }
        for (samples, buffer) in [(video, &mut self.video), (audio, &mut self.audio)] {
            if let Some(buffer) = buffer.as_mut().filter(|_| !samples.is_empty()) {
                buffer.insert(samples, window);
            }
        }
        Ok(())
    }

    /// The initialisation segment received algorithm: later ones describe the same kinds of tracks.
    fn adopt(&mut self, tracks: Vec<Arc<Track>>) -> Result<(), MediaFailure> {
        let video = tracks.iter().any(|track| !track.codec.is_audio());
        let audio = tracks.iter().any(|track| track.codec.is_audio());
        let first = self.video.is_none() && self.audio.is_none();
        if !first && (video != self.video.is_some() || audio != self.audio.is_some()) {
            return Err(MediaFailure::Decode(
                "an initialisation segment has other kinds of tracks than the first one".into(),
            ));
        }
        if first {
            self.video = video.then(TrackBuffer::default);
            self.audio = audio.then(TrackBuffer::default);
        }
        self.tracks = tracks;
        Ok(())
    }

    /// `remove`.
    pub(super) fn remove(&mut self, range: TimeRange) {
        for buffer in [&mut self.video, &mut self.audio].into_iter().flatten() {
            buffer.remove(range);
        }
    }

    /// `buffered`: where every track has data.
    pub(super) fn buffered(&self) -> Vec<TimeRange> {
        let mut tracks = [&self.video, &self.audio].into_iter().flatten().map(TrackBuffer::ranges);
        let first = tracks.next().unwrap_or_default();
        tracks.fold(first, |ranges, other| intersection(&ranges, &other))
    }

    /// Whether an initialisation segment has been appended.
    pub(super) fn is_initialised(&self) -> bool {
        self.video.is_some() || self.audio.is_some()
    }

    pub(super) fn video(&self) -> Option<&TrackBuffer> {
        self.video.as_ref()
    }

    pub(super) fn audio(&self) -> Option<&TrackBuffer> {
        self.audio.as_ref()
    }

    fn bytes(&self) -> usize {
        [&self.video, &self.audio].into_iter().flatten().map(TrackBuffer::bytes).sum()
    }
}

/// What two lists of ranges, each in order and without overlaps, have in common.
pub(super) fn intersection(a: &[TimeRange], b: &[TimeRange]) -> Vec<TimeRange> {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    let mut common = Vec::new();
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let range = TimeRange { start: x.start.max(y.start), end: x.end.min(y.end) };
        if x.end <= y.end {
            a.next();
        } else {
            b.next();
        }
        if range.start < range.end {
            common.push(range);
        }
    }
    common
}
