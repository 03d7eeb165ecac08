//! The role's HTTP.

use super::{
    License,
    backend::{BackendError, LONGEST_REQUEST, Request, System},
    clearkey::{KeyRequest, KeyResponse},
    entitled,
};
use crate::{
    id::PlaybackId,
    token::{Caller, Claims},
    vault::{Key, KeyId, Tier},
    web::{
        Onward,
        extract::Path,
        problem::{Code, Document, Problem},
    },
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<License> {
    OpenApiRouter::new().routes(routes!(clearkey)).routes(routes!(vendor)).routes(routes!(key))
}

/// A ClearKey licence
///
/// For a playback of the caller's device: the keys of what plays, of those that are asked for. ClearKey gives keys to
/// whoever controls the page: a key exchange for development and light protection, not a DRM.
#[utoipa::path(
    post, path = "/v1/license/{playback}/clearkey", tag = "license", security(("bearer" = [])),
    params(("playback" = inline(PlaybackId), Path, description = "The playback")),
    request_body = KeyRequest,
    responses(
        (status = 200, description = "The keys", body = KeyResponse),
        (status = 403, description = "None of these keys", body = Document, content_type = "application/problem+json"),
        (status = 404, description = "The playback has ended", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn clearkey(
    State(license): State<License>,
    Caller(claims): Caller,
    Path(playback): Path<PlaybackId>,
    onward: Onward,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let asked = Asked { onward, headers, body };
    issue(&license, System::Clearkey, &claims, &playback, asked).await
}

/// A licence of Widevine, PlayReady or FairPlay
///
/// The request goes on to the vendor's server, if one is configured.
#[utoipa::path(
    post, path = "/v1/license/{playback}/vendor/{system}", tag = "license", security(("bearer" = [])),
    params(
        ("playback" = inline(PlaybackId), Path, description = "The playback"),
        ("system" = inline(System), Path, description = "The key system"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "What the vendor's server answers", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, description = "The vendor's server refused", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn vendor(
    State(license): State<License>,
    Caller(claims): Caller,
    Path((playback, system)): Path<(PlaybackId, System)>,
    onward: Onward,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let asked = Asked { onward, headers, body };
    issue(&license, system, &claims, &playback, asked).await
}

/// What a key system sent.
struct Asked {
    onward: Onward,
    headers: HeaderMap,
    body: Bytes,
}

async fn issue(
    license: &License,
    system: System,
    claims: &Claims,
    playback: &PlaybackId,
    Asked { onward, headers, body }: Asked,
) -> Result<Response, Problem> {
    license.limit(claims)?;
    let parts = &license.0.parts;
    let Some((backend, most)) = parts.backends.get(&system) else {
        return Err(Problem::not_found("licence server"));
    };
    if body.is_empty() || body.len() > LONGEST_REQUEST {
        let detail = format!("a licence request has from 1 to {LONGEST_REQUEST} bytes");
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    let lease = license.playing(claims).await?.filter(|lease| lease.id == *playback);
    let lease = lease.ok_or_else(|| {
        Problem::new(Code::PlaybackEnded, "this playback has ended, or is of another device")
    })?;
    license.count(&lease).await?;
    let mut keys: Vec<Key> = parts.vault.of_item(&lease.item).await.map_err(broken)?;
    let most = parts.plans.of(claims.plan.as_ref()).tier().min(*most);
    keys.retain(|key| entitled(key, &lease, most));
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let request = Request {
        playback: lease.id,
        account: claims.sub.clone(),
        device: claims.sid.clone(),
        item: lease.item,
        keys,
        body,
        content_type: content_type.map(str::to_owned),
        onward,
    };
    match backend.license(&request).await {
        Ok(given) => Ok(([(header::CONTENT_TYPE, given.content_type)], given.body).into_response()),
        Err(error) => {
            tracing::info!(system = system.name(), %error, "no licence");
            Err(problem(&error))
        }
    }
}

fn problem(error: &BackendError) -> Problem {
    let code = match error {
        BackendError::Malformed(_) => Code::MalformedRequest,
        BackendError::NotEntitled => Code::NotEntitled,
        BackendError::Refused(_) => Code::LicenseRefused,
        BackendError::Unavailable(_) => {
            return Problem::new(Code::Unavailable, error.to_string()).retry_after(2);
        }
    };
    Problem::new(code, error.to_string())
}

/// What is wrong with the vault goes to the log.
fn broken(error: crate::vault::Error) -> Problem {
    match error {
        crate::vault::Error::Storage(error) => error.into(),
        error => {
            tracing::error!(%error, "vault");
            Problem::new(Code::Internal, "the service cannot read its keys")
        }
    }
}

/// The key of segments that are encrypted as a whole
///
/// For HLS players (`METHOD=AES-128`): 16 bytes, while the caller's device plays what they are of.
#[utoipa::path(
    get, path = "/v1/license/keys/{key}", tag = "license", security(("bearer" = [])),
    params(("key" = inline(KeyId), Path, description = "The key's id")),
    responses(
        (status = 200, description = "The key", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 403, description = "Not of what plays", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn key(
    State(license): State<License>,
    Caller(claims): Caller,
    Path(id): Path<KeyId>,
) -> Result<Response, Problem> {
    license.limit(&claims)?;
    let parts = &license.0.parts;
    let most = parts.backends.get(&System::Clearkey).map_or(Tier::Audio, |(_, most)| *most);
    let most = parts.plans.of(claims.plan.as_ref()).tier().min(most);
    let lease = license.playing(&claims).await?;
    let lease =
        lease.ok_or_else(|| Problem::new(Code::PlaybackEnded, "this device plays nothing"))?;
    license.count(&lease).await?;
    let found = parts.vault.find(&[id]).await.map_err(broken)?;
    match found.into_iter().find(|key| entitled(key, &lease, most)) {
        Some(key) => {
            let octets = [(header::CONTENT_TYPE, "application/octet-stream")];
            Ok((octets, key.key.expose().to_vec()).into_response())
        }
        None => Err(problem(&BackendError::NotEntitled)),
    }
}
