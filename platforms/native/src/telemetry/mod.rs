//! Tells a service what is played and what a viewer looks at, for apps whose service takes events as `kinora-server` does.
//! Nothing is told unless an app makes a [`Reporter`].
//!
//! ```no_run
//! # async fn example(player: kinora_native::Player) -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//! use kinora_native::telemetry::{ReportedPlayback, Reporter, ReporterOptions, StaticToken};
//!
//! let token = Arc::new(StaticToken("the profile's access token".into()));
//! let options = ReporterOptions::new("https://tv.example/v1/events", token, "the profile's id");
//! let reporter = Reporter::new(options)?;
//! let playback = ReportedPlayback { playback_id: "p1".into(), item_id: "big-buck-bunny".into() };
//! let watching = reporter.watch(&player, playback);
//! // … until the playback is over:
//! drop(watching);
//! reporter.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! What is told, and when, is [`kinora_journal`]'s: batches, twice a minute and when a playback ends; what fails is sent
//! again, later and later. Events that wait outlive the process in [`ReporterOptions::storage`].

mod delivery;
mod follow;
mod store;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use kinora_journal::{Interaction, ReportedPlayback};
use tokio::task::JoinHandle;

use crate::player::Player;
use crate::transport::HttpTransportError;
use delivery::Shared;
pub use follow::Watching;

/// Who leaves waits no longer than this for the service.
const LEAVING: Duration = Duration::from_secs(2);

/// Where events go, and as whose.
#[derive(Clone)]
pub struct ReporterOptions {
    /// `POST /v1/events` of the service.
    pub url: String,
    /// Has the access token of the profile.
    pub token: Arc<dyn TokenSource>,
    /// Names the profile. What could not be sent is kept under this name, and sent as no other profile.
    pub profile: String,
    /// What the service is told that this is: `android`, `ios`, `tv`, `terminal` or `other`, the default.
    pub platform: String,
    /// Sends what has gathered every so often; 30 seconds by default.
    pub interval: Duration,
    /// A folder in which events wait while they cannot be sent; without one they wait in memory alone.
    pub storage: Option<PathBuf>,
}

impl ReporterOptions {
    /// Events of a profile to a URL.
    pub fn new(
        url: impl Into<String>,
        token: Arc<dyn TokenSource>,
        profile: impl Into<String>,
    ) -> Self {
        Self {
            url: url.into(),
            token,
            profile: profile.into(),
            platform: "other".to_owned(),
            interval: Duration::from_secs(30),
            storage: None,
        }
    }
}

/// A token that is on its way; `None` while nobody is signed in.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// Has an access token. It is asked anew for each batch, so that one that runs out may be renewed.
pub trait TokenSource: Send + Sync + 'static {
    /// One that is good for a while yet.
    fn token(&self) -> TokenFuture<'_>;
}

/// A token that stays as it is.
#[derive(Clone)]
pub struct StaticToken(
    /// The token.
    pub String,
);

impl TokenSource for StaticToken {
    fn token(&self) -> TokenFuture<'_> {
        Box::pin(std::future::ready(Some(self.0.clone())))
    }
}

/// Tells a service what players do and what a viewer looks at: in batches, again until the service has a verdict, and
/// also when the viewer leaves.
pub struct Reporter {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reporter {
    /// Begins to report, with what earlier runs could not send; to be called within a tokio runtime.
    ///
    /// # Errors
    /// There is no HTTP client.
    pub fn new(options: ReporterOptions) -> Result<Self, HttpTransportError> {
        let shared = Arc::new(Shared::new(options)?);
        let task = tokio::spawn(delivery::run(Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    /// Follows a player through one playback, until what this returns is dropped. To be called as soon as the player is
    /// there: the time until the first frame counts from here.
    pub fn watch(&self, player: &Player, playback: ReportedPlayback) -> Watching {
        follow::begin(Arc::clone(&self.shared), player.observer(), playback)
    }

    /// Tells what the viewer looks at.
    pub fn tell(&self, interaction: &Interaction) {
        self.shared.with(|journal, at| journal.tell(interaction, at));
    }

    /// Sends what has gathered, as far as it can be sent now.
    pub async fn flush(&self) {
        self.shared.flush().await;
    }

    /// Ends all of it, and waits for the service for two seconds at most. What has no verdict by then is in the storage, and
    /// sent by the next run.
    pub async fn close(mut self) {
        self.shared.end_followers().await;
        self.shared.with(|journal, at| journal.leave(at));
        // What takes too long is kept.
        let _ = tokio::time::timeout(LEAVING, self.shared.flush()).await;
        self.task.abort();
        // Whatever became of it.
        let _ = (&mut self.task).await;
        self.shared.keep().await;
    }
}
