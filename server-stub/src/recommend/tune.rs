//! Choosing hyperparameters: by what is held back from training, one after the other.

use super::{
    Result, Settings,
    content::{Content, Title},
    ease::{self, Neighbours},
    evaluate::metrics,
    model::Blend,
    popularity::decayed,
    preferences::{Preferences, tastes},
    rank::best,
};

/// A change must be worth this much NDCG@10.
const LEAST_GAIN: f64 = 2e-4;
/// More profiles than this are not asked; taken evenly from all.
const MAX_PROFILES: usize = 3000;
const SECONDS_PER_DAY: f64 = 86_400.0;
const HALF_LIVES: [f32; 7] = [3.0, 7.0, 14.0, 30.0, 90.0, 365.0, 3650.0];
const POPULARITY: [f32; 9] = [0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2];
const CONTENT: [f32; 7] = [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6];
/// Factors for the regularisation, and values for the others.
const REGULARISATION: [f32; 4] = [0.35, 0.6, 1.6, 2.8];
const PROFILE_DAMPING: [f32; 4] = [0.0, 0.2, 0.35, 0.5];
const ITEM_DAMPING: [f32; 4] = [0.0, 0.05, 0.1, 0.2];
const RATING_SLOPE: [f32; 3] = [0.0, 0.1, 0.2];

/// Holds back the latest tenth of the entries: what the model is to foretell.
pub fn latest_tenth(preferences: &Preferences) -> (Preferences, Preferences) {
    let mut times: Vec<i64> = preferences.rows().flatten().map(|entry| entry.at).collect();
    times.sort_unstable();
    let from = times.get(times.len() * 9 / 10).copied().unwrap_or(i64::MAX);
    let early = preferences.filtered(|_, entry| entry.at < from);
    let late = preferences.filtered(|_, entry| entry.at >= from);
    (early, late)
}

/// The settings that rank `held` highest when trained on `fit`, near those to begin with. Both must be parts
/// of the same preferences. `progress` hears of each setting tried.
///
/// # Errors
/// [`Error::Training`](super::Error::Training) when `fit` does not suffice.
pub fn tune(
    fit: &Preferences,
    held: &Preferences,
    titles: &[Title],
    begin: Settings,
    mut progress: impl FnMut(&Settings, f64),
) -> Result<Settings> {
    let mut tuner = Tuner::new(fit, held, titles);
    if tuner.profiles.is_empty() {
        return Ok(begin);
    }
    let mut chosen = begin;
    let mut scores = tuner.learned(&chosen.ease)?;
    let mut value;
    (chosen.blend, value) = tuner.choose_blend(&scores, chosen);
    progress(&chosen, value);
    for _round in 0..2 {
        let before = value;
        for ease in neighbourhood(chosen.ease) {
            let candidate = Settings { ease, ..chosen };
            let Ok(tried) = tuner.learned(&ease) else { continue };
            let gained = tuner.value(&tried, &candidate);
            progress(&candidate, gained);
            if gained > value + LEAST_GAIN {
                (chosen, value, scores) = (candidate, gained, tried);
            }
        }
        (chosen.blend, value) = tuner.choose_blend(&scores, chosen);
        progress(&chosen, value);
        if value <= before + LEAST_GAIN {
            break;
        }
    }
    Ok(chosen)
}

/// Settings that differ in one place.
fn neighbourhood(from: ease::Options) -> Vec<ease::Options> {
    let mut all = Vec::new();
    all.extend(
        REGULARISATION.map(|by| ease::Options { regularisation: from.regularisation * by, ..from }),
    );
    all.extend(PROFILE_DAMPING.map(|profile_damping| ease::Options { profile_damping, ..from }));
    all.extend(ITEM_DAMPING.map(|item_damping| ease::Options { item_damping, ..from }));
    all.extend(RATING_SLOPE.map(|rating_slope| ease::Options { rating_slope, ..from }));
    all.retain(|options| *options != from);
    all
}

struct Tuner<'a> {
    fit: &'a Preferences,
    held: &'a Preferences,
    content: Content,
    now: i64,
    /// Those that have something to learn from and something held back.
    profiles: Vec<usize>,
    popularity: Vec<(f32, Vec<f32>)>,
}

/// Scores for each of the profiles asked.
type Scores = Vec<Vec<f32>>;

impl<'a> Tuner<'a> {
    fn new(fit: &'a Preferences, held: &'a Preferences, titles: &[Title]) -> Self {
        let mut profiles: Vec<usize> = (0..fit.profiles().len())
            .filter(|&profile| !fit.row(profile).is_empty() && !held.row(profile).is_empty())
            .collect();
        let step = profiles.len().div_ceil(MAX_PROFILES).max(1);
        profiles = profiles.into_iter().step_by(step).collect();
        let now = fit.latest().unwrap_or_default();
        let content = Content::new(fit.items(), titles);
        Self { fit, held, content, now, profiles, popularity: Vec::new() }
    }

    /// Scores of the part that learns from others.
    fn learned(&self, options: &ease::Options) -> Result<Scores> {
        let neighbours = Neighbours::train(self.fit, options)?;
        let items = self.fit.items().len();
        let scored = |&profile: &usize| {
            let mut scores = vec![0.0; items];
            neighbours.fold_in(tastes(self.fit.row(profile), options.rating_slope), &mut scores);
            scores
        };
        Ok(self.profiles.iter().map(scored).collect())
    }

    fn choose_blend(&mut self, learned: &Scores, from: Settings) -> (Blend, f64) {
        let mut best = (from.blend, self.value(learned, &from));
        let try_one = |tuner: &mut Self, best: &mut (Blend, f64), blend| {
            let value = tuner.value(learned, &Settings { blend, ..from });
            if value > best.1 + LEAST_GAIN {
                *best = (blend, value);
            }
        };
        for half_life_days in HALF_LIVES {
            for popularity in POPULARITY {
                let blend = Blend { popularity, half_life_days, ..from.blend };
                try_one(self, &mut best, blend);
            }
        }
        for content in CONTENT {
            let blend = Blend { content, ..best.0 };
            try_one(self, &mut best, blend);
        }
        best
    }

    /// Mean NDCG@10 of what is held back.
    fn value(&mut self, learned: &Scores, settings: &Settings) -> f64 {
        let Blend { popularity, content, half_life_days } = settings.blend;
        let popular = self.popular(half_life_days);
        let mut sum = 0.0;
        for (&profile, learned) in self.profiles.iter().zip(learned) {
            let row = self.fit.row(profile);
            let mut scores = learned.clone();
            for (score, value) in scores.iter_mut().zip(&self.popularity[popular].1) {
                *score += popularity * value;
            }
            if content != 0.0 {
                let likeness = self.content.fold_in(tastes(row, settings.ease.rating_slope));
                for (score, value) in scores.iter_mut().zip(likeness) {
                    *score += content * value;
                }
            }
            row.iter().for_each(|entry| scores[entry.item as usize] = f32::NEG_INFINITY);
            let ranked: Vec<u32> = best(&scores, 10, |_| true).iter().map(|r| r.0).collect();
            sum += metrics::ndcg(&ranked, self.held.row(profile), 10);
        }
        sum / self.profiles.len() as f64
    }

    /// The place of the popularity of this half-life, which is made where it is missing.
    fn popular(&mut self, half_life_days: f32) -> usize {
        if let Some(at) = self.popularity.iter().position(|(days, _)| *days == half_life_days) {
            return at;
        }
        let half_life = f64::from(half_life_days) * SECONDS_PER_DAY;
        self.popularity.push((half_life_days, decayed(self.fit, self.now, half_life)));
        self.popularity.len() - 1
    }
}
