//! Where a buffer does not take what comes next, playback goes on in another media source.

use std::time::Duration;

use kinora_core::io::{Event, MediaCommand, Warning};
use kinora_tests::world::World;
use kinora_tests::world::film::{Codec, Film, Part};
use kinora_tests::world::network::Network;

use super::{dash, hls, warnings, world};

fn two_codecs() -> Film {
    let part = Part { segment: 15, media_start: 500, codec: Codec::Hevc };
    Film { seconds: 60, parts: vec![part], rungs: vec![(800, 480)], ..Film::default() }
}

fn opened(world: &World) -> usize {
    world.element.commands.iter().filter(|command| **command == MediaCommand::Open).count()
}

fn rebuilds(world: &World) -> usize {
    let is = |warning: &&Warning| matches!(warning, Warning::Rebuilt { .. });
    warnings(world).into_iter().filter(is).count()
}

#[test]
fn a_codec_changes_within_the_buffer_where_that_can_be() {
    for url in [hls(), dash()] {
        let mut world = world(&two_codecs(), Network::constant(5_000));
        world.load(&url);
        world.run_to_end(Duration::from_secs(75));
        assert_eq!((opened(&world), rebuilds(&world)), (1, 0));
        assert!(world.player.state().totals.stalled < Duration::from_millis(50));
    }
}

#[test]
fn and_in_another_media_source_where_it_cannot() {
    for url in [hls(), dash()] {
        let mut world = world(&two_codecs(), Network::constant(5_000));
        world.element.faults.refuses_change_type = true;
        world.load(&url);
        world.run_to_end(Duration::from_secs(75));
        assert_eq!((opened(&world), rebuilds(&world)), (2, 1));
        let loaded = world.events.iter().filter(|(_, e)| matches!(e, Event::Loaded { .. })).count();
        assert_eq!(loaded, 1, "the app is told once");
        let state = world.player.state();
        assert!(state.totals.stalled < Duration::from_millis(500), "{:?}", state.totals);
    }
}

#[test]
fn a_decoder_that_dies_is_given_something_else() {
    let mut world = world(&Film::default(), Network::constant(5_000));
    world.element.faults.dies_at_append = Some(12);
    world.load(&dash());
    world.run_to_end(Duration::from_secs(75));
    assert_eq!((opened(&world), rebuilds(&world)), (2, 1));
    assert!(world.player.state().totals.stalled < Duration::from_secs(1));
}

#[test]
fn media_that_never_decodes_is_fatal_after_a_few_attempts() {
    let film = Film { rungs: vec![(800, 480)], ..Film::default() };
    let mut world = world(&film, Network::constant(5_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(5));
    let failed = |world: &World| world.events.iter().any(|(_, e)| matches!(e, Event::Error(_)));
    for _ in 0..200 {
        if failed(&world) {
            break;
        }
        world.element.fail("the decoder died");
        world.run_for(Duration::from_millis(500));
    }
    assert!(failed(&world));
    assert_eq!(rebuilds(&world), 2);
}
