//! A device that sleeps for hours wakes as if nothing had been.

use std::time::Duration;

use kinora_tests::world::film::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;

use super::{hls, world};

#[test]
fn nobody_waits_while_the_device_sleeps() {
    let film = Film { seconds: 120, ..Film::default() };
    let mut world = world(&film, Network::constant(4_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(20));
    let before = world.player.state();
    world.act(&Action::Sleep(Duration::from_secs(4 * 3_600)));
    world.run_for(Duration::from_secs(10));
    let after = world.player.state();
    assert_eq!(after.totals.stalls, before.totals.stalls);
    assert!(after.totals.stalled < Duration::from_secs(1), "{:?}", after.totals);
    assert!(after.position > before.position);
    assert!(after.throughput_bps.is_none_or(|bps| bps > 1e6), "{:?}", after.throughput_bps);
    world.run_to_end(Duration::from_secs(130));
}

#[test]
fn a_wait_for_data_does_not_last_as_long_as_the_sleep() {
    let film = Film { seconds: 60, ..Film::default() };
    let mut world = world(&film, Network::steps(&[(10, 4_000), (3_600, 0)]));
    world.load(&hls());
    world.run_until("stall", Duration::from_secs(60), |world| {
        world.player.state().totals.stalls > 0
    });
    world.run_for(Duration::from_secs(1));
    world.network.set_rate(4_000);
    world.act(&Action::Sleep(Duration::from_secs(3_600)));
    world.run_to_end(Duration::from_secs(120));
    let totals = world.player.state().totals;
    assert!(totals.stalled < Duration::from_secs(30), "{totals:?}");
}
