//! A media element that behaves as one fed by Media Source Extensions does.

use std::time::Duration;

use kinora_core::io::{
    AppendBody, ElementState, MediaCommand, MediaFailure, MediaKind, OperationResult, ReadyState,
};
use kinora_core::media;
use kinora_core::time::{MediaTime, TimeRange};

use super::content::Resource;

/// A media element.
#[derive(Debug)]
pub struct Element {
    /// `currentTime`.
    pub position: MediaTime,
    /// `paused`.
    pub paused: bool,
    /// Bytes that a buffer takes before it is full.
    pub quota: u64,
    /// Everything that was ever asked, for tests to look at.
    pub commands: Vec<MediaCommand>,
    rate: f64,
    duration: Option<MediaTime>,
    buffers: Vec<SourceBuffer>,
    ended: bool,
    end_of_stream: bool,
}

#[derive(Debug)]
struct SourceBuffer {
    kind: MediaKind,
    init: Option<media::init::InitInfo>,
    /// Media in the buffer, in order, without overlaps, each with its bytes.
    chunks: Vec<(TimeRange, u64)>,
}

impl Default for Element {
    fn default() -> Self {
        Self {
            position: MediaTime::ZERO,
            paused: true,
            quota: 150 << 20,
            commands: Vec::new(),
            rate: 1.0,
            duration: None,
            buffers: Vec::new(),
            ended: false,
            end_of_stream: false,
        }
    }
}

/// Holes up to this size are played over. Browsers forgive more; a player must not need it.
const FUDGE: MediaTime = MediaTime::from_millis(5);

impl Element {
    /// Carries out an operation; `kept` is the body that the append names.
    pub fn carry_out(
        &mut self,
        command: &MediaCommand,
        kept: Option<&Resource>,
    ) -> OperationResult {
        self.commands.push(command.clone());
        match self.try_carry_out(command, kept) {
            Ok(buffered) => OperationResult::Done { buffered },
            Err(failure) => OperationResult::Failed(failure),
        }
    }

    fn try_carry_out(
        &mut self,
        command: &MediaCommand,
        kept: Option<&Resource>,
    ) -> Result<Vec<TimeRange>, MediaFailure> {
        match command {
            MediaCommand::Open => {
                self.buffers.clear();
                self.position = MediaTime::ZERO;
                self.duration = None;
                self.ended = false;
                self.end_of_stream = false;
            }
            MediaCommand::AddBuffer { kind, mime_type } => {
                if !mime_type.contains("codecs=") {
                    return Err(MediaFailure::NotSupported(format!("{mime_type} lacks codecs")));
                }
                self.buffers.push(SourceBuffer { kind: *kind, init: None, chunks: Vec::new() });
            }
            MediaCommand::Append { kind, timestamp_offset, window, body } => {
                let quota = self.quota;
                self.end_of_stream = false;
                let buffer = self.buffer(*kind)?;
                match (body, kept) {
                    (AppendBody::Bytes(bytes), _) => {
                        let init = media::init::parse(bytes)
                            .map_err(|error| MediaFailure::Decode(error.to_string()))?;
                        buffer.init = Some(init);
                    }
                    (AppendBody::Kept(_), Some(resource)) => {
                        buffer.append(resource, *timestamp_offset, *window, quota)?;
                    }
                    (AppendBody::Kept(_), None) => {
                        return Err(MediaFailure::InvalidState("no such body".to_owned()));
                    }
                }
                return Ok(self.buffer(*kind)?.ranges());
            }
            MediaCommand::Remove { kind, range } => {
                let buffer = self.buffer(*kind)?;
                buffer.cut(*range);
                return Ok(buffer.ranges());
            }
            MediaCommand::ChangeType { kind, .. } => {
                self.buffer(*kind)?.init = None;
            }
            MediaCommand::SetDuration(duration) => self.duration = Some(*duration),
            MediaCommand::EndOfStream => self.end_of_stream = true,
            MediaCommand::Seek(to) => {
                self.position = *to;
                self.ended = false;
            }
            MediaCommand::SetRate(rate) => self.rate = *rate,
            MediaCommand::Close => self.buffers.clear(),
            other => return Err(MediaFailure::InvalidState(format!("unknown: {other:?}"))),
        }
        Ok(Vec::new())
    }

    fn buffer(&mut self, kind: MediaKind) -> Result<&mut SourceBuffer, MediaFailure> {
        self.buffers
            .iter_mut()
            .find(|buffer| buffer.kind == kind)
            .ok_or_else(|| MediaFailure::InvalidState("no such buffer".to_owned()))
    }

    /// What a buffer holds.
    pub fn buffered(&self, kind: MediaKind) -> Vec<TimeRange> {
        let buffer = self.buffers.iter().find(|buffer| buffer.kind == kind);
        buffer.map(SourceBuffer::ranges).unwrap_or_default()
    }

    /// Where playback would have to stop for want of data.
    fn playable_to(&self) -> Option<MediaTime> {
        let end_of = |buffer: &SourceBuffer| {
            let ranges = buffer.ranges();
            let found = ranges
                .iter()
                .find(|range| range.start <= self.position + FUDGE && self.position < range.end);
            let last = ranges.last().map(|range| range.end);
            // A track that is over does not hold up the other.
            let over = self.end_of_stream && last.is_some_and(|end| end <= self.position + FUDGE);
            if over { self.duration.or(last) } else { found.map(|range| range.end) }
        };
        if self.buffers.is_empty() {
            return None;
        }
        self.buffers
            .iter()
            .map(end_of)
            .try_fold(MediaTime::MAX, |least, end| end.map(|end| least.min(end)))
    }

    fn ready_state(&self) -> ReadyState {
        if self.buffers.iter().any(|buffer| buffer.init.is_none()) || self.buffers.is_empty() {
            return ReadyState::HaveNothing;
        }
        match self.playable_to() {
            None => ReadyState::HaveMetadata,
            Some(_) if self.end_of_stream => ReadyState::HaveEnoughData,
            Some(end) if end - self.position > MediaTime::from_millis(50) => {
                ReadyState::HaveFutureData
            }
            Some(_) => ReadyState::HaveCurrentData,
        }
    }

    /// Whether the playhead moves.
    pub fn moves(&self) -> bool {
        !self.paused && !self.ended && self.ready_state() >= ReadyState::HaveFutureData
    }

    /// Lets time pass.
    pub fn advance(&mut self, elapsed: Duration) {
        if !self.moves() {
            return;
        }
        let moved = MediaTime::from_seconds(elapsed.as_secs_f64() * self.rate);
        let limit = self.playable_to().unwrap_or(self.position);
        self.position = (self.position + moved).min(limit);
        let end = self.duration.unwrap_or(MediaTime::MAX);
        if self.end_of_stream && self.position >= end.min(limit) {
            self.ended = true;
        }
    }

    /// What a host reports of the element.
    pub fn state(&self) -> ElementState {
        ElementState {
            position: self.position,
            rate: self.rate,
            paused: self.paused,
            seeking: false,
            ended: self.ended,
            ready_state: self.ready_state(),
            ..ElementState::default()
        }
    }
}

impl SourceBuffer {
    fn append(
        &mut self,
        resource: &Resource,
        offset: MediaTime,
        window: TimeRange,
        quota: u64,
    ) -> Result<(), MediaFailure> {
        let init = self
            .init
            .as_ref()
            .ok_or_else(|| MediaFailure::Decode("media before its init segment".to_owned()))?;
        let fragment = media::fragment::parse(&resource.media_head(), init)
            .map_err(|error| MediaFailure::Decode(error.to_string()))?;
        let held: u64 = self.chunks.iter().map(|(_, bytes)| bytes).sum();
        if held + resource.size() > quota {
            return Err(MediaFailure::QuotaExceeded);
        }
        let start = fragment.presentation_start + offset;
        let range = TimeRange {
            start: start.max(window.start),
            end: (start + fragment.duration).min(window.end),
        };
        if range.duration() > MediaTime::ZERO {
            self.cut(range);
            self.chunks.push((range, resource.size()));
            self.chunks.sort_by_key(|(range, _)| range.start);
        }
        Ok(())
    }

    /// Drops a span; bytes go with it in proportion.
    fn cut(&mut self, span: TimeRange) {
        let mut left = Vec::new();
        for (range, bytes) in self.chunks.drain(..) {
            let parts = [
                TimeRange { start: range.start, end: range.end.min(span.start) },
                TimeRange { start: range.start.max(span.end), end: range.end },
            ];
            for part in parts {
                if part.duration() > MediaTime::ZERO {
                    let share = part.duration().seconds() / range.duration().seconds();
                    left.push((part, (bytes as f64 * share) as u64));
                }
            }
        }
        self.chunks = left;
    }

    fn ranges(&self) -> Vec<TimeRange> {
        let mut ranges: Vec<TimeRange> = Vec::new();
        for (range, _) in &self.chunks {
            match ranges.last_mut() {
                // Frames that all but touch count as one range.
                Some(last) if range.start <= last.end + MediaTime::from_millis(20) => {
                    last.end = last.end.max(range.end);
                }
                _ => ranges.push(*range),
            }
        }
        ranges
    }
}
