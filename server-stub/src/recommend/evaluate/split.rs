//! Splits of preferences into what is learned from, what settings are chosen by, and what is asked for.

use crate::recommend::preferences::Preferences;
use serde::{Deserialize, Serialize};

/// How preferences are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// A random fifth of each profile's titles is asked for; settings are chosen by a random fifth of the
    /// rest.
    Random {
        /// Decides which.
        seed: u64,
    },
    /// The latest fifth of all entries is asked for, of those profiles that have earlier ones; settings are
    /// chosen by the tenth before it.
    Temporal,
}

/// Three parts of the same preferences.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// To learn from while settings are chosen.
    pub fit: Preferences,
    /// To choose settings by.
    pub validation: Preferences,
    /// To learn from in the end: both of the above.
    pub train: Preferences,
    /// What is asked for. Nothing before the measurement may look at it.
    pub test: Preferences,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Fit,
    Validation,
    Test,
}

impl Split {
    /// Splits preferences. Disliked titles are asked for as little as unseen ones.
    pub fn new(preferences: &Preferences, scheme: Scheme) -> Self {
        let parts = match scheme {
            Scheme::Random { seed } => random_parts(preferences, seed),
            Scheme::Temporal => temporal_parts(preferences),
        };
        let of = |wanted: &[Part]| preferences.filtered(|at, _| wanted.contains(&parts[at]));
        Self {
            fit: of(&[Part::Fit]),
            validation: of(&[Part::Validation]),
            train: of(&[Part::Fit, Part::Validation]),
            test: preferences.filtered(|at, e| parts[at] == Part::Test && e.strength > 0.0),
        }
    }

    /// The profiles that have something to learn from and are asked for something.
    pub fn asked(&self) -> Vec<usize> {
        (0..self.train.profiles().len())
            .filter(|&p| !self.train.row(p).is_empty() && !self.test.row(p).is_empty())
            .collect()
    }
}

fn random_parts(preferences: &Preferences, seed: u64) -> Vec<Part> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut parts = Vec::with_capacity(preferences.len());
    for row in preferences.rows() {
        let test = fifth(row.len());
        let validation = fifth(row.len() - test);
        let mut own = vec![Part::Fit; row.len()];
        own[..test].fill(Part::Test);
        own[test..test + validation].fill(Part::Validation);
        random.shuffle(&mut own);
        parts.extend(own);
    }
    parts
}

/// A fifth, to the nearest whole number.
fn fifth(count: usize) -> usize {
    (count * 2 + 5) / 10
}

fn temporal_parts(preferences: &Preferences) -> Vec<Part> {
    let times: Vec<i64> = preferences.rows().flatten().map(|entry| entry.at).collect();
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_by_key(|&at| (times[at], at));
    let mut parts = vec![Part::Fit; times.len()];
    let (validation, test) = (times.len() * 7 / 10, times.len() * 8 / 10);
    order[validation..test].iter().for_each(|&at| parts[at] = Part::Validation);
    order[test..].iter().for_each(|&at| parts[at] = Part::Test);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::testing::preferences;

    #[test]
    fn parts_are_disjoint_and_complete() {
        let all = preferences(4, 30, 40);
        for scheme in [Scheme::Random { seed: 1 }, Scheme::Temporal] {
            let split = Split::new(&all, scheme);
            for profile in 0..all.profiles().len() {
                let parts = [&split.fit, &split.validation, &split.test].map(|p| p.row(profile));
                let mut joined = parts.concat();
                joined.sort_by_key(|entry| entry.item);
                assert_eq!(joined, all.row(profile));
                assert_eq!(split.train.row(profile).len(), parts[0].len() + parts[1].len());
            }
            assert_eq!(split, Split::new(&all, scheme));
        }
        let [one, two] = [1, 2].map(|seed| Split::new(&all, Scheme::Random { seed }));
        assert_ne!(one, two);
    }

    #[test]
    fn nothing_is_learned_from_after_what_is_asked_for() {
        let all = preferences(4, 30, 40);
        let split = Split::new(&all, Scheme::Temporal);
        let earliest = |p: &Preferences| p.rows().flatten().map(|entry| entry.at).min();
        assert!(split.fit.latest() <= earliest(&split.validation));
        assert!(split.train.latest() <= earliest(&split.test));
        let share = split.test.len() as f64 / all.len() as f64;
        assert!((share - 0.2).abs() < 0.01, "{share}");
    }

    #[test]
    fn a_fifth_of_each_profile_is_asked_for() {
        let all = preferences(4, 30, 40);
        let split = Split::new(&all, Scheme::Random { seed: 1 });
        for profile in 0..all.profiles().len() {
            let expected = (all.row(profile).len() as f64 / 5.0).round() as usize;
            assert_eq!(split.test.row(profile).len(), expected);
        }
    }
}
