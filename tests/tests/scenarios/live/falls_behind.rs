//! What was to be played next may be gone.

use std::time::Duration;

use kinora_core::io::{Event, Input, Warning};
use kinora_core::time::MediaTime;
use kinora_tests::world::fault::FaultKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::seconds;
use kinora_tests::world::viewer::Action;

use super::{ALL, Way, errors, live, playing, start, world};

fn fell(event: &Event) -> bool {
    matches!(event, Event::Warning(Warning::FellBehindWindow { .. }))
}

#[test]
fn a_long_pause_is_taken_on_to_what_is_there() {
    for way in ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(5));
        world.element.paused = true;
        world.run_for(Duration::from_secs(180));
        assert!(errors(&world).is_empty());
        world.element.paused = false;
        world.run_for(Duration::from_secs(60));
        assert!(world.events.iter().any(|(_, event)| fell(event)), "{way:?}");
        let state = live(&world);
        assert!(world.element.position >= state.seekable.start, "{way:?}");
        let before = world.element.position;
        world.run_for(Duration::from_secs(10));
        let moved = world.element.position - before;
        assert!(moved > MediaTime::from_secs(9), "{way:?}: {moved} s in ten");
    }
}

#[test]
fn a_seek_to_what_is_gone_goes_to_what_is_there() {
    for way in ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(90));
        world.input(Input::Seek(MediaTime::from_secs(1)));
        world.run_for(Duration::from_secs(5));
        let state = live(&world);
        let behind = world.element.position - state.seekable.start;
        // It moves on in steps of a segment.
        let most = MediaTime::from_secs(8);
        assert!(behind > MediaTime::from_secs(-2) && behind < most, "{way:?}: {behind}");
        assert!(!state.following, "{way:?}");
        // And back.
        world.input(Input::Seek(MediaTime::from_secs(1_000_000)));
        world.run_for(Duration::from_secs(8));
        let state = live(&world);
        assert!(state.following, "{way:?}");
        let late = state.latency.expect("known") - state.target.expect("known");
        assert!(late < MediaTime::from_secs(3), "{way:?}: {late} s late");
    }
}

#[test]
fn a_segment_that_is_lost_does_not_end_it() {
    let broadcast = Broadcast { part_ms: None, ..Way::Number.broadcast() };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    world.origin.fail("/305.m4s", 100, FaultKind::Status(404));
    start(&mut world, &url);
    world.run_for(Duration::from_secs(60));
    assert!(errors(&world).is_empty(), "{:?}", errors(&world));
    assert!(world.element.position > MediaTime::from_secs(640), "{}", world.element.position);
}

/// Behind the edge, too, and where the hole is wider than a gap that media may have.
#[test]
fn a_segment_that_is_lost_is_passed_far_from_the_edge() {
    let usual = Way::Number.broadcast();
    let broadcast = Broadcast { part_ms: None, segment_ms: 6_000, window_s: 120, ..usual };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    world.origin.fail("/95.m4s", 100, FaultKind::Status(404));
    start(&mut world, &url);
    world.input(Input::Seek(MediaTime::from_secs(560)));
    world.run_for(Duration::from_secs(50));
    assert!(errors(&world).is_empty(), "{:?}", errors(&world));
    let position = world.element.position;
    let expected = MediaTime::from_secs(590)..MediaTime::from_secs(620);
    assert!(expected.contains(&position), "{position}");
}

/// Sound that is refused is not looked for where the picture has gone on without it.
#[test]
fn what_belongs_into_a_hole_that_was_jumped_is_looked_for_no_more() {
    let broadcast = Broadcast { window_s: 120, ..Way::Number.broadcast() };
    let url = broadcast.dash();
    let mut world = world(broadcast, Network::constant(8_000));
    for number in 310..312 {
        world.origin.fail(&format!("0/{number}.m4s"), u32::MAX, FaultKind::Status(404));
    }
    world.origin.fail("audio/311.m4s", u32::MAX, FaultKind::Status(403));
    start(&mut world, &url);
    world.run_for(Duration::from_secs(120));
    world.input(Input::Seek(MediaTime::from_secs(620)));
    let (sought, events) = (world.now(), world.events.len());
    world.run_for(Duration::from_secs(20));
    let jumped =
        |(_, event): &&(_, Event)| matches!(event, Event::Warning(Warning::GapJumped { .. }));
    let (jumped, _) = *world.events[events..].iter().find(jumped).expect("a jump");
    let later = world.requests.iter().filter(|(at, _)| *at > jumped);
    let in_vain = later.filter(|(_, request)| request.url.ends_with("audio/311.m4s")).count();
    assert_eq!(in_vain, 0);
    let waited = world.now().since(sought) - (world.element.position - seconds(624)).to_duration();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

/// A server that has nothing for a while, in the middle of what it keeps: the viewer goes on not far from there.
#[test]
fn what_cannot_be_had_for_a_while_costs_no_more_than_about_as_long() {
    for way in [Way::Number, Way::Timeline, Way::Hls] {
        let broadcast = Broadcast { window_s: 900, ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        // So much has been kept by then.
        world.act(&Action::Sleep(Duration::from_secs(900)));
        world.run_for(Duration::from_secs(5));
        world.act(&Action::Seek(live(&world).seekable.start + seconds(400)));
        world.run_for(Duration::from_secs(5));
        world.origin.fail(".m4s", 80, FaultKind::Status(404));
        let from = world.element.position;
        world.run_for(Duration::from_secs(60));
        let passed = world.element.position - from;
        assert!(passed < seconds(120), "{way:?}: {passed}");
        assert!(errors(&world).is_empty());
    }
}
