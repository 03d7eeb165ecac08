//! What was live becomes what can be played to its end.

use std::time::Duration;

use kinora_core::io::{Event, Input, MediaCommand};
use kinora_core::time::MediaTime;
use kinora_tests::world::World;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::live::{Addressing, Broadcast};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;

use super::{ALL, Way, assert_nothing_twice, errors, start, world};

#[test]
fn it_plays_to_the_end_and_says_so() {
    for way in ALL {
        let broadcast = Broadcast { ends_ms: Some(40_000), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_to_end(Duration::from_secs(70));
        let ended = |event: &Event| matches!(event, Event::LiveEnded { duration: Some(_) });
        assert!(world.events.iter().any(|(_, event)| ended(event)), "{way:?}");
        let duration = world.element.commands.iter().rev().find_map(|command| match command {
            MediaCommand::SetDuration(duration) => Some(*duration),
            _ => None,
        });
        assert!(duration.is_some_and(|duration| duration < MediaTime::MAX), "{way:?}");
        assert_nothing_twice(&world);
    }
}

/// A world in which a device has slept through the end of a broadcast, while it waited for the time.
fn slept(delay: Duration) -> World {
    let broadcast = Broadcast { ends_ms: Some(20_000), utc_timing: true, ..Broadcast::default() };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    world.origin.fail("/time", u32::MAX, FaultKind::Delay(delay));
    world.load(&url);
    world
        .run_until("the manifest", Duration::from_secs(1), |world| world.requests_for("/time") > 0);
    world.act(&Action::Sleep(Duration::from_secs(60)));
    world
}

#[test]
fn what_ended_before_it_could_be_placed_plays_as_a_film() {
    let mut world = slept(Duration::from_millis(200));
    // What is long past is gone.
    world.input(Input::Seek(MediaTime::from_secs(610)));
    world.run_to_end(Duration::from_secs(90));
    let live = |event: &Event| matches!(event, Event::Loaded { live: true, .. });
    assert!(!world.events.iter().any(|(_, event)| live(event)));
    assert!(errors(&world).is_empty());
}

#[test]
fn nothing_is_wanted_of_what_the_clock_would_have_beyond_the_end() {
    let mut world = slept(Duration::ZERO);
    world.run_to_end(Duration::from_secs(20));
    let ended = |event: &Event| matches!(event, Event::LiveEnded { .. });
    assert!(world.events.iter().any(|(_, event)| ended(event)));
    assert!(errors(&world).is_empty());
}

#[test]
fn an_event_can_be_watched_again_from_its_beginning() {
    let broadcast = Broadcast { ends_ms: Some(30_000), event: true, ..Broadcast::default() };
    let url = broadcast.hls();
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world.run_to_end(Duration::from_secs(60));
    world.input(Input::Seek(MediaTime::ZERO));
    world.run_until("playback from the start", Duration::from_secs(5), |world| {
        world.element.position > MediaTime::from_secs(2)
            && world.element.position < MediaTime::from_secs(4)
    });
}

/// Its playlist tells neither when its first segment was nor that the others began earlier.
#[test]
fn a_quality_that_is_first_asked_for_when_it_is_over_is_put_beside_the_others() {
    for dated in [true, false] {
        let broadcast = Broadcast { ends_ms: Some(90_000), dated, ..Broadcast::default() };
        let (url, window) = (broadcast.hls(), broadcast.window_s);
        let mut world = world(broadcast, Network::constant(8_000));
        world.act(&Action::Cap(Some(240)));
        start(&mut world, &url);
        world.run_until("the end of the broadcast", Duration::from_secs(120), |world| {
            world.events.iter().any(|(_, event)| matches!(event, Event::LiveEnded { .. }))
        });
        let middle = "v480/media.m3u8";
        assert!(!world.requests.iter().any(|(_, request)| request.url.contains(middle)));
        world.act(&Action::Cap(Some(480)));
        let before = world.element.position - MediaTime::from_secs(50);
        world.input(Input::Seek(before));
        world.run_to_end(Duration::from_secs(60));
        assert!(world.requests.iter().any(|(_, request)| request.url.contains(middle)));
        assert!(errors(&world).is_empty(), "dated: {dated}");
        let end = MediaTime::from_secs(window as i64 + 85);
        assert!(world.element.position > end, "dated: {dated}: {:?}", world.element.position);
    }
}

#[test]
fn a_device_that_slept_past_the_end_plays_what_is_left() {
    for (dated, rungs) in [(false, 2), (false, 3), (true, 2), (true, 3)] {
        let mut broadcast = Broadcast { ends_ms: Some(300_000), dated, ..Broadcast::default() };
        broadcast.rungs.truncate(rungs);
        let url = broadcast.hls();
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.run_for(Duration::from_secs(30));
        world.act(&Action::Sleep(Duration::from_secs(7_200)));
        world.run_to_end(Duration::from_secs(90));
        assert!(errors(&world).is_empty(), "{dated} {rungs}: {:?}", errors(&world));
    }
}

/// The last period was announced, and nothing of it was made.
#[test]
fn a_broadcast_may_end_where_a_period_begins() {
    // A period begins with every 46th segment, and segment 276 would be the first of the seventh.
    let broadcast = Broadcast {
        segment_ms: 4_000,
        addressing: Addressing::Timeline,
        break_every: Some(46),
        ends_ms: Some(504_986),
        window_s: 300,
        ..Broadcast::default()
    };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world.run_to_end(Duration::from_secs(530));
    assert!(errors(&world).is_empty());
    let ended = world.events.iter().find_map(|(_, event)| match event {
        Event::LiveEnded { duration } => *duration,
        _ => None,
    });
    assert_eq!(ended, Some(MediaTime::from_secs(1_104)));
}

/// What was on its way when the device fell asleep is gone, and the playlist has no parts any more when it
/// wakes up.
#[test]
fn who_slept_through_the_end_goes_on_with_what_there_is() {
    let broadcast = Broadcast {
        stale: Some((64_670, 108_542)),
        ends_ms: Some(77_318),
        encoding_ms: 400,
        window_s: 60,
        dated: false,
        ..Way::LowLatencyHls.broadcast()
    };
    for played_ms in (900..2_000).step_by(20) {
        let url = Way::LowLatencyHls.url(&broadcast);
        let mut world = world(broadcast.clone(), Network::constant(2_589));
        world.origin.fail("master.m3u8", 2, FaultKind::Status(500));
        world.load(&url);
        world.run_for(Duration::from_millis(played_ms));
        world.act(&Action::Sleep(Duration::from_secs(19_204)));
        let before = world.requests.len();
        world.run_to_end(Duration::from_secs(80));
        let asked = world.requests.len() - before;
        assert!(asked < 100, "{played_ms} ms: {asked} requests");
        assert!(errors(&world).is_empty());
    }
}
