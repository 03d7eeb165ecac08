//! What takes an effort to find out, and anyone may ask: found out by one at a time, and for a moment told again.

use std::time::Duration;
use tokio::{sync::Mutex, time::Instant};

/// For so long it is as good as new.
const MOMENT: Duration = Duration::from_secs(1);

/// The latest that was found out.
#[derive(Debug)]
pub(crate) struct Fresh<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Fresh<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Fresh<T> {
    /// What it is at present, or was a moment ago.
    pub(crate) async fn get(&self, find_out: impl Future<Output = T>) -> T {
        let mut latest = self.0.lock().await;
        if let Some((found, value)) = &*latest
            && found.elapsed() < MOMENT
        {
            return value.clone();
        }
        let value = find_out.await;
        *latest = Some((Instant::now(), value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn many_who_ask_at_once_cost_as_much_as_one() {
        let (fresh, asked) = (Fresh::default(), AtomicU32::new(0));
        let find_out = async || {
            fresh
                .get(async {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    asked.fetch_add(1, Ordering::SeqCst)
                })
                .await
        };
        let all = futures_util::future::join_all((0..100).map(|_| find_out())).await;
        assert_eq!(all, [0; 100]);
        tokio::time::sleep(MOMENT / 2).await;
        assert_eq!(find_out().await, 0);
        tokio::time::sleep(MOMENT).await;
        assert_eq!(find_out().await, 1, "a moment later it may be otherwise");
    }
}
