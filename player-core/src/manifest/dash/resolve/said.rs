//! What descriptors say of a representation or an adaptation set.

use crate::manifest::dash::describe;
use crate::manifest::dash::names::Name;
use crate::manifest::dash::tree::Element;
use crate::manifest::decimal;

/// What descriptors of a representation or an adaptation set say.
#[derive(Clone, Copy, Default)]
pub(super) struct Said<'a> {
    /// The scheme of an `EssentialProperty` that must be understood and is not.
    pub(super) essential: Option<&'a str>,
    pub(super) trick_play: Option<&'a str>,
    pub(super) tiles: Option<(u32, u32)>,
    pub(super) transfer: Option<u64>,
    pub(super) channels: Option<u32>,
    pub(super) last_number: Option<u64>,
    pub(super) resync: Option<Element<'a>>,
    pub(super) protected: bool,
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
pub(super) fn said(element: Element<'_>) -> Said<'_> {
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
