//! A vector that loses elements at its front.

use core::ops::{Deref, DerefMut};

/// A vector that loses elements at its front at a cost of one move for each, however long it is. A
/// ring would do, too, but costs several times the code for each type that it holds.
#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    all: Vec<T>,
    /// How many at the front have gone; never more than half, once an operation is over.
    gone: usize,
}

impl<T: Copy> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { all: Vec::new(), gone: 0 }
    }

    /// Adds an element to the end.
    pub(crate) fn push(&mut self, element: T) {
        self.all.push(element);
    }

    /// Adds elements to the end until there are so many.
    pub(crate) fn fill(&mut self, length: usize, element: T) {
        while self.len() < length {
            self.all.push(element);
        }
    }

    /// Keeps so many elements at the front.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.all.truncate(self.gone.saturating_add(length));
        self.settle();
    }

    /// Drops so many elements at the front.
    pub(crate) fn drop_front(&mut self, count: usize) {
        self.gone += count.min(self.len());
        self.settle();
    }

    /// Moves what is left to the front once that is less than has gone.
    fn settle(&mut self) {
        if self.gone > self.all.len() / 2 {
            self.all.copy_within(self.gone.., 0);
            self.all.truncate(self.all.len() - self.gone);
            self.gone = 0;
        }
    }

    /// Gives back what room is not needed.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.all.shrink_to_fit();
    }
}

impl<T> Deref for Queue<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.all.get(self.gone..).unwrap_or_default()
    }
}

impl<T> DerefMut for Queue<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.all.get_mut(self.gone..).unwrap_or_default()
    }
}

impl<T> From<Vec<T>> for Queue<T> {
    fn from(all: Vec<T>) -> Self {
        Self { all, gone: 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u8),
        Fill(usize),
        Truncate(usize),
        DropFront(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => any::<u8>().prop_map(Step::Push),
            1 => (0..12_usize).prop_map(Step::Fill),
            1 => (0..12_usize).prop_map(Step::Truncate),
            2 => (0..5_usize).prop_map(Step::DropFront),
        ]
    }

    proptest! {
        #[test]
        fn it_does_what_a_ring_does(steps in proptest::collection::vec(step(), 0..60)) {
            let (mut queue, mut ring) = (Queue::new(), VecDeque::new());
            for step in steps {
                match step {
                    Step::Push(element) => {
                        queue.push(element);
                        ring.push_back(element);
                    }
                    Step::Fill(length) => {
                        queue.fill(length, 7);
                        ring.resize(ring.len().max(length), 7);
                    }
                    Step::Truncate(length) => {
                        queue.truncate(length);
                        ring.truncate(length);
                    }
                    Step::DropFront(count) => {
                        queue.drop_front(count);
                        ring.drain(..count.min(ring.len()));
                    }
                }
                prop_assert_eq!(queue.to_vec(), Vec::from(ring.clone()));
                prop_assert!(queue.gone <= queue.all.len() / 2);
            }
        }
    }
}
