//! Another language is heard soon, and neither picture nor sound stops for it.

use std::time::Duration;

use kinora_core::io::{Event, Input, MediaKind, Selection};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;

use super::{dash, hls, world};

#[test]
fn the_old_sound_goes_on_until_the_new_is_there() {
    for url in [hls(), dash()] {
        let film = Film { seconds: 90, languages: 2, ..Film::default() };
        let mut world = world(&film, Network::constant(8_000));
        world.load(&url);
        world.run_for(Duration::from_secs(25));
        let sound = |world: &kinora_tests::world::World| {
            let state = world.player.state();
            let sound = state.streams.into_iter().find(|stream| stream.kind == MediaKind::Audio);
            sound.and_then(|sound| sound.shown).map(|quality| quality.id)
        };
        let before = sound(&world);
        let pictures = world.requests_for("/v");
        world.input(Input::Select(Selection::Track { kind: MediaKind::Audio, index: 1 }));
        world.run_for(Duration::from_secs(4));
        let after = sound(&world);
        assert!(after.is_some() && after != before, "{before:?} then {after:?}");
        let buffering =
            world.events.iter().filter(|(_, e)| matches!(e, Event::Buffering { .. })).count();
        assert_eq!(buffering, 0);
        assert!(world.requests_for("/v") <= pictures + 3, "the picture was fetched again");
        world.run_for(Duration::from_secs(30));
        assert_eq!(sound(&world), after);
        world.run_to_end(Duration::from_secs(50));
        assert_eq!(world.player.state().totals.stalls, 0);
    }
}
