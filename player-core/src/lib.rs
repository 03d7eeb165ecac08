//! The Kinora player as a state machine that does no I/O.
//!
//! A host owns the network, the media element and the clock. It tells the [`Player`] what happens as
//! [`Input`](io::Input)s, each with the instant at which it happened, and carries out the
//! [`Output`](io::Output)s. The player reads no clock, starts no thread and draws no random number:
//! the same inputs give the same outputs, bit for bit, on every platform.
//!
//! # The contract
//!
//! One mutation, then drain: after every [`Player::handle_input`], call [`Player::poll_output`] until
//! it answers [`Output::Timeout`](io::Output::Timeout), and hand in
//! [`Input::Timeout`](io::Input::Timeout) at the instant it names unless another input comes first.
//!
//! ```
//! use kinora_core::io::{Input, Output, RequestFailure, Source};
//! use kinora_core::time::Timestamp;
//! use kinora_core::{Config, Player};
//!
//! /// Drains the player; a host would do what it asks for.
//! fn drain(player: &mut Player) -> (Vec<Output>, Option<Timestamp>) {
//!     let mut outputs = Vec::new();
//!     loop {
//!         match player.poll_output() {
//!             Output::Timeout(at) => return (outputs, at),
//!             output => outputs.push(output),
//!         }
//!     }
//! }
//!
//! let mut now = Timestamp::from_micros(0);
//! let mut player = Player::new(Config::default(), now);
//! let url = "https://cdn.example/film/master.m3u8".to_owned();
//! player.handle_input(now, Input::Load(Source { url, format: None, start: None }));
//! let (outputs, _) = drain(&mut player);
//! let Some(request) = outputs.iter().find_map(|output| match output {
//!     Output::Request(request) => Some(request.clone()),
//!     _ => None,
//! }) else { unreachable!("a load begins with the manifest") };
//!
//! // The network is down; the player will ask again by itself.
//! let failure = RequestFailure::Network("connection refused".to_owned());
//! player.handle_input(now, Input::RequestFailed { id: request.id, failure });
//! let (_, timeout) = drain(&mut player);
//! now = timeout.unwrap();
//! player.handle_input(now, Input::Timeout);
//! let (outputs, _) = drain(&mut player);
//! assert!(matches!(&outputs[0], Output::Request(again) if again.url == request.url));
//! ```
//!
//! * Every request and media operation has an id, and the answer names it. A late answer to a
//!   cancelled id is ignored, never an error.
//! * Requests with [`BodyHandling::Keep`](io::BodyHandling::Keep) leave their bodies with the host:
//!   media bytes cross the border only when the player must change them.
//! * Every timer has a named reason, visible in [`Player::state`].
//! * Nothing that comes from outside makes the player panic or grow without bound.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod config;
pub mod error;
pub mod io;
pub mod manifest;
pub mod media;
pub mod presentation;
pub mod telemetry;
pub mod time;
pub mod url;

mod context;
mod decoders;
mod drm;
mod items;
mod limits;
mod live;
mod outbox;
mod pictures;
mod playback;
mod player;
mod requests;
mod session;
mod steering;
mod stream;
mod support;
mod text;
mod upcoming;

pub use kinora_abr as abr;

pub use config::Config;
pub use error::{Error, PlayerError};
pub use player::Player;
