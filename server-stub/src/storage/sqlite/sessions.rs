//! Expiring records in SQLite.

use super::{Database, Result};
use crate::{
    clock::UnixTime,
    storage::sessions::{Expected, Sessions, Versioned},
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension, Transaction, params};
use std::path::Path;

const STEPS: &[&str] = &["
    CREATE TABLE record (
        key TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        value BLOB NOT NULL,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX record_expires ON record (expires);
    CREATE TABLE counter (version INTEGER NOT NULL) STRICT;
    INSERT INTO counter VALUES (0);
"];

/// Expiring records in `sessions.sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteSessions(Database);

impl SqliteSessions {
    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When the directory cannot be written, or a later version of this program has done so.
    pub async fn open(directory: &Path) -> Result<Self> {
        Ok(Self(Database::open(directory, "sessions.sqlite", STEPS).await?))
    }
}

fn version(transaction: &Transaction<'_>, key: &str, now: UnixTime) -> Result<Option<i64>> {
    let query = "SELECT version FROM record WHERE key = ?1 AND expires > ?2";
    let mut query = transaction.prepare_cached(query)?;
    Ok(query.query_row(params![key, now.0], |row| row.get(0)).optional()?)
}

#[async_trait]
impl Sessions for SqliteSessions {
    async fn read(&self, key: &str, now: UnixTime) -> Result<Option<Versioned>> {
        let key = key.to_owned();
        self.0
            .read(move |transaction| {
                let query = "SELECT version, value FROM record WHERE key = ?1 AND expires > ?2";
                let mut query = transaction.prepare_cached(query)?;
                let record = query.query_row(params![key, now.0], |row| {
                    Ok(Versioned { version: row.get(0)?, value: row.get(1)? })
                });
                Ok(record.optional()?)
            })
            .await
    }

    async fn write(
        &self,
        key: &str,
        expected: Expected,
        value: &[u8],
        expires: UnixTime,
        now: UnixTime,
    ) -> Result<Option<u64>> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.0
            .write(move |transaction| {
                let found = version(transaction, &key, now)?;
                let met = match expected {
                    Expected::Absent => found.is_none(),
                    Expected::Version(version) => i64::try_from(version).ok() == found,
                };
                if !met {
                    return Ok(None);
                }
                let next: i64 = transaction.query_row(
                    "UPDATE counter SET version = version + 1 RETURNING version",
                    [],
                    |row| row.get(0),
                )?;
                let mut query = transaction.prepare_cached(
                    "INSERT OR REPLACE INTO record (key, version, value, expires)
                     VALUES (?1, ?2, ?3, ?4)",
                )?;
                query.execute(params![key, next, value, expires.0])?;
                Ok(Some(next.unsigned_abs()))
            })
            .await
    }

    async fn remove(&self, key: &str, version: u64, now: UnixTime) -> Result<bool> {
        let key = key.to_owned();
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM record WHERE key = ?1 AND version = ?2 AND expires > ?3";
                Ok(transaction.execute(query, params![key, version, now.0])? == 1)
            })
            .await
    }

    async fn sweep(&self, now: UnixTime, most: usize) -> Result<usize> {
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM record WHERE key IN
                    (SELECT key FROM record WHERE expires <= ?1 ORDER BY expires LIMIT ?2)";
                Ok(transaction.execute(query, params![now.0, most])?)
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
