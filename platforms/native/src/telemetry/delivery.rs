//! From the journal to the service.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kinora_core::time::Timestamp;
use kinora_journal::{Answer, Journal, Moment};
use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::ReporterOptions;
use super::store::Store;
use crate::driver::wall_clock;
use crate::transport::{HttpTransport, HttpTransportError};

/// An answer that takes longer is none.
const TIME: Duration = Duration::from_secs(15);

/// A reporter, as everything that it runs holds it.
pub(super) struct Shared {
    options: ReporterOptions,
    client: Client,
    began: Instant,
    state: Mutex<State>,
    /// Something was told, or is wanted.
    changed: Notify,
    store: Option<tokio::sync::Mutex<Store>>,
    /// True once everything that is followed is to end.
    closing: watch::Sender<bool>,
}

struct State {
    journal: Journal,
    /// They wait until as much has been sent as can be.
    flushes: Vec<oneshot::Sender<()>>,
    followers: Vec<JoinHandle<()>>,
}

impl Shared {
    pub(super) fn new(options: ReporterOptions) -> Result<Self, HttpTransportError> {
        let name = format!("{:032x}", fastrand::u128(..));
        let began = Instant::now();
        let journal = Journal::new(
            kinora_journal::Options {
                name: name.clone(),
                platform: options.platform.clone(),
                interval: options.interval,
            },
            moment(began),
        );
        let store = options.storage.as_deref().map(|folder| Store::new(folder, &options, &name));
        Ok(Self {
            options,
            client: HttpTransport::new()?.client().clone(),
            began,
            state: Mutex::new(State { journal, flushes: Vec::new(), followers: Vec::new() }),
            changed: Notify::new(),
            store: store.map(tokio::sync::Mutex::new),
            closing: watch::Sender::new(false),
        })
    }

    /// Does something with the journal now.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Journal, Moment) -> T) -> T {
        let result = act(&mut self.lock().journal, moment(self.began));
        self.changed.notify_one();
        result
    }

    pub(super) async fn flush(&self) {
        let (sent, sending) = oneshot::channel();
        {
            let mut state = self.lock();
            state.journal.flush(moment(self.began));
            state.flushes.push(sent);
        }
        self.changed.notify_one();
        // Dropped where everything ends, which will do as well.
        let _ = sending.await;
    }

    /// Something is followed, and ends when `closing` says so.
    pub(super) fn add_follower(
        &self,
        follower: impl FnOnce(watch::Receiver<bool>) -> JoinHandle<()>,
    ) {
        let follower = follower(self.closing.subscribe());
        let mut state = self.lock();
        state.followers.retain(|follower| !follower.is_finished());
        state.followers.push(follower);
    }

    pub(super) async fn end_followers(&self) {
        self.closing.send_replace(true);
        let followers = std::mem::take(&mut self.lock().followers);
        for follower in followers {
            // One that panicked has ended, too.
            let _ = follower.await;
        }
    }

    /// Keeps what waits where it outlives the process.
    pub(super) async fn keep(&self) {
        let Some(store) = &self.store else { return };
        let mut store = store.lock().await;
        let (changes, kept) = {
            let state = self.lock();
            let changes = state.journal.changes();
            (changes, store.lacks(changes).then(|| state.journal.kept()))
        };
        if let Some(kept) = kept {
            store.put(changes, kept).await;
        }
    }

    async fn adopt(&self) {
        let Some(store) = &self.store else { return };
        let left = store.lock().await.left().await;
        self.with(|journal, at| left.iter().for_each(|(_, kept)| journal.adopt(kept, at)));
        self.keep().await;
        // Only now: whatever happens in between, somebody has it.
        store.lock().await.remove(left).await;
    }

    async fn post(&self, body: String) -> Answer {
        let Some(token) = self.options.token.token().await else { return Answer::Unsent };
        let request = self.client.post(&self.options.url).timeout(TIME).bearer_auth(token);
        match request.header(CONTENT_TYPE, "application/json").body(body).send().await {
            Ok(response) => Answer::Status {
                status: response.status().as_u16(),
                retry_after: response
                    .headers()
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned),
            },
            Err(_) => Answer::Unreachable,
        }
    }

    /// What follows panics nowhere while it holds this; if it did, the journal is still the best there is.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When there is something to send; those who wait for that it is not are told.
    fn due(&self) -> Option<Instant> {
        let mut state = self.lock();
        let due = state.journal.due().map(|due| self.began + Duration::from_micros(due.micros()));
        if due.is_none_or(|due| due > Instant::now()) {
            for flush in state.flushes.drain(..) {
                // Nobody waits any more: so be it.
                let _ = flush.send(());
            }
        }
        due
    }
}

/// Sends batches when they are due, until it is aborted.
pub(super) async fn run(shared: std::sync::Arc<Shared>) {
    shared.adopt().await;
    loop {
        shared.keep().await;
        let due = shared.due();
        let body = tokio::select! {
            () = until(due) => shared.with(|journal, at| journal.batch(at)),
            () = shared.changed.notified() => None,
        };
        if let Some(body) = body {
            let answer = shared.post(body).await;
            shared.with(|journal, at| journal.answered(&answer, at));
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn moment(began: Instant) -> Moment {
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    Moment { now: Timestamp::from_micros(micros), wall: wall_clock() }
}
