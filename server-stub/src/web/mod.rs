//! The ground that every role's HTTP stands on.
//!
//! [`Service`] puts roles together and gives them what all have: problem documents ([`problem`]), request ids
//! and traces, limits on size and time, a log without secrets, `/healthz`, `/readyz`, `/metrics`, and the
//! OpenAPI document of just these roles at `/openapi.json`.

pub mod at_once;
pub(crate) mod client;
mod drain;
pub mod extract;
mod fresh;
pub mod limit;
pub mod metrics;
mod openapi;
mod own;
pub mod problem;
pub mod text;
mod trace;
pub(crate) mod whole;

pub(crate) use trace::Names;
pub use trace::{Onward, RequestId, TraceParent};

use crate::{gateway::Gateway, storage};
use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRequestParts, Request},
    http::{HeaderName, HeaderValue, Method, header, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use fresh::Fresh;
use metrics::Metrics;
use own::{Check, Own};
use problem::{Code, Problem};
use std::{
    any::Any,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, Any as AnyOrigin, CorsLayer},
};
use utoipa_axum::router::OpenApiRouter;

/// How much a client may ask of the service at once.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Time for a request's body to arrive and its answer to be ready.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 64 * 1024, time: Duration::from_secs(15) }
    }
}

/// Where a connection comes from, in the extensions of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Who a limit counts: an IPv4 address, or the /64 of an IPv6 one, which one household has to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Source {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.extensions.get::<Peer>().copied()))
    }
}

impl Source {
    pub(crate) fn of(peer: Option<Peer>) -> Self {
        Self(match peer.map(|peer| peer.0.ip().to_canonical()) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            None => "unknown".to_owned(),
        })
    }
}

/// Roles put together into one router.
pub struct Service {
    metrics: Metrics,
    limits: Limits,
    api: OpenApiRouter,
    checks: Vec<(&'static str, Check)>,
    files: Option<Router>,
    gateway: Option<Gateway>,
    behind: Vec<IpAddr>,
    /// Whether those answer every path.
    catch_all: bool,
}

impl Service {
    /// A service without roles.
    pub fn new(metrics: Metrics, limits: Limits) -> Self {
        let api = OpenApiRouter::with_openapi(openapi::base());
        Self {
            metrics,
            limits,
            api,
            checks: Vec::new(),
            files: None,
            gateway: None,
            behind: Vec::new(),
            catch_all: false,
        }
    }

    /// Adds a role's routes.
    #[must_use]
    pub fn role(mut self, routes: OpenApiRouter) -> Self {
        self.api = self.api.merge(routes);
        self
    }

    /// Adds routes that answer in their own way, with their own limits and log: files. They may catch all that no
    /// role answers.
    #[must_use]
    pub fn files(mut self, routes: Router, catch_all: bool) -> Self {
        self.catch_all |= catch_all;
        self.files = Some(match self.files {
            Some(files) => files.merge(routes),
            None => routes,
        });
        self
    }

    /// Puts a gateway in front of the roles, and behind it those that are in other processes.
    #[must_use]
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Believes gateways at these addresses when they say whom they speak for.
    #[must_use]
    pub fn behind(mut self, gateways: Vec<IpAddr>) -> Self {
        self.behind = gateways;
        self
    }

    /// Adds something without which the service is not ready.
    #[must_use]
    pub fn needs<F>(
        mut self,
        name: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = storage::Result<()>> + Send + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// The router: the roles, and what every service answers.
    pub fn router(self) -> Router {
        self.assemble(false).0
    }

    /// The router for everybody, and one for those who look after the service: what it counts is told there alone.
    pub fn routers(self) -> (Router, Router) {
        self.assemble(true)
    }

    fn assemble(self, apart: bool) -> (Router, Router) {
        let Self { metrics, limits, api, checks, files, gateway, behind, catch_all } = self;
        let (api, document) = api.split_for_parts();
        let forwards = gateway.clone().filter(Gateway::forwards);
        let own = Arc::new(Own {
            metrics: metrics.clone(),
            checks,
            document: openapi::finish(document),
            gateway: forwards.clone(),
            ready: Fresh::default(),
            described: Fresh::default(),
        });
        let state = own.state().layer(middleware::from_fn(protect));
        let shown = if apart { own.state_in_public() } else { own.state() };
        let time = limits.time;
        let nothing = async || Problem::not_found("path");
        let mut api = api.merge(shown).merge(own.description()).layer(middleware::from_fn(
            move |request: Request, next: Next| in_time(time, request, next),
        ));
        api = match forwards {
            // A role here may answer some methods of a path and one elsewhere others: none does. What is sent on has
            // times of its own: one for the client, one for the role.
            Some(gateway) => {
                let rest = gateway.clone();
                let forward = async move |request: Request| gateway.forward(request).await;
                api = api.route("/v1/{*path}", any(forward));
                let forward = async move |request: Request| rest.forward(request).await;
                if catch_all { api } else { api.fallback(forward) }
            }
            None => {
                api = api.route("/v1/{*path}", any(nothing));
                if catch_all { api } else { api.fallback(nothing) }
            }
        };
        let mut api = api
            .method_not_allowed_fallback(async || {
                Problem::new(
                    Code::MethodNotAllowed,
                    "the `Allow` header names the methods there are",
                )
            })
            .layer(DefaultBodyLimit::max(limits.body))
            .layer(middleware::from_fn(drain::drain))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(middleware::from_fn(protect));
        let mut files = files;
        if let Some(gateway) = gateway {
            let shedding = gateway.clone();
            files = files.map(|files| {
                files.layer(middleware::from_fn(move |request: Request, next: Next| {
                    crate::gateway::shed(shedding.clone(), request, next)
                }))
            });
            api = api.layer(middleware::from_fn(move |request: Request, next: Next| {
                crate::gateway::guard(gateway.clone(), request, next)
            }));
        }
        let api = api
            .layer(middleware::from_fn(move |request: Request, next: Next| {
                trace::trace(metrics.clone(), request, next)
            }))
            .layer(cors());
        let all = match files {
            Some(files) => api.merge(files),
            None => api,
        };
        if behind.is_empty() {
            return (all, state);
        }
        let behind: Arc<[IpAddr]> = behind.into();
        let all = all.layer(middleware::from_fn(move |request: Request, next: Next| {
            forwarded(behind.clone(), request, next)
        }));
        (all, state)
    }
}

/// Takes the address that a gateway says a request is from; anyone else's word is not heard.
async fn forwarded(gateways: Arc<[IpAddr]>, mut request: Request, next: Next) -> Response {
    let neighbour = request.extensions().get::<Peer>().copied();
    let known = |peer: &Peer| gateways.contains(&peer.0.ip().to_canonical());
    if let Some(Peer(neighbour)) = neighbour.filter(known) {
        let said = request.headers().get_all("x-forwarded-for").iter().next_back();
        let said =
            said.and_then(|said| said.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
        if let Some(address) = said {
            request.extensions_mut().insert(Peer(SocketAddr::new(address, neighbour.port())));
        }
    }
    next.run(request).await
}

async fn in_time(time: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "the request did not arrive, or was not answered, in time";
            Problem::new(Code::RequestTimeout, detail).into_response()
        }
    }
}

/// A fault of the program ends one request, not its connection.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(Code::Internal, "the service met a fault of its own").into_response()
}

/// Answers are for one viewer and hold what is true now, unless they say otherwise.
async fn protect(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Pages of any origin may ask: a caller is known by its token, which no browser adds by itself.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::RETRY_AFTER, HeaderName::from_static("x-request-id")])
        .max_age(Duration::from_secs(86_400))
}
