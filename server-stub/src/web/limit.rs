//! Rates that are not to be exceeded, one for each key, in bounded memory.
//!
//! The generic cell rate algorithm: a key has a time at which it is empty again, and each use moves that time on.

use crate::clock::UnixTime;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

/// So many uses at once, and one more each so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Uses that are there at first.
    pub burst: u32,
    /// Seconds until one more is.
    pub seconds_each: u32,
}

/// Counts uses by key.
///
/// Keys share a table of fixed size by their hash, seeded anew in each process: two keys may share a place,
/// one time in many, and then wait for each other; nobody can choose keys that do.
#[derive(Debug)]
pub struct RateLimit {
    rate: Rate,
    hasher: RandomState,
    /// The second at which the key in that place is empty again.
    empty_at: Mutex<HashMap<u32, i64>>,
}

/// Places of the table; with all in use it takes about a megabyte.
const PLACES: u32 = 1 << 16;

impl RateLimit {
    /// A limit that nobody has used yet.
    pub fn new(rate: Rate) -> Self {
        Self { rate, hasher: RandomState::new(), empty_at: Mutex::default() }
    }

    /// Takes one use of the key.
    ///
    /// # Errors
    /// The seconds until there is one, when there is none.
    pub fn take(&self, key: &str, now: UnixTime) -> Result<(), u32> {
        let Rate { burst, seconds_each } = self.rate;
        let place = (self.hasher.hash_one(key) % u64::from(PLACES)) as u32;
        let mut table = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let empty_at = table.get(&place).copied().unwrap_or(now.0).max(now.0);
        let next = empty_at.saturating_add(i64::from(seconds_each));
        let full_at = now.0.saturating_add(i64::from(burst) * i64::from(seconds_each));
        if next > full_at {
            return Err(u32::try_from(next - full_at).unwrap_or(u32::MAX));
        }
        table.insert(place, next);
        Ok(())
    }

    /// Gives one use of the key back.
    pub fn give_back(&self, key: &str) {
        let place = (self.hasher.hash_one(key) % u64::from(PLACES)) as u32;
        let mut table = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(empty_at) = table.get_mut(&place) {
            *empty_at -= i64::from(self.rate.seconds_each);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, seconds_each: 10 };

    #[test]
    fn a_burst_and_then_one_at_a_time() {
        let limit = RateLimit::new(RATE);
        let now = UnixTime(1000);
        for _ in 0..3 {
            assert_eq!(limit.take("a", now), Ok(()));
        }
        assert_eq!(limit.take("a", now), Err(10));
        assert_eq!(limit.take("a", now.plus(9)), Err(1));
        assert_eq!(limit.take("a", now.plus(10)), Ok(()));
        assert_eq!(limit.take("a", now.plus(10)), Err(10));
        assert_eq!(limit.take("b", now), Ok(()), "another key has its own");
        for _ in 0..3 {
            assert_eq!(limit.take("a", now.plus(1000)), Ok(()), "rest fills up, to the burst");
        }
        assert_eq!(limit.take("a", now.plus(1000)), Err(10));
        limit.give_back("a");
        assert_eq!(limit.take("a", now.plus(1000)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_whatever_the_keys() {
        let limit = RateLimit::new(RATE);
        for key in 0..200_000 {
            let _ = limit.take(&key.to_string(), UnixTime(1000));
        }
        let places = limit.empty_at.lock().unwrap().len();
        assert!(places <= PLACES as usize, "{places}");
    }
}
