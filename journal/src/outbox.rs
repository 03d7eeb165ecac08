//! Events that wait for a verdict, oldest first, and when to send them.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use kinora_core::time::{Timestamp, WallTime};
use serde::Serialize;
use serde_json::Value;

/// Events that wait at most; the oldest go.
const MOST_WAITING: usize = 2000;
/// Bytes of events in a batch, to which its head comes: the service takes 64 KiB.
const MOST_BYTES: usize = 48 * 1024;
/// So many are sent before their time.
const ENOUGH: usize = 50;
/// What was kept is no longer than this, or something else wrote it.
const LONGEST_KEPT: usize = 4 << 20;

/// An instant by both clocks of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// By the monotonic one, which says how long things take.
    pub now: Timestamp,
    /// By the one on the wall: the service takes events relative to when they are sent, so it may be wrong.
    pub wall: WallTime,
}

pub(crate) struct Outbox {
    /// Begins the names of events.
    name: String,
    interval: Duration,
    events: VecDeque<Waiting>,
    /// The number of the next event.
    next: u64,
    /// When what has gathered is to be sent.
    wanted: Option<Timestamp>,
    changes: u64,
}

struct Waiting {
    number: u64,
    json: String,
}

#[derive(Serialize)]
struct Named<'a, T> {
    event_id: &'a str,
    at_ms: i64,
    #[serde(flatten)]
    what: &'a T,
}

impl Outbox {
    pub(crate) fn new(name: String, interval: Duration) -> Self {
        Self { name, interval, events: VecDeque::new(), next: 0, wanted: None, changes: 0 }
    }

    /// Takes what another journal of the profile left.
    pub(crate) fn adopt(&mut self, kept: &str) -> bool {
        if kept.len() > LONGEST_KEPT {
            return false;
        }
        let Ok(Value::Array(events)) = serde_json::from_str(kept) else { return false };
        let named = |event: &Value| event.get("event_id").is_some_and(Value::is_string);
        let before = self.next;
        for event in events.iter().filter(|event| named(event)) {
            self.push(event.to_string());
        }
        self.next > before
    }

    pub(crate) fn add(&mut self, what: &impl Serialize, at: Moment) {
        let event_id = format!("{}-{}", self.name, self.next);
        let named = Named { event_id: &event_id, at_ms: at.wall.micros() / 1000, what };
        // Structs of numbers and strings: nothing in them can fail.
        let Ok(json) = serde_json::to_string(&named) else { return };
        self.push(json);
        let pause = if self.events.len() >= ENOUGH { Duration::ZERO } else { self.interval };
        self.want(at.now + pause);
    }

    fn push(&mut self, json: String) {
        self.events.push_back(Waiting { number: self.next, json });
        self.next += 1;
        self.changes += 1;
        if self.events.len() > MOST_WAITING {
            self.events.pop_front();
        }
    }

    /// Sends at an instant, or sooner if that was planned.
    pub(crate) fn want(&mut self, at: Timestamp) {
        self.wanted = Some(self.wanted.map_or(at, |wanted| wanted.min(at)));
    }

    /// Plans anew after something was sent.
    pub(crate) fn rest(&mut self, now: Timestamp, more_to_come: bool) {
        let goes_on = more_to_come || !self.is_empty();
        self.wanted = goes_on.then(|| now + self.interval);
    }

    pub(crate) fn wanted(&self) -> Option<Timestamp> {
        self.wanted
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Counts what came and went.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// What comes first, as much as goes at once.
    pub(crate) fn first(&self, most: usize) -> Option<Batch<'_>> {
        Batch::of(self.events.iter().take(most))
    }

    /// These have a verdict.
    pub(crate) fn done(&mut self, numbers: &RangeInclusive<u64>) {
        self.events.retain(|event| !numbers.contains(&event.number));
        self.changes += 1;
    }

    pub(crate) fn kept(&self) -> Option<String> {
        (!self.is_empty()).then(|| list(self.events.iter().map(|event| event.json.as_str())))
    }
}

/// Events that are sent together.
pub(crate) struct Batch<'a> {
    events: Vec<&'a Waiting>,
}

impl<'a> Batch<'a> {
    /// As many of these as fit, and one at least.
    fn of(events: impl Iterator<Item = &'a Waiting>) -> Option<Self> {
        let (mut bytes, mut fit) = (0, Vec::new());
        for event in events {
            bytes += event.json.len() + 1;
            if bytes > MOST_BYTES && !fit.is_empty() {
                break;
            }
            fit.push(event);
        }
        (!fit.is_empty()).then_some(Self { events: fit })
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    pub(crate) fn numbers(&self) -> RangeInclusive<u64> {
        let number = |event: Option<&&Waiting>| event.map_or(0, |event| event.number);
        number(self.events.first())..=number(self.events.last())
    }

    /// `POST /v1/events` has this.
    pub(crate) fn body(&self, platform: &str, at: Moment) -> String {
        let events = list(self.events.iter().map(|event| event.json.as_str()));
        let platform = Value::from(platform);
        let sent_at_ms = at.wall.micros() / 1000;
        format!(r#"{{"sent_at_ms":{sent_at_ms},"platform":{platform},"events":{events}}}"#)
    }
}

fn list<'a>(events: impl Iterator<Item = &'a str>) -> String {
    let mut list = String::from("[");
    for event in events {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(event);
    }
    list.push(']');
    list
}
