//! When segments play that come in runs of equal length.

use crate::time::{FLICKS_PER_SECOND, MediaTime};

/// Numbers and times of segments, as runs of equal duration. Representations that play at the same
/// times share one.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// Tells what is listed apart, in whatever state of the manifest; it says nothing of the segments.
    identity: u32,
    timescale: u32,
    /// The media time, in units of the timescale, that the period begins with.
    origin: u64,
    /// The period on the presentation timeline; segments are cut to it.
    period_start: MediaTime,
    period_end: MediaTime,
    /// The media time, rounded down, that the period ends with.
    end: u64,
    /// The manifest lists the segments; else they are there when the clock says so.
    listed: bool,
    /// No segment has a higher number.
    most: u64,
    /// Number of the first segment, from which those of `runs` are counted.
    number: u64,
    runs: Runs,
}

/// Runs in order, before it is known in which period they play, and with which numbers: the first has
/// the number 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs {
    /// They are mostly short, and numbered without gaps.
    plain: Vec<Plain>,
    /// All of them, if one is otherwise; then there are none in `plain`.
    unusual: Vec<Placed>,
    /// How many segments there are.
    length: usize,
}

/// `count` segments of `duration` each, in units of the timescale; or as many sequences of that
/// duration, of several segments each.
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
    /// Segments in each sequence (`S@k`), which share its duration evenly; 1 if these are segments.
    pub(crate) parts: u32,
}

impl Run {
    /// Media time after the last.
    pub(crate) fn end(&self) -> u64 {
        // Most runs are one segment, and multiplications that saturate are slow in WebAssembly.
        match self.count {
            1 => self.time.saturating_add(self.duration),
            count => self.time.saturating_add(self.duration.saturating_mul(count)),
        }
    }
}

/// A run for [`Runs::extend`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PlainRun {
    /// Media time; [`CONTINUED`](Self::CONTINUED): where the one before ends.
    pub(crate) time: u64,
    /// Not 0.
    pub(crate) duration: u64,
    /// Not 0.
    pub(crate) count: u64,
}

impl PlainRun {
    pub(crate) const CONTINUED: u64 = u64::MAX;
}

/// One segment of a [`Timeline`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) number: u64,
    /// Media time, in units of the timescale; of its sequence, if it is part of one.
    pub(crate) time: u64,
    /// Its number within its sequence, counted from 1.
    pub(crate) part: u64,
    /// On the presentation timeline, cut to the period.
    pub(crate) start: MediaTime,
    pub(crate) end: MediaTime,
}

/// A [`Placed`] of one segment in each sequence, whose number is its position. A long timeline is little
/// else than these, and memory that has not been touched before costs more than what is put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plain {
    time: u64,
    duration: u32,
    position: u32,
}

/// A [`Run`] in its place. How many segments it has is told by where the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    number: u64,
    time: u64,
    duration: u64,
    /// Position of the run's first segment in the index.
    position: usize,
    parts: u32,
}

/// A place in a timeline that others are found from.
pub(super) struct Near {
    run: usize,
    /// A media time, and when it is on the presentation timeline.
    ticks: u64,
    time: MediaTime,
}

impl PartialEq for Timeline {
    fn eq(&self, other: &Self) -> bool {
        self.is_like(other)
            && (self.listed, self.number) == (other.listed, other.number)
            && self.runs == other.runs
    }
}

impl Timeline {
    /// No runs yet. `period_end` may be [`MediaTime::MAX`].
    pub(crate) fn new(
        timescale: u32,
        origin: u64,
        period_start: MediaTime,
        period_end: MediaTime,
    ) -> Self {
        let timescale = timescale.max(1);
        let mut timeline = Self {
            identity: 0,
            timescale,
            origin,
            period_start,
            period_end,
            end: 0,
            listed: false,
            most: u64::MAX,
            number: 0,
            runs: Runs::default(),
        };
        timeline.end = timeline.media_ticks(period_end);
        timeline
    }

    /// Its segments are listed by the manifest, and none has a higher number than `most`.
    pub(crate) fn list(&mut self, identity: u32, most: u64) {
        (self.listed, self.identity, self.most) = (true, identity, most);
    }

    /// Makes room for so many runs.
    pub(crate) fn reserve(&mut self, runs: usize) {
        self.runs.plain.reserve_exact(runs);
    }

    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    /// Whether it counts time and cuts segments as another does.
    fn is_like(&self, other: &Self) -> bool {
        (self.timescale, self.origin, self.period_start, self.period_end, self.most)
            == (other.timescale, other.origin, other.period_start, other.period_end, other.most)
    }

    /// Whether it is a later state of another, and like it.
    pub(crate) fn may_go_on_from(&self, before: &Self) -> bool {
        self.identity == before.identity && self.is_like(before)
    }

    /// The media time that the last segment ends with.
    pub(crate) fn end(&self) -> Option<u64> {
        self.last().map(|run| run.end())
    }

    fn last(&self) -> Option<Run> {
        self.run(self.runs.count().wrapping_sub(1))
    }

    /// A run with all it says.
    fn run(&self, index: usize) -> Option<Run> {
        let run = self.runs.run(index)?;
        Some(Run { number: run.number.wrapping_add(self.number), ..run })
    }

    /// Number and duration of the segment that begins at a media time.
    pub(crate) fn at(&self, time: u64) -> Option<(u64, u64)> {
        let run = self.run(self.run_at(time)?)?;
        Some((run.number.wrapping_add(div(time - run.time, run.duration)), run.duration))
    }

    /// The run in which a segment begins at a media time.
    fn run_at(&self, time: u64) -> Option<usize> {
        let index = self.runs.last_where(&|placed| placed.time <= time)?;
        let run = self.run(index)?;
        (time < run.end() && (time - run.time).is_multiple_of(run.duration)).then_some(index)
    }

    /// Adds all runs of another from a media time on, at which one of its segments begins, with this
    /// added to their numbers. Gives the last.
    pub(crate) fn splice(&mut self, other: &Self, time: u64, numbers: u64) -> Option<Run> {
        let index = other.run_at(time)?;
        let mut first = other.run(index)?;
        let passed = div(time - first.time, first.duration);
        first.time = time;
        first.count -= passed;
        first.number = first.number.wrapping_add(passed).wrapping_add(numbers);
        self.add(first);
        if let Some(next) = other.runs.get(index + 1)
            && let Some(length) = self.runs.length.checked_add(other.runs.length - next.position)
        {
            let moved = self.runs.length.wrapping_sub(next.position);
            let numbers = numbers.wrapping_add(other.number).wrapping_sub(self.number);
            self.runs.splice(&other.runs, index + 1, moved, numbers);
            self.runs.length = length;
        }
        self.last()
    }

    /// Where segments begin or end otherwise than in an earlier state, as far as both tell of a
    /// time; their numbers count if they are `numbered`.
    pub(crate) fn difference(&self, before: &Self, numbered: bool) -> Option<MediaTime> {
        let (mut ours, mut theirs) = (0, 0);
        // The later beginning is where both tell of something.
        let mut at = self.runs.get(0)?.time.max(before.runs.get(0)?.time);
        let after = |timeline: &Self, index: &mut usize, at: u64| loop {
            let run = timeline.run(*index)?;
            if run.end() > at {
                return Some(run);
            }
            *index += 1;
        };
        loop {
            let one = after(self, &mut ours, at)?;
            let other = after(before, &mut theirs, at)?;
            // A gap of one is one of the other, too.
            let begins = (one.time.max(at), other.time.max(at));
            if begins.0 != begins.1 {
                return Some(self.time_of(begins.0.min(begins.1)));
            }
            at = begins.0;
            let phases = (rem(at - one.time, one.duration), rem(at - other.time, other.duration));
            let number = |run: Run| run.number.wrapping_add(div(at - run.time, run.duration));
            let same = phases.0 == phases.1
                && one.duration == other.duration
                && one.parts == other.parts
                && (!numbered || number(one) == number(other));
            if !same {
                return Some(self.time_of(at));
            }
            at = one.end().min(other.end()).max(at + 1);
        }
    }

    /// Takes over runs, the first of which has this number, less what lies outside the period. It has
    /// none yet.
    #[inline(never)]
    pub(crate) fn take(&mut self, runs: Runs, number: u64) {
        let Some(last) = runs.last() else { return };
        let early = runs.get(0).is_some_and(|first| first.time < self.origin);
        let sound = number <= PLAIN_NUMBER && i64::from(self.timescale) <= FLICKS_PER_SECOND;
        if sound && !early && last.end() <= self.end && self.most == u64::MAX {
            (self.runs, self.number) = (runs, number);
            return;
        }
        let mut index = 0;
        while let Some(run) = runs.run(index) {
            self.push(Run { number: run.number.saturating_add(number), ..run });
            index += 1;
        }
    }

    /// Adds a run after all others, less what lies outside the period or is too short to have a
    /// length on the presentation timeline. The caller sees to it that it does not begin before
    /// the end of the last.
    #[inline(never)]
    pub(crate) fn push(&mut self, run: Run) {
        let whole = run.time >= self.origin && run.parts == 1 && run.count <= PLAIN_COUNT;
        let fits = whole
            && self.runs.length <= usize::MAX / 2
            && run.duration <= PLAIN_DURATION
            && run.time <= self.end
            && run.duration * run.count <= self.end - run.time
            && self.most == u64::MAX;
        match fits && i64::from(self.timescale) <= FLICKS_PER_SECOND && run.duration > 0 {
            true => self.add(run),
            false => self.cut_and_add(run),
        }
    }

    #[cold]
    #[inline(never)]
    fn cut_and_add(&mut self, mut run: Run) {
        if run.duration == 0 || run.parts == 0 || run.number > self.most {
            return;
        }
        if self.most < u64::MAX {
            run.count = run.count.min(self.most - run.number + 1);
        }
        // What ends before the period begins is not part of it.
        if run.time < self.origin {
            let before = div(self.origin - run.time, run.duration).min(run.count);
            run.number = run.number.saturating_add(before);
            run.time = run.time.saturating_add(before.saturating_mul(run.duration));
            run.count -= before;
        }
        // Nor what begins after it ends, or after presentation time does, if the period is open. The
        // first estimate may be a little too high, because times round.
        let span = self.end.saturating_sub(run.time);
        run.count = run.count.min(div(span, run.duration).saturating_add(2));
        while let Some(before_last) = run.count.checked_sub(1) {
            let last = run.time.saturating_add(before_last.saturating_mul(run.duration));
            if self.time_of(last) < self.period_end {
                break;
            }
            run.count = before_last;
        }
        // 64-bit media times end somewhere, too.
        run.count = run.count.min(div(u64::MAX - run.time, run.duration));
        let free = (usize::MAX - self.runs.length) as u64;
        run.count = run.count.min(div(free, run.parts.into()));
        // So do whole sequences of parts that have no length.
        if run.count == 0 || self.time_of(run.time) >= self.time_of(run.end()) {
            return;
        }
        self.add(run);
    }

    fn add(&mut self, run: Run) {
        let goes_on = self.last().is_some_and(|last| {
            last.duration == run.duration
                && last.end() == run.time
                && last.parts == run.parts
                && last.number.saturating_add(last.count) == run.number
        });
        if !goes_on {
            if self.runs.count() == 0 {
                self.number = run.number;
            }
            let Run { number, time, duration, parts, .. } = run;
            let (number, position) = (number.wrapping_sub(self.number), self.runs.length);
            self.runs.push(Placed { number, time, duration, position, parts });
        }
        self.runs.length += run.count as usize * run.parts as usize;
    }

    pub(super) fn len(&self) -> usize {
        self.runs.length
    }

    pub(super) fn get(&self, position: usize) -> Option<Moment> {
        self.get_near(position, &mut self.beginning())
    }

    /// Where to look first for the first segment.
    pub(super) fn beginning(&self) -> Near {
        Near { run: 0, ticks: self.origin, time: self.period_start }
    }

    /// As [`get`](Self::get), and fast for the run `near` or the one after, where the segment's is
    /// put.
    pub(super) fn get_near(&self, position: usize, near: &mut Near) -> Option<Moment> {
        let begins = |index: usize| self.runs.position(index);
        if position >= self.runs.length {
            return None;
        }
        let next = near.run.wrapping_add(1);
        if position < begins(near.run) || position >= begins(next.wrapping_add(1)) {
            near.run = self.run_of(position)?;
        } else if position >= begins(next) {
            near.run = next;
        }
        let placed = self.runs.get(near.run)?;
        let first = self.number.wrapping_add(placed.number);
        let (number, part, from, to, time) =
            placed.ticks(first, (position - placed.position) as u64);
        let (start, end) = self.place(from, to, near);
        Some(Moment { number, time, part, start, end })
    }

    /// Every segment, in order.
    pub(crate) fn moments(&self) -> impl Iterator<Item = Moment> + '_ {
        let mut near = self.beginning();
        (0..self.len()).map_while(move |position| self.get_near(position, &mut near))
    }

    /// Start and end of a segment.
    pub(super) fn span(&self, position: usize) -> Option<(MediaTime, MediaTime)> {
        self.get(position).map(|moment| (moment.start, moment.end))
    }

    pub(super) fn position_at(&self, time: MediaTime) -> Option<usize> {
        let Some(index) = self.runs.last_where(&|placed| self.time_of(placed.time) <= time) else {
            return (self.runs.count() > 0).then_some(0);
        };
        let (run, first) = (self.run(index)?, self.runs.position(index));
        let into = self.media_ticks(time).saturating_sub(run.time);
        let sequence = div(into, run.duration).min(run.count - 1);
        let rest = (into - sequence * run.duration).min(run.duration - 1);
        let parts = u64::from(run.parts);
        let part = (rest as f64 * parts as f64 / run.duration as f64) as u64;
        let part = part.min(parts - 1);
        let mut position = first + (sequence * parts) as usize + part as usize;
        // Times round to flicks, so the estimate may be off either way.
        while position > first && self.span(position).is_some_and(|(start, _)| start > time) {
            position -= 1;
        }
        while self.span(position)?.1 <= time {
            position += 1;
        }
        Some(position)
    }

    /// The run that a segment is in, or that is nearest before it.
    fn run_of(&self, position: usize) -> Option<usize> {
        self.runs.last_where(&|placed| placed.position <= position)
    }

    /// Where a segment begins and ends, cut to the period. Mostly it begins where the last one ended.
    fn place(&self, from: u64, to: u64, near: &mut Near) -> (MediaTime, MediaTime) {
        let start = if from == near.ticks { near.time } else { self.time_of(from) };
        (near.ticks, near.time) = (to, self.time_of(to));
        let start = start.max(self.period_start);
        (start, near.time.min(self.period_end).max(start))
    }

    fn time_of(&self, ticks: u64) -> MediaTime {
        self.period_start + MediaTime::between(self.origin, ticks, self.timescale)
    }

    /// The media time of a presentation time, rounded down.
    fn media_ticks(&self, time: MediaTime) -> u64 {
        let relative = (time - self.period_start).flicks();
        let timescale = u64::from(self.timescale);
        let seconds = relative.div_euclid(FLICKS_PER_SECOND);
        let rest = relative.rem_euclid(FLICKS_PER_SECOND) as u64 * timescale;
        let rest = self.origin.saturating_add(rest / FLICKS_PER_SECOND as u64);
        let whole = seconds.unsigned_abs().saturating_mul(timescale);
        if seconds < 0 { rest.saturating_sub(whole) } else { rest.saturating_add(whole) }
    }
}

impl Runs {
    /// A run with all it says.
    #[inline(never)]
    fn run(&self, index: usize) -> Option<Run> {
        let Placed { number, time, duration, position, parts } = self.get(index)?;
        let next = self.position(index.wrapping_add(1));
        let count = (next.wrapping_sub(position)).checked_div(parts as usize)? as u64;
        Some(Run { number, time, duration, count, parts })
    }

    fn last(&self) -> Option<Run> {
        self.run(self.count().wrapping_sub(1))
    }

    /// One in its place.
    #[inline(never)]
    fn get(&self, index: usize) -> Option<Placed> {
        match self.plain.get(index) {
            Some(plain) => Some(plain.placed()),
            None => self.unusual.get(index).copied(),
        }
    }

    /// Position of the first segment of one, or of what comes after all.
    fn position(&self, index: usize) -> usize {
        self.get(index).map_or(self.length, |placed| placed.position)
    }

    /// The last of those, which stand first, that something is true of.
    #[inline(never)]
    fn last_where(&self, is: &dyn Fn(&Placed) -> bool) -> Option<usize> {
        let (mut first, mut after) = (0, self.count());
        while first < after {
            let middle = first + (after - first) / 2;
            match self.get(middle).is_some_and(|placed| is(&placed)) {
                true => first = middle + 1,
                false => after = middle,
            }
        }
        first.checked_sub(1)
    }

    /// Adds one after all others.
    #[inline(never)]
    fn push(&mut self, placed: Placed) {
        if let Some(plain) = placed.plain().filter(|_| self.unusual.is_empty()) {
            return self.plain.push(plain);
        }
        let plain = core::mem::take(&mut self.plain);
        self.unusual.extend(plain.iter().map(Plain::placed));
        self.unusual.push(placed);
    }

    /// Adds those of another from one on, with this added to their positions and numbers.
    fn splice(&mut self, other: &Self, from: usize, moved: usize, numbers: u64) {
        let rest = other.plain.get(from..).unwrap_or_default();
        let last = rest.last().map(|last| (last.position as usize).wrapping_add(moved));
        let fits = last.is_some_and(|last| u32::try_from(last).is_ok());
        // What is numbered without gaps stays so.
        if fits && moved as isize as u64 == numbers && self.unusual.is_empty() {
            self.plain.extend(rest.iter().map(|plain| Plain {
                position: plain.position.wrapping_add(moved as u32),
                ..*plain
            }));
            return;
        }
        for index in from..other.count() {
            if let Some(placed) = other.get(index) {
                self.push(Placed {
                    number: placed.number.wrapping_add(numbers),
                    position: placed.position.wrapping_add(moved),
                    ..placed
                });
            }
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.plain.len() + self.unusual.len()
    }

    /// Forgets them, but not their room.
    pub(crate) fn clear(&mut self) {
        self.plain.clear();
        self.unusual.clear();
        self.length = 0;
    }

    /// Adds runs, if there is nothing unusual in them: each as `plain` says, from where the one before
    /// ends or a later time on. Else says so, and is of no use any more.
    ///
    /// Long timelines are made here, in a loop that calls nothing but for a block of runs.
    #[inline(never)]
    pub(crate) fn extend<T>(
        &mut self,
        list: &[T],
        plain: impl Fn(&T) -> Option<PlainRun>,
    ) -> Option<()> {
        let mut made = const { [Plain { time: 0, duration: 0, position: 0 }; BLOCK] };
        let last = self.last();
        let (mut time, mut duration) = last.map_or((0, 0), |last| (last.end(), last.duration));
        let mut position = self.length as u64;
        for block in list.chunks(BLOCK) {
            // None of a block goes far beyond.
            if time > PLAIN_TIME || position > PLAIN_POSITION {
                return None;
            }
            let mut held = 0;
            for item in block {
                let run = plain(item)?;
                if run.duration > PLAIN_DURATION || run.count > PLAIN_COUNT {
                    return None;
                }
                let mut goes_on = run.duration == duration;
                if run.time != PlainRun::CONTINUED && run.time != time {
                    if run.time < time || run.time > PLAIN_TIME {
                        return None;
                    }
                    (time, goes_on) = (run.time, false);
                }
                if !goes_on {
                    duration = run.duration;
                    let (duration, position) = (duration as u32, position as u32);
                    *made.get_mut(held)? = Plain { time, duration, position };
                    held += 1;
                }
                time += run.duration * run.count;
                position += run.count;
            }
            self.plain.extend_from_slice(made.get(..held)?);
            self.length = position as usize;
        }
        Some(())
    }
}

/// Quotients whose divisor is never 0, which the compiler does not know.
#[inline(always)]
fn div(dividend: u64, divisor: u64) -> u64 {
    dividend.checked_div(divisor).unwrap_or(0)
}

/// As [`div`], what remains.
#[inline(always)]
fn rem(dividend: u64, divisor: u64) -> u64 {
    dividend.checked_rem(divisor).unwrap_or(0)
}

/// Runs that are added together: growing a vector is a call.
const BLOCK: usize = 32;

/// Runs up to this long are added without looking for their ends one by one.
const PLAIN_COUNT: u64 = 1 << 11;
const PLAIN_DURATION: u64 = u32::MAX as u64;
const PLAIN_NUMBER: u64 = 1 << 62;
const PLAIN_TIME: u64 = 1 << 62;
const PLAIN_POSITION: u64 = 1 << 31;

impl Plain {
    #[inline(always)]
    fn placed(&self) -> Placed {
        let Self { time, duration, position } = *self;
        let (number, duration) = (position.into(), duration.into());
        Placed { number, time, duration, position: position as usize, parts: 1 }
    }
}

impl Placed {
    fn plain(&self) -> Option<Plain> {
        let position = u32::try_from(self.position).ok()?;
        let duration = u32::try_from(self.duration).ok()?;
        let plain = self.number == u64::from(position) && self.parts == 1;
        plain.then_some(Plain { time: self.time, duration, position })
    }

    /// Of a segment so far into the run, whose first has a number: number, part, where it begins and
    /// ends, and `$Time$`.
    fn ticks(&self, first: u64, inside: u64) -> (u64, u64, u64, u64, u64) {
        if self.parts == 1 {
            let time = self.time + inside * self.duration;
            return (first.saturating_add(inside), 1, time, time + self.duration, time);
        }
        let parts = u64::from(self.parts);
        let (sequence, part) = (div(inside, parts), rem(inside, parts));
        let time = self.time + sequence * self.duration;
        let at = |part: u64| {
            // The duration's share of as many parts, without a wide product.
            let whole = div(self.duration, parts) * part;
            time + whole + div(rem(self.duration, parts) * part, parts)
        };
        (first.saturating_add(sequence), part + 1, at(part), at(part + 1), time)
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
        Run { number, time, duration, count, parts: 1 }
    }

    /// Takes a list over as it is given, so many at a time.
    fn take(timeline: &mut Timeline, number: u64, list: &[PlainRun], most: usize) -> bool {
        let mut runs = Runs::default();
        let mut add = |block| runs.extend(block, |run: &PlainRun| (run.count < 9).then_some(*run));
        let plain = list.chunks(most).all(|block| add(block).is_some());
        if plain {
            timeline.take(runs, number);
        }
        plain
    }

    #[test]
    fn unusual_lists_are_not_taken() {
        let plain = |time, duration, count| PlainRun { time, duration, count };
        let take = |number, list: &[PlainRun]| {
            let mut timeline = runs(10, 0, MediaTime::ZERO, MediaTime::from_secs(4));
            let taken = take(&mut timeline, number, list, 9);
            (taken, timeline.len())
        };
        let (first, goes_on) = (plain(0, 15, 1), PlainRun::CONTINUED);
        assert_eq!(take(1, &[first, plain(goes_on, 12, 2)]), (true, 3));
        // The last one sticks out, and is cut.
        assert_eq!(take(1, &[first, plain(goes_on, 20, 5)]), (true, 3));
        assert_eq!(take(1, &[first, plain(goes_on, 20, 2), plain(goes_on, 1, 1)]), (true, 3));
        assert_eq!(take(u64::MAX, &[first]), (true, 1));
        // It goes back, is not plain, too long, or too late.
        assert_eq!(take(1, &[first, plain(14, 1, 1)]), (false, 0));
        assert_eq!(take(1, &[first, plain(15, 1, 9)]), (false, 0));
        assert_eq!(take(1, &[first, plain(15, u64::MAX, 2)]), (false, 0));
        assert_eq!(take(1, &[first, plain(u64::MAX - 1, 5, 2)]), (false, 0));
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
        assert_eq!(runs.runs.count(), 1);
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

    #[test]
    fn what_is_taken_over_is_what_it_was() {
        // Numbers without gaps, with one, and parts.
        for (gap, parts) in [(0, 1), (5, 1), (0, 2)] {
            let rest = [run(4 + gap, 6, 3, 2), Run { parts, ..run(6 + gap, 12, 4, 1) }];
            let timeline = |first| {
                let mut runs = runs(1, 0, MediaTime::ZERO, MediaTime::MAX);
                runs.push(first);
                rest.iter().for_each(|&run| runs.push(run));
                runs
            };
            let mut taken = runs(1, 0, MediaTime::ZERO, MediaTime::MAX);
            taken.splice(&timeline(run(1, 0, 2, 3)), 2, 0);
            assert_eq!(taken, timeline(run(2, 2, 2, 2)));
        }
    }

    #[test]
    fn sequences_have_parts() {
        let mut runs = runs(10, 0, MediaTime::ZERO, MediaTime::MAX);
        runs.push(Run { parts: 3, ..run(7, 100, 20, 2) });
        let brief: Vec<_> =
            runs.moments().map(|m| (m.number, m.part, m.time, m.start.to_string())).collect();
        let row = |number, part, time, start: &str| (number, part, time, start.to_owned());
        assert_eq!(
            brief,
            [
                row(7, 1, 100, "10.000"),
                row(7, 2, 100, "10.600"),
                row(7, 3, 100, "11.300"),
                row(8, 1, 120, "12.000"),
                row(8, 2, 120, "12.600"),
                row(8, 3, 120, "13.300"),
            ]
        );
        for (position, moment) in runs.moments().enumerate() {
            assert_eq!(runs.position_at(moment.start), Some(position));
            assert_eq!(runs.get(position), Some(moment));
        }
    }

    proptest! {
        #[test]
        fn times_are_those_of_long_arithmetic(
            timescale in 1u32..,
            origin in prop_oneof![0u64..1_000_000, any::<u64>()],
            ticks in prop_oneof![0u64..1_000_000, any::<u64>()],
            start in 0i64..1_000_000_000,
        ) {
            let start = MediaTime::from_flicks(start);
            let runs = runs(timescale, origin, start, MediaTime::MAX);
            let relative = i128::from(ticks) - i128::from(origin);
            let product = relative * i128::from(FLICKS_PER_SECOND);
            let half = i128::from(timescale / 2) * product.signum();
            let flicks = (product + half) / i128::from(timescale);
            let flicks = flicks.clamp(-i128::from(i64::MAX), i64::MAX.into()) as i64;
            prop_assert_eq!(runs.time_of(ticks), start + MediaTime::from_flicks(flicks));
        }

        #[test]
        fn a_plain_list_is_what_its_runs_are(
            items in prop::collection::vec((prop::option::of(0u64..3), 1u64..4, 1u64..4), 0..12),
            origin in 0u64..6,
            length in 1i64..60,
            number in 0u64..9,
            most in 1usize..9,
        ) {
            let end = MediaTime::from_secs(length);
            let (mut one, mut other) = (runs(1, origin, MediaTime::ZERO, end), runs(1, origin, MediaTime::ZERO, end));
            let (mut time, mut next) = (0, number);
            let mut list = Vec::new();
            for (gap, duration, count) in items {
                // What begins where the one before ends may say so.
                time += gap.unwrap_or(0);
                let stated = gap.map_or(PlainRun::CONTINUED, |_| time);
                list.push(PlainRun { time: stated, duration, count });
                one.push(run(next, time, duration, count));
                time += duration * count;
                next += count;
            }
            prop_assert!(take(&mut other, number, &list, most));
            prop_assert_eq!(one, other);
        }

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
            let one_by_one: Vec<_> = (0..runs.len()).filter_map(|position| runs.get(position)).collect();
            prop_assert_eq!(runs.moments().collect::<Vec<_>>(), one_by_one);
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
