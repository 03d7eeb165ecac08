//! What is a profile's own: where it stopped, its list, its ratings.

use crate::{
    catalog::{Catalog, MOST_LISTED, Parts},
    id::ProfileId,
    storage::{
        Catalogue, History,
        catalogue::{LONGEST, Summary, View},
        history::{Position, Rating},
    },
    token::Viewer,
    web::{
        extract::{Json, Path},
        problem::{Code, Document, Problem},
        text::Slug,
        whole,
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// Titles that are looked through for those that go on.
const LOOKED_AT: usize = 200;

/// What a profile has begun, and what comes next of it.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct Started {
    /// The film or the series.
    title: Summary,
    /// What to play: the film, the episode it stopped in, or the one after that if it was watched to its end.
    item_id: Slug,
    /// The season, of an episode.
    season: Option<u16>,
    /// The number in the season, of an episode.
    episode: Option<u16>,
    /// Where to go on.
    position_seconds: u32,
    /// How long it is.
    duration_seconds: u32,
    /// When the profile last watched it, in seconds since 1970.
    watched_at: i64,
}

impl Started {
    /// The film or the series.
    pub(crate) fn title(&self) -> &Summary {
        &self.title
    }
}

/// What a profile has begun and not finished, the last first.
pub(crate) async fn started(
    catalogue: &dyn Catalogue,
    history: &dyn History,
    profile: &ProfileId,
    view: &View,
    most: usize,
) -> Result<Vec<Started>, Problem> {
    let mut titles = BTreeSet::new();
    let mut all = Vec::new();
    for position in history.positions(profile, LOOKED_AT).await? {
        if all.len() == most {
            break;
        }
        // The last position in a title tells where in it the profile is.
        if !titles.insert(position.title.clone()) {
            continue;
        }
        let Some(title) = catalogue.title(&position.title, view).await? else { continue };
        let playable = |item: &crate::storage::catalogue::Item<'_>| item.media.is_some();
        let mut items = title.items().skip_while(|item| item.id.as_str() != position.item);
        let item = match position.finished {
            false => items.next().filter(playable),
            true => items.skip(1).find(playable),
        };
        let Some((item, media)) = item.and_then(|item| Some((item, item.media?))) else { continue };
        let seconds = if position.finished { 0 } else { position.seconds };
        let (season, episode) = item.episode.unzip();
        all.push(Started {
            item_id: item.id.clone(),
            season,
            episode: episode.map(|episode| episode.number),
            position_seconds: seconds.min(media.duration_seconds),
            duration_seconds: media.duration_seconds,
            watched_at: position.at.0,
            title: title.clone().into(),
        });
    }
    Ok(all)
}

/// What the profile has begun
///
/// The last first; of a series, the episode to go on with.
#[utoipa::path(
    get, path = "/v1/continue-watching", tag = "catalog", security(("bearer" = [])),
    responses(
        (status = 200, description = "What was begun and not finished", body = [Started]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn continue_watching(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
) -> Result<axum::Json<Vec<Started>>, Problem> {
    let view = catalog.0.view(&claims, &profile);
    Ok(axum::Json(
        started(&*catalog.0.catalogue, &*catalog.0.history, &profile.id, &view, 50).await?,
    ))
}

/// Where the profile is in something that plays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPosition {
    /// How far it was watched; beyond the end counts as the end.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    seconds: u32,
}

/// Remember where the profile stopped
#[utoipa::path(
    put, path = "/v1/positions/{item}", tag = "catalog", security(("bearer" = [])),
    params(("item" = Slug, Path, description = "The film or the episode")),
    request_body = NewPosition,
    responses(
        (status = 204, description = "Remembered"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn set_position(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
    Path(id): Path<Slug>,
    Json(request): Json<NewPosition>,
) -> Result<StatusCode, Problem> {
    if request.seconds > LONGEST {
        return Err(Problem::value("/seconds", "nothing is that long"));
    }
    let parts = &catalog.0;
    let view = parts.view(&claims, &profile);
    let title = parts.catalogue.title_of(id.as_str(), &view).await?;
    let title = title.ok_or_else(|| Problem::not_found("film or episode"))?;
    let position = Position::of(&title, id.as_str(), request.seconds, view.now);
    let position = position.ok_or_else(|| Problem::not_found("film or episode that plays"))?;
    parts.history.set_position(&profile.id, &position).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a title out of what the profile has begun
///
/// What was watched before and is told later does not put it back.
#[utoipa::path(
    delete, path = "/v1/continue-watching/{title}", tag = "catalog", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The film or the series")),
    responses(
        (status = 204, description = "Forgotten"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn forget_title(
    State(catalog): State<Catalog>,
    Viewer { profile, .. }: Viewer,
    Path(id): Path<Slug>,
) -> Result<StatusCode, Problem> {
    let now = catalog.0.clock.now();
    match catalog.0.history.forget_title(&profile.id, id.as_str(), now).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("title that was begun")),
    }
}

/// The profile's list
#[utoipa::path(
    get, path = "/v1/my-list", tag = "catalog", security(("bearer" = [])),
    responses(
        (status = 200, description = "The titles, the last that was put there first", body = [Summary]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn listed(
    State(catalog): State<Catalog>,
    Viewer { claims, profile }: Viewer,
) -> Result<axum::Json<Vec<Summary>>, Problem> {
    let listed = catalog.0.history.listed(&profile.id).await?;
    let view = catalog.0.view(&claims, &profile);
    Ok(axum::Json(catalog.0.catalogue.some(&listed, &view).await?))
}

/// Put a title on the profile's list
#[utoipa::path(
    put, path = "/v1/my-list/{title}", tag = "catalog", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    responses(
        (status = 204, description = "It is there"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(catalog): State<Catalog>,
    viewer: Viewer,
    Path(id): Path<Slug>,
) -> Result<StatusCode, Problem> {
    seen(&catalog.0, &viewer, &id).await?;
    if !catalog.0.history.list(&viewer.profile.id, id.as_str(), MOST_LISTED).await? {
        let detail = format!("a list has at most {MOST_LISTED} titles");
        return Err(Problem::new(Code::Conflict, detail));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Take a title off the profile's list
#[utoipa::path(
    delete, path = "/v1/my-list/{title}", tag = "catalog", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn unlist(
    State(catalog): State<Catalog>,
    Viewer { profile, .. }: Viewer,
    Path(id): Path<Slug>,
) -> Result<StatusCode, Problem> {
    match catalog.0.history.unlist(&profile.id, id.as_str()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("title on the list")),
    }
}

/// What the profile thinks of a title.
#[derive(Serialize, ToSchema)]
pub(super) struct Rated {
    title_id: String,
    rating: Rating,
}

/// The profile's ratings
#[utoipa::path(
    get, path = "/v1/ratings", tag = "catalog", security(("bearer" = [])),
    responses(
        (status = 200, description = "The ratings, the last first", body = [Rated]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ratings(
    State(catalog): State<Catalog>,
    Viewer { profile, .. }: Viewer,
) -> Result<axum::Json<Vec<Rated>>, Problem> {
    let ratings = catalog.0.history.ratings(&profile.id, 1000).await?;
    let rated = ratings.into_iter().map(|(title_id, rating)| Rated { title_id, rating });
    Ok(axum::Json(rated.collect()))
}

/// What the profile thinks of a title from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRating {
    rating: Rating,
}

/// Rate a title
#[utoipa::path(
    put, path = "/v1/ratings/{title}", tag = "catalog", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    request_body = NewRating,
    responses(
        (status = 204, description = "Rated"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn rate(
    State(catalog): State<Catalog>,
    viewer: Viewer,
    Path(id): Path<Slug>,
    Json(request): Json<NewRating>,
) -> Result<StatusCode, Problem> {
    seen(&catalog.0, &viewer, &id).await?;
    let (profile, now) = (&viewer.profile.id, catalog.0.clock.now());
    catalog.0.history.rate(profile, id.as_str(), Some(request.rating), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a rating back
#[utoipa::path(
    delete, path = "/v1/ratings/{title}", tag = "catalog", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    responses(
        (status = 204, description = "There is none now"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn unrate(
    State(catalog): State<Catalog>,
    Viewer { profile, .. }: Viewer,
    Path(id): Path<Slug>,
) -> Result<StatusCode, Problem> {
    catalog.0.history.rate(&profile.id, id.as_str(), None, catalog.0.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a title that the profile may not see as one that does not exist.
async fn seen(parts: &Parts, viewer: &Viewer, id: &Slug) -> Result<(), Problem> {
    let view = parts.view(&viewer.claims, &viewer.profile);
    match parts.catalogue.title(id.as_str(), &view).await? {
        Some(_) => Ok(()),
        None => Err(Problem::not_found("title")),
    }
}
