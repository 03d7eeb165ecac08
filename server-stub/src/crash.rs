//! Places where a test can end the process as a power cut would.
//!
//! A debug build looks at `KINORA_CRASH`, which is `PLACE` or `PLACE:N`: the process ends, without a word and
//! without a destructor, when it comes to that place for the Nth time. A release build has none of this.

/// A place to end at.
#[cfg(not(debug_assertions))]
pub(crate) fn point(_: &str) {}

/// Whether to end here after having done half of what was to be done.
#[cfg(not(debug_assertions))]
pub(crate) fn due(_: &str) -> bool {
    false
}

#[cfg(debug_assertions)]
pub(crate) use armed::{due, point};

#[cfg(debug_assertions)]
mod armed {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    };

    struct Plan {
        place: String,
        left: AtomicU32,
    }

    static PLAN: LazyLock<Option<Plan>> = LazyLock::new(|| {
        let text = std::env::var("KINORA_CRASH").ok()?;
        let (place, times) = match text.rsplit_once(':') {
            Some((place, times)) => (place.to_owned(), times.parse().ok()?),
            None => (text, 1),
        };
        Some(Plan { place, left: AtomicU32::new(times) })
    });

    pub(crate) fn point(place: &str) {
        if due(place) {
            std::process::abort();
        }
    }

    pub(crate) fn due(place: &str) -> bool {
        PLAN.as_ref().is_some_and(|plan| {
            plan.place == place && plan.left.fetch_sub(1, Ordering::SeqCst) == 1
        })
    }
}
