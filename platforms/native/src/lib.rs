//! The Kinora core on tokio and reqwest, with a real-time headless player.
//!
//! ```no_run
//! # async fn example() -> Result<(), kinora_native::PlayerError> {
//! use kinora_native::{Config, Event, Player};
//!
//! let mut player = Player::open("https://example.com/film.m3u8", Config::default()).await?;
//! player.play().await;
//! while let Some(event) = player.next_event().await {
//!     match event {
//!         Event::QualityChanged { to, reason, .. } => println!("{} ({reason})", to.id),
//!         Event::Error(error) => eprintln!("{error}"),
//!         Event::Ended => break,
//!         _ => {}
//!     }
//! }
//! player.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! The core decides; this crate carries out. [`Player`] runs the core's loop in a tokio task, a
//! [`transport::Transport`] makes its requests, and an [`element::MediaElement`] plays what it
//! appends: by a clock, without a screen, but with every frame of sound decoded. [`headless::play`]
//! is all of that as one call, which the binary `kinora-headless` wraps. [`telemetry::Reporter`] tells a service
//! what was played.
//!
//! HTTPS works out of the box: TLS is rustls with ring, trusting the platform's certificates. An app
//! that has installed another rustls provider as the process's default keeps it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod driver;
pub mod drm;
pub mod element;
pub mod headless;
mod player;
mod report;
pub mod telemetry;
pub mod transport;

pub use kinora_core as core;
pub use kinora_core::io::{Event, Selection};
pub use kinora_core::time::MediaTime;
pub use kinora_core::{Config, PlayerError};

pub use driver::Snapshot;
pub use player::{Options, Player};
pub use report::{HeadlessReport, PlaybackStatusName, ShownQuality, VideoSize};
