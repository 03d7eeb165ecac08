//! Accounts in SQLite.

use super::{Database, Result};
use crate::{
    clock::UnixTime,
    id::{AccountId, ProfileId},
    storage::{
        Error,
        accounts::{Account, Accounts, Added, Profile},
    },
    web::text::Slug,
};
use async_trait::async_trait;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use std::{path::Path, str::FromStr};

const STEPS: &[&str] = &[
    "
    CREATE TABLE account (
        id TEXT PRIMARY KEY,
        email TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        region TEXT NOT NULL,
        admin INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE profile (
        place INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        account TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        kids INTEGER NOT NULL,
        maturity_limit INTEGER NOT NULL,
        language TEXT NOT NULL
    ) STRICT;
    CREATE INDEX profile_of ON profile (account, place);
",
    "ALTER TABLE account ADD COLUMN plan TEXT;",
];

/// Accounts in `accounts.sqlite`.
#[derive(Debug, Clone)]
pub struct SqliteAccounts(Database);

impl SqliteAccounts {
    /// Opens the database in a directory.
    ///
    /// # Errors
    /// When the directory cannot be written, or a later version of this program has done so.
    pub async fn open(directory: &Path) -> Result<Self> {
        Ok(Self(Database::open(directory, "accounts.sqlite", STEPS).await?))
    }

    async fn one(&self, condition: &'static str, value: String) -> Result<Option<Account>> {
        self.0
            .read(move |transaction| {
                let query = format!("SELECT {ACCOUNT} FROM account WHERE {condition} = ?1");
                let mut query = transaction.prepare_cached(&query)?;
                query.query_row([value], |row| Ok(account(row))).optional()?.transpose()
            })
            .await
    }

    /// Runs an `UPDATE` of one account; false when there is none.
    async fn change(&self, query: &'static str, values: Vec<String>) -> Result<bool> {
        self.0
            .write(move |transaction| {
                let values = rusqlite::params_from_iter(values);
                Ok(transaction.prepare_cached(query)?.execute(values)? == 1)
            })
            .await
    }
}

const ACCOUNT: &str = "id, email, password_hash, region, admin, epoch, created_at, plan";
const PROFILE: &str = "id, name, kids, maturity_limit, language";

fn account(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        id: id(row, 0)?,
        email: row.get(1)?,
        password_hash: row.get(2)?,
        region: row.get(3)?,
        admin: row.get(4)?,
        epoch: row.get(5)?,
        created_at: UnixTime(row.get(6)?),
        plan: plan(row.get(7)?)?,
    })
}

fn plan(name: Option<String>) -> Result<Option<Slug>> {
    name.map(Slug::try_from)
        .transpose()
        .map_err(|error| Error::Damaged { what: "plan", reason: error.to_string() })
}

fn profile(row: &Row<'_>) -> Result<Profile> {
    Ok(Profile {
        id: id(row, 0)?,
        name: row.get(1)?,
        kids: row.get(2)?,
        maturity_limit: row.get(3)?,
        language: row.get(4)?,
    })
}

fn id<T: FromStr<Err: std::fmt::Display>>(row: &Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error: T::Err| Error::Damaged { what: "id", reason: error.to_string() })
}

fn profiles(transaction: &Transaction<'_>, account: &str) -> Result<Vec<Profile>> {
    let query = format!("SELECT {PROFILE} FROM profile WHERE account = ?1 ORDER BY place");
    let mut query = transaction.prepare_cached(&query)?;
    query.query_map([account], |row| Ok(profile(row)))?.map(|profile| profile?).collect()
}

#[async_trait]
impl Accounts for SqliteAccounts {
    async fn create(&self, account: &Account) -> Result<bool> {
        let account = account.clone();
        self.0
            .write(move |transaction| {
                let query = format!(
                    "INSERT INTO account ({ACCOUNT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT DO NOTHING"
                );
                let Account { id, email, password_hash, region, admin, epoch, created_at, plan } =
                    account;
                let plan = plan.map(String::from);
                let values = params![
                    id.as_str(),
                    email,
                    password_hash,
                    region,
                    admin,
                    epoch,
                    created_at.0,
                    plan
                ];
                Ok(transaction.prepare_cached(&query)?.execute(values)? == 1)
            })
            .await
    }

    async fn by_email(&self, email: &str) -> Result<Option<Account>> {
        self.one("email", email.to_owned()).await
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Account>> {
        self.one("id", id.to_string()).await
    }

    async fn set_password(&self, id: &AccountId, hash: &str) -> Result<bool> {
        let query = "UPDATE account SET password_hash = ?2, epoch = epoch + 1 WHERE id = ?1";
        self.change(query, vec![id.to_string(), hash.to_owned()]).await
    }

    async fn end_sessions(&self, id: &AccountId) -> Result<bool> {
        let query = "UPDATE account SET epoch = epoch + 1 WHERE id = ?1";
        self.change(query, vec![id.to_string()]).await
    }

    async fn set_admin(&self, id: &AccountId, admin: bool) -> Result<bool> {
        let query = match admin {
            true => "UPDATE account SET admin = 1 WHERE id = ?1",
            false => "UPDATE account SET admin = 0 WHERE id = ?1",
        };
        self.change(query, vec![id.to_string()]).await
    }

    async fn set_plan(&self, id: &AccountId, plan: Option<&Slug>) -> Result<bool> {
        match plan {
            Some(plan) => {
                let query = "UPDATE account SET plan = ?2 WHERE id = ?1";
                self.change(query, vec![id.to_string(), plan.as_str().to_owned()]).await
            }
            None => {
                let query = "UPDATE account SET plan = NULL WHERE id = ?1";
                self.change(query, vec![id.to_string()]).await
            }
        }
    }

    async fn close(&self, id: &AccountId) -> Result<Option<Vec<ProfileId>>> {
        let id = id.to_string();
        self.0
            .write(move |transaction| {
                let profiles = profiles(transaction, &id)?;
                let closed = transaction.execute("DELETE FROM account WHERE id = ?1", [&id])? == 1;
                Ok(closed.then(|| profiles.into_iter().map(|profile| profile.id).collect()))
            })
            .await
    }

    async fn profiles(&self, account: &AccountId) -> Result<Vec<Profile>> {
        let account = account.to_string();
        self.0.read(move |transaction| profiles(transaction, &account)).await
    }

    async fn profile(&self, account: &AccountId, id: &ProfileId) -> Result<Option<Profile>> {
        let key = (account.to_string(), id.to_string());
        self.0
            .read(move |transaction| {
                let query = format!("SELECT {PROFILE} FROM profile WHERE account = ?1 AND id = ?2");
                let mut query = transaction.prepare_cached(&query)?;
                query.query_row(key, |row| Ok(profile(row))).optional()?.transpose()
            })
            .await
    }

    async fn add_profile(
        &self,
        account: &AccountId,
        profile: &Profile,
        most: usize,
    ) -> Result<Added> {
        let (account, profile) = (account.to_string(), profile.clone());
        self.0
            .write(move |transaction| {
                let there: Option<usize> = transaction
                    .query_row(
                        "SELECT (SELECT count(*) FROM profile WHERE account = account.id)
                         FROM account WHERE id = ?1",
                        [&account],
                        |row| row.get(0),
                    )
                    .optional()?;
                match there {
                    None => return Ok(Added::NoAccount),
                    Some(there) if there >= most => return Ok(Added::Full),
                    Some(_) => {}
                }
                let Profile { id, name, kids, maturity_limit, language } = profile;
                transaction.execute(
                    "INSERT INTO profile (account, id, name, kids, maturity_limit, language)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![account, id.as_str(), name, kids, maturity_limit, language],
                )?;
                Ok(Added::Yes)
            })
            .await
    }

    async fn update_profile(&self, account: &AccountId, profile: &Profile) -> Result<bool> {
        let (account, profile) = (account.to_string(), profile.clone());
        self.0
            .write(move |transaction| {
                let Profile { id, name, kids, maturity_limit, language } = profile;
                let changed = transaction.execute(
                    "UPDATE profile SET name = ?3, kids = ?4, maturity_limit = ?5, language = ?6
                     WHERE account = ?1 AND id = ?2",
                    params![account, id.as_str(), name, kids, maturity_limit, language],
                )?;
                Ok(changed == 1)
            })
            .await
    }

    async fn remove_profile(&self, account: &AccountId, id: &ProfileId) -> Result<bool> {
        let key = (account.to_string(), id.to_string());
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM profile WHERE account = ?1 AND id = ?2";
                Ok(transaction.execute(query, key)? == 1)
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
