//! One file for each command.

pub(crate) mod package;
mod signals;
