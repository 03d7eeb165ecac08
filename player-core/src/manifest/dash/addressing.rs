//! Which segments a representation has, and where (ISO/IEC 23009-1 §5.3.9).

use std::rc::Rc;
use std::sync::Arc;

use super::names::Name;
use super::resolve::Resolver;
use super::runs::{List, S, Scratch};
use super::template::{self, Template};
use super::timeline;
use super::tree::{Element, NONE};
use crate::io::ByteRange;
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, decimal};
use crate::presentation::index::{ListBuilder, ListEntry, Run, Runs, Timeline};
use crate::presentation::{Chunked, InitSegment, SegmentIndex, Segments};
use crate::time::MediaTime;
use crate::url::{self, cut};

/// What a representation inherits from its period.
pub(super) struct PeriodContext {
    pub(super) start: MediaTime,
    pub(super) end: Option<MediaTime>,
    /// Timelines made so far: representations of one set usually share theirs.
    timelines: Vec<(TimelineKey, Arc<Timeline>)>,
}

impl PeriodContext {
    pub(super) fn new(start: MediaTime, end: Option<MediaTime>) -> Self {
        Self { start, end, timelines: Vec::new() }
    }
}

/// Two timelines of equal keys are the same.
#[derive(Clone, Copy, PartialEq)]
struct TimelineKey {
    list: u32,
    timescale: u32,
    origin: u64,
    start_number: u64,
    end_number: Option<u64>,
}

/// Representations that share a timeline stand together, so that a few are enough to look through.
const TIMELINES_LOOKED_AT: usize = 32;

/// A programme and its advertisements may have different ones.
const TEMPLATES_KEPT: usize = 8;

/// A representation whose segments are looked for.
pub(super) struct Addressed<'a, 'l> {
    pub(super) at: u64,
    /// What representation, adaptation set and period say.
    pub(super) levels: [&'l Level<'a>; 3],
    pub(super) base: &'l str,
    pub(super) id: &'l str,
    pub(super) bandwidth: u64,
    /// No segment has a higher number (`http://dashif.org/guidelines/last-segment-number`).
    pub(super) last_number: Option<u64>,
}

/// Segment information of one level, looked up once for all that inherit it: `SegmentTemplate`,
/// `SegmentList`, `SegmentBase`.
#[derive(Clone, Copy, Default)]
pub(super) struct Level<'a>([Option<Information<'a>>; 3]);

const KINDS: [Name; 3] = [Name::SegmentTemplate, Name::SegmentList, Name::SegmentBase];

#[derive(Clone, Copy)]
struct Information<'a> {
    element: Element<'a>,
    initialization: Option<Element<'a>>,
    timeline: Option<Element<'a>>,
    /// The first `SegmentURL`, and how many there are.
    segment: Option<Element<'a>>,
    segments: usize,
}

impl<'a> Level<'a> {
    pub(super) fn of(parent: Element<'a>) -> Self {
        let mut level = Self::default();
        for element in parent.children() {
            let kind = KINDS.iter().position(|&kind| kind == element.name());
            if let Some(place) = kind.and_then(|kind| level.0.get_mut(kind))
                && element.get(Name::Href).is_none()
            {
                *place = Some(Information::of(element));
            }
        }
        level
    }

    /// Nothing stands here.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// `@timescale` and `@presentationTimeOffset` of what stands here.
    pub(super) fn timing(&self) -> Option<(u32, u64)> {
        let element = self.0.iter().flatten().next()?.element;
        let timescale = element.count(Name::Timescale)?;
        let offset = element.get(Name::PresentationTimeOffset).map(decimal::integer);
        Some((u32::try_from(timescale).ok()?, offset.unwrap_or(Some(0))?))
    }
}

impl<'a> Information<'a> {
    fn of(element: Element<'a>) -> Self {
        let mut information =
            Self { element, initialization: None, timeline: None, segment: None, segments: 0 };
        for child in element.children() {
            match child.name() {
                Name::Initialization => information.initialization = Some(child),
                Name::SegmentTimeline => information.timeline = Some(child),
                Name::SegmentUrl => {
                    information.segment.get_or_insert(child);
                    information.segments += 1;
                }
                _ => {}
            }
        }
        information
    }
}

/// Segments by template, the same for all representations that inherit everything of it.
pub(super) struct Templated<'a> {
    media: Rc<Template<'a>>,
    init: Option<Rc<Template<'a>>>,
    /// Bytes that they take for each representation, and how often its id comes to them.
    size: usize,
    ids: usize,
    times: Times,
    timeline: Arc<Timeline>,
    offset: Offset<'a>,
}

impl<'a, 'w> Resolver<'a, 'w> {
    /// Where the segments of a representation are: the nearest level that says so decides how they
    /// are addressed, and inherits what it leaves open from the same element further up. `shared` is for those
    /// that inherit everything, and keeps what they have in common.
    #[inline(never)]
    pub(super) fn segments(
        &mut self,
        of: &Addressed<'a, '_>,
        shared: Option<&mut Option<Templated<'a>>>,
        period: &mut PeriodContext,
        chunked: &mut Option<Chunked>,
    ) -> Result<Segments, Fault> {
        let mut own = None;
        let templated = shared.unwrap_or(&mut own);
        if let Some(templated) = templated {
            templated.offset.add_to(chunked);
            self.spend(templated.size, of.at)?;
            return self.fill_template(templated, None, of, period);
        }
        for level in of.levels {
            let Some(kind) = level.0.iter().position(Option::is_some) else { continue };
            let chain = Chain::of(of, kind);
            let offset = chain.offset();
            offset.add_to(chunked);
            let times = chain.times(of);
            // Nothing is worked out with numbers that are none.
            self.mpd.source.check()?;
            return match kind {
                0 => {
                    let read = self.templated(&chain, times, of, period, offset)?;
                    if read.init.is_some() {
                        return self.fill_template(templated.insert(read), None, of, period);
                    }
                    let init = chain.initialization(of.base);
                    self.fill_template(&read, init, of, period)
                }
                1 => self.by_list(&chain, &times, of, period).map(Segments::Known),
                _ => self.by_index(&chain, &times, of, period),
            };
        }
        // The whole file is one segment (§5.3.9.1).
        let mut list = ListBuilder::new(of.base, 1);
        let missing = || ManifestErrorKind::missing("Period@duration").at(of.at);
        let end = period.end.ok_or_else(missing)?;
        self.spend(of.base.len(), of.at)?;
        list.push(ListEntry {
            start: period.start,
            duration: end - period.start,
            ..ListEntry::default()
        });
        Ok(Segments::Known(SegmentIndex::from_list(list, Vec::new(), Some(period.start))))
    }

    /// `SegmentTemplate` (§5.3.9.4).
    #[inline(never)]
    fn templated(
        &mut self,
        chain: &Chain<'a>,
        times: Times,
        of: &Addressed<'a, '_>,
        period: &mut PeriodContext,
        offset: Offset<'a>,
    ) -> Result<Templated<'a>, Fault> {
        let at = chain.at;
        let missing = || ManifestErrorKind::missing_attribute("SegmentTemplate", "media").at(at);
        let media = chain.get(Name::Media).ok_or_else(missing)?;
        let mut size = 0;
        let mut read = |written: &'a str| {
            size += of.base.len() + written.len();
            self.spend(of.base.len() + written.len(), at)?;
            self.template(written, of.base).map_err(|kind| kind.at(at))
        };
        let media = read(media)?;
        let init = chain.get(Name::InitializationTemplate).map(read).transpose()?;
        let numbered = media.is_numbered();
        let timeline = match chain.find(|level| level.timeline) {
            Some(list) => self.timeline(list, &times, period, of, numbered)?,
            None => Arc::new(self.even(&times, period, at)?),
        };
        let ids = media.ids + init.as_ref().map_or(0, |init| init.ids);
        Ok(Templated { media, init, size, ids, times, timeline, offset })
    }

    /// A template that is understood. Those of other sets, and of other periods, mostly are the same.
    fn template(
        &mut self,
        written: &'a str,
        base: &str,
    ) -> Result<Rc<Template<'a>>, ManifestErrorKind> {
        if let Some(known) = self.templates.iter().rev().find(|known| known.is_of(written, base)) {
            return Ok(known.clone());
        }
        let template = Rc::new(Template::read(written, base)?);
        if self.templates.len() >= TEMPLATES_KEPT {
            crate::items::take(&mut self.templates, 0);
        }
        self.templates.push(template.clone());
        Ok(template)
    }

    /// The segments of a representation. `init` is for where no template says where that is.
    #[inline(never)]
    fn fill_template(
        &mut self,
        templated: &Templated<'_>,
        init: Option<InitSegment>,
        of: &Addressed<'_, '_>,
        period: &PeriodContext,
    ) -> Result<Segments, Fault> {
        let Templated { media, times, .. } = templated;
        let growth = templated.ids.saturating_mul(of.id.len());
        self.spend(growth, of.at)?;
        let context = template::Context { id: of.id, bandwidth: of.bandwidth };
        let init = match &templated.init {
            Some(template) => {
                let url = template.url(&context, times.start_number, times.origin);
                Some(InitSegment { url, range: None })
            }
            None => init,
        };
        let (pattern, offset) = (media.pattern(&context), times.media_offset(period.start));
        let timeline = templated.timeline.clone();
        Ok(Segments::Known(SegmentIndex::from_runs(pattern, timeline, init, offset)))
    }

    /// The timeline of segments whose times are listed (§5.3.9.6).
    fn timeline(
        &mut self,
        element: Element<'_>,
        times: &Times,
        period: &mut PeriodContext,
        of: &Addressed<'a, '_>,
        numbered: bool,
    ) -> Result<Arc<Timeline>, Fault> {
        let position = element.node().map_or(NONE, |node| node.list);
        let key = TimelineKey {
            list: position,
            timescale: times.timescale,
            origin: times.origin,
            start_number: times.start_number,
            end_number: times.end_number,
        };
        let recent = period.timelines.iter().rev().take(TIMELINES_LOOKED_AT);
        if let Some((_, known)) = recent.into_iter().find(|(known, _)| *known == key) {
            return Ok(known.clone());
        }
        let mut own = self.lists.get_mut(position as usize).map(core::mem::take);
        // What was read at once is given away, and read again for the next, who is rare.
        let mut runs = None;
        if let Some(own) = own.as_mut().filter(|own| own.read.0 > 0) {
            if own.runs.count() == 0 {
                let text = element.source.text;
                own.read_runs(text.as_bytes(), own.read.1, &mut Scratch::default());
            }
            runs = Some(core::mem::take(&mut own.runs));
        }
        let made = match own.as_ref().or_else(|| element.list().map(|(_, list)| list)) {
            Some(list) => self.listed(list, runs, times, period, of, numbered),
            None => Err(ManifestErrorKind::missing("SegmentTimeline").at(of.at)),
        };
        // Others may count it otherwise.
        if let (Some(place), Some(own)) = (self.lists.get_mut(position as usize), own) {
            *place = own;
        }
        let timeline = made?;
        period.timelines.push((key, timeline.clone()));
        Ok(timeline)
    }

    /// Lets go of the elements that a period's timelines were made of.
    pub(super) fn forget_lists(&mut self, period: &PeriodContext) {
        for (key, _) in &period.timelines {
            if let Some(list) = self.lists.get_mut(key.list as usize) {
                *list = List::default();
            }
        }
    }

    /// A timeline of elements.
    fn listed(
        &mut self,
        list: &List,
        runs: Option<Runs>,
        times: &Times,
        period: &PeriodContext,
        of: &Addressed<'a, '_>,
        numbered: bool,
    ) -> Result<Arc<Timeline>, Fault> {
        let at = of.at;
        self.spend(list.len().saturating_mul(size_of::<Run>() + size_of::<usize>()), at)?;
        if let Some(at) = list.empty {
            let message = "an S without length is passed over";
            self.warnings.add(at.into(), WarningCode::BadValue, message);
        }
        let mut spent = 0usize;
        let end = period.end.map(|end| times.media_time(end - period.start));
        let mut timeline = times.timeline(period);
        timeline.list(list.identity, times.end_number.unwrap_or(u64::MAX));
        if list.kept.is_some()
            && times.end_number.is_none()
            && let Some(before) = self.before(&timeline, period)
        {
            timeline.reserve(list.s.len());
            let same = timeline::continued(
                list,
                times.start_number,
                end,
                at,
                self.warnings,
                &mut timeline,
                before,
                numbered,
            );
            if let Some(same) = same {
                let timeline = Arc::new(timeline);
                if same {
                    self.continued.push((before.clone(), timeline.clone()));
                }
                return Ok(timeline);
            }
        }
        let first = times.start_number;
        let runs = runs.or_else(|| {
            let mut runs = Runs::default();
            runs.extend(&list.s, S::plain)?;
            Some(runs)
        });
        match runs {
            Some(runs) => timeline.take(runs, first),
            None => timeline::runs(list, first, end, at, self.warnings, &mut |run| {
                timeline.push(run);
                spent += 1;
            }),
        }
        let more = spent.saturating_sub(list.len());
        self.spend(more.saturating_mul(size_of::<Run>() + size_of::<usize>()), at)?;
        Ok(Arc::new(timeline))
    }

    /// The earlier state of a timeline that goes on from it.
    #[inline(never)]
    fn before(&self, timeline: &Timeline, period: &PeriodContext) -> Option<&'w Arc<Timeline>> {
        let periods = &self.earlier?.periods;
        let before = periods.iter().find(|before| before.start == period.start)?;
        for set in &before.sets {
            for representation in &set.representations {
                if let Segments::Known(index) = &representation.segments
                    && let Some(before) = index.timeline()
                    && timeline.may_go_on_from(before)
                {
                    return Some(before);
                }
            }
        }
        None
    }

    /// The timeline of segments of one duration, or of one segment as long as the period.
    fn even(&mut self, times: &Times, period: &PeriodContext, at: u64) -> Result<Timeline, Fault> {
        let mut timeline = times.timeline(period);
        let first =
            Run { number: times.start_number, time: times.origin, duration: 1, count: 1, parts: 1 };
        let last = times.end_number.unwrap_or(u64::MAX);
        let listed = last.saturating_sub(times.start_number).saturating_add(1);
        let run = match (period.end, times.duration) {
            (Some(end), duration) => {
                let whole = times.media_time(end - period.start).saturating_sub(times.origin);
                let duration = duration.unwrap_or(whole.max(1));
                // Durations of periods are rounded, often to milliseconds: what sticks out by less
                // than one is no segment.
                let until = times.media_time(end - period.start - MediaTime::from_millis(1));
                let until = until.saturating_sub(times.origin).checked_div(duration).unwrap_or(0);
                Run { duration, count: until.saturating_add(1).min(listed).max(1), ..first }
            }
            // It goes on until someone says that it ends.
            (None, Some(duration)) if self.dynamic || times.end_number.is_some() => {
                Run { duration, count: listed, ..first }
            }
            _ => {
                let missing =
                    ManifestErrorKind::missing_attribute("MPD", "mediaPresentationDuration");
                return Err(missing.at(at));
            }
        };
        timeline.push(run);
        Ok(timeline)
    }

    /// `SegmentList` (§5.3.9.3).
    #[inline(never)]
    fn by_list(
        &mut self,
        chain: &Chain<'_>,
        times: &Times,
        of: &Addressed<'a, '_>,
        period: &mut PeriodContext,
    ) -> Result<SegmentIndex, Fault> {
        let at = chain.at;
        let (first, count) = chain
            .find(|level| Some((level.segment?, level.segments)))
            .ok_or_else(|| ManifestErrorKind::missing("SegmentURL").at(at))?;
        self.spend(count, at)?;
        let timeline = match chain.find(|level| level.timeline) {
            Some(timeline) => self.timeline(timeline, times, period, of, true)?,
            None => {
                let whole = period.end.filter(|_| count == 1);
                let whole = whole.map(|end| times.media_time(end - period.start));
                let whole = whole.map(|end| end.saturating_sub(times.origin));
                let missing =
                    || ManifestErrorKind::missing_attribute("SegmentList", "duration").at(at);
                let duration = times.duration.or(whole).ok_or_else(missing)?;
                let mut timeline = times.timeline(period);
                timeline.push(Run {
                    number: times.start_number,
                    time: times.origin,
                    duration: duration.max(1),
                    count: count as u64,
                    parts: 1,
                });
                Arc::new(timeline)
            }
        };
        let init = chain.initialization(of.base);
        let mut builder = ListBuilder::new(of.base, times.start_number);
        let mut segments = first.and_after().filter(|element| element.name() == Name::SegmentUrl);
        let (mut passed, mut first_one) = (0, true);
        for moment in timeline.moments() {
            // What lies before the period has been left out, but counts.
            let place = moment.number.saturating_sub(times.start_number);
            let Some(segment) = segments.nth(place.saturating_sub(passed) as usize) else { break };
            passed = place + 1;
            if core::mem::take(&mut first_one) {
                builder.set_first_number(moment.number);
            }
            let reference = segment.get(Name::Media).unwrap_or("");
            self.spend(ListBuilder::ENTRY_SIZE + reference.len(), at)?;
            builder.push(ListEntry {
                start: moment.start,
                duration: moment.end - moment.start,
                reference,
                range: segment.parse(Name::MediaRange, range),
                init: init.as_ref().map(|_| 0),
                ..ListEntry::default()
            });
        }
        let inits = init.into_iter().collect();
        Ok(SegmentIndex::from_list(builder, inits, Some(times.media_offset(period.start))))
    }

    /// `SegmentBase` (§5.3.9.2): an index in the file tells.
    #[inline(never)]
    fn by_index(
        &mut self,
        chain: &Chain<'_>,
        times: &Times,
        of: &Addressed<'a, '_>,
        period: &PeriodContext,
    ) -> Result<Segments, Fault> {
        self.spend(2 * of.base.len(), chain.at)?;
        Ok(Segments::IndexBox {
            url: of.base.to_owned(),
            range: chain.parse(Name::IndexRange, range),
            init: chain.initialization(of.base),
            media_offset: times.media_offset(period.start),
            end: period.end,
        })
    }
}

/// One kind of segment information on the levels of representation, adaptation set and period.
struct Chain<'a> {
    levels: [Option<Information<'a>>; 3],
    at: u64,
}

impl<'a> Chain<'a> {
    fn of(addressed: &Addressed<'a, '_>, kind: usize) -> Self {
        let levels = addressed.levels.map(|level| level.0.get(kind).copied().flatten());
        Self { levels, at: addressed.at }
    }

    /// A value of the nearest level that has it.
    fn find<T>(&self, field: impl Fn(&Information<'a>) -> Option<T>) -> Option<T> {
        self.levels.iter().flatten().find_map(field)
    }

    #[inline(never)]
    fn get(&self, name: Name) -> Option<&'a str> {
        self.find(|level| level.element.get(name))
    }

    fn parse<T>(&self, name: Name, parse: fn(&str) -> Option<T>) -> Option<T> {
        self.having(name)?.parse(name, parse)
    }

    /// The nearest level that has a value.
    #[inline(never)]
    fn having(&self, name: Name) -> Option<Element<'a>> {
        self.find(|level| level.element.get(name).map(|_| level.element))
    }

    #[inline(never)]
    fn number(&self, name: Name) -> Option<u64> {
        self.parse(name, decimal::integer)
    }

    #[inline(never)]
    fn times(&self, of: &Addressed<'_, '_>) -> Times {
        let positive = |value: &str| decimal::integer(value).filter(|&value| value > 0);
        let end = self.number(Name::EndNumber);
        Times {
            timescale: self
                .parse(Name::Timescale, |value| {
                    u32::try_from(decimal::integer(value)?).ok().filter(|&value| value > 0)
                })
                .unwrap_or(1),
            origin: self.number(Name::PresentationTimeOffset).unwrap_or(0),
            duration: self.parse(Name::Duration, positive),
            start_number: self.number(Name::StartNumber).unwrap_or(1),
            end_number: end.into_iter().chain(of.last_number).min(),
        }
    }

    fn initialization(&self, base: &str) -> Option<InitSegment> {
        let element = self.find(|level| level.initialization)?;
        let url = element.get(Name::SourceUrl);
        let url = url.map_or_else(|| base.to_owned(), |url| url::resolve(base, url));
        Some(InitSegment { url, range: element.parse(Name::Range, range) })
    }

    /// What is said of availability (§5.3.9.5.3).
    fn offset(&self) -> Offset<'a> {
        Offset {
            offset: self.parse(Name::AvailabilityTimeOffset, time_offset),
            complete: self.get(Name::AvailabilityTimeComplete),
        }
    }
}

/// `@availabilityTimeOffset` and `@availabilityTimeComplete`.
#[derive(Clone, Copy)]
struct Offset<'a> {
    offset: Option<MediaTime>,
    complete: Option<&'a str>,
}

impl Offset<'_> {
    /// Adds it to what a `BaseURL` said.
    fn add_to(self, chunked: &mut Option<Chunked>) {
        merge_offset(chunked, self.offset, self.complete);
    }
}

/// Adds one level of `@availabilityTimeOffset` and `@availabilityTimeComplete`.
pub(super) fn merge_offset(
    chunked: &mut Option<Chunked>,
    offset: Option<MediaTime>,
    complete: Option<&str>,
) {
    let complete = !complete.is_some_and(|complete| matches!(complete, "false" | "0"));
    let offset = offset.unwrap_or(MediaTime::ZERO);
    if offset == MediaTime::ZERO && complete {
        return;
    }
    let before = Chunked { offset: MediaTime::ZERO, complete: true, resync: None };
    let chunked = chunked.get_or_insert(before);
    chunked.offset = chunked.offset + offset;
    chunked.complete &= complete;
}

/// Seconds, or `INF`.
pub(super) fn time_offset(value: &str) -> Option<MediaTime> {
    if value == "INF" { Some(MediaTime::MAX) } else { decimal::seconds(value) }
}

/// How a representation counts time, in units of its timescale.
struct Times {
    timescale: u32,
    /// `@presentationTimeOffset`.
    origin: u64,
    duration: Option<u64>,
    start_number: u64,
    end_number: Option<u64>,
}

impl Times {
    fn timeline(&self, period: &PeriodContext) -> Timeline {
        let end = period.end.unwrap_or(MediaTime::MAX);
        Timeline::new(self.timescale, self.origin, period.start, end)
    }

    /// The media time that far into the period, rounded down.
    fn media_time(&self, into_period: MediaTime) -> u64 {
        let ticks = u64::try_from(into_period.scaled(self.timescale)).unwrap_or(0);
        self.origin.saturating_add(ticks)
    }

    /// What is to be added to the media's own timestamps.
    fn media_offset(&self, period_start: MediaTime) -> MediaTime {
        period_start - MediaTime::from_unsigned(self.origin, self.timescale)
    }
}

/// `first-last`, both included, or `first-` (RFC 9110 §14.1.2).
fn range(value: &str) -> Option<ByteRange> {
    let (first, last) = cut(value, b'-')?;
    let start = decimal::integer(first)?;
    let length = match last {
        "" => None,
        last => Some(decimal::integer(last)?.checked_sub(start)?.checked_add(1)?),
    };
    Some(ByteRange { start, length })
}
