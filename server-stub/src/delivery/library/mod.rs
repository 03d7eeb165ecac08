//! Packages, to whoever plays them: every path begins with a token (see [`crate::token::cat`]).
//!
//! A manifest is written for one playback: with the pictures that the account and the device may have, and every
//! edge that media can come from, the best first. It is private and not kept. All else is files, shared by all
//! and kept for good.

mod dash;
mod hls;
mod session;

use crate::{
    clock::Clock,
    delivery::{
        Files,
        granted::{Denied, granted},
        memory::{File, Memory, Source},
    },
    playback::streams::Streams,
    steering::Edges,
    token::cat::{DeliveryKeys, Grant, LONGEST_LIFETIME, Refusal, Scope},
};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use session::{Package, Pathway, Session};
use std::{path::PathBuf, sync::Arc};
use tower_http::services::ServeDir;
use tower_service::Service;

/// The largest manifest that is read.
const LARGEST: u64 = 32 << 20;
/// What a file named by its content may be kept for.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// What delivering the library takes.
pub struct Library {
    /// One directory for each package.
    pub directory: PathBuf,
    /// The pictures of titles, which anyone may see, named by their content.
    pub artwork: PathBuf,
    /// What checks tokens, and signs those for media.
    pub keys: Arc<DeliveryKeys>,
    /// Who plays.
    pub streams: Streams,
    /// Where media can be fetched from; from here if there is no edge.
    pub edges: Edges,
    /// Where media are kept that are asked for often.
    pub memory: Memory,
    /// The time.
    pub clock: Clock,
}

impl Library {
    /// Its routes.
    pub fn router(self) -> Router {
        let files = ServeDir::new(&self.directory).ignore_multi_range_requests(true);
        let artwork = ServeDir::new(&self.artwork).redirect_path_prefix("/artwork");
        let artwork = Files::new(artwork, &self.artwork, None);
        Router::new()
            .route("/t/{*rest}", any(answer))
            .with_state(Arc::new((self, files)))
            .nest_service("/artwork", artwork)
            .layer(middleware::from_fn(kept_for_good))
    }
}

/// What is named by its content never changes.
async fn kept_for_good(request: Request, next: Next) -> Response {
    let artwork = request.uri().path().starts_with("/artwork/");
    let mut response = next.run(request).await;
    let status = response.status();
    if artwork && (status.is_success() || status == StatusCode::NOT_MODIFIED) {
        let kept = HeaderValue::from_static(FOR_GOOD);
        response.headers_mut().insert(header::CACHE_CONTROL, kept);
    }
    response
}

async fn answer(State(state): State<Arc<(Library, ServeDir)>>, request: Request) -> Response {
    let (library, files) = &*state;
    match library.deliver(files.clone(), request).await {
        Ok(response) => response,
        Err(denied) => denied.into_response(),
    }
}

impl Library {
    async fn deliver(&self, files: ServeDir, request: Request) -> Result<Response, Denied> {
        let (grant, path) = granted(&self.keys, &self.clock, request.method(), request.uri())?;
        let file = path.rsplit('/').next().unwrap_or_default();
        if matches!(grant.scope, Scope::Manifests(_)) {
            let manifest = match file.rsplit_once('.') {
                Some((_, "m3u8")) => Some(self.session(&grant).await?.hls(file).await?),
                Some((_, "mpd")) => Some(self.session(&grant).await?.dash(file).await?),
                _ => None,
            };
            if let Some(manifest) = manifest {
                let head = *request.method() == Method::HEAD;
                let body = if head { Body::empty() } else { Body::from(manifest) };
                let headers = [(header::CACHE_CONTROL, "private, no-store")];
                return Ok((headers, body).into_response());
            }
        }
        let inside = path.strip_prefix("/library").unwrap_or_default();
        // Of what follows the path nothing tells files apart.
        let uri = inside.parse().map_err(|_| Denied::Missing)?;
        let named_by_content = matches!(grant.scope, Scope::Media { .. });
        let (mut parts, body) = request.into_parts();
        parts.uri = uri;
        let mut response = if named_by_content && Memory::understands(&parts.headers) {
            let file = File::new(Source::Here(files), parts.uri.path(), parts.uri.path());
            self.memory.answer(file, &parts).await?
        } else {
            let mut files = Files::new(files, &self.directory, None);
            let Ok(response) = files.call(Request::from_parts(parts, body)).await;
            response
        };
        let good = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
        if named_by_content && good {
            let kept = HeaderValue::from_static(FOR_GOOD);
            response.headers_mut().insert(header::CACHE_CONTROL, kept);
        }
        Ok(response)
    }

    /// What the manifests of a playback that goes on are written from.
    async fn session(&self, grant: &Grant) -> Result<Session, Denied> {
        let Scope::Manifests(terms) = &grant.scope else { return Err(Refusal::OutOfScope.into()) };
        let now = self.clock.now();
        let unavailable = |error: crate::storage::Error| Denied::Fault(error.to_string());
        let leases = self.streams.all(&grant.account, now).await.map_err(unavailable)?;
        if !leases.iter().any(|lease| lease.id == grant.playback) {
            return Err(Denied::Ended);
        }
        let directory = self.directory.join(grant.package.as_str());
        let package = Package::read(&directory).await?;
        let directories = package.allowed(terms).ok_or(Denied::Unplayable)?;
        let lifetime = terms.media_seconds.min(LONGEST_LIFETIME);
        let media = Grant {
            issued: now,
            expires: now.plus(lifetime),
            scope: Scope::Media { directories: directories.clone() },
            ..grant.clone()
        };
        let media = format!("/t/{}/library/{}/", self.keys.sign(&media), grant.package.as_str());
        let edges = self.edges.order(grant.playback.as_str()).await;
        let steering =
            (self.edges.all().len() > 1).then(|| format!("/v1/steering/{}", grant.playback));
        let mut pathways: Vec<Pathway> = edges
            .into_iter()
            .map(|edge| Pathway { name: edge.name.clone(), base: format!("{}{media}", edge.base) })
            .collect();
        if pathways.is_empty() {
            pathways.push(Pathway { name: String::new(), base: media });
        }
        Ok(Session { directory, directories, package, pathways, steering })
    }
}

/// Reads a file of a package, if it is there and of a size that makes sense.
async fn read(path: PathBuf) -> Result<Vec<u8>, Denied> {
    let fault = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Denied::Missing,
        _ => Denied::Fault(format!("{}: {error}", path.display())),
    };
    let length = tokio::fs::metadata(&path).await.map_err(fault)?.len();
    if length > LARGEST {
        return Err(Denied::Fault(format!("{} has {length} bytes", path.display())));
    }
    tokio::fs::read(&path).await.map_err(fault)
}
