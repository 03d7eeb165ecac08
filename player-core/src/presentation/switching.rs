//! Sets between which a player may switch as between representations of one (ISO/IEC 23009-1 §5.3.3.5): manifests
//! keep apart what has different keys.

use super::SwitchingSet;

/// What says so; its value names the other sets.
const SWITCHING: &str = "urn:mpeg:dash:adaptation-set-switching:2016";

/// Makes one set of those that are meant to be switched between.
pub(crate) fn merge(sets: &mut Vec<SwitchingSet>) {
    let mut first = 0;
    while first < sets.len() {
        let mut other = first + 1;
        while other < sets.len() {
            if !belong_together(&sets[first], &sets[other]) {
                other += 1;
                continue;
            }
            let taken = sets.remove(other);
            let set = &mut sets[first];
            set.default |= taken.default;
            for representation in taken.representations {
                let bandwidth = representation.bandwidth;
                let place = set.representations.partition_point(|one| one.bandwidth <= bandwidth);
                set.representations.insert(place, representation);
            }
        }
        first += 1;
    }
}

fn belong_together(one: &SwitchingSet, other: &SwitchingSet) -> bool {
    let same = one.kind == other.kind
        && one.purpose == other.purpose
        && one.language == other.language
        && one.roles == other.roles;
    same && family(one) == family(other) && (names(one, other) || names(other, one))
}

fn names(one: &SwitchingSet, other: &SwitchingSet) -> bool {
    let Some(id) = &other.id else { return false };
    let mut switching = one.properties.iter().filter(|property| property.scheme == SWITCHING);
    switching.any(|property| property.value.split(',').any(|named| named.trim() == id))
}

/// How it is coded: representations of several codings do not follow each other without a seam.
fn family(set: &SwitchingSet) -> &str {
    let codecs = set.representations.first().map_or("", |first| first.codecs.as_str());
    codecs.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::MediaKind;
    use crate::presentation::{Descriptor, Representation, Segments};

    fn set(id: &str, names: &str, codecs: &str, bandwidths: &[u64]) -> SwitchingSet {
        let representation = |bandwidth: &u64| {
            let segments = Segments::Playlist { url: "https://a/1.m3u8".into() };
            let mut one = Representation::new(bandwidth.to_string(), *bandwidth, segments);
            one.codecs = codecs.to_owned();
            one
        };
        let property =
            Descriptor { scheme: SWITCHING.into(), value: names.into(), ..Descriptor::default() };
        SwitchingSet {
            id: Some(id.to_owned()),
            properties: vec![property],
            representations: bandwidths.iter().map(representation).collect(),
            ..SwitchingSet::new(MediaKind::Video)
        }
    }

    fn bandwidths(sets: &[SwitchingSet]) -> Vec<Vec<u64>> {
        let of = |set: &SwitchingSet| set.representations.iter().map(|one| one.bandwidth).collect();
        sets.iter().map(of).collect()
    }

    #[test]
    fn sets_that_name_each_other_become_one_ladder() {
        let mut sets = vec![
            set("0", "2, 3", "avc1.640028", &[4000, 6000]),
            set("1", "", "avc1.640028", &[1]),
            set("2", "0", "avc1.4d401f", &[500, 5000]),
            set("3", "0", "hvc1.1.6.L93", &[2000]),
        ];
        merge(&mut sets);
        assert_eq!(bandwidths(&sets), [vec![500, 4000, 5000, 6000], vec![1], vec![2000]]);
    }
}
