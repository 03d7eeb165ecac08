//! A device's clock may show anything.

use std::time::Duration;

use kinora_core::io::Event;
use kinora_core::telemetry::ClockSource;
use kinora_core::time::Timestamp;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::invariants::Invariant;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;

use super::{Way, errors, latency, live, stalls, start, world, zero};

const HOUR_US: i64 = 3_600_000_000;

#[test]
fn an_hour_wrong_makes_no_difference() {
    for way in [Way::Number, Way::Timeline, Way::Chunked, Way::Hls, Way::LowLatencyHls] {
        for (utc_timing, date_header) in [(true, false), (false, true)] {
            for skew in [HOUR_US, -HOUR_US] {
                let broadcast = Broadcast { utc_timing, date_header, ..way.broadcast() };
                let url = way.url(&broadcast);
                let mut world = world(broadcast, Network::constant(8_000));
                world.skew_us = skew;
                start(&mut world, &url);
                world.run_for(Duration::from_secs(20));
                let behind = latency(&world, zero(&world, way));
                assert!(behind < 8.6, "{way:?} {utc_timing} {skew}: {behind} s behind");
                assert_eq!(stalls(&world), 0, "{way:?} {utc_timing} {skew}");
                assert!(errors(&world).is_empty());
                let clock = live(&world).clock;
                if !matches!(way, Way::Hls | Way::LowLatencyHls) {
                    let by = if utc_timing { ClockSource::UtcTiming } else { ClockSource::Date };
                    assert_eq!(clock, Some(by), "{way:?}");
                }
            }
        }
    }
}

#[test]
fn a_server_that_does_not_tell_the_time_at_once_is_soon_asked_again() {
    let way = Way::Timeline;
    let broadcast = Broadcast { utc_timing: true, date_header: false, ..way.broadcast() };
    let url = way.url(&broadcast);
    let mut world = world(broadcast, Network::constant(8_000));
    world.skew_us = 5 * HOUR_US / 60;
    // Both attempts at it.
    world.origin.fail("/time", 2, FaultKind::Silence);
    world.load(&url);
    world.run_until("playback", Duration::from_secs(25), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Playing)
    });
    let behind = latency(&world, zero(&world, way));
    assert!(behind < 8.6, "{behind} s behind");
    let left = Timestamp::from_micros(25_000_000).since(world.now());
    world.run_until("the time", left, |world| live(world).clock == Some(ClockSource::UtcTiming));
    world.run_for(Duration::from_secs(10));
    let behind = latency(&world, zero(&world, way));
    assert!(behind < 8.6, "{behind} s behind once the time is known");
    assert_eq!(stalls(&world), 0);
}

#[test]
fn playback_placed_by_a_wrong_clock_goes_where_media_is_once_the_time_is_known() {
    for way in [Way::Number, Way::Timeline, Way::Chunked] {
        let broadcast = Broadcast { utc_timing: true, date_header: false, ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        world.skew_us = HOUR_US / 2;
        world.origin.fail("/time", 2, FaultKind::Refuse);
        world.load(&url);
        world.run_until("playback", Duration::from_secs(25), |world| {
            world.events.iter().any(|(_, event)| *event == Event::Playing)
        });
        world.run_for(Duration::from_secs(10));
        let behind = latency(&world, zero(&world, way));
        assert!(behind < 8.6, "{way:?}: {behind} s behind");
        assert_eq!(live(&world).clock, Some(ClockSource::UtcTiming), "{way:?}");
    }
}

#[test]
fn playback_that_a_wrong_clock_put_where_there_is_nothing_begins_where_there_is() {
    for way in [Way::Number, Way::Timeline, Way::Chunked] {
        for skew in [HOUR_US / 2, -HOUR_US / 2] {
            let broadcast = Broadcast { utc_timing: true, date_header: false, ..way.broadcast() };
            let url = way.url(&broadcast);
            let mut world = world(broadcast, Network::constant(8_000));
            world.skew_us = skew;
            world.origin.fail("/time", 2, FaultKind::Refuse);
            // So that no stream knows what it will play while the others do.
            world.origin.fail("/init.mp4", 2, FaultKind::Delay(Duration::from_secs(8)));
            let late = FaultKind::Delay(Duration::from_millis(150));
            world.origin.fail("/audio/", u32::MAX, late);
            world.load(&url);
            world.run_until("playback", Duration::from_secs(30), |world| {
                world.events.iter().any(|(_, event)| *event == Event::Playing)
            });
            world.run_for(Duration::from_secs(10));
            let behind = latency(&world, zero(&world, way));
            assert!(behind < 10.0, "{way:?} {skew}: {behind} s behind");
            assert!(errors(&world).is_empty(), "{way:?} {skew}");
        }
    }
}

/// Nothing is where a wrong clock says, and nobody tells the time.
#[test]
fn what_a_wrong_clock_lists_is_not_asked_for_without_a_pause() {
    for way in [Way::Number, Way::Chunked] {
        let broadcast = Broadcast {
            utc_timing: true,
            date_header: false,
            window_s: 300,
            lead_ms: 6_000_000,
            ..way.broadcast()
        };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        world.skew_us = HOUR_US;
        world.origin.fail("/time", u32::MAX, FaultKind::Status(403));
        world.invariants.waived.push(Invariant::Liveness);
        world.load(&url);
        world.run_for(Duration::from_secs(60));
        let before = world.requests.len();
        world.run_for(Duration::from_secs(60));
        let asked = world.requests.len() - before;
        assert!(asked < 450, "{way:?}: {asked} requests in a minute");
    }
}
