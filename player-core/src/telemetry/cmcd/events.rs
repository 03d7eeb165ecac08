//! Event mode (CTA-5004-B §2.2): collectors that the app names are told of what happens, in batches.
//!
//! Here is worded what they are told, and kept until it can be sent. `requests/` sends it, and again if it has to; while one
//! batch is on its way, what happens waits for the next.

use core::time::Duration;

use super::{Cmcd, Ledger, Told, joined, object_type, state, write};
use crate::config::{CmcdConfig, CmcdTarget, Config};
use crate::error::Error;
use crate::io::{PlaybackStatus, RequestKind, ResponseHead};
use crate::requests::{Outcome, Ticket};
use crate::time::Timestamp;
use crate::url;

/// What waits for one collector: beyond so many reports the oldest are forgotten, which their numbers show.
const MOST_WAITING: usize = 200;

/// Something that has happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occasion<'a> {
    /// Its token (`e`).
    pub(super) event: &'static str,
    /// The key that goes with it, whichever a collector wants.
    pub(super) carries: &'static str,
    /// When, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// The host that media is loaded from.
    pub(super) host: Option<&'a str>,
    pub(super) response: Option<&'a Response<'a>>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) url: &'a str,
    /// HTTP status; 0 if there was none.
    pub(crate) status: u16,
    pub(crate) started: Timestamp,
    /// From its start to the head, to the first byte of the body, and to the last.
    pub(crate) head: Option<Duration>,
    pub(crate) first: Option<Duration>,
    pub(crate) last: Option<Duration>,
    pub(crate) fields: Option<&'a ResponseHead>,
}

/// What has been seen to happen, and the collectors that are told.
#[derive(Debug, Default)]
pub(crate) struct Events {
    targets: Vec<Target>,
    seen: Option<Seen>,
    /// The host that media is loaded from.
    host: Option<String>,
    host_changed: bool,
    pub(super) bitrate_changed: bool,
}

/// What was so when it was last looked at.
#[derive(Debug)]
struct Seen {
    state: &'static str,
    rate: f64,
    hidden: bool,
    muted: Option<bool>,
    content: Option<String>,
}

/// A collector.
#[derive(Debug, Default)]
struct Target {
    url: String,
    ledger: Ledger,
    /// Reports that wait, oldest first.
    waiting: Vec<String>,
    /// The batch on its way.
    ticket: Option<Ticket>,
    /// When the next report of the interval is due.
    due: Option<Timestamp>,
    /// It wants to hear nothing more.
    gone: bool,
}

impl Events {
    pub(super) fn ledgers(&mut self) -> impl Iterator<Item = &mut Ledger> {
        self.targets.iter_mut().map(|target| &mut target.ledger)
    }

    pub(super) fn asking(&mut self, url: &str) {
        let site = url::site(url);
        let host = url::cut_word(site, "://").map_or(site, |(_, host)| host);
        if self.host.as_deref() != Some(host) {
            self.host_changed = self.host.replace(host.to_owned()).is_some();
        }
    }

    /// When a collector is due to be told how things stand.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.targets.iter().filter_map(|target| target.due).min()
    }

    /// A batch for the collector of this number, if there is one to be sent: `all` that waits, or a full one.
    pub(crate) fn batch(&mut self, number: usize, least: u32, all: bool) -> Option<String> {
        let target = self.targets.get_mut(number)?;
        let full = target.ticket.is_none() && target.waiting.len() >= least.max(1) as usize;
        if target.waiting.is_empty() || !(full || all) {
            return None;
        }
        let mut batch = String::new();
        for report in target.waiting.drain(..) {
            if !batch.is_empty() {
                batch.push('\n');
            }
            batch.push_str(&report);
        }
        Some(batch)
    }

    pub(crate) fn sent(&mut self, number: usize, ticket: Ticket) {
        if let Some(target) = self.targets.get_mut(number) {
            target.ticket = Some(ticket);
        }
    }

    /// Takes what came of a batch, if it was one. Whether it was.
    pub(crate) fn take(&mut self, outcome: &Outcome) -> bool {
        let ticket = Some(outcome.ticket());
        let Some(target) = self.targets.iter_mut().find(|target| target.ticket == ticket) else {
            return false;
        };
        match outcome {
            Outcome::Failed { error, .. } => {
                target.ticket = None;
                // §5, 13: nothing more for the rest of the session.
                if matches!(error, Error::HttpStatus { status: 410, .. }) {
                    (target.gone, target.due) = (true, None);
                    target.waiting.clear();
                }
            }
            Outcome::Delivered { .. } => target.ticket = None,
            _ => {}
        }
        true
    }
}

impl Cmcd {
    /// Looks for what has happened since the last look. `wall_us` is what the device's clock is ahead of `now`.
    pub(crate) fn look(&mut self, config: &Config, now: Timestamp, wall_us: i64) {
        let cmcd = &config.cmcd;
        self.meet(cmcd, now);
        let situation = &self.situation;
        let seen = Seen {
            state: state(situation),
            rate: situation.rate,
            hidden: situation.hidden,
            muted: situation.muted,
            content: cmcd.content_id.clone(),
        };
        let before = self.events.seen.as_ref();
        let plays = situation.status == PlaybackStatus::Playing;
        let known_rate = before.map_or(1.0, |before| before.rate);
        // What is said first was so before.
        let muted = before
            .filter(|before| before.muted.is_some() && before.muted != seen.muted)
            .and(seen.muted);
        let changes = [
            ("ps", "sta", before.is_none_or(|before| before.state != seen.state)),
            ("pr", "pr", plays && known_rate != seen.rate),
            ("c", "cid", before.is_some_and(|before| before.content != seen.content)),
            ("b", "bg", before.map_or(seen.hidden, |before| before.hidden != seen.hidden)),
            ("bc", "br", core::mem::take(&mut self.events.bitrate_changed)),
            ("h", "h", core::mem::take(&mut self.events.host_changed)),
            ("m", "", muted == Some(true)),
            ("um", "", muted == Some(false)),
        ];
        // A speed that nothing plays at is none yet.
        let rate = if plays { seen.rate } else { known_rate };
        self.events.seen = Some(Seen { rate, ..seen });
        let at_ms = wall_ms(now, wall_us);
        for number in 0..self.events.targets.len() {
            let Some(target) = self.events.targets.get_mut(number) else { continue };
            let failed = !target.ledger.errors.is_empty();
            let due = target.due.is_some_and(|due| due <= now);
            if due {
                let interval = cmcd.targets.get(number).map_or(Duration::MAX, |it| it.interval);
                target.due = Some(now + interval);
            }
            // Before anything else tells of the errors.
            if failed {
                self.happened(cmcd, Some(number), ("e", "ec", at_ms), None);
            }
            for (event, carries, happened) in changes {
                if happened {
                    self.happened(cmcd, Some(number), (event, carries, at_ms), None);
                }
            }
            if due {
                self.happened(cmcd, Some(number), ("t", "", at_ms), None);
            }
        }
    }

    /// A request has been answered, or has come to nothing.
    pub(crate) fn answered(&mut self, config: &CmcdConfig, wall_us: i64, response: &Response<'_>) {
        let at_ms = wall_ms(response.started, wall_us);
        self.happened(config, None, ("rr", "url", at_ms), Some(response));
    }

    /// Sees to it that there is a target for each that is configured.
    fn meet(&mut self, config: &CmcdConfig, now: Timestamp) {
        let targets = &mut self.events.targets;
        targets.truncate(config.targets.len());
        for (number, wanted) in config.targets.iter().enumerate() {
            let known = targets.get(number).is_some_and(|target| target.url == wanted.url);
            if known {
                continue;
            }
            let ticks = wanted.wants("t") && !wanted.interval.is_zero();
            let due = ticks.then_some(now);
            let target = Target { url: wanted.url.clone(), due, ..Target::default() };
            match targets.get_mut(number) {
                Some(other) => *other = target,
                None => targets.push(target),
            }
        }
    }

    /// Words a report for each target that wants to hear of it, or for one alone.
    fn happened(
        &mut self,
        config: &CmcdConfig,
        only: Option<usize>,
        (event, carries, at_ms): (&'static str, &'static str, u64),
        response: Option<&Response<'_>>,
    ) {
        let host = self.events.host.as_deref();
        let occasion = Occasion { event, carries, at_ms, host, response };
        let told = Told {
            object: response.map_or("", |response| object_type(response.kind, None)),
            facts: None,
            media: &self.media,
            deadline: None,
            next: None,
            occasion: Some(&occasion),
            second: true,
        };
        for (number, target) in self.events.targets.iter_mut().enumerate() {
            let Some(wanted) = config.targets.get(number).filter(|target| target.wants(event))
            else {
                continue;
            };
            if target.gone || only.is_some_and(|only| only != number) {
                continue;
            }
            let known = (&self.situation, self.media.as_slice());
            let keys = write(config, &wanted.keys, known, &mut target.ledger, &told);
            if target.waiting.len() >= MOST_WAITING {
                crate::items::take(&mut target.waiting, 0);
            }
            target.waiting.push(joined(&keys, None));
        }
    }
}

impl CmcdTarget {
    /// Whether it wants to hear of an event; of those that everybody ought to report, if it does not say (Table 1, `e`).
    fn wants(&self, event: &str) -> bool {
        match self.events.is_empty() {
            true => matches!(event, "ps" | "e" | "t"),
            false => self.events.iter().any(|wanted| wanted == event),
        }
    }
}

fn wall_ms(at: Timestamp, wall_us: i64) -> u64 {
    (at.micros().saturating_add_signed(wall_us)) / 1_000
}
