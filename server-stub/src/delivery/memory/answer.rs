//! What is answered: ranges and conditions (RFC 9110, 13 and 14), and bodies made of slices.

use super::{Facts, File, Memory, SLICE, Slice, Source};
use crate::delivery::granted::Denied;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use http_range_header::{EndPosition, StartPosition, SyntacticallyCorrectRange};
use std::{io, ops::RangeInclusive, sync::Arc};

/// RFC 9211.
static CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

/// Answers a request for a file.
pub(super) async fn answer(
    memory: &Memory,
    file: File,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Denied> {
    let mut range = wanted(headers);
    let mut number = match range.map(|range| range.start) {
        Some(StartPosition::Index(first)) => first / SLICE,
        _ => 0,
    };
    let (mut slice, here) = match memory.get(&file, number).await {
        Err(Denied::Origin(StatusCode::RANGE_NOT_SATISFIABLE)) if number > 0 => {
            number = 0;
            memory.get(&file, number).await?
        }
        got => got?,
    };
    if let Some(condition) = headers.get(header::IF_RANGE)
        && slice.facts.etag.as_ref() != Some(condition)
    {
        range = None;
        if number > 0 {
            number = 0;
            slice = memory.get(&file, number).await?.0;
        }
    }
    let at_hand = (number, &slice);
    let facts = &slice.facts;
    let mut response = if unmodified(facts, headers) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match range.map(|range| resolve(range, facts.total)) {
            Some(None) => {
                let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
                set(&mut response, header::CONTENT_RANGE, &format!("bytes */{}", facts.total));
                return Ok(response);
            }
            Some(Some(part)) => {
                let (first, last, total) = (*part.start(), *part.end(), facts.total);
                let mut response = body(memory, &file, at_hand, part, method).await?;
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let range = format!("bytes {first}-{last}/{total}");
                set(&mut response, header::CONTENT_RANGE, &range);
                response
            }
            None if facts.total == 0 => ().into_response(),
            None => body(memory, &file, at_hand, 0..=facts.total - 1, method).await?,
        }
    };
    let headers = response.headers_mut();
    for (name, value) in
        [(header::ETAG, &facts.etag), (header::LAST_MODIFIED, &facts.last_modified)]
    {
        if let Some(value) = value {
            headers.insert(name, value.clone());
        }
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if matches!(file.source, Source::There(_)) {
        let status = if here { "kinora; hit" } else { "kinora; fwd=uri-miss" };
        headers.insert(&CACHE_STATUS, HeaderValue::from_static(status));
    }
    Ok(response)
}

/// The range that is asked for, if it is one and makes sense; several are answered with the whole, as they may be
/// (RFC 9110, 14.2).
fn wanted(headers: &HeaderMap) -> Option<SyntacticallyCorrectRange> {
    let value = headers.get(header::RANGE)?.to_str().ok()?;
    let ranges = http_range_header::parse_range_header(value).ok()?.ranges;
    let [range] = <[SyntacticallyCorrectRange; 1]>::try_from(ranges).ok()?;
    let backwards = matches!(
        (range.start, range.end),
        (StartPosition::Index(first), EndPosition::Index(last)) if last < first
    );
    (!backwards).then_some(range)
}

/// The bytes of a range of a file of so many; none if there is none of them.
fn resolve(range: SyntacticallyCorrectRange, total: u64) -> Option<RangeInclusive<u64>> {
    let end = total.checked_sub(1)?;
    let (first, last) = match (range.start, range.end) {
        (StartPosition::Index(first), EndPosition::Index(last)) => (first, last.min(end)),
        (StartPosition::Index(first), EndPosition::LastByte) => (first, end),
        (StartPosition::FromLast(count), _) => (total.saturating_sub(count), end),
    };
    (first <= last).then_some(first..=last)
}

/// Whether who asks has what there is (RFC 9110, 13.1.2 and 13.1.3): the comparison of tags is the weak one, and of two
/// dates nobody knows more than that they are the same.
fn unmodified(facts: &Facts, headers: &HeaderMap) -> bool {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        let date = headers.get(header::IF_MODIFIED_SINCE);
        return date.is_some() && date == facts.last_modified.as_ref();
    }
    let Some(etag) = facts.etag.as_ref().and_then(|etag| etag.to_str().ok()) else { return false };
    let strong = |tag: &str| tag.trim().trim_start_matches("W/") == etag.trim_start_matches("W/");
    let known = headers.get_all(header::IF_NONE_MATCH).into_iter();
    known
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.trim() == "*" || value.split(',').any(strong))
}

/// Bytes of a file, of which one slice is at hand.
async fn body(
    memory: &Memory,
    file: &File,
    (at_hand, held): (u64, &Arc<Slice>),
    bytes: RangeInclusive<u64>,
    method: &Method,
) -> Result<Response, Denied> {
    let (first, last) = (*bytes.start(), *bytes.end());
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        let (number, end) = (first / SLICE, last / SLICE);
        // Of the last bytes of a file nobody knows where they are before its first slice is here.
        let slice = match number == at_hand {
            true => held.clone(),
            false => memory.get(file, number).await?.0,
        };
        if slice.facts != held.facts {
            memory.forget(file, &held.facts).await;
            memory.forget(file, &slice.facts).await;
            return Err(Denied::Unreachable);
        }
        if number == end {
            Body::from(part(&slice, number, first, last))
        } else {
            let (memory, file) = (memory.clone(), file.clone());
            let next = (number, Some(slice.clone()));
            Body::from_stream(stream::try_unfold(next, move |(number, ready)| {
                let (memory, file, whole) = (memory.clone(), file.clone(), slice.clone());
                async move {
                    if number > end {
                        return Ok::<_, io::Error>(None);
                    }
                    let slice = match ready {
                        Some(slice) => slice,
                        None => following(&memory, &file, number, &whole.facts).await?,
                    };
                    Ok(Some((part(&slice, number, first, last), (number + 1, None))))
                }
            }))
        }
    };
    let mut response = Response::new(body);
    set(&mut response, header::CONTENT_LENGTH, &(last - first + 1).to_string());
    Ok(response)
}

/// A later slice of the same file. One of another would make a file that never was: the body breaks off, and who
/// asked may ask again.
async fn following(
    memory: &Memory,
    file: &File,
    number: u64,
    facts: &Facts,
) -> io::Result<Arc<Slice>> {
    let broken = |reason: &str| io::Error::other(reason.to_owned());
    let got = memory.get(file, number).await;
    let (slice, _) = got.map_err(|_| broken("the origin does not answer"))?;
    if slice.facts != *facts {
        memory.forget(file, facts).await;
        memory.forget(file, &slice.facts).await;
        return Err(broken("the file has changed meanwhile"));
    }
    Ok(slice)
}

/// What of a slice is between two bytes of the file.
fn part(slice: &Slice, number: u64, first: u64, last: u64) -> Bytes {
    let start = number * SLICE;
    let length = slice.bytes.len() as u64;
    let from = first.saturating_sub(start).min(length);
    let to = (last + 1).saturating_sub(start).min(length);
    slice.bytes.slice(from as usize..to.max(from) as usize)
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(value: &str, total: u64) -> Option<Option<RangeInclusive<u64>>> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, value.parse().unwrap());
        wanted(&headers).map(|range| resolve(range, total))
    }

    #[test]
    fn ranges_are_within_the_file() {
        assert_eq!(range("bytes=0-0", 10), Some(Some(0..=0)));
        assert_eq!(range("bytes=2-", 10), Some(Some(2..=9)));
        assert_eq!(range("bytes=2-99", 10), Some(Some(2..=9)));
        assert_eq!(range("bytes=-3", 10), Some(Some(7..=9)));
        assert_eq!(range("bytes=-30", 10), Some(Some(0..=9)));
        assert_eq!(range("bytes=10-", 10), Some(None));
        assert_eq!(range("bytes=0-", 0), Some(None));
        for ignored in ["bytes=0-1,3-4", "bytes=3-2", "bytes=-0", "items=0-1", "bytes=", "x"] {
            assert_eq!(range(ignored, 10), None, "{ignored}");
        }
    }

    #[test]
    fn a_known_validator_is_found_among_others() {
        let etag = Some(HeaderValue::from_static("\"a\""));
        let facts = Facts { total: 1, etag, last_modified: None };
        let asks = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            unmodified(&facts, &headers)
        };
        assert!(asks("\"a\"") && asks("\"b\", W/\"a\"") && asks("*"));
        assert!(!asks("\"b\"") && !asks("a"));
        assert!(!unmodified(&facts, &HeaderMap::new()));
    }
}
