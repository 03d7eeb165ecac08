//! The platform and the app know where the viewer may go.

use std::time::Duration;

use kinora_core::io::{Event, MediaCommand};
use kinora_core::time::{MediaTime, TimeRange};

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
