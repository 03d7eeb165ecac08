//! Something to look at: a household, a catalogue of films in the public domain, and an audience that has watched them.
//!
//! The audience is drawn from a seed, so that the same seed gives the same rows. Seeding again changes nothing but what
//! is missing.

mod audience;

use crate::{
    Error, Result,
    auth::{self, config::HashCost},
    catalog::import,
    clock::UnixTime,
    id::{AccountId, ProfileId},
    roles::Data,
    rows::learning::gather,
    storage::{
        Accounts, Catalogue, EventLog, History,
        accounts::{Account, Profile},
        catalogue::{Media, Put, Title},
        event_log::Appended,
        history::{Position, Rating},
        sqlite::{SqliteAccounts, SqliteCatalogue, SqliteHistory},
    },
    web::text::{Email, Slug},
};

/// What to seed with.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the household signs in with.
    pub email: Email,
    /// And its password.
    pub password: String,
    /// Where it is.
    pub region: String,
    /// Whether it may edit the catalogue.
    pub admin: bool,
    /// How many others have watched.
    pub viewers: u32,
    /// What the audience is drawn from.
    pub seed: u64,
    /// What every title plays that has nothing of its own to play.
    pub media: Option<Media>,
    /// Titles of the catalogue that the household has on its lists besides; the last one comes first.
    pub listed: Vec<Slug>,
    /// The time.
    pub now: UnixTime,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Seeded {
    /// The household's profiles by name.
    pub profiles: Vec<(String, ProfileId)>,
    /// Titles of the catalogue that seeding knows.
    pub titles: usize,
    /// Events of the audience that were not there before.
    pub events: usize,
    /// The model that was trained on them.
    pub model: String,
}

/// The profiles of the household.
const GROWN_UP: &str = "Robin";
const CHILD: &str = "Kim";
/// The age up to which films are for the grown-up: any.
const GROWN_UP_LIMIT: u8 = 21;
/// The age up to which films are for the child.
const CHILD_LIMIT: u8 = 6;

/// The titles.
///
/// # Panics
/// Never: a test reads them.
#[expect(clippy::expect_used, reason = "it is a part of the program")]
pub fn catalogue() -> Vec<Title> {
    import::json(include_bytes!("catalogue.json")).expect("the seed's catalogue")
}

/// Seeds a service's data, beside the running service or without one.
///
/// # Errors
/// When the data cannot be used, or titles of the same ids belong to others.
pub async fn seed(data: &Data, options: &Options) -> Result<Seeded> {
    let directory = &data.directory;
    let catalogue = SqliteCatalogue::open(directory).await?;
    let titles = titles(&catalogue, options).await?;
    let accounts = SqliteAccounts::open(directory).await?;
    let profiles = household(&accounts, options).await?;
    let history = SqliteHistory::open(directory).await?;
    remember(&history, &titles, &profiles, options.now).await?;
    for title in &options.listed {
        if catalogue.draft(title.as_str()).await?.is_none() {
            let reason = format!("there is no title {:?}", title.as_str());
            return Err(Error::Option { flag: "--list", reason });
        }
        for (_, profile) in &profiles {
            history.list(profile, title.as_str(), 500).await?;
        }
    }
    let log = data.event_log().await?;
    let mut events = 0;
    for batch in audience::watched(&titles, options).chunks(1000) {
        let appended = log.append(batch.to_vec(), options.now).await?;
        events += appended.iter().filter(|one| **one != Appended::Known).count();
    }
    let lessons = gather(&log, &history, &catalogue).await?;
    let model = lessons.train(options.now.0, |_| {})?;
    let model = data.models().await?.publish(&model).await?;
    Ok(Seeded { profiles, titles: titles.len(), events, model })
}

/// Enters the titles. What one of them plays already, it goes on playing.
async fn titles(catalogue: &dyn Catalogue, options: &Options) -> Result<Vec<Title>> {
    let mut titles = self::catalogue();
    for title in &mut titles {
        let known = catalogue.draft(title.id.as_str()).await?;
        let plays = |item: &str| {
            let item = known.as_ref()?.items().find(|one| one.id.as_str() == item)?;
            item.media.filter(|media| media.plays()).cloned()
        };
        if title.seasons.is_empty() {
            title.media = plays(title.id.as_str()).or_else(|| options.media.clone());
        }
        for episode in title.seasons.iter_mut().flat_map(|season| &mut season.episodes) {
            episode.media = plays(episode.id.as_str()).or_else(|| options.media.clone());
        }
        if let Some(known) = &known
            && title.artwork.is_empty()
        {
            title.artwork.clone_from(&known.artwork);
        }
    }
    match catalogue.put(titles.clone(), options.now).await? {
        Put::Done { .. } => Ok(titles),
        Put::Taken(id) => {
            let reason = format!("{id:?} belongs to another title; nothing was written");
            Err(Error::Source { source_name: "the seed's catalogue".to_owned(), reason })
        }
    }
}

/// Opens the account, unless there is one of that address, and its profiles.
async fn household(accounts: &dyn Accounts, options: &Options) -> Result<Vec<(String, ProfileId)>> {
    let email = options.email.normalised();
    let profile = |name: &str, kids, maturity_limit| {
        let (name, language) = (name.to_owned(), "en".to_owned());
        Profile { id: ProfileId::random(), name, kids, maturity_limit, language }
    };
    if accounts.by_email(&email).await?.is_none() {
        let password_hash = auth::password_hash(&options.password, &HashCost::default())
            .await
            .map_err(|reason| Error::Option { flag: "--password", reason })?;
        let account = Account {
            id: AccountId::random(),
            email: email.clone(),
            password_hash,
            region: options.region.clone(),
            admin: options.admin,
            plan: None,
            epoch: 0,
            created_at: options.now,
        };
        accounts.create(&account, &profile(GROWN_UP, false, GROWN_UP_LIMIT)).await?;
    }
    let Some(account) = accounts.by_email(&email).await? else {
        return Err(Error::NoAccount { email });
    };
    let mut profiles = Vec::new();
    for (name, kids, limit) in [(GROWN_UP, false, GROWN_UP_LIMIT), (CHILD, true, CHILD_LIMIT)] {
        let known = accounts.profiles(&account.id).await?;
        let id = match known.into_iter().find(|profile| profile.name == name) {
            Some(profile) => profile.id,
            None => {
                let profile = profile(name, kids, limit);
                accounts.add_profile(&account.id, &profile, 5).await?;
                profile.id
            }
        };
        profiles.push((name.to_owned(), id));
    }
    Ok(profiles)
}

/// What the household watched, how long ago in hours, and how much of it.
const WATCHED: [(&str, &str, u32, f32); 9] = [
    (GROWN_UP, "metropolis", 400, 1.0),
    (GROWN_UP, "the-general", 300, 1.0),
    (GROWN_UP, "woman-in-the-moon", 170, 1.0),
    (GROWN_UP, "sherlock-jr", 90, 1.0),
    (GROWN_UP, "detour", 30, 0.35),
    (GROWN_UP, "the-gold-rush", 5, 0.6),
    (CHILD, "steamboat-willie", 50, 1.0),
    (CHILD, "gertie-the-dinosaur", 26, 1.0),
    (CHILD, "the-adventures-of-prince-achmed", 4, 0.4),
];
const LISTED: [(&str, &str); 4] = [
    (GROWN_UP, "charade"),
    (GROWN_UP, "nosferatu"),
    (CHILD, "gullivers-travels"),
    (CHILD, "the-kid"),
];

/// Remembers what the household did. What it did since is later, and stays.
async fn remember(
    history: &dyn History,
    titles: &[Title],
    profiles: &[(String, ProfileId)],
    now: UnixTime,
) -> Result<()> {
    let profile =
        |name: &str| profiles.iter().find(|(known, _)| known == name).map(|(_, profile)| profile);
    for (name, item, hours, part) in WATCHED {
        let title = titles.iter().find(|title| title.id.as_str() == item);
        let Some((profile, title)) = profile(name).zip(title) else { continue };
        let length = title.media.as_ref().map_or(0, |media| media.duration_seconds);
        let at = UnixTime(now.0 - i64::from(hours) * 3600);
        let seconds = (length as f32 * part) as u32;
        // Without something to play there is no position in it.
        if history.position(profile, item).await?.is_none()
            && let Some(position) = Position::of(title, item, seconds, at)
        {
            history.set_position(profile, &position).await?;
        }
    }
    for (name, title) in LISTED {
        if let Some(profile) = profile(name) {
            history.list(profile, title, 500).await?;
        }
    }
    if let Some(profile) = profile(GROWN_UP) {
        history.rate(profile, "metropolis", Some(Rating::Love), now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_makes_sense() {
        let titles = catalogue();
        assert!(titles.len() > 60);
        let known = |id: &str| titles.iter().find(|title| title.id.as_str() == id);
        for (name, item, ..) in WATCHED {
            let title = known(item).unwrap();
            assert!(name != CHILD || title.maturity <= CHILD_LIMIT, "{item}");
        }
        assert!(LISTED.iter().all(|(_, title)| known(title).is_some()));
        for title in &titles {
            assert!(!title.synopsis.as_str().is_empty() && !title.genres.is_empty(), "{title:?}");
        }
    }

    #[tokio::test]
    async fn seeding_again_adds_nothing_and_takes_nothing_away() {
        let directory = tempfile::tempdir().unwrap();
        let data = Data::new(directory.path());
        let media = serde_json::json!({"duration_seconds": 600, "hls": "/film/master.m3u8"});
        let options = Options {
            email: "demo@example.org".parse().unwrap(),
            password: "watch a film".to_owned(),
            region: "DE".to_owned(),
            admin: true,
            viewers: 60,
            seed: 7,
            media: Some(serde_json::from_value(media).unwrap()),
            listed: vec!["metropolis".parse().unwrap(), "the-kid".parse().unwrap()],
            now: UnixTime(2_000_000_000),
        };
        let first = seed(&data, &options).await.unwrap();
        assert!(first.events > 300, "{first:?}");
        let history = SqliteHistory::open(directory.path()).await.unwrap();
        let grown_up = &first.profiles[0].1;
        let listed = history.listed(grown_up).await.unwrap();
        assert_eq!(listed[..2], ["the-kid", "metropolis"]);
        let mut watched = history.position(grown_up, "the-gold-rush").await.unwrap().unwrap();
        assert_eq!((watched.seconds, watched.finished), (360, false));
        (watched.seconds, watched.at) = (500, options.now.plus(10));
        history.set_position(grown_up, &watched).await.unwrap();
        let later = Options { now: options.now.plus(1000), ..options };
        let nonsense = Options { listed: vec!["nothing".parse().unwrap()], ..later.clone() };
        assert!(matches!(seed(&data, &nonsense).await, Err(Error::Option { flag: "--list", .. })));
        let again = seed(&data, &later).await.unwrap();
        assert_eq!((again.events, &again.profiles), (0, &first.profiles));
        let stays = history.position(grown_up, "the-gold-rush").await.unwrap().unwrap();
        assert_eq!(stays.seconds, 500);
    }
}
