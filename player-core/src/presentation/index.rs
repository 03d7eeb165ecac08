//! The segments of a representation, kept as compactly as the manifest states them and expanded one
//! at a time.

mod list;
mod pattern;
mod queue;
mod runs;

pub use list::Difference;
pub(crate) use list::{List, ListBuilder, ListEntry, MovingText, Setting, same_eight};
pub(crate) use pattern::{Place, Places, UrlPattern};
pub(crate) use queue::Queue;
use runs::Moment;
pub(crate) use runs::{PlainRun, Run, Runs, Timeline};

use std::sync::Arc;

use crate::io::ByteRange;
use crate::time::{MediaTime, WallTime};

use super::Protection;

/// The segments of a representation in order of time, without overlaps.
///
/// A timeline of equal segments costs the same however long it is: what is kept is what the manifest
/// said, and [`get`](Self::get) makes a [`Segment`] of it when one is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentIndex {
    layout: Layout,
    /// Of segments that are named one by one.
    inits: Vec<InitSegment>,
    /// For each of `inits`, the key it is encrypted with; those after the last are clear.
    init_keys: Vec<Option<usize>>,
    keys: Vec<Protection>,
    media_offset: Option<MediaTime>,
}

/// One media segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Its number: the media sequence number in HLS, `$Number$` in DASH; consecutive, unless the
    /// manifest left some out.
    pub number: u64,
    /// Where it begins on the presentation timeline.
    pub start: MediaTime,
    /// How long it lasts, as the manifest says; no longer than its period.
    pub duration: MediaTime,
    /// Absolute URL.
    pub url: String,
    /// The part of the resource it is; all of it if absent.
    pub range: Option<ByteRange>,
    /// Which of the index's initialisation segments it needs first.
    pub init: Option<usize>,
    /// HLS discontinuity sequence number (RFC 8216bis §6.2.1): segments of equal numbers share a
    /// media timeline. Always 0 in DASH.
    pub discontinuity: u64,
    /// Its size in bytes, if known before it is fetched.
    pub size: Option<u64>,
    /// The server says it is missing and must not be fetched (`EXT-X-GAP`).
    pub gap: bool,
    /// When it was made, if the manifest dates it or a segment before it (`EXT-X-PROGRAM-DATE-TIME`).
    /// In DASH the presentation's own origin says that of all segments.
    pub wall_time: Option<WallTime>,
    /// Which of the index's [`keys`](SegmentIndex::keys) it is encrypted with; none: it is clear.
    pub key: Option<usize>,
    /// Its bit rate in bit/s, roughly (`EXT-X-BITRATE`).
    pub bit_rate: Option<u64>,
}

impl Segment {
    /// The first instant after it.
    pub fn end(&self) -> MediaTime {
        self.start + self.duration
    }

    /// Its size in bytes as far as the manifest tells: exactly, or by its bit rate.
    pub fn expected_size(&self) -> Option<u64> {
        let by_rate = |rate: u64| (rate as f64 * self.duration.seconds() / 8.0) as u64;
        self.size.or_else(|| self.bit_rate.map(by_rate))
    }

    /// A whole resource that needs the first initialisation segment, and of which nothing else is told.
    #[cfg(test)]
    pub(crate) fn plain(number: u64, start: MediaTime, duration: MediaTime, url: &str) -> Self {
        Self {
            number,
            start,
            duration,
            url: url.to_owned(),
            range: None,
            init: Some(0),
            discontinuity: 0,
            size: None,
            gap: false,
            wall_time: None,
            key: None,
            bit_rate: None,
        }
    }
}

/// What a decoder needs before any media segment that names it (`EXT-X-MAP`, `Initialization`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InitSegment {
    /// Absolute URL.
    pub url: String,
    /// The part of the resource it is; all of it if absent.
    pub range: Option<ByteRange>,
}

/// What several segments of an index share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    pub(crate) inits: Vec<InitSegment>,
    /// For each of `inits`, the key it is encrypted with.
    pub(crate) init_keys: Vec<Option<usize>>,
    pub(crate) keys: Vec<Protection>,
}

impl Shared {
    /// Forgets all but so many initialisation segments and keys.
    pub(crate) fn truncate(&mut self, (inits, keys): (usize, usize)) {
        self.inits.truncate(inits);
        self.init_keys.truncate(inits);
        self.keys.truncate(keys);
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Layout {
    /// Addressed by number or time: a URL pattern, and runs of equal segments.
    Runs { pattern: UrlPattern, timeline: Arc<Timeline>, init: Option<InitSegment> },
    /// Named one by one.
    List(List),
}

impl SegmentIndex {
    /// Segments addressed by a pattern.
    pub(crate) fn from_runs(
        pattern: UrlPattern,
        timeline: Arc<Timeline>,
        init: Option<InitSegment>,
        media_offset: MediaTime,
    ) -> Self {
        Self {
            layout: Layout::Runs { pattern, timeline, init },
            inits: Vec::new(),
            init_keys: Vec::new(),
            keys: Vec::new(),
            media_offset: Some(media_offset),
        }
    }

    /// Whether the manifest says of each segment that it is there. Of one that gives only a duration
    /// for all, the clock decides.
    pub fn is_listed(&self) -> bool {
        match &self.layout {
            Layout::Runs { timeline, .. } => timeline.is_listed(),
            Layout::List(_) => true,
        }
    }

    /// The timeline of segments of a pattern.
    pub(crate) fn timeline(&self) -> Option<&Arc<Timeline>> {
        match &self.layout {
            Layout::Runs { timeline, .. } => Some(timeline),
            Layout::List(_) => None,
        }
    }

    /// Where segments of a pattern lie otherwise than in an earlier state of the index.
    pub(crate) fn difference(&self, before: &Self) -> Option<MediaTime> {
        match (&self.layout, &before.layout) {
            (Layout::Runs { pattern, timeline, .. }, Layout::Runs { timeline: before, .. })
                if !Arc::ptr_eq(timeline, before) =>
            {
                timeline.difference(before, pattern.is_numbered())
            }
            _ => None,
        }
    }

    /// Segments named one by one. `media_offset` as for [`media_offset`](Self::media_offset).
    pub(crate) fn from_list(
        list: ListBuilder,
        inits: Vec<InitSegment>,
        media_offset: Option<MediaTime>,
    ) -> Self {
        Self {
            layout: Layout::List(list.finish()),
            inits,
            init_keys: Vec::new(),
            keys: Vec::new(),
            media_offset,
        }
    }

    /// Segments named one by one, with what encrypts them. `init_keys` says for each of `inits`
    /// which of `keys` it is encrypted with.
    pub(crate) fn from_encrypted_list(list: List, shared: Shared) -> Self {
        let Shared { inits, init_keys, keys } = shared;
        Self { layout: Layout::List(list), inits, init_keys, keys, media_offset: None }
    }

    /// No segments, named one by one.
    pub(crate) fn nothing() -> Self {
        Self::from_encrypted_list(List::new("", 0), Shared::default())
    }

    /// The list, if segments are named one by one.
    pub(crate) fn list(&self) -> Option<&List> {
        match &self.layout {
            Layout::List(list) => Some(list),
            Layout::Runs { .. } => None,
        }
    }

    /// The list, to be changed.
    pub(crate) fn list_mut(&mut self) -> Option<&mut List> {
        match &mut self.layout {
            Layout::List(list) => Some(list),
            Layout::Runs { .. } => None,
        }
    }

    /// Takes out what segments share, to be put back by [`set_shared`](Self::set_shared).
    pub(crate) fn take_shared(&mut self) -> Shared {
        Shared {
            inits: core::mem::take(&mut self.inits),
            init_keys: core::mem::take(&mut self.init_keys),
            keys: core::mem::take(&mut self.keys),
        }
    }

    /// Puts back what segments share.
    pub(crate) fn set_shared(&mut self, shared: Shared) {
        (self.inits, self.init_keys, self.keys) = (shared.inits, shared.init_keys, shared.keys);
    }

    /// Whether nothing is known of the sizes of single segments.
    pub(crate) fn has_uniform_sizes(&self) -> bool {
        matches!(self.layout, Layout::Runs { .. })
    }

    /// How many segments there are.
    pub fn len(&self) -> usize {
        match &self.layout {
            Layout::Runs { timeline, .. } => timeline.len(),
            Layout::List(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is nothing to be had: no segment, or none that is on the server (`EXT-X-GAP`).
    pub(crate) fn is_bare(&self) -> bool {
        match &self.layout {
            Layout::Runs { .. } => self.is_empty(),
            Layout::List(list) => list.is_bare(),
        }
    }

    /// The segment at `position`, counted from 0; none past the last.
    pub fn get(&self, position: usize) -> Option<Segment> {
        match &self.layout {
            Layout::Runs { pattern, timeline, .. } => {
                Some(self.segment(pattern, timeline.get(position)?))
            }
            Layout::List(list) => list.get(position),
        }
    }

    /// Every segment, in order.
    pub fn iter(&self) -> impl Iterator<Item = Segment> + '_ {
        let mut near = self.timeline().map(|timeline| timeline.beginning());
        let folder = self.list().map(|list| list.folder());
        (0..self.len()).map_while(move |position| match (&self.layout, &mut near) {
            (Layout::Runs { pattern, timeline, .. }, Some(near)) => {
                Some(self.segment(pattern, timeline.get_near(position, near)?))
            }
            (Layout::List(list), _) => list.expand(position, folder.as_ref()),
            _ => None,
        })
    }

    /// A segment of a pattern.
    fn segment(&self, pattern: &UrlPattern, moment: Moment) -> Segment {
        Segment {
            number: moment.number,
            start: moment.start,
            duration: moment.end - moment.start,
            url: pattern.expand(moment.number, moment.time, moment.part),
            range: None,
            init: (!self.inits().is_empty()).then_some(0),
            discontinuity: 0,
            size: None,
            gap: false,
            wall_time: None,
            key: None,
            bit_rate: None,
        }
    }

    /// The position of the segment that contains `time`; of the next one if `time` lies in a gap
    /// or before the start; none at or after [`end`](Self::end).
    pub fn position_at(&self, time: MediaTime) -> Option<usize> {
        match &self.layout {
            Layout::Runs { timeline, .. } => timeline.position_at(time),
            Layout::List(list) => list.position_at(time),
        }
    }

    /// Where the first segment begins; zero if there is none.
    pub fn start(&self) -> MediaTime {
        match &self.layout {
            Layout::Runs { timeline, .. } => timeline.span(0),
            Layout::List(list) => list.span(0),
        }
        .map_or(MediaTime::ZERO, |(start, _)| start)
    }

    /// Where the last segment ends; zero if there is none.
    pub fn end(&self) -> MediaTime {
        let last = self.len().wrapping_sub(1);
        match &self.layout {
            Layout::Runs { timeline, .. } => timeline.span(last),
            Layout::List(list) => list.span(last),
        }
        .map_or(MediaTime::ZERO, |(_, end)| end)
    }

    /// The initialisation segment that `segment`, which must be of this index, needs first.
    pub fn init(&self, segment: &Segment) -> Option<&InitSegment> {
        self.inits().get(segment.init?)
    }

    /// Every initialisation segment, in the order [`Segment::init`] counts them.
    pub fn inits(&self) -> &[InitSegment] {
        match &self.layout {
            Layout::Runs { init, .. } => init.as_slice(),
            Layout::List(_) => &self.inits,
        }
    }

    /// What the initialisation segment that `segment` needs is itself encrypted with; none: it is
    /// clear (RFC 8216bis §4.4.4.4: a key holds for the `EXT-X-MAP` tags after it).
    pub fn init_key(&self, segment: &Segment) -> Option<&Protection> {
        let key = self.init_keys.get(segment.init?).copied().flatten()?;
        self.keys.get(key)
    }

    /// The key of `segment`, which must be of this index.
    pub fn key(&self, segment: &Segment) -> Option<&Protection> {
        self.keys.get(segment.key?)
    }

    /// The wall-clock time of a time, as far as segments are dated: by the last date before, or else
    /// by the first after it.
    pub fn wall_time_at(&self, time: MediaTime) -> Option<WallTime> {
        self.list()?.wall_time_at(time)
    }

    /// The time of a wall-clock time, likewise. It may lie outside the index.
    pub fn time_at(&self, wall: WallTime) -> Option<MediaTime> {
        self.list()?.time_at(wall)
    }

    /// The keys of its segments, in the order [`Segment::key`] counts them.
    pub fn keys(&self) -> &[Protection] {
        &self.keys
    }

    /// What is added to the media's own timestamps to place it on the presentation timeline: in
    /// DASH the start of the period less `@presentationTimeOffset`; none in HLS, where the first
    /// timestamp of each discontinuity is what the playlist's time for it is.
    pub fn media_offset(&self) -> Option<MediaTime> {
        self.media_offset
    }
}
