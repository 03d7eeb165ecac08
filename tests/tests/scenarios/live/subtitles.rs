//! Subtitles of what is still being made: those of the picture that is shown are there with it.

use std::time::Duration;

use kinora_core::io::{Cue, Event, Input, MediaKind, RequestKind, Selection};
use kinora_core::time::MediaTime;
use kinora_tests::world::fault::FaultKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{Way, live, start, world};

/// Text comes in whole segments: with little latency it is late.
const IN_STEP: [Way; 3] = [Way::Hls, Way::Number, Way::Timeline];
const WAYS: [Way; 4] = [Way::Hls, Way::LowLatencyHls, Way::Number, Way::Timeline];

fn playing(way: Way) -> World {
    let broadcast = Broadcast { subtitles: true, ..way.broadcast() };
    let url = way.url(&broadcast);
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world
}

fn choose(world: &mut World) {
    world.input(Input::Select(Selection::Track { kind: MediaKind::Text, index: 0 }));
}

/// The number of the segment whose picture is shown.
fn shown(world: &World) -> String {
    let position = world.element.position;
    let chunks = world.element.chunks(MediaKind::Video);
    let chunk = chunks.iter().find(|chunk| chunk.range.contains(position)).expect("a picture");
    let file = chunk.name.rsplit('/').next().expect("a file");
    file.split('.').next().expect("a number").to_owned()
}

fn cues(world: &World) -> Vec<&Cue> {
    let told = world.events.iter().filter_map(|(_, event)| match event {
        Event::Cues(cues) => Some(cues),
        _ => None,
    });
    told.flatten().collect()
}

/// Words are those of the picture, give or take what a frame is off.
fn assert_in_step(world: &World, way: Way) {
    let (position, slack) = (world.element.position, MediaTime::from_millis(5));
    let now = |cue: &&&Cue| cue.span.start <= position + slack && position < cue.span.end + slack;
    let told = cues(world);
    let current: Vec<&str> = told.iter().filter(now).map(|cue| cue.text.as_str()).collect();
    assert!(current.contains(&shown(world).as_str()), "{way:?}: {current:?} at {position}");
}

#[test]
fn the_words_of_what_is_shown_are_there() {
    for way in IN_STEP {
        let mut world = playing(way);
        choose(&mut world);
        world.run_for(Duration::from_secs(20));
        for _ in 0..30 {
            world.run_for(Duration::from_millis(1_370));
            assert_in_step(&world, way);
        }
        let told = cues(&world);
        let mut texts: Vec<&str> = told.iter().map(|cue| cue.text.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), told.len(), "{way:?}: each once");
        assert_eq!(world.player.state().totals.stalls, 0, "{way:?}");
        assert_replays(&world);
    }
}

#[test]
fn words_that_stop_stop_nothing_else() {
    for way in WAYS {
        let mut world = playing(way);
        choose(&mut world);
        world.run_for(Duration::from_secs(20));
        world.origin.fail("/text/", 10_000, FaultKind::Status(404));
        let before = world.element.position;
        world.run_for(Duration::from_secs(60));
        let played = world.element.position - before;
        assert!(played > MediaTime::from_secs(58), "{way:?}: {played}");
        assert_eq!(world.player.state().totals.stalls, 0, "{way:?}");
        let asked = world.requests.iter().filter(|(_, one)| one.url.contains("/text/")).count();
        assert!(asked < 150, "{way:?}: asked {asked} times");
    }
}

/// After a sleep everything between the playhead and what is there by then is gone: it is not asked for piece by piece.
#[test]
fn what_has_gone_is_not_looked_for_all_along() {
    for (ends_ms, sooner) in
        [(None, true), (None, false), (Some(600_000), true), (Some(600_000), false)]
    {
        let broadcast =
            Broadcast { subtitles: true, ends_ms, window_s: 300, ..Way::Number.broadcast() };
        let url = Way::Number.url(&broadcast);
        let mut world = world(broadcast, Network::constant(8_000));
        start(&mut world, &url);
        world.act(&Action::Seek(live(&world).seekable.start + seconds(100)));
        if sooner {
            choose(&mut world);
        }
        world.run_for(Duration::from_secs(30));
        world.act(&Action::Sleep(Duration::from_secs(3_000)));
        choose(&mut world);
        let asked = |world: &World| {
            let text = |kind: RequestKind| kind == RequestKind::Segment(MediaKind::Text);
            world.requests.iter().filter(|(_, request)| text(request.kind)).count()
        };
        let before = asked(&world);
        world.run_for(Duration::from_secs(60));
        let asked = asked(&world) - before;
        assert!(asked < 60, "{ends_ms:?} {sooner}: {asked} requests for text");
    }
}
