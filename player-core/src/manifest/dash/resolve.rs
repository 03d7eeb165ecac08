//! What an MPD means: when its periods play, what is inherited, and which segments there are.

use std::rc::Rc;
use std::sync::Arc;

use super::document::{self, Addressing, Levels, Location, Mpd};
use super::{template, timeline};
use crate::io::MediaKind;
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, Warnings, codecs, sort_by_bandwidth};
use crate::presentation::index::{ListBuilder, ListEntry, Run, Timeline};
use crate::presentation::{
    InitSegment, Live, Period, Presentation, Representation, SegmentIndex, Segments, SwitchingSet,
};
use crate::time::MediaTime;
use crate::url;

/// Turns a document of so many bytes, read from `url`, into a presentation.
pub(super) fn presentation(
    mpd: &Mpd,
    url: &str,
    bytes: usize,
    warnings: &mut Warnings,
) -> Result<Presentation, Fault> {
    let mut resolver = Resolver {
        dynamic: mpd.dynamic,
        budget: FREE_BYTES.saturating_add(bytes.saturating_mul(BYTES_FOR_BYTE)),
        left_out: None,
        warnings,
    };
    let base = resolver.resolve(url, mpd.base.as_deref(), mpd.line)?;
    let mut periods: Vec<Period> = Vec::with_capacity(mpd.periods.len());
    for (period, start, end) in resolver.spans(mpd) {
        let period = resolver.period(period, &base, start, end)?;
        if !period.sets.is_empty() {
            periods.push(period);
        }
    }
    let Some(last) = periods.last() else {
        return Err(resolver.left_out.unwrap_or(ManifestErrorKind::Empty.at(mpd.line)));
    };
    let duration = match last.duration {
        _ if mpd.dynamic => None,
        Some(duration) => Some(last.start + duration),
        None => last_end(last),
    };
    let live = mpd.dynamic.then(Live::default);
    Ok(Presentation { duration, live, periods, ..Presentation::default() })
}

/// What a document may unfold to is bounded by its size: `FREE_BYTES`, and so many for each of its
/// own. Inheritance could otherwise multiply a long list by a long list.
const FREE_BYTES: usize = 2 << 20;
const BYTES_FOR_BYTE: usize = 6;

/// Representations that share a timeline stand together, so that a few are enough to look through.
const TIMELINES_LOOKED_AT: usize = 32;

/// The end of the longest representation of a period.
fn last_end(period: &Period) -> Option<MediaTime> {
    let representations = period.sets.iter().flat_map(|set| &set.representations);
    representations
        .filter_map(|representation| match &representation.segments {
            Segments::Known(index) if !index.is_empty() => Some(index.end()),
            _ => None,
        })
        .max()
}

struct Resolver<'w> {
    dynamic: bool,
    /// Bytes that may still be spent on what the document unfolds to.
    budget: usize,
    /// Why the first representation that had to be left out was.
    left_out: Option<Fault>,
    warnings: &'w mut Warnings,
}

/// What a representation inherits from its period.
struct PeriodContext<'a> {
    start: MediaTime,
    end: Option<MediaTime>,
    levels: &'a Levels,
    /// Timelines made so far: representations of one set usually share theirs.
    timelines: Vec<(TimelineKey, Arc<Timeline>)>,
}

/// Two timelines of equal keys are the same. The pointer is that of the shared list of `S`.
#[derive(Clone, Copy, PartialEq)]
struct TimelineKey {
    list: *const timeline::S,
    timescale: u32,
    origin: u64,
    start_number: u64,
    end_number: Option<u64>,
}

impl Resolver<'_> {
    /// When periods begin and end (ISO/IEC 23009-1 §5.3.2.1); those that cannot play are left out.
    fn spans<'a>(
        &mut self,
        mpd: &'a Mpd,
    ) -> Vec<(&'a document::Period, MediaTime, Option<MediaTime>)> {
        let mut spans: Vec<(&document::Period, MediaTime, Option<MediaTime>)> = Vec::new();
        // Where the period before ends by its own duration.
        let mut cursor = (!self.dynamic).then_some(MediaTime::ZERO);
        if self.dynamic && mpd.periods.first().is_some_and(|first| first.start.is_none()) {
            // Early available: it will be given a start when it begins.
            self.warnings.add(
                mpd.line,
                WarningCode::Missing,
                "the first period of a dynamic MPD has no start",
            );
            cursor = Some(MediaTime::ZERO);
        }
        for period in &mpd.periods {
            let Some(start) = period.start.or(cursor) else {
                self.warnings.add(
                    period.line,
                    WarningCode::Missing,
                    "a period that has no start yet is left out",
                );
                continue;
            };
            if let Some((_, before, before_end)) = spans.last_mut() {
                if start < *before {
                    self.warnings.add(
                        period.line,
                        WarningCode::Overlap,
                        "a period that begins before the last is left out",
                    );
                    continue;
                }
                // A period ends where the next begins, at the latest.
                *before_end = Some(before_end.map_or(start, |end| end.min(start)));
            }
            let end = period.duration.map(|duration| start + duration);
            cursor = end;
            spans.push((period, start, end));
        }
        if let Some((_, start, end)) = spans.last_mut()
            && let Some(whole) = mpd.duration
        {
            // A duration of the whole that ends before the last period begins says nothing of it.
            if end.is_none() && whole > *start {
                *end = Some(whole);
            }
        }
        spans.retain(|(period, start, end)| {
            let plays = end.is_none_or(|end| end > *start);
            if !plays {
                self.warnings.add(
                    period.line,
                    WarningCode::Inconsistent,
                    "a period without length is left out",
                );
            }
            plays
        });
        spans
    }

    fn period(
        &mut self,
        period: &document::Period,
        base: &str,
        start: MediaTime,
        end: Option<MediaTime>,
    ) -> Result<Period, Fault> {
        let base = self.resolve(base, period.base.as_deref(), period.line)?;
        let mut context =
            PeriodContext { start, end, levels: &period.addressing, timelines: Vec::new() };
        let mut sets = Vec::new();
        for set in &period.sets {
            self.adaptation_set(set, &base, &mut context, &mut sets)?;
        }
        sets.shrink_to_fit();
        let duration = end.map(|end| end - start);
        Ok(Period { id: period.id.clone(), start, duration, sets, ..Period::default() })
    }

    /// Adds an adaptation set, as one switching set for each combination of codecs in it.
    fn adaptation_set(
        &mut self,
        set: &document::AdaptationSet,
        base: &str,
        period: &mut PeriodContext<'_>,
        sets: &mut Vec<SwitchingSet>,
    ) -> Result<(), Fault> {
        if let Some(scheme) = &set.common.essential {
            self.not_understood(scheme, set.line);
            return Ok(());
        }
        let Some(kind) = kind(set) else {
            self.warnings.add(
                set.line,
                WarningCode::Unsupported,
                "an AdaptationSet that is no video, audio or text is left out",
            );
            return Ok(());
        };
        let base = self.resolve(base, set.base.as_deref(), set.line)?;
        let first = sets.len();
        let mut families: Vec<String> = Vec::new();
        for (position, written) in set.representations.iter().enumerate() {
            if let Some(scheme) = &written.common.essential {
                self.not_understood(scheme, written.line);
                continue;
            }
            if set.common.protected || written.common.protected {
                return Err(ManifestErrorKind::unsupported("ContentProtection").at(written.line));
            }
            let representation = self.representation(set, written, position, kind, &base, period);
            let representation = match representation {
                Ok(representation) => representation,
                Err(error) if is_fatal(&error.kind) => return Err(error),
                Err(error) => {
                    let message = format!("a Representation is left out: {}", error.kind);
                    self.warnings.add(error.line, WarningCode::Unsupported, message);
                    self.left_out.get_or_insert(error);
                    continue;
                }
            };
            let mut family = String::new();
            for codec in codecs::list(&representation.codecs) {
                family.push_str(codecs::family(codec));
                family.push(',');
            }
            let found = families.iter().position(|known| *known == family);
            match found.and_then(|found| sets.get_mut(first + found)) {
                Some(same) => same.representations.push(representation),
                None => {
                    families.push(family);
                    sets.push(SwitchingSet {
                        language: set.language.clone(),
                        label: set.label.clone(),
                        roles: set.roles.clone(),
                        default: set.roles.iter().any(|role| role == "main"),
                        representations: vec![representation],
                        ..SwitchingSet::new(kind)
                    });
                }
            }
        }
        for set in sets.iter_mut().skip(first) {
            sort_by_bandwidth(&mut set.representations, |representation| representation.bandwidth);
        }
        Ok(())
    }

    fn representation(
        &mut self,
        set: &document::AdaptationSet,
        written: &document::Representation,
        position: usize,
        kind: MediaKind,
        base: &str,
        period: &mut PeriodContext<'_>,
    ) -> Result<Representation, Fault> {
        let line = written.line;
        let base = self.resolve(base, written.base.as_deref(), line)?;
        let id = match &written.id {
            Some(id) => id.clone(),
            None => {
                self.warnings.add(line, WarningCode::Missing, "Representation lacks its id");
                position.to_string()
            }
        };
        let bandwidth = written.bandwidth.filter(|&bandwidth| bandwidth > 0);
        if bandwidth.is_none() {
            self.warnings.add(line, WarningCode::Missing, "Representation lacks its bandwidth");
        }
        let (own, inherited) = (&written.common, &set.common);
        let container = own.mime_type.as_ref().or(inherited.mime_type.as_ref());
        let container = match container {
            Some(container) => container.clone(),
            None => {
                self.warnings.add(line, WarningCode::Missing, "Representation lacks its mimeType");
                let mut guess = kind.name().to_owned();
                guess.push_str("/mp4");
                guess
            }
        };
        let codecs = own.codecs.as_ref().or(inherited.codecs.as_ref());
        self.spend(size_of::<Representation>() + id.len() + container.len(), line)?;

        let bandwidth = bandwidth.unwrap_or(1);
        let context = template::Context { base: &base, id: &id, bandwidth };
        let levels = [&written.addressing, &set.addressing, period.levels];
        let segments = self.segments(levels, &context, &container, period, line)?;
        Ok(Representation {
            container,
            codecs: codecs.cloned().unwrap_or_default(),
            width: own.width.or(inherited.width),
            height: own.height.or(inherited.height),
            frame_rate: own.frame_rate.or(inherited.frame_rate),
            ..Representation::new(id, bandwidth, segments)
        })
    }

    /// Where the segments of a representation are (§5.3.9): the nearest level that says so decides
    /// how they are addressed, and inherits what it leaves open from the same element further up.
    fn segments(
        &mut self,
        levels: [&Levels; 3],
        context: &template::Context<'_>,
        container: &str,
        period: &mut PeriodContext<'_>,
        line: u64,
    ) -> Result<Segments, Fault> {
        let of = |field: fn(&Levels) -> Option<&Addressing>| Chain(levels.map(field));
        for level in levels {
            if level.template.is_some() {
                let chain = of(|level| level.template.as_deref());
                return self.by_template(&chain, context, period, line).map(Segments::Known);
            }
            if level.list.is_some() {
                let chain = of(|level| level.list.as_deref());
                return self.by_list(&chain, context.base, period, line).map(Segments::Known);
            }
            if level.base.is_some() {
                let chain = of(|level| level.base.as_deref());
                return self.by_index(&chain, context.base, container, period, line);
            }
        }
        // The whole file is one segment (§5.3.9.1).
        let mut list = ListBuilder::new(context.base, 1);
        let end =
            period.end.ok_or_else(|| ManifestErrorKind::missing("Period@duration").at(line))?;
        self.spend(context.base.len(), line)?;
        list.push(ListEntry {
            start: period.start,
            duration: end - period.start,
            ..ListEntry::default()
        });
        Ok(Segments::Known(SegmentIndex::from_list(list, Vec::new(), Some(period.start))))
    }

    /// `SegmentTemplate` (§5.3.9.4).
    fn by_template(
        &mut self,
        chain: &Chain<'_>,
        context: &template::Context<'_>,
        period: &mut PeriodContext<'_>,
        line: u64,
    ) -> Result<SegmentIndex, Fault> {
        let at = |kind: ManifestErrorKind| kind.at(line);
        let media = chain
            .find(|level| level.media.as_deref())
            .ok_or_else(|| at(ManifestErrorKind::missing_attribute("SegmentTemplate", "media")))?;
        let times = chain.times();
        let mut compile = |text: &str| {
            self.spend(context.base.len() + text.len(), line)?;
            template::compile(text, context).map_err(at)
        };
        let pattern = compile(media)?;
        let init = match chain.find(|level| level.initialization_template.as_deref()) {
            Some(text) => {
                let url = compile(text)?.expand(times.start_number, times.origin);
                Some(InitSegment { url, range: None })
            }
            None => chain.initialization(context.base),
        };
        let timeline = match chain.find(|level| level.timeline.as_ref()) {
            Some(list) => self.timeline(list, &times, period, line)?,
            None => Arc::new(self.even(&times, period, line)?),
        };
        Ok(SegmentIndex::from_runs(pattern, timeline, init, times.media_offset(period.start)))
    }

    /// The timeline of segments whose times are listed.
    fn timeline(
        &mut self,
        list: &Rc<[timeline::S]>,
        times: &Times,
        period: &mut PeriodContext<'_>,
        line: u64,
    ) -> Result<Arc<Timeline>, Fault> {
        let key = TimelineKey {
            list: list.as_ptr(),
            timescale: times.timescale,
            origin: times.origin,
            start_number: times.start_number,
            end_number: times.end_number,
        };
        let recent = period.timelines.iter().rev().take(TIMELINES_LOOKED_AT);
        if let Some((_, known)) = recent.into_iter().find(|(known, _)| *known == key) {
            return Ok(known.clone());
        }
        self.spend(list.len().saturating_mul(size_of::<Run>() + size_of::<usize>()), line)?;
        let end = period.end.map(|end| times.media_time(end - period.start));
        let runs = timeline::runs(list, times.start_number, end, line, self.warnings);
        let mut timeline = times.timeline(period);
        for mut run in runs {
            if let Some(last) = times.end_number {
                if run.number > last {
                    break;
                }
                run.count = run.count.min((last - run.number).saturating_add(1));
            }
            timeline.push(run);
        }
        let timeline = Arc::new(timeline);
        period.timelines.push((key, timeline.clone()));
        Ok(timeline)
    }

    /// The timeline of segments of one duration, or of one segment as long as the period.
    fn even(
        &mut self,
        times: &Times,
        period: &PeriodContext<'_>,
        line: u64,
    ) -> Result<Timeline, Fault> {
        let (end, listed) = match (period.end, times.end_number) {
            (Some(end), _) => (end, u64::MAX),
            (None, Some(last)) => {
                let count = last.saturating_sub(times.start_number).saturating_add(1);
                (MediaTime::MAX, count)
            }
            (None, None) if self.dynamic => {
                let feature = "a dynamic MPD with numbered segments in a period without an end";
                return Err(ManifestErrorKind::unsupported(feature).at(line));
            }
            (None, None) => {
                let name = "MPD";
                let kind = ManifestErrorKind::missing_attribute(name, "mediaPresentationDuration");
                return Err(kind.at(line));
            }
        };
        let mut timeline = times.timeline(period);
        let whole = times.media_time(end - period.start).saturating_sub(times.origin).max(1);
        let duration = times.duration.unwrap_or(whole);
        // Durations of periods are rounded, often to milliseconds: what sticks out by less than
        // one is no segment.
        let until = times.media_time(end - period.start - MediaTime::from_millis(1));
        let count = (until.saturating_sub(times.origin) / duration).saturating_add(1).min(listed);
        let last = times.end_number.unwrap_or(u64::MAX);
        let count = count.min(last.saturating_sub(times.start_number).saturating_add(1));
        timeline.push(Run {
            number: times.start_number,
            time: times.origin,
            duration,
            count: count.max(1),
        });
        Ok(timeline)
    }

    /// `SegmentList` (§5.3.9.3).
    fn by_list(
        &mut self,
        chain: &Chain<'_>,
        base: &str,
        period: &mut PeriodContext<'_>,
        line: u64,
    ) -> Result<SegmentIndex, Fault> {
        let segments = chain
            .find(|level| level.segments.as_ref())
            .ok_or_else(|| ManifestErrorKind::missing("SegmentURL").at(line))?;
        let times = chain.times();
        let timeline = match chain.find(|level| level.timeline.as_ref()) {
            Some(list) => self.timeline(list, &times, period, line)?,
            None if times.duration.is_none() && segments.len() > 1 => {
                return Err(
                    ManifestErrorKind::missing_attribute("SegmentList", "duration").at(line)
                );
            }
            None => {
                let mut timeline = times.timeline(period);
                let whole = period.end.map(|end| times.media_time(end - period.start));
                let whole = whole.map(|end| end.saturating_sub(times.origin));
                let duration = times.duration.or(whole).ok_or_else(|| {
                    ManifestErrorKind::missing_attribute("SegmentList", "duration").at(line)
                })?;
                timeline.push(Run {
                    number: times.start_number,
                    time: times.origin,
                    duration: duration.max(1),
                    count: segments.len().max(1) as u64,
                });
                Arc::new(timeline)
            }
        };
        let init = chain.initialization(base);
        let mut list = ListBuilder::new(base, times.start_number);
        let mut first = true;
        for moment in timeline.moments() {
            // What lies before the period has been left out, but counts.
            let place = moment.number.saturating_sub(times.start_number);
            let Some(segment) = usize::try_from(place).ok().and_then(|at| segments.get(at)) else {
                break;
            };
            if core::mem::take(&mut first) {
                list.set_first_number(moment.number);
            }
            let reference = segment.url.as_deref().unwrap_or("");
            self.spend(ListBuilder::ENTRY_SIZE + reference.len(), line)?;
            list.push(ListEntry {
                start: moment.start,
                duration: moment.end - moment.start,
                reference,
                range: segment.range,
                init: init.as_ref().map(|_| 0),
                ..ListEntry::default()
            });
        }
        let inits = init.into_iter().collect();
        Ok(SegmentIndex::from_list(list, inits, Some(times.media_offset(period.start))))
    }

    /// `SegmentBase` (§5.3.9.2): an index in the file tells.
    fn by_index(
        &mut self,
        chain: &Chain<'_>,
        base: &str,
        container: &str,
        period: &PeriodContext<'_>,
        line: u64,
    ) -> Result<Segments, Fault> {
        if container.ends_with("/webm") {
            return Err(ManifestErrorKind::unsupported("SegmentBase in WebM").at(line));
        }
        let times = chain.times();
        self.spend(2 * base.len(), line)?;
        Ok(Segments::IndexBox {
            url: base.to_owned(),
            range: chain.find(|level| level.index_range),
            init: chain.initialization(base),
            media_offset: times.media_offset(period.start),
            end: period.end,
        })
    }

    /// The URL that a `BaseURL` inside `base` means; `base` itself without one (§5.6).
    fn resolve(&mut self, base: &str, reference: Option<&str>, line: u64) -> Result<String, Fault> {
        let reference = reference.unwrap_or("");
        self.spend(base.len() + reference.len(), line)?;
        Ok(if reference.is_empty() { base.to_owned() } else { url::resolve(base, reference) })
    }

    fn spend(&mut self, bytes: usize, line: u64) -> Result<(), Fault> {
        let left = self.budget.checked_sub(bytes);
        let kind = || ManifestErrorKind::limit("bytes unfolded by inheritance", FREE_BYTES);
        self.budget = left.ok_or_else(|| kind().at(line))?;
        Ok(())
    }

    fn not_understood(&mut self, scheme: &str, line: u64) {
        let scheme = crate::manifest::error::excerpt(scheme);
        self.warnings.add(
            line,
            WarningCode::Unsupported,
            format!("left out for its EssentialProperty {scheme}"),
        );
    }
}

/// Faults that concern more than the representation they were found in.
fn is_fatal(kind: &ManifestErrorKind) -> bool {
    matches!(kind, ManifestErrorKind::Limit { .. })
}

/// The kind of an adaptation set: by its content type, else by MIME type, else by codecs.
fn kind(set: &document::AdaptationSet) -> Option<MediaKind> {
    let by_name = |name: &str| match name.split('/').next().unwrap_or(name) {
        "video" => Some(MediaKind::Video),
        "audio" => Some(MediaKind::Audio),
        "text" => Some(MediaKind::Text),
        _ => None,
    };
    // Sound muxed with pictures counts as video.
    let by_types = set.content_types.iter().filter_map(|name| by_name(name)).min();
    if by_types.is_some() {
        return by_types;
    }
    if let Some(other) = set.content_types.first() {
        // `image`, `application`, `font` …, unless it is subtitles.
        if other != "application" {
            return None;
        }
    }
    let all = || {
        let own = set.representations.iter().map(|representation| &representation.common);
        core::iter::once(&set.common).chain(own)
    };
    let mime = |common: &document::Common| match common.mime_type.as_deref()? {
        "application/ttml+xml" => Some(MediaKind::Text),
        other => by_name(other),
    };
    let codec = |common: &document::Common| {
        codecs::list(common.codecs.as_deref()?).filter_map(codecs::kind).min()
    };
    all().find_map(mime).or_else(|| all().find_map(codec))
}

/// One kind of segment information on the levels of representation, adaptation set and period.
struct Chain<'a>([Option<&'a Addressing>; 3]);

impl<'a> Chain<'a> {
    /// A value of the nearest level that has it.
    #[inline(never)]
    fn find<T>(&self, field: fn(&'a Addressing) -> Option<T>) -> Option<T> {
        self.0.iter().flatten().find_map(|level| field(level))
    }

    fn times(&self) -> Times {
        Times {
            timescale: self.find(|level| level.timescale).unwrap_or(1),
            origin: self.find(|level| level.presentation_time_offset).unwrap_or(0),
            duration: self.find(|level| level.duration),
            start_number: self.find(|level| level.start_number).unwrap_or(1),
            end_number: self.find(|level| level.end_number),
        }
    }

    fn initialization(&self, base: &str) -> Option<InitSegment> {
        let Location { url, range } = self.find(|level| level.initialization.as_ref())?;
        let url = url.as_deref().map_or_else(|| base.to_owned(), |url| url::resolve(base, url));
        Some(InitSegment { url, range: *range })
    }
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
    fn timeline(&self, period: &PeriodContext<'_>) -> Timeline {
        let end = period.end.unwrap_or(MediaTime::MAX);
        Timeline::new(self.timescale, self.origin, period.start, end)
    }

    /// The media time that far into the period, rounded down.
    fn media_time(&self, into_period: MediaTime) -> u64 {
        let ticks = u64::try_from(into_period.scaled(self.timescale)).unwrap_or(0);
        ticks.saturating_add(self.origin)
    }

    fn media_offset(&self, period_start: MediaTime) -> MediaTime {
        period_start - MediaTime::from_unsigned(self.origin, self.timescale)
    }
}
