//! Editing the catalogue.

use crate::{
    catalog::Catalog,
    storage::catalogue::{Put, Title},
    token::Admin,
    web::{
        extract::{Json, Path},
        problem::{Code, Document, Problem},
        text::Slug,
    },
};
use axum::{extract::State, http::StatusCode};

/// A title as it was written
#[utoipa::path(
    get, path = "/v1/admin/titles/{title}", tag = "admin", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    responses(
        (status = 200, description = "The title, whatever its availability", body = Title),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(catalog): State<Catalog>,
    _: Admin,
    Path(id): Path<Slug>,
) -> Result<axum::Json<Title>, Problem> {
    let title = catalog.0.catalogue.draft(id.as_str()).await?;
    title.map(axum::Json).ok_or_else(|| Problem::not_found("title"))
}

/// Write a title
#[utoipa::path(
    put, path = "/v1/admin/titles/{title}", tag = "admin", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    request_body = Title,
    responses(
        (status = 200, description = "It took the place of what was there"),
        (status = 201, description = "It is new"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn put(
    State(catalog): State<Catalog>,
    Admin(claims): Admin,
    Path(id): Path<Slug>,
    Json(title): Json<Title>,
) -> Result<StatusCode, Problem> {
    // What contradicts itself is of the form that was asked for: a conflict, no malformed request.
    let conflict = |pointer: String, detail: &str| Problem {
        pointer: Some(pointer),
        ..Problem::new(Code::Conflict, detail)
    };
    if title.id != id {
        return Err(conflict("/id".to_owned(), "the path names another title"));
    }
    title.check().map_err(|nonsense| conflict(nonsense.pointer, nonsense.reason))?;
    match catalog.0.catalogue.put(vec![title], catalog.0.clock.now()).await? {
        Put::Done { new } => {
            tracing::info!(account = %claims.sub, title = id.as_str(), "title written");
            Ok(if new == 1 { StatusCode::CREATED } else { StatusCode::OK })
        }
        Put::Taken(taken) => {
            let detail = format!("{taken:?} belongs to another title");
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

/// Remove a title
#[utoipa::path(
    delete, path = "/v1/admin/titles/{title}", tag = "admin", security(("bearer" = [])),
    params(("title" = Slug, Path, description = "The title")),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    State(catalog): State<Catalog>,
    Admin(claims): Admin,
    Path(id): Path<Slug>,
) -> Result<StatusCode, Problem> {
    if !catalog.0.catalogue.remove(id.as_str()).await? {
        return Err(Problem::not_found("title"));
    }
    tracing::info!(account = %claims.sub, title = id.as_str(), "title removed");
    Ok(StatusCode::NO_CONTENT)
}
