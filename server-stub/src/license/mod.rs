//! The role `license`: gives whoever plays something the keys of that, and of nothing else.
//!
//! A licence is bound to a playback: the caller's own device holds the stream ([`Streams`]), keys are those of what
//! it plays, and of the quality tiers that its key system may have. When the playback ends, a request that was
//! recorded is worth nothing; while it lasts, licences are counted and their rate is limited.
//!
//! [`backend`] is what makes a licence: [`clearkey`] from the [vault](crate::vault), or a [`proxy`] that asks a
//! vendor's server. ClearKey (W3C EME, 9.1) hands keys to the page: it is a key exchange for development and light
//! protection, not a DRM.

pub mod backend;
pub mod clearkey;
pub mod proxy;
mod routes;

use crate::{
    clock::Clock,
    plans::Plans,
    playback::{
        hooks::{Begun, Licences},
        streams::{Lease, Streams},
    },
    storage::{
        self, Sessions,
        sessions::{Expected, Versioned},
    },
    token::{Claims, Verifier},
    vault::{Key, Tier, Vault},
    web::{
        limit::{Rate, RateLimit},
        problem::{Code, Problem},
        text::Link,
    },
};
use async_trait::async_trait;
use axum::extract::FromRef;
use backend::{LicenseBackend, System};
use std::{collections::BTreeMap, sync::Arc};
use utoipa_axum::router::OpenApiRouter;

/// Licences that a device may ask for at once, and one more each so many seconds.
const RATE: Rate = Rate { burst: 30, seconds_each: 2 };
/// Licences of one playback: a key set for each of a few tracks, renewed for hours.
const MOST_OF_A_PLAYBACK: u32 = 500;
/// How long their number is remembered after the last one.
const REMEMBERED: u32 = 86_400;

/// What the role works with.
pub struct Parts {
    /// The keys.
    pub vault: Vault,
    /// The leases of playbacks, and counts of licences.
    pub sessions: Arc<dyn Sessions>,
    /// What checks access tokens.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
    /// What the limits on rates are multiplied by.
    pub rate_limit_factor: u32,
    /// What accounts pay for.
    pub plans: Plans,
    /// What makes licences, and the best quality that each gives keys of.
    pub backends: BTreeMap<System, (Arc<dyn LicenseBackend>, Tier)>,
}

/// The role.
#[derive(Clone)]
pub struct License(Arc<Inner>);

struct Inner {
    parts: Parts,
    streams: Streams,
    rate: RateLimit,
}

impl License {
    /// The role over its parts.
    pub fn new(parts: Parts) -> Self {
        let streams = Streams::new(parts.sessions.clone());
        let burst = RATE.burst.saturating_mul(parts.rate_limit_factor.max(1));
        let rate = RateLimit::new(Rate { burst, ..RATE });
        Self(Arc::new(Inner { parts, streams, rate }))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }

    /// Takes one use of the caller's device.
    fn limit(&self, claims: &Claims) -> Result<(), Problem> {
        let now = self.0.parts.clock.now();
        self.0.rate.take(claims.sid.as_str(), now).map_err(|seconds| {
            Problem::new(Code::TooManyRequests, "this device asks for too many licences")
                .retry_after(seconds)
        })
    }

    /// The playbacks of the caller's device: one at most.
    async fn playing(&self, claims: &Claims) -> Result<Option<Lease>, Problem> {
        let leases = self.0.streams.all(&claims.sub, self.0.parts.clock.now()).await?;
        Ok(leases.into_iter().find(|lease| lease.session == claims.sid))
    }

    /// Counts one more licence of a playback.
    async fn count(&self, lease: &Lease) -> Result<(), Problem> {
        let (sessions, now) = (&self.0.parts.sessions, self.0.parts.clock.now());
        let key = format!("licenses/{}", lease.id);
        loop {
            let (expected, count) = match sessions.read(&key, now).await? {
                None => (Expected::Absent, 0),
                Some(Versioned { version, value }) => {
                    let count = value.try_into().map(u32::from_be_bytes).map_err(|_| {
                        storage::Error::Damaged {
                            what: "count of licences",
                            reason: "it is not four bytes".to_owned(),
                        }
                    })?;
                    (Expected::Version(version), count)
                }
            };
            if count >= MOST_OF_A_PLAYBACK {
                let detail = "this playback had all the licences it may have; begin again";
                return Err(Problem::new(Code::TooManyRequests, detail).retry_after(60));
            }
            let value = (count + 1).to_be_bytes();
            let expires = now.plus(REMEMBERED);
            if sessions.write(&key, expected, &value, expires, now).await?.is_some() {
                return Ok(());
            }
        }
    }
}

/// Whether a playback may have a key: it is of what plays, and of no better quality than `most`.
fn entitled(key: &Key, lease: &Lease, most: Tier) -> bool {
    key.item.as_deref() == Some(lease.item.as_str()) && key.tier <= most
}

impl FromRef<License> for Verifier {
    fn from_ref(license: &License) -> Self {
        license.0.parts.verifier.clone()
    }
}

/// Tells a playback where its licences are.
pub struct LicenseUrls {
    /// The keys.
    pub vault: Vault,
    /// Where the role answers, for players; nothing when that is where the role `playback` does.
    pub base: String,
}

#[async_trait]
impl Licences for LicenseUrls {
    async fn url(&self, begun: &Begun) -> Option<Link> {
        match self.vault.protects(begun.item.as_str()).await {
            Ok(false) => None,
            Ok(true) => {
                let url = format!("{}/v1/license/{}/clearkey", self.base, begun.playback);
                Link::try_from(url).ok()
            }
            Err(error) => {
                tracing::error!(%error, "whether it is protected");
                None
            }
        }
    }
}
