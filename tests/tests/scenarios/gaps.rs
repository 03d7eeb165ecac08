//! Segments that a playlist says there are none of (`EXT-X-GAP`, RFC 8216bis §4.4.4.7) are not asked for, and passed over.

use std::time::Duration;

use kinora_core::io::{Input, MediaKind, Source, Warning};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::{assert_replays, seconds};

use super::{fatal, hls, warnings, world};

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
