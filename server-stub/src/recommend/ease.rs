//! EASE: a linear model from titles to titles, solved in one step.
//!
//! H. Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019: B minimises
//! ‖X − X·B‖² + λ‖B‖² with a zero diagonal, so B = I − P·diag(P)⁻¹ with P = (XᵀX + λI)⁻¹. A profile's scores
//! are its row of X times B: whatever it just watched counts at once.
//!
//! Two weights are added. Profiles that touched much weigh less in XᵀX ([`Options::profile_damping`]), and
//! titles that many touched weigh less as evidence ([`Options::item_damping`]).
//!
//! Where there are fewer profiles than titles, the inverse is taken on the profiles' side: with Q =
//! Xᵀ(X·Xᵀ + λI)⁻¹X, P = (I − Q)/λ, hence Bᵢⱼ = Qᵢⱼ / (1 − Qⱼⱼ).

use super::{Error, Preferences, Result, linalg::invert_spd, preferences::tastes};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// The model's hyperparameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// λ: how strongly weights are held down. Greater for fewer, or noisier, events.
    pub regularisation: f32,
    /// b: a profile with n titles weighs (n / mean)^-b.
    pub profile_damping: f32,
    /// a: a title that n profiles touched weighs (n / mean)^-a.
    pub item_damping: f32,
    /// How much a star above or below the profile's mean rating counts.
    pub rating_slope: f32,
    /// The most neighbours kept for a title, those of the greatest absolute weight.
    pub neighbours: usize,
    /// The most titles the model is about, those that most profiles touched. Memory is the square of it.
    pub titles: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            regularisation: 400.0,
            profile_damping: 0.35,
            item_damping: 0.1,
            rating_slope: 0.1,
            neighbours: 1000,
            titles: 10_000,
        }
    }
}

/// The rows of B: for each title, which others it speaks for, and how strongly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neighbours {
    pub(super) offsets: Vec<u32>,
    pub(super) items: Vec<u32>,
    pub(super) weights: Vec<f32>,
}

impl Neighbours {
    /// Trains the model.
    ///
    /// # Errors
    /// [`Error::Training`] when nobody prefers anything, or λ is too small for these events.
    pub fn train(preferences: &Preferences, options: &Options) -> Result<Self> {
        let problem = Problem::new(preferences, options);
        if problem.by_profile.is_empty() || problem.by_item.is_empty() {
            let reason = "there are no events that show a taste".to_owned();
            return Err(Error::Training { reason });
        }
        let solved = if problem.by_profile.len() < problem.by_item.len() {
            problem.solve_by_profile()
        } else {
            problem.solve_by_item()
        };
        solved.ok_or_else(|| {
            let reason = format!("the equations are unstable at {}", options.regularisation);
            Error::Training { reason: format!("{reason}; raise the regularisation") }
        })
    }

    /// The titles that title `item` speaks for, in order of their numbers, with weights.
    pub fn row(&self, item: usize) -> impl Iterator<Item = (u32, f32)> + '_ {
        let offset = |at: usize| self.offsets.get(at).map(|&offset| offset as usize);
        let range = match (offset(item), offset(item + 1)) {
            (Some(start), Some(end)) => start..end,
            _ => 0..0,
        };
        self.items[range.clone()].iter().copied().zip(self.weights[range].iter().copied())
    }

    /// Adds a profile's scores to `scores`.
    pub fn fold_in(&self, tastes: impl IntoIterator<Item = (u32, f32)>, scores: &mut [f32]) {
        for (item, taste) in tastes {
            for (other, weight) in self.row(item as usize) {
                if let Some(score) = scores.get_mut(other as usize) {
                    *score += taste * weight;
                }
            }
        }
    }
}

/// The weighted matrix, over those profiles and titles only that have entries.
struct Problem<'a> {
    options: &'a Options,
    /// How many titles there are, with and without entries.
    all_items: usize,
    /// The number of each title of the problem among all.
    numbers: Vec<u32>,
    item_weights: Vec<f32>,
    by_profile: Vec<Vec<(u32, f32)>>,
    by_item: Vec<Vec<(u32, f32)>>,
}

impl<'a> Problem<'a> {
    fn new(preferences: &Preferences, options: &'a Options) -> Self {
        let all_items = preferences.items().len();
        let mut counts = vec![0_u32; all_items];
        for row in preferences.rows() {
            tastes(row, options.rating_slope).for_each(|(item, _)| counts[item as usize] += 1);
        }
        let mut numbers: Vec<u32> =
            (0..all_items as u32).filter(|&item| counts[item as usize] > 0).collect();
        numbers.sort_by_key(|&item| std::cmp::Reverse(counts[item as usize]));
        numbers.truncate(options.titles);
        numbers.sort_unstable();
        let mut places = vec![None; all_items];
        for (place, &item) in numbers.iter().enumerate() {
            places[item as usize] = Some(place as u32);
        }
        let held: u32 = numbers.iter().map(|&item| counts[item as usize]).sum();
        let mean = held as f32 / numbers.len().max(1) as f32;
        let item_weights: Vec<f32> = numbers
            .iter()
            .map(|&item| (counts[item as usize] as f32 / mean).powf(-options.item_damping))
            .collect();

        let mut by_profile: Vec<Vec<(u32, f32)>> = preferences
            .rows()
            .map(|row| {
                let placed = tastes(row, options.rating_slope)
                    .filter_map(|(item, taste)| Some((places[item as usize]?, taste)));
                placed.map(|(place, taste)| (place, taste * item_weights[place as usize])).collect()
            })
            .filter(|row: &Vec<_>| !row.is_empty())
            .collect();
        let mean = held as f32 / by_profile.len().max(1) as f32;
        let mut by_item = vec![Vec::new(); numbers.len()];
        for (profile, row) in by_profile.iter_mut().enumerate() {
            let weight = (row.len() as f32 / mean).powf(-options.profile_damping / 2.0);
            for (place, value) in row {
                *value *= weight;
                by_item[*place as usize].push((profile as u32, *value));
            }
        }
        Self { options, all_items, numbers, item_weights, by_profile, by_item }
    }

    fn solve_by_item(&self) -> Option<Neighbours> {
        let p = invert_spd(self.gram(&self.by_profile, self.by_item.len()))?;
        Some(self.collect(|item, row| {
            row.copy_from_slice(p.row(item).as_slice()?);
            for (other, value) in row.iter_mut().enumerate() {
                *value /= -p[[other, other]];
            }
            Some(())
        }))
    }

    fn solve_by_profile(&self) -> Option<Neighbours> {
        let inverse = invert_spd(self.gram(&self.by_item, self.by_profile.len()))?;
        // (X·Xᵀ + λI)⁻¹·X, transposed: a sum of few rows for each title.
        let mut solved = Array2::<f32>::zeros((self.by_item.len(), self.by_profile.len()));
        for (column, mut sum) in self.by_item.iter().zip(solved.rows_mut()) {
            let sum = sum.as_slice_mut()?;
            for &(profile, value) in column {
                add_scaled(sum, value, inverse.row(profile as usize).as_slice()?);
            }
        }
        let own: Vec<f32> = self
            .by_item
            .iter()
            .zip(solved.rows())
            .map(|(column, row)| column.iter().map(|&(u, value)| value * row[u as usize]).sum())
            .collect();
        let solved = solved.t().as_standard_layout().into_owned();
        Some(self.collect(|item, row| {
            row.fill(0.0);
            for &(profile, value) in &self.by_item[item] {
                add_scaled(row, value, solved.row(profile as usize).as_slice()?);
            }
            for (value, own) in row.iter_mut().zip(&own) {
                *value /= 1.0 - own;
            }
            Some(())
        }))
    }

    /// λI plus the sum of each vector's product with itself: the lower triangle.
    fn gram(&self, vectors: &[Vec<(u32, f32)>], n: usize) -> Array2<f32> {
        let mut gram = Array2::zeros((n, n));
        for vector in vectors {
            for (at, &(row, left)) in vector.iter().enumerate() {
                let mut gram = gram.row_mut(row as usize);
                for &(column, right) in &vector[..=at] {
                    gram[column as usize] += left * right;
                }
            }
        }
        gram.diag_mut().mapv_inplace(|value: f32| value + self.options.regularisation);
        gram
    }

    /// Keeps the strongest of each row, numbered as all titles are.
    fn collect(&self, row_of: impl Fn(usize, &mut [f32]) -> Option<()>) -> Neighbours {
        let n = self.numbers.len();
        let mut neighbours = Neighbours { offsets: vec![0], items: vec![], weights: vec![] };
        let mut row = vec![0.0; n];
        let mut order: Vec<u32> = Vec::new();
        for (place, &number) in self.numbers.iter().enumerate() {
            neighbours.offsets.resize(number as usize + 1, neighbours.items.len() as u32);
            if row_of(place, &mut row).is_none() {
                continue;
            }
            order.clear();
            order.extend((0..n as u32).filter(|&other| other as usize != place));
            if order.len() > self.options.neighbours {
                order.select_nth_unstable_by(self.options.neighbours, |&a, &b| {
                    let (a, b) = (row[a as usize].abs(), row[b as usize].abs());
                    b.total_cmp(&a)
                });
                order.truncate(self.options.neighbours);
                order.sort_unstable();
            }
            for &other in &order {
                neighbours.items.push(self.numbers[other as usize]);
                neighbours.weights.push(row[other as usize] * self.item_weights[place]);
            }
        }
        neighbours.offsets.resize(self.all_items + 1, neighbours.items.len() as u32);
        neighbours
    }
}

fn add_scaled(sum: &mut [f32], scale: f32, row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        *sum += scale * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::testing::preferences;

    fn options(regularisation: f32) -> Options {
        Options {
            regularisation,
            profile_damping: 0.0,
            item_damping: 0.0,
            rating_slope: 0.0,
            ..Options::default()
        }
    }

    fn dense(preferences: &Preferences) -> Vec<Vec<f64>> {
        let spread = |row| {
            let mut values = vec![0.0; preferences.items().len()];
            tastes(row, 0.0).for_each(|(item, taste)| values[item as usize] = f64::from(taste));
            values
        };
        preferences.rows().map(spread).collect()
    }

    /// Solves A·x = y, of which `a` holds A and y behind it, by elimination with pivots.
    fn solve(mut a: Vec<Vec<f64>>) -> Vec<f64> {
        let n = a.len();
        for k in 0..n {
            let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().total_cmp(&a[j][k].abs())).unwrap();
            a.swap(k, pivot);
            let scale = a[k][k];
            a[k].iter_mut().for_each(|value| *value /= scale);
            let pivot = a[k].clone();
            for (_, row) in a.iter_mut().enumerate().filter(|(row, _)| *row != k) {
                let factor = row[k];
                row.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
            }
        }
        a.iter().map(|row| row[n]).collect()
    }

    /// What ridge regression makes of each title from all the others, one title after the other.
    fn ridge(x: &[Vec<f64>], lambda: f64) -> Vec<Vec<f64>> {
        let n = x[0].len();
        let dot = |i: usize, j: usize| x.iter().map(|row| row[i] * row[j]).sum::<f64>();
        let mut b = vec![vec![0.0; n]; n];
        (0..n).for_each(|target| {
            let others: Vec<usize> = (0..n).filter(|&item| item != target).collect();
            let equation = |&i: &usize| {
                let left = others.iter().map(|&j| dot(i, j) + if i == j { lambda } else { 0.0 });
                left.chain([dot(i, target)]).collect()
            };
            let weights = solve(others.iter().map(equation).collect());
            for (&other, weight) in others.iter().zip(weights) {
                b[other][target] = weight;
            }
        });
        b
    }

    fn assert_is(neighbours: &Neighbours, expected: &[Vec<f64>]) {
        for (item, expected) in expected.iter().enumerate() {
            let mut row = vec![0.0_f32; expected.len()];
            neighbours.row(item).for_each(|(other, weight)| row[other as usize] = weight);
            for (other, (weight, expected)) in row.iter().zip(expected).enumerate() {
                let close = (f64::from(*weight) - expected).abs() < 1e-4;
                assert!(close, "{item} to {other}: {weight}, not {expected}");
            }
        }
    }

    #[test]
    fn it_is_ridge_regression_of_each_title_on_the_others() {
        for (profiles, items) in [(40, 12), (12, 40), (20, 20)] {
            let preferences = preferences(3, profiles, items);
            let neighbours = Neighbours::train(&preferences, &options(2.0)).unwrap();
            assert_is(&neighbours, &ridge(&dense(&preferences), 2.0));
        }
    }

    #[test]
    fn damping_weighs_rows_and_columns() {
        for (profiles, items) in [(40, 12), (12, 40)] {
            let preferences = preferences(5, profiles, items);
            let mut x = dense(&preferences);
            let of_item: Vec<f64> = (0..items)
                .map(|item| x.iter().filter(|row| row[item] > 0.0).count() as f64)
                .collect();
            let held: f64 = of_item.iter().sum();
            let in_use = of_item.iter().filter(|&&count| count > 0.0).count() as f64;
            let scale: Vec<f64> =
                of_item.iter().map(|count| (count / (held / in_use)).powf(-0.2)).collect();
            for row in &mut x {
                let count = row.iter().filter(|&&value| value > 0.0).count() as f64;
                let weight = (count / (held / profiles as f64)).powf(-0.25);
                row.iter_mut().zip(&scale).for_each(|(value, scale)| *value *= weight * scale);
            }
            let mut expected = ridge(&x, 2.0);
            for (row, scale) in expected.iter_mut().zip(&scale) {
                row.iter_mut().for_each(|value| *value *= scale);
            }
            let options = Options { profile_damping: 0.5, item_damping: 0.2, ..options(2.0) };
            assert_is(&Neighbours::train(&preferences, &options).unwrap(), &expected);
        }
    }

    #[test]
    fn folding_in_is_the_profiles_row_of_the_product() {
        let preferences = preferences(3, 12, 40);
        let neighbours = Neighbours::train(&preferences, &options(2.0)).unwrap();
        let x = dense(&preferences);
        let b = ridge(&x, 2.0);
        for (profile, row) in x.iter().enumerate() {
            let history: Vec<_> = tastes(preferences.row(profile), 0.0).collect();
            let mut scores = vec![0.0; row.len()];
            neighbours.fold_in(history.iter().copied(), &mut scores);
            for (item, score) in scores.iter().enumerate() {
                let expected: f64 = row.iter().zip(&b).map(|(x, b)| x * b[item]).sum();
                assert!((f64::from(*score) - expected).abs() < 1e-4, "{score}, not {expected}");
            }
            // One title more is that title's row more: nothing has to be trained again.
            let mut stepwise = vec![0.0; row.len()];
            history.iter().for_each(|&taste| neighbours.fold_in([taste], &mut stepwise));
            assert_eq!(stepwise, scores);
        }
    }

    #[test]
    fn only_the_strongest_neighbours_are_kept() {
        let preferences = preferences(3, 40, 12);
        let all = Neighbours::train(&preferences, &options(2.0)).unwrap();
        let few = Options { neighbours: 4, ..options(2.0) };
        let few = Neighbours::train(&preferences, &few).unwrap();
        for item in 0..12 {
            let kept: Vec<_> = few.row(item).collect();
            assert_eq!(kept.len(), 4);
            let least = kept.iter().map(|(_, weight)| weight.abs()).fold(f32::INFINITY, f32::min);
            let rest = all.row(item).filter(|neighbour| !kept.contains(neighbour));
            assert!(rest.into_iter().all(|(_, weight)| weight.abs() <= least));
        }
    }

    #[test]
    fn only_the_titles_most_touched_are_modelled() {
        let preferences = preferences(3, 40, 12);
        let options = Options { titles: 5, ..options(2.0) };
        let neighbours = Neighbours::train(&preferences, &options).unwrap();
        let modelled = (0..12).filter(|&item| neighbours.row(item).next().is_some());
        assert_eq!(modelled.count(), 5);
    }

    #[test]
    fn nothing_to_learn_from_is_an_error() {
        let nothing = Preferences::collect([], []).unwrap();
        let trained = Neighbours::train(&nothing, &Options::default());
        assert!(matches!(trained, Err(Error::Training { .. })));
    }
}
