//! The role's HTTP.

use super::{
    Rows,
    page::{FirstPage, first_page},
};
use crate::{
    recommend::{self, store::Version},
    token::{Admin, Viewer},
    web::problem::{Code, Document, Problem},
};
use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<Rows> {
    OpenApiRouter::new().routes(routes!(rows)).routes(routes!(models)).routes(routes!(roll_back))
}

/// The profile's first page
///
/// What it has begun, its list, what it may like and why, what is trending, what is new. What was watched a moment
/// ago counts already. A profile of which nothing is known gets what others watch, and genres.
#[utoipa::path(
    get, path = "/v1/rows", tag = "recommend", security(("bearer" = [])),
    responses(
        (status = 200, description = "The page", body = FirstPage),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn rows(State(rows): State<Rows>, viewer: Viewer) -> Result<Json<FirstPage>, Problem> {
    Ok(Json(first_page(&rows.0, &viewer).await?))
}

/// The versions of the model
#[utoipa::path(
    get, path = "/v1/admin/models", tag = "recommend", security(("bearer" = [])),
    responses(
        (status = 200, description = "The versions, the oldest first", body = [Version]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn models(State(rows): State<Rows>, _: Admin) -> Result<Json<Vec<Version>>, Problem> {
    Ok(Json(rows.0.parts.models.versions().await.map_err(failed)?))
}

/// What is the current model now.
#[derive(Serialize, ToSchema)]
struct CurrentModel {
    /// Its version.
    version: String,
}

/// Go back to the model before this one
#[utoipa::path(
    post, path = "/v1/admin/models/rollback", tag = "recommend", security(("bearer" = [])),
    responses(
        (status = 200, description = "Every process uses it within seconds", body = CurrentModel),
        (status = 409, description = "There is none before it that loads", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn roll_back(
    State(rows): State<Rows>,
    Admin(claims): Admin,
) -> Result<Json<CurrentModel>, Problem> {
    let version = rows.0.parts.models.roll_back().await.map_err(failed)?;
    tracing::info!(account = %claims.sub, version, "the model was rolled back");
    rows.refresh().await;
    Ok(Json(CurrentModel { version }))
}

fn failed(error: recommend::Error) -> Problem {
    match error {
        recommend::Error::Storage(error) => error.into(),
        recommend::Error::NoModel { .. } => {
            Problem::new(Code::Conflict, "there is no model before the current one that loads")
        }
        error => {
            tracing::error!(%error, "models");
            Problem::new(Code::Internal, "the models cannot be read")
        }
    }
}
