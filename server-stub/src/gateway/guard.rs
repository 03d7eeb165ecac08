//! What every request goes through first: a bound on how many there are, on what one address asks, and a look at the
//! token.

use super::{Gateway, Inner, Shed, table::role_of};
use crate::{
    roles::Role,
    token::{Seen, bearer},
    web::{
        Peer, Source,
        at_once::Place,
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
    let source = Source::of(request.extensions().get::<Peer>().copied());
    // Files of another process take their time, and are asked for again and again.
    let file = gateway.forwards() && role_of(path) == Some(Role::Delivery);
    let (by_address, all) = match file {
        true => (&inner.files_by_address, &inner.files),
        false => (&inner.api_by_address, &inner.api),
    };
    // First, so that one address does not keep others waiting for their turn.
    let Some(own) = by_address.take(&source.0) else {
        inner.count_shed("address");
        return Problem::new(Code::TooManyRequests, "too many of this address at once")
            .retry_after(1)
            .into_response();
    };
    let Some(turn) = gateway.turn(all).await else {
        return gateway.turned_away();
    };
    let place = (own, turn);
    if file {
        return next.run(request).await.map(|body| held(body, place));
    }
    if let Err(seconds) = inner.by_address.take(&source.0, inner.clock.now()) {
        inner.count_shed("rate");
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
    next.run(request).await.map(|body| held(body, place))
}

/// Bounds how many files are sent at once.
pub(crate) async fn shed(gateway: Gateway, request: Request, next: Next) -> Response {
    let inner = &gateway.0;
    let source = Source::of(request.extensions().get::<Peer>().copied());
    let Some(own) = inner.files_by_address.take(&source.0) else {
        inner.count_shed("address");
        return no_file(StatusCode::TOO_MANY_REQUESTS);
    };
    let Some(turn) = gateway.turn(&inner.files).await else {
        inner.count_shed("files");
        return no_file(StatusCode::SERVICE_UNAVAILABLE);
    };
    next.run(request).await.map(|body| held(body, (own, turn)))
}

fn no_file(status: StatusCode) -> Response {
    let headers = [
        (header::RETRY_AFTER, "1"),
        (header::CACHE_CONTROL, "no-store"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (status, headers, "too many at once\n").into_response()
}

impl Inner {
    fn count_shed(&self, reason: &'static str) {
        self.counts.shed.get_or_create(&Shed { reason }).inc();
    }
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
        self.0.count_shed("load");
        Problem::new(Code::Unavailable, "too many requests are being answered")
            .retry_after(1)
            .into_response()
    }
}

/// A place among those of an address, and among all.
type Taken = (Place, OwnedSemaphorePermit);

/// A body whose place is taken until it has been sent.
fn held(body: Body, place: Taken) -> Body {
    use http_body::Body as _;
    // What is all there already, as most answers are, needs its place no longer.
    if body.is_end_stream() || body.size_hint().exact().is_some_and(|size| size < 64 * 1024) {
        return body;
    }
    Body::new(Held { body, _place: place })
}

struct Held {
    body: Body,
    _place: Taken,
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
