//! Licences of a vendor's server: the request is passed on, with what the vendor wants to know.

use super::backend::{BackendError, LONGEST_LICENSE, License, LicenseBackend, Request};
use crate::web::client;
use async_trait::async_trait;
use axum::{
    body::{self, Body},
    http::{self, HeaderName, HeaderValue, Uri, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use std::time::Duration;

/// A licence server that has not answered by then will not in time for a viewer.
const TIME: Duration = Duration::from_secs(8);
/// What the playback may have, as base64url of JSON: `{"playback","item","keys":[{"id","tier"}]}`.
const ENTITLEMENT: HeaderName = HeaderName::from_static("kinora-entitlement");

/// Passes requests on.
#[derive(Clone)]
pub struct Proxy {
    url: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    time: Duration,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Proxy({:?})", self.url.authority())
    }
}

impl Proxy {
    /// Passes requests on to a URL, with these headers: credentials, usually.
    ///
    /// # Errors
    /// What is wrong with the URL or a header, without its value.
    pub fn new<'a>(
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|_| "it is not a URL".to_owned())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err("it is not a URL of http or https".to_owned());
        }
        let header = |(name, value): (&str, &str)| {
            let wrong = |_| format!("the header {name:?} or its value cannot be sent");
            let bad = |_| format!("the header {name:?} or its value cannot be sent");
            let mut value = HeaderValue::from_str(value).map_err(wrong)?;
            value.set_sensitive(true);
            Ok((name.parse::<HeaderName>().map_err(bad)?, value))
        };
        let headers: Result<Vec<_>, String> = headers.into_iter().map(header).collect();
        Ok(Self { url: uri, headers: headers?, time: TIME })
    }

    /// The same with another patience.
    #[must_use]
    pub fn patience(self, time: Duration) -> Self {
        Self { time, ..self }
    }

    async fn ask(&self, request: &Request) -> Result<License, BackendError> {
        let keys: Vec<_> = request
            .keys
            .iter()
            .map(|key| serde_json::json!({"id": key.id, "tier": key.tier, "period": key.period}))
            .collect();
        let entitlement = serde_json::json!({
            "playback": request.playback, "item": request.item, "keys": keys,
        });
        let content_type = request.content_type.as_deref().unwrap_or("application/octet-stream");
        let mut asked = http::Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, content_type)
            .header(ENTITLEMENT, BASE64URL.encode(entitlement.to_string()));
        for (name, value) in &self.headers {
            asked = asked.header(name, value);
        }
        let unavailable = BackendError::Unavailable;
        let mut asked = asked
            .body(Body::from(request.body.clone()))
            .map_err(|_| unavailable("cannot be asked with these headers"))?;
        request.onward.tell(asked.headers_mut());
        let answer = client::send(asked).await.map_err(|_| unavailable("cannot be reached"))?;
        let status = answer.status();
        if status.is_client_error() {
            return Err(BackendError::Refused(status.as_u16()));
        }
        if !status.is_success() {
            return Err(unavailable("fails"));
        }
        let content_type = answer.headers().get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
        let body = body::to_bytes(Body::new(answer.into_body()), LONGEST_LICENSE).await;
        let body =
            body.map_err(|_| unavailable("broke off, or sends no licence but something longer"))?;
        if body.is_empty() {
            return Err(unavailable("sends nothing"));
        }
        Ok(License { body, content_type })
    }
}

#[async_trait]
impl LicenseBackend for Proxy {
    async fn license(&self, request: &Request) -> Result<License, BackendError> {
        match tokio::time::timeout(self.time, self.ask(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(BackendError::Unavailable("does not answer in time")),
        }
    }
}
