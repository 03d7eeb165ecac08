//! What random worlds found first: each of these ended or stopped playback once.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::io::{Event, MediaKind, Warning};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::film::{Codec, Part};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, seconds};

use super::{BASE, dash, hls, warnings, world, world_of};

fn no_error(world: &World) {
    let error = world.events.iter().find(|(_, event)| matches!(event, Event::Error(_)));
    assert!(error.is_none(), "{error:?}");
}

#[test]
fn a_hole_of_a_frame_between_periods() {
    // Sound begins 21 ms later than the period: the playhead stops before the hole, not in it.
    let parts = vec![Part { segment: 10, media_start: 500, codec: Codec::Avc }];
    let film = Film { audio_lag: 21, parts, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(65));
    let jumps = |warning: &&Warning| matches!(warning, Warning::GapJumped { .. });
    assert_eq!(warnings(&world).into_iter().filter(jumps).count(), 1);
}

#[test]
fn a_change_of_codec_between_periods() {
    let parts = vec![Part { segment: 10, media_start: 0, codec: Codec::Hevc }];
    let mut world = world(&Film { parts, ..Film::default() }, Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(65));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn a_body_that_ends_early_and_says_nothing() {
    for url in [hls(), dash()] {
        let mut origin = Film::default().publish(BASE);
        origin.fail("/7.m4s", 2, FaultKind::TruncateQuietly(9_000));
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&url);
        world.run_to_end(Duration::from_secs(70));
        no_error(&world);
    }
}

#[test]
fn a_body_that_lacks_its_last_bytes_and_says_nothing() {
    // As many as its boxes take.
    for lacks in [1, 60] {
        let mut origin = Film::default().publish(BASE);
        origin.fail("audio/7.m4s", 1, FaultKind::TruncateQuietly(24_000 - lacks));
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&hls());
        world.run_to_end(Duration::from_secs(70));
        no_error(&world);
        assert_eq!(world.requests_for("audio/7.m4s"), 2);
    }
}

#[test]
fn a_manifest_or_playlist_that_ends_before_its_content_length() {
    for (url, part) in [(hls(), "master.m3u8"), (hls(), "media.m3u8"), (dash(), "manifest.mpd")] {
        let mut origin = Film::default().publish(BASE);
        origin.fail(part, 1, FaultKind::Truncate(120));
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&url);
        world.run_to_end(Duration::from_secs(70));
        no_error(&world);
        assert_eq!(world.player.state().totals.retries, 1, "{part}");
    }
}

#[test]
fn a_buffer_full_of_what_a_seek_left_ahead() {
    let film = Film { seconds: 120, rungs: vec![(800, 480)], audio_kbps: None, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    // Twelve segments.
    world.element.quota = 2_400_000;
    world.load(&hls());
    world.run_for(Duration::from_secs(5));
    for to in [100, 50, 10] {
        world.act(&Action::Seek(seconds(to)));
        world.run_for(Duration::from_secs(8));
        assert!(world.element.position > seconds(to + 4));
    }
    no_error(&world);
}

#[test]
fn bytes_that_a_seek_left_ahead_leave_room_for_those_that_are_needed() {
    let film = Film { seconds: 300, rungs: vec![(6_000, 1080)], ..Film::default() };
    let mut config = Config::default();
    config.buffer.forward_bytes = 6_000_000;
    let mut world = World::new(config, film.publish(BASE), Network::constant(20_000));
    world.load(&hls());
    world.act(&Action::Seek(seconds(100)));
    world.run_for(Duration::from_secs(10));
    world.act(&Action::Seek(seconds(20)));
    world.run_for(Duration::from_secs(10));
    assert!(world.element.position > seconds(28), "stuck at {}", world.element.position);
}

#[test]
fn what_seeks_left_behind_is_dropped() {
    let film = Film { seconds: 1_000, ..Film::default() };
    let mut world = world(&film, Network::constant(20_000));
    world.load(&hls());
    for to in [100, 200, 300, 400, 500] {
        world.run_for(Duration::from_secs(3));
        world.act(&Action::Seek(seconds(to)));
    }
    world.run_for(Duration::from_secs(60));
    let first = world.element.buffered(MediaKind::Video).first().map(|range| range.start);
    assert!(first >= Some(seconds(500)), "{first:?} is still there");
}

#[test]
fn an_initialisation_segment_lost_while_another_is_late() {
    let rungs = vec![(250, 240), (700, 360), (2_000, 720)];
    let film = Film { segment_seconds: 4, rungs, audio_kbps: None, ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v240/init.mp4", 1, FaultKind::Silence);
    origin.fail("v720/init.mp4", 1, FaultKind::Status(403));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(90));
    no_error(&world);
}

#[test]
fn replacements_that_wait_for_a_lost_initialisation_segment() {
    let rungs = vec![(250, 240), (700, 360), (2_000, 720)];
    let film =
        Film { seconds: 300, segment_seconds: 4, rungs, audio_kbps: None, ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v720/init", u32::MAX, FaultKind::Refuse);
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(310));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn a_quality_without_beginning_is_left_alone() {
    let mut origin = Film { seconds: 120, ..Film::default() }.publish(BASE);
    origin.fail("v720/init.mp4", u32::MAX, FaultKind::Refuse);
    let mut world = world_of(origin, Network::constant(4_500));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(130));
    assert_eq!(world.player.state().totals.stalls, 0);
    assert!(world.requests_for("v720/init.mp4") <= 12, "it is asked for again and again");
}

#[test]
fn a_night_with_the_lid_shut() {
    for url in [hls(), dash()] {
        let mut world = world(&Film::default(), Network::constant(1_500));
        world.load(&url);
        world.run_for(Duration::from_secs(3));
        assert!(world.network.transfers() > 0, "something is on its way");
        world.act(&Action::Sleep(Duration::from_secs(8 * 3_600)));
        world.run_to_end(Duration::from_secs(90));
        no_error(&world);
    }
}

#[test]
fn a_segment_that_one_quality_never_delivers() {
    for kind in [FaultKind::Status(504), FaultKind::Refuse, FaultKind::Cut(20_000)] {
        for url in [hls(), dash()] {
            let mut origin = Film::default().publish(BASE);
            origin.fail("v1080/20.m4s", u32::MAX, kind.clone());
            origin.fail("v720/21.m4s", u32::MAX, kind.clone());
            let mut world = world_of(origin, Network::constant(20_000));
            world.load(&url);
            world.run_to_end(Duration::from_secs(90));
            no_error(&world);
            assert_eq!(world.player.state().totals.stalls, 0, "{kind:?}: another quality has it");
        }
    }
}
