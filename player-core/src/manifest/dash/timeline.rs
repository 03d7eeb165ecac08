//! Segment timelines (ISO/IEC 23009-1 §5.3.9.6).

use crate::manifest::{WarningCode, Warnings};
use crate::presentation::index::Run;

/// An `S` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct S {
    /// `@t`.
    pub(super) time: Option<u64>,
    /// `@n`.
    pub(super) number: Option<u64>,
    /// `@d`; never 0.
    pub(super) duration: u64,
    /// `@r`; negative: up to the next `S` or the end of the period.
    pub(super) repeat: i64,
}

/// The runs that a timeline stands for, rising and without overlaps. `end` is the media time that
/// the period ends with, if it is known.
pub(super) fn runs(
    timeline: &[S],
    start_number: u64,
    end: Option<u64>,
    line: u64,
    warnings: &mut Warnings,
) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::with_capacity(timeline.len());
    let (mut time, mut number) = (0u64, start_number);
    let mut overlaps = false;
    for (position, s) in timeline.iter().enumerate() {
        number = s.number.unwrap_or(number);
        let start = s.time.unwrap_or(time);
        if start < time {
            overlaps = true;
            cut(&mut runs, start);
        }
        let count = match u64::try_from(s.repeat) {
            Ok(repeat) => repeat.saturating_add(1),
            Err(_) => {
                let next = timeline.get(position + 1);
                let until = match next {
                    Some(next) => next.time,
                    None => end,
                };
                match until {
                    Some(until) => until.saturating_sub(start).div_ceil(s.duration).max(1),
                    None => {
                        warnings.add(
                            line,
                            WarningCode::Missing,
                            "S@r is -1, but nothing says where it ends",
                        );
                        1
                    }
                }
            }
        };
        let run = Run { number, time: start, duration: s.duration, count };
        time = run.end();
        number = number.saturating_add(count);
        runs.push(run);
    }
    if overlaps {
        warnings.add(
            line,
            WarningCode::Overlap,
            "segments of the SegmentTimeline overlap; the later ones count",
        );
    }
    runs
}

/// Takes away what lies at or after `time`.
fn cut(runs: &mut Vec<Run>, time: u64) {
    while let Some(last) = runs.pop() {
        if last.time >= time {
            continue;
        }
        let before = time - last.time;
        let whole = (before / last.duration).min(last.count);
        if whole > 0 {
            runs.push(Run { count: whole, ..last });
        }
        let rest = before % last.duration;
        if whole < last.count && rest > 0 {
            runs.push(Run {
                number: last.number.saturating_add(whole),
                time: time - rest,
                duration: rest,
                count: 1,
            });
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(time: Option<u64>, duration: u64, repeat: i64) -> S {
        S { time, number: None, duration, repeat }
    }

    fn expand(timeline: &[S], end: Option<u64>) -> (Vec<(u64, u64, u64, u64)>, usize) {
        let mut warnings = Warnings::default();
        let runs = runs(timeline, 1, end, 1, &mut warnings);
        let brief =
            runs.iter().map(|run| (run.number, run.time, run.duration, run.count)).collect();
        (brief, warnings.with(()).warnings.len())
    }

    #[test]
    fn times_and_numbers_go_on() {
        let timeline = [s(Some(10), 5, 2), s(None, 4, 0), s(Some(40), 5, 0)];
        assert_eq!(expand(&timeline, None), (vec![(1, 10, 5, 3), (4, 25, 4, 1), (5, 40, 5, 1)], 0));
        assert_eq!(expand(&[s(None, 5, 0)], None).0, [(1, 0, 5, 1)]);
        let numbered = [S { number: Some(9), ..s(None, 5, 1) }, s(None, 5, 0)];
        assert_eq!(expand(&numbered, None).0, [(9, 0, 5, 2), (11, 10, 5, 1)]);
    }

    #[test]
    fn open_repetitions_end_with_the_next_or_the_period() {
        let timeline = [s(Some(0), 5, -1), s(Some(23), 5, -1)];
        assert_eq!(
            expand(&timeline, Some(40)),
            (vec![(1, 0, 5, 4), (5, 20, 3, 1), (6, 23, 5, 4)], 1)
        );
        assert_eq!(expand(&[s(Some(0), 5, -1)], Some(40)), (vec![(1, 0, 5, 8)], 0));
        assert_eq!(expand(&[s(Some(0), 5, -1)], None), (vec![(1, 0, 5, 1)], 1));
        assert_eq!(expand(&[s(Some(50), 5, -1)], Some(40)), (vec![(1, 50, 5, 1)], 0));
    }

    #[test]
    fn of_overlapping_segments_the_later_count() {
        let timeline = [s(Some(0), 10, 3), s(Some(39), 10, 0), s(Some(15), 10, 0)];
        assert_eq!(
            expand(&timeline, None),
            (vec![(1, 0, 10, 1), (2, 10, 5, 1), (6, 15, 10, 1)], 1)
        );
        assert_eq!(expand(&[s(Some(9), 1, 0), s(Some(0), 1, 0)], None).0, [(2, 0, 1, 1)]);
    }

    proptest! {
        #[test]
        fn runs_never_overlap(
            timeline in proptest::collection::vec(
                (proptest::option::of(prop_oneof![0u64..100, any::<u64>()]), prop_oneof![1u64..20, 1u64..], -2i64..9)
                    .prop_map(|(time, duration, repeat)| s(time, duration, repeat)),
                0..12,
            ),
            end in proptest::option::of(any::<u64>()),
        ) {
            let runs = runs(&timeline, u64::MAX - 3, end, 1, &mut Warnings::default());
            for pair in runs.windows(2) {
                prop_assert!(pair[0].end() <= pair[1].time);
            }
            prop_assert!(runs.iter().all(|run| run.count > 0 && run.duration > 0));
        }
    }
}
