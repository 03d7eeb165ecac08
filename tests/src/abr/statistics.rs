//! How sure a figure is, and how it compares with the best there could be.

use kinora_abr::sim::{Goal, Outcome};

use super::SetResults;

/// A figure and where it lies with a probability of 95 %, had other networks of the same kind been
/// recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Over the networks at hand.
    pub value: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Which networks of a set a figure is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All.
    All,
    /// Those that rules may be tuned with.
    Tuning,
    /// The third that is kept apart to check that.
    Validation,
}

/// Whether a network belongs to the third kept apart for validation: by its file name, so that it
/// belongs there in every set and forever.
pub fn is_validation(trace: &str) -> bool {
    // FNV-1a, 64 bits.
    let hash = trace.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    // Its lowest bits are its weakest.
    (hash >> 32).is_multiple_of(3)
}

/// A network counts only if it can be played over: if the optimum stalls no more than this.
const FEASIBLE: f64 = 0.05;

/// A figure over some networks, and the same over as many drawn from them, again and again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    redrawn: Vec<f64>,
}

/// How often networks are drawn anew.
const DRAWS: usize = 2000;

impl Figure {
    /// Normalised quality: 0 is always the lowest rung, 100 the optimum, over the networks that can be
    /// played over. `None` without an optimum, or if there is no such network.
    pub(super) fn normalised(
        set: &SetResults,
        outcomes: &[Outcome],
        goal: Goal,
        part: Part,
    ) -> Option<Self> {
        let best = set.optimum.as_ref()?;
        let gains: Vec<[f64; 2]> = select(set, part)
            .filter(|&trace| best[trace].lin_rr <= FEASIBLE)
            .map(|trace| {
                let optimum = match goal {
                    Goal::Linear => best[trace].lin,
                    Goal::Score => best[trace].score,
                };
                let lowest = goal.of(&set.lowest[trace]);
                [goal.of(&outcomes[trace]) - lowest, optimum - lowest]
            })
            .collect();
        Self::ratio_of_sums(&gains, 100.0)
    }

    /// The mean of a figure.
    pub(super) fn mean(
        set: &SetResults,
        outcomes: &[Outcome],
        figure: impl Fn(&Outcome) -> f64,
        part: Part,
    ) -> Option<Self> {
        let figures: Vec<_> =
            select(set, part).map(|trace| [figure(&outcomes[trace]), 1.0]).collect();
        Self::ratio_of_sums(&figures, 1.0)
    }

    /// The mean over sets.
    pub(super) fn over_sets(figures: &[Self]) -> Option<Self> {
        let mean =
            |of: &dyn Fn(&Self) -> f64| figures.iter().map(of).sum::<f64>() / figures.len() as f64;
        (!figures.is_empty()).then(|| Self {
            value: mean(&|figure| figure.value),
            redrawn: (0..DRAWS).map(|draw| mean(&|figure| figure.redrawn[draw])).collect(),
        })
    }

    fn ratio_of_sums(pairs: &[[f64; 2]], scale: f64) -> Option<Self> {
        let ratio = |sums: [f64; 2]| scale * sums[0] / sums[1];
        let add = |a: [f64; 2], b: &[f64; 2]| [a[0] + b[0], a[1] + b[1]];
        let total = pairs.iter().fold([0.0; 2], add);
        if pairs.is_empty() || total[1] <= 0.0 {
            return None;
        }
        // The same draws for every controller: what they have in common drops out of comparisons.
        let mut numbers = SplitMix(1);
        let redrawn = (0..DRAWS).map(|_| {
            let drawn = (0..pairs.len()).map(|_| &pairs[numbers.below(pairs.len())]);
            ratio(drawn.fold([0.0; 2], add))
        });
        Some(Self { value: ratio(total), redrawn: redrawn.collect() })
    }

    pub(super) fn interval(&self) -> Interval {
        let mut sorted = self.redrawn.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64).round() as usize];
        Interval { value: self.value, low: at(0.025), high: at(0.975) }
    }
}

fn select(set: &SetResults, part: Part) -> impl Iterator<Item = usize> {
    let belongs = move |trace: &usize| match part {
        Part::All => true,
        Part::Tuning => !is_validation(&set.traces[*trace]),
        Part::Validation => is_validation(&set.traces[*trace]),
    };
    (0..set.traces.len()).filter(belongs)
}

/// How many networks of a part count in [`Figure::normalised`].
pub(super) fn feasible(set: &SetResults, part: Part) -> usize {
    let is_feasible =
        |trace: &usize| set.optimum.as_ref().is_some_and(|best| best[*trace].lin_rr <= FEASIBLE);
    select(set, part).filter(is_feasible).count()
}

/// Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
struct SplitMix(u64);

impl SplitMix {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(z ^ (z >> 31)) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abr::Best;

    fn set() -> SetResults {
        let traces = 300_usize;
        let outcome = |linear| Outcome { linear, ..Outcome::default() };
        let best = |trace: usize| Best {
            lin: 4.0,
            // Every tenth cannot be played over.
            lin_rr: if trace.is_multiple_of(10) { 0.2 } else { 0.0 },
            ..Best::default()
        };
        SetResults {
            name: "set".into(),
            traces: (0..traces).map(|n| format!("trace{n}.json")).collect(),
            outcomes: vec![(
                "rule".into(),
                (0..traces)
                    .map(|n| match n {
                        n if n.is_multiple_of(10) => outcome(-1000.0),
                        n if n.is_multiple_of(2) => outcome(2.0),
                        _ => outcome(3.0),
                    })
                    .collect(),
            )],
            lowest: vec![outcome(1.0); traces],
            optimum: Some((0..traces).map(best).collect()),
        }
    }

    #[test]
    fn quality_is_normalised_between_lowest_and_optimum() {
        let set = set();
        let figure =
            |outcomes| Figure::normalised(&set, outcomes, Goal::Linear, Part::All).unwrap();
        assert_eq!(figure(&set.lowest).value, 0.0);
        let top = vec![Outcome { linear: 4.0, ..Outcome::default() }; 300];
        assert_eq!(figure(&top).interval(), Interval { value: 100.0, low: 100.0, high: 100.0 });
        // 120 networks at a third of the way, 150 at two thirds.
        let expected = 100.0 * (120.0 + 2.0 * 150.0) / (3.0 * 270.0);
        let interval = figure(&set.outcomes[0].1).interval();
        assert!((interval.value - expected).abs() < 1e-9);
        // 1.96 standard errors of the mean: 33.3 · √(4/9 · 5/9) / √270.
        let reach = 1.96 * 100.0 / 3.0 * (20.0_f64 / 81.0).sqrt() / 270.0_f64.sqrt();
        assert!((interval.high - interval.value - reach).abs() < 0.3, "{interval:?} {reach}");
        assert!((interval.value - interval.low - reach).abs() < 0.3, "{interval:?} {reach}");
    }

    #[test]
    fn a_third_is_kept_apart() {
        let set = set();
        let [all, tuning, validation] =
            [Part::All, Part::Tuning, Part::Validation].map(|part| select(&set, part).count());
        assert_eq!(all, tuning + validation);
        assert!((80..=120).contains(&validation), "{validation}");
        // Whoever tuned with these must not find them in the other part one day.
        assert_eq!(
            ["trace0.json", "trace1.json", "trace2.json", "trace3.json"].map(is_validation),
            [true, false, false, false]
        );
    }
}
