//! An encoder that is late, by a clock of its own that runs too slow.

use std::time::Duration;

use kinora_core::time::MediaTime;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, seconds};

use super::{Way, errors, live, stalls, start, world};

/// A broadcast in segments of so long of which everything is there so many seconds after the manifest says.
fn late(way: Way, seconds: u64, segment_ms: u64) -> World {
    let broadcast = Broadcast {
        drift_ppm: -1_000,
        utc_timing: true,
        segment_ms,
        window_s: 300,
        ..way.broadcast()
    };
    let mut world = world(broadcast, Network::constant(8_000));
    world.act(&Action::Sleep(Duration::from_secs(seconds * 1_000)));
    world
}

#[test]
fn is_waited_for_where_nothing_else_has_come() {
    for way in [Way::Number, Way::Chunked] {
        for (seconds, segment_ms) in
            [(5, 2_000), (10, 4_000), (17, 2_000), (17, 4_000), (33, 4_000), (45, 2_000)]
        {
            let mut world = late(way, seconds, segment_ms);
            let url = way.url(&way.broadcast());
            world.load(&url);
            // The longer it takes the less often it is looked after.
            let limit = Duration::from_secs(seconds + seconds / 10 + 1);
            world.run_until("playback", limit, |world| world.element.moves());
            let began = world.element.position;
            world.run_for(Duration::from_secs(100));
            assert!(world.element.position - began > self::seconds(90), "{way:?} {seconds}");
            assert!(errors(&world).is_empty());
        }
    }
}

#[test]
fn is_followed_as_far_behind_as_it_is() {
    for way in [Way::Number, Way::Chunked] {
        for (seconds, segment_ms) in [(2, 2_000), (5, 2_000), (10, 4_000), (17, 4_000), (33, 4_000)]
        {
            let mut world = late(way, seconds, segment_ms);
            world.load(&way.url(&way.broadcast()));
            world.run_for(Duration::from_secs(60));
            let (before, began) = (stalls(&world), world.element.position);
            assert!(before <= 4, "{way:?} {seconds}: {before} stalls");
            world.run_for(Duration::from_secs(100));
            assert_eq!(stalls(&world), before, "{way:?} {seconds}");
            assert!(world.element.position - began > self::seconds(94), "{way:?} {seconds}");
            let live = live(&world);
            let behind = live.latency.zip(live.target).map(|(now, wanted)| (now - wanted).abs());
            let near = MediaTime::from_millis(segment_ms as i64);
            assert!(behind.is_some_and(|behind| behind < near), "{way:?} {seconds}: {behind:?}");
        }
    }
}

/// The clock would have it that all that is listed has gone.
#[test]
fn is_followed_where_it_is_later_than_its_window_is_long() {
    for way in [Way::Timeline, Way::Patched] {
        for seconds in [5, 10, 20, 25, 27, 28, 29, 30, 31, 33, 45, 70, 3_600] {
            let broadcast = Broadcast { window_s: 30, drift_ppm: -1_000, ..way.broadcast() };
            let url = way.url(&broadcast);
            let mut world = world(broadcast, Network::constant(8_000));
            world.act(&Action::Sleep(Duration::from_secs(seconds * 1_000)));
            start(&mut world, &url);
            world.run_for(Duration::from_secs(10));
            let (before, began) = (stalls(&world), world.element.position);
            world.run_for(Duration::from_secs(100));
            assert_eq!(stalls(&world), before, "{way:?} {seconds}");
            let played = world.element.position - began;
            assert!(played > self::seconds(98), "{way:?} {seconds}: {played}");
            assert!(errors(&world).is_empty());
        }
    }
}

#[test]
fn is_not_what_makes_a_hole_where_more_has_come() {
    let broadcast = Way::Number.broadcast();
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    for number in [310, 311] {
        world.origin.fail(&format!("/{number}.m4s"), u32::MAX, FaultKind::Status(404));
    }
    world.load(&url);
    world.run_for(Duration::from_secs(60));
    assert_eq!(stalls(&world), 1);
    assert!(world.element.position > seconds(650), "{}", world.element.position);
    assert!(errors(&world).is_empty());
}

/// What has shown one track that all is late has not shown the other yet.
#[test]
fn is_waited_for_by_tracks_that_are_not_in_step() {
    for way in [Way::Number, Way::Chunked] {
        for (lateness, segment_ms) in [(16, 2_000), (16, 4_000), (18, 2_000), (18, 4_000)] {
            for delay in [100, 200, 400] {
                let mut world = late(way, lateness, segment_ms);
                let slower = FaultKind::Delay(Duration::from_millis(delay));
                world.origin.fail("/audio/", u32::MAX, slower);
                world.load(&way.url(&way.broadcast()));
                let limit = Duration::from_secs(lateness + 5);
                world.run_until("playback", limit, |world| world.element.moves());
                let began = world.element.position;
                world.run_for(Duration::from_secs(60));
                assert!(world.element.position - began > seconds(55), "{way:?} {lateness}");
                assert!(errors(&world).is_empty());
            }
        }
    }
}

/// Where it is looked for at first nothing is there yet, and further on even less.
#[test]
fn is_waited_for_by_a_device_that_slept() {
    for way in [Way::Number, Way::Chunked] {
        for (lateness, segment_ms) in [(10, 2_000), (14, 4_000), (18, 2_000), (18, 4_000)] {
            let mut world = late(way, 0, segment_ms);
            start(&mut world, &way.url(&way.broadcast()));
            world.run_for(Duration::from_secs(60));
            world.act(&Action::Sleep(Duration::from_secs(lateness * 1_000)));
            world.run_for(Duration::from_secs(lateness + 2));
            let began = world.element.position;
            world.run_for(Duration::from_secs(60));
            let played = world.element.position - began;
            assert!((played - seconds(60)).abs() < seconds(5), "{way:?} {lateness}: {played}");
            assert!(stalls(&world) < 6, "{way:?} {lateness}: {} stalls", stalls(&world));
            assert!(errors(&world).is_empty());
        }
    }
}

/// What the manifest lists first has gone from a server whose clock runs too fast, and will not come back.
#[test]
fn of_one_that_is_early_the_beginning_of_the_window_is_passed_over() {
    let broadcast =
        Broadcast { drift_ppm: 1_000, utc_timing: true, window_s: 300, ..Way::Number.broadcast() };
    let url = Way::Number.url(&broadcast);
    let mut world = world(broadcast, Network::constant(8_000));
    world.act(&Action::Sleep(Duration::from_secs(14_000)));
    world.load(&url);
    world.run_until("playback", Duration::from_secs(10), |world| world.element.moves());
    let window = live(&world).seekable;
    world.act(&Action::Seek(window.start + seconds(1)));
    let from = world.element.position;
    world.run_for(Duration::from_secs(25));
    assert!(world.element.position - from > seconds(15), "{}", world.element.position);
    assert!(errors(&world).is_empty());
}

/// The same where the window is as short as an encoder may be late: what is gone is not taken for late, since later
/// segments have come.
#[test]
fn of_one_that_is_early_a_short_window_is_entered_where_something_is_left() {
    for way in [Way::Number, Way::Chunked] {
        let broadcast =
            Broadcast { drift_ppm: 1_000, utc_timing: true, window_s: 60, ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        world.act(&Action::Sleep(Duration::from_secs(20_000)));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(60));
        let window = live(&world).seekable;
        world.act(&Action::Seek(window.start));
        world.run_for(Duration::from_secs(15));
        let from = world.element.position;
        world.run_for(Duration::from_secs(15));
        assert!(world.element.position - from > seconds(14), "{way:?}: {}", world.element.position);
        assert!(errors(&world).is_empty());
    }
}

/// The same after a sleep, when nothing has come yet: the window goes on while it is looked for.
#[test]
fn of_one_that_is_early_a_short_window_is_entered_after_a_sleep() {
    for (way, window_s) in
        [(Way::Number, 30), (Way::Number, 60), (Way::Chunked, 60), (Way::Patched, 30)]
    {
        let broadcast =
            Broadcast { drift_ppm: 1_000, utc_timing: true, window_s, ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(30));
        world.act(&Action::Seek(live(&world).seekable.start + seconds(2)));
        world.run_for(Duration::from_secs(3));
        // By then so much has gone that the device takes for new.
        world.act(&Action::Sleep(Duration::from_secs(window_s * 1_000 * 3 / 4)));
        world.run_for(Duration::from_secs(20));
        let from = world.element.position;
        world.run_for(Duration::from_secs(15));
        assert!(world.element.position - from > seconds(10), "{way:?}: {}", world.element.position);
        assert!(errors(&world).is_empty());
    }
}
