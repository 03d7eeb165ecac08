//! The role's HTTP.

use super::{
    Events,
    event::{Batch, Event, MOST_EVENTS},
    record::{Kept, What},
};
use crate::{
    clock::UnixTime,
    platform::Platform,
    storage::{
        catalogue::{Title, View},
        event_log::Appended,
        history::Position,
    },
    token::{Verifier, Viewer, bearer},
    web::{
        extract::{self, Object},
        problem::{Code, Document, Problem},
        text::{EventId, Region},
    },
};
use axum::{
    body::Bytes,
    extract::{FromRef, FromRequest, Request, State},
    http::header,
};
use serde::Serialize;
use std::collections::HashMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn all() -> OpenApiRouter<Events> {
    OpenApiRouter::new().routes(routes!(tell))
}

/// An event that is older when it is told counts as that old: 30 days.
const OLDEST_MS: u64 = 30 * 86_400_000;

/// A batch, and who sends it.
struct Told {
    viewer: Viewer,
    batch: Batch,
}

impl<S: Send + Sync> FromRequest<S> for Told
where
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers();
        let essence = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = essence.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        // A beacon of this type needs no preflight, for which a page that is left has no time.
        let beacon = essence.eq_ignore_ascii_case("text/plain");
        let verifier = Verifier::from_ref(state);
        let named = headers.contains_key(header::AUTHORIZATION);
        let mut viewer = None;
        if named || !beacon {
            // Before the body: whoever may not send one need not.
            viewer = Some(Viewer::of(&verifier, bearer(headers)).await?);
        }
        if !beacon && !essence.eq_ignore_ascii_case("application/json") {
            let detail = "send application/json, or text/plain from a page that is left";
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
        let bytes = Bytes::from_request(request, state).await?;
        let Object(batch): Object<Batch> = extract::json(&bytes)?;
        let viewer = match (viewer, &batch.access_token) {
            (Some(viewer), None) => viewer,
            (None, token) => Viewer::of(&verifier, token.as_deref()).await?,
            // RFC 6750, 2: a client uses one way at a time.
            (Some(_), Some(_)) => {
                let detail = "the access token is in the header or in the body, not in both";
                return Err(Problem::new(Code::MalformedRequest, detail));
            }
        };
        Ok(Self { viewer, batch })
    }
}

/// What became of the events of a batch.
#[derive(Serialize, ToSchema)]
struct Verdicts {
    /// One for each event, in their order. None of them needs to be sent again.
    verdicts: Vec<Verdict>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "verdict", rename_all = "snake_case")]
enum Verdict {
    /// It is kept.
    Accepted,
    /// It was kept already, when it was sent before.
    Duplicate,
    /// It is none, and never will be.
    Rejected {
        /// What is wrong with it.
        reason: String,
    },
}

/// Tell what happened
///
/// Up to 200 events of the caller's profile, in 64 KiB. A client sends each until it has a verdict for it: an
/// event that comes again is counted once. After 429 or 503 it waits as long as `Retry-After` says. Where
/// something was watched to moves the profile's position, unless a later one is known. A page that is left sends the
/// same JSON as `text/plain`, with its access token in it.
#[utoipa::path(
    post, path = "/v1/events", tag = "events", security(("bearer" = []), ()),
    request_body(content(
        (Batch = "application/json"),
        (Batch = "text/plain"),
    )),
    responses(
        (status = 200, description = "A verdict for each", body = Verdicts),
        (status = 400, description = "It is no batch, or there is an access token in the header and in it (RFC 6750, 3.1)", body = Document, content_type = "application/problem+json"),
        (status = "default", description = "A problem", body = Document, content_type = "application/problem+json"),
    ),
)]
async fn tell(
    State(events): State<Events>,
    Told { viewer, batch }: Told,
) -> Result<axum::Json<Verdicts>, Problem> {
    let inner = &events.0;
    let now = inner.parts.clock.now();
    if let Err(seconds) = inner.batches.take(viewer.claims.sid.as_str(), now) {
        let detail = "this device sends too often; let events wait and send them together";
        return Err(Problem::new(Code::TooManyRequests, detail).retry_after(seconds));
    }
    if batch.events.len() > MOST_EVENTS {
        return Err(Problem::value("/events", "at most 200 at once"));
    }
    let platform = batch.platform;
    let mut judge = Judge::new(&events, &viewer, &batch, now)?;
    let mut verdicts = Vec::with_capacity(batch.events.len());
    let (mut good, mut entries) = (Vec::new(), Vec::new());
    for value in batch.events {
        match judge.judge(value).await? {
            Ok((event_id, kept)) => {
                entries.push(kept.entry(&event_id));
                good.push((verdicts.len(), kept));
                verdicts.push(Verdict::Accepted);
            }
            Err(reason) => verdicts.push(Verdict::Rejected { reason }),
        }
    }
    let appended = inner.parts.log.append(entries, now).await?;
    crate::crash::point("events/appended");
    // Also those of events that were known: whoever told them before was perhaps not told a verdict, as the
    // process ended here.
    let positions: Vec<Position> = judge.positions.into_values().collect();
    inner.parts.history.set_positions(&viewer.profile.id, &positions).await?;
    crate::crash::point("events/positioned");
    for ((at, kept), appended) in good.into_iter().zip(appended) {
        match (appended, kept.what) {
            (Appended::Known, _) => verdicts[at] = Verdict::Duplicate,
            (Appended::At(_), What::Told(what)) => inner.quality.count(platform, &what),
            (Appended::At(_), What::Exposed { .. }) => {}
        }
    }
    for (name, is) in [
        ("accepted", (|verdict| *verdict == Verdict::Accepted) as fn(&Verdict) -> bool),
        ("duplicate", |verdict| *verdict == Verdict::Duplicate),
        ("rejected", |verdict| matches!(verdict, Verdict::Rejected { .. })),
    ] {
        inner.quality.judged(name, verdicts.iter().filter(|verdict| is(verdict)).count());
    }
    Ok(axum::Json(Verdicts { verdicts }))
}

/// What a batch is judged by.
struct Judge<'a> {
    events: &'a Events,
    viewer: &'a Viewer,
    view: View,
    region: Region,
    platform: Platform,
    sent_at_ms: u64,
    now: UnixTime,
    /// The titles of what was played, looked up once.
    titles: HashMap<String, Option<Title>>,
    /// The latest position in each item.
    positions: HashMap<String, Position>,
}

impl<'a> Judge<'a> {
    fn new(
        events: &'a Events,
        viewer: &'a Viewer,
        batch: &Batch,
        now: UnixTime,
    ) -> Result<Self, Problem> {
        let view = View {
            maturity_limit: viewer.profile.maturity_limit,
            region: viewer.claims.region.clone(),
            now,
        };
        let region = Region::try_from(viewer.claims.region.clone())
            .map_err(|_| Problem::new(Code::Internal, "the token names no region"))?;
        Ok(Self {
            events,
            viewer,
            view,
            region,
            platform: batch.platform,
            sent_at_ms: batch.sent_at_ms,
            now,
            titles: HashMap::new(),
            positions: HashMap::new(),
        })
    }

    /// An event as it is to be kept, or what is wrong with it.
    async fn judge(
        &mut self,
        value: serde_json::Value,
    ) -> Result<Result<(EventId, Kept), String>, Problem> {
        let event = match Event::read(value) {
            Ok(event) => event,
            Err(reason) => return Ok(Err(reason)),
        };
        // Clocks of clients are wrong; how long ago it was they know well.
        let ago = self.sent_at_ms.saturating_sub(event.at_ms).min(OLDEST_MS);
        let now = self.now;
        let at_ms = now.0.saturating_mul(1000).saturating_sub_unsigned(ago);
        let mut title = None;
        let mut fraction = None;
        if let Some(item) = event.what.item() {
            let Some(found) = self.title_of(item.as_str()).await? else {
                return Ok(Err("`item_id`: there is no such film or episode".to_owned()));
            };
            title = Some(found.id.clone());
            if let Some((item, seconds)) = event.what.position() {
                // The service knows the second: what was less than one ago was in this, not in the last, in which
                // the viewer may have taken the title out.
                let at = UnixTime(now.0.saturating_sub_unsigned(ago / 1000));
                let media = found.items().find(|one| one.id == item).and_then(|one| one.media);
                let length = media.map_or(0, |media| media.duration_seconds);
                let Some(position) = Position::of(found, item.as_str(), seconds, at) else {
                    return Ok(Err("`item_id`: it does not play".to_owned()));
                };
                fraction = Some(position.seconds as f32 / length.max(1) as f32);
                let known = self.positions.get(item.as_str());
                if known.is_none_or(|known| known.at <= position.at) {
                    self.positions.insert(item.as_str().to_owned(), position);
                }
            }
        }
        let kept = Kept {
            profile: self.viewer.profile.id.clone(),
            session: Some(self.viewer.claims.sid.clone()),
            platform: self.platform,
            region: self.region.clone(),
            at_ms,
            title,
            fraction,
            what: What::Told(event.what),
        };
        Ok(Ok((event.event_id, kept)))
    }

    async fn title_of(&mut self, item: &str) -> Result<Option<&Title>, Problem> {
        if !self.titles.contains_key(item) {
            let title = self.events.0.parts.catalogue.title_of(item, &self.view).await?;
            self.titles.insert(item.to_owned(), title);
        }
        Ok(self.titles.get(item).and_then(Option::as_ref))
    }
}
