//! Periods and discontinuities, with timestamps that begin anew, come and go.

use std::time::Duration;

use kinora_core::io::MediaKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;

use super::super::sealed::assert_replays;
use super::{ALL, Way, assert_nothing_twice, errors, latency, stalls, start, world, zero};

#[test]
fn they_play_on_without_a_stall() {
    for way in ALL.into_iter().filter(|way| *way != Way::Patched) {
        let broadcast = Broadcast { break_every: Some(5), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        let zero = zero(&world, way);
        let before = latency(&world, zero);
        world.run_for(Duration::from_secs(180));
        assert_eq!(stalls(&world), 0, "{way:?}");
        assert!(errors(&world).is_empty(), "{way:?}");
        let moved = latency(&world, zero) - before;
        assert!(moved.abs() < 1.5, "{way:?}: the latency moved by {moved} s");
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let ranges = world.element.buffered(kind);
            assert_eq!(ranges.len(), 1, "{way:?}: {kind:?} has holes: {ranges:?}");
        }
        assert_nothing_twice(&world);
    }
}

#[test]
fn transport_streams_do_so_too() {
    for break_every in [None, Some(5)] {
        let rungs = vec![(200, 240), (400, 480)];
        let broadcast = Broadcast { transport: true, break_every, rungs, ..Broadcast::default() };
        let url = broadcast.hls();
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        let before = latency(&world, zero(&world, Way::Hls));
        world.run_for(Duration::from_secs(60));
        assert_eq!(stalls(&world), 0);
        assert!(errors(&world).is_empty());
        let moved = latency(&world, zero(&world, Way::Hls)) - before;
        assert!(moved.abs() < 1.5, "the latency moved by {moved} s");
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let ranges = world.element.buffered(kind);
            assert_eq!(ranges.len(), 1, "{kind:?} has holes: {ranges:?}");
        }
        assert_nothing_twice(&world);
        assert_replays(&world);
    }
}
