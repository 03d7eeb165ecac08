//! A rate that all connections share.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex as Turn, Notify},
    time::Instant,
};

/// Bounds how fast bytes pass, over all its users together, in the order they ask; and how soon an answer
/// starts. Both can change at any time and hold at once.
#[derive(Debug, Default)]
pub struct Shaper {
    state: Mutex<State>,
    /// Held by whoever is next to pass.
    turn: Turn<()>,
    changed: Notify,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    kbps: Option<u64>,
    latency: Duration,
    /// When the bytes that have passed are paid for.
    paid_at: Option<Instant>,
}

impl Shaper {
    /// Sets the rate, in 1000 bits a second: none is unbounded, zero lets nothing pass.
    pub fn set_rate(&self, kbps: Option<u64>) {
        let mut state = self.state();
        state.kbps = kbps;
        // A debt made at the old rate would be paid far too long at the new one.
        state.paid_at = None;
        drop(state);
        self.changed.notify_waiters();
    }

    /// The rate, in 1000 bits a second.
    pub fn rate(&self) -> Option<u64> {
        self.state().kbps
    }

    /// Sets how long an answer waits before it starts.
    pub fn set_latency(&self, latency: Duration) {
        self.state().latency = latency;
    }

    /// How long an answer waits before it starts.
    pub fn latency(&self) -> Duration {
        self.state().latency
    }

    pub(super) async fn delay(&self) {
        let latency = self.latency();
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
    }

    /// How many bytes to pass at a time: a twentieth of a second's worth, so that a change is felt soon.
    pub(super) fn chunk(&self) -> usize {
        match self.rate() {
            Some(kbps) => (kbps.saturating_mul(125) / 20).clamp(256, 16_384) as usize,
            None => usize::MAX,
        }
    }

    /// Waits until this many bytes may pass.
    pub(super) async fn pass(&self, bytes: usize) {
        if self.rate().is_none() {
            return;
        }
        let _turn = self.turn.lock().await;
        loop {
            let changed = self.changed.notified();
            let until = {
                let mut state = self.state();
                let now = Instant::now();
                let free_at = state.paid_at.unwrap_or(now).max(now);
                match state.kbps {
                    None => return,
                    Some(0) => None,
                    Some(kbps) if free_at <= now => {
                        let cost = bytes as f64 * 8.0 / (kbps as f64 * 1000.0);
                        state.paid_at = Some(now + Duration::from_secs_f64(cost));
                        return;
                    }
                    Some(_) => Some(free_at),
                }
            };
            match until {
                None => changed.await,
                Some(until) => tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    () = changed => {}
                },
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn two_users_share_one_rate_fairly() {
        let shaper = Arc::new(Shaper::default());
        shaper.set_rate(Some(800));
        let start = Instant::now();
        let send = |shaper: Arc<Shaper>| async move {
            for _ in 0..50 {
                shaper.pass(1000).await;
            }
            start.elapsed().as_secs_f64()
        };
        let (a, b) = tokio::join!(send(shaper.clone()), send(shaper.clone()));
        // 100 000 bytes at 100 000 bytes a second; the last chunk is paid for after it passed.
        assert!((0.98..1.0).contains(&a.max(b)), "{a} {b}");
        assert!((a - b).abs() < 0.05, "{a} {b}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_rate_holds_at_once() {
        let shaper = Arc::new(Shaper::default());
        shaper.set_rate(Some(0));
        let waiting = tokio::spawn({
            let shaper = shaper.clone();
            async move { shaper.pass(1_000_000).await }
        });
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished());
        shaper.set_rate(Some(1));
        waiting.await.unwrap();
        // That debt would take hours to pay.
        shaper.set_rate(Some(8000));
        let start = Instant::now();
        shaper.pass(1000).await;
        shaper.pass(1000).await;
        assert!(start.elapsed() <= Duration::from_millis(2));
    }
}
