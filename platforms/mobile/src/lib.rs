//! The UniFFI face of the Kinora core: the same state machine, called from Kotlin and Swift.
//!
//! [`Player`] is synchronous and does no I/O. A host language's driver feeds it what happened, in
//! batches, and carries out what comes back; see [`Player`] for the loop.
//!
//! The core's own types cross the border. Each file here declares the shape of some of them for the
//! binding generator; the declarations produce the code that reads and writes the *core's* types, so
//! a field that is renamed, added or retyped there stops this crate from compiling. A new variant of
//! an enum that is open to additions is caught by the tests of `variants.rs`.
//!
//! Every exported function returns a `Result`: a panic then reaches the host as an exception instead
//! of ending its process.

mod clear_key;
mod config;
mod error;
mod input;
mod journal;
mod license;
mod media;
mod output;
mod player;
mod replay;
mod state;
mod time;
#[cfg(test)]
mod variants;

pub use clear_key::ClearKey;
pub use config::default_config;
pub use error::{ErrorRow, SdkError, error_table};
pub use input::TimedInput;
pub use journal::Journal;
pub use media::{ChunkLayout, boxes_before_mdat, chunk_layout, is_initialization, media_range};
pub use output::{DecisionCandidate, DecisionReasons, Header};
pub use player::Player;
pub use replay::{TimedOutput, replay, replay_to_bytes};

uniffi::setup_scaffolding!();
