//! The role's HTTP.

use super::Steering;
use crate::{
    id::PlaybackId,
    token::Admin,
    web::{
        extract::{Json, Path},
        problem::{Document, Problem},
    },
};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Seconds until a player asks again, while all edges are well and otherwise.
const TTL: u32 = 60;
const TTL_IN_TROUBLE: u32 = 10;

pub(super) fn all() -> OpenApiRouter<Steering> {
    OpenApiRouter::new().routes(routes!(steer)).routes(routes!(list)).routes(routes!(change))
}

/// A steering manifest (RFC 8216bis, 7.2; ETSI TS 103 998, 6.2).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
struct SteeringManifest {
    /// Always 1.
    version: u32,
    /// Seconds until it should be asked for again.
    ttl: u32,
    /// Where to ask then.
    reload_uri: String,
    /// The pathways, the best first.
    pathway_priority: Vec<String>,
    /// The same, for players of DASH that know the name of a draft.
    service_location_priority: Vec<String>,
}

/// From where a playback should fetch
///
/// Players may add `_HLS_pathway`, `_HLS_throughput`, `_DASH_pathway` and `_DASH_throughput`, as their formats
/// say; the answer does not depend on them. It names edges, which is no secret, and needs no token: it has to be
/// answered for as long as the playback goes on.
#[utoipa::path(
    get, path = "/v1/steering/{playback}", tag = "playback",
    params(("playback" = inline(PlaybackId), Path, description = "The playback")),
    responses(
        (status = 200, description = "The pathways", body = SteeringManifest),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn steer(
    State(steering): State<Steering>,
    Path(playback): Path<PlaybackId>,
) -> axum::Json<SteeringManifest> {
    let edges = &steering.0.edges;
    let order = edges.order(playback.as_str()).await;
    let now = edges.clock.now();
    let known = edges.store.read(now).await.unwrap_or_default();
    let well = edges.list.iter().all(|edge| known.edge(&edge.name).is_good(now));
    let names: Vec<String> = order.into_iter().map(|edge| edge.name.clone()).collect();
    axum::Json(SteeringManifest {
        version: 1,
        ttl: if well { TTL } else { TTL_IN_TROUBLE },
        reload_uri: format!("/v1/steering/{playback}"),
        pathway_priority: names.clone(),
        service_location_priority: names,
    })
}

/// An edge, and what is known of it.
#[derive(Serialize, ToSchema)]
struct EdgeState {
    name: String,
    /// Where it is.
    base_url: String,
    /// Its share of the playbacks, beside those of the others.
    weight: u16,
    /// Whether an operator sends no playback there.
    drained: bool,
    /// Whether it answers, and players fare well with it.
    healthy: bool,
    /// Requests in the last minutes, as players said.
    recent_requests: u64,
    /// Those of them that failed.
    recent_errors: u64,
}

/// The edges
#[utoipa::path(
    get, path = "/v1/admin/edges", tag = "admin", security(("bearer" = [])),
    responses(
        (status = 200, description = "Each edge", body = [EdgeState]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn list(
    State(steering): State<Steering>,
    _: Admin,
) -> Result<axum::Json<Vec<EdgeState>>, Problem> {
    let edges = &steering.0.edges;
    let now = edges.clock.now();
    let known = edges.store.read(now).await?;
    let state = edges.list.iter().map(|edge| {
        let health = known.edge(&edge.name);
        let (recent_requests, recent_errors) = health.said(now);
        EdgeState {
            name: edge.name.clone(),
            base_url: edge.base.clone(),
            weight: edge.weight,
            drained: health.drained,
            healthy: health.is_good(now),
            recent_requests,
            recent_errors,
        }
    });
    Ok(axum::Json(state.collect()))
}

/// What an operator says of an edge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct EdgeChange {
    /// Send no playback there; those that are there leave it when they ask again.
    drained: bool,
}

/// Drain an edge, or use it again
#[utoipa::path(
    put, path = "/v1/admin/edges/{edge}", tag = "admin", security(("bearer" = [])),
    params(("edge" = String, Path, description = "The edge's name")),
    request_body = EdgeChange,
    responses(
        (status = 204, description = "Done"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn change(
    State(steering): State<Steering>,
    Admin(claims): Admin,
    Path(name): Path<String>,
    Json(EdgeChange { drained }): Json<EdgeChange>,
) -> Result<axum::http::StatusCode, Problem> {
    let edges = &steering.0.edges;
    let edge = edges.list.iter().find(|edge| edge.name == name);
    let edge = edge.ok_or_else(|| Problem::not_found("edge"))?;
    edges.store.change(edges.clock.now(), |known| known.of(&edge.name).drained = drained).await?;
    tracing::info!(account = %claims.sub, edge = %edge.name, drained, "edge drained or not");
    Ok(axum::http::StatusCode::NO_CONTENT)
}
