//! A virtual world around a player: clock, network, origin and media element, all in one thread and
//! in virtual time. A day of playback takes seconds, and a run repeats exactly.

pub mod content;
pub mod element;
pub mod network;

use std::time::Duration;

use kinora_core::io::{
    AppendBody, BodyHandling, ElementState, Event, Input, MediaCommand, MediaOperation,
    OperationId, OperationResult, Output, Request, RequestFailure, RequestId, ResponseHead, Source,
};
use kinora_core::media;
use kinora_core::time::{MediaTime, Timestamp};
use kinora_core::{Config, Player};

use self::content::{Origin, Resource};
use self::element::Element;
use self::network::{Arrival, Network};

/// The world's clock moves in steps of this while anything is on its way.
const QUANTUM: Duration = Duration::from_millis(5);
/// An element that plays reports so often.
const ELEMENT_REPORT: Duration = Duration::from_millis(250);
/// A platform takes so long for an append or a removal.
const OPERATION_TIME: Duration = Duration::from_millis(3);

/// A player and everything around it.
pub struct World {
    /// The player.
    pub player: Player,
    /// What servers hold, and how they misbehave.
    pub origin: Origin,
    /// The way to them.
    pub network: Network,
    /// What shows the media.
    pub element: Element,
    /// Every event, with its instant.
    pub events: Vec<(Timestamp, Event)>,
    /// Every request, with its instant.
    pub requests: Vec<(Timestamp, Request)>,
    /// Every output, as a replay would give it.
    pub outputs: Vec<(Timestamp, Output)>,
    now: Timestamp,
    due: Option<Timestamp>,
    /// Steps in a row in which no time passed.
    idle_steps: u32,
    bodies: Vec<(RequestId, Body)>,
    operations: Vec<(Timestamp, OperationId, OperationResult)>,
    reported: Option<(Timestamp, ElementState)>,
}

/// A body on its way or kept.
struct Body {
    resource: Resource,
    keep: bool,
    head_sent: bool,
    sent: u64,
    /// It breaks off here.
    cut: Option<u64>,
}

impl World {
    /// A world at rest, with nothing loaded.
    pub fn new(config: Config, origin: Origin, network: Network) -> Self {
        let config = Config { record: true, ..config };
        let now = Timestamp::from_micros(1_000_000);
        Self {
            player: Player::new(config, now),
            origin,
            network,
            element: Element::default(),
            events: Vec::new(),
            requests: Vec::new(),
            outputs: Vec::new(),
            now,
            due: None,
            idle_steps: 0,
            bodies: Vec::new(),
            operations: Vec::new(),
            reported: None,
        }
    }

    /// Loads a manifest and starts to play it.
    pub fn load(&mut self, url: &str) {
        self.element.paused = false;
        self.input(Input::Load(Source { url: url.to_owned(), format: None, start: None }));
    }

    /// The world's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Hands in an input, and carries out what the player asks for.
    pub fn input(&mut self, input: Input) {
        self.player.handle_input(self.now, input);
        loop {
            let output = self.player.poll_output();
            self.outputs.push((self.now, output.clone()));
            match output {
                Output::Request(request) => self.start(request),
                Output::Cancel(id) => {
                    self.network.cancel(id);
                    self.bodies.retain(|(known, _)| *known != id);
                }
                Output::Media(operation) => self.operate(operation),
                Output::Event(event) => self.events.push((self.now, event)),
                Output::Timeout(at) => {
                    self.due = at;
                    return;
                }
                other => panic!("this world does not know the output {other:?}"),
            }
        }
    }

    /// Lets time pass until `done` holds; panics, with what the player knows, if it does not within
    /// `limit`.
    pub fn run_until(&mut self, what: &str, limit: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + limit;
        while !done(self) {
            assert!(
                self.now < end,
                "no {what} within {limit:?}; the player says {:#?}",
                self.player.state()
            );
            self.step();
        }
    }

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step();
        }
    }

    /// Lets time pass until the film has ended.
    pub fn run_to_end(&mut self, limit: Duration) {
        self.run_until("end", limit, |world| world.has_ended());
    }

    /// Whether the film has ended.
    pub fn has_ended(&self) -> bool {
        self.events.iter().any(|(_, event)| *event == Event::Ended)
    }

    /// How many requests have asked for a URL that contains `part`.
    pub fn requests_for(&self, part: &str) -> usize {
        self.requests.iter().filter(|(_, request)| request.url.contains(part)).count()
    }

    fn step(&mut self) {
        let busy = self.network.is_busy() || !self.operations.is_empty() || self.element.moves();
        let mut next = self.now + if busy { QUANTUM } else { ELEMENT_REPORT };
        if let Some(due) = self.due {
            next = next.min(due.max(self.now));
        }
        let elapsed = next.since(self.now);
        self.idle_steps = if elapsed.is_zero() { self.idle_steps + 1 } else { 0 };
        assert!(self.idle_steps < 100, "time stands still: {:#?}", self.player.state().timers);
        self.now = next;
        self.element.advance(elapsed);
        for arrival in self.network.advance(self.now, elapsed) {
            self.deliver(arrival);
        }
        while let Some(position) = self.operations.iter().position(|(at, ..)| *at <= self.now) {
            let (_, id, result) = self.operations.remove(position);
            self.input(Input::MediaResult { id, result });
        }
        self.report_element();
        if self.due.is_some_and(|due| due <= self.now) {
            self.input(Input::Timeout);
        }
    }

    fn report_element(&mut self) {
        let state = self.element.state();
        let due = match &self.reported {
            None => true,
            Some((at, last)) => {
                let changed = ElementState { position: last.position, ..state.clone() } != *last;
                changed || (self.element.moves() && self.now.since(*at) >= ELEMENT_REPORT)
            }
        };
        if due {
            self.reported = Some((self.now, state.clone()));
            self.input(Input::Element(state));
        }
    }

    // ---- network ------------------------------------------------------------------------------------

    fn start(&mut self, request: Request) {
        self.requests.push((self.now, request.clone()));
        let answer = self.origin.answer(&request);
        let id = request.id;
        match answer {
            content::Answer::Refused => self.network.refuse(id, self.now),
            content::Answer::Body { status, resource, cut, stall } => {
                let size = cut.unwrap_or(resource.size());
                self.network.start(id, self.now, status, size, stall);
                let keep = request.body == BodyHandling::Keep;
                let body = Body { resource, keep, head_sent: false, sent: 0, cut };
                self.bodies.push((id, body));
            }
        }
    }

    fn deliver(&mut self, arrival: Arrival) {
        let url_of = |world: &Self, id| {
            let request = world.requests.iter().rev().find(|(_, request)| request.id == id);
            request.map(|(_, request)| request.url.clone()).unwrap_or_default()
        };
        match arrival {
            Arrival::Refused(id) => {
                let failure = RequestFailure::Network("connection refused".to_owned());
                self.input(Input::RequestFailed { id, failure });
            }
            Arrival::Head { id, status } => {
                let Some((_, body)) = self.bodies.iter().find(|(known, _)| *known == id) else {
                    return;
                };
                let head = ResponseHead {
                    url: url_of(self, id),
                    content_type: Some(body.resource.content_type.to_owned()),
                    content_length: Some(body.resource.size()),
                    ..ResponseHead::of_status(status)
                };
                self.input(Input::ResponseHead { id, head });
            }
            Arrival::Bytes { id, received, complete } => {
                let Some((_, body)) = self.bodies.iter_mut().find(|(known, _)| *known == id) else {
                    return;
                };
                let before = std::mem::replace(&mut body.sent, received);
                let mut inputs = Vec::new();
                if body.keep {
                    let head = body.resource.media_head();
                    if !body.head_sent && (received >= head.len() as u64 || complete) {
                        body.head_sent = true;
                        inputs.push(Input::BodyHead { id, data: head });
                    }
                    inputs.push(Input::BodyProgress { id, received });
                } else {
                    inputs.push(Input::Body { id, data: body.resource.slice(before, received) });
                }
                if complete {
                    inputs.push(match body.cut {
                        Some(_) => Input::RequestFailed {
                            id,
                            failure: RequestFailure::Interrupted("connection reset".to_owned()),
                        },
                        None => Input::BodyEnd { id, received, from_cache: false },
                    });
                    if !body.keep {
                        self.bodies.retain(|(known, _)| *known != id);
                    }
                }
                inputs.into_iter().for_each(|input| self.input(input));
            }
        }
    }

    // ---- media --------------------------------------------------------------------------------------

    fn operate(&mut self, operation: MediaOperation) {
        let kept = match &operation.command {
            MediaCommand::Append { body: AppendBody::Kept(id), .. } => {
                let found = self.bodies.iter().position(|(known, _)| known == id);
                let position = found.expect("an append names a body that the host keeps");
                Some(self.bodies[position].1.resource.clone())
            }
            _ => None,
        };
        let result = self.element.carry_out(&operation.command, kept.as_ref());
        if let (
            MediaCommand::Append { body: AppendBody::Kept(id), .. },
            OperationResult::Done { .. },
        ) = (&operation.command, &result)
        {
            self.bodies.retain(|(known, _)| known != id);
        }
        self.operations.push((self.now + OPERATION_TIME, operation.id, result));
    }

    /// Bodies that the host still keeps.
    pub fn kept_bodies(&self) -> usize {
        self.bodies.iter().filter(|(_, body)| body.keep).count()
    }
}

/// A whole number of seconds on the presentation timeline.
pub fn seconds(seconds: i64) -> MediaTime {
    MediaTime::from_secs(seconds)
}

/// Asserts that a replay of the world's session gives the outputs the world saw.
pub fn assert_replays(world: &World) {
    let mut replayed = Vec::new();
    let log = kinora_core::telemetry::log::Log::parse(world.player.session_log())
        .expect("the log of a session reads");
    kinora_core::telemetry::log::replay(log, |now, output| replayed.push((now, output)))
        .expect("the log of a session replays");
    assert_eq!(replayed.len(), world.outputs.len());
    for (replayed, seen) in replayed.iter().zip(&world.outputs) {
        assert_eq!(replayed, seen);
    }
}

/// What precedes the first `mdat` of a body, as hosts cut it.
pub(crate) fn head_of(bytes: &[u8]) -> Vec<u8> {
    media::boxes_before_mdat(bytes).map_or_else(Vec::new, |length| bytes[..length].to_vec())
}
