//! One HTTP request under way: what has been heard of it, and how long it is listened for.

use core::time::Duration;

use kinora_abr::Event as Transfer;

use super::origins::{OriginId, Trial};
use super::wish::{Arriving, Outcome, Ticket, Transferred, Wish};
use crate::config::RetryConfig;
use crate::context::Context;
use crate::error::{Error, is_passing};
use crate::io::{BodyHandling, MediaKind, RequestId, RequestKind, ResponseHead};
use crate::media;
use crate::telemetry::cmcd::Response;
use crate::telemetry::{RequestState, TimerReason};
use crate::time::Timestamp;

/// A connection that delivers less than this part of what the network has shown it can is at fault
/// itself.
const FAIR_SHARE: f64 = 1.0 / 16.0;

/// What is encrypted as a whole is of so many bytes, or a multiple of that (RFC 8216bis §4.4.4.4, PKCS7 padding).
const CIPHER_BLOCK: u64 = 16;

/// A transfer that will take so many times as long again as it has taken hardly moves.
const CRAWLS: u32 = 3;

/// What has not come for so long has stopped, and may come at another pace after that.
const BREAK: Duration = Duration::from_secs(1);

/// The pace of a transfer is not judged by less than this.
const SOONEST_LOOK: Duration = Duration::from_secs(1);

/// One HTTP request under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: RequestId,
    pub(super) ticket: Ticket,
    pub(super) wish: Wish,
    pub(super) trial: Trial,
    /// Which of the wish's places is asked.
    pub(super) place: usize,
    /// Another place may have it, so there is less patience with this.
    elsewhere: bool,
    pub(super) started: Timestamp,
    pub(super) last_heard: Timestamp,
    /// When the head of the response came.
    head_at: Option<Timestamp>,
    first_byte: Option<Timestamp>,
    pub(super) received: u64,
    pub(super) response: Option<ResponseHead>,
    body: Vec<u8>,
    pub(super) head: Vec<u8>,
    /// What was found behind the encryption of a body that is encrypted as a whole, when a log is replayed.
    pub(super) told: Option<Vec<u8>>,
    /// When its pace was looked at, and what had been received by then.
    looked: (Timestamp, u64),
    /// Since when it has come without a break, and what had been received by then.
    flows: (Timestamp, u64),
    /// When the last of it came.
    grew: Timestamp,
    /// What has come is being played.
    pub(super) plays: bool,
    /// What the network was known to carry when it began, bits per second.
    expected_bps: f64,
    /// Unless something is heard of it by then, it is on a connection that is no more.
    pub(super) prove_alive_by: Option<Timestamp>,
}

/// Whether trying again at the same place can help.
pub(super) enum Fault {
    Passing(Error),
    Final(Error),
}

impl Attempt {
    pub(super) fn new(
        id: RequestId,
        ticket: Ticket,
        wish: Wish,
        trial: Trial,
        place: usize,
        elsewhere: bool,
        (now, expected_bps): (Timestamp, f64),
    ) -> Self {
        Self {
            id,
            ticket,
            wish,
            trial,
            place,
            elsewhere,
            started: now,
            last_heard: now,
            head_at: None,
            first_byte: None,
            received: 0,
            response: None,
            body: Vec::new(),
            head: Vec::new(),
            told: None,
            looked: (now, 0),
            flows: (now, 0),
            grew: now,
            plays: false,
            expected_bps,
            prove_alive_by: None,
        }
    }

    pub(super) fn url(&self) -> &str {
        self.wish.places.get(self.place).map_or("", |place| &place.url)
    }

    pub(super) fn origin(&self) -> OriginId {
        self.wish.places.get(self.place).map_or(OriginId::default(), |place| place.origin)
    }

    /// A response has begun: what its status says (RFC 9110 §15).
    pub(super) fn begin(&mut self, head: ResponseHead) -> Option<Fault> {
        self.prove_alive_by = None;
        self.head_at = Some(self.last_heard);
        let url = self.url().to_owned();
        let range = self.wish.range;
        let fault = match head.status {
            200 if range.is_some_and(|range| range.start > 0 || range.length.is_some()) => {
                Some(Fault::Final(Error::RangeIgnored { url }))
            }
            200..=299 => None,
            // Why it refuses is in the body.
            400..=499 if self.wish.kind.is_secret() && !is_passing(head.status) => None,
            status if is_passing(status) => Some(Fault::Passing(Error::HttpStatus { url, status })),
            status => Some(Fault::Final(Error::HttpStatus { url, status })),
        };
        self.response = Some(head);
        fault
    }

    /// The next bytes of a delivered body.
    pub(super) fn take(&mut self, cx: &mut Context<'_>, data: &[u8]) -> Option<Fault> {
        let received = self.received.saturating_add(data.len() as u64);
        let fault = self.grow(cx, received);
        if fault.is_none() {
            self.body.extend_from_slice(data);
        }
        fault
    }

    /// A delivered body is so long by now.
    pub(super) fn grow(&mut self, cx: &mut Context<'_>, received: u64) -> Option<Fault> {
        self.hear_of(cx, received);
        let limit = body_limit(self.wish.kind);
        let url = || self.url().to_owned();
        (received > limit).then(|| Fault::Final(Error::TooLarge { url: url(), limit }))
    }

    pub(super) fn hear_of(&mut self, cx: &mut Context<'_>, received: u64) {
        let now = cx.now;
        self.prove_alive_by = None;
        let fresh = received.saturating_sub(self.received);
        cx.totals.bytes = cx.totals.bytes.saturating_add(fresh);
        if fresh > 0 && now.since(self.grew) > BREAK {
            self.flows = (now, received);
        }
        if fresh > 0 {
            self.grew = now;
        }
        self.received = self.received.max(received);
        if fresh > 0 && self.first_byte.is_none() {
            self.first_byte = Some(now);
            self.looked = (now, self.received);
            cx.abr.handle(now.micros(), Transfer::FirstByte { id: self.id.0 });
        }
        cx.abr.handle(now.micros(), Transfer::Progress { id: self.id.0, bytes: self.received });
    }

    /// What is wrong with a body that is said to be complete.
    pub(super) fn incomplete(&self) -> Option<Fault> {
        let promised = self.response.as_ref().and_then(|head| head.content_length);
        let reason = if self.response.is_none() {
            "the body came without a response"
        } else if promised.is_some_and(|promised| self.received < promised) {
            "fewer bytes than Content-Length promised"
        } else if self.received < media::fragment::least_size(&self.head) {
            // Appended, it would leave the platform's parser in the middle of a segment.
            "fewer bytes than its boxes promised"
        } else if self.wish.blocks && !self.received.is_multiple_of(CIPHER_BLOCK) {
            "it ends in the middle of a block of its cipher"
        } else {
            return None;
        };
        let (url, reason) = (self.url().to_owned(), reason.to_owned());
        let error = Error::Interrupted { url, reason };
        // Where all that was asked for has come, too little was asked for, and would be again.
        let asked = self.wish.range.and_then(|range| range.length);
        Some(match asked.is_some_and(|asked| self.received >= asked) {
            true => Fault::Final(error),
            false => Fault::Passing(error),
        })
    }

    pub(super) fn complete(self) -> Outcome {
        let (ticket, origin, place) = (self.ticket, self.origin(), self.place);
        match self.wish.body {
            BodyHandling::Keep | BodyHandling::KeepChunks => {
                Outcome::Kept { ticket, id: self.id, head: self.head, bytes: self.received, origin }
            }
            BodyHandling::Deliver => {
                let asked = self.url().to_owned();
                let response = self.response;
                if let Some(status) = response.as_ref().map(|head| head.status)
                    && status >= 400
                {
                    return Outcome::Refused { ticket, status, body: self.body, url: asked };
                }
                Outcome::Delivered {
                    ticket,
                    id: self.id,
                    told: self.told,
                    bytes: self.received,
                    url: response.as_ref().map_or(asked, |head| head.url.clone()),
                    content_type: response.and_then(|head| head.content_type),
                    body: self.body,
                    place,
                    origin,
                }
            }
        }
    }

    /// After a sleep, counts from now.
    pub(super) fn wake_up(&mut self, cx: &Context<'_>) {
        let (due, _) = self.deadline(&cx.config.retry);
        self.trial.wake_up(due, cx.now);
    }

    // ---- patience -----------------------------------------------------------------------------------

    /// When there is something to look at next, and what.
    pub(super) fn deadline(&self, retry: &RetryConfig) -> (Timestamp, TimerReason) {
        let budget = retry.budget(self.wish.kind);
        let mut first = if self.response.is_none() && self.received == 0 {
            let patience = self.patience(budget.first_byte_timeout) + self.wish.hold;
            (self.started + patience, TimerReason::FirstByteTimeout)
        } else {
            let patience = self.patience(budget.stall_timeout);
            (self.last_heard + patience, TimerReason::StallTimeout)
        };
        if self.first_byte.is_some() {
            let look = self.looked.0 + self.pace_interval(budget.stall_timeout);
            if look < first.0 {
                first = (look, TimerReason::SlowTransfer);
            }
        }
        match self.prove_alive_by {
            Some(by) if by < first.0 => (by, TimerReason::StallTimeout),
            _ => first,
        }
    }

    /// Why it is to be given up, if it is.
    pub(super) fn overdue(&mut self, cx: &Context<'_>) -> Option<Error> {
        let now = cx.now;
        let (at, reason) = self.deadline(&cx.config.retry);
        if now < at {
            return None;
        }
        let url = || self.url().to_owned();
        if reason != TimerReason::SlowTransfer {
            let silence_ms = now.since(self.last_heard).as_millis() as u64;
            return Some(Error::Stalled { url: url(), silence_ms });
        }
        let (since, before) = core::mem::replace(&mut self.looked, (now, self.received));
        let bytes = self.received - before;
        let seconds = now.since(since).as_secs_f64().max(0.001);
        let pace = bytes as f64 / seconds;
        // By now the estimate may have followed this very transfer down.
        let first = self.trial.attempts == 0;
        let known =
            cx.abr.estimate().throughput_bps.max(if first { self.expected_bps } else { 0.0 });
        let slow = pace * 8.0 < known * FAIR_SHARE;
        let left = self.transferred().total.map(|total| total.saturating_sub(self.received));
        let budget = cx.config.retry.budget(self.wish.kind);
        // It may take until it is missed, and then as long as anything of its kind. But a connection that drips while the
        // network flows is given up once, before the viewer notices; after that, unless what is left comes sooner than what
        // has: the network may be slower than it was known to be.
        let missed = self.wish.missed_from(now);
        let elapsed = now.since(self.started);
        let drips = slow && first && bytes > 0 && !self.plays;
        let until = missed.since(now);
        let longer_than =
            |time: Duration| left.is_none_or(|left| left as f64 > pace * time.as_secs_f64());
        let too_late = longer_than(match drips {
            true if until.is_zero() => elapsed,
            true => until,
            false => until + budget.time,
        });
        // What is missed already, and will be for much longer than it has taken so far, may come faster on another
        // connection. Where it does not, little was lost; and it has twice as long the next time.
        let crawls = now >= missed
            && elapsed >= budget.stall_timeout * (1 << self.trial.attempts.min(8))
            && longer_than(budget.time.max(elapsed * CRAWLS));
        let bits_per_second = (pace * 8.0) as u64;
        // A whole network that is slow is nobody's fault, unless another place was never tried.
        let at_its_own_pace = !self.wish.hold.is_zero();
        // Nor is what flows given up once nothing could be asked for in its place.
        let last = self.wish.missed_from(self.trial.first) + budget.time;
        let is_the_last = self.wish.patient && !self.elsewhere && now > last;
        ((slow || self.elsewhere) && too_late || crawls)
            .then_some(())
            .filter(|()| !at_its_own_pace && !is_the_last)
            .map(|()| Error::TooSlow { url: self.url().to_owned(), bits_per_second })
    }

    /// How often its pace is looked at: the first time while something can still be done about it.
    fn pace_interval(&self, stall_timeout: Duration) -> Duration {
        let usual = stall_timeout / 2;
        match self.wish.needed_by {
            Some(by) if self.trial.attempts == 0 => {
                usual.min((by.since(self.started) / 2).max(SOONEST_LOOK))
            }
            _ => usual,
        }
    }

    fn patience(&self, usual: Duration) -> Duration {
        if self.elsewhere { usual / 3 } else { usual }
    }

    pub(super) fn transferred(&self) -> Transferred {
        Transferred {
            started: self.started,
            first_byte: self.first_byte,
            received: self.received,
            total: self
                .response
                .as_ref()
                .and_then(|response| response.content_length)
                .or(self.wish.range.and_then(|range| range.length)),
        }
    }

    pub(super) fn arriving(&self) -> Arriving<'_> {
        Arriving {
            id: self.id,
            head: &self.head,
            received: self.received,
            total: self.transferred().total,
            flows: self.flows,
            origin: self.origin(),
        }
    }

    /// What a collector is told of it, once it has come to `last`, its end.
    pub(super) fn response(&self, last: Option<Timestamp>) -> Response<'_> {
        let since = |at: Timestamp| at.since(self.started);
        Response {
            kind: self.wish.kind,
            url: self.url(),
            status: self.response.as_ref().map_or(0, |head| head.status),
            started: self.started,
            head: self.head_at.map(since),
            first: self.first_byte.map(since),
            last: last.map(since),
            fields: self.response.as_ref(),
        }
    }

    pub(super) fn state(&self) -> RequestState {
        RequestState {
            id: self.id,
            kind: self.wish.kind,
            url: self.url().to_owned(),
            started: self.started,
            received: self.received,
            attempt: self.trial.attempts + 1,
        }
    }
}

/// The most a delivered body may hold. Media bodies stay with the host, which bounds them.
const fn body_limit(kind: RequestKind) -> u64 {
    const MIB: u64 = 1 << 20;
    match kind {
        RequestKind::Manifest | RequestKind::MediaPlaylist(_) => 32 * MIB,
        RequestKind::Index(_) => 16 * MIB,
        RequestKind::Initialization(_) => 4 * MIB,
        RequestKind::Segment(kind) => match kind {
            // The words of a whole film are a quarter of a mebibyte.
            MediaKind::Text => 4 * MIB,
            MediaKind::Video | MediaKind::Audio => 64 * MIB,
        },
        RequestKind::Steering | RequestKind::Clock | RequestKind::Report => MIB / 4,
        RequestKind::License => MIB,
        RequestKind::Key => 4096,
    }
}
