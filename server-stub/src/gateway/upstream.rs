//! A role in other processes: which of them to ask, when to stop asking, and when a second try is allowed.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Failures in a row after which a process is not asked for a while.
const FAILURES: u32 = 5;
/// How long.
const OPEN: Duration = Duration::from_secs(5);
/// Second tries are at most this part of all requests, with a few to begin with: when everything fails, they must not
/// double the load.
const RETRIES_PER_REQUEST: f64 = 0.1;
const MOST_RETRIES: f64 = 10.0;

/// A role in other processes.
pub struct Upstream {
    peers: Vec<Peer>,
    next: AtomicUsize,
    budget: Mutex<f64>,
}

/// One of the processes, and its circuit breaker.
pub struct Peer {
    /// Where it is.
    pub base: String,
    circuit: Mutex<Circuit>,
}

#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    /// Until then nobody asks, and after that one does, for a while.
    open_until: Option<Instant>,
}

impl Upstream {
    /// A role in processes at these places.
    pub fn new(bases: Vec<String>) -> Self {
        let peer = |base| Peer { base, circuit: Mutex::default() };
        Self {
            peers: bases.into_iter().map(peer).collect(),
            next: AtomicUsize::new(0),
            budget: Mutex::new(MOST_RETRIES),
        }
    }

    /// Its processes.
    pub fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// A process to ask, in turn, that is not `except` unless there is no other; none while all circuits are open.
    pub fn pick(&self, except: Option<&str>, now: Instant) -> Option<Asked<'_>> {
        // A second try takes nobody's turn.
        let first = match except {
            Some(_) => self.next.load(Ordering::Relaxed),
            None => self.next.fetch_add(1, Ordering::Relaxed),
        };
        let turn = |offset: usize| self.peers.get((first + offset) % self.peers.len());
        let all = || (0..self.peers.len()).filter_map(turn);
        let others = all().filter(|peer| except != Some(peer.base.as_str()));
        others.chain(all()).find_map(|peer| peer.ask(now))
    }

    /// A request comes in: what it adds to what second tries may take.
    pub fn came(&self) {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        *budget = (*budget + RETRIES_PER_REQUEST).min(MOST_RETRIES);
    }

    /// Takes a second try, if there is one to take.
    pub fn may_retry(&self) -> bool {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = *budget >= 1.0;
        if allowed {
            *budget -= 1.0;
        }
        allowed
    }
}

impl Peer {
    /// Asks it, unless its circuit is open.
    fn ask(&self, now: Instant) -> Option<Asked<'_>> {
        let mut circuit = self.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        let half_open = match circuit.open_until {
            Some(until) if now < until => return None,
            // Whoever comes now tries, and the others wait for what becomes of it.
            Some(until) => {
                circuit.open_until = Some(now + OPEN);
                Some(until)
            }
            None => None,
        };
        Some(Asked { peer: self, half_open })
    }
}

/// A process that is being asked.
pub struct Asked<'a> {
    /// The process.
    pub peer: &'a Peer,
    /// Since when its circuit is half open, if this is the one who tries.
    half_open: Option<Instant>,
}

impl Asked<'_> {
    /// It answered, or did not.
    pub fn ended(mut self, well: bool, now: Instant) {
        self.half_open = None;
        let mut circuit = self.peer.circuit.lock().unwrap_or_else(PoisonError::into_inner);
        if well {
            *circuit = Circuit::default();
            return;
        }
        circuit.failures = circuit.failures.saturating_add(1);
        if circuit.failures >= FAILURES {
            circuit.open_until = Some(now + OPEN);
        }
    }
}

/// Who hangs up before there is an answer says nothing of the process. Was it the one who tried, the next one does: else
/// those who hang up could keep a circuit open.
impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.half_open {
            let mut circuit = self.peer.circuit.lock().unwrap_or_else(PoisonError::into_inner);
            circuit.open_until = circuit.open_until.map(|_| since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(asked: Option<Asked<'_>>) -> &str {
        asked.map_or("none", |asked| asked.peer.base.as_str())
    }

    #[test]
    fn processes_take_turns_and_a_second_try_goes_elsewhere() {
        let now = Instant::now();
        let upstream = Upstream::new(vec!["a".into(), "b".into()]);
        let picked: Vec<&str> = (0..4).map(|_| base(upstream.pick(None, now))).collect();
        assert_eq!(picked, ["a", "b", "a", "b"]);
        for _ in 0..4 {
            assert_eq!(base(upstream.pick(Some("a"), now)), "b");
        }
        let alone = Upstream::new(vec!["a".into()]);
        assert_eq!(base(alone.pick(Some("a"), now)), "a");
    }

    /// A role in one process that has failed as often as it takes.
    fn failed(now: Instant) -> Upstream {
        let upstream = Upstream::new(vec!["a".into()]);
        for _ in 0..FAILURES {
            upstream.pick(None, now).unwrap().ended(false, now);
        }
        assert_eq!(base(upstream.pick(None, now)), "none");
        upstream
    }

    #[test]
    fn a_circuit_opens_lets_one_through_and_closes_when_that_goes_well() {
        let now = Instant::now();
        let upstream = failed(now);
        let later = now + OPEN;
        let tries = upstream.pick(None, later).unwrap();
        assert_eq!(base(upstream.pick(None, later)), "none", "one tries, the others wait");
        tries.ended(false, later);
        assert_eq!(base(upstream.pick(None, later + OPEN / 2)), "none");
        upstream.pick(None, later + OPEN).unwrap().ended(true, later + OPEN);
        let both = [upstream.pick(None, later + OPEN), upstream.pick(None, later + OPEN)];
        for asked in both {
            asked.unwrap().ended(false, later + OPEN);
        }
        assert_eq!(base(upstream.pick(None, later + OPEN)), "a", "the count began anew");
    }

    #[test]
    fn who_hangs_up_keeps_no_circuit_open() {
        let now = Instant::now();
        let upstream = failed(now);
        let later = now + OPEN;
        for _ in 0..10 {
            let tries = upstream.pick(None, later).unwrap();
            assert_eq!(base(upstream.pick(None, later)), "none", "still one at a time");
            drop(tries);
        }
        upstream.pick(None, later).unwrap().ended(true, later);
        // Nor is a process that is well any worse for it.
        drop(upstream.pick(None, later).unwrap());
        assert_eq!(base(upstream.pick(None, later)), "a");
    }

    #[test]
    fn second_tries_are_a_small_part_of_all() {
        let upstream = Upstream::new(vec!["a".into()]);
        let mut retries = 0;
        for _ in 0..1000 {
            upstream.came();
            retries += u32::from(upstream.may_retry());
        }
        assert!((100..=111).contains(&retries), "{retries}");
    }
}
