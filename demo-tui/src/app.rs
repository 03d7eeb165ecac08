//! The loop: keys and events in, frames out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt;
use kinora_native::core::config::Config;
use kinora_native::core::io::PlaybackStatus;
use kinora_native::telemetry::{ReportedPlayback, Reporter};
use kinora_native::transport::{HttpTransport, RequestFilter};
use kinora_native::{Event, MediaTime, Options, Player, PlayerError, Selection};
use ratatui::DefaultTerminal;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::farewell::Farewell;
use crate::keys::{Action, action};
use crate::screen;
use crate::title::Title;
use crate::view::{LogLine, Tone, View};

/// How often the screen is brought up to date.
const TICK: Duration = Duration::from_millis(100);

/// Why the viewer did not quit of their own accord.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    #[error(transparent)]
    Playback(#[from] PlayerError),
    #[error("the terminal failed: {0}")]
    Terminal(#[from] io::Error),
    #[error(transparent)]
    Transport(#[from] kinora_native::transport::HttpTransportError),
}

/// What to play, and how.
pub(crate) struct Showing {
    /// The manifest.
    pub(crate) url: String,
    /// Where to start, in seconds.
    pub(crate) start: f64,
    pub(crate) config: Config,
    /// What changes requests on their way, if anything does.
    pub(crate) filter: Option<Arc<dyn RequestFilter>>,
    /// Who wants to know where it is, in whole seconds, as long as it plays.
    pub(crate) position: Option<watch::Sender<u32>>,
    /// Who tells the service of it, and as what.
    pub(crate) reported: Option<(Arc<Reporter>, ReportedPlayback)>,
}

/// Plays something until the viewer has enough. After a fatal error the screen stays until they quit.
pub(crate) async fn run(terminal: &mut DefaultTerminal, showing: Showing) -> Result<(), AppError> {
    let Showing { url, start, config, filter, position, reported } = showing;
    let transport = HttpTransport::new()?;
    let options = Options {
        config,
        start: (start > 0.0).then(|| MediaTime::from_seconds(start)),
        transport: Some(Arc::new(transport.clone())),
        filter,
        ..Options::default()
    };
    let player = Player::start(&url, options)?;
    let watching = reported.map(|(reporter, playback)| reporter.watch(&player, playback));
    player.play().await;
    let mut app = App {
        player,
        view: View::new(&url),
        started: Instant::now(),
        error: None,
        over: false,
        position,
    };
    let outcome = app.play(terminal, &transport, &url).await;
    let App { player, error, .. } = app;
    drop(watching);
    player.stop().await;
    outcome?;
    error.map_or(Ok(()), |error| Err(error.into()))
}

struct App {
    player: Player,
    view: View,
    started: Instant,
    /// What ended playback.
    error: Option<PlayerError>,
    /// There will be no more events.
    over: bool,
    /// Who wants to know where it is.
    position: Option<watch::Sender<u32>>,
}

impl App {
    async fn play(
        &mut self,
        terminal: &mut DefaultTerminal,
        transport: &HttpTransport,
        url: &str,
    ) -> Result<(), AppError> {
        let mut input = EventStream::new();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut farewell = Farewell::listen()?;
        let mut title = std::pin::pin!(Title::fetch(transport, url));
        let mut titled = false;
        loop {
            let quit = tokio::select! {
                _ = ticks.tick() => {
                    if let Some(snapshot) = self.player.state().await {
                        self.view.update(&snapshot);
                        self.tell();
                    }
                    terminal.draw(|frame| screen::draw(frame, &self.view))?;
                    false
                }
                event = self.player.next_event(), if !self.over => {
                    self.take(event);
                    false
                }
                title = &mut title, if !titled => {
                    titled = true;
                    if let Some(title) = title {
                        self.view.title = title;
                    }
                    false
                }
                event = input.next() => match event {
                    Some(event) => self.obey(&event?).await,
                    None => true,
                },
                () = farewell.said() => true,
            };
            if quit {
                return Ok(());
            }
        }
    }

    /// Says where it is, once it has got there.
    fn tell(&self) {
        use PlaybackStatus::{Buffering, Ended, Paused, Playing};
        if let Some(position) = &self.position
            && matches!(self.view.status, Playing | Paused | Buffering | Ended)
        {
            position.send_replace(self.view.position.seconds().max(0.0) as u32);
        }
    }

    fn take(&mut self, event: Option<Event>) {
        match event {
            Some(event) => {
                self.view.note(self.started.elapsed(), &event);
                if let Event::Error(error) = event {
                    self.error = Some(error);
                    self.position = None;
                }
            }
            None => self.over = true,
        }
    }

    /// Does what a key says; says whether that is to quit.
    async fn obey(&mut self, event: &TerminalEvent) -> bool {
        let TerminalEvent::Key(key) = event else { return false };
        match action(*key) {
            Some(Action::Quit) => return true,
            Some(Action::TogglePause) if self.view.paused || self.has_ended() => {
                self.player.play().await;
            }
            Some(Action::TogglePause) => self.player.pause().await,
            Some(Action::SeekBy(seconds)) => {
                let latest = self.view.duration.unwrap_or(MediaTime::MAX);
                let target = self.view.position + MediaTime::from_secs(seconds);
                let target = target.min(latest).max(MediaTime::ZERO);
                // The next press counts from here, even if the player has not moved yet.
                self.view.position = target;
                self.player.seek(target).await;
            }
            Some(Action::Pin(number)) => self.pin(Some(number)).await,
            Some(Action::Automatic) => self.pin(None).await,
            Some(Action::TurnSubtitles) => self.turn_subtitles().await,
            Some(Action::ScrollBy(lines)) => self.view.scroll_by(lines),
            None => {}
        }
        false
    }

    fn has_ended(&self) -> bool {
        self.view.status == PlaybackStatus::Ended
    }

    async fn turn_subtitles(&mut self) {
        let selection = self.view.subtitles.turn();
        let text = match self.view.subtitles.name() {
            Some(name) => format!("subtitles: {name}"),
            None if selection.is_some() => "no subtitles".to_owned(),
            None => "there are no subtitles".to_owned(),
        };
        self.view.log_line(LogLine { at: self.started.elapsed(), tone: Tone::Plain, text });
        if let Some(selection) = selection {
            self.player.select(selection).await;
        }
    }

    async fn pin(&mut self, number: Option<usize>) {
        let quality = number.and_then(|number| self.view.qualities.get(number));
        if number.is_some() && quality.is_none() {
            return;
        }
        let text = quality.map_or("the quality is chosen automatically".to_owned(), |quality| {
            format!("pinned to {}", crate::view::quality_text(quality))
        });
        let id = quality.map(|quality| quality.id.clone());
        self.view.pinned = number;
        self.view.log_line(LogLine { at: self.started.elapsed(), tone: Tone::Plain, text });
        let kind = self.view.pinnable;
        self.player.select(Selection::Representation { kind, id }).await;
    }
}
