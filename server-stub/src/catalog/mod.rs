//! The role `catalog`: what there is to watch, and what a profile does with it.
//!
//! Whoever reads does so as a profile: its maturity limit and its household's region are in the access token,
//! and every call to the storage is made through them.

pub mod import;
pub mod register;
mod routes;

pub(crate) use routes::{Started, started};

use crate::{
    clock::Clock,
    storage::{Catalogue, History, catalogue::View},
    token::{Claims, ProfileClaim, Verifier},
};
use axum::extract::FromRef;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// The titles.
    pub catalogue: Arc<dyn Catalogue>,
    /// What profiles did.
    pub history: Arc<dyn History>,
    /// What checks access tokens.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
}

/// The role.
#[derive(Clone)]
pub struct Catalog(Arc<Parts>);

/// Titles a profile may have on its list.
const MOST_LISTED: usize = 500;

impl Catalog {
    /// The role over its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }
}

impl FromRef<Catalog> for Verifier {
    fn from_ref(catalog: &Catalog) -> Self {
        catalog.0.verifier.clone()
    }
}

impl Parts {
    /// What a profile may see now.
    fn view(&self, claims: &Claims, profile: &ProfileClaim) -> View {
        View {
            maturity_limit: profile.maturity_limit,
            region: claims.region.clone(),
            now: self.clock.now(),
        }
    }
}
