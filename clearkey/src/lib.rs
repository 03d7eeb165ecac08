//! ClearKey (W3C EME §9.1) without a browser: sessions that ask for keys, and the decryption of what they open.
//!
//! It is a key exchange for development and light protection, not a DRM: whoever controls the process has the keys.
//!
//! [`ClearKey`] carries out what the player asks of a key system, and puts keys into a [`KeyRing`]. Media is opened with
//! that, sample by sample ([`KeyRing::decrypt`]) or a segment at once ([`KeyRing::open_segment`]), once
//! [`open_init`] has told how its tracks are encrypted.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod init;
mod ring;
mod segment;
mod sessions;

pub use kinora_cenc::ContentKey;

pub use init::{Opened, Track, open_init};
pub use ring::KeyRing;
pub use sessions::{ClearKey, NAME};
