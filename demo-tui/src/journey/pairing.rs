//! Signing in from elsewhere: this terminal shows a code, and waits until somebody has typed it in (RFC 8628).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::service::{Codes, Service, ServiceError};

/// What RFC 8628 has a device add to its pause when it is told to slow down (3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// What comes of it.
#[derive(Debug)]
pub(crate) enum News {
    /// There is a code to show, in place of the one before.
    Codes(Codes),
    /// Somebody has agreed.
    SignedIn,
    /// It is over.
    Trouble(ServiceError),
}

/// A terminal that waits to be let in, until this is dropped.
pub(crate) struct Pairing {
    news: mpsc::Receiver<News>,
    /// Has it ask before its time.
    now: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Pairing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pairing {
    /// Begins to ask; to be called within a runtime.
    pub(crate) fn begin(service: Service) -> Self {
        let (sender, news) = mpsc::channel(4);
        let now = Arc::new(Notify::new());
        // On its own: an answer that signs in comes once, and must not get lost when a key is pressed meanwhile.
        let task = tokio::spawn(wait(service, sender, now.clone()));
        Self { news, now, task }
    }

    /// The next of the news; for ever none after it is over.
    pub(crate) async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => std::future::pending().await,
        }
    }

    /// Asks now.
    pub(crate) fn hurry(&self) {
        self.now.notify_one();
    }
}

async fn wait(service: Service, news: mpsc::Sender<News>, now: Arc<Notify>) {
    loop {
        let outcome = match service.codes().await {
            Ok(codes) => {
                if news.send(News::Codes(codes.clone())).await.is_err() {
                    return;
                }
                let_in(&service, &codes, &now).await
            }
            Err(error) => Err(error),
        };
        let outcome = match outcome {
            Ok(()) => News::SignedIn,
            Err(ServiceError::Refused { code, .. }) if code == "expired_token" => continue,
            Err(error) => News::Trouble(error),
        };
        // Nobody listens any more: so be it.
        let _ = news.send(outcome).await;
        return;
    }
}

/// Asks until there is a decision.
async fn let_in(service: &Service, codes: &Codes, now: &Notify) -> Result<(), ServiceError> {
    let mut pause = Duration::from_secs(codes.interval.max(1));
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = now.notified() => {}
        }
        match service.claim(&codes.device_code).await {
            Err(ServiceError::Refused { code, .. }) if code == "authorization_pending" => {}
            Err(ServiceError::Refused { code, .. }) if code == "slow_down" => pause += SLOWER,
            // A service that does not answer may later; it is asked less often (RFC 8628, 3.5).
            Err(ServiceError::Silent(error)) if !error.is_decode() => {
                pause = (pause * 2).min(Duration::from_secs(60));
            }
            decided => return decided,
        }
    }
}
