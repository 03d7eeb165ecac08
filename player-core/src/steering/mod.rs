//! Content steering: a server says from where to load (RFC 8216bis §7; ETSI TS 103 998).
//!
//! What it says only ranks origins, and adds some; whether they work is seen by
//! [`requests`](crate::requests), where a pathway that fails is left until it has healed, whatever the
//! server thinks of it.

mod clones;
mod json;
mod manifest;

use core::time::Duration;

use self::manifest::PathwayClone;
use crate::context::Context;
use crate::error::Error;
use crate::io::{RequestKind, SteeringFault, Warning};
use crate::presentation::{self, Presentation};
use crate::requests::{Requests, Ticket, Wish};
use crate::telemetry::{SteeringState, TimerReason, TimerState};
use crate::time::Timestamp;
use crate::url;

/// The server is asked again after so long if it does not say (RFC 8216bis §7.2 recommends it).
const USUAL_TTL: Duration = Duration::from_secs(300);
/// It is not asked more often,
const LEAST_TTL: Duration = Duration::from_secs(5);
/// nor more seldom, whatever it says.
const MOST_TTL: Duration = Duration::from_secs(86_400);
/// If it is to be asked before the start, so long is waited for it.
const START_WAIT: Duration = Duration::from_secs(3);

/// The most pathways that are made of others.
const MOST_CLONES: usize = 32;

/// A steering server, and what it has said.
#[derive(Debug)]
pub(crate) struct Steering {
    url: String,
    format: Format,
    ticket: Option<Ticket>,
    /// When to ask; never again once the server has asked for that.
    due: Option<Timestamp>,
    /// Nothing is played before then, unless there is an answer.
    start_by: Option<Timestamp>,
    ttl: Duration,
    priority: Vec<String>,
    /// Pathways that it has made of others: a manifest that is loaded again knows nothing of them.
    clones: Vec<PathwayClone>,
}

/// Where to ask with parameters. A `data:` URL is its own answer, and takes none.
fn asking(url: &str, query: &str) -> String {
    match url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        true => url.to_owned(),
        false => url::with_query(url, query),
    }
}

/// What the manifest is written in, as far as it matters to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Hls,
    Dash,
}

impl Steering {
    pub(crate) fn new(
        source: &presentation::Steering,
        format: Format,
        requests: &mut Requests,
        now: Timestamp,
    ) -> Self {
        requests.origins.prefer(source.default_pathways.clone());
        Self {
            url: source.url.clone(),
            format,
            ticket: None,
            due: Some(now),
            start_by: source.before_start.then(|| now + START_WAIT),
            ttl: USUAL_TTL,
            priority: source.default_pathways.clone(),
            clones: Vec::new(),
        }
    }

    /// Whether playback is still to wait for the server.
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.start_by.is_some_and(|by| now < by)
    }

    /// Asks the server, if it is time.
    pub(crate) fn ask(&mut self, cx: &mut Context<'_>, requests: &mut Requests) {
        if self.ticket.is_some() || self.due.is_none_or(|due| due > cx.now) {
            return;
        }
        self.due = None;
        let mut query = String::new();
        let prefix = match self.format {
            Format::Hls => "_HLS_",
            Format::Dash => "_DASH_",
        };
        if let Some(pathway) = requests.origins.pathway() {
            query.push_str(prefix);
            query.push_str("pathway=");
            // A list of strings in quotes, of which there is one.
            let quote = if self.format == Format::Dash { "%22" } else { "" };
            query.push_str(quote);
            url::push_encoded(&mut query, pathway);
            query.push_str(quote);
        }
        let estimate = cx.abr.estimate();
        if estimate.samples > 0 {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(prefix);
            query.push_str("throughput=");
            query.push_str(&(estimate.throughput_bps as u64).to_string());
        }
        let places = requests.origins.place(&asking(&self.url, &query));
        self.ticket = Some(requests.start(cx, Wish::new(RequestKind::Steering, places)));
    }

    /// Whether a wish is this one's.
    pub(crate) fn asked(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    /// The server does not answer: what it said before holds on.
    pub(crate) fn fail(&mut self, cx: &mut Context<'_>, error: &Error) {
        self.ticket = None;
        self.start_by = None;
        // §7.2: it is never to be asked again.
        let gone = matches!(error, Error::HttpStatus { status: 410, .. });
        self.due = (!gone).then_some(cx.now + self.ttl);
        self.warn(cx, if gone { SteeringFault::Gone } else { SteeringFault::Unreachable });
    }

    /// The server's answer has come, from `url`.
    pub(crate) fn take(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        presentation: &mut Presentation,
        body: &[u8],
        url: &str,
    ) {
        self.ticket = None;
        self.start_by = None;
        let mut faults = Vec::new();
        let manifest = match manifest::read(body, &mut faults) {
            Ok(manifest) => manifest,
            Err(fault) => {
                self.due = Some(cx.now + self.ttl);
                return self.warn(cx, fault);
            }
        };
        let asked = manifest.ttl.map_or(USUAL_TTL, Duration::from_secs);
        self.ttl = asked.clamp(LEAST_TTL, MOST_TTL);
        if manifest.ttl.is_none() || self.ttl != asked {
            faults.push(SteeringFault::Ttl);
        }
        self.due = Some(cx.now + self.ttl);
        if let Some(reload) = &manifest.reload_uri {
            self.url = url::resolve(url, reload);
        }
        for clone in manifest.clones {
            if !clones::apply(presentation, &clone) {
                faults.push(SteeringFault::Clone);
            } else if self.clones.len() < MOST_CLONES
                && self.clones.iter().all(|known| known.id != clone.id)
            {
                self.clones.push(clone);
            }
        }
        let known = |name: &String| clones::has_pathway(presentation, name);
        if !manifest.priority.iter().all(known) {
            faults.push(SteeringFault::UnknownPathway);
        }
        // A server that knows none of what there is has nothing to say.
        if manifest.priority.iter().any(known) {
            requests.origins.prefer(manifest.priority.clone());
            self.priority = manifest.priority;
        }
        faults.dedup();
        for fault in faults {
            self.warn(cx, fault);
        }
    }

    /// The manifest has been loaded again: what was made of its pathways is made anew, in the same order.
    pub(crate) fn clone_again(&self, presentation: &mut Presentation) {
        for clone in &self.clones {
            clones::apply(presentation, clone);
        }
    }

    fn warn(&self, cx: &mut Context<'_>, fault: SteeringFault) {
        cx.out.warn(Warning::Steering { url: self.url.clone(), fault });
    }

    pub(crate) fn timer(&self, now: Timestamp) -> Option<TimerState> {
        let start = self.start_by.filter(|by| *by > now);
        let due = self.due.filter(|_| self.ticket.is_none());
        let at = match (start, due) {
            (Some(start), Some(due)) => start.min(due),
            (start, due) => start.or(due)?,
        };
        Some(TimerState { reason: TimerReason::Steering, at })
    }

    pub(crate) fn state(&self) -> SteeringState {
        SteeringState {
            url: self.url.clone(),
            priority: self.priority.clone(),
            reload_at: self.due,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::asking;

    #[test]
    fn an_inline_answer_is_not_asked_anything() {
        let inline = "data:application/json,{\"VERSION\":1}";
        assert_eq!(asking(inline, "_HLS_pathway=A"), inline);
        assert_eq!(asking("Data:,", "x=1"), "Data:,");
        assert_eq!(asking("https://s.example/?a", "x=1"), "https://s.example/?a&x=1");
    }
}
