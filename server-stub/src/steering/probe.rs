//! Asking edges how they are.

use super::edge::Edge;
use crate::web::client;
use futures_util::future::join_all;
use std::time::Duration;

/// An edge that takes longer is of no use to a player either.
const TIME: Duration = Duration::from_secs(2);

/// Each edge, and whether it says that it is there.
pub(super) async fn all(edges: &[Edge]) -> Vec<(&Edge, bool)> {
    join_all(
        edges.iter().map(async |edge| {
            (edge, client::answers(&format!("{}/healthz", edge.base), TIME).await)
        }),
    )
    .await
}
