//! The role `edge`: media, close to whoever plays them.
//!
//! What is asked for comes once from an origin, however many ask at once, and is kept in [memory](crate::delivery::memory)
//! as long as there is room, also while the origin is away. Tokens are checked here, before anything is looked up: they
//! are no part of what is kept.

use crate::{
    clock::Clock,
    delivery::{
        granted::{Denied, granted},
        memory::{File, Memory, Source},
    },
    token::cat::{DeliveryKeys, Refusal, Scope},
};
use axum::{
    Router,
    extract::{Request, State},
    http::request::Parts,
    response::{IntoResponse, Response},
    routing::any,
};
use std::sync::Arc;

/// The role.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    keys: Arc<DeliveryKeys>,
    memory: Memory,
    origin: Source,
    clock: Clock,
}

impl Edge {
    /// An edge that has media from a role `delivery` at a URL without a slash at the end, and knows the tokens that are
    /// signed with these keys.
    pub fn new(origin: String, keys: Arc<DeliveryKeys>, memory: Memory, clock: Clock) -> Self {
        Self(Arc::new(Inner { keys, memory, origin: Source::There(origin), clock }))
    }

    /// Its routes.
    pub fn router(self) -> Router {
        Router::new().route("/t/{*rest}", any(deliver)).with_state(self)
    }
}

async fn deliver(State(Edge(edge)): State<Edge>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    match edge.deliver(&parts).await {
        Ok(response) => response,
        Err(denied) => denied.into_response(),
    }
}

impl Inner {
    async fn deliver(&self, asked: &Parts) -> Result<Response, Denied> {
        let (grant, path) = granted(&self.keys, &self.clock, &asked.method, &asked.uri)?;
        // Manifests are written for one playback, where it was begun.
        if !matches!(grant.scope, Scope::Media { .. }) {
            return Err(Refusal::OutOfScope.into());
        }
        let file = File::new(self.origin.clone(), asked.uri.path(), path);
        self.memory.answer(file, asked).await
    }
}
