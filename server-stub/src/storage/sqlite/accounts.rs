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
    "CREATE TABLE departed (profile TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;",
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

fn insert_account(transaction: &Transaction<'_>, account: &Account) -> Result<()> {
    let query = format!("INSERT INTO account ({ACCOUNT}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    let Account { id, email, password_hash, region, admin, epoch, created_at, plan } = account;
    let plan = plan.as_ref().map(Slug::as_str);
    let (id, created_at) = (id.as_str(), created_at.0);
    let values = params![id, email, password_hash, region, admin, epoch, created_at, plan];
    transaction.prepare_cached(&query)?.execute(values)?;
    Ok(())
}

fn insert_profile(transaction: &Transaction<'_>, account: &str, profile: &Profile) -> Result<()> {
    let Profile { id, name, kids, maturity_limit, language } = profile;
    let mut query = transaction.prepare_cached(
        "INSERT INTO profile (account, id, name, kids, maturity_limit, language)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    query.execute(params![account, id.as_str(), name, kids, maturity_limit, language])?;
    Ok(())
}

fn delete_account(transaction: &Transaction<'_>, id: &str) -> Result<bool> {
    Ok(transaction.prepare_cached("DELETE FROM account WHERE id = ?1")?.execute([id])? == 1)
}

#[async_trait]
impl Accounts for SqliteAccounts {
    async fn create(&self, account: &Account, first: &Profile) -> Result<bool> {
        let (mut account, mut first) = (account.clone(), first.clone());
        self.0
            .write(move |transaction| {
                let taken = transaction
                    .prepare_cached(
                        "SELECT 1 WHERE EXISTS (SELECT 1 FROM account WHERE email = ?1 OR id = ?2)
                             OR EXISTS (SELECT 1 FROM profile WHERE id = ?3)",
                    )?
                    .exists(params![account.email, account.id.as_str(), first.id.as_str()])?;
                if taken {
                    // An account that nobody can sign in to, gone before anyone has seen it: the same pages are
                    // written as for one that stays.
                    (account.id, first.id) = (AccountId::random(), ProfileId::random());
                    account.email = account.id.to_string();
                }
                insert_account(transaction, &account)?;
                insert_profile(transaction, account.id.as_str(), &first)?;
                if taken {
                    delete_account(transaction, account.id.as_str())?;
                }
                Ok(!taken)
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
                transaction.execute(
                    "INSERT OR IGNORE INTO departed SELECT id FROM profile WHERE account = ?1",
                    [&id],
                )?;
                let closed = delete_account(transaction, &id)?;
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
                insert_profile(transaction, &account, &profile)?;
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
        let (account, id) = (account.to_string(), id.to_string());
        self.0
            .write(move |transaction| {
                let query = "DELETE FROM profile WHERE account = ?1 AND id = ?2";
                let removed = transaction.execute(query, params![account, id])? == 1;
                if removed {
                    transaction.execute("INSERT OR IGNORE INTO departed VALUES (?1)", [id])?;
                }
                Ok(removed)
            })
            .await
    }

    async fn departed(&self, most: usize) -> Result<Vec<ProfileId>> {
        self.0
            .read(move |transaction| {
                let query = "SELECT profile FROM departed ORDER BY profile LIMIT ?1";
                let mut query = transaction.prepare_cached(query)?;
                query.query_map([most], |row| Ok(id(row, 0)))?.map(|profile| profile?).collect()
            })
            .await
    }

    async fn settle(&self, profile: &ProfileId) -> Result<()> {
        let profile = profile.to_string();
        self.0
            .write(move |transaction| {
                transaction.execute("DELETE FROM departed WHERE profile = ?1", [profile])?;
                Ok(())
            })
            .await
    }

    async fn ready(&self) -> Result<()> {
        self.0.ready().await
    }
}
