//! Access tokens: who signs in gets one from the role `auth`, every role can check one.
//!
//! They are JSON Web Tokens (RFC 7519) signed with Ed25519 (RFC 8037), short-lived, and say all that a role
//! needs to know of the caller. [`SigningKeys`] signs and rotates; [`Verifier`] knows the public keys alone.
//! What lets a player fetch media is another kind of token, [`cat`].

mod caller;
pub mod cat;
mod jws;
mod keys;
mod secrets;

pub use caller::{Admin, Adult, Caller, Viewer};
pub(crate) use caller::{Seen, bearer};
pub use keys::{KeySet, PublicKey, SigningKeys, Verifier};
pub use secrets::KeysError;

use crate::{
    clock::UnixTime,
    id::{AccountId, ProfileId, SessionId},
    web::text::Slug,
};
use serde::{Deserialize, Serialize};

/// Seconds an access token is valid.
pub const LIFETIME: u32 = 600;
/// Seconds that clocks of different machines may be apart.
pub const LEEWAY: u32 = 5;

/// What an access token says of the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: always `kinora`.
    pub iss: String,
    /// The account.
    pub sub: AccountId,
    /// The sign-in it came of.
    pub sid: SessionId,
    /// When it was issued.
    pub iat: UnixTime,
    /// From when on it is not valid.
    pub exp: UnixTime,
    /// Where the household is.
    pub region: String,
    /// Whether it may edit the catalogue.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub admin: bool,
    /// What the account pays for; the usual plan if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Slug>,
    /// The profile it acts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileClaim>,
}

/// What an access token says of the profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileClaim {
    /// Its id.
    pub id: ProfileId,
    /// Whether it is a child's.
    pub kids: bool,
    /// The highest age rating it may see.
    pub maturity_limit: u8,
    /// The language it prefers.
    pub language: String,
}

/// The issuer in every token.
pub const ISSUER: &str = "kinora";
