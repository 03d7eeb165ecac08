//! Wrapped content keys in SQLite.

use super::{Database, Error, Result};
use crate::{
    storage::keys::{ContentKeys, WrappedKey},
    vault::{KeyId, Tier},
};
use async_trait::async_trait;
use rusqlite::{Row, params};
use std::path::Path;

const STEPS: &[&str] = &["
    CREATE TABLE content_key (
        id BLOB PRIMARY KEY,
        content TEXT NOT NULL,
        item TEXT,
        tier TEXT NOT NULL,
        period INTEGER NOT NULL,
        wrapped BLOB NOT NULL,
        wrapped_with TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX content_key_content ON content_key (content, tier, period);
    CREATE INDEX content_key_item ON content_key (item, tier, period);
"];
const COLUMNS: &str = "id, content, item, tier, period, wrapped, wrapped_with";

/// Wrapped content keys in `keys.sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteContentKeys(Database);

impl SqliteContentKeys {
    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When the directory cannot be written, or a later version of this program has done so.
    pub async fn open(directory: &Path) -> Result<Self> {
        Ok(Self(Database::open(directory, "keys.sqlite", STEPS).await?))
    }
}

fn key(row: &Row<'_>) -> rusqlite::Result<Option<WrappedKey>> {
    let tier: String = row.get(3)?;
    let Some(tier) = Tier::named(&tier) else { return Ok(None) };
    Ok(Some(WrappedKey {
        id: KeyId(row.get(0)?),
        content: row.get(1)?,
        item: row.get(2)?,
        tier,
        period: row.get(4)?,
        wrapped: row.get(5)?,
        wrapped_with: row.get(6)?,
    }))
}

fn damaged() -> Error {
    Error::Damaged { what: "content key", reason: "its tier is not known".to_owned() }
}

#[async_trait]
impl ContentKeys for SqliteContentKeys {
    async fn add(&self, keys: &[WrappedKey]) -> Result<Option<KeyId>> {
        let keys = keys.to_vec();
        let added = self.0.write_unless(move |transaction| {
            let sql = format!(
                "INSERT INTO content_key ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO NOTHING"
            );
            let mut query = transaction.prepare_cached(&sql)?;
            for key in &keys {
                let WrappedKey { id, content, item, tier, period, wrapped, wrapped_with } = key;
                let values =
                    params![id.0, content, item, tier.name(), period, wrapped, wrapped_with];
                if query.execute(values)? == 0 {
                    return Ok(Err(*id));
                }
            }
            Ok(Ok(()))
        });
        Ok(added.await?.err())
    }

    async fn find(&self, ids: &[KeyId]) -> Result<Vec<WrappedKey>> {
        let ids = ids.to_vec();
        self.0
            .read(move |transaction| {
                let sql = format!("SELECT {COLUMNS} FROM content_key WHERE id = ?1");
                let mut query = transaction.prepare_cached(&sql)?;
                let mut found = Vec::new();
                for id in ids {
                    for row in query.query_map([id.0], key)? {
                        found.push(row?.ok_or_else(damaged)?);
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn of_content(&self, content: &str) -> Result<Vec<WrappedKey>> {
        let content = content.to_owned();
        self.0
            .read(move |transaction| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM content_key WHERE content = ?1 ORDER BY tier, period"
                );
                let mut query = transaction.prepare_cached(&sql)?;
                let rows = query.query_map([content], key)?;
                rows.map(|row| row?.ok_or_else(damaged)).collect()
            })
            .await
    }

    async fn of_item(&self, item: &str) -> Result<Vec<WrappedKey>> {
        let item = item.to_owned();
        self.0
            .read(move |transaction| {
                let sql = format!(
                    "SELECT {COLUMNS} FROM content_key WHERE item = ?1 ORDER BY tier, period LIMIT 8192"
                );
                let mut query = transaction.prepare_cached(&sql)?;
                let rows = query.query_map([item], key)?;
                rows.map(|row| row?.ok_or_else(damaged)).collect()
            })
            .await
    }

    async fn protects(&self, item: &str) -> Result<bool> {
        let item = item.to_owned();
        self.0
            .read(move |transaction| {
                let sql = "SELECT 1 FROM content_key WHERE item = ?1 LIMIT 1";
                Ok(transaction.prepare_cached(sql)?.exists([item])?)
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
