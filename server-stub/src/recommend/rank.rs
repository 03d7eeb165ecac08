//! Ranking: the best of many, and the best together.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

/// The `count` best of those titles that `allowed` lets through, the best first; equal ones by number. Scores
/// that are not numbers come last.
pub fn best(scores: &[f32], count: usize, allowed: impl Fn(u32) -> bool) -> Vec<(u32, f32)> {
    // The worst of those kept is on top. Most titles are worse than that, and need no more than one look.
    let mut kept: BinaryHeap<Reverse<Ranked>> = BinaryHeap::with_capacity(count.min(scores.len()));
    for (item, &score) in (0..).zip(scores) {
        let ranked = Ranked { score, item };
        if kept.len() < count {
            if allowed(item) {
                kept.push(Reverse(ranked));
            }
        } else if let Some(mut worst) = kept.peek_mut()
            && ranked > worst.0
            && allowed(item)
        {
            *worst = Reverse(ranked);
        }
    }
    let ranked = kept.into_sorted_vec();
    ranked.into_iter().map(|Reverse(Ranked { item, score })| (item, score)).collect()
}

struct Ranked {
    score: f32,
    item: u32,
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        let score =
            |ranked: &Self| if ranked.score.is_nan() { f32::NEG_INFINITY } else { ranked.score };
        score(self).total_cmp(&score(other)).then(other.item.cmp(&self.item))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998): from `candidates`, the best first, picks
/// `count` one by one, each the best in (1 − `diversity`) · relevance − `diversity` · its greatest similarity
/// to one already picked. Relevance is the score, scaled to 0..1 over the candidates; `diversity` 0 keeps
/// their order.
pub fn diversified(
    candidates: &[(u32, f32)],
    count: usize,
    diversity: f32,
    mut similarity: impl FnMut(u32, u32) -> f32,
) -> Vec<(u32, f32)> {
    if diversity <= 0.0 {
        return candidates.iter().take(count).copied().collect();
    }
    let most = candidates.iter().map(|(_, score)| *score).fold(f32::NEG_INFINITY, f32::max);
    let least = candidates.iter().map(|(_, score)| *score).fold(f32::INFINITY, f32::min);
    let span = if most > least { most - least } else { 1.0 };
    let mut rest: Vec<(u32, f32, f32)> = candidates
        .iter()
        .map(|&(item, score)| (item, score, (1.0 - diversity) * (score - least) / span))
        .collect();
    let mut nearest = vec![0.0_f32; rest.len()];
    let mut picked = Vec::with_capacity(count.min(rest.len()));
    while picked.len() < count && !rest.is_empty() {
        let value = |at: usize| rest[at].2 - diversity * nearest[at];
        let better = |&a: &usize, &b: &usize| match value(a).total_cmp(&value(b)) {
            Ordering::Equal => b.cmp(&a),
            unequal => unequal,
        };
        let Some(at) = (0..rest.len()).max_by(better) else { break };
        // Kept in order, so that the earlier of two equals stays the better one.
        let (item, score, _) = rest.remove(at);
        nearest.remove(at);
        picked.push((item, score));
        for (nearest, (other, ..)) in nearest.iter_mut().zip(&rest) {
            *nearest = nearest.max(similarity(item, *other));
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_best_come_first_and_equals_by_number() {
        let scores = [0.5, 2.0, 0.5, -1.0, 2.0];
        assert_eq!(best(&scores, 3, |item| item != 1), [(4, 2.0), (0, 0.5), (2, 0.5)]);
        assert_eq!(best(&scores, 9, |item| item > 2), [(4, 2.0), (3, -1.0)]);
        assert_eq!(best(&scores, 0, |_| true), []);
        assert_eq!(best(&[f32::NAN, -9.0], 1, |_| true), [(1, -9.0)]);
    }

    #[test]
    fn the_second_pick_is_not_like_the_first() {
        // 0 and 1 are the same; 2 is worse, and different.
        let candidates = [(0, 1.0), (1, 0.9), (2, 0.5), (3, 0.0)];
        let same = |a: u32, b: u32| if a < 2 && b < 2 { 1.0 } else { 0.0 };
        let order = |diversity| -> Vec<u32> {
            diversified(&candidates, 3, diversity, same).iter().map(|(item, _)| *item).collect()
        };
        assert_eq!(order(0.0), [0, 1, 2]);
        // 0.8 · 0.9 − 0.2 · 1 = 0.52 against 0.8 · 0.5 = 0.4
        assert_eq!(order(0.2), [0, 1, 2]);
        // 0.7 · 0.9 − 0.3 · 1 = 0.33 against 0.7 · 0.5 = 0.35
        assert_eq!(order(0.3), [0, 2, 1]);
        // 0.4 · 0.9 − 0.6 · 1 = −0.24 against 0
        assert_eq!(order(0.6), [0, 2, 3]);
    }

    proptest! {
        #[test]
        fn the_best_are_the_first_of_all_sorted(
            scores in prop::collection::vec(-3_i8..3, 0..60),
            count in 0_usize..70,
        ) {
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let mut all: Vec<(u32, f32)> = (0..).zip(scores.iter().copied()).collect();
            all.retain(|(item, _)| item % 3 != 0);
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            all.truncate(count);
            prop_assert_eq!(best(&scores, count, |item| item % 3 != 0), all);
        }

        #[test]
        fn what_is_picked_is_a_part_of_the_candidates(
            scores in prop::collection::vec(-5.0_f32..5.0, 0..40),
            count in 0_usize..50,
            diversity in 0.0_f32..1.0,
        ) {
            let candidates = best(&scores, scores.len(), |_| true);
            let similar = |a: u32, b: u32| if a % 3 == b % 3 { 0.8 } else { 0.1 };
            let mut picked = diversified(&candidates, count, diversity, similar);
            prop_assert_eq!(picked.len(), count.min(scores.len()));
            prop_assert_eq!(picked.first(), candidates.first().filter(|_| count > 0));
            picked.dedup_by_key(|(item, _)| *item);
            prop_assert!(picked.iter().all(|pick| candidates.contains(pick)));
        }
    }
}
