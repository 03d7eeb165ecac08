//! What an MPD means: when its periods play, what is inherited, and which segments there are.

mod bases;
mod representation;
mod said;
mod set;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::addressing::{Level, PeriodContext};
use super::names::Name;
use super::runs::List;
use super::template::Template;
use super::tree::Element;
use super::{describe, live, switching};
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, Warnings};
use crate::presentation::index::Timeline;
use crate::presentation::{Origin, Period, Preselection, Presentation, Segments};
use crate::time::MediaTime;
use crate::url;
use bases::Bases;

/// Turns a document of so many bytes, read from `url`, into a presentation. What `earlier` has that
/// did not change stays. `lists` are those of the tree if nobody else needs them: what a period has
/// made its timelines of gives its room to the next.
pub(in crate::manifest::dash) fn presentation(
    mpd: Element<'_>,
    url: &str,
    bytes: usize,
    lists: Vec<List>,
    warnings: &mut Warnings,
    mut earlier: Option<Earlier<'_>>,
) -> Result<(Presentation, Held), Fault> {
    let mut resolver = Resolver::new(mpd, bytes, warnings);
    resolver.lists = lists;
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
pub(in crate::manifest::dash) struct Held {
    bases: Bases,
    dynamic: bool,
    spans: Vec<HeldSpan>,
    pub(in crate::manifest::dash) continued: Vec<(Arc<Timeline>, Arc<Timeline>)>,
}

/// When a period played.
#[derive(Clone, Copy, Debug, PartialEq)]
struct HeldSpan {
    node: u32,
    start: MediaTime,
    end: Option<MediaTime>,
}

/// An earlier state of a presentation.
pub(in crate::manifest::dash) struct Earlier<'e> {
    pub(in crate::manifest::dash) presentation: &'e mut Presentation,
    pub(in crate::manifest::dash) held: &'e Held,
    /// The elements of periods that have not changed: now and then.
    pub(in crate::manifest::dash) same: &'e [(u32, u32)],
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

/// A period and when it plays.
pub(in crate::manifest::dash) struct Span<'a> {
    pub(in crate::manifest::dash) element: Element<'a>,
    pub(in crate::manifest::dash) start: MediaTime,
    pub(in crate::manifest::dash) end: Option<MediaTime>,
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

pub(in crate::manifest::dash) struct Resolver<'a, 'w> {
    pub(in crate::manifest::dash) mpd: Element<'a>,
    pub(in crate::manifest::dash) dynamic: bool,
    /// Bytes that may still be spent on what the document unfolds to.
    budget: usize,
    /// Why the first representation that had to be left out was.
    left_out: Option<Fault>,
    pub(in crate::manifest::dash) warnings: &'w mut Warnings,
    pub(in crate::manifest::dash) earlier: Option<&'w Presentation>,
    /// Those of the tree, as long as they are needed, if it has none itself.
    pub(in crate::manifest::dash) lists: Vec<List>,
    /// The one understood last.
    frame_rate: (&'a str, Option<f64>),
    /// Those understood last.
    pub(in crate::manifest::dash) templates: Vec<Rc<Template<'a>>>,
    /// Timelines that go on from an earlier state, and that.
    pub(in crate::manifest::dash) continued: Vec<(Arc<Timeline>, Arc<Timeline>)>,
}

impl<'a, 'w> Resolver<'a, 'w> {
    pub(in crate::manifest::dash) fn new(
        mpd: Element<'a>,
        bytes: usize,
        warnings: &'w mut Warnings,
    ) -> Self {
        let mut resolver = Resolver {
            mpd,
            dynamic: false,
            budget: FREE_BYTES.saturating_add(bytes.saturating_mul(BYTES_FOR_BYTE)),
            left_out: None,
            warnings,
            earlier: None,
            lists: Vec::new(),
            frame_rate: ("", None),
            templates: Vec::new(),
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
    pub(in crate::manifest::dash) fn top(&mut self, url: &str) -> Result<Bases, Fault> {
        let url = url.to_owned();
        let own = Origin { pathway: None, priority: 1, weight: 1, url, query: String::new() };
        let own = Bases { origins: vec![own], chunked: None };
        Ok(self.bases(self.mpd, Cow::Owned(own))?.into_owned())
    }

    /// Puts together what was understood of periods.
    #[inline(never)]
    pub(in crate::manifest::dash) fn finish(
        self,
        periods: Vec<Period>,
        url: &str,
    ) -> Result<Presentation, Fault> {
        let mpd = self.mpd;
        let Some(last) = periods.last() else {
            return Err(self.left_out.unwrap_or(ManifestErrorKind::Empty.at(mpd.at())));
        };
        let duration = match last.duration {
            _ if self.dynamic => None,
            Some(duration) => Some(last.start + duration),
            None => last_end(last),
        };
        let mut services = Vec::new();
        for element in mpd.all(Name::ServiceDescription) {
            services.push(live::service(element));
        }
        Ok(Presentation {
            id: mpd.owned(Name::Id),
            duration,
            live: self.dynamic.then(|| live::live(mpd, url)),
            periods,
            steering: describe::steering(mpd, url),
            services,
            update: live::update(mpd, url, self.dynamic),
            ..Presentation::default()
        })
    }

    /// When periods begin and end (§5.3.2.1); those that cannot play are left out.
    #[inline(never)]
    pub(in crate::manifest::dash) fn spans(&mut self) -> Result<Vec<Span<'a>>, Fault> {
        let mut spans: Vec<Span<'a>> = Vec::new();
        // Where the period before ends by its own duration.
        let mut cursor = (!self.dynamic).then_some(MediaTime::ZERO);
        for (position, element) in self.mpd.all(Name::Period).enumerate() {
            let own = element.duration(Name::Start);
            let duration = element.duration(Name::Duration);
            self.mpd.source.check()?;
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
        let whole = self.mpd.duration(Name::MediaPresentationDuration);
        self.mpd.source.check()?;
        if let (Some(last), Some(whole)) = (spans.last_mut(), whole) {
            // A duration of the whole that ends before the last period begins says nothing of it; one that ends
            // just there is that of a broadcast that was over before anything of the period was made.
            let empty = whole == last.start && whole > MediaTime::ZERO;
            if last.end.is_none() && (whole > last.start || empty) {
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
    pub(in crate::manifest::dash) fn period(
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
                    self.adaptation_set(child, &bases, &level, &mut context, &mut period.sets)?;
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
        self.forget_lists(&context);
        switching::join(&mut period.sets);
        period.sets.shrink_to_fit();
        Ok(period)
    }

    pub(in crate::manifest::dash) fn spend(&mut self, bytes: usize, at: u64) -> Result<(), Fault> {
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
    pub(in crate::manifest::dash) fn unsupported(&mut self, element: Element<'_>, message: &str) {
        self.warnings.add(element.at(), WarningCode::Unsupported, message);
    }

    #[cold]
    fn not_understood(&mut self, scheme: &str, element: Element<'_>) {
        let scheme = crate::manifest::error::excerpt(scheme);
        self.unsupported(element, &format!("left out for its EssentialProperty {scheme}"));
    }

    #[cold]
    #[inline(never)]
    pub(in crate::manifest::dash) fn overlook(
        &mut self,
        element: Element<'_>,
        attribute: Name,
        value: &str,
    ) {
        let (name, value) = (element.name().text(), crate::manifest::error::excerpt(value));
        let message = format!("\"{value}\" is no value for {name}@{}", attribute.text());
        self.warnings.add(element.at(), WarningCode::BadValue, message);
    }
}

/// A link to nothing (§5.5.3).
pub(in crate::manifest::dash) const NOTHING: &str = "urn:mpeg:dash:resolve-to-zero:2013";

#[inline(never)]
fn preselection(element: Element<'_>) -> Preselection {
    let mut out = Preselection {
        id: element.owned(Name::Id),
        components: describe::words(element.get(Name::PreselectionComponents), false),
        language: element.owned(Name::Lang),
        labels: Vec::new(),
        roles: Vec::new(),
        codecs: element.string(Name::Codecs),
    };
    for child in element.children() {
        match (child.name(), describe::scheme(child)) {
            (Name::Label, _) => out.labels.push(describe::label(child)),
            (Name::Role, ("urn:mpeg:dash:role:2011", role)) => out.roles.push(role.to_owned()),
            _ => {}
        }
    }
    out
}
