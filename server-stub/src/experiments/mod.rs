//! The role `experiments`: viewers are divided among ways to watch, to see which one is better.
//!
//! Who is in which arm follows from the profile's id alone ([`assign`]), so every process says the same and nothing
//! is stored. That a profile watched in the way of its arm is told to the event log when it does ([`Assigner`]), and
//! [`report`] compares what happened then.

pub mod assign;
mod assigner;
pub mod report;
mod routes;

pub use assigner::{Assigned, Assigner};

use crate::{clock::Clock, storage::Experiments as Storage, token::Verifier};
use axum::extract::FromRef;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// The experiments.
    pub experiments: Arc<dyn Storage>,
    /// What checks access tokens.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
}

/// The role.
#[derive(Clone)]
pub struct Experiments(Arc<Parts>);

impl Experiments {
    /// The role over its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }
}

impl FromRef<Experiments> for Verifier {
    fn from_ref(experiments: &Experiments) -> Self {
        experiments.0.verifier.clone()
    }
}
