//! Experiments in SQLite.

use super::{Database, Result};
use crate::{
    clock::UnixTime,
    storage::{
        Error,
        experiments::{Experiment, Experiments, Put, Status, fixed},
    },
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension, Transaction, params};
use std::path::Path;

const STEPS: &[&str] = &["
    CREATE TABLE experiment (
        id TEXT PRIMARY KEY,
        document TEXT NOT NULL,
        written_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Experiments in `experiments.sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteExperiments(Database);

impl SqliteExperiments {
    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When the directory cannot be written, or a later version of this program has done so.
    pub async fn open(directory: &Path) -> Result<Self> {
        Ok(Self(Database::open(directory, "experiments.sqlite", STEPS).await?))
    }
}

fn read(document: &str) -> Result<Experiment> {
    serde_json::from_str(document)
        .map_err(|error| Error::Damaged { what: "experiment", reason: error.to_string() })
}

fn all(transaction: &Transaction<'_>) -> Result<Vec<Experiment>> {
    let mut query = transaction.prepare_cached("SELECT document FROM experiment ORDER BY id")?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|document| read(&document?)).collect()
}

#[async_trait]
impl Experiments for SqliteExperiments {
    async fn put(&self, experiment: &Experiment, now: UnixTime) -> Result<Put> {
        let experiment = experiment.clone();
        let outcome = self
            .0
            .write_unless(move |transaction| {
                let others = all(transaction)?;
                let known = others.iter().find(|other| other.id == experiment.id);
                if known.is_some_and(|known| {
                    known.status != Status::Draft && fixed(known) != fixed(&experiment)
                }) {
                    return Ok(Err(Put::Fixed));
                }
                let runs = |one: &Experiment| one.status == Status::Running;
                let taken = others.iter().find(|other| {
                    other.id != experiment.id && runs(other) && other.overlaps(&experiment)
                });
                if let Some(taken) = taken.filter(|_| runs(&experiment)) {
                    return Ok(Err(Put::Overlaps(taken.id.clone())));
                }
                let document = serde_json::to_string(&experiment).map_err(|error| {
                    Error::Damaged { what: "experiment", reason: error.to_string() }
                })?;
                transaction.execute(
                    "INSERT OR REPLACE INTO experiment (id, document, written_at)
                     VALUES (?1, ?2, ?3)",
                    params![experiment.id.as_str(), document, now.0],
                )?;
                Ok(Ok(Put::Done { new: known.is_none() }))
            })
            .await?;
        Ok(outcome.unwrap_or_else(|refused| refused))
    }

    async fn all(&self) -> Result<Vec<Experiment>> {
        self.0.read(all).await
    }

    async fn experiment(&self, id: &str) -> Result<Option<Experiment>> {
        let id = id.to_owned();
        self.0
            .read(move |transaction| {
                let query = "SELECT document FROM experiment WHERE id = ?1";
                let document: Option<String> =
                    transaction.query_row(query, [id], |row| row.get(0)).optional()?;
                document.map(|document| read(&document)).transpose()
            })
            .await
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.0
            .write(move |transaction| {
                Ok(transaction.execute("DELETE FROM experiment WHERE id = ?1", [id])? == 1)
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
