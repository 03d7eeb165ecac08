//! The way to the servers: one link that all transfers share.
//!
//! Between two events (a head that arrives, a body that ends, a change of the link) nothing changes, so
//! the clock jumps from one to the next: [`Network::next_event`] says when, [`Network::advance`] gets
//! there.

use std::collections::BTreeMap;
use std::time::Duration;

use kinora_core::io::{RequestFailure, RequestId};
use kinora_core::time::Timestamp;

/// How often a transfer reports progress, if nothing else is asked for.
const PROGRESS: Duration = Duration::from_millis(50);
/// A lost packet is sent again after so long, and nothing arrives meanwhile.
const RETRANSMISSION: Duration = Duration::from_millis(300);

/// One link, whose rate follows a trace, shared evenly by all transfers.
#[derive(Clone, Debug)]
pub struct Network {
    /// No connection is faster than this, in kbit/s.
    pub per_connection_kbps: Option<u64>,
    /// What a new connection costs before its first request: TCP and TLS.
    pub connection_setup: Duration,
    /// How requests share connections.
    pub protocol: Protocol,
    /// Up to so much is added to the latency of each request.
    pub jitter: Duration,
    /// Lost packets a minute, of each transfer: each stops it for a moment.
    pub losses_per_minute: f64,
    /// How often a transfer reports progress.
    pub progress: Duration,
    trace: Vec<Stretch>,
    /// End of each stretch since the start of the trace.
    ends: Vec<Duration>,
    started: Option<Timestamp>,
    offline_until: Option<Timestamp>,
    transfers: Vec<Transfer>,
    connections: BTreeMap<String, usize>,
    draw: fastrand::Rng,
}

/// A stretch of constant conditions; a trace repeats when it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stretch {
    /// How long it lasts.
    pub duration: Duration,
    /// Rate in kbit/s; at 0 nothing comes, and nobody says so.
    pub kbps: u64,
    /// From a request to the first byte of its response.
    pub latency: Duration,
    /// The device knows that it has no network: what runs breaks off, what starts fails at once.
    pub offline: bool,
}

/// How requests share connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// One request at a time on each of so many connections to a host; others wait.
    Http1 {
        /// Connections to one host.
        connections: usize,
    },
    /// One connection to a host for all requests.
    Http2,
}

/// What a server sends in answer to a request, as far as the link is concerned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    /// Whom it comes from.
    pub(crate) host: String,
    /// Bytes of the body.
    pub(crate) size: u64,
    /// It fails instead of ending: at once, or after its `size` bytes.
    pub(crate) failure: Option<RequestFailure>,
    /// There is no response at all, only the failure.
    pub(crate) refused: bool,
    /// Nothing comes after so many bytes; with `None` of a head, not even that.
    pub(crate) stall: Option<u64>,
    /// The server never sends the head.
    pub(crate) silent: bool,
    /// The server sends no faster, in kbit/s.
    pub(crate) kbps: Option<u64>,
    /// The server takes so long before it answers.
    pub(crate) delay: Duration,
    /// A body that is still being made: so many bytes are there from each instant on, in order.
    pub(crate) made: Vec<(Timestamp, u64)>,
}

#[derive(Clone, Debug)]
struct Transfer {
    id: RequestId,
    delivery: Delivery,
    phase: Phase,
    received: f64,
    reported: Option<(Timestamp, u64)>,
    /// A lost packet holds it up.
    paused_until: Option<Timestamp>,
    next_loss: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection is free.
    Queued,
    /// The head is on its way.
    Asked { head_at: Timestamp },
    /// Bytes come.
    Receiving,
}

/// Something that reaches the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It came to nothing.
    Failed(RequestId, RequestFailure),
    /// The head of the response.
    Head(RequestId),
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
            ..Stretch::default()
        };
        Self::from_trace(steps.iter().map(stretch).collect())
    }

    /// A link that follows a trace.
    pub fn from_trace(trace: Vec<Stretch>) -> Self {
        assert!(trace.iter().any(|stretch| !stretch.duration.is_zero()), "a trace takes time");
        let mut end = Duration::ZERO;
        let ends = trace.iter().map(|stretch| {
            end += stretch.duration;
            end
        });
        Self {
            per_connection_kbps: None,
            connection_setup: Duration::ZERO,
            protocol: Protocol::Http2,
            jitter: Duration::ZERO,
            losses_per_minute: 0.0,
            progress: PROGRESS,
            ends: ends.collect(),
            trace,
            started: None,
            offline_until: None,
            transfers: Vec::new(),
            connections: BTreeMap::new(),
            draw: fastrand::Rng::with_seed(0),
        }
    }

    /// Seeds what is random: jitter and losses.
    pub fn seed(&mut self, seed: u64) {
        self.draw = fastrand::Rng::with_seed(seed);
    }

    /// From now on, this rate and nothing else; what is on its way stays on its way.
    pub fn set_rate(&mut self, kbps: u64) {
        let constant = Self::constant(kbps);
        (self.trace, self.ends) = (constant.trace, constant.ends);
    }

    /// No network until then, and the device knows it.
    pub fn go_offline(&mut self, until: Timestamp) {
        self.offline_until = Some(until);
    }

    /// Conditions at an instant.
    pub fn conditions(&self, now: Timestamp) -> Stretch {
        let mut stretch = self.trace[self.position(now).0];
        stretch.offline |= self.offline_until.is_some_and(|until| now < until);
        stretch
    }

    /// Which stretch `now` lies in, and when that ends.
    fn position(&self, now: Timestamp) -> (usize, Timestamp) {
        let total = self.ends.last().map_or(1, |end| end.as_micros() as u64).max(1);
        let started = self.started.unwrap_or(now);
        let since = now.since(started).as_micros() as u64;
        let into = Duration::from_micros(since % total);
        let index = self.ends.partition_point(|end| *end <= into).min(self.ends.len() - 1);
        (index, now + (self.ends[index].saturating_sub(into)))
    }

    /// Requests under way.
    pub fn transfers(&self) -> usize {
        self.transfers.len()
    }

    pub(crate) fn start(&mut self, id: RequestId, now: Timestamp, delivery: Delivery) {
        self.started.get_or_insert(now);
        self.transfers.push(Transfer {
            id,
            delivery,
            phase: Phase::Queued,
            received: 0.0,
            reported: None,
            paused_until: None,
            next_loss: None,
        });
        self.connect(now);
    }

    pub(crate) fn cancel(&mut self, id: RequestId, now: Timestamp) {
        let Some(position) = self.transfers.iter().position(|transfer| transfer.id == id) else {
            return;
        };
        let transfer = self.transfers.remove(position);
        // HTTP/1.1 can stop a body only by closing its connection.
        if let (Protocol::Http1 { .. }, true) = (self.protocol, transfer.phase != Phase::Queued)
            && let Some(open) = self.connections.get_mut(&transfer.delivery.host)
        {
            *open = open.saturating_sub(1);
        }
        self.connect(now);
    }

    /// Puts requests that wait on a connection.
    fn connect(&mut self, now: Timestamp) {
        for index in 0..self.transfers.len() {
            if self.transfers[index].phase != Phase::Queued {
                continue;
            }
            let host = &self.transfers[index].delivery.host;
            let busy =
                |other: &&Transfer| other.phase != Phase::Queued && other.delivery.host == *host;
            let busy = self.transfers.iter().filter(busy).count();
            let open = self.connections.entry(host.clone()).or_default();
            let setup = match self.protocol {
                Protocol::Http1 { .. } if busy < *open => Duration::ZERO,
                Protocol::Http1 { connections } if *open < connections => self.connection_setup,
                Protocol::Http1 { .. } => continue,
                Protocol::Http2 if *open > 0 => Duration::ZERO,
                Protocol::Http2 => self.connection_setup,
            };
            *open = (*open).max(1).max(if self.protocol == Protocol::Http2 { 1 } else { busy + 1 });
            let jitter = self.jitter.mul_f64(self.draw.f64());
            let latency = self.conditions(now).latency + self.transfers[index].delivery.delay;
            self.transfers[index].phase = Phase::Asked { head_at: now + setup + latency + jitter };
        }
    }

    /// When something happens next, if nothing is asked for meanwhile.
    pub(crate) fn next_event(&self, now: Timestamp) -> Option<Timestamp> {
        let offline_until = self.offline_until.filter(|until| *until > now);
        let announces = offline_until.is_some() || self.trace.iter().any(|stretch| stretch.offline);
        if self.transfers.is_empty() && !announces {
            return None;
        }
        let conditions = self.conditions(now);
        let mut next = self.position(now).1;
        if let Some(until) = offline_until {
            next = next.min(until);
        }
        if self.transfers.is_empty() {
            return Some(next);
        }
        if conditions.offline {
            return Some(now);
        }
        let rates = self.rates(now);
        for (transfer, rate) in self.transfers.iter().zip(rates) {
            match transfer.phase {
                Phase::Queued => {}
                Phase::Asked { head_at } if !transfer.delivery.silent => next = next.min(head_at),
                Phase::Asked { .. } => {}
                Phase::Receiving => {
                    if let Some(until) = transfer.paused_until {
                        next = next.min(until);
                    }
                    if let Some(at) =
                        transfer.delivery.made.iter().map(|(at, _)| *at).find(|at| *at > now)
                    {
                        next = next.min(at);
                    }
                    if rate > 0.0 {
                        let rest = (transfer.limit(now) - transfer.received) / rate;
                        let micros = (rest * 1e6).ceil().clamp(1.0, 1e12) as u64;
                        next = next.min(now + Duration::from_micros(micros));
                        let report = transfer
                            .reported
                            .map_or(now + Duration::from_millis(1), |(at, _)| at + self.progress);
                        next = next.min(report.max(now + Duration::from_micros(1)));
                        if let Some(loss) = transfer.next_loss {
                            next = next.min(loss.max(now));
                        }
                    }
                }
            }
        }
        Some(next)
    }

    /// Bytes a second that each transfer gets: even shares, but what one cannot use, others may.
    fn rates(&self, now: Timestamp) -> Vec<f64> {
        let link = self.conditions(now).kbps as f64 * 125.0;
        let cap = |transfer: &Transfer| {
            let caps = [self.per_connection_kbps, transfer.delivery.kbps];
            caps.iter().flatten().map(|kbps| *kbps as f64 * 125.0).fold(f64::INFINITY, f64::min)
        };
        let mut rates = vec![0.0; self.transfers.len()];
        let mut order: Vec<(usize, f64)> = self
            .transfers
            .iter()
            .enumerate()
            .filter(|(_, transfer)| transfer.receives(now))
            .map(|(index, transfer)| (index, cap(transfer)))
            .collect();
        order.sort_by(|one, other| one.1.total_cmp(&other.1));
        let (mut left, mut count) = (link, order.len());
        for (index, cap) in order {
            let rate = (left / count as f64).min(cap);
            rates[index] = rate;
            left -= rate;
            count -= 1;
        }
        rates
    }

    /// Lets time pass up to `now`, no further than [`next_event`](Self::next_event) allowed, and tells
    /// what arrived.
    pub(crate) fn advance(&mut self, now: Timestamp, elapsed: Duration) -> Vec<Arrival> {
        let before =
            Timestamp::from_micros(now.micros().saturating_sub(elapsed.as_micros() as u64));
        let mut arrivals = Vec::new();
        if self.transfers.is_empty() {
            return arrivals;
        }
        let rates = self.rates(before);
        let offline = self.conditions(now).offline;
        let (progress, losses) = (self.progress, self.losses_per_minute);
        for (transfer, rate) in self.transfers.iter_mut().zip(rates) {
            let limit = transfer.limit(before);
            transfer.received = (transfer.received + rate * elapsed.as_secs_f64()).min(limit);
            if limit - transfer.received < 0.5 {
                transfer.received = limit;
            }
            if offline {
                let failure = match transfer.phase {
                    Phase::Receiving => RequestFailure::Interrupted("network changed".to_owned()),
                    _ => RequestFailure::Network("no network".to_owned()),
                };
                arrivals.push(Arrival::Failed(transfer.id, failure));
                continue;
            }
            match transfer.phase {
                Phase::Asked { head_at } if head_at <= now && !transfer.delivery.silent => {
                    transfer.phase = Phase::Receiving;
                    transfer.next_loss = draw_loss(&mut self.draw, losses, now);
                    transfer.answer(&mut arrivals);
                }
                Phase::Receiving => {
                    transfer.report(now, progress, &mut arrivals);
                    if transfer.paused_until.is_some_and(|until| until <= now) {
                        transfer.paused_until = None;
                    }
                    if transfer.next_loss.is_some_and(|loss| loss <= now) {
                        transfer.paused_until = Some(now + RETRANSMISSION);
                        transfer.next_loss =
                            draw_loss(&mut self.draw, losses, now + RETRANSMISSION);
                    }
                }
                _ => {}
            }
        }
        let over = |arrival: &Arrival| match arrival {
            Arrival::Failed(id, _) | Arrival::Bytes { id, complete: true, .. } => Some(*id),
            _ => None,
        };
        let ended: Vec<_> = arrivals.iter().filter_map(over).collect();
        if !ended.is_empty() {
            self.transfers.retain(|transfer| !ended.contains(&transfer.id));
            if offline {
                self.connections.clear();
            }
            self.connect(now);
        }
        arrivals
    }
}

impl Transfer {
    /// How many bytes can have come by now.
    fn limit(&self, now: Timestamp) -> f64 {
        let made = &self.delivery.made;
        let there = if made.is_empty() {
            self.delivery.size
        } else {
            made.iter().rev().find(|(at, _)| *at <= now).map_or(0, |(_, bytes)| *bytes)
        };
        there.min(self.delivery.size).min(self.delivery.stall.unwrap_or(u64::MAX)) as f64
    }

    fn receives(&self, now: Timestamp) -> bool {
        self.phase == Phase::Receiving
            && self.paused_until.is_none_or(|until| until <= now)
            && self.received < self.limit(now)
    }

    fn answer(&self, arrivals: &mut Vec<Arrival>) {
        match &self.delivery.failure {
            Some(failure) if self.delivery.refused => {
                arrivals.push(Arrival::Failed(self.id, failure.clone()));
            }
            _ => {
                arrivals.push(Arrival::Head(self.id));
                if self.delivery.size == 0 && self.delivery.stall.is_none() {
                    arrivals.push(Arrival::Bytes { id: self.id, received: 0, complete: true });
                }
            }
        }
    }

    fn report(&mut self, now: Timestamp, progress: Duration, arrivals: &mut Vec<Arrival>) {
        let received = self.received as u64;
        let complete = received >= self.delivery.size;
        let news = self.reported.is_none_or(|(_, reported)| received > reported);
        let due = self.reported.is_none_or(|(at, _)| now.since(at) >= progress);
        if complete || news && due && received > 0 {
            self.reported = Some((now, received));
            match (&self.delivery.failure, complete) {
                (Some(failure), true) => {
                    arrivals.push(Arrival::Bytes { id: self.id, received, complete: false });
                    arrivals.push(Arrival::Failed(self.id, failure.clone()));
                }
                _ => arrivals.push(Arrival::Bytes { id: self.id, received, complete }),
            }
        }
    }
}

fn draw_loss(draw: &mut fastrand::Rng, per_minute: f64, now: Timestamp) -> Option<Timestamp> {
    (per_minute > 0.0).then(|| {
        // Losses are independent of each other: exponential distances.
        let seconds = -(1.0 - draw.f64()).ln() * 60.0 / per_minute;
        now + Duration::from_secs_f64(seconds.clamp(0.001, 3_600.0))
    })
}
