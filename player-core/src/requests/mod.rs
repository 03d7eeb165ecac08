//! Every request of the player, and the only place that repeats one.
//!
//! The rest of the player holds a [`Ticket`]: one wish for one resource, however many HTTP requests
//! it takes and wherever they go. Each attempt has a [`RequestId`] of its own, so a late answer to an
//! attempt that was given up finds nobody and is dropped.

mod allowance;
mod attempt;
mod backoff;
mod cmsd;
mod origins;
mod report;
mod wish;

pub(crate) use origins::{OriginId, Origins};
pub(crate) use wish::{Arriving, Outcome, Place, Ticket, Transferred, Wish};

use core::time::Duration;

use kinora_abr::Event as Transfer;

use self::allowance::Allowance;
use self::attempt::{Attempt, Fault};
use self::backoff::Dice;
use self::origins::Trial;
use crate::config::RetryConfig;
use crate::context::Context;
use crate::error::{Error, Severity};
use crate::io::{
    BodyHandling, Input, MediaKind, NetworkState, Request, RequestFailure, RequestId, RequestKind,
    Warning,
};
use crate::telemetry::cmcd::{Asked, Cmcd};
use crate::telemetry::{RequestState, TimerReason, TimerState};
use crate::time::Timestamp;

/// After the network has changed, what was on its way must be heard of within so long.
const PROOF_OF_LIFE: Duration = Duration::from_secs(2);

/// A place that wants to be left alone is waited for once so many pauses were made for those that do not.
const MOST_IMPATIENT: u32 = 2;

/// What is asked for again rests as if so many pauses had been made.
const PAUSES_BEFORE: u32 = 3;

/// Of no more reports of sessions that have ended it is kept what they say, to say it once more.
const MOST_PARTING: usize = 16;

/// A wish that rests until it is due; while the device is offline, until it is not.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    wish: Wish,
    trial: Trial,
    due: Timestamp,
    reason: TimerReason,
}

impl Waiting {
    /// Whether it is for a platform that has enough for now.
    fn rests(&self, satisfied: bool) -> bool {
        satisfied
            && matches!(self.wish.kind, RequestKind::Segment(MediaKind::Video | MediaKind::Audio))
    }
}

/// Every request of the player.
#[derive(Debug)]
pub(crate) struct Requests {
    pub(crate) origins: Origins,
    pub(crate) cmcd: Cmcd,
    /// The platform has enough media for now: no segment is asked for.
    pub(crate) satisfied: bool,
    active: Vec<Attempt>,
    waiting: Vec<Waiting>,
    last_ticket: u64,
    dice: Dice,
    allowance: Allowance,
}

impl Requests {
    pub(crate) fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            // Another seed, so that a draw here changes none there.
            origins: Origins::new(seed.rotate_left(32)),
            cmcd: Cmcd::default(),
            satisfied: false,
            active: Vec::new(),
            waiting: Vec::new(),
            last_ticket: 0,
            dice: Dice::new(seed),
            allowance: Allowance::new(now),
        }
    }

    /// Makes a first attempt, at once if that is possible.
    pub(crate) fn start(&mut self, cx: &mut Context<'_>, wish: Wish) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.attempt(cx, ticket, wish, Trial::new(cx.now));
        ticket
    }

    /// Asks the place that is best now; or puts the wish off until it may be asked.
    fn attempt(&mut self, cx: &mut Context<'_>, ticket: Ticket, wish: Wish, mut trial: Trial) {
        let now = cx.now;
        let last = wish.missed_from(trial.first) + cx.config.retry.budget(wish.kind).time;
        let Some(pick) = self.origins.pick(&wish, &mut trial, (now, last)) else { return };
        let allowed = match pick.not_before {
            Some(until) => Err((until, TimerReason::Retry)),
            None if cx.offline => Err((now, TimerReason::Offline)),
            None => self
                .allowance
                .take(now, cx.config.retry.requests_per_minute)
                .map_err(|until| (until, TimerReason::RequestAllowance)),
        };
        if let Err((due, reason)) = allowed {
            self.waiting.push(Waiting { ticket, wish, trial, due, reason });
            return;
        }
        let Some(place) = wish.places.get(pick.place) else { return };
        self.origins.asked(place.origin, now);
        trial.tried |= 1 << pick.place;
        let id = cx.out.next_request_id();
        cx.totals.requests = cx.totals.requests.saturating_add(1);
        let kind = match wish.kind {
            RequestKind::Segment(MediaKind::Video) => kinora_abr::Kind::Video,
            RequestKind::Segment(MediaKind::Audio) => kinora_abr::Kind::Audio,
            _ => kinora_abr::Kind::Other,
        };
        let rung = wish.rung;
        let (url, mut headers) = match is_of_cdn(wish.kind) {
            false => (place.url.clone(), Vec::new()),
            true => {
                let facts = wish.facts.as_deref();
                if let Some(facts) = facts {
                    self.cmcd.asking(&place.url, facts);
                    self.cmcd.situation.pathway = Some(self.origins.name(place.origin).to_owned());
                }
                let estimate = cx.abr.estimate();
                let known = (estimate.samples > 0).then_some(estimate.throughput_bps);
                self.cmcd.situation.throughput_bps = known;
                let deadline = wish.needed_by.map(|needed| needed.since(now));
                let asked = Asked { kind: wish.kind, url: &place.url, facts, deadline };
                self.cmcd.decorate(&cx.config.cmcd, &asked)
            }
        };
        headers.extend_from_slice(&wish.headers);
        // What the network carries for others says nothing of what it has for media.
        if wish.kind != RequestKind::Report {
            cx.abr.handle(now.micros(), Transfer::RequestStarted { id: id.0, kind, rung });
        }
        cx.out.request(Request {
            id,
            kind: wish.kind,
            url,
            range: wish.range,
            body: wish.body,
            headers,
            post: wish.post.clone(),
        });
        let elsewhere = self.origins.another(&wish, now);
        let expected = (now, cx.abr.estimate().throughput_bps);
        self.active.push(Attempt::new(id, ticket, wish, trial, pick.place, elsewhere, expected));
    }

    /// Gives a wish up, wherever it stands.
    pub(crate) fn cancel(&mut self, cx: &mut Context<'_>, ticket: Ticket) {
        self.waiting.retain(|waiting| waiting.ticket != ticket);
        let position = self.active.iter().position(|active| active.ticket == ticket);
        let active = position.and_then(|position| crate::items::take(&mut self.active, position));
        if let Some(active) = active {
            cx.give_up(active.id);
        }
    }

    /// Gives everything up, but for what is told to collectors: what waits to be sent again is sent now.
    pub(crate) fn cancel_all(&mut self, cx: &mut Context<'_>) {
        for Waiting { ticket, wish, .. } in core::mem::take(&mut self.waiting) {
            if wish.kind == RequestKind::Report {
                self.attempt(cx, ticket, wish, Trial::new(cx.now));
            }
        }
        self.waiting.clear();
        for active in self.active.drain(..) {
            if active.wish.kind != RequestKind::Report {
                cx.give_up(active.id);
            } else if active.response.is_none() {
                let url = active.url().to_owned();
                let Wish { kind, range, body, headers, post, .. } = active.wish;
                let id = active.id;
                if cx.parting.len() >= MOST_PARTING {
                    crate::items::take(cx.parting, 0);
                }
                cx.parting.push(Request { id, kind, url, range, body, headers, post });
            }
        }
    }

    /// What a request is for, if it runs.
    pub(crate) fn kind(&self, id: RequestId) -> Option<RequestKind> {
        let active = self.active.iter().find(|active| active.id == id)?;
        Some(active.wish.kind)
    }

    /// What the text is known by that a request brings, if it brings one that may come again: its address without what
    /// is asked of it.
    pub(crate) fn text_of(&self, id: RequestId) -> Option<&str> {
        let active = self.active.iter().find(|active| active.id == id)?;
        match active.wish.kind {
            RequestKind::Manifest | RequestKind::MediaPlaylist(_) => active.url().split('?').next(),
            _ => None,
        }
    }

    /// What a log may hold of a part of a body that no log may hold; none if there is nothing against it.
    pub(crate) fn for_log(&self, id: RequestId, data: &[u8]) -> Option<Input> {
        let active = self.active.iter().find(|active| active.id == id)?;
        if active.wish.kind.is_secret() {
            return Some(Input::Body { id, data: vec![0; data.len()] });
        }
        let received = active.received.saturating_add(data.len() as u64);
        active.wish.sealed.then_some(Input::BodyProgress { id, received })
    }

    /// How far the current attempt at a wish has come.
    pub(crate) fn transferred(&self, ticket: Ticket) -> Option<Transferred> {
        let active = self.active.iter().find(|active| active.ticket == ticket)?;
        Some(active.transferred())
    }

    /// What there is of a body by now that the host keeps as a whole.
    pub(crate) fn arriving(&self, ticket: Ticket) -> Option<Arriving<'_>> {
        let active = self.active.iter().find(|active| active.ticket == ticket)?;
        (active.wish.body == BodyHandling::Keep).then(|| active.arriving())
    }

    /// What has come of a body is being played, so that giving it up would gain nothing.
    pub(crate) fn plays(&mut self, ticket: Ticket) {
        if let Some(active) = self.active.iter_mut().find(|active| active.ticket == ticket) {
            active.plays = true;
        }
    }

    /// Whether boxes of a body come from a log and no host: it is changed before it is appended, and may be here already.
    pub(crate) fn is_told(&self, id: RequestId) -> bool {
        let active = self.active.iter().find(|active| active.id == id);
        active.is_none_or(|active| active.wish.sealed)
    }

    /// While a log is replayed: what will be found in the body of a request that runs.
    pub(crate) fn tell(&mut self, id: RequestId, found: &[u8]) {
        if let Some(active) = self.active.iter_mut().find(|active| active.id == id) {
            active.told = Some(found.to_vec());
        }
    }

    /// Which wish a request is an attempt at, what it is for, and when it began.
    pub(crate) fn attempt_of(&self, id: RequestId) -> Option<(Ticket, RequestKind, Timestamp)> {
        let active = self.active.iter().find(|active| active.id == id)?;
        Some((active.ticket, active.wish.kind, active.started))
    }

    /// Takes a host's report on a request.
    pub(crate) fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Option<Outcome> {
        let id = match &input {
            Input::ResponseHead { id, .. }
            | Input::Body { id, .. }
            | Input::BodyHead { id, .. }
            | Input::BodyChunk { id, .. }
            | Input::BodyProgress { id, .. }
            | Input::BodyEnd { id, .. }
            | Input::RequestFailed { id, .. } => *id,
            _ => return None,
        };
        let position = self.active.iter().position(|active| active.id == id)?;
        let active = &mut self.active[position];
        active.wake_up(cx);
        active.last_heard = cx.now;
        let fault = match input {
            Input::ResponseHead { head, .. } => {
                if let Some(hints) = head.cmsd_dynamic.as_deref().and_then(cmsd::hints) {
                    cx.abr.hint(&hints);
                }
                active.begin(head)
            }
            Input::Body { data, .. } => match active.take(cx, &data) {
                None if active.wish.sealed => {
                    return Some(Outcome::Progress { ticket: active.ticket });
                }
                fault => fault,
            },
            Input::BodyHead { data, .. } => {
                active.head = data;
                None
            }
            Input::BodyChunk { head, start, end, began, .. } => {
                active.hear_of(cx, end);
                let bytes = end.saturating_sub(start);
                let chunk = Transfer::Chunk { id: id.0, bytes, started_us: began.micros() };
                cx.abr.handle(cx.now.micros(), chunk);
                let (ticket, origin) = (active.ticket, active.origin());
                return Some(Outcome::Chunk { ticket, id, head, start, end, origin });
            }
            Input::BodyProgress { received, .. } => {
                // As much is heard of a body in a log as of the body itself, and no more often.
                if !active.wish.sealed {
                    active.hear_of(cx, received);
                } else if let Some(fault) = active.grow(cx, received) {
                    return self.fail(cx, position, fault);
                }
                return Some(Outcome::Progress { ticket: active.ticket });
            }
            Input::BodyEnd { received, from_cache, .. } => {
                active.hear_of(cx, received);
                match active.incomplete() {
                    Some(fault) => Some(fault),
                    None => return Some(self.complete(cx, position, from_cache)),
                }
            }
            Input::RequestFailed { failure, .. } => {
                let url = active.url().to_owned();
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

    fn complete(&mut self, cx: &mut Context<'_>, position: usize, from_cache: bool) -> Outcome {
        let active = self.active.remove(position);
        self.tell_of(cx, &active.response(Some(cx.now)));
        let ended = Transfer::RequestEnded {
            id: active.id.0,
            bytes: active.received,
            from_cache,
            application_limited: !active.wish.hold.is_zero(),
        };
        cx.abr.handle(cx.now.micros(), ended);
        self.origins.succeeded(cx, active.origin(), active.started);
        // What one place has, the others ought to have.
        for (index, place) in active.wish.places.iter().enumerate().take(64) {
            if active.trial.early >> index & 1 == 1 && index != active.place {
                let error = Error::HttpStatus { url: place.url.clone(), status: 404 };
                self.origins.failed(cx, place.origin, active.started, &error);
            }
        }
        if matches!(active.wish.kind, RequestKind::Segment(_)) {
            self.origins.delivered(cx, active.origin(), active.id);
        }
        active.complete()
    }

    fn fail(&mut self, cx: &mut Context<'_>, position: usize, fault: Fault) -> Option<Outcome> {
        let active = crate::items::take(&mut self.active, position)?;
        self.tell_of(cx, &active.response(None));
        cx.give_up(active.id);
        let (origin, total) = (active.origin(), active.transferred().total);
        let Attempt { id, ticket, mut wish, mut trial, place, started, response, .. } = active;
        let now = cx.now;
        if cx.offline {
            // Nobody's fault: the place is asked again once there is a network.
            trial.tried &= !(1 << place);
            let reason = TimerReason::Offline;
            let kept = wish.body != BodyHandling::Deliver;
            self.waiting.push(Waiting { ticket, wish, trial, due: now, reason });
            return kept.then_some(Outcome::Restarts { ticket, id });
        }
        let error = match fault {
            Fault::Passing(error) => error,
            Fault::Final(error) => {
                trial.barred |= 1 << place;
                error
            }
        };
        if error.is_missing() && wish.early_until.is_some_and(|until| now < until) {
            // It is for whoever wishes to wait; one who has waited asks the other places.
            trial.early |= 1 << place;
            trial.attempts += 1;
            return match wish.once {
                true => self.again(cx, ticket, wish, trial, error),
                false => Some(Outcome::Failed { ticket, error }),
            };
        }
        if let Some(pause) = response.as_ref().and_then(backoff::asked_pause) {
            self.origins.leave_alone(origin, now + pause);
        }
        if !self.origins.failed(cx, origin, started, &error) {
            trial.attempts += 1;
        }
        if wish.smaller && matches!(error, Error::TooSlow { .. }) {
            // By what is known now, the same would be late again.
            let bits_in_time =
                cx.abr.estimate().throughput_bps * wish.missed_from(now).since(now).as_secs_f64();
            wish.once |= total.is_none_or(|total| total as f64 * 8.0 > bits_in_time);
        }
        let kept = wish.body != BodyHandling::Deliver;
        let failed = self.again(cx, ticket, wish, trial, error);
        failed.or_else(|| kept.then_some(Outcome::Restarts { ticket, id }))
    }

    /// Tries a wish again, at once if another place may have it, or gives it up.
    fn again(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        wish: Wish,
        mut trial: Trial,
        error: Error,
    ) -> Option<Outcome> {
        let (now, retry) = (cx.now, &cx.config.retry);
        let budget = retry.budget(wish.kind);
        let missed_from = wish.missed_from(trial.first);
        let last = missed_from + budget.time;
        let places = wish.places.len() as u32;
        let spent = trial.attempts >= budget.attempts.saturating_add(places - 1);
        // Attempts that are not counted may as well go to those that can be asked; others are saved for one that says when.
        let counted = wish.alternative || !wish.patient;
        trial.waits = counted && trial.pauses >= MOST_IMPATIENT;
        let pick = self.origins.pick(&wish, &mut trial, (now, last));
        let untried = pick.as_ref().is_some_and(|pick| pick.fresh);
        // What may be asked instead changes while an attempt runs: what matters is what is open now.
        let detour =
            self.origins.any_open(&wish.detours, now) && self.origins.all_penalised(&wish, now);
        let due = pick.map(|pick| {
            let mut due = now;
            if !pick.fresh {
                let before = if wish.once { PAUSES_BEFORE } else { 0 };
                due = now + self.dice.pause(before + trial.pauses, retry);
                trial.pauses += 1;
            }
            pick.not_before.map_or(due, |until| until.max(due))
        });
        let enough =
            wish.once && (wish.alternative || matches!(wish.kind, RequestKind::Segment(_)));
        let due = match due {
            _ if detour || enough && !untried => return Some(Outcome::Failed { ticket, error }),
            // While the playhead has not got there, it is not too late.
            Some(due)
                if (!spent || !wish.alternative && (wish.patient || now < missed_from))
                    && due <= last =>
            {
                due
            }
            _ => return Some(Outcome::Failed { ticket, error }),
        };
        cx.totals.retries = cx.totals.retries.saturating_add(1);
        if wish.kind != RequestKind::Report {
            self.cmcd.failed(error.code().name());
        }
        cx.out.warn(Warning::Retry {
            url: error.url().unwrap_or_default().to_owned(),
            error: error.to_player_error(Severity::Recoverable),
            attempts: trial.attempts,
        });
        if due <= now {
            self.attempt(cx, ticket, wish, trial);
        } else {
            let reason = TimerReason::Retry;
            self.waiting.push(Waiting { ticket, wish, trial, due, reason });
        }
        None
    }

    /// The device has lost its network, has one again, or another.
    pub(crate) fn network(&mut self, cx: &mut Context<'_>, state: NetworkState) {
        if state == NetworkState::Offline {
            return;
        }
        // Penalties were for what the other network let be seen.
        self.origins.forgive();
        for waiting in &mut self.waiting {
            // Time and attempts without a network are nobody's.
            waiting.trial = Trial { barred: waiting.trial.barred, ..Trial::new(cx.now) };
            waiting.due = cx.now;
        }
        for active in &mut self.active {
            active.trial = Trial { barred: active.trial.barred, ..Trial::new(cx.now) };
            active.prove_alive_by = Some(cx.now + PROOF_OF_LIFE);
        }
    }

    /// Repeats what is due and gives up what has stopped delivering. Call until it returns nothing.
    pub(crate) fn tick(&mut self, cx: &mut Context<'_>) -> Option<Outcome> {
        let now = cx.now;
        // Only those that wait now: what is put off again must not be taken up in the same breath.
        let mut position = 0;
        for _ in 0..self.waiting.len() {
            let waiting = self.waiting.get(position);
            let due = waiting.is_some_and(|one| one.due <= now && !one.rests(self.satisfied));
            let due = (due && !cx.offline).then_some(position);
            let due = due.and_then(|position| crate::items::take(&mut self.waiting, position));
            if let Some(Waiting { ticket, wish, mut trial, due, .. }) = due {
                trial.wake_up(due, now);
                self.attempt(cx, ticket, wish, trial);
            } else {
                position += 1;
            }
        }
        let mut position = 0;
        while let Some(active) = self.active.get_mut(position) {
            active.wake_up(cx);
            let Some(error) = active.overdue(cx) else {
                position += 1;
                continue;
            };
            let failed = self.fail(cx, position, Fault::Passing(error));
            if failed.is_some() {
                return failed;
            }
        }
        None
    }

    /// When [`tick`](Self::tick) has something to do next, and what.
    pub(crate) fn timers(&self, retry: &RetryConfig, offline: bool) -> Vec<TimerState> {
        let mut timers = Vec::new();
        for waiting in &self.waiting {
            if !offline && !waiting.rests(self.satisfied) {
                timers.push(TimerState { reason: waiting.reason, at: waiting.due });
            }
        }
        for active in &self.active {
            let (at, reason) = active.deadline(retry);
            timers.push(TimerState { reason, at });
        }
        let report = self.cmcd.events.due();
        timers.extend(report.map(|at| TimerState { reason: TimerReason::Report, at }));
        timers
    }

    pub(crate) fn states(&self) -> Vec<RequestState> {
        self.active.iter().map(Attempt::state).collect()
    }

    /// How many wishes rest, because of failures, the allowance or the network.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// Whether it is asked of who delivers media: licences, keys and reports are for others.
const fn is_of_cdn(kind: RequestKind) -> bool {
    !matches!(kind, RequestKind::License | RequestKind::Key | RequestKind::Report)
}
