//! ClearKey licences: JSON Web Key sets (W3C Encrypted Media Extensions, 9.1.3 and 9.1.4).

use super::backend::{BackendError, License, LicenseBackend, Request};
use crate::vault::KeyId;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Key ids that one request may name.
const MOST_IDS: usize = 1024;

/// Gives the keys themselves.
#[derive(Debug, Clone)]
pub struct ClearKey {
    /// Seconds after which a player should ask again.
    pub seconds: u32,
}

/// What ClearKey asks with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct KeyRequest {
    /// Ids of keys, base64url.
    #[schema(max_items = 1024)]
    kids: Vec<String>,
    /// `temporary`, if it is stated.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

/// What ClearKey is answered with.
#[derive(Serialize, ToSchema)]
pub struct KeyResponse {
    /// The keys that may be given of those that were asked for.
    keys: Vec<JsonWebKey>,
    /// Always `temporary`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Seconds after which to ask again. ClearKey itself does not know it; players may.
    expires_in: u32,
}

/// A key (RFC 7517).
#[derive(Serialize, ToSchema)]
struct JsonWebKey {
    /// Always `oct`.
    kty: &'static str,
    /// The key's id, base64url.
    kid: String,
    /// The key, base64url.
    k: String,
}

#[async_trait]
impl LicenseBackend for ClearKey {
    async fn license(&self, request: &Request) -> Result<License, BackendError> {
        let asked: KeyRequest = serde_json::from_slice(&request.body).map_err(|_| {
            BackendError::Malformed("it is not the JSON object that ClearKey writes")
        })?;
        if asked.kind.as_deref().is_some_and(|kind| kind != "temporary") {
            return Err(BackendError::Malformed("its `type` is not `temporary`"));
        }
        if asked.kids.is_empty() || asked.kids.len() > MOST_IDS {
            return Err(BackendError::Malformed("it names no key id, or too many"));
        }
        let mut keys = Vec::new();
        for kid in &asked.kids {
            let id = BASE64URL.decode(kid.trim_end_matches('=')).ok();
            let id: Option<[u8; 16]> = id.and_then(|bytes| bytes.try_into().ok());
            let id =
                KeyId(id.ok_or(BackendError::Malformed("a key id is not 16 bytes in base64url"))?);
            if let Some(key) = request.keys.iter().find(|key| key.id == id) {
                keys.push(JsonWebKey {
                    kty: "oct",
                    kid: BASE64URL.encode(id.0),
                    k: BASE64URL.encode(key.key.expose()),
                });
            }
        }
        if keys.is_empty() {
            return Err(BackendError::NotEntitled);
        }
        let response = KeyResponse { keys, kind: "temporary", expires_in: self.seconds };
        let body = serde_json::to_vec(&response).unwrap_or_default().into();
        Ok(License { body, content_type: "application/json".into() })
    }
}
