//! What waits in a poor quality is fetched again when the network allows it, and is seen.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::io::{Decision, Event, Input, MediaCommand, MediaKind, Warning};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::film::Addressing;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{BASE, dash, hls, warnings, world};

fn film() -> Film {
    Film { seconds: 120, ..Film::default() }
}

fn rising() -> Network {
    Network::steps(&[(40, 500), (3_600, 10_000)])
}

fn replacements(world: &World) -> Vec<&Decision> {
    let decided = world.events.iter().filter_map(|(_, event)| match event {
        Event::Decision(decision) => Some(decision.as_ref()),
        _ => None,
    });
    decided.filter(|decision| decision.replaces.is_some()).collect()
}

/// Bit rates of the pictures shown, each second, until the end.
fn watch(world: &mut World) -> Vec<u64> {
    let mut shown = Vec::new();
    while !world.has_ended() {
        world.run_for(Duration::from_secs(1));
        let state = world.player.state();
        let video = state.streams.iter().find(|stream| stream.kind == MediaKind::Video);
        shown.extend(video.and_then(|video| Some(video.shown.as_ref()?.bandwidth)));
        assert!(shown.len() < 1_000, "no end: {state:#?}");
    }
    shown
}

#[test]
fn a_network_that_rises_shows_better_pictures_sooner() {
    for url in [hls(), dash()] {
        let mut with = world(&film(), rising());
        with.load(&url);
        let shown = watch(&mut with);
        let state = with.player.state();
        assert!(state.totals.replaced > 0, "{:?}", state.totals);
        assert_eq!(state.totals.stalls, 0);
        for decision in replacements(&with) {
            let before = decision.replaces.as_ref().map(|quality| quality.bandwidth);
            assert!(before.is_some_and(|before| before < decision.quality.bandwidth));
        }
        assert_replays(&with);

        let mut config = Config::default();
        config.abr.replace = false;
        let mut without = World::new(config, film().publish(BASE), rising());
        without.load(&url);
        let shown_without = watch(&mut without);
        assert_eq!(without.player.state().totals.replaced, 0);
        let good = |shown: &[u64]| shown.iter().filter(|rate| **rate > 2_500_000).count();
        assert!(
            good(&shown) > good(&shown_without),
            "{} s of good pictures with, {} s without",
            good(&shown),
            good(&shown_without)
        );
    }
}

#[test]
fn who_goes_far_ahead_while_a_segment_is_replaced_is_served_there() {
    let film = Film { seconds: 300, ..film() };
    // It has come, and may be being appended.
    for later in 0..8 {
        let mut world = world(&film, rising());
        world.load(&hls());
        world.run_until("a replacement", Duration::from_secs(60), |world| {
            world.player.state().totals.replaced > 0
        });
        world.run_for(Duration::from_millis(later));
        world.act(&Action::SeekByControls(seconds(200)));
        world.run_until("playback there", Duration::from_secs(3), |world| {
            world.element.position > seconds(201)
        });
        assert_eq!(world.requests_for("/70.m4s"), 0, "nobody plays what is between");
    }
}

#[test]
fn nothing_is_replaced_that_the_playhead_is_at() {
    let mut world = world(&film(), rising());
    world.load(&dash());
    let mut looked = 0;
    while !world.has_ended() {
        world.run_for(Duration::from_millis(5));
        let position = world.element.position;
        for command in &world.element.commands[looked..] {
            if let MediaCommand::Remove { kind: MediaKind::Video, range } = command {
                assert!(range.end <= position, "{range:?} was dropped at {position}");
            }
        }
        looked = world.element.commands.len();
        let buffered = world.element.buffered(MediaKind::Video);
        let ahead = buffered.iter().filter(|range| range.end > position).count();
        assert!(ahead <= 1 || !warnings(&world).is_empty(), "a hole: {buffered:?}");
    }
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn a_network_that_falls_again_ends_a_replacement() {
    let film = Film { segment_seconds: 6, ..film() };
    let mut world = world(&film, Network::steps(&[(60, 500), (3_600, 10_000)]));
    world.load(&dash());
    world
        .run_until("replacement", Duration::from_secs(90), |world| !replacements(world).is_empty());
    world.network.set_rate(150);
    world.run_for(Duration::from_secs(8));
    let given_up = replacements(&world).first().map(|decision| decision.segment_start);
    let abandoned = warnings(&world).into_iter().any(|warning| match warning {
        Warning::Abandoned { segment_start, .. } => Some(*segment_start) == given_up,
        _ => false,
    });
    assert!(abandoned, "{:?}", warnings(&world));
    world.network.set_rate(3_000);
    let again = |decision: &&&Decision| Some(decision.segment_start) == given_up;
    assert_eq!(replacements(&world).iter().filter(again).count(), 1, "one attempt is enough");
    world.run_to_end(Duration::from_secs(120));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn little_is_thrown_away() {
    let walk = [900, 2_500, 700, 6_000, 1_200, 9_000, 600, 4_000].map(|kbps| (12, kbps));
    let mut world = world(&Film { seconds: 300, ..film() }, Network::steps(&walk));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(320));
    let totals = world.player.state().totals;
    assert!(totals.replaced > 0, "{totals:?}");
    let part = totals.discarded as f64 / totals.bytes as f64;
    assert!(part < 0.3, "{part} of all bytes were not shown");
}

#[test]
fn a_seek_ends_a_replacement_and_loses_nothing() {
    let mut world = world(&film(), rising());
    world.load(&dash());
    world
        .run_until("replacement", Duration::from_secs(90), |world| !replacements(world).is_empty());
    let here = world.element.position;
    world.input(Input::Seek(here + seconds(3)));
    world.run_for(Duration::from_secs(2));
    world.input(Input::Seek(seconds(100)));
    world.run_to_end(Duration::from_secs(60));
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_eq!(world.kept_bodies(), 0);
}

#[test]
fn an_index_that_cannot_be_had_is_not_asked_for_again_and_again() {
    let film = Film { addressing: Addressing::OneFile, ..film() };
    let mut world = world(&film, rising());
    for (_, height) in &film.rungs[1..] {
        let part = format!("v{height}/media-0.mp4");
        world.origin.fail(&part, u32::MAX, FaultKind::Status(500));
    }
    world.load(&dash());
    world.run_to_end(Duration::from_secs(180));
    for (_, height) in &film.rungs[1..] {
        let part = format!("v{height}/media-0.mp4");
        let asked: Vec<u64> = world
            .requests
            .iter()
            .filter(|(_, request)| request.url.contains(&part))
            .map(|(at, _)| at.micros() / 1_000_000)
            .collect();
        let most = asked
            .iter()
            .map(|from| asked.iter().filter(|at| (*from..from + 60).contains(*at)).count());
        // The attempts of one budget, and no more for a minute.
        assert!(most.max().unwrap_or(0) <= 5, "{part} at {asked:?} s");
    }
}
