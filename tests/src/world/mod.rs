//! A virtual world around a player: clock, network, servers, media element and viewer, all in one
//! thread and in virtual time. A day of playback takes seconds, and a run repeats exactly.
//!
//! The clock jumps from one event to the next: [`World::step`] asks everything that can happen when it
//! will, goes there, and hands the player what happened.

mod boxes;
pub mod content;
mod digest;
pub mod element;
pub mod fault;
pub mod film;
pub mod hosts;
pub mod invariants;
pub mod keys;
pub mod live;
pub mod network;
pub mod viewer;

use std::collections::VecDeque;
use std::time::Duration;

use kinora_core::io::{
    AppendBody, BodyHandling, ElementState, Event, Input, MediaCommand, MediaKind, MediaOperation,
    NetworkState, OperationId, OperationResult, Output, Quality, Request, RequestFailure,
    RequestId, RequestKind, ResponseHead, Selection, Source,
};
use kinora_core::media::{self, Chunk, ChunkHunt};
use kinora_core::time::{MediaTime, TimeRange, Timestamp};
use kinora_core::{Config, Player};

use self::content::{Origin, Resource};
pub use self::digest::{Digest, without_media};
use self::element::Element;
use self::invariants::{Invariant, Invariants, Scene};
use self::keys::KeySystem;
use self::network::{Arrival, Delivery, Network};

/// An element that plays reports so often.
const ELEMENT_REPORT: Duration = Duration::from_millis(250);
/// A platform takes so long for an append or a removal.
const OPERATION_TIME: Duration = Duration::from_millis(3);
/// A player that wants to be woken so often without time passing does not work but spin.
const MAX_IDLE_STEPS: u32 = 100;
/// More kept bodies than this are forgotten ones.
const MAX_KEPT: usize = 12;
/// So many segments are remembered that were wanted.
const MOST_WANTED: usize = 32;
/// A player that answers one input with more than this never comes to rest.
const MAX_OUTPUTS: usize = 10_000;

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
    /// What gives it keys.
    pub keys: KeySystem,
    /// Every event, with its instant.
    pub events: Vec<(Timestamp, Event)>,
    /// Every request, with its instant.
    pub requests: Vec<(Timestamp, Request)>,
    /// Every output, as a replay would give it.
    pub outputs: Vec<(Timestamp, Output)>,
    /// Whether events, requests, outputs and commands are kept. Runs of hours forget them.
    pub remember: bool,
    /// A digest of every output that the session log gives again, where they are not kept.
    pub digest: Option<Digest>,
    /// The log has room for so much, and no more: what came later does not replay.
    logged: usize,
    /// What must hold at every moment; the first violation ends a run that is `strict`.
    pub invariants: Invariants,
    /// Panics at the first violation.
    pub strict: bool,
    /// Below so many kbit/s nobody can ask for playback.
    pub least_kbps: u64,
    /// The host tells when the device has no network; not every platform knows.
    pub tells_of_network: bool,
    /// What the device's clock is ahead of the right time, in microseconds.
    pub skew_us: i64,
    /// Code of the last fatal error.
    pub error: Option<String>,
    /// The viewer chose another track when the platform had enough of the one before.
    chose: bool,
    /// How often the media source dropped media by itself.
    pub(crate) evictions: u32,
    /// Segments that were asked for last while they were wanted.
    wanted: VecDeque<String>,
    offline: bool,
    config: Config,
    /// Pictures that were on offer when something was last loaded.
    qualities: Vec<Quality>,
    now: Timestamp,
    due: Option<Timestamp>,
    /// What the network could deliver since the last step, in kbit/s; none if that is too little to play.
    could_carry: Option<f64>,
    /// Steps in a row in which no time passed.
    idle_steps: u32,
    bodies: Vec<(RequestId, Body)>,
    /// Reports on their way to collectors: nobody has to wait for their answers.
    reports: Vec<RequestId>,
    operations: Vec<Operation>,
    reported: Option<(Timestamp, ElementState)>,
}

/// What the platform is doing.
struct Operation {
    at: Timestamp,
    id: OperationId,
    kind: Option<MediaKind>,
    result: OperationResult,
}

/// A body on its way or kept.
struct Body {
    resource: Resource,
    head: ResponseHead,
    keep: bool,
    /// It is kept in chunks.
    chunks: Option<ChunkHunt>,
    head_sent: bool,
    sent: u64,
}

impl World {
    /// A world at rest, with nothing loaded.
    pub fn new(config: Config, origin: Origin, network: Network) -> Self {
        Self::as_configured(Config { record: true, ..config }, origin, network)
    }

    /// As [`new`](Self::new), but that the session is recorded only if the configuration says so.
    pub fn as_configured(config: Config, origin: Origin, network: Network) -> Self {
        let now = Timestamp::from_micros(1_000_000);
        Self {
            player: Player::new(config.clone(), now),
            origin,
            network,
            element: Element::default(),
            keys: KeySystem::default(),
            events: Vec::new(),
            requests: Vec::new(),
            outputs: Vec::new(),
            remember: true,
            digest: None,
            logged: 0,
            invariants: Invariants::new(&config),
            strict: true,
            least_kbps: 500,
            tells_of_network: false,
            chose: false,
            evictions: 0,
            wanted: VecDeque::new(),
            offline: false,
            skew_us: 0,
            error: None,
            config,
            qualities: Vec::new(),
            now,
            due: None,
            could_carry: None,
            idle_steps: 0,
            bodies: Vec::new(),
            reports: Vec::new(),
            operations: Vec::new(),
            reported: None,
        }
    }

    /// Loads a manifest and starts to play it.
    pub fn load(&mut self, url: &str) {
        let source = Source { url: url.to_owned(), format: None, start: None };
        self.act(&viewer::Action::Load(source));
    }

    /// The world's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Hands in an input, and carries out what the player asks for.
    pub fn input(&mut self, input: Input) {
        self.invariants.tick(self.now);
        self.invariants.input(&input);
        let leaves = matches!(input, Input::Unload);
        let of_media = |kind| kind != MediaKind::Text;
        self.chose |=
            matches!(input, Input::Select(Selection::Track { kind, .. }) if of_media(kind));
        self.player.handle_input(self.now, input);
        let logged = self.player.session_log().len();
        let in_log = std::mem::replace(&mut self.logged, logged) < logged;
        for _ in 0..MAX_OUTPUTS {
            let output = self.player.poll_output();
            if self.remember {
                self.outputs.push((self.now, output.clone()));
            }
            if let Some(digest) = self.digest.as_mut().filter(|_| in_log) {
                digest.take(self.now, &output);
            }
            match output {
                Output::Request(request) => self.start(request),
                Output::Cancel(id) => {
                    self.network.cancel(id, self.now);
                    self.reports.retain(|known| *known != id);
                    self.bodies.retain(|(known, _)| *known != id);
                }
                Output::Media(operation) => self.operate(operation),
                Output::License(command) => self.keys.execute(self.now, command),
                Output::Event(event) => self.tell(event),
                Output::Timeout(at) => {
                    self.due = at;
                    if leaves {
                        self.check_rest();
                    }
                    return;
                }
                other => panic!("this world does not know the output {other:?}"),
            }
        }
        panic!("the player never comes to rest: {:#?}", self.player.state());
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
            self.step(end);
        }
    }

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.step(end);
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

    /// Goes to the next thing that happens, and no further than `limit`.
    pub fn step(&mut self, limit: Timestamp) {
        let next = self.next_event().map_or(limit, |next| next.clamp(self.now, limit));
        let elapsed = next.since(self.now);
        self.idle_steps = if elapsed.is_zero() { self.idle_steps + 1 } else { 0 };
        assert!(
            self.idle_steps < MAX_IDLE_STEPS,
            "time stands still: {:#?}",
            self.player.state().timers
        );
        self.now = next;
        self.element.advance(elapsed);
        for arrival in self.network.advance(self.now, elapsed) {
            self.deliver(arrival);
        }
        let offline = self.network.conditions(self.now).offline;
        if std::mem::replace(&mut self.offline, offline) != offline && self.tells_of_network {
            let state = if offline { NetworkState::Offline } else { NetworkState::Online };
            self.input(Input::Network(state));
        }
        while let Some(position) = self.operations.iter().position(|one| one.at <= self.now) {
            let Operation { id, kind, mut result, .. } = self.operations.remove(position);
            // What was dropped meanwhile is not there when the operation ends.
            if let (Some(_), Some(kind), OperationResult::Done { buffered }) =
                (&self.element.managed, kind, &mut result)
            {
                *buffered = self.element.buffered(kind);
            }
            self.input(Input::MediaResult { id, result });
            // `seeking` is told after the seek, and where the element is by then.
            if kind.is_none() {
                self.reported = None;
            }
        }
        while let Some(input) = self.keys.advance(self.now) {
            self.input(input);
        }
        self.element.locked = self.keys.starves();
        // What was just appended may end a seek or a film.
        self.element.advance(Duration::ZERO);
        let operations = &self.operations;
        let busy = |kind| operations.iter().any(|one| one.kind == Some(kind));
        for told in self.element.manage(busy) {
            self.evictions += u32::from(matches!(told, Input::Evicted { .. }));
            self.input(told);
        }
        self.report_element();
        if self.due.is_some_and(|due| due <= self.now) {
            self.input(Input::Timeout);
        }
        self.check();
    }

    // ---- what must hold -----------------------------------------------------------------------------

    fn check(&mut self) {
        self.invariants.tick(self.now);
        let conditions = self.network.conditions(self.now);
        let listing = self.origin.broadcast.as_ref().map_or(0, |live| live.listing_kbps(self.now));
        let healthy = !conditions.offline && conditions.kbps >= self.least_kbps + listing;
        let kbps = conditions.kbps.min(self.network.per_connection_kbps.unwrap_or(u64::MAX));
        let scene = Scene { origin: &self.origin, element: &self.element, bodies: &|_| false };
        // What has passed since was on the network as it was then: one that dies or revives does so at a step.
        let before = std::mem::replace(&mut self.could_carry, healthy.then_some(kbps as f64));
        self.invariants.stepped(&scene, before);
        if self.kept_bodies() > MAX_KEPT {
            self.invariants.violate(Invariant::Leak, format!("{} bodies", self.kept_bodies()));
        }
        if self.strict
            && let Some(violation) = self.invariants.violations.first()
        {
            panic!("{violation}; the player says {:#?}", self.player.state());
        }
    }

    /// Segments are asked for while the platform wants media; again, wherever else, what was asked for then.
    fn check_wanted(&mut self, request: &Request) {
        // Text is not for the media source.
        let of_media =
            matches!(request.kind, RequestKind::Segment(kind) if kind != MediaKind::Text);
        if !of_media || self.element.managed.is_none() {
            return;
        }
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        if self.element.wants_media() {
            self.chose = false;
            if self.wanted.len() >= MOST_WANTED {
                self.wanted.pop_front();
            }
            self.wanted.push_back(path.to_owned());
        } else if !self.chose && !self.wanted.iter().any(|known| known == path) {
            self.invariants.violate(Invariant::Unwanted, request.url.clone());
        }
    }

    /// With nothing loaded, nothing is left.
    fn check_rest(&mut self) {
        let (state, reports) = (self.player.state(), &self.reports);
        let left = [
            ("requests", (self.network.transfers() - reports.len()).max(state.requests.len())),
            ("bodies", self.bodies.iter().filter(|(id, _)| !reports.contains(id)).count()),
            ("timers", state.timers.len().max(usize::from(self.due.is_some()))),
            ("buffers", self.element.kinds().len()),
        ];
        for (what, count) in left.into_iter().filter(|(_, count)| *count > 0) {
            self.invariants.violate(Invariant::Leak, format!("{count} {what} after unload"));
        }
        self.invariants.check_cues();
    }

    fn tell(&mut self, event: Event) {
        let scene = Scene { origin: &self.origin, element: &self.element, bodies: &|_| false };
        self.invariants.event(&event, &scene);
        if let Event::Error(error) = &event {
            self.error = Some(error.code.name().to_owned());
        }
        if let Event::Loaded { tracks, .. } = &event {
            let pictures = tracks.iter().filter(|track| track.kind == MediaKind::Video);
            self.qualities = pictures.flat_map(|track| track.qualities.clone()).collect();
        }
        if self.remember {
            self.events.push((self.now, event));
        }
    }

    // ---- time ---------------------------------------------------------------------------------------

    /// When something happens next, if anything does.
    fn next_event(&self) -> Option<Timestamp> {
        let moves = self.element.moves();
        let report = self.reported.as_ref().filter(|_| moves).map(|(at, _)| *at + ELEMENT_REPORT);
        [
            self.due,
            self.network.next_event(self.now),
            self.keys.next_event(),
            self.operations.iter().map(|operation| operation.at).min(),
            self.element.next_change().map(|change| self.now + change),
            report,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The device sleeps: nothing is done for so long, and every connection is broken afterwards.
    pub(crate) fn sleep(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.invariants.tick(self.now);
        self.invariants.interrupted();
        self.network.go_offline(self.now + Duration::from_millis(1));
        for arrival in self.network.advance(self.now, Duration::ZERO) {
            self.deliver(arrival);
        }
    }

    /// The media source drops media by itself.
    pub fn evict(&mut self, kind: MediaKind, range: TimeRange) {
        if let Some(told) = self.element.evict(kind, range) {
            self.input(told);
        }
    }

    /// Reports the element whatever it does: something has been done to it.
    fn report_now(&mut self) {
        self.reported = None;
        self.report_element();
    }

    fn report_element(&mut self) {
        let state = self.element.state();
        let due = match &self.reported {
            None => true,
            Some((at, last)) => {
                let same = ElementState {
                    position: last.position,
                    total_frames: last.total_frames,
                    dropped_frames: last.dropped_frames,
                    ..state.clone()
                };
                let changed = same != *last;
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
        let bodies = |name: &str| self.bodies.iter().any(|(_, body)| &*body.resource.name == name);
        let scene = Scene { origin: &self.origin, element: &self.element, bodies: &bodies };
        self.invariants.request(&request, &scene);
        self.check_wanted(&request);
        let answer = self.origin.answer(&request, self.now);
        if request.kind == RequestKind::Segment(MediaKind::Video) {
            self.invariants.weigh(answer.resource.size());
        }
        let id = request.id;
        let failure = match (answer.refused, answer.cut) {
            (true, _) => Some(RequestFailure::Network("connection refused".to_owned())),
            (_, Some(_)) => Some(RequestFailure::Interrupted("connection reset".to_owned())),
            _ => None,
        };
        let delivery = Delivery {
            host: host_of(&request.url).to_owned(),
            size: answer.cut.unwrap_or(answer.resource.size()),
            failure,
            refused: answer.refused,
            stall: answer.stall,
            silent: answer.silent,
            kbps: answer.kbps,
            delay: answer.delay,
            made: answer.made,
        };
        self.network.start(id, self.now, delivery);
        if request.kind == RequestKind::Report {
            self.reports.push(id);
        }
        if !answer.refused {
            let head = ResponseHead {
                url: answer.url,
                content_type: Some(answer.resource.content_type.to_owned()),
                content_length: answer.promised,
                retry_after: answer.retry_after.map(|seconds| seconds.to_string()),
                date: answer.date,
                cmsd_dynamic: self.origin.cmsd_dynamic.clone(),
                ..ResponseHead::of_status(answer.status)
            };
            let keep = request.body != BodyHandling::Deliver;
            let in_chunks = request.body == BodyHandling::KeepChunks;
            let chunks = in_chunks.then(ChunkHunt::default);
            let resource = answer.resource;
            let body = Body { resource, head, keep, chunks, head_sent: false, sent: 0 };
            self.bodies.push((id, body));
        }
        if self.remember {
            self.requests.push((self.now, request));
        }
    }

    fn deliver(&mut self, arrival: Arrival) {
        let known =
            |bodies: &[(RequestId, Body)], id| bodies.iter().position(|(known, _)| *known == id);
        if let Arrival::Failed(id, _) | Arrival::Bytes { id, complete: true, .. } = &arrival {
            self.reports.retain(|known| known != id);
        }
        match arrival {
            Arrival::Failed(id, failure) => {
                if self.network.conditions(self.now).offline {
                    self.origin.interruptions += 1;
                }
                self.bodies.retain(|(known, _)| *known != id);
                self.input(Input::RequestFailed { id, failure });
            }
            Arrival::Head(id) => {
                let Some(position) = known(&self.bodies, id) else { return };
                let head = self.bodies[position].1.head.clone();
                self.input(Input::ResponseHead { id, head });
            }
            Arrival::Bytes { id, received, complete } => {
                let Some(position) = known(&self.bodies, id) else { return };
                let body = &mut self.bodies[position].1;
                let before = std::mem::replace(&mut body.sent, received);
                let mut inputs = Vec::new();
                if let Some(hunt) = &mut body.chunks {
                    let resource = &body.resource;
                    let mut read = |from, to| resource.slice(from, to);
                    while let Some(chunk) = hunt.advance(received, self.now, &mut read) {
                        let Chunk { head, start, end, began } = chunk;
                        inputs.push(Input::BodyChunk { id, head, start, end, began });
                    }
                    inputs.push(Input::BodyProgress { id, received });
                } else if body.keep {
                    if !body.head_sent {
                        let head = body.resource.media_head();
                        if received >= head.len() as u64 || complete {
                            body.head_sent = true;
                            inputs.push(Input::BodyHead { id, data: head });
                        }
                    }
                    inputs.push(Input::BodyProgress { id, received });
                } else if received > before {
                    inputs.push(Input::Body { id, data: body.resource.slice(before, received) });
                }
                if complete {
                    inputs.push(Input::BodyEnd { id, received, from_cache: false });
                    if !body.keep {
                        self.bodies.remove(position);
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
            MediaCommand::Append { body: AppendBody::Span { head, id, start, end }, .. } => {
                let found = self.bodies.iter().find(|(known, _)| known == id);
                let (_, body) = found.expect("an append names a body that the host keeps");
                assert!(*end <= body.sent, "an append names what has arrived");
                Some(body.resource.fragment(head, (*start, *end)))
            }
            // What the player decrypted.
            MediaCommand::Append { body: AppendBody::Bytes(bytes), .. }
                if media::boxes_before_mdat(bytes).is_some() =>
            {
                Some(Resource::new("video/mp4", bytes.clone()))
            }
            _ => None,
        };
        let kind = kind_of(&operation.command);
        if kind.is_some() && self.operations.iter().any(|waiting| waiting.kind == kind) {
            self.invariants.violate(Invariant::Busy, format!("{:?}", operation.command));
        }
        if let (MediaCommand::Append { kind, timestamp_offset, window, .. }, Some(body)) =
            (&operation.command, &kept)
            && let Some(place) = self.element.placement(*kind, body, *timestamp_offset, *window)
        {
            let scene = Scene { origin: &self.origin, element: &self.element, bodies: &|_| false };
            self.invariants.append(*kind, place, body, &scene);
        }
        let result = self.element.carry_out(&operation.command, kept.as_ref());
        match (&operation.command, &result) {
            (
                MediaCommand::Append { body: AppendBody::Kept(id), .. },
                OperationResult::Done { .. },
            ) => self.bodies.retain(|(known, _)| known != id),
            (MediaCommand::Close, _) => self.bodies.retain(|(_, body)| !body.keep),
            _ => {}
        }
        let at = self.now + OPERATION_TIME;
        self.operations.push(Operation { at, id: operation.id, kind, result });
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

/// The buffer that an operation is for.
fn kind_of(command: &MediaCommand) -> Option<MediaKind> {
    match command {
        MediaCommand::Append { kind, .. }
        | MediaCommand::Remove { kind, .. }
        | MediaCommand::ChangeType { kind, .. } => Some(*kind),
        _ => None,
    }
}

/// The host of an absolute URL.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}
