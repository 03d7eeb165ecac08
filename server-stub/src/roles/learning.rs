//! The roles that learn from what happens: events, experiments, recommend.

use super::{Data, TIDY, now_and_then};
use crate::{
    Result,
    events::{self, Events},
    experiments::{self, Assigner, Experiments},
    recommend::{Store, store::PREFIX},
    rows::{self, Rows},
    storage::{
        Catalogue as _, EventLog as _, Experiments as _, History as _,
        files::{FileBlobs, FileLog, LogOptions},
        sqlite::{SqliteCatalogue, SqliteExperiments, SqliteHistory},
    },
    token::Verifier,
    web::{Service, metrics::Metrics},
};
use std::{sync::Arc, time::Duration};

/// How often it is looked whether another model is current.
const LOOK: Duration = Duration::from_secs(2);

impl Data {
    /// The log of what happened.
    ///
    /// # Errors
    /// When the directory cannot be used, or the log is damaged.
    pub async fn event_log(&self) -> Result<FileLog> {
        let usual = LogOptions::default();
        // A file goes as a whole: where there is little room, each is a small part of it.
        let segment = (self.events_keep_bytes / 16).clamp(64 << 10, usual.segment);
        let options = LogOptions { segment, ..usual };
        Ok(FileLog::open(&self.directory.join("events"), options).await?)
    }

    /// What divides the viewers of this data among the arms of experiments.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub async fn assigner(&self, log: &FileLog) -> Result<Assigner> {
        let experiments = SqliteExperiments::open(&self.directory).await?;
        Ok(Assigner::new(Arc::new(experiments), Arc::new(log.clone()), self.clock.clone()))
    }

    /// The models of this data.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub async fn models(&self) -> Result<Store> {
        let blobs = FileBlobs::open(&self.directory.join("blobs")).await?;
        Ok(Store::new(Arc::new(blobs), PREFIX, &self.directory.display().to_string()))
    }

    pub(super) async fn recommend(
        &self,
        service: Service,
        verifier: &Verifier,
        log: &FileLog,
        metrics: &Metrics,
    ) -> Result<Service> {
        let parts = rows::Parts {
            catalogue: Arc::new(SqliteCatalogue::open(&self.directory).await?),
            history: Arc::new(SqliteHistory::open(&self.directory).await?),
            log: Arc::new(log.clone()),
            models: self.models().await?,
            verifier: verifier.clone(),
            clock: self.clock.clone(),
        };
        let role = Rows::new(parts, metrics);
        let refreshed = role.clone();
        now_and_then(LOOK, move || {
            let refreshed = refreshed.clone();
            async move { refreshed.refresh().await }
        });
        if let Some(pause) = self.train_every {
            let trained = role.clone();
            now_and_then(pause, move || {
                let trained = trained.clone();
                async move { trained.train().await }
            });
        }
        let asked = role.clone();
        Ok(service.role(role.routes()).needs("recommend", move || {
            let asked = asked.clone();
            async move { asked.ready().await }
        }))
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
        let config = events::Config {
            keep_days: self.events_keep_days,
            keep_bytes: self.events_keep_bytes,
            ..events::Config::default()
        };
        let config = config.limits_times(self.rate_limit_factor);
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
