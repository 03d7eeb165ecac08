//! The platform and the app know where the viewer may go.

use std::time::Duration;

use kinora_core::io::{Event, MediaCommand};
use kinora_core::time::{MediaTime, TimeRange};
use kinora_tests::world::viewer::Action;

use super::{ALL, live, playing};

#[test]
fn the_seekable_range_moves_with_the_window() {
    for way in ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(90));
        let range: TimeRange = world.element.seekable.expect("the platform was told");
        let length = range.duration().seconds();
        assert!((45.0..62.0).contains(&length), "{way:?}: {length} s");
        assert!(range.contains(world.element.position - MediaTime::from_secs(1)), "{way:?}");
        let told =
            world.events.iter().filter(|(_, event)| matches!(event, Event::SeekableChanged(_)));
        // What the clock explains is no news.
        assert!((1..8).contains(&told.count()), "{way:?}");
        let duration =
            |command: &MediaCommand| *command == MediaCommand::SetDuration(MediaTime::MAX);
        assert!(world.element.commands.iter().any(duration), "{way:?}");
        let drift = live(&world).seekable.end - range.end;
        assert!(drift.abs() < MediaTime::from_secs(3), "{way:?}: {drift}");
    }
}

#[test]
fn the_elements_own_controls_are_understood() {
    for way in ALL {
        let mut world = playing(way);
        world.run_for(Duration::from_secs(10));
        // Back, and left there.
        let back = world.element.position - MediaTime::from_secs(20);
        world.act(&Action::SeekByControls(back));
        world.run_for(Duration::from_secs(30));
        assert!((world.element.position - back).seconds() < 31.0, "{way:?}");
        assert!(!live(&world).following, "{way:?}");
        // Beyond the edge is at the edge.
        world.act(&Action::SeekByControls(world.element.position + MediaTime::from_secs(600)));
        world.run_for(Duration::from_secs(5));
        let state = live(&world);
        assert!(state.following, "{way:?}");
        assert!(world.element.position < state.edge, "{way:?}");
        assert!(world.element.position > back + MediaTime::from_secs(40), "{way:?}");
    }
}
