//! The role `events`: what players and pages saw happen, kept for good.
//!
//! ```text
//! POST /v1/events ─→ checked one by one ─→ EventLog ─→ History (positions) ─→ metrics ─→ verdicts
//! ```
//!
//! Clients send each event until they are told a verdict, so it may come twice, or to another process, or after a
//! crash; the log keeps it once, by the name that the client gave it. A verdict is given when the event is on the
//! disk and the position it tells of is, too.

pub mod event;
mod quality;
pub mod record;
mod routes;

use crate::{
    clock::Clock,
    storage::{Catalogue, EventLog, History, event_log::Retention},
    token::Verifier,
    web::{
        limit::{Rate, RateLimit},
        metrics::Metrics,
    },
};
use axum::extract::FromRef;
use quality::Quality;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// What the role works with.
pub struct Parts {
    /// Where events go.
    pub log: Arc<dyn EventLog>,
    /// The titles.
    pub catalogue: Arc<dyn Catalogue>,
    /// Where profiles stopped.
    pub history: Arc<dyn History>,
    /// What checks access tokens.
    pub verifier: Verifier,
    /// The time.
    pub clock: Clock,
}

/// How the role behaves.
#[derive(Debug, Clone, Copy)]
pub struct Config {
    /// Batches of one device.
    pub batches: Rate,
    /// Days that events are kept.
    pub keep_days: u32,
    /// Bytes of events that are kept, the latest.
    pub keep_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        // A player sends twice a minute, and what it could not send before all at once.
        Self { batches: Rate { burst: 60, seconds_each: 5 }, keep_days: 400, keep_bytes: 8 << 30 }
    }
}

impl Config {
    /// The same with every limit on rates so many times as high.
    #[must_use]
    pub fn limits_times(mut self, factor: u32) -> Self {
        self.batches.burst = self.batches.burst.saturating_mul(factor);
        self
    }
}

/// The role.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    parts: Parts,
    config: Config,
    batches: RateLimit,
    quality: Quality,
}

impl Events {
    /// The role over its parts.
    pub fn new(parts: Parts, config: Config, metrics: &Metrics) -> Self {
        let batches = RateLimit::new(config.batches);
        Self(Arc::new(Inner { parts, config, batches, quality: Quality::new(metrics) }))
    }

    /// Its routes.
    pub fn routes(self) -> OpenApiRouter {
        routes::all().with_state(self)
    }

    /// Lets events go that are kept long enough; to be called now and then.
    pub async fn tidy(&self) {
        let Config { keep_days, keep_bytes, .. } = self.0.config;
        let mut from = self.0.parts.clock.now();
        from.0 = from.0.saturating_sub(i64::from(keep_days) * 86_400);
        let retention = Retention { bytes: keep_bytes, from };
        if let Err(error) = self.0.parts.log.retain(retention).await {
            tracing::error!(%error, "old events");
        }
    }
}

impl FromRef<Events> for Verifier {
    fn from_ref(events: &Events) -> Self {
        events.0.parts.verifier.clone()
    }
}
