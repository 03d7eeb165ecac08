//! The player as an app holds it.

use std::sync::Arc;

use kinora_core::config::Config;
use kinora_core::error::Severity;
use kinora_core::io::{Environment, Event, NetworkState, Selection, Source, SourceFormat};
use kinora_core::time::MediaTime;
use kinora_core::{Error, PlayerError};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::driver::{Command, Driver, Parts, Snapshot};
use crate::drm::{ClearKey, KeySystem};
use crate::element::{ElementConfig, MediaElement};
use crate::transport::{Filtered, HttpTransport, RequestFilter, Transport};

/// Events that an app may be behind before it misses the oldest.
const EVENT_BACKLOG: usize = 1024;

/// Commands that may wait for the player.
const COMMAND_BACKLOG: usize = 64;

/// A player that runs in a tokio task of its own until it is stopped or dropped.
///
/// It starts paused; [`Player::play`] sets it going.
pub struct Player {
    commands: mpsc::Sender<Command>,
    events: broadcast::Receiver<Event>,
    sender: broadcast::WeakSender<Event>,
    task: JoinHandle<()>,
    failed: bool,
}

/// What to play, and how.
pub struct Options {
    /// The core's configuration.
    pub config: Config,
    /// Where to start; the beginning (or the live edge) if absent.
    pub start: Option<MediaTime>,
    /// The manifest's format, if known; otherwise its first bytes tell.
    pub format: Option<SourceFormat>,
    /// What the media element can hold.
    pub element: ElementConfig,
    /// Where requests go; over HTTP if absent.
    pub transport: Option<Arc<dyn Transport>>,
    /// What changes requests and responses on their way, if anything does.
    pub filter: Option<Arc<dyn RequestFilter>>,
    /// What holds the keys of encrypted content; ClearKey if absent.
    pub key_system: Option<Box<dyn KeySystem>>,
    /// No body may be larger than so many bytes.
    pub body_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: Config::default(),
            start: None,
            format: None,
            element: ElementConfig::default(),
            transport: None,
            filter: None,
            key_system: None,
            body_limit: 256 << 20,
        }
    }
}

impl Player {
    /// Opens a manifest, and comes back when the first frame can play or playback has failed.
    pub async fn open(url: impl Into<String>, config: Config) -> Result<Self, PlayerError> {
        let player = Self::start(url, Options { config, ..Options::default() })?;
        let mut events = player.subscribe();
        loop {
            match events.recv().await {
                Ok(Event::Ready) => return Ok(player),
                Ok(Event::Error(error)) => return Err(error),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return Err(gone()),
            }
        }
    }

    /// Opens a manifest without waiting for anything: what comes of it is told by events. To be
    /// called within a tokio runtime.
    pub fn start(url: impl Into<String>, options: Options) -> Result<Self, PlayerError> {
        let transport: Arc<dyn Transport> = match options.transport {
            Some(transport) => transport,
            None => {
                Arc::new(HttpTransport::new().map_err(|error| element_error(error.to_string()))?)
            }
        };
        let transport = match options.filter {
            Some(filter) => Arc::new(Filtered { transport, filter }),
            None => transport,
        };
        let (commands, command_receiver) = mpsc::channel(COMMAND_BACKLOG);
        let (event_sender, events) = broadcast::channel(EVENT_BACKLOG);
        let sender = event_sender.downgrade();
        let driver = Driver::new(Parts {
            config: options.config,
            element: MediaElement::new(options.element),
            transport,
            key_system: options.key_system.unwrap_or_else(|| Box::new(ClearKey::default())),
            body_limit: options.body_limit,
            commands: command_receiver,
            events: event_sender,
        });
        let source = Source { url: url.into(), format: options.format, start: options.start };
        // The backlog is empty, so there is room.
        let _ = commands.try_send(Command::Load(source));
        Ok(Self { commands, events, sender, task: tokio::spawn(driver.run()), failed: false })
    }

    /// The next event; `None` once playback has failed or the player has been stopped. An app that
    /// is far behind misses the oldest events.
    pub async fn next_event(&mut self) -> Option<Event> {
        loop {
            if self.failed {
                return None;
            }
            match self.events.recv().await {
                Ok(event) => {
                    self.failed = matches!(event, Event::Error(_));
                    return Some(event);
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// Another listener, for the events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        match self.sender.upgrade() {
            Some(sender) => sender.subscribe(),
            // A stopped player's events are over for everybody.
            None => self.events.resubscribe(),
        }
    }

    /// What it does from now on, for somebody who does not keep it alive.
    pub(crate) fn observer(&self) -> Observer {
        Observer { commands: self.commands.downgrade(), events: self.subscribe() }
    }

    /// Plays something else.
    pub async fn load(&self, source: Source) {
        self.send(Command::Load(source)).await;
    }

    /// Fetches the beginning of a source ahead, as soon as what plays needs nothing more.
    pub async fn preload(&self, source: Source) {
        self.send(Command::Preload(source)).await;
    }

    /// Plays these one after another when what plays has ended; each is fetched ahead.
    pub async fn set_queue(&self, sources: Vec<Source>) {
        self.send(Command::Queue(sources)).await;
    }

    /// Lets the playhead move; after the end, from the start again.
    pub async fn play(&self) {
        self.send(Command::Play).await;
    }

    /// Holds the playhead.
    pub async fn pause(&self) {
        self.send(Command::Pause).await;
    }

    /// Moves the playhead.
    pub async fn seek(&self, position: MediaTime) {
        self.send(Command::Seek(position)).await;
    }

    /// Sets the speed; 1.0 is normal.
    pub async fn set_rate(&self, rate: f64) {
        self.send(Command::SetRate(rate)).await;
    }

    /// Chooses a track or a quality.
    pub async fn select(&self, selection: Selection) {
        self.send(Command::Select(selection)).await;
    }

    /// Changes the configuration.
    pub async fn configure(&self, config: Config) {
        self.send(Command::Configure(Box::new(config))).await;
    }

    /// Tells what the platform knows of the network. While offline, requests rest.
    pub async fn network_changed(&self, state: NetworkState) {
        self.send(Command::Network(state)).await;
    }

    /// Tells whether the sound is off, or its volume zero: how it is at first, and each time that changes.
    pub async fn muted_changed(&self, muted: bool) {
        self.send(Command::Muted(muted)).await;
    }

    /// Says what the device and its surroundings are like, such as the size of the picture.
    pub async fn set_environment(&self, environment: Environment) {
        self.send(Command::Environment(environment)).await;
    }

    /// Everything that can be seen of the player now; `None` once it has been stopped.
    pub async fn state(&self) -> Option<Snapshot> {
        snapshot(&self.commands).await
    }

    /// The session so far, to be replayed; empty unless the configuration says `record`.
    pub async fn session_log(&self) -> Vec<u8> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::SessionLog(reply)).await;
        answer.await.unwrap_or_default()
    }

    /// Stops playback, aborts what is under way and waits for it to be over.
    pub async fn stop(self) {
        self.send(Command::Stop).await;
        // The task ends by itself; if it panicked, there is nothing left to stop.
        let _ = self.task.await;
    }

    /// A player that is gone obeys no command, and says so by its events.
    async fn send(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }
}

/// Sees what a player does.
pub(crate) struct Observer {
    commands: mpsc::WeakSender<Command>,
    pub(crate) events: broadcast::Receiver<Event>,
}

impl Observer {
    /// Everything that can be seen of the player now; `None` once it has been stopped or dropped.
    pub(crate) async fn state(&self) -> Option<Snapshot> {
        snapshot(&self.commands.upgrade()?).await
    }
}

async fn snapshot(commands: &mpsc::Sender<Command>) -> Option<Snapshot> {
    let (reply, answer) = oneshot::channel();
    commands.send(Command::Snapshot(reply)).await.ok()?;
    answer.await.ok()
}

fn element_error(reason: String) -> PlayerError {
    Error::Element { reason }.to_player_error(Severity::Fatal)
}

fn gone() -> PlayerError {
    element_error("the player has been stopped".into())
}
