//! The roles that learn from what happens: events, experiments.

use super::{Data, TIDY, now_and_then};
use crate::{
    Result,
    events::{self, Events},
    experiments::{self, Assigner, Experiments},
    storage::{
        Catalogue as _, EventLog as _, Experiments as _, History as _,
        files::{FileLog, LogOptions},
        sqlite::{SqliteCatalogue, SqliteExperiments, SqliteHistory},
    },
    token::Verifier,
    web::{Service, metrics::Metrics},
};
use std::sync::Arc;

impl Data {
    /// The log of what happened.
    ///
    /// # Errors
    /// When the directory cannot be used, or the log is damaged.
    pub async fn event_log(&self) -> Result<FileLog> {
        Ok(FileLog::open(&self.directory.join("events"), LogOptions::default()).await?)
    }

    /// What divides the viewers of this data among the arms of experiments.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub async fn assigner(&self, log: &FileLog) -> Result<Assigner> {
        let experiments = SqliteExperiments::open(&self.directory).await?;
        Ok(Assigner::new(Arc::new(experiments), Arc::new(log.clone()), self.clock.clone()))
    }

    pub(super) async fn events(
        &self,
        service: Service,
        verifier: &Verifier,
        log: &FileLog,
        metrics: &Metrics,
    ) -> Result<Service> {
        let history = SqliteHistory::open(&self.directory).await?;
        let catalogue = SqliteCatalogue::open(&self.directory).await?;
        let parts = events::Parts {
            log: Arc::new(log.clone()),
            catalogue: Arc::new(catalogue.clone()),
            history: Arc::new(history.clone()),
            verifier: verifier.clone(),
            clock: self.clock.clone(),
        };
        let config = events::Config::default().limits_times(self.rate_limit_factor);
        let (log, role) = (log.clone(), Events::new(parts, config, metrics));
        let tidied = role.clone();
        now_and_then(TIDY, move || {
            let tidied = tidied.clone();
            async move { tidied.tidy().await }
        });
        Ok(service.role(role.routes()).needs("events", move || {
            let (log, history, catalogue) = (log.clone(), history.clone(), catalogue.clone());
            async move {
                log.ready().await?;
                history.ready().await?;
                catalogue.ready().await
            }
        }))
    }

    pub(super) async fn experiments(
        &self,
        service: Service,
        verifier: &Verifier,
    ) -> Result<Service> {
        let experiments = SqliteExperiments::open(&self.directory).await?;
        let parts = experiments::Parts {
            experiments: Arc::new(experiments.clone()),
            verifier: verifier.clone(),
            clock: self.clock.clone(),
        };
        Ok(service.role(Experiments::new(parts).routes()).needs("experiments", move || {
            let experiments = experiments.clone();
            async move { experiments.ready().await }
        }))
    }
}
