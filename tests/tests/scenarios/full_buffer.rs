//! The platform's buffer may be smaller than the player would like.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::error::ErrorCode;
use kinora_core::io::{Event, MediaCommand, MediaKind, Warning};
use kinora_core::time::MediaTime;
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::film::{Addressing, Codec, Part};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, seconds};

use super::{BASE, dash, fatal, hls, warnings, world};

#[test]
fn a_small_quota_is_lived_with() {
    let film = Film { seconds: 120, rungs: vec![(3_000, 720)], ..Film::default() };
    let mut world = world(&film, Network::constant(10_000));
    // Eight seconds of video.
    world.element.quota = 3_000_000;
    world.load(&hls());
    world.run_to_end(Duration::from_secs(130));
    assert_eq!(world.player.state().totals.stalls, 0);
    let full = |warning: &&Warning| matches!(warning, Warning::BufferFull { .. });
    assert_eq!(warnings(&world).into_iter().filter(full).count(), 1, "it is said once");
    super::assert_nothing_fetched_twice(&world);
}

#[test]
fn a_quota_below_one_segment_is_an_error() {
    let film = Film { rungs: vec![(3_000, 720)], ..Film::default() };
    let mut world = world(&film, Network::constant(10_000));
    world.element.quota = 100_000;
    world.load(&hls());
    let failed = |event: &Event| match event {
        Event::Error(error) => error.code == ErrorCode::BufferTooSmall,
        _ => false,
    };
    world.run_until("error", Duration::from_secs(20), |world| {
        world.events.iter().any(|(_, event)| failed(event))
    });
}

/// Bytes of video that lie ahead of and behind the playhead.
fn bytes_around(world: &World) -> (u64, u64) {
    let position = world.element.position;
    let chunks = world.element.chunks(MediaKind::Video);
    let sum = |ahead: bool| {
        let side = chunks.iter().filter(|chunk| (chunk.range.end > position) == ahead);
        side.map(|chunk| chunk.bytes).sum()
    };
    (sum(true), sum(false))
}

#[test]
fn what_is_kept_is_bounded_in_bytes_too() {
    let film = Film { seconds: 120, rungs: vec![(3_000, 720)], ..Film::default() };
    let mut config = Config::default();
    // Three segments of 750 kB ahead, and two behind.
    config.buffer.forward_bytes = 2_250_000;
    config.buffer.back_bytes = 1_500_000;
    let mut world = World::new(config, film.publish(BASE), Network::constant(10_000));
    world.load(&hls());
    let (mut ahead, mut behind) = (0, 0);
    while !world.has_ended() {
        world.run_for(Duration::from_secs(1));
        let now = bytes_around(&world);
        (ahead, behind) = (ahead.max(now.0), behind.max(now.1));
    }
    assert!((2_000_000..=3_000_000).contains(&ahead), "{ahead} bytes ahead");
    assert!(behind <= 3_100_000, "{behind} bytes behind");
    assert_eq!(world.player.state().totals.stalls, 0);
}

/// What a seek back left behind far ahead may begin a little before its segment, or after.
#[test]
fn what_makes_room_far_ahead_is_fetched_again_and_not_what_waits_before_it() {
    let rungs = vec![(300, 240)];
    let film = Film { seconds: 68, segment_seconds: 6, rungs, wobble_ms: 40, ..Film::default() };
    for number in 6..10 {
        let mut world = world(&film, Network::constant(12_000));
        // The sixth segment of 225 kB is too much.
        world.element.quota = 1_300_000;
        world.load(&hls());
        world.run_for(Duration::from_millis(100));
        world.act(&Action::Seek(MediaTime::from_secs(6 * number + 2)));
        let there = |world: &World| !world.element.buffered(MediaKind::Video).is_empty();
        world.run_until("picture", Duration::from_secs(5), there);
        world.act(&Action::Seek(MediaTime::from_secs(6 * number - 29)));
        let full = |warning: &Warning| matches!(warning, Warning::BufferFull { .. });
        world.run_until("full buffer", Duration::from_secs(5), |world| {
            warnings(world).into_iter().any(full)
        });
        // What made room is not enough: the segment before it waits.
        world.element.quota = 1_000_000;
        world.act(&Action::Pause);
        // As much as ever is wanted again after so long.
        world.run_for(Duration::from_secs(3_600));
        world.act(&Action::Play);
        world.run_to_end(Duration::from_secs(80));
        assert_eq!(world.player.state().totals.stalls, 0, "{number}");
        let asked = [number - 1, number].map(|number| {
            let segment = format!("v240/{number}.m4s");
            world.requests_for(&segment)
        });
        assert_eq!(asked, [1, 2], "{number}");
    }
}

#[test]
fn what_is_behind_goes_while_the_end_waits_for_its_initialisation_segment() {
    let part = Part { segment: 29, media_start: 500, codec: Codec::Avc };
    let film = Film { parts: vec![part], rungs: vec![(1_000, 480)], ..Film::default() };
    let mut origin = film.publish(BASE);
    origin.fail("v480/init-1.mp4", 2, FaultKind::Silence);
    let mut config = Config::default();
    config.buffer.back = Duration::from_secs(5);
    let mut world = World::new(config, origin, Network::constant(10_000));
    world.load(&hls());
    let ended = |world: &World| world.element.commands.contains(&MediaCommand::EndOfStream);
    while !ended(&world) {
        world.run_for(Duration::from_secs(1));
        let held = world.element.buffered(MediaKind::Video);
        let behind = held.first().map(|first| world.element.position - first.start);
        assert!(behind.is_none_or(|behind| behind < MediaTime::from_secs(17)), "{behind:?} behind");
    }
    assert!(world.element.position > MediaTime::from_secs(45), "{}", world.element.position);
    world.run_to_end(Duration::from_secs(30));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn a_goal_that_was_lowered_recovers() {
    let film = Film { seconds: 400, rungs: vec![(1_000, 480)], ..Film::default() };
    let mut world = world(&film, Network::constant(10_000));
    world.element.quota = 1_500_000;
    world.load(&hls());
    world.run_for(Duration::from_secs(20));
    let goal = |world: &World| {
        let state = world.player.state();
        let video = state.streams.into_iter().find(|stream| stream.kind == MediaKind::Video);
        video.map(|video| video.buffer_goal).unwrap_or_default()
    };
    let lowered = goal(&world);
    assert!(lowered < MediaTime::from_secs(15), "{lowered}");
    world.element.quota = 150 << 20;
    world.run_for(Duration::from_secs(310));
    assert!(goal(&world) > lowered, "{} after {lowered}", goal(&world));
    assert_eq!(world.player.state().totals.stalls, 0);
}

/// Back by a little from where there was media already: that goes, to make room for what comes before it.
#[test]
fn what_a_full_buffer_drops_ahead_is_fetched_again() {
    let film = Film { seconds: 120, rungs: vec![(800, 480)], audio_kbps: None, ..Film::default() };
    let film = Film { segment_seconds: 4, variation: 0, ..film };
    let mut config = Config::default();
    config.buffer.forward = Duration::from_secs(10);
    let mut world = World::new(config, film.publish(BASE), Network::constant(8_000));
    // Six segments.
    world.element.quota = 2_400_000;
    world.load(&hls());
    for (at, time) in [(60, 6), (25, 2), (18, 1), (9, 20)] {
        world.act(&Action::Seek(MediaTime::from_secs(at)));
        world.run_for(Duration::from_secs(time));
    }
    assert_eq!(world.player.state().totals.stalls, 0);
    assert!(world.element.position > MediaTime::from_secs(28), "{:?}", world.element.position);
}

#[test]
fn a_seek_to_what_is_being_removed_fetches_it_again() {
    let film = Film { seconds: 120, ..Film::default() };
    let mut config = Config::default();
    config.buffer.back = Duration::from_secs(5);
    let mut world = World::new(config, film.publish(BASE), Network::constant(8_000));
    world.element.remember = true;
    world.load(&hls());
    let removed = |world: &World| {
        world.element.commands.iter().find_map(|command| match command {
            MediaCommand::Remove { range, .. } => Some(*range),
            _ => None,
        })
    };
    world.run_until("a removal", Duration::from_secs(60), |world| removed(world).is_some());
    let range = removed(&world).expect("a removal");
    let middle = range.start + MediaTime::from_flicks(range.duration().flicks() / 2);
    world.act(&Action::Seek(middle));
    world.run_for(Duration::from_secs(15));
    let moved = world.element.position - middle;
    assert!(moved > MediaTime::from_secs(12), "{moved} s");
}

/// Media may begin well before the manifest says so.
#[test]
fn what_makes_room_for_a_seek_back_does_not_take_what_waits_for_it_along() {
    let film = Film {
        addressing: Addressing::Timeline,
        seconds: 1_200,
        segment_seconds: 10,
        rungs: vec![(800, 480)],
        audio_kbps: None,
        variation: 50,
        wobble_ms: 400,
        ..Film::default()
    };
    for ahead in (300..1_100).step_by(50) {
        let mut world = world(&film, Network::constant(8_000));
        world.element.quota = 5_000_000;
        world.element.faults.evicts = true;
        world.load(&dash());
        world.run_for(Duration::from_secs(120));
        world.act(&Action::Seek(seconds(ahead + 7)));
        world.run_for(Duration::from_secs(24));
        world.act(&Action::Seek(seconds(ahead - 1)));
        world.run_for(Duration::from_secs(25));
        assert_eq!(fatal(&world), None);
    }
}
