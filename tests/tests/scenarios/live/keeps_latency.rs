//! The latency is kept, and won back when it was lost.

use std::time::Duration;

use kinora_core::io::{Event, LatencyStanding, MediaCommand, Warning};
use kinora_core::time::MediaTime;
use kinora_tests::world::World;
use kinora_tests::world::fault::FaultKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::{Network, Stretch};
use kinora_tests::world::viewer::Action;

use super::{
    Way, assert_nothing_twice, errors, latency, live, playing, stalls, start, world, zero,
};

const LOW: [Way; 2] = [Way::LowLatencyHls, Way::Chunked];

#[test]
fn two_minutes_at_three_seconds_or_less() {
    for way in LOW {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(5));
        let zero = zero(&world, way);
        let mut worst: f64 = 0.0;
        for _ in 0..120 {
            world.run_for(Duration::from_secs(1));
            worst = worst.max(latency(&world, zero));
        }
        assert!(worst <= 3.0, "{way:?}: {worst} s behind");
        assert_eq!(stalls(&world), 0, "{way:?}");
        assert_nothing_twice(&world);
        let state = live(&world);
        assert!(state.following && state.latency.is_some(), "{way:?}: {state:?}");
    }
}

#[test]
fn what_the_player_says_is_what_a_clock_says() {
    for way in super::ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(8));
        let said = live(&world).latency.expect("it is known").seconds();
        let seen = latency(&world, zero(&world, way));
        assert!((said - seen).abs() < 0.3, "{way:?}: says {said}, is {seen}");
    }
}

#[test]
fn a_short_stall_is_caught_up_by_playing_faster() {
    for way in LOW {
        let broadcast = way.broadcast();
        let url = way.url(&broadcast);
        // Nothing comes for three seconds, after half a minute.
        let network = Network::steps(&[(30, 8_000), (3, 0), (600, 8_000)]);
        let mut world = world(broadcast, network);
        start(&mut world, &url);
        world.run_for(Duration::from_secs(33));
        let zero = zero(&world, way);
        let after = latency(&world, zero);
        assert!(after > 3.0, "{way:?}: {after} s behind after the outage");
        world.run_for(Duration::from_secs(90));
        let behind = latency(&world, zero);
        assert!(behind < 2.7, "{way:?}: {behind} s behind");
        let rates = world.element.commands.iter().filter_map(|command| match command {
            MediaCommand::SetRate(rate) => Some(*rate),
            _ => None,
        });
        let rates: Vec<f64> = rates.collect();
        assert!(rates.iter().any(|rate| *rate > 1.0), "{way:?}: {rates:?}");
        assert!(rates.iter().all(|rate| (0.9..=1.1).contains(rate)), "{way:?}: {rates:?}");
        let jumped = |event: &Event| matches!(event, Event::Warning(Warning::JumpedToLive { .. }));
        assert!(!world.events.iter().any(|(_, event)| jumped(event)), "{way:?} jumped");
        let caught_up = world.events.iter().filter_map(|(_, event)| match event {
            Event::LatencyChanged { standing, .. } => Some(*standing),
            _ => None,
        });
        let standings: Vec<_> = caught_up.collect();
        assert!(standings.contains(&LatencyStanding::CatchingUp), "{way:?}: {standings:?}");
        assert_eq!(standings.last(), Some(&LatencyStanding::OnTarget), "{way:?}: {standings:?}");
    }
}

#[test]
fn a_long_stall_is_jumped() {
    for way in LOW {
        let broadcast = way.broadcast();
        let url = way.url(&broadcast);
        let network = Network::steps(&[(30, 8_000), (20, 0), (600, 8_000)]);
        let mut world = world(broadcast, network);
        world.least_kbps = 9_000;
        start(&mut world, &url);
        world.run_for(Duration::from_secs(75));
        let behind = latency(&world, zero(&world, way));
        assert!(behind < 4.0, "{way:?}: {behind} s behind");
        let jumped = |event: &Event| matches!(event, Event::Warning(Warning::JumpedToLive { .. }));
        assert!(world.events.iter().any(|(_, event)| jumped(event)), "{way:?}");
    }
}

#[test]
fn parts_shorter_than_the_way_to_them_are_left_for_whole_segments() {
    let broadcast =
        Broadcast { part_ms: Some(250), segment_ms: 4_000, ..Way::LowLatencyHls.broadcast() };
    let url = broadcast.hls();
    let far = Duration::from_millis(600);
    let stretch = |seconds, latency| Stretch {
        duration: Duration::from_secs(seconds),
        kbps: 8_000,
        latency,
        offline: false,
    };
    let near = Duration::from_millis(20);
    let mut world =
        world(broadcast, Network::from_trace(vec![stretch(120, far), stretch(900, near)]));
    world.load(&url);
    world.run_for(Duration::from_secs(40));
    let before = stalls(&world);
    assert!(before <= 20, "{before} stalls");
    world.run_for(Duration::from_secs(75));
    assert_eq!(stalls(&world), before, "it goes on without a stall");
    assert!(live(&world).target > Some(MediaTime::from_secs(4)), "{:?}", live(&world));
    assert!(live(&world).far, "why is said");
    assert!(told(&world).iter().any(|one| {
        matches!(one, Warning::PartsTooFar { first_byte_ms, part_ms: 250 } if *first_byte_ms > 250)
    }));
    // Nearer to the server parts are worth it again.
    world.run_for(Duration::from_secs(300));
    let state = live(&world);
    assert!(state.target < Some(MediaTime::from_secs(2)), "{state:?}");
    assert!(state.latency < Some(MediaTime::from_secs(3)), "{state:?}");
    assert!(!state.far);
    assert_eq!(told(&world).last(), Some(&&Warning::PartsResumed));
}

/// What was said of parts.
fn told(world: &World) -> Vec<&Warning> {
    let of_parts =
        |warning: &&Warning| matches!(warning, Warning::PartsTooFar { .. } | Warning::PartsResumed);
    let warnings = world.events.iter().filter_map(|(_, event)| match event {
        Event::Warning(warning) => Some(warning),
        _ => None,
    });
    warnings.filter(of_parts).collect()
}

#[test]
fn a_server_that_never_answers_for_the_next_part_is_not_waited_for_longer_than_a_segment() {
    let broadcast =
        Broadcast { segment_ms: 6_000, part_ms: Some(1_000), ..Way::LowLatencyHls.broadcast() };
    let url = broadcast.hls();
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world.run_for(Duration::from_secs(10));
    world.origin.fail("audio/media.m3u8", 1, FaultKind::Silence);
    world.run_for(Duration::from_secs(18));
    let before = world.element.position;
    world.run_for(Duration::from_secs(10));
    assert!((world.element.position - before).seconds() > 8.0, "{}", world.element.position);
}

#[test]
fn a_viewer_who_pauses_is_left_where_that_was() {
    let mut world = playing(Way::LowLatencyHls);
    world.run_for(Duration::from_secs(10));
    world.element.paused = true;
    world.run_for(Duration::from_secs(20));
    world.element.paused = false;
    world.run_for(Duration::from_secs(20));
    let behind = latency(&world, zero(&world, Way::LowLatencyHls));
    assert!((20.0..24.0).contains(&behind), "{behind} s behind");
    assert!(!live(&world).following);
}

#[test]
fn each_reload_waits_for_the_part_that_comes_next() {
    let mut world = playing(Way::LowLatencyHls);
    world.run_for(Duration::from_secs(30));
    let directive = |url: &str, name: &str| -> Option<u64> {
        url.split(['?', '&']).find_map(|pair| pair.strip_prefix(name)?.parse().ok())
    };
    let reloads: Vec<(u64, u64)> = world
        .requests
        .iter()
        .filter(|(_, request)| request.url.contains("audio/media.m3u8?"))
        .filter_map(|(_, request)| {
            Some((directive(&request.url, "_HLS_msn=")?, directive(&request.url, "_HLS_part=")?))
        })
        .collect();
    // Two parts a second.
    assert!((50..75).contains(&reloads.len()), "{reloads:?}");
    assert!(reloads[0].0 > 250 && reloads.is_sorted(), "{reloads:?}");
}

/// Its playlist was last loaded when others were played; nothing that it lists now was listed then.
#[test]
fn a_quality_that_comes_back_is_where_the_others_are() {
    for dated in [false, true] {
        let broadcast = Broadcast { dated, audio_kbps: None, ..Way::Hls.broadcast() };
        let url = broadcast.hls();
        let mut world = world(broadcast, Network::constant(8_000));
        world.act(&Action::Cap(Some(240)));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(10));
        world.act(&Action::Cap(None));
        world.run_for(Duration::from_secs(120));
        let before = latency(&world, zero(&world, Way::Hls));
        world.act(&Action::Cap(Some(240)));
        world.run_for(Duration::from_secs(30));
        let behind = latency(&world, zero(&world, Way::Hls));
        assert!((behind - before).abs() < 2.0, "{dated}: {before}, then {behind} s behind");
        assert_eq!(stalls(&world), 0, "{dated}");
        assert!(errors(&world).is_empty(), "{dated}");
    }
}

#[test]
fn what_was_captured_earlier_than_the_manifest_would_have_it_is_kept_as_close() {
    let broadcast = Broadcast { captured_ms: Some(800), ..Way::Chunked.broadcast() };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world.run_for(Duration::from_secs(60));
    let state = live(&world);
    let seen = latency(&world, zero(&world, Way::Chunked)) + 0.8;
    let said = state.latency.expect("it is known").seconds();
    assert!((said - seen).abs() < 0.3, "says {said}, is {seen}");
    let target = state.target.expect("there is one").seconds();
    assert!((2.0..2.2).contains(&target), "as the manifest asks for: {target}");
    assert!((seen - target).abs() < 0.3, "is {seen}, ought to be {target}");
    assert_eq!(stalls(&world), 0);
}
