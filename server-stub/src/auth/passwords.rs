//! Passwords, hashed with Argon2id (RFC 9106) off the threads that serve connections, a few at a time.

use super::config::HashCost;
use crate::id::random;
use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;

/// Hashes and checks passwords.
pub(super) struct Passwords {
    argon2: Argon2<'static>,
    /// Each hash takes its memory and a processor; more at once would only take more memory.
    permits: Semaphore,
    waiting: AtomicUsize,
    most_waiting: usize,
    /// What the password of an account that does not exist is compared with.
    nobody: String,
    pub(super) hashed: Counter,
    pub(super) queued: Gauge,
}

/// So many wait already that this one would wait too long.
#[derive(Debug)]
pub(super) struct Busy;

impl Passwords {
    pub(super) fn new(cost: &HashCost) -> Result<Self, String> {
        let HashCost { memory_kib, passes, lanes, at_once, most_waiting } = *cost;
        let params = Params::new(memory_kib, passes, lanes, None).map_err(|e| e.to_string())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, &random::<32>())?;
        Ok(Self {
            argon2,
            permits: Semaphore::new(at_once),
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
        self.run(move |this| hash(&this.argon2, &password)).await?.map_err(|error| {
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
        self.run(move |this| {
            let hash = PasswordHash::new(&hash);
            let fits = hash.is_ok_and(|hash| this.argon2.verify_password(&password, &hash).is_ok());
            fits && exists
        })
        .await
    }

    async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = Place::take(self)?;
        let _permit = self.permits.acquire().await.map_err(|_| Busy)?;
        drop(place);
        self.hashed.inc();
        let this = self.clone();
        // Detached from the request: a client that goes away does not free the processor any sooner.
        tokio::task::spawn_blocking(move || work(&this)).await.map_err(|_| Busy)
    }
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

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, String> {
    argon2.hash_password(password).map(|hash| hash.to_string()).map_err(|e| e.to_string())
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
