//! Segments on their way.

use crate::Event;

use super::link::Flow;

/// Video or audio.
#[derive(Default)]
pub(super) struct Track {
    /// Number of the next segment to be requested.
    pub(super) next: usize,
    pub(super) fetch: Option<Fetch>,
}

#[derive(Clone, Copy)]
pub(super) struct Fetch {
    pub(super) id: u64,
    pub(super) segment: usize,
    pub(super) rung: usize,
    pub(super) started_ms: f64,
    pub(super) first_byte_ms: Option<f64>,
    pub(super) buffer_ms: f64,
    /// It is to take the place of a queued segment.
    pub(super) replaces: bool,
    /// It had to wait for its source.
    pub(super) limited: bool,
    /// Chunks reported, and since when the one after them is being received.
    pub(super) chunks: u32,
    pub(super) chunk_since_ms: Option<f64>,
}

impl Fetch {
    /// The report of a chunk that has just been received.
    pub(super) fn chunk(&mut self, now_ms: f64, flow: &Flow) -> Option<Event> {
        let complete = flow.chunks() > self.chunks;
        let started_us = self.chunk_since_ms.filter(|_| complete).map(micros);
        if complete {
            self.chunks = flow.chunks();
            self.chunk_since_ms = None;
        }
        if self.chunk_since_ms.is_none() && flow.has_begun() && !flow.awaits_source() {
            self.chunk_since_ms = Some(now_ms);
        }
        let bytes = (flow.chunk_bits() / 8.0) as u64;
        started_us.map(|started_us| Event::Chunk { id: self.id, bytes, started_us })
    }
}

/// Microseconds, as the engine counts.
pub(super) fn micros(ms: f64) -> u64 {
    libm::round(ms * 1000.0) as u64
}
