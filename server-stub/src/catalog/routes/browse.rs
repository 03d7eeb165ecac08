//! Looking around.

use super::mine::{Started, started};
use crate::{
    catalog::Catalog,
    storage::{
        catalogue::{Artwork, Filter, Kind, Order, Person, Summary, Title, View},
        history::{Position, Rating},
    },
    token::Viewer,
    web::{
        extract::{Path, Query},
        problem::{Document, Problem},
        text::{Cursor, Language, Line, Prose, Slug},
    },
};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Titles of a row.
const ROW: usize = 20;
/// Rows by genre.
const GENRE_ROWS: usize = 8;

/// Titles that go together.
#[derive(Serialize, ToSchema)]
pub(super) struct Row {
    /// Names the row: `continue-watching`, `my-list`, `new`, or `genre-` and a genre.
    id: String,
    /// The titles.
    titles: Vec<Summary>,
    /// Where the profile stopped, for the row of what it has begun; in the order of the titles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    started: Vec<Started>,
}

/// The rows of the first page
///
/// What the profile has begun, its list, what is new, and the genres with the most titles; a row without
/// titles is left out.
#[utoipa::path(
    get, path = "/v1/catalog/rows", tag = "catalog", security(("bearer" = [])),
    responses(
        (status = 200, description = "The rows", body = [Row]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn rows(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
) -> Result<Json<Vec<Row>>, Problem> {
    let parts = &catalog.0;
    let view = parts.view(&claims, &profile);
    let started = started(&*parts.catalogue, &*parts.history, &profile.id, &view, ROW).await?;
    let mut rows = vec![Row {
        id: "continue-watching".to_owned(),
        titles: started.iter().map(|started| started.title().clone()).collect(),
        started,
    }];
    let mut add = |id: &str, titles| rows.push(Row { id: id.to_owned(), titles, started: vec![] });
    let mut listed = parts.history.listed(&profile.id).await?;
    listed.truncate(ROW);
    add("my-list", parts.catalogue.some(&listed, &view).await?);
    let everything = Filter::default();
    let newest = parts.catalogue.browse(&everything, Order::Newest, &view, None, ROW).await?;
    add("new", newest.titles);
    for (genre, _) in parts.catalogue.genres(&view).await?.into_iter().take(GENRE_ROWS) {
        let id = format!("genre-{}", genre.as_str());
        let filter = Filter { genre: Some(genre), ..Filter::default() };
        let page = parts.catalogue.browse(&filter, Order::Newest, &view, None, ROW).await?;
        add(&id, page.titles);
    }
    rows.retain(|row| !row.titles.is_empty());
    Ok(Json(rows))
}

/// Which titles, in which order, from where.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Browse {
    /// Of this genre.
    genre: Option<Slug>,
    /// Of this kind.
    kind: Option<Kind>,
    /// Spoken in this language.
    audio_language: Option<Language>,
    /// In this order.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// From where the page before ended, as its `next` says.
    #[param(inline)]
    after: Option<Cursor>,
    /// At most so many.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 50)]
    limit: usize,
}

fn usual() -> usize {
    ROW
}

/// How many are asked for at once.
fn limited(limit: usize) -> Result<usize, Problem> {
    if (1..=50).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::value("limit", "between 1 and 50"))
}

/// Some of the titles.
#[derive(Serialize, ToSchema)]
pub(super) struct Titles {
    /// The titles.
    titles: Vec<Summary>,
    /// What to ask for the next with, as `after`, if there are more.
    next: Option<String>,
}

/// The titles, page by page
#[utoipa::path(
    get, path = "/v1/catalog/titles", tag = "catalog", security(("bearer" = [])),
    params(Browse),
    responses(
        (status = 200, description = "A page", body = Titles),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn titles(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
    Query(asked): Query<Browse>,
) -> Result<Json<Titles>, Problem> {
    let Browse { genre, kind, audio_language, order, after, limit } = asked;
    let most = limited(limit)?;
    let filter = Filter { genre, kind, audio_language };
    let view = catalog.0.view(&claims, &profile);
    let after = after.as_ref().map(Cursor::as_str);
    let page = catalog.0.catalogue.browse(&filter, order, &view, after, most).await?;
    Ok(Json(Titles { titles: page.titles, next: page.next }))
}

/// What to look for.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Words, or how they begin.
    #[param(max_length = 200)]
    q: String,
    /// At most so many titles.
    #[serde(default = "usual")]
    #[param(minimum = 1, maximum = 50)]
    limit: usize,
}

/// Find titles
///
/// By the beginnings of words in names, people and synopses; and by words that are spelt nearly so, if there is
/// nothing else.
#[utoipa::path(
    get, path = "/v1/catalog/search", tag = "catalog", security(("bearer" = [])),
    params(Search),
    responses(
        (status = 200, description = "What was found, the best first", body = [Summary]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn search(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
    Query(asked): Query<Search>,
) -> Result<Json<Vec<Summary>>, Problem> {
    let Search { q, limit } = asked;
    let most = limited(limit)?;
    if q.chars().count() > 200 {
        return Err(Problem::value("q", "at most 200 characters"));
    }
    let view = catalog.0.view(&claims, &profile);
    Ok(Json(catalog.0.catalogue.search(&q, &view, most).await?))
}

/// A genre there is.
#[derive(Serialize, ToSchema)]
pub(super) struct Genre {
    /// Names it.
    id: Slug,
    /// How many titles it has for this profile.
    titles: u64,
}

/// The genres there are
#[utoipa::path(
    get, path = "/v1/catalog/genres", tag = "catalog", security(("bearer" = [])),
    responses(
        (status = 200, description = "The genres, the commonest first", body = [Genre]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn genres(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
) -> Result<Json<Vec<Genre>>, Problem> {
    let genres = catalog.0.catalogue.genres(&catalog.0.view(&claims, &profile)).await?;
    Ok(Json(genres.into_iter().map(|(id, titles)| Genre { id, titles }).collect()))
}

/// A film or a series, as a profile sees it.
#[derive(Serialize, ToSchema)]
pub(super) struct TitlePage {
    id: Slug,
    kind: Kind,
    name: Line,
    original_name: Option<Line>,
    synopsis: Prose,
    year: Option<u16>,
    /// The age from which on it may be seen.
    maturity: u8,
    genres: Vec<Slug>,
    people: Vec<Person>,
    artwork: Vec<Artwork>,
    audio_languages: Vec<Language>,
    subtitle_languages: Vec<Language>,
    /// What plays: a film itself, or the episodes of a series in the order to watch them.
    items: Vec<ItemPage>,
    /// Whether it is on the profile's list.
    listed: bool,
    /// What the profile thinks of it.
    rating: Option<Rating>,
}

/// Something that plays.
#[derive(Serialize, ToSchema)]
struct ItemPage {
    /// What to ask a playback for.
    id: Slug,
    /// Whether it can be played already.
    playable: bool,
    duration_seconds: Option<u32>,
    /// The age from which on it may be seen.
    maturity: u8,
    /// The season, of an episode.
    season: Option<u16>,
    /// The number in the season, of an episode.
    episode: Option<u16>,
    /// The name, of an episode.
    name: Option<Line>,
    /// What happens in an episode.
    synopsis: Option<Prose>,
    /// Where the profile stopped.
    position_seconds: Option<u32>,
    /// Whether the profile has watched it to its end.
    finished: bool,
}

/// One title
#[utoipa::path(
    get, path = "/v1/catalog/titles/{title}", tag = "catalog", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    responses(
        (status = 200, description = "The title", body = TitlePage),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn title(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
    Path(id): Path<Slug>,
) -> Result<Json<TitlePage>, Problem> {
    let parts = &catalog.0;
    let view: View = parts.view(&claims, &profile);
    let title = parts.catalogue.title(id.as_str(), &view).await?;
    let title = title.ok_or_else(|| Problem::not_found("title"))?;
    let positions = parts.history.positions(&profile.id, 1000).await?;
    let positions =
        positions.into_iter().map(|position| (position.item.clone(), position)).collect();
    let items = title_items(&title, &positions);
    let listed =
        parts.history.listed(&profile.id).await?.iter().any(|listed| listed == id.as_str());
    let ratings = parts.history.ratings(&profile.id, 10_000).await?;
    let rating = ratings.into_iter().find(|(rated, _)| rated == id.as_str());
    Ok(Json(TitlePage {
        id: title.id,
        kind: title.kind,
        name: title.name,
        original_name: title.original_name,
        synopsis: title.synopsis,
        year: title.year,
        maturity: title.maturity,
        genres: title.genres,
        people: title.people,
        artwork: title.artwork,
        audio_languages: title.audio_languages,
        subtitle_languages: title.subtitle_languages,
        items,
        listed,
        rating: rating.map(|(_, rating)| rating),
    }))
}

fn title_items(title: &Title, positions: &BTreeMap<String, Position>) -> Vec<ItemPage> {
    let page = |item: crate::storage::catalogue::Item<'_>| {
        let position = positions.get(item.id.as_str());
        let (season, episode) = item.episode.unzip();
        ItemPage {
            id: item.id.clone(),
            playable: item.media.is_some(),
            duration_seconds: item.media.map(|media| media.duration_seconds),
            maturity: item.maturity,
            season,
            episode: episode.map(|episode| episode.number),
            name: episode.map(|episode| episode.name.clone()),
            synopsis: episode.map(|episode| episode.synopsis.clone()),
            position_seconds: position.map(|position| position.seconds),
            finished: position.is_some_and(|position| position.finished),
        }
    };
    title.items().map(page).collect()
}
