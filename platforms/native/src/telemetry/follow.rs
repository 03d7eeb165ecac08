//! One player, followed through one playback.

use std::sync::Arc;
use std::time::Duration;

use kinora_core::io::Event;
use kinora_journal::{Observation, ReportedPlayback, WatchId};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{oneshot, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::delivery::Shared;
use crate::player::Observer;

/// How often a player is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A player is followed as long as this lives. When it is dropped the viewer has left, unless playback was over before.
#[must_use = "a player is followed as long as this lives"]
pub struct Watching {
    _stop: oneshot::Sender<()>,
}

pub(super) fn begin(
    shared: Arc<Shared>,
    observer: Observer,
    playback: ReportedPlayback,
) -> Watching {
    let (stop, stopped) = oneshot::channel();
    let id = shared.with(|journal, at| journal.watch(playback, at));
    let follower = Arc::clone(&shared);
    shared.add_follower(|closing| {
        tokio::spawn(async move {
            let mut follow = Follow { shared: follower, observer, id };
            follow.run(stopped, closing).await;
            follow.end();
        })
    });
    Watching { _stop: stop }
}

struct Follow {
    shared: Arc<Shared>,
    observer: Observer,
    id: WatchId,
}

impl Follow {
    /// Follows it until it is over, or nobody wants that any more.
    async fn run(
        &mut self,
        mut stopped: oneshot::Receiver<()>,
        mut closing: watch::Receiver<bool>,
    ) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.observer.events.recv() => match event {
                    Ok(event) => self.hear(&event),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = looks.tick() => {
                    if self.look().await.is_none() {
                        return;
                    }
                }
                _ = &mut stopped => break,
                _ = closing.changed() => break,
            }
        }
        // Where it is left is where it is resumed.
        self.look().await;
    }

    /// None once the player is gone.
    async fn look(&self) -> Option<()> {
        let state = self.observer.state().await?.state;
        self.shared.with(|journal, at| journal.look(self.id, state.status, state.position, at));
        Some(())
    }

    /// What has been told by now was told before the end.
    fn end(mut self) {
        loop {
            match self.observer.events.try_recv() {
                Ok(event) => self.hear(&event),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.shared.with(|journal, at| journal.end(self.id, at));
    }

    fn hear(&self, event: &Event) {
        if let Some(observation) = Observation::of(event) {
            self.shared.with(|journal, at| journal.hear(self.id, observation, at));
        }
    }
}
