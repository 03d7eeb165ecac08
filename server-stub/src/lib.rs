//! The server side of a streaming service.
//!
//! [`package`] turns a video file into a presentation: CMAF segments written once, with HLS and DASH manifests
//! over them.

mod error;
pub mod package;

pub use error::{Error, Result};
