//! How much of something each key has at once. It takes memory for what there is, and none for what has been.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts what keys have at present.
#[derive(Debug, Clone)]
pub struct AtOnce(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    taken: Mutex<HashMap<String, usize>>,
}

/// One that a key has, until this is dropped.
#[derive(Debug)]
pub struct Place {
    counted: Arc<Inner>,
    key: String,
}

impl AtOnce {
    /// So many for each key.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Inner { most, taken: Mutex::default() }))
    }

    /// One more for a key, unless it has as many as it may.
    pub fn take(&self, key: &str) -> Option<Place> {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(key) {
            Some(count) if *count >= self.0.most => return None,
            Some(count) => *count += 1,
            None if self.0.most == 0 => return None,
            None => {
                taken.insert(key.to_owned(), 1);
            }
        }
        Some(Place { counted: self.0.clone(), key: key.to_owned() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.counted.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_so_many_and_leaves_nothing_behind() {
        let at_once = AtOnce::new(2);
        let (first, second) = (at_once.take("a"), at_once.take("a"));
        assert!(first.is_some() && second.is_some() && at_once.take("a").is_none());
        assert!(at_once.take("b").is_some(), "another key has its own");
        drop(first);
        let third = at_once.take("a");
        assert!(third.is_some() && at_once.take("a").is_none());
        drop((second, third));
        assert!(at_once.0.taken.lock().unwrap().is_empty());
        assert!(AtOnce::new(0).take("a").is_none());
    }
}
