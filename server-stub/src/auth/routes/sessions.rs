//! Signing in and out, and refreshing.

use crate::{
    auth::{
        Auth, Outcome,
        families::{Refreshed, SignIn},
        limited,
    },
    clock::UnixTime,
    id::ProfileId,
    storage::accounts::Account,
    token::{Caller, LIFETIME},
    web::{
        Source,
        extract::Json,
        problem::{Code, Document, Problem},
        text::{Email, Name, Password},
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a device signs in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    email: Email,
    password: Password,
    /// What its owner would call the device.
    #[serde(default)]
    device_name: Option<Name>,
}

/// The tokens of a device that is signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    /// Sent with each request, as `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token is not valid any more.
    expires_in: u32,
    /// Taken for new tokens once, by POST /v1/sessions/refresh.
    refresh_token: String,
    /// Seconds until the refresh token is not valid any more.
    refresh_expires_in: u64,
    /// The profile that the access token acts as.
    profile_id: Option<ProfileId>,
}

impl Tokens {
    pub(super) const TYPE: &str = "Bearer";

    pub(super) async fn of(
        auth: &Auth,
        account: &Account,
        sign_in: &SignIn,
        (refresh_token, expires): (String, UnixTime),
    ) -> Result<axum::Json<Self>, Problem> {
        let (access_token, profile) = auth.0.access_token(account, sign_in).await?;
        Ok(axum::Json(Self {
            access_token,
            token_type: Self::TYPE,
            expires_in: LIFETIME,
            refresh_token,
            refresh_expires_in: expires.since(auth.0.parts.clock.now()),
            profile_id: profile.map(|profile| profile.id),
        }))
    }

    /// Begins a sign-in to an account.
    pub(super) async fn begin(
        auth: &Auth,
        account: &Account,
        device: String,
    ) -> Result<axum::Json<Self>, Problem> {
        let (epoch, now) = (account.epoch, auth.0.parts.clock.now());
        let (id, token, expires) =
            auth.0.families.begin(account.id.clone(), epoch, device, now).await?;
        let sign_in = SignIn { id, account: account.id.clone(), epoch, profile: None };
        tracing::info!(account = %account.id, session = %sign_in.id, "signed in");
        Self::of(auth, account, &sign_in, (token, expires)).await
    }
}

/// Sign in
///
/// A wrong password and an address without an account get the same answer after the same work.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "auth",
    request_body = Credentials,
    responses(
        (status = 200, description = "Signed in", body = Tokens),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn sign_in(
    State(auth): State<Auth>,
    source: Source,
    Json(request): Json<Credentials>,
) -> Result<axum::Json<Tokens>, Problem> {
    let (inner, parts) = (&auth.0, &auth.0.parts);
    let count = |result| {
        inner.sign_ins.get_or_create(&Outcome { result }).inc();
    };
    let email = request.email.normalised();
    let pair = format!("{} {email}", source.0);
    let limits = [
        (&inner.limits.sign_ins_by_address, source.0.as_str()),
        (&inner.limits.sign_ins_by_pair, pair.as_str()),
        (&inner.limits.sign_ins_by_account, email.as_str()),
    ];
    for (limit, key) in limits {
        limited(limit, key, &parts.clock).inspect_err(|_| count("limited"))?;
    }
    let account = parts.accounts.by_email(&email).await?;
    let hash = account.as_ref().map(|account| account.password_hash.as_str());
    let fits = inner.passwords.verify(request.password.expose(), hash).await;
    let fits = fits.inspect_err(|_| count("busy"))?;
    let Some(account) = account.filter(|_| fits) else {
        count("refused");
        return Err(Problem::new(Code::WrongCredentials, "the address or the password is wrong"));
    };
    for (limit, key) in limits {
        limit.give_back(key);
    }
    count("accepted");
    let device = request.device_name.map_or_else(|| "unnamed".to_owned(), Into::into);
    Tokens::begin(&auth, &account, device).await
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Refresh {
    #[schema(max_length = 256)]
    refresh_token: String,
}

/// Take a refresh token for new tokens
///
/// A refresh token is good once. Whoever lost the answer may send the same one again within twenty seconds and
/// gets the same successor; later, or once the successor was used, it ends the sign-in on all that hold it.
#[utoipa::path(
    post, path = "/v1/sessions/refresh", tag = "auth",
    request_body = Refresh,
    responses(
        (status = 200, description = "New tokens", body = Tokens),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn refresh(
    State(auth): State<Auth>,
    source: Source,
    Json(request): Json<Refresh>,
) -> Result<axum::Json<Tokens>, Problem> {
    let parts = &auth.0.parts;
    let now = parts.clock.now();
    limited(&auth.0.limits.changes_by_address, &source.0, &parts.clock)?;
    let invalid = || Problem::new(Code::RefreshTokenInvalid, "sign in again");
    match auth.0.families.refresh(&request.refresh_token, now).await? {
        Refreshed::Next(sign_in, token, expires) => {
            let account = parts.accounts.account(&sign_in.account).await?;
            let Some(account) = account.filter(|account| account.epoch == sign_in.epoch) else {
                auth.0.families.end(&sign_in.id, now).await?;
                return Err(invalid());
            };
            Tokens::of(&auth, &account, &sign_in, (token, expires)).await
        }
        Refreshed::Reused(sign_in) => {
            tracing::warn!(account = %sign_in.account, session = %sign_in.id, "refresh token reused");
            let detail = "it was used before: this sign-in has ended everywhere; sign in again";
            Err(Problem::new(Code::RefreshTokenReused, detail))
        }
        Refreshed::Unknown => Err(invalid()),
    }
}

/// Sign this device out
///
/// Its refresh token ends now; an access token it still has is not taken by this role any more, and by others
/// for ten minutes at most.
#[utoipa::path(
    delete, path = "/v1/sessions/current", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 204, description = "Signed out"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn sign_out(
    State(auth): State<Auth>,
    Caller(claims): Caller,
) -> Result<StatusCode, Problem> {
    let (_, sign_in) = auth.0.live(&claims).await?;
    auth.0.families.end(&sign_in.id, auth.0.parts.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign every device of the account out
#[utoipa::path(
    delete, path = "/v1/sessions", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 204, description = "Signed out"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn sign_out_everywhere(
    State(auth): State<Auth>,
    Caller(claims): Caller,
) -> Result<StatusCode, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    auth.0.parts.accounts.end_sessions(&account.id).await?;
    tracing::info!(account = %account.id, "signed out everywhere");
    Ok(StatusCode::NO_CONTENT)
}
