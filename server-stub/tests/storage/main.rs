//! One suite for each storage trait, generic over what implements it.
//!
//! A new engine adds a line to the table at the end of each suite and proves itself by the same assertions.

#![allow(clippy::unwrap_used)]

mod accounts;
mod blobs;
mod catalogue;
mod event_log;
mod experiments;
mod history;
mod keys;
mod previous;
mod sessions;

use tempfile::TempDir;

/// An implementation over an empty storage, and what must live as long as it does.
struct Fresh<S> {
    storage: S,
    directory: TempDir,
}
