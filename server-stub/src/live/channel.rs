//! A broadcast that others look at while it grows, and wait for.

use super::{
    Plan,
    broadcast::{Broadcast, WallMicros},
    demux::Item,
};
use crate::Result;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, time::Instant};

/// A broadcast, its clock, and word of what is new.
#[derive(Debug)]
pub struct Channel {
    broadcast: Mutex<Broadcast>,
    news: watch::Sender<()>,
    /// What the wall clock showed when it was last looked at. Time goes on evenly from there, whatever becomes of the
    /// system's clock: players are told of no jumps.
    clock: (WallMicros, Instant),
}

impl Channel {
    /// A channel with nothing on it yet.
    pub fn new(plan: &Plan) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        let audio = plan.probe.audio.map(|audio| {
            let channels = crate::package::encode::audio_output(audio).channels;
            (channels, u64::from(plan.options.audio_kbps) * 1000)
        });
        let broadcast = Broadcast::new(
            plan.shape,
            plan.options.title.clone(),
            format!("{:08x}", wall / 1_000_000),
            plan.rungs.clone(),
            audio,
        );
        Self {
            broadcast: Mutex::new(broadcast),
            news: watch::Sender::new(()),
            clock: (wall, Instant::now()),
        }
    }

    /// What time it is, by the clock that everything here goes by.
    pub fn now(&self) -> WallMicros {
        let (wall, at) = self.clock;
        wall.saturating_add(i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    /// Looks at it.
    pub fn look<T>(&self, look: impl FnOnce(&Broadcast) -> T) -> T {
        look(&self.lock())
    }

    /// Waits until there is an answer, for so long at most.
    pub async fn wait<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&Broadcast) -> Option<T>,
    ) -> Option<T> {
        let mut news = self.news.subscribe();
        let wait = async {
            loop {
                if let Some(answer) = self.look(&mut look) {
                    return Some(answer);
                }
                news.changed().await.ok()?;
            }
        };
        tokio::time::timeout(limit, wait).await.ok().flatten()
    }

    /// Takes what an encoder made.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn take(&self, item: Item) -> Result<()> {
        let now = self.now();
        let news = match item {
            Item::Header(moov) => self.lock().begin(&moov).map(|()| false),
            Item::Samples(track, samples) => self.lock().push(track, samples, now),
        }?;
        if news {
            self.news.send_replace(());
        }
        Ok(())
    }

    /// The encoder is gone.
    pub(super) fn break_off(&self) {
        let now = self.now();
        self.lock().break_off(now);
        self.news.send_replace(());
    }

    /// It is over.
    pub fn end(&self) {
        let now = self.now();
        self.lock().end(now);
        self.news.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Broadcast> {
        // Whatever panicked left numbers and bytes that are each good for themselves.
        self.broadcast.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
