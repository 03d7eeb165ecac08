//! The viewer's word on quality beats every rule.

use std::time::Duration;

use kinora_core::io::{Event, Input, MediaKind, RequestKind, Selection};
use kinora_core::{Config, Player};
use kinora_tests::world::World;
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;

use super::{BASE, dash, heights_shown, hls, world};

fn id_of_height(world: &World, height: u32) -> String {
    let qualities = world.events.iter().find_map(|(_, event)| match event {
        Event::Loaded { tracks, .. } => {
            let track = tracks.iter().find(|track| track.kind == MediaKind::Video)?;
            Some(&track.qualities)
        }
        _ => None,
    });
    let quality =
        qualities.and_then(|all| all.iter().find(|quality| quality.height == Some(height)));
    quality.expect("the height is on offer").id.clone()
}

pub(super) fn pin(world: &mut World, height: Option<u32>) {
    let id = height.map(|height| id_of_height(world, height));
    world.input(Input::Select(Selection::Representation { kind: MediaKind::Video, id }));
}

#[test]
fn a_pin_shows_within_two_segments_and_holds() {
    for url in [hls(), dash()] {
        let mut world = world(&Film::default(), Network::constant(20_000));
        world.load(&url);
        world.run_for(Duration::from_secs(20));
        pin(&mut world, Some(360));
        world.run_for(Duration::from_secs(6));
        assert_eq!(heights_shown(&world).last(), Some(&360));
        let changes = heights_shown(&world).len();
        world.run_to_end(Duration::from_secs(60));
        assert_eq!(heights_shown(&world).len(), changes, "the pin did not hold");
        assert_eq!(world.player.state().totals.stalls, 0);
    }
}

#[test]
fn unpinned_it_adapts_again() {
    let film = Film { seconds: 120, ..Film::default() };
    let mut world = world(&film, Network::constant(20_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(4));
    pin(&mut world, Some(240));
    world.run_for(Duration::from_secs(20));
    assert_eq!(heights_shown(&world).last(), Some(&240));
    pin(&mut world, None);
    world.run_for(Duration::from_secs(60));
    assert_eq!(heights_shown(&world).last(), Some(&1080));
}

#[test]
fn a_cap_on_height_holds() {
    let mut config = Config::default();
    config.abr.max_height = Some(480);
    let origin = Film::default().publish(BASE);
    let mut world = World::new(config, origin, Network::constant(20_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(70));
    assert_eq!(heights_shown(&world).iter().max(), Some(&480));
}

#[test]
fn what_cannot_be_selected_is_said() {
    let mut world = world(&Film::default(), Network::constant(20_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(5));
    let id = Some("no such thing".to_owned());
    world.input(Input::Select(Selection::Representation { kind: MediaKind::Video, id }));
    world.input(Input::Select(Selection::Track { kind: MediaKind::Audio, index: 9 }));
    world.input(Input::SetRate(-1.0));
    assert_eq!(super::warnings(&world).len(), 3);
    world.run_to_end(Duration::from_secs(70));
}

#[test]
fn nothing_happens_with_nothing_loaded() {
    let mut player = Player::new(Config::default(), kinora_core::time::Timestamp::default());
    for input in [Input::Timeout, Input::Unload, Input::SetRate(2.0)] {
        player.handle_input(kinora_core::time::Timestamp::default(), input);
        assert_eq!(player.poll_output(), kinora_core::io::Output::Timeout(None));
    }
}

#[test]
fn what_has_been_shown_is_not_fetched_again_for_a_pin() {
    // The network carries a seventh of it: what plays meanwhile runs out long before the first segments are there.
    let film = Film { seconds: 60, ..Film::default() };
    let mut world = world(&film, Network::steps(&[(12, 8_000), (3_600, 900)]));
    world.least_kbps = 10_000;
    world.load(&dash());
    world.run_for(Duration::from_secs(1));
    pin(&mut world, Some(360));
    world.run_for(Duration::from_secs(11));
    pin(&mut world, Some(1080));
    let (pinned, mut shown) = (world.now(), world.element.position);
    world.run_for(Duration::from_secs(28));
    shown = shown.max(world.element.position);
    let from = world.requests.len();
    world.run_for(Duration::from_secs(120));
    assert!(shown.seconds() > 30.0, "only {shown} s were there when it was pinned at {pinned:?}");
    let late: Vec<_> = world.requests[from..]
        .iter()
        .filter_map(|(_, request)| {
            let (_, name) = request.url.rsplit_once("v1080/")?;
            let number: f64 = name.strip_suffix(".m4s")?.parse().ok()?;
            let end = (number + 1.0) * f64::from(film.segment_seconds);
            (end <= shown.seconds()).then_some(name)
        })
        .collect();
    assert!(late.is_empty(), "{late:?} are asked for although {shown} s have been shown");
}

#[test]
fn a_playlist_on_its_way_does_not_bring_what_is_not_wanted_any_more() {
    let mut world = world(&Film::default(), Network::constant(20_000));
    world.load(&hls());
    let playlists = |world: &World| {
        let of_picture = RequestKind::MediaPlaylist(MediaKind::Video);
        world.requests.iter().filter(|(_, request)| request.kind == of_picture).count()
    };
    // That of the second quality is on its way.
    world.run_until("a playlist", Duration::from_secs(5), |world| playlists(world) == 2);
    pin(&mut world, Some(240));
    let before = world.requests.len();
    world.run_for(Duration::from_secs(20));
    let segments = world.requests[before..].iter().map(|(_, request)| request);
    let elsewhere = segments
        .filter(|request| request.kind == RequestKind::Segment(MediaKind::Video))
        .find(|request| !request.url.contains("/v240/"));
    assert!(elsewhere.is_none(), "{elsewhere:?}");
    assert!(world.element.moves());
}
