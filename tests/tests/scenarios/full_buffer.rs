//! The platform's buffer may be smaller than the player would like.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{Event, Warning};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;

use super::{hls, warnings, world};

#[test]
fn a_small_quota_is_lived_with() {
    let film = Film { seconds: 120, rungs: vec![(3_000, 720)], ..Film::default() };
    let mut world = world(&film, Network::constant(10_000));
    // Eight seconds of video.
    world.element.quota = 3_000_000;
    world.load(&hls());
    world.run_to_end(Duration::from_secs(130));
    assert_eq!(world.player.state().totals.stalls, 0);
    let full = |warning: &&Warning| matches!(warning, Warning::BufferFull { .. });
    assert_eq!(warnings(&world).into_iter().filter(full).count(), 1, "it is said once");
    super::assert_nothing_fetched_twice(&world);
}

#[test]
fn a_quota_below_one_segment_is_an_error() {
    let film = Film { rungs: vec![(3_000, 720)], ..Film::default() };
    let mut world = world(&film, Network::constant(10_000));
    world.element.quota = 100_000;
    world.load(&hls());
    let failed = |event: &Event| match event {
        Event::Error(error) => error.code == ErrorCode::BufferTooSmall,
        _ => false,
    };
    world.run_until("error", Duration::from_secs(20), |world| {
        world.events.iter().any(|(_, event)| failed(event))
    });
}
