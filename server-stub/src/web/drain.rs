//! Taking in what is left of a body that nobody reads.
//!
//! A request that is refused early has a client that is still sending. If the connection were closed on it, the
//! refusal would get lost on its way: so the rest is taken in and thrown away, up to a bound.

use axum::{
    body::{Body, Bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use futures_util::StreamExt;
use http_body::{Body as _, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// Bytes that are taken in at most, and how long that may take.
const MOST: u64 = 4 << 20;
const TIME: Duration = Duration::from_secs(5);

/// Has the body of every request taken in, read or not.
pub(super) async fn drain(request: Request, next: Next) -> Response {
    next.run(request.map(|body| Body::new(Drained(Some(body))))).await
}

struct Drained(Option<Body>);

impl http_body::Body for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut self.get_mut().0 {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, |body| body.size_hint())
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let Some(body) = self.0.take().filter(|body| !body.is_end_stream()) else { return };
        // A body that says it is larger is not even begun; at the end of the runtime there is nobody to do it.
        let bounded = body.size_hint().lower() <= MOST;
        let Some(runtime) = tokio::runtime::Handle::try_current().ok().filter(|_| bounded) else {
            return;
        };
        runtime.spawn(tokio::time::timeout(TIME, async move {
            let (mut body, mut taken) = (body.into_data_stream(), 0);
            while let Some(Ok(bytes)) = body.next().await {
                taken += bytes.len() as u64;
                if taken > MOST {
                    break;
                }
            }
        }));
    }
}
