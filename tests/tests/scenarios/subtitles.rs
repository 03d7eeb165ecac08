//! Subtitles are not played yet: a film that has some plays as if it had none, and whoever asks for them is told.

use std::time::Duration;

use kinora_core::io::{Event, Input, MediaKind, Selection, Warning};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{dash, fatal, hls, warnings, world};

fn playing(url: &str, subtitles: bool) -> World {
    let film = Film { subtitles, ..Film::default() };
    let mut world = world(&film, Network::constant(4_000));
    world.load(url);
    world
}

fn asked(world: &World) -> Vec<&str> {
    world.requests.iter().map(|(_, request)| request.url.as_str()).collect()
}

#[test]
fn a_film_with_subtitles_plays_as_one_without() {
    for url in [hls(), dash()] {
        let mut with = playing(&url, true);
        with.run_to_end(Duration::from_secs(70));
        let mut without = playing(&url, false);
        without.run_to_end(Duration::from_secs(70));
        assert_eq!(asked(&with), asked(&without));
        assert!(warnings(&with).is_empty(), "{:?}", warnings(&with));
        let offered = with.events.iter().find_map(|(_, event)| match event {
            Event::Loaded { tracks, .. } => Some(tracks),
            _ => None,
        });
        let kinds: Vec<MediaKind> = offered.expect("tracks").iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [MediaKind::Video, MediaKind::Audio], "nothing that cannot be chosen");
    }
}

#[test]
fn whoever_asks_for_subtitles_is_told_and_nothing_stops() {
    for url in [hls(), dash()] {
        let mut world = playing(&url, true);
        // Before anything is known, and while it plays.
        world.input(Input::Select(Selection::Track { kind: MediaKind::Text, index: 0 }));
        world.run_for(Duration::from_secs(10));
        assert_eq!(refusals(&world), 1);
        for index in [1, 0] {
            world.input(Input::Select(Selection::Track { kind: MediaKind::Text, index }));
            world.run_for(Duration::from_secs(5));
        }
        assert_eq!(refusals(&world), 3);
        world.run_to_end(Duration::from_secs(60));
        assert_eq!(fatal(&world), None);
        assert_eq!(world.player.state().totals.stalls, 0);
        super::assert_nothing_fetched_twice(&world);
        assert_replays(&world);
    }
}

fn refusals(world: &World) -> usize {
    let refused = |warning: &&Warning| matches!(warning, Warning::InvalidArgument { .. });
    warnings(world).into_iter().filter(refused).count()
}
