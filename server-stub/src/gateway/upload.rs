//! Taking in what a client sends, before any role is asked.
//!
//! However slowly a client sends, no process waits for it, and none is blamed for it: it gets so long and no longer, and
//! what is in memory for all of them together is bounded.

use crate::web::problem::{Code, Problem};
use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use http_body::Body as _;
use std::{sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies larger than any role takes are not even sent on.
const LARGEST: usize = 2 << 20;
/// Bytes of bodies that are in memory, of all requests together.
const ROOM: usize = 256 << 20;

/// Takes in bodies.
pub(super) struct Uploads {
    time: Duration,
    room: Arc<Semaphore>,
}

/// A body that has arrived, and the room it takes.
#[derive(Default)]
pub(super) struct Upload {
    pub(super) bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Uploads {
    /// Each body has so long to arrive.
    pub(super) fn new(time: Duration) -> Self {
        Self { time, room: Arc::new(Semaphore::new(ROOM)) }
    }

    /// A body, once all of it is here.
    pub(super) async fn take(&self, body: Body) -> Result<Upload, Problem> {
        if body.is_end_stream() {
            return Ok(Upload::default());
        }
        if body.size_hint().lower() > LARGEST as u64 {
            return Err(too_large());
        }
        match tokio::time::timeout(self.time, self.arrive(body)).await {
            Ok(upload) => upload,
            Err(_) => {
                let detail = "the request's body did not arrive in time";
                Err(Problem::new(Code::RequestTimeout, detail))
            }
        }
    }

    async fn arrive(&self, body: Body) -> Result<Upload, Problem> {
        let mut pieces = body.into_data_stream();
        let (mut bytes, mut room) = (Vec::new(), None::<OwnedSemaphorePermit>);
        while let Some(piece) = pieces.next().await {
            let broken = |_| Problem::new(Code::MalformedRequest, "the request's body broke off");
            let piece = piece.map_err(broken)?;
            if bytes.len() + piece.len() > LARGEST {
                return Err(too_large());
            }
            let more = self.room(piece.len())?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            // Not kept as they come: a small piece could hold on to a large buffer.
            bytes.extend_from_slice(&piece);
        }
        Ok(Upload { bytes: bytes.into(), _room: room })
    }

    fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.room.clone().try_acquire_many_owned(bytes).map_err(|_| {
            Problem::new(Code::Unavailable, "too much is being sent at once").retry_after(1)
        })
    }
}

fn too_large() -> Problem {
    Problem::new(Code::BodyTooLarge, format!("no role takes more than {LARGEST} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;

    fn pieces(count: usize, bytes: usize) -> Body {
        let piece = Bytes::from(vec![b'x'; bytes]);
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, Infallible>(piece.clone()))))
    }

    fn code(upload: Result<Upload, Problem>) -> Option<Code> {
        upload.err().map(|problem| problem.code)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_whole_in_time_and_not_too_large() {
        let uploads = Uploads::new(Duration::from_secs(15));
        assert!(uploads.take(Body::empty()).await.is_ok_and(|upload| upload.bytes.is_empty()));
        let upload = uploads.take(pieces(3, 5)).await.ok().unwrap();
        assert_eq!(upload.bytes, [b'x'; 15].as_slice());
        // Without a length there is nothing to tell by before it has come.
        assert_eq!(code(uploads.take(pieces(3, 1 << 20)).await), Some(Code::BodyTooLarge));
        let stated = Body::from(vec![0; LARGEST + 1]);
        assert_eq!(code(uploads.take(stated).await), Some(Code::BodyTooLarge));
        let never = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let begun = tokio::time::Instant::now();
        assert_eq!(code(uploads.take(never).await), Some(Code::RequestTimeout));
        assert_eq!(begun.elapsed(), Duration::from_secs(15));
        let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("x"))]);
        let broken = code(uploads.take(Body::from_stream(broken)).await);
        assert_eq!(broken, Some(Code::MalformedRequest));
    }

    #[tokio::test]
    async fn all_bodies_together_take_so_much_memory_and_no_more() {
        let uploads =
            Uploads { time: Duration::from_secs(15), room: Arc::new(Semaphore::new(1000)) };
        let first = uploads.take(pieces(2, 300)).await.ok().unwrap();
        assert_eq!(code(uploads.take(pieces(5, 100)).await), Some(Code::Unavailable));
        let second = uploads.take(pieces(4, 100)).await.ok().unwrap();
        drop((first, second));
        assert!(uploads.take(pieces(1, 1000)).await.is_ok());
    }
}
