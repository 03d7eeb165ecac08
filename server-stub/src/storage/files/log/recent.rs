//! The keys of the latest records.

use crate::storage::event_log::Key;
use std::collections::{HashSet, VecDeque};

/// So many keys, the oldest forgotten first.
pub(super) struct Recent {
    most: usize,
    order: VecDeque<Key>,
    known: HashSet<Key>,
}

impl Recent {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), order: VecDeque::new(), known: HashSet::new() }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    pub(super) fn knows(&self, key: Key) -> bool {
        self.known.contains(&key)
    }

    pub(super) fn learn(&mut self, key: Key) {
        if self.order.len() == self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        // A log that was written with a smaller window may have a key twice: it is known until the earlier goes.
        self.known.insert(key);
        self.order.push_back(key);
    }
}
