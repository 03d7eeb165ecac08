//! Nothing grows.

use std::time::Duration;

use kinora_tests::world::assert_replays;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;

use super::{Way, assert_nothing_twice, errors, stalls, start, world};

#[test]
fn fifty_minutes() {
    for way in [Way::LowLatencyHls, Way::Timeline, Way::Chunked] {
        let broadcast = Broadcast { break_every: Some(30), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(300));
        let count = |world: &kinora_tests::world::World| {
            let state = world.player.state();
            let ranges: usize = state.streams.iter().map(|stream| stream.buffered.len()).sum();
            (state.requests.len() + state.timers.len(), ranges, world.kept_bodies())
        };
        let early = count(&world);
        world.run_for(Duration::from_secs(50 * 60));
        let late = count(&world);
        assert!(
            late.0 <= early.0 + 6 && late.1 <= early.1 + 1 && late.2 <= early.2 + 4,
            "{way:?}: {early:?}, then {late:?}"
        );
        assert_eq!(stalls(&world), 0, "{way:?}");
        assert!(errors(&world).is_empty(), "{way:?}");
        assert_nothing_twice(&world);
        assert_replays(&world);
    }
}
