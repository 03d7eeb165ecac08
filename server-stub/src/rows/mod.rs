//! The role `recommend`: a profile's first page, of what it may like.
//!
//! ```text
//! EventLog, History, Catalogue ─→ learning ─→ Model ─→ Blobs
//!                                                        │  serving: swapped in while requests go on
//!     a profile's history, as it is now ─→ page ←────────┘
//! ```
//!
//! What ranks is the module [`recommend`](crate::recommend). Here is where its events come from and where its rows go.

pub mod learning;
mod page;
mod routes;
mod serving;
mod shelf;

use crate::{
    clock::Clock,
    recommend::Store,
    storage::{self, Catalogue, EventLog, History},
    token::Verifier,
    web::metrics::Metrics,
};
use axum::extract::FromRef;
use serving::Serving;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// The titles.
    pub catalogue: Arc<dyn Catalogue>,
    /// What profiles did.
    pub history: Arc<dyn History>,
    /// What happened, to train on.
    pub log: Arc<dyn EventLog>,
    /// The models.
    pub models: Store,
    /// What checks access tokens.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
}

/// The role.
#[derive(Clone)]
pub struct Rows(Arc<Inner>);

struct Inner {
    parts: Parts,
    serving: Serving,
}

impl Rows {
    /// The role over its parts. Until [`Rows::refresh`] has run, it has no model.
    pub fn new(parts: Parts, metrics: &Metrics) -> Self {
        let serving = Serving::new(parts.models.clone(), parts.catalogue.clone(), metrics);
        Self(Arc::new(Inner { parts, serving }))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }

    /// Takes over the model that is current now, if it is another; to be called every few seconds.
    pub async fn refresh(&self) {
        self.0.serving.refresh().await;
    }

    /// Trains a model on what happened, and makes it the current one.
    pub async fn train(&self) {
        let Parts { catalogue, history, log, models, clock, .. } = &self.0.parts;
        let trained = async {
            let lessons = learning::gather(&**log, &**history, &**catalogue).await?;
            let now = clock.now().0;
            let model = tokio::task::spawn_blocking(move || lessons.train(now, |_| {})).await;
            let model = model
                .map_err(|error| storage::Error::Unavailable { reason: error.to_string() })??;
            models.publish(&model).await
        };
        match trained.await {
            Ok(version) => tracing::info!(version, "a model was trained"),
            Err(error) => tracing::warn!(%error, "no model was trained"),
        }
        self.refresh().await;
    }

    /// Whether all that the role needs answers.
    ///
    /// # Errors
    /// What the first does that does not.
    pub async fn ready(&self) -> storage::Result<()> {
        self.0.parts.catalogue.ready().await?;
        self.0.parts.history.ready().await
    }
}

impl FromRef<Rows> for Verifier {
    fn from_ref(rows: &Rows) -> Self {
        rows.0.parts.verifier.clone()
    }
}
