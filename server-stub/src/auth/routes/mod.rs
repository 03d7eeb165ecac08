//! The role's HTTP.

mod accounts;
mod devices;
mod profiles;
mod sessions;

use super::Auth;
use crate::token::KeySet;
use axum::{Json, extract::State, http::header, response::IntoResponse};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(accounts::sign_up))
        .routes(routes!(accounts::show))
        .routes(routes!(accounts::change_password))
        .routes(routes!(accounts::close))
        .routes(routes!(sessions::sign_in, sessions::sign_out_everywhere))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(profiles::list, profiles::add))
        .routes(routes!(profiles::show, profiles::change, profiles::remove))
        .routes(routes!(profiles::select))
        .routes(routes!(devices::begin))
        .routes(routes!(devices::ask))
        .routes(routes!(devices::show, devices::decide))
        .routes(routes!(keys))
}

/// The public keys that access tokens are signed with
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "auth",
    responses((status = 200, description = "A JSON Web Key Set (RFC 7517)", body = KeySet)),
)]
async fn keys(State(auth): State<Auth>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=60")], Json(auth.0.parts.keys.public()))
}
