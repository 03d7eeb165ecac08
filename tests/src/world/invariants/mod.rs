//! What must hold at every moment of every run, whatever servers, networks, elements and viewers do.
//!
//! [`World`](super::World) tells what happens; what must not happen becomes a [`Violation`]. Scenarios
//! panic at the first; the soak counts them and shrinks the world in which they came.

mod appends;
mod playback;
mod requests;
mod text;

use std::fmt;
use std::time::Duration;

use kinora_core::config::RetryBudget;
use kinora_core::io::{Input, KeyStatus, MediaKind, Request, Selection};
use kinora_core::time::{MediaTime, TimeRange, Timestamp};

use super::content::Origin;
use super::element::Element;

/// The invariants, and what they have seen.
#[derive(Debug, Default)]
pub struct Invariants {
    /// What did not hold, in order.
    pub violations: Vec<Violation>,
    /// Invariants that this run is known to break.
    pub waived: Vec<Invariant>,
    now: Timestamp,
    forward: MediaTime,
    back: MediaTime,
    retry: RetryBudget,
    viewer: Viewer,
    requests: requests::Requests,
    playback: playback::Playback,
    text: text::Text,
}

/// One invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// An append covers others whole or not at all: never does it cut into one.
    Overlap,
    /// Media lies where the film says it belongs, so that picture and sound are in step.
    Placement,
    /// A buffer is given one operation at a time (MSE).
    Busy,
    /// What is held or on its way, and good, is not asked for again.
    Refetch,
    /// No segment is asked for that the platform has no room for and says so.
    Unwanted,
    /// Nothing is asked for that lies beyond the buffer goal, and what is long past is dropped.
    BufferBounds,
    /// Requests in a minute are bounded.
    Storm,
    /// The playhead advances if data is there or can be had.
    Liveness,
    /// The track that plays is the one that the viewer chose.
    Track,
    /// Cues are told of the text that the viewer chose, each once and at its time.
    Text,
    /// A fatal error has its cause in the world.
    Fatal,
    /// Events tell one story: one `Ready` a load, `Ended` once, nothing after an error.
    Status,
    /// What is given up is given back: requests, timers, bodies.
    Leak,
    /// Timers lead somewhere.
    Spin,
    /// The session replays, bit for bit.
    Replay,
    /// It does not panic.
    Panic,
}

impl Invariant {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Placement => "placement",
            Self::Busy => "busy",
            Self::Refetch => "refetch",
            Self::Unwanted => "unwanted",
            Self::BufferBounds => "buffer-bounds",
            Self::Storm => "storm",
            Self::Liveness => "liveness",
            Self::Track => "track",
            Self::Text => "text",
            Self::Fatal => "fatal",
            Self::Status => "status",
            Self::Leak => "leak",
            Self::Spin => "spin",
            Self::Replay => "replay",
            Self::Panic => "panic",
        }
    }
}

/// Something that should not have happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// When.
    pub at: Timestamp,
    /// What did not hold.
    pub invariant: Invariant,
    /// What happened instead.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.at.micros() as f64 / 1e6;
        write!(f, "{} at {seconds:.3} s: {}", self.invariant.name(), self.what)
    }
}

/// What the viewer did, as far as it excuses anything.
#[derive(Debug, Default)]
struct Viewer {
    /// When the viewer last did anything.
    acted: Option<Timestamp>,
    /// When the viewer last asked for other qualities or tracks.
    chose: Option<Timestamp>,
    /// One quality and no other is wanted, whatever the network can do.
    pinned: bool,
    /// The track of sound that was chosen last, and for how long it could have been heard since.
    audio: Option<(u32, Duration)>,
    /// When each of the last actions was.
    actions: Vec<Timestamp>,
    /// When playback last began somewhere else: what is ahead of there may all have to be fetched.
    moves: Vec<Timestamp>,
}

/// What an operation, a request or a step is looked at with.
pub(super) struct Scene<'a> {
    pub(super) origin: &'a Origin,
    pub(super) element: &'a Element,
    /// Names of bodies on their way or kept.
    pub(super) bodies: &'a dyn Fn(&str) -> bool,
}

impl Invariants {
    pub(super) fn new(config: &kinora_core::Config) -> Self {
        let mut new = Self::default();
        new.configure(config);
        new
    }

    /// From now on the player is configured so.
    pub(super) fn configure(&mut self, config: &kinora_core::Config) {
        self.forward = MediaTime::from_duration(config.buffer.forward);
        self.back = MediaTime::from_duration(config.buffer.back);
        self.retry = config.retry.segment.clone();
        self.requests.configure(&config.retry);
    }

    /// The clock has moved.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Something did not hold.
    pub(crate) fn violate(&mut self, invariant: Invariant, what: String) {
        if !self.waived.contains(&invariant) {
            self.violations.push(Violation { at: self.now, invariant, what });
        }
    }

    /// An input is handed in.
    pub(super) fn input(&mut self, input: &Input) {
        match input {
            Input::Load(source) => {
                self.text.load(source);
                self.acted();
                self.begins_elsewhere();
                self.playback.load(self.now, source);
                self.viewer.audio = None;
                self.viewer.pinned = false;
                self.requests.load();
            }
            Input::Unload => {
                self.acted();
                self.playback.unload();
            }
            Input::Seek(_) => self.seeked(),
            // What is held may not be shown any more: as good as another choice.
            Input::KeyStatuses { statuses, .. }
                if statuses.iter().any(|state| state.status != KeyStatus::Usable) =>
            {
                self.viewer.chose = Some(self.now);
            }
            Input::SetRate(_) => self.acted(),
            Input::Configure(config) => {
                self.configure(config);
                self.acted();
                self.viewer.chose = Some(self.now);
            }
            // Text is nothing to picture and sound.
            Input::Select(
                selection @ (Selection::Track { kind: MediaKind::Text, .. }
                | Selection::NoTrack { kind: MediaKind::Text }),
            ) => {
                self.text.choose(selection);
                let actions = &mut self.viewer.actions;
                actions.push(self.now);
            }
            Input::Select(selection) => {
                self.acted();
                self.viewer.chose = Some(self.now);
                if let Selection::Representation { id, .. } = selection {
                    self.viewer.pinned = id.is_some();
                }
                if let Selection::Track { kind, index } = selection {
                    self.playback.moved(self.now);
                    if *kind == MediaKind::Audio {
                        self.viewer.audio = Some((*index, Duration::ZERO));
                    }
                }
            }
            Input::Element(state) => self.playback.element(self.now, state),
            Input::Timeout => self.woken(),
            _ => {}
        }
    }

    /// The viewer moved the playhead.
    pub(super) fn seeked(&mut self) {
        self.acted();
        self.begins_elsewhere();
        if let Some((_, since)) = &mut self.viewer.audio {
            *since = Duration::ZERO;
        }
        self.playback.moved(self.now);
    }

    /// The world was asleep, or offline.
    pub(super) fn interrupted(&mut self) {
        self.acted();
        self.playback.moved(self.now);
    }

    fn acted(&mut self) {
        let now = self.now;
        self.viewer.acted = Some(now);
        self.viewer.actions.retain(|at| now.since(*at).as_secs() < 60);
        self.viewer.actions.push(now);
    }

    fn begins_elsewhere(&mut self) {
        let now = self.now;
        self.viewer.moves.retain(|at| now.since(*at).as_secs() < 60);
        self.viewer.moves.push(now);
    }

    fn since(&self, moment: Option<Timestamp>) -> f64 {
        moment.map_or(f64::INFINITY, |moment| self.now.since(moment).as_secs_f64())
    }
}

/// What is true of a segment, whatever a playlist says.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Picture or sound.
    pub kind: MediaKind,
    /// Of which representation it is.
    pub representation: String,
    /// Bit rate of that.
    pub kbps: u32,
    /// Its number.
    pub number: u32,
    /// Where it belongs.
    pub range: TimeRange,
}

/// Name of a request as resources are named: the URL and the first byte wanted.
pub(super) fn name_of(request: &Request) -> String {
    format!("{}#{}", request.url, request.range.map_or(0, |range| range.start))
}

fn overlap(one: TimeRange, other: TimeRange) -> MediaTime {
    TimeRange { start: one.start.max(other.start), end: one.end.min(other.end) }.duration()
}
