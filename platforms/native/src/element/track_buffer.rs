//! The coded frames of one track, in presentation order, and the coded frame processing that keeps
//! them free of overlaps (Media Source Extensions §3.5).

use std::collections::BTreeMap;

use kinora_core::time::{MediaTime, TimeRange};

use super::mp4::Sample;

/// The coded frames of one track.
#[derive(Debug, Default)]
pub(super) struct TrackBuffer {
    frames: BTreeMap<MediaTime, Sample>,
    bytes: usize,
    /// Frames are dropped until the next random access point.
    started: bool,
    /// The last frame appended, and where those end that it goes on from: a coded frame group may come in many appends,
    /// each of frames that are shown before some of the append before.
    group: Option<(Sample, MediaTime)>,
}

impl TrackBuffer {
    /// Adds the frames of one append, in decoding order. They replace whatever was there before in
    /// the span they cover, but for what they go on from, together with the frames that cannot be decoded without it.
    pub(super) fn insert(&mut self, samples: Vec<Sample>, window: TimeRange) {
        let kept = self.trim(samples, window);
        for group in kept.chunk_by(continues) {
            let start = group.iter().map(|sample| sample.pts).min().unwrap_or_default();
            let end = group.iter().map(Sample::end).max().unwrap_or_default();
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let before = self.group.take().filter(|(before, _)| continues(before, first));
            let reached = before.map(|(_, reached)| reached);
            self.remove(TimeRange {
                start: reached.map_or(start, |reached| reached.max(start)),
                end,
            });
            if reached.is_none() {
                self.shorten_before(start);
            }
            self.group = Some((last.clone(), reached.map_or(end, |reached| reached.max(end))));
            for sample in group {
                self.bytes = self.bytes.saturating_add(sample.data.len());
                if let Some(replaced) = self.frames.insert(sample.pts, sample.clone()) {
                    self.bytes = self.bytes.saturating_sub(replaced.data.len());
                }
            }
        }
    }

    /// Drops what lies outside the append window, and what follows it without a random access
    /// point. Sound is cut to the window, because its frames do not align with those of the picture.
    fn trim(&mut self, samples: Vec<Sample>, window: TimeRange) -> Vec<Sample> {
        let mut kept = Vec::with_capacity(samples.len());
        for mut sample in samples {
            let audio = sample.track.codec.is_audio();
            if audio && window.contains(sample.pts) {
                sample.duration = sample.duration.min(window.end - sample.pts);
            }
            if sample.pts < window.start || sample.end() > window.end {
                self.started = false;
                continue;
            }
            self.started |= sample.sync;
            if self.started {
                kept.push(sample);
            }
        }
        kept
    }

    /// Drops the frames that start inside `range`, and those after it that need one of them.
    pub(super) fn remove(&mut self, range: TimeRange) {
        if range.start >= range.end {
            return;
        }
        let mut doomed: Vec<_> =
            self.frames.range(range.start..range.end).map(|(pts, _)| *pts).collect();
        if !doomed.is_empty() {
            let dependent = self.frames.range(range.end..).take_while(|(_, frame)| !frame.sync);
            doomed.extend(dependent.map(|(pts, _)| *pts));
        }
        for pts in doomed {
            if let Some(frame) = self.frames.remove(&pts) {
                self.bytes = self.bytes.saturating_sub(frame.data.len());
            }
        }
    }

    /// Ends the frame on show at `time` there.
    fn shorten_before(&mut self, time: MediaTime) {
        if let Some((_, frame)) = self.frames.range_mut(..time).next_back()
            && frame.end() > time
        {
            frame.duration = time - frame.pts;
        }
    }

    /// The frames on show during `range`, in presentation order.
    pub(super) fn shown_in(&self, range: TimeRange) -> impl Iterator<Item = &Sample> {
        let before = self.frames.range(..range.start).next_back().map(|(_, frame)| frame);
        let within = self.frames.range(range.start..range.end.max(range.start));
        before
            .filter(move |frame| frame.end() > range.start)
            .into_iter()
            .chain(within.map(|(_, frame)| frame))
    }

    /// The spans covered. Frames count as adjacent up to twice a frame's duration apart, since
    /// timestamps are rounded.
    pub(super) fn ranges(&self) -> Vec<TimeRange> {
        let mut ranges: Vec<TimeRange> = Vec::new();
        for frame in self.frames.values() {
            match ranges.last_mut() {
                Some(last) if frame.pts - last.end <= frame.duration.times(2) => {
                    last.end = last.end.max(frame.end());
                }
                _ => ranges.push(TimeRange { start: frame.pts, end: frame.end() }),
            }
        }
        ranges
    }

    /// Bytes of all frames.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether `next` follows `sample` without a discontinuity (the coded frame processing algorithm
/// allows twice the last frame's duration).
fn continues(sample: &Sample, next: &Sample) -> bool {
    next.dts >= sample.dts && next.dts - sample.dts <= sample.duration.times(2)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::drm::KeyRing;
    use crate::element::mp4;

    /// The frames of a segment, in decoding order: some are shown before what is decoded before them.
    fn frames(segment: &'static [u8]) -> Vec<Sample> {
        let (keys, init) = (KeyRing::default(), include_bytes!("../../tests/media/low-init.mp4"));
        let tracks = mp4::parse(&Bytes::from_static(init), &[], &keys).expect("it is sound").init;
        let parsed = mp4::parse(&Bytes::from_static(segment), &tracks.unwrap_or_default(), &keys);
        parsed.expect("it is sound").samples
    }

    #[test]
    fn a_group_of_frames_may_come_in_many_appends() {
        let window = TimeRange { start: MediaTime::ZERO, end: MediaTime::MAX };
        let old = frames(include_bytes!("../../tests/media/low-0.m4s"));
        let reordered = |frames: &[Sample]| frames.windows(2).any(|two| two[1].pts < two[0].pts);
        assert!(reordered(&old));
        for piece in [1, 2, 3, 7] {
            let mut buffer = TrackBuffer::default();
            // Over what lay there before, which none of it goes on from.
            for frames in [old.clone(), old[..20].to_vec()] {
                for piece in frames.chunks(piece) {
                    buffer.insert(piece.to_vec(), window);
                }
                let mut whole = TrackBuffer::default();
                whole.insert(frames, window);
                let times = |buffer: &TrackBuffer| {
                    let frames = buffer.frames.values();
                    frames.map(|frame| (frame.pts, frame.duration)).collect::<Vec<_>>()
                };
                assert_eq!(times(&buffer), times(&whole), "{piece} at a time");
                assert_eq!(buffer.bytes(), whole.bytes());
            }
        }
    }
}
