//! The model that answers, and its exchange for another while requests go on.

use super::shelf::{Shelf, Shelved};
use crate::{
    recommend::{self, Model, Store},
    storage::{self, Catalogue},
    web::metrics::Metrics,
};
use prometheus_client::metrics::{
    gauge::Gauge,
    histogram::{Histogram, exponential_buckets},
};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Mutex;

/// What answers: a model and the catalogue at one time, never a mixture of two.
#[derive(Default)]
pub(super) struct State {
    pub(super) model: Option<Arc<Served>>,
    pub(super) shelf: Arc<Shelf>,
    /// The titles of the model, in its order; those that the catalogue has no longer are missing.
    pub(super) titles: Vec<Option<Arc<Shelved>>>,
}

/// A model in use.
pub(super) struct Served {
    /// What was current when it was loaded; where that did not load, not its own version.
    asked: String,
    pub(super) version: String,
    pub(super) model: Model,
}

/// Holds the state. A request takes it as it is, and keeps it to its end.
pub(super) struct Serving {
    store: Store,
    catalogue: Arc<dyn Catalogue>,
    state: RwLock<Arc<State>>,
    /// One makes a new state at a time.
    making: Mutex<()>,
    trained_at: Gauge,
    pub(super) page_time: Histogram,
}

impl Serving {
    pub(super) fn new(store: Store, catalogue: Arc<dyn Catalogue>, metrics: &Metrics) -> Self {
        let this = Self {
            store,
            catalogue,
            state: RwLock::default(),
            making: Mutex::default(),
            trained_at: Gauge::default(),
            page_time: Histogram::new(exponential_buckets(0.000_05, 2.0, 12)), // to 100 ms
        };
        metrics.register(|registry| {
            registry.register(
                "recommend_model_trained_at",
                "When the model in use was trained, in seconds since 1970; 0 without one",
                this.trained_at.clone(),
            );
            registry.register(
                "recommend_page_seconds",
                "Time in which the model makes a page",
                this.page_time.clone(),
            );
        });
        this
    }

    fn now(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state, with the catalogue as it is at this moment.
    pub(super) async fn state(&self) -> storage::Result<Arc<State>> {
        let state = self.now();
        if state.shelf.revision == Some(self.catalogue.revision().await?) {
            return Ok(state);
        }
        let _making = self.making.lock().await;
        let state = self.now();
        if state.shelf.revision == Some(self.catalogue.revision().await?) {
            return Ok(state);
        }
        let shelf = Arc::new(Shelf::read(&*self.catalogue).await?);
        Ok(self.swap(state.model.clone(), shelf))
    }

    /// Takes over the model that is current, if it is another.
    pub(super) async fn refresh(&self) {
        let current = match self.store.current().await {
            Ok(Some(current)) => current,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "models"),
        };
        let is = |state: &State| state.model.as_ref().is_some_and(|model| model.asked == current);
        if is(&self.now()) {
            return;
        }
        let _making = self.making.lock().await;
        if is(&self.now()) {
            return;
        }
        match self.store.load().await {
            Ok(recommend::store::Loaded { version, model, refused }) => {
                for refusal in refused {
                    tracing::error!(%refusal, using = version, "a model was refused");
                }
                tracing::info!(version, "model in use");
                self.trained_at.set(model.trained_at());
                let served = Served { asked: current, version, model };
                self.swap(Some(Arc::new(served)), self.now().shelf.clone());
            }
            // The one in use stays.
            Err(error) => tracing::error!(%error, "no model loads"),
        }
    }

    fn swap(&self, model: Option<Arc<Served>>, shelf: Arc<Shelf>) -> Arc<State> {
        let titles = match &model {
            Some(served) => (0..served.model.titles() as u32)
                .map(|number| shelf.title(served.model.item(number)?).cloned())
                .collect(),
            None => Vec::new(),
        };
        let state = Arc::new(State { model, shelf, titles });
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state.clone();
        state
    }
}
