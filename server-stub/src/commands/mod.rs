//! One file for each command.

pub(crate) mod package;
pub(crate) mod serve;
mod signals;
