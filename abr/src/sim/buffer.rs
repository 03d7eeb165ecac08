//! The segments of a [`play`](crate::sim::play).

use std::collections::VecDeque;

use crate::sim::Replacement;

/// Segments waiting to be played.
#[derive(Default)]
pub(super) struct Buffer {
    pub(super) duration_ms: f64,
    pub(super) queue: VecDeque<usize>,
    /// How much of the first was played.
    pub(super) played_ms: f64,
}

impl Buffer {
    pub(super) fn level_ms(&self) -> f64 {
        self.duration_ms * self.queue.len() as f64 - self.played_ms
    }

    /// Plays for a time and returns how much of it there was nothing for.
    pub(super) fn play(&mut self, mut ms: f64) -> f64 {
        if self.played_ms > 0.0 {
            if ms + self.played_ms < self.duration_ms {
                self.played_ms += ms;
                return 0.0;
            }
            ms -= self.duration_ms - self.played_ms;
            self.queue.pop_front();
            self.played_ms = 0.0;
        }
        while ms > 0.0 && !self.queue.is_empty() {
            if ms < self.duration_ms {
                self.played_ms = ms;
                return 0.0;
            }
            self.queue.pop_front();
            ms -= self.duration_ms;
        }
        ms
    }

    /// How far from the end the segment lies that a decision for `rung` should replace.
    pub(super) fn replaceable(&self, replacement: Replacement, rung: usize) -> Option<usize> {
        let skip = libm::ceil(1.5 + self.played_ms / self.duration_ms) as usize;
        let lower = |at: &usize| self.queue.get(*at).is_some_and(|&queued| queued < rung);
        let mut candidates = skip..self.queue.len();
        let at = match replacement {
            Replacement::None | Replacement::Rule => None,
            Replacement::Soonest => candidates.find(lower),
            Replacement::Latest => candidates.rev().find(lower),
        };
        at.map(|at| self.queue.len() - at)
    }

    pub(super) fn at_the_end(&mut self, back: usize) -> Option<&mut usize> {
        let at = self.queue.len().checked_sub(back)?;
        self.queue.get_mut(at)
    }
}
