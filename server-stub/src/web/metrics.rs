//! What the service counts, in OpenMetrics.
//!
//! Labels take few values: routes as they are written in the program, never a path, an id or an address.

use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The counters; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<Answer, Counter>,
    durations: Family<Asked, Histogram>,
    in_flight: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    method: &'static str,
    status: u16,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::default();
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.000_5, 2.0, 15)); // to 8 s
        let durations = Family::new_with_constructor(histogram);
        let in_flight = Gauge::default();
        let metrics = Self { registry: Arc::default(), requests, durations, in_flight };
        metrics.register(|registry| {
            registry.register("http_requests", "Requests answered", metrics.requests.clone());
            registry.register(
                "http_request_duration_seconds",
                "Time from a request's head to its answer's",
                metrics.durations.clone(),
            );
            registry.register(
                "http_requests_in_flight",
                "Requests being answered",
                metrics.in_flight.clone(),
            );
        });
        metrics
    }
}

impl Metrics {
    /// Adds what a role counts.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(self
            .registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sub_registry_with_prefix("kinora"));
    }

    /// A request is being answered until what this returns is dropped.
    pub(super) fn enter(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    pub(super) fn answered(&self, route: &str, method: &Method, status: u16, took: Duration) {
        let method = method_name(method);
        let route = route.to_owned();
        self.durations
            .get_or_create(&Asked { route: route.clone(), method })
            .observe(took.as_secs_f64());
        self.requests.get_or_create(&Answer { route, method, status }).inc();
    }

    /// All of it, in OpenMetrics' text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // A String takes whatever is written.
        let _ = encode(&mut text, &registry);
        text
    }

    pub(super) fn respond(&self) -> Response {
        let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(header::CONTENT_TYPE, format), (header::CACHE_CONTROL, "no-store")], self.text())
            .into_response()
    }
}

/// Counts one request down when it is let go, also when its client went away.
pub(super) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Anyone can invent a method, and must not be able to invent a label.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
