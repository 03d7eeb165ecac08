//! ClearKey, which this player knows alone: see `kinora_clearkey`.

mod config;

pub use config::{clear_key, header};
pub(crate) use kinora_clearkey::{ClearKey, KeyRing, Opened, open_init};
