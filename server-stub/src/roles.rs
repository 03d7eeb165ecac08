//! Which roles one process plays, over which data.

mod learning;

use crate::{
    Error, Result,
    auth::{self, Auth},
    catalog::{self, Catalog},
    clock::Clock,
    delivery::{library::Library, memory::Memory},
    events,
    gateway::{self, Gateway},
    license::{
        self, License, LicenseUrls,
        backend::{LicenseBackend, System},
        clearkey::ClearKey,
        proxy::Proxy,
    },
    plans::Plans,
    playback::{self, Playback, streams::Streams},
    steering::{self, Edges, Steering, edge::Edge},
    storage::{
        Accounts as _, Catalogue as _, History as _, Sessions as _,
        files::FileLog,
        sqlite::{
            SqliteAccounts, SqliteCatalogue, SqliteContentKeys, SqliteHistory, SqliteSessions,
        },
    },
    token::{SigningKeys, Verifier, cat::DeliveryKeys},
    vault::{self, Tier, Vault, kek::KeyEncryptionKeys},
    web::{Service, metrics::Metrics},
};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// A role of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[non_exhaustive]
pub enum Role {
    /// Files: films, to whoever plays them, and pages
    Delivery,
    /// Media that --origin delivers, kept close to whoever plays them
    Edge,
    /// Accounts, profiles, signing in, tokens
    Auth,
    /// Titles, lists, ratings, positions
    Catalog,
    /// What is played, and on how many devices
    Playback,
    /// From where players fetch
    Steering,
    /// What players and pages saw happen
    Events,
    /// Who watches in which way, to see which is better
    Experiments,
    /// The one entry, in front of roles here and, with --upstream, elsewhere
    Gateway,
    /// Keys of what is encrypted, for whoever plays it
    License,
    /// What each profile may like
    Recommend,
}

impl Role {
    /// Every role that needs a directory for its data.
    pub const WITH_DATA: [Self; 8] = [
        Self::Auth,
        Self::Catalog,
        Self::Playback,
        Self::Steering,
        Self::License,
        Self::Events,
        Self::Experiments,
        Self::Recommend,
    ];
}

/// Where the roles that have data keep it.
#[derive(Debug, Clone)]
pub struct Data {
    /// The directory.
    pub directory: PathBuf,
    /// The keys of access tokens, where someone else keeps them: the text of such a file.
    pub signing_keys: Option<String>,
    /// The keys of the tokens in the paths of media, likewise.
    pub delivery_keys: Option<String>,
    /// The keys that wrap content keys, where someone else keeps them: the text of such a file.
    pub content_keks: Option<String>,
    /// Where the role `license` answers, for players; nothing when that is where the role `playback` does.
    pub license_url: String,
    /// The best quality that ClearKey gives keys of.
    pub clearkey_quality: Tier,
    /// Seconds after which players ask for a ClearKey licence again.
    pub clearkey_seconds: u32,
    /// Licence servers of vendors.
    pub license_proxies: Vec<(System, Proxy)>,
    /// What accounts pay for.
    pub plans: Plans,
    /// Days that events are kept.
    pub events_keep_days: u32,
    /// Bytes of events that are kept, the latest.
    pub events_keep_bytes: u64,
    /// Where the role `delivery` answers, for players; nothing when that is where the role `playback` does.
    pub delivery_url: String,
    /// Where media can be fetched from.
    pub edges: Vec<Edge>,
    /// How many times as much as usual a client may do.
    pub rate_limit_factor: u32,
    /// How often a model is trained on what happened; never, if it is not said.
    pub train_every: Option<Duration>,
    /// The time.
    pub clock: Clock,
}

/// How often the roles do what is due now and then.
const TIDY: Duration = Duration::from_secs(30);
/// How often edges are asked how they are.
const PROBE: Duration = Duration::from_secs(5);

impl Data {
    /// Data in a directory, which is made when it is first needed.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            signing_keys: None,
            delivery_keys: None,
            content_keks: None,
            license_url: String::new(),
            clearkey_quality: Tier::Uhd,
            clearkey_seconds: 3600,
            license_proxies: Vec::new(),
            plans: Plans::default(),
            events_keep_days: events::Config::default().keep_days,
            events_keep_bytes: events::Config::default().keep_bytes,
            delivery_url: String::new(),
            edges: Vec::new(),
            rate_limit_factor: 1,
            train_every: None,
            clock: Clock::default(),
        }
    }

    /// The file of the secret keys of access tokens.
    pub fn secret_keys(directory: &Path) -> PathBuf {
        directory.join("secrets").join("access-keys.json")
    }

    /// The file of the secret keys of the tokens in the paths of media.
    pub fn secret_delivery_keys(directory: &Path) -> PathBuf {
        directory.join("secrets").join("delivery-keys.json")
    }

    /// The packages of the library.
    pub fn packages(directory: &Path) -> PathBuf {
        directory.join("packages")
    }

    /// The pictures of titles.
    pub fn artwork(directory: &Path) -> PathBuf {
        directory.join("artwork")
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
        let verifier = Verifier::new(self.published_keys(), self.clock.clone());
        if roles.contains(&Role::Auth) {
            service = self.auth(service, &verifier, auth, metrics).await?;
        }
        if roles.contains(&Role::Catalog) {
            service = self.catalog(service, &verifier).await?;
        }
        if roles.iter().any(|role| matches!(role, Role::Playback | Role::Events | Role::Recommend))
        {
            // One for all: it remembers much.
            let log = self.event_log().await?;
            if roles.contains(&Role::Playback) {
                service = self.playback(service, &verifier, &log).await?;
            }
            if roles.contains(&Role::Events) {
                service = self.events(service, &verifier, &log, metrics).await?;
            }
            if roles.contains(&Role::Recommend) {
                service = self.recommend(service, &verifier, &log, metrics).await?;
            }
        }
        if roles.contains(&Role::Steering) {
            service = self.steering(service, &verifier).await?;
        }
        if roles.contains(&Role::Experiments) {
            service = self.experiments(service, &verifier).await?;
        }
        if roles.contains(&Role::License) {
            service = self.license(service, &verifier).await?;
        }
        Ok(service)
    }

    /// A gateway that knows the access tokens of the service.
    pub fn gateway(&self, config: gateway::Config, metrics: &Metrics) -> Gateway {
        let verifier = Verifier::new(self.published_keys(), self.clock.clone());
        Gateway::new(config, Some(verifier), self.clock.clone(), metrics)
    }

    async fn auth(
        &self,
        service: Service,
        verifier: &Verifier,
        config: auth::Config,
        metrics: &Metrics,
    ) -> Result<Service> {
        let accounts = SqliteAccounts::open(&self.directory).await?;
        let sessions = SqliteSessions::open(&self.directory).await?;
        let parts = auth::Parts {
            accounts: Arc::new(accounts.clone()),
            sessions: Arc::new(sessions.clone()),
            history: Arc::new(SqliteHistory::open(&self.directory).await?),
            keys: Arc::new(self.keys().await?),
            verifier: verifier.clone(),
            clock: self.clock.clone(),
        };
        let role = Auth::new(parts, config, metrics)
            .map_err(|reason| Error::Option { flag: "--password-cost", reason })?;
        // Before anybody asks: what was asked to be forgotten is.
        role.settle().await;
        let tidied = role.clone();
        now_and_then(TIDY, move || {
            let tidied = tidied.clone();
            async move { tidied.tidy().await }
        });
        Ok(service
            .role(role.routes())
            .needs("accounts", move || {
                let accounts = accounts.clone();
                async move { accounts.ready().await }
            })
            .needs("sessions", move || {
                let sessions = sessions.clone();
                async move { sessions.ready().await }
            }))
    }

    async fn catalog(&self, service: Service, verifier: &Verifier) -> Result<Service> {
        let catalogue = SqliteCatalogue::open(&self.directory).await?;
        let history = SqliteHistory::open(&self.directory).await?;
        let parts = catalog::Parts {
            catalogue: Arc::new(catalogue.clone()),
            history: Arc::new(history.clone()),
            verifier: verifier.clone(),
            clock: self.clock.clone(),
        };
        Ok(service
            .role(Catalog::new(parts).routes())
            .needs("catalogue", move || {
                let catalogue = catalogue.clone();
                async move { catalogue.ready().await }
            })
            .needs("history", move || {
                let history = history.clone();
                async move { history.ready().await }
            }))
    }

    async fn playback(
        &self,
        service: Service,
        verifier: &Verifier,
        log: &FileLog,
    ) -> Result<Service> {
        let sessions = SqliteSessions::open(&self.directory).await?;
        let parts = playback::Parts {
            catalogue: Arc::new(SqliteCatalogue::open(&self.directory).await?),
            history: Arc::new(SqliteHistory::open(&self.directory).await?),
            sessions: Arc::new(sessions.clone()),
            verifier: verifier.clone(),
            clock: self.clock.clone(),
            plans: self.plans.clone(),
            delivery_keys: self.delivery_keys().await?,
            delivery_url: self.delivery_url.clone(),
            edges: self.edges(&sessions),
            experiments: Some(Arc::new(self.assigner(log).await?)),
            licences: Some(Arc::new(LicenseUrls {
                vault: self.vault().await?,
                base: self.license_url.clone(),
            })),
        };
        Ok(service.role(Playback::new(parts).routes()).needs("streams", move || {
            let sessions = sessions.clone();
            async move { sessions.ready().await }
        }))
    }

    async fn steering(&self, service: Service, verifier: &Verifier) -> Result<Service> {
        let sessions = SqliteSessions::open(&self.directory).await?;
        let parts = steering::Parts { edges: self.edges(&sessions), verifier: verifier.clone() };
        let role = Steering::new(parts);
        if !self.edges.is_empty() {
            let probing = role.clone();
            now_and_then(PROBE, move || {
                let probing = probing.clone();
                async move { probing.probe().await }
            });
        }
        Ok(service.role(role.routes()).needs("edges", move || {
            let sessions = sessions.clone();
            async move { sessions.ready().await }
        }))
    }

    async fn license(&self, service: Service, verifier: &Verifier) -> Result<Service> {
        let sessions = SqliteSessions::open(&self.directory).await?;
        let vault = self.vault().await?;
        let clearkey = ClearKey { seconds: self.clearkey_seconds };
        let mut backends: BTreeMap<System, (Arc<dyn LicenseBackend>, Tier)> = BTreeMap::new();
        backends.insert(System::Clearkey, (Arc::new(clearkey), self.clearkey_quality));
        for (system, proxy) in &self.license_proxies {
            backends.insert(*system, (Arc::new(proxy.clone()), Tier::Uhd));
        }
        let parts = license::Parts {
            vault: vault.clone(),
            sessions: Arc::new(sessions),
            verifier: verifier.clone(),
            clock: self.clock.clone(),
            rate_limit_factor: self.rate_limit_factor,
            plans: self.plans.clone(),
            backends,
        };
        Ok(service.role(License::new(parts).routes()).needs("keys", move || {
            let vault = vault.clone();
            async move { vault.ready().await }
        }))
    }

    /// What the role `delivery` needs to deliver the library, with that much of it in memory.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub async fn library(&self, memory: Memory) -> Result<Library> {
        let sessions = SqliteSessions::open(&self.directory).await?;
        Ok(Library {
            directory: Self::packages(&self.directory),
            artwork: Self::artwork(&self.directory),
            keys: self.delivery_keys().await?,
            edges: self.edges(&sessions),
            streams: Streams::new(Arc::new(sessions)),
            memory,
            clock: self.clock.clone(),
        })
    }

    fn edges(&self, sessions: &SqliteSessions) -> Edges {
        let store = steering::Store::new(Arc::new(sessions.clone()));
        Edges::new(self.edges.clone(), store, self.clock.clone())
    }

    /// The keys of what is encrypted.
    ///
    /// # Errors
    /// When the directory cannot be used, or the keys that wrap them cannot be read.
    pub async fn vault(&self) -> Result<Vault> {
        let storage = SqliteContentKeys::open(&self.directory).await?;
        let kek = match &self.content_keks {
            Some(text) => KeyEncryptionKeys::parse(text.as_bytes()),
            None => {
                KeyEncryptionKeys::open(&self.directory.join("secrets").join("content-keks.json"))
            }
        };
        Ok(Vault::new(Arc::new(storage), kek.map_err(vault::Error::from)?))
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

    /// The keys of the tokens in the paths of media, kept up to date.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn delivery_keys(&self) -> Result<Arc<DeliveryKeys>> {
        let this = self.clone();
        let keys = tokio::task::spawn_blocking(move || match &this.delivery_keys {
            Some(text) => DeliveryKeys::given(text, this.clock),
            None => DeliveryKeys::open(Self::secret_delivery_keys(&this.directory), this.clock),
        });
        let keys = Arc::new(keys.await.map_err(|_| Error::Interrupted)??);
        let maintained = keys.clone();
        now_and_then(TIDY, move || {
            let keys = maintained.clone();
            async move {
                let done = tokio::task::spawn_blocking(move || keys.maintain()).await;
                if let Ok(Err(error)) = done {
                    tracing::error!(%error, "delivery keys");
                }
            }
        });
        Ok(keys)
    }
}

/// Does something at once, and again and again until the runtime ends.
fn now_and_then<F: Future<Output = ()> + Send + 'static>(
    pause: Duration,
    work: impl Fn() -> F + Send + 'static,
) {
    tokio::spawn(async move {
        loop {
            work().await;
            tokio::time::sleep(pause).await;
        }
    });
}
