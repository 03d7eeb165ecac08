//! A playlist of a film arrives without its end, and nothing about it says so but that `EXT-X-ENDLIST` is missing.

use std::time::Duration;

use kinora_core::io::{Input, MediaKind, Selection, Source};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::invariants::Invariant;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::pins::pin;
use super::{BASE, fatal, hls, world_of};

/// A film of one quality, of whose playlist of pictures so many copies are cut off in the middle.
fn cut(times: u32) -> World {
    let film = Film { seconds: 240, rungs: vec![(800, 480)], ..Film::default() };
    let mut origin = film.publish(BASE);
    let playlist = origin.body(&format!("{BASE}/v480/media.m3u8")).expect("it is published");
    let (half, _) = playlist.split_at(playlist.len() / 2);
    let line = half.iter().rposition(|byte| *byte == b'\n').expect("it has lines");
    let cut = FaultKind::TruncateQuietly(line as u64 + 1);
    origin.fail("v480/media.m3u8", times, cut);
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(400));
    assert_eq!(fatal(&world), None);
    assert_replays(&world);
    world
}

#[test]
fn it_is_asked_for_again_and_the_whole_film_plays() {
    let world = cut(1);
    assert!(world.element.position >= seconds(239), "ended at {}", world.element.position);
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_eq!(world.requests_for("v480/media.m3u8"), 2);
}

#[test]
fn one_that_never_ends_is_played_as_far_as_it_goes() {
    let world = cut(u32::MAX);
    // The sound goes on as far as it was fetched; then it is over, and nobody waits for what will not come.
    let position = world.element.position;
    assert!(seconds(110) <= position && position < seconds(200), "ended at {position}");
    assert_eq!(world.requests_for("v480/media.m3u8"), 2);
}

#[test]
fn beyond_the_end_of_what_plays_no_words_are_fetched() {
    let film = Film { seconds: 600, rungs: vec![(800, 480)], subtitles: true, ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v480/media.m3u8", u32::MAX, FaultKind::TruncateQuietly(400));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(200));
    let end = world.element.position;
    assert!(end < seconds(100), "{end}");
    world.input(Input::Select(Selection::Track { kind: MediaKind::Text, index: 0 }));
    world.run_for(Duration::from_secs(5));
    let words = world.requests_for(".vtt");
    assert!(words <= 3, "{words}");
}

#[test]
fn beyond_the_end_of_one_quality_another_plays() {
    let film = Film { seconds: 240, rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v480/media.m3u8", u32::MAX, FaultKind::TruncateQuietly(600));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(5));
    pin(&mut world, Some(480));
    world.run_for(Duration::from_secs(5));
    world.input(Input::Seek(seconds(200)));
    world.run_to_end(Duration::from_secs(60));
    assert_eq!(fatal(&world), None);
    assert!(world.element.position >= seconds(239), "ended at {}", world.element.position);
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_replays(&world);
}

/// Who goes beyond the end of the only playlist there is yet is sent to its last segment, until another is longer.
#[test]
fn who_seeks_beyond_the_end_of_what_is_known_gets_there_with_another_quality() {
    let film = Film { seconds: 600, rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v480/media.m3u8", u32::MAX, FaultKind::TruncateQuietly(600));
    origin.fail("v240/media.m3u8", 1, FaultKind::Status(404));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(30));
    assert_eq!(world.requests_for("v240/"), 1, "only one is known");
    world.input(Input::Seek(seconds(500)));
    world.run_for(Duration::from_secs(3));
    assert!(world.element.position > seconds(501), "{}", world.element.position);
    let first = world.requests.iter().find(|(_, request)| request.url.contains("v240/2"));
    let first = first.map(|(_, request)| request.url.rsplit('/').next().unwrap_or_default());
    assert_eq!(first, Some("250.m4s"), "nothing is fetched that is not shown");
    assert_replays(&world);
}

/// The second host's copy is over before where the viewer is, whom it would leave with nothing.
#[test]
fn a_host_that_would_leave_the_viewer_with_nothing_is_not_believed() {
    let film = Film { seconds: 240, rungs: vec![(800, 480)], ..Film::default() };
    let bases = [
        ("A", "https://a.example/film"),
        ("B", "https://b.example/film"),
        ("C", "https://c.example/film"),
    ];
    for count in [3, 2] {
        let hosts = bases[..count].to_vec();
        let mut origin = Hosts { film: film.clone(), hosts, ..Hosts::default() }.publish();
        origin.fail("a.example/film/v480/init.mp4", u32::MAX, FaultKind::Status(404));
        origin.fail("b.example/film/v480/media.m3u8", u32::MAX, FaultKind::TruncateQuietly(600));
        let mut world = world_of(origin, Network::constant(4_000));
        world.invariants.waived.push(Invariant::Fatal);
        let (url, start) = (format!("{MAIN}/master.m3u8"), Some(seconds(200)));
        world.act(&Action::Load(Source { url, format: None, start }));
        world.run_until("end", Duration::from_secs(120), |world| {
            world.has_ended() || fatal(world).is_some()
        });
        if count == 3 {
            assert_eq!(fatal(&world), None);
            assert!(world.element.position >= seconds(239), "ended at {}", world.element.position);
            assert_eq!(world.player.state().totals.stalls, 0);
        } else {
            assert!(fatal(&world).is_some(), "nobody waits for what will not come");
        }
        assert_replays(&world);
    }
}

#[test]
fn another_host_is_asked_before_one_is_believed() {
    let film = Film { seconds: 240, rungs: vec![(800, 480)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("a.example/film/v480/media.m3u8", u32::MAX, FaultKind::TruncateQuietly(600));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_to_end(Duration::from_secs(400));
    assert_eq!(fatal(&world), None);
    assert!(world.element.position >= seconds(239), "ended at {}", world.element.position);
    assert_eq!(world.player.state().totals.stalls, 0);
    for host in ["a", "b"] {
        assert_eq!(
            world.requests_for(&format!("{host}.example/film/v480/media.m3u8")),
            1,
            "{host}"
        );
    }
    assert_replays(&world);
}

#[test]
fn where_one_host_is_over_before_other_qualities_are_another_is_asked() {
    // Both are cut off when they are asked for first; by the time the film has come so far, one is whole.
    let film = Film { seconds: 240, rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("a.example/film/v480/media.m3u8", u32::MAX, FaultKind::TruncateQuietly(600));
    origin.fail("b.example/film/v480/media.m3u8", 1, FaultKind::TruncateQuietly(600));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_for(Duration::from_secs(5));
    pin(&mut world, Some(480));
    world.run_to_end(Duration::from_secs(400));
    assert_eq!(fatal(&world), None);
    assert!(world.element.position >= seconds(239), "ended at {}", world.element.position);
    assert_eq!(super::heights_shown(&world).last(), Some(&480));
    assert_replays(&world);
}
