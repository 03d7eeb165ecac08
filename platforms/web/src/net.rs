//! HTTP over `fetch`. Bodies the core wants kept stay JavaScript arrays; of their bytes only the
//! boxes before the first `mdat` enter the module.

use std::cell::RefCell;

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use kinora_core::io::{
    BodyHandling, Input, Request, RequestFailure, RequestId, RequestKind, ResponseHead,
};
use kinora_core::manifest;
use kinora_core::media::{Chunk, ChunkHunt};
use kinora_core::time::Timestamp;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    AbortController, AbortSignal, Headers, ReadableStreamDefaultReader, RequestInit, Response,
    ResponseType,
};

use crate::driver::Driver;
use crate::scope;

/// No oftener than this is progress reported, in microseconds.
const PROGRESS_INTERVAL_US: u64 = 50_000;

/// Requests that run, and bodies kept for an append: never so many that a list is slow to search.
#[derive(Default)]
pub(crate) struct Network {
    running: RefCell<Vec<(RequestId, AbortController)>>,
    kept: KeptBodies,
}

impl Network {
    /// Aborts the request if it runs, and forgets its body.
    pub(crate) fn cancel(&self, id: RequestId) {
        if let Some(controller) = self.finish(id) {
            controller.abort();
        }
        self.kept.forget(id);
    }

    pub(crate) fn kept(&self) -> &KeptBodies {
        &self.kept
    }

    /// Forgets every kept body.
    pub(crate) fn forget_kept(&self) {
        self.kept.0.borrow_mut().clear();
    }

    fn runs(&self, id: RequestId) -> bool {
        self.running.borrow().iter().any(|(running, _)| *running == id)
    }

    fn finish(&self, id: RequestId) -> Option<AbortController> {
        let mut running = self.running.borrow_mut();
        let place = running.iter().position(|(running, _)| *running == id)?;
        Some(running.swap_remove(place).1)
    }
}

/// Bodies kept for an append, as the chunks they arrived in.
#[derive(Default)]
pub(crate) struct KeptBodies(RefCell<Vec<(RequestId, Array)>>);

impl KeptBodies {
    pub(crate) fn chunks(&self, id: RequestId) -> Option<Array> {
        self.0.borrow().iter().find(|(kept, _)| *kept == id).map(|(_, chunks)| chunks.clone())
    }

    /// The part of a body between two places, as views of what it arrived in.
    pub(crate) fn span(&self, id: RequestId, start: u64, end: u64) -> Option<Array> {
        let chunks = self.chunks(id)?;
        let (span, mut at) = (Array::new(), 0);
        for chunk in chunks.iter() {
            let chunk: Uint8Array = chunk.unchecked_into();
            let length = u64::from(chunk.length());
            let (from, to) = (start.max(at), end.min(at + length));
            if from < to {
                span.push(&chunk.subarray((from - at) as u32, (to - at) as u32));
            }
            at += length;
        }
        (at >= end).then_some(span)
    }

    pub(crate) fn forget(&self, id: RequestId) {
        self.0.borrow_mut().retain(|(kept, _)| *kept != id);
    }
}

/// Makes the request, and reports on it until it is over or cancelled.
pub(crate) fn start(driver: &Driver, request: Request) {
    let driver = driver.clone();
    let controller = AbortController::new();
    let signal = controller.as_ref().ok().map(AbortController::signal);
    if let Ok(controller) = controller {
        driver.network().running.borrow_mut().push((request.id, controller));
    }
    spawn_local(async move {
        let id = request.id;
        let failed = transfer(&driver, &request, signal.as_ref()).await;
        let runs = driver.network().finish(id).is_some();
        if let (true, Err(failure)) = (runs, failed) {
            driver.network().kept.forget(id);
            driver.handle(Input::RequestFailed { id, failure });
        }
    });
}

async fn transfer(
    driver: &Driver,
    request: &Request,
    signal: Option<&AbortSignal>,
) -> Result<(), RequestFailure> {
    let id = request.id;
    let response = respond(driver.filtered_fetch(), request, signal).await?;
    if !driver.network().runs(id) {
        return Ok(());
    }
    driver.handle(Input::ResponseHead { id, head: head(&response, request) });
    let mut body = Body::new(driver, request);
    if let Some(stream) = response.body() {
        let reader: ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        loop {
            let read = JsFuture::from(reader.read()).await;
            if !driver.network().runs(id) {
                return Ok(());
            }
            let read: ReadResult = read
                .map_err(|error| RequestFailure::Interrupted(message(&error)))?
                .unchecked_into();
            if read.done() {
                break;
            }
            body.push(&read.value());
            if !driver.network().runs(id) {
                return Ok(());
            }
        }
    }
    body.end(&response.url());
    Ok(())
}

/// `filtered` takes the request, its kind and the kind of media, and fetches what the app's filters
/// make of it.
async fn respond(
    filtered: Option<&Function>,
    request: &Request,
    signal: Option<&AbortSignal>,
) -> Result<Response, RequestFailure> {
    let invalid = |error: JsValue| RequestFailure::Invalid(message(&error));
    let headers = Headers::new().map_err(invalid)?;
    for (name, value) in &request.headers {
        headers.append(name, value).map_err(invalid)?;
    }
    if let Some(range) = &request.range {
        headers.append("Range", &range.header_value()).map_err(invalid)?;
    }
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_signal(signal);
    if let Some(body) = &request.post {
        init.set_method("POST");
        init.set_body(&Uint8Array::from(body.as_slice()));
    }
    let asked = web_sys::Request::new_with_str_and_init(&request.url, &init).map_err(invalid)?;
    let promise: Promise = match filtered {
        Some(fetch) => {
            let media = request.kind.media().map_or(JsValue::NULL, |kind| kind.name().into());
            let promise =
                fetch.call3(&JsValue::UNDEFINED, &asked, &request.kind.name().into(), &media);
            promise.map_err(invalid)?.unchecked_into()
        }
        None => scope::fetch(&asked),
    };
    if request.kind == RequestKind::Manifest {
        // Browsers compile code when it first runs: better while this is on its way than when it is there.
        manifest::rehearse(&request.url);
    }
    let response = JsFuture::from(promise).await;
    response.map(JsCast::unchecked_into).map_err(|error| RequestFailure::Network(message(&error)))
}

fn head(response: &Response, request: &Request) -> ResponseHead {
    let headers = response.headers();
    let field = |name: &str| headers.get(name).ok().flatten();
    // The length of an encoded body says nothing of the bytes that come out of `fetch`.
    let encoded = field("content-encoding").is_some_and(|encoding| encoding != "identity");
    // Scripts of another origin see `Content-Length` but not `Content-Encoding` (Fetch, CORS-safelisted
    // response-header names). Ranges come as they are, and media is not encoded.
    let told = response.type_() == ResponseType::Basic
        || request.range.is_some()
        || request.body != BodyHandling::Deliver;
    let length = if encoded || !told { None } else { field("content-length") };
    ResponseHead {
        status: response.status(),
        url: response.url(),
        content_type: field("content-type"),
        content_length: length.and_then(|length| length.parse().ok()),
        retry_after: field("retry-after"),
        date: field("date"),
        cmsd_dynamic: field("cmsd-dynamic"),
        cmsd_static: field("cmsd-static"),
        smrt_data: field("smrt-data"),
    }
}

/// A body on its way in.
struct Body<'a> {
    driver: &'a Driver,
    id: RequestId,
    received: u64,
    /// Where the chunks go if the body is kept, and what is known of its first boxes.
    kept: Option<(Array, Hunt)>,
    /// When its first bytes were reported, and the last.
    reported: Option<(Timestamp, Timestamp)>,
}

impl<'a> Body<'a> {
    fn new(driver: &'a Driver, request: &Request) -> Self {
        let kept = match request.body {
            BodyHandling::Deliver => None,
            handling => {
                let chunks = Array::new();
                driver.network().kept.0.borrow_mut().push((request.id, chunks.clone()));
                let in_chunks = handling == BodyHandling::KeepChunks;
                let hunt = match in_chunks {
                    true => Hunt::Chunks(ChunkHunt::default()),
                    false => Hunt::Head(BoxHunt::default()),
                };
                Some((chunks, hunt))
            }
        };
        Self { driver, id: request.id, received: 0, kept, reported: None }
    }

    fn push(&mut self, chunk: &Uint8Array) {
        let id = self.id;
        self.received += u64::from(chunk.length());
        let Some((chunks, hunt)) = &mut self.kept else {
            self.driver.handle(Input::Body { id, data: chunk.to_vec() });
            return;
        };
        chunks.push(chunk);
        let now = self.driver.now();
        match hunt {
            Hunt::Head(hunt) => {
                if let Some(data) = hunt.search(chunk) {
                    self.driver.handle(Input::BodyHead { id, data });
                }
            }
            Hunt::Chunks(hunt) => {
                let base = self.received - u64::from(chunk.length());
                let mut read = |from: u64, to: u64| {
                    chunk.subarray((from - base) as u32, (to - base) as u32).to_vec()
                };
                while let Some(found) = hunt.advance(self.received, now, &mut read) {
                    tell_chunk(self.driver, id, found);
                }
            }
        }
        let (began, last) = *self.reported.get_or_insert((now, Timestamp::default()));
        let young = now.micros() < began.micros() + 2 * PROGRESS_INTERVAL_US;
        let pause = if young { PROGRESS_INTERVAL_US / 5 } else { PROGRESS_INTERVAL_US };
        if last == Timestamp::default() || now.micros() >= last.micros() + pause {
            self.reported = Some((began, now));
            self.driver.handle(Input::BodyProgress { id, received: self.received });
        }
    }

    fn end(self, url: &str) {
        let id = self.id;
        match self.kept {
            Some((_, Hunt::Head(hunt))) if !hunt.over => {
                self.driver.handle(Input::BodyHead { id, data: Vec::new() });
            }
            Some((_, Hunt::Chunks(mut hunt))) => {
                if let Some(found) = hunt.end(self.received) {
                    tell_chunk(self.driver, id, found);
                }
            }
            _ => {}
        }
        let from_cache = came_from_cache(url);
        self.driver.handle(Input::BodyEnd { id, received: self.received, from_cache });
    }
}

/// What is looked for in a body that is kept.
enum Hunt {
    Head(BoxHunt),
    Chunks(ChunkHunt),
}

fn tell_chunk(driver: &Driver, id: RequestId, chunk: Chunk) {
    let Chunk { head, start, end, began } = chunk;
    driver.handle(Input::BodyChunk { id, head, start, end, began });
}

/// Looks for the boxes before the first `mdat`, copying little more than them into the module.
#[derive(Default)]
struct BoxHunt {
    prefix: Vec<u8>,
    over: bool,
}

impl BoxHunt {
    /// Bytes looked at first; as many again each time they do not suffice.
    const STEP: u32 = 2048;
    /// A body without an `mdat` by then is taken for something else.
    const LIMIT: usize = 1 << 20;

    /// The boxes, once; empty if there are none to find.
    fn search(&mut self, chunk: &Uint8Array) -> Option<Vec<u8>> {
        let mut offset = 0;
        while !self.over && offset < chunk.length() {
            let step = Self::STEP.max(u32::try_from(self.prefix.len()).unwrap_or(Self::STEP));
            let end = chunk.length().min(offset.saturating_add(step));
            self.prefix.extend_from_slice(&chunk.subarray(offset, end).to_vec());
            offset = end;
            let found = kinora_core::media::boxes_before_mdat(&self.prefix);
            if found.is_some() || self.prefix.len() > Self::LIMIT {
                self.over = true;
                let mut boxes = core::mem::take(&mut self.prefix);
                boxes.truncate(found.unwrap_or(0));
                return Some(boxes);
            }
        }
        None
    }
}

/// Whether the browser says that the last transfer from `url` came out of its cache. The record is
/// dropped afterwards, so that there is always room for the next.
fn came_from_cache(url: &str) -> bool {
    let last = scope::transfers(url, "resource").pop();
    scope::clear_transfers();
    if last.is_undefined() {
        return false;
    }
    let number = |name: &str| Reflect::get(&last, &name.into()).ok()?.as_f64();
    // Both are zero where another origin hides them.
    number("transferSize") == Some(0.0) && number("decodedBodySize").is_some_and(|size| size > 0.0)
}

/// What the platform says of an error.
fn message(error: &JsValue) -> String {
    let message = Reflect::get(error, &"message".into()).ok();
    message.and_then(|message| message.as_string()).unwrap_or_default()
}

#[wasm_bindgen]
extern "C" {
    /// What a stream's reader resolves to.
    type ReadResult;
    #[wasm_bindgen(method, getter)]
    fn done(this: &ReadResult) -> bool;
    #[wasm_bindgen(method, getter)]
    fn value(this: &ReadResult) -> Uint8Array;
}
