//! The service is killed: at each step at which something gets onto the disk, and at any moment.
//!
//! `KINORA_CRASH` names the step, in debug builds; a signal that cannot be caught does the rest. The moments are drawn
//! from a seed, which a failure names.

#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used)]

mod accounts;
mod events;
mod models;
mod process;
