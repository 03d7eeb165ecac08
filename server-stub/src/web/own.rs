//! What every process answers of itself: `/healthz`, `/readyz`, `/metrics`, `/openapi.json`.

use super::{
    fresh::Fresh,
    metrics::Metrics,
    problem::{Code, Problem},
};
use crate::{gateway::Gateway, storage};
use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use std::{sync::Arc, time::Duration};
use utoipa::openapi::OpenApi;

/// What does not answer by then is not ready.
const TIME: Duration = Duration::from_secs(3);

pub(super) type Check = Arc<dyn Fn() -> BoxFuture<'static, storage::Result<()>> + Send + Sync>;

/// What is known of the process.
pub(super) struct Own {
    pub(super) metrics: Metrics,
    /// What it needs, by name.
    pub(super) checks: Vec<(&'static str, Check)>,
    /// What its roles answer.
    pub(super) document: OpenApi,
    /// The gateway, if there are roles behind it.
    pub(super) gateway: Option<Gateway>,
    pub(super) ready: Fresh<(StatusCode, Map<String, Value>)>,
    pub(super) described: Fresh<Result<Arc<Value>, Problem>>,
}

impl Own {
    /// How the process is: for whoever looks after it.
    pub(super) fn state(self: &Arc<Self>) -> Router {
        let (metrics, own) = (self.metrics.clone(), self.clone());
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(async move || own.ready().await))
            .route("/metrics", get(async move || metrics.respond()))
    }

    /// The same without what it counts, which is not everybody's business.
    pub(super) fn state_in_public(self: &Arc<Self>) -> Router {
        let own = self.clone();
        // Said here: a path that is not known could be a file, behind the gateway.
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(async move || own.ready().await))
            .route("/metrics", get(async || Problem::not_found("path")))
    }

    /// What can be asked of it.
    pub(super) fn description(self: &Arc<Self>) -> Router {
        let own = self.clone();
        Router::new().route("/openapi.json", get(async move || own.describe().await))
    }

    async fn ready(&self) -> Response {
        let (status, report) = self.ready.get(self.check()).await;
        (status, Json(report)).into_response()
    }

    /// Ready means that everything needed answers; each is named with how it is.
    async fn check(&self) -> (StatusCode, Map<String, Value>) {
        let mut status = StatusCode::OK;
        let mut report = Map::new();
        let mut tell = |name: String, good: bool| {
            if !good {
                status = StatusCode::SERVICE_UNAVAILABLE;
            }
            report.insert(name, if good { "ok" } else { "unavailable" }.into());
        };
        for (name, check) in &self.checks {
            let answer = tokio::time::timeout(TIME, check()).await;
            let good = matches!(answer, Ok(Ok(())));
            if !good {
                tracing::warn!(name, ?answer, "not ready");
            }
            tell((*name).to_owned(), good);
        }
        if let Some(gateway) = &self.gateway {
            for (role, good) in gateway.ready().await {
                tell(role, good);
            }
        }
        (status, report)
    }

    /// The OpenAPI document of the roles here, and of those behind the gateway.
    async fn describe(&self) -> Response {
        let Some(gateway) = &self.gateway else { return Json(&self.document).into_response() };
        let whole = self.described.get(async {
            let mut document = serde_json::to_value(&self.document).unwrap_or_default();
            match gateway.describe(&mut document).await {
                Ok(()) => Ok(Arc::new(document)),
                Err(role) => {
                    let detail = format!("the role `{}` does not say what it answers", role.name());
                    Err(Problem::new(Code::Unavailable, detail).retry_after(1))
                }
            }
        });
        match whole.await {
            Ok(document) => Json(&*document).into_response(),
            Err(problem) => problem.into_response(),
        }
    }
}
