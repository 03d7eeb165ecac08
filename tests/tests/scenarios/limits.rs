//! No picture is fetched that the device cannot show, or that the viewer would not see the better for;
//! and the state says why.

use std::time::Duration;

use kinora_abr::Network as Connection;
use kinora_core::Config;
use kinora_core::io::{Area, Environment, Event, Input, MediaKind, Warning};
use kinora_core::telemetry::MaskReason;
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{BASE, dash, heights_shown, hls, world};

/// Why a quality of so many lines may not be chosen.
fn mask_of(world: &World, lines: u32) -> Option<MaskReason> {
    let state = world.player.state();
    let video = state.streams.iter().find(|stream| stream.kind == MediaKind::Video)?;
    let qualities = world.events.iter().find_map(|(_, event)| match event {
        Event::Loaded { tracks, .. } => {
            Some(&tracks.iter().find(|t| t.kind == MediaKind::Video)?.qualities)
        }
        _ => None,
    })?;
    let id = &qualities.iter().find(|quality| quality.height == Some(lines))?.id;
    video.masked.iter().find(|masked| masked.id == *id).map(|masked| masked.reason)
}

fn with(environment: Environment) -> World {
    let film = Film { seconds: 120, ..Film::default() };
    let mut config = Config::default();
    config.abr.limit_to_viewport = true;
    let mut world = World::new(config, film.publish(BASE), Network::constant(30_000));
    world.input(Input::Environment(environment));
    world.load(&hls());
    world.run_for(Duration::from_secs(20));
    world
}

#[test]
fn a_small_area_shows_no_large_picture_until_it_grows() {
    let small =
        Environment { viewport: Some(Area { width: 854, height: 480 }), ..Environment::default() };
    let mut world = with(small);
    assert_eq!(heights_shown(&world).iter().max(), Some(&480));
    assert_eq!(mask_of(&world, 720), Some(MaskReason::Viewport));
    let viewport = Some(Area { width: 1920, height: 1080 });
    world.input(Input::Environment(Environment { viewport, ..Environment::default() }));
    world.run_for(Duration::from_secs(40));
    assert_eq!(heights_shown(&world).last(), Some(&1080));
    assert_eq!(mask_of(&world, 1080), None);
}

#[test]
fn who_saves_data_or_pays_for_it_gets_less() {
    let saver = with(Environment { data_saver: true, ..Environment::default() });
    assert_eq!(heights_shown(&saver).iter().max(), Some(&480));
    assert_eq!(mask_of(&saver, 1080), Some(MaskReason::DataSaver));
    let metered = with(Environment { metered: true, ..Environment::default() });
    assert_eq!(heights_shown(&metered).iter().max(), Some(&720));
    assert_eq!(mask_of(&metered, 1080), Some(MaskReason::Metered));
}

#[test]
fn what_the_device_does_not_decode_is_never_fetched() {
    for url in [hls(), dash()] {
        let mut world = world(&Film::default(), Network::constant(30_000));
        world.element.faults.decodes_lines = Some(720);
        world.load(&url);
        world.run_to_end(Duration::from_secs(70));
        assert_eq!(heights_shown(&world).last(), Some(&720));
        assert_eq!(world.requests_for("v1080"), 0);
        assert_eq!(mask_of(&world, 1080), Some(MaskReason::Decoder));
    }
}

#[test]
fn where_nothing_is_decoded_playback_ends_and_says_so() {
    let mut world = world(&Film::default(), Network::constant(30_000));
    world.element.faults.decodes_lines = Some(100);
    world.load(&dash());
    world.run_until("error", Duration::from_secs(5), |world| {
        world.events.iter().any(|(_, event)| {
            matches!(event, Event::Error(error)
            if error.code == kinora_core::error::ErrorCode::MediaNotSupported)
        })
    });
}

#[test]
fn a_picture_that_drops_frames_is_left_for_a_while() {
    let film = Film { seconds: 240, ..Film::default() };
    let mut world = world(&film, Network::constant(30_000));
    world.load(&dash());
    let mut lowest_after = u32::MAX;
    for _ in 0..100 {
        world.run_for(Duration::from_millis(500));
        let shown = heights_shown(&world).last().copied().unwrap_or(0);
        world.element.faults.drops = if shown >= 1080 { 0.5 } else { 0.0 };
        if mask_of(&world, 1080) == Some(MaskReason::DroppedFrames) {
            lowest_after = lowest_after.min(shown);
        }
    }
    assert!(heights_shown(&world).contains(&1080));
    assert_eq!(lowest_after.min(1080), 720, "{:?}", heights_shown(&world));
    world.element.faults.drops = 0.0;
    world.run_for(Duration::from_secs(120));
    assert_eq!(heights_shown(&world).last(), Some(&1080), "a ban does not last");
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn another_network_is_measured_anew() {
    let mut world = with(Environment { network: Some(Connection::Wifi), ..Environment::default() });
    let on = |network| Input::Environment(Environment { network, ..Environment::default() });
    assert!(world.player.state().throughput_bps.is_some_and(|bps| bps > 10e6));
    world.input(on(Some(Connection::Cellular2G)));
    assert_eq!(world.player.state().throughput_bps, None, "nothing is measured yet");
    world.network.set_rate(400);
    world.run_for(Duration::from_secs(60));
    assert!(heights_shown(&world).last().is_some_and(|lines| *lines <= 360));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn the_start_does_not_wait_long_for_an_answer() {
    let film = Film::default();
    let mut world = World::new(Config::default(), film.publish(BASE), Network::constant(30_000));
    world.element.faults.decodes_lines = Some(720);
    world.load(&dash());
    world.run_until("first frame", Duration::from_secs(2), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Ready)
    });
    assert!(
        !super::warnings(&world).iter().any(|warning| matches!(warning, Warning::Retry { .. }))
    );
}

#[test]
fn no_more_is_fetched_than_the_server_suggests() {
    let film = Film { seconds: 60, ..Film::default() };
    let mut world = World::new(Config::default(), film.publish(BASE), Network::constant(30_000));
    world.origin.cmsd_dynamic = Some("\"cdn.example\";mb=1600".into());
    world.load(&hls());
    world.run_for(Duration::from_secs(20));
    assert_eq!(heights_shown(&world).iter().max(), Some(&480));
    assert_eq!(mask_of(&world, 720), Some(MaskReason::Suggested));
    world.origin.cmsd_dynamic = Some("\"cdn.example\";mb=20000".into());
    world.run_for(Duration::from_secs(30));
    assert_eq!(heights_shown(&world).last(), Some(&1080));
    assert_replays(&world);
}
