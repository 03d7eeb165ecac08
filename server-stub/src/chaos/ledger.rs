//! The last requests, for a test to read.

use crate::access::Access;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keeps the last requests that have ended, oldest first.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<VecDeque<Access>>);

/// An hour of playback asks for fewer.
const CAPACITY: usize = 20_000;

impl Ledger {
    /// Adds a request; at capacity the oldest goes.
    pub fn record(&self, access: Access) {
        let mut entries = self.lock();
        if entries.len() >= CAPACITY {
            entries.pop_front();
        }
        entries.push_back(access);
    }

    /// What is kept.
    pub fn entries(&self) -> Vec<Access> {
        self.lock().iter().cloned().collect()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Access>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
