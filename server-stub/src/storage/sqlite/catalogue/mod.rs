//! The catalogue in SQLite: each title as its document, beside what it is found by.

mod search;

use super::{Database, Result};
use crate::{
    clock::UnixTime,
    storage::{
        Error,
        catalogue::{Catalogue, Filter, Kind, Order, Page, Put, Summary, Title, View},
    },
    web::text::Slug,
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use rusqlite::{OptionalExtension, ToSql, Transaction, named_params, params};
use std::path::Path;

const STEPS: &[&str] = &[
    "
    CREATE TABLE title (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        sort_name TEXT NOT NULL,
        maturity INTEGER NOT NULL,
        document TEXT NOT NULL
    ) STRICT;
    CREATE INDEX title_by_name ON title (sort_name, id);
    -- Whatever has an id: titles, and the episodes in them.
    CREATE TABLE item (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX item_of ON item (title);
    CREATE TABLE genre (
        genre TEXT NOT NULL,
        title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
        PRIMARY KEY (genre, title)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX genre_of ON genre (title);
    CREATE TABLE spoken (
        language TEXT NOT NULL,
        title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
        PRIMARY KEY (language, title)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX spoken_of ON spoken (title);
    CREATE TABLE availability (
        title TEXT NOT NULL REFERENCES title (id) ON DELETE CASCADE,
        region TEXT NOT NULL, -- '*' is everywhere
        begins INTEGER NOT NULL,
        ends INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX availability_of ON availability (title);
    CREATE VIRTUAL TABLE search USING fts5 (
        name, people, synopsis, tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3 4'
    );
    CREATE VIRTUAL TABLE search_word USING fts5vocab (search, col);
    -- The words of names and people, with what is left of each when letters are missing.
    CREATE TABLE word (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE misspelling (
        variant TEXT NOT NULL,
        word TEXT NOT NULL REFERENCES word (word) ON DELETE CASCADE,
        PRIMARY KEY (variant, word)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX misspelling_of ON misspelling (word);
",
    "
    CREATE TABLE revision (number INTEGER NOT NULL) STRICT;
    INSERT INTO revision VALUES (1);
    CREATE TRIGGER title_entered AFTER INSERT ON title
        BEGIN UPDATE revision SET number = number + 1; END;
    CREATE TRIGGER title_changed AFTER UPDATE ON title
        BEGIN UPDATE revision SET number = number + 1; END;
    CREATE TRIGGER title_removed AFTER DELETE ON title
        BEGIN UPDATE revision SET number = number + 1; END;
",
];

/// What a view lets through, of a table `title`.
const VISIBLE: &str = "title.maturity <= :limit AND EXISTS (
    SELECT 1 FROM availability WHERE availability.title = title.id
    AND region IN ('*', :region) AND begins <= :now AND ends > :now)";

/// The catalogue in `catalogue.sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteCatalogue(Database);

impl SqliteCatalogue {
    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When the directory cannot be written, or a later version of this program has done so.
    pub async fn open(directory: &Path) -> Result<Self> {
        Ok(Self(Database::open(directory, "catalogue.sqlite", STEPS).await?))
    }
}

fn read(document: &str) -> Result<Title> {
    let damaged =
        |error: serde_json::Error| Error::Damaged { what: "title", reason: error.to_string() };
    serde_json::from_str(document).map_err(damaged)
}

/// One title that a view lets through, without the episodes that it does not.
fn visible(
    transaction: &Transaction<'_>,
    condition: &str,
    id: &str,
    view: &View,
) -> Result<Option<Title>> {
    let query = format!("SELECT document FROM title WHERE {condition} AND {VISIBLE}");
    let values = named_params! {
        ":id": id, ":limit": view.maturity_limit, ":region": view.region, ":now": view.now.0,
    };
    let mut query = transaction.prepare_cached(&query)?;
    let document: Option<String> = query.query_row(values, |row| row.get(0)).optional()?;
    let Some(document) = document else { return Ok(None) };
    let mut title = read(&document)?;
    for season in &mut title.seasons {
        season.episodes.retain(|episode| episode.maturity.unwrap_or(0) <= view.maturity_limit);
    }
    title.seasons.retain(|season| !season.episodes.is_empty());
    Ok(Some(title))
}

fn put(transaction: &Transaction<'_>, title: &Title) -> Result<Result<bool, String>> {
    let id = title.id.as_str();
    let owner = |item: &str| -> Result<Option<String>> {
        let mut query = transaction.prepare_cached("SELECT title FROM item WHERE id = ?1")?;
        Ok(query.query_row([item], |row| row.get(0)).optional()?)
    };
    let ids = || title.items().map(|item| item.id.as_str()).chain([id]);
    for item in ids() {
        if owner(item)?.is_some_and(|owner| owner != id) {
            return Ok(Err(item.to_owned()));
        }
    }
    let known = "SELECT place FROM title WHERE id = ?1";
    let known: Option<i64> = transaction.query_row(known, [id], |row| row.get(0)).optional()?;
    for query in [
        "DELETE FROM item WHERE title = ?1",
        "DELETE FROM genre WHERE title = ?1",
        "DELETE FROM spoken WHERE title = ?1",
        "DELETE FROM availability WHERE title = ?1",
    ] {
        transaction.prepare_cached(query)?.execute([id])?;
    }
    let document = serde_json::to_string(title)
        .map_err(|error| Error::Damaged { what: "title", reason: error.to_string() })?;
    let kind = kind(title.kind);
    let place: i64 = transaction
        .prepare_cached(
            "INSERT INTO title (id, kind, sort_name, maturity, document)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, sort_name = excluded.sort_name,
                 maturity = excluded.maturity, document = excluded.document
             RETURNING place",
        )?
        .query_row(
            params![id, kind, title.name.as_str().to_lowercase(), title.maturity, document],
            |row| row.get(0),
        )?;
    for item in ids() {
        let mut query =
            transaction.prepare_cached("INSERT OR IGNORE INTO item (id, title) VALUES (?1, ?2)")?;
        query.execute([item, id])?;
    }
    for genre in &title.genres {
        let query = "INSERT OR IGNORE INTO genre (genre, title) VALUES (?1, ?2)";
        transaction.prepare_cached(query)?.execute([genre.as_str(), id])?;
    }
    for language in &title.audio_languages {
        let query = "INSERT OR IGNORE INTO spoken (language, title) VALUES (?1, ?2)";
        let language = language.as_str().to_ascii_lowercase();
        transaction.prepare_cached(query)?.execute([language.as_str(), id])?;
    }
    for window in &title.availability {
        let begins = window.from.map_or(i64::MIN, |from| from.timestamp());
        let ends = window.until.map_or(i64::MAX, |until| until.timestamp());
        let regions: Vec<&str> = match window.regions.as_slice() {
            [] => vec!["*"],
            regions => regions.iter().map(|region| region.as_str()).collect(),
        };
        for region in regions {
            let query = "INSERT INTO availability (title, region, begins, ends)
                         VALUES (?1, ?2, ?3, ?4)";
            transaction.prepare_cached(query)?.execute(params![id, region, begins, ends])?;
        }
    }
    search::index(transaction, place, title)?;
    Ok(Ok(known.is_none()))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Film => "film",
        Kind::Series => "series",
    }
}

/// Where a page ended: what its last title is sorted by. Anything else is no place, and begins anew.
fn parse_cursor(text: &str) -> Option<(i64, String, String)> {
    serde_json::from_slice(&BASE64URL.decode(text).ok()?).ok()
}

#[async_trait]
impl Catalogue for SqliteCatalogue {
    async fn put(&self, titles: Vec<Title>, _: UnixTime) -> Result<Put> {
        /// Carries an id out of a transaction that is rolled back.
        struct Taken(String);
        let outcome = self
            .0
            .write_unless(move |transaction| {
                let mut new = 0;
                for title in &titles {
                    match put(transaction, title)? {
                        Ok(was_new) => new += usize::from(was_new),
                        Err(taken) => return Ok(Err(Taken(taken))),
                    }
                }
                search::learn_words(transaction)?;
                Ok(Ok(new))
            })
            .await?;
        Ok(match outcome {
            Ok(new) => Put::Done { new },
            Err(Taken(id)) => Put::Taken(id),
        })
    }

    async fn remove(&self, id: &str) -> Result<bool> {
        let id = id.to_owned();
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM title WHERE id = ?1 RETURNING place";
                let place: Option<i64> =
                    transaction.query_row(query, [&id], |row| row.get(0)).optional()?;
                let Some(place) = place else { return Ok(false) };
                search::forget(transaction, place)?;
                Ok(true)
            })
            .await
    }

    async fn draft(&self, id: &str) -> Result<Option<Title>> {
        let id = id.to_owned();
        self.0
            .read(move |transaction| {
                let query = "SELECT document FROM title WHERE id = ?1";
                let document: Option<String> =
                    transaction.query_row(query, [id], |row| row.get(0)).optional()?;
                document.map(|document| read(&document)).transpose()
            })
            .await
    }

    async fn drafts(&self, after: Option<&str>, most: usize) -> Result<Vec<Title>> {
        let after = after.unwrap_or_default().to_owned();
        self.0
            .read(move |transaction| {
                let query = "SELECT document FROM title WHERE id > ?1 ORDER BY id LIMIT ?2";
                let mut query = transaction.prepare_cached(query)?;
                let rows = query.query_map(params![after, most], |row| row.get::<_, String>(0))?;
                rows.map(|document| read(&document?)).collect()
            })
            .await
    }

    async fn revision(&self) -> Result<u64> {
        self.0
            .read(|transaction| {
                let query = "SELECT number FROM revision";
                Ok(transaction.prepare_cached(query)?.query_row([], |row| row.get(0))?)
            })
            .await
    }

    async fn title(&self, id: &str, view: &View) -> Result<Option<Title>> {
        let (id, view) = (id.to_owned(), view.clone());
        self.0.read(move |transaction| visible(transaction, "title.id = :id", &id, &view)).await
    }

    async fn title_of(&self, item: &str, view: &View) -> Result<Option<Title>> {
        let (id, view) = (item.to_owned(), view.clone());
        self.0
            .read(move |transaction| {
                let condition = "title.id = (SELECT item.title FROM item WHERE item.id = :id)";
                let title = visible(transaction, condition, &id, &view)?;
                Ok(title.filter(|title| title.items().any(|item| item.id.as_str() == id)))
            })
            .await
    }

    async fn browse(
        &self,
        filter: &Filter,
        order: Order,
        view: &View,
        after: Option<&str>,
        most: usize,
    ) -> Result<Page> {
        let (filter, view) = (filter.clone(), view.clone());
        let after = after.and_then(parse_cursor);
        self.0
            .read(move |transaction| {
                let order = match order {
                    Order::Newest => ("place < :place", "place DESC"),
                    Order::Name => ("(sort_name, title.id) > (:name, :id)", "sort_name, title.id"),
                };
                let mut query = format!(
                    "SELECT document, place, sort_name, title.id FROM title WHERE {VISIBLE}"
                );
                let asked = most.saturating_add(1);
                let mut values: Vec<(&str, &dyn ToSql)> = vec![
                    (":limit", &view.maturity_limit),
                    (":region", &view.region),
                    (":now", &view.now.0),
                    (":most", &asked),
                ];
                let genre = filter.genre.as_ref().map(Slug::as_str);
                if let Some(genre) = &genre {
                    query += " AND title.id IN (SELECT title FROM genre WHERE genre = :genre)";
                    values.push((":genre", genre));
                }
                let language =
                    filter.audio_language.as_ref().map(|l| l.as_str().to_ascii_lowercase());
                if let Some(language) = &language {
                    query +=
                        " AND title.id IN (SELECT title FROM spoken WHERE language = :language)";
                    values.push((":language", language));
                }
                let kind = filter.kind.map(kind);
                if let Some(kind) = &kind {
                    query += " AND kind = :kind";
                    values.push((":kind", kind));
                }
                if let Some((place, name, id)) = &after {
                    query += &format!(" AND {}", order.0);
                    if order.0.contains(":place") {
                        values.push((":place", place));
                    } else {
                        values.push((":name", name));
                        values.push((":id", id));
                    }
                }
                query += &format!(" ORDER BY {} LIMIT :most", order.1);
                let mut query = transaction.prepare_cached(&query)?;
                let rows = query.query_map(values.as_slice(), |row| {
                    let cursor: (i64, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
                    Ok((row.get::<_, String>(0)?, cursor))
                })?;
                let mut rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
                let more = rows.len() > most;
                rows.truncate(most);
                let last = rows.last().filter(|_| more);
                let next = last.map(|(_, cursor)| {
                    BASE64URL.encode(serde_json::to_vec(cursor).unwrap_or_default())
                });
                let title = |(document, _): &(String, _)| Ok(read(document)?.into());
                Ok(Page { titles: rows.iter().map(title).collect::<Result<_>>()?, next })
            })
            .await
    }

    async fn search(&self, text: &str, view: &View, most: usize) -> Result<Vec<Summary>> {
        let (text, view) = (text.to_owned(), view.clone());
        self.0
            .read(move |transaction| {
                let documents = search::find(transaction, &text, &view, most)?;
                documents.iter().map(|document| Ok(read(document)?.into())).collect()
            })
            .await
    }

    async fn genres(&self, view: &View) -> Result<Vec<(Slug, u64)>> {
        let view = view.clone();
        self.0
            .read(move |transaction| {
                let query = format!(
                    "SELECT genre, count(*) FROM genre JOIN title ON title.id = genre.title
                     WHERE {VISIBLE} GROUP BY genre ORDER BY count(*) DESC, genre"
                );
                let values = named_params! {
                    ":limit": view.maturity_limit, ":region": view.region, ":now": view.now.0,
                };
                let mut query = transaction.prepare_cached(&query)?;
                let rows = query.query_map(values, |row| {
                    Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?))
                })?;
                rows.map(|row| {
                    let (genre, count) = row?;
                    let damaged = |error: crate::web::text::Unfit| Error::Damaged {
                        what: "genre",
                        reason: error.to_string(),
                    };
                    Ok((genre.try_into().map_err(damaged)?, count))
                })
                .collect()
            })
            .await
    }

    async fn some(&self, ids: &[String], view: &View) -> Result<Vec<Summary>> {
        let (ids, view) = (ids.to_owned(), view.clone());
        self.0
            .read(move |transaction| {
                let title = |id| visible(transaction, "title.id = :id", id, &view);
                let titles = ids.iter().filter_map(|id| title(id).transpose());
                titles.map(|title| Ok(title?.into())).collect()
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
