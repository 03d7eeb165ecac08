//! A segment that comes in chunks breaks off, each time and everywhere.

use kinora_core::io::MediaCommand;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;

use super::*;

#[test]
fn what_comes_after_it_is_played() {
    // Several chunks come at once before the connection breaks.
    for bytes in [60_000, 150_000, 300_000] {
        let broadcast = Broadcast { window_s: 120, ..Way::Chunked.broadcast() };
        let url = broadcast.dash();
        let mut world = world(broadcast, Network::constant(200_000));
        world.origin.fail("/305.m4s", 100, FaultKind::Cut(bytes));
        start(&mut world, &url);
        world.input(Input::Seek(MediaTime::from_secs(605)));
        world.run_for(Duration::from_secs(40));
        assert!(errors(&world).is_empty(), "{:?}", errors(&world));
        let struck = world.origin.struck.iter().filter(|one| one.name == "reset").count();
        assert!(struck > 1, "it was asked for more than once");
        let position = world.element.position;
        assert!(position > MediaTime::from_secs(635), "{bytes}: {position}");
    }
}

#[test]
fn what_came_of_the_last_attempt_goes_with_it() {
    for bytes in [20_000, 25_000, 40_000] {
        let broadcast = Way::Chunked.broadcast();
        let url = broadcast.dash();
        // So near to the edge that the first segment is still being made.
        let mut config = Config::default();
        config.live.target_latency = Some(Duration::from_millis(900));
        config.retry.segment.attempts = 1;
        let mut world = world_with(config, broadcast, Network::constant(20_000));
        world.run_for(Duration::from_millis(600));
        // What came of it waits for its initialisation segment when the rest breaks off.
        world.origin.fail("/init.mp4", 2, FaultKind::Delay(Duration::from_secs(2)));
        world.origin.fail("/show/v", 1, FaultKind::Cut(bytes));
        world.load(&url);
        world.run_for(Duration::from_secs(20));
        assert!(errors(&world).is_empty(), "{bytes}: {:?}", errors(&world));
        let struck = world.origin.struck.iter().filter(|one| one.name == "reset").count();
        assert_eq!(struck, 1, "{bytes}");
        assert!(world.element.moves(), "{bytes}: stands at {}", world.element.position);
    }
}

/// The platform finds itself full with a chunk in its hands, whose segment the viewer has just left.
#[test]
fn what_the_viewer_left_is_not_appended_a_second_time() {
    for appended in 10..30 {
        let broadcast = Way::Chunked.broadcast();
        let url = broadcast.dash();
        let mut world = world(broadcast, Network::constant(20_000));
        world.element.faults.quota_at_append = Some(appended);
        start(&mut world, &url);
        let appends = |world: &World| {
            let all = world.element.commands.iter();
            all.filter(|command| matches!(command, MediaCommand::Append { .. })).count()
        };
        world.run_until("append", Duration::from_secs(30), |world| {
            appends(world) >= appended as usize
        });
        let to = world.element.position - MediaTime::from_secs(8);
        world.act(&Action::Seek(to));
        world.run_for(Duration::from_secs(10));
        assert!(errors(&world).is_empty(), "{:?}", errors(&world));
        assert!(world.element.position > to + MediaTime::from_secs(8), "{appended}");
    }
}
