//! What several do at once over one storage, a step at a time, in an order that a test draws.
//!
//! A step is a call on the storage: between two of them, anything may happen. So a drawn order stands for what threads
//! and processes do to each other, and does the same each time.

use super::{
    Result, Sessions,
    sessions::{Expected, Versioned},
};
use crate::clock::UnixTime;
use async_trait::async_trait;
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::Poll,
};

/// One of several.
pub(crate) struct Actor<T> {
    work: Pin<Box<dyn Future<Output = T>>>,
    gate: Arc<Gate>,
    began: Option<usize>,
}

/// What came of one, and in which steps it began and ended.
#[derive(Debug)]
pub(crate) struct Done<T> {
    pub(crate) outcome: T,
    began: usize,
    ended: usize,
}

impl<T> Actor<T> {
    /// Does that with a storage, when it is its turn.
    pub(crate) fn new<F: Future<Output = T> + 'static>(
        sessions: Arc<dyn Sessions>,
        work: impl FnOnce(Arc<dyn Sessions>) -> F,
    ) -> Self {
        let gate = Arc::new(Gate::default());
        let sessions = Arc::new(InTurn { sessions, gate: gate.clone() });
        Self { work: Box::pin(work(sessions)), gate, began: None }
    }

    /// Goes on until it has called the storage once; what came of it, if it has ended then.
    async fn step(&mut self) -> Option<T> {
        self.gate.open.store(true, SeqCst);
        self.gate.waiting.store(false, SeqCst);
        poll_fn(|context| match self.work.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending if self.gate.waiting.load(SeqCst) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

/// Has them go on in turns, by their places among those that have not ended, and when no turns are left one after the
/// other. Looks at the storage after each step.
pub(crate) async fn in_turns<T>(
    actors: Vec<Actor<T>>,
    turns: &[usize],
    mut look: impl AsyncFnMut(),
) -> Vec<Done<T>> {
    let mut done: Vec<Option<Done<T>>> = actors.iter().map(|_| None).collect();
    let mut actors: Vec<(usize, Actor<T>)> = actors.into_iter().enumerate().collect();
    let mut now = 0;
    while !actors.is_empty() {
        let turn = turns.get(now).copied().unwrap_or(0) % actors.len();
        let (place, actor) = &mut actors[turn];
        let began = *actor.began.get_or_insert(now);
        if let Some(outcome) = actor.step().await {
            done[*place] = Some(Done { outcome, began, ended: now });
            actors.remove(turn);
        }
        look().await;
        now += 1;
    }
    done.into_iter().flatten().collect()
}

/// Whether what came of them is what would have come of them one after the other in some order, in which nobody comes
/// before somebody who had ended when they began (linearisability). `explains` says so of one order.
pub(crate) fn linearises<T>(done: &[Done<T>], mut explains: impl FnMut(&[usize]) -> bool) -> bool {
    fn orders<T>(
        done: &[Done<T>],
        order: &mut Vec<usize>,
        explains: &mut impl FnMut(&[usize]) -> bool,
    ) -> bool {
        if order.len() == done.len() {
            return explains(order);
        }
        for next in 0..done.len() {
            let left = |other: &usize| *other != next && !order.contains(other);
            let too_early =
                (0..done.len()).filter(left).any(|other| done[other].ended < done[next].began);
            if order.contains(&next) || too_early {
                continue;
            }
            order.push(next);
            if orders(done, order, explains) {
                return true;
            }
            order.pop();
        }
        false
    }
    orders(done, &mut Vec::new(), &mut explains)
}

/// Opened for one call at a time.
#[derive(Default)]
struct Gate {
    open: AtomicBool,
    waiting: AtomicBool,
}

impl Gate {
    async fn pass(&self) {
        // Nobody has to be woken: whoever opens it polls.
        poll_fn(|_| {
            let open = self.open.swap(false, SeqCst);
            self.waiting.store(!open, SeqCst);
            if open { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// A storage whose calls wait for their turn.
struct InTurn {
    sessions: Arc<dyn Sessions>,
    gate: Arc<Gate>,
}

#[async_trait]
impl Sessions for InTurn {
    async fn read(&self, key: &str, now: UnixTime) -> Result<Option<Versioned>> {
        self.gate.pass().await;
        self.sessions.read(key, now).await
    }

    async fn write(
        &self,
        key: &str,
        expected: Expected,
        value: &[u8],
        expires: UnixTime,
        now: UnixTime,
    ) -> Result<Option<u64>> {
        self.gate.pass().await;
        self.sessions.write(key, expected, value, expires, now).await
    }

    async fn remove(&self, key: &str, version: u64, now: UnixTime) -> Result<bool> {
        self.gate.pass().await;
        self.sessions.remove(key, version, now).await
    }

    async fn sweep(&self, now: UnixTime, most: usize) -> Result<usize> {
        self.gate.pass().await;
        self.sessions.sweep(now, most).await
    }

    async fn ready(&self) -> Result<()> {
        self.sessions.ready().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(began: usize, ended: usize) -> Done<()> {
        Done { outcome: (), began, ended }
    }

    #[test]
    fn who_had_ended_comes_first() {
        let mut orders = Vec::new();
        let all = [done(0, 2), done(1, 5), done(3, 4)];
        assert!(!linearises(&all, |order| {
            orders.push(order.to_vec());
            false
        }));
        assert_eq!(orders, [[0, 1, 2], [0, 2, 1], [1, 0, 2]]);
    }

    /// Two that both read before either writes: the storage refuses the second.
    #[tokio::test]
    async fn the_turns_are_those_that_are_asked_for() {
        const NOW: UnixTime = UnixTime(5);
        let directory = tempfile::tempdir().unwrap();
        let sessions = super::super::sqlite::SqliteSessions::open(directory.path()).await.unwrap();
        let sessions: Arc<dyn Sessions> = Arc::new(sessions);
        for (turns, written) in [([0, 1, 0, 1], [true, false]), ([0, 1, 1, 0], [false, true])] {
            let actor = |_| {
                Actor::new(sessions.clone(), |sessions| async move {
                    let found = sessions.read("k", NOW).await.unwrap();
                    let expected =
                        found.map_or(Expected::Absent, |found| Expected::Version(found.version));
                    sessions.write("k", expected, b"", NOW.plus(9), NOW).await.unwrap().is_some()
                })
            };
            let mut steps = 0;
            let all = in_turns((0..2).map(actor).collect(), &turns, async || steps += 1).await;
            assert_eq!([all[0].outcome, all[1].outcome], written);
            assert_eq!(steps, 4);
        }
    }
}
