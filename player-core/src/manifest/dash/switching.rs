//! Adaptation sets between which a player may switch as within one (ISO/IEC 23009-1 §5.3.3.5): manifests
//! keep apart what has different keys.

use crate::manifest::{codecs, sort};
use crate::presentation::SwitchingSet;

/// The property that names the ids of such sets.
const SCHEME: &str = "urn:mpeg:dash:adaptation-set-switching:2016";

/// No period that is meant to be played has as many sets; each is compared with each.
const MOST_SETS: usize = 256;

/// Puts the representations of sets that name each other, and that one decoder can play, into the
/// first of them. Sets of other codecs stay apart: a switch would set a decoder up anew.
pub(super) fn join(sets: &mut Vec<SwitchingSet>) {
    if sets.len() > MOST_SETS {
        return;
    }
    let mut position = 1;
    while position < sets.len() {
        let (before, rest) = sets.split_at_mut(position);
        let Some(set) = rest.first_mut() else { return };
        let first = before.iter_mut().find(|first| names(first, set) && is_alike(first, set));
        let Some(first) = first else {
            position += 1;
            continue;
        };
        first.representations.append(&mut set.representations);
        sort(&mut first.representations, &|representation| representation.bandwidth);
        first.default |= set.default;
        crate::items::take(sets, position);
    }
}

/// Whether either names the other. It is written on both mostly, but means the same on one.
fn names(one: &SwitchingSet, other: &SwitchingSet) -> bool {
    let names = |one: &SwitchingSet, other: &SwitchingSet| {
        let Some(id) = &other.id else { return false };
        one.properties.iter().any(|property| {
            property.scheme == SCHEME && property.value.split(',').any(|named| named.trim() == id)
        })
    };
    names(one, other) || names(other, one)
}

/// The codecs of a set, whose representations all have those of one family.
pub(super) fn coded(set: &SwitchingSet) -> &str {
    set.representations.first().map_or("", |first| &first.codecs)
}

fn is_alike(one: &SwitchingSet, other: &SwitchingSet) -> bool {
    one.kind == other.kind
        && one.purpose == other.purpose
        && one.language == other.language
        && one.roles == other.roles
        && codecs::are_alike(coded(one), coded(other))
}
