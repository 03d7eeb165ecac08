//! The broadcast over HTTP: manifests that wait for what is asked for, segments that are sent while they are made.

use super::{
    broadcast::{Broadcast, Segment},
    channel::Channel,
    dash,
    directives::{Directives, Readiness},
    hls,
};
use crate::{Error, delivery, package::hls::MEDIA_PLAYLIST};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::stream;
use std::{sync::Arc, time::Duration};

/// Playlists and MPDs are asked for anew each time; a cache on the way may hold one as long as no other is asked for.
const MANIFEST: &str = "no-cache";
/// What waits to be there never changes.
const WAITED_FOR: &str = "public, max-age=6";
const SEGMENT: &str = "public, max-age=3600, immutable";

/// Where a broadcast is served.
#[derive(Debug, Clone)]
pub struct Place {
    /// The broadcast.
    pub channel: Arc<Channel>,
    /// Where players reach it, such as `https://live.example/one`, if that is not where they send their requests.
    pub public_url: Option<String>,
}

/// `master.m3u8`, `manifest.mpd`, all that they lead to, and `time`.
pub fn router(place: Place) -> Router {
    let router = Router::new()
        .route("/master.m3u8", get(multivariant))
        .route("/manifest.mpd", get(mpd))
        .route("/time", get(time))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/{directory}/{file}", get(file))
        .with_state(place);
    delivery::for_players(router)
}

/// Requests wait for no longer than three target durations (RFC 8216bis, 6.2.5.2).
fn patience(broadcast: &Broadcast) -> Duration {
    Duration::from_secs(hls::target_duration(broadcast) * 3)
}

async fn multivariant(State(place): State<Place>) -> Response {
    manifest(place.channel.look(|broadcast| on(broadcast).then(|| hls::multivariant(broadcast))))
}

async fn mpd(State(place): State<Place>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let base = place.public_url.clone().unwrap_or_else(|| format!("http://{host}"));
    let clock = format!("{base}/time");
    let text = place.channel.look(|broadcast| {
        on(broadcast).then(|| dash::manifest(broadcast, &clock).map(String::into_bytes))
    });
    manifest(text)
}

fn on(broadcast: &Broadcast) -> bool {
    broadcast.is_on()
}

fn manifest(text: Option<Result<Vec<u8>, Error>>) -> Response {
    match text {
        Some(Ok(text)) => ([(header::CACHE_CONTROL, MANIFEST)], text).into_response(),
        Some(Err(error)) => {
            tracing::error!(%error, "manifest");
            (StatusCode::INTERNAL_SERVER_ERROR, "cannot write the manifest\n").into_response()
        }
        None => not_yet("it has not begun\n"),
    }
}

fn not_yet(text: &'static str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text).into_response()
}

async fn time(State(place): State<Place>) -> Response {
    let date = hls::date(place.channel.now());
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "text/plain")];
    (headers, date).into_response()
}

async fn file(
    State(place): State<Place>,
    Path((directory, file)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let channel = place.channel;
    if channel.look(|broadcast| broadcast.rendition(&directory).is_none()) {
        return missing();
    }
    if file == MEDIA_PLAYLIST {
        return playlist(&channel, &directory, query.as_deref().unwrap_or_default()).await;
    }
    match Name::parse(&file) {
        Some(Name::Init(run)) => {
            let init = |b: &Broadcast| b.rendition(&directory)?.init(run).cloned();
            channel.look(init).map_or_else(missing, segment_of)
        }
        Some(Name::Part(number, index)) => part(&channel, &directory, number, index).await,
        Some(Name::Segment(number)) => segment(channel, directory, number).await,
        None => missing(),
    }
}

/// What a file's name says it is.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Init(u64),
    Segment(u64),
    Part(u64, u64),
}

impl Name {
    fn parse(file: &str) -> Option<Self> {
        if let Some(run) = file.strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4")) {
            return Some(Self::Init(run.parse().ok()?));
        }
        let numbers = file.strip_suffix(".m4s")?;
        Some(match numbers.split_once('.') {
            Some((number, part)) => Self::Part(number.parse().ok()?, part.parse().ok()?),
            None => Self::Segment(numbers.parse().ok()?),
        })
    }
}

async fn playlist(channel: &Channel, directory: &str, query: &str) -> Response {
    let directives = match Directives::parse(query) {
        Ok(directives) => directives,
        Err(reason) => return (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response(),
    };
    let waits = directives.until.is_some();
    let text = |broadcast: &Broadcast| {
        let rendition = broadcast.rendition(directory).filter(|_| broadcast.is_on())?;
        match directives.readiness(broadcast, rendition) {
            Readiness::Ready => Some(Ok(hls::media(broadcast, rendition, directives.skip))),
            Readiness::TooFar => Some(Err(())),
            Readiness::Wait => None,
        }
    };
    let patience = channel.look(patience);
    match channel.wait(patience, text).await {
        Some(Ok(text)) => {
            let keeps = if waits { WAITED_FOR } else { MANIFEST };
            ([(header::CACHE_CONTROL, keeps)], text).into_response()
        }
        Some(Err(())) => {
            let reason = "_HLS_msn is more than one segment ahead\n";
            (StatusCode::BAD_REQUEST, reason).into_response()
        }
        None => not_yet("what is asked for has not been made in time\n"),
    }
}

async fn part(channel: &Channel, directory: &str, number: u64, index: u64) -> Response {
    let find = |broadcast: &Broadcast| {
        let rendition = broadcast.rendition(directory)?;
        match rendition.segment(number) {
            Some(segment) => {
                let part = usize::try_from(index).ok().and_then(|index| segment.parts.get(index));
                let over = segment.complete || broadcast.ended;
                part.map(|part| Some(part.bytes.clone())).or(over.then_some(None))
            }
            None => is_never(broadcast, directory, number).then_some(None),
        }
    };
    let patience = channel.look(patience);
    channel.wait(patience, find).await.flatten().map_or_else(missing, segment_of)
}

/// Whether a segment that is not there is not the next one, either.
fn is_never(broadcast: &Broadcast, directory: &str, number: u64) -> bool {
    let next = broadcast.rendition(directory).and_then(|r| r.segments.back()).map(|s| s.number + 1);
    broadcast.ended || next != Some(number)
}

/// A segment: as a whole when it is, and otherwise part by part as they are made.
async fn segment(channel: Arc<Channel>, directory: String, number: u64) -> Response {
    let begun = |broadcast: &Broadcast| {
        let segment = broadcast.rendition(&directory)?.segment(number);
        match segment {
            Some(segment) if segment.is_gap() => Some(None),
            Some(segment) if segment.complete => Some(Some(Some(whole(segment)))),
            Some(segment) => (!segment.parts.is_empty()).then_some(Some(None)),
            None => is_never(broadcast, &directory, number).then_some(None),
        }
    };
    let patience = channel.look(patience);
    match channel.wait(patience, begun).await.flatten() {
        None => missing(),
        Some(Some(bytes)) => segment_of(bytes),
        Some(None) => {
            let parts = stream::unfold((channel, directory, 0), move |state| async move {
                let (channel, directory, index) = state;
                let next = |broadcast: &Broadcast| {
                    let segment = broadcast.rendition(&directory).and_then(|r| r.segment(number));
                    let part = segment.and_then(|segment| segment.parts.get(index));
                    match (part, segment) {
                        (Some(part), _) => Some(Some(part.bytes.clone())),
                        // Its end, or it has left the window while it was sent: the latter is nobody's loss.
                        (None, Some(segment)) if !segment.complete => None,
                        (None, _) => Some(None),
                    }
                };
                match channel.wait(patience, next).await {
                    Some(Some(bytes)) => Some((Ok(bytes), (channel, directory, index + 1))),
                    Some(None) => None,
                    None => {
                        let stuck = std::io::Error::from(std::io::ErrorKind::TimedOut);
                        Some((Err(stuck), (channel, directory, usize::MAX)))
                    }
                }
            });
            ([(header::CACHE_CONTROL, SEGMENT)], Body::from_stream(parts)).into_response()
        }
    }
}

fn whole(segment: &Segment) -> Bytes {
    let mut bytes = Vec::with_capacity(segment.size() as usize);
    for part in &segment.parts {
        bytes.extend_from_slice(&part.bytes);
    }
    bytes.into()
}

fn segment_of(bytes: Bytes) -> Response {
    ([(header::CACHE_CONTROL, SEGMENT)], bytes).into_response()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "no such file\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_say_what_is_asked_for() {
        assert_eq!(Name::parse("init-3.mp4"), Some(Name::Init(3)));
        assert_eq!(Name::parse("12.m4s"), Some(Name::Segment(12)));
        assert_eq!(Name::parse("12.3.m4s"), Some(Name::Part(12, 3)));
        for other in ["12", "x.m4s", "1.2.3.m4s", "init-.mp4", "99999999999999999999.m4s"] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }
}
