//! What there is to watch.

use super::Result;
use crate::{
    clock::UnixTime,
    web::{
        text::{Codec, Language, Line, Link, Prose, Region, Slug},
        whole,
    },
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The highest age rating there is.
pub const MOST_MATURE: u8 = 21;

/// The longest that something plays, in seconds: eleven days.
pub const LONGEST: u32 = 1_000_000;

/// A film or a series, as an editor writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// Names it; no title and no episode has the same.
    pub id: Slug,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Line,
    /// Its name where it comes from, if that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_name: Option<Line>,
    /// What it is about.
    #[serde(default = "no_prose")]
    pub synopsis: Prose,
    /// The year it came out.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1880, maximum = 2200)]
    pub year: Option<u16>,
    /// The age in years from which on it may be seen.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 21)]
    pub maturity: u8,
    /// Its genres, the main one first.
    #[serde(default)]
    #[schema(max_items = 16)]
    pub genres: Vec<Slug>,
    /// Who made it and who plays in it.
    #[serde(default)]
    #[schema(max_items = 200)]
    pub people: Vec<Person>,
    /// Its pictures.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub artwork: Vec<Artwork>,
    /// The languages it is spoken in.
    #[serde(default)]
    #[schema(max_items = 60)]
    pub audio_languages: Vec<Language>,
    /// The languages it is subtitled in.
    #[serde(default)]
    #[schema(max_items = 60)]
    pub subtitle_languages: Vec<Language>,
    /// Where and when it may be seen; everywhere and always if that is not said, and nowhere if it is empty.
    #[serde(default = "everywhere")]
    #[schema(max_items = 100)]
    pub availability: Vec<Window>,
    /// What a film plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
    /// What a series is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 100)]
    pub seasons: Vec<Season>,
}

/// What a title is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It plays by itself.
    Film,
    /// Its episodes play.
    Series,
}

/// Someone who took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Their name.
    pub name: Line,
    /// What they did.
    pub role: PersonRole,
    /// Whom they play.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub character: Option<Line>,
}

/// What someone did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum PersonRole {
    Actor,
    Director,
    Writer,
    Producer,
    Composer,
    Creator,
}

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Artwork {
    /// What it is for.
    pub kind: ArtworkKind,
    /// Where it is.
    pub url: Link,
    /// Pixels across.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 65535)]
    pub width: u16,
    /// Pixels down.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 65535)]
    pub height: u16,
}

/// What a picture is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum ArtworkKind {
    Poster,
    Backdrop,
    Logo,
    Still,
}

/// Where and when something may be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where; everywhere if there is none.
    #[serde(default)]
    #[schema(max_items = 300)]
    pub regions: Vec<Region>,
    /// From when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<DateTime<Utc>>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<DateTime<Utc>>,
}

impl Window {
    /// Whether a view looks through it.
    pub fn includes(&self, view: &View) -> bool {
        let here = self.regions.is_empty()
            || self.regions.iter().any(|region| region.as_str() == view.region);
        here && self.from.is_none_or(|from| from.timestamp() <= view.now.0)
            && self.until.is_none_or(|until| until.timestamp() > view.now.0)
    }
}

/// What plays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// How long it is.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub duration_seconds: u32,
    /// Its HLS multivariant playlist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hls: Option<Link>,
    /// Its DASH manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dash: Option<Link>,
    /// The package of the library that it plays. Its manifests are written for each playback, and take the place of
    /// the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Slug>,
    /// Small pictures along its length: a WebVTT track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnails: Option<Link>,
    /// The codings that its pictures are to be had in, as the first parts of RFC 6381's names; not told if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub video_codecs: Vec<Codec>,
    /// The same of its sound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audio_codecs: Vec<Codec>,
}

impl Media {
    /// Whether a device that plays these codings can play it: in one of its pictures' and in one of its sound's, as far
    /// as either side tells of them.
    pub fn plays_on(&self, codecs: &[Codec]) -> bool {
        let one_of = |own: &[Codec]| {
            codecs.is_empty() || own.is_empty() || own.iter().any(|codec| codecs.contains(codec))
        };
        one_of(&self.video_codecs) && one_of(&self.audio_codecs)
    }

    /// Whether there is something to play.
    pub fn plays(&self) -> bool {
        self.hls.is_some() || self.dash.is_some() || self.package.is_some()
    }
}

/// A season of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// Its number.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 65535)]
    pub number: u16,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Line>,
    /// Its episodes, in the order to watch them.
    #[schema(max_items = 500)]
    pub episodes: Vec<Episode>,
}

/// An episode of a series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// Names it; no title and no episode has the same.
    pub id: Slug,
    /// Its number in the season.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 65535)]
    pub number: u16,
    /// Its name.
    pub name: Line,
    /// What happens.
    #[serde(default = "no_prose")]
    pub synopsis: Prose,
    /// The age from which on it may be seen, where that is above the series'.
    #[serde(
        default,
        deserialize_with = "whole::optional",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 0, maximum = 21)]
    pub maturity: Option<u8>,
    /// What plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
}

fn everywhere() -> Vec<Window> {
    vec![Window::default()]
}

#[expect(clippy::expect_used, reason = "an empty text keeps every rule of prose")]
fn no_prose() -> Prose {
    Prose::try_from(String::new()).expect("empty prose")
}

/// Why a title makes no sense: where in it, and what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {reason}")]
pub struct Nonsense {
    /// A JSON pointer.
    pub pointer: String,
    /// What is wrong.
    pub reason: &'static str,
}

impl Title {
    /// Checks what the parts alone do not tell.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), Nonsense> {
        let refuse = |pointer: &str, reason| Err(Nonsense { pointer: pointer.to_owned(), reason });
        let film = self.kind == Kind::Film;
        if film && !self.seasons.is_empty() {
            return refuse("/seasons", "a film has no seasons");
        }
        if !film && self.media.is_some() {
            return refuse("/media", "a series plays by its episodes");
        }
        if self.maturity > MOST_MATURE {
            return refuse("/maturity", "at most 21");
        }
        if self.year.is_some_and(|year| !(1880..=2200).contains(&year)) {
            return refuse("/year", "between 1880 and 2200");
        }
        if self.artwork.iter().any(|picture| picture.width == 0 || picture.height == 0) {
            return refuse("/artwork", "a picture has at least one pixel");
        }
        let empty =
            |window: &Window| matches!((window.from, window.until), (Some(a), Some(b)) if a >= b);
        if self.availability.iter().any(empty) {
            return refuse("/availability", "a window ends after it begins");
        }
        for (pointer, length, most) in [
            ("/genres", self.genres.len(), 16),
            ("/people", self.people.len(), 200),
            ("/artwork", self.artwork.len(), 50),
            ("/audio_languages", self.audio_languages.len(), 60),
            ("/subtitle_languages", self.subtitle_languages.len(), 60),
            ("/availability", self.availability.len(), 100),
            ("/seasons", self.seasons.len(), 100),
        ] {
            if length > most {
                return refuse(pointer, "there are too many");
            }
        }
        if self.availability.iter().any(|window| window.regions.len() > 300) {
            return refuse("/availability", "a window has too many regions");
        }
        let mut ids = BTreeSet::from([self.id.as_str()]);
        let mut media: Vec<&Media> = self.media.iter().collect();
        for season in &self.seasons {
            if season.episodes.len() > 500 {
                return refuse("/seasons", "a season has too many episodes");
            }
            for episode in &season.episodes {
                if !ids.insert(episode.id.as_str()) {
                    return refuse(
                        "/seasons",
                        "two episodes, or one and the series, have the same id",
                    );
                }
                if episode.maturity.is_some_and(|maturity| maturity > MOST_MATURE) {
                    return refuse("/seasons", "a maturity is at most 21");
                }
                media.extend(&episode.media);
            }
        }
        if !media.iter().all(|media| (1..=LONGEST).contains(&media.duration_seconds)) {
            return refuse("/media/duration_seconds", "between 1 and 1 000 000 seconds");
        }
        Ok(())
    }

    /// What plays, in the order to watch it, with the season it is of and the age from which on it may be
    /// seen.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        let film = (self.kind == Kind::Film).then_some(Item {
            id: &self.id,
            episode: None,
            maturity: self.maturity,
            media: self.media.as_ref(),
        });
        let episodes = self.seasons.iter().flat_map(move |season| {
            season.episodes.iter().map(move |episode| Item {
                id: &episode.id,
                episode: Some((season.number, episode)),
                maturity: episode.maturity.unwrap_or(0).max(self.maturity),
                media: episode.media.as_ref(),
            })
        });
        film.into_iter().chain(episodes)
    }
}

/// One thing that plays.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Its id.
    pub id: &'a Slug,
    /// The episode, and the number of the season it is of.
    pub episode: Option<(u16, &'a Episode)>,
    /// The age from which on it may be seen.
    pub maturity: u8,
    /// What plays, if it is there already.
    pub media: Option<&'a Media>,
}

/// A title in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Summary {
    /// Names it.
    pub id: Slug,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: Line,
    /// The year it came out.
    pub year: Option<u16>,
    /// The age from which on it may be seen.
    pub maturity: u8,
    /// Its genres, the main one first.
    pub genres: Vec<Slug>,
    /// Its pictures.
    pub artwork: Vec<Artwork>,
}

impl From<Title> for Summary {
    fn from(title: Title) -> Self {
        let Title { id, kind, name, year, maturity, genres, artwork, .. } = title;
        Self { id, kind, name, year, maturity, genres, artwork }
    }
}

/// Whose eyes see the catalogue: what they may not see is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The highest age rating.
    pub maturity_limit: u8,
    /// Where.
    pub region: String,
    /// When.
    pub now: UnixTime,
}

/// Which titles are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this genre.
    pub genre: Option<Slug>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Spoken in this language.
    pub audio_language: Option<Language>,
}

/// In which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Those that came last first.
    #[default]
    Newest,
    /// By name.
    Name,
}

/// Some titles, and where those after them begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The titles.
    pub titles: Vec<Summary>,
    /// What to ask for the next with, if there are more.
    pub next: Option<String>,
}

/// What came of writing titles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// They are there; so many of them are new.
    Done {
        /// How many were not there before.
        new: usize,
    },
    /// Nothing is changed: this id belongs to another title.
    Taken(String),
}

/// The catalogue.
///
/// Every reading call but those of drafts takes a [`View`] and answers as if nothing else were there.
#[async_trait]
pub trait Catalogue: Send + Sync + 'static {
    /// Writes titles, in place of those of the same ids: all of them or none.
    async fn put(&self, titles: Vec<Title>, now: UnixTime) -> Result<Put>;
    /// Removes a title; false when there is none.
    async fn remove(&self, id: &str) -> Result<bool>;
    /// A title as its editor wrote it.
    async fn draft(&self, id: &str) -> Result<Option<Title>>;
    /// At most `most` titles as their editors wrote them, by id, of those whose ids come after that one.
    async fn drafts(&self, after: Option<&str>, most: usize) -> Result<Vec<Title>>;
    /// A number that another one follows with every change of any title.
    async fn revision(&self) -> Result<u64>;

    /// A title, with those of its episodes that may be seen.
    async fn title(&self, id: &str, view: &View) -> Result<Option<Title>>;
    /// The title that an item of this id belongs to, if the item may be seen: a film, or the series of an
    /// episode, with those of its episodes that may be seen.
    async fn title_of(&self, item: &str, view: &View) -> Result<Option<Title>>;
    /// At most `most` titles, from where the page before ended. What `after` says is not checked by the caller:
    /// a text that no page gave begins anywhere.
    async fn browse(
        &self,
        filter: &Filter,
        order: Order,
        view: &View,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page>;
    /// At most `most` titles that a text finds: by the beginnings of words in names, people and synopses, the
    /// best first, and by words that are spelt nearly so when there is none of them.
    async fn search(&self, text: &str, view: &View, most: usize) -> Result<Vec<Summary>>;
    /// The genres there are, with the number of titles, the commonest first.
    async fn genres(&self, view: &View) -> Result<Vec<(Slug, u64)>>;
    /// Those of the titles that may be seen, in the order of their ids here.
    async fn some(&self, ids: &[String], view: &View) -> Result<Vec<Summary>>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}
