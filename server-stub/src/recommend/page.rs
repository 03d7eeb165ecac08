//! A page for a profile: rows of titles, each row with the reason it is there.

use super::{
    model::Model,
    preferences::{Entry, tastes},
    rank::{best, diversified},
};
use serde::Serialize;
use std::collections::HashSet;

/// Candidates for a row that is made diverse, for each place in it.
const CANDIDATES: usize = 4;
/// Fewer titles than this make no row.
const LEAST_IN_ROW: usize = 3;
/// The oldest of a longer history are left out, which bounds the time of a request.
const MAX_HISTORY: usize = 500;
/// A title that fewer profiles touched is new to the model.
const NEW_BELOW: u32 = 3;
/// Below this cosine a new title is not like what the profile watches.
const LEAST_LIKENESS: f32 = 0.1;

/// What a page should be like.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The most titles in a row.
    pub row_length: usize,
    /// The most rows of the kinds that repeat: because you watched, of a genre.
    pub repeats: usize,
    /// 0 ranks by score alone, 1 by difference alone.
    pub diversity: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self { row_length: 20, repeats: 3, diversity: 0.2 }
    }
}

/// A row of a page.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Why these titles.
    pub reason: Reason,
    /// The identifiers of the titles, the best first.
    pub items: Vec<String>,
}

/// Why a row is there. A user interface makes a heading of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The best for this profile of all titles.
    ForYou,
    /// What those watched who watched this one, which the profile liked lately.
    BecauseYouWatched {
        /// The title watched.
        item: String,
    },
    /// The best for this profile of a genre it likes.
    Genre {
        /// The genre's name.
        genre: String,
    },
    /// Hardly watched by anyone yet, and about what the profile watches.
    NewForYou,
    /// What many have watched lately.
    Trending,
}

impl Model {
    /// The rows for a profile with this history, of titles that `allowed` lets through (maturity, licence
    /// window, region) and that it has not touched. No title is in two rows. Without a history there is
    /// nothing but what is trending.
    pub fn page(
        &self,
        history: &[Entry],
        options: &Options,
        allowed: impl Fn(u32) -> bool,
    ) -> Vec<Row> {
        let history = recent(history);
        let touched: HashSet<u32> = history.iter().map(|entry| entry.item).collect();
        let allowed: Vec<bool> = (0..self.items.len() as u32)
            .map(|item| !touched.contains(&item) && allowed(item))
            .collect();
        let tastes: Vec<_> = tastes(&history, self.settings.ease.rating_slope).collect();
        let likeness = self.content.fold_in(tastes.iter().copied());
        let scores = self.blended(&tastes, &likeness);
        let mut page = Page { model: self, options, allowed, rows: Vec::new() };

        if history.iter().any(|entry| entry.strength > 0.0) {
            page.add_diverse(Reason::ForYou, &scores, |_| true);
            for anchor in self.anchors(&history, options.repeats) {
                let mut speaks_for = vec![0.0; self.items.len()];
                self.neighbours.fold_in([(anchor, 1.0)], &mut speaks_for);
                let reason =
                    Reason::BecauseYouWatched { item: self.items[anchor as usize].clone() };
                page.add(reason, &speaks_for, |item| speaks_for[item as usize] > 0.0);
            }
            for genre in self.favourite_genres(&tastes, options.repeats) {
                let reason = Reason::Genre { genre: self.content.genres[genre as usize].clone() };
                page.add_diverse(reason, &scores, |item| {
                    self.content.genres_of[item as usize].contains(&genre)
                });
            }
            page.add_diverse(Reason::NewForYou, &likeness, |item| {
                self.support[item as usize] < NEW_BELOW && likeness[item as usize] > LEAST_LIKENESS
            });
        }
        page.add(Reason::Trending, &self.popularity, |item| self.popularity[item as usize] > 0.0);
        page.rows
    }

    /// What the profile liked last, and others who touched it lead somewhere.
    fn anchors(&self, history: &[Entry], count: usize) -> Vec<u32> {
        let mean_of = |rating: Option<f32>| rating.unwrap_or(f32::INFINITY);
        let rated: Vec<f32> = history.iter().filter_map(|entry| entry.rating).collect();
        let mean = rated.iter().sum::<f32>() / rated.len().max(1) as f32;
        let mut liked: Vec<&Entry> = history
            .iter()
            .filter(|entry| entry.strength >= 0.5 && mean_of(entry.rating) >= mean)
            .filter(|entry| self.neighbours.row(entry.item as usize).next().is_some())
            .collect();
        liked.sort_by_key(|entry| (std::cmp::Reverse(entry.at), entry.item));
        liked.iter().take(count).map(|entry| entry.item).collect()
    }

    fn favourite_genres(&self, tastes: &[(u32, f32)], count: usize) -> Vec<u32> {
        let mut liked = vec![0.0; self.content.genres.len()];
        for &(item, taste) in tastes {
            for &genre in self.content.genres_of.get(item as usize).into_iter().flatten() {
                liked[genre as usize] += taste;
            }
        }
        best(&liked, count, |genre| liked[genre as usize] > 0.0)
            .into_iter()
            .map(|(genre, _)| genre)
            .collect()
    }
}

struct Page<'a> {
    model: &'a Model,
    options: &'a Options,
    allowed: Vec<bool>,
    rows: Vec<Row>,
}

impl Page<'_> {
    fn add(&mut self, reason: Reason, scores: &[f32], wanted: impl Fn(u32) -> bool) {
        let picked = self.best(scores, self.options.row_length, wanted);
        self.push(reason, picked);
    }

    fn add_diverse(&mut self, reason: Reason, scores: &[f32], wanted: impl Fn(u32) -> bool) {
        let Options { row_length, diversity, .. } = *self.options;
        let candidates = self.best(scores, row_length * CANDIDATES, wanted);
        let picked = self.model.diversify(&candidates, row_length, diversity);
        self.push(reason, picked);
    }

    fn best(&self, scores: &[f32], count: usize, wanted: impl Fn(u32) -> bool) -> Vec<(u32, f32)> {
        best(scores, count, |item| self.allowed[item as usize] && wanted(item))
    }

    fn push(&mut self, reason: Reason, picked: Vec<(u32, f32)>) {
        if picked.len() < LEAST_IN_ROW {
            return;
        }
        let name = |&(item, _): &(u32, f32)| self.model.items[item as usize].clone();
        let items = picked.iter().map(name).collect();
        picked.iter().for_each(|(item, _)| self.allowed[*item as usize] = false);
        self.rows.push(Row { reason, items });
    }
}

impl Model {
    /// Picks the best together; titles are alike that are about the same.
    pub(super) fn diversify(
        &self,
        candidates: &[(u32, f32)],
        count: usize,
        diversity: f32,
    ) -> Vec<(u32, f32)> {
        let mut likeness = self.content.likeness();
        diversified(candidates, count, diversity, |picked, other| likeness.between(picked, other))
    }
}

/// The latest part of a history, by title.
fn recent(history: &[Entry]) -> Vec<Entry> {
    let mut history = history.to_vec();
    if history.len() > MAX_HISTORY {
        history.select_nth_unstable_by_key(MAX_HISTORY - 1, |entry| {
            (std::cmp::Reverse(entry.at), entry.item)
        });
        history.truncate(MAX_HISTORY);
    }
    history.sort_unstable_by_key(|entry| entry.item);
    history
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::{
        Interaction, Kind, Preferences, Settings, Title, ease,
        testing::{preferences, titles},
    };

    fn model() -> (Preferences, Model) {
        let preferences = preferences(1, 60, 80);
        let mut titles = titles(80);
        titles[79].genres = vec!["Drama".into(), "Comedy".into()];
        let settings = Settings {
            ease: ease::Options { regularisation: 20.0, ..ease::Options::default() },
            ..Settings::default()
        };
        // Nobody has touched title 79.
        let preferences = preferences.filtered(|_, entry| entry.item != 79);
        let model = Model::train(&preferences, &titles, settings, 1_000_000).unwrap();
        (preferences, model)
    }

    fn page(model: &Model, history: &[Entry]) -> Vec<Row> {
        model.page(history, &Options { row_length: 5, ..Options::default() }, |_| true)
    }

    #[test]
    fn rows_say_why_and_repeat_nothing() {
        let (preferences, model) = model();
        let history = preferences.row(0);
        let rows = page(&model, history);
        assert_eq!(rows[0].reason, Reason::ForYou);
        assert_eq!(rows.last().unwrap().reason, Reason::Trending);
        let last_liked = history
            .iter()
            .filter(|entry| entry.strength >= 0.5)
            .max_by_key(|entry| entry.at)
            .map(|entry| preferences.items()[entry.item as usize].clone())
            .unwrap();
        assert_eq!(rows[1].reason, Reason::BecauseYouWatched { item: last_liked });
        let genres: Vec<_> =
            rows.iter().filter(|row| matches!(row.reason, Reason::Genre { .. })).collect();
        assert_eq!(genres.len(), 2);

        let mut shown: Vec<&String> = rows.iter().flat_map(|row| &row.items).collect();
        let count = shown.len();
        shown.sort_unstable();
        shown.dedup();
        assert_eq!(shown.len(), count, "a title is in one row");
        for entry in history {
            assert!(!shown.contains(&&preferences.items()[entry.item as usize]), "seen already");
        }
        assert_eq!(rows, page(&model, history));
    }

    #[test]
    fn what_was_just_watched_changes_the_page() {
        let (preferences, model) = model();
        let mut history = preferences.row(0).to_vec();
        let before = page(&model, &history);
        let next = model.number(&before[0].items[0]).unwrap();
        history.push(Entry { item: next, strength: 1.0, rating: None, at: 2_000_000 });
        let after = page(&model, &history);
        assert!(!after.iter().any(|row| row.items.contains(&before[0].items[0])));
        let reason = Reason::BecauseYouWatched { item: before[0].items[0].clone() };
        assert_eq!(after[1].reason, reason);
        assert_ne!(after[0], before[0]);
    }

    #[test]
    fn nobody_sees_what_is_not_allowed() {
        let (preferences, model) = model();
        let rows = model.page(preferences.row(0), &Options::default(), |item| item % 2 == 0);
        assert!(!rows.is_empty());
        for item in rows.iter().flat_map(|row| &row.items) {
            assert_eq!(model.number(item).unwrap() % 2, 0);
        }
    }

    #[test]
    fn a_new_profile_sees_what_is_trending() {
        let (_, model) = model();
        let rows = page(&model, &[]);
        assert_eq!(rows.iter().map(|row| &row.reason).collect::<Vec<_>>(), [&Reason::Trending]);
        let disliked = [Entry { item: 3, strength: 0.0, rating: None, at: 0 }];
        let rows = page(&model, &disliked);
        assert!(rows.iter().all(|row| !row.items.contains(&"title-003".to_owned())));
    }

    #[test]
    fn a_history_of_titles_the_model_does_not_know_does_no_harm() {
        let (_, model) = model();
        let strange = [Entry { item: u32::MAX, strength: 1.0, rating: Some(5.0), at: i64::MAX }];
        assert!(!page(&model, &strange).is_empty());
    }

    #[test]
    fn a_new_title_is_found_by_what_it_is_about() {
        let watched = |profile: usize, item: &str, at| {
            let (profile, item) = (format!("p{profile}"), item.to_owned());
            Ok(Interaction { profile, item, at, kind: Kind::Watch, weight: 1.0 })
        };
        let interactions = (0..20).flat_map(|p| [watched(p, "space-1", 1), watched(p, "war-1", 2)]);
        let names = ["space-1", "space-2", "space-3", "space-4", "war-1", "war-2"];
        let titles: Vec<Title> = names
            .iter()
            .map(|id| Title {
                id: (*id).to_owned(),
                genres: vec![id.split('-').next().unwrap().to_owned()],
                ..Title::default()
            })
            .collect();
        let preferences =
            Preferences::collect(interactions, names.iter().map(|&id| id.to_owned())).unwrap();
        let model = Model::train(&preferences, &titles, Settings::default(), 10).unwrap();
        let space = model.number("space-1").unwrap();
        let history = [Entry { item: space, strength: 1.0, rating: None, at: 5 }];
        let options = Options { repeats: 0, diversity: 0.0, ..Options::default() };
        let scores = model.content.fold_in([(space, 1.0)]);
        assert!(scores[model.number("space-2").unwrap() as usize] > 0.9);
        let rows = model.page(&history, &options, |item| item != model.number("war-1").unwrap());
        let first: Vec<_> = rows[0].items.iter().take(3).map(String::as_str).collect();
        assert_eq!(first, ["space-2", "space-3", "space-4"]);
    }

    /// Of titles that are alike one is enough to begin with, where another is almost as good.
    #[test]
    fn the_first_row_is_not_all_of_one_kind() {
        let mut interactions = Vec::new();
        let mut watched = |profile: usize, item: &str| {
            let (profile, item) = (format!("p{profile:02}"), item.to_owned());
            interactions.push(Ok(Interaction {
                profile,
                item,
                at: 1,
                kind: Kind::Watch,
                weight: 1.0,
            }));
        };
        for profile in 0..20 {
            watched(profile, "seen");
            ["space-1", "space-2", "space-3"].iter().for_each(|item| watched(profile, item));
            if profile % 5 > 0 {
                watched(profile, "war-1");
            }
            watched(20 + profile, "other-1");
            watched(20 + profile, "other-2");
        }
        let names = ["seen", "space-1", "space-2", "space-3", "war-1", "other-1", "other-2"];
        let title = |id: &&str| Title {
            id: (*id).to_owned(),
            genres: vec![id.split('-').next().unwrap().to_owned()],
            ..Title::default()
        };
        let titles: Vec<Title> = names.iter().map(title).collect();
        let preferences =
            Preferences::collect(interactions, names.iter().map(|&id| id.to_owned())).unwrap();
        let model = Model::train(&preferences, &titles, Settings::default(), 10).unwrap();
        let seen = model.number("seen").unwrap();
        let history = [Entry { item: seen, strength: 1.0, rating: None, at: 5 }];
        let first = |diversity: f32| {
            let options = Options { repeats: 0, diversity, ..Options::default() };
            let mut rows = model.page(&history, &options, |_| true);
            assert_eq!(rows[0].reason, Reason::ForYou);
            rows.swap_remove(0).items
        };
        let kinds = |items: &[String]| -> Vec<String> {
            items.iter().take(4).map(|item| item.split('-').next().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(&first(0.0)), ["space", "space", "space", "war"]);
        let diverse = first(0.5);
        assert_eq!(kinds(&diverse)[..2], ["space", "war"], "{diverse:?}");
        assert_eq!(diverse[0], first(0.0)[0], "the best stays the first");
    }
}
