//! A film plays to its end, whatever it is published as.

use std::time::Duration;

use kinora_core::io::{Event, MediaCommand, MediaKind, Source};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{assert_replays, seconds};

use super::{assert_nothing_fetched_twice, dash, hls, world, world_of};

fn plays_to_the_end(film: &Film, url: &str) {
    let mut world = world(film, Network::constant(8_000));
    world.load(url);
    world.run_to_end(Duration::from_secs(u64::from(film.seconds) + 5));
    let state = world.player.state();
    assert_eq!(state.totals.stalls, 0);
    assert_eq!(state.position, seconds(film.seconds.into()));
    let ends = world.element.commands.iter().filter(|c| **c == MediaCommand::EndOfStream);
    assert_eq!(ends.count(), 1);
    assert_nothing_fetched_twice(&world);
    assert_eq!(world.kept_bodies(), 0, "a body was neither appended nor given up");
    assert_replays(&world);
}

#[test]
fn hls_plays_to_the_end() {
    plays_to_the_end(&Film::default(), &hls());
}

#[test]
fn dash_plays_to_the_end() {
    plays_to_the_end(&Film::default(), &dash());
}

#[test]
fn a_film_without_sound_plays_to_the_end() {
    let film = Film { audio_kbps: None, ..Film::default() };
    plays_to_the_end(&film, &hls());
    plays_to_the_end(&film, &dash());
}

#[test]
fn media_may_start_anywhere_on_its_own_clock() {
    let film = Film { media_start: 10, ..Film::default() };
    plays_to_the_end(&film, &hls());
    plays_to_the_end(&film, &dash());
}

#[test]
fn the_last_segment_may_be_short() {
    plays_to_the_end(&Film { seconds: 31, ..Film::default() }, &hls());
}

#[test]
fn what_is_behind_is_dropped() {
    let film = Film { seconds: 120, ..Film::default() };
    let mut world = world(&film, Network::constant(8_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(130));
    let buffered = world.element.buffered(MediaKind::Video);
    let oldest = buffered.first().map(|range| range.start);
    // Dropping ends when the last segment has come, half a minute before the end.
    assert!(oldest >= Some(super::millis(45_000)), "{oldest:?} is long past");
    assert_nothing_fetched_twice(&world);
    assert!(!world.events.iter().any(|(_, event)| matches!(event, Event::Error(_))));
}

/// Until its playlist is there, where the last segment of the sound begins is not known.
#[test]
fn who_goes_to_the_end_while_a_playlist_is_on_its_way_is_there_when_it_has_come() {
    let film = Film { seconds: 56, segment_seconds: 4, rungs: vec![(300, 240)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("audio/init", 1, FaultKind::Silence);
    origin.fail("https://b.example/film/", 1, FaultKind::RetryAfter(503, 24));
    let mut world = world_of(origin, Network::constant(8_000));
    let (url, start) = (format!("{MAIN}/master.m3u8"), Some(seconds(26)));
    world.act(&Action::Load(Source { url, format: None, start }));
    world.run_for(Duration::from_secs(15));
    assert_eq!(world.requests_for("b.example/film/audio/media.m3u8"), 1, "it is waited for");
    world.act(&Action::Seek(seconds(56)));
    world.run_to_end(Duration::from_secs(30));
    assert_replays(&world);
}
