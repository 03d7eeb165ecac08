//! The delivery role: files of one or more directories over HTTP, for players and pages.
//!
//! `tower-http` serves the files (ranges, strong validators, conditional requests). This module decides what
//! may be asked for ([`path`]), how long an answer keeps and what it is ([`kind`]), and adds what that service
//! leaves out: `If-Range`, and readable answers to bad requests.

pub(crate) mod granted;
pub mod kind;
pub mod library;
pub mod memory;
pub mod path;

use crate::{Error, Result};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use kind::{FileType, Kind};
use memory::{File, Memory, Source};
use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};
use tower_http::{
    cors::{Any, CorsLayer},
    services::ServeDir,
};
use tower_service::Service;

/// Whether any path at all is looked for in one of these.
pub fn catches_all(mounts: &[Mount]) -> bool {
    mounts.iter().any(|mount| mount.prefix == "/")
}

/// A directory and the path it is served under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Starts with `/` and does not end with one, or is just that.
    prefix: String,
    directory: PathBuf,
}

impl Mount {
    /// Serves a directory under a path such as `/` or `/film`.
    ///
    /// # Errors
    /// [`Error::Option`] when the path is not plain or the directory is not there.
    pub fn new(prefix: &str, directory: impl Into<PathBuf>) -> Result<Self> {
        let directory = directory.into();
        let refuse = |reason| Err(Error::Option { flag: "--mount", reason });
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        let prefix = prefix.trim_end_matches('/');
        if !(prefix.is_empty() || prefix.starts_with('/'))
            || !prefix.chars().all(plain)
            || path::check(prefix).is_err()
            || prefix.contains("//")
        {
            return refuse(format!("{prefix:?} is no path such as /film"));
        }
        if !directory.is_dir() {
            return refuse(format!("{} is no directory", directory.display()));
        }
        let prefix = if prefix.is_empty() { "/".to_owned() } else { prefix.to_owned() };
        Ok(Self { prefix, directory })
    }
}

impl FromStr for Mount {
    type Err = String;

    /// `PATH=DIR`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (prefix, directory) = text.split_once('=').ok_or("expected PATH=DIR")?;
        Self::new(prefix, directory).map_err(|error| error.to_string())
    }
}

/// Serves every mount, what is asked for often of it from memory if there is some, and packages to whoever plays them: by a [`Library`](library::Library), or an
/// [`Edge`](crate::edge::Edge) of one.
///
/// # Errors
/// [`Error::Option`] when two mounts share a path.
pub fn router(
    mounts: &[Mount],
    packages: Option<Router>,
    memory: Option<&Memory>,
) -> Result<Router> {
    let mut router = packages.unwrap_or_default();
    for (index, mount) in mounts.iter().enumerate() {
        if mounts.iter().take(index).any(|other| other.prefix == mount.prefix) {
            let reason = format!("{} is given twice", mount.prefix);
            return Err(Error::Option { flag: "--mount", reason });
        }
        let files = ServeDir::new(&mount.directory).ignore_multi_range_requests(true);
        router = if mount.prefix == "/" {
            router.fallback_service(Files::new(files, &mount.directory, memory))
        } else {
            let files = files.redirect_path_prefix(&mount.prefix);
            let files = Files::new(files, &mount.directory, memory);
            router.nest_service(&mount.prefix, files)
        };
    }
    Ok(for_players(router))
}

/// What all that serves media has: headers by the kind of file, plain paths only, and answers for every origin.
pub(crate) fn for_players(router: Router) -> Router {
    router
        .layer(middleware::from_fn(describe))
        .layer(middleware::from_fn(refuse_bad_paths))
        .layer(cors())
}

/// Anyone may play what is served: players run on other origins than their content. They may see what they
/// need for measuring.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::HEAD])
        .allow_headers(Any)
        .expose_headers([
            header::ACCEPT_RANGES,
            header::AGE,
            header::CONTENT_LENGTH,
            header::CONTENT_RANGE,
            header::DATE,
            header::ETAG,
            header::LAST_MODIFIED,
            header::RETRY_AFTER,
            header::HeaderName::from_static("cache-status"),
            header::HeaderName::from_static("server-timing"),
        ])
        .max_age(Duration::from_secs(86_400))
}

async fn refuse_bad_paths(request: Request, next: Next) -> Response {
    match path::check(request.uri().path()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => (refusal.status(), format!("{refusal}\n")).into_response(),
    }
}

/// Says what an answer is and how long it keeps, by the kind of file asked for.
async fn describe(request: Request, next: Next) -> Response {
    let file = FileType::of(request.uri().path());
    let mut response = next.run(request).await;
    let status = response.status();
    if status == StatusCode::NOT_FOUND && response.headers().get(header::CONTENT_TYPE).is_none() {
        response = (status, "no such file\n").into_response();
    }
    let headers = response.headers_mut();
    let found = status.is_success() || status == StatusCode::NOT_MODIFIED;
    let keeps = if found { file.kind.cache_control() } else { "no-store" };
    if !found || !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keeps));
    }
    if let Some(content_type) = file.content_type.filter(|_| status.is_success()) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("timing-allow-origin", "*"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A directory's files, with `If-Range` (RFC 9110, 13.1.5): a range of a file that has changed meanwhile is
/// answered with the whole of what it is now.
#[derive(Clone)]
struct Files {
    files: ServeDir,
    directory: Arc<Path>,
    memory: Option<Memory>,
}

impl Files {
    fn new(files: ServeDir, directory: &Path, memory: Option<&Memory>) -> Self {
        Self { files, directory: directory.into(), memory: memory.cloned() }
    }

    /// An answer to a request for media, from memory: if it is as it was when it was read, which the file system is
    /// asked each time. None where that is no way to answer it.
    async fn remembered(&self, asked: &Parts) -> Option<Response> {
        let path = asked.uri.path();
        let memory = self.memory.as_ref()?;
        let fits = matches!(asked.method, Method::GET | Method::HEAD)
            && FileType::of(path).kind == Kind::Media
            && Memory::understands(&asked.headers);
        if !fits {
            return None;
        }
        let name = state(&path::within(&self.directory, path)?)?;
        let file = File::new(Source::Here(self.files.clone()), path, &name);
        memory.answer(file, asked).await.ok()
    }
}

/// A file as it is now, in words: another after each change. None if there is none.
///
/// It is asked for on this thread: the kernel knows the answer in a microsecond for a file that is asked for often, and
/// handing the question to another thread takes ten times that.
fn state(file: &Path) -> Option<String> {
    let now = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
    let changed = now.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {} {}", file.display(), changed.as_nanos(), now.len()))
}

/// How a file is, and nothing of it.
fn question(uri: &Uri) -> Request {
    let mut question = Request::new(Body::empty());
    *question.method_mut() = Method::HEAD;
    *question.uri_mut() = uri.clone();
    question
}

impl Service<Request> for Files {
    type Response = Response;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            if let Some(answer) = this.remembered(&parts).await {
                return Ok(answer);
            }
            let (mut files, mut request) = (this.files, Request::from_parts(parts, body));
            let headers = request.headers_mut();
            let condition = headers.remove(header::IF_RANGE);
            if let Some(condition) = condition.filter(|_| headers.contains_key(header::RANGE)) {
                let answer = call(&mut files, question(request.uri())).await;
                if !unchanged(&answer, &condition) {
                    request.headers_mut().remove(header::RANGE);
                }
            }
            Ok(call(&mut files, request).await)
        })
    }
}

async fn call(files: &mut ServeDir, request: Request) -> Response {
    let Ok(response) = files.call(request).await;
    response.map(Body::new)
}

/// Strong comparison of a validator. A date is never strong enough here: two changes fit into its second.
fn unchanged(answer: &Response, condition: &HeaderValue) -> bool {
    answer.headers().get(header::ETAG) == Some(condition)
}
