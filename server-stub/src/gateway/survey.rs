//! What the roles of other processes say of themselves, put together.

use super::Gateway;
use crate::{roles::Role, web::client};
use axum::{body::Body, extract::Request, http::Uri};
use futures_util::{StreamExt, future::join_all};
use serde_json::{Map, Value};
use std::time::Duration;

/// A process that takes longer to say how it is, is not well.
const TIME: Duration = Duration::from_secs(3);
/// A document larger than that is none.
const LARGEST: usize = 4 << 20;

impl Gateway {
    /// Whether each role of another process is ready, by name.
    pub(crate) async fn ready(&self) -> Vec<(String, bool)> {
        join_all(self.0.upstreams.iter().map(async |(role, upstream)| {
            // One process that can do it will do.
            let asked = upstream.peers().iter().map(|peer| {
                let url = format!("{}/readyz", peer.base);
                async move { client::answers(&url, TIME).await }
            });
            (role.name(), join_all(asked).await.contains(&true))
        }))
        .await
    }

    /// Adds the paths and types of the roles of other processes to an OpenAPI document; fails with a role of which no
    /// process says them.
    pub(crate) async fn describe(&self, document: &mut Value) -> Result<(), Role> {
        // Files are in no document.
        let roles = self.0.upstreams.iter().filter(|(role, _)| **role != Role::Delivery);
        let asked = roles.map(async |(role, upstream)| {
            for peer in upstream.peers() {
                if let Some(found) = fetch(&peer.base).await {
                    return Ok(found);
                }
            }
            Err(*role)
        });
        for other in join_all(asked).await {
            let other = other?;
            for pointer in ["/paths", "/components/schemas", "/components/securitySchemes"] {
                let Some(Value::Object(found)) = other.pointer(pointer) else { continue };
                if let Some(object) = object_at(document, pointer) {
                    for (name, value) in found {
                        object.entry(name).or_insert_with(|| value.clone());
                    }
                }
            }
        }
        Ok(())
    }
}

/// The object at a pointer, made where it is not there.
fn object_at<'a>(document: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    let mut value = document;
    for part in pointer.split('/').skip(1) {
        value = value.as_object_mut()?.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    value.as_object_mut()
}

async fn fetch(base: &str) -> Option<Value> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = format!("{base}/openapi.json").parse::<Uri>().ok()?;
    let read = async {
        let answer = client::send(request).await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let mut stream = Body::new(answer.into_body()).into_data_stream();
        let mut text = Vec::new();
        while let Some(bytes) = stream.next().await {
            text.extend_from_slice(&bytes.ok()?);
            if text.len() > LARGEST {
                return None;
            }
        }
        serde_json::from_slice(&text).ok()
    };
    tokio::time::timeout(TIME, read).await.ok()?
}
