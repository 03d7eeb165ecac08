//! Preferences: interactions summed up to one entry for each profile and title.

use super::{
    Error, Result,
    interaction::{Interaction, Kind},
};
use std::collections::{BTreeMap, HashMap};

/// The strength of having put a title on the list without watching it: less than what a page says "because you watched"
/// for.
const LISTED: f32 = 0.4;
/// A low rating still says that the title was chosen.
const LEAST_WEIGHT: f32 = 0.1;
/// More pairs than this are refused: about 3 GB.
const MAX_ENTRIES: usize = 100_000_000;

/// Who prefers what: a sparse matrix by profile. Profiles and titles are numbered in the order of their
/// identifiers, so that the order of the events changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Preferences {
    profiles: Vec<String>,
    items: Vec<String>,
    offsets: Vec<usize>,
    entries: Vec<Entry>,
}

/// What one profile thinks of one title.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The title's number.
    pub item: u32,
    /// How strong a sign of taste it is: 0 (disliked) to 1.
    pub strength: f32,
    /// Stars, where there are any.
    pub rating: Option<f32>,
    /// When it was last touched, seconds since 1970 UTC.
    pub at: i64,
}

impl Preferences {
    /// Sums interactions up. `titles` are numbered even where nobody touched them.
    ///
    /// # Errors
    /// The first error the interactions yield; [`Error::Training`] when there are more than 100 million pairs.
    pub fn collect(
        interactions: impl IntoIterator<Item = Result<Interaction>>,
        titles: impl IntoIterator<Item = String>,
    ) -> Result<Self> {
        let mut profiles = Interner::default();
        let mut items = Interner::default();
        for title in titles {
            items.number(title);
        }
        let mut by_profile: Vec<BTreeMap<u32, Vec<Touch>>> = Vec::new();
        let mut pairs = 0;
        for interaction in interactions {
            let Interaction { profile, item, at, kind, weight } = interaction?;
            let profile = profiles.number(profile) as usize;
            by_profile.resize_with(by_profile.len().max(profile + 1), BTreeMap::new);
            let touches = by_profile[profile].entry(items.number(item)).or_default();
            pairs += usize::from(touches.is_empty());
            if pairs > MAX_ENTRIES {
                let reason = format!(
                    "more than {MAX_ENTRIES} pairs of profile and title; train on a shorter period"
                );
                return Err(Error::Training { reason });
            }
            touches.push(Touch { at, kind, weight });
        }
        let (profiles, profile_rank) = profiles.sorted();
        let (items, item_rank) = items.sorted();
        let mut rows = vec![Vec::new(); profiles.len()];
        for (profile, touched) in by_profile.into_iter().enumerate() {
            let mut row: Vec<Entry> = touched
                .into_iter()
                .map(|(item, touches)| summed(item_rank[item as usize], touches))
                .collect();
            row.sort_unstable_by_key(|entry| entry.item);
            rows[profile_rank[profile] as usize] = row;
        }
        Ok(Self::from_rows(profiles, items, rows))
    }

    fn from_rows(profiles: Vec<String>, items: Vec<String>, rows: Vec<Vec<Entry>>) -> Self {
        let mut offsets = vec![0];
        let mut entries = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        for row in rows {
            entries.extend(row);
            offsets.push(entries.len());
        }
        Self { profiles, items, offsets, entries }
    }

    /// Identifiers of the profiles, in order.
    pub fn profiles(&self) -> &[String] {
        &self.profiles
    }

    /// Identifiers of the titles, in order.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// A profile's entries by title; empty for a number there is not.
    pub fn row(&self, profile: usize) -> &[Entry] {
        match (self.offsets.get(profile), self.offsets.get(profile + 1)) {
            (Some(&start), Some(&end)) => &self.entries[start..end],
            _ => &[],
        }
    }

    /// Every profile's entries.
    pub fn rows(&self) -> impl Iterator<Item = &[Entry]> {
        (0..self.profiles.len()).map(|profile| self.row(profile))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody prefers anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the latest entry was touched, seconds since 1970 UTC.
    pub fn latest(&self) -> Option<i64> {
        self.entries.iter().map(|entry| entry.at).max()
    }

    /// The same profiles and titles with those entries only that `keep` wants, given each one's position.
    pub fn filtered(&self, mut keep: impl FnMut(usize, &Entry) -> bool) -> Self {
        let mut position = 0;
        let rows = self
            .rows()
            .map(|row| {
                let kept = row.iter().filter(|entry| {
                    position += 1;
                    keep(position - 1, entry)
                });
                kept.copied().collect()
            })
            .collect();
        Self::from_rows(self.profiles.clone(), self.items.clone(), rows)
    }
}

/// A profile's taste as numbers: each title with its strength, more for a rating above the profile's own
/// mean and less for one below, by `slope` for a star. Disliked titles are left out.
pub(super) fn tastes(row: &[Entry], slope: f32) -> impl Iterator<Item = (u32, f32)> + '_ {
    let (mut sum, mut rated) = (0.0, 0);
    for rating in row.iter().filter_map(|entry| entry.rating) {
        sum += rating;
        rated += 1;
    }
    let mean = sum / rated.max(1) as f32;
    row.iter().filter(|entry| entry.strength > 0.0).map(move |entry| {
        let above = entry.rating.map_or(0.0, |rating| rating - mean);
        (entry.item, entry.strength * (1.0 + slope * above).max(LEAST_WEIGHT))
    })
}

struct Touch {
    at: i64,
    kind: Kind,
    weight: f32,
}

fn summed(item: u32, mut touches: Vec<Touch>) -> Entry {
    // Within one second the kind decides, so that the order of arrival does not.
    touches.sort_by(|a, b| {
        (a.at, a.kind as u8).cmp(&(b.at, b.kind as u8)).then(a.weight.total_cmp(&b.weight))
    });
    let mut entry = Entry { item, strength: 0.0, rating: None, at: 0 };
    for Touch { at, kind, weight } in touches {
        entry.at = at;
        match kind {
            Kind::Watch => entry.strength = entry.strength.max(weight),
            Kind::Rate => (entry.strength, entry.rating) = (1.0, Some(weight)),
            Kind::Like => entry.strength = 1.0,
            Kind::Dislike => (entry.strength, entry.rating) = (0.0, None),
            Kind::List => entry.strength = entry.strength.max(LISTED),
        }
    }
    entry
}

#[derive(Default)]
struct Interner {
    numbers: HashMap<String, u32>,
}

impl Interner {
    fn number(&mut self, name: String) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(name).or_insert(next)
    }

    /// The names in order, and the place of each number among them.
    fn sorted(self) -> (Vec<String>, Vec<u32>) {
        let mut named: Vec<_> = self.numbers.into_iter().collect();
        named.sort_unstable();
        let mut rank = vec![0; named.len()];
        for (place, (_, number)) in named.iter().enumerate() {
            rank[*number as usize] = place as u32;
        }
        (named.into_iter().map(|(name, _)| name).collect(), rank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(profile: &str, item: &str, at: i64, kind: Kind, weight: f32) -> Interaction {
        Interaction { profile: profile.into(), item: item.into(), at, kind, weight }
    }

    fn collected(events: Vec<Interaction>) -> Preferences {
        Preferences::collect(events.into_iter().map(Ok), []).unwrap()
    }

    #[test]
    fn what_was_done_later_counts() {
        let preferences = collected(vec![
            event("p", "b", 1, Kind::Like, 1.0),
            event("p", "b", 2, Kind::Dislike, 1.0),
            event("p", "a", 3, Kind::Watch, 0.9),
            event("p", "a", 4, Kind::Watch, 0.2),
            event("p", "c", 4, Kind::Dislike, 1.0),
            event("p", "c", 5, Kind::Rate, 4.0),
        ]);
        assert_eq!(preferences.items(), ["a", "b", "c"]);
        let strengths: Vec<f32> = preferences.row(0).iter().map(|entry| entry.strength).collect();
        assert_eq!(strengths, [0.9, 0.0, 1.0]);
        assert_eq!(preferences.row(0)[0].at, 4);
    }

    #[test]
    fn the_order_of_events_changes_nothing() {
        let mut events = vec![
            event("q", "b", 1, Kind::Watch, 0.4),
            event("p", "a", 7, Kind::Like, 1.0),
            event("p", "a", 7, Kind::Dislike, 1.0),
            event("p", "c", 2, Kind::List, 1.0),
        ];
        let forward = collected(events.clone());
        events.reverse();
        assert_eq!(forward, collected(events));
    }

    #[test]
    fn ratings_weigh_against_the_profiles_mean() {
        let preferences = collected(vec![
            event("p", "a", 1, Kind::Rate, 5.0),
            event("p", "b", 1, Kind::Rate, 1.0),
            event("p", "c", 1, Kind::Watch, 1.0),
            event("p", "d", 1, Kind::Dislike, 1.0),
        ]);
        let weights: Vec<_> = tastes(preferences.row(0), 0.2).collect();
        assert_eq!(weights, [(0, 1.4), (1, 0.6), (2, 1.0)]);
        let least: Vec<_> = tastes(preferences.row(0), 1.0).map(|(_, weight)| weight).collect();
        assert_eq!(least, [3.0, LEAST_WEIGHT, 1.0]);
    }
}
