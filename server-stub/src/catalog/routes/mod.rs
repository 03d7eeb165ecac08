//! The role's HTTP.

mod admin;
mod browse;
mod mine;

pub(crate) use mine::{Started, started};

use super::Catalog;
use axum::extract::DefaultBodyLimit;
use utoipa_axum::{router::OpenApiRouter, routes};

/// A series with every episode described is larger than what others send.
const TITLE_BYTES: usize = 1 << 20;

pub(super) fn all() -> OpenApiRouter<Catalog> {
    let edited = OpenApiRouter::new()
        .routes(routes!(admin::show, admin::put, admin::remove))
        .layer(DefaultBodyLimit::max(TITLE_BYTES));
    OpenApiRouter::new()
        .routes(routes!(browse::rows))
        .routes(routes!(browse::titles))
        .routes(routes!(browse::title))
        .routes(routes!(browse::search))
        .routes(routes!(browse::genres))
        .routes(routes!(mine::continue_watching))
        .routes(routes!(mine::set_position))
        .routes(routes!(mine::forget_title))
        .routes(routes!(mine::listed))
        .routes(routes!(mine::list, mine::unlist))
        .routes(routes!(mine::ratings))
        .routes(routes!(mine::rate, mine::unrate))
        .merge(edited)
}
