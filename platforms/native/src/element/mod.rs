//! A media element without a screen: Media Source Extensions over a clock that the caller moves.
//!
//! What is appended is parsed, so that the buffered ranges are those of the coded frames; the playhead
//! advances in real time, and only while every buffer has data for it; what it passes is decoded and
//! counted ([`PresentedMedia`]). Like the core it does no I/O and reads no clock.

mod mime;
mod mp4;
mod presentation;
mod source_buffer;
#[cfg(test)]
mod tests;
mod track_buffer;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kinora_core::io::{
    ElementState, MediaCommand, MediaFailure, MediaKind, OperationResult, ReadyState,
};
use kinora_core::time::{MediaTime, TimeRange, Timestamp};

pub use presentation::PresentedMedia;

use crate::drm::KeyRing;
use presentation::Presenter;
use source_buffer::{SourceBuffer, intersection};

/// The playhead does not start to move with less than this ahead of it.
const FUTURE_DATA: MediaTime = MediaTime::from_millis(100);

/// A buffer that begins so little after the playhead will do: frames of sound do not begin where
/// pictures do, and browsers play on over such a hole, too. What is missing is counted.
const START_TOLERANCE: MediaTime = MediaTime::from_millis(50);

/// With so much ahead, playback is expected to go on.
const ENOUGH_DATA: MediaTime = MediaTime::from_secs(2);

/// What an element can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementConfig {
    /// Bytes of coded frames in the video buffer; an append beyond that is refused.
    pub video_quota: usize,
    /// Bytes of coded frames in the audio buffer.
    pub audio_quota: usize,
}

impl Default for ElementConfig {
    fn default() -> Self {
        Self { video_quota: 150 << 20, audio_quota: 12 << 20 }
    }
}

/// A media element without a screen.
pub struct MediaElement {
    config: ElementConfig,
    /// A media source is attached.
    open: bool,
    buffers: BTreeMap<MediaKind, SourceBuffer>,
    duration: Option<MediaTime>,
    /// `endOfStream` has been called and nothing appended since.
    end_of_stream: bool,
    state: ElementState,
    /// When the playhead was where `state.position` says.
    updated: Timestamp,
    presenter: Presenter,
    keys: KeyRing,
}

impl MediaElement {
    /// An element with nothing attached, paused.
    pub fn new(config: ElementConfig) -> Self {
        Self {
            config,
            open: false,
            buffers: BTreeMap::new(),
            duration: None,
            end_of_stream: false,
            state: ElementState { rate: 1.0, paused: true, ..ElementState::default() },
            updated: Timestamp::default(),
            presenter: Presenter::default(),
            keys: KeyRing::default(),
        }
    }

    /// The keys that it decrypts with.
    pub(crate) fn keys_mut(&mut self) -> &mut KeyRing {
        &mut self.keys
    }

    /// The state as of the last call with a time.
    pub fn state(&self) -> &ElementState {
        &self.state
    }

    /// What has been presented since the media source was opened.
    pub fn presented(&self) -> &PresentedMedia {
        self.presenter.presented()
    }

    /// `play()`.
    pub fn play(&mut self, now: Timestamp) {
        self.advance(now);
        self.state.paused = false;
        self.refresh();
    }

    /// `pause()`.
    pub fn pause(&mut self, now: Timestamp) {
        self.advance(now);
        self.state.paused = true;
        self.refresh();
    }

    /// Carries out one operation. `body` finds the bytes of an append.
    pub fn execute(
        &mut self,
        now: Timestamp,
        command: &MediaCommand,
        body: Option<Bytes>,
    ) -> OperationResult {
        self.advance(now);
        let result = self.carry_out(command, body);
        self.refresh();
        match result {
            Ok(buffered) => OperationResult::Done { buffered },
            Err(failure) => OperationResult::Failed(failure),
        }
    }

    fn carry_out(
        &mut self,
        command: &MediaCommand,
        body: Option<Bytes>,
    ) -> Result<Vec<TimeRange>, MediaFailure> {
        match command {
            MediaCommand::Open => self.open(true),
            MediaCommand::Close => self.open(false),
            MediaCommand::AddBuffer { kind, mime_type } => self.add_buffer(*kind, mime_type)?,
            MediaCommand::ChangeType { kind, mime_type } => {
                self.buffer(*kind)?.change_type(mime_type)?;
            }
            MediaCommand::Append { kind, timestamp_offset, window, .. } => {
                let data = body.ok_or_else(|| {
                    MediaFailure::InvalidState("the body to append is not there any more".into())
                })?;
                let missing =
                    || MediaFailure::InvalidState(format!("there is no {} buffer", kind.name()));
                let buffer = self.buffers.get_mut(kind).ok_or_else(missing)?;
                buffer.append(&data, *timestamp_offset, *window, &self.keys)?;
                let buffered = buffer.buffered();
                self.end_of_stream = false;
                // Appending beyond the duration extends it (duration change algorithm).
                let end = self.highest_end();
                self.duration = self.duration.map(|duration| duration.max(end));
                return Ok(buffered);
            }
            MediaCommand::Remove { kind, range } => {
                let buffer = self.buffer(*kind)?;
                buffer.remove(*range);
                return Ok(buffer.buffered());
            }
            MediaCommand::SetDuration(duration) => {
                self.attached()?;
                self.duration = Some(*duration);
            }
            // The viewer's place is the core's to choose; nothing here offers others.
            MediaCommand::SetLiveSeekableRange(_) => self.attached()?,
            MediaCommand::EndOfStream => {
                self.attached()?;
                self.end_of_stream = true;
                self.duration = Some(self.highest_end());
            }
            MediaCommand::Seek(position) => self.seek(*position),
            MediaCommand::SetRate(rate) => {
                if !rate.is_finite() || *rate < 0.0 {
                    return Err(MediaFailure::NotSupported(format!("a rate of {rate}")));
                }
                self.state.rate = *rate;
            }
            MediaCommand::Probe(query) => SourceBuffer::new(&query.mime_type, 0).map(|_| ())?,
            _ => {
                return Err(MediaFailure::InvalidState(
                    "this element does not know the operation".into(),
                ));
            }
        }
        Ok(Vec::new())
    }

    /// Attaches a new media source, or none.
    fn open(&mut self, open: bool) {
        self.open = open;
        self.buffers.clear();
        self.duration = None;
        self.end_of_stream = false;
        self.state = ElementState {
            rate: self.state.rate,
            paused: self.state.paused,
            ..ElementState::default()
        };
        if open {
            self.presenter = Presenter::default();
        }
    }

    fn add_buffer(&mut self, kind: MediaKind, mime_type: &str) -> Result<(), MediaFailure> {
        self.attached()?;
        let quota = match kind {
            MediaKind::Audio => self.config.audio_quota,
            _ => self.config.video_quota,
        };
        if kind == MediaKind::Text {
            return Err(MediaFailure::NotSupported("text has no buffer here".into()));
        }
        if self.buffers.contains_key(&kind) {
            return Err(MediaFailure::InvalidState(format!(
                "there is a {} buffer already",
                kind.name()
            )));
        }
        self.buffers.insert(kind, SourceBuffer::new(mime_type, quota)?);
        Ok(())
    }

    fn attached(&self) -> Result<(), MediaFailure> {
        if self.open {
            return Ok(());
        }
        Err(MediaFailure::InvalidState("no media source is attached".into()))
    }

    fn buffer(&mut self, kind: MediaKind) -> Result<&mut SourceBuffer, MediaFailure> {
        self.buffers.get_mut(&kind).ok_or_else(|| {
            MediaFailure::InvalidState(format!("there is no {} buffer", kind.name()))
        })
    }

    fn seek(&mut self, position: MediaTime) {
        let latest = self.duration.unwrap_or(MediaTime::MAX);
        self.state.position = position.min(latest).max(MediaTime::ZERO);
        self.state.seeking = true;
        self.state.ended = false;
        self.presenter.jump();
    }

    /// Moves the playhead to where it is at `now`, and presents what it passes.
    pub fn advance(&mut self, now: Timestamp) {
        let elapsed = now.since(self.updated);
        self.updated = self.updated.max(now);
        if !self.is_moving() || elapsed.is_zero() {
            return;
        }
        let start = self.state.position;
        let wanted = start + scale(MediaTime::from_duration(elapsed), self.state.rate);
        let end = wanted.min(self.playable_until());
        let range = TimeRange { start, end };
        if end > start {
            self.state.position = end;
            self.present(range);
        }
        self.refresh();
    }

    fn present(&mut self, range: TimeRange) {
        self.presenter.advance(range);
        for buffer in self.buffers.values() {
            if let Some(video) = buffer.video() {
                self.presenter.show(range, video);
            }
            if let Some(audio) = buffer.audio()
                && let Err(reason) = self.presenter.sound(range, audio)
            {
                self.state.error = Some(reason);
            }
        }
        self.state.total_frames = self.presenter.presented().video_frames;
    }

    /// When the element does something by itself: reaches the end of what is buffered. `None` while
    /// the playhead stands.
    pub fn next_change(&self) -> Option<Timestamp> {
        if !self.is_moving() {
            return None;
        }
        let ahead = self.playable_until() - self.state.position;
        let wait = scale(ahead, 1.0 / self.state.rate).to_duration();
        // The playhead must have arrived by then, so round up to the clock's resolution.
        Some(self.updated + wait + Duration::from_micros(1))
    }

    /// Whether the playhead advances with time.
    pub fn is_moving(&self) -> bool {
        self.open
            && !self.state.paused
            && !self.state.seeking
            && !self.state.ended
            && self.state.error.is_none()
            && self.state.rate > 0.0
            && self.state.ready_state >= ReadyState::HaveFutureData
    }

    /// Where every buffer has data; at the end of the stream the shorter ones count as extended to
    /// the end of the longest (`HTMLMediaElement.buffered` of Media Source Extensions).
    fn buffered(&self) -> Vec<TimeRange> {
        let highest = self.highest_end();
        let position = self.state.position;
        let mut buffers = self.buffers.values().map(|buffer| {
            let mut ranges = buffer.buffered();
            for range in &mut ranges {
                if range.start > position && range.start - position <= START_TOLERANCE {
                    range.start = position;
                }
            }
            if self.end_of_stream
                && let Some(last) = ranges.last_mut()
            {
                last.end = highest;
            }
            ranges
        });
        let first = buffers.next().unwrap_or_default();
        buffers.fold(first, |ranges, other| intersection(&ranges, &other))
    }

    fn highest_end(&self) -> MediaTime {
        let ends = self.buffers.values().filter_map(|buffer| buffer.buffered().last().copied());
        ends.map(|range| range.end).max().unwrap_or_default()
    }

    /// How far the playhead can go from here.
    fn playable_until(&self) -> MediaTime {
        let position = self.state.position;
        let here = |range: &TimeRange| range.start <= position && position <= range.end;
        self.buffered().into_iter().rfind(here).map_or(position, |range| range.end)
    }

    /// Brings `readyState`, `seeking` and `ended` up to date (SourceBuffer monitoring).
    fn refresh(&mut self) {
        let at_end = self.end_of_stream
            && self.duration.is_some_and(|duration| self.playable_until() >= duration);
        self.state.ready_state = self.ready_state(at_end);
        let arrived = at_end && self.state.position >= self.playable_until();
        if self.state.seeking && (self.state.ready_state >= ReadyState::HaveFutureData || arrived) {
            self.state.seeking = false;
        }
        self.state.ended = arrived && !self.state.seeking;
    }

    fn ready_state(&self, at_end: bool) -> ReadyState {
        if self.buffers.is_empty() || !self.buffers.values().all(SourceBuffer::is_initialised) {
            return ReadyState::HaveNothing;
        }
        let position = self.state.position;
        let Some(range) = self
            .buffered()
            .into_iter()
            .rfind(|range| range.start <= position && position <= range.end)
        else {
            return ReadyState::HaveMetadata;
        };
        let ahead = range.end - position;
        // Once it moves, the playhead goes on to the last frame.
        let moving = self.state.ready_state >= ReadyState::HaveFutureData && !self.state.seeking;
        if ahead >= ENOUGH_DATA || (at_end && ahead > MediaTime::ZERO) {
            ReadyState::HaveEnoughData
        } else if ahead >= FUTURE_DATA || (moving && ahead > MediaTime::ZERO) {
            ReadyState::HaveFutureData
        } else {
            ReadyState::HaveCurrentData
        }
    }
}

/// A distance times a factor; exact for a factor of one.
fn scale(time: MediaTime, factor: f64) -> MediaTime {
    if factor == 1.0 { time } else { MediaTime::from_seconds(time.seconds() * factor) }
}
