//! What happened, in the order it was heard of: records that are only ever added.

use super::Result;
use crate::clock::UnixTime;
use async_trait::async_trait;
use std::ops::Range;

/// What a record is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 16]);

/// A record to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is known by.
    pub key: Key,
    /// What it says, at most [`LARGEST`] bytes.
    pub value: Vec<u8>,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number; the numbers of a log have no gaps.
    pub offset: u64,
    /// When it was appended.
    pub at: UnixTime,
    /// What it is known by.
    pub key: Key,
    /// What it says.
    pub value: Vec<u8>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is a record of this number now.
    At(u64),
    /// A record of the same key is there already.
    Known,
}

/// What a log keeps at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// So many bytes of the latest records, unless they are older than `from`.
    pub bytes: u64,
    /// No record that was appended before.
    pub from: UnixTime,
}

/// The longest record, bytes.
pub const LARGEST: usize = 64 * 1024;

/// A log.
///
/// Of entries with the same key one becomes a record, as long as it is among the latest of the log: how far back
/// an implementation looks is its own, and at least [`WINDOW`] records. Closing and opening the log, in whatever
/// way, changes nothing about that.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends entries, and says of each what became of it. What this has answered is not lost any more. After
    /// an error each of the entries may be a record or none: appending them again is safe.
    ///
    /// # Errors
    /// [`Error::Busy`](super::Error::Busy) when there is more to write than can be kept up with.
    async fn append(&self, entries: Vec<Entry>, now: UnixTime) -> Result<Vec<Appended>>;
    /// The records from an offset on, or from the first that is kept: at most `most` of them, and of several
    /// megabytes; none at the end of the log.
    async fn read(&self, from: u64, most: usize) -> Result<Vec<Record>>;
    /// The offsets of the records that are kept; the end is where the next one goes.
    async fn range(&self) -> Result<Range<u64>>;
    /// Lets old records go, as far as that is no more work than it is worth, and returns the first offset that
    /// is kept.
    async fn retain(&self, retention: Retention) -> Result<u64>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}

/// The records that are looked through at least for one of the same key.
pub const WINDOW: usize = 1 << 18;
