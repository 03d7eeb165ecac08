//! The service as a client of other processes: connections that are kept, over HTTP or HTTPS.

use axum::{body::Body, extract::Request, http::Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, builderstates::WantsTlsConfig};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// A peer that does not take a connection by then is not there.
const CONNECT: Duration = Duration::from_secs(2);
/// Connections that nobody uses are kept so long.
const IDLE: Duration = Duration::from_secs(30);

/// What answers a request.
pub(crate) type Response = axum::http::Response<Incoming>;
pub(crate) type Error = legacy::Error;

type Pool = legacy::Client<HttpsConnector<HttpConnector>, Body>;

/// Sends a request over a connection of the process's pool.
pub(crate) async fn send(request: Request) -> Result<Response, Error> {
    pool().request(request).await
}

/// Whether a URL is answered with success in time.
pub(crate) async fn answers(url: &str, time: Duration) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    match tokio::time::timeout(time, send(request)).await {
        Ok(Ok(response)) => response.status().is_success(),
        _ => false,
    }
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        http.enforce_http(false);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let https = match https().with_provider_and_native_roots(provider.clone()) {
            Ok(https) => https,
            Err(error) => {
                tracing::warn!(%error, "no certificates: nothing is reached over HTTPS");
                https().with_tls_config(trusting_nobody(provider))
            }
        };
        legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(128 * 1024)
            .build(https.https_or_http().enable_http1().wrap_connector(http))
    })
}

fn https() -> HttpsConnectorBuilder<WantsTlsConfig> {
    HttpsConnectorBuilder::new()
}

#[expect(clippy::expect_used, reason = "the provider knows the usual versions")]
fn trusting_nobody(provider: Arc<CryptoProvider>) -> ClientConfig {
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}
