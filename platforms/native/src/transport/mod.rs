//! How requests leave the machine: [`Transport`], implemented over HTTP ([`HttpTransport`]) and over
//! bytes in memory ([`MemoryTransport`]).

mod filter;
mod http;
mod memory;
mod sink;

use std::future::Future;
use std::pin::Pin;

use kinora_core::io::{Request, RequestFailure};

pub use filter::{FilterFuture, RequestFilter, Response};
pub use http::{HttpTransport, HttpTransportError};
pub use memory::{Entry, MemoryTransport};
pub use sink::ResponseSink;

pub(crate) use filter::Filtered;
pub(crate) use sink::{Report, ReportedBody};

/// How one request ends.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<(), RequestFailure>> + Send + 'a>>;

/// Makes requests.
///
/// The future carries out one request: it hands the head and then the chunks of the body to `sink`,
/// and is over when the body is. Dropping it aborts the request. Bad statuses are no failures: their
/// head and body are reported like any other.
pub trait Transport: Send + Sync + 'static {
    /// Makes a request.
    fn fetch<'a>(&'a self, request: Request, sink: &'a mut ResponseSink) -> FetchFuture<'a>;
}
