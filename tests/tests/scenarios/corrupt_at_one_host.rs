//! A host sends something that is no media: the segment is fetched from the other, in the same quality.

use std::time::Duration;

use kinora_core::io::{Event, Input};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::network::Network;
use kinora_tests::world::seconds;

use super::{fatal, world_of};

#[test]
fn the_other_host_has_it_whole() {
    let page = || FaultKind::Replace("text/html", b"<html>Please log in</html>".to_vec());
    for manifest in ["master.m3u8", "manifest.mpd"] {
        for part in ["a.example/film/v1080/10.m4s", "a.example/film/audio/10.m4s"] {
            let mut origin = Hosts::default().publish();
            origin.fail(part, u32::MAX, page());
            let mut world = world_of(origin, Network::constant(20_000));
            world.load(&format!("{MAIN}/{manifest}"));
            world.run_to_end(Duration::from_secs(90));
            assert_eq!(fatal(&world), None, "{manifest}");
            assert_eq!(world.player.state().totals.stalls, 0, "{manifest}");
            let again = part.replace("a.example", "b.example");
            assert!(world.requests_for(&again) > 0, "{manifest}: {again}");
            let failed = |event: &Event| matches!(event, Event::OriginFailed { .. });
            assert!(world.events.iter().any(|(_, event)| failed(event)), "{manifest}");
        }
    }
}

#[test]
fn a_playlist_that_is_none_is_had_from_the_other_host() {
    let mut origin = Hosts::default().publish();
    let page = FaultKind::Replace("text/html", b"<html>".to_vec());
    origin.fail("a.example/film/audio/media.m3u8", u32::MAX, page);
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_to_end(Duration::from_secs(90));
    assert_eq!(fatal(&world), None);
}

#[test]
fn no_media_anywhere_is_an_error_and_no_storm() {
    let mut origin = Hosts::default().publish();
    let page = FaultKind::Replace("text/html", b"<html>Please log in</html>".to_vec());
    origin.fail("/10.m4s", u32::MAX, page);
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
    assert!(world.requests_for("/10.m4s") < 40, "{}", world.requests_for("/10.m4s"));
}

/// The media of what precedes it may reach into it by what the manifest says, so that the playhead is within it when
/// nothing is left to play.
#[test]
fn no_media_anywhere_is_an_error_where_the_playhead_has_got_there_too() {
    let film = Film {
        segment_seconds: 4,
        rungs: vec![(235, 240)],
        audio_kbps: None,
        wobble_ms: 400,
        ..Film::default()
    };
    for number in 3..8 {
        let mut origin = Hosts { film: film.clone(), ..Hosts::default() }.publish();
        let part = format!("/{number}.m4s");
        origin.fail(&part, u32::MAX, FaultKind::Corrupt(36));
        let mut world = world_of(origin, Network::constant(200));
        world.load(&format!("{MAIN}/manifest.mpd"));
        world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
        assert!(world.requests_for(&part) < 10, "{}", world.requests_for(&part));
    }
}

/// Playlists that are loaded meanwhile tell where the film ends, which changes nothing.
#[test]
fn no_media_anywhere_is_an_error_in_the_last_segment_too() {
    let film = Film {
        seconds: 29,
        segment_seconds: 6,
        rungs: vec![(250, 240), (700, 360), (2_000, 720)],
        audio_kbps: None,
        ..Film::default()
    };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    origin.fail("v720/4.m4s", u32::MAX, FaultKind::Corrupt(40));
    origin.fail("v360/4.m4s", u32::MAX, FaultKind::Status(410));
    origin.fail("v240/4.m4s", u32::MAX, FaultKind::Truncate(143_180));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_for(Duration::from_millis(500));
    world.input(Input::Seek(seconds(30)));
    world.run_until("error", Duration::from_secs(60), |world| fatal(world).is_some());
    assert!(world.requests_for("/4.m4s") < 40, "{}", world.requests_for("/4.m4s"));
}

#[test]
fn what_is_bad_in_one_quality_may_be_good_in_another_at_the_same_host() {
    // Wherever the picture is asked for in this quality comes something else, and the third host wants to be left alone.
    let hosts = [
        ("A", "https://a.example/film"),
        ("B", "https://b.example/film"),
        ("C", "https://c.example/film"),
    ];
    let mut origin = Hosts { hosts: hosts.to_vec(), ..Hosts::default() }.publish();
    let page = || FaultKind::Replace("text/html", b"<html>Please log in</html>".to_vec());
    origin.fail("v1080/10.m4s", 2, page());
    origin.fail("c.example", u32::MAX, FaultKind::RetryAfter(503, 60));
    let mut world = world_of(origin, Network::constant(20_000));
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_to_end(Duration::from_secs(90));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.player.state().totals.stalls, 0);
}
