//! Errors as problem documents (RFC 9457) with codes that stay.

use crate::storage;
use axum::{
    Json,
    extract::rejection::{
        BytesRejection, FormRejection, JsonRejection, PathRejection, QueryRejection,
    },
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// Declares the codes with the status and the title each one has.
macro_rules! codes {
    ($($(#[$documentation:meta])* $name:ident = $status:ident, $title:literal;)*) => {
        /// What went wrong, for a program. A code keeps its meaning and its status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$documentation])* $name,)*
        }

        impl Code {
            /// The status it is answered with.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it is, in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// The request is not of the form that is asked for.
    MalformedRequest = BAD_REQUEST, "The request is malformed";
    /// No access token, or one that is not valid here and now.
    Unauthenticated = UNAUTHORIZED, "A valid access token is needed";
    /// The address and the password do not fit together.
    WrongCredentials = UNAUTHORIZED, "Wrong address or password";
    /// The refresh token is not valid, or no longer.
    RefreshTokenInvalid = UNAUTHORIZED, "The refresh token is not valid";
    /// A refresh token was used again: everything that came of it has been signed out.
    RefreshTokenReused = UNAUTHORIZED, "The refresh token was used before";
    /// The access token does not allow this.
    Forbidden = FORBIDDEN, "Not allowed";
    /// The access token names no profile, and this is done as one.
    ProfileRequired = FORBIDDEN, "Choose a profile first";
    /// There is nothing of that name, or nothing for this caller.
    NotFound = NOT_FOUND, "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "Method not allowed";
    /// The request did not arrive, or was not answered, in time.
    RequestTimeout = REQUEST_TIMEOUT, "The request took too long";
    /// It does not go together with what is there.
    Conflict = CONFLICT, "Conflict";
    /// The account has as many profiles as it may.
    TooManyProfiles = CONFLICT, "Too many profiles";
    /// The account plays on as many devices as it may.
    TooManyStreams = CONFLICT, "Too many streams at once";
    /// The device plays none of the codings it is to be had in.
    NotPlayable = NOT_ACCEPTABLE, "The device cannot play it";
    /// The keys that are asked for are not for this playback.
    NotEntitled = FORBIDDEN, "No licence for this";
    /// The licence server of a vendor refused.
    LicenseRefused = FORBIDDEN, "The licence server refused";
    /// The playback has ended, or never was: begin again.
    PlaybackEnded = NOT_FOUND, "The playback has ended";
    /// The body is longer than any that makes sense here.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is of another media type.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The request is well-formed and a value in it makes no sense.
    InvalidValue = UNPROCESSABLE_ENTITY, "A value is not valid";
    /// Come back later; `Retry-After` says when.
    TooManyRequests = TOO_MANY_REQUESTS, "Too many requests";
    /// A fault of the service, written to its log.
    Internal = INTERNAL_SERVER_ERROR, "Internal error";
    /// The service cannot do this now; `Retry-After` says when to try again.
    Unavailable = SERVICE_UNAVAILABLE, "Temporarily unavailable";
    /// A role of the service did not answer in time.
    GatewayTimeout = GATEWAY_TIMEOUT, "No answer in time";
    /// RFC 8628, 3.5: nobody has decided yet.
    AuthorizationPending = BAD_REQUEST, "Nobody has approved the device yet";
    /// RFC 8628, 3.5: ask less often, by five seconds more than before.
    SlowDown = BAD_REQUEST, "Asked too often";
    /// RFC 8628, 3.5: the device code has expired.
    ExpiredToken = BAD_REQUEST, "The device code has expired";
    /// RFC 8628, 3.5: the device was refused.
    AccessDenied = BAD_REQUEST, "The device was refused";
    /// RFC 6749, 5.2: there is no such device code, or no longer.
    InvalidGrant = BAD_REQUEST, "The device code is not valid";
    /// RFC 6749, 5.2: another grant is asked for than there is.
    UnsupportedGrantType = BAD_REQUEST, "Unsupported grant type";
}

impl Code {
    /// The code as it is written.
    pub fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }

    /// The same for clients of OAuth 2.0, where that has a word for it (RFC 6749, 5.2; RFC 8628, 3.5).
    fn oauth(self) -> Option<&'static str> {
        Some(match self {
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::AccessDenied => "access_denied",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            _ => return None,
        })
    }
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// What went wrong this time, and what to do about it.
    pub detail: String,
    /// The value at fault, as a JSON pointer into the body or the name of a parameter.
    pub pointer: Option<String>,
    /// Seconds to wait before another try.
    pub retry_after: Option<u32>,
}

/// The form in which a [`Problem`] is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Names the kind of problem; relative to the service.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of problem, in words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What went wrong, for a program.
    code: Code,
    /// What went wrong this time.
    detail: String,
    /// The value at fault, as a JSON pointer into the body or the name of a parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The error's name in OAuth 2.0, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// Names the request in the service's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl Problem {
    /// A problem of that kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), pointer: None, retry_after: None }
    }

    /// A value that makes no sense, at a JSON pointer or of a parameter.
    pub fn value(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), ..Self::new(Code::InvalidValue, detail) }
    }

    /// Nothing of that name, or nothing for this caller: which of the two is not told.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"))
    }

    /// Says when to try again.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds.max(1)), ..self }
    }

    /// The answer, for a request of that id.
    pub(super) fn respond(self, request_id: Option<String>) -> Response {
        let status = self.code.status();
        let document = Document {
            kind: format!("/problems/{}", self.code.name()),
            title: self.code.title(),
            status: status.as_u16(),
            code: self.code,
            detail: self.detail.clone(),
            pointer: self.pointer.clone(),
            error: self.code.oauth(),
            request_id,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 11.6.1 asks for it with every 401, RFC 6750, 3 for this form.
            let challenge = match self.code {
                Code::Unauthenticated => r#"Bearer realm="kinora", error="invalid_token""#,
                _ => r#"Bearer realm="kinora""#,
            };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.respond(None)
    }
}

impl From<storage::Error> for Problem {
    /// What the engine says goes to the log; a client could do nothing with it.
    fn from(error: storage::Error) -> Self {
        tracing::error!(%error, "storage");
        match error {
            storage::Error::Unavailable { .. } => {
                Self::new(Code::Unavailable, "the storage does not answer").retry_after(2)
            }
            storage::Error::Busy => {
                Self::new(Code::Unavailable, "there is more to store than can be kept up with")
                    .retry_after(2)
            }
            _ => Self::new(Code::Internal, "the service cannot read what it stored"),
        }
    }
}

/// What a rejection of axum's says, as a problem. The text may hold the value that was refused: it goes back
/// to the one who sent it, and not to the log.
fn rejected(status: StatusCode, text: &str) -> Problem {
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::UNPROCESSABLE_ENTITY => Code::InvalidValue,
        StatusCode::INTERNAL_SERVER_ERROR => Code::Internal,
        _ => Code::MalformedRequest,
    };
    let mut text: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if text.is_empty() {
        code.title().clone_into(&mut text);
    }
    Problem::new(code, text)
}

macro_rules! rejections {
    ($($name:ident)*) => {$(
        impl From<$name> for Problem {
            fn from(rejection: $name) -> Self {
                rejected(rejection.status(), &rejection.body_text())
            }
        }
    )*};
}

rejections! { BytesRejection FormRejection JsonRejection PathRejection QueryRejection }
