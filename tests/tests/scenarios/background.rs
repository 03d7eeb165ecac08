//! The page is in the background for long, and comes back.

use std::time::Duration;

use kinora_core::io::{Environment, Event, Input};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{dash, fatal, heights_shown, hls, world};

fn hide(world: &mut World, hidden: bool) {
    world.input(Input::Environment(Environment { hidden, ..Environment::default() }));
}

#[test]
fn frames_that_nobody_could_see_say_nothing_of_the_decoder() {
    for url in [hls(), dash()] {
        let film = Film { seconds: 900, ..Film::default() };
        let mut world = world(&film, Network::constant(30_000));
        world.load(&url);
        world.run_for(Duration::from_secs(30));
        assert_eq!(heights_shown(&world).last(), Some(&1080));
        hide(&mut world, true);
        // A browser composes nothing of a page in the background.
        world.element.faults.drops = 1.0;
        world.run_for(Duration::from_secs(600));
        hide(&mut world, false);
        world.element.faults.drops = 0.0;
        world.run_for(Duration::from_secs(60));
        assert_eq!(fatal(&world), None);
        assert_eq!(world.player.state().totals.stalls, 0);
        let heights = heights_shown(&world);
        assert_eq!(heights.last(), Some(&1080), "{heights:?}");
        assert!(heights.is_sorted(), "nothing worse was ever shown: {heights:?}");
        assert!(world.element.position.seconds() > 680.0, "{}", world.element.position);
        assert_replays(&world);
    }
}

#[test]
fn a_page_that_is_paused_meanwhile_fetches_no_more_than_its_goal() {
    let film = Film { seconds: 900, ..Film::default() };
    let mut world = world(&film, Network::constant(30_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(30));
    hide(&mut world, true);
    world.element.paused = true;
    world.run_for(Duration::from_secs(60));
    let asked = world.requests.len();
    world.run_for(Duration::from_secs(600));
    assert_eq!(world.requests.len(), asked, "what is aimed at is there");
    hide(&mut world, false);
    world.element.paused = false;
    world.run_for(Duration::from_secs(30));
    let stalled =
        world.events.iter().any(|(_, event)| matches!(event, Event::Buffering { seeking: false }));
    assert!(!stalled && fatal(&world).is_none());
    assert!(world.element.position.seconds() > 55.0, "{}", world.element.position);
}
