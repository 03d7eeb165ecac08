//! The viewer hears the track that was chosen, and nothing that another left in the buffer.

use std::time::Duration;

use kinora_core::io::{Input, MediaKind, Selection};
use kinora_tests::world::World;
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::seconds;

use super::pins::pin;
use super::{dash, hls, world};

fn heard(world: &World) -> String {
    let position = world.element.position;
    let chunks = world.element.chunks(MediaKind::Audio);
    let chunk = chunks.iter().find(|chunk| chunk.range.contains(position)).expect("sound");
    let folder = chunk.name.rsplit('/').nth(1).expect("a folder");
    folder.to_owned()
}

fn playing(url: &str) -> World {
    let film = Film { seconds: 120, languages: 2, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(url);
    world.run_for(Duration::from_secs(20));
    assert_eq!(heard(&world), "audio");
    world
}

fn choose(world: &mut World, index: u32) {
    world.input(Input::Select(Selection::Track { kind: MediaKind::Audio, index }));
}

#[test]
fn another_track_is_heard_soon_and_after_seeks() {
    for url in [hls(), dash()] {
        let mut world = playing(&url);
        choose(&mut world, 1);
        world.run_for(Duration::from_millis(1_500));
        assert_eq!(heard(&world), "audio-1");
        // The other track had been fetched up to here, and may not have been replaced yet.
        choose(&mut world, 0);
        world.input(Input::Seek(seconds(46)));
        world.run_for(Duration::from_secs(2));
        choose(&mut world, 1);
        world.input(Input::Seek(seconds(40)));
        for _ in 0..20 {
            world.run_for(Duration::from_secs(1));
            assert_eq!(heard(&world), "audio-1", "at {}", world.element.position);
        }
        assert_eq!(world.player.state().totals.stalls, 0);
        world.run_to_end(Duration::from_secs(130));
    }
}

#[test]
fn a_track_chosen_at_the_end_before_anything_of_another_has_come_is_heard() {
    for url in [hls(), dash()] {
        let film = Film { seconds: 23, segment_seconds: 6, languages: 2, ..Film::default() };
        let mut world = world(&film, Network::constant(3_500));
        world.load(&url);
        world.run_until("buffers", Duration::from_secs(2), |world| {
            !world.element.kinds().is_empty()
        });
        world.input(Input::Seek(seconds(23)));
        choose(&mut world, 1);
        world.run_to_end(Duration::from_secs(20));
        assert!(
            world
                .element
                .chunks(MediaKind::Audio)
                .iter()
                .all(|chunk| chunk.name.contains("audio-1/"))
        );
    }
}

#[test]
fn the_track_that_plays_need_not_be_fetched_again() {
    let mut world = playing(&hls());
    choose(&mut world, 0);
    world.run_to_end(Duration::from_secs(130));
    super::assert_nothing_fetched_twice(&world);
}

#[test]
fn a_track_chosen_before_the_manifest_has_come_is_the_one_that_plays() {
    for url in [hls(), dash()] {
        let film = Film { languages: 2, ..Film::default() };
        let mut world = world(&film, Network::constant(8_000));
        world.load(&url);
        choose(&mut world, 9);
        choose(&mut world, 1);
        world.run_for(Duration::from_secs(5));
        assert_eq!(heard(&world), "audio-1");
        assert!(super::warnings(&world).is_empty(), "only the last word counts");
        world.run_to_end(Duration::from_secs(70));
    }
}

#[test]
fn an_unknown_track_chosen_early_is_said_once_it_is_known() {
    let mut world = world(&Film::default(), Network::constant(8_000));
    world.load(&hls());
    choose(&mut world, 9);
    assert!(super::warnings(&world).is_empty());
    world.run_for(Duration::from_secs(5));
    assert_eq!(super::warnings(&world).len(), 1);
}

#[test]
fn a_track_that_comes_more_slowly_than_it_plays_is_heard_as_far_as_it_comes_in_time() {
    for url in [hls(), dash()] {
        let (rungs, audio_kbps) = (vec![(300, 240)], Some(128));
        let film = Film { seconds: 120, languages: 2, rungs, audio_kbps, ..Film::default() };
        let mut world = world(&film, Network::steps(&[(20, 8_000), (3_600, 120)]));
        world.load(&url);
        world.run_for(Duration::from_secs(20));
        choose(&mut world, 1);
        let mut chosen = 0;
        while world.player.state().totals.stalls == 0 {
            chosen += u32::from(heard(&world) == "audio-1");
            world.run_for(Duration::from_millis(500));
        }
        assert!(chosen > 10, "heard for {} s", f64::from(chosen) / 2.0);
    }
}

#[test]
fn a_picture_that_the_viewer_insists_on_keeps_no_track_from_being_heard() {
    let film = Film { seconds: 120, languages: 2, ..Film::default() };
    let mut world = world(&film, Network::steps(&[(20, 12_000), (3_600, 700)]));
    world.load(&dash());
    world.run_for(Duration::from_secs(5));
    pin(&mut world, Some(240));
    world.run_for(Duration::from_secs(15));
    pin(&mut world, Some(1080));
    choose(&mut world, 1);
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_eq!(heard(&world), "audio-1", "at {}", world.element.position);
}
