//! One of two hosts dies: the other takes over before anybody notices, for sound as for picture; and
//! the first is used again once it has healed.

use std::time::Duration;

use kinora_core::io::{Event, RequestKind};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{fatal, world_of};

const MANIFESTS: [&str; 2] = ["master.m3u8", "manifest.mpd"];

fn playing(manifest: &str) -> World {
    let film = Film { seconds: 240, ..Film::default() };
    let mut world =
        world_of(Hosts { film, ..Hosts::default() }.publish(), Network::constant(8_000));
    world.load(&format!("{MAIN}/{manifest}"));
    world.run_for(Duration::from_secs(20));
    world
}

/// Hosts of the segments that were asked for from a moment on.
fn hosts_since(world: &World, first: usize) -> Vec<&str> {
    let media = |kind| matches!(kind, RequestKind::Segment(_));
    let segments = world.requests[first..].iter().filter(|(_, request)| media(request.kind));
    segments.map(|(_, request)| request.url.split('/').nth(2).unwrap_or("")).collect()
}

fn has(world: &World, wanted: impl Fn(&Event) -> bool) -> bool {
    world.events.iter().any(|(_, event)| wanted(event))
}

#[test]
fn the_other_takes_over_without_a_stall() {
    for manifest in MANIFESTS {
        for kind in [
            FaultKind::Refuse,
            FaultKind::Stall(2_000),
            FaultKind::Cut(2_000),
            FaultKind::Status(403),
            FaultKind::Status(503),
        ] {
            let mut world = playing(manifest);
            let before = world.requests.len();
            assert!(hosts_since(&world, 0).iter().all(|host| *host == "a.example"));
            world.origin.fail("a.example", u32::MAX, kind.clone());
            world.run_for(Duration::from_secs(40));
            assert_eq!(fatal(&world), None, "{manifest}, {kind:?}");
            let state = world.player.state();
            assert_eq!(state.totals.stalls, 0, "{manifest}, {kind:?}");
            assert!(has(
                &world,
                |event| matches!(event, Event::OriginFailed { origin, .. } if origin == "A")
            ));
            // Only a probe or two went to the dead host once it was known to be.
            let hosts = hosts_since(&world, before);
            let lost = hosts.iter().filter(|host| **host == "a.example").count();
            assert!(lost <= 6, "{manifest}, {kind:?}: {lost} segments asked of the dead host");
            assert!(hosts.len() > lost + 20, "{manifest}, {kind:?}: {hosts:?}");
            assert_replays(&world);
        }
    }
}

#[test]
fn it_is_used_again_once_it_has_healed() {
    for manifest in MANIFESTS {
        let mut world = playing(manifest);
        world.origin.fail("a.example", u32::MAX, FaultKind::Refuse);
        world.run_for(Duration::from_secs(10));
        world.origin.heal("a.example");
        let healed = world.requests.len();
        world.run_for(Duration::from_secs(60));
        assert!(has(
            &world,
            |event| matches!(event, Event::OriginRecovered { origin } if origin == "A")
        ));
        let hosts = hosts_since(&world, healed);
        assert_eq!(hosts.last(), Some(&"a.example"), "{manifest}");
        assert_eq!(world.player.state().totals.stalls, 0, "{manifest}");
    }
}

#[test]
fn both_dead_is_one_error_and_no_storm() {
    for manifest in MANIFESTS {
        let mut world = playing(manifest);
        let before = world.requests.len();
        world.origin.fail(".example", u32::MAX, FaultKind::Refuse);
        world.run_until("error", Duration::from_secs(240), |world| fatal(world).is_some());
        let requests = world.requests.len() - before;
        assert!(requests < 120, "{manifest}: {requests} requests at dead hosts");
        let errors = world.events.iter().filter(|(_, event)| matches!(event, Event::Error(_)));
        assert_eq!(errors.count(), 1);
        // What was buffered has been played.
        assert!(world.player.state().totals.stalls >= 1, "{manifest}");
        let rest = world.requests.len();
        world.run_for(Duration::from_secs(60));
        assert_eq!(world.requests.len(), rest, "a failed player rests");
    }
}

#[test]
fn one_is_dead_and_the_other_lacks_a_segment_for_a_moment() {
    for manifest in MANIFESTS {
        let film = Film { seconds: 240, rungs: vec![(800, 480)], ..Film::default() };
        let mut world =
            world_of(Hosts { film, ..Hosts::default() }.publish(), Network::constant(8_000));
        world.load(&format!("{MAIN}/{manifest}"));
        world.run_for(Duration::from_secs(20));
        world.origin.fail("https://a.example", u32::MAX, FaultKind::Refuse);
        world.origin.fail("https://b.example/film/v480/25.m4s", 1, FaultKind::Status(404));
        world.run_to_end(Duration::from_secs(400));
        assert_eq!(fatal(&world), None, "{manifest}");
        assert_eq!(world.player.state().totals.stalls, 0, "{manifest}");
        let asked = world.requests_for("v480/25.m4s");
        assert!((2..=4).contains(&asked), "{manifest}: asked for {asked} times");
    }
}

#[test]
fn what_was_held_against_a_host_is_forgotten_before_playback_ends() {
    // The first is not there when it is asked for a list; by the time the second has refused for good, it is.
    for manifest in MANIFESTS {
        let film = Film { seconds: 60, rungs: vec![(800, 480)], ..Film::default() };
        let mut origin = Hosts { film, ..Hosts::default() }.publish();
        origin.fail("https://a.example/film/v480/", 1, FaultKind::Refuse);
        origin.fail("https://b.example/film/v480/0.m4s", 2, FaultKind::RetryAfter(503, 20));
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&format!("{MAIN}/{manifest}"));
        world.run_to_end(Duration::from_secs(200));
        assert_eq!(fatal(&world), None, "{manifest}");
        assert_replays(&world);
    }
}

#[test]
fn a_host_that_is_dead_from_the_start_costs_one_attempt() {
    for manifest in MANIFESTS {
        let mut origin = Hosts::default().publish();
        origin.fail("a.example", u32::MAX, FaultKind::Refuse);
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&format!("{MAIN}/{manifest}"));
        world.run_until("first frame", Duration::from_secs(2), |world| {
            has(world, |event| *event == Event::Ready)
        });
        world.run_to_end(Duration::from_secs(90));
        assert_eq!(world.player.state().totals.stalls, 0, "{manifest}");
    }
}

#[test]
fn one_that_was_bad_is_tried_before_one_that_is_bad() {
    let mut origin = Hosts::default().publish();
    // The first refuses once, and then all is well there; the second never sends more than the beginning of anything.
    origin.fail("https://a.example/film/v", 1, FaultKind::Refuse);
    origin.fail("https://b.example/film/", u32::MAX, FaultKind::Stall(20_000));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_until("playback", Duration::from_secs(60), |world| {
        has(world, |event| *event == Event::Playing)
    });
    world.run_to_end(Duration::from_secs(180));
    assert_eq!(fatal(&world), None);
}

#[test]
fn what_no_host_has_is_not_asked_for_without_a_pause() {
    let film = Film {
        seconds: 94,
        segment_seconds: 6,
        rungs: vec![(250, 240), (700, 360), (2_000, 720)],
        ..Film::default()
    };
    let hosts = [("A", "https://a.example/film"), ("B", "https://b.example/film")];
    let hosts = hosts.into_iter().chain([("C", "https://c.example/film")]).collect();
    let mut origin = Hosts { film, hosts, ..Hosts::default() }.publish();
    // Of two qualities there is no beginning, and the third lacks a segment.
    origin.fail("v240/init", u32::MAX, FaultKind::Status(403));
    origin.fail("v360/init", u32::MAX, FaultKind::Status(504));
    origin.fail("v720/6.m4s", u32::MAX, FaultKind::Status(500));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_until("error", Duration::from_secs(180), |world| fatal(world).is_some());
    let asked: Vec<_> =
        world.requests.iter().filter(|(_, one)| one.url.ends_with("v720/6.m4s")).collect();
    // Once at each place after another, and again after pauses.
    let at_once = asked.windows(2).filter(|pair| {
        pair[0].1.url == pair[1].1.url && pair[1].0.since(pair[0].0) < Duration::from_millis(200)
    });
    assert_eq!(at_once.count(), 0, "{asked:?}");
    assert_replays(&world);
}

/// Its initialisation segment is still being waited for when all that needs it has been had from the other host.
#[test]
fn what_a_host_that_was_left_never_sent_is_not_missed() {
    let film = Film { seconds: 13, segment_seconds: 4, rungs: vec![(235, 240)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("https://a.example/film/audio/init", 1, FaultKind::Silence);
    origin.fail("https://a.example/film/v240/media.m3u8", 1, FaultKind::Silence);
    // Each host lacks the first segment for a moment, and the first lacks the second.
    origin.fail("/0.m4s", 2, FaultKind::Status(404));
    origin.fail("audio/1.m4s", 1, FaultKind::Status(403));
    let mut world = world_of(origin, Network::constant(50_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_to_end(Duration::from_secs(60));
    assert_eq!(fatal(&world), None);
    assert_replays(&world);
}
