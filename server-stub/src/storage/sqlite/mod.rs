//! The embedded storage: SQLite databases in one directory, one for each trait.
//!
//! Several processes may share the directory: the databases are in write-ahead mode, and writers wait for each
//! other. A commit is on the disk before a call returns.

mod accounts;
mod catalogue;
mod experiments;
mod history;
mod keys;
mod migrate;
mod sessions;

pub use accounts::SqliteAccounts;
pub use catalogue::SqliteCatalogue;
pub use experiments::SqliteExperiments;
pub use history::SqliteHistory;
pub use keys::SqliteContentKeys;
pub use sessions::SqliteSessions;

use super::{Error, Result, blocking};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long a writer waits for another process's.
const BUSY: Duration = Duration::from_secs(5);
/// Connections that are kept for reading. More readers open their own for as long as they need it.
const IDLE_READERS: usize = 4;

/// A database: one connection that writes, several that read. Clones share them.
#[derive(Debug, Clone)]
struct Database(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the database of that name in a directory, which is made, and brings it up to date.
    async fn open(directory: &Path, name: &str, steps: &'static [&'static str]) -> Result<Self> {
        let directory = directory.to_owned();
        let path = directory.join(name);
        blocking(move || {
            create_private(&directory).map_err(|error| Error::Unavailable {
                reason: format!("cannot create {}: {error}", directory.display()),
            })?;
            let mut writer = connect(&path)?;
            writer.pragma_update(None, "journal_mode", "wal")?;
            migrate::forward(&mut writer, &path, steps)?;
            let readers = Mutex::default();
            Ok(Self(Arc::new(Inner { path, writer: Mutex::new(writer), readers })))
        })
        .await
    }

    /// Runs one transaction that may write. It is rolled back when `work` fails.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let kept = self.write_unless(|transaction| Ok(Ok::<_, Infallible>(work(transaction)?)));
        let Ok(value) = kept.await?;
        Ok(value)
    }

    /// Runs one transaction that may write. It is rolled back when `work` fails, or thinks better of it.
    async fn write_unless<T: Send + 'static, E: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<Result<T, E>> + Send + 'static,
    ) -> Result<Result<T, E>> {
        let inner = self.0.clone();
        blocking(move || {
            // A panic inside leaves a transaction behind that SQLite rolls back: the connection stays good.
            let mut writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            if value.is_ok() {
                transaction.commit()?;
            }
            Ok(value)
        })
        .await
    }

    /// Runs one transaction that only reads: it sees one state of the database.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.0.clone();
        blocking(move || {
            let idle = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = match idle {
                Some(reader) => reader,
                None => {
                    let reader = connect(&inner.path)?;
                    reader.pragma_update(None, "query_only", true)?;
                    reader
                }
            };
            let transaction = reader.transaction()?;
            let value = work(&transaction)?;
            drop(transaction);
            let mut readers = inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < IDLE_READERS {
                readers.push(reader);
            }
            Ok(value)
        })
        .await
    }

    async fn ready(&self) -> Result<()> {
        self.read(|transaction| {
            transaction.query_row("SELECT 1 FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }
}

fn connect(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Makes a directory that only its owner can read: it holds addresses and hashes.
fn create_private(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable { reason: error.to_string() }
    }
}
