//! Where slices come from.

use super::{Facts, SLICE, Slice};
use crate::{
    delivery::granted::Denied,
    web::{Onward, client},
};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, Uri, header},
    response::Response,
};
use futures_util::StreamExt;
use std::time::Duration;
use tower_http::services::ServeDir;
use tower_service::Service;

/// A source that takes longer for a slice is asked by the player's next attempt.
const TIME: Duration = Duration::from_secs(15);

/// Where media come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A directory.
    Here(ServeDir),
    /// A process that plays the role `delivery`, at a URL without a slash at the end.
    There(String),
}

impl Source {
    /// Reads a slice of the file at a path, for a request.
    pub(super) async fn slice(
        &self,
        path: &str,
        number: u64,
        asked_for: &Onward,
    ) -> Result<Slice, Denied> {
        let first = number.checked_mul(SLICE).ok_or(Denied::Missing)?;
        let range = format!("bytes={first}-{}", first.saturating_add(SLICE - 1));
        let mut request = Request::new(Body::empty());
        let range = range.try_into().map_err(|_| Denied::Missing)?;
        request.headers_mut().insert(header::RANGE, range);
        let read = async {
            let answer = match self {
                Self::Here(files) => {
                    *request.uri_mut() = uri(path)?;
                    let Ok(answer) = files.clone().call(request).await;
                    answer.map(Body::new)
                }
                Self::There(base) => {
                    *request.uri_mut() = uri(&format!("{base}{path}"))?;
                    asked_for.tell(request.headers_mut());
                    let answer = client::send(request).await.map_err(|error| {
                        tracing::warn!(%error, "the origin cannot be reached");
                        Denied::Unreachable
                    })?;
                    answer.map(Body::new)
                }
            };
            taken(answer, first).await
        };
        match tokio::time::timeout(TIME, read).await {
            Ok(read) => read,
            Err(_) => {
                tracing::warn!("a slice did not come in time");
                Err(Denied::Unreachable)
            }
        }
    }
}

fn uri(text: &str) -> Result<Uri, Denied> {
    text.parse().map_err(|_| Denied::Missing)
}

/// The slice that an answer holds, which has to be the one that was asked for.
async fn taken(answer: Response, first: u64) -> Result<Slice, Denied> {
    let broken = |reason: &str| {
        tracing::warn!(reason, "a slice cannot be taken");
        Denied::Unreachable
    };
    let (head, body) = answer.into_parts();
    let total = match head.status {
        StatusCode::PARTIAL_CONTENT => {
            content_range(&head.headers).filter(|(from, _)| *from == first).map(|(_, total)| total)
        }
        // Nothing of an empty file is a range of it.
        StatusCode::RANGE_NOT_SATISFIABLE if first == 0 => Some(0),
        StatusCode::NOT_FOUND => return Err(Denied::Missing),
        status if status.is_client_error() => return Err(Denied::Origin(status)),
        status => return Err(broken(status.as_str())),
    };
    let total = total.ok_or_else(|| broken("it is of another range"))?;
    let expected = total.saturating_sub(first).min(SLICE) as usize;
    let mut bytes = Vec::with_capacity(expected);
    if expected > 0 {
        let mut body = body.into_data_stream();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| broken(&error.to_string()))?;
            if bytes.len() + piece.len() > expected {
                return Err(broken("it is longer than it says"));
            }
            bytes.extend_from_slice(&piece);
        }
    }
    if bytes.len() != expected {
        return Err(broken("it is shorter than it says"));
    }
    let mut headers = head.headers;
    let facts = Facts {
        total,
        etag: headers.remove(header::ETAG),
        last_modified: headers.remove(header::LAST_MODIFIED),
    };
    Ok(Slice { facts, bytes: bytes.into() })
}

/// Where the range of an answer begins, and the length of the whole (RFC 9110, 14.4).
fn content_range(headers: &HeaderMap) -> Option<(u64, u64)> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    let whole = last == (first.checked_add(SLICE)? - 1).min(total.checked_sub(1)?);
    whole.then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(value: &str) -> Option<(u64, u64)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_RANGE, value.parse().unwrap());
        content_range(&headers)
    }

    #[test]
    fn a_range_is_the_slice_that_was_asked_for_or_nothing() {
        assert_eq!(range("bytes 0-999/1000"), Some((0, 1000)));
        assert_eq!(range("bytes 1048576-2097151/9000000"), Some((1 << 20, 9_000_000)));
        for nonsense in [
            "bytes 0-998/1000",
            "bytes 0-1000/1000",
            "bytes 0-999/*",
            "bytes */1000",
            "bytes 5-2/1000",
            "bytes 0--1/0",
            "bytes 18446744073709551615-18446744073709551615/18446744073709551615",
            "items 0-999/1000",
            "",
        ] {
            assert_eq!(range(nonsense), None, "{nonsense}");
        }
    }
}
