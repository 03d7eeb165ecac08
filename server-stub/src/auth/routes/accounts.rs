//! Opening, showing and closing accounts.

use crate::{
    auth::{Auth, limited},
    id::AccountId,
    storage::accounts::{Account, Profile},
    token::Adult,
    web::{
        Source,
        extract::Json,
        problem::{Code, Document, Problem},
        text::{Email, Language, Name, Password, Region, Slug},
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is opened with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignUp {
    email: Email,
    password: Password,
    /// Where the household is.
    region: Region,
    /// What the first profile is called.
    profile_name: Name,
    /// The language of the first profile.
    language: Language,
}

/// Open an account
///
/// The answer is the same whether the address has an account already or not, so that nobody can ask who has
/// one; sign in to find out. The account gets a first profile, without a maturity limit.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "auth",
    request_body = SignUp,
    responses(
        (status = 202, description = "Taken in"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn sign_up(
    State(auth): State<Auth>,
    source: Source,
    Json(request): Json<SignUp>,
) -> Result<StatusCode, Problem> {
    let parts = &auth.0.parts;
    acceptable(&request.password, "/password")?;
    limited(&auth.0.limits.sign_ups_by_address, &source.0, &parts.clock)?;
    // Hashed before anything is looked up: it takes as long for an address that is taken.
    let password_hash = auth.0.passwords.hash(request.password.expose()).await?;
    let account = Account {
        id: AccountId::random(),
        email: request.email.normalised(),
        password_hash,
        region: request.region.into(),
        admin: false,
        plan: None,
        epoch: 0,
        created_at: parts.clock.now(),
    };
    let profile = Profile {
        id: crate::id::ProfileId::random(),
        name: request.profile_name.into(),
        kids: false,
        maturity_limit: super::profiles::UNLIMITED,
        language: request.language.into(),
    };
    if parts.accounts.create(&account, &profile).await? {
        tracing::info!(account = %account.id, "account opened");
    }
    Ok(StatusCode::ACCEPTED)
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountPage {
    id: AccountId,
    email: String,
    region: String,
    admin: bool,
    /// What it pays for; the usual plan if there is none.
    plan: Option<Slug>,
    /// When it was opened, in seconds since 1970.
    created_at: i64,
}

/// The account that is signed in
#[utoipa::path(
    get, path = "/v1/account", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The account", body = AccountPage),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(auth): State<Auth>,
    Adult(claims): Adult,
) -> Result<axum::Json<AccountPage>, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    let Account { id, email, region, admin, plan, created_at, .. } = account;
    Ok(axum::Json(AccountPage { id, email, region, admin, plan, created_at: created_at.0 }))
}

/// A password and the one that takes its place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePassword {
    current: Password,
    new: Password,
}

/// Change the password and sign out everywhere
#[utoipa::path(
    post, path = "/v1/account/password", tag = "auth", security(("bearer" = [])),
    request_body = ChangePassword,
    responses(
        (status = 204, description = "Changed; every device has to sign in again"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn change_password(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Json(request): Json<ChangePassword>,
) -> Result<StatusCode, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    acceptable(&request.new, "/new")?;
    confirm(&auth, &account, &request.current).await?;
    let hash = auth.0.passwords.hash(request.new.expose()).await?;
    auth.0.parts.accounts.set_password(&account.id, &hash).await?;
    tracing::info!(account = %account.id, "password changed");
    Ok(StatusCode::NO_CONTENT)
}

/// Proof that it is the owner who asks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Close {
    password: Password,
}

/// Close the account, with its profiles and all they did
///
/// Nothing is learnt any more from events that its profiles told.
#[utoipa::path(
    post, path = "/v1/account/close", tag = "auth", security(("bearer" = [])),
    request_body = Close,
    responses(
        (status = 204, description = "Closed"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn close(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Json(request): Json<Close>,
) -> Result<StatusCode, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    confirm(&auth, &account, &request.password).await?;
    let profiles = auth.0.parts.accounts.close(&account.id).await?;
    tracing::info!(account = %account.id, "account closed");
    crate::crash::point("auth/closed");
    auth.0.forget(&profiles.unwrap_or_default()).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Has the owner prove that it is them. As many tries as signing in has.
async fn confirm(auth: &Auth, account: &Account, password: &Password) -> Result<(), Problem> {
    let limits = &auth.0.limits;
    limited(&limits.sign_ins_by_pair, account.id.as_str(), &auth.0.parts.clock)?;
    if !auth.0.passwords.verify(password.expose(), Some(&account.password_hash)).await? {
        return Err(Problem::new(Code::WrongCredentials, "the password is wrong"));
    }
    limits.sign_ins_by_pair.give_back(account.id.as_str());
    Ok(())
}

/// Whether a password may be chosen; `pointer` is where it is in the body.
fn acceptable(password: &Password, pointer: &str) -> Result<(), Problem> {
    if password.is_acceptable() {
        return Ok(());
    }
    Err(Problem::value(pointer, "a password has 8 to 128 characters"))
}
