//! The chaos role: delivery made worse on purpose, and the record of how players took it.
//!
//! [`Chaos::apply`] wraps the routes that should suffer, [`router`] steers it while they are in use. It is for
//! tests and trials; nothing of it is reachable unless asked for.

mod fault;
mod ledger;
mod shaper;

pub use fault::{Action, Rule};
pub use ledger::Ledger;
pub use shaper::Shaper;

use crate::delivery::kind::{FileType, Kind};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Query, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, put},
};
use fault::Faults;
use futures_util::{StreamExt, stream};
use http_body::Body as _;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// A handle on the shaping, the faults and the record; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Chaos {
    /// Bounds the rate of media, all connections together.
    pub shaper: Arc<Shaper>,
    faults: Arc<Faults>,
    /// What was asked for and what was sent.
    pub ledger: Arc<Ledger>,
}

impl Chaos {
    /// Lets these routes suffer: bodies of media go through the shaper, and any request may meet a fault.
    pub fn apply(&self, router: Router) -> Router {
        let chaos = self.clone();
        router.layer(middleware::from_fn(move |request: Request, next: Next| {
            let chaos = chaos.clone();
            async move { chaos.answer(request, next).await }
        }))
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        let is_media = FileType::of(request.uri().path()).kind == Kind::Media;
        if is_media {
            self.shaper.delay().await;
        }
        let action = self.faults.take(&path);
        let response = match action {
            Some(Action::Status { status }) => {
                let status =
                    StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                // Pages on other origins must see the status, not a refusal by their browser.
                let headers = [
                    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
                    (header::CACHE_CONTROL, "no-store"),
                ];
                return (status, headers, "a fault on purpose\n").into_response();
            }
            _ => next.run(request).await,
        };
        let response = if is_media { self.shaped(response) } else { response };
        match action {
            Some(action) => self.damaged(response, action),
            None => response,
        }
    }

    fn shaped(&self, response: Response) -> Response {
        let shaper = self.shaper.clone();
        response.map(|body| {
            if body.is_end_stream() {
                return body;
            }
            // A chunk is paid for before the next is taken, so that a new rate holds from the next chunk on.
            let chunks = stream::unfold((body.into_data_stream(), Bytes::new()), move |state| {
                let shaper = shaper.clone();
                async move {
                    let (mut body, mut rest) = state;
                    while rest.is_empty() {
                        match body.next().await? {
                            Ok(bytes) => rest = bytes,
                            Err(error) => return Some((Err(error), (body, rest))),
                        }
                    }
                    let chunk = rest.split_to(shaper.chunk().min(rest.len()));
                    shaper.pass(chunk.len()).await;
                    Some((Ok(chunk), (body, rest)))
                }
            });
            Body::from_stream(chunks)
        })
    }

    fn damaged(&self, mut response: Response, action: Action) -> Response {
        let (after, end) = match action {
            Action::Status { .. } => return response,
            Action::Truncate { after } => {
                let length = response.headers().get(header::CONTENT_LENGTH);
                let length: Option<u64> = length.and_then(|l| l.to_str().ok()?.parse().ok());
                // The announced length is the short one: what a broken cache hands out.
                if let Some(length) = length {
                    let length = HeaderValue::from(length.min(after));
                    response.headers_mut().insert(header::CONTENT_LENGTH, length);
                }
                (after, End::Quiet)
            }
            Action::Abort { after } => (after, End::Error),
            Action::Stall { after } => (after, End::Wait(self.faults.clone())),
        };
        response.map(|body| {
            let state = Some((body.into_data_stream(), after, end));
            Body::from_stream(stream::unfold(state, |state| async {
                let (mut body, left, end) = state?;
                if left == 0 {
                    return match end {
                        End::Quiet => None,
                        End::Error => {
                            // Lets what came before out; the connection drops what it still holds.
                            tokio::task::yield_now().await;
                            Some((Err(axum::Error::new(Aborted)), None))
                        }
                        End::Wait(faults) => {
                            faults.cleared().await;
                            Some((Err(axum::Error::new(Aborted)), None))
                        }
                    };
                }
                match body.next().await? {
                    Ok(mut chunk) => {
                        chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                        let left = left - chunk.len() as u64;
                        Some((Ok(chunk), Some((body, left, end))))
                    }
                    Err(error) => Some((Err(error), None)),
                }
            }))
        })
    }
}

/// How a damaged body ends.
enum End {
    Quiet,
    Error,
    Wait(Arc<Faults>),
}

#[derive(Debug, thiserror::Error)]
#[error("the body was cut on purpose")]
struct Aborted;

/// The control endpoints, under `/_control`:
///
/// * `GET /throttle`, `PUT /throttle?kbps=N&latency_ms=N`; without `kbps` the rate is unbounded, `kbps=0` stops
///   all media.
/// * `GET /fault`, `DELETE /fault`, `PUT /fault?match=TEXT&action=status|truncate|abort|stall&status=N&after=BYTES&times=N`:
///   every request whose path holds the text, or the first `times` of them, is answered with the status, ends
///   `after` so many bytes as if that were all, breaks off there, or hangs there until the faults are deleted.
/// * `GET /log`, `DELETE /log`: the requests that have ended, in that order.
pub fn router(chaos: Chaos) -> Router {
    let control = Router::new()
        .route("/throttle", put(set_throttle).get(show_throttle))
        .route("/fault", put(add_fault).get(show_faults).delete(clear_faults))
        .route("/log", get(show_log).delete(clear_log))
        .with_state(chaos);
    Router::new().nest("/_control", control)
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Throttle {
    kbps: Option<u64>,
    #[serde(default)]
    latency_ms: u64,
}

async fn set_throttle(
    State(chaos): State<Chaos>,
    Query(throttle): Query<Throttle>,
) -> Json<Throttle> {
    chaos.shaper.set_rate(throttle.kbps);
    chaos.shaper.set_latency(Duration::from_millis(throttle.latency_ms));
    Json(throttle)
}

async fn show_throttle(State(chaos): State<Chaos>) -> Json<Throttle> {
    let latency_ms = chaos.shaper.latency().as_millis() as u64;
    Json(Throttle { kbps: chaos.shaper.rate(), latency_ms })
}

async fn add_fault(
    State(chaos): State<Chaos>,
    Query(request): Query<fault::Request>,
) -> Result<Json<Vec<Rule>>, (StatusCode, String)> {
    let rule = request.rule().map_err(|reason| (StatusCode::BAD_REQUEST, format!("{reason}\n")))?;
    chaos.faults.add(rule);
    Ok(Json(chaos.faults.rules()))
}

async fn show_faults(State(chaos): State<Chaos>) -> Json<Vec<Rule>> {
    Json(chaos.faults.rules())
}

async fn clear_faults(State(chaos): State<Chaos>) -> StatusCode {
    chaos.faults.clear();
    StatusCode::NO_CONTENT
}

async fn show_log(State(chaos): State<Chaos>) -> impl IntoResponse {
    Json(serde_json::json!({ "requests": chaos.ledger.entries() }))
}

async fn clear_log(State(chaos): State<Chaos>) -> StatusCode {
    chaos.ledger.clear();
    StatusCode::NO_CONTENT
}
