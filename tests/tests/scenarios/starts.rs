//! Playback starts after as few round trips as the format allows.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::io::{AppendBody, Event, MediaCommand, MediaKind, RequestKind};
use kinora_core::time::Timestamp;
use kinora_tests::world::World;
use kinora_tests::world::content::Film;
use kinora_tests::world::network::{Network, Stretch};

use super::{BASE, dash, hls, world};

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

#[test]
fn both_playlists_are_asked_for_at_once_and_then_all_that_a_first_frame_needs() {
    let mut world = world(&Film::default(), Network::constant(8_000));
    world.load(&hls());
    world.run_until("first frame", Duration::from_secs(5), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Ready)
    });
    let asked = |number: usize| (world.requests[number].0, world.requests[number].1.kind);
    assert_eq!(asked(1).0, asked(2).0);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let playlist = RequestKind::MediaPlaylist(kind);
        assert!((1..3).any(|number| asked(number).1 == playlist), "{kind:?}");
        let of_kind: Vec<_> =
            (3..7).map(asked).filter(|(_, one)| one.media() == Some(kind)).collect();
        assert_eq!(of_kind.len(), 2, "an init segment and a segment");
        assert_eq!(of_kind[0].0, of_kind[1].0, "at once");
    }
}

/// From the load to the first frame, in round trips, where nothing else takes time.
fn round_trips_to_the_first_frame(url: &str) -> u128 {
    let latency = Duration::from_millis(500);
    let stretch =
        Stretch { latency, ..Network::constant(1_000_000).conditions(Timestamp::default()) };
    let mut world = world(&Film::default(), Network::from_trace(vec![stretch]));
    world.load(url);
    world.run_until("first frame", Duration::from_secs(5), |world| {
        world.player.state().totals.startup.is_some()
    });
    let startup = world.player.state().totals.startup.expect("it has started");
    startup.as_millis() / latency.as_millis()
}

#[test]
fn the_first_frame_takes_no_more_round_trips_than_the_format_does() {
    assert_eq!(round_trips_to_the_first_frame(&dash()), 2);
    assert_eq!(round_trips_to_the_first_frame(&hls()), 3);
}

#[test]
fn the_decoder_is_made_ready_while_the_first_segment_comes() {
    let mut world = world(&Film::default(), Network::constant(500));
    world.element.remember = true;
    world.load(&dash());
    let append_to = |world: &World, wanted: MediaKind| {
        let is = |one: &MediaCommand| matches!(one, MediaCommand::Append { kind, body: AppendBody::Bytes(_), .. } if *kind == wanted);
        world.element.commands.iter().any(is)
    };
    for kind in [MediaKind::Video, MediaKind::Audio] {
        world.run_until("an initialisation segment", Duration::from_secs(5), |world| {
            append_to(world, kind)
        });
        let coming = RequestKind::Segment(kind);
        let state = world.player.state();
        assert!(state.requests.iter().any(|request| request.kind == coming), "{kind:?}");
    }
}

/// Height of the first picture chosen.
fn first_choice(initial_throughput_bps: Option<f64>, cmsd: Option<&str>) -> Option<u32> {
    let mut config = Config::default();
    config.abr.initial_throughput_bps = initial_throughput_bps;
    let mut world = World::new(config, Film::default().publish(BASE), Network::constant(8_000));
    world.origin.cmsd_dynamic = cmsd.map(str::to_owned);
    world.load(&dash());
    world.run_for(Duration::from_secs(1));
    world.events.iter().find_map(|(_, event)| match event {
        Event::Decision(decision) if decision.kind == MediaKind::Video => decision.quality.height,
        _ => None,
    })
}

#[test]
fn the_estimate_of_the_last_session_chooses_the_first_picture() {
    let of = |bps| first_choice(bps, None);
    let (unknown, slow, fast) = (of(None), of(Some(400_000.0)), of(Some(30e6)));
    assert!(slow <= unknown && unknown < fast, "{slow:?}, {unknown:?}, {fast:?}");
    assert_eq!(slow, Some(240));
}

#[test]
fn what_the_server_expects_of_the_network_chooses_the_first_picture() {
    let of = |cmsd| first_choice(None, cmsd);
    let fast = of(Some("\"cdn.example\";etp=30000;rtt=20"));
    assert!(fast > of(None), "{fast:?}");
    assert_eq!(of(Some("\"cdn.example\";etp=400")), Some(240));
}
