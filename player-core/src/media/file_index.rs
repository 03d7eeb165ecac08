//! The index within a media file: `sidx` boxes, also of several levels (ISO/IEC 14496-12 §8.16.3),
//! and the cues of WebM (RFC 9559 §5.1.5).

use super::error::Fault;
use super::sidx::{self, Reference, Search};
use super::webm::{self, Cue, CuesRead, Head};
use super::{BoxError, BoxErrorKind};
use crate::io::ByteRange;
use crate::presentation::index::{ListBuilder, ListEntry};
use crate::presentation::{InitSegment, SegmentIndex};
use crate::time::MediaTime;

/// Where an index is looked for when nothing says where it lies.
const SEARCHED: u64 = 128 * 1024;
/// What is fetched of an index that another refers to, before its size is known.
const FURTHER: u64 = 16 * 1024;
/// The most bytes of one index: a `sidx` box cannot be larger, and cues of so many are of a day.
const MOST_BYTES: u64 = 2 << 20;
/// The most pieces that are fetched, indexes within indexes, and segments.
const MOST_PIECES: usize = 1_000;
/// The most pieces in a row that hold nothing of an index. Damage must not have a whole file read.
const MOST_FRUITLESS: usize = 16;
const MOST_LEVELS: u8 = 8;
const MOST_SEGMENTS: usize = 100_000;

/// Reads the index of a media file piece by piece: says which bytes it needs, takes them, and says
/// what they lead to.
///
/// ```
/// use kinora_core::media::{FileIndex, IndexProgress};
/// use kinora_core::time::MediaTime;
///
/// # fn fetch(range: kinora_core::io::ByteRange) -> Vec<u8> {
/// #     b"\0\0\0\x2csidx\0\0\0\0\0\0\0\x01\0\0\x03\xe8\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x64\0\0\x07\xd0\x90\0\0\0".to_vec()
/// # }
/// let mut reader = FileIndex::new("https://cdn/v.mp4", None, None, MediaTime::ZERO, None);
/// let index = loop {
///     let bytes = fetch(reader.wanted());
///     match reader.take(&bytes)? {
///         IndexProgress::Needs(more) => reader = more,
///         IndexProgress::Complete(index) => break index,
///     }
/// };
/// assert_eq!(index.len(), 1);
/// # Ok::<(), kinora_core::media::BoxError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FileIndex {
    url: String,
    init: Option<InitSegment>,
    media_offset: MediaTime,
    end: Option<MediaTime>,
    wanted: ByteRange,
    pieces: usize,
    /// How many of them in a row held no box or cues that were looked for.
    fruitless: usize,
    state: State,
}

/// What taking a piece led to.
#[derive(Debug)]
pub enum IndexProgress {
    /// A further piece is needed: [`FileIndex::wanted`].
    Needs(FileIndex),
    /// All segments are known.
    Complete(SegmentIndex),
}

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Nothing has arrived, or not enough to tell.
    Begun,
    /// `sidx` boxes.
    Boxes(Walk),
    /// The cues of WebM are known, the beginning of the file is not.
    Cues { cues: Vec<Cue>, start: u64 },
    /// The beginning of a WebM file is known, its cues are not.
    Head(Head),
}

/// A walk over indexes of several levels, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Walk {
    /// Where the first box begins.
    start: u64,
    /// What is still to be visited, the next one last.
    pending: Vec<Pending>,
    segments: Vec<Subsegment>,
    /// References seen so far, of both kinds.
    seen: usize,
}

/// A reference, in as few bytes as it takes: there may be many.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pending {
    place: u64,
    /// Media time.
    start: MediaTime,
    end: MediaTime,
    size: u32,
    level: u8,
    is_index: bool,
}

/// A segment of the file, in media time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Subsegment {
    start: MediaTime,
    end: MediaTime,
    range: ByteRange,
}

impl FileIndex {
    /// Begins to read an index.
    ///
    /// * `url`: the file, absolute.
    /// * `range`: where its index lies (`@indexRange`); it is searched for from the start if absent.
    /// * `init`: the initialisation segment, if the manifest names it; else it is taken to be all
    ///   that lies before the index, in WebM before the first cluster.
    /// * `media_offset`: start of the period less `@presentationTimeOffset`.
    /// * `end`: of the period; nothing beyond it is listed.
    pub fn new(
        url: &str,
        range: Option<ByteRange>,
        init: Option<InitSegment>,
        media_offset: MediaTime,
        end: Option<MediaTime>,
    ) -> Self {
        let wanted = range.unwrap_or(ByteRange { start: 0, length: Some(SEARCHED) });
        let url = url.to_owned();
        Self { url, init, media_offset, end, wanted, pieces: 0, fruitless: 0, state: State::Begun }
    }

    /// The bytes of the file that are needed next. A file may end before them.
    pub fn wanted(&self) -> ByteRange {
        self.wanted
    }

    /// Takes the bytes that were [`wanted`](Self::wanted).
    ///
    /// # Errors
    /// If they are no index, are damaged, or lead to more than is accepted.
    pub fn take(self, data: &[u8]) -> Result<IndexProgress, BoxError> {
        self.advance(data).map_err(|fault| *fault)
    }

    fn advance(mut self, data: &[u8]) -> Result<IndexProgress, Fault> {
        self.pieces += 1;
        self.fruitless += 1;
        if self.pieces > MOST_PIECES || self.fruitless > MOST_FRUITLESS {
            return Err(too_much(self.wanted.start, "pieces"));
        }
        match core::mem::replace(&mut self.state, State::Begun) {
            State::Begun if webm::is_head(data) && self.wanted.start == 0 => {
                self.take_head(data, None)
            }
            State::Begun if webm::is_cues(data) => self.take_cues(data, None),
            State::Begun => self.search(data),
            State::Boxes(walk) => self.walk(walk, data),
            State::Cues { cues, start } => self.take_head(data, Some((cues, start))),
            State::Head(head) => self.take_cues(data, Some(head)),
        }
    }

    fn needs(mut self, start: u64, length: u64, state: State) -> IndexProgress {
        self.wanted = ByteRange { start, length: Some(length) };
        self.state = state;
        IndexProgress::Needs(self)
    }

    /// Looks for the first `sidx` box.
    fn search(self, data: &[u8]) -> Result<IndexProgress, Fault> {
        match self.find(data, self.wanted.start)? {
            Search::Found(found) => {
                let mut walk = Walk { start: found.start, ..Walk::default() };
                walk.enter(&found, 0)?;
                let offset = self.wanted.start;
                self.walk_on(walk, data, offset)
            }
            Search::Cut { start, length } => {
                Ok(self.needs(start, length.unwrap_or(SEARCHED), State::Begun))
            }
        }
    }

    /// Goes on with an index that another referred to, and that was fetched.
    fn walk(self, mut walk: Walk, data: &[u8]) -> Result<IndexProgress, Fault> {
        let offset = self.wanted.start;
        let Some(pending) = walk.pending.pop() else {
            return Ok(self.complete_boxes(&walk));
        };
        match self.find(data, offset)? {
            Search::Found(found) => walk.enter(&found, pending.level)?,
            Search::Cut { start, length } => {
                walk.pending.push(pending);
                return Ok(self.needs(start, length.unwrap_or(FURTHER), State::Boxes(walk)));
            }
        }
        self.walk_on(walk, data, offset)
    }

    /// Visits what is pending as far as `data`, which lies at `offset`, has it.
    fn walk_on(mut self, mut walk: Walk, data: &[u8], offset: u64) -> Result<IndexProgress, Fault> {
        // It held a box.
        self.fruitless = 0;
        while let Some(pending) = walk.pending.pop() {
            let (start, size) = (pending.place, u64::from(pending.size));
            if size == 0 {
                continue;
            }
            if !pending.is_index {
                let range = ByteRange { start, length: Some(size) };
                walk.segments.push(Subsegment { start: pending.start, end: pending.end, range });
                continue;
            }
            let here = start.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
            let rest = here.and_then(|at| data.get(at..)).unwrap_or_default();
            let found = if rest.is_empty() {
                Search::Cut { start, length: Some(size.min(FURTHER)) }
            } else {
                self.find(rest, start)?
            };
            match found {
                Search::Found(found) => walk.enter(&found, pending.level)?,
                Search::Cut { start, length } => {
                    walk.pending.push(pending);
                    return Ok(self.needs(start, length.unwrap_or(FURTHER), State::Boxes(walk)));
                }
            }
        }
        Ok(self.complete_boxes(&walk))
    }

    /// The first `sidx` box of a piece. One that is cut off although as much of it was asked for is
    /// cut off in the file.
    fn find(&self, data: &[u8], offset: u64) -> Result<Search, Fault> {
        let found = sidx::search(data, offset)?;
        if let Search::Cut { start, length } = found {
            let again = start == self.wanted.start && length <= self.wanted.length;
            if again || length.is_some_and(|length| length > MOST_BYTES) {
                return Err(BoxError::truncated(start, super::FourCc(*b"sidx")));
            }
        }
        Ok(found)
    }

    fn complete_boxes(self, walk: &Walk) -> IndexProgress {
        let before = walk.start;
        IndexProgress::Complete(self.complete(&walk.segments, before))
    }

    fn complete(self, segments: &[Subsegment], init_end: u64) -> SegmentIndex {
        let init = self.init.or_else(|| {
            (init_end > 0).then(|| InitSegment {
                url: self.url.clone(),
                range: Some(ByteRange { start: 0, length: Some(init_end) }),
            })
        });
        let mut list = ListBuilder::new(&self.url, 1);
        let mut last = MediaTime::MIN;
        for segment in segments {
            let start = (segment.start + self.media_offset).max(last);
            if self.end.is_some_and(|end| start >= end) {
                break;
            }
            let end = segment.end + self.media_offset;
            let end = self.end.map_or(end, |bound| end.min(bound));
            if end <= start {
                continue;
            }
            last = end;
            list.push(ListEntry {
                start,
                duration: end - start,
                reference: "",
                range: Some(segment.range),
                init: init.as_ref().map(|_| 0),
                ..ListEntry::default()
            });
        }
        SegmentIndex::from_list(list, init.into_iter().collect(), Some(self.media_offset))
    }

    /// The beginning of a WebM file has arrived.
    fn take_head(self, data: &[u8], cues: Option<(Vec<Cue>, u64)>) -> Result<IndexProgress, Fault> {
        let Some(head) = Head::read(data)? else {
            // Ask for twice as much, as long as the file goes on.
            let asked = self.wanted.length.unwrap_or(0);
            let length = asked.saturating_mul(2).max(FURTHER);
            if (data.len() as u64) < asked || length > MOST_BYTES {
                return Err(BoxError::missing(0, b"Info"));
            }
            let state = cues.map_or(State::Begun, |(cues, start)| State::Cues { cues, start });
            return Ok(self.needs(0, length, state));
        };
        if let Some((cues, start)) = cues {
            return Ok(self.complete_cues(&head, &cues, start));
        }
        let Some(start) = head.cues else {
            return Err(BoxError::missing(head.origin, b"Cues"));
        };
        let here = usize::try_from(start).ok().and_then(|at| data.get(at..));
        if let Some(rest) = here
            && webm::is_cues(rest)
            && let CuesRead::Whole(cues) = webm::read_cues(rest, start)?
        {
            return Ok(self.complete_cues(&head, &cues, start));
        }
        Ok(self.needs(start, FURTHER, State::Head(head)))
    }

    /// The cues of a WebM file have arrived.
    fn take_cues(self, data: &[u8], head: Option<Head>) -> Result<IndexProgress, Fault> {
        let start = self.wanted.start;
        let cues = match webm::read_cues(data, start)? {
            CuesRead::Whole(cues) => cues,
            CuesRead::Cut(length) => {
                if length > MOST_BYTES || self.wanted.length.is_some_and(|asked| asked >= length) {
                    return Err(BoxError::truncated(start, super::FourCc(*b"Cues")));
                }
                let state = head.map_or(State::Begun, State::Head);
                return Ok(self.needs(start, length, state));
            }
        };
        match head {
            Some(head) => Ok(self.complete_cues(&head, &cues, start)),
            None => {
                let init = self.init.as_ref().and_then(|init| init.range);
                let known = init.and_then(|range| range.length).filter(|&length| length > 0);
                let length = known.unwrap_or(FURTHER).min(MOST_BYTES);
                Ok(self.needs(0, length, State::Cues { cues, start }))
            }
        }
    }

    /// Clusters go on to the next, the last one to the cues or the end of the file.
    fn complete_cues(self, head: &Head, cues: &[Cue], cues_start: u64) -> IndexProgress {
        let place = |cue: &Cue| head.origin.saturating_add(cue.position);
        let period_end = self.end.map(|end| end - self.media_offset);
        let mut segments: Vec<Subsegment> = Vec::with_capacity(cues.len());
        for (position, cue) in cues.iter().enumerate() {
            let start = head.media_time(cue.time);
            let next = cues.get(position + 1);
            let bytes_end = match next {
                Some(next) => Some(place(next)),
                None => Some(cues_start).filter(|&end| end > place(cue)).or(head.end),
            };
            // Where nothing says when the last one ends, it is as long as the one before.
            let end = next
                .map(|next| head.media_time(next.time))
                .or_else(|| head.media_end().filter(|&end| end > start))
                .or(period_end)
                .or_else(|| segments.last().map(|last| start + (last.end - last.start)))
                .unwrap_or(MediaTime::MAX);
            let length = bytes_end.map(|end| end.saturating_sub(place(cue)));
            let range = ByteRange { start: place(cue), length };
            segments.push(Subsegment { start, end, range });
        }
        let init_end = cues.first().map_or(0, place);
        IndexProgress::Complete(self.complete(&segments, init_end))
    }
}

impl Walk {
    /// Puts what a box refers to before all that is pending.
    fn enter(&mut self, found: &sidx::SegmentIndexBox, level: u8) -> Result<(), Fault> {
        self.seen += found.references.len();
        if self.seen > MOST_SEGMENTS {
            return Err(too_much(found.start, "segments"));
        }
        if level >= MOST_LEVELS {
            return Err(too_much(found.start, "levels"));
        }
        let first = self.pending.len();
        let mut ticks = found.earliest_presentation_time;
        for &reference in &found.references {
            let start = MediaTime::from_unsigned(ticks, found.timescale);
            ticks = ticks.saturating_add(reference.duration.into());
            let end = MediaTime::from_unsigned(ticks, found.timescale);
            let Reference { is_index, start: place, size, .. } = reference;
            // The field in the box has 31 bits.
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            self.pending.push(Pending { place, start, end, size, level: level + 1, is_index });
        }
        if let Some(entered) = self.pending.get_mut(first..) {
            entered.reverse();
        }
        Ok(())
    }
}

#[cold]
fn too_much(offset: u64, what: &str) -> Fault {
    BoxErrorKind::Unsupported { feature: format!("an index of so many {what}") }.at(offset)
}

#[cfg(test)]
mod tests;
