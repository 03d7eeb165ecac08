//! The role's HTTP: for administrators.

use super::Experiments;
use crate::{
    storage::experiments::{Experiment, Put},
    token::Admin,
    web::{
        extract::{Json, Path},
        problem::{Code, Document, Problem},
        text::Slug,
    },
};
use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<Experiments> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show, put, remove))
}

/// The experiments
#[utoipa::path(
    get, path = "/v1/admin/experiments", tag = "experiments", security(("bearer" = [])),
    responses(
        (status = 200, description = "All of them", body = [Experiment]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn list(
    State(experiments): State<Experiments>,
    _: Admin,
) -> Result<axum::Json<Vec<Experiment>>, Problem> {
    Ok(axum::Json(experiments.0.experiments.all().await?))
}

/// An experiment
#[utoipa::path(
    get, path = "/v1/admin/experiments/{experiment}", tag = "experiments", security(("bearer" = [])),
    params(("experiment" = Slug, Path, description = "The experiment")),
    responses(
        (status = 200, description = "The experiment", body = Experiment),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn show(
    State(experiments): State<Experiments>,
    _: Admin,
    Path(id): Path<Slug>,
) -> Result<axum::Json<Experiment>, Problem> {
    let experiment = experiments.0.experiments.experiment(id.as_str()).await?;
    experiment.map(axum::Json).ok_or_else(|| Problem::not_found("experiment"))
}

/// Write an experiment
///
/// Once it runs, and when it has been stopped, who is in which arm is not changed any more.
#[utoipa::path(
    put, path = "/v1/admin/experiments/{experiment}", tag = "experiments", security(("bearer" = [])),
    params(("experiment" = Slug, Path, description = "The experiment")),
    request_body = Experiment,
    responses(
        (status = 200, description = "It took the place of what was there"),
        (status = 201, description = "It is new"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn put(
    State(experiments): State<Experiments>,
    Admin(claims): Admin,
    Path(id): Path<Slug>,
    Json(experiment): Json<Experiment>,
) -> Result<StatusCode, Problem> {
    // What contradicts itself is of the form that was asked for: a conflict, no malformed request.
    let conflict = |pointer: &str, detail: &str| Problem {
        pointer: Some(pointer.to_owned()),
        ..Problem::new(Code::Conflict, detail)
    };
    if experiment.id != id {
        return Err(conflict("/id", "the path names another experiment"));
    }
    experiment.check().map_err(|(pointer, reason)| conflict(pointer, reason))?;
    match experiments.0.experiments.put(&experiment, experiments.0.clock.now()).await? {
        Put::Done { new } => {
            let (account, status) = (&claims.sub, experiment.status);
            tracing::info!(%account, experiment = id.as_str(), ?status, "an experiment was written");
            Ok(if new { StatusCode::CREATED } else { StatusCode::OK })
        }
        Put::Overlaps(other) => {
            let detail = format!("{} runs in some of these shares", other.as_str());
            Err(conflict("/first_share", &detail))
        }
        Put::Fixed => {
            let detail = "it runs or has run: its layer, shares and arms stay as they are";
            Err(conflict("/arms", detail))
        }
    }
}

/// Remove an experiment
#[utoipa::path(
    delete, path = "/v1/admin/experiments/{experiment}", tag = "experiments", security(("bearer" = [])),
    params(("experiment" = Slug, Path, description = "The experiment")),
    responses(
        (status = 204, description = "It is gone; what it told the event log stays"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn remove(
    State(experiments): State<Experiments>,
    _: Admin,
    Path(id): Path<Slug>,
) -> Result<StatusCode, Problem> {
    match experiments.0.experiments.remove(id.as_str()).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("experiment")),
    }
}
