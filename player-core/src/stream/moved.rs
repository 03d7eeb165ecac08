//! A manifest that is loaded again may have lost periods at its front and gained some at its end:
//! where what was known by its position is now.

use std::sync::Arc;

use super::{Key, representation_mut};
use crate::io::MediaKind;
use crate::presentation::{Period, Presentation, Protection, Representation};
use crate::time::MediaTime;

/// What tells periods, sets and representations apart from load to load.
#[derive(Debug)]
pub(crate) struct Identity(Vec<PeriodIdentity>);

#[derive(Debug)]
struct PeriodIdentity {
    id: Option<String>,
    start: MediaTime,
    sets: Vec<SetIdentity>,
}

#[derive(Debug)]
struct SetIdentity {
    id: Option<String>,
    kind: MediaKind,
    representations: Vec<RepresentationIdentity>,
}

#[derive(Debug)]
struct RepresentationIdentity {
    id: String,
    /// What the manifest said of it, or its media.
    protection: Option<Arc<Protection>>,
}

impl RepresentationIdentity {
    fn of(one: &Representation) -> Self {
        Self { id: one.id.clone(), protection: one.protection.clone() }
    }
}

/// Where everything is now.
#[derive(Debug)]
pub(crate) struct Moves {
    /// For each old period, its position now.
    periods: Vec<Option<usize>>,
    keys: Vec<(Key, Key)>,
}

impl Identity {
    /// Of a presentation before it is loaded again.
    pub(crate) fn of(presentation: &Presentation) -> Self {
        let mut periods = Vec::with_capacity(presentation.periods.len());
        for period in &presentation.periods {
            let mut sets = Vec::with_capacity(period.sets.len());
            for set in &period.sets {
                let representations =
                    set.representations.iter().map(RepresentationIdentity::of).collect();
                sets.push(SetIdentity { id: set.id.clone(), kind: set.kind, representations });
            }
            periods.push(PeriodIdentity { id: period.id.clone(), start: period.start, sets });
        }
        Self(periods)
    }

    /// Where everything is afterwards.
    pub(crate) fn moves(&self, presentation: &Presentation) -> Moves {
        let mut moves = Moves { periods: Vec::with_capacity(self.0.len()), keys: Vec::new() };
        for (old_period, before) in self.0.iter().enumerate() {
            let now = presentation.periods.iter().enumerate().find(|(_, period)| {
                before.id == period.id && (before.id.is_some() || before.start == period.start)
            });
            moves.periods.push(now.map(|(number, _)| number));
            let Some((new_period, Period { sets, .. })) = now else { continue };
            for (old_set, set) in before.sets.iter().enumerate() {
                for (old, RepresentationIdentity { id, .. }) in
                    set.representations.iter().enumerate()
                {
                    let fits = |(new_set, new): &(usize, &crate::presentation::SwitchingSet)| {
                        let same = new.kind == set.kind && new.id == set.id;
                        let place = new.representations.iter().position(|one| one.id == *id);
                        place.filter(|_| same).map(|place| (*new_set, place))
                    };
                    if let Some((new_set, new)) = sets.iter().enumerate().find_map(|set| fits(&set))
                    {
                        let key = |period, set, representation| Key { period, set, representation };
                        moves
                            .keys
                            .push((key(old_period, old_set, old), key(new_period, new_set, new)));
                    }
                }
            }
        }
        moves
    }

    /// What the media told of its protection is told once: keeps it, where the manifest still says nothing.
    pub(crate) fn keep_protection(&self, moves: &Moves, presentation: &mut Presentation) {
        for (old, new) in &moves.keys {
            let sets = self.0.get(old.period).map_or(&[][..], |period| &period.sets);
            let set = sets.get(old.set).map_or(&[][..], |set| &set.representations);
            let before = set.get(old.representation);
            if let Some(protection) = before.and_then(|before| before.protection.as_ref())
                && let Some(now) = representation_mut(presentation, *new)
                && now.protection.is_none()
            {
                now.protection = Some(protection.clone());
            }
        }
    }
}

impl Moves {
    /// Where a representation is now; none if it has gone.
    pub(super) fn of(&self, key: Key) -> Option<Key> {
        self.keys.iter().find(|(old, _)| *old == key).map(|(_, new)| *new)
    }

    /// As [`of`](Self::of); what has gone is nowhere to be found.
    pub(super) fn of_or_nowhere(&self, key: Key) -> Key {
        self.of(key).unwrap_or(Key { period: usize::MAX, ..key })
    }

    /// Where a period is now.
    pub(super) fn period(&self, period: usize) -> Option<usize> {
        self.periods.get(period).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presentation::{Period, Representation, Segments, SwitchingSet};

    fn presentation(periods: &[&str]) -> Presentation {
        let mut presentation = Presentation::default();
        for (number, id) in periods.iter().enumerate() {
            let representations = ["low", "high"]
                .map(|id| Representation::new(id, 1, Segments::Playlist { url: String::new() }));
            let set = SwitchingSet {
                representations: representations.into(),
                ..SwitchingSet::new(MediaKind::Video)
            };
            presentation.periods.push(Period {
                id: Some((*id).to_owned()),
                start: MediaTime::from_secs(number as i64),
                sets: vec![set],
                ..Period::default()
            });
        }
        presentation
    }

    #[test]
    fn periods_move_up_as_others_go() {
        let identity = Identity::of(&presentation(&["a", "b"]));
        let moves = identity.moves(&presentation(&["b", "c"]));
        let key = |period, representation| Key { period, set: 0, representation };
        assert_eq!(moves.of(key(1, 1)), Some(key(0, 1)));
        assert_eq!(moves.of(key(0, 1)), None);
        assert_eq!(moves.of_or_nowhere(key(0, 1)).period, usize::MAX);
        assert_eq!((moves.period(0), moves.period(1)), (None, Some(0)));
    }
}
