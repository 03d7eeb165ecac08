//! Segments that a playlist says there are none of (`EXT-X-GAP`, RFC 8216bis §4.4.4.7) are not asked for, and passed over.

use std::time::Duration;

use kinora_core::io::Warning;
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
