//! Segments that a playlist says there are none of (`EXT-X-GAP`, RFC 8216bis §4.4.4.7) are not asked for, and passed over.

use std::time::Duration;

use kinora_core::io::{Input, MediaKind, Source, Warning};
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::hosts::{Hosts, MAIN};
use kinora_tests::world::invariants::Invariant;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{BASE, fatal, heights_shown, hls, warnings, world, world_of};

const HLS: &str = "application/vnd.apple.mpegurl";

/// Makes a playlist one of nothing but gaps.
fn strip(origin: &mut Origin, url: &str) {
    let playlist = origin.body(url).expect("it is published").to_vec();
    let playlist = String::from_utf8(playlist).expect("a playlist is text");
    origin.add(url, HLS, playlist.replace("#EXTINF", "#EXT-X-GAP\n#EXTINF"));
}

/// Plays what an origin has from its multivariant playlist on, or from the URL of another.
fn played(origin: Origin, url: &str) -> World {
    let mut world = world_of(origin, Network::constant(8_000));
    // A playlist is no fault that this world knows.
    world.invariants.waived.push(Invariant::Fatal);
    world.load(url);
    world.run_until("end", Duration::from_secs(90), |world| {
        world.has_ended() || fatal(world).is_some()
    });
    assert_replays(&world);
    world
}

#[test]
fn the_rest_of_the_film_plays() {
    // In the middle, at the beginning, at the end, several in a row, and more than is buffered ahead.
    for gaps in [
        vec![10],
        vec![0],
        (0..5).collect(),
        vec![29],
        vec![9, 10, 11],
        (5..25).collect::<Vec<u32>>(),
    ] {
        let film = Film { seconds: 120, segment_seconds: 4, gaps: gaps.clone(), ..Film::default() };
        let mut world = world(&film, Network::constant(8_000));
        world.load(&hls());
        world.run_to_end(Duration::from_secs(200));
        assert_eq!(fatal(&world), None, "{gaps:?}");
        let end = if gaps == [29] { seconds(116) } else { seconds(120) };
        let position = world.element.position;
        assert!((position - end).abs() <= seconds(1), "{gaps:?}: ended at {position}");
        for gap in &gaps {
            assert_eq!(world.requests_for(&format!("/{gap}.m4s")), 0, "{gaps:?}");
        }
        let jumps = warnings(&world).into_iter();
        let jumps = jumps.filter(|warning| matches!(warning, Warning::GapJumped { .. })).count();
        assert!(jumps <= 1 + usize::from(gaps == [0]), "{gaps:?}: {jumps} jumps");
        assert_replays(&world);
    }
}

#[test]
fn a_viewer_who_goes_to_where_there_is_nothing_up_to_the_end_is_at_the_end() {
    let film = Film { seconds: 120, segment_seconds: 4, gaps: vec![28, 29], ..Film::default() };
    // From the beginning, or later.
    for later in [false, true] {
        let mut world = world(&film, Network::constant(8_000));
        let start = (!later).then_some(seconds(118));
        world.input(Input::Load(Source { url: hls(), format: None, start }));
        world.element.paused = false;
        if later {
            world.run_for(Duration::from_secs(5));
            world.input(Input::Seek(seconds(118)));
        }
        world.run_to_end(Duration::from_secs(10));
        assert_eq!(fatal(&world), None, "{later}");
        // The last picture there is can be shown.
        let held = world.element.buffered(MediaKind::Video);
        let last = held.last().expect("something is held");
        assert!((last.end - seconds(112)).abs() < seconds(1), "{later}: held up to {}", last.end);
        assert_replays(&world);
    }
}

/// Makes gaps of some segments of a playlist.
fn lack(origin: &mut Origin, url: &str, numbers: &[u32]) {
    let playlist = origin.body(url).expect("it is published").to_vec();
    let mut playlist = String::from_utf8(playlist).expect("a playlist is text");
    for number in numbers {
        let line = format!("\n{number}.m4s");
        assert!(playlist.contains(&line), "{url} lists {number}");
        playlist = playlist.replace(&line, &format!("\n#EXT-X-GAP{line}"));
    }
    origin.add(url, HLS, playlist);
}

#[test]
fn what_one_quality_lacks_is_played_in_another() {
    let film = Film { rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    // At the beginning, too.
    for lacking in [vec![0, 1], vec![10, 11, 12], vec![29]] {
        let mut origin = film.publish(BASE);
        lack(&mut origin, &format!("{BASE}/v480/media.m3u8"), &lacking);
        let world = played(origin, &hls());
        assert_eq!(fatal(&world), None, "{lacking:?}");
        assert!(world.element.position >= seconds(59), "{lacking:?}: {}", world.element.position);
        let jumped = |warning: &Warning| matches!(warning, Warning::GapJumped { .. });
        assert!(!warnings(&world).into_iter().any(jumped), "{lacking:?}");
        assert_eq!(world.player.state().totals.stalls, 0, "{lacking:?}");
        for number in lacking {
            assert_eq!(world.requests_for(&format!("v480/{number}.m4s")), 0);
            assert_eq!(world.requests_for(&format!("v240/{number}.m4s")), 1);
        }
        assert!(world.requests_for("v480/20.m4s") == 1, "and the better again after that");
    }
}

#[test]
fn what_one_pathway_lacks_is_played_from_another() {
    let film = Film { rungs: vec![(800, 480)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    lack(&mut origin, "https://a.example/film/v480/media.m3u8", &[10, 11]);
    let world = played(origin, &format!("{MAIN}/master.m3u8"));
    assert_eq!(fatal(&world), None);
    assert!(world.element.position >= seconds(59), "ended at {}", world.element.position);
    let jumped = |warning: &Warning| matches!(warning, Warning::GapJumped { .. });
    assert!(!warnings(&world).into_iter().any(jumped));
    for number in [10, 11] {
        assert_eq!(world.requests_for(&format!("b.example/film/v480/{number}.m4s")), 1);
    }
}

#[test]
fn what_all_pathways_lack_is_looked_for_in_each_of_them_once() {
    let film = Film { rungs: vec![(800, 480)], gaps: (8..20).collect(), ..Film::default() };
    let origin = Hosts { film, ..Hosts::default() }.publish();
    let world = played(origin, &format!("{MAIN}/master.m3u8"));
    assert_eq!(fatal(&world), None);
    assert!(world.element.position >= seconds(59), "ended at {}", world.element.position);
    assert!(
        world.requests_for("v480/media.m3u8") <= 4,
        "{}",
        world.requests_for("v480/media.m3u8")
    );
}

#[test]
fn an_end_that_all_pathways_lack_is_looked_for_in_each_of_them_once() {
    let film = Film {
        seconds: 66,
        segment_seconds: 10,
        rungs: vec![(250, 240)],
        audio_kbps: None,
        gaps: vec![6],
        ..Film::default()
    };
    let origin = Hosts { film, ..Hosts::default() }.publish();
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_for(Duration::from_secs(20));
    world.act(&Action::Seek(seconds(66)));
    world.run_for(Duration::from_secs(5));
    let asked = world.requests_for("v240/media.m3u8");
    assert!(asked <= 4, "{asked}");
}

/// There is no more of a segment that one quality lacks and another cannot deliver than of one that all lack.
#[test]
fn what_one_quality_lacks_and_another_cannot_deliver_is_passed_over() {
    let film = Film { rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    for (lacking, lost) in [("v480", "v240"), ("v240", "v480")] {
        let mut origin = film.publish(BASE);
        lack(&mut origin, &format!("{BASE}/{lacking}/media.m3u8"), &[12]);
        origin.fail(&format!("{lost}/12.m4s"), u32::MAX, FaultKind::Status(404));
        let world = played(origin, &hls());
        assert_eq!(fatal(&world), None, "{lost}");
        assert!(world.element.position >= seconds(59), "{lost}: {}", world.element.position);
    }
}

#[test]
fn where_one_quality_is_nothing_but_gaps_another_plays() {
    let film = Film { rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    for (bare, other) in [("v240", 480), ("v480", 240)] {
        let mut origin = film.publish(BASE);
        strip(&mut origin, &format!("{BASE}/{bare}/media.m3u8"));
        let world = played(origin, &hls());
        assert_eq!(fatal(&world), None, "{bare}");
        assert!(world.element.position >= seconds(59), "{bare}: {}", world.element.position);
        assert_eq!(heights_shown(&world), [other]);
        assert_eq!(world.player.state().totals.stalls, 0);
    }
}

#[test]
fn where_one_pathway_has_nothing_but_gaps_another_plays() {
    let film = Film { rungs: vec![(800, 480)], ..Film::default() };
    let mut origin = Hosts { film, ..Hosts::default() }.publish();
    for name in ["v480", "audio"] {
        strip(&mut origin, &format!("https://a.example/film/{name}/media.m3u8"));
    }
    let world = played(origin, &format!("{MAIN}/master.m3u8"));
    assert_eq!(fatal(&world), None);
    assert!(world.element.position >= seconds(59), "ended at {}", world.element.position);
    assert_eq!(world.requests_for("b.example/film/v480/0.m4s"), 1);
}

#[test]
fn nothing_but_gaps_everywhere_is_an_error_that_says_so() {
    let film = Film { rungs: vec![(300, 240), (800, 480)], ..Film::default() };
    for url in [hls(), format!("{BASE}/v480/media.m3u8")] {
        let mut origin = film.publish(BASE);
        for name in ["v240", "v480"] {
            strip(&mut origin, &format!("{BASE}/{name}/media.m3u8"));
        }
        let world = played(origin, &url);
        assert_eq!(fatal(&world).map(|error| error.code.name()), Some("NOTHING_PLAYABLE"), "{url}");
    }
}

#[test]
fn a_broadcast_of_which_one_quality_is_nothing_but_gaps_plays_in_another_and_waits_if_none_has_more()
 {
    for bare in [vec!["v240"], vec!["v240", "v480", "v720"]] {
        let broadcast = Broadcast::default();
        let (url, mut origin) = (broadcast.hls(), Origin::default());
        origin.broadcast = Some(broadcast);
        for name in &bare {
            let mut playlist = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n\
                #EXT-X-MEDIA-SEQUENCE:270\n#EXT-X-MAP:URI=\"init.mp4\"\n"
                .to_owned();
            for number in 270..300 {
                playlist += &format!("#EXT-X-GAP\n#EXTINF:2,\n{number}.m4s\n");
            }
            let gaps = FaultKind::Replace(HLS, playlist.into_bytes());
            origin.fail(&format!("{name}/media.m3u8"), u32::MAX, gaps);
        }
        let mut world = world_of(origin, Network::constant(8_000));
        world.strict = bare.len() == 1;
        world.load(&url);
        world.run_for(Duration::from_secs(20));
        assert_eq!(fatal(&world), None);
        assert_eq!(world.element.position > seconds(10), bare.len() == 1);
        if bare.len() > 1 {
            bare.iter().for_each(|name| world.origin.heal(&format!("{name}/media.m3u8")));
            world.run_until("playback", Duration::from_secs(20), |world| {
                world
                    .element
                    .buffered(MediaKind::Video)
                    .iter()
                    .any(|held| held.duration() > seconds(5))
            });
        }
    }
}
