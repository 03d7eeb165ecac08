//! Representations.

use std::borrow::Cow;
use std::sync::Arc;

use super::Resolver;
use super::said::said;
use super::set::SetContext;
use crate::manifest::dash::addressing::{Addressed, Level, PeriodContext};
use crate::manifest::dash::names::Name;
use crate::manifest::dash::tree::Element;
use crate::manifest::dash::{describe, protection};
use crate::manifest::{Fault, decimal};
use crate::presentation::{Chunked, Representation, VideoRange};
use crate::time::MediaTime;
use crate::url::cut;

impl<'a> Resolver<'a, '_> {
    /// Nothing if it has an essential property that is not understood.
    #[inline(never)]
    pub(super) fn representation(
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
            let ticks = resync.number(Name::DT);
            let timing = of.levels.iter().find_map(Level::timing);
            let before = Chunked { offset: MediaTime::ZERO, complete: true, resync: None };
            chunked.get_or_insert(before).resync = ticks.map(|ticks| {
                MediaTime::from_unsigned(ticks, timing.map_or(1, |(timescale, _)| timescale))
            });
        }
        let mut count = |name: Name| -> Option<u32> {
            let value = get(name)?;
            let count = decimal::integer(value).and_then(|count| u32::try_from(count).ok());
            if count.is_none() {
                self.overlook(written, name, value);
            }
            count
        };
        let (width, height) = (count(Name::Width), count(Name::Height));
        let frame_rate = get(Name::FrameRate).and_then(|value| {
            let rate = frame_rate(value);
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
            supplemental_codecs: get(Name::SupplementalCodecs).unwrap_or("").to_owned(),
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
            sampling_rate: get(Name::AudioSamplingRate).and_then(|rates| {
                let least = rates.split(' ').next()?;
                decimal::integer(least).and_then(|rate| u32::try_from(rate).ok())
            }),
            bit_depth: None,
            score: written.get(Name::QualityRanking).and_then(decimal::float).map(|rank| -rank),
            layout: None,
            hdcp: None,
            allowed_cpc: None,
            protection,
            max_playout_rate: get(Name::MaxPlayoutRate).and_then(decimal::float),
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
