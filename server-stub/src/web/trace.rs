//! Requests have an id and belong to a trace (W3C Trace Context), which go through logs, answers and errors.

use super::{metrics::Metrics, problem::Problem};
use crate::id::{hex, random};
use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::Response,
};
use std::{convert::Infallible, time::Instant};
use tracing::Instrument;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Names a request, in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// The `traceparent` of what is done for a request, in its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(pub String);

/// Names the trace a request belongs to and the step of it that is done here.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trace {
    trace_id: String,
    span_id: String,
    sampled: bool,
}

/// Gives the request its names, answers, counts and logs. The log has the route, not the path, and neither
/// query, headers nor bodies: none of what a client may want to keep to itself.
pub(super) async fn trace(metrics: Metrics, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let _in_flight = metrics.enter();
    let id = request_id(request.headers());
    let trace = Trace::of(request.headers());
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => "unmatched".to_owned(),
    };
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(TraceParent(trace.header()));
    let span = tracing::info_span!("request", request_id = %id, trace_id = %trace.trace_id, span_id = %trace.span_id);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let code = problem.code.name();
        let mut document = problem.respond(Some(id.clone()));
        // What was set on the way out, such as `Allow`, stays.
        for (name, value) in response.headers() {
            if !document.headers().contains_key(name) && name.as_str() != "content-length" {
                document.headers_mut().insert(name, value.clone());
            }
        }
        response = document;
        span.in_scope(|| tracing::debug!(code, "problem"));
    }
    let status = response.status().as_u16();
    let took = began.elapsed();
    metrics.answered(&route, &method, status, took);
    let duration_ms = (took.as_secs_f64() * 10_000.0).round() / 10.0;
    span.in_scope(|| tracing::info!(%method, route, status, duration_ms, "answered"));
    let headers = response.headers_mut();
    for (name, value) in [(&REQUEST_ID, id), (&TRACEPARENT, trace.header())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    response
}

/// The names of a request, for what answers in its own way.
pub(crate) struct Names {
    /// Its id.
    pub(crate) id: String,
    /// The trace it belongs to.
    pub(crate) trace_id: String,
    parent: String,
}

impl Names {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let trace = Trace::of(headers);
        Self { id: request_id(headers), parent: trace.header(), trace_id: trace.trace_id }
    }

    /// Remembers them with the request, for what is asked of others for it.
    pub(crate) fn remember(&self, extensions: &mut Extensions) {
        extensions.insert(RequestId(self.id.clone()));
        extensions.insert(TraceParent(self.parent.clone()));
    }

    /// Says them in the answer.
    pub(crate) fn answer(&self, headers: &mut HeaderMap) {
        for (name, value) in [(&REQUEST_ID, &self.id), (&TRACEPARENT, &self.parent)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
}

/// The names of a request, for another process that something is asked of on its behalf.
#[derive(Debug, Clone, Default)]
pub struct Onward {
    id: Option<RequestId>,
    parent: Option<TraceParent>,
}

impl<S: Send + Sync> FromRequestParts<S> for Onward {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

impl Onward {
    /// Those that the request was given here, by its extensions.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        Self { id: extensions.get().cloned(), parent: extensions.get().cloned() }
    }

    /// Says them to that process.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let id = self.id.as_ref().map(|RequestId(id)| (&REQUEST_ID, id));
        let parent = self.parent.as_ref().map(|TraceParent(parent)| (&TRACEPARENT, parent));
        for (name, value) in id.into_iter().chain(parent) {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }
}

/// The client's id for its request if it gave a plain one, a new one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |id: &&str| {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
        (1..=64).contains(&id.len()) && id.bytes().all(plain)
    };
    match headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).filter(plain) {
        Some(id) => id.to_owned(),
        None => hex(&random::<16>()),
    }
}

impl Trace {
    /// Continues the trace of the request, or begins one.
    fn of(headers: &HeaderMap) -> Self {
        let parent = headers.get(&TRACEPARENT).and_then(|parent| parent.to_str().ok());
        let span_id = hex(&random::<8>());
        match parent.and_then(parse) {
            Some((trace_id, sampled)) => Self { trace_id, span_id, sampled },
            None => Self { trace_id: hex(&random::<16>()), span_id, sampled: false },
        }
    }

    fn header(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// Trace id and sampling of a `traceparent` (W3C Trace Context, 3.2). Later versions begin like this one.
fn parse(header: &str) -> Option<(String, bool)> {
    let mut fields = header.split('-');
    let mut field = |length: usize| {
        let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        fields.next().filter(|field| field.len() == length && field.bytes().all(digit))
    };
    let (version, trace, parent, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    let more = fields.next().is_some();
    let zero = |field: &str| field.bytes().all(|b| b == b'0');
    if version == "ff" || (version == "00" && more) || zero(trace) || zero(parent) {
        return None;
    }
    Some((trace.to_owned(), u8::from_str_radix(flags, 16).ok()? & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_on_and_anything_else_begins_one() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of = |header: &str| parse(header);
        let parent = "00f067aa0ba902b7";
        assert_eq!(of(&format!("00-{trace}-{parent}-01")), Some((trace.to_owned(), true)));
        assert_eq!(of(&format!("cc-{trace}-{parent}-00-what")), Some((trace.to_owned(), false)));
        for header in [
            String::new(),
            format!("00-{trace}-{parent}"),
            format!("00-{trace}-{parent}-01-more"),
            format!("ff-{trace}-{parent}-01"),
            format!("00-{trace}-0000000000000000-01"),
            format!("00-{}-{parent}-01", "0".repeat(32)),
            format!("00-{}-{parent}-01", trace.to_uppercase()),
        ] {
            assert_eq!(of(&header), None, "{header}");
        }
    }

    #[test]
    fn an_id_that_could_forge_a_log_line_is_replaced() {
        let id = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(&REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
            request_id(&headers)
        };
        assert_eq!(id(b"client-1.a_B"), "client-1.a_B");
        for hostile in [&b"a b"[..], b"a\tb", b"", &[b'a'; 65], b"\xff"] {
            let id = id(hostile);
            assert_eq!(id.len(), 32, "{id}");
        }
    }
}
