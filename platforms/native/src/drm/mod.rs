//! Keys: ClearKey (see `kinora_clearkey`), or the key system that an app hands over.

mod config;
mod key_system;

pub use config::{clear_key, header};
pub use key_system::{KeyAnswers, KeySystem};
pub(crate) use kinora_clearkey::{ClearKey, Opened, open_init};
pub use kinora_clearkey::{ContentKey, KeyRing};
