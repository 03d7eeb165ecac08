//! Servers fail; the viewer notices only what cannot be helped, and is then told exactly.

use std::time::Duration;

use kinora_core::PlayerError;
use kinora_core::error::{ErrorCode, Severity};
use kinora_core::io::{Event, Warning};
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{BASE, dash, hls, warnings, world_of};

fn origin() -> Origin {
    Film::default().publish(BASE)
}

fn error(world: &World) -> Option<&PlayerError> {
    world.events.iter().find_map(|(_, event)| match event {
        Event::Error(error) => Some(error),
        _ => None,
    })
}

fn fails(origin: Origin, url: &str) -> PlayerError {
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(url);
    world.run_until("error", Duration::from_secs(120), |world| error(world).is_some());
    let state = world.player.state();
    assert!(state.requests.is_empty() && state.timers.is_empty(), "a failed player rests");
    assert_replays(&world);
    let error = error(&world).expect("there is an error").clone();
    assert_eq!(error.severity, Severity::Fatal);
    error
}

fn survives(origin: Origin) -> World {
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(90));
    assert!(error(&world).is_none());
    world
}

#[test]
fn passing_faults_are_ridden_out() {
    for kind in [
        FaultKind::Refuse,
        FaultKind::Status(503),
        FaultKind::Status(429),
        FaultKind::Cut(5_000),
        FaultKind::Stall(5_000),
    ] {
        for part in ["master.m3u8", "media.m3u8", "init.mp4", "/7.m4s"] {
            let mut origin = origin();
            origin.fail(part, 2, kind.clone());
            let world = survives(origin);
            let retried = |warning: &&Warning| matches!(warning, Warning::Retry { .. });
            let retries = warnings(&world).into_iter().filter(retried).count();
            // A short playlist is through before a cut or stall at 5 000 bytes.
            let expected =
                if part.ends_with("m3u8") || part.ends_with("mp4") { 0..=2 } else { 2..=2 };
            assert!(expected.contains(&retries), "{kind:?} of {part}: {retries} retries");
        }
    }
}

#[test]
fn a_segment_missing_in_one_quality_is_taken_from_another() {
    let mut origin = origin();
    origin.fail("v1080/10.m4s", u32::MAX, FaultKind::Status(404));
    let world = survives(origin);
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn a_segment_that_is_no_media_is_taken_from_another_quality() {
    let mut origin = origin();
    let page = b"<html>Please log in</html>".to_vec();
    origin.fail("v1080/10.m4s", u32::MAX, FaultKind::Replace("text/html", page));
    survives(origin);
}

#[test]
fn a_segment_missing_everywhere_is_named() {
    for url in [hls(), dash()] {
        let mut origin = origin();
        origin.fail("/12.m4s", u32::MAX, FaultKind::Status(404));
        let error = fails(origin, &url);
        assert_eq!(error.code, ErrorCode::HttpStatus);
        assert_eq!(error.http_status, Some(404));
        assert!(error.url.is_some_and(|url| url.ends_with("/12.m4s")));
    }
}

#[test]
fn a_missing_manifest_is_named() {
    let error = fails(Origin::default(), &hls());
    assert_eq!(error.code, ErrorCode::HttpStatus);
    assert_eq!(error.url, Some(hls()));
}

#[test]
fn a_server_that_is_gone_is_named() {
    let mut origin = origin();
    origin.fail("cdn.example", u32::MAX, FaultKind::Refuse);
    let error = fails(origin, &dash());
    assert_eq!(error.code, ErrorCode::NetworkUnreachable);
}

#[test]
fn a_server_that_falls_silent_is_named() {
    let mut origin = origin();
    origin.fail("/3.m4s", u32::MAX, FaultKind::Stall(2_000));
    let error = fails(origin, &dash());
    assert_eq!(error.code, ErrorCode::NetworkTimeout);
}

#[test]
fn there_is_no_storm_of_retries() {
    let mut origin = origin();
    origin.fail("cdn.example", u32::MAX, FaultKind::Refuse);
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.requests.len(), 4);
}

#[test]
fn a_quality_that_could_not_be_begun_is_soon_tried_again() {
    let mut origin = origin();
    origin.fail("v240/media.m3u8", 4, FaultKind::Status(504));
    // Too slow for any other.
    let mut world = world_of(origin, Network::constant(500));
    world.load(&hls());
    world.run_for(Duration::from_secs(40));
    let asked = |world: &World, part: &str| {
        let mut requests = world.requests.iter();
        requests.find(|(_, request)| request.url.contains(part)).map(|(at, _)| *at)
    };
    let first = asked(&world, "v240/media.m3u8").expect("it is the first choice");
    let played = asked(&world, "v240/init").expect("it is there by now");
    assert!(played.since(first) < Duration::from_secs(35), "after {:?}", played.since(first));
}

#[test]
fn a_quality_that_is_gone_is_asked_for_ever_less() {
    let mut origin = Film { seconds: 240, ..Film::default() }.publish(BASE);
    origin.fail("v240/media.m3u8", u32::MAX, FaultKind::Status(504));
    let mut world = world_of(origin, Network::constant(800));
    world.load(&hls());
    world.run_for(Duration::from_secs(240));
    assert!(error(&world).is_none());
    // Four times at first, and after 20, 40 and 60 seconds once each.
    let asked = world.requests_for("v240/media.m3u8");
    assert!((5..=10).contains(&asked), "{asked} times");
}
