//! Who asks, as the extractors that handlers name.

use super::{Claims, ProfileClaim, Verifier};
use crate::web::problem::{Code, Problem};
use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};

/// What the access token of a request says, which the gateway of this process has checked; in the request's
/// extensions, where no client can put anything.
#[derive(Debug, Clone)]
pub(crate) struct Seen(pub(crate) Claims);

/// Whoever holds a valid access token.
#[derive(Debug, Clone)]
pub struct Caller(pub Claims);

/// One that acts as a profile.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// All that the token says.
    pub claims: Claims,
    /// The profile.
    pub profile: ProfileClaim,
}

/// One that is not a child's profile.
#[derive(Debug, Clone)]
pub struct Adult(pub Claims);

/// One that may edit the catalogue.
#[derive(Debug, Clone)]
pub struct Admin(pub Claims);

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(claims) = Caller::from_request_parts(parts, state).await?;
        if !claims.admin {
            return Err(Problem::new(Code::Forbidden, "only an administrator can do this"));
        }
        Ok(Self(claims))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if let Some(Seen(claims)) = parts.extensions.get::<Seen>() {
            return Ok(Self(claims.clone()));
        }
        Self::of(&Verifier::from_ref(state), bearer(&parts.headers)).await
    }
}

impl Caller {
    /// Who holds a token.
    pub(crate) async fn of(verifier: &Verifier, token: Option<&str>) -> Result<Self, Problem> {
        let refuse = |detail| Problem::new(Code::Unauthenticated, detail);
        let token =
            token.ok_or_else(|| refuse("send `Authorization: Bearer` with an access token"))?;
        let claims = verifier.verify(token).await;
        claims.map(Self).ok_or_else(|| refuse("the access token is not valid, or no longer"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer
where
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Self::new(Caller::from_request_parts(parts, state).await?)
    }
}

impl Viewer {
    /// Who holds a token, as a profile.
    pub(crate) async fn of(verifier: &Verifier, token: Option<&str>) -> Result<Self, Problem> {
        Self::new(Caller::of(verifier, token).await?)
    }

    fn new(Caller(claims): Caller) -> Result<Self, Problem> {
        match claims.profile.clone() {
            Some(profile) => Ok(Self { claims, profile }),
            None => {
                let detail = "ask POST /v1/profiles/{profile}/select for a token of a profile";
                Err(Problem::new(Code::ProfileRequired, detail))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Adult
where
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(claims) = Caller::from_request_parts(parts, state).await?;
        if claims.profile.as_ref().is_some_and(|profile| profile.kids) {
            return Err(Problem::new(Code::Forbidden, "a child's profile cannot do this"));
        }
        Ok(Self(claims))
    }
}

/// The token of an `Authorization` header (RFC 6750, 2.1). Two headers are none.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, more) = (values.next()?, values.next());
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    (more.is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim())
}
