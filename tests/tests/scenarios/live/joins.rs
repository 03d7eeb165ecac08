//! Playback begins as near to what happens as the service asks for.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::config::LiveConfig;
use kinora_core::io::{Event, Input, PlaybackStatus, Source};
use kinora_core::time::MediaTime;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;

use super::{ALL, Way, errors, latency, live, playing, stalls, start, world_with, zero};

#[test]
fn as_far_behind_as_is_asked_for() {
    for way in ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(10));
        let behind = latency(&world, zero(&world, way));
        let (least, most) = match way {
            // Three target durations, counted from the end of the playlist.
            Way::Hls => (6.0, 8.5),
            Way::LowLatencyHls => (1.5, 2.6),
            Way::Chunked => (1.5, 2.6),
            Way::Number | Way::Timeline | Way::Patched => (6.0, 8.5),
        };
        assert!((least..most).contains(&behind), "{way:?}: {behind} s behind");
        assert_eq!(stalls(&world), 0, "{way:?}");
    }
}

#[test]
fn as_far_behind_as_the_app_asks_for() {
    for way in ALL {
        let target = Some(Duration::from_secs(12));
        let live = LiveConfig { target_latency: target, ..LiveConfig::default() };
        let broadcast = way.broadcast();
        let url = way.url(&broadcast);
        let config = Config { live, ..Config::default() };
        let mut world = world_with(config, broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(20));
        let behind = latency(&world, zero(&world, way));
        assert!((behind - 12.0).abs() < 1.0, "{way:?}: {behind} s behind");
    }
}

#[test]
fn where_the_app_wants_to_start_if_that_is_still_there() {
    let broadcast = Way::Number.broadcast();
    let url = broadcast.dash();
    let mut world = super::world(broadcast, Network::constant(8_000));
    world.element.paused = false;
    let at = MediaTime::from_secs(570);
    world.input(Input::WallClock(kinora_tests::world::live::wall(world.now())));
    world.input(Input::Load(Source { url, format: None, start: Some(at) }));
    world.run_until("playback", Duration::from_secs(10), |world| {
        world.element.position > at + MediaTime::from_secs(2)
    });
    assert!(world.element.position < at + MediaTime::from_secs(4));
}

#[test]
fn a_slow_start_is_not_carried_along() {
    for way in [Way::LowLatencyHls, Way::Chunked] {
        let broadcast = way.broadcast();
        let url = way.url(&broadcast);
        let mut world = super::world(broadcast, Network::constant(8_000));
        // The first of everything takes four seconds to come.
        world.origin.fail("/init.mp4", 2, FaultKind::Delay(Duration::from_secs(4)));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(3));
        let behind = latency(&world, zero(&world, way));
        assert!((1.5..2.6).contains(&behind), "{way:?}: {behind} s behind");
        assert_eq!(stalls(&world), 0, "{way:?}");
    }
}

#[test]
fn a_viewer_who_presses_play_late_sees_what_happens_then() {
    for way in ALL {
        let broadcast = way.broadcast();
        let url = way.url(&broadcast);
        let mut world = super::world(broadcast, Network::constant(8_000));
        world.element.faults.refuses_autoplay = true;
        world.load(&url);
        world.run_for(Duration::from_secs(50));
        world.act(&Action::Play);
        world.run_for(Duration::from_secs(4));
        let behind = latency(&world, zero(&world, way));
        let most = if matches!(way, Way::LowLatencyHls | Way::Chunked) { 2.6 } else { 8.6 };
        assert!(behind < most, "{way:?}: {behind} s behind");
        assert!(live(&world).following, "{way:?}");
    }
}

/// Before the first segment, each playlist is one of nothing, and so would be that of any other quality.
#[test]
fn who_is_there_before_the_beginning_starts_with_a_quality_that_fits() {
    let rungs = vec![(300, 240), (750, 360), (1_500, 480), (3_000, 720)];
    let broadcast = Broadcast { segment_ms: 6_000, event: true, rungs, ..Broadcast::default() };
    let url = broadcast.hls();
    for seeks in [false, true] {
        let mut world = super::world(broadcast.clone(), Network::constant(800));
        world.load(&url);
        if seeks {
            world.run_for(Duration::from_millis(700));
            world.act(&Action::Seek(MediaTime::from_secs(600)));
        }
        world.run_until("start", Duration::from_secs(14), |world| {
            world.events.iter().any(|(_, event)| *event == Event::Playing)
        });
        assert_eq!(world.requests_for("v720/100."), 0);
        assert!(errors(&world).is_empty());
    }
}

/// What the media source before it was told of where it may go, another has not heard.
#[test]
fn where_it_was_when_its_media_source_is_made_anew() {
    for way in ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(10));
        let before = latency(&world, zero(&world, way));
        world.element.fail("the decoder died");
        world.run_for(Duration::from_secs(10));
        let behind = latency(&world, zero(&world, way));
        assert!((before - 0.6..before + 1.5).contains(&behind), "{way:?}: {before}, {behind} s");
        assert!(errors(&world).is_empty(), "{way:?}");
    }
}

/// Nor has it where nothing has been published since.
#[test]
fn where_it_was_in_another_media_source_though_nothing_is_published() {
    for way in [Way::Hls, Way::LowLatencyHls, Way::Timeline, Way::Patched] {
        let broadcast = Broadcast { stale: Some((20_000, 80_000)), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = super::world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(40));
        world.act(&Action::Seek(world.element.position - MediaTime::from_secs(16)));
        world.run_for(Duration::from_secs(3));
        let before = world.element.position;
        world.element.fail("the decoder died");
        world.run_for(Duration::from_secs(3));
        let played = world.element.position - before;
        assert!((1.0..4.0).contains(&played.seconds()), "{way:?}: {} s", played.seconds());
    }
}

/// Without metadata an element keeps in mind where to begin, and one that loses it is sent there again.
#[test]
fn where_it_belongs_though_the_element_forgot_where_to_begin() {
    for way in ALL {
        for waits in [false, true] {
            let broadcast = way.broadcast();
            let url = way.url(&broadcast);
            let mut world = super::world(broadcast, Network::constant(8_000));
            world.element.faults.forgets_start = true;
            world.element.faults.refuses_autoplay = waits;
            world.load(&url);
            world.run_for(Duration::from_secs(8));
            let status = if waits { PlaybackStatus::Paused } else { PlaybackStatus::Playing };
            assert_eq!(world.player.state().status, status, "{way:?}");
            world.act(&Action::Play);
            world.run_for(Duration::from_secs(4));
            let behind = latency(&world, zero(&world, way));
            let most = if matches!(way, Way::LowLatencyHls | Way::Chunked) { 2.6 } else { 8.6 };
            assert!(behind < most, "{way:?}, {waits}: {behind} s behind");
        }
    }
}
