//! Small models and preferences for tests.

use super::{Interaction, Kind, Model, Preferences, Settings, Title, ease};

/// A model of a few profiles, different for each `now`.
pub(super) fn trained(now: i64) -> Model {
    let settings = Settings {
        ease: ease::Options { regularisation: 10.0, ..ease::Options::default() },
        ..Settings::default()
    };
    Model::train(&preferences(now as u64, 12, 9), &titles(9), settings, now).unwrap()
}

/// Random preferences, always the same for one seed.
pub(super) fn preferences(seed: u64, profiles: usize, items: usize) -> Preferences {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut interactions = Vec::new();
    for profile in 0..profiles {
        for item in 0..items {
            if random.f32() < 0.4 {
                interactions.push(Ok(Interaction {
                    profile: format!("profile-{profile:03}"),
                    item: format!("title-{item:03}"),
                    at: random.i64(0..1_000_000),
                    kind: Kind::Watch,
                    weight: random.f32(),
                }));
            }
        }
    }
    let titles = titles(items).into_iter().map(|title| title.id);
    Preferences::collect(interactions, titles).unwrap()
}

/// Titles of two genres by turns.
pub(super) fn titles(items: usize) -> Vec<Title> {
    let genre = |item| if item % 2 == 0 { "Comedy" } else { "Drama" };
    (0..items)
        .map(|item| Title {
            id: format!("title-{item:03}"),
            title: format!("Title {item}"),
            genres: vec![genre(item).to_owned()],
            ..Title::default()
        })
        .collect()
}
