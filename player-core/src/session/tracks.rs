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

/// Tracks that were asked for, one of each kind at most.
pub(crate) type Preferred = Vec<(MediaKind, TrackKey)>;

/// The track of a kind that was asked for.
pub(super) fn wanted(preferred: &[(MediaKind, TrackKey)], kind: MediaKind) -> Option<&TrackKey> {
    preferred.iter().find(|(known, _)| *known == kind).map(|(_, track)| track)
}

/// How like a wanted track the track of a set is: not at all (0), in its language, in its roles and name, too.
fn likeness(set: &SwitchingSet, wanted: Option<&TrackKey>) -> u8 {
    let Some((language, label, roles)) = wanted else { return 0 };
    let like = 1 + 2 * u8::from(set.roles == *roles) + u8::from(set.label == *label);
    // What nobody knows the language of is another track unless it is the very same.
    if set.language == *language && (language.is_some() || like == 4) { like } else { 0 }
}

/// For each period the set of a kind that is most like the wanted track, else the default, else its first; one that is
/// only for those who ask for it comes last.
pub(super) fn choose_sets(
    presentation: &Presentation,
    kind: MediaKind,
    wanted: Option<&TrackKey>,
) -> Vec<Option<usize>> {
    let mut chosen = Vec::with_capacity(presentation.periods.len());
    for Period { sets, .. } in &presentation.periods {
        let of_kind = sets.iter().enumerate().rev().filter(|(_, set)| set.kind == kind);
        // Of several, the last would be taken.
        let best =
            of_kind.max_by_key(|(_, set)| (likeness(set, wanted), set.default, set.auto_select));
        chosen.push(best.map(|(index, _)| index));
    }
    chosen
}

/// The text track that is most like a wanted one, if any is.
pub(super) fn text_like(presentation: &Presentation, wanted: &TrackKey) -> Option<TrackKey> {
    let like = |set: &&SwitchingSet| likeness(set, Some(wanted));
    let best = all_sets(presentation, MediaKind::Text).max_by_key(like)?;
    (like(&best) > 0).then(|| same_track(best))
}

pub(super) fn tracks(
    presentation: &Presentation,
    streams: &[Stream],
    text: &Text,
) -> Vec<TrackInfo> {
    let mut tracks = Vec::new();
    for stream in streams {
        let mut periods = presentation.periods.iter().enumerate();
        let has_it = |period: &Period| period.sets.iter().any(|set| set.kind == stream.kind);
        let Some((period, Period { sets, .. })) = periods.find(|(_, period)| has_it(period)) else {
            continue;
        };
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
            choose_sets(&presentation, MediaKind::Audio, None)
        };
        assert_eq!(chosen(vec![set(false, false), set(false, true)]), [Some(1)]);
        assert_eq!(chosen(vec![set(false, true), set(true, true)]), [Some(1)]);
        assert_eq!(chosen(vec![set(false, false), set(false, false)]), [Some(0)]);
        assert_eq!(chosen(Vec::new()), [None]);
    }

    #[test]
    fn what_is_most_like_the_wanted_track_is_chosen() {
        let set = |language: Option<&str>, label: &str, role: &str| SwitchingSet {
            language: language.map(str::to_owned),
            label: Some(label.to_owned()),
            roles: vec![role.to_owned()],
            default: label == "default",
            ..SwitchingSet::new(MediaKind::Audio)
        };
        let chosen = |wanted: &SwitchingSet, sets: &[SwitchingSet]| {
            let periods = vec![Period { sets: sets.to_vec(), ..Period::default() }];
            let presentation = Presentation { periods, ..Presentation::default() };
            choose_sets(&presentation, MediaKind::Audio, Some(&same_track(wanted)))[0]
        };
        let (first, wanted) =
            (set(Some("en"), "default", "main"), set(Some("de"), "Deutsch", "main"));
        let (described, other) =
            (set(Some("de"), "Deutsch", "description"), set(Some("de"), "D", "main"));
        let all = [first.clone(), described.clone(), other, wanted.clone()];
        assert_eq!(chosen(&wanted, &all), Some(3), "the very same");
        assert_eq!(chosen(&wanted, &all[..3]), Some(2), "the same role");
        assert_eq!(chosen(&wanted, &all[..2]), Some(1), "the same language");
        assert_eq!(chosen(&described, &[all[3].clone(), first.clone()]), Some(0));
        assert_eq!(chosen(&set(Some("fr"), "F", "main"), &all), Some(0), "the default");
        let unknown = set(None, "one", "main");
        let others = [first, set(None, "two", "main"), unknown.clone()];
        assert_eq!(chosen(&unknown, &others[..2]), Some(0));
        assert_eq!(chosen(&unknown, &others), Some(2));
    }
}
