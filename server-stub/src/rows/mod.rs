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

/// Versions of the model that are kept when the role trains: each training makes one, also when nothing happened since.
const KEPT: usize = 8;

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

    /// Trains a model on what happened, and makes it the current one. Old versions go.
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
            Ok(version) => {
                tracing::info!(version, "a model was trained");
                if let Err(error) = models.prune(KEPT).await {
                    tracing::warn!(%error, "old models");
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::UnixTime,
        id::hex,
        storage::{
            files::{FileLog, LogOptions},
            history::Position,
            sqlite::{SqliteCatalogue, SqliteHistory},
        },
    };

    /// A service that trains every hour does not fill its disk, and can go back.
    #[tokio::test]
    async fn training_again_and_again_keeps_a_few_versions() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let history = SqliteHistory::open(path).await.unwrap();
        for profile in 0..8_u8 {
            let watched = (0..6).filter(|item| (item + profile) % 3 > 0).map(|item| Position {
                item: format!("t{item}"),
                title: format!("t{item}"),
                seconds: 60,
                finished: true,
                at: UnixTime(i64::from(item)),
            });
            let profile = hex(&[profile; 16]).parse().unwrap();
            history.set_positions(&profile, &watched.collect::<Vec<_>>()).await.unwrap();
        }
        let clock = Clock::standing(UnixTime(1_000_000));
        let models = Store::in_directory(&path.join("models")).await.unwrap();
        let parts = Parts {
            catalogue: Arc::new(SqliteCatalogue::open(path).await.unwrap()),
            history: Arc::new(history),
            log: Arc::new(FileLog::open(&path.join("log"), LogOptions::default()).await.unwrap()),
            models: models.clone(),
            verifier: Verifier::new(path.join("jwks.json"), clock.clone()),
            clock: clock.clone(),
        };
        let rows = Rows::new(parts, &Metrics::default());
        for _ in 0..KEPT + 3 {
            rows.train().await;
            clock.advance(3600);
        }
        let versions = models.versions().await.unwrap();
        assert_eq!(versions.len(), KEPT);
        assert!(versions.last().unwrap().current);
        assert!(versions[0].version.starts_with("00000004-"), "{versions:?}");
        models.roll_back().await.unwrap();
    }
}
