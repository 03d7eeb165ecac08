//! The OpenAPI document, made of the routes that are served.

use super::problem::Document;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Kinora",
        description = "Sign in, choose a profile, browse, play. Errors are problem documents (RFC 9457)."
    ),
    components(schemas(Document)),
    modifiers(&Bearer)
)]
struct Base;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// What the document says before any role adds to it.
pub(super) fn base() -> openapi::OpenApi {
    Base::openapi()
}

/// What is true of every path once all roles are there.
pub(super) fn finish(mut document: openapi::OpenApi) -> openapi::OpenApi {
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}
