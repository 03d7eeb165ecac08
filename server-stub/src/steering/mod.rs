//! The role `steering`: from where a player fetches, by how the edges are (RFC 8216bis 7, ETSI TS 103 998).
//!
//! [`edge`] names the edges, [`health`] is what is known of each, [`order`] makes an order of that for one
//! playback, [`store`] keeps what is known where every process sees it. The role probes the edges and answers
//! players that ask again; the roles `delivery` and `playback` use the same order for what they write, and pass on
//! what players say of the edges.

pub mod edge;
pub mod health;
pub mod order;
mod probe;
mod routes;
mod store;

pub use store::Store;

use crate::{clock::Clock, token::Verifier};
use axum::extract::FromRef;
use edge::Edge;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// The edges.
    pub edges: Edges,
    /// What checks access tokens.
    pub verifier: Verifier,
}

/// The edges there are, and what is known of them.
#[derive(Clone)]
pub struct Edges {
    list: Arc<[Edge]>,
    store: Store,
    clock: Clock,
}

impl Edges {
    /// Edges, with what is known of them kept in `store`.
    pub fn new(list: Vec<Edge>, store: Store, clock: Clock) -> Self {
        Self { list: list.into(), store, clock }
    }

    /// All of them.
    pub fn all(&self) -> &[Edge] {
        &self.list
    }

    /// The edges for a playback, the best first. Without a storage that answers, all count as healthy: media
    /// come from somewhere.
    pub async fn order(&self, key: &str) -> Vec<&Edge> {
        if self.list.is_empty() {
            return Vec::new();
        }
        let now = self.clock.now();
        let known = self.store.read(now).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nothing is known of the edges");
            health::Known::default()
        });
        order::order(&self.list, &known, key, now)
    }

    /// Takes in what a player says of the edges it used.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn report(&self, reports: &[health::Report]) -> crate::storage::Result<()> {
        let now = self.clock.now();
        let known = |report: &&health::Report| self.list.iter().any(|e| e.name == report.edge);
        let reports: Vec<_> = reports.iter().filter(known).collect();
        if reports.is_empty() {
            return Ok(());
        }
        self.store
            .change(now, |known| {
                for report in &reports {
                    known.of(&report.edge).report(report, now);
                }
            })
            .await
    }
}

/// The role.
#[derive(Clone)]
pub struct Steering(Arc<Parts>);

impl Steering {
    /// The role over its parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }

    /// Asks every edge how it is; to be called now and then.
    pub async fn probe(&self) {
        let edges = &self.0.edges;
        let results = probe::all(&edges.list).await;
        let now = edges.clock.now();
        let current = edges.store.read(now).await.unwrap_or_default();
        let news = |(edge, ok): &(&Edge, bool)| current.edge(&edge.name).would_change(*ok);
        if !results.iter().any(news) {
            return;
        }
        let changed = edges.store.change(now, |known| {
            for (edge, ok) in &results {
                if known.of(&edge.name).probed(*ok) {
                    tracing::warn!(edge = %edge.name, healthy = ok, "an edge has changed");
                }
            }
        });
        if let Err(error) = changed.await {
            tracing::warn!(%error, "what the edges are like cannot be written down");
        }
    }
}

impl FromRef<Steering> for Verifier {
    fn from_ref(steering: &Steering) -> Self {
        steering.0.verifier.clone()
    }
}
