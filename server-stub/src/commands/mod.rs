//! One file for each command.

pub(crate) mod account;
pub(crate) mod import;
pub(crate) mod keys;
pub(crate) mod package;
pub(crate) mod recommend;
pub(crate) mod serve;
mod signals;
