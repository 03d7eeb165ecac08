//! Playlists that take longer to load than segments: those of a broadcast that goes on for hours and keeps all of them.

use std::time::Duration;

use kinora_core::io::Warning;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::{Network, Protocol};
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, seconds};

use super::super::warnings;
use super::{Way, stalls, start, world};

/// A broadcast of almost two hours, all of which can be seen again, at half an hour of it.
fn half_an_hour_in() -> World {
    let broadcast = Broadcast {
        window_s: 6_000,
        lead_ms: 6_001_000,
        rungs: vec![(100, 144), (1_000, 480)],
        audio_kbps: Some(48),
        ..Broadcast::default()
    };
    let url = broadcast.hls();
    let mut network = Network::constant(8_000);
    network.protocol = Protocol::Http1 { connections: 2 };
    let mut world = world(broadcast, network);
    start(&mut world, &url);
    world.act(&Action::Seek(seconds(1_800)));
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.player.state().live.map(|live| live.following), Some(false));
    world
}

fn playlists(world: &World) -> usize {
    world.requests_for("media.m3u8")
}

#[test]
fn are_not_in_the_way_of_segments_that_they_told_of_long_ago() {
    let mut world = half_an_hour_in();
    // Each of the two playlists takes seven seconds.
    world.network.set_rate(250);
    world.least_kbps = 200;
    let before = (playlists(&world), stalls(&world), world.element.position);
    world.run_for(Duration::from_secs(180));
    let loads = playlists(&world) - before.0;
    assert!((4..=24).contains(&loads), "{loads} loads in three minutes");
    assert!(stalls(&world) - before.1 <= 1, "{} stalls", stalls(&world) - before.1);
    let played = world.element.position - before.2;
    assert!(played > seconds(165), "{played} played in three minutes");
}

#[test]
fn are_loaded_as_often_as_usual_where_that_is_nothing() {
    let mut world = half_an_hour_in();
    let before = playlists(&world);
    world.run_for(Duration::from_secs(60));
    let loads = playlists(&world) - before;
    assert!((55..=61).contains(&loads), "{loads} loads of two playlists");
}

/// Each of the answers costs what a part of sound does.
#[test]
fn are_not_loaded_for_each_part_where_whole_segments_wait() {
    let broadcast =
        Broadcast { segment_ms: 4_000, part_ms: Some(250), window_s: 300, ..Broadcast::default() };
    let url = broadcast.hls();
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world.run_for(Duration::from_secs(10));
    let before = playlists(&world);
    world.run_for(Duration::from_secs(30));
    let live = playlists(&world) - before;
    assert!(live >= 230, "{live} loads at the live edge");
    world.act(&Action::Seek(seconds(120)));
    world.run_for(Duration::from_secs(10));
    let before = playlists(&world);
    world.run_for(Duration::from_secs(30));
    let behind = playlists(&world) - before;
    assert!((14..=40).contains(&behind), "{behind} loads of two playlists behind it");
}

/// The network gets so slow that a quality is asked for that was left a minute ago, and its playlist takes seconds.
#[test]
fn do_not_take_the_viewer_back_to_where_an_old_one_ends() {
    for way in [Way::Hls, Way::LowLatencyHls] {
        let broadcast = Broadcast {
            window_s: 1_200,
            lead_ms: 1_300_000,
            rungs: vec![(200, 240), (3_000, 720)],
            audio_kbps: Some(48),
            ..way.broadcast()
        };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(60));
        // What a quarter of a megabit carries is playlists alone.
        world.network.set_rate(250);
        world.least_kbps = 1_000;
        world.run_for(Duration::from_secs(60));
        let back = warnings(&world)
            .into_iter()
            .find(|one| matches!(one, Warning::JumpedToLive { from, to } if to < from));
        assert_eq!(back, None, "{way:?}");
    }
}
