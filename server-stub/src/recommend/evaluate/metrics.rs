//! What is measured of a ranking, and how sure it is.

use crate::recommend::preferences::Entry;

/// Normalised discounted cumulative gain of the first `k` places; every title in `wanted` counts the same.
/// `wanted` is in order of the titles' numbers.
pub fn ndcg(ranked: &[u32], wanted: &[Entry], k: usize) -> f64 {
    let gain = |place: usize| 1.0 / (place as f64 + 2.0).log2();
    let gained: f64 = hits(ranked, wanted, k).map(gain).sum();
    let most: f64 = (0..k.min(wanted.len())).map(gain).sum();
    if most > 0.0 { gained / most } else { 0.0 }
}

/// How many of the first `k` are wanted, of how many could be: the smaller of `k` and what is wanted.
pub fn recall(ranked: &[u32], wanted: &[Entry], k: usize) -> f64 {
    let most = k.min(wanted.len());
    if most == 0 { 0.0 } else { hits(ranked, wanted, k).count() as f64 / most as f64 }
}

fn hits<'a>(ranked: &'a [u32], wanted: &'a [Entry], k: usize) -> impl Iterator<Item = usize> + 'a {
    let is_wanted = |item: &u32| wanted.binary_search_by_key(item, |entry| entry.item).is_ok();
    ranked.iter().take(k).enumerate().filter(move |(_, item)| is_wanted(item)).map(|(at, _)| at)
}

/// The mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Where the mean of these differences lies with 95 %: the percentiles of a bootstrap over them.
pub fn interval(differences: &[f64], seed: u64) -> [f64; 2] {
    const RESAMPLES: usize = 4000;
    if differences.is_empty() {
        return [f64::NAN; 2];
    }
    let mut random = fastrand::Rng::with_seed(seed);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn =
                (0..differences.len()).map(|_| differences[random.usize(..differences.len())]);
            drawn.sum::<f64>() / differences.len() as f64
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    [means[RESAMPLES / 40], means[RESAMPLES - 1 - RESAMPLES / 40]]
}

/// The value below which this share of the values lies.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(items: &[u32]) -> Vec<Entry> {
        items.iter().map(|&item| Entry { item, strength: 1.0, rating: None, at: 0 }).collect()
    }

    #[test]
    fn gains_shrink_with_the_place() {
        let one = ndcg(&[5, 3, 9], &wanted(&[3, 7]), 10);
        let expected = (1.0 / 3_f64.log2()) / (1.0 + 1.0 / 3_f64.log2());
        assert!((one - expected).abs() < 1e-12);
        assert_eq!(ndcg(&[7, 3], &wanted(&[3, 7]), 10), 1.0);
        assert_eq!(ndcg(&[1, 3], &wanted(&[3]), 1), 0.0);
        assert_eq!(ndcg(&[], &wanted(&[]), 10), 0.0);
        assert_eq!(recall(&[1, 3, 7], &wanted(&[3, 7, 8, 9]), 3), 2.0 / 3.0);
    }

    #[test]
    fn the_interval_holds_the_mean() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 7) - 3.0).collect();
        let [low, high] = interval(&values, 1);
        assert!(low < mean(&values) && mean(&values) < high && high - low < 0.8);
        assert_eq!(interval(&values, 1), [low, high]);
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0, 4.0], 0.99), 4.0);
    }
}
