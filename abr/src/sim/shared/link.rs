//! A link that is divided among the transfers on it.

use crate::sim::{Period, Trace};

use super::MOMENT_MS;

/// A trace, and what is being transferred over it.
pub(super) struct SharedLink<'a> {
    periods: &'a [Period],
    index: usize,
    left_ms: f64,
    flows: Vec<Flow>,
}

/// A transfer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    id: u64,
    /// Part of the latency that is still to pass.
    latency: f64,
    /// Size of what was requested.
    pub(super) bits: f64,
    /// What exists of it.
    available: f64,
    /// It comes in parts of this size.
    chunk_bits: f64,
    pub(super) received: f64,
}

/// Bits that are none.
const NEGLIGIBLE: f64 = 1e-6;

impl Flow {
    /// Whether its first bits could arrive.
    pub(super) fn has_begun(&self) -> bool {
        self.latency <= 0.0
    }

    pub(super) fn is_complete(&self) -> bool {
        self.has_begun() && self.bits - self.received < NEGLIGIBLE
    }

    /// Whether all that exists has arrived, but not all that is to come.
    pub(super) fn awaits_source(&self) -> bool {
        self.has_begun() && self.outstanding() <= 0.0 && !self.is_complete()
    }

    /// Whole chunks received.
    pub(super) fn chunks(&self) -> u32 {
        ((self.received + NEGLIGIBLE) / self.chunk_bits) as u32
    }

    /// Bits of a chunk.
    pub(super) fn chunk_bits(&self) -> f64 {
        self.chunk_bits
    }

    /// What is outstanding of the chunk that is being received.
    fn outstanding_of_chunk(&self) -> f64 {
        let end = f64::from(self.chunks() + 1) * self.chunk_bits;
        self.outstanding().min((end - self.received).max(NEGLIGIBLE))
    }

    fn outstanding(&self) -> f64 {
        let left = self.available.min(self.bits) - self.received;
        if self.has_begun() && left >= NEGLIGIBLE { left } else { 0.0 }
    }
}

impl<'a> SharedLink<'a> {
    pub(super) fn new(trace: &'a Trace) -> Self {
        let mut link = Self { periods: &trace.0, index: 0, left_ms: 0.0, flows: Vec::new() };
        link.left_ms = link.period().duration_ms;
        link.skip_empty_periods();
        link
    }

    /// A request goes out for `bits` that come in so many chunks; so much is `available` now.
    pub(super) fn open(&mut self, id: u64, bits: f64, chunks: u32, available: f64) {
        let chunk_bits = bits / f64::from(chunks.max(1));
        self.flows.push(Flow { id, latency: 1.0, bits, available, chunk_bits, received: 0.0 });
    }

    pub(super) fn close(&mut self, id: u64) {
        self.flows.retain(|flow| flow.id != id);
    }

    pub(super) fn flow(&self, id: u64) -> Option<&Flow> {
        self.flows.iter().find(|flow| flow.id == id)
    }

    pub(super) fn make_available(&mut self, id: u64, bits: f64) {
        if let Some(flow) = self.flows.iter_mut().find(|flow| flow.id == id) {
            flow.available = bits;
        }
    }

    /// How long everything goes on as it is, milliseconds.
    pub(super) fn until_event(&self) -> f64 {
        let share = self.share();
        let latency_ms = self.period().latency_ms;
        let of_flow = |flow: &Flow| match flow.outstanding_of_chunk() {
            _ if !flow.has_begun() => flow.latency * latency_ms,
            left if left > 0.0 && share > 0.0 => left / share,
            _ => f64::INFINITY,
        };
        self.flows.iter().map(of_flow).fold(self.left_ms, f64::min)
    }

    /// Lets time pass, no more than until the next event.
    pub(super) fn advance(&mut self, ms: f64) {
        let share = self.share();
        let latency_ms = self.period().latency_ms;
        for flow in &mut self.flows {
            let left = flow.outstanding();
            if !flow.has_begun() {
                flow.latency -= if latency_ms > 0.0 { ms / latency_ms } else { flow.latency };
                if flow.latency * latency_ms < MOMENT_MS {
                    flow.latency = 0.0;
                }
            } else if left > 0.0 {
                flow.received += left.min(share * ms);
            }
        }
        self.left_ms -= ms;
        if self.left_ms < MOMENT_MS {
            self.next_period();
            self.skip_empty_periods();
        }
    }

    fn share(&self) -> f64 {
        let receiving = self.flows.iter().filter(|flow| flow.outstanding() > 0.0).count();
        self.period().bandwidth_kbps / receiving.max(1) as f64
    }

    fn period(&self) -> Period {
        self.periods[self.index]
    }

    fn next_period(&mut self) {
        self.index = (self.index + 1) % self.periods.len();
        self.left_ms = self.period().duration_ms;
    }

    fn skip_empty_periods(&mut self) {
        // A sound trace has one that lasts.
        for _ in 0..self.periods.len() {
            if self.left_ms >= MOMENT_MS {
                break;
            }
            self.next_period();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(bandwidth_kbps: f64) -> Trace {
        Trace(vec![Period { duration_ms: 700.0, bandwidth_kbps, latency_ms: 100.0 }])
    }

    /// Runs until a flow is complete and says when that was.
    fn completion(link: &mut SharedLink<'_>, id: u64, now_ms: &mut f64) -> f64 {
        while !link.flow(id).is_some_and(Flow::is_complete) {
            let ms = link.until_event();
            link.advance(ms);
            *now_ms += ms;
        }
        *now_ms
    }

    #[test]
    fn transfers_share_equally_while_they_overlap() {
        let trace = trace(1000.0);
        let mut link = SharedLink::new(&trace);
        let mut now_ms = 0.0;
        link.open(1, 300_000.0, 1, 300_000.0);
        link.open(2, 600_000.0, 3, 600_000.0);
        // 100 ms of latency; both at half the rate; then one alone at the whole.
        assert!((completion(&mut link, 1, &mut now_ms) - 700.0).abs() < 1e-6);
        link.close(1);
        assert!((completion(&mut link, 2, &mut now_ms) - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn what_does_not_exist_yet_is_waited_for_and_leaves_the_link_to_others() {
        let trace = trace(1000.0);
        let mut link = SharedLink::new(&trace);
        let mut now_ms = 0.0;
        link.open(1, 200_000.0, 4, 50_000.0);
        link.open(2, 250_000.0, 1, 250_000.0);
        assert!((completion(&mut link, 2, &mut now_ms) - 400.0).abs() < 1e-6);
        assert!(link.flow(1).unwrap().awaits_source());
        link.make_available(1, 200_000.0);
        assert!((completion(&mut link, 1, &mut now_ms) - 550.0).abs() < 1e-6);
    }
}
