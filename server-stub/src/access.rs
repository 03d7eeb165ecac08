//! The record of what was asked for and what was sent.

use crate::web::Names;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::header,
    middleware::{self, Next},
};
use http_body::{Body as _, Frame, SizeHint};
use serde::Serialize;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

/// A request that has ended, well or badly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Access {
    /// The method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The status sent.
    pub status: u16,
    /// The `Range` header as it was asked.
    pub range: Option<String>,
    /// Bytes of the body handed to the connection.
    pub bytes: u64,
    /// Whether the body was sent to its end.
    pub complete: bool,
    /// When the request came, in milliseconds since the server started.
    pub t_ms: f64,
    /// How long it took to the last byte, in milliseconds.
    pub duration_ms: f64,
    /// Names the request.
    pub request_id: String,
    /// Names the trace it belongs to.
    pub trace_id: String,
}

/// Tells `record` of every request to the router when it has ended.
pub fn observe(router: Router, record: impl Fn(Access) + Send + Sync + 'static) -> Router {
    let start = Instant::now();
    let record: Record = Arc::new(record);
    router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        let record = record.clone();
        async move {
            let came = Instant::now();
            let names = Names::of(request.headers());
            let mut access = Access {
                method: request.method().to_string(),
                path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
                status: 0,
                range: request
                    .headers()
                    .get(header::RANGE)
                    .map(|range| String::from_utf8_lossy(range.as_bytes()).into_owned()),
                bytes: 0,
                complete: false,
                t_ms: came.duration_since(start).as_secs_f64() * 1000.0,
                duration_ms: 0.0,
                request_id: names.id.clone(),
                trace_id: names.trace_id.clone(),
            };
            names.remember(request.extensions_mut());
            let mut response = next.run(request).await;
            names.answer(response.headers_mut());
            access.status = response.status().as_u16();
            let head = access.method == "HEAD";
            let length = response.headers().get(header::CONTENT_LENGTH);
            let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
            response.map(|body| {
                access.complete = head || body.is_end_stream();
                Body::new(Observed { body, came, length, access, record })
            })
        }
    }))
}

/// Writes an access to the program's log; whoever reads that does not get to play by it.
pub fn log(access: &Access) {
    let Access { method, status, bytes, complete, duration_ms, request_id, trace_id, .. } = access;
    let path = without_secrets(&access.path);
    let range = access.range.as_deref().unwrap_or_default();
    let duration_ms = (duration_ms * 10.0).round() / 10.0;
    tracing::info!(%method, %path, status, range, bytes, complete, duration_ms, %request_id, %trace_id, "request");
}

/// A path without the token in it, nor the query, where clients may have put anything.
fn without_secrets(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    match path.strip_prefix("/t/") {
        Some(rest) => format!("/t/*{}", rest.find('/').map_or("", |end| &rest[end..])),
        None => path.to_owned(),
    }
}

type Record = Arc<dyn Fn(Access) + Send + Sync>;

/// A body that counts what goes through it and reports when it is let go.
struct Observed {
    body: Body,
    came: Instant,
    /// Its announced length. The connection does not ask for more once it has that much.
    length: Option<u64>,
    access: Access,
    record: Record,
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.body).poll_frame(context);
        match &poll {
            Poll::Ready(Some(Ok(frame))) => {
                this.access.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                this.access.complete = this.body.is_end_stream();
            }
            Poll::Ready(None) => this.access.complete = true,
            _ => {}
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.access.complete |= self.length == Some(self.access.bytes);
        self.access.duration_ms = self.came.elapsed().as_secs_f64() * 1000.0;
        (self.record)(self.access.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn the_log_has_no_token() {
        assert_eq!(without_secrets("/t/SECRET/library/a/b?x=SECRET"), "/t/*/library/a/b");
        assert_eq!(without_secrets("/t/SECRET"), "/t/*");
        assert_eq!(without_secrets("/film/a.m4s?t=SECRET"), "/film/a.m4s");
    }
}
