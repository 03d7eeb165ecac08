//! Where a stream rests: segments in which there is nothing of it. One of sound alone may be the last of a film, and sound
//! may be missing for a while.

use super::TOLERANCE;
use crate::time::{MediaTime, TimeRange};

/// After so many in a row it is no rest: what is wanted is not there.
const MOST_IN_A_ROW: u32 = 4;
/// So many are known at once, the last ones.
const MOST: usize = 32;

/// The segments that turned out to be empty.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// In order.
    known: Vec<TimeRange>,
    in_a_row: u32,
}

impl Rests {
    /// Whether one more may be passed over.
    pub(super) fn may_go_on(&self) -> bool {
        self.in_a_row < MOST_IN_A_ROW
    }

    /// Whether this segment is known to be empty: to come by it again is no news.
    pub(super) fn contain(&self, segment: TimeRange) -> bool {
        self.known.contains(&segment)
    }

    /// There is nothing in this segment.
    pub(super) fn add(&mut self, segment: TimeRange) {
        if self.contain(segment) {
            return;
        }
        self.in_a_row += 1;
        if self.known.len() >= MOST {
            crate::items::take(&mut self.known, 0);
        }
        let place = self.known.partition_point(|rest| rest.start < segment.start);
        crate::items::put(&mut self.known, place, segment);
    }

    /// There is something in a segment.
    pub(super) fn end(&mut self) {
        self.in_a_row = 0;
    }

    /// Whether there is nothing but rests between two times.
    pub(super) fn cover(&self, from: MediaTime, to: MediaTime) -> bool {
        let mut at = from;
        for rest in &self.known {
            if rest.start <= at + TOLERANCE {
                at = at.max(rest.end);
            }
        }
        at + TOLERANCE >= to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_follow_one_another_and_do_not_last() {
        let second = MediaTime::from_secs;
        let mut rests = Rests::default();
        for start in [4, 2] {
            assert!(rests.may_go_on());
            rests.add(TimeRange { start: second(start), end: second(start + 2) });
        }
        assert!(rests.cover(second(4), second(6)) && !rests.cover(second(4), second(8)));
        assert!(!rests.cover(second(0), second(6)));
        rests.add(TimeRange { start: second(6), end: second(8) });
        assert!(rests.cover(second(3), second(8)));
        rests.add(TimeRange { start: second(8), end: second(10) });
        assert!(!rests.may_go_on());
        rests.end();
        for _ in 0..MOST_IN_A_ROW {
            rests.add(TimeRange { start: second(8), end: second(10) });
        }
        assert!(rests.may_go_on(), "the same one again and again is one rest");
        assert!(rests.may_go_on());
    }
}
