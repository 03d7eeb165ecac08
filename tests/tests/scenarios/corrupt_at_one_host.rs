//! A host sends something that is no media: the segment is fetched from the other, in the same quality.

use std::time::Duration;

use kinora_core::io::Event;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::network::Network;

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
