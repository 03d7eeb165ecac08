//! The tracks of a presentation: sets of its periods that belong together.

use crate::io::{MediaKind, TrackInfo};
use crate::presentation::{Period, Presentation, SwitchingSet};
use crate::stream::{Stream, choice};
use crate::text::{self, Text};

pub(super) fn all_sets(
    presentation: &Presentation,
    kind: MediaKind,
) -> impl Iterator<Item = &SwitchingSet> {
    let is_one = move |set: &&SwitchingSet| {
        set.kind == kind && (kind != MediaKind::Text || text::is_readable(set))
    };
    let has_some = move |period: &&Period| period.sets.iter().any(|set| is_one(&set));
    let first = presentation.periods.iter().find(has_some);
    first.into_iter().flat_map(|period| &period.sets).filter(is_one)
}

/// What makes sets of different periods the same track: language, label, roles.
pub(crate) type TrackKey = (Option<String>, Option<String>, Vec<String>);

/// The track that a set is of.
pub(crate) fn same_track(set: &SwitchingSet) -> TrackKey {
    (set.language.clone(), set.label.clone(), set.roles.clone())
}

/// For each period the set of a kind that is preferred, else its first; one that is only for those who
/// ask for it comes last.
pub(super) fn choose_sets(
    presentation: &Presentation,
    kind: MediaKind,
    preferred: impl Fn(&SwitchingSet) -> bool,
) -> Vec<Option<usize>> {
    presentation
        .periods
        .iter()
        .map(|period| {
            let of_kind =
                || (0..period.sets.len()).filter(|&index| period.sets[index].kind == kind);
            of_kind()
                .find(|&index| preferred(&period.sets[index]))
                .or_else(|| of_kind().find(|&index| period.sets[index].auto_select))
                .or_else(|| of_kind().next())
        })
        .collect()
}

pub(super) fn tracks(
    presentation: &Presentation,
    streams: &[Stream],
    text: &Text,
) -> Vec<TrackInfo> {
    let mut tracks = Vec::new();
    for stream in streams {
        let Some(period) = presentation
            .periods
            .iter()
            .position(|period| period.sets.iter().any(|set| set.kind == stream.kind))
        else {
            continue;
        };
        let sets = &presentation.periods[period].sets;
        let of_kind = sets.iter().enumerate().filter(|(_, set)| set.kind == stream.kind);
        for (number, (index, set)) in of_kind.enumerate() {
            tracks.push(track(set, number, stream.set_of(period) == Some(index)));
        }
    }
    for (number, set) in all_sets(presentation, MediaKind::Text).enumerate() {
        tracks.push(track(set, number, text.plays(set)));
    }
    tracks
}

fn track(set: &SwitchingSet, number: usize, selected: bool) -> TrackInfo {
    TrackInfo {
        kind: set.kind,
        index: number as u32,
        language: set.language.clone(),
        label: set.label.clone(),
        qualities: set.representations.iter().map(choice::quality).collect(),
        selected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_for_those_who_ask_for_it_comes_last() {
        let set = |default, auto_select| SwitchingSet {
            default,
            auto_select,
            ..SwitchingSet::new(MediaKind::Audio)
        };
        let chosen = |sets: Vec<SwitchingSet>| {
            let periods = vec![Period { sets, ..Period::default() }];
            let presentation = Presentation { periods, ..Presentation::default() };
            choose_sets(&presentation, MediaKind::Audio, |set| set.default)
        };
        assert_eq!(chosen(vec![set(false, false), set(false, true)]), [Some(1)]);
        assert_eq!(chosen(vec![set(false, true), set(true, true)]), [Some(1)]);
        assert_eq!(chosen(vec![set(false, false), set(false, false)]), [Some(0)]);
        assert_eq!(chosen(Vec::new()), [None]);
    }
}
