//! The player's picture of one platform buffer: what it was given, and what it says it holds.

use super::Key;
use crate::io::{OperationId, Quality};
use crate::time::{MediaTime, TimeRange};

/// Segments are listed with the times of the manifest, and media may differ from them by a frame or
/// two; holes up to this size are no holes.
pub(crate) const TOLERANCE: MediaTime = MediaTime::from_millis(100);

/// A segment that the buffer was given.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Where the manifest says that it lies.
    pub(crate) range: TimeRange,
    /// Where its media lies.
    pub(crate) media: TimeRange,
    pub(crate) key: Key,
    /// Size of its body.
    pub(crate) bytes: u64,
    pub(crate) quality: Quality,
    pub(crate) cause: kinora_abr::Cause,
}

/// The player's picture of one platform buffer.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// The operation under way; MSE allows one at a time for each buffer.
    pub(crate) busy: Option<OperationId>,
    ranges: Vec<TimeRange>,
    held: Vec<Held>,
}

impl Buffer {
    /// Takes the platform's word for what it holds, and forgets segments that it dropped.
    pub(crate) fn update(&mut self, ranges: Vec<TimeRange>) {
        self.ranges = ranges;
        let ranges = &self.ranges;
        self.held.retain(|held| covered(ranges, &held.media));
    }

    /// The same after a segment was appended: what follows it may be gone, as its last frame may reach into the next
    /// segment and take that one's key frame away, and all that depends on it (MSE §3.5.8). The first that is gone.
    pub(crate) fn update_after(
        &mut self,
        appended: TimeRange,
        ranges: Vec<TimeRange>,
    ) -> Option<TimeRange> {
        let follows = |range: &TimeRange| {
            range.start > appended.start && range.start + TOLERANCE >= appended.end
        };
        let mut held = self.held.iter();
        let lost = held.find(|held| follows(&held.range) && !covered(&ranges, &held.media));
        let lost = lost.map(|held| held.range);
        self.update(ranges);
        lost
    }

    /// The first segment from the playhead on that is not in these ranges any more.
    pub(crate) fn first_lost(
        &self,
        ranges: &[TimeRange],
        playhead: MediaTime,
    ) -> Option<TimeRange> {
        let lost = |held: &&Held| held.media.end > playhead && !covered(ranges, &held.media);
        self.held.iter().find(lost).map(|held| held.range)
    }

    /// What lies there is on its way out: nobody is to count on it.
    pub(crate) fn leave(&mut self, range: TimeRange) {
        let mut left = Vec::with_capacity(self.ranges.len());
        for held in &self.ranges {
            let before = TimeRange { end: held.end.min(range.start), ..*held };
            let after = TimeRange { start: held.start.max(range.end), ..*held };
            left.extend([before, after].into_iter().filter(|part| part.start < part.end));
        }
        self.update(left);
    }

    /// Forgets what the manifest lists from a time on and its media has elsewhere.
    pub(crate) fn forget_misplaced(&mut self, from: MediaTime) {
        self.held
            .retain(|held| held.range.start < from || held.media.contains(middle(&held.range)));
    }

    /// Notes a segment that was appended, over whatever lay there before.
    pub(crate) fn hold(&mut self, segment: Held) {
        self.held.retain(|held| !segment.range.contains(middle(&held.range)));
        let position = self.held.partition_point(|held| held.range.start < segment.range.start);
        self.held.insert(position, segment);
    }

    pub(crate) fn ranges(&self) -> &[TimeRange] {
        &self.ranges
    }

    /// The segments it was given and still has, in order.
    pub(crate) fn held(&self) -> &[Held] {
        &self.held
    }

    /// Representations are elsewhere now.
    pub(crate) fn rename(&mut self, rename: impl Fn(Key) -> Key) {
        for held in &mut self.held {
            held.key = rename(held.key);
        }
    }

    /// The segment shown at `time`.
    pub(crate) fn held_at(&self, time: MediaTime) -> Option<&Held> {
        self.held.iter().rev().find(|held| held.range.contains(time))
    }

    /// Where the media that lies at `time`, or begins at most [`TOLERANCE`] later, ends.
    pub(crate) fn end_of_range(&self, time: MediaTime) -> Option<MediaTime> {
        self.ranges
            .iter()
            .find(|range| range.start <= time + TOLERANCE && time < range.end)
            .map(|range| range.end)
    }

    /// Where the manifest says that media ends, which in truth ends at `end`.
    pub(crate) fn listed(&self, end: MediaTime) -> MediaTime {
        let last = self.held.iter().rfind(|held| held.media.start < end);
        let ends = last.filter(|held| (held.media.end - end).abs() <= TOLERANCE);
        ends.map_or(end, |held| held.range.end)
    }

    /// Whether media lies at `time` itself and for so long after it, without a hole.
    pub(crate) fn holds(&self, time: MediaTime, after: MediaTime) -> bool {
        self.ranges.iter().any(|range| range.start <= time && time + after < range.end)
    }

    /// Start of the first range after `time`.
    pub(crate) fn next_range(&self, time: MediaTime) -> Option<MediaTime> {
        self.ranges.iter().map(|range| range.start).find(|start| *start > time)
    }

    /// The part at the front that may be dropped so that what lies after `keep_from` stays, cut at a
    /// segment boundary so that the frames around the playhead stay decodable.
    pub(crate) fn droppable(&self, keep_from: MediaTime) -> Option<TimeRange> {
        let start = self.ranges.first()?.start;
        let last = self.held.iter().rfind(|held| held.media.start <= keep_from)?.media;
        let within = self.ranges.iter().any(|range| range.contains(keep_from));
        // Media may reach a little beyond what the manifest says, so between segments all goes.
        let end = match last.end <= keep_from {
            true if within => last.end,
            true => keep_from,
            false => last.start,
        };
        (end - start > TOLERANCE).then_some(TimeRange { start, end })
    }

    /// Media far ahead that playback does not reach without a hole, as a seek back leaves it.
    pub(crate) fn detached(&self, playhead: MediaTime) -> Option<TimeRange> {
        let last = self.ranges.last()?;
        let reached = self.end_of_range(playhead).unwrap_or(playhead + TOLERANCE);
        (last.start > reached).then_some(*last)
    }
}

fn middle(range: &TimeRange) -> MediaTime {
    MediaTime::from_flicks(range.start.flicks() / 2 + range.end.flicks() / 2)
}

fn covered(ranges: &[TimeRange], segment: &TimeRange) -> bool {
    let quarter = MediaTime::from_flicks(segment.duration().flicks() / 4);
    let slack = quarter.min(MediaTime::from_millis(300));
    ranges
        .iter()
        .any(|range| range.start <= segment.start + slack && segment.end - slack <= range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: i64, end: i64) -> TimeRange {
        TimeRange { start: MediaTime::from_secs(start), end: MediaTime::from_secs(end) }
    }

    fn held(start: i64, end: i64, id: &str) -> Held {
        Held {
            range: range(start, end),
            media: range(start, end),
            key: Key { period: 0, set: 0, representation: 0 },
            bytes: 1_000,
            quality: Quality {
                id: id.to_owned(),
                bandwidth: 1,
                width: None,
                height: None,
                codecs: String::new(),
            },
            cause: kinora_abr::Cause::Startup,
        }
    }

    fn three_segments() -> Buffer {
        let mut buffer = Buffer::default();
        for (start, id) in [(0, "a"), (2, "b"), (4, "c")] {
            buffer.hold(held(start, start + 2, id));
        }
        buffer.update(vec![range(0, 6)]);
        buffer
    }

    #[test]
    fn a_later_append_replaces_what_it_covers() {
        let mut buffer = three_segments();
        buffer.hold(held(2, 4, "better"));
        assert_eq!(buffer.held_at(MediaTime::from_secs(3)).unwrap().quality.id, "better");
        assert_eq!(buffer.held_at(MediaTime::from_secs(5)).unwrap().quality.id, "c");
    }

    #[test]
    fn segments_the_platform_dropped_are_forgotten() {
        let mut buffer = three_segments();
        buffer.update(vec![range(3, 6)]);
        assert!(buffer.held_at(MediaTime::from_secs(1)).is_none());
        assert!(buffer.held_at(MediaTime::from_millis(3500)).is_none());
        assert!(buffer.held_at(MediaTime::from_secs(5)).is_some());
    }

    #[test]
    fn a_manifest_that_is_wrong_by_half_a_second_makes_nobody_forget_what_is_held() {
        let mut buffer = Buffer::default();
        for start in [0, 2, 4] {
            let mut segment = held(start, start + 2, "a");
            for edge in [&mut segment.range.start, &mut segment.range.end] {
                *edge = *edge + MediaTime::from_millis(500);
            }
            buffer.hold(segment);
        }
        buffer.update(vec![range(0, 6)]);
        assert_eq!(buffer.held().len(), 3);
        // Cut where a segment of the media ends.
        assert_eq!(buffer.droppable(MediaTime::from_millis(4_200)), Some(range(0, 4)));
    }

    #[test]
    fn what_an_append_takes_from_those_that_follow_is_named() {
        let mut buffer = three_segments();
        assert_eq!(buffer.update_after(range(0, 2), vec![range(0, 6)]), None);
        assert_eq!(
            buffer.update_after(range(0, 2), vec![range(0, 2), range(4, 6)]),
            Some(range(2, 4))
        );
        assert_eq!(buffer.held().len(), 2);
        // What it was not appended before is another matter.
        assert_eq!(buffer.update_after(range(4, 6), vec![range(4, 6)]), None);
    }

    #[test]
    fn what_is_lost_before_it_was_shown_is_named_and_what_was_shown_is_not() {
        let buffer = three_segments();
        let lost = |ranges: &[TimeRange], playhead| {
            buffer.first_lost(ranges, MediaTime::from_millis(playhead))
        };
        assert_eq!(lost(&[range(0, 6)], 0), None);
        assert_eq!(lost(&[range(0, 2)], 0), Some(range(2, 4)));
        assert_eq!(lost(&[range(4, 6)], 2_500), Some(range(2, 4)), "the playhead is in it");
        assert_eq!(lost(&[range(4, 6)], 4_000), None);
        assert_eq!(lost(&[], 5_000), Some(range(4, 6)));
    }

    #[test]
    fn what_is_on_its_way_out_is_not_counted_on() {
        let mut buffer = three_segments();
        buffer.leave(range(2, 4));
        assert_eq!(buffer.ranges(), [range(0, 2), range(4, 6)]);
        assert!(buffer.held_at(MediaTime::from_secs(3)).is_none());
        assert!(buffer.held_at(MediaTime::from_secs(5)).is_some());
        buffer.leave(range(0, 100));
        assert_eq!((buffer.ranges().len(), buffer.held().len()), (0, 0));
    }

    #[test]
    fn only_whole_segments_behind_are_droppable() {
        let buffer = three_segments();
        assert_eq!(buffer.droppable(MediaTime::from_secs(3)), Some(range(0, 2)));
        assert_eq!(buffer.droppable(MediaTime::from_secs(1)), None);
    }

    #[test]
    fn what_a_seek_left_behind_goes_whole() {
        let mut buffer = three_segments();
        buffer.hold(held(100, 102, "d"));
        buffer.update(vec![range(0, 6), range(100, 102)]);
        assert_eq!(buffer.droppable(MediaTime::from_secs(50)), Some(range(0, 50)));
        assert_eq!(buffer.droppable(MediaTime::from_secs(101)), Some(range(0, 100)));
    }

    #[test]
    fn what_lies_beyond_a_hole_is_detached() {
        let mut buffer = three_segments();
        assert_eq!(buffer.detached(MediaTime::from_secs(1)), None);
        buffer.update(vec![range(0, 6), range(100, 102)]);
        assert_eq!(buffer.detached(MediaTime::from_secs(1)), Some(range(100, 102)));
        assert_eq!(buffer.detached(MediaTime::from_secs(50)), Some(range(100, 102)));
        assert_eq!(buffer.detached(MediaTime::from_secs(100)), None);
    }
}
