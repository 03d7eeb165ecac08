//! What may be done with a key decides which qualities there are.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{Event, KeyStatus, MediaKind, Warning};
use kinora_core::telemetry::MaskReason;
use kinora_tests::world::World;
use kinora_tests::world::content::Film;
use kinora_tests::world::film::Protection;

use super::super::{dash, fatal, heights_shown as shown, hls, warnings};
use super::{Told, film, published, world};

/// The key of the better of two qualities.
const BETTER: [u8; 16] = [0x44; 16];
const HEIGHTS: [u32; 2] = [240, 360];

fn two_keys() -> Film {
    let film = film(Told::Everything);
    let protection = film.protection.clone();
    let protection = protection.map(|told| Protection { better: Some((360, BETTER)), ..told });
    Film { protection, seconds: 60, ..film }
}

/// Plays until so many seconds of the film have been shown.
fn plays_to(world: &mut World, seconds: f64) {
    world.run_until("playback", Duration::from_secs(120), |world| {
        world.element.position.seconds() >= seconds
    });
}

fn refusals(world: &World) -> Vec<ErrorCode> {
    let code = |event: &Warning| match event {
        Warning::Key { error } => Some(error.code),
        _ => None,
    };
    warnings(world).into_iter().filter_map(code).collect()
}

fn masked(world: &World) -> bool {
    let state = world.player.state();
    let video = state.streams.iter().find(|stream| stream.kind == MediaKind::Video);
    video.is_some_and(|video| video.masked.iter().any(|one| one.reason == MaskReason::Key))
}

#[test]
fn a_key_that_may_be_used_is() {
    for status in [KeyStatus::Usable, KeyStatus::OutputDownscaled] {
        for url in [hls(), dash()] {
            let mut world = world(published(&two_keys(), "{}"));
            world.keys.set_status(world.now(), BETTER, status);
            world.load(&url);
            plays_to(&mut world, 40.0);
            assert_eq!(shown(&world).last(), Some(&HEIGHTS[1]), "{status:?}");
            assert_eq!(refusals(&world), [], "{status:?}");
        }
    }
}

#[test]
fn a_key_that_may_not_be_used_takes_its_quality_away_and_the_other_plays() {
    for status in [
        KeyStatus::OutputRestricted,
        KeyStatus::InternalError,
        KeyStatus::Expired,
        KeyStatus::Released,
    ] {
        for url in [hls(), dash()] {
            let mut world = world(published(&two_keys(), "{}"));
            world.keys.set_status(world.now(), BETTER, status);
            world.load(&url);
            world.run_to_end(Duration::from_secs(120));
            assert!(fatal(&world).is_none(), "{status:?}");
            assert_eq!(shown(&world), [HEIGHTS[0]], "{status:?} {url}");
            assert_eq!(refusals(&world), [ErrorCode::KeyUnusable], "{status:?}, told once");
            assert_eq!(world.player.state().totals.stalls, 0, "{status:?}");
        }
    }
}

#[test]
fn a_screen_that_comes_and_goes_takes_the_better_quality_along() {
    let mut world = world(published(&two_keys(), "{}"));
    world.load(&dash());
    plays_to(&mut world, 15.0);
    assert_eq!(shown(&world).last(), Some(&HEIGHTS[1]));
    for (status, until, height) in [
        (KeyStatus::OutputRestricted, 25.0, HEIGHTS[0]),
        (KeyStatus::Usable, 50.0, HEIGHTS[1]),
        (KeyStatus::OutputRestricted, 58.0, HEIGHTS[0]),
    ] {
        world.keys.set_status(world.now(), BETTER, status);
        plays_to(&mut world, until);
        assert_eq!(shown(&world).last(), Some(&height), "{status:?} until {until} s");
        assert_eq!(masked(&world), height == HEIGHTS[0]);
    }
    assert!(fatal(&world).is_none());
    assert_eq!(refusals(&world), [ErrorCode::KeyUnusable; 2], "each time it goes");
}

#[test]
fn a_key_whose_time_has_not_come_is_waited_for() {
    let mut world = world(published(&film(Told::Everything), "{}"));
    world.keys.set_status(world.now(), super::KEY, KeyStatus::UsableInFuture);
    world.load(&hls());
    world.run_for(Duration::from_secs(10));
    assert!(world.element.chunks(MediaKind::Video).is_empty());
    assert!(fatal(&world).is_none() && refusals(&world).is_empty());
    world.keys.set_status(world.now(), super::KEY, KeyStatus::Usable);
    world.run_until("playback", Duration::from_secs(10), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Playing)
    });
}
