//! What every request goes through first: a bound on how many there are, on what one address asks, and a look at the
//! token.

use super::{Gateway, Shed, table::role_of};
use crate::{
    roles::Role,
    token::{Seen, bearer},
    web::{
        Peer, Source,
        problem::{Code, Problem},
    },
};
use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What says how the process is has to be answered when it is in trouble.
const UNGUARDED: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Guards the API.
pub(crate) async fn guard(gateway: Gateway, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if UNGUARDED.contains(&path) {
        return next.run(request).await;
    }
    let inner = &gateway.0;
    // Files of another process take their time, and are asked for again and again.
    let file = gateway.forwards() && role_of(path) == Some(Role::Delivery);
    let Some(permit) = gateway.turn(if file { &inner.files } else { &inner.api }).await else {
        return gateway.turned_away();
    };
    if file {
        return next.run(request).await.map(|body| held(body, permit));
    }
    let address = request.extensions().get::<Peer>().copied();
    let source = Source::of(address);
    if let Err(seconds) = inner.by_address.take(&source.0, inner.clock.now()) {
        inner.counts.shed.get_or_create(&Shed { reason: "rate" }).inc();
        let detail = "too often; `Retry-After` says when to try again";
        return Problem::new(Code::TooManyRequests, detail).retry_after(seconds).into_response();
    }
    if let Some(verifier) = &inner.verifier
        && request.headers().contains_key(header::AUTHORIZATION)
    {
        let claims = match bearer(request.headers()) {
            Some(token) => verifier.verify(token).await,
            None => None,
        };
        let Some(claims) = claims else {
            let detail = "the access token is not valid, or no longer";
            return Problem::new(Code::Unauthenticated, detail).into_response();
        };
        // A role of this process need not look again.
        request.extensions_mut().insert(Seen(claims));
    }
    next.run(request).await.map(|body| held(body, permit))
}

/// Bounds how many files are sent at once.
pub(crate) async fn shed(gateway: Gateway, request: Request, next: Next) -> Response {
    let Some(permit) = gateway.turn(&gateway.0.files).await else {
        gateway.0.counts.shed.get_or_create(&Shed { reason: "files" }).inc();
        let headers = [
            (header::RETRY_AFTER, "1"),
            (header::CACHE_CONTROL, "no-store"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        return (StatusCode::SERVICE_UNAVAILABLE, headers, "too many at once\n").into_response();
    };
    next.run(request).await.map(|body| held(body, permit))
}

impl Gateway {
    /// A place among those that are answered, as soon as there is one, or never.
    async fn turn(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = places.clone().try_acquire_owned() {
            return Some(permit);
        }
        let wait = tokio::time::timeout(self.0.config.patience, places.clone().acquire_owned());
        wait.await.ok()?.ok()
    }

    fn turned_away(&self) -> Response {
        self.0.counts.shed.get_or_create(&Shed { reason: "load" }).inc();
        Problem::new(Code::Unavailable, "too many requests are being answered")
            .retry_after(1)
            .into_response()
    }
}

/// A body whose place is taken until it has been sent.
fn held(body: Body, permit: OwnedSemaphorePermit) -> Body {
    use http_body::Body as _;
    // What is all there already, as most answers are, needs its place no longer.
    if body.is_end_stream() || body.size_hint().exact().is_some_and(|size| size < 64 * 1024) {
        return body;
    }
    Body::new(Held { body, _permit: permit })
}

struct Held {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
