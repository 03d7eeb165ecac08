//! From signing in to watching and back.

mod pairing;
mod place;
mod screen;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use kinora_native::telemetry::{Interaction, ReportedPlayback, Reporter, ReporterOptions};
use ratatui::DefaultTerminal;

use crate::app::{self, AppError, Showing};
use crate::farewell::Farewell;
use crate::service::{Service, ServiceError};
use pairing::{News, Pairing};
use place::{Form, Place, Shelf};
use watch::Theatre;

/// Where to begin: at a service, signed in already if it is known with what.
pub(crate) struct Start {
    pub(crate) service: Service,
    pub(crate) email: Option<String>,
    pub(crate) password: Option<String>,
    /// A folder in which waits what the service could not be told yet.
    pub(crate) storage: Option<PathBuf>,
}

/// What to do after a key.
enum Step {
    Stay,
    Back,
    Quit,
    SignIn,
    /// Sign in from elsewhere.
    Pair,
    Choose(String),
    Open(String),
    Watch(String),
}

impl Theatre for DefaultTerminal {
    async fn show(&mut self, showing: Showing) -> Result<(), AppError> {
        app::run(self, showing).await
    }
}

/// Goes from place to place until the viewer has enough.
pub(crate) async fn run(terminal: &mut DefaultTerminal, start: Start) -> Result<(), AppError> {
    let mut journey = Journey::begin(start, terminal).await?;
    let outcome = journey.go_on(terminal).await;
    journey.fall_silent().await;
    outcome
}

struct Journey {
    service: Service,
    place: Place,
    /// Waits to be let in, where the viewer signs in from elsewhere.
    pairing: Option<Pairing>,
    /// What did not work.
    trouble: Option<String>,
    /// Tells the service what the profile does.
    reporter: Option<Arc<Reporter>>,
    storage: Option<PathBuf>,
}

impl Journey {
    async fn begin(start: Start, theatre: &mut impl Theatre) -> Result<Self, AppError> {
        let form = Form::new(start.email.unwrap_or_default(), start.password.unwrap_or_default());
        let known = !form.email.is_empty() && !form.password.is_empty();
        let place = Place::SignIn(form);
        let mut journey = Self {
            service: start.service,
            place,
            pairing: None,
            trouble: None,
            reporter: None,
            storage: start.storage,
        };
        if known {
            journey.take(Step::SignIn, theatre).await?;
        }
        Ok(journey)
    }

    async fn go_on(&mut self, terminal: &mut DefaultTerminal) -> Result<(), AppError> {
        let mut input = EventStream::new();
        let mut farewell = Farewell::listen()?;
        loop {
            terminal.draw(|frame| screen::draw(frame, &self.place, self.trouble.as_deref()))?;
            let event = tokio::select! {
                event = input.next() => event,
                () = farewell.said() => return Ok(()),
                news = self.news() => {
                    self.learn(news).await;
                    continue;
                }
            };
            let Some(event) = event else { return Ok(()) };
            let Event::Key(key) = event? else { continue };
            let step = self.key(key);
            if matches!(step, Step::Quit) {
                return Ok(());
            }
            if matches!(step, Step::Watch(_)) {
                // The player reads the keys itself while it plays.
                drop(std::mem::take(&mut input));
            }
            self.take(step, terminal).await?;
        }
    }

    /// What comes of being signed in from elsewhere; for ever nothing if nobody waits for it.
    async fn news(&mut self) -> News {
        match &mut self.pairing {
            Some(pairing) => pairing.next().await,
            None => std::future::pending().await,
        }
    }

    async fn learn(&mut self, news: News) {
        let result = match news {
            News::Codes(codes) => {
                self.place = Place::Code(Some(codes));
                return;
            }
            News::SignedIn => self.profiles().await,
            News::Trouble(error) => {
                self.place = Place::default();
                Err(error)
            }
        };
        self.pairing = None;
        self.trouble = result.err().map(|error| error.to_string());
    }

    fn key(&mut self, key: KeyEvent) -> Step {
        if key.kind == KeyEventKind::Release {
            return Step::Stay;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL)
            && matches!(key.code, KeyCode::Char('c' | 'd'))
        {
            return Step::Quit;
        }
        self.trouble = None;
        match (&mut self.place, key.code) {
            (Place::SignIn(form), code) => match code {
                KeyCode::Esc => Step::Quit,
                KeyCode::Enter if form.is_whole() => Step::SignIn,
                KeyCode::F(2) => Step::Pair,
                code => {
                    form.key(code);
                    Step::Stay
                }
            },
            (_, KeyCode::Char('q')) => Step::Quit,
            (_, KeyCode::Esc | KeyCode::Backspace) => Step::Back,
            (Place::Code(_), KeyCode::Enter) => {
                self.pairing.iter().for_each(Pairing::hurry);
                Step::Stay
            }
            (Place::Code(_), _) => Step::Stay,
            (Place::Profiles { profiles, at }, code) => match code {
                KeyCode::Enter => {
                    profiles.get(*at).map_or(Step::Stay, |profile| Step::Choose(profile.id.clone()))
                }
                code => {
                    *at = place::moved(*at, profiles.len(), code);
                    Step::Stay
                }
            },
            (Place::Browse(shelf), KeyCode::Enter) => match shelf.chosen() {
                Some((_, Some(started))) => Step::Watch(started.item_id.clone()),
                Some((title, None)) => Step::Open(title.id.clone()),
                None => Step::Stay,
            },
            (Place::Browse(shelf), code) => {
                shelf.key(code);
                Step::Stay
            }
            (Place::Title { page, at, .. }, code) => match code {
                KeyCode::Enter => match page.items.get(*at).filter(|item| item.playable) {
                    Some(item) => Step::Watch(item.id.clone()),
                    None => Step::Stay,
                },
                code => {
                    *at = place::moved(*at, page.items.len(), code);
                    Step::Stay
                }
            },
        }
    }

    /// Does what a key asked for. What the service refuses is said, and the viewer stays where they are.
    async fn take(&mut self, step: Step, theatre: &mut impl Theatre) -> Result<(), AppError> {
        let result = match step {
            Step::Watch(item) => match self.service.play(&item).await {
                Ok(playback) => {
                    let reported = self.reporter.clone().map(|reporter| {
                        let playback_id = playback.playback_id.clone();
                        (reporter, ReportedPlayback { playback_id, item_id: item })
                    });
                    let trouble = watch::watch(&self.service, &playback, reported, theatre).await?;
                    let back = self.browse().await;
                    self.trouble = trouble.or(back.err().map(|error| error.to_string()));
                    return Ok(());
                }
                Err(error) => Err(error),
            },
            step => self.go(step).await,
        };
        self.trouble = result.err().map(|error| error.to_string());
        Ok(())
    }

    async fn go(&mut self, step: Step) -> Result<(), ServiceError> {
        match step {
            Step::SignIn => {
                let Place::SignIn(form) = &self.place else { return Ok(()) };
                self.service.sign_in(&form.email, &form.password).await?;
                self.profiles().await
            }
            Step::Pair => {
                self.place = Place::Code(None);
                self.pairing = Some(Pairing::begin(self.service.clone()));
                Ok(())
            }
            Step::Choose(profile) => {
                // What the one before did is not told as this one.
                self.fall_silent().await;
                self.service.choose(&profile).await?;
                self.reporter = self.reporter_of(profile);
                self.browse().await
            }
            Step::Open(id) => {
                let page = self.service.title(&id).await?;
                self.tell_opened(id);
                let next = page.items.iter().position(|item| item.playable && !item.finished);
                self.place = Place::Title { page, at: next.unwrap_or(0) };
                Ok(())
            }
            Step::Back => match &self.place {
                Place::Title { .. } => self.browse().await,
                Place::Browse(_) => self.profiles().await,
                Place::Code(_) => {
                    self.pairing = None;
                    self.place = Place::default();
                    Ok(())
                }
                _ => Ok(()),
            },
            Step::Stay | Step::Quit | Step::Watch(_) => Ok(()),
        }
    }

    fn reporter_of(&self, profile: String) -> Option<Arc<Reporter>> {
        let url = self.service.url("/v1/events");
        let options = ReporterOptions {
            platform: "terminal".to_owned(),
            storage: self.storage.clone(),
            ..ReporterOptions::new(url, Arc::new(self.service.clone()), profile)
        };
        // A viewer may watch without it.
        Reporter::new(options).ok().map(Arc::new)
    }

    fn tell_opened(&self, title_id: String) {
        let Some(reporter) = &self.reporter else { return };
        let (row_id, place) = match &self.place {
            Place::Browse(shelf) => shelf.place().unzip(),
            _ => (None, None),
        };
        let row_id = row_id.map(str::to_owned);
        reporter.tell(&Interaction::TitleOpened { title_id, row_id, place });
    }

    /// Tells what is left to tell of the profile.
    async fn fall_silent(&mut self) {
        if let Some(reporter) = self.reporter.take().and_then(Arc::into_inner) {
            reporter.close().await;
        }
    }

    async fn profiles(&mut self) -> Result<(), ServiceError> {
        self.place = Place::Profiles { profiles: self.service.profiles().await?, at: 0 };
        Ok(())
    }

    async fn browse(&mut self) -> Result<(), ServiceError> {
        self.place = Place::Browse(Shelf::new(self.service.rows().await?));
        Ok(())
    }
}
