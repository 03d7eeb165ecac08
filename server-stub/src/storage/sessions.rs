//! Small records that expire, changed by compare-and-set: refresh tokens, device codes, leases.

use super::Result;
use crate::clock::UnixTime;
use async_trait::async_trait;

/// A record and the version it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// Differs from that of every other write to this storage, also after the record was removed or expired.
    pub version: u64,
    /// What was written.
    pub value: Vec<u8>,
}

/// What a write takes for granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is no record, or it has expired.
    Absent,
    /// The record is of this version, and has not expired.
    Version(u64),
}

/// Expiring key-value records with atomic compare-and-set.
///
/// From the second `expires` on, a record is as if it had never been.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// The record of that key.
    async fn read(&self, key: &str, now: UnixTime) -> Result<Option<Versioned>>;
    /// Writes the record if it is what the caller expects, and returns its new version; none, and nothing is
    /// changed, if it is not. Of several writers that expect the same, one wins.
    async fn write(
        &self,
        key: &str,
        expected: Expected,
        value: &[u8],
        expires: UnixTime,
        now: UnixTime,
    ) -> Result<Option<u64>>;
    /// Removes the record if it is what the caller expects; of several who remove the same version, one
    /// is told true.
    async fn remove(&self, key: &str, version: u64, now: UnixTime) -> Result<bool>;
    /// Frees the space of at most `most` expired records, and returns how many.
    async fn sweep(&self, now: UnixTime, most: usize) -> Result<usize>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}
