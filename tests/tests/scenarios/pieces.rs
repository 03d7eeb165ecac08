//! When the playhead waits for a segment, what has come of it plays while the rest is on its way.

use std::time::Duration;

use kinora_core::io::{AppendBody, Input, MediaCommand};
use kinora_tests::world::assert_replays;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::network::Stretch;

use super::*;

/// A film whose segments can be cut.
fn film(samples: u32) -> Film {
    Film { samples, rungs: vec![(300, 240)], ..Film::default() }
}

fn started(world: &World) -> Duration {
    world.player.state().totals.startup.expect("it has started")
}

/// Until the playhead moves, and for a minute more.
fn play(mut world: World, url: &str) -> World {
    world.element.remember = true;
    world.load(url);
    world.run_until("playback", Duration::from_secs(20), |world| world.element.moves());
    world.run_for(Duration::from_secs(50));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    world
}

fn pieces(world: &World) -> usize {
    let is_piece = |command: &&MediaCommand| matches!(command, MediaCommand::Append { body: AppendBody::Span { head, .. }, .. } if !head.is_empty());
    world.element.commands.iter().filter(is_piece).count()
}

fn stalls(world: &World) -> usize {
    let dry = |event: &Event| matches!(event, Event::Buffering { seeking: false });
    world.events.iter().filter(|(_, event)| dry(event)).count()
}

#[test]
fn playback_starts_before_the_first_segment_is_there() {
    for url in [dash(), hls()] {
        let run = |samples| play(world(&film(samples), Network::constant(1_000)), &url);
        let (whole, cut) = (run(1), run(50));
        assert_eq!(pieces(&whole), 0);
        assert!(pieces(&cut) > 2, "{}", pieces(&cut));
        let (late, early) = (started(&whole), started(&cut));
        assert!(early + Duration::from_millis(250) < late, "{url}: {early:?} and {late:?}");
        assert_eq!((stalls(&whole), stalls(&cut)), (0, 0));
        assert_nothing_fetched_twice(&cut);
        // Once it is all there it is one segment like any other.
        let is_first =
            |held: &&kinora_tests::world::element::Chunk| held.range.start == MediaTime::ZERO;
        let chunks = cut.element.chunks(MediaKind::Video);
        assert!(chunks.iter().find(is_first).is_none_or(|one| one.range.end == seconds(2.0)));
        assert_replays(&cut);
    }
}

#[test]
fn what_would_run_dry_again_waits_for_the_rest() {
    // Sound and picture take longer to come than to play.
    let whole = play(world(&film(1), Network::constant(300)), &dash());
    let cut = play(world(&film(50), Network::constant(300)), &dash());
    let second = |world: &World| {
        let dry = |event: &Event| matches!(event, Event::Buffering { seeking: false });
        world.events.iter().find(|(_, event)| dry(event)).map(|(at, _)| *at)
    };
    assert!(started(&cut) <= started(&whole));
    // Not in the middle of the first segment.
    let (began, dry) = (started(&cut), second(&cut).expect("the network is too slow"));
    let played = Duration::from_micros(dry.micros()).saturating_sub(began);
    assert!(played >= Duration::from_millis(1_900), "it ran dry after {played:?}");
}

#[test]
fn a_transfer_that_breaks_off_is_made_good_for() {
    for bytes in [20_000, 40_000, 60_000] {
        let mut world = world(&film(50), Network::constant(600));
        world.origin.fail("/v240/1.m4s", 1, FaultKind::Cut(bytes));
        let world = play(world, &dash());
        assert_eq!(world.origin.struck.len(), 1, "it broke off");
        assert!(pieces(&world) > 0);
        assert!(world.element.position > seconds(45.0), "{}", world.element.position);
        assert_replays(&world);
    }
}

#[test]
fn a_seek_within_it_asks_for_nothing() {
    let mut world = world(&film(50), Network::constant(500));
    world.load(&dash());
    world.run_until("playback", Duration::from_secs(20), |world| world.element.moves());
    let asked = world.requests.len();
    for position in [0.05, 1.9, 0.1] {
        world.input(Input::Seek(seconds(position)));
        assert_eq!(world.requests.len(), asked, "at {position}");
    }
    world.run_for(Duration::from_secs(20));
    assert!(world.element.position > seconds(15.0), "{}", world.element.position);
    assert_nothing_fetched_twice(&world);
}

#[test]
fn playback_that_ran_dry_goes_on_before_the_segment_is_there() {
    let stretch = |seconds, kbps| Stretch {
        duration: Duration::from_secs(seconds),
        kbps,
        latency: Duration::from_millis(50),
        offline: false,
    };
    let resumed = |samples| {
        let trace = vec![stretch(8, 1_000), stretch(40, 0), stretch(60, 1_400)];
        let film = Film { segment_seconds: 4, ..film(samples) };
        let mut world = world(&film, Network::from_trace(trace));
        world.load(&dash());
        world.run_until("playback", Duration::from_secs(20), |world| world.element.moves());
        world.run_until("a stall", Duration::from_secs(60), |world| stalls(world) > 0);
        world.run_until("playback", Duration::from_secs(60), |world| world.element.moves());
        world.now()
    };
    let (early, late) = (resumed(100), resumed(1));
    assert!(early + Duration::from_millis(300) < late, "{early:?} and {late:?}");
}

/// A buffer that had no room for a piece has none for a segment: two of them are wanted all the same.
#[test]
fn a_full_buffer_keeps_two_segments_and_not_two_pieces() {
    for url in [dash(), hls()] {
        // The first piece is there, and the next one is not taken.
        for append in 3..6 {
            let film = Film { audio_kbps: None, ..film(50) };
            let mut world = world(&film, Network::constant(1_000));
            world.element.remember = true;
            world.element.faults.quota_at_append = Some(append);
            world.load(&url);
            world.run_for(Duration::from_secs(10));
            assert!(pieces(&world) > 2);
            let goal = world.player.state().streams[0].buffer_goal;
            assert!(goal >= seconds(4.0), "{url}: {goal} after append {append}");
        }
    }
}
