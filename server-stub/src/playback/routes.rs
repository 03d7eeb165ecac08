//! The role's HTTP.

use super::{
    Playback,
    streams::{HEARTBEAT, LEASE, Lease},
};
use crate::{
    clock::UnixTime,
    id::PlaybackId,
    storage::{
        catalogue::{LONGEST, View},
        history::Position,
    },
    token::{Adult, Viewer},
    web::{
        extract::{Json, Path},
        problem::{Code, Document, Problem},
        text::{Link, Slug},
        whole,
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<Playback> {
    OpenApiRouter::new()
        .routes(routes!(begin))
        .routes(routes!(heartbeat))
        .routes(routes!(end))
        .routes(routes!(list))
}

/// What a player needs to begin.
#[derive(Serialize, ToSchema)]
struct PlaybackStart {
    /// Names the playback, in its heartbeats.
    playback_id: PlaybackId,
    /// The film or the series.
    title_id: Slug,
    /// The HLS multivariant playlist.
    hls: Option<Link>,
    /// The DASH manifest.
    dash: Option<Link>,
    /// How long it is.
    duration_seconds: u32,
    /// Where the profile stopped; 0 if it has not begun, or was at the end.
    resume_seconds: u32,
    /// Seconds between two heartbeats.
    heartbeat_interval: u32,
    /// Seconds without a heartbeat after which the playback has ended.
    lease_seconds: u32,
}

/// Begin to play a film or an episode
///
/// The device takes one of the account's streams, in place of the one it had. It keeps it as long as it sends
/// heartbeats.
#[utoipa::path(
    post, path = "/v1/playback/{item}", tag = "playback", security(("bearer" = [])),
    params(("item" = Slug, Path, description = "The film or the episode")),
    responses(
        (status = 201, description = "Play", body = PlaybackStart),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn begin(
    State(playback): State<Playback>,
    Viewer { claims, profile }: Viewer,
    Path(id): Path<Slug>,
) -> Result<(StatusCode, axum::Json<PlaybackStart>), Problem> {
    let (parts, now) = (&playback.0.parts, playback.0.parts.clock.now());
    let view = View { maturity_limit: profile.maturity_limit, region: claims.region.clone(), now };
    let missing = || Problem::not_found("film or episode that plays");
    let title = parts.catalogue.title_of(id.as_str(), &view).await?.ok_or_else(missing)?;
    let media = title.items().find(|item| *item.id == id).and_then(|item| item.media);
    let media = media.filter(|media| media.hls.is_some() || media.dash.is_some());
    let media = media.ok_or_else(missing)?.clone();
    let position = parts.history.position(&profile.id, id.as_str()).await?;
    let resume = position.filter(|position| !position.finished).map(|position| position.seconds);
    let most = parts.most_streams;
    let lease = playback.0.streams.begin(&claims.sub, &claims.sid, id.as_str(), most, now).await?;
    let Some(Lease { id: playback_id, .. }) = lease else {
        let detail = format!("{most} devices play already; GET /v1/playbacks says what");
        return Err(Problem::new(Code::TooManyStreams, detail));
    };
    let begun = PlaybackStart {
        playback_id,
        title_id: title.id,
        hls: media.hls,
        dash: media.dash,
        duration_seconds: media.duration_seconds,
        resume_seconds: resume.unwrap_or(0).min(media.duration_seconds),
        heartbeat_interval: HEARTBEAT,
        lease_seconds: LEASE,
    };
    Ok((StatusCode::CREATED, axum::Json(begun)))
}

/// How a playback goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Heartbeat {
    /// How far it was watched.
    #[serde(deserialize_with = "whole::required")]
    #[schema(minimum = 0, maximum = 1_000_000)]
    position_seconds: u32,
}

/// Go on playing, and remember where
#[utoipa::path(
    post, path = "/v1/playbacks/{playback}/heartbeat", tag = "playback", security(("bearer" = [])),
    params(("playback" = PlaybackId, Path, description = "The playback")),
    request_body = Heartbeat,
    responses(
        (status = 204, description = "Go on"),
        (status = 404, description = "It has ended: begin again", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn heartbeat(
    State(playback): State<Playback>,
    Viewer { claims, profile }: Viewer,
    Path(id): Path<PlaybackId>,
    Json(Heartbeat { position_seconds }): Json<Heartbeat>,
) -> Result<StatusCode, Problem> {
    if position_seconds > LONGEST {
        return Err(Problem::value("/position_seconds", "nothing is that long"));
    }
    let (parts, now) = (&playback.0.parts, playback.0.parts.clock.now());
    let lease = playback.0.streams.renew(&claims.sub, &claims.sid, &id, now).await?;
    let lease = lease.ok_or_else(ended)?;
    let view = View { maturity_limit: profile.maturity_limit, region: claims.region.clone(), now };
    // What may not be seen any more does not go on: the title was taken away, or the profile changed.
    let title = parts.catalogue.title_of(&lease.item, &view).await?.ok_or_else(ended)?;
    if let Some(position) = Position::of(&title, &lease.item, position_seconds, now) {
        parts.history.set_position(&profile.id, &position).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn ended() -> Problem {
    Problem::new(Code::PlaybackEnded, "this playback has ended; begin again")
}

/// End a playback
///
/// Of this device, or of another of the account.
#[utoipa::path(
    delete, path = "/v1/playbacks/{playback}", tag = "playback", security(("bearer" = [])),
    params(("playback" = PlaybackId, Path, description = "The playback")),
    responses(
        (status = 204, description = "It has ended"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn end(
    State(playback): State<Playback>,
    Viewer { claims, .. }: Viewer,
    Path(id): Path<PlaybackId>,
) -> Result<StatusCode, Problem> {
    let now = playback.0.parts.clock.now();
    match playback.0.streams.end(&claims.sub, &id, now).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("playback")),
    }
}

/// A device of the account that plays.
#[derive(Serialize, ToSchema)]
struct Playing {
    playback_id: PlaybackId,
    /// The film or the episode.
    item_id: String,
    /// Whether it is the device that asks.
    this_device: bool,
    /// When it ends without a heartbeat, in seconds since 1970.
    expires_at: UnixTime,
}

/// What the account plays
#[utoipa::path(
    get, path = "/v1/playbacks", tag = "playback", security(("bearer" = [])),
    responses(
        (status = 200, description = "Each device that plays", body = [Playing]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn list(
    State(playback): State<Playback>,
    Adult(claims): Adult,
) -> Result<axum::Json<Vec<Playing>>, Problem> {
    let leases = playback.0.streams.all(&claims.sub, playback.0.parts.clock.now()).await?;
    let playing = leases.into_iter().map(|lease| Playing {
        playback_id: lease.id,
        item_id: lease.item,
        this_device: lease.session == claims.sid,
        expires_at: lease.expires,
    });
    Ok(axum::Json(playing.collect()))
}
