//! The viewer may go anywhere, at any time.

use std::time::Duration;

use kinora_core::io::{
    AppendBody, Event, Input, MediaCommand, MediaKind, MediaOperation, Output, Warning,
};
use kinora_core::time::MediaTime;
use kinora_tests::world::content::Film;
use kinora_tests::world::film::{Addressing, Codec, Part};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{dash, hls, millis, warnings, world};

fn playing(url: &str) -> World {
    let film = Film { seconds: 300, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(url);
    world.run_for(Duration::from_secs(10));
    world
}

fn plays_on_from(world: &mut World, to: MediaTime) {
    world.run_until("playback after the seek", Duration::from_secs(5), |world| {
        world.element.position > to + seconds(1) && world.element.position < to + seconds(3)
    });
}

#[test]
fn forward_beyond_the_buffer() {
    for url in [hls(), dash()] {
        let mut world = playing(&url);
        world.input(Input::Seek(seconds(200)));
        plays_on_from(&mut world, seconds(200));
        assert_eq!(world.player.state().totals.stalls, 0, "a seek is no stall");
        assert_eq!(world.requests_for("/50.m4s"), 0, "what was skipped was asked for");
        world.run_to_end(Duration::from_secs(110));
        assert_replays(&world);
    }
}

#[test]
fn within_the_buffer_nothing_is_fetched_again() {
    let mut world = playing(&hls());
    world.run_for(Duration::from_secs(20));
    world.input(Input::Seek(seconds(20)));
    plays_on_from(&mut world, seconds(20));
    world.input(Input::Seek(seconds(40)));
    plays_on_from(&mut world, seconds(40));
    super::assert_nothing_fetched_twice(&world);
}

#[test]
fn back_to_what_was_dropped() {
    let mut world = playing(&hls());
    world.run_for(Duration::from_secs(60));
    world.input(Input::Seek(seconds(5)));
    plays_on_from(&mut world, seconds(5));
    assert_eq!(world.player.state().totals.stalls, 0);
}

/// What is refilled after a seek back reaches up to what is still there, and takes its first picture away.
#[test]
fn back_to_what_was_dropped_by_a_platform_that_loses_what_follows() {
    for url in [hls(), dash()] {
        let mut world = playing(&url);
        world.element.faults.overruns = true;
        world.run_for(Duration::from_secs(60));
        world.input(Input::Seek(seconds(5)));
        plays_on_from(&mut world, seconds(5));
        world.run_to_end(Duration::from_secs(310));
        assert_eq!(world.player.state().totals.stalls, 0);
        assert!(warnings(&world).is_empty(), "{:?}", warnings(&world));
        assert_replays(&world);
    }
}

#[test]
fn to_the_end_and_back_again() {
    let mut world = playing(&dash());
    world.input(Input::Seek(seconds(10_000)));
    world.run_to_end(Duration::from_secs(10));
    world.input(Input::Seek(seconds(100)));
    plays_on_from(&mut world, seconds(100));
}

#[test]
fn by_the_elements_own_controls() {
    let mut world = playing(&hls());
    world.element.position = seconds(150);
    plays_on_from(&mut world, seconds(150));
}

#[test]
fn sixty_times_in_a_minute() {
    let mut world = playing(&hls());
    for number in 0..60_i64 {
        world.input(Input::Seek(seconds(number * 37 % 290)));
        world.run_for(Duration::from_millis(1_000 - 13 * (number as u64 % 40)));
    }
    world.input(Input::Seek(seconds(250)));
    plays_on_from(&mut world, seconds(250));
    assert!(!world.events.iter().any(|(_, event)| matches!(event, Event::Error(_))));
    let kept = world.kept_bodies();
    assert!(kept <= 8, "{kept} bodies are still kept");
    assert_replays(&world);
}

/// The second seek comes while the platform still takes what it was given before the first.
#[test]
fn away_and_back_in_one_moment() {
    let appends = |world: &World| {
        let segment = |output: &Output| {
            matches!(
                output,
                Output::Media(MediaOperation {
                    command: MediaCommand::Append {
                        kind: MediaKind::Video,
                        body: AppendBody::Kept(_),
                        ..
                    },
                    ..
                })
            )
        };
        world.outputs.iter().filter(|(_, output)| segment(output)).count()
    };
    for to in [5, 8, 50] {
        let mut world = playing(&hls());
        let before = appends(&world);
        world.run_until("an append", Duration::from_secs(30), |world| appends(world) > before);
        world.input(Input::Seek(seconds(200)));
        world.input(Input::Seek(seconds(to)));
        plays_on_from(&mut world, seconds(to));
        world.run_to_end(Duration::from_secs(310));
        assert_replays(&world);
    }
}

#[test]
fn to_where_picture_and_sound_begin_apart() {
    let film = Film { seconds: 120, audio_lag: 11, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(&hls());
    world.input(Input::Seek(seconds(20)));
    plays_on_from(&mut world, seconds(20));
    world.input(Input::Seek(seconds(80)));
    plays_on_from(&mut world, seconds(80));
    assert!(warnings(&world).is_empty(), "there is no hole to jump over");
}

#[test]
fn before_the_manifest_has_come() {
    let film = Film { seconds: 300, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(&hls());
    world.input(Input::Seek(seconds(120)));
    plays_on_from(&mut world, seconds(120));
    assert_eq!(world.requests_for("/0.m4s"), 0);
    let first = world.element.buffered(MediaKind::Video).first().map(|range| range.start);
    assert_eq!(first, Some(seconds(120)));
}

/// What a later period holds is not known before its index is there.
#[test]
fn a_seek_into_a_period_whose_index_is_yet_to_come_goes_there() {
    let parts = vec![Part { segment: 30, media_start: 0, codec: Codec::Avc }];
    let film = Film { seconds: 180, parts, addressing: Addressing::OneFile, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(5));
    let at = MediaTime::from_secs(150);
    world.act(&Action::Seek(at));
    world.run_for(Duration::from_secs(10));
    assert!(world.element.position > at + MediaTime::from_secs(8), "{:?}", world.element.position);
}

#[test]
fn what_a_segment_takes_away_of_what_is_held_is_fetched_once_more() {
    for url in [hls(), dash()] {
        // A last frame that reaches into the next segment takes its key frame away, and with it all of it.
        let film = Film { seconds: 120, segment_seconds: 4, overhang_ms: 40, ..Film::default() };
        let mut world = world(&film, Network::constant(20_000));
        world.load(&url);
        world.run_for(Duration::from_secs(5));
        world.input(Input::Seek(seconds(60)));
        world.run_for(Duration::from_secs(5));
        world.input(Input::Seek(seconds(40)));
        world.run_to_end(Duration::from_secs(150));
        let jumps = warnings(&world).into_iter();
        let jumps = jumps.filter(|warning| matches!(warning, Warning::GapJumped { .. })).count();
        assert_eq!((jumps, world.player.state().totals.stalls), (0, 0), "no hole was left");
    }
}

#[test]
fn what_is_being_appended_is_not_fetched_again_where_manifests_are_not_exact() {
    let whole = Film { seconds: 120, segment_seconds: 4, wobble_ms: 400, ..Film::default() };
    // Where a part of it begins, there may be a hole.
    let parts = vec![Part { segment: 1, media_start: 84_933, codec: Codec::Avc }];
    let parted = Film { parts, audio_lag: 21, wobble_ms: 150, ..whole.clone() };
    for (film, url) in [(&whole, hls()), (&whole, dash()), (&parted, hls()), (&parted, dash())] {
        for appends in 4..16 {
            let mut world = world(film, Network::constant(6_000));
            world.load(&url);
            let taken = |world: &World| {
                let append = |command: &&MediaCommand| {
                    matches!(command, MediaCommand::Append { body: AppendBody::Kept(_), .. })
                };
                world.element.commands.iter().filter(append).count()
            };
            world.run_until("appends", Duration::from_secs(30), |world| taken(world) >= appends);
            // The last of them is not answered yet.
            world.input(Input::Seek(millis(500)));
            world.run_for(Duration::from_secs(5));
            super::assert_nothing_fetched_twice(&world);
        }
    }
}
