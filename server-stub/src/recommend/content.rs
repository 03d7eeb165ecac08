//! What titles are about: vectors of genres, people and words, for titles that nobody has watched yet.

use super::{Result, interaction::lines};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    io::BufRead,
};

/// The most features of a title, or a profile, that count: the strongest.
const MAX_FEATURES: usize = 64;
/// The share of each group in a title's vector.
const GENRES: f32 = 1.0;
const PEOPLE: f32 = 0.7;
const WORDS: f32 = 0.4;
const DECADE: f32 = 0.5;

/// What is known of a title, as the catalogue has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Title {
    /// The identifier that interactions name.
    pub id: String,
    /// The name.
    pub title: String,
    /// Genres.
    pub genres: Vec<String>,
    /// Directors, cast, writers.
    pub people: Vec<String>,
    /// A description.
    pub text: String,
    /// The year it was first shown.
    pub year: Option<i32>,
}

/// Reads titles, one JSON object a line.
///
/// # Errors
/// The iterator yields [`Error::Input`](super::Error::Input) for a line that is no title.
pub fn read_titles(reader: impl BufRead, source_name: &str) -> impl Iterator<Item = Result<Title>> {
    lines(reader, source_name, |title: &Title| {
        if title.id.is_empty() { Err("`id` is missing".to_owned()) } else { Ok(()) }
    })
}

/// A vector of unit length for each title, and genres to name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Content {
    pub(super) genres: Vec<String>,
    /// For each title, its genres by number.
    pub(super) genres_of: Vec<Vec<u32>>,
    /// For each title, its features by number with weights.
    pub(super) vectors: Vec<Vec<(u32, f32)>>,
    /// For each feature, the titles that have it: the vectors, transposed.
    pub(super) postings: Vec<Vec<(u32, f32)>>,
}

impl Content {
    /// Makes vectors of `titles` for the titles `items`, which are in order. A title without a description
    /// has an empty vector.
    pub fn new(items: &[String], titles: &[Title]) -> Self {
        let known: HashMap<&str, &Title> = titles.iter().map(|t| (t.id.as_str(), t)).collect();
        let described: Vec<Option<&Title>> =
            items.iter().map(|item| known.get(item.as_str()).copied()).collect();
        let count = described.iter().flatten().count() as f32;

        let names: Vec<BTreeMap<Feature, f32>> =
            described.iter().map(|title| title.map(features).unwrap_or_default()).collect();
        let mut frequency: BTreeMap<&Feature, (u32, f32)> = BTreeMap::new();
        for name in names.iter().flat_map(BTreeMap::keys) {
            frequency.entry(name).or_default().1 += 1.0;
        }
        // What one title alone has says nothing about another.
        frequency.retain(|_, (_, titles)| *titles > 1.0);
        for (number, (feature, _)) in frequency.values_mut().enumerate() {
            *feature = number as u32;
        }
        let vectors: Vec<_> = names
            .iter()
            .map(|names| {
                let weighted = names.iter().filter_map(|(name, times)| {
                    let (feature, titles) = frequency.get(name)?;
                    Some((*feature, times * name.share() * (1.0 + count / titles).ln()))
                });
                unit(weighted.collect())
            })
            .collect();
        let mut postings = vec![Vec::new(); frequency.len()];
        for (item, vector) in vectors.iter().enumerate() {
            for &(feature, weight) in vector {
                postings[feature as usize].push((item as u32, weight));
            }
        }

        let mut genres: Vec<String> =
            described.iter().flatten().flat_map(|title| title.genres.iter().cloned()).collect();
        genres.sort_unstable();
        genres.dedup();
        let number = |genre: &String| genres.binary_search(genre).ok().map(|at| at as u32);
        let genres_of = described
            .iter()
            .map(|title| title.iter().flat_map(|t| t.genres.iter().filter_map(number)).collect())
            .collect();
        Self { genres, genres_of, vectors, postings }
    }

    /// Compares titles with each other.
    pub(super) fn likeness(&self) -> Likeness<'_> {
        Likeness { content: self, spread: vec![0.0; self.postings.len()], of: None }
    }

    /// For every title the cosine between its vector and the sum of a profile's titles': 0 to 1.
    pub fn fold_in(&self, tastes: impl IntoIterator<Item = (u32, f32)>) -> Vec<f32> {
        let mut profile = vec![0.0; self.postings.len()];
        for (item, taste) in tastes {
            for &(feature, weight) in self.vectors.get(item as usize).into_iter().flatten() {
                profile[feature as usize] += taste * weight;
            }
        }
        let features = (0..).zip(profile).filter(|(_, weight)| *weight > 0.0).collect();
        let mut scores = vec![0.0; self.vectors.len()];
        for (feature, weight) in unit(features) {
            for &(item, other) in &self.postings[feature as usize] {
                scores[item as usize] += weight * other;
            }
        }
        scores
    }
}

/// Compares titles; fast when the left one stays the same.
pub(super) struct Likeness<'a> {
    content: &'a Content,
    /// The left title's vector, with its zeros.
    spread: Vec<f32>,
    of: Option<u32>,
}

impl Likeness<'_> {
    /// The cosine between two titles' vectors: 0 to 1.
    pub(super) fn between(&mut self, left: u32, right: u32) -> f32 {
        let vector = |item: u32| self.content.vectors.get(item as usize).into_iter().flatten();
        if self.of != Some(left) {
            for &(feature, _) in self.of.into_iter().flat_map(vector) {
                self.spread[feature as usize] = 0.0;
            }
            for &(feature, weight) in vector(left) {
                self.spread[feature as usize] = weight;
            }
            self.of = Some(left);
        }
        vector(right).map(|&(feature, weight)| self.spread[feature as usize] * weight).sum()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Feature {
    Genre(String),
    Person(String),
    Decade(i32),
    Word(String),
}

impl Feature {
    fn share(&self) -> f32 {
        match self {
            Self::Genre(_) => GENRES,
            Self::Person(_) => PEOPLE,
            Self::Decade(_) => DECADE,
            Self::Word(_) => WORDS,
        }
    }
}

/// A title's features, and how often each occurs, dampened.
fn features(title: &Title) -> BTreeMap<Feature, f32> {
    let mut features = BTreeMap::new();
    let mut add = |feature| *features.entry(feature).or_insert(0.0) += 1.0;
    title.genres.iter().for_each(|genre| add(Feature::Genre(genre.to_lowercase())));
    title.people.iter().for_each(|person| add(Feature::Person(person.to_lowercase())));
    if let Some(year) = title.year {
        add(Feature::Decade(year.div_euclid(10)));
    }
    for word in title.text.split(|c: char| !c.is_alphanumeric()) {
        if word.chars().count() >= 4 {
            add(Feature::Word(word.to_lowercase()));
        }
    }
    features.values_mut().for_each(|times: &mut f32| *times = 1.0 + times.ln());
    features
}

/// The strongest features, in order of their numbers, scaled to length one.
fn unit(mut vector: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    vector.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    vector.truncate(MAX_FEATURES);
    vector.sort_unstable_by_key(|(feature, _)| *feature);
    let length = vector.iter().map(|(_, weight)| weight * weight).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|(_, weight)| *weight /= length);
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(id: &str, genres: &[&str], text: &str) -> Title {
        let genres = genres.iter().map(|&genre| genre.to_owned()).collect();
        Title { id: id.into(), genres, text: text.into(), ..Title::default() }
    }

    fn content() -> Content {
        let items = ["a", "b", "c", "d"].map(str::to_owned);
        let titles = [
            title("a", &["Space", "Comedy"], "A robot learns to dance"),
            title("b", &["Space", "Comedy"], "Another robot"),
            title("c", &["Drama"], "A widow learns to sail"),
        ];
        Content::new(&items, &titles)
    }

    #[test]
    fn titles_of_a_kind_are_close() {
        let content = content();
        let mut likeness = content.likeness();
        let close = likeness.between(0, 1);
        let far = likeness.between(0, 2);
        assert!(close > 0.8 && far > 0.0 && far < 0.5, "{close} {far}");
        assert!((likeness.between(0, 0) - 1.0).abs() < 1e-6);
        assert_eq!(likeness.between(0, 3), 0.0);
    }

    #[test]
    fn a_profile_of_one_title_is_that_title() {
        let content = content();
        let scores = content.fold_in([(1, 0.5)]);
        for (item, score) in scores.iter().enumerate() {
            let expected = content.likeness().between(1, item as u32);
            assert!((score - expected).abs() < 1e-6);
        }
        assert_eq!(content.fold_in([]), [0.0; 4]);
    }
}
