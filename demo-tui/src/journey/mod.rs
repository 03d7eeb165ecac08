//! From signing in to watching and back.

mod place;
mod screen;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt;
use kinora_native::MediaTime;
use ratatui::DefaultTerminal;
use tokio::sync::watch;

use crate::app::{self, AppError};
use crate::service::{Playback, Service, ServiceError};
use place::{Form, Place, Shelf};

/// Where to begin: at a service, signed in already if it is known with what.
pub(crate) struct Start {
    pub(crate) service: Service,
    pub(crate) email: Option<String>,
    pub(crate) password: Option<String>,
}

/// What to do after a key.
enum Step {
    Stay,
    Back,
    Quit,
    SignIn,
    Choose(String),
    Open(String),
    Watch(String),
}

/// Goes from place to place until the viewer has enough.
pub(crate) async fn run(terminal: &mut DefaultTerminal, start: Start) -> Result<(), AppError> {
    let mut journey = Journey { service: start.service, place: Place::default(), trouble: None };
    let form = Form::new(start.email.unwrap_or_default(), start.password.unwrap_or_default());
    let known = !form.email.is_empty() && !form.password.is_empty();
    journey.place = Place::SignIn(form);
    if known {
        journey.take(Step::SignIn, terminal).await?;
    }
    let mut input = EventStream::new();
    loop {
        terminal.draw(|frame| screen::draw(frame, &journey.place, journey.trouble.as_deref()))?;
        let Some(event) = input.next().await else { return Ok(()) };
        let Event::Key(key) = event? else { continue };
        let step = journey.key(key);
        if matches!(step, Step::Quit) {
            return Ok(());
        }
        let watching = matches!(step, Step::Watch(_));
        if watching {
            // The player reads the keys itself while it plays.
            drop(std::mem::take(&mut input));
        }
        journey.take(step, terminal).await?;
    }
}

struct Journey {
    service: Service,
    place: Place,
    /// What did not work.
    trouble: Option<String>,
}

impl Journey {
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
                code => {
                    form.key(code);
                    Step::Stay
                }
            },
            (_, KeyCode::Char('q')) => Step::Quit,
            (_, KeyCode::Esc | KeyCode::Backspace) => Step::Back,
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
    async fn take(&mut self, step: Step, terminal: &mut DefaultTerminal) -> Result<(), AppError> {
        let result = match step {
            Step::Watch(item) => match self.service.play(&item).await {
                Ok(playback) => {
                    self.watch(&playback, terminal).await?;
                    self.browse().await
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
            Step::Choose(profile) => {
                self.service.choose(&profile).await?;
                self.browse().await
            }
            Step::Open(id) => {
                let page = self.service.title(&id).await?;
                let next = page.items.iter().position(|item| item.playable && !item.finished);
                self.place = Place::Title { page, at: next.unwrap_or(0) };
                Ok(())
            }
            Step::Back => match &self.place {
                Place::Title { .. } => self.browse().await,
                Place::Browse(_) => self.profiles().await,
                _ => Ok(()),
            },
            Step::Stay | Step::Quit | Step::Watch(_) => Ok(()),
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

    /// Plays until the viewer has enough, and remembers where that was.
    async fn watch(
        &mut self,
        playback: &Playback,
        terminal: &mut DefaultTerminal,
    ) -> Result<(), AppError> {
        let Some(link) = playback.hls.as_ref().or(playback.dash.as_ref()) else { return Ok(()) };
        let url = self.service.url(link);
        let (position, positions) = watch::channel(playback.resume_seconds);
        let start = MediaTime::from_seconds(f64::from(playback.resume_seconds));
        let mut beats = tokio::time::interval(std::time::Duration::from_secs(
            u64::from(playback.heartbeat_interval).max(1),
        ));
        beats.tick().await;
        let drm = self.service.drm(playback);
        let film = app::Film { url: &url, start: start.seconds(), drm };
        let played = app::run(terminal, film, Some(position));
        tokio::pin!(played);
        let outcome = loop {
            tokio::select! {
                outcome = &mut played => break outcome,
                _ = beats.tick() => {
                    let seconds = *positions.borrow();
                    // A heartbeat that got lost is followed by another in time.
                    let _ = self.service.heartbeat(&playback.playback_id, seconds).await;
                }
            }
        };
        let seconds = *positions.borrow();
        let told = self.service.heartbeat(&playback.playback_id, seconds).await;
        let ended = self.service.end(&playback.playback_id).await;
        self.trouble = told.and(ended).err().map(|error| error.to_string());
        match outcome {
            Err(AppError::Playback(error)) => {
                self.trouble = Some(error.to_string());
                Ok(())
            }
            outcome => outcome,
        }
    }
}
