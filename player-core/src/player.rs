//! The player: takes inputs, hands out outputs, owns the rooms in which the work is done.

use core::time::Duration;

use kinora_abr::{Abr, Rule};

use crate::config::Config;
use crate::context::Context;
use crate::error::is_passing;
use crate::io::{
    Environment, Event, Input, NetworkState, Output, PlaybackStatus, Request, Source, Warning,
};
use crate::items::take;
use crate::outbox::Outbox;
use crate::session::Session;
use crate::session::tracks::Preferred;
use crate::telemetry::log::Recorder;
use crate::telemetry::{State, Totals};
use crate::time::{MediaTime, Timestamp};
use crate::upcoming::Upcoming;

/// An element that plays reports at least so often.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);
/// A host that comes so much later than it was asked to was asleep.
const ASLEEP: Duration = Duration::from_secs(10);

/// A player, as a state machine. See the [crate's front page](crate) for the loop that drives it.
#[derive(Debug)]
pub struct Player {
    config: Config,
    environment: Environment,
    now: Timestamp,
    abr: Abr,
    totals: Totals,
    out: Outbox,
    session: Option<Session>,
    upcoming: Upcoming,
    offline: bool,
    rate: f64,
    /// What the device's wall clock is ahead of the monotonic one, in microseconds.
    device_clock: Option<i64>,
    /// Whether the viewer hears nothing, if the host has said.
    muted: Option<bool>,
    /// The last reports of sessions that have ended, which are sent once more if they fail.
    parting: Vec<Request>,
    recorder: Option<Recorder>,
    drained: bool,
    /// When the host was asked to come back.
    due: Option<Timestamp>,
}

impl Player {
    /// A player with nothing loaded. `now` is the host's monotonic clock, from whatever moment the
    /// host likes to count.
    pub fn new(config: Config, now: Timestamp) -> Self {
        let recorder = config.record.then(|| Recorder::new(&config, now));
        let mut out = Outbox::default();
        out.recording = recorder.is_some();
        let abr = Abr::new(abr_config(&config, &mut out));
        Self {
            config,
            environment: Environment::default(),
            now,
            abr,
            totals: Totals::default(),
            out,
            session: None,
            upcoming: Upcoming::default(),
            offline: false,
            rate: 1.0,
            device_clock: None,
            muted: None,
            parting: Vec::new(),
            recorder,
            drained: true,
            due: None,
        }
    }

    /// Takes one input. Afterwards, [`poll_output`](Self::poll_output) until it answers
    /// [`Output::Timeout`]. A clock that runs backwards counts as standing still.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        debug_assert!(self.drained, "poll_output must be drained to Timeout after every input");
        self.drained = false;
        let slept = self.slept(now);
        self.now = self.now.max(now);
        if let Some(recorder) = &mut self.recorder {
            let mut both = self.session.iter().chain(self.upcoming.preloading());
            let known = |id| {
                self.session.iter().chain(self.upcoming.preloading()).any(|one| one.expects(id))
            };
            let instead = match &input {
                // What comes too late changes nothing, and may be a licence.
                Input::Body { id, .. } if !known(*id) => {
                    Some(Input::Body { id: *id, data: Vec::new() })
                }
                input => both.find_map(|session| session.for_log(input)),
            };
            let sessions = self.session.iter().chain(self.upcoming.preloading());
            let name = match &input {
                Input::Body { id, .. } => sessions.filter_map(|one| one.text_of(*id)).next(),
                _ => None,
            };
            recorder.record(self.now, &input, (instead.as_ref(), name));
        }
        if let Some(long) = slept {
            self.wake(long);
        }
        self.repeat_parting(&input);
        match input {
            Input::Load(source) => self.load(source, Preferred::new()),
            Input::Unload => {
                let (mut cx, _, upcoming) = self.rooms();
                upcoming.clear(&mut cx);
                self.close();
            }
            Input::WallClock(wall) => {
                let now = i64::try_from(self.now.micros()).unwrap_or(i64::MAX);
                self.device_clock = Some(wall.micros().saturating_sub(now));
                self.forward(Input::WallClock(wall));
            }
            Input::Preload(source) => self.upcoming.expect(source),
            Input::Queue(sources) => self.upcoming.set_queue(sources),
            Input::Timeout => {
                let (mut cx, _, upcoming) = self.rooms();
                upcoming.tell(&mut cx, Input::Timeout);
                self.forward(Input::Timeout);
            }
            Input::Configure(config) => {
                let abr = abr_config(&config, &mut self.out);
                self.abr.configure(abr);
                self.config = *config;
                let config = Box::new(self.config.clone());
                self.forward(Input::Configure(config));
            }
            Input::SetRate(rate) => {
                if rate.is_finite() {
                    self.rate = rate;
                }
                self.forward(Input::SetRate(rate));
            }
            Input::Network(state) => {
                self.offline = state == NetworkState::Offline;
                if state == NetworkState::Changed {
                    let changed = kinora_abr::Event::NetworkChanged { hint_bps: None };
                    self.abr.handle(self.now.micros(), changed);
                }
                let (mut cx, _, upcoming) = self.rooms();
                upcoming.tell(&mut cx, Input::Network(state));
                self.forward(Input::Network(state));
            }
            Input::Muted(muted) => {
                self.muted = Some(muted);
                self.forward(Input::Muted(muted));
            }
            Input::Environment(environment) => {
                self.learn_of_network(&environment);
                self.environment = environment.clone();
                self.forward(Input::Environment(environment));
            }
            input => {
                let (mut cx, _, upcoming) = self.rooms();
                if let Some(input) = upcoming.handle(&mut cx, input) {
                    self.forward(input);
                }
            }
        }
        self.go_on();
        if let Some(recorder) = &mut self.recorder {
            recorder.precede(self.out.take_opened());
        }
    }

    /// Sends a report once more whose session has ended, if this says that it failed.
    fn repeat_parting(&mut self, input: &Input) {
        let (id, failed) = match input {
            Input::RequestFailed { id, .. } => (*id, true),
            Input::ResponseHead { id, head } => (*id, is_passing(head.status)),
            _ => return,
        };
        let position = self.parting.iter().position(|known| known.id == id);
        // Whatever became of it, it is told no third time.
        let report = position.and_then(|position| take(&mut self.parting, position));
        if let Some(report) = report.filter(|_| failed) {
            let id = self.out.next_request_id();
            self.out.request(Request { id, ..report });
        }
    }

    /// Plays a source instead of whatever was playing, in tracks like those preferred.
    fn load(&mut self, source: Source, preferred: Preferred) {
        let rate = self.rate;
        let (mut cx, session, upcoming) = self.rooms();
        let ready = upcoming.take(&source);
        if let Some(before) = session.take() {
            // Closing would take the bodies along that were fetched ahead.
            if ready.is_some() || upcoming.preloading().is_some() {
                before.leave(&mut cx);
            } else {
                before.close(&mut cx);
            }
        }
        *cx.totals = Totals::default();
        *session = Some(match ready {
            Some(ready) => ready.activate(&mut cx, rate, preferred),
            None => Session::start(&mut cx, source, rate, preferred),
        });
    }

    /// After any input: the next item of the queue where one has ended, and fetching ahead.
    fn go_on(&mut self) {
        let ended = self.session.as_ref().is_some_and(|s| s.status() == PlaybackStatus::Ended);
        if ended && let Some(next) = self.upcoming.take_next() {
            self.out.event(Event::Next { url: next.url.clone() });
            let preferred = self.session.as_ref().map_or(&[][..], Session::preferred).to_vec();
            self.load(next, preferred);
        }
        let (mut cx, session, upcoming) = self.rooms();
        let spare = session.as_ref().is_none_or(Session::needs_nothing);
        let preferred = session.as_ref().map_or(&[][..], Session::preferred);
        upcoming.advance(&mut cx, spare, preferred);
    }

    /// How long the host slept: it comes much later than it wanted to be woken.
    fn slept(&self, now: Timestamp) -> Option<Duration> {
        let playing = self.session.as_ref().is_some_and(Session::is_playing);
        // While the playhead moves, the element reports several times a second.
        let expected = if playing { Some(self.now + REPORT_INTERVAL) } else { self.due };
        let late = now.since(expected?);
        (late > ASLEEP).then_some(late)
    }

    /// After a sleep nothing is as it was: connections are dead, the network may be another, and the
    /// time that has passed was nobody's wait.
    fn wake(&mut self, long: Duration) {
        let hint_bps = Some(self.abr.estimate().throughput_bps);
        let changed = kinora_abr::Event::NetworkChanged { hint_bps };
        self.abr.handle(self.now.micros(), changed);
        let (mut cx, session) = self.context();
        if let Some(session) = session {
            session.slept(&mut cx, long);
        }
    }

    /// What was measured on one network says nothing of another.
    fn learn_of_network(&mut self, environment: &Environment) {
        if environment.network == self.environment.network {
            return;
        }
        if self.environment.network.is_some() {
            let changed = kinora_abr::Event::NetworkChanged { hint_bps: None };
            self.abr.handle(self.now.micros(), changed);
        }
        self.abr.hint(&kinora_abr::Hints { network: environment.network, ..Default::default() });
    }

    fn forward(&mut self, input: Input) {
        let (mut cx, session) = self.context();
        if let Some(session) = session {
            session.handle(&mut cx, input);
        }
    }

    fn close(&mut self) {
        let (mut cx, session) = self.context();
        if let Some(session) = session.take() {
            session.close(&mut cx);
        }
    }

    fn context(&mut self) -> (Context<'_>, &mut Option<Session>) {
        let (cx, session, _) = self.rooms();
        (cx, session)
    }

    fn rooms(&mut self) -> (Context<'_>, &mut Option<Session>, &mut Upcoming) {
        let cx = Context {
            now: self.now,
            offline: self.offline,
            device_clock: self.device_clock,
            muted: self.muted,
            parting: &mut self.parting,
            config: &self.config,
            environment: &self.environment,
            abr: &mut self.abr,
            totals: &mut self.totals,
            out: &mut self.out,
        };
        (cx, &mut self.session, &mut self.upcoming)
    }

    /// The next thing the host is to do.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop() {
            return output;
        }
        self.drained = true;
        let (now, retry, offline) = (self.now, &self.config.retry, self.offline);
        let both = self.session.iter().chain(self.upcoming.preloading());
        let first = both
            .filter_map(|session| session.timers(now, retry, offline).first().map(|timer| timer.at))
            .min();
        self.due = first;
        Output::Timeout(first)
    }

    /// Everything a support engineer wants to know.
    pub fn state(&self) -> State {
        let estimate = self.abr.estimate();
        let measured = estimate.samples > 0;
        let mut state = State {
            rate: self.rate,
            throughput_bps: measured.then_some(estimate.throughput_bps),
            time_to_first_byte: measured
                .then(|| MediaTime::from_seconds(estimate.ttfb_s).to_duration()),
            rule: self.abr.config().rule.name().to_owned(),
            totals: self.totals.clone(),
            offline: self.offline,
            preloading: self.upcoming.preloading().map(|session| session.source().url.clone()),
            queue: self.upcoming.queue().iter().map(|source| source.url.clone()).collect(),
            ..State::default()
        };
        if let Some(session) = &self.session {
            session.describe(&mut state, self.now, &self.config);
            state.timers = session.timers(self.now, &self.config.retry, self.offline);
        }
        state
    }

    /// The inputs of this player so far, for [`telemetry::log::replay`](crate::telemetry::log::replay);
    /// empty unless [`Config::record`] was set when it was made.
    pub fn session_log(&self) -> &[u8] {
        self.recorder.as_ref().map_or(&[], Recorder::bytes)
    }
}

/// The part of the configuration that is `kinora-abr`'s.
fn abr_config(config: &Config, out: &mut Outbox) -> kinora_abr::Config {
    let mut abr = kinora_abr::Config::default();
    if let Some(name) = &config.abr.rule {
        match Rule::from_name(name) {
            Some(rule) => abr.rule = rule,
            None => out.warn(Warning::InvalidArgument {
                message: format!("no ABR rule is called {name}; the default rule is used"),
            }),
        }
    }
    abr.replace = config.abr.replace;
    if let Some(throughput) = config.abr.initial_throughput_bps {
        abr.initial_throughput_bps = throughput;
    }
    abr
}
