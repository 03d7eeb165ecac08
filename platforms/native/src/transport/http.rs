//! HTTP/1.1 and HTTP/2 by reqwest, TLS by rustls with the platform's root certificates.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kinora_core::io::{Request, RequestFailure, ResponseHead};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, RANGE, RETRY_AFTER};
use reqwest::{Client, redirect};

use super::{FetchFuture, ResponseSink, Transport};

/// Time for name resolution, connection and TLS. What happens later is for the core to judge.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// [`Transport`] over HTTP. Connections are pooled and shared by clones.
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: Client,
}

/// No HTTP client could be made.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client could be made: {0}")]
pub struct HttpTransportError(#[from] reqwest::Error);

impl HttpTransport {
    /// A transport with a connection pool of its own.
    pub fn new() -> Result<Self, HttpTransportError> {
        // Fails only if the app has installed a provider already, which will do as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A machine without root certificates can still speak plain HTTP; HTTPS then fails with an
        // unknown issuer.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build())?;
        Ok(Self { client })
    }

    /// What makes its requests.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// A small resource beside the media, such as a title's description: its body, if the server
    /// has it and it is no larger than `limit` bytes.
    pub async fn small_resource(&self, url: &str, limit: usize) -> Option<Bytes> {
        let mut response = self.client.get(url).send().await.ok()?.error_for_status().ok()?;
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > limit {
                return None;
            }
        }
        Some(body.freeze())
    }
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("kinora/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::limited(10))
        .http2_adaptive_window(true)
        .tcp_nodelay(true)
}

impl Transport for HttpTransport {
    fn fetch<'a>(&'a self, request: Request, sink: &'a mut ResponseSink) -> FetchFuture<'a> {
        Box::pin(transfer(&self.client, request, sink))
    }
}

async fn transfer(
    client: &Client,
    request: Request,
    sink: &mut ResponseSink,
) -> Result<(), RequestFailure> {
    let mut builder = match request.post {
        Some(body) => client.post(&request.url).body(body),
        None => client.get(&request.url),
    };
    if let Some(range) = request.range {
        builder = builder.header(RANGE, range.header_value());
    }
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let mut response = builder.send().await.map_err(|error| {
        let reason = describe(&error);
        if error.is_builder() {
            RequestFailure::Invalid(reason)
        } else {
            RequestFailure::Network(reason)
        }
    })?;
    sink.head(head_of(&response)).await;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => sink.chunk(&chunk).await?,
            Ok(None) => return Ok(()),
            Err(error) => return Err(RequestFailure::Interrupted(describe(&error))),
        }
    }
}

fn head_of(response: &reqwest::Response) -> ResponseHead {
    let text = |name| header(response.headers(), name);
    ResponseHead {
        status: response.status().as_u16(),
        url: response.url().as_str().to_owned(),
        content_type: text(CONTENT_TYPE),
        content_length: response.content_length(),
        retry_after: text(RETRY_AFTER),
        date: text(DATE),
        cmsd_dynamic: text(HeaderName::from_static("cmsd-dynamic")),
        cmsd_static: text(HeaderName::from_static("cmsd-static")),
        smrt_data: text(HeaderName::from_static("smrt-data")),
    }
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The error without its URL, which the report names anyway, but with what caused it.
fn describe(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut innermost = None;
    while let Some(cause) = source {
        innermost = Some(cause);
        source = cause.source();
    }
    match innermost {
        Some(cause) => cause.to_string(),
        None => error.to_string(),
    }
}
