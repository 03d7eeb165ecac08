//! What was live becomes what can be played to its end.

use std::time::Duration;

use kinora_core::io::{Event, MediaCommand};
use kinora_core::time::MediaTime;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;

use super::{ALL, assert_nothing_twice, start, world};

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

#[test]
fn an_event_can_be_watched_again_from_its_beginning() {
    let broadcast = Broadcast { ends_ms: Some(30_000), event: true, ..Broadcast::default() };
    let url = broadcast.hls();
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world.run_to_end(Duration::from_secs(60));
    world.input(kinora_core::io::Input::Seek(MediaTime::ZERO));
    world.run_until("playback from the start", Duration::from_secs(5), |world| {
        world.element.position > MediaTime::from_secs(2)
            && world.element.position < MediaTime::from_secs(4)
    });
}
