//! The device loses its network and has it again.

use std::time::Duration;

use kinora_core::io::{Input, NetworkState};
use kinora_core::telemetry::TimerReason;
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{BASE, dash, fatal, hls, world_of};

fn playing() -> World {
    let film = Film { seconds: 120, ..Film::default() };
    let mut world = world_of(film.publish(BASE), Network::constant(40_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(12));
    world
}

#[test]
fn twenty_seconds_offline_are_bridged_and_cost_no_request() {
    let mut world = playing();
    world.input(Input::Network(NetworkState::Offline));
    world.network.go_offline(world.now() + Duration::from_secs(20));
    let before = world.requests.len();
    world.run_for(Duration::from_secs(20));
    assert!(world.requests.len() <= before + 1, "nothing is asked of no network");
    let state = world.player.state();
    assert!(state.offline && state.requests_waiting > 0, "{state:#?}");
    let asked = world.requests.len();
    world.input(Input::Network(NetworkState::Online));
    assert!(world.requests.len() > asked, "it asks at once");
    world.run_to_end(Duration::from_secs(150));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_replays(&world);
}

#[test]
fn as_long_as_it_is_offline_nothing_is_fatal() {
    let mut world = playing();
    world.input(Input::Network(NetworkState::Offline));
    world.network.go_offline(world.now() + Duration::from_secs(601));
    world.run_for(Duration::from_secs(600));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.player.state().totals.stalls, 1, "what was buffered is played");
    world.input(Input::Network(NetworkState::Online));
    world.run_to_end(Duration::from_secs(150));
}

#[test]
fn an_outage_that_nobody_tells_of_is_bridged_as_well() {
    let mut world = playing();
    world.network.go_offline(world.now() + Duration::from_secs(20));
    world.run_for(Duration::from_secs(20));
    assert_eq!(fatal(&world), None);
    world.run_to_end(Duration::from_secs(150));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn one_that_begins_with_a_change_of_quality_is_bridged_too() {
    // What is missing then is the beginning of a quality that was never shown before.
    for second in 4..24 {
        let film = Film { seconds: 60, ..Film::default() };
        let mut world = world_of(film.publish(BASE), Network::constant(8_000));
        world.load(&dash());
        world.run_for(Duration::from_secs(second));
        world.network.go_offline(world.now() + Duration::from_secs(15));
        world.run_to_end(Duration::from_secs(150));
        assert_eq!(fatal(&world), None, "from second {second}");
    }
}

#[test]
fn a_load_without_a_network_waits_for_it() {
    let mut world = world_of(Film::default().publish(BASE), Network::constant(8_000));
    world.network.go_offline(world.now() + Duration::from_secs(31));
    world.input(Input::Network(NetworkState::Offline));
    world.load(&hls());
    world.run_for(Duration::from_secs(30));
    assert!(world.requests.is_empty() && fatal(&world).is_none());
    world.input(Input::Network(NetworkState::Online));
    assert_eq!(world.requests.len(), 1);
    // The platform was a little too early to say so.
    world.run_to_end(Duration::from_secs(90));
}

#[test]
fn connections_of_the_network_before_are_not_waited_for() {
    let mut world = playing();
    world.origin.fail(".m4s", 2, FaultKind::Stall(1_000));
    world.run_until("stalled request", Duration::from_secs(10), |world| {
        world.player.state().requests.iter().any(|request| request.received > 0)
    });
    world.run_for(Duration::from_millis(500));
    let before = world.requests.len();
    world.input(Input::Network(NetworkState::Changed));
    let timers = world.player.state().timers;
    assert!(timers.iter().any(|timer| timer.reason == TimerReason::StallTimeout));
    world.run_for(Duration::from_millis(3_500));
    assert!(world.requests.len() > before, "asked again within seconds");
}

/// Who has played waits for as long as there is time, and not for so many attempts, after a seek as well.
#[test]
fn a_few_seconds_after_a_seek_on_a_slow_network_are_bridged_too() {
    let film = Film {
        seconds: 600,
        segment_seconds: 10,
        rungs: vec![(800, 480)],
        audio_kbps: Some(128),
        ..Film::default()
    };
    for second in 10..18 {
        let mut world = world_of(film.publish(BASE), Network::constant(6_000));
        world.load(&hls());
        world.run_for(Duration::from_secs(60));
        world.network.set_rate(325);
        world.run_for(Duration::from_secs(60));
        world.act(&Action::Seek(seconds(400)));
        world.run_for(Duration::from_secs(second));
        world.network.go_offline(world.now() + Duration::from_secs(5));
        world.run_for(Duration::from_secs(30));
        assert_eq!(fatal(&world), None, "{second} s after the seek");
    }
}
