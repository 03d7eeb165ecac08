//! What a model is trained on: what happened, what profiles did, and what the titles are about.

use crate::{
    events::{
        event::Happening,
        record::{Kept, What},
    },
    id::ProfileId,
    recommend::{
        self, Interaction, Kind, Model, Preferences, Settings,
        tune::{latest_tenth, tune},
    },
    storage::{
        Catalogue, EventLog, History,
        catalogue::Title,
        history::{MOST_POSITIONS, Rating},
    },
};
use std::collections::{BTreeMap, HashMap};

/// Records, profiles and titles that are read at once.
const AT_ONCE: usize = 1000;
/// Less of a title is no sign of anything.
const LEAST_WATCHED: f32 = 0.05;
/// A part of something of unknown length.
const UNKNOWN: f32 = 0.5;

/// What a model is trained on.
#[derive(Debug, Clone, Default)]
pub struct Lessons {
    /// What was done.
    pub interactions: Vec<Interaction>,
    /// What it was done to.
    pub titles: Vec<recommend::Title>,
}

impl Lessons {
    /// A model with the settings that foretell the latest tenth best. `progress` hears the NDCG@10 of each try.
    ///
    /// # Errors
    /// [`recommend::Error::Training`] when there is too little to learn from.
    pub fn train(self, now: i64, mut progress: impl FnMut(f64)) -> recommend::Result<Model> {
        let ids = self.titles.iter().map(|title| title.id.clone());
        let preferences = Preferences::collect(self.interactions.into_iter().map(Ok), ids)?;
        let mut settings = Settings::default();
        let (early, late) = latest_tenth(&preferences);
        if !early.is_empty() {
            settings = tune(&early, &late, &self.titles, settings, |_, value| progress(value))?;
        }
        Model::train(&preferences, &self.titles, settings, now)
    }
}

/// Reads all there is to learn from. Memory grows with the pairs of profile and title, not with the events.
///
/// # Errors
/// When the storage fails.
pub async fn gather(
    log: &dyn EventLog,
    history: &dyn History,
    catalogue: &dyn Catalogue,
) -> recommend::Result<Lessons> {
    let mut titles = Vec::new();
    let mut lengths = HashMap::new();
    while let page = catalogue.drafts(titles.last().map(id_of), AT_ONCE).await?
        && !page.is_empty()
    {
        page.iter().for_each(|title| lengths.extend(lengths_of(title)));
        titles.extend(page.into_iter().map(described));
    }
    let mut interactions = watched(log, history).await?;
    let mut last = None;
    while let page = history.profiles(last.as_ref(), AT_ONCE).await?
        && !page.is_empty()
    {
        for profile in &page {
            let length = |item: &str| lengths.get(item).copied();
            interactions.extend(done(history, profile, length).await?);
        }
        last = page.last().cloned();
    }
    Ok(Lessons { interactions, titles })
}

fn id_of(title: &recommend::Title) -> &str {
    &title.id
}

/// The most of each title that each profile watched, and when it last did, as the events tell. What profiles did that
/// have gone teaches nothing.
async fn watched(log: &dyn EventLog, history: &dyn History) -> recommend::Result<Vec<Interaction>> {
    let mut most: BTreeMap<String, BTreeMap<String, (f32, i64)>> = BTreeMap::new();
    let mut from = 0;
    while let page = log.read(from, AT_ONCE).await?
        && let Some(last) = page.last()
    {
        from = last.offset + 1;
        for record in &page {
            // What a later version wrote is not for this one.
            let Some(Kept {
                profile,
                title: Some(title),
                fraction: Some(fraction),
                at_ms,
                what,
                ..
            }) = Kept::read(&record.value)
            else {
                continue;
            };
            let told = matches!(
                what,
                What::Told(Happening::PlaybackProgressed { .. } | Happening::PlaybackEnded { .. })
            );
            if told && fraction >= LEAST_WATCHED {
                let at = at_ms.div_euclid(1000);
                let titles = most.entry(profile.into()).or_default();
                let (watched, last) = titles.entry(title.into()).or_insert((0.0, at));
                (*watched, *last) = (watched.max(fraction), at.max(*last));
            }
        }
    }
    let mut after = None;
    while let page = history.forgotten(after.as_ref(), AT_ONCE).await?
        && !page.is_empty()
    {
        for profile in &page {
            most.remove(profile.as_str());
        }
        after = page.last().cloned();
    }
    let interactions = most.into_iter().flat_map(|(profile, titles)| {
        titles.into_iter().map(move |(item, (weight, at))| Interaction {
            profile: profile.clone(),
            item,
            at,
            kind: Kind::Watch,
            weight: f32::min(weight, 1.0),
        })
    });
    Ok(interactions.collect())
}

/// What a profile did, as it is remembered. `length` says how many seconds an item plays.
///
/// # Errors
/// When the storage fails.
pub async fn done(
    history: &dyn History,
    profile: &ProfileId,
    length: impl Fn(&str) -> Option<u32>,
) -> recommend::Result<Vec<Interaction>> {
    let mut done = Vec::new();
    let mut touched: HashMap<String, i64> = HashMap::new();
    let interaction = |item: String, at, kind, weight| Interaction {
        profile: profile.to_string(),
        item,
        at,
        kind,
        weight,
    };
    for position in history.positions(profile, MOST_POSITIONS).await? {
        let weight = match (position.finished, length(&position.item)) {
            (true, _) => 1.0,
            (false, Some(length)) => (position.seconds as f32 / length.max(1) as f32).min(1.0),
            (false, None) => UNKNOWN,
        };
        if weight >= LEAST_WATCHED {
            let last = touched.entry(position.title.clone()).or_default();
            *last = position.at.0.max(*last);
            done.push(interaction(position.title, position.at.0, Kind::Watch, weight));
        }
    }
    // When it was listed or rated is not known; of what was done at one time, a rating counts last.
    let at = |item: &str| touched.get(item).copied().unwrap_or_default();
    for item in history.listed(profile).await? {
        done.push(interaction(item.clone(), at(&item), Kind::List, 1.0));
    }
    for (item, rating) in history.ratings(profile, MOST_POSITIONS).await? {
        let kind = match rating {
            Rating::Down => Kind::Dislike,
            Rating::Up | Rating::Love => Kind::Like,
        };
        done.push(interaction(item.clone(), at(&item), kind, 1.0));
    }
    Ok(done)
}

/// How many seconds each item of a title plays.
pub(super) fn lengths_of(title: &Title) -> Vec<(String, u32)> {
    let length = |item: crate::storage::catalogue::Item<'_>| {
        Some((item.id.as_str().to_owned(), item.media?.duration_seconds))
    };
    title.items().filter_map(length).collect()
}

/// A title as the recommender sees it.
fn described(title: Title) -> recommend::Title {
    recommend::Title {
        id: title.id.into(),
        title: title.name.into(),
        genres: title.genres.into_iter().map(String::from).collect(),
        people: title.people.into_iter().map(|person| person.name.into()).collect(),
        text: title.synopsis.into(),
        year: title.year.map(i32::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        platform::Platform,
        storage::{
            files::{FileLog, LogOptions},
            history::Position,
            sqlite::{SqliteCatalogue, SqliteHistory},
        },
    };

    const NOW: UnixTime = UnixTime(1_700_000_000);

    /// An event and a position of a profile.
    async fn watch(log: &FileLog, history: &SqliteHistory, profile: &ProfileId, item: &str) {
        let told = serde_json::json!({
            "event_id": item, "at_ms": 1, "type": "playback_progressed", "playback_id": "p",
            "item_id": item, "position_seconds": 60, "watched_ms": 60_000,
        });
        let event = crate::events::event::Event::read(told).unwrap();
        let kept = Kept {
            profile: profile.clone(),
            session: None,
            platform: Platform::Web,
            region: "DE".parse().unwrap(),
            at_ms: NOW.0 * 1000,
            title: Some(item.parse().unwrap()),
            fraction: Some(0.5),
            what: What::Told(event.what),
        };
        log.append(vec![kept.entry(&event.event_id)], NOW).await.unwrap();
        let (item, title) = (item.to_owned(), item.to_owned());
        let position = Position { item, title, seconds: 60, finished: true, at: NOW };
        history.set_position(profile, &position).await.unwrap();
    }

    /// What a household did that has closed its account stays in the log until it is old, and counts no more.
    #[tokio::test]
    async fn nothing_is_learnt_from_who_has_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let log = FileLog::open(&path.join("events"), LogOptions::default()).await.unwrap();
        let history = SqliteHistory::open(path).await.unwrap();
        let catalogue = SqliteCatalogue::open(path).await.unwrap();
        let [gone, stays] = [ProfileId::random(), ProfileId::random()];
        for profile in [&gone, &stays] {
            watch(&log, &history, profile, "film").await;
        }
        let learnt = async || {
            let lessons = gather(&log, &history, &catalogue).await.unwrap();
            let mut of: Vec<(String, String)> =
                lessons.interactions.into_iter().map(|one| (one.profile, one.item)).collect();
            of.sort();
            of.dedup();
            of
        };
        assert_eq!(learnt().await.len(), 2);
        history.forget(&gone, NOW).await.unwrap();
        // A device of the household has a token for some minutes yet.
        watch(&log, &history, &gone, "another").await;
        assert_eq!(learnt().await, [(stays.to_string(), "film".to_owned())]);
    }
}
