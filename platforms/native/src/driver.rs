//! The loop around the core: inputs in, outputs carried out.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use kinora_core::config::Config;
use kinora_core::io::{
    AppendBody, ElementState, Environment, Event, Input, MediaCommand, MediaFailure,
    MediaOperation, NetworkState, OperationResult, Output, Request, RequestId, Selection, Source,
};
use kinora_core::telemetry::State;
use kinora_core::time::{MediaTime, Timestamp, WallTime};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use crate::drm::{KeyAnswers, KeySystem};
use crate::element::{MediaElement, PresentedMedia};
use crate::transport::{Report, ReportedBody, ResponseSink, Transport};

/// The playhead's position is reported so often while it moves (`timeupdate`).
const POSITION_INTERVAL: Duration = Duration::from_millis(250);

/// Reports that may wait before transports are held back.
const REPORT_BACKLOG: usize = 64;

/// What an app can ask of a running player.
pub(crate) enum Command {
    Load(Source),
    Preload(Source),
    Queue(Vec<Source>),
    Play,
    Pause,
    Seek(MediaTime),
    SetRate(f64),
    Select(Selection),
    Configure(Box<Config>),
    Muted(bool),
    Network(NetworkState),
    Environment(Environment),
    Snapshot(oneshot::Sender<Snapshot>),
    SessionLog(oneshot::Sender<Vec<u8>>),
    Stop,
}

/// Everything that can be seen of a player at one instant.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When, on the clock that the times in `state` are told by.
    pub now: Timestamp,
    /// The core.
    pub state: State,
    /// The media element.
    pub element: ElementState,
    /// What the viewer has seen and heard.
    pub presented: PresentedMedia,
}

pub(crate) struct Driver {
    core: kinora_core::Player,
    element: MediaElement,
    key_system: Box<dyn KeySystem>,
    key_answers: KeyAnswers,
    keys: mpsc::UnboundedReceiver<Input>,
    transport: Arc<dyn Transport>,
    body_limit: u64,
    epoch: Instant,
    running: HashMap<RequestId, AbortHandle>,
    kept: HashMap<RequestId, Bytes>,
    /// What there is by now of bodies that will be kept.
    arriving: HashMap<RequestId, BytesMut>,
    /// Bodies kept in chunks: each chunk with where it begins.
    chunks: HashMap<RequestId, Vec<(u64, Bytes)>>,
    report_sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    commands: mpsc::Receiver<Command>,
    events: broadcast::Sender<Event>,
    inputs: VecDeque<Input>,
    /// When the core wants to be called again.
    timeout: Option<Timestamp>,
    /// The element's state as the core knows it, and since when.
    reported: ElementState,
    reported_at: Timestamp,
}

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) element: MediaElement,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) key_system: Box<dyn KeySystem>,
    pub(crate) body_limit: u64,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) events: broadcast::Sender<Event>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let (report_sender, reports) = mpsc::channel(REPORT_BACKLOG);
        let (key_answers, keys) = KeyAnswers::new();
        Self {
            core: kinora_core::Player::new(parts.config, Timestamp::default()),
            reported: parts.element.state().clone(),
            element: parts.element,
            key_system: parts.key_system,
            key_answers,
            keys,
            transport: parts.transport,
            body_limit: parts.body_limit,
            epoch: Instant::now(),
            running: HashMap::new(),
            kept: HashMap::new(),
            arriving: HashMap::new(),
            chunks: HashMap::new(),
            report_sender,
            reports,
            commands: parts.commands,
            events: parts.events,
            inputs: VecDeque::new(),
            timeout: None,
            reported_at: Timestamp::default(),
        }
    }

    /// Runs until the app stops the player or drops it.
    pub(crate) async fn run(mut self) {
        loop {
            let wake = self.next_wake().map(|at| self.epoch + Duration::from_micros(at.micros()));
            let goes_on = tokio::select! {
                command = self.commands.recv() => self.obey(command),
                Some(report) = self.reports.recv() => {
                    self.take_report(report);
                    true
                }
                Some(answer) = self.keys.recv() => {
                    self.inputs.push_back(answer);
                    true
                }
                () = sleep_until_some(wake) => {
                    if self.timeout.is_some_and(|at| at <= self.now()) {
                        self.inputs.push_back(Input::Timeout);
                    }
                    true
                }
            };
            self.settle();
            if !goes_on {
                break;
            }
        }
    }

    fn now(&self) -> Timestamp {
        let micros = self.epoch.elapsed().as_micros();
        Timestamp::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn next_wake(&self) -> Option<Timestamp> {
        let position = self.element.is_moving().then(|| self.reported_at + POSITION_INTERVAL);
        [self.timeout, self.element.next_change(), position].into_iter().flatten().min()
    }

    /// Does what the app wants; says whether the player goes on.
    fn obey(&mut self, command: Option<Command>) -> bool {
        let now = self.now();
        match command {
            Some(Command::Load(source)) => {
                self.inputs.push_back(Input::WallClock(wall_clock()));
                self.inputs.push_back(Input::Load(source));
            }
            Some(Command::Preload(source)) => self.inputs.push_back(Input::Preload(source)),
            Some(Command::Queue(sources)) => self.inputs.push_back(Input::Queue(sources)),
            Some(Command::Play) => {
                // As in a browser, playing on from the end means from the start again.
                if self.element.state().ended {
                    self.inputs.push_back(Input::Seek(MediaTime::ZERO));
                }
                self.element.play(now);
            }
            Some(Command::Pause) => self.element.pause(now),
            Some(Command::Seek(position)) => self.inputs.push_back(Input::Seek(position)),
            Some(Command::SetRate(rate)) => self.inputs.push_back(Input::SetRate(rate)),
            Some(Command::Select(selection)) => self.inputs.push_back(Input::Select(selection)),
            Some(Command::Configure(config)) => self.inputs.push_back(Input::Configure(config)),
            Some(Command::Muted(muted)) => self.inputs.push_back(Input::Muted(muted)),
            Some(Command::Network(state)) => self.inputs.push_back(Input::Network(state)),
            Some(Command::Environment(environment)) => {
                self.inputs.push_back(Input::Environment(environment));
            }
            Some(Command::Snapshot(reply)) => {
                self.element.advance(now);
                let _ = reply.send(Snapshot {
                    now,
                    state: self.core.state(),
                    element: self.element.state().clone(),
                    presented: self.element.presented().clone(),
                });
            }
            Some(Command::SessionLog(reply)) => {
                let _ = reply.send(self.core.session_log().to_vec());
            }
            Some(Command::Stop) | None => {
                self.inputs.push_back(Input::Unload);
                return false;
            }
        }
        true
    }

    fn take_report(&mut self, report: Report) {
        if !self.running.contains_key(&report.id) {
            return;
        }
        match (report.body, &report.input) {
            (Some(ReportedBody::Chunk(chunk)), Input::BodyChunk { start, .. }) => {
                self.chunks.entry(report.id).or_default().push((*start, chunk));
            }
            (Some(ReportedBody::Part(part)), _) => {
                // Parts lie one behind the other, so that nothing is copied.
                self.arriving.entry(report.id).or_default().unsplit(part);
            }
            (Some(ReportedBody::Kept(rest)), _) => {
                self.running.remove(&report.id);
                let mut body = self.arriving.remove(&report.id).unwrap_or_default();
                body.unsplit(rest);
                self.kept.insert(report.id, body.freeze());
            }
            (Some(_), _) => {
                self.running.remove(&report.id);
                self.arriving.remove(&report.id);
            }
            (None, _) => {}
        }
        self.inputs.push_back(report.input);
    }

    /// Hands every input to the core and carries out what it asks for, until there is nothing left
    /// to do now.
    fn settle(&mut self) {
        loop {
            let now = self.now();
            self.watch_element(now);
            let Some(input) = self.inputs.pop_front() else { break };
            self.core.handle_input(now, input);
            loop {
                match self.core.poll_output() {
                    Output::Request(request) => self.start(request),
                    Output::Cancel(id) => self.cancel(id),
                    Output::Media(operation) => self.operate(now, operation),
                    Output::License(command) => {
                        let keys = self.element.keys_mut();
                        self.key_system.execute(command, keys, &self.key_answers);
                        // What is known at once need not wait for its turn.
                        self.inputs.extend(std::iter::from_fn(|| self.keys.try_recv().ok()));
                    }
                    Output::Event(event) => {
                        // No receiver, no matter.
                        let _ = self.events.send(event);
                    }
                    Output::Timeout(at) => {
                        self.timeout = at;
                        break;
                    }
                    _ => {}
                }
            }
        }
    }

    /// Reports the element's state if it has changed, or moved on for long enough.
    fn watch_element(&mut self, now: Timestamp) {
        self.element.advance(now);
        let state = self.element.state();
        let same = ElementState {
            position: self.reported.position,
            total_frames: self.reported.total_frames,
            ..state.clone()
        } == self.reported;
        let due = self.element.is_moving() && now.since(self.reported_at) >= POSITION_INTERVAL;
        if same && !due {
            return;
        }
        self.reported = state.clone();
        self.reported_at = now;
        self.inputs.push_back(Input::Element(self.reported.clone()));
    }

    fn start(&mut self, request: Request) {
        let id = request.id;
        let reports = self.report_sender.clone();
        let mut sink = ResponseSink::new(&request, self.body_limit, reports, self.epoch);
        let transport = self.transport.clone();
        let task = tokio::spawn(async move {
            let result = transport.fetch(request, &mut sink).await;
            sink.finish(result).await;
        });
        self.running.insert(id, task.abort_handle());
    }

    fn cancel(&mut self, id: RequestId) {
        if let Some(task) = self.running.remove(&id) {
            task.abort();
        }
        self.kept.remove(&id);
        self.arriving.remove(&id);
        self.chunks.remove(&id);
    }

    /// A span of what is kept or has arrived, behind `head`.
    fn span(&self, head: &[u8], id: RequestId, (start, end): (u64, u64)) -> Option<Bytes> {
        let place = |at: u64| usize::try_from(at).ok();
        let body = self.kept.get(&id).map(|body| &body[..]);
        let body = body.or_else(|| self.arriving.get(&id).map(|body| &body[..]))?;
        let span = body.get(place(start)?..place(end)?)?;
        Some([head, span].concat().into())
    }

    fn operate(&mut self, now: Timestamp, operation: MediaOperation) {
        let body = match &operation.command {
            MediaCommand::Append { body: AppendBody::Bytes(bytes), .. } => {
                Some(Bytes::copy_from_slice(bytes))
            }
            MediaCommand::Append { body: AppendBody::Kept(id), .. } => self.kept.get(id).cloned(),
            MediaCommand::Append { body: AppendBody::Span { head, id, start, end }, .. } => {
                let chunks = self.chunks.get(id);
                chunks
                    .and_then(|chunks| chunks.iter().find(|(at, _)| at == start))
                    .map(|(_, chunk)| chunk.clone())
                    .or_else(|| self.span(head, *id, (*start, *end)))
            }
            MediaCommand::Close => {
                self.kept.clear();
                self.arriving.clear();
                self.chunks.clear();
                None
            }
            _ => None,
        };
        let result = self.element.execute(now, &operation.command, body);
        // A full buffer may be tried again with the same body; anything else is done with it.
        if let MediaCommand::Append { body: AppendBody::Kept(id), .. } = &operation.command
            && result != OperationResult::Failed(MediaFailure::QuotaExceeded)
        {
            self.kept.remove(id);
        }
        if let MediaCommand::Append { body: AppendBody::Span { id, start, .. }, .. } =
            &operation.command
            && result != OperationResult::Failed(MediaFailure::QuotaExceeded)
            && let Some(chunks) = self.chunks.get_mut(id)
        {
            chunks.retain(|(at, _)| at != start);
        }
        self.inputs.push_back(Input::MediaResult { id: operation.id, result });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        for task in self.running.values() {
            task.abort();
        }
    }
}

/// What the device's clock shows.
pub(crate) fn wall_clock() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    WallTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

async fn sleep_until_some(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
