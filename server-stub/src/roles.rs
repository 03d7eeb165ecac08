//! Which roles one process plays, over which data.

use crate::{
    Error, Result,
    auth::{self, Auth},
    catalog::{self, Catalog},
    clock::Clock,
    playback::{self, Playback},
    storage::{
        Accounts as _, Catalogue as _, History as _, Sessions as _,
        sqlite::{SqliteAccounts, SqliteCatalogue, SqliteHistory, SqliteSessions},
    },
    token::{SigningKeys, Verifier},
    web::{Service, metrics::Metrics},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A role of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[non_exhaustive]
pub enum Role {
    /// Files: films and pages
    Delivery,
    /// Accounts, profiles, signing in, tokens
    Auth,
    /// Titles, lists, ratings, positions
    Catalog,
    /// What is played, and on how many devices
    Playback,
}

impl Role {
    /// Every role that needs a directory for its data.
    pub const WITH_DATA: [Self; 3] = [Self::Auth, Self::Catalog, Self::Playback];
}

/// Where the roles that have data keep it.
#[derive(Debug, Clone)]
pub struct Data {
    /// The directory.
    pub directory: PathBuf,
    /// The signing keys, where someone else keeps them: the text of such a file.
    pub signing_keys: Option<String>,
    /// Devices of an account that may play at once.
    pub most_streams: usize,
    /// The time.
    pub clock: Clock,
}

/// How often the roles do what is due now and then.
const TIDY: Duration = Duration::from_secs(30);

impl Data {
    /// Data in a directory, which is made when it is first needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            signing_keys: None,
            most_streams: 2,
            clock: Clock::default(),
        }
    }

    /// The file of the secret keys.
    pub fn secret_keys(directory: &Path) -> PathBuf {
        directory.join("secrets").join("access-keys.json")
    }

    fn published_keys(&self) -> PathBuf {
        self.directory.join("jwks.json")
    }

    /// Adds those of the roles that have data to a service, and starts their housekeeping, which ends with
    /// the runtime.
    ///
    /// # Errors
    /// When the directory cannot be used, or what is in it was written by a later version.
    pub async fn add(
        &self,
        mut service: Service,
        roles: &[Role],
        auth: auth::Config,
        metrics: &Metrics,
    ) -> Result<Service> {
        let directory = &self.directory;
        let verifier = Verifier::new(self.published_keys(), self.clock.clone());
        if roles.contains(&Role::Auth) {
            let accounts = SqliteAccounts::open(directory).await?;
            let sessions = SqliteSessions::open(directory).await?;
            let parts = auth::Parts {
                accounts: Arc::new(accounts.clone()),
                sessions: Arc::new(sessions.clone()),
                history: Arc::new(SqliteHistory::open(directory).await?),
                keys: Arc::new(self.keys().await?),
                verifier: verifier.clone(),
                clock: self.clock.clone(),
            };
            let role = Auth::new(parts, auth, metrics)
                .map_err(|reason| Error::Option { flag: "--password-cost", reason })?;
            let tidied = role.clone();
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(TIDY).await;
                    tidied.tidy().await;
                }
            });
            service = service
                .role(role.routes())
                .needs("accounts", move || {
                    let accounts = accounts.clone();
                    async move { accounts.ready().await }
                })
                .needs("sessions", move || {
                    let sessions = sessions.clone();
                    async move { sessions.ready().await }
                });
        }
        if roles.contains(&Role::Catalog) {
            let catalogue = SqliteCatalogue::open(directory).await?;
            let history = SqliteHistory::open(directory).await?;
            let parts = catalog::Parts {
                catalogue: Arc::new(catalogue.clone()),
                history: Arc::new(history.clone()),
                verifier: verifier.clone(),
                clock: self.clock.clone(),
            };
            service = service
                .role(Catalog::new(parts).routes())
                .needs("catalogue", move || {
                    let catalogue = catalogue.clone();
                    async move { catalogue.ready().await }
                })
                .needs("history", move || {
                    let history = history.clone();
                    async move { history.ready().await }
                });
        }
        if roles.contains(&Role::Playback) {
            let sessions = SqliteSessions::open(directory).await?;
            let parts = playback::Parts {
                catalogue: Arc::new(SqliteCatalogue::open(directory).await?),
                history: Arc::new(SqliteHistory::open(directory).await?),
                sessions: Arc::new(sessions.clone()),
                verifier,
                clock: self.clock.clone(),
                most_streams: self.most_streams,
            };
            service = service.role(Playback::new(parts).routes()).needs("streams", move || {
                let sessions = sessions.clone();
                async move { sessions.ready().await }
            });
        }
        Ok(service)
    }

    async fn keys(&self) -> Result<SigningKeys> {
        let (this, published) = (self.clone(), self.published_keys());
        let keys = tokio::task::spawn_blocking(move || match &this.signing_keys {
            Some(text) => SigningKeys::given(text, published, this.clock),
            None => SigningKeys::open(Self::secret_keys(&this.directory), published, this.clock),
        });
        match keys.await {
            Ok(keys) => Ok(keys?),
            Err(_) => Err(Error::Interrupted),
        }
    }
}
