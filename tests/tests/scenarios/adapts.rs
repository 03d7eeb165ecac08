//! Quality follows the network, down and up, without a stall that could be avoided.

use std::time::Duration;

use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;

use super::{dash, heights_shown, hls, world};

#[test]
fn a_fast_network_shows_the_best_picture_soon() {
    let mut world = world(&Film::default(), Network::constant(20_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(15));
    assert_eq!(heights_shown(&world).last(), Some(&1080));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn a_network_below_the_lowest_rung_still_plays() {
    let film = Film { seconds: 20, ..Film::default() };
    let mut world = world(&film, Network::constant(330));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(60));
    assert!(heights_shown(&world).iter().all(|height| *height == 240));
}

#[test]
fn it_goes_down_when_the_network_does_and_comes_back() {
    let film = Film { seconds: 180, ..Film::default() };
    for url in [hls(), dash()] {
        let network = Network::steps(&[(40, 10_000), (60, 1_200), (3_600, 10_000)]);
        let mut world = world(&film, network);
        world.load(&url);
        world.run_to_end(Duration::from_secs(190));
        let heights = heights_shown(&world);
        let first_best = heights.iter().position(|height| *height == 1080);
        let after = &heights[first_best.expect("the best picture is reached")..];
        let lowest = after.iter().min().copied().unwrap_or(0);
        assert!((360..=480).contains(&lowest), "{heights:?}");
        assert_eq!(heights.last(), Some(&1080), "{heights:?}");
        assert_eq!(world.player.state().totals.stalls, 0);
    }
}

#[test]
fn a_hopeless_download_is_given_up() {
    let film = Film { seconds: 60, segment_seconds: 6, ..Film::default() };
    let network = Network::steps(&[(8, 12_000), (3_600, 700)]);
    let mut world = world(&film, network);
    world.load(&dash());
    world.run_to_end(Duration::from_secs(100));
    let state = world.player.state();
    assert!(state.totals.stalled < Duration::from_secs(8), "{:?}", state.totals);
}
