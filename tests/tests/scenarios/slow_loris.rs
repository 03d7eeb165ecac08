//! A server drips: each byte comes in time, the whole never would.

use std::time::Duration;

use kinora_core::io::{Input, Warning};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::network::Network;
use kinora_tests::world::seconds;

use super::{BASE, dash, fatal, hls, warnings, world_of};

#[test]
fn a_drip_is_given_up_and_asked_for_again() {
    for url in [hls(), dash()] {
        for part in ["v1080/9.m4s", "audio/9.m4s"] {
            let mut origin = Film::default().publish(BASE);
            // A few bytes a second, for an hour.
            origin.fail(part, 1, FaultKind::Trickle(1));
            let mut world = world_of(origin, Network::constant(20_000));
            world.load(&url);
            world.run_to_end(Duration::from_secs(120));
            assert_eq!(fatal(&world), None);
            assert_eq!(world.player.state().totals.stalls, 0, "{url}, {part}");
        }
    }
}

#[test]
fn a_connection_that_is_slow_by_itself_is_given_up_before_it_is_missed() {
    // There is nothing smaller to turn to, and at this pace it would come 7 seconds late.
    let film = Film { rungs: vec![(800, 480)], segment_seconds: 4, ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v480/9.m4s", 1, FaultKind::Trickle(86));
    let mut world = world_of(origin, Network::constant(8_000));
    // Nor is there much time to wait and see.
    world.element.quota = 1_200_000;
    world.load(&dash());
    world.run_to_end(Duration::from_secs(120));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn another_host_is_asked_instead() {
    let mut origin = Hosts::default().publish();
    origin.fail("a.example", u32::MAX, FaultKind::Trickle(1));
    let mut world = world_of(origin, Network::constant(20_000));
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_to_end(Duration::from_secs(120));
    assert_eq!(fatal(&world), None);
    let slow = |warning: &&Warning| matches!(warning, Warning::Retry { error, .. } if error.message.contains("too slow"));
    assert!(warnings(&world).iter().any(slow));
}

#[test]
fn a_slow_network_is_not_taken_for_one() {
    // The lowest rung takes four fifths of it, and a segment of it 1.6 seconds.
    let mut world = world_of(Film::default().publish(BASE), Network::constant(500));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(180));
    assert!(!warnings(&world).iter().any(|warning| matches!(warning, Warning::Retry { .. })));
}

/// One quality, of which a segment takes most of what the network carries.
fn one_quality() -> Film {
    Film { rungs: vec![(800, 480)], audio_kbps: None, segment_seconds: 6, ..Film::default() }
}

#[test]
fn what_crawls_is_asked_for_again_even_where_the_network_is_slow() {
    // It is no sixteen times slower than the network, and would come more than a minute late.
    let mut origin = one_quality().publish(BASE);
    origin.fail("v480/5.m4s", 1, FaultKind::Trickle(68));
    let mut world = world_of(origin, Network::constant(1_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(180));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.requests_for("v480/5.m4s"), 2);
    let state = world.player.state();
    assert!(state.totals.stalled < Duration::from_secs(25), "{:?}", state.totals.stalled);
}

#[test]
fn what_is_missed_and_comes_sooner_than_it_would_anew_is_waited_for() {
    let mut world = world_of(one_quality().publish(BASE), Network::constant(20_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(2));
    // A segment takes ten seconds from now on, half of which have passed when it is looked at.
    world.network.set_rate(500);
    world.input(Input::Seek(seconds(48)));
    world.run_for(Duration::from_secs(12));
    assert_eq!(world.requests_for("v480/8.m4s"), 1);
    assert!(world.element.position > seconds(48));
}

#[test]
fn what_crawls_is_waited_for_where_there_is_nothing_else() {
    let mut origin = one_quality().publish(BASE);
    origin.fail("v480/5.m4s", u32::MAX, FaultKind::Trickle(68));
    let mut world = world_of(origin, Network::constant(1_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(240));
    assert_eq!(fatal(&world), None);
    let asked = world.requests_for("v480/5.m4s");
    assert!(asked <= 3, "asking {asked} times loses more");
}

#[test]
fn what_drips_for_longer_than_its_time_is_tried_once_more_before_playback_ends() {
    let mut origin = one_quality().publish(BASE);
    origin.fail("v480/0.m4s", 4, FaultKind::Trickle(1));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(240));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.requests_for("v480/0.m4s"), 5);
}

#[test]
fn a_slow_network_delays_what_crawls_by_little() {
    // A segment takes fifty seconds, whatever is done.
    let mut world = world_of(one_quality().publish(BASE), Network::constant(96));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(640));
    assert_eq!(fatal(&world), None);
    let asked = world.requests_for(".m4s");
    assert!(asked <= 20 + 1, "{asked} requests for 10 segments");
}

/// The beginnings of all other qualities were refused a while ago.
#[test]
fn what_drips_is_left_for_a_quality_that_was_set_aside_long_enough() {
    let film = Film {
        seconds: 300,
        segment_seconds: 10,
        rungs: vec![(250, 240), (700, 360), (2_000, 720)],
        ..Film::default()
    };
    let mut origin = film.publish(BASE);
    origin.fail("v720/9.m4s", u32::MAX, FaultKind::Trickle(40));
    // Once at the start, and once when what drips is given up for them.
    for part in ["v240/init", "v360/init"] {
        origin.fail(part, 2, FaultKind::Status(404));
    }
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(420));
    assert_eq!(fatal(&world), None);
    let stalled = world.player.state().totals.stalled;
    assert!(stalled < Duration::from_secs(50), "{stalled:?}");
}
