//! Adaptive bitrate for Kinora: which representation next, when to ask for it, whether to give up on
//! the one in flight, and what the buffer is expected to do.
//!
//! The crate does no I/O, reads no clock and draws no random number. Time comes in as microseconds of
//! any monotonic clock, and transcendental functions come from `libm`, so that the same calls give the
//! same decisions, bit for bit, on every platform.
//!
//! # The calls a player makes
//!
//! One [`Abr`] per ladder (normally: the video switching set). Tell it about *every* transfer, of any
//! kind, through [`Abr::handle`]; ask [`Abr::decide`] whenever the next segment could be requested;
//! while a segment is in flight ask [`Abr::check_in_flight`] a few times a second.
//!
//! ```
//! use kinora_abr::{Abr, Action, Config, Event, InFlight, Kind, Phase, Rung, Situation, Verdict};
//!
//! let mut abr = Abr::new(Config::default());
//! let ladder = [Rung::new(400_000.0), Rung::new(1_200_000.0), Rung::new(3_000_000.0)];
//!
//! // 1. Which segment next? Describe the moment, take the answer.
//! let situation = Situation {
//!     phase: Phase::Starting,
//!     buffer_s: 0.0,
//!     buffer_goal_s: 30.0,
//!     segment_duration_s: 2.0,
//!     ..Situation::new(1_000_000, &ladder)
//! };
//! let decision = abr.decide(&situation);
//! let Action::Fetch { rung } = decision.action else { unreachable!("an empty buffer never waits") };
//! assert_eq!(decision.reasons.candidates.len(), 3);
//!
//! // 2. Report the transfer as it happens. Audio and text transfers are reported too, without `rung`.
//! abr.handle(1_000_000, Event::RequestStarted { id: 7, kind: Kind::Video, rung: Some(rung) });
//! abr.handle(1_040_000, Event::FirstByte { id: 7 });
//! abr.handle(1_090_000, Event::Progress { id: 7, bytes: 60_000 });
//!
//! // 3. Meanwhile: go on, or give up for a lower representation?
//! let in_flight = InFlight {
//!     rung,
//!     started_us: 1_000_000,
//!     first_byte_us: Some(1_040_000),
//!     bytes_loaded: 60_000,
//!     bytes_total: Some(100_000),
//!     abandoned: 0,
//!     replaces_ahead_s: None,
//! };
//! let check = abr.check_in_flight(&in_flight, &Situation { now_us: 1_090_000, ..situation });
//! assert_eq!(check.verdict, Verdict::Continue);
//!
//! // 4. Done.
//! abr.handle(
//!     1_120_000,
//!     Event::RequestEnded { id: 7, bytes: 100_000, from_cache: false, application_limited: false },
//! );
//! assert!(abr.estimate().throughput_bps > 5_000_000.0);
//! ```
//!
//! When [`Action::WaitUntil`] comes back, ask again at that time, or earlier when something changed
//! (a seek, a pin, another ladder). [`Abr::prepare`] may be called in idle moments: it advances the
//! construction of a rule's tables by one bounded slice.
//!
//! # Layers
//!
//! * [`Estimator`]: request events in, a heavy-tailed throughput distribution ([`Estimate`]) out.
//! * [`Step`]: a checked decision problem: ladder sorted, masked rungs gone, numbers finite. Every
//!   [`Controller`] sees only this, so a masked rung cannot be returned.
//! * [`Controller`]: one rule. [`Rule`] names the built-in ones.
//! * [`Abr`]: joins the three, bounds abandonment, and attaches reasons to each answer.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod chunks;
mod config;
mod decision;
mod engine;
mod estimate;
mod fingerprint;
mod hints;
mod limits;
mod link;
mod live;
mod math;
mod predict;
pub mod rules;
#[cfg(feature = "sim")]
pub mod sim;
mod situation;
mod step;

pub use config::{Config, Objective, Utility};
pub use decision::{Action, Candidate, Cause, Decision, InFlightDecision, Reasons, Verdict};
pub use engine::{Abr, Event};
pub use estimate::{Estimate, Estimator, Kind, Sample, SavedEstimate, Source};
#[doc(hidden)]
pub use fingerprint::fingerprint;
pub use hints::{Hints, Network};
pub use limits::{Limits, Mask};
pub use live::CatchUp;
pub use predict::{Trajectory, predict_buffer};
pub use rules::{Choice, Controller, Download, Observation, Rule, UnknownRule};
pub use situation::{InFlight, Phase, Queued, Rung, Situation};
pub use step::{Step, Waiting};
