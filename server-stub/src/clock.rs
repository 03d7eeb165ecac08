//! What time it is, so that a test can say so.

use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(pub i64);

impl utoipa::PartialSchema for UnixTime {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::Integer)
            .description(Some("Seconds since 1970-01-01T00:00:00Z"))
            .into()
    }
}

impl utoipa::ToSchema for UnixTime {
    fn name() -> std::borrow::Cow<'static, str> {
        "UnixTime".into()
    }
}

impl UnixTime {
    /// So many seconds later.
    pub fn plus(self, seconds: u32) -> Self {
        Self(self.0.saturating_add(i64::from(seconds)))
    }

    /// Seconds from `earlier` to this; none if that comes later.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// A clock: the system's, or one that stands until it is moved. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock that stands at `now` until it is moved.
    pub fn standing(now: UnixTime) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.0))))
    }

    /// The time.
    pub fn now(&self) -> UnixTime {
        UnixTime(match &self.0 {
            Some(seconds) => seconds.load(Ordering::SeqCst),
            None => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(elapsed) => i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX),
                Err(_) => 0,
            },
        })
    }

    /// Moves a standing clock forward; the system's stays as it is.
    pub fn advance(&self, seconds: u32) {
        if let Some(clock) = &self.0 {
            clock.fetch_add(i64::from(seconds), Ordering::SeqCst);
        }
    }
}
