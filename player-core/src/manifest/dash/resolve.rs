//! What an MPD means: when its periods play, what is inherited, and which segments there are.

use std::borrow::Cow;
use std::sync::Arc;

use super::addressing::{self, Addressed, Level, PeriodContext};
use super::describe::{self, CONTINUITY};
use super::names::Name;
use super::tree::Element;
use super::{live, protection, switching};
use crate::io::MediaKind;
use crate::manifest::{
    Fault, ManifestErrorKind, WarningCode, Warnings, codecs, decimal, sort_by_bandwidth,
};
use crate::presentation::index::Timeline;
use crate::presentation::{
    Chunked, Origin, Period, Preselection, Presentation, Protection, Purpose, Representation,
    Segments, SwitchingSet, VideoRange,
};
use crate::time::MediaTime;
use crate::url;

/// Turns a document of so many bytes, read from `url`, into a presentation. What `earlier` has that
/// did not change stays.
pub(super) fn presentation(
    mpd: Element<'_>,
    url: &str,
    bytes: usize,
    warnings: &mut Warnings,
    mut earlier: Option<Earlier<'_>>,
) -> Result<(Presentation, Held), Fault> {
    let mut resolver = Resolver::new(mpd, bytes, warnings);
    resolver.earlier = earlier.as_ref().map(|earlier| &*earlier.presentation);
    let bases = resolver.top(url)?;
    let (spans, continued) = (Vec::new(), Vec::new());
    let mut held = Held { bases, dynamic: resolver.dynamic, spans, continued };
    let mut periods: Vec<Period> = Vec::new();
    let mut kept: Vec<(usize, usize)> = Vec::new();
    for Span { element, start, end } in resolver.spans()? {
        let span = HeldSpan { node: element.id, start, end };
        held.spans.push(span);
        if let Some(earlier) = &earlier
            && let Some(position) = earlier.kept(element, span, &held)
        {
            kept.push((periods.len(), position));
            periods.push(Period {
                start,
                duration: end.map(|end| end - start),
                ..Period::default()
            });
            continue;
        }
        let period = resolver.period(element, &held.bases, start, end)?;
        if !period.sets.is_empty() || period.remote.is_some() {
            periods.push(period);
        }
    }
    held.continued = core::mem::take(&mut resolver.continued);
    let mut presentation = resolver.finish(periods, url)?;
    // Nothing can go wrong from here on.
    if let Some(earlier) = &mut earlier {
        for (place, position) in kept {
            if let (Some(place), Some(period)) = (
                presentation.periods.get_mut(place),
                earlier.presentation.periods.get_mut(position),
            ) {
                *place = core::mem::take(period);
            }
        }
        if let Some(last) = presentation.periods.last().filter(|last| last.duration.is_none())
            && presentation.live.is_none()
        {
            presentation.duration = last_end(last);
        }
    }
    Ok((presentation, held))
}

/// What a presentation was made of.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    bases: Bases,
    dynamic: bool,
    spans: Vec<HeldSpan>,
    pub(super) continued: Vec<(Arc<Timeline>, Arc<Timeline>)>,
}

/// When a period played.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HeldSpan {
    node: u32,
    start: MediaTime,
    end: Option<MediaTime>,
}

/// An earlier state of a presentation.
pub(super) struct Earlier<'e> {
    pub(super) presentation: &'e mut Presentation,
    pub(super) held: &'e Held,
    /// The elements of periods that have not changed: now and then.
    pub(super) same: &'e [(u32, u32)],
}

impl Earlier<'_> {
    /// Where a period is in the earlier presentation, if it can stay.
    fn kept(&self, element: Element<'_>, span: HeldSpan, held: &Held) -> Option<usize> {
        // The spans of `held` are not known yet.
        if (&self.held.bases, self.held.dynamic) != (&held.bases, held.dynamic) {
            return None;
        }
        let (_, then) = self.same.iter().find(|(now, _)| *now == element.id)?;
        let before = HeldSpan { node: *then, ..span };
        self.held.spans.iter().find(|known| **known == before)?;
        let id = element.get(Name::Id);
        self.presentation
            .periods
            .iter()
            .position(|period| period.start == span.start && period.id.as_deref() == id)
    }
}

/// What a document may unfold to is bounded by its size: `FREE_BYTES`, and so many for each of its
/// own. Inheritance could otherwise multiply a long list by a long list.
const FREE_BYTES: usize = 2 << 20;
const BYTES_FOR_BYTE: usize = 6;
/// The most places that the same content is looked for at.
const MOST_ORIGINS: usize = 16;

/// Where the segments of something are, and how early.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bases {
    /// Never empty; the best first.
    pub(super) origins: Vec<Origin>,
    chunked: Option<Chunked>,
}

/// A period and when it plays.
pub(super) struct Span<'a> {
    pub(super) element: Element<'a>,
    pub(super) start: MediaTime,
    pub(super) end: Option<MediaTime>,
}

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

pub(super) struct Resolver<'a, 'w> {
    pub(super) mpd: Element<'a>,
    pub(super) dynamic: bool,
    /// Bytes that may still be spent on what the document unfolds to.
    budget: usize,
    /// Why the first representation that had to be left out was.
    left_out: Option<Fault>,
    pub(super) warnings: &'w mut Warnings,
    pub(super) earlier: Option<&'w Presentation>,
    /// Timelines that go on from an earlier state, and that.
    pub(super) continued: Vec<(Arc<Timeline>, Arc<Timeline>)>,
}

/// What a representation inherits from its adaptation set.
struct SetContext<'a, 'b> {
    element: Element<'a>,
    kind: MediaKind,
    bases: Cow<'b, Bases>,
    level: Level<'a>,
    protection: Option<Arc<Protection>>,
    said: Said<'a>,
}

/// What descriptors of a representation or an adaptation set say.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    /// The scheme of an `EssentialProperty` that must be understood and is not.
    essential: Option<&'a str>,
    trick_play: Option<&'a str>,
    tiles: Option<(u32, u32)>,
    transfer: Option<u64>,
    channels: Option<u32>,
    last_number: Option<u64>,
    resync: Option<Element<'a>>,
    protected: bool,
}

impl<'a, 'w> Resolver<'a, 'w> {
    pub(super) fn new(mpd: Element<'a>, bytes: usize, warnings: &'w mut Warnings) -> Self {
        let mut resolver = Resolver {
            mpd,
            dynamic: false,
            budget: FREE_BYTES.saturating_add(bytes.saturating_mul(BYTES_FOR_BYTE)),
            left_out: None,
            warnings,
            earlier: None,
            continued: Vec::new(),
        };
        match mpd.get(Name::Type) {
            None | Some("static" | "list") => {}
            Some("dynamic") => resolver.dynamic = true,
            Some(other) => resolver.overlook(mpd, Name::Type, other),
        }
        resolver
    }

    /// The places that the document names.
    pub(super) fn top(&mut self, url: &str) -> Result<Bases, Fault> {
        let url_here = url.to_owned();
        let own = Origin { priority: 1, weight: 1, url: url_here, ..Origin::default() };
        let own = Bases { origins: vec![own], chunked: None };
        Ok(self.bases(self.mpd, Cow::Owned(own))?.into_owned())
    }

    /// Puts together what was understood of periods.
    #[inline(never)]
    pub(super) fn finish(self, periods: Vec<Period>, url: &str) -> Result<Presentation, Fault> {
        let mpd = self.mpd;
        let Some(last) = periods.last() else {
            return Err(self.left_out.unwrap_or(ManifestErrorKind::Empty.at(mpd.at())));
        };
        let duration = match last.duration {
            _ if self.dynamic => None,
            Some(duration) => Some(last.start + duration),
            None => last_end(last),
        };
        Ok(Presentation {
            id: mpd.owned(Name::Id),
            duration,
            live: self.dynamic.then(|| live::live(mpd, url)),
            periods,
            steering: describe::steering(mpd, url),
            services: mpd.all(Name::ServiceDescription).map(live::service).collect(),
            update: live::update(mpd, url, self.dynamic),
            ..Presentation::default()
        })
    }

    /// When periods begin and end (§5.3.2.1); those that cannot play are left out.
    #[inline(never)]
    pub(super) fn spans(&mut self) -> Result<Vec<Span<'a>>, Fault> {
        let mut spans: Vec<Span<'a>> = Vec::new();
        // Where the period before ends by its own duration.
        let mut cursor = (!self.dynamic).then_some(MediaTime::ZERO);
        for (position, element) in self.mpd.all(Name::Period).enumerate() {
            let own = element.duration(Name::Start)?;
            let duration = element.duration(Name::Duration)?;
            if element.get(Name::Href) == Some(NOTHING) {
                continue;
            }
            if self.dynamic && position == 0 && own.is_none() {
                // Early available: it will be given a start when it begins.
                self.missing(self.mpd, "the first period of a dynamic MPD has no start");
                cursor = Some(MediaTime::ZERO);
            }
            let Some(start) = own.or(cursor) else {
                self.missing(element, "a period that has no start yet is left out");
                continue;
            };
            if let Some(before) = spans.last_mut() {
                if start < before.start {
                    self.warnings.add(
                        element.at(),
                        WarningCode::Overlap,
                        "a period that begins before the last is left out",
                    );
                    continue;
                }
                // A period ends where the next begins, at the latest.
                before.end = Some(before.end.map_or(start, |end| end.min(start)));
            }
            let end = duration.map(|duration| start + duration);
            cursor = end;
            spans.push(Span { element, start, end });
        }
        let whole = self.mpd.duration(Name::MediaPresentationDuration)?;
        if let (Some(last), Some(whole)) = (spans.last_mut(), whole) {
            // A duration of the whole that ends before the last period begins says nothing of it.
            if last.end.is_none() && whole > last.start {
                last.end = Some(whole);
            }
        }
        spans.retain(|Span { element, start, end }| {
            let plays = end.is_none_or(|end| end > *start);
            if !plays {
                self.warnings.add(
                    element.at(),
                    WarningCode::Inconsistent,
                    "a period without length is left out",
                );
            }
            plays
        });
        Ok(spans)
    }

    #[inline(never)]
    pub(super) fn period(
        &mut self,
        element: Element<'a>,
        bases: &Bases,
        start: MediaTime,
        end: Option<MediaTime>,
    ) -> Result<Period, Fault> {
        let bases = self.bases(element, Cow::Borrowed(bases))?;
        let mut period = Period {
            id: element.owned(Name::Id),
            start,
            duration: end.map(|end| end - start),
            ..Period::default()
        };
        let url = bases.origins.first().map_or("", |base| &base.url);
        if let Some(link) = element.get(Name::Href) {
            period.remote = Some(url::resolve(url, link));
        }
        let mut context = PeriodContext::new(start, end);
        let level = Level::of(element);
        for child in element.children() {
            match child.name() {
                Name::AdaptationSet => {
                    self.adaptation_set(child, &bases, level, &mut context, &mut period.sets)?;
                }
                Name::EventStream | Name::Preselection | Name::ImportedMpd
                    if child.get(Name::Href).is_some() =>
                {
                    self.remote(child);
                }
                Name::EventStream => {
                    describe::events(child, start, url, &mut period.events, self.warnings);
                }
                Name::Preselection => period.preselections.push(preselection(child)),
                Name::ServiceDescription => period.services.push(live::service(child)),
                Name::ImportedMpd => {
                    let link = child.get(Name::Uri).or(child.get(Name::Url));
                    let link = link.unwrap_or_else(|| child.content());
                    period.remote = Some(url::resolve(url, link));
                }
                _ => {}
            }
        }
        switching::join(&mut period.sets);
        period.sets.shrink_to_fit();
        Ok(period)
    }

    /// Adds an adaptation set, as one switching set for each combination of codecs in it.
    #[inline(never)]
    fn adaptation_set(
        &mut self,
        element: Element<'a>,
        bases: &Bases,
        above: Level<'a>,
        period: &mut PeriodContext,
        sets: &mut Vec<SwitchingSet>,
    ) -> Result<(), Fault> {
        if element.get(Name::Href).is_some_and(|link| {
            if link != NOTHING {
                self.remote(element);
            }
            true
        }) {
            return Ok(());
        }
        let mut said = said(element);
        if said.tiles.is_none() {
            let first = element.child(Name::Representation);
            said.tiles = first.and_then(|first| self::said(first).tiles);
        }
        if let Some(scheme) = said.essential {
            self.not_understood(scheme, element);
            return Ok(());
        }
        let kind = kind(element).or(said.tiles.map(|_| MediaKind::Video));
        let Some(kind) = kind else {
            self.warnings.add(
                element.at(),
                WarningCode::Unsupported,
                "an AdaptationSet that is no video, audio or text is left out",
            );
            return Ok(());
        };
        let set = SetContext {
            element,
            kind,
            bases: self.bases(element, Cow::Borrowed(bases))?,
            level: Level::of(element),
            protection: match said.protected {
                true => protection::protection(&[element], self).map(Arc::new),
                false => None,
            },
            said,
        };
        let first = sets.len();
        let mut families: Vec<String> = Vec::new();
        for (position, written) in element.all(Name::Representation).enumerate() {
            // Those with it need another to be decoded (§5.3.5.2).
            if written.get(Name::DependencyId).is_some_and(|on| !on.is_empty()) {
                self.unsupported(written, "a Representation that depends on another is left out");
                continue;
            }
            let representation = self.representation(&set, written, position, above, period);
            let representation = match representation {
                Ok(Some(representation)) => representation,
                Ok(None) => continue,
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
                    self.spend(size_of::<SwitchingSet>() + 64, element.at())?;
                    let mut set = self.switching_set(&set, period.start);
                    set.representations.push(representation);
                    sets.push(set);
                }
            }
        }
        for set in sets.iter_mut().skip(first) {
            // Thousands of sets with one representation each are not meant to take room for four.
            set.representations.shrink_to_fit();
            sort_by_bandwidth(&mut set.representations, |representation| representation.bandwidth);
        }
        Ok(())
    }

    /// What is said of an adaptation set, without representations.
    #[inline(never)]
    fn switching_set(&mut self, set: &SetContext<'a, '_>, start: MediaTime) -> SwitchingSet {
        let element = set.element;
        let mut out = SwitchingSet::new(set.kind);
        out.id = element.owned(Name::Id);
        out.language = element.owned(Name::Lang).filter(|language| !language.is_empty());
        if let Some(priority) = element.get(Name::SelectionPriority) {
            match decimal::integer(priority).and_then(|priority| u32::try_from(priority).ok()) {
                Some(priority) => out.priority = priority,
                None => self.overlook(element, Name::SelectionPriority, priority),
            }
        }
        if set.said.tiles.is_some() {
            out.purpose = Purpose::Thumbnails;
        } else if let Some(of) = set.said.trick_play {
            let of = Some(of).filter(|of| !of.is_empty());
            out.purpose = Purpose::TrickPlay { of: of.map(str::to_owned) };
        }
        for child in element.children() {
            let (scheme, value) = describe::scheme(child);
            match child.name() {
                Name::Role if scheme == "urn:mpeg:dash:role:2011" => {
                    out.default |= value == "main";
                    out.roles.push(value.to_owned());
                }
                Name::Accessibility => out.accessibility.push(describe::descriptor(child)),
                Name::InbandEventStream => out.event_schemes.push(describe::descriptor(child)),
                Name::Label | Name::GroupLabel => out.labels.push(describe::label(child)),
                Name::SupplementalProperty if scheme.starts_with(CONTINUITY) => {
                    out.continues = describe::continuity(scheme, value);
                }
                Name::SupplementalProperty
                | Name::EssentialProperty
                | Name::Rating
                | Name::Viewpoint
                | Name::Role => out.properties.push(describe::descriptor(child)),
                Name::ContentComponent if out.language.is_none() => {
                    out.language = child.owned(Name::Lang);
                }
                Name::ProducerReferenceTime => {
                    let own = element.child(Name::Representation).map(Level::of);
                    let timing = own.and_then(|own| own.timing()).or(set.level.timing());
                    let timing = timing.unwrap_or((1, 0));
                    out.reference_times.extend(live::reference_time(child, timing, start));
                }
                _ => {}
            }
        }
        out.label = out.labels.iter().find(|label| !label.group).map(|label| label.text.clone());
        out
    }

    /// Nothing if it has an essential property that is not understood.
    #[inline(never)]
    fn representation(
        &mut self,
        set: &SetContext<'a, '_>,
        written: Element<'a>,
        position: usize,
        above: Level<'a>,
        period: &mut PeriodContext,
    ) -> Result<Option<Representation>, Fault> {
        let own = said(written);
        if let Some(scheme) = own.essential {
            self.not_understood(scheme, written);
            return Ok(None);
        }
        let (at, inherited) = (written.at(), set.said);
        let get = |name: Name| written.get(name).or_else(|| set.element.get(name));
        let id = match written.owned(Name::Id) {
            Some(id) => id,
            None => {
                self.missing(written, "Representation lacks its id");
                position.to_string()
            }
        };
        let bandwidth = written.get(Name::Bandwidth).and_then(|value| {
            let bandwidth = decimal::integer(value);
            if bandwidth.is_none() {
                self.overlook(written, Name::Bandwidth, value);
            }
            bandwidth.filter(|&bandwidth| bandwidth > 0)
        });
        if bandwidth.is_none() {
            self.missing(written, "Representation lacks its bandwidth");
        }
        let container = match get(Name::MimeType) {
            Some(container) => container.to_owned(),
            None => {
                self.missing(written, "Representation lacks its mimeType");
                let mut guess = set.kind.name().to_owned();
                guess.push_str("/mp4");
                guess
            }
        };
        let codecs = get(Name::Codecs).unwrap_or("");
        self.spend(size_of::<Representation>() + id.len() + container.len() + codecs.len(), at)?;

        let bases = self.bases(written, Cow::Borrowed(&set.bases))?;
        let mut chunked = bases.chunked.clone();
        let bandwidth = bandwidth.unwrap_or(1);
        let of = Addressed {
            at,
            levels: [Level::of(written), set.level, above],
            base: bases.origins.first().map_or("", |base| &base.url),
            id: &id,
            bandwidth,
            last_number: own.last_number.or(inherited.last_number),
        };
        let segments = self.segments(&of, period, &mut chunked)?;
        if let Some(resync) = own.resync.or(inherited.resync) {
            let ticks = resync.number(Name::DT)?;
            let timing = of.levels.iter().find_map(Level::timing);
            let before = Chunked { offset: MediaTime::ZERO, complete: true, resync: None };
            chunked.get_or_insert(before).resync = ticks.map(|ticks| {
                MediaTime::from_unsigned(ticks, timing.map_or(1, |(timescale, _)| timescale))
            });
        }
        let mut out = Representation::new(id, bandwidth, segments);
        out.container = container;
        out.codecs = codecs.to_owned();
        out.supplemental_codecs = get(Name::SupplementalCodecs).unwrap_or("").to_owned();
        let mut count = |name: Name| -> Option<u32> {
            let value = get(name)?;
            let count = decimal::integer(value).and_then(|count| u32::try_from(count).ok());
            if count.is_none() {
                self.overlook(written, name, value);
            }
            count
        };
        out.width = count(Name::Width);
        out.height = count(Name::Height);
        // It may be a range of rates (§5.3.7.2).
        out.sampling_rate = get(Name::AudioSamplingRate).and_then(|rates| {
            let least = rates.split(' ').next()?;
            decimal::integer(least).and_then(|rate| u32::try_from(rate).ok())
        });
        out.frame_rate = get(Name::FrameRate).and_then(|value| {
            let rate = frame_rate(value);
            if rate.is_none() {
                self.overlook(written, Name::FrameRate, value);
            }
            rate
        });
        out.max_playout_rate = get(Name::MaxPlayoutRate).and_then(decimal::float);
        let ranking = written.get(Name::QualityRanking).and_then(decimal::float);
        out.score = ranking.map(|ranking| -ranking);
        out.channels = own.channels.or(inherited.channels);
        out.tiles = own.tiles.or(inherited.tiles);
        out.video_range = match own.transfer.or(inherited.transfer) {
            Some(16) => VideoRange::Pq,
            Some(18) => VideoRange::Hlg,
            None if describe::is_dolby_vision(&out.codecs) => VideoRange::Pq,
            _ => VideoRange::Sdr,
        };
        out.protection = match own.protected {
            false => set.protection.clone(),
            true => {
                let protection = protection::protection(&[written, set.element], self);
                let size = protection.as_ref().map_or(0, protection::size);
                self.spend(size, at)?;
                protection.map(Arc::new)
            }
        };
        out.chunked = chunked;
        if bases.origins.len() > 1 {
            let size: usize = bases.origins.iter().map(|base| base.url.len() + 64).sum();
            self.spend(size, at)?;
            out.origins = bases.into_owned().origins;
        }
        Ok(Some(out))
    }

    /// The places that the `BaseURL` elements inside others mean; those above without any (§5.6,
    /// ETSI TS 103 285 §10.8.2). The best is the first.
    fn bases<'b>(
        &mut self,
        element: Element<'_>,
        above: Cow<'b, Bases>,
    ) -> Result<Cow<'b, Bases>, Fault> {
        let mut bases = Bases::default();
        for (position, written) in element.all(Name::BaseUrl).enumerate() {
            if position == 0 {
                let offset =
                    written.parse(Name::AvailabilityTimeOffset, addressing::time_offset)?;
                let complete = written.get(Name::AvailabilityTimeComplete);
                bases.chunked = above.chunked.clone();
                addressing::merge_offset(&mut bases.chunked, offset, complete);
            }
            let reference = written.content();
            let rank = |name: Name| {
                let value = decimal::integer(written.get(name)?)?;
                u32::try_from(value).ok()
            };
            let place = written.owned(Name::ServiceLocation);
            // What is absolute lies nowhere near what is above.
            let absolute = is_absolute(reference);
            for base in above.origins.iter().take(if absolute { 1 } else { MOST_ORIGINS }) {
                let url = match reference {
                    "" => base.url.clone(),
                    _ => url::resolve(&base.url, reference),
                };
                self.spend(url.len(), written.at())?;
                if bases.origins.iter().any(|known| known.url == url) {
                    continue;
                }
                if bases.origins.len() >= MOST_ORIGINS {
                    self.warnings.add(
                        written.at(),
                        WarningCode::Limit,
                        "a BaseURL beyond those that are kept",
                    );
                    break;
                }
                let inherited = Some(base).filter(|_| !absolute);
                bases.origins.push(Origin {
                    pathway: place.clone().or_else(|| inherited?.pathway.clone()),
                    priority: rank(Name::Priority)
                        .unwrap_or(inherited.map_or(1, |base| base.priority)),
                    weight: rank(Name::Weight).unwrap_or(inherited.map_or(1, |base| base.weight)),
                    url,
                    query: String::new(),
                });
            }
        }
        if bases.origins.is_empty() {
            return Ok(above);
        }
        let best = bases.origins.iter().enumerate().min_by_key(|(_, base)| base.priority);
        if let Some((best, _)) = best {
            bases.origins[..=best].rotate_right(1);
        }
        Ok(Cow::Owned(bases))
    }

    pub(super) fn spend(&mut self, bytes: usize, at: u64) -> Result<(), Fault> {
        let left = self.budget.checked_sub(bytes);
        let kind = || ManifestErrorKind::limit("bytes unfolded by inheritance", FREE_BYTES);
        self.budget = left.ok_or_else(|| kind().at(at))?;
        Ok(())
    }

    #[cold]
    fn remote(&mut self, element: Element<'_>) {
        let message = format!("a remote {} is left out", element.name().text());
        self.warnings.add(element.at(), WarningCode::Unsupported, message);
    }

    #[cold]
    fn missing(&mut self, element: Element<'_>, message: &str) {
        self.warnings.add(element.at(), WarningCode::Missing, message);
    }

    #[cold]
    pub(super) fn unsupported(&mut self, element: Element<'_>, message: &str) {
        self.warnings.add(element.at(), WarningCode::Unsupported, message);
    }

    #[cold]
    fn not_understood(&mut self, scheme: &str, element: Element<'_>) {
        let scheme = crate::manifest::error::excerpt(scheme);
        self.unsupported(element, &format!("left out for its EssentialProperty {scheme}"));
    }

    #[cold]
    #[inline(never)]
    pub(super) fn overlook(&mut self, element: Element<'_>, attribute: Name, value: &str) {
        let (name, value) = (element.name().text(), crate::manifest::error::excerpt(value));
        let message = format!("\"{value}\" is no value for {name}@{}", attribute.text());
        self.warnings.add(element.at(), WarningCode::BadValue, message);
    }
}

/// A link to nothing (§5.5.3).
pub(super) const NOTHING: &str = "urn:mpeg:dash:resolve-to-zero:2013";

/// Faults that concern more than the representation they were found in.
fn is_fatal(kind: &ManifestErrorKind) -> bool {
    matches!(kind, ManifestErrorKind::Limit { .. })
}

/// The essential properties that may stand with what is played, or that are understood.
const UNDERSTOOD: &[&str] = &[
    // Colours are the decoder's business (ISO/IEC 23091-2).
    "urn:mpeg:mpegB:cicp:",
    "urn:mpeg:dash:adaptation-set-switching:",
    "urn:mpeg:dash:pattern:",
    "urn:dvb:dash:hlg10:",
];

/// What the descriptors inside an element say.
fn said(element: Element<'_>) -> Said<'_> {
    let mut said = Said::default();
    for child in element.children() {
        let name = child.name();
        match name {
            Name::ContentProtection => said.protected = true,
            Name::Resync => said.resync = Some(child),
            Name::AudioChannelConfiguration => {
                let (scheme, value) = describe::scheme(child);
                said.channels = describe::channels(scheme, value).or(said.channels);
            }
            Name::EssentialProperty | Name::SupplementalProperty => {
                let (scheme, value) = describe::scheme(child);
                match scheme.strip_prefix("http://dashif.org/") {
                    Some("guidelines/trickmode") => said.trick_play = Some(value),
                    Some("guidelines/thumbnail_tile" | "thumbnail_tile") => {
                        said.tiles = describe::tiles(value);
                    }
                    Some("guidelines/last-segment-number") => {
                        said.last_number = decimal::integer(value);
                    }
                    _ if scheme == "urn:mpeg:mpegB:cicp:TransferCharacteristics" => {
                        said.transfer = decimal::integer(value);
                    }
                    _ if name == Name::EssentialProperty
                        && !UNDERSTOOD.iter().any(|known| scheme.starts_with(known)) =>
                    {
                        said.essential = Some(scheme);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    said
}

#[inline(never)]
fn preselection(element: Element<'_>) -> Preselection {
    let components = element.get(Name::PreselectionComponents).unwrap_or("");
    let roles = element.all(Name::Role).map(describe::scheme);
    Preselection {
        id: element.owned(Name::Id),
        components: components.split_ascii_whitespace().map(str::to_owned).collect(),
        language: element.owned(Name::Lang),
        labels: element.all(Name::Label).map(describe::label).collect(),
        roles: roles
            .filter(|(scheme, _)| *scheme == "urn:mpeg:dash:role:2011")
            .map(|(_, role)| role.to_owned())
            .collect(),
        codecs: element.string(Name::Codecs),
    }
}

/// The kind of an adaptation set: by its content type, else by MIME type, else by codecs.
#[inline(never)]
fn kind(set: Element<'_>) -> Option<MediaKind> {
    let by_name = |name: &str| match name.split('/').next().unwrap_or(name) {
        "video" => Some(MediaKind::Video),
        "audio" => Some(MediaKind::Audio),
        "text" => Some(MediaKind::Text),
        _ => None,
    };
    // Sound muxed with pictures counts as video.
    let types = || {
        let own = set.get(Name::ContentType);
        let components = set.all(Name::ContentComponent).filter(move |_| own.is_none());
        own.into_iter().chain(components.filter_map(|component| component.get(Name::ContentType)))
    };
    let by_types = types().filter_map(by_name).min();
    if by_types.is_some() {
        return by_types;
    }
    // `image`, `application`, `font` …, unless it is subtitles.
    if types().next().is_some_and(|other| other != "application") {
        return None;
    }
    let all = || core::iter::once(set).chain(set.all(Name::Representation));
    let mime = |element: Element<'_>| match element.get(Name::MimeType)? {
        "application/ttml+xml" => Some(MediaKind::Text),
        other => by_name(other),
    };
    let codec = |element: Element<'_>| {
        codecs::list(element.get(Name::Codecs)?).filter_map(codecs::kind).min()
    };
    all().find_map(mime).or_else(|| all().find_map(codec))
}

/// Whether a reference names its host.
fn is_absolute(reference: &str) -> bool {
    let after_scheme = reference.split_once(':').map_or(reference, |(_, rest)| rest);
    after_scheme.starts_with("//")
}

/// A number of frames in a second, or a fraction of two numbers.
#[inline(never)]
fn frame_rate(value: &str) -> Option<f64> {
    let (frames, seconds) = value.split_once('/').unwrap_or((value, "1"));
    let rate = decimal::float(frames)? / decimal::float(seconds)?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
