//! Every request of the player, and the only place that repeats one.
//!
//! The rest of the player holds a [`Ticket`]: one wish for one resource, however many HTTP requests
//! it takes. Each attempt has a [`RequestId`] of its own, so a late answer to an attempt that was
//! given up finds nobody and is dropped.

use core::time::Duration;

use kinora_abr::Event as Transfer;

use crate::config::RetryConfig;
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{
    BodyHandling, ByteRange, Input, MediaKind, Request, RequestFailure, RequestId, RequestKind,
    ResponseHead, Warning,
};
use crate::telemetry::{RequestState, TimerReason, TimerState};
use crate::time::Timestamp;

/// One wish for one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// What is wished for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) kind: RequestKind,
    pub(crate) url: String,
    pub(crate) range: Option<ByteRange>,
    pub(crate) body: BodyHandling,
    /// Rung of the video ladder that the transfer belongs to, for the estimator.
    pub(crate) rung: Option<usize>,
}

/// What became of a wish, or a step on the way.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A delivered body is complete.
    Delivered { ticket: Ticket, body: Vec<u8>, url: String, content_type: Option<String> },
    /// A kept body is complete; `id` names it to the host, `head` is what precedes its `mdat`.
    Kept { ticket: Ticket, id: RequestId, head: Vec<u8> },
    /// More of a kept body has arrived.
    Progress { ticket: Ticket },
    /// There is no getting it.
    Failed { ticket: Ticket, error: Error },
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transferred {
    pub(crate) started: Timestamp,
    pub(crate) first_byte: Option<Timestamp>,
    pub(crate) received: u64,
    pub(crate) total: Option<u64>,
}

#[derive(Debug)]
struct Active {
    id: RequestId,
    ticket: Ticket,
    wish: Wish,
    attempt: u32,
    started: Timestamp,
    last_heard: Timestamp,
    first_byte: Option<Timestamp>,
    received: u64,
    response: Option<ResponseHead>,
    body: Vec<u8>,
    head: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    wish: Wish,
    attempt: u32,
    due: Timestamp,
}

/// Every request of the player.
#[derive(Debug)]
pub(crate) struct Requests {
    active: Vec<Active>,
    waiting: Vec<Waiting>,
    last_ticket: u64,
    jitter: u64,
}

impl Requests {
    pub(crate) fn new(seed: u64) -> Self {
        // An xorshift state must not be zero.
        Self { active: Vec::new(), waiting: Vec::new(), last_ticket: 0, jitter: seed | 1 << 63 }
    }

    /// Makes a first attempt at once.
    pub(crate) fn start(&mut self, cx: &mut Context<'_>, wish: Wish) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.attempt(cx, ticket, wish, 1);
        ticket
    }

    fn attempt(&mut self, cx: &mut Context<'_>, ticket: Ticket, wish: Wish, attempt: u32) {
        let now = cx.now;
        let id = cx.out.next_request_id();
        cx.totals.requests = cx.totals.requests.saturating_add(1);
        let kind = match wish.kind {
            RequestKind::Segment(MediaKind::Video) => kinora_abr::Kind::Video,
            RequestKind::Segment(MediaKind::Audio) => kinora_abr::Kind::Audio,
            _ => kinora_abr::Kind::Other,
        };
        let rung = wish.rung;
        cx.abr.handle(now.micros(), Transfer::RequestStarted { id: id.0, kind, rung });
        cx.out.request(Request {
            id,
            kind: wish.kind,
            url: wish.url.clone(),
            range: wish.range,
            body: wish.body,
            headers: Vec::new(),
        });
        self.active.push(Active {
            id,
            ticket,
            wish,
            attempt,
            started: now,
            last_heard: now,
            first_byte: None,
            received: 0,
            response: None,
            body: Vec::new(),
            head: Vec::new(),
        });
    }

    /// Gives a wish up, wherever it stands.
    pub(crate) fn cancel(&mut self, cx: &mut Context<'_>, ticket: Ticket) {
        self.waiting.retain(|waiting| waiting.ticket != ticket);
        if let Some(position) = self.active.iter().position(|active| active.ticket == ticket) {
            let active = self.active.remove(position);
            cx.give_up(active.id);
        }
    }

    /// Gives everything up.
    pub(crate) fn cancel_all(&mut self, cx: &mut Context<'_>) {
        self.waiting.clear();
        for active in self.active.drain(..) {
            cx.give_up(active.id);
        }
    }

    /// How far the current attempt at a wish has come.
    pub(crate) fn transferred(&self, ticket: Ticket) -> Option<Transferred> {
        let active = self.active.iter().find(|active| active.ticket == ticket)?;
        Some(Transferred {
            started: active.started,
            first_byte: active.first_byte,
            received: active.received,
            total: active
                .response
                .as_ref()
                .and_then(|response| response.content_length)
                .or(active.wish.range.and_then(|range| range.length)),
        })
    }

    /// Takes a host's report on a request.
    pub(crate) fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Option<Outcome> {
        let id = match &input {
            Input::ResponseHead { id, .. }
            | Input::Body { id, .. }
            | Input::BodyHead { id, .. }
            | Input::BodyProgress { id, .. }
            | Input::BodyEnd { id, .. }
            | Input::RequestFailed { id, .. } => *id,
            _ => return None,
        };
        let position = self.active.iter().position(|active| active.id == id)?;
        let active = &mut self.active[position];
        active.last_heard = cx.now;
        let fault = match input {
            Input::ResponseHead { head, .. } => {
                let fault = judge(&active.wish, &head);
                active.response = Some(head);
                fault
            }
            Input::Body { data, .. } => {
                let received = active.received.saturating_add(data.len() as u64);
                active.hear_of(cx, received);
                let limit = body_limit(active.wish.kind);
                if received > limit {
                    Some(Fault::Final(Error::TooLarge { url: active.wish.url.clone(), limit }))
                } else {
                    active.body.extend_from_slice(&data);
                    None
                }
            }
            Input::BodyHead { data, .. } => {
                active.head = data;
                None
            }
            Input::BodyProgress { received, .. } => {
                active.hear_of(cx, received);
                return Some(Outcome::Progress { ticket: active.ticket });
            }
            Input::BodyEnd { received, from_cache, .. } => {
                active.hear_of(cx, received);
                let promised = active.response.as_ref().and_then(|head| head.content_length);
                if active.response.is_none() {
                    Some(Fault::Passing(Error::Interrupted {
                        url: active.wish.url.clone(),
                        reason: "the body came without a response".to_owned(),
                    }))
                } else if promised.is_some_and(|promised| active.received < promised)
                    && active.wish.body == BodyHandling::Keep
                {
                    Some(Fault::Passing(Error::Interrupted {
                        url: active.wish.url.clone(),
                        reason: "fewer bytes than Content-Length promised".to_owned(),
                    }))
                } else {
                    let active = self.active.remove(position);
                    cx.abr.handle(
                        cx.now.micros(),
                        Transfer::RequestEnded {
                            id: id.0,
                            bytes: active.received,
                            from_cache,
                            application_limited: false,
                        },
                    );
                    return Some(active.complete());
                }
            }
            Input::RequestFailed { failure, .. } => {
                let url = active.wish.url.clone();
                Some(match failure {
                    RequestFailure::Network(reason) => {
                        Fault::Passing(Error::Network { url, reason })
                    }
                    RequestFailure::Interrupted(reason) => {
                        Fault::Passing(Error::Interrupted { url, reason })
                    }
                    RequestFailure::Invalid(reason) => Fault::Final(Error::Network { url, reason }),
                })
            }
            _ => None,
        };
        fault.and_then(|fault| self.fail(cx, position, fault))
    }

    fn fail(&mut self, cx: &mut Context<'_>, position: usize, fault: Fault) -> Option<Outcome> {
        let active = self.active.remove(position);
        cx.give_up(active.id);
        let retry = &cx.config.retry;
        let error = match fault {
            Fault::Passing(error) if active.attempt < retry.attempts => error,
            Fault::Passing(error) | Fault::Final(error) => {
                return Some(Outcome::Failed { ticket: active.ticket, error });
            }
        };
        let asked = active.response.as_ref().and_then(|response| response.retry_after);
        let delay = self.backoff(active.attempt, asked, retry);
        cx.totals.retries = cx.totals.retries.saturating_add(1);
        cx.out.warn(Warning::Retry {
            url: active.wish.url.clone(),
            error: error.to_player_error(Severity::Recoverable),
            attempts: active.attempt,
        });
        self.waiting.push(Waiting {
            ticket: active.ticket,
            wish: active.wish,
            attempt: active.attempt + 1,
            due: cx.now + delay,
        });
        None
    }

    /// Capped exponential back-off with "equal jitter": half fixed, half drawn, so that a crowd of
    /// players does not come back in step. A server's `Retry-After` is honoured up to the cap.
    fn backoff(&mut self, attempt: u32, asked: Option<u32>, retry: &RetryConfig) -> Duration {
        self.jitter ^= self.jitter << 13;
        self.jitter ^= self.jitter >> 7;
        self.jitter ^= self.jitter << 17;
        let full = retry
            .base_delay
            .saturating_mul(1 << attempt.saturating_sub(1).min(16))
            .min(retry.max_delay);
        let half = full / 2;
        let drawn = half.saturating_mul((self.jitter >> 40) as u32 & 0xff) / 256;
        let asked = Duration::from_secs(u64::from(asked.unwrap_or(0))).min(retry.max_delay);
        (half + drawn).max(asked)
    }

    /// Repeats what is due and gives up what has stopped delivering. Call until it returns nothing.
    pub(crate) fn tick(&mut self, cx: &mut Context<'_>) -> Option<Outcome> {
        let now = cx.now;
        while let Some(position) = self.waiting.iter().position(|waiting| waiting.due <= now) {
            let waiting = self.waiting.remove(position);
            self.attempt(cx, waiting.ticket, waiting.wish, waiting.attempt);
        }
        while let Some(position) = self
            .active
            .iter()
            .position(|active| active.last_heard + cx.config.retry.stall_timeout <= now)
        {
            let active = &self.active[position];
            let error = Error::Stalled {
                url: active.wish.url.clone(),
                silence_ms: now.since(active.last_heard).as_millis() as u64,
            };
            let failed = self.fail(cx, position, Fault::Passing(error));
            if failed.is_some() {
                return failed;
            }
        }
        None
    }

    /// When [`tick`](Self::tick) has something to do next, and what.
    pub(crate) fn timers(&self, retry: &RetryConfig) -> impl Iterator<Item = TimerState> {
        let retries = self
            .waiting
            .iter()
            .map(|waiting| TimerState { reason: TimerReason::Retry, at: waiting.due });
        let timeout = retry.stall_timeout;
        let stalls = self.active.iter().map(move |active| TimerState {
            reason: TimerReason::StallTimeout,
            at: active.last_heard + timeout,
        });
        retries.chain(stalls)
    }

    pub(crate) fn states(&self) -> Vec<RequestState> {
        self.active
            .iter()
            .map(|active| RequestState {
                id: active.id,
                kind: active.wish.kind,
                url: active.wish.url.clone(),
                started: active.started,
                received: active.received,
                attempt: active.attempt,
            })
            .collect()
    }
}

impl Active {
    fn hear_of(&mut self, cx: &mut Context<'_>, received: u64) {
        let now = cx.now;
        let fresh = received.saturating_sub(self.received);
        cx.totals.bytes = cx.totals.bytes.saturating_add(fresh);
        self.received = self.received.max(received);
        if fresh > 0 && self.first_byte.is_none() {
            self.first_byte = Some(now);
            cx.abr.handle(now.micros(), Transfer::FirstByte { id: self.id.0 });
        }
        cx.abr.handle(now.micros(), Transfer::Progress { id: self.id.0, bytes: self.received });
    }

    fn complete(self) -> Outcome {
        let ticket = self.ticket;
        match self.wish.body {
            BodyHandling::Keep => Outcome::Kept { ticket, id: self.id, head: self.head },
            BodyHandling::Deliver => {
                let response = self.response;
                Outcome::Delivered {
                    ticket,
                    url: response.as_ref().map_or(self.wish.url, |head| head.url.clone()),
                    content_type: response.and_then(|head| head.content_type),
                    body: self.body,
                }
            }
        }
    }
}

/// Whether trying again can help.
enum Fault {
    Passing(Error),
    Final(Error),
}

/// What a response's status says of the attempt (RFC 9110 §15).
fn judge(wish: &Wish, head: &ResponseHead) -> Option<Fault> {
    let url = wish.url.clone();
    match head.status {
        200 if wish.range.is_some_and(|range| range.start > 0 || range.length.is_some()) => {
            Some(Fault::Final(Error::RangeIgnored { url }))
        }
        200..=299 => None,
        status @ (408 | 425 | 429 | 500..=599) => {
            Some(Fault::Passing(Error::HttpStatus { url, status }))
        }
        status => Some(Fault::Final(Error::HttpStatus { url, status })),
    }
}

/// The most a delivered body may hold. Media bodies stay with the host, which bounds them.
const fn body_limit(kind: RequestKind) -> u64 {
    const MIB: u64 = 1 << 20;
    match kind {
        RequestKind::Manifest | RequestKind::MediaPlaylist(_) => 32 * MIB,
        RequestKind::Index(_) => 16 * MIB,
        RequestKind::Initialization(_) => 4 * MIB,
        RequestKind::Segment(_) => 64 * MIB,
    }
}
