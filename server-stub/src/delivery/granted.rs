//! Whether what a request asks for is granted by the token in its path, and what is answered if it is not delivered.

use crate::{
    clock::Clock,
    token::cat::{DeliveryKeys, Grant, Refusal},
};
use axum::{
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};

/// Why something of the library is not delivered.
#[derive(Debug, Clone)]
pub(crate) enum Denied {
    /// Neither GET nor HEAD.
    Method,
    /// The token does not grant it.
    Token(Refusal),
    /// The playback has ended.
    Ended,
    /// There is no such file.
    Missing,
    /// Nothing of it is of a kind that the device plays.
    Unplayable,
    /// It cannot be read.
    Fault(String),
    /// The origin refuses it.
    Origin(StatusCode),
    /// The origin does not answer, or makes no sense.
    Unreachable,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal)
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD".to_owned()),
            Self::Token(Refusal::Expired) => (StatusCode::GONE, Refusal::Expired.to_string()),
            Self::Token(refusal) => (StatusCode::FORBIDDEN, refusal.to_string()),
            Self::Ended => (StatusCode::GONE, "the playback has ended; begin it again".to_owned()),
            Self::Missing => (StatusCode::NOT_FOUND, "no such file".to_owned()),
            Self::Unplayable => (
                StatusCode::NOT_ACCEPTABLE,
                "nothing of it is of a kind that the device plays".to_owned(),
            ),
            Self::Fault(reason) => {
                tracing::error!(reason, "a package cannot be delivered");
                (StatusCode::INTERNAL_SERVER_ERROR, "the package cannot be read".to_owned())
            }
            Self::Origin(status) => (status, "the origin does not deliver it".to_owned()),
            Self::Unreachable => (StatusCode::BAD_GATEWAY, "the origin does not answer".to_owned()),
        };
        (status, format!("{text}\n")).into_response()
    }
}

/// What the token in a request's path grants, and the path after it, `/library/…`, which it covers.
pub(crate) fn granted<'a>(
    keys: &DeliveryKeys,
    clock: &Clock,
    method: &Method,
    uri: &'a Uri,
) -> Result<(Grant, &'a str), Denied> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Denied::Method);
    }
    let whole = uri.path();
    // Names in packages need no escapes: with none, what was checked is what is opened.
    if whole.contains('%') {
        return Err(Denied::Missing);
    }
    let rest = whole.strip_prefix("/t/").and_then(|rest| Some((rest, rest.find('/')?)));
    let (rest, end) = rest.ok_or(Denied::Token(Refusal::Invalid))?;
    let (token, path) = rest.split_at(end);
    let grant = keys.verify(token)?;
    grant.allows(path, clock.now())?;
    Ok((grant, path))
}
