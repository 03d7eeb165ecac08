//! The media element and its buffers, which TypeScript drives: in this worker where it can hold a
//! `MediaSource`, else on the page behind messages. To Rust they look the same.

use js_sys::{Array, Float64Array, Object, Promise, Reflect, Uint8Array};
use kinora_core::io::{AppendBody, DecoderQuery, MediaCommand, MediaFailure, OperationResult};
use kinora_core::time::{MediaTime, TimeRange};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::net::KeptBodies;

#[wasm_bindgen]
extern "C" {
    /// An object with these methods. Each resolves when its work is done, `append` and `remove` to the
    /// buffer's ranges as `Float64Array [start, end, …]`; each rejects with `{ failure, message }`.
    pub type Sink;

    #[wasm_bindgen(method)]
    fn open(this: &Sink) -> Promise;
    #[wasm_bindgen(method, js_name = addBuffer)]
    fn add_buffer(this: &Sink, kind: &str, mime_type: &str) -> Promise;
    #[wasm_bindgen(method, js_name = changeType)]
    fn change_type(this: &Sink, kind: &str, mime_type: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn append(
        this: &Sink,
        kind: &str,
        offset: f64,
        window_start: f64,
        window_end: f64,
        chunks: &Array,
    ) -> Promise;
    #[wasm_bindgen(method)]
    fn remove(this: &Sink, kind: &str, start: f64, end: f64) -> Promise;
    #[wasm_bindgen(method, js_name = setDuration)]
    fn set_duration(this: &Sink, duration: f64) -> Promise;
    #[wasm_bindgen(method, js_name = setLiveSeekableRange)]
    fn set_live_seekable_range(this: &Sink, start: f64, end: f64) -> Promise;
    #[wasm_bindgen(method, js_name = endOfStream)]
    fn end_of_stream(this: &Sink) -> Promise;
    #[wasm_bindgen(method)]
    fn seek(this: &Sink, position: f64) -> Promise;
    #[wasm_bindgen(method, js_name = setRate)]
    fn set_rate(this: &Sink, rate: f64) -> Promise;
    #[wasm_bindgen(method)]
    fn close(this: &Sink) -> Promise;
    #[wasm_bindgen(method)]
    fn probe(
        this: &Sink,
        kind: &str,
        mime_type: &str,
        bandwidth: f64,
        width: u32,
        height: u32,
        frame_rate: f64,
        channels: u32,
        sampling_rate: u32,
    ) -> Promise;
}

/// Starts a command; the sink itself keeps the order.
///
/// # Errors
/// When an append names a body that is not there.
pub(crate) fn start(
    sink: &Sink,
    command: &MediaCommand,
    bodies: &KeptBodies,
) -> Result<Promise, MediaFailure> {
    Ok(match command {
        MediaCommand::Open => sink.open(),
        MediaCommand::AddBuffer { kind, mime_type } => sink.add_buffer(kind.name(), mime_type),
        MediaCommand::ChangeType { kind, mime_type } => sink.change_type(kind.name(), mime_type),
        MediaCommand::Append { kind, timestamp_offset, window, body } => {
            let chunks = match body {
                AppendBody::Bytes(bytes) => Array::of1(&Uint8Array::from(bytes.as_slice())),
                AppendBody::Kept(id) => bodies.chunks(*id).ok_or_else(gone)?,
                AppendBody::Span { head, id, start, end } => {
                    let span = bodies.span(*id, *start, *end).ok_or_else(gone)?;
                    if !head.is_empty() {
                        span.unshift(&Uint8Array::from(head.as_slice()));
                    }
                    span
                }
            };
            let (start, end) = (window.start.seconds().max(0.0), finite_or_infinite(window.end));
            sink.append(kind.name(), timestamp_offset.seconds(), start, end, &chunks)
        }
        MediaCommand::Remove { kind, range } => {
            let (start, end) = (range.start.seconds().max(0.0), finite_or_infinite(range.end));
            sink.remove(kind.name(), start, end)
        }
        MediaCommand::SetDuration(duration) => sink.set_duration(finite_or_infinite(*duration)),
        MediaCommand::SetLiveSeekableRange(range) => {
            let (start, end) = (range.start.seconds().max(0.0), range.end.seconds().max(0.0));
            sink.set_live_seekable_range(start, end)
        }
        MediaCommand::EndOfStream => sink.end_of_stream(),
        MediaCommand::Seek(position) => sink.seek(position.seconds()),
        MediaCommand::SetRate(rate) => sink.set_rate(*rate),
        MediaCommand::Close => sink.close(),
        MediaCommand::Probe(query) => probe(sink, query),
        _ => {
            return Err(MediaFailure::InvalidState("this platform knows no such operation".into()));
        }
    })
}

/// What is unknown is zero.
fn probe(sink: &Sink, query: &DecoderQuery) -> Promise {
    sink.probe(
        query.kind.name(),
        &query.mime_type,
        query.bandwidth as f64,
        query.width.unwrap_or(0),
        query.height.unwrap_or(0),
        query.frame_rate.unwrap_or(0.0),
        query.channels.unwrap_or(0),
        query.sampling_rate.unwrap_or(0),
    )
}

fn gone() -> MediaFailure {
    MediaFailure::InvalidState("the body to append is no longer kept".into())
}

/// Waits for what [`start`] started.
pub(crate) async fn result(promise: Promise) -> OperationResult {
    match JsFuture::from(promise).await {
        Ok(value) => OperationResult::Done { buffered: ranges(value) },
        Err(reason) => OperationResult::Failed(failure(&reason)),
    }
}

/// Ranges of their bounds in seconds, `[start, end, …]`.
pub(crate) fn ranges(value: JsValue) -> Vec<TimeRange> {
    let Ok(bounds) = value.dyn_into::<Float64Array>() else { return Vec::new() };
    let bounds = bounds.to_vec();
    let pairs = bounds.as_chunks::<2>().0;
    let range = |&[start, end]: &[f64; 2]| TimeRange {
        start: MediaTime::from_seconds(start),
        end: MediaTime::from_seconds(end),
    };
    pairs.iter().map(range).collect()
}

fn failure(reason: &JsValue) -> MediaFailure {
    let text = |name: &str| {
        let object: &Object = reason.unchecked_ref();
        Reflect::get(object, &name.into()).ok().and_then(|value| value.as_string())
    };
    let message = text("message").unwrap_or_default();
    match text("failure").as_deref() {
        Some("quota") => MediaFailure::QuotaExceeded,
        Some("unsupported") => MediaFailure::NotSupported(message),
        Some("decode") => MediaFailure::Decode(message),
        _ => MediaFailure::InvalidState(message),
    }
}

/// Media Source Extensions know infinity where the core has [`MediaTime::MAX`].
fn finite_or_infinite(time: MediaTime) -> f64 {
    if time == MediaTime::MAX { f64::INFINITY } else { time.seconds() }
}
