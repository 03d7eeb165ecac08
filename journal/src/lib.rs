//! What a service is told of playback, for hosts that are no web page: the events of players made into those of
//! `POST /v1/events`, in batches, each told again under the same name until the service has a verdict.
//!
//! Like the player it does no I/O: instants come in through calls, bodies go out. A host runs this loop:
//!
//! ```
//! use kinora_core::time::{Timestamp, WallTime};
//! use kinora_journal::{Answer, Interaction, Journal, Moment, Options};
//!
//! # let at = |s: u64| Moment { now: Timestamp::from_micros(s * 1_000_000), wall: WallTime::default() };
//! # let post = |_body: &str| Answer::Status { status: 200, retry_after: None };
//! let options = Options { name: "8f3a61c09d7e42b5".into(), ..Options::default() };
//! let mut journal = Journal::new(options, at(0));
//! journal.tell(&Interaction::Searched { found: 3 }, at(0));
//! // Wait until `due`, or for something to happen; keep what `kept` says where it outlives the process.
//! assert_eq!(journal.due(), Some(at(30).now));
//! while let Some(body) = journal.batch(at(30)) {
//!     journal.answered(&post(&body), at(30));
//! }
//! assert_eq!(journal.kept(), None);
//! ```
//!
//! The npm package has the same in TypeScript (`kinora/telemetry`): there it comes without WebAssembly, and leaves with a
//! beacon.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod happening;
mod journal;
mod outbox;
mod watch;

pub use happening::{Interaction, ReportedPlayback};
pub use journal::{Answer, Journal, Options};
pub use outbox::Moment;
pub use watch::{Observation, WatchId};
