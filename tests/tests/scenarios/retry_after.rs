//! A server says when to come back, and is left alone until then.

use std::time::Duration;

use kinora_core::config::{BufferConfig, Config};
use kinora_core::io::Warning;
use kinora_core::telemetry::TimerReason;
use kinora_core::time::Timestamp;
use kinora_tests::world::World;
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::invariants::Invariant;
use kinora_tests::world::network::Network;

use super::{BASE, dash, fatal, warnings, world_of};

fn asked_for(world: &World, part: &str) -> Vec<Timestamp> {
    let asked = world.requests.iter().filter(|(_, request)| request.url.contains(part));
    asked.map(|(at, _)| *at).collect()
}

#[test]
fn it_is_left_alone_for_as_long_as_it_asks() {
    for status in [429, 503] {
        let mut origin = Film::default().publish(BASE);
        origin.fail("/14.m4s", 1, FaultKind::RetryAfter(status, 12));
        let mut world = world_of(origin, Network::constant(40_000));
        world.load(&dash());
        world.run_to_end(Duration::from_secs(120));
        assert_eq!(fatal(&world), None);
        let asked = asked_for(&world, "/14.m4s");
        // The first is refused; what comes after keeps the distance.
        let pause = asked[1..].iter().map(|at| at.since(asked[0])).min().expect("asked again");
        let refused = asked_for(&world, ".m4s");
        let soonest = refused.iter().find(|at| at.since(asked[0]) > Duration::from_secs(1));
        assert!(pause >= Duration::from_secs(12), "{status}: again after {pause:?}");
        assert!(soonest.is_none_or(|at| at.since(asked[0]) >= Duration::from_secs(12)));
        assert_eq!(world.player.state().totals.stalls, 0, "the buffer lasts longer than that");
    }
}

#[test]
fn another_host_is_asked_meanwhile() {
    let mut origin = Hosts::default().publish();
    origin.fail("a.example", 2, FaultKind::RetryAfter(503, 600));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_to_end(Duration::from_secs(90));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.player.state().totals.stalls, 0);
    // Four may have been on their way together.
    assert!(world.requests_for("a.example") <= 4, "{}", world.requests_for("a.example"));
}

#[test]
fn longer_than_anybody_would_wait_is_an_error_at_once() {
    let mut origin = Film::default().publish(BASE);
    origin.fail("manifest.mpd", u32::MAX, FaultKind::RetryAfter(503, 3_600));
    let mut world = world_of(origin, Network::constant(8_000));
    // One answer is cause enough.
    world.invariants.waived.push(Invariant::Fatal);
    world.load(&dash());
    world.run_until("error", Duration::from_secs(5), |world| fatal(world).is_some());
    assert_eq!(fatal(&world).and_then(|error| error.http_status), Some(503));
    assert_eq!(world.requests.len(), 1);
}

#[test]
fn a_start_waits_as_long_as_the_only_place_asks_within_reason() {
    // Sooner it would refuse again; and a viewer who is shown an error asks at once.
    for part in ["manifest.mpd", "v240/init.mp4"] {
        let mut origin = Film::default().publish(BASE);
        origin.fail(part, 1, FaultKind::RetryAfter(503, 20));
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&dash());
        world.run_for(Duration::from_secs(10));
        let timers = world.player.state().timers;
        assert!(timers.iter().any(|timer| timer.reason == TimerReason::Retry), "it says why");
        world.run_for(Duration::from_secs(15));
        let asked = asked_for(&world, part);
        assert_eq!(asked.len(), 2, "{part}");
        assert!((20..22).contains(&asked[1].since(asked[0]).as_secs()), "{part}");
        assert!(warnings(&world).iter().any(|one| matches!(one, Warning::Retry { .. })));
        world.run_to_end(Duration::from_secs(120));
        assert_eq!(fatal(&world), None);
    }
}

#[test]
fn who_asks_for_more_time_than_there_is_does_not_keep_others_from_being_asked() {
    let film = Film { rungs: vec![(800, 480)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("a.example", u32::MAX, FaultKind::RetryAfter(503, 29));
    // What the other has fails twice, which takes ten seconds each.
    origin.fail("https://b.example/film/v480/9.m4s", 2, FaultKind::Silence);
    let mut world = world_of(origin, Network::constant(8_000));
    // There is not enough ahead to wait for either.
    world.element.quota = 1_200_000;
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_to_end(Duration::from_secs(180));
    assert_eq!(fatal(&world), None);
}

#[test]
fn one_that_failed_once_is_asked_again_while_the_other_wants_to_be_left_alone() {
    let film = Film { seconds: 720, segment_seconds: 6, ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("a.example", u32::MAX, FaultKind::RetryAfter(503, 26));
    origin.fail("audio/107.m4s", 1, FaultKind::Silence);
    let buffer = BufferConfig { forward: Duration::from_secs(10), ..BufferConfig::default() };
    let config = Config { buffer, ..Config::default() };
    let mut world = World::new(config, origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_to_end(Duration::from_secs(800));
    assert_eq!(fatal(&world), None);
    // The silence is taken for what it is after ten seconds, of which seven are bridged.
    let stalled = world.player.state().totals.stalled;
    assert!(stalled < Duration::from_secs(6), "{stalled:?}");
}
