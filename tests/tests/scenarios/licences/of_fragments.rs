//! Keys that change, and that only fragments name (`seig`, `pssh` in a `moof`).

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::MediaKind;
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::film::{Protection, Rotation};

use super::super::{dash, fatal, hls, seconds, warnings};
use super::{LICENSE, Told, asked, ends_well, film, published, world};

/// Twenty segments, and three keys.
fn rotating(told: Told, announced: bool) -> (Film, Rotation) {
    let rotation = Rotation { every: 8, announced };
    let film = film(told);
    let protection =
        film.protection.clone().map(|told| Protection { rotation: Some(rotation), ..told });
    (Film { protection, ..film }, rotation)
}

#[test]
fn each_is_asked_for_once_and_nothing_waits_for_it() {
    for told in [Told::Everything, Told::Little, Told::Nothing] {
        for announced in [false, true] {
            for url in [hls(), dash()] {
                let (film, rotation) = rotating(told, announced);
                let mut world = world(published(&film, "{}"));
                world.load(&url);
                ends_well(&mut world);
                for period in 0..3 {
                    let key = rotation.key(period * rotation.every);
                    let created = world.keys.created.iter().filter(|keys| **keys == [key.to_vec()]);
                    assert_eq!(created.count(), 1, "{told:?} {announced} {url}: key {period}");
                }
                assert_eq!(asked(&world), 4, "the track's own key, and three more");
                assert!(warnings(&world).is_empty(), "{:?}", warnings(&world));
            }
        }
    }
}

#[test]
fn what_needs_one_is_not_appended_without_it() {
    let (film, rotation) = rotating(Told::Everything, false);
    let mut world = world(published(&film, "{}"));
    world.load(&dash());
    world.run_until("the first keys", Duration::from_secs(10), |world| asked(world) == 2);
    world.origin.fail(LICENSE, u32::MAX, FaultKind::Status(403));
    world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
    let error = fatal(&world).expect("an error");
    assert_eq!((error.code, error.http_status), (ErrorCode::LicenseRefused, Some(403)));
    let end = seconds(f64::from(rotation.every) * 2.0);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let held = world.element.buffered(kind);
        assert!(held.iter().all(|range| range.end <= end), "{kind:?}: {held:?}");
    }
}

#[test]
fn where_they_change_for_ever_old_ones_are_let_go() {
    let (film, _) = rotating(Told::Everything, false);
    let rotation = Some(Rotation { every: 1, announced: false });
    let protection = film.protection.map(|told| Protection { rotation, ..told });
    let film =
        Film { protection, seconds: 600, segment_seconds: 8, rungs: vec![(150, 240)], ..film };
    let mut world = world(published(&film, "{}"));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(900));
    assert!(fatal(&world).is_none() && warnings(&world).is_empty());
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_eq!((world.keys.created.len(), world.keys.held()), (76, 64));
}
