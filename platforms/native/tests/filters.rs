//! What an app's filter adds reaches the server; what it rewrites reaches the player.

#[expect(dead_code, reason = "other tests use the rest of it")]
mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{film, options, url};
use kinora_core::io::{PlaybackStatus, Request, RequestFailure, RequestKind};
use kinora_native::headless::{HeadlessOptions, play};
use kinora_native::transport::{FilterFuture, RequestFilter, Response};
use kinora_native::{HeadlessReport, Options};

async fn report(options: Options) -> HeadlessReport {
    let options = HeadlessOptions { player: options, play_for: None };
    play(&url(), options, pending(), |_| {}).await.expect("the player starts").report
}

/// Signs every URL, with a token that has to be fetched first.
struct Signs(AtomicUsize);

impl RequestFilter for Signs {
    fn request(&self, mut request: Request) -> FilterFuture<'_, Request> {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            request.headers.push(("authorization".into(), format!("Bearer {number}")));
            Ok(request)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_is_signed() {
    let transport = film();
    let filter = Some(Arc::new(Signs(AtomicUsize::new(0))) as Arc<dyn RequestFilter>);
    let report = report(Options { filter, ..options(&transport) }).await;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    let signed =
        |request: &Request| request.headers.iter().any(|(name, _)| name == "authorization");
    assert!(transport.requests().iter().all(signed));
}

/// Points the playlists' renditions to where they are.
struct Rewrites;

impl RequestFilter for Rewrites {
    fn filters_responses(&self, kind: RequestKind) -> bool {
        kind == RequestKind::Manifest
    }

    fn response(&self, _: &Request, mut response: Response) -> FilterFuture<'_, Response> {
        Box::pin(async move {
            let text = String::from_utf8_lossy(&response.body).replace("elsewhere-", "");
            response.body = text.into();
            Ok(response)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_manifest_is_rewritten_before_it_is_read() {
    let transport = film();
    let manifest = std::fs::read_to_string(common::media().join("multivariant.m3u8"));
    let wrong = manifest.expect("the manifest").replace("tone", "elsewhere-tone");
    assert!(wrong.contains("elsewhere-tone"), "{wrong}");
    let entry = kinora_native::transport::Entry::new("application/vnd.apple.mpegurl", wrong);
    transport.insert(url(), entry);
    let filter = Some(Arc::new(Rewrites) as Arc<dyn RequestFilter>);
    let report = report(Options { filter, ..options(&transport) }).await;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
}

/// Has no token.
struct Refuses;

impl RequestFilter for Refuses {
    fn request(&self, _: Request) -> FilterFuture<'_, Request> {
        Box::pin(async { Err(RequestFailure::Invalid("no token".into())) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_refuses_is_named() {
    let transport = film();
    let filter = Some(Arc::new(Refuses) as Arc<dyn RequestFilter>);
    let report = report(Options { filter, ..options(&transport) }).await;
    let fatal = report.fatal().expect("an error");
    assert!(fatal.message.contains("no token"), "{fatal}");
    assert!(transport.requests().is_empty());
}
