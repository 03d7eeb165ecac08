//! Playback starts after as few round trips as the format allows.

use std::time::Duration;

use kinora_core::io::{Event, MediaKind, RequestKind};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;

use super::{dash, hls, world};

/// How many times the player had to wait for an answer before it could ask for the first segment.
fn round_trips(url: &str) -> usize {
    let mut world = world(&Film::default(), Network::constant(8_000));
    world.load(url);
    world.run_until("first frame", Duration::from_secs(5), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Ready)
    });
    let video = |kind| matches!(kind, RequestKind::Segment(MediaKind::Video));
    let asked = world.requests.iter().position(|(_, request)| video(request.kind));
    let (at, _) = world.requests[asked.expect("a segment was asked for")];
    let mut instants: Vec<_> =
        world.requests.iter().map(|(at, _)| *at).filter(|instant| *instant < at).collect();
    instants.dedup();
    instants.len()
}

#[test]
fn dash_asks_for_media_after_one_round_trip() {
    assert_eq!(round_trips(&dash()), 1);
}

#[test]
fn hls_asks_for_media_after_two_round_trips() {
    assert_eq!(round_trips(&hls()), 2);
}

#[test]
fn sound_and_picture_are_asked_for_at_once_with_their_init_segments() {
    let mut world = world(&Film::default(), Network::constant(8_000));
    world.load(&dash());
    world.run_until("first frame", Duration::from_secs(5), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Ready)
    });
    let kinds: Vec<_> = world.requests[1..5].iter().map(|(_, request)| request.kind).collect();
    assert!(world.requests[1..5].windows(2).all(|pair| pair[0].0 == pair[1].0));
    for kind in [MediaKind::Video, MediaKind::Audio] {
        assert!(kinds.contains(&RequestKind::Initialization(kind)));
        assert!(kinds.contains(&RequestKind::Segment(kind)));
    }
}

#[test]
fn events_come_in_order() {
    let mut world = world(&Film::default(), Network::constant(8_000));
    world.load(&hls());
    world.run_until("playback", Duration::from_secs(5), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Playing)
    });
    let position = |wanted: fn(&Event) -> bool| {
        world.events.iter().position(|(_, event)| wanted(event)).expect("the event came")
    };
    let loaded = position(|event| matches!(event, Event::Loaded { .. }));
    let ready = position(|event| *event == Event::Ready);
    let playing = position(|event| *event == Event::Playing);
    assert!(loaded < ready && ready < playing);
    assert!(world.player.state().totals.startup.is_some());
}
