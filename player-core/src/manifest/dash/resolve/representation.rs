//! Representations.

use std::borrow::Cow;
use std::sync::Arc;

use super::Resolver;
use super::said::said;
use super::set::SetContext;
use crate::manifest::dash::addressing::{Addressed, Level, PeriodContext, Templated};
use crate::manifest::dash::names::Name;
use crate::manifest::dash::tree::Element;
use crate::manifest::dash::{describe, protection};
use crate::manifest::{Fault, decimal};
use crate::presentation::{Chunked, Representation, VideoRange};
use crate::time::MediaTime;
use crate::url::cut;

/// Attributes of a representation, most of which its adaptation set may have in its stead (§5.3.7.2).
#[derive(Clone, Copy, Default)]
pub(super) struct Stated<'a> {
    id: Option<&'a str>,
    bandwidth: Option<&'a str>,
    ranking: Option<&'a str>,
    pub(super) depends: Option<&'a str>,
    container: Option<&'a str>,
    codecs: Option<&'a str>,
    supplemental_codecs: Option<&'a str>,
    width: Option<&'a str>,
    height: Option<&'a str>,
    frame_rate: Option<&'a str>,
    sampling_rate: Option<&'a str>,
    max_playout_rate: Option<&'a str>,
}

impl<'a> Stated<'a> {
    /// What an element states, in one pass over it, and else what is inherited.
    #[inline(never)]
    pub(super) fn of(element: Element<'a>, inherited: &Self) -> Self {
        let mut stated =
            Self { id: None, bandwidth: None, ranking: None, depends: None, ..*inherited };
        // Of attributes of one name, the first counts.
        for attribute in element.attributes().iter().rev() {
            let place = match attribute.name {
                Name::Id => &mut stated.id,
                Name::Bandwidth => &mut stated.bandwidth,
                Name::QualityRanking => &mut stated.ranking,
                Name::DependencyId => &mut stated.depends,
                Name::MimeType => &mut stated.container,
                Name::Codecs => &mut stated.codecs,
                Name::SupplementalCodecs => &mut stated.supplemental_codecs,
                Name::Width => &mut stated.width,
                Name::Height => &mut stated.height,
                Name::FrameRate => &mut stated.frame_rate,
                Name::AudioSamplingRate => &mut stated.sampling_rate,
                Name::MaxPlayoutRate => &mut stated.max_playout_rate,
                _ => continue,
            };
            *place = Some(element.source.value(attribute));
        }
        stated
    }
}

impl<'a> Resolver<'a, '_> {
    /// Nothing if it has an essential property that is not understood. `shared` is what those of a set have in
    /// common that inherit everything of their segments.
    #[inline(never)]
    pub(super) fn representation(
        &mut self,
        set: &SetContext<'a, '_>,
        written: Element<'a>,
        stated: &Stated<'a>,
        position: usize,
        shared: &mut Option<Templated<'a>>,
        period: &mut PeriodContext,
    ) -> Result<Option<Representation>, Fault> {
        let own = said(written);
        if let Some(scheme) = own.essential {
            self.not_understood(scheme, written);
            return Ok(None);
        }
        let (at, inherited) = (written.at(), set.said);
        let id = match stated.id {
            Some(id) => id.to_owned(),
            None => {
                self.missing(written, "Representation lacks its id");
                position.to_string()
            }
        };
        let bandwidth = stated.bandwidth.and_then(|value| {
            let bandwidth = decimal::integer(value);
            if bandwidth.is_none() {
                self.overlook(written, Name::Bandwidth, value);
            }
            bandwidth.filter(|&bandwidth| bandwidth > 0)
        });
        if bandwidth.is_none() {
            self.missing(written, "Representation lacks its bandwidth");
        }
        let container = match stated.container {
            Some("video/mp4") => Cow::Borrowed("video/mp4"),
            Some("audio/mp4") => Cow::Borrowed("audio/mp4"),
            Some(container) => Cow::Owned(container.to_owned()),
            None => {
                self.missing(written, "Representation lacks its mimeType");
                let mut guess = set.kind.name().to_owned();
                guess.push_str("/mp4");
                Cow::Owned(guess)
            }
        };
        let codecs = stated.codecs.unwrap_or("");
        self.spend(size_of::<Representation>() + id.len() + container.len() + codecs.len(), at)?;

        let mut bases = Cow::Borrowed(&*set.bases);
        // Most have nothing inside.
        if !written.is_empty() {
            bases = self.bases(written, bases)?;
        }
        let mut chunked = bases.chunked.clone();
        let bandwidth = bandwidth.unwrap_or(1);
        let level = Level::of(written);
        let inherits = matches!(bases, Cow::Borrowed(_)) && level.is_empty();
        let inherits = inherits && own.last_number.is_none();
        let of = Addressed {
            at,
            levels: [&level, &set.level, set.above],
            base: bases.origins.first().map_or("", |base| &base.url),
            id: &id,
            bandwidth,
            last_number: own.last_number.or(inherited.last_number),
        };
        let segments = self.segments(&of, inherits.then_some(shared), period, &mut chunked)?;
        if let Some(resync) = own.resync.or(inherited.resync) {
            let ticks = resync.number(Name::DT);
            let timing = of.levels.iter().find_map(|level| level.timing());
            let before = Chunked { offset: MediaTime::ZERO, complete: true, resync: None };
            chunked.get_or_insert(before).resync = ticks.map(|ticks| {
                MediaTime::from_unsigned(ticks, timing.map_or(1, |(timescale, _)| timescale))
            });
        }
        let mut count = |name: Name, stated: Option<&str>| -> Option<u32> {
            let value = stated?;
            let count = decimal::integer(value).and_then(|count| u32::try_from(count).ok());
            if count.is_none() {
                self.overlook(written, name, value);
            }
            count
        };
        let (width, height) =
            (count(Name::Width, stated.width), count(Name::Height, stated.height));
        let frame_rate = stated.frame_rate.and_then(|value| {
            // That of the one before mostly.
            let (text, mut rate) = self.frame_rate;
            if text != value {
                rate = frame_rate(value);
                self.frame_rate = (value, rate);
            }
            if rate.is_none() {
                self.overlook(written, Name::FrameRate, value);
            }
            rate
        });
        let protection = match own.protected {
            false => set.protection.clone(),
            true => {
                let protection = protection::protection(&[written, set.element], self);
                let size = protection.as_ref().map_or(0, protection::size);
                self.spend(size, at)?;
                protection.map(Arc::new)
            }
        };
        let mut origins = Vec::new();
        let steered = bases.origins.first().is_some_and(|base| base.pathway.is_some());
        // A pathway that is the only one may yet have others made of it.
        if bases.origins.len() > 1 || steered {
            let size: usize = bases.origins.iter().map(|base| base.url.len() + 64).sum();
            self.spend(size, at)?;
            origins = bases.into_owned().origins;
        }
        Ok(Some(Representation {
            id,
            bandwidth,
            average_bandwidth: None,
            container,
            codecs: codecs.to_owned(),
            supplemental_codecs: stated.supplemental_codecs.unwrap_or("").to_owned(),
            width,
            height,
            frame_rate,
            video_range: match own.transfer.or(inherited.transfer) {
                Some(16) => VideoRange::Pq,
                Some(18) => VideoRange::Hlg,
                None if describe::is_dolby_vision(codecs) => VideoRange::Pq,
                _ => VideoRange::Sdr,
            },
            channels: own.channels.or(inherited.channels),
            // It may be a range of rates (§5.3.7.2).
            sampling_rate: stated.sampling_rate.and_then(|rates| {
                let least = rates.split(' ').next()?;
                decimal::integer(least).and_then(|rate| u32::try_from(rate).ok())
            }),
            bit_depth: None,
            score: stated.ranking.and_then(decimal::float).map(|rank| -rank),
            layout: None,
            hdcp: None,
            allowed_cpc: None,
            protection,
            max_playout_rate: stated.max_playout_rate.and_then(decimal::float),
            tiles: own.tiles.or(inherited.tiles),
            chunked,
            origins,
            segments,
        }))
    }
}

/// A number of frames in a second, or a fraction of two numbers.
#[inline(never)]
fn frame_rate(value: &str) -> Option<f64> {
    let (frames, seconds) = cut(value, b'/').unwrap_or((value, "1"));
    let rate = decimal::float(frames)? / decimal::float(seconds)?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}
