//! The server side of a streaming service.
//!
//! [`package`] turns a video file into a presentation: CMAF segments written once, with HLS and DASH manifests
//! over them. [`delivery`] and [`chaos`] are roles, each an axum router of its own, which a program puts
//! together, lets [`access`] watch, and hands to [`http`].

pub mod access;
pub mod chaos;
pub mod clock;
pub mod delivery;
mod error;
pub mod http;
pub mod id;
pub mod package;
pub mod storage;

pub use error::{Error, Result};
