//! The model: everything a request needs, in memory and immutable.

use super::{
    content::{Content, Title},
    ease::{self, Neighbours},
    popularity::decayed,
    preferences::{Entry, Preferences, tastes},
    {Error, Result},
};
use serde::{Deserialize, Serialize};

/// How much each part counts in the ranking. What is learned from other profiles counts one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// The weight of popularity.
    pub popularity: f32,
    /// The weight of likeness in content.
    pub content: f32,
    /// Half of an interaction's weight in popularity is gone after so many days.
    pub half_life_days: f32,
}

impl Default for Blend {
    fn default() -> Self {
        Self { popularity: 0.05, content: 0.1, half_life_days: 30.0 }
    }
}

/// What a model is trained with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Of the part that learns from other profiles.
    pub ease: ease::Options,
    /// Of the parts together.
    pub blend: Blend,
}

/// A trained model. Titles go by number; [`Model::number`] and [`Model::item`] translate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub(super) settings: Settings,
    pub(super) trained_at: i64,
    pub(super) profiles: u64,
    pub(super) entries: u64,
    pub(super) items: Vec<String>,
    pub(super) neighbours: Neighbours,
    /// How many profiles touched each title.
    pub(super) support: Vec<u32>,
    pub(super) popularity: Vec<f32>,
    pub(super) content: Content,
}

impl Model {
    /// Trains a model on all preferences. `now`, in seconds since 1970 UTC, is when popularity is measured.
    ///
    /// # Errors
    /// [`Error::Training`] when the preferences do not suffice.
    pub fn train(
        preferences: &Preferences,
        titles: &[Title],
        settings: Settings,
        now: i64,
    ) -> Result<Self> {
        Self::check_settings(&settings)?;
        let neighbours = Neighbours::train(preferences, &settings.ease)?;
        let content = Content::new(preferences.items(), titles);
        Ok(Self::assemble(preferences, neighbours, content, settings, now))
    }

    /// Puts parts together that were made of the same preferences.
    pub(super) fn assemble(
        preferences: &Preferences,
        neighbours: Neighbours,
        content: Content,
        settings: Settings,
        now: i64,
    ) -> Self {
        let mut support = vec![0; preferences.items().len()];
        preferences.rows().flatten().for_each(|entry| support[entry.item as usize] += 1);
        let half_life = f64::from(settings.blend.half_life_days) * 86_400.0;
        Self {
            settings,
            trained_at: now,
            profiles: preferences.rows().filter(|row| !row.is_empty()).count() as u64,
            entries: preferences.len() as u64,
            items: preferences.items().to_vec(),
            neighbours,
            support,
            popularity: decayed(preferences, now, half_life),
            content,
        }
    }

    /// What it was trained with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// When popularity was measured, seconds since 1970 UTC.
    pub fn trained_at(&self) -> i64 {
        self.trained_at
    }

    /// How many titles it knows.
    pub fn titles(&self) -> usize {
        self.items.len()
    }

    /// How many profiles and entries it was trained on.
    pub fn trained_on(&self) -> (u64, u64) {
        (self.profiles, self.entries)
    }

    /// The number of the title of this identifier.
    pub fn number(&self, item: &str) -> Option<u32> {
        self.items.binary_search_by(|known| known.as_str().cmp(item)).ok().map(|at| at as u32)
    }

    /// The identifier of the title of this number.
    pub fn item(&self, number: u32) -> Option<&str> {
        self.items.get(number as usize).map(String::as_str)
    }

    /// What this profile may like, a score for each title: higher is likelier, only the order means
    /// something. The history counts as it is now, whether or not the model was trained on it.
    pub fn scores(&self, history: &[Entry]) -> Vec<f32> {
        let tastes: Vec<_> = tastes(history, self.settings.ease.rating_slope).collect();
        let likeness = match self.settings.blend.content {
            0.0 => Vec::new(),
            _ => self.content.fold_in(tastes.iter().copied()),
        };
        self.blended(&tastes, &likeness)
    }

    /// The scores of a profile with these tastes, which is so like each title.
    pub(super) fn blended(&self, tastes: &[(u32, f32)], likeness: &[f32]) -> Vec<f32> {
        let Blend { popularity, content, .. } = self.settings.blend;
        let mut scores: Vec<f32> = self.popularity.iter().map(|value| value * popularity).collect();
        for (score, value) in scores.iter_mut().zip(likeness) {
            *score += content * value;
        }
        self.neighbours.fold_in(tastes.iter().copied(), &mut scores);
        scores
    }

    /// Says what is wrong with a model that was read from a file, if anything is.
    pub(super) fn check(&self) -> Result<(), String> {
        let titles = self.items.len();
        let sorted = |ids: &[String]| ids.windows(2).all(|pair| pair[0] < pair[1]);
        if !sorted(&self.items) || !sorted(&self.content.genres) {
            return Err("identifiers are out of order".into());
        }
        let Neighbours { offsets, items, weights } = &self.neighbours;
        let content = &self.content;
        let lengths = [
            self.support.len(),
            self.popularity.len(),
            content.vectors.len(),
            content.genres_of.len(),
            offsets.len().wrapping_sub(1),
        ];
        if lengths.iter().any(|&length| length != titles) || items.len() != weights.len() {
            return Err("its parts are of different sizes".into());
        }
        let rising = offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if !rising || offsets.first() != Some(&0) || offsets.last() != Some(&(items.len() as u32)) {
            return Err("its rows are out of order".into());
        }
        let features = content.postings.len();
        let within = |values: &[(u32, f32)], end| values.iter().all(|&(at, _)| (at as usize) < end);
        if items.iter().any(|&item| item as usize >= titles)
            || !content.postings.iter().all(|posting| within(posting, titles))
            || !content.vectors.iter().all(|vector| within(vector, features))
            || content.genres_of.iter().flatten().any(|&at| at as usize >= content.genres.len())
        {
            return Err("a number points at nothing".into());
        }
        let Settings { ease, blend } = &self.settings;
        let Blend { popularity, content: likeness, half_life_days } = *blend;
        let numbers = weights
            .iter()
            .chain(&self.popularity)
            .chain([&popularity, &likeness, &half_life_days, &ease.rating_slope])
            .chain(content.vectors.iter().chain(&content.postings).flatten().map(|(_, w)| w));
        if numbers.into_iter().any(|number| !number.is_finite()) {
            return Err("a weight is not a number".into());
        }
        Ok(())
    }

    /// As [`Error::Training`], where an option makes no sense.
    fn check_settings(settings: &Settings) -> Result<()> {
        let Settings { ease, blend } = settings;
        let refuse = |reason: &str| Err(Error::Training { reason: reason.to_owned() });
        if !(ease.regularisation > 0.0 && ease.regularisation.is_finite()) {
            return refuse("the regularisation must be greater than zero");
        }
        if !(blend.half_life_days > 0.0 && blend.half_life_days.is_finite()) {
            return refuse("the half-life must be greater than zero");
        }
        Ok(())
    }
}
