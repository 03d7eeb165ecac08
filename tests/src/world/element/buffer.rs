//! A source buffer: media as the coded frame processing of MSE leaves it.

use kinora_core::io::{MediaFailure, MediaKind};
use kinora_core::media::{self, init::InitInfo};
use kinora_core::time::{MediaTime, TimeRange};

use super::Name;
use crate::world::content::Resource;

/// Media that came in one append, as far as it is still there.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Where it lies.
    pub range: TimeRange,
    /// Where it lay when it was whole.
    pub whole: TimeRange,
    /// The resource it came from.
    pub name: Name,
    /// Its size.
    pub bytes: u64,
    /// Frames from here on cannot be decoded.
    damaged_from: Option<MediaTime>,
}

impl Chunk {
    /// Whether some of its frames cannot be decoded.
    pub fn is_damaged(&self) -> bool {
        self.damaged_from.is_some()
    }
}

#[derive(Debug)]
pub(super) struct SourceBuffer {
    pub(super) kind: MediaKind,
    /// In order, without overlaps.
    pub(super) chunks: Vec<Chunk>,
    mime_type: String,
    init: Option<InitInfo>,
    /// It has had an initialisation segment, of whatever type.
    initialized: bool,
    /// An append ended in the middle of a segment: the parser waits for the rest of it.
    within_segment: bool,
}

impl SourceBuffer {
    pub(super) fn new(kind: MediaKind, mime_type: &str) -> Self {
        Self {
            kind,
            chunks: Vec::new(),
            mime_type: mime_type.to_owned(),
            init: None,
            initialized: false,
            within_segment: false,
        }
    }

    pub(super) fn has_init(&self) -> bool {
        self.initialized
    }

    pub(super) fn change_type(&mut self, mime_type: &str) {
        self.init = None;
        self.within_segment = false;
        mime_type.clone_into(&mut self.mime_type);
    }

    /// From one frame to the next.
    fn frame(&self) -> MediaTime {
        match self.kind {
            MediaKind::Audio => MediaTime::from_scaled(1_024, 48_000),
            _ => MediaTime::from_millis(40),
        }
    }

    pub(super) fn append_init(&mut self, bytes: &[u8]) -> Result<(), MediaFailure> {
        self.ready_for_segment()?;
        let init =
            media::init::parse(bytes).map_err(|error| MediaFailure::Decode(error.to_string()))?;
        let family = |codec: &str| codec.split('.').next().unwrap_or(codec).trim().to_owned();
        let codecs = init.codecs();
        // MSE §3.5.7: codecs that the type does not name are a decode error.
        if let Some(codec) =
            codecs.split(',').find(|codec| !self.mime_type.contains(&family(codec)))
        {
            return Err(MediaFailure::Decode(format!("{codec} in a buffer of {}", self.mime_type)));
        }
        self.init = Some(init);
        self.initialized = true;
        Ok(())
    }

    /// MSE §3.15.1: `timestampOffset` cannot be set while a segment is being parsed.
    fn ready_for_segment(&self) -> Result<(), MediaFailure> {
        if self.within_segment {
            return Err(MediaFailure::InvalidState("a segment is not complete".to_owned()));
        }
        Ok(())
    }

    pub(super) fn append(
        &mut self,
        resource: &Resource,
        (offset, overrun): (MediaTime, MediaTime),
        window: TimeRange,
        quota: u64,
    ) -> Result<(), MediaFailure> {
        self.ready_for_segment()?;
        let whole = self.placement(resource, offset, window)?;
        let held: u64 = self.chunks.iter().map(|chunk| chunk.bytes).sum();
        if held + resource.size() > quota {
            return Err(MediaFailure::QuotaExceeded);
        }
        let into = |bytes: u64| {
            let share = bytes as f64 / resource.whole.max(1) as f64;
            whole.start + MediaTime::from_seconds(whole.duration().seconds() * share.min(1.0))
        };
        self.within_segment = resource.size() < resource.whole;
        let end = if self.within_segment { into(resource.size()) } else { whole.end };
        let range = TimeRange { start: whole.start, end };
        if range.duration() > MediaTime::ZERO {
            self.overwrite(TimeRange { end: range.end + overrun, ..range });
            let chunk = Chunk {
                range,
                whole,
                name: resource.name.clone(),
                bytes: resource.size(),
                damaged_from: resource.damaged_from.map(into),
            };
            let position = self.chunks.partition_point(|other| other.range.start < range.start);
            let Some((name, last)) = &resource.cut_from else {
                self.chunks.insert(position, chunk);
                return Ok(());
            };
            // As long as fragments are missing it is not known where all of it lies.
            let end = if *last { range.end } else { MediaTime::MAX };
            let before = position.checked_sub(1).map(|before| &mut self.chunks[before]);
            match before.filter(|one| one.name == *name && one.range.end == range.start) {
                Some(before) => {
                    before.range.end = range.end;
                    before.whole.end = end;
                    before.bytes += chunk.bytes;
                    before.damaged_from = before.damaged_from.or(chunk.damaged_from);
                }
                None => {
                    let whole = TimeRange { end, ..range };
                    self.chunks.insert(position, Chunk { name: name.clone(), whole, ..chunk });
                }
            }
        }
        Ok(())
    }

    pub(super) fn placement(
        &self,
        resource: &Resource,
        offset: MediaTime,
        window: TimeRange,
    ) -> Result<TimeRange, MediaFailure> {
        let init = self
            .init
            .as_ref()
            .ok_or_else(|| MediaFailure::Decode("media before its init segment".to_owned()))?;
        let fragment = media::fragment::parse(&resource.media_head(), init)
            .map_err(|error| MediaFailure::Decode(error.to_string()))?;
        let (mut start, mut duration) = (fragment.presentation_start, fragment.duration);
        // Sound that is muxed with the picture has a track buffer of its own, which is not looked at here.
        for one in fragment.tracks.iter().filter(|_| fragment.tracks.len() > 1) {
            if let Some(track) = init.track(one.track_id).filter(|track| track.width.is_some()) {
                let shown = one.decode_time as i64 + one.earliest_composition;
                start = MediaTime::from_scaled(shown, track.timescale);
                duration = MediaTime::from_unsigned(one.duration, track.timescale);
            }
        }
        start = start + offset;
        let end = (start + duration).min(window.end);
        Ok(TimeRange { start: start.max(window.start), end })
    }

    /// Coded frame eviction: drops what lies behind the playhead, oldest first, until there is room.
    pub(super) fn evict(&mut self, position: MediaTime, wanted: u64, quota: u64) {
        let mut held: u64 = self.chunks.iter().map(|chunk| chunk.bytes).sum();
        while held + wanted > quota {
            let Some(first) = self.chunks.first().filter(|first| first.range.end < position) else {
                return;
            };
            held -= first.bytes;
            self.chunks.remove(0);
        }
    }

    /// `remove`: to the next random access point after the end of the span (MSE §3.5.9), which in
    /// pictures is the next segment and in sound the next frame.
    pub(super) fn remove(&mut self, span: TimeRange) {
        self.overwrite(span);
    }

    /// Frames that a span covers go, and with pictures those that depend on them: all that follow in
    /// their segment (MSE §3.5.8, step 1.15).
    fn overwrite(&mut self, span: TimeRange) {
        let (frame, kind) = (self.frame(), self.kind);
        let mut left = Vec::with_capacity(self.chunks.len() + 1);
        for chunk in self.chunks.drain(..) {
            if chunk.range.end <= span.start || span.end <= chunk.range.start {
                left.push(chunk);
                continue;
            }
            let before =
                TimeRange { start: chunk.range.start, end: chunk.range.end.min(span.start) };
            let after = match kind {
                MediaKind::Audio => {
                    let into = (span.end - chunk.range.start).max(MediaTime::ZERO).flicks();
                    let frames = (into + frame.flicks() - 1) / frame.flicks();
                    let start = chunk.range.start + frame.times(frames);
                    TimeRange { start, end: chunk.range.end }
                }
                _ => TimeRange { start: chunk.range.end, end: chunk.range.end },
            };
            for part in [before, after] {
                if part.duration() > MediaTime::ZERO {
                    let share = part.duration().seconds() / chunk.range.duration().seconds();
                    let bytes = (chunk.bytes as f64 * share) as u64;
                    left.push(Chunk { range: part, bytes, ..chunk.clone() });
                }
            }
        }
        self.chunks = left;
    }

    pub(super) fn end(&self) -> Option<MediaTime> {
        self.chunks.last().map(|chunk| chunk.range.end)
    }

    /// Frames that all but touch count as one range.
    fn touches(end: MediaTime, start: MediaTime) -> bool {
        start <= end + MediaTime::from_millis(20)
    }

    /// Where the range around `position` ends.
    pub(super) fn end_of_range(&self, position: MediaTime, fudge: MediaTime) -> Option<MediaTime> {
        let mut current: Option<TimeRange> = None;
        for chunk in &self.chunks {
            match &mut current {
                Some(range) if Self::touches(range.end, chunk.range.start) => {
                    range.end = range.end.max(chunk.range.end);
                }
                Some(range) if position < range.end => break,
                _ => current = Some(chunk.range),
            }
        }
        let around = |range: &TimeRange| range.start <= position + fudge && position < range.end;
        current.filter(around).map(|range| range.end)
    }

    pub(super) fn ranges(&self) -> Vec<TimeRange> {
        let mut ranges: Vec<TimeRange> = Vec::new();
        for chunk in &self.chunks {
            match ranges.last_mut() {
                Some(last) if Self::touches(last.end, chunk.range.start) => {
                    last.end = last.end.max(chunk.range.end);
                }
                _ => ranges.push(chunk.range),
            }
        }
        ranges
    }

    pub(super) fn is_damaged_at(&self, position: MediaTime) -> bool {
        self.chunks.iter().any(|chunk| {
            chunk.range.contains(position)
                && chunk.damaged_from.is_some_and(|from| from <= position)
        })
    }

    pub(super) fn next_damage(&self, position: MediaTime) -> Option<MediaTime> {
        self.chunks
            .iter()
            .filter_map(|chunk| chunk.damaged_from.map(|from| from.max(chunk.range.start)))
            .find(|from| *from > position)
    }
}
