//! The role `playback`: who may play what now, and on how many devices.

pub mod hooks;
mod routes;
pub mod streams;

use crate::{
    clock::Clock,
    plans::Plans,
    steering::Edges,
    storage::{Catalogue, History, Sessions},
    token::{Verifier, cat::DeliveryKeys},
};
use axum::extract::FromRef;
use hooks::{Experiments, Licences};
use std::sync::Arc;
use streams::Streams;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// The titles.
    pub catalogue: Arc<dyn Catalogue>,
    /// Where profiles stopped.
    pub history: Arc<dyn History>,
    /// The leases.
    pub sessions: Arc<dyn Sessions>,
    /// What checks access tokens.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
    /// What accounts pay for.
    pub plans: Plans,
    /// What signs the tokens that manifests are fetched with.
    pub delivery_keys: Arc<DeliveryKeys>,
    /// Where the role `delivery` answers, for players; nothing when that is where this role does.
    pub delivery_url: String,
    /// Where media can be fetched from.
    pub edges: Edges,
    /// What experiments change of a playback.
    pub experiments: Option<Arc<dyn Experiments>>,
    /// Where keys come from.
    pub licences: Option<Arc<dyn Licences>>,
}

/// The role.
#[derive(Clone)]
pub struct Playback(Arc<Inner>);

struct Inner {
    parts: Parts,
    streams: Streams,
}

impl Playback {
    /// The role over its parts.
    pub fn new(parts: Parts) -> Self {
        let streams = Streams::new(parts.sessions.clone());
        Self(Arc::new(Inner { parts, streams }))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }
}

impl FromRef<Playback> for Verifier {
    fn from_ref(playback: &Playback) -> Self {
        playback.0.parts.verifier.clone()
    }
}
