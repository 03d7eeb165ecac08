//! What profiles did, in SQLite.

use super::{Database, Result};
use crate::{
    clock::UnixTime,
    id::ProfileId,
    storage::{
        Error,
        history::{History, MOST_POSITIONS, Position, Rating},
    },
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::path::Path;

const STEPS: &[&str] = &[
    "
    CREATE TABLE position (
        profile TEXT NOT NULL,
        item TEXT NOT NULL,
        title TEXT NOT NULL,
        seconds INTEGER NOT NULL,
        finished INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (profile, item)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX position_latest ON position (profile, at);
    CREATE TABLE listed (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        profile TEXT NOT NULL,
        title TEXT NOT NULL,
        UNIQUE (profile, title)
    ) STRICT;
    CREATE TABLE rating (
        profile TEXT NOT NULL,
        title TEXT NOT NULL,
        rating TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (profile, title)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE forgotten_profile (
        profile TEXT PRIMARY KEY,
        at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE forgotten_title (
        profile TEXT NOT NULL,
        title TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (profile, title)
    ) STRICT, WITHOUT ROWID;
",
];

const POSITION: &str = "item, title, seconds, finished, at";

/// What profiles did, in `history.sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteHistory(Database);

impl SqliteHistory {
    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When the directory cannot be written, or a later version of this program has done so.
    pub async fn open(directory: &Path) -> Result<Self> {
        Ok(Self(Database::open(directory, "history.sqlite", STEPS).await?))
    }
}

fn position(row: &Row<'_>) -> rusqlite::Result<Position> {
    Ok(Position {
        item: row.get(0)?,
        title: row.get(1)?,
        seconds: row.get(2)?,
        finished: row.get(3)?,
        at: UnixTime(row.get(4)?),
    })
}

fn write_rating(rating: Rating) -> &'static str {
    match rating {
        Rating::Down => "down",
        Rating::Up => "up",
        Rating::Love => "love",
    }
}

fn read_rating(text: &str) -> Result<Rating> {
    Ok(match text {
        "down" => Rating::Down,
        "up" => Rating::Up,
        "love" => Rating::Love,
        other => return Err(Error::Damaged { what: "rating", reason: format!("{other:?}") }),
    })
}

fn read_profiles(rows: impl Iterator<Item = rusqlite::Result<String>>) -> Result<Vec<ProfileId>> {
    rows.map(|profile| {
        profile?.parse().map_err(|error: crate::id::NotAnId| Error::Damaged {
            what: "profile",
            reason: error.to_string(),
        })
    })
    .collect()
}

/// Whether what a profile does is to be remembered no more.
fn is_forgotten(transaction: &Transaction<'_>, profile: &str) -> Result<bool> {
    let query = "SELECT 1 FROM forgotten_profile WHERE profile = ?1";
    Ok(transaction.prepare_cached(query)?.exists([profile])?)
}

#[async_trait]
impl History for SqliteHistory {
    async fn set_positions(&self, profile: &ProfileId, positions: &[Position]) -> Result<()> {
        if positions.is_empty() {
            return Ok(());
        }
        let (profile, positions) = (profile.to_string(), positions.to_vec());
        self.0
            .write(move |transaction| {
                if is_forgotten(transaction, &profile)? {
                    return Ok(());
                }
                let mut remember = transaction.prepare_cached(
                    "INSERT INTO position (profile, item, title, seconds, finished, at)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS
                         (SELECT 1 FROM forgotten_title
                          WHERE profile = ?1 AND title = ?3 AND at > ?6)
                     ON CONFLICT DO UPDATE SET title = excluded.title,
                         seconds = excluded.seconds, finished = excluded.finished,
                         at = excluded.at
                     WHERE excluded.at >= position.at",
                )?;
                for Position { item, title, seconds, finished, at } in positions {
                    remember.execute(params![profile, item, title, seconds, finished, at.0])?;
                }
                transaction
                    .prepare_cached(
                        "DELETE FROM position WHERE profile = ?1 AND item IN (
                             SELECT item FROM position WHERE profile = ?1
                             ORDER BY at DESC, item LIMIT -1 OFFSET ?2)",
                    )?
                    .execute(params![profile, MOST_POSITIONS])?;
                Ok(())
            })
            .await
    }

    async fn position(&self, profile: &ProfileId, item: &str) -> Result<Option<Position>> {
        let key = (profile.to_string(), item.to_owned());
        self.0
            .read(move |transaction| {
                let query =
                    format!("SELECT {POSITION} FROM position WHERE profile = ?1 AND item = ?2");
                Ok(transaction.prepare_cached(&query)?.query_row(key, position).optional()?)
            })
            .await
    }

    async fn positions(&self, profile: &ProfileId, most: usize) -> Result<Vec<Position>> {
        let profile = profile.to_string();
        self.0
            .read(move |transaction| {
                let query = format!(
                    "SELECT {POSITION} FROM position WHERE profile = ?1
                     ORDER BY at DESC, item LIMIT ?2"
                );
                let mut query = transaction.prepare_cached(&query)?;
                let rows = query.query_map(params![profile, most], position)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn forget_title(&self, profile: &ProfileId, title: &str, now: UnixTime) -> Result<bool> {
        let (profile, title) = (profile.to_string(), title.to_owned());
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM position WHERE profile = ?1 AND title = ?2";
                if transaction.execute(query, params![profile, title])? == 0 {
                    return Ok(false);
                }
                transaction.execute(
                    "INSERT OR REPLACE INTO forgotten_title (profile, title, at)
                     VALUES (?1, ?2, ?3)",
                    params![profile, title, now.0],
                )?;
                transaction.execute(
                    "DELETE FROM forgotten_title WHERE profile = ?1 AND title IN (
                         SELECT title FROM forgotten_title WHERE profile = ?1
                         ORDER BY at DESC, title LIMIT -1 OFFSET ?2)",
                    params![profile, MOST_POSITIONS],
                )?;
                Ok(true)
            })
            .await
    }

    async fn list(&self, profile: &ProfileId, title: &str, most: usize) -> Result<bool> {
        let (profile, title) = (profile.to_string(), title.to_owned());
        self.0
            .write(move |transaction| {
                if is_forgotten(transaction, &profile)? {
                    return Ok(true);
                }
                let others: usize = transaction.query_row(
                    "SELECT count(*) FROM listed WHERE profile = ?1 AND title <> ?2",
                    params![profile, title],
                    |row| row.get(0),
                )?;
                if others >= most {
                    return Ok(false);
                }
                transaction.execute(
                    "INSERT INTO listed (profile, title) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![profile, title],
                )?;
                Ok(true)
            })
            .await
    }

    async fn unlist(&self, profile: &ProfileId, title: &str) -> Result<bool> {
        let key = (profile.to_string(), title.to_owned());
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM listed WHERE profile = ?1 AND title = ?2";
                Ok(transaction.execute(query, key)? == 1)
            })
            .await
    }

    async fn listed(&self, profile: &ProfileId) -> Result<Vec<String>> {
        let profile = profile.to_string();
        self.0
            .read(move |transaction| {
                let query = "SELECT title FROM listed WHERE profile = ?1 ORDER BY place DESC";
                let mut query = transaction.prepare_cached(query)?;
                let rows = query.query_map([profile], |row| row.get(0))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn rate(
        &self,
        profile: &ProfileId,
        title: &str,
        rating: Option<Rating>,
        at: UnixTime,
    ) -> Result<()> {
        let (profile, title) = (profile.to_string(), title.to_owned());
        self.0
            .write(move |transaction| {
                if is_forgotten(transaction, &profile)? {
                    return Ok(());
                }
                match rating {
                    Some(rating) => transaction.execute(
                        "INSERT OR REPLACE INTO rating (profile, title, rating, at)
                         VALUES (?1, ?2, ?3, ?4)",
                        params![profile, title, write_rating(rating), at.0],
                    )?,
                    None => transaction.execute(
                        "DELETE FROM rating WHERE profile = ?1 AND title = ?2",
                        params![profile, title],
                    )?,
                };
                Ok(())
            })
            .await
    }

    async fn ratings(&self, profile: &ProfileId, most: usize) -> Result<Vec<(String, Rating)>> {
        let profile = profile.to_string();
        self.0
            .read(move |transaction| {
                let query = "SELECT title, rating FROM rating WHERE profile = ?1
                             ORDER BY at DESC, title LIMIT ?2";
                let mut query = transaction.prepare_cached(query)?;
                let rows = query.query_map(params![profile, most], |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                })?;
                rows.map(|row| {
                    let (title, rating) = row?;
                    Ok((title, read_rating(&rating)?))
                })
                .collect()
            })
            .await
    }

    async fn profiles(&self, after: Option<&ProfileId>, most: usize) -> Result<Vec<ProfileId>> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        self.0
            .read(move |transaction| {
                let query = "
                    SELECT * FROM (SELECT DISTINCT profile FROM position WHERE profile > ?1
                                   ORDER BY profile LIMIT ?2)
                    UNION SELECT * FROM (SELECT DISTINCT profile FROM listed WHERE profile > ?1
                                         ORDER BY profile LIMIT ?2)
                    UNION SELECT * FROM (SELECT DISTINCT profile FROM rating WHERE profile > ?1
                                         ORDER BY profile LIMIT ?2)
                    ORDER BY 1 LIMIT ?2";
                let mut query = transaction.prepare_cached(query)?;
                read_profiles(query.query_map(params![after, most], |row| row.get(0))?)
            })
            .await
    }

    async fn forget(&self, profile: &ProfileId, now: UnixTime) -> Result<()> {
        let profile = profile.to_string();
        self.0
            .write(move |transaction| {
                for query in [
                    "DELETE FROM position WHERE profile = ?1",
                    "DELETE FROM listed WHERE profile = ?1",
                    "DELETE FROM rating WHERE profile = ?1",
                    "DELETE FROM forgotten_title WHERE profile = ?1",
                ] {
                    transaction.execute(query, [&profile])?;
                }
                transaction.execute(
                    "INSERT OR IGNORE INTO forgotten_profile (profile, at) VALUES (?1, ?2)",
                    params![profile, now.0],
                )?;
                Ok(())
            })
            .await
    }

    async fn forgotten(&self, after: Option<&ProfileId>, most: usize) -> Result<Vec<ProfileId>> {
        let after = after.map(ToString::to_string).unwrap_or_default();
        self.0
            .read(move |transaction| {
                let query = "SELECT profile FROM forgotten_profile WHERE profile > ?1
                             ORDER BY profile LIMIT ?2";
                let mut query = transaction.prepare_cached(query)?;
                read_profiles(query.query_map(params![after, most], |row| row.get(0))?)
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
