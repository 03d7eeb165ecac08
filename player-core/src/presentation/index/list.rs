//! Segments named one by one.

use super::Segment;
use super::queue::Queue;
use crate::io::ByteRange;
use crate::time::{MediaTime, WallTime};
use crate::url;

/// Segments in order. References stay as the manifest wrote them, all in one piece of text, and are
/// resolved when a segment is wanted: most never are. The list of a live playlist loses segments at
/// the front and gains some at the back, and nothing in between is touched.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// What references resolve against.
    base: String,
    first_number: u64,
    text: MovingText,
    entries: Queue<Entry>,
    /// One for each entry, or none at all.
    ranges: Queue<Range>,
    /// Where the setting changes. Positions in time and order are all numbers of segments, so that
    /// they hold when segments go.
    marks: Queue<Mark>,
    dates: Queue<Date>,
    /// Numbers of segments that are missing on the server, rising.
    gaps: Queue<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    start: MediaTime,
    duration: MediaTime,
    /// Its reference, within the text.
    reference: (u32, u32),
}

/// A byte range, in less room than an `Option<ByteRange>` takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Range {
    start: u64,
    length: u64,
}

impl Range {
    const WHOLE: Self = Self { start: u64::MAX, length: u64::MAX };

    fn new(range: Option<ByteRange>) -> Self {
        range.map_or(Self::WHOLE, |range| Self {
            start: range.start,
            length: range.length.unwrap_or(u64::MAX),
        })
    }

    fn get(self) -> Option<ByteRange> {
        let length = (self.length != u64::MAX).then_some(self.length);
        (self != Self::WHOLE).then_some(ByteRange { start: self.start, length })
    }
}

/// What a segment shares with those around it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Setting {
    pub(crate) init: Option<usize>,
    pub(crate) key: Option<usize>,
    pub(crate) discontinuity: u64,
    pub(crate) bit_rate: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    number: u64,
    setting: Setting,
}

/// A segment whose date does not follow from the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Date {
    number: u64,
    start: MediaTime,
    wall: WallTime,
}

impl Date {
    /// The date of another time.
    fn at(self, time: MediaTime) -> WallTime {
        self.wall + (time - self.start)
    }

    /// Whether the date of a time is this.
    fn implies(self, time: MediaTime, wall: WallTime) -> bool {
        let micros = wall.micros().saturating_sub(self.wall.micros());
        let flicks = (time - self.start).flicks();
        // As rounding to the nearest has it, but without a division. 3528 flicks are five
        // microseconds; beyond thirty years, dates are stated again.
        const LONG: i64 = 1_000_000_000_000_000;
        if !(-LONG..LONG).contains(&micros) || !(-LONG * 706..LONG * 706).contains(&flicks) {
            return false;
        }
        (0..3528).contains(&(flicks * 5 + 1764 - micros * 3528))
    }
}

/// Puts a list together.
#[derive(Debug)]
pub(crate) struct ListBuilder {
    list: List,
}

/// One segment for a [`ListBuilder`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListEntry<'a> {
    /// On the presentation timeline; not before the end of the one before.
    pub(crate) start: MediaTime,
    pub(crate) duration: MediaTime,
    /// URL reference; the base itself if empty.
    pub(crate) reference: &'a str,
    pub(crate) range: Option<ByteRange>,
    pub(crate) init: Option<usize>,
    pub(crate) key: Option<usize>,
    pub(crate) discontinuity: u64,
    pub(crate) gap: bool,
    /// When it was made, if the manifest says so of this very segment.
    pub(crate) wall_time: Option<WallTime>,
    pub(crate) bit_rate: Option<u64>,
}

impl ListBuilder {
    /// Bytes that one segment takes, besides its reference.
    pub(crate) const ENTRY_SIZE: usize = size_of::<Entry>() + size_of::<Range>();

    /// An empty list of references relative to `base`, whose first segment has number
    /// `first_number`.
    pub(crate) fn new(base: &str, first_number: u64) -> Self {
        Self { list: List::new(base, first_number) }
    }

    /// Numbers the first segment, if that was not known from the start.
    pub(crate) fn set_first_number(&mut self, number: u64) {
        self.list.set_first_number(number);
    }

    /// Adds a segment to the end.
    pub(crate) fn push(&mut self, entry: ListEntry<'_>) {
        self.list.push(entry);
    }

    pub(super) fn finish(mut self) -> List {
        self.list.text.text.shrink_to_fit();
        self.list.entries.shrink_to_fit();
        self.list.ranges.shrink_to_fit();
        self.list
    }
}

impl List {
    pub(crate) fn new(base: &str, first_number: u64) -> Self {
        Self {
            base: base.to_owned(),
            first_number,
            text: MovingText::default(),
            entries: Queue::new(),
            ranges: Queue::new(),
            marks: Queue::new(),
            dates: Queue::new(),
            gaps: Queue::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of the first segment, or of the one that will be.
    pub(crate) fn first_number(&self) -> u64 {
        self.first_number
    }

    /// Numbers the first segment. The list must be empty.
    pub(crate) fn set_first_number(&mut self, number: u64) {
        self.first_number = number;
    }

    /// Number of the segment after the last.
    pub(crate) fn next_number(&self) -> u64 {
        self.first_number.saturating_add(self.len() as u64)
    }

    /// Adds a segment to the end.
    pub(crate) fn push(&mut self, entry: ListEntry<'_>) {
        let number = self.next_number();
        // Byte ranges of one file name it again and again.
        let before = self.entries.last().map(|last| last.reference);
        let reference = match before {
            Some(before)
                if entry.range.is_some() && same(self.text.get(before), entry.reference) =>
            {
                before
            }
            _ => self.text.push(entry.reference),
        };
        if entry.range.is_some() || !self.ranges.is_empty() {
            self.ranges.fill(self.entries.len(), Range::WHOLE);
            self.ranges.push(Range::new(entry.range));
        }
        self.entries.push(Entry { start: entry.start, duration: entry.duration, reference });
        let setting = Setting {
            init: entry.init,
            key: entry.key,
            discontinuity: entry.discontinuity,
            bit_rate: entry.bit_rate,
        };
        if self.marks.last().is_none_or(|last| last.setting != setting) {
            self.marks.push(Mark { number, setting });
        }
        if let Some(wall) = entry.wall_time
            && self.dates.last().is_none_or(|last| !last.implies(entry.start, wall))
        {
            self.dates.push(Date { number, start: entry.start, wall });
        }
        if entry.gap {
            self.gaps.push(number);
        }
    }

    pub(super) fn get(&self, position: usize) -> Option<Segment> {
        self.expand(position, None)
    }

    /// What makes [`expand`](Self::expand) quick for many segments.
    pub(super) fn folder(&self) -> url::Folder<'_> {
        url::Folder::of(&self.base)
    }

    pub(super) fn expand(
        &self,
        position: usize,
        folder: Option<&url::Folder<'_>>,
    ) -> Option<Segment> {
        let entry = self.entries.get(position)?;
        let number = self.first_number.saturating_add(position as u64);
        let setting = self.setting(number);
        let range = self.range(position);
        Some(Segment {
            number,
            start: entry.start,
            duration: entry.duration,
            url: match (folder, self.text.get(entry.reference)) {
                (Some(folder), reference) => folder.resolve(reference),
                (None, reference) => url::resolve(&self.base, reference),
            },
            range,
            init: setting.init,
            discontinuity: setting.discontinuity,
            size: range.and_then(|range| range.length),
            gap: self.is_gap(number),
            wall_time: self.wall_time(number, entry.start),
            key: setting.key,
            bit_rate: setting.bit_rate,
        })
    }

    /// Start and end of a segment, without making its URL.
    pub(super) fn span(&self, position: usize) -> Option<(MediaTime, MediaTime)> {
        let entry = self.entries.get(position)?;
        Some((entry.start, entry.start + entry.duration))
    }

    pub(super) fn position_at(&self, time: MediaTime) -> Option<usize> {
        // The first that ends after `time`, whether it has begun or not.
        let position = self.entries.partition_point(|entry| entry.start + entry.duration <= time);
        (position < self.entries.len()).then_some(position)
    }

    fn range(&self, position: usize) -> Option<ByteRange> {
        self.ranges.get(position).and_then(|range| range.get())
    }

    /// Whether every segment is missing on the server.
    pub(super) fn is_bare(&self) -> bool {
        self.gaps.len() == self.len()
    }

    fn is_gap(&self, number: u64) -> bool {
        self.gaps.binary_search(&number).is_ok()
    }

    /// What holds for a segment.
    pub(crate) fn setting(&self, number: u64) -> Setting {
        let following = self.marks.partition_point(|mark| mark.number <= number);
        let mark = following.checked_sub(1).and_then(|index| self.marks.get(index));
        mark.map_or_else(Setting::default, |mark| mark.setting)
    }

    /// The date of a segment that starts at `start`: its own, or else as far from that of the one
    /// before that has one, or else after it, as the playlist says (RFC 8216bis §6.3.3).
    fn wall_time(&self, number: u64, start: MediaTime) -> Option<WallTime> {
        let following = self.dates.partition_point(|date| date.number <= number);
        let date = self.dates.get(following.saturating_sub(1))?;
        Some(date.at(start))
    }

    /// The date of a time, as [`wall_time`](Self::wall_time) has it.
    pub(crate) fn wall_time_at(&self, time: MediaTime) -> Option<WallTime> {
        let following = self.dates.partition_point(|date| date.start <= time);
        Some(self.dates.get(following.saturating_sub(1))?.at(time))
    }

    /// The time of a date.
    pub(super) fn time_at(&self, wall: WallTime) -> Option<MediaTime> {
        let following = self.dates.partition_point(|date| date.wall <= wall);
        let date = self.dates.get(following.saturating_sub(1))?;
        Some(date.start + (wall - date.wall))
    }

    /// Whether a segment says its date, or one before it does.
    pub(crate) fn date_of(&self, number: u64) -> Option<WallTime> {
        self.wall_time(number, self.entry(number)?.start)
    }

    /// Start and end of a segment of a number.
    pub(crate) fn span_of(&self, number: u64) -> Option<(MediaTime, MediaTime)> {
        let entry = self.entry(number)?;
        Some((entry.start, entry.start + entry.duration))
    }

    /// Reference and byte range of a segment.
    pub(crate) fn resource(&self, number: u64) -> Option<(&str, Option<ByteRange>)> {
        let position = self.position(number)?;
        let entry = self.entries.get(position)?;
        Some((self.text.get(entry.reference), self.range(position)))
    }

    fn position(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first_number)?).ok()
    }

    fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(self.position(number)?)
    }

    /// Whether references mean the same here as in another list.
    pub(crate) fn has_base(&self, other: &Self) -> bool {
        self.base == other.base
    }

    /// How a segment of this list differs from the one of the same number in another. What is the
    /// same in the query of a URL counts as the same: services renew the tokens there.
    pub(crate) fn compare(&self, other: &Self, number: u64) -> Option<Difference> {
        let (ours, theirs) = (self.resource(number)?, other.resource(number)?);
        let path = |text: &str| url::cut(text, b'?').map_or(text.len(), |(path, _)| path.len());
        let (our_path, their_path) = (path(ours.0), path(theirs.0));
        if ours.0.get(..our_path) != theirs.0.get(..their_path) {
            return Some(Difference::Url);
        }
        if ours.1 != theirs.1 {
            return Some(Difference::Range);
        }
        if self.entry(number)?.duration != other.entry(number)?.duration {
            return Some(Difference::Duration);
        }
        let settings = (self.setting(number), other.setting(number));
        let same = (settings.0.init, settings.0.key) == (settings.1.init, settings.1.key)
            && self.is_gap(number) == other.is_gap(number);
        if !same {
            return Some(Difference::Tags);
        }
        (ours.0 != theirs.0).then_some(Difference::Query)
    }

    /// Forgets the segments before `number`.
    pub(crate) fn trim(&mut self, number: u64) {
        let count = number.saturating_sub(self.first_number);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.len());
        self.entries.drop_front(count);
        self.ranges.drop_front(count);
        self.first_number = self.first_number.saturating_add(count as u64);
        let first = self.first_number;
        // The last of those before goes on holding.
        let before = self.marks.partition_point(|mark| mark.number <= first);
        self.marks.drop_front(before.saturating_sub(1));
        let before = self.dates.partition_point(|date| date.number <= first);
        self.dates.drop_front(before.saturating_sub(1));
        let before = self.gaps.partition_point(|&gap| gap < first);
        self.gaps.drop_front(before);
        match self.entries.first() {
            Some(front) => self.text.trim(front.reference.0),
            None => self.text = MovingText::default(),
        }
    }

    /// Forgets the segments from `number` on.
    pub(crate) fn truncate(&mut self, number: u64) {
        let Some(count) = self.position(number) else { return };
        self.entries.truncate(count);
        self.ranges.truncate(count);
        self.marks.truncate(self.marks.partition_point(|mark| mark.number < number));
        self.dates.truncate(self.dates.partition_point(|date| date.number < number));
        self.gaps.truncate(self.gaps.partition_point(|&gap| gap < number));
    }

    /// Adds the segments of another list that come after ours: their times move by `shift`, their
    /// discontinuity numbers by `discontinuities`.
    pub(crate) fn append(&mut self, other: &Self, shift: MediaTime, discontinuities: u64) {
        let mut first = true;
        for number in self.next_number()..other.next_number() {
            let Some(position) = other.position(number) else { return };
            let Some(entry) = other.entries.get(position) else { return };
            let setting = other.setting(number);
            // The first is dated by what the other list knows, the rest follow from it as there.
            let stated = other.dates.binary_search_by_key(&number, |date| date.number).is_ok();
            let dated = other.dates.first().is_some_and(|date| date.number <= number);
            let wall_time = if stated || (dated && first) { other.date_of(number) } else { None };
            first = false;
            self.push(ListEntry {
                start: entry.start + shift,
                duration: entry.duration,
                reference: other.text.get(entry.reference),
                range: other.range(position),
                init: setting.init,
                key: setting.key,
                discontinuity: setting.discontinuity.wrapping_add(discontinuities),
                gap: other.is_gap(number),
                wall_time,
                bit_rate: setting.bit_rate,
            });
        }
    }

    /// Moves every time by `by`, and every discontinuity number by `discontinuities`.
    pub(crate) fn shift(&mut self, by: MediaTime, discontinuities: u64) {
        for entry in self.entries.iter_mut() {
            entry.start = entry.start + by;
        }
        for date in self.dates.iter_mut() {
            date.start = date.start + by;
        }
        for mark in self.marks.iter_mut() {
            let number = &mut mark.setting.discontinuity;
            *number = number.wrapping_add(discontinuities);
        }
    }

    /// Where a discontinuity of one number begins in this list and in another, the last that does in
    /// both.
    pub(crate) fn common_discontinuity(&self, other: &Self) -> Option<(MediaTime, MediaTime)> {
        let (mut here, mut there) = (self.marks.len(), other.marks.len());
        // From the end on: numbers only rise.
        let before = |list: &Self, position: &mut usize| loop {
            *position = position.checked_sub(1)?;
            if let Some(found) = list.beginning(*position) {
                return Some(found);
            }
        };
        let (mut own, mut theirs) = (before(self, &mut here)?, before(other, &mut there)?);
        while own.0 != theirs.0 {
            match own.0 > theirs.0 {
                true => own = before(self, &mut here)?,
                false => theirs = before(other, &mut there)?,
            }
        }
        Some((own.1, theirs.1))
    }

    /// The discontinuity that begins with a mark, and when.
    fn beginning(&self, position: usize) -> Option<(u64, MediaTime)> {
        let before = self.marks.get(position.checked_sub(1)?)?.setting.discontinuity;
        let mark = self.marks.get(position)?;
        let begins = mark.setting.discontinuity != before;
        let (start, _) = self.span_of(mark.number).filter(|_| begins)?;
        Some((mark.setting.discontinuity, start))
    }

    /// The least initialisation segment and the least key that are still named.
    pub(crate) fn least_used(&self) -> (Option<usize>, Option<usize>) {
        let (mut inits, mut keys) = (None, None);
        for mark in self.marks.iter() {
            let Setting { init, key, .. } = mark.setting;
            // Nothing is less than something, so it is turned round.
            inits = inits.max(init.map(core::cmp::Reverse));
            keys = keys.max(key.map(core::cmp::Reverse));
        }
        (inits.map(|init| init.0), keys.map(|key| key.0))
    }

    /// Counts initialisation segments and keys anew, after the first of them have gone.
    pub(crate) fn renumber(&mut self, inits: usize, keys: usize) {
        for mark in self.marks.iter_mut() {
            mark.setting.init = mark.setting.init.map(|init| init.saturating_sub(inits));
            mark.setting.key = mark.setting.key.map(|key| key.saturating_sub(keys));
        }
    }
}

/// Two lists are equal if they expand to the same segments, whatever they have seen go.
impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && (0..self.len()).all(|position| self.get(position) == other.get(position))
    }
}

/// How a segment differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It has another URL.
    Url,
    /// It is another part of the resource.
    Range,
    /// It has another duration.
    Duration,
    /// It has another key or initialisation segment, or is missing or there again.
    Tags,
    /// Only the query of its URL is another.
    Query,
}

/// Whether two references are equal. Eight bytes at a time: `==` looks at each where there is no
/// `memcmp` of the platform's.
#[inline]
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    // The last eight first: that is where names of segments differ.
    match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        (Some(last), Some(other_last)) => {
            let eights = one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0);
            same_eight(last, other_last)
                && eights.into_iter().all(|(one, other)| same_eight(one, other))
        }
        _ => one == other,
    }
}

/// Whether eight bytes are the same as eight others.
#[inline(always)]
pub(crate) fn same_eight(one: &[u8; 8], other: &[u8; 8]) -> bool {
    u64::from_ne_bytes(*one) == u64::from_ne_bytes(*other)
}

/// Text that grows at the end and goes at the beginning. Places in it are counted from a beginning
/// that is long gone, and wrap around: there are never 4 GB of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct MovingText {
    text: String,
    /// Where `text` begins.
    base: u32,
}

impl MovingText {
    /// A text that more will be added to.
    pub(crate) fn growing(text: &str) -> Self {
        let mut own = String::with_capacity(text.len() + text.len() / 8);
        own.push_str(text);
        Self { text: own, base: 0 }
    }

    /// Adds text; says where it lies.
    pub(crate) fn push(&mut self, text: &str) -> (u32, u32) {
        let start = self.end();
        self.text.push_str(text);
        (start, self.end())
    }

    /// Where the next text will lie.
    pub(crate) fn end(&self) -> u32 {
        self.base.wrapping_add(self.text.len() as u32)
    }

    pub(crate) fn get(&self, (start, end): (u32, u32)) -> &str {
        let place = |offset: u32| offset.wrapping_sub(self.base) as usize;
        self.text.get(place(start)..place(end)).unwrap_or("")
    }

    /// What lies from `place` on.
    pub(crate) fn from(&self, place: u32) -> &str {
        self.get((place, self.end()))
    }

    /// Forgets what lies before `place`, once that is most of it.
    pub(crate) fn trim(&mut self, place: u32) {
        let gone = place.wrapping_sub(self.base) as usize;
        if gone > self.text.len() / 2
            && let Some(rest) = self.text.get(gone..)
        {
            *self = Self { base: place, ..Self::growing(rest) };
        }
    }

    /// Forgets what lies from `place` on.
    pub(crate) fn truncate(&mut self, place: u32) {
        let length = place.wrapping_sub(self.base) as usize;
        if self.text.is_char_boundary(length) {
            crate::items::shorten(&mut self.text, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(reference: &str, start: i64, duration: i64) -> ListEntry<'_> {
        ListEntry {
            start: MediaTime::from_secs(start),
            duration: MediaTime::from_secs(duration),
            reference,
            ..ListEntry::default()
        }
    }

    #[test]
    fn segments_come_out_as_they_went_in() {
        let mut builder = ListBuilder::new("https://a/b/c.m3u8", 7);
        builder.push(ListEntry { init: Some(0), ..entry("1.m4s", 0, 2) });
        let range = Some(ByteRange { start: 5, length: Some(9) });
        builder.push(ListEntry { range, init: Some(0), ..entry("1.m4s", 2, 2) });
        builder.push(ListEntry {
            discontinuity: 3,
            gap: true,
            init: Some(1),
            ..entry("/2.m4s", 10, 4)
        });
        let list = builder.finish();
        assert_eq!(list.text.text, "1.m4s/2.m4s");
        let segments: Vec<_> = (0..4).map(|position| list.get(position)).collect();
        let at = MediaTime::from_secs;
        let expected =
            |number, start, duration, url| Segment::plain(number, at(start), at(duration), url);
        assert_eq!(
            segments,
            [
                Some(expected(7, 0, 2, "https://a/b/1.m4s")),
                Some(Segment { range, size: Some(9), ..expected(8, 2, 2, "https://a/b/1.m4s") }),
                Some(Segment {
                    init: Some(1),
                    discontinuity: 3,
                    gap: true,
                    ..expected(9, 10, 4, "https://a/2.m4s")
                }),
                None,
            ]
        );
    }

    #[test]
    fn a_gap_belongs_to_what_follows() {
        let mut builder = ListBuilder::new("", 0);
        builder.push(entry("a", 1, 2));
        builder.push(entry("b", 5, 2));
        let list = builder.finish();
        let at = |seconds| list.position_at(MediaTime::from_secs(seconds));
        assert_eq!([at(0), at(1), at(3), at(5), at(6)].map(|p| p.unwrap_or(9)), [0, 0, 1, 1, 1]);
        assert_eq!(at(7), None);
    }
}
