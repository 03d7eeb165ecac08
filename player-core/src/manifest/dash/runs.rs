//! `S` elements, read many at a time (ISO/IEC 23009-1 §5.3.9.6).
//!
//! Most of a large MPD is `S` elements, and most of those are written like the one before, but for
//! the digits. [`read`] learns how one is written, and then compares and converts eight bytes at a
//! time. Whatever is not plain it leaves to the reader of all elements, so that what is understood
//! and what is refused stays the same.

use crate::presentation::index::{PlainRun, Runs};

/// An `S` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct S {
    /// `@t`; [`CONTINUED`](Self::CONTINUED): where the one before ends.
    pub(super) time: u64,
    /// `@d`; never 0.
    pub(super) duration: u64,
    /// `@r`; negative: up to the next `S` or the end of the period.
    pub(super) repeat: i64,
    /// Offset in the text of what follows it.
    pub(super) end: u32,
    /// Position, counted from 1, of what is rarely said of it in [`List::rare`]; 0: nothing.
    pub(super) rare: u32,
}

impl S {
    /// No `@t`.
    pub(super) const CONTINUED: u64 = PlainRun::CONTINUED;

    /// Its run, if how long that is does not depend on others.
    #[inline(always)]
    pub(super) fn plain(&self) -> Option<PlainRun> {
        let S { time, duration, repeat, rare, .. } = *self;
        (rare == 0 && repeat >= 0).then(|| PlainRun { time, duration, count: repeat as u64 + 1 })
    }
}

/// Rare attributes of an `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rare {
    /// `@n`.
    pub(super) number: Option<u64>,
    /// How many segments without length come before it, which are counted, but cannot be played.
    pub(super) passed: u64,
    /// `@k`: segments in each sequence; never 0.
    pub(super) parts: u32,
    /// Position in [`List::patterns`] of the pattern it repeats (`@p`), and the entry it begins
    /// with (`@pE`).
    pub(super) pattern: Option<(u32, u32)>,
}

impl Default for Rare {
    fn default() -> Self {
        Self { number: None, passed: 0, parts: 1, pattern: None }
    }
}

/// What is in a `SegmentTimeline`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    /// Its elements, unless they are read into `runs` at once.
    pub(super) s: Vec<S>,
    /// What the elements are, if there is nothing unusual in them and nobody needs the elements
    /// themselves.
    pub(super) runs: Runs,
    /// How many elements there are in `runs`, and the offset of the first.
    pub(super) read: (usize, usize),
    /// Position of the first of those that an earlier state of the timeline ended with, and how many
    /// they are.
    pub(super) kept: Option<(usize, usize)>,
    /// Tells timelines of a document apart. One that goes on from an earlier state is the same.
    pub(super) identity: u32,
    /// Offset of the first element that was passed over because it has no length.
    pub(super) empty: Option<u32>,
    pub(super) rare: Vec<Rare>,
    pub(super) patterns: Vec<Pattern>,
}

impl List {
    /// How many elements there are.
    pub(super) fn len(&self) -> usize {
        self.s.len() + self.read.0
    }

    /// Reads elements into runs, from offset `at` on, and says where they end: before the end tag of
    /// the timeline, or there is something unusual in them, and nothing is kept.
    pub(super) fn read_runs(&mut self, text: &[u8], at: usize, scratch: &mut Scratch) -> usize {
        let Scratch { shapes, runs } = scratch;
        runs.clear();
        let mut count = 0;
        let mut add = |block: &[S]| {
            count += block.len();
            runs.extend(block, S::plain).is_some()
        };
        let end = spaces(text, read(text, at, shapes, &mut add, usize::MAX));
        if text.get(end..end + 2) != Some(b"</") {
            return at;
        }
        (self.runs, self.read) = (runs.clone(), (count, at));
        end
    }

    /// Notes that `added` elements come in at a position, or that the one there goes (`gone`) or
    /// changes (neither), so that what stays to the end is known.
    pub(super) fn note(&mut self, at: usize, added: usize, gone: bool) {
        let (first, count) = self.kept.unwrap_or((0, self.s.len()));
        let (touches, last) = (at + usize::from(added == 0), first + count);
        self.kept = Some(if at >= last {
            (first, count)
        } else if touches <= first {
            (first + added - usize::from(gone), count)
        } else if at == first && added == 0 && count > 1 {
            (first + usize::from(!gone), count - 1)
        } else if at == first && added > 0 {
            (first + added, count)
        } else {
            // None of it: nothing can be taken over.
            (first, 0)
        });
    }

    /// Passes over an element without length, at an offset. What comes after it has to know:
    /// `passed` gathers how many segments were passed over, and where the timeline is then, if that
    /// is stated.
    #[cold]
    #[inline(never)]
    pub(super) fn pass(&mut self, s: &S, at: usize, passed: &mut Option<(u64, u64)>) {
        self.empty.get_or_insert(at as u32);
        let (count, time) = passed.unwrap_or((0, S::CONTINUED));
        let more = u64::try_from(s.repeat).unwrap_or(0).saturating_add(1);
        let time = if s.time == S::CONTINUED { time } else { s.time };
        *passed = Some((count.saturating_add(more), time));
    }

    /// Tells the last element what was passed over before it.
    pub(super) fn follow(&mut self, passed: Option<(u64, u64)>) {
        let Some((count, time)) = passed else { return };
        self.tell_last(count, time);
    }

    #[cold]
    #[inline(never)]
    fn tell_last(&mut self, count: u64, time: u64) {
        let Some(mut s) = self.s.last().copied() else { return };
        if s.time == S::CONTINUED {
            s.time = time;
        }
        let rare = Rare { passed: count, ..self.rare(&s) };
        self.rare.push(rare);
        s.rare = self.rare.len() as u32;
        if let Some(last) = self.s.last_mut() {
            *last = s;
        }
    }

    pub(super) fn rare(&self, s: &S) -> Rare {
        let rare = (s.rare as usize).checked_sub(1).and_then(|at| self.rare.get(at));
        rare.copied().unwrap_or_default()
    }
}

/// `Pattern`: durations that come again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    /// `@id`.
    pub(super) id: String,
    /// The durations of its segments, one by one; none is 0.
    pub(super) durations: Vec<u64>,
}

/// The attributes that are read here.
const NAMES: [u8; 3] = [b't', b'd', b'r'];

/// How an element is written: fixed text, and a number after each piece of it but the last.
#[derive(Clone, Copy)]
struct Shape {
    /// From where the element before ends to the first number.
    lead: Piece,
    /// What follows each number; the last of them ends the element.
    inner: [Piece; 3],
    /// From the last number to the first of an element written like it.
    link: Piece,
    /// Which of `NAMES` each number is.
    values: [usize; 3],
    /// How many numbers there are; 0: there is no such element.
    count: usize,
}

/// Fixed text.
#[derive(Clone, Copy)]
struct Piece {
    words: [u64; WORDS],
    /// The bits of them that count.
    masks: [u64; WORDS],
    length: usize,
}

/// Nothing is like what is longer, so that each element is read by itself.
const WORDS: usize = 5;

impl Shape {
    const NONE: Self = Self {
        lead: Piece::EMPTY,
        inner: [Piece::EMPTY; 3],
        link: Piece::EMPTY,
        values: [0; 3],
        count: 0,
    };
}

impl Piece {
    const EMPTY: Self = Self { words: [0; WORDS], masks: [0; WORDS], length: 0 };

    /// Adds what stands in a text, and says whether it is still short enough.
    fn add(&mut self, text: &[u8]) -> bool {
        for &byte in text {
            let (place, bits) = (self.length / 8, self.length % 8 * 8);
            let (Some(word), Some(mask)) = (self.words.get_mut(place), self.masks.get_mut(place))
            else {
                return false;
            };
            *word |= u64::from(byte) << bits;
            *mask |= 0xff << bits;
            self.length += 1;
        }
        true
    }

    /// The offset after it, if it stands here.
    #[inline(always)]
    fn after(&self, text: &[u8], at: usize) -> Option<usize> {
        let (chunks, _) = text.get(at..)?.first_chunk::<{ WORDS * 8 }>()?.as_chunks::<8>();
        let [a, b, c, d, e] = chunks else { return None };
        let [f, g, h, i, j] = self.words;
        let [k, l, m, n, o] = self.masks;
        let differs = |chunk: &[u8; 8], word, mask| (u64::from_le_bytes(*chunk) ^ word) & mask;
        let mut differ = differs(a, f, k) | differs(b, g, l) | differs(c, h, m);
        // Mostly it is not that long.
        if self.length > 24 {
            differ |= differs(d, i, n) | differs(e, j, o);
        }
        (differ == 0).then_some(at + self.length)
    }

    /// As [`after`](Self::after) for one of at most eight bytes.
    #[inline(always)]
    fn soon_after(&self, text: &[u8], at: usize) -> Option<usize> {
        let ([known, ..], [mask, ..]) = (self.words, self.masks);
        ((word(text, at)? ^ known) & mask == 0).then_some(at + self.length)
    }
}

/// How the elements read last were written. Those of other timelines are mostly written alike.
pub(super) struct Shapes {
    known: [Shape; 4],
    /// Which is the next to be forgotten.
    oldest: usize,
}

impl Shapes {
    const NONE: Self = Self { known: [Shape::NONE; 4], oldest: 0 };
}

/// What is of use from one timeline to the next.
pub(super) struct Scratch {
    pub(super) shapes: Shapes,
    /// Room to read runs in.
    runs: Runs,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { shapes: Shapes::NONE, runs: Runs::default() }
    }
}

/// Reads up to `most` `S` elements, with white space before each, from offset `at` on, and gives them to
/// `add`, some at a time. Says where it stopped: before the first that is not plain, if it was not
/// enough, or before those that `add` refused.
#[inline(never)]
pub(super) fn read(
    text: &[u8],
    mut at: usize,
    shapes: &mut Shapes,
    add: &mut dyn FnMut(&[S]) -> bool,
    mut most: usize,
) -> usize {
    let mut block = const { [S { time: 0, duration: 0, repeat: 0, end: 0, rare: 0 }; BLOCK] };
    let (mut shape, mut failed) = (0, 0);
    while most > 0 {
        let known = shapes.known.get(shape);
        let mut count = known.map_or(0, |known| follow(text, at, known, &mut block, most));
        if count == 0 {
            (shape, failed) = ((shape + 1) % shapes.known.len(), failed + 1);
            if failed < shapes.known.len() {
                continue;
            }
            let Some((learnt, s)) = learn(text, at) else { break };
            shape = shapes.oldest;
            shapes.oldest = (shape + 1) % shapes.known.len();
            if let Some(known) = shapes.known.get_mut(shape) {
                *known = learnt;
            }
            if let Some(first) = block.first_mut() {
                *first = s;
            }
            count = 1;
        }
        let read = block.get(..count).unwrap_or_default();
        if !add(read) {
            break;
        }
        (at, failed) = (read.last().map_or(at, |last| last.end as usize), 0);
        most -= count;
    }
    at
}

/// Elements that are given together: a call for each would take longer than to read it.
const BLOCK: usize = 32;

/// How many bytes are the same in two texts, from an offset of each on.
#[inline(never)]
pub(super) fn common(one: &[u8], at: usize, other: &[u8], from: usize) -> usize {
    let (one, other) = (one.get(at..).unwrap_or(&[]), other.get(from..).unwrap_or(&[]));
    let words = |bytes: &'_ [u8]| bytes.as_chunks::<8>().0.len();
    let most = words(one).min(words(other));
    let pairs = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
    let equal = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_le_bytes(*a) == u64::from_le_bytes(*b);
    let mut done = pairs.into_iter().position(|pair| !equal(pair)).unwrap_or(most) * 8;
    while let (Some(a), Some(b)) = (one.get(done), other.get(done))
        && a == b
    {
        done += 1;
    }
    done
}

/// Reads an element written in any way, and how it is written.
#[inline(never)]
fn learn(text: &[u8], start: usize) -> Option<(Shape, S)> {
    let (mut shape, mut fits) = (Shape::NONE, true);
    let mut found = [None; 3];
    let mut at = spaces(text, start);
    if text.get(at..at + 2)? != b"<S" {
        return None;
    }
    at += 2;
    let mut from = start;
    let mut lead: &[u8] = &[];
    loop {
        let before = at;
        at = spaces(text, at);
        if text.get(at..at + 2)? == b"/>" {
            break;
        }
        let name = *text.get(at)?;
        let value = NAMES.iter().position(|&known| known == name)?;
        if at == before || found.get(value)?.is_some() || text.get(at + 1..at + 3)? != b"=\"" {
            return None;
        }
        at += 3;
        let piece = text.get(from..at)?;
        match shape.count.checked_sub(1) {
            None => lead = piece,
            Some(before) => fits &= shape.inner.get_mut(before)?.add(piece),
        }
        let number;
        (number, from) = digits(text, at)?;
        if text.get(from)? != &b'"' {
            return None;
        }
        *shape.values.get_mut(shape.count)? = value;
        *found.get_mut(value)? = Some(number);
        shape.count += 1;
        at = from + 1;
    }
    let end = at + 2;
    let [time, duration, repeat] = found;
    let s = plain([time.unwrap_or(S::CONTINUED), duration?, repeat.unwrap_or(0)], end)?;
    let tail = text.get(from..end)?;
    fits &= shape.inner.get_mut(shape.count - 1)?.add(tail) && shape.lead.add(lead);
    fits &= shape.link.add(tail) && shape.link.add(lead);
    if !fits || shape.inner.iter().any(|piece| piece.length > 8) {
        shape.count = 0;
    }
    Some((shape, s))
}

/// Reads up to `most` elements that are written like another, and says how many.
#[inline(always)]
fn follow(text: &[u8], mut at: usize, shape: &Shape, out: &mut [S; BLOCK], most: usize) -> usize {
    let (mut count, mut piece) = (0, &shape.lead);
    // That of another timeline may be empty.
    let Some(tail) = shape.count.checked_sub(1).and_then(|last| shape.inner.get(last)) else {
        return 0;
    };
    loop {
        let Some(next) = piece.after(text, at) else {
            // What links an element to the next begins with its own end.
            if count > 0 && tail.soon_after(text, at).is_none() {
                count -= 1;
            }
            break;
        };
        let place = out.get_mut(count).filter(|_| count < most);
        let read = place.zip(follow_one(text, next, shape));
        let Some((place, (found, end))) = read else { break };
        let Some(s) = plain(found, end + tail.length) else { break };
        *place = s;
        (count, piece, at) = (count + 1, &shape.link, end);
    }
    count
}

/// Reads an element from its first number on, and says where its last number ends.
#[inline(always)]
fn follow_one(text: &[u8], mut at: usize, shape: &Shape) -> Option<([u64; 3], usize)> {
    let mut found = [S::CONTINUED, 0, 0];
    // Counted by hand: iterators of two slices are made by calls.
    let mut place = 0;
    loop {
        let (number, end) = digits(text, at)?;
        *found.get_mut(*shape.values.get(place)?)? = number;
        let piece = shape.inner.get(place)?;
        place += 1;
        if place == shape.count {
            return Some((found, end));
        }
        at = piece.soon_after(text, end)?;
    }
}

#[inline(always)]
fn plain([time, duration, repeat]: [u64; 3], end: usize) -> Option<S> {
    if duration == 0 {
        return None;
    }
    let repeat = i64::try_from(repeat).ok()?;
    Some(S { time, duration, repeat, end: end as u32, rare: 0 })
}

/// A number, and the offset after it. None if there are no digits, or more than fit, or if the text
/// ends within eight bytes.
#[inline(always)]
fn digits(text: &[u8], mut at: usize) -> Option<(u64, usize)> {
    const TENS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
    let mut value = 0u64;
    let start = at;
    loop {
        let word = word(text, at)? ^ 0x3030_3030_3030_3030;
        // The high bit of each byte that is no digit; a carry reaches only bytes after the first.
        let others = (word.wrapping_add(0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080;
        let count = (others.trailing_zeros() / 8) as usize;
        if count > 0 {
            // As eight digits with zeroes before them: pairs, then fours, then all.
            let word = word << (64 - 8 * count);
            let word = word.wrapping_mul(10).wrapping_add(word >> 8);
            let fours = (word & 0x0000_00ff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
            let pairs = ((word >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
            let eight = fours.wrapping_add(pairs) >> 32;
            value = match at == start {
                true => eight,
                false => value.checked_mul(*TENS.get(count)?)?.checked_add(eight)?,
            };
            at += count;
        }
        if count < 8 {
            return (at > start).then_some((value, at));
        }
    }
}

/// Eight bytes from an offset on.
#[inline(always)]
pub(super) fn word(text: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; 8] = text.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn spaces(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(text: &str, most: usize) -> (usize, Vec<S>) {
        let mut out = Vec::new();
        let mut add = |block: &[S]| {
            out.extend_from_slice(block);
            true
        };
        (read(text.as_bytes(), 0, &mut { Shapes::NONE }, &mut add, most), out)
    }

    #[test]
    fn numbers_are_read_or_left() {
        let read = |text: &str| digits(format!("{text}\"/>.....").as_bytes(), 0);
        for (text, expected) in [
            ("0", Some(0)),
            ("00000000000000000000000000007", Some(7)),
            ("12345678", Some(12_345_678)),
            ("123456789", Some(123_456_789)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(read(text), expected.map(|value| (value, text.len())), "{text}");
        }
        assert_eq!(read("12:4"), Some((12, 2)));
        assert_eq!(read("12/4"), Some((12, 2)));
        assert_eq!(read("1\u{ff}"), Some((1, 1)));
        assert_eq!(digits(b"1234567", 0), None);
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for text in [
            "<S d=\"0\"/>",
            "<S t=\"1\"/>",
            "<S d=\"1\" d=\"2\"/>",
            "<S d=\"1\"></S>",
            "<S d=\"1\"r=\"2\"/>",
            "<S d='1'/>",
            "<S d=\"&#49;\"/>",
            "<S d=\"1\" r=\"-1\"/>",
            "<S d=\"1\" k=\"2\"/>",
            "<Sd=\"1\"/>",
            "<!-- --><S d=\"1\"/>",
            "<S d=\"1\" r=\"9223372036854775808\"/>",
        ] {
            let text = format!("{text}         ");
            assert_eq!(read_all(&text, 9), (0, vec![]), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_plain_element_is_read(elements in proptest::collection::vec(
            ("[ \n]{0,12}|[ \n]{36,52}", proptest::option::of(any::<u64>()), 1u64.., proptest::option::of(0i64..), any::<bool>(), " ?"),
            0..20,
        )) {
            let (mut text, mut expected) = (String::new(), Vec::new());
            for (before, time, duration, repeat, turned, after) in elements {
                let time = time.map(|time| time.min(u64::MAX - 1));
                let mut attributes: Vec<String> = [
                    time.map(|time| format!("t=\"{time}\"")),
                    Some(format!("d=\"{duration}\"")),
                    repeat.map(|repeat| format!("r=\"{repeat}\"")),
                ].into_iter().flatten().collect();
                if turned {
                    attributes.reverse();
                }
                text += &format!("{before}<S {}{after}/>", attributes.join(" "));
                expected.push(S {
                    time: time.unwrap_or(S::CONTINUED),
                    duration,
                    repeat: repeat.unwrap_or(0),
                    end: text.len() as u32,
                    rare: 0,
                });
            }
            let length = text.len();
            text += "</SegmentTimeline>";
            prop_assert_eq!(read_all(&text, usize::MAX), (length, expected));
        }
    }
}
