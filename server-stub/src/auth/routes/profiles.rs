//! The profiles of an account.

use super::sessions::Tokens;
use crate::{
    auth::Auth,
    id::ProfileId,
    storage::accounts::{Added, Profile},
    token::{Adult, Caller, LIFETIME},
    web::{
        extract::{Json, Path},
        problem::{Code, Document, Problem},
        text::{Language, Name},
        whole,
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The limit of a profile that may see everything.
pub(super) const UNLIMITED: u8 = 21;
/// The limit of a child's profile that names none, and the highest it may have.
const KIDS_USUAL: u8 = 7;
const KIDS_MOST: u8 = 12;

/// The profiles of the account
///
/// Any profile may ask, to offer a choice of who is watching.
#[utoipa::path(
    get, path = "/v1/profiles", tag = "auth", security(("bearer" = [])),
    responses(
        (status = 200, description = "The profiles, in the order they were added", body = [Profile]),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(auth): State<Auth>,
    Caller(claims): Caller,
) -> Result<axum::Json<Vec<Profile>>, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    Ok(axum::Json(auth.0.parts.accounts.profiles(&account.id).await?))
}

/// A profile to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewProfile {
    name: Name,
    /// Whether it is a child's.
    #[serde(default)]
    kids: bool,
    /// The highest age rating it may see, in years; 7 for a child's and 21 otherwise if it is not given, and
    /// at most 12 for a child's.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 21)]
    maturity_limit: Option<u8>,
    language: Language,
}

/// Add a profile
#[utoipa::path(
    post, path = "/v1/profiles", tag = "auth", security(("bearer" = [])),
    request_body = NewProfile,
    responses(
        (status = 201, description = "The new profile", body = Profile),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn add(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Json(request): Json<NewProfile>,
) -> Result<(StatusCode, axum::Json<Profile>), Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    let NewProfile { name, kids, maturity_limit, language } = request;
    let profile = Profile {
        id: ProfileId::random(),
        name: name.into(),
        kids,
        maturity_limit: limit(kids, maturity_limit)?,
        language: language.into(),
    };
    let most = auth.0.config.most_profiles;
    match auth.0.parts.accounts.add_profile(&account.id, &profile, most).await? {
        Added::Yes => Ok((StatusCode::CREATED, axum::Json(profile))),
        Added::Full => {
            let detail = format!("an account has at most {most} profiles");
            Err(Problem::new(Code::TooManyProfiles, detail))
        }
        Added::NoAccount => Err(Problem::new(Code::Unauthenticated, "the account was closed")),
    }
}

/// One profile
#[utoipa::path(
    get, path = "/v1/profiles/{profile}", tag = "auth", security(("bearer" = [])),
    params(("profile" = ProfileId, Path, description = "The profile")),
    responses(
        (status = 200, description = "The profile", body = Profile),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(auth): State<Auth>,
    Caller(claims): Caller,
    Path(id): Path<ProfileId>,
) -> Result<axum::Json<Profile>, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    let profile = auth.0.parts.accounts.profile(&account.id, &id).await?;
    profile.map(axum::Json).ok_or_else(|| Problem::not_found("profile"))
}

/// What is to change of a profile; what is not named stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileChange {
    #[serde(default)]
    name: Option<Name>,
    #[serde(default)]
    kids: Option<bool>,
    /// At most 12 for a child's profile.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 21)]
    maturity_limit: Option<u8>,
    #[serde(default)]
    language: Option<Language>,
}

/// Change a profile
///
/// Access tokens that act as it say what was true before, for ten minutes at most.
#[utoipa::path(
    patch, path = "/v1/profiles/{profile}", tag = "auth", security(("bearer" = [])),
    params(("profile" = ProfileId, Path, description = "The profile")),
    request_body = ProfileChange,
    responses(
        (status = 200, description = "The profile as it is now", body = Profile),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn change(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Path(id): Path<ProfileId>,
    Json(request): Json<ProfileChange>,
) -> Result<axum::Json<Profile>, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    let accounts = &auth.0.parts.accounts;
    let profile = accounts.profile(&account.id, &id).await?;
    let mut profile = profile.ok_or_else(|| Problem::not_found("profile"))?;
    let kids = request.kids.unwrap_or(profile.kids);
    let kept = (kids == profile.kids).then_some(profile.maturity_limit);
    profile.maturity_limit = limit(kids, request.maturity_limit.or(kept))?;
    profile.kids = kids;
    profile.name = request.name.map_or(profile.name, Into::into);
    profile.language = request.language.map_or(profile.language, Into::into);
    if !accounts.update_profile(&account.id, &profile).await? {
        return Err(Problem::not_found("profile"));
    }
    Ok(axum::Json(profile))
}

/// Remove a profile, with all it did
///
/// Nothing is learnt any more from events that it told.
#[utoipa::path(
    delete, path = "/v1/profiles/{profile}", tag = "auth", security(("bearer" = [])),
    params(("profile" = ProfileId, Path, description = "The profile")),
    responses(
        (status = 204, description = "Removed"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn remove(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Path(id): Path<ProfileId>,
) -> Result<StatusCode, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    if !auth.0.parts.accounts.remove_profile(&account.id, &id).await? {
        return Err(Problem::not_found("profile"));
    }
    crate::crash::point("auth/removed");
    auth.0.forget(&[id]).await;
    Ok(StatusCode::NO_CONTENT)
}

/// An access token that acts as a profile.
#[derive(Serialize, ToSchema)]
pub(super) struct Selected {
    /// Sent with each request, as `Authorization: Bearer`.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until it is not valid any more.
    expires_in: u32,
    /// The profile.
    profile_id: ProfileId,
}

/// Act as a profile
///
/// The device keeps to it: refreshing gives tokens of the same profile.
#[utoipa::path(
    post, path = "/v1/profiles/{profile}/select", tag = "auth", security(("bearer" = [])),
    params(("profile" = ProfileId, Path, description = "The profile")),
    responses(
        (status = 200, description = "An access token that acts as the profile", body = Selected),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn select(
    State(auth): State<Auth>,
    Caller(claims): Caller,
    Path(id): Path<ProfileId>,
) -> Result<axum::Json<Selected>, Problem> {
    let (account, mut sign_in) = auth.0.live(&claims).await?;
    if auth.0.parts.accounts.profile(&account.id, &id).await?.is_none() {
        return Err(Problem::not_found("profile"));
    }
    if !auth.0.families.select(&sign_in.id, &id, auth.0.parts.clock.now()).await? {
        return Err(Problem::new(Code::Unauthenticated, "this sign-in has ended"));
    }
    sign_in.profile = Some(id);
    match auth.0.access_token(&account, &sign_in).await? {
        (access_token, Some(profile)) => Ok(axum::Json(Selected {
            access_token,
            token_type: Tokens::TYPE,
            expires_in: LIFETIME,
            profile_id: profile.id,
        })),
        (_, None) => Err(Problem::not_found("profile")),
    }
}

fn limit(kids: bool, asked: Option<u8>) -> Result<u8, Problem> {
    let (usual, most) = if kids { (KIDS_USUAL, KIDS_MOST) } else { (UNLIMITED, UNLIMITED) };
    let limit = asked.unwrap_or(usual);
    if limit > UNLIMITED {
        let detail = format!("a limit is at most {UNLIMITED}");
        return Err(Problem::value("/maturity_limit", detail));
    }
    if limit > most {
        let detail = format!("the limit of a child's profile is at most {most}");
        let pointer = Some("/maturity_limit".to_owned());
        return Err(Problem { pointer, ..Problem::new(Code::Conflict, detail) });
    }
    Ok(limit)
}
