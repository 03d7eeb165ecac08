//! Resources in memory behind a link of a given speed: for tests, and for media that ships with an
//! app.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kinora_core::io::{ByteRange, Request, RequestFailure, ResponseHead};
use tokio::time::sleep;

use super::{FetchFuture, ResponseSink, Transport};

/// Bytes that pass the link at a time: a packet.
const CHUNK: usize = 1_400;

/// [`Transport`] over bytes in memory, on tokio's clock: under a paused clock it takes no real time.
#[derive(Clone, Default)]
pub struct MemoryTransport {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    settings: Mutex<Settings>,
    /// Taken for each chunk, in the order of arrival: the link's fair share.
    link: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Settings {
    entries: HashMap<String, Entry>,
    latency: Duration,
    bits_per_second: Option<u64>,
    requests: Vec<Request>,
}

/// What there is under a URL.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The status it is answered with; byte ranges turn 200 into 206.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// The resource.
    pub body: Bytes,
    /// The connection breaks after so many bytes.
    pub breaks_after: Option<usize>,
}

impl Entry {
    /// An ordinary resource.
    pub fn new(content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status: 200,
            content_type: content_type.to_owned(),
            body: body.into(),
            breaks_after: None,
        }
    }
}

impl MemoryTransport {
    /// Puts a resource under a URL, in place of what was there.
    pub fn insert(&self, url: impl Into<String>, entry: Entry) {
        self.settings(|settings| settings.entries.insert(url.into(), entry));
    }

    /// Time from a request to its first byte.
    pub fn set_latency(&self, latency: Duration) {
        self.settings(|settings| settings.latency = latency);
    }

    /// Speed of the link that all responses share; unlimited if `None`.
    pub fn set_bits_per_second(&self, bits_per_second: Option<u64>) {
        self.settings(|settings| settings.bits_per_second = bits_per_second);
    }

    /// The requests made so far.
    pub fn requests(&self) -> Vec<Request> {
        self.settings(|settings| settings.requests.clone())
    }

    fn settings<T>(&self, work: impl FnOnce(&mut Settings) -> T) -> T {
        work(&mut self.shared.settings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn transfer(
        &self,
        request: Request,
        sink: &mut ResponseSink,
    ) -> Result<(), RequestFailure> {
        let (entry, latency) = self.settings(|settings| {
            let entry = settings.entries.get(&request.url).cloned();
            settings.requests.push(request.clone());
            (entry, settings.latency)
        });
        sleep(latency).await;
        let entry = entry.unwrap_or_else(|| Entry {
            status: 404,
            ..Entry::new("text/plain", "there is nothing here")
        });
        let (status, body) = match (entry.status, request.range) {
            (200, Some(range)) => (206, slice(&entry.body, range)),
            (status, _) => (status, entry.body),
        };
        let head = ResponseHead {
            url: request.url,
            content_type: Some(entry.content_type),
            content_length: Some(body.len() as u64),
            ..ResponseHead::of_status(status)
        };
        sink.head(head).await;
        let whole = entry.breaks_after.is_none_or(|limit| limit >= body.len());
        let body = body.slice(..entry.breaks_after.unwrap_or(body.len()).min(body.len()));
        for chunk in body.chunks(CHUNK) {
            let turn = self.shared.link.lock().await;
            if let Some(speed) = self.settings(|settings| settings.bits_per_second) {
                sleep(Duration::from_secs_f64(chunk.len() as f64 * 8.0 / speed.max(1) as f64))
                    .await;
            }
            drop(turn);
            sink.chunk(chunk).await?;
        }
        if whole {
            return Ok(());
        }
        Err(RequestFailure::Interrupted("the connection broke".into()))
    }
}

impl Transport for MemoryTransport {
    fn fetch<'a>(&'a self, request: Request, sink: &'a mut ResponseSink) -> FetchFuture<'a> {
        Box::pin(self.transfer(request, sink))
    }
}

fn slice(body: &Bytes, range: ByteRange) -> Bytes {
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(body.len());
    let start = at(range.start);
    let end = range.length.map_or(body.len(), |length| at(range.start.saturating_add(length)));
    body.slice(start..end)
}
