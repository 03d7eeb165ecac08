//! A media element that behaves as one fed by Media Source Extensions does.

mod buffer;
mod managed;

use std::sync::Arc;
use std::time::Duration;

use kinora_core::io::{
    AppendBody, ElementState, MediaCommand, MediaFailure, MediaKind, OperationResult, ReadyState,
};
use kinora_core::time::{MediaTime, TimeRange};

pub use self::buffer::Chunk;
use self::buffer::SourceBuffer;
pub use self::managed::Managed;
use super::content::Resource;

/// A media element.
#[derive(Debug)]
pub struct Element {
    /// `currentTime`. Tests that write it do what native controls do, but for the `seeking` event;
    /// [`Element::seek`] does all of it.
    pub position: MediaTime,
    /// `paused`.
    pub paused: bool,
    /// Bytes that a buffer takes before it is full.
    pub quota: u64,
    /// Everything that was ever asked, for tests to look at; see [`Element::remember`].
    pub commands: Vec<MediaCommand>,
    /// Whether `commands` is kept.
    pub remember: bool,
    /// How it lets its player down.
    pub faults: ElementFaults,
    /// Where the player said that the viewer may go.
    pub seekable: Option<TimeRange>,
    /// Its media source says when it wants media, and drops what it likes.
    pub managed: Option<Managed>,
    /// It has not the keys to decode what comes next (`waitingforkey`).
    pub(crate) locked: bool,
    rate: f64,
    frames: f64,
    dropped: f64,
    duration: Option<MediaTime>,
    buffers: Vec<SourceBuffer>,
    open: bool,
    /// `position` is only where to begin: without metadata it goes nowhere (HTML §4.8.11.9, "default playback start
    /// position").
    unplaced: bool,
    seeking: bool,
    ended: bool,
    end_of_stream: bool,
    error: Option<String>,
    appends: u32,
}

/// How an element lets its player down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ElementFaults {
    /// A buffer that is full drops what is far behind by itself (MSE §3.5.13), and is full only when
    /// that is not enough.
    pub evicts: bool,
    /// `changeType` is not supported.
    pub refuses_change_type: bool,
    /// Types that contain this are not supported.
    pub refuses_types: Option<String>,
    /// The append of this number (from 1) says that the buffer is full, whatever it holds.
    pub quota_at_append: Option<u32>,
    /// The decoder dies at the append of this number.
    pub dies_at_append: Option<u32>,
    /// `play()` without a click is refused.
    pub refuses_autoplay: bool,
    /// Pictures of more lines are not decoded fluently, and it says so when asked.
    pub decodes_lines: Option<u32>,
    /// Part of the frames that it drops.
    pub drops: f64,
    /// The last picture of every append reaches a little into what follows, as times that were rounded let it.
    pub overruns: bool,
    /// Where it was to begin is lost when its metadata comes.
    pub forgets_start: bool,
}

impl Default for Element {
    fn default() -> Self {
        Self {
            position: MediaTime::ZERO,
            paused: true,
            quota: 150 << 20,
            commands: Vec::new(),
            remember: true,
            faults: ElementFaults::default(),
            seekable: None,
            managed: None,
            locked: false,
            rate: 1.0,
            frames: 0.0,
            dropped: 0.0,
            duration: None,
            buffers: Vec::new(),
            open: false,
            unplaced: false,
            seeking: false,
            ended: false,
            end_of_stream: false,
            error: None,
            appends: 0,
        }
    }
}

/// Holes up to this size are played over. Browsers forgive more; a player must not need it.
const FUDGE: MediaTime = MediaTime::from_millis(5);
/// With less than this ahead, the next frame may be missing.
const NEXT_FRAME: MediaTime = MediaTime::from_millis(50);

/// Frames of a picture in a second.
const FRAME_RATE: f64 = 25.0;

impl Element {
    /// Carries out an operation; `kept` is the body that the append names.
    pub fn carry_out(
        &mut self,
        command: &MediaCommand,
        kept: Option<&Resource>,
    ) -> OperationResult {
        if self.remember {
            self.commands.push(command.clone());
        }
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
        let needs_source =
            !matches!(command, MediaCommand::Open | MediaCommand::Close | MediaCommand::SetRate(_));
        if needs_source && let Some(reason) = &self.error {
            return Err(MediaFailure::InvalidState(format!("the element has failed: {reason}")));
        }
        if needs_source && !self.open {
            return Err(MediaFailure::InvalidState("no media source is open".to_owned()));
        }
        match command {
            MediaCommand::Open => {
                self.detach();
                self.open = true;
                if let Some(managed) = &mut self.managed {
                    managed.streaming = false;
                }
            }
            MediaCommand::AddBuffer { kind, mime_type } => {
                if !mime_type.contains("codecs=") {
                    return Err(MediaFailure::NotSupported(format!("{mime_type} lacks codecs")));
                }
                self.supports(mime_type)?;
                self.buffers.push(SourceBuffer::new(*kind, mime_type));
            }
            MediaCommand::Append { kind, timestamp_offset, window, body } => {
                return self.append(*kind, *timestamp_offset, *window, body, kept);
            }
            MediaCommand::Remove { kind, range } => {
                self.end_of_stream = false;
                let buffer = self.buffer(*kind)?;
                buffer.remove(*range);
                return Ok(buffer.ranges());
            }
            MediaCommand::ChangeType { kind, mime_type } => {
                if self.faults.refuses_change_type {
                    return Err(MediaFailure::NotSupported("changeType".to_owned()));
                }
                self.supports(mime_type)?;
                self.end_of_stream = false;
                self.buffer(*kind)?.change_type(mime_type);
            }
            MediaCommand::SetDuration(duration) => {
                // MSE §3.15.6, step 2: frames beyond the end have to be removed first.
                if self
                    .buffers
                    .iter()
                    .filter_map(SourceBuffer::end)
                    .any(|end| end > *duration + NEXT_FRAME)
                {
                    return Err(MediaFailure::InvalidState("frames lie beyond the end".to_owned()));
                }
                self.duration = Some(*duration);
            }
            MediaCommand::SetLiveSeekableRange(range) => {
                // MSE §3.15.8.
                if range.start > range.end || range.start < MediaTime::ZERO {
                    return Err(MediaFailure::InvalidState(format!("seekable {range:?}")));
                }
                self.seekable = Some(*range);
            }
            MediaCommand::EndOfStream => {
                self.end_of_stream = true;
                let last = self.buffers.iter().filter_map(SourceBuffer::end).max();
                self.duration = last.or(self.duration);
            }
            MediaCommand::Seek(to) => self.seek(*to),
            MediaCommand::SetRate(rate) => self.rate = *rate,
            MediaCommand::Close => self.detach(),
            MediaCommand::Probe(query) => {
                let most = self.faults.decodes_lines;
                if query.height.zip(most).is_some_and(|(lines, most)| lines > most) {
                    return Err(MediaFailure::NotSupported("too many lines".to_owned()));
                }
            }
            other => return Err(MediaFailure::InvalidState(format!("unknown: {other:?}"))),
        }
        Ok(Vec::new())
    }

    fn detach(&mut self) {
        self.buffers.clear();
        self.position = MediaTime::ZERO;
        self.duration = None;
        self.seekable = None;
        self.open = false;
        self.unplaced = false;
        self.seeking = false;
        self.ended = false;
        self.end_of_stream = false;
        self.error = None;
    }

    fn supports(&self, mime_type: &str) -> Result<(), MediaFailure> {
        match &self.faults.refuses_types {
            Some(part) if mime_type.contains(part.as_str()) => {
                Err(MediaFailure::NotSupported(mime_type.to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn append(
        &mut self,
        kind: MediaKind,
        offset: MediaTime,
        window: TimeRange,
        body: &AppendBody,
        kept: Option<&Resource>,
    ) -> Result<Vec<TimeRange>, MediaFailure> {
        self.end_of_stream = false;
        self.appends += 1;
        if self.faults.quota_at_append == Some(self.appends) {
            return Err(MediaFailure::QuotaExceeded);
        }
        if self.faults.dies_at_append == Some(self.appends) {
            return Err(self.die("the decoder died"));
        }
        let (quota, evicts, position) = (self.quota, self.faults.evicts, self.position);
        let overruns = self.faults.overruns && kind == MediaKind::Video;
        let overrun = if overruns { MediaTime::from_scaled(1, 90_000) } else { MediaTime::ZERO };
        let buffer = self.buffer(kind)?;
        let appended = match (body, kept) {
            (AppendBody::Bytes(bytes), None) => buffer.append_init(bytes),
            (_, Some(resource)) => {
                if evicts {
                    buffer.evict(position, resource.size(), quota);
                }
                buffer.append(resource, (offset, overrun), window, quota)
            }
            (AppendBody::Kept(_) | AppendBody::Span { .. }, None) => {
                Err(MediaFailure::InvalidState("no such body".to_owned()))
            }
        };
        match appended {
            // MSE §3.5.4: an append that cannot be parsed ends the stream with a decode error.
            Err(MediaFailure::Decode(reason)) => Err(self.die(&reason)),
            Err(failure) => Err(failure),
            Ok(()) => {
                let buffer = self.buffer(kind)?;
                let (ranges, end) = (buffer.ranges(), buffer.end());
                self.duration = self.duration.map(|duration| duration.max(end.unwrap_or(duration)));
                self.begin();
                Ok(ranges)
            }
        }
    }

    fn die(&mut self, reason: &str) -> MediaFailure {
        self.error = Some(reason.to_owned());
        MediaFailure::Decode(reason.to_owned())
    }

    fn buffer(&mut self, kind: MediaKind) -> Result<&mut SourceBuffer, MediaFailure> {
        self.buffers
            .iter_mut()
            .find(|buffer| buffer.kind == kind)
            .ok_or_else(|| MediaFailure::InvalidState("no such buffer".to_owned()))
    }

    fn find(&self, kind: MediaKind) -> Option<&SourceBuffer> {
        self.buffers.iter().find(|buffer| buffer.kind == kind)
    }

    /// What a buffer holds.
    pub fn buffered(&self, kind: MediaKind) -> Vec<TimeRange> {
        self.find(kind).map(SourceBuffer::ranges).unwrap_or_default()
    }

    /// What a buffer holds, segment by segment.
    pub fn chunks(&self, kind: MediaKind) -> &[Chunk] {
        self.find(kind).map_or(&[], |buffer| &buffer.chunks)
    }

    /// Where an append would put its media, if its boxes can be read.
    pub fn placement(
        &self,
        kind: MediaKind,
        resource: &Resource,
        offset: MediaTime,
        window: TimeRange,
    ) -> Option<TimeRange> {
        self.find(kind)?.placement(resource, offset, window).ok()
    }

    /// Kinds that have a buffer.
    pub fn kinds(&self) -> Vec<MediaKind> {
        self.buffers.iter().map(|buffer| buffer.kind).collect()
    }

    /// Sets `currentTime`, as native controls do.
    pub fn seek(&mut self, to: MediaTime) {
        if self.ready_state() == ReadyState::HaveNothing {
            self.position = to.max(MediaTime::ZERO);
            self.unplaced = true;
            return;
        }
        // HTML §4.8.11.9: as near as it may go, and nowhere if it may go nowhere.
        self.seeking = false;
        if let Some(TimeRange { start, end }) = self.goes_to() {
            self.position = to.clamp(start, end);
            self.ended = false;
            self.seeking = true;
        }
    }

    /// With its metadata it goes to where it was told to begin, if it may.
    fn begin(&mut self) {
        if self.unplaced && self.ready_state() > ReadyState::HaveNothing {
            let to = core::mem::replace(&mut self.position, MediaTime::ZERO);
            self.unplaced = false;
            if !self.faults.forgets_start {
                self.seek(to);
            }
        }
    }

    /// `seekable` (MSE §9): what has no end may be sought where the player said, and where media is held.
    fn goes_to(&self) -> Option<TimeRange> {
        let end = self.duration.filter(|end| *end < MediaTime::MAX);
        if let Some(end) = end {
            return Some(TimeRange { start: MediaTime::ZERO, end });
        }
        let held = || self.buffers.iter().flat_map(SourceBuffer::ranges);
        let last = held().map(|range| range.end).max();
        match (self.seekable, last) {
            (Some(told), Some(last)) => {
                let first = held().map(|range| range.start).min().unwrap_or(told.start);
                Some(TimeRange { start: told.start.min(first), end: told.end.max(last) })
            }
            (None, last) => Some(TimeRange { start: MediaTime::ZERO, end: last? }),
            (told, None) => told,
        }
    }

    /// The decoder gives up.
    pub fn fail(&mut self, reason: &str) {
        self.error = Some(reason.to_owned());
    }

    /// `playbackRate`.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Whether the end was reached.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether it gave up.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Where playback would have to stop for want of data.
    fn playable_to(&self) -> Option<MediaTime> {
        if self.buffers.is_empty() {
            return None;
        }
        let ends = self.buffers.iter().map(|buffer| {
            let last = buffer.end();
            let end = buffer.end_of_range(self.position, FUDGE);
            // Once all is there, the last range of each track reaches as far as the longest (MSE §4.1, `buffered`).
            let over = last.is_some_and(|last| last <= self.position + FUDGE || end == Some(last));
            if self.end_of_stream && over { self.duration.or(last) } else { end }
        });
        ends.reduce(|one, other| Some(one?.min(other?))).flatten()
    }

    /// Whether nothing comes after that: a hole before it is none (HTML §4.8.11.7, "ended playback").
    fn is_end(&self, place: MediaTime) -> bool {
        self.end_of_stream && self.duration.is_none_or(|end| place + FUDGE >= end)
    }

    fn ready_state(&self) -> ReadyState {
        if self.buffers.is_empty() || self.buffers.iter().any(|buffer| !buffer.has_init()) {
            return ReadyState::HaveNothing;
        }
        if self.locked {
            return ReadyState::HaveCurrentData;
        }
        match self.playable_to() {
            None => ReadyState::HaveMetadata,
            Some(end) if self.is_end(end) => ReadyState::HaveEnoughData,
            Some(end) if end - self.position > NEXT_FRAME => ReadyState::HaveFutureData,
            Some(_) => ReadyState::HaveCurrentData,
        }
    }

    /// Whether the playhead moves.
    pub fn moves(&self) -> bool {
        !self.paused
            && !self.ended
            && !self.seeking
            && self.rate > 0.0
            && self.error.is_none()
            && self.ready_state() >= ReadyState::HaveFutureData
    }

    /// How long until it does something else by itself, if nothing is asked of it meanwhile.
    pub(crate) fn next_change(&self) -> Option<Duration> {
        if !self.moves() {
            return None;
        }
        let limit = self.playable_to()?;
        let damaged = self.buffers.iter().filter_map(|buffer| buffer.next_damage(self.position));
        let places = [limit - NEXT_FRAME, limit].into_iter().chain(damaged);
        let next = places.filter(|place| *place > self.position).min()?;
        let seconds = (next - self.position).seconds() / self.rate;
        Some(Duration::from_micros((seconds * 1e6).ceil().clamp(1.0, 1e15) as u64))
    }

    /// Lets time pass.
    pub fn advance(&mut self, elapsed: Duration) {
        if self.seeking && self.error.is_none() && self.ready_state() >= ReadyState::HaveCurrentData
        {
            self.seeking = false;
        }
        if !self.moves() {
            return;
        }
        let moved = MediaTime::from_seconds(elapsed.as_secs_f64() * self.rate);
        let limit = self.playable_to().unwrap_or(self.position);
        // Browsers count in microseconds.
        let position = MediaTime::from_micros((self.position + moved).micros());
        let position = position.min(limit).max(self.position);
        let frames = FRAME_RATE * (position - self.position).seconds();
        self.frames += frames;
        self.dropped += frames * self.faults.drops;
        self.position = position;
        if self.position >= limit && self.is_end(limit) {
            self.ended = true;
        }
        if self.buffers.iter().any(|buffer| buffer.is_damaged_at(self.position)) {
            self.error = Some("a frame cannot be decoded".to_owned());
        }
    }

    /// What a host reports of the element.
    pub fn state(&self) -> ElementState {
        ElementState {
            position: self.position,
            rate: self.rate,
            paused: self.paused,
            seeking: self.seeking,
            ended: self.ended,
            ready_state: self.ready_state(),
            total_frames: self.frames as u64,
            dropped_frames: self.dropped as u64,
            error: self.error.clone(),
        }
    }
}

/// A name that costs nothing to copy.
pub(crate) type Name = Arc<str>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::boxes::{Track, init_segment, media_segment};

    #[test]
    fn a_hole_before_the_end_is_no_end() {
        let kind = MediaKind::Video;
        let mut element = Element { paused: false, ..Element::default() };
        let mime_type = "video/mp4; codecs=\"avc1.64001f\"".to_owned();
        let track = Track { video: true, entry: b"avc1", timescale: 1_000, key_id: None };
        let all = TimeRange { start: MediaTime::ZERO, end: MediaTime::MAX };
        let append = |body| MediaCommand::Append {
            kind,
            timestamp_offset: MediaTime::ZERO,
            window: all,
            body,
        };
        let done = |result| assert!(matches!(result, OperationResult::Done { .. }), "{result:?}");
        done(element.carry_out(&MediaCommand::Open, None));
        done(element.carry_out(&MediaCommand::AddBuffer { kind, mime_type }, None));
        done(element.carry_out(&append(AppendBody::Bytes(init_segment(track))), None));
        for start in [0, 4_000] {
            let segment = Resource::new("video/mp4", media_segment((start, 2_000), (900, 1), None));
            let body = AppendBody::Kept(kinora_core::io::RequestId(1));
            done(element.carry_out(&append(body), Some(&segment)));
        }
        done(element.carry_out(&MediaCommand::EndOfStream, None));
        element.advance(Duration::from_secs(5));
        assert_eq!((element.position, element.has_ended()), (MediaTime::from_secs(2), false));
        assert!(element.state().ready_state < ReadyState::HaveFutureData);
        element.seek(MediaTime::from_secs(4));
        element.advance(Duration::from_secs(5));
        assert_eq!((element.position, element.has_ended()), (MediaTime::from_secs(6), true));
    }
}
