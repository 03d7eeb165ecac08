//! Signing in on a screen without a keyboard (RFC 8628).

use super::sessions::Tokens;
use crate::{
    auth::{
        Auth,
        devices::{Asked, Decision, EXPIRES_IN, INTERVAL},
        limited,
    },
    token::Adult,
    web::{
        Source,
        extract::{Form, Json, Path},
        problem::{Code, Document, Problem},
        text::Name,
    },
};
use axum::{extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A device that wants to sign in. What OAuth clients send beside it is let through and means nothing here.
#[derive(Deserialize, ToSchema)]
pub(super) struct DeviceRequest {
    /// Names the kind of device, as its owner will read it.
    client_id: Name,
}

/// The codes of a device that waits (RFC 8628, 3.2).
#[derive(Serialize, ToSchema)]
pub(super) struct DeviceCodes {
    /// What the device asks with.
    device_code: String,
    /// What its owner types in elsewhere.
    user_code: String,
    /// Where.
    verification_uri: String,
    /// Where, with the code in it, to be shown as a picture.
    verification_uri_complete: String,
    /// Seconds until the codes are not good any more.
    expires_in: u32,
    /// Seconds between two questions.
    interval: u32,
}

/// Get codes for a device
#[utoipa::path(
    post, path = "/v1/device/code", tag = "auth",
    request_body(content = DeviceRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The codes", body = DeviceCodes),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn begin(
    State(auth): State<Auth>,
    source: Source,
    Form(request): Form<DeviceRequest>,
) -> Result<axum::Json<DeviceCodes>, Problem> {
    let clock = &auth.0.parts.clock;
    limited(&auth.0.limits.device_codes_by_address, &source.0, clock)?;
    let codes = auth.0.devices.begin(request.client_id.into(), clock.now()).await?;
    let (first, second) = codes.user_code.split_at(4);
    let user_code = format!("{first}-{second}");
    let verification_uri = auth.0.config.verification_uri.clone();
    Ok(axum::Json(DeviceCodes {
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        device_code: codes.device_code,
        user_code,
        verification_uri,
        expires_in: EXPIRES_IN,
        interval: INTERVAL,
    }))
}

/// A device's question.
#[derive(Deserialize, ToSchema)]
pub(super) struct DeviceQuestion {
    #[schema(pattern = "^urn:ietf:params:oauth:grant-type:device_code$")]
    grant_type: String,
    #[schema(pattern = "^kinora_dc_[A-Za-z0-9_-]{43}$")]
    device_code: String,
}

/// Ask whether a device may sign in
///
/// Until its owner has decided, and when they refuse, the answer is an error of OAuth 2.0, in `error`.
#[utoipa::path(
    post, path = "/v1/device/token", tag = "auth",
    request_body(content = DeviceQuestion, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "Signed in", body = Tokens),
        (status = 400, description = "Not yet, or never (RFC 8628, 3.5)", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn ask(
    State(auth): State<Auth>,
    source: Source,
    Form(request): Form<DeviceQuestion>,
) -> Result<axum::Json<Tokens>, Problem> {
    let parts = &auth.0.parts;
    limited(&auth.0.limits.changes_by_address, &source.0, &parts.clock)?;
    if request.grant_type != "urn:ietf:params:oauth:grant-type:device_code" {
        let detail = "the grant is urn:ietf:params:oauth:grant-type:device_code";
        return Err(Problem::new(Code::UnsupportedGrantType, detail));
    }
    let refuse = |code: Code, detail: &str| Err(Problem::new(code, detail));
    match auth.0.devices.ask(&request.device_code, parts.clock.now()).await? {
        Asked::Approved(id, epoch, device) => {
            let account = parts.accounts.account(&id).await?;
            match account.filter(|account| account.epoch == epoch) {
                Some(account) => Tokens::begin(&auth, &account, device).await,
                None => refuse(Code::AccessDenied, "the account has signed out everywhere since"),
            }
        }
        Asked::Pending => refuse(Code::AuthorizationPending, "nobody has decided yet"),
        Asked::SlowDown => refuse(Code::SlowDown, "wait five seconds longer between questions"),
        Asked::Denied => refuse(Code::AccessDenied, "the device was refused"),
        Asked::Expired => refuse(Code::ExpiredToken, "get new codes"),
        Asked::Unknown => {
            refuse(Code::InvalidGrant, "there is no such device code, or it was used")
        }
    }
}

/// A device that waits for a decision.
#[derive(Serialize, ToSchema)]
pub(super) struct WaitingDevice {
    /// What the device says it is; anyone can say anything.
    client_id: String,
}

/// The device that shows a code
#[utoipa::path(
    get, path = "/v1/device/codes/{user_code}", tag = "auth", security(("bearer" = [])),
    params(("user_code" = String, Path, description = "The code as it was typed")),
    responses(
        (status = 200, description = "A device waits", body = WaitingDevice),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Path(user_code): Path<String>,
) -> Result<axum::Json<WaitingDevice>, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    let clock = &auth.0.parts.clock;
    limited(&auth.0.limits.user_codes_by_account, account.id.as_str(), clock)?;
    match auth.0.devices.find(&user_code, clock.now()).await? {
        Some(client_id) => Ok(axum::Json(WaitingDevice { client_id })),
        None => Err(Problem::not_found("code")),
    }
}

/// A decision about a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceDecision {
    /// Whether it may sign in to this account.
    approve: bool,
}

/// Let the device that shows a code sign in, or refuse it
#[utoipa::path(
    post, path = "/v1/device/codes/{user_code}", tag = "auth", security(("bearer" = [])),
    params(("user_code" = String, Path, description = "The code as it was typed")),
    request_body = DeviceDecision,
    responses(
        (status = 204, description = "Decided"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn decide(
    State(auth): State<Auth>,
    Adult(claims): Adult,
    Path(user_code): Path<String>,
    Json(request): Json<DeviceDecision>,
) -> Result<StatusCode, Problem> {
    let (account, _) = auth.0.live(&claims).await?;
    let clock = &auth.0.parts.clock;
    limited(&auth.0.limits.user_codes_by_account, account.id.as_str(), clock)?;
    let decision = match request.approve {
        true => Decision::Approved(account.id.clone(), account.epoch),
        false => Decision::Denied,
    };
    if !auth.0.devices.decide(&user_code, decision, clock.now()).await? {
        return Err(Problem::not_found("code"));
    }
    tracing::info!(account = %account.id, approved = request.approve, "device decided");
    Ok(StatusCode::NO_CONTENT)
}
