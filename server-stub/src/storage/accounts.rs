//! Accounts and the profiles in them.

use super::Result;
use crate::{
    clock::UnixTime,
    id::{AccountId, ProfileId},
    web::text::Slug,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who pays, and signs in.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name inside the service.
    pub id: AccountId,
    /// The address it signs in with, in the form that is compared.
    pub email: String,
    /// The password's hash, as a PHC string.
    pub password_hash: String,
    /// Where the household is: ISO 3166-1 alpha-2, upper case.
    pub region: String,
    /// Whether it may edit the catalogue.
    pub admin: bool,
    /// What it pays for, by name; the usual plan if there is none.
    pub plan: Option<Slug>,
    /// Sessions opened under an earlier epoch have ended.
    pub epoch: u32,
    /// When it was opened.
    pub created_at: UnixTime,
}

/// The hash stays out of logs.
impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One viewer of a household.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// Its name inside the service.
    pub id: ProfileId,
    /// What the household calls it.
    pub name: String,
    /// Whether it is a child's: it can never see beyond its limit, nor change it.
    pub kids: bool,
    /// The highest age rating it may see, in years.
    #[schema(minimum = 0, maximum = 21)]
    pub maturity_limit: u8,
    /// The language it prefers, as a BCP 47 tag.
    pub language: String,
}

/// What came of adding a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Yes,
    /// The account has as many as it may.
    Full,
    /// There is no such account.
    NoAccount,
}

/// Accounts and profiles.
///
/// Every call on a profile names its account: a profile of another account is one that does not exist.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Opens an account with its first profile; false, and nothing is changed, when its address or an id is taken.
    /// As much is written either way: how long it takes tells nobody whether an address has an account.
    async fn create(&self, account: &Account, first: &Profile) -> Result<bool>;
    /// The account that signs in with an address.
    async fn by_email(&self, email: &str) -> Result<Option<Account>>;
    /// The account of that id.
    async fn account(&self, id: &AccountId) -> Result<Option<Account>>;
    /// Replaces the password's hash and begins a new epoch; false when there is no such account.
    async fn set_password(&self, id: &AccountId, hash: &str) -> Result<bool>;
    /// Begins a new epoch; false when there is no such account.
    async fn end_sessions(&self, id: &AccountId) -> Result<bool>;
    /// Lets an account edit the catalogue, or no longer; false when there is no such account.
    async fn set_admin(&self, id: &AccountId, admin: bool) -> Result<bool>;
    /// Gives an account a plan, or the usual one; false when there is no such account.
    async fn set_plan(&self, id: &AccountId, plan: Option<&Slug>) -> Result<bool>;
    /// Closes an account with all its profiles, which have departed then, and which it returns; none when there is
    /// no such account.
    async fn close(&self, id: &AccountId) -> Result<Option<Vec<ProfileId>>>;

    /// The account's profiles, in the order they were added.
    async fn profiles(&self, account: &AccountId) -> Result<Vec<Profile>>;
    /// One of the account's profiles.
    async fn profile(&self, account: &AccountId, id: &ProfileId) -> Result<Option<Profile>>;
    /// Adds a profile unless the account has `most` already, however many do so at once.
    async fn add_profile(
        &self,
        account: &AccountId,
        profile: &Profile,
        most: usize,
    ) -> Result<Added>;
    /// Replaces the profile of that id; false when the account has none.
    async fn update_profile(&self, account: &AccountId, profile: &Profile) -> Result<bool>;
    /// Removes a profile, which has departed then; false when the account has none of that id.
    async fn remove_profile(&self, account: &AccountId, id: &ProfileId) -> Result<bool>;

    /// At most `most` profiles that have departed and are not settled: what they did may still be somewhere.
    async fn departed(&self, most: usize) -> Result<Vec<ProfileId>>;
    /// Takes note that nothing is left of what a departed profile did.
    async fn settle(&self, profile: &ProfileId) -> Result<()>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}
