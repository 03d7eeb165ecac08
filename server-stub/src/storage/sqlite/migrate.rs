//! Databases grow by steps that are never changed once released; SQLite's `user_version` counts them.

use super::super::{Error, Result};
use crate::crash;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Takes the steps that a database has not taken yet: all of them, or none.
///
/// # Errors
/// [`Error::TooNew`] when the database has taken steps that are not known here.
pub(super) fn forward(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<()> {
    // Of several processes that start at once, one takes the steps and the others find them taken.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
    if found > known {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        return Err(Error::TooNew { name, found, known });
    }
    for step in steps.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
        crash::point("migration/step");
    }
    transaction.pragma_update(None, "user_version", known)?;
    crash::point("migration/numbered");
    transaction.commit()?;
    crash::point("migration/committed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[&str] = &[
        "CREATE TABLE film (id INTEGER PRIMARY KEY, name TEXT NOT NULL);",
        "ALTER TABLE film ADD COLUMN year INTEGER NOT NULL DEFAULT 1900;
         UPDATE film SET year = 2008 WHERE name = 'Bunny';",
    ];

    fn years(connection: &Connection) -> Vec<(String, i64)> {
        let mut query = connection.prepare("SELECT name, year FROM film ORDER BY id").unwrap();
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn a_database_of_the_previous_version_keeps_what_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        forward(&mut connection, Path::new("film"), &STEPS[..1]).unwrap();
        connection.execute("INSERT INTO film (name) VALUES ('Bunny'), ('Dream')", []).unwrap();
        for _ in 0..2 {
            forward(&mut connection, Path::new("film"), STEPS).unwrap();
            assert_eq!(
                years(&connection),
                [("Bunny".to_owned(), 2008), ("Dream".to_owned(), 1900)]
            );
        }
    }

    #[test]
    fn a_database_of_a_later_version_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        forward(&mut connection, Path::new("x/film"), STEPS).unwrap();
        let refusal = forward(&mut connection, Path::new("x/film"), &STEPS[..1]);
        assert_eq!(refusal, Err(Error::TooNew { name: "film".into(), found: 2, known: 1 }));
    }

    #[test]
    fn a_step_that_fails_leaves_the_version_it_found() {
        let mut connection = Connection::open_in_memory().unwrap();
        forward(&mut connection, Path::new("film"), &STEPS[..1]).unwrap();
        let broken = [STEPS[0], "ALTER TABLE film ADD COLUMN half; UPDATE nothing SET a = 1;"];
        assert!(forward(&mut connection, Path::new("film"), &broken).is_err());
        forward(&mut connection, Path::new("film"), STEPS).unwrap();
        assert!(years(&connection).is_empty());
    }
}
