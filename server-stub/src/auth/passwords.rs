//! Passwords, hashed with Argon2id (RFC 9106) off the threads that serve connections, a few at a time.

use super::{argon::Hasher, config::HashCost};
use crate::id::random;
use argon2::Params;
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
};
use tokio::sync::{Semaphore, oneshot};

/// Hashes and checks passwords.
pub(super) struct Passwords {
    /// Each hash takes its memory and a processor; more at once would only take more memory.
    permits: Arc<Semaphore>,
    /// Threads of their own, each with the memory that it hashes in.
    threads: Sender<Work>,
    waiting: AtomicUsize,
    most_waiting: usize,
    /// What the password of an account that does not exist is compared with.
    nobody: String,
    pub(super) hashed: Counter,
    pub(super) queued: Gauge,
}

type Work = Box<dyn FnOnce(&mut Hasher) + Send>;

/// So many wait already that this one would wait too long.
#[derive(Debug)]
pub(super) struct Busy;

impl Passwords {
    pub(super) fn new(cost: &HashCost) -> Result<Self, String> {
        let HashCost { memory_kib, passes, lanes, at_once, most_waiting } = *cost;
        let params = Params::new(memory_kib, passes, lanes, None).map_err(|e| e.to_string())?;
        let nobody = Hasher::new(params.clone()).hash(&random::<32>())?;
        Ok(Self {
            permits: Arc::new(Semaphore::new(at_once)),
            threads: threads(at_once, &params)?,
            waiting: AtomicUsize::new(0),
            most_waiting,
            nobody,
            hashed: Counter::default(),
            queued: Gauge::default(),
        })
    }

    /// The hash of a password, as a PHC string.
    pub(super) async fn hash(self: &Arc<Self>, password: &str) -> Result<String, Busy> {
        let password = password.as_bytes().to_owned();
        self.run(move |hasher| hasher.hash(&password)).await?.map_err(|error| {
            tracing::error!(error, "hashing");
            Busy
        })
    }

    /// Whether a password fits a hash; without one, false after as much work.
    pub(super) async fn verify(
        self: &Arc<Self>,
        password: &str,
        hash: Option<&str>,
    ) -> Result<bool, Busy> {
        let exists = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let password = password.as_bytes().to_owned();
        self.run(move |hasher| hasher.fits(&password, &hash) && exists).await
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Place::take(self)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| Busy)?;
        drop(place);
        self.hashed.inc();
        let (answer, done) = oneshot::channel();
        // Detached from the request: a client that goes away does not free the processor any sooner.
        let work = move |hasher: &mut Hasher| {
            let _permit = permit;
            let _ = answer.send(work(hasher));
        };
        self.threads.send(Box::new(work)).map_err(|_| Busy)?;
        done.await.map_err(|_| Busy)
    }
}

/// Threads that work one after the other on what they are sent, until nobody can send any more.
fn threads(count: usize, params: &Params) -> Result<Sender<Work>, String> {
    let (sender, receiver) = channel::<Work>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..count {
        let (receiver, mut hasher) = (receiver.clone(), Hasher::new(params.clone()));
        let work = move || {
            loop {
                let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(work) = next else { return };
                // A fault ends one request, not the thread; it has been reported by then.
                let _ = catch_unwind(AssertUnwindSafe(|| work(&mut hasher)));
            }
        };
        let thread = thread::Builder::new().name("password".to_owned());
        thread.spawn(work).map_err(|error| error.to_string())?;
    }
    Ok(sender)
}

/// A place in the queue, given up when the work begins or its client goes away.
struct Place<'a>(&'a Passwords);

impl<'a> Place<'a> {
    fn take(passwords: &'a Passwords) -> Result<Self, Busy> {
        let waiting = &passwords.waiting;
        let take = |waiting: usize| (waiting < passwords.most_waiting).then_some(waiting + 1);
        waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).map_err(|_| Busy)?;
        passwords.queued.inc();
        Ok(Self(passwords))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        self.0.queued.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_usual_cost_is_what_owasp_recommends() {
        let passwords = Arc::new(Passwords::new(&HashCost::default()).unwrap());
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct hors", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", Some("$nonsense")).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert_ne!(passwords.hash("correct horse").await.unwrap(), hash, "hashes are salted");
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_empties() {
        let cost = HashCost { at_once: 1, most_waiting: 3, ..HashCost::cheap() };
        let passwords = Arc::new(Passwords::new(&cost).unwrap());
        let block = passwords.permits.acquire().await.unwrap();
        let tries: Vec<_> = (0..10)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.verify("p", None).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(passwords.queued.get(), 3);
        drop(block);
        let mut busy = 0;
        for attempt in tries {
            busy += usize::from(attempt.await.unwrap().is_err());
        }
        assert_eq!((busy, passwords.queued.get()), (7, 0));
    }
}
