//! From the chunks of a response to the reports the core wants to have.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kinora_core::io::{BodyHandling, Input, Request, RequestFailure, RequestId, ResponseHead};
use kinora_core::media::{Chunk, ChunkHunt, boxes_before_mdat};
use kinora_core::time::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Progress of a kept body is reported no oftener than this.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// The boxes before the first `mdat` are not looked for beyond so many bytes.
const LONGEST_HEAD: usize = 1 << 20;

/// Takes in one response, and reports it to the player in the form that the request asked for.
pub struct ResponseSink {
    id: RequestId,
    handling: BodyHandling,
    limit: u64,
    reports: mpsc::Sender<Report>,
    received: u64,
    kept: BytesMut,
    refused: bool,
    head_sent: bool,
    progress_sent: Option<Instant>,
    /// Of a body that is kept in chunks: what is known of the next, and how much has been handed over.
    hunt: ChunkHunt,
    handed: u64,
    epoch: Instant,
}

/// One report on a request.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) id: RequestId,
    pub(crate) input: Input,
    /// What came of the body with it. Anything but a chunk or a part means that it is over.
    pub(crate) body: Option<ReportedBody>,
}

/// What remains of a finished request.
#[derive(Debug)]
pub(crate) enum ReportedBody {
    /// Nothing: the player has had it all, or it failed.
    None,
    /// The next chunk of a body that goes on.
    Chunk(Bytes),
    /// What has arrived of a body that goes on, since what was reported last.
    Part(BytesMut),
    /// The body, for a later append, but for what was reported of it before.
    Kept(BytesMut),
}

impl ResponseSink {
    /// A sink that refuses bodies larger than `limit` bytes.
    /// Instants are counted from `epoch`.
    pub(crate) fn new(
        request: &Request,
        limit: u64,
        reports: mpsc::Sender<Report>,
        epoch: Instant,
    ) -> Self {
        Self {
            id: request.id,
            handling: request.body,
            limit,
            reports,
            received: 0,
            kept: BytesMut::new(),
            refused: false,
            head_sent: false,
            progress_sent: None,
            hunt: ChunkHunt::default(),
            handed: 0,
            epoch,
        }
    }

    /// The most bytes a body may have.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// The status line and header fields have arrived.
    pub async fn head(&mut self, head: ResponseHead) {
        // The page that comes with an error status is nothing to append.
        self.refused = head.status >= 400;
        if self.handling != BodyHandling::Deliver && !self.refused {
            let expected = head.content_length.unwrap_or(0).min(self.limit);
            self.kept.reserve(usize::try_from(expected).unwrap_or(0).min(64 << 20));
        }
        self.report(Input::ResponseHead { id: self.id, head }).await;
    }

    /// The next bytes of the body have arrived. An error means that the body is too large; the
    /// request is to be given up with it.
    pub async fn chunk(&mut self, data: &[u8]) -> Result<(), RequestFailure> {
        if data.is_empty() {
            return Ok(());
        }
        self.received = self.received.saturating_add(data.len() as u64);
        if self.received > self.limit {
            let reason = format!("the body is larger than {} bytes", self.limit);
            return Err(RequestFailure::Interrupted(reason));
        }
        match self.handling {
            BodyHandling::Deliver => {
                self.report(Input::Body { id: self.id, data: data.to_vec() }).await;
            }
            BodyHandling::Keep => {
                if !self.refused {
                    self.kept.extend_from_slice(data);
                    self.send_head(false).await;
                }
                self.send_progress().await;
            }
            BodyHandling::KeepChunks => {
                if !self.refused {
                    self.kept.extend_from_slice(data);
                    self.send_chunks(false).await;
                }
                self.send_progress().await;
            }
        }
        Ok(())
    }

    /// Hands over the chunks that are whole.
    async fn send_chunks(&mut self, last: bool) {
        let micros = self.epoch.elapsed().as_micros();
        let now = Timestamp::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        loop {
            let (kept, handed) = (&self.kept, self.handed);
            let mut read = |from: u64, to: u64| {
                let place =
                    |at: u64| usize::try_from(at.saturating_sub(handed)).unwrap_or(usize::MAX);
                kept.get(place(from)..place(to)).unwrap_or_default().to_vec()
            };
            let found = self.hunt.advance(self.received, now, &mut read);
            let found = found.or_else(|| if last { self.hunt.end(self.received) } else { None });
            let Some(Chunk { head, start, end, began }) = found else { return };
            let length = usize::try_from(end - self.handed).unwrap_or(usize::MAX);
            let bytes = self.kept.split_to(length.min(self.kept.len())).freeze();
            self.handed = end;
            let input = Input::BodyChunk { id: self.id, head, start, end, began };
            let body = Some(ReportedBody::Chunk(bytes));
            send(&self.reports, Report { id: self.id, input, body }).await;
        }
    }

    async fn send_head(&mut self, last: bool) {
        if self.head_sent {
            return;
        }
        let found = boxes_before_mdat(&self.kept);
        if found.is_none() && !last && self.kept.len() < LONGEST_HEAD {
            return;
        }
        self.head_sent = true;
        let data = self.kept.get(..found.unwrap_or(0)).unwrap_or_default().to_vec();
        self.report(Input::BodyHead { id: self.id, data }).await;
    }

    async fn send_progress(&mut self) {
        let now = Instant::now();
        if self.progress_sent.is_some_and(|sent| now - sent < PROGRESS_INTERVAL) {
            return;
        }
        self.progress_sent = Some(now);
        // The player may want what is there by now, once it knows what that is.
        let body = self.head_sent.then(|| ReportedBody::Part(self.kept.split()));
        let input = Input::BodyProgress { id: self.id, received: self.received };
        send(&self.reports, Report { id: self.id, input, body }).await;
    }

    /// The request is over.
    pub(crate) async fn finish(mut self, result: Result<(), RequestFailure>) {
        match (&result, self.handling) {
            (Ok(()), BodyHandling::Keep) => self.send_head(true).await,
            (Ok(()), BodyHandling::KeepChunks) => self.send_chunks(true).await,
            _ => {}
        }
        let (id, received) = (self.id, self.received);
        let (input, body) = match result {
            Ok(()) => {
                let body = match self.handling {
                    BodyHandling::Keep => ReportedBody::Kept(self.kept),
                    BodyHandling::KeepChunks | BodyHandling::Deliver => ReportedBody::None,
                };
                (Input::BodyEnd { id, received, from_cache: false }, body)
            }
            Err(failure) => (Input::RequestFailed { id, failure }, ReportedBody::None),
        };
        send(&self.reports, Report { id, input, body: Some(body) }).await;
    }

    async fn report(&self, input: Input) {
        send(&self.reports, Report { id: self.id, input, body: None }).await;
    }
}

/// A player that is gone needs no reports.
async fn send(reports: &mpsc::Sender<Report>, report: Report) {
    let _ = reports.send(report).await;
}
