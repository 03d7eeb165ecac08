//! Adaptation sets, as one switching set for each combination of codecs.

use std::borrow::Cow;
use std::sync::Arc;

use super::bases::Bases;
use super::representation::Stated;
use super::said::{Said, said};
use super::{NOTHING, Resolver};
use crate::io::MediaKind;
use crate::manifest::dash::addressing::{Level, PeriodContext};
use crate::manifest::dash::describe::{self, CONTINUITY};
use crate::manifest::dash::names::Name;
use crate::manifest::dash::tree::Element;
use crate::manifest::dash::{live, protection, switching};
use crate::manifest::{Fault, ManifestErrorKind, WarningCode, codecs, decimal, sort};
use crate::presentation::{Protection, Purpose, SwitchingSet};
use crate::time::MediaTime;

/// What a representation inherits from its adaptation set.
pub(super) struct SetContext<'a, 'b> {
    pub(super) element: Element<'a>,
    pub(super) kind: MediaKind,
    pub(super) bases: Cow<'b, Bases>,
    pub(super) level: Level<'a>,
    /// Of its period.
    pub(super) above: &'b Level<'a>,
    pub(super) protection: Option<Arc<Protection>>,
    pub(super) said: Said<'a>,
}

impl<'a> Resolver<'a, '_> {
    /// Adds an adaptation set, as one switching set for each combination of codecs in it.
    #[inline(never)]
    pub(super) fn adaptation_set(
        &mut self,
        element: Element<'a>,
        bases: &Bases,
        above: &Level<'a>,
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
            above,
            protection: match said.protected {
                true => protection::protection(&[element], self).map(Arc::new),
                false => None,
            },
            said,
        };
        let first = sets.len();
        let inherited = Stated::of(element, &Stated::default());
        let mut shared = None;
        for (position, written) in element.all(Name::Representation).enumerate() {
            // Those with it need another to be decoded (§5.3.5.2).
            let stated = Stated::of(written, &inherited);
            if stated.depends.is_some_and(|on| !on.is_empty()) {
                self.unsupported(written, "a Representation that depends on another is left out");
                continue;
            }
            let mut representation =
                self.representation(&set, written, &stated, position, &mut shared, period);
            // What was noted came before what stopped it.
            if let Err(noted) = written.source.check() {
                representation = Err(noted);
            }
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
            let alike = |known: &&mut SwitchingSet| {
                codecs::are_alike(switching::coded(known), &representation.codecs)
            };
            match sets.iter_mut().skip(first).find(alike) {
                Some(same) => same.representations.push(representation),
                None => {
                    self.spend(size_of::<SwitchingSet>() + 64, element.at())?;
                    let mut set = self.switching_set(&set, period.start);
                    if sets.len() == first {
                        // Mostly there is no other set, and not many of them.
                        let few = element.all(Name::Representation).take(16).count();
                        set.representations.reserve_exact(few);
                    }
                    set.representations.push(representation);
                    sets.push(set);
                }
            }
        }
        for set in sets.iter_mut().skip(first) {
            // Thousands of sets with one representation each are not meant to take room for four.
            set.representations.shrink_to_fit();
            sort(&mut set.representations, &|representation| representation.bandwidth);
        }
        Ok(())
    }

    /// What is said of an adaptation set, without representations.
    #[inline(never)]
    fn switching_set(&mut self, set: &SetContext<'a, '_>, start: MediaTime) -> SwitchingSet {
        let element = set.element;
        let mut out = SwitchingSet {
            id: element.owned(Name::Id),
            purpose: match (set.said.tiles, set.said.trick_play) {
                (Some(_), _) => Purpose::Thumbnails,
                (_, Some("")) => Purpose::TrickPlay { of: None },
                (_, Some(of)) => Purpose::TrickPlay { of: Some(of.to_owned()) },
                _ => Purpose::Playback,
            },
            language: match element.get(Name::Lang) {
                None | Some("") => None,
                Some(language) => Some(language.to_owned()),
            },
            ..SwitchingSet::new(set.kind)
        };
        if let Some(priority) = element.get(Name::SelectionPriority) {
            match decimal::integer(priority).and_then(|priority| u32::try_from(priority).ok()) {
                Some(priority) => out.priority = priority,
                None => self.overlook(element, Name::SelectionPriority, priority),
            }
        }
        for child in element.children() {
            let name = child.name();
            // Most of what there is, and nothing is described by it.
            if matches!(name, Name::Representation | Name::SegmentTemplate) {
                continue;
            }
            let (scheme, value) = describe::scheme(child);
            match name {
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
}

/// Faults that concern more than the representation they were found in.
fn is_fatal(kind: &ManifestErrorKind) -> bool {
    matches!(kind, ManifestErrorKind::Limit { .. })
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
    let (mut by_type, mut first): (Option<MediaKind>, Option<bool>) = (None, None);
    // Sound muxed with pictures counts as video.
    let mut take = |kind: &str| {
        by_type = match (by_type, by_name(kind)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => other.or(one),
        };
        // `image`, `application`, `font` …, unless it is subtitles.
        first.get_or_insert(kind != "application");
    };
    match set.get(Name::ContentType) {
        Some(own) => take(own),
        None => {
            let components = set.all(Name::ContentComponent);
            components.filter_map(|one| one.get(Name::ContentType)).for_each(take);
        }
    }
    if by_type.is_some() || first == Some(true) {
        return by_type;
    }
    let mime = |element: Element<'_>| match element.get(Name::MimeType)? {
        "application/ttml+xml" => Some(MediaKind::Text),
        other => by_name(other),
    };
    let codec = |element: Element<'_>| {
        codecs::list(element.get(Name::Codecs)?).filter_map(codecs::kind).min()
    };
    let representations = || set.all(Name::Representation);
    mime(set)
        .or_else(|| representations().find_map(mime))
        .or_else(|| codec(set))
        .or_else(|| representations().find_map(codec))
}
