//! A hole that ought to have been filled, as what came for it was no part of the film, is asked for again.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::Warning;
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::film::Addressing;
use kinora_tests::world::invariants::Invariant;
use kinora_tests::world::network::Network;
use kinora_tests::world::{assert_replays, seconds};

use super::{BASE, dash, fatal, hls, warnings, world_of};

#[test]
fn it_is_filled_and_shown() {
    for url in [hls(), dash()] {
        let rungs = vec![(800, 480)];
        let film = Film {
            seconds: 120,
            segment_seconds: 4,
            rungs,
            media_start: 40_000,
            ..Film::default()
        };
        // Of a recording whose clock began eleven hours earlier: no place in the film is meant by it.
        let other = Film { media_start: 0, ..film.clone() }.publish(BASE);
        let mut origin = film.publish(BASE);
        let segment = "v480/10.m4s";
        let mut body = other.body(&format!("{BASE}/{segment}")).expect("it is published").to_vec();
        // Its frames are all the same to this world, but there have to be as many as its boxes promise.
        let header = body.last_chunk::<8>().expect("the header of a box");
        let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        body.resize(body.len() - header.len() + size, 0);
        origin.fail(segment, 1, FaultKind::Replace("video/iso.segment", body));
        let mut world = world_of(origin, Network::constant(8_000));
        world.invariants.waived.push(Invariant::Placement);
        world.load(&url);
        world.run_until("the hole", Duration::from_secs(60), |world| {
            world.element.position >= seconds(40) - super::millis(60)
        });
        let came = world.now();
        world.run_until("what belongs there", Duration::from_secs(10), |world| {
            world.element.position > seconds(41)
        });
        assert!(world.element.position < seconds(42), "{} is shown", world.element.position);
        let waited = world.now().since(came);
        assert!(waited < Duration::from_secs(5), "waited {waited:?}");
        world.run_to_end(Duration::from_secs(120));
        assert_eq!(fatal(&world), None);
        let jumps = warnings(&world).into_iter();
        let jumps = jumps.filter(|warning| matches!(warning, Warning::GapJumped { .. }));
        assert_eq!(jumps.count(), 0);
        assert_replays(&world);
    }
}

/// An index that came damaged says too little of a segment: asking for that again brings no more.
#[test]
fn one_for_which_too_little_is_asked_is_not_waited_for() {
    let film = Film {
        seconds: 15,
        rungs: vec![(250, 240)],
        audio_kbps: Some(128),
        segment_seconds: 4,
        samples: 1,
        addressing: Addressing::OneFile,
        ..Film::default()
    };
    let mut origin = film.publish(BASE);
    origin.fail("audio/media-0.mp4", 1, FaultKind::Corrupt(78));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(30));
    assert_eq!(fatal(&world).map(|error| error.code), Some(ErrorCode::NetworkInterrupted));
    assert!(world.requests_for("audio/media-0.mp4") < 10);
}
