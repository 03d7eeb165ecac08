//! Segment timelines (ISO/IEC 23009-1 §5.3.9.6).

use super::runs::{List, S};
use crate::manifest::{WarningCode, Warnings};
use crate::presentation::index::{Run, Timeline};

/// Adds the runs that a timeline stands for, rising and without overlaps. `end` is the media time
/// that the period ends with, if it is known.
pub(super) fn runs(
    list: &List,
    start_number: u64,
    end: Option<u64>,
    at: u64,
    warnings: &mut Warnings,
    push: &mut dyn FnMut(Run),
) {
    if !rises(list, 0, 0) {
        warnings.add(
            at,
            WarningCode::Overlap,
            "segments of the SegmentTimeline overlap; the later ones count",
        );
    }
    let mut cursor = Cursor { time: 0, number: start_number, made: 0 };
    // Nothing can be taken back once it is pushed.
    let mut runs = Vec::with_capacity(list.s.len());
    for (position, s) in list.s.iter().enumerate() {
        if s.time < cursor.time {
            cut(&mut runs, s.time);
        }
        cursor.run(list, position, end, at, warnings, &mut |run| runs.push(run));
    }
    runs.into_iter().for_each(push);
}

/// As [`runs`], where an earlier state of the timeline ended with some of them, which are taken
/// over. Says whether segments have the times they had, and, if that matters, the numbers. None if it
/// does not go on from the earlier state; then nothing has been done.
#[inline(never)]
#[expect(clippy::too_many_arguments)]
pub(super) fn continued(
    list: &List,
    start_number: u64,
    end: Option<u64>,
    at: u64,
    warnings: &mut Warnings,
    timeline: &mut Timeline,
    before: &Timeline,
    numbered: bool,
) -> Option<bool> {
    let (first, count) = list.kept?;
    let last = first + count;
    let kept = list.s.get(first..last)?;
    // What says when it begins stays there, whatever has come before it.
    let stated = kept.iter().position(|s| s.time != S::CONTINUED);
    let first = first + stated.unwrap_or(0);
    // An open repetition depends on what follows it, and a number that is stated not on what has gone.
    let plain = |s: &S| s.rare == 0 && s.repeat >= 0;
    if !list.s.iter().take(last).all(plain) {
        return None;
    }
    let mut cursor = Cursor { time: 0, number: start_number, made: 0 };
    let mut head = Vec::new();
    for position in 0..first {
        cursor.run(list, position, end, at, warnings, &mut |run| head.push(run));
    }
    match stated {
        Some(_) => cursor.time = list.s.get(first)?.time,
        // Where none says so, all are where they were if they end where they did; which is not known of
        // what the end of the period may have cut.
        None => {
            let reach = reach(kept, cursor.time);
            if reach != before.end()? || end.is_some_and(|end| reach >= end) {
                return None;
            }
        }
    }
    let (number, _) = before.at(cursor.time)?;
    let moved = cursor.number.wrapping_sub(number);
    let same =
        |run: &Run| before.at(run.time).is_some_and(|(_, duration)| duration == run.duration);
    let same = (moved == 0 || !numbered) && head.iter().all(same);
    // What goes back may reach into what is kept, and what has gone may have done so.
    if !rises(list, 0, 0) {
        return None;
    }
    head.into_iter().for_each(|run| timeline.push(run));
    let run = timeline.splice(before, cursor.time, moved)?;
    let number = run.number.saturating_add(run.count);
    let mut cursor = Cursor { time: run.end(), number, made: 0 };
    // Those that overlap, which are rare, are put in order by the caller.
    for position in last..list.s.len() {
        cursor.run(list, position, end, at, warnings, &mut |run| timeline.push(run));
    }
    Some(same)
}

/// Where elements end that neither say when they begin nor repeat openly, if the timeline has come to
/// `time` before them.
fn reach(s: &[S], time: u64) -> u64 {
    s.iter().fold(time, |time, s| {
        time.wrapping_add(s.duration.wrapping_mul((s.repeat as u64).wrapping_add(1)))
    })
}

/// Whether no element from a position on, before which the timeline has come to `time`, begins before
/// the end of the one before.
fn rises(list: &List, first: usize, mut time: u64) -> bool {
    list.s.iter().enumerate().skip(first).all(|(position, s)| {
        if s.time != S::CONTINUED {
            if s.time < time {
                return false;
            }
            time = s.time;
        }
        // An open repetition ends with the next, or goes a whole segment beyond.
        let count = match u64::try_from(s.repeat) {
            Ok(repeat) => repeat.saturating_add(1),
            Err(_) => match list.s.get(position + 1) {
                Some(next) if next.time != S::CONTINUED => {
                    segments(next.time.saturating_sub(time), s.duration)
                }
                _ => 1,
            },
        };
        time = match count {
            1 => time.saturating_add(s.duration),
            count => time.saturating_add(s.duration.saturating_mul(count)),
        };
        true
    })
}

/// How many segments of a duration it takes to fill a span; one at least.
fn segments(span: u64, duration: u64) -> u64 {
    let whole = span.checked_div(duration).unwrap_or(0);
    whole.saturating_add(u64::from(whole.wrapping_mul(duration) < span)).max(1)
}

/// Where a timeline has come to.
struct Cursor {
    time: u64,
    number: u64,
    /// Segments made of patterns so far.
    made: usize,
}

impl Cursor {
    /// The runs of an element of any form.
    #[inline(never)]
    fn run(
        &mut self,
        list: &List,
        position: usize,
        end: Option<u64>,
        at: u64,
        warnings: &mut Warnings,
        push: &mut dyn FnMut(Run),
    ) {
        let Some(s) = list.s.get(position) else { return };
        let rare = list.rare(s);
        let number = rare.number.unwrap_or(self.number.saturating_add(rare.passed));
        let time = if s.time == S::CONTINUED { self.time } else { s.time };
        let count = match u64::try_from(s.repeat) {
            Ok(repeat) => repeat.saturating_add(1),
            Err(_) => {
                let until = match list.s.get(position + 1) {
                    Some(next) => Some(next.time).filter(|&time| time != S::CONTINUED),
                    None => end,
                };
                match until {
                    Some(until) => segments(until.saturating_sub(time), s.duration),
                    None => {
                        warnings.add(
                            at,
                            WarningCode::Missing,
                            "S@r is -1, but nothing says where it ends",
                        );
                        1
                    }
                }
            }
        };
        let run = Run { number, time, duration: s.duration, count, parts: rare.parts };
        self.time = run.end();
        let pattern = rare.pattern.and_then(|(pattern, entry)| {
            Some((list.patterns.get(pattern as usize)?, entry as usize))
        });
        let Some((pattern, entry)) = pattern else {
            self.number = number.saturating_add(count);
            push(run);
            return;
        };
        // Each repetition is the whole pattern once, from its entry on and round again.
        let (mut number, mut time) = (number, time);
        let length = pattern.durations.len();
        let most = MOST_REPEATED.saturating_sub(self.made) / length.max(1);
        if count > most as u64 {
            warnings.add(at, WarningCode::Limit, "a Pattern is repeated too often");
        }
        for _ in 0..count.min(most as u64) {
            self.made += length;
            for place in 0..length {
                let Some(&duration) = pattern.durations.get((entry + place) % length) else {
                    break;
                };
                push(Run { number, time, duration, count: 1, parts: rare.parts });
                number = number.saturating_add(1);
                time = time.saturating_add(duration);
            }
        }
        (self.number, self.time) = (number, time);
    }
}

/// The most segments that a timeline makes of patterns.
const MOST_REPEATED: usize = 100_000;

/// Takes away what lies at or after `time`.
fn cut(runs: &mut Vec<Run>, time: u64) {
    while let Some(last) = runs.pop() {
        if last.time >= time {
            continue;
        }
        let before = time - last.time;
        let whole = before.checked_div(last.duration).unwrap_or(0).min(last.count);
        if whole > 0 {
            runs.push(Run { count: whole, ..last });
        }
        let rest = before.checked_rem(last.duration).unwrap_or(0);
        if whole < last.count && rest > 0 {
            runs.push(Run {
                number: last.number.saturating_add(whole),
                time: time - rest,
                duration: rest,
                count: 1,
                parts: 1,
            });
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::super::runs::{Pattern, Rare};
    use super::*;
    use crate::time::MediaTime;
    use proptest::prelude::*;

    fn s(time: Option<u64>, duration: u64, repeat: i64) -> S {
        S { time: time.unwrap_or(S::CONTINUED), duration, repeat, end: 0, rare: 0 }
    }

    fn list(s: &[S]) -> List {
        List { s: s.to_vec(), ..List::default() }
    }

    fn expand(list: &List, end: Option<u64>) -> (Vec<(u64, u64, u64, u64)>, usize) {
        let mut warnings = Warnings::default();
        let mut brief = Vec::new();
        runs(list, 1, end, 1, &mut warnings, &mut |run| {
            brief.push((run.number, run.time, run.duration, run.count));
        });
        (brief, warnings.with(()).warnings.len())
    }

    #[test]
    fn times_and_numbers_go_on() {
        let timeline = list(&[s(Some(10), 5, 2), s(None, 4, 0), s(Some(40), 5, 0)]);
        assert_eq!(expand(&timeline, None), (vec![(1, 10, 5, 3), (4, 25, 4, 1), (5, 40, 5, 1)], 0));
        assert_eq!(expand(&list(&[s(None, 5, 0)]), None).0, [(1, 0, 5, 1)]);
        let mut numbered = list(&[S { rare: 1, ..s(None, 5, 1) }, s(None, 5, 0)]);
        numbered.rare.push(Rare { number: Some(9), ..Rare::default() });
        assert_eq!(expand(&numbered, None).0, [(9, 0, 5, 2), (11, 10, 5, 1)]);
    }

    #[test]
    fn open_repetitions_end_with_the_next_or_the_period() {
        let timeline = list(&[s(Some(0), 5, -1), s(Some(23), 5, -1)]);
        assert_eq!(
            expand(&timeline, Some(40)),
            (vec![(1, 0, 5, 4), (5, 20, 3, 1), (6, 23, 5, 4)], 1)
        );
        assert_eq!(expand(&list(&[s(Some(0), 5, -1)]), Some(40)), (vec![(1, 0, 5, 8)], 0));
        assert_eq!(expand(&list(&[s(Some(0), 5, -1)]), None), (vec![(1, 0, 5, 1)], 1));
        assert_eq!(expand(&list(&[s(Some(50), 5, -1)]), Some(40)), (vec![(1, 50, 5, 1)], 0));
    }

    #[test]
    fn of_overlapping_segments_the_later_count() {
        let timeline = list(&[s(Some(0), 10, 3), s(Some(39), 10, 0), s(Some(15), 10, 0)]);
        assert_eq!(
            expand(&timeline, None),
            (vec![(1, 0, 10, 1), (2, 10, 5, 1), (6, 15, 10, 1)], 1)
        );
        assert_eq!(expand(&list(&[s(Some(9), 1, 0), s(Some(0), 1, 0)]), None).0, [(2, 0, 1, 1)]);
    }

    #[test]
    fn patterns_come_again_from_their_entry_on() {
        let mut timeline = list(&[S { rare: 1, ..s(Some(100), 10, 1) }, s(None, 5, 0)]);
        let pattern = Some((0, 2));
        timeline.rare.push(Rare { pattern, ..Rare::default() });
        timeline.patterns.push(Pattern { id: "1".into(), durations: vec![3, 3, 4] });
        assert_eq!(
            expand(&timeline, None).0,
            [
                (1, 100, 4, 1),
                (2, 104, 3, 1),
                (3, 107, 3, 1),
                (4, 110, 4, 1),
                (5, 114, 3, 1),
                (6, 117, 3, 1),
                (7, 120, 5, 1)
            ]
        );
    }

    #[test]
    fn patterns_are_repeated_only_so_often() {
        let mut timeline = list(&[S { rare: 1, ..s(None, 10, 9_999) }; 50]);
        timeline.rare.push(Rare { pattern: Some((0, 0)), ..Rare::default() });
        timeline.patterns.push(Pattern { id: "1".into(), durations: vec![1; 10] });
        let (runs, warnings) = expand(&timeline, None);
        assert_eq!(runs.len(), MOST_REPEATED);
        assert!(warnings > 0);
    }

    fn timeline(list: &List, start_number: u64) -> Timeline {
        let mut timeline = Timeline::new(10, 0, MediaTime::ZERO, MediaTime::MAX);
        let push = &mut |run| timeline.push(run);
        runs(list, start_number, None, 1, &mut Warnings::default(), push);
        timeline
    }

    #[test]
    fn what_does_not_go_on_is_not_taken_over() {
        let before = timeline(&list(&[s(Some(0), 5, 3), s(None, 4, 0)]), 1);
        let go_on = |of: &[S], kept| {
            let mut of = list(of);
            of.kept = Some(kept);
            let mut out = Timeline::new(10, 0, MediaTime::ZERO, MediaTime::MAX);
            let warnings = &mut Warnings::default();
            let same = continued(&of, 1, None, 1, warnings, &mut out, &before, false);
            assert!(same.is_none() || out == timeline(&of, 1));
            same
        };
        // The first is cut at its front, one more has come.
        assert_eq!(go_on(&[s(Some(10), 5, 1), s(None, 4, 0), s(None, 6, 0)], (1, 1)), Some(true));
        // It had other segments there.
        assert_eq!(go_on(&[s(Some(10), 10, 0), s(None, 4, 0)], (1, 1)), Some(false));
        // It does not end where the rest began.
        assert_eq!(go_on(&[s(Some(11), 5, 1), s(None, 4, 0)], (1, 1)), None);
        // What came goes back.
        assert_eq!(go_on(&[s(Some(10), 5, 1), s(None, 4, 0), s(Some(9), 6, 0)], (1, 1)), None);
        assert_eq!(go_on(&[s(Some(10), 5, -1), s(None, 4, 0)], (1, 1)), None);
    }

    proptest! {
        #[test]
        fn what_goes_on_is_the_whole(
            pieces in proptest::collection::vec((prop_oneof![3 => Just(0u64), 1 => 1u64..9], 1u64..6, 0i64..3), 3..20),
            came in 0usize..5,
            dropped in 0usize..5,
            cut in 0u64..3,
        ) {
            let (mut time, mut written, mut numbers) = (0, Vec::new(), vec![1]);
            for (gap, duration, repeat) in pieces {
                time += gap;
                written.push(s((gap > 0).then_some(time), duration, repeat));
                time += duration * (repeat as u64 + 1);
                numbers.push(numbers[numbers.len() - 1] + repeat as u64 + 1);
            }
            let old = written.len().saturating_sub(came).max(2);
            let before = timeline(&list(&written[..old]), 1);
            let dropped = dropped.min(old - 2);
            let mut now = list(&written[dropped..]);
            // The first says when it begins, and has lost some of its repetitions.
            let mut begun = 0;
            for s in &written[..dropped] {
                let start = if s.time == S::CONTINUED { begun } else { s.time };
                begun = start + s.duration * (s.repeat as u64 + 1);
            }
            let first = &mut now.s[0];
            let start = if first.time == S::CONTINUED { begun } else { first.time };
            let cut = cut.min(first.repeat as u64);
            first.time = start + cut * first.duration;
            first.repeat -= cut as i64;
            now.kept = Some((1, old - dropped - 1));
            let number = numbers[dropped] + cut;
            let whole = timeline(&now, number);
            let mut out = Timeline::new(10, 0, MediaTime::ZERO, MediaTime::MAX);
            let warnings = &mut Warnings::default();
            match continued(&now, number, None, 1, warnings, &mut out, &before, true) {
                Some(same) => {
                    prop_assert!(same);
                    prop_assert_eq!(out, whole);
                }
                // Only what the first does not lead up to has to be read again.
                None => prop_assert_ne!(now.s[1].time, S::CONTINUED),
            }
        }

        #[test]
        fn runs_never_overlap(
            timeline in proptest::collection::vec(
                (proptest::option::of(prop_oneof![0u64..100, any::<u64>()]), prop_oneof![1u64..20, 1u64..], -2i64..9)
                    .prop_map(|(time, duration, repeat)| s(time, duration, repeat)),
                0..12,
            ),
            end in proptest::option::of(any::<u64>()),
        ) {
            let mut made = Vec::new();
            let push = &mut |run| made.push(run);
            runs(&list(&timeline), u64::MAX - 3, end, 1, &mut Warnings::default(), push);
            let runs = made;
            for pair in runs.windows(2) {
                prop_assert!(pair[0].end() <= pair[1].time);
            }
            prop_assert!(runs.iter().all(|run| run.count > 0 && run.duration > 0));
        }
    }
}
