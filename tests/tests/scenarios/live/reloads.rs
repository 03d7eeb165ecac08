//! How often an MPD is loaded again.

use std::time::Duration;

use kinora_core::time::Timestamp;
use kinora_tests::world::World;
use kinora_tests::world::live::{Addressing, Broadcast};
use kinora_tests::world::network::Network;

use super::{stalls, world};

fn loads_since(world: &World, since: Timestamp) -> usize {
    let mpd = world.requests.iter().filter(|(_, one)| one.url.ends_with("live.mpd"));
    mpd.filter(|(at, _)| *at >= since).count()
}

/// Loads of the MPD in the minute after playback has settled.
fn loads(broadcast: Broadcast) -> usize {
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    world.load(&url);
    world.run_for(Duration::from_secs(30));
    let settled = world.now();
    world.run_for(Duration::from_secs(60));
    assert_eq!(stalls(&world), 0);
    loads_since(&world, settled)
}

#[test]
fn as_often_as_it_says() {
    for update_ms in [1_000, 2_000, 4_000] {
        let broadcast = Broadcast {
            addressing: Addressing::Timeline,
            update_ms: Some(update_ms),
            ..Broadcast::default()
        };
        let loads = loads(broadcast);
        let most = 60_000 / update_ms.min(2_000) as usize;
        assert!(loads <= most + 1, "{loads} times for {update_ms} ms");
    }
}

#[test]
fn once_a_segment_where_it_says_too_seldom() {
    // Nobody could play this otherwise: what it lists is over long before it says that there is more.
    let broadcast = Broadcast {
        addressing: Addressing::Timeline,
        update_ms: Some(30_000),
        ..Broadcast::default()
    };
    let loads = loads(broadcast);
    assert!((20..=31).contains(&loads), "{loads} times");
}

#[test]
fn ever_less_often_while_nothing_comes() {
    let broadcast = Broadcast {
        addressing: Addressing::Timeline,
        update_ms: Some(600_000),
        stale: Some((20_000, 200_000)),
        ..Broadcast::default()
    };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    world.load(&url);
    world.run_for(Duration::from_secs(30));
    let stopped = world.now();
    world.run_for(Duration::from_secs(100));
    let loads = loads_since(&world, stopped);
    assert!((2..=8).contains(&loads), "{loads} times in 100 s");
}
