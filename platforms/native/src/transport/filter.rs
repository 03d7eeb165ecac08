//! Filters: what an app does to requests before they leave, and to responses before the player sees
//! them.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kinora_core::io::{BodyHandling, Input, Request, RequestFailure, RequestKind, ResponseHead};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{FetchFuture, Report, ResponseSink, Transport};

/// What a filter makes of something. A failure is one of the request: the player repeats what may pass
/// ([`RequestFailure::Network`]), and not what may not ([`RequestFailure::Invalid`]).
pub type FilterFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, RequestFailure>> + Send + 'a>>;

/// Adds what servers want to see (header fields, credentials, query parameters, a signature) to requests,
/// and may rewrite responses. It is asked anew for each attempt, so that a token may be renewed.
pub trait RequestFilter: Send + Sync + 'static {
    /// The request to make instead of this. Its id, kind and body handling are the player's.
    fn request(&self, request: Request) -> FilterFuture<'_, Request> {
        Box::pin(async move { Ok(request) })
    }

    /// Whether responses of a kind are to be filtered. They are held back until they are whole, so it
    /// is best kept to what is small.
    fn filters_responses(&self, _kind: RequestKind) -> bool {
        false
    }

    /// What the player is to see instead of this response.
    fn response(&self, _request: &Request, response: Response) -> FilterFuture<'_, Response> {
        Box::pin(async move { Ok(response) })
    }
}

/// A whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status and header fields.
    pub head: ResponseHead,
    /// The body.
    pub body: Bytes,
}

/// A transport whose requests pass through a filter.
pub(crate) struct Filtered {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) filter: Arc<dyn RequestFilter>,
}

impl Transport for Filtered {
    fn fetch<'a>(&'a self, request: Request, sink: &'a mut ResponseSink) -> FetchFuture<'a> {
        Box::pin(async move {
            let asked = (request.id, request.kind, request.body);
            let mut request = self.filter.request(request).await?;
            (request.id, request.kind, request.body) = asked;
            if !self.filter.filters_responses(request.kind) {
                return self.transport.fetch(request, sink).await;
            }
            let response = self.whole(&request, sink.limit()).await?;
            let response = self.filter.response(&request, response).await?;
            let length = response.body.len() as u64;
            sink.head(ResponseHead { content_length: Some(length), ..response.head }).await;
            for chunk in response.body.chunks(64 << 10) {
                sink.chunk(chunk).await?;
            }
            Ok(())
        })
    }
}

impl Filtered {
    async fn whole(&self, request: &Request, limit: u64) -> Result<Response, RequestFailure> {
        let request = Request { body: BodyHandling::Deliver, ..request.clone() };
        let (reports, mut reported) = mpsc::channel(16);
        // Nothing is kept in chunks here, so that no instant is told.
        let mut sink = ResponseSink::new(&request, limit, reports, Instant::now());
        let (mut head, mut body) = (None, BytesMut::new());
        let mut take = |report: Report| match report.input {
            Input::ResponseHead { head: arrived, .. } => head = Some(arrived),
            Input::Body { data, .. } => body.extend_from_slice(&data),
            _ => {}
        };
        let result = {
            let mut fetch = pin!(self.transport.fetch(request, &mut sink));
            loop {
                tokio::select! {
                    biased;
                    Some(report) = reported.recv() => take(report),
                    result = &mut fetch => break result,
                }
            }
        };
        while let Ok(report) = reported.try_recv() {
            take(report);
        }
        result?;
        let head = head.ok_or_else(|| RequestFailure::Network("there was no response".into()))?;
        Ok(Response { head, body: body.freeze() })
    }
}
