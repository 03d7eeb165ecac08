//! The role `auth`: accounts and their profiles, signing in and out, tokens.
//!
//! Access tokens live ten minutes and are checked by every role alone ([`crate::token`]); refresh tokens are
//! opaque and used once ([`families`]); screens without a keyboard sign in with a code ([`devices`]).

mod argon;
pub mod config;
pub mod devices;
pub mod families;
mod passwords;
mod routes;

pub use config::Config;

use crate::{
    clock::Clock,
    crash,
    id::ProfileId,
    storage::{self, Accounts, History, Sessions, accounts::Account},
    token::{Claims, ISSUER, LIFETIME, ProfileClaim, SigningKeys, Verifier},
    web::{
        limit::{Rate, RateLimit},
        metrics::Metrics,
        problem::{Code, Problem},
    },
};
use axum::extract::FromRef;
use devices::Devices;
use families::{Families, SignIn};
use passwords::{Busy, Passwords};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// Accounts and profiles.
    pub accounts: Arc<dyn Accounts>,
    /// Refresh tokens and device codes.
    pub sessions: Arc<dyn Sessions>,
    /// What profiles did, which goes with them.
    pub history: Arc<dyn History>,
    /// What signs access tokens.
    pub keys: Arc<SigningKeys>,
    /// What checks them.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
}

/// The role.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    parts: Parts,
    families: Families,
    devices: Devices,
    passwords: Arc<Passwords>,
    limits: Limits,
    config: Config,
    sign_ins: Family<Outcome, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

struct Limits {
    sign_ins_by_address: RateLimit,
    sign_ins_by_pair: RateLimit,
    sign_ins_by_account: RateLimit,
    sign_ups_by_address: RateLimit,
    device_codes_by_address: RateLimit,
    user_codes_by_account: RateLimit,
    changes_by_address: RateLimit,
}

impl Auth {
    /// The role over its parts.
    ///
    /// # Errors
    /// When the configured cost of a hash is not one that Argon2 takes; the text says why.
    pub fn new(parts: Parts, config: Config, metrics: &Metrics) -> Result<Self, String> {
        let limit = |rate: Rate| RateLimit::new(rate);
        let inner = Inner {
            families: Families::new(parts.sessions.clone()),
            devices: Devices::new(parts.sessions.clone()),
            passwords: Arc::new(Passwords::new(&config.hash)?),
            limits: Limits {
                sign_ins_by_address: limit(config.sign_ins_by_address),
                sign_ins_by_pair: limit(config.sign_ins_by_pair),
                sign_ins_by_account: limit(config.sign_ins_by_account),
                sign_ups_by_address: limit(config.sign_ups_by_address),
                device_codes_by_address: limit(config.device_codes_by_address),
                user_codes_by_account: limit(config.user_codes_by_account),
                changes_by_address: limit(config.changes_by_address),
            },
            sign_ins: Family::default(),
            parts,
            config,
        };
        metrics.register(|registry| {
            registry.register("sign_ins", "Sign-ins by result", inner.sign_ins.clone());
            let passwords = &inner.passwords;
            registry.register("passwords_hashed", "Password hashes made", passwords.hashed.clone());
            registry.register(
                "passwords_queued",
                "Requests waiting for a password hash",
                passwords.queued.clone(),
            );
        });
        Ok(Self(Arc::new(inner)))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }

    /// Has what departed profiles did forgotten, where the request that removed them did not come to it: the process
    /// ended, or the storage failed.
    pub async fn settle(&self) {
        match self.0.parts.accounts.departed(1000).await {
            Ok(departed) => self.0.forget(&departed).await,
            Err(error) => tracing::warn!(%error, "departed profiles"),
        }
    }

    /// Does what is due now and then: rotates keys, frees what has expired, settles what was left.
    pub async fn tidy(&self) {
        self.settle().await;
        let this = self.0.clone();
        let maintained = tokio::task::spawn_blocking(move || this.parts.keys.maintain()).await;
        if let Ok(Err(error)) = maintained {
            tracing::error!(%error, "signing keys");
        }
        match self.0.parts.sessions.sweep(self.0.parts.clock.now(), 10_000).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "expired records"),
            Err(error) => tracing::warn!(%error, "sweeping"),
        }
    }
}

/// A password's hash, as an account keeps it.
///
/// # Errors
/// When the cost is not one that Argon2 takes; the text says why.
pub async fn password_hash(password: &str, cost: &config::HashCost) -> Result<String, String> {
    let passwords = Arc::new(Passwords::new(cost)?);
    passwords.hash(password).await.map_err(|_| "there is no time to hash it".to_owned())
}

impl FromRef<Auth> for Verifier {
    fn from_ref(auth: &Auth) -> Self {
        auth.0.parts.verifier.clone()
    }
}

impl Inner {
    /// Forgets what departed profiles did. They are gone whether or not this succeeds; what fails is tried again by
    /// [`Auth::settle`].
    async fn forget(&self, departed: &[ProfileId]) {
        let Parts { accounts, history, clock, .. } = &self.parts;
        for profile in departed {
            let forgotten = async {
                history.forget(profile, clock.now()).await?;
                crash::point("auth/forgotten");
                accounts.settle(profile).await
            };
            if let Err(error) = forgotten.await {
                tracing::warn!(%error, %profile, "what a departed profile did is still there");
                return;
            }
        }
    }

    /// An access token for a sign-in, acting as its profile if that still exists.
    async fn access_token(
        &self,
        account: &Account,
        sign_in: &SignIn,
    ) -> storage::Result<(String, Option<ProfileClaim>)> {
        let profile = match &sign_in.profile {
            Some(profile) => self.parts.accounts.profile(&account.id, profile).await?,
            None => None,
        };
        let profile = profile.map(|profile| ProfileClaim {
            id: profile.id,
            kids: profile.kids,
            maturity_limit: profile.maturity_limit,
            language: profile.language,
        });
        let now = self.parts.clock.now();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            sub: account.id.clone(),
            sid: sign_in.id.clone(),
            iat: now,
            exp: now.plus(LIFETIME),
            region: account.region.clone(),
            // A child at the administrator's screen edits nothing.
            admin: account.admin && !profile.as_ref().is_some_and(|profile| profile.kids),
            plan: account.plan.clone(),
            profile: profile.clone(),
        };
        Ok((self.parts.keys.sign(&claims), profile))
    }

    /// The account and the sign-in behind an access token, if that has not ended since the token was issued.
    async fn live(&self, claims: &Claims) -> Result<(Account, SignIn), Problem> {
        let now = self.parts.clock.now();
        let account = self.parts.accounts.account(&claims.sub).await?;
        let sign_in = self.families.find(&claims.sid, now).await?;
        match (account, sign_in) {
            (Some(account), Some(sign_in))
                if sign_in.account == account.id && sign_in.epoch == account.epoch =>
            {
                Ok((account, sign_in))
            }
            _ => Err(Problem::new(Code::Unauthenticated, "this sign-in has ended")),
        }
    }
}

/// Takes one use of a limit.
fn limited(limit: &RateLimit, key: &str, clock: &Clock) -> Result<(), Problem> {
    limit.take(key, clock.now()).map_err(|seconds| {
        Problem::new(Code::TooManyRequests, "too often; `Retry-After` says when to try again")
            .retry_after(seconds)
    })
}

impl From<Busy> for Problem {
    fn from(_: Busy) -> Self {
        Self::new(Code::Unavailable, "too many sign-ins at once").retry_after(2)
    }
}
