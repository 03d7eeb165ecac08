//! A manifest that brings nothing new is noticed, asked for less often, and taken up again.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::io::{Event, Input, MediaKind, RequestKind, Selection, Warning};
use kinora_core::time::Timestamp;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, seconds};

use super::super::pins::pin;
use super::{
    ALL, Way, assert_nothing_twice, errors, latency, live, stalls, start, world, world_with, zero,
};

#[test]
fn what_is_there_is_played_and_the_rest_when_it_comes() {
    for way in [Way::Hls, Way::LowLatencyHls, Way::Timeline, Way::Patched] {
        let broadcast = Broadcast { stale: Some((20_000, 80_000)), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        // Nobody can play what is not there.
        world.least_kbps = 9_000;
        start(&mut world, &url);
        world.run_until("the end of the silence", Duration::from_secs(90), |world| {
            world.now() >= Timestamp::from_micros(80_000_000)
        });
        let warned = |wanted: fn(&Warning) -> bool| {
            world
                .events
                .iter()
                .filter(|(_, event)| matches!(event, Event::Warning(warning) if wanted(warning)))
                .count()
        };
        assert!(
            warned(|warning| matches!(warning, Warning::ManifestStalled { .. })) > 0,
            "{way:?}"
        );
        assert!(live(&world).stalled, "{way:?}");
        let asked = |from: u64, to: u64| {
            world
                .requests
                .iter()
                .filter(|(at, request)| {
                    let seconds = at.micros() / 1_000_000;
                    let manifest = matches!(
                        request.kind,
                        RequestKind::Manifest | RequestKind::MediaPlaylist(_)
                    );
                    manifest && (from..to).contains(&seconds)
                })
                .count()
        };
        let (early, late) = (asked(20, 35), asked(65, 80));
        assert!(late < early, "{way:?}: {early} requests, then {late}");
        world.run_for(Duration::from_secs(60));
        assert!(!live(&world).stalled, "{way:?}");
        let resumed =
            |event: &Event| matches!(event, Event::Warning(Warning::ManifestResumed { .. }));
        assert!(world.events.iter().any(|(_, event)| resumed(event)), "{way:?}");
        assert!(errors(&world).is_empty(), "{way:?}");
        let before = world.element.position;
        world.run_for(Duration::from_secs(10));
        assert!((world.element.position - before).seconds() > 9.0, "{way:?}");
        assert_nothing_twice(&world);
    }
}

#[test]
fn a_device_that_slept_meanwhile_goes_on_at_once() {
    for way in ALL {
        let broadcast = Broadcast { stale: Some((7_000, 60_000)), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        world.least_kbps = 9_000;
        start(&mut world, &url);
        world.run_for(Duration::from_secs(24));
        let asleep = world.element.position;
        world.act(&Action::Sleep(Duration::from_secs(7_200)));
        world.run_for(Duration::from_secs(8));
        assert!((world.element.position - asleep).seconds() > 7_000.0, "{way:?}");
        let before = world.element.position;
        world.run_for(Duration::from_secs(5));
        assert!((world.element.position - before).seconds() > 4.5, "{way:?}");
        assert!(errors(&world).is_empty(), "{way:?}");
    }
}

/// The playlists that are held are of before the sleep, and end where nothing ends any more.
#[test]
fn a_quality_that_is_new_after_a_sleep_is_put_where_it_is_by_now() {
    for part_ms in [None, Some(250)] {
        let broadcast = Broadcast { dated: false, part_ms, window_s: 300, ..Broadcast::default() };
        let url = broadcast.hls();
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(24));
        let asleep = world.element.position;
        world.act(&Action::Sleep(Duration::from_secs(7_200)));
        pin(&mut world, Some(480));
        world.run_for(Duration::from_secs(12));
        let position = world.element.position;
        assert!((position - asleep).seconds() > 7_000.0, "{part_ms:?}: {position}");
        world.run_for(Duration::from_secs(5));
        assert!((world.element.position - position).seconds() > 4.5, "{part_ms:?}");
        assert!(errors(&world).is_empty(), "{part_ms:?}");
    }
}

/// What an encoder has made meanwhile is told by the numbers of its segments better than by a clock that is not its own.
#[test]
fn a_device_that_slept_for_long_goes_on_where_the_encoder_is_whose_clock_is_another() {
    for (drift_ppm, way, sleeps) in [
        (-1_000, Way::LowLatencyHls, &[19_000][..]),
        (1_000, Way::LowLatencyHls, &[19_000]),
        // In between it has hardly been loaded.
        (-1_000, Way::Hls, &[16_061, 12_780]),
        (1_000, Way::Hls, &[16_061, 12_780]),
    ] {
        let broadcast = Broadcast { dated: false, drift_ppm, ..way.broadcast() };
        let url = broadcast.hls();
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(24));
        for slept in sleeps {
            world.act(&Action::Sleep(Duration::from_secs(*slept)));
            world.run_for(Duration::from_millis(4_700));
        }
        world.run_for(Duration::from_secs(8));
        let (position, before) = (world.element.position, stalls(&world));
        world.run_for(Duration::from_secs(90));
        let played = (world.element.position - position).seconds();
        assert!((85.0..95.0).contains(&played), "{drift_ppm}: {played} s");
        assert_eq!(stalls(&world), before, "{drift_ppm}");
        assert!(errors(&world).is_empty(), "{drift_ppm}");
    }
}

/// What is there then is all new, and of a playlist that was first loaded while it stood still nobody knows how old it was.
#[test]
fn text_chosen_while_playlists_stand_still_misplaces_nothing() {
    for way in [Way::Hls, Way::LowLatencyHls] {
        for chosen in [50, 58, 60, 61, 62] {
            let broadcast = Broadcast {
                dated: false,
                window_s: 30,
                subtitles: true,
                stale: Some((20_000, 63_000)),
                ..way.broadcast()
            };
            let url = way.url(&broadcast);
            let mut world = world(broadcast, Network::constant(8_000));
            start(&mut world, &url);
            world.run_until("the choice", Duration::from_secs(63), |world| {
                world.now() >= Timestamp::from_micros(chosen * 1_000_000)
            });
            world.input(Input::Select(Selection::Track { kind: MediaKind::Text, index: 0 }));
            world.run_for(Duration::from_secs(60));
            let before = world.element.position;
            world.run_for(Duration::from_secs(30));
            let moved = (world.element.position - before).seconds();
            assert!(moved > 29.0, "{way:?}, {chosen}: {moved}");
            let latency = latency(&world, zero(&world, way));
            assert!(latency < 12.0, "{way:?}, {chosen}: {latency} s behind");
        }
    }
}

/// Where the next version goes on is known by its numbers: what was missed counts once.
#[test]
fn what_little_was_missed_during_a_sleep_is_passed_over_once() {
    for way in [Way::Hls, Way::LowLatencyHls] {
        for slept in 28..40 {
            let broadcast = Broadcast { dated: false, window_s: 30, ..way.broadcast() };
            let url = way.url(&broadcast);
            let mut world = world(broadcast, Network::constant(8_000));
            start(&mut world, &url);
            world.run_for(Duration::from_secs(10));
            let before = latency(&world, zero(&world, way));
            world.act(&Action::Sleep(Duration::from_secs(slept)));
            world.run_for(Duration::from_secs(60));
            let after = latency(&world, zero(&world, way));
            assert!((after - before).abs() < 1.5, "{way:?}, {slept}: {before}, {after}");
        }
    }
}

/// The network's silence says nothing of the server.
#[test]
fn after_an_outage_of_the_network_it_is_asked_as_soon_as_before() {
    for way in [Way::Hls, Way::Timeline, Way::Patched] {
        let broadcast = Broadcast { segment_ms: 4_000, ..way.broadcast() };
        let url = way.url(&broadcast);
        let network = Network::steps(&[(60, 8_000), (10, 0), (600, 8_000)]);
        let mut world = world(broadcast, network);
        world.least_kbps = 9_000;
        start(&mut world, &url);
        world.run_until("what comes after the outage", Duration::from_secs(90), |world| {
            world.now() >= Timestamp::from_micros(80_000_000)
        });
        let asked = world.requests.iter().any(|(at, request)| {
            let manifest =
                matches!(request.kind, RequestKind::Manifest | RequestKind::MediaPlaylist(_));
            manifest && (70_000..73_000).contains(&(at.micros() / 1_000))
        });
        assert!(asked, "{way:?}");
    }
}

/// The last period that it tells of ends meanwhile, so that there is nothing more to be asked for.
#[test]
fn an_mpd_that_stands_still_where_a_period_ends_is_told_of_and_taken_up_again() {
    for way in [Way::Number, Way::Timeline, Way::Chunked] {
        let broadcast = Broadcast {
            break_every: Some(10),
            periods_end: true,
            stale: Some((20_000, 80_000)),
            ..way.broadcast()
        };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        world.least_kbps = 9_000;
        start(&mut world, &url);
        let told = |world: &World, wanted: fn(&Warning) -> bool| {
            let is_one = |event: &Event| matches!(event, Event::Warning(one) if wanted(one));
            world.events.iter().find(|(_, event)| is_one(event)).map(|(at, _)| *at)
        };
        world.run_until("the end of the silence", Duration::from_secs(90), |world| {
            world.now() >= Timestamp::from_micros(80_000_000)
        });
        let stalled = told(&world, |one| matches!(one, Warning::ManifestStalled { .. }));
        let stalled = stalled.unwrap_or_else(|| panic!("{way:?}: nothing is said"));
        assert!(stalled < Timestamp::from_micros(60_000_000), "{way:?}: {stalled:?}");
        assert!(live(&world).stalled, "{way:?}");
        let position = world.element.position;
        world.run_for(Duration::from_secs(60));
        assert!(!live(&world).stalled, "{way:?}");
        let resumed = told(&world, |one| matches!(one, Warning::ManifestResumed { .. }));
        assert!(resumed.is_some(), "{way:?}");
        assert!(errors(&world).is_empty(), "{way:?}");
        assert!((world.element.position - position).seconds() > 50.0, "{way:?}");
        let before = world.element.position;
        world.run_for(Duration::from_secs(10));
        assert!((world.element.position - before).seconds() > 9.0, "{way:?}");
        assert_nothing_twice(&world);
    }
}

/// Nothing is wrong where the next period is announced only when it begins.
#[test]
fn an_mpd_that_tells_of_a_period_when_it_begins_stands_not_still() {
    for way in [Way::Number, Way::Timeline, Way::Chunked] {
        let broadcast = Broadcast { break_every: Some(10), periods_end: true, ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(120));
        let warned = world.events.iter().any(|(_, event)| matches!(event, Event::Warning(_)));
        assert!(!warned, "{way:?}");
        assert_eq!(stalls(&world), 0, "{way:?}");
        assert_nothing_twice(&world);
    }
}

/// A period begins meanwhile that nobody was told of: what is fetched of it as of the one before it lies elsewhere by its
/// own timestamps.
#[test]
fn a_period_that_began_unannounced_is_played_once_it_is_told_of() {
    for (way, every) in
        [(Way::Number, 60), (Way::Chunked, 60), (Way::Number, 10), (Way::Chunked, 10)]
    {
        // As much as is to be held ahead is fetched while the MPD stands still, or more.
        for forward in [4, 10, 30] {
            let broadcast = Broadcast {
                break_every: Some(every),
                stale: Some((110_000, 138_000)),
                ..way.broadcast()
            };
            let url = way.url(&broadcast);
            let mut config = Config::default();
            config.buffer.forward = Duration::from_secs(forward);
            let mut world = world_with(config, broadcast, Network::constant(8_000));
            start(&mut world, &url);
            // At a speed of the viewer's own nothing is jumped over.
            world.input(Input::SetRate(1.5));
            world.run_until("the next period", Duration::from_secs(145), |world| {
                world.element.position > seconds(725)
            });
            assert!(errors(&world).is_empty(), "{way:?}");
        }
    }
}

#[test]
fn who_waits_for_it_does_not_wait_long_once_it_goes_on() {
    for way in [Way::Hls, Way::LowLatencyHls, Way::Timeline, Way::Patched] {
        let broadcast = Broadcast { stale: Some((20_000, 80_000)), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        world.least_kbps = 9_000;
        start(&mut world, &url);
        world.run_until("the end of the silence", Duration::from_secs(90), |world| {
            world.now() >= Timestamp::from_micros(80_000_000)
        });
        world.run_until("playback", Duration::from_secs(14), |world| world.element.moves());
        assert!(errors(&world).is_empty());
    }
}
