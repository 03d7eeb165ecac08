//! Where the service keeps what it knows, behind narrow traits cut by what the data needs.
//!
//! | trait | holds | needs |
//! | --- | --- | --- |
//! | [`Accounts`] | accounts and their profiles | uniqueness, transactions |
//! | [`Catalogue`] | titles, and what they are found by | transactions, text search |
//! | [`Experiments`] | experiments and their arms | transactions |
//! | [`ContentKeys`] | wrapped keys of what is encrypted | written once, never changed |
//! | [`History`] | positions, lists and ratings | one profile's rows at a time |
//! | [`Sessions`] | refresh tokens, device codes, stream leases | expiry, compare-and-set |
//! | [`EventLog`] | what happened, in order | appending, reading on from a place |
//! | [`Blobs`] | models | being there whole or not at all |
//!
//! Roles see the traits alone and speak in the terms of their trade, never in a query language. [`sqlite`] and
//! [`files`] keep all of it in one directory, with nothing to install. Time comes in through the calls: no
//! implementation reads a clock.

pub mod accounts;
pub mod blobs;
pub mod catalogue;
pub mod event_log;
pub mod experiments;
pub mod files;
pub mod history;
pub mod keys;
pub mod sessions;
pub mod sqlite;
#[cfg(test)]
pub(crate) mod turns;

pub use accounts::Accounts;
pub use blobs::Blobs;
pub use catalogue::Catalogue;
pub use event_log::EventLog;
pub use experiments::Experiments;
pub use history::History;
pub use keys::ContentKeys;
pub use sessions::Sessions;

/// The storage's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the storage did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine refused or cannot be reached; another try may do.
    #[error("the storage is unavailable: {reason}")]
    Unavailable {
        /// The engine's words, for the log and not for a client.
        reason: String,
    },
    /// There is more to do than the engine keeps up with; another try in a while may do.
    #[error("the storage has more to do than it keeps up with")]
    Busy,
    /// What is stored does not make sense.
    #[error("the storage holds a damaged {what}: {reason}")]
    Damaged {
        /// The kind of record.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version of this program has written the database.
    #[error("{name} is of version {found}, this program knows {known}: use a newer program")]
    TooNew {
        /// The database.
        name: String,
        /// The version it is of.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
}

/// Runs work that waits for the disk, away from the threads that serve connections.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::Unavailable { reason: error.to_string() }),
    }
}
