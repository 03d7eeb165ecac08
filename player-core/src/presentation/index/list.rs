//! Segments named one by one.

use super::Segment;
use crate::io::ByteRange;
use crate::time::MediaTime;
use crate::url;

/// Segments in order. References stay as the manifest wrote them, all in one piece of text, and are
/// resolved when a segment is wanted: most never are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct List {
    /// What references resolve against.
    base: String,
    first_number: u64,
    /// Every reference, one after another.
    text: String,
    entries: Vec<Entry>,
    /// One for each entry, or none at all.
    ranges: Vec<Option<ByteRange>>,
    /// Where the initialisation segment or the discontinuity number changes.
    marks: Vec<Mark>,
    /// Positions of segments that are missing on the server, rising.
    gaps: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    start: MediaTime,
    duration: MediaTime,
    /// Its reference, within the text.
    reference: (u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    position: usize,
    init: Option<usize>,
    discontinuity: u64,
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
    pub(crate) discontinuity: u64,
    pub(crate) gap: bool,
}

impl ListBuilder {
    /// Bytes that one segment takes, besides its reference.
    pub(crate) const ENTRY_SIZE: usize = size_of::<Entry>() + size_of::<Option<ByteRange>>();

    /// An empty list of references relative to `base`, whose first segment has number
    /// `first_number`.
    pub(crate) fn new(base: &str, first_number: u64) -> Self {
        Self {
            list: List {
                base: base.to_owned(),
                first_number,
                text: String::new(),
                entries: Vec::new(),
                ranges: Vec::new(),
                marks: Vec::new(),
                gaps: Vec::new(),
            },
        }
    }

    /// Numbers the first segment, if that was not known from the start.
    pub(crate) fn set_first_number(&mut self, number: u64) {
        self.list.first_number = number;
    }

    pub(crate) fn len(&self) -> usize {
        self.list.entries.len()
    }

    /// Adds a segment to the end.
    pub(crate) fn push(&mut self, entry: ListEntry<'_>) {
        let list = &mut self.list;
        let position = list.entries.len();
        let before = list.entries.last().map(|last| last.reference);
        let reference = match before {
            // Byte ranges of one file name it again and again.
            Some(before) if list.reference(before) == entry.reference => before,
            _ => {
                let start = list.text.len();
                list.text.push_str(entry.reference);
                // Manifests are limited far below 4 GB; beyond it references would come out empty.
                let offset = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
                (offset(start), offset(list.text.len()))
            }
        };
        list.entries.push(Entry { start: entry.start, duration: entry.duration, reference });
        if entry.range.is_some() || !list.ranges.is_empty() {
            list.ranges.resize(position, None);
            list.ranges.push(entry.range);
        }
        let mark = Mark { position, init: entry.init, discontinuity: entry.discontinuity };
        if list
            .marks
            .last()
            .is_none_or(|last| (last.init, last.discontinuity) != (mark.init, mark.discontinuity))
        {
            list.marks.push(mark);
        }
        if entry.gap {
            list.gaps.push(position);
        }
    }

    pub(super) fn finish(mut self) -> List {
        self.list.text.shrink_to_fit();
        self.list.entries.shrink_to_fit();
        self.list.ranges.shrink_to_fit();
        self.list
    }
}

impl List {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, position: usize) -> Option<Segment> {
        let entry = self.entries.get(position)?;
        let following = self.marks.partition_point(|mark| mark.position <= position);
        let mark = following.checked_sub(1).and_then(|index| self.marks.get(index));
        let range = self.ranges.get(position).copied().flatten();
        Some(Segment {
            number: self.first_number.saturating_add(position as u64),
            start: entry.start,
            duration: entry.duration,
            url: url::resolve(&self.base, self.reference(entry.reference)),
            range,
            init: mark.and_then(|mark| mark.init),
            discontinuity: mark.map_or(0, |mark| mark.discontinuity),
            size: range.and_then(|range| range.length),
            gap: self.gaps.binary_search(&position).is_ok(),
            wall_time: None,
            key: None,
            bit_rate: None,
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

    fn reference(&self, (start, end): (u32, u32)) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or("")
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
        assert_eq!(list.text, "1.m4s/2.m4s");
        let segments: Vec<_> = (0..4).map(|position| list.get(position)).collect();
        let expected = |number, start, duration, url: &str| Segment {
            number,
            start: MediaTime::from_secs(start),
            duration: MediaTime::from_secs(duration),
            url: url.into(),
            range: None,
            init: Some(0),
            discontinuity: 0,
            size: None,
            gap: false,
            wall_time: None,
            key: None,
            bit_rate: None,
        };
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
