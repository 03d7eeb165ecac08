//! Films that are encrypted as a whole (HLS `AES-128`): the player fetches their keys and decrypts them.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{BodyHandling, Event, MediaKind, Output, RequestKind};
use kinora_core::telemetry::log::{Log, replay};
use kinora_core::time::Timestamp;
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::film::Sealing;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, without_media};

use super::{BASE, assert_nothing_fetched_twice, fatal, hls, seconds, warnings, world_of};

fn film() -> Film {
    Film { seconds: 40, rungs: vec![(150, 240), (300, 360), (600, 480)], ..Film::default() }
}

fn origin(sealing: Sealing) -> Origin {
    film().publish_sealed(BASE, sealing)
}

const SEALING: Sealing = Sealing { rotation: 5, one_file: false };

fn played(origin: Origin) -> World {
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(120));
    assert!(fatal(&world).is_none());
    world
}

/// The log holds no key, and yet replays to the same outputs.
pub(super) fn assert_replays(world: &World) {
    let log = world.player.session_log();
    assert!(!log.windows(15).any(|window| window == &Sealing::key(0)[..15]), "a key in the log");
    let mut outputs: Vec<(Timestamp, Output)> = Vec::new();
    let mut keep = |now, output: &Output| {
        outputs.extend(without_media(output).map(|output| (now, output)));
    };
    replay(Log::parse(log).expect("a log"), |now, output| keep(now, &output)).expect("it replays");
    let seen = world.outputs.iter();
    let seen: Vec<_> =
        seen.filter_map(|(now, output)| Some((*now, without_media(output)?))).collect();
    for (replayed, seen) in outputs.iter().zip(&seen) {
        assert_eq!(replayed, seen);
    }
    assert_eq!(outputs.len(), seen.len());
}

#[test]
fn a_film_of_many_keys_plays_to_its_end() {
    for sealing in [SEALING, Sealing { one_file: true, ..SEALING }] {
        let world = played(origin(sealing));
        assert_eq!(world.player.state().totals.stalls, 0);
        assert_eq!(warnings(&world), Vec::<&kinora_core::io::Warning>::new());
        if !sealing.one_file {
            assert_nothing_fetched_twice(&world);
        }
        let of_kind = |wanted: RequestKind| {
            let requests = world.requests.iter().map(|(_, request)| request);
            requests.filter(|request| request.kind == wanted).collect::<Vec<_>>()
        };
        assert_eq!(of_kind(RequestKind::Key).len(), 4, "each key once");
        for request in of_kind(RequestKind::Segment(MediaKind::Video)) {
            assert_eq!(request.body, BodyHandling::Deliver);
        }
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let [range] = world.element.buffered(kind).try_into().expect("no hole");
            assert_eq!(range.end, seconds(40.0), "{kind:?}");
        }
        // Where nothing is secret, the log is small: it does not hold the media.
        assert!(world.player.session_log().len() < 200_000);
        assert_replays(&world);
    }
}

#[test]
fn keys_are_fetched_beside_what_they_decrypt() {
    let mut origin = origin(SEALING);
    origin.fail("key-0.bin", 1, FaultKind::Delay(Duration::from_secs(3)));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(2));
    assert!(world.requests_for("/0.m4s") > 0, "segments do not wait to be asked for");
    assert!(world.element.chunks(MediaKind::Video).is_empty(), "and are not appended");
    world.run_to_end(Duration::from_secs(60));
    assert_replays(&world);
}

#[test]
fn a_key_server_that_is_down_is_waited_for() {
    for key in ["key-0.bin", "key-2.bin"] {
        let mut origin = origin(SEALING);
        origin.fail(key, u32::MAX, FaultKind::Refuse);
        let mut world = world_of(origin, Network::constant(4_000));
        world.load(&hls());
        world.run_for(Duration::from_secs(20));
        world.origin.heal(key);
        world.run_to_end(Duration::from_secs(90));
        assert!(fatal(&world).is_none());
        assert_replays(&world);
    }
}

#[test]
fn a_wrong_key_is_an_error_with_a_name_and_shows_nothing() {
    let mut origin = origin(SEALING);
    let wrong = FaultKind::Replace("application/octet-stream", Sealing::key(77).to_vec());
    origin.fail("key-0.bin", u32::MAX, wrong);
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
    let error = fatal(&world).expect("an error");
    assert_eq!(error.code, ErrorCode::DecryptionFailed);
    assert!(error.url.as_ref().is_some_and(|url| url.starts_with(BASE)), "{error:?}");
    assert!(world.element.chunks(MediaKind::Video).is_empty());
    assert!(world.requests.len() < 60, "there is no storm: {}", world.requests.len());
    assert_replays(&world);
}

#[test]
fn a_key_that_was_wrong_once_is_asked_for_again() {
    let mut origin = origin(SEALING);
    let wrong = FaultKind::Replace("application/octet-stream", Sealing::key(77).to_vec());
    origin.fail("key-1.bin", 1, wrong);
    let world = played(origin);
    assert_eq!(world.requests_for("key-1.bin"), 2);
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_replays(&world);
}

#[test]
fn what_is_no_key_and_a_refusal_are_told_apart() {
    for (fault, code, says) in [
        (
            FaultKind::Replace("text/html", b"<html>log in".to_vec()),
            ErrorCode::DecryptionFailed,
            "16 bytes",
        ),
        (FaultKind::Status(403), ErrorCode::LicenseRefused, "403"),
    ] {
        let mut origin = origin(SEALING);
        origin.fail("key-0.bin", u32::MAX, fault);
        let mut world = world_of(origin, Network::constant(4_000));
        world.load(&hls());
        world.run_until("error", Duration::from_secs(60), |world| fatal(world).is_some());
        let error = fatal(&world).expect("an error");
        assert_eq!(error.code, code);
        assert!(error.message.contains(says), "{error:?}");
        let warned = world.events.iter().any(|(_, event)| matches!(event, Event::Warning(_)));
        assert!(warned, "and it was said before everything else was tried");
    }
}

#[test]
fn a_segment_that_was_cut_off_without_a_word_is_asked_for_again() {
    let mut origin = Film { rungs: vec![(600, 480)], ..film() }.publish_sealed(BASE, SEALING);
    origin.fail("v480/4.m4s", 1, FaultKind::TruncateQuietly(10_001));
    let world = played(origin);
    assert_eq!(world.requests_for("v480/4.m4s"), 2);
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_replays(&world);
}
