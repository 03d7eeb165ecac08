//! Between the core's data and JavaScript's, field by field: shipping a serialiser would cost more
//! bytes than these functions.
//!
//! Times become seconds, absent values `null`, names those of the npm package's types.

mod config;
mod error;
mod event;
mod object;
mod state;

pub(crate) use config::{media_kind, merge_config, network, source_format};
pub(crate) use error::error;
pub(crate) use event::event;
pub(crate) use object::{array, object, option, text};
pub(crate) use state::state;
