//! Places that content can be had from (ISO/IEC 23009-1 §5.6, ETSI TS 103 285 §10.8.2).

use std::borrow::Cow;

use super::Resolver;
use crate::manifest::dash::addressing;
use crate::manifest::dash::names::Name;
use crate::manifest::dash::tree::Element;
use crate::manifest::{Fault, WarningCode, decimal};
use crate::presentation::{Chunked, Origin};
use crate::url::{self, cut};

/// The most places that the same content is looked for at.
const MOST_ORIGINS: usize = 16;

/// Where the segments of something are, and how early.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::manifest::dash) struct Bases {
    /// Never empty; the best first.
    pub(super) origins: Vec<Origin>,
    pub(super) chunked: Option<Chunked>,
}

impl Resolver<'_, '_> {
    /// The places that the `BaseURL` elements inside others mean; those above without any (§5.6,
    /// ETSI TS 103 285 §10.8.2). The best is the first.
    pub(super) fn bases<'b>(
        &mut self,
        element: Element<'_>,
        above: Cow<'b, Bases>,
    ) -> Result<Cow<'b, Bases>, Fault> {
        let mut bases = Bases::default();
        'all: for (position, written) in element.all(Name::BaseUrl).enumerate() {
            if position == 0 {
                let offset = written.parse(Name::AvailabilityTimeOffset, addressing::time_offset);
                written.source.check()?;
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
                self.spend(size_of::<Origin>() + url.len(), written.at())?;
                if bases.origins.iter().any(|known| known.url == url) {
                    continue;
                }
                if bases.origins.len() >= MOST_ORIGINS {
                    self.warnings.add(
                        written.at(),
                        WarningCode::Limit,
                        "a BaseURL beyond those that are kept",
                    );
                    break 'all;
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
        let mut best = 0;
        for (position, base) in bases.origins.iter().enumerate() {
            if bases.origins.get(best).is_some_and(|best| base.priority < best.priority) {
                best = position;
            }
        }
        if best > 0 {
            let best = crate::items::take(&mut bases.origins, best);
            best.into_iter().for_each(|best| crate::items::put(&mut bases.origins, 0, best));
        }
        Ok(Cow::Owned(bases))
    }
}

/// Whether a reference names its host.
fn is_absolute(reference: &str) -> bool {
    let after_scheme = cut(reference, b':').map_or(reference, |(_, rest)| rest);
    after_scheme.starts_with("//")
}
