//! The way to the servers: one link that all transfers share.

use std::time::Duration;

use kinora_core::io::RequestId;
use kinora_core::time::Timestamp;

/// How often a transfer reports progress.
const PROGRESS: Duration = Duration::from_millis(50);

/// One link, whose rate follows a trace, shared evenly by all transfers.
#[derive(Clone, Debug)]
pub struct Network {
    trace: Vec<Stretch>,
    started: Option<Timestamp>,
    transfers: Vec<Transfer>,
}

/// A stretch of constant conditions; a trace repeats when it is over.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// How long it lasts.
    pub duration: Duration,
    /// Rate in kbit/s.
    pub kbps: u64,
    /// From a request to the first byte of its response.
    pub latency: Duration,
}

#[derive(Clone, Debug)]
struct Transfer {
    id: RequestId,
    head_at: Timestamp,
    status: u16,
    refused: bool,
    head_sent: bool,
    size: u64,
    /// It delivers no byte beyond this.
    stall: Option<u64>,
    received: f64,
    reported: Option<(Timestamp, u64)>,
}

/// Something that reaches the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// There is nobody at the other end.
    Refused(RequestId),
    /// Status and header fields.
    Head {
        /// Of this request.
        id: RequestId,
        /// HTTP status.
        status: u16,
    },
    /// Part of a body.
    Bytes {
        /// Of this request.
        id: RequestId,
        /// Bytes in all.
        received: u64,
        /// It is the last.
        complete: bool,
    },
}

impl Network {
    /// A link of constant rate, with 20 ms to the first byte.
    pub fn constant(kbps: u64) -> Self {
        Self::steps(&[(3_600, kbps)])
    }

    /// A link whose rate changes: `(seconds, kbit/s)`, repeated.
    pub fn steps(steps: &[(u64, u64)]) -> Self {
        let stretch = |&(seconds, kbps): &(u64, u64)| Stretch {
            duration: Duration::from_secs(seconds),
            kbps,
            latency: Duration::from_millis(20),
        };
        Self::from_trace(steps.iter().map(stretch).collect())
    }

    /// A link that follows a trace.
    pub fn from_trace(trace: Vec<Stretch>) -> Self {
        assert!(!trace.is_empty());
        Self { trace, started: None, transfers: Vec::new() }
    }

    fn stretch(&self, now: Timestamp) -> Stretch {
        let started = self.started.unwrap_or(now);
        let total: Duration = self.trace.iter().map(|stretch| stretch.duration).sum();
        let mut into = now.since(started).as_micros() % total.as_micros().max(1);
        for stretch in &self.trace {
            if into < stretch.duration.as_micros() {
                return *stretch;
            }
            into -= stretch.duration.as_micros();
        }
        self.trace[0]
    }

    pub(crate) fn is_busy(&self) -> bool {
        !self.transfers.is_empty()
    }

    pub(crate) fn start(
        &mut self,
        id: RequestId,
        now: Timestamp,
        status: u16,
        size: u64,
        stall: Option<u64>,
    ) {
        self.started.get_or_insert(now);
        self.transfers.push(Transfer {
            id,
            head_at: now + self.stretch(now).latency,
            status,
            refused: false,
            head_sent: false,
            size,
            stall,
            received: 0.0,
            reported: None,
        });
    }

    pub(crate) fn refuse(&mut self, id: RequestId, now: Timestamp) {
        self.start(id, now, 0, 0, None);
        if let Some(transfer) = self.transfers.last_mut() {
            transfer.refused = true;
        }
    }

    pub(crate) fn cancel(&mut self, id: RequestId) {
        self.transfers.retain(|transfer| transfer.id != id);
    }

    /// Lets time pass up to `now`, and tells what arrived.
    pub(crate) fn advance(&mut self, now: Timestamp, elapsed: Duration) -> Vec<Arrival> {
        let bytes = self.stretch(now).kbps as f64 * 125.0 * elapsed.as_secs_f64();
        let receives = |transfer: &Transfer| {
            let limit = transfer.stall.unwrap_or(transfer.size) as f64;
            transfer.head_sent && transfer.received < limit
        };
        let receiving = self.transfers.iter().filter(|transfer| receives(transfer)).count();
        let share = bytes / receiving.max(1) as f64;
        let mut arrivals = Vec::new();
        for transfer in &mut self.transfers {
            let id = transfer.id;
            if receives(transfer) {
                let limit = transfer.stall.unwrap_or(transfer.size) as f64;
                transfer.received = (transfer.received + share).min(limit);
                let received = transfer.received as u64;
                let due = transfer.reported.is_none_or(|(at, _)| now.since(at) >= PROGRESS);
                let complete = received >= transfer.size;
                if complete || due && received > 0 {
                    transfer.reported = Some((now, received));
                    arrivals.push(Arrival::Bytes { id, received, complete });
                }
            } else if !transfer.head_sent && transfer.head_at <= now {
                transfer.head_sent = true;
                if transfer.refused {
                    arrivals.push(Arrival::Refused(id));
                } else {
                    arrivals.push(Arrival::Head { id, status: transfer.status });
                    if transfer.size == 0 {
                        arrivals.push(Arrival::Bytes { id, received: 0, complete: true });
                    }
                }
            }
        }
        let over = |arrival: &Arrival| match arrival {
            Arrival::Refused(id) | Arrival::Bytes { id, complete: true, .. } => Some(*id),
            _ => None,
        };
        let ended: Vec<_> = arrivals.iter().filter_map(over).collect();
        self.transfers.retain(|transfer| !ended.contains(&transfer.id));
        arrivals
    }
}
