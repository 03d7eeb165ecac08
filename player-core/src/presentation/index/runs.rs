//! When segments play that come in runs of equal length.

use crate::time::{FLICKS_PER_SECOND, MediaTime};

/// Numbers and times of segments, as runs of equal duration. Representations that play at the same
/// times share one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timeline {
    timescale: u32,
    /// The media time, in units of the timescale, that the period begins with.
    origin: u64,
    /// The period on the presentation timeline; segments are cut to it.
    period_start: MediaTime,
    period_end: MediaTime,
    runs: Vec<Placed>,
}

/// `count` segments of `duration` each, in units of the timescale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// Number of the first.
    pub(crate) number: u64,
    /// Media time of the first.
    pub(crate) time: u64,
    /// Duration of each; never 0.
    pub(crate) duration: u64,
    /// How many; never 0.
    pub(crate) count: u64,
}

impl Run {
    /// Media time after the last.
    pub(crate) fn end(&self) -> u64 {
        self.time.saturating_add(self.duration.saturating_mul(self.count))
    }
}

/// One segment of a [`Timeline`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) number: u64,
    /// Media time, in units of the timescale.
    pub(crate) time: u64,
    /// On the presentation timeline, cut to the period.
    pub(crate) start: MediaTime,
    pub(crate) end: MediaTime,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Placed {
    /// Position of the run's first segment in the index.
    position: usize,
    run: Run,
}

impl Timeline {
    /// No runs yet. `period_end` may be [`MediaTime::MAX`].
    pub(crate) fn new(
        timescale: u32,
        origin: u64,
        period_start: MediaTime,
        period_end: MediaTime,
    ) -> Self {
        Self { timescale, origin, period_start, period_end, runs: Vec::new() }
    }

    /// Adds a run after all others, less what lies outside the period or is too short to have a
    /// length on the presentation timeline. The caller sees to it that it does not begin before
    /// the end of the last.
    pub(crate) fn push(&mut self, mut run: Run) {
        if run.duration == 0 {
            return;
        }
        // What ends before the period begins is not part of it.
        if run.time < self.origin {
            let before = ((self.origin - run.time) / run.duration).min(run.count);
            run.number = run.number.saturating_add(before);
            run.time = run.time.saturating_add(before.saturating_mul(run.duration));
            run.count -= before;
        }
        // Nor what begins after it ends, or after presentation time does, if the period is open. The
        // first estimate may be a little too high, because times round.
        let span = self.media_ticks(self.period_end).saturating_sub(run.time);
        run.count = run.count.min((span / run.duration).saturating_add(2));
        while let Some(before_last) = run.count.checked_sub(1) {
            let last = run.time.saturating_add(before_last.saturating_mul(run.duration));
            if self.time_of(last) < self.period_end {
                break;
            }
            run.count = before_last;
        }
        // 64-bit media times end somewhere, too.
        run.count = run.count.min((u64::MAX - run.time) / run.duration);
        let position = self.len();
        run.count = run.count.min((usize::MAX - position) as u64);
        if run.count == 0 || self.time_of(run.time) >= self.time_of(run.end()) {
            return;
        }
        match self.runs.last_mut() {
            Some(Placed { run: last, .. })
                if last.end() == run.time
                    && last.duration == run.duration
                    && last.number.saturating_add(last.count) == run.number =>
            {
                last.count += run.count;
            }
            _ => self.runs.push(Placed { position, run }),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.last().map_or(0, |last| last.position + last.run.count as usize)
    }

    pub(super) fn get(&self, position: usize) -> Option<Moment> {
        let (number, time, duration) = self.ticks(position)?;
        let (start, end) = self.place(time, duration);
        Some(Moment { number, time, start, end })
    }

    /// Every segment, in order.
    pub(crate) fn moments(&self) -> impl Iterator<Item = Moment> + '_ {
        (0..self.len()).map_while(|position| self.get(position))
    }

    /// Start and end of a segment.
    pub(super) fn span(&self, position: usize) -> Option<(MediaTime, MediaTime)> {
        let (_, time, duration) = self.ticks(position)?;
        Some(self.place(time, duration))
    }

    pub(super) fn position_at(&self, time: MediaTime) -> Option<usize> {
        let following = self.runs.partition_point(|placed| self.time_of(placed.run.time) <= time);
        let Some(placed) = following.checked_sub(1).and_then(|index| self.runs.get(index)) else {
            return (!self.runs.is_empty()).then_some(0);
        };
        let run = placed.run;
        let inside = self.media_ticks(time).saturating_sub(run.time) / run.duration;
        let inside = inside.min(run.count - 1) as usize;
        // Times round to flicks, so the estimate may be one off either way.
        let mut position = placed.position + inside;
        if position > placed.position && self.span(position).is_some_and(|(start, _)| start > time)
        {
            position -= 1;
        }
        while self.span(position)?.1 <= time {
            position += 1;
        }
        Some(position)
    }

    /// Number, media time and duration of a segment.
    fn ticks(&self, position: usize) -> Option<(u64, u64, u64)> {
        let following = self.runs.partition_point(|placed| placed.position <= position);
        let placed = self.runs.get(following.checked_sub(1)?)?;
        let inside = (position - placed.position) as u64;
        let run = placed.run;
        (inside < run.count).then(|| {
            let time = run.time + inside * run.duration;
            (run.number.saturating_add(inside), time, run.duration)
        })
    }

    /// Where a segment begins and ends, cut to the period.
    fn place(&self, time: u64, duration: u64) -> (MediaTime, MediaTime) {
        let start = self.time_of(time).max(self.period_start);
        let end = self.time_of(time.saturating_add(duration)).min(self.period_end);
        (start, end.max(start))
    }

    fn time_of(&self, ticks: u64) -> MediaTime {
        let relative = i128::from(ticks) - i128::from(self.origin);
        let timescale = i128::from(self.timescale.max(1));
        // Whole seconds apart, so that 64-bit times neither overflow nor all look alike.
        let seconds = (relative / timescale).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let rest = (relative % timescale) as i64;
        self.period_start
            + (MediaTime::from_secs(seconds) + MediaTime::from_scaled(rest, self.timescale))
    }

    /// The media time of a presentation time, rounded down.
    fn media_ticks(&self, time: MediaTime) -> u64 {
        let relative = i128::from((time - self.period_start).flicks());
        let ticks = (relative * i128::from(self.timescale.max(1)))
            .div_euclid(i128::from(FLICKS_PER_SECOND));
        (ticks + i128::from(self.origin)).clamp(0, u64::MAX.into()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn runs(timescale: u32, origin: u64, start: MediaTime, end: MediaTime) -> Timeline {
        Timeline::new(timescale, origin, start, end)
    }

    fn run(number: u64, time: u64, duration: u64, count: u64) -> Run {
        Run { number, time, duration, count }
    }

    #[test]
    fn a_run_is_cut_to_its_period() {
        let mut runs = runs(10, 100, MediaTime::from_secs(5), MediaTime::from_secs(9));
        // 80..220 in media time; the period is 100..140 of it.
        runs.push(run(1, 80, 15, 10));
        let spans: Vec<_> = (0..runs.len()).filter_map(|position| runs.get(position)).collect();
        let brief: Vec<_> = spans
            .iter()
            .map(|s| (s.number, s.start.to_string(), (s.end - s.start).to_string()))
            .collect();
        assert_eq!(
            brief,
            [
                (2, "5.000".into(), "1.000".into()),
                (3, "6.000".into(), "1.500".into()),
                (4, "7.500".into(), "1.500".into()),
            ]
        );
    }

    #[test]
    fn runs_that_go_on_alike_are_one() {
        let mut runs = runs(1, 0, MediaTime::ZERO, MediaTime::MAX);
        runs.push(run(1, 0, 2, 3));
        runs.push(run(4, 6, 2, 2));
        assert_eq!(runs.runs.len(), 1);
        assert_eq!(runs.len(), 5);
    }

    #[test]
    fn a_gap_belongs_to_what_follows() {
        let mut runs = runs(1, 0, MediaTime::ZERO, MediaTime::MAX);
        runs.push(run(1, 10, 2, 2));
        runs.push(run(3, 20, 2, 1));
        let at = |seconds| runs.position_at(MediaTime::from_secs(seconds));
        assert_eq!([at(0), at(10), at(11), at(12)], [Some(0), Some(0), Some(0), Some(1)]);
        assert_eq!([at(14), at(19), at(20), at(22)], [Some(2), Some(2), Some(2), None]);
    }

    #[test]
    fn sixty_four_bit_times_are_exact() {
        let start = u64::MAX - 100;
        let mut runs = runs(10_000_000, start, MediaTime::ZERO, MediaTime::MAX);
        runs.push(run(u64::MAX - 1, start, 20, 1000));
        assert_eq!(runs.len(), 5);
        assert_eq!(runs.get(4).map(|s| s.start), Some(MediaTime::from_scaled(80, 10_000_000)));
    }

    proptest! {
        #[test]
        fn positions_and_times_agree(
            timescale in 1u32..100_000,
            origin in 0u64..1000,
            parts in proptest::collection::vec((0u64..50, 1u64..5000, 1u64..20), 1..6),
            end in proptest::option::of(0i64..3_000_000_000),
        ) {
            let end = end.map_or(MediaTime::MAX, MediaTime::from_flicks);
            let mut runs = runs(timescale, origin, MediaTime::ZERO, end);
            let mut time = 0;
            for (number, (gap, duration, count)) in parts.into_iter().enumerate() {
                time += gap;
                runs.push(run(number as u64 * 100, time, duration, count));
                time += duration * count;
            }
            let mut previous = MediaTime::ZERO;
            for position in 0..runs.len() {
                let segment = runs.get(position).ok_or_else(|| TestCaseError::fail("missing"))?;
                prop_assert!(segment.start >= previous);
                prop_assert!(segment.end > segment.start);
                prop_assert!(segment.end <= end);
                previous = segment.end;
                prop_assert_eq!(runs.position_at(segment.start), Some(position));
                let last = segment.end - MediaTime::from_flicks(1);
                prop_assert_eq!(runs.position_at(last), Some(position));
            }
            prop_assert_eq!(runs.get(runs.len()), None);
            prop_assert_eq!(runs.position_at(previous.max(MediaTime::from_flicks(1))), None);
        }
    }
}
