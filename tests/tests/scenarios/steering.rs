//! A steering server says where to load from, and may fail or lie (RFC 8216bis §7; ETSI TS 103 998).

use std::time::Duration;

use kinora_core::io::{Event, RequestKind, SteeringFault, Warning};
use kinora_core::time::Timestamp;
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::hosts::{Hosts, MAIN, STEERING, steering, steering_with};
use kinora_tests::world::live::{Addressing, Broadcast};
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{fatal, warnings, world_of};

const MANIFESTS: [&str; 2] = ["master.m3u8", "manifest.mpd"];
const JSON: &str = "application/json";

fn hosts() -> Hosts {
    Hosts { film: Film { seconds: 120, ..Film::default() }, steered: true, ..Hosts::default() }
}

fn loaded(hosts: &Hosts, manifest: &str, answer: Option<&str>) -> World {
    let mut origin = hosts.publish();
    if let Some(answer) = answer {
        origin.add(STEERING, JSON, answer);
    }
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/{manifest}"));
    world
}

fn steering_requests(world: &World) -> Vec<(Timestamp, &str)> {
    let asked = world.requests.iter().filter(|(_, request)| request.kind == RequestKind::Steering);
    asked.map(|(at, request)| (*at, request.url.as_str())).collect()
}

/// Hosts of the segments asked for since a moment, without repeats in a row.
fn hosts_since(world: &World, since: Timestamp) -> Vec<&str> {
    let media = |kind| matches!(kind, RequestKind::Segment(_));
    let since = world.requests.iter().filter(|(at, request)| *at >= since && media(request.kind));
    let mut hosts: Vec<_> =
        since.map(|(_, request)| request.url.split('/').nth(2).unwrap_or("")).collect();
    hosts.dedup();
    hosts
}

fn faults(world: &World) -> Vec<SteeringFault> {
    let fault = |warning: &&Warning| match warning {
        Warning::Steering { fault, .. } => Some(*fault),
        _ => None,
    };
    warnings(world).iter().filter_map(fault).collect()
}

#[test]
fn the_pathway_changes_when_the_server_says_so() {
    for manifest in MANIFESTS {
        let mut world = loaded(&hosts(), manifest, Some(&steering(20, &["A", "B"])));
        world.run_for(Duration::from_secs(10));
        assert_eq!(hosts_since(&world, Timestamp::default()), ["a.example"]);
        world.origin.add(STEERING, JSON, steering(20, &["B", "A"]));
        let (first, _) = steering_requests(&world)[0];
        world.run_for(Duration::from_secs(25));
        let asked = steering_requests(&world);
        let pause = asked[1].0.since(first);
        assert!((20..22).contains(&pause.as_secs()), "{manifest}: again after {pause:?}");
        let switched = asked[1].0 + Duration::from_secs(5);
        assert_eq!(hosts_since(&world, switched), ["b.example"], "{manifest}");
        assert!(world.events.iter().any(|(_, event)| matches!(
            event,
            Event::PathwayChanged { from: Some(from), to } if from == "A" && to == "B"
        )));
        world.run_to_end(Duration::from_secs(150));
        assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
        assert_eq!(faults(&world), []);
        assert_replays(&world);
    }
}

#[test]
fn the_server_is_told_the_pathway_and_the_throughput() {
    for (manifest, pathway, throughput) in [
        ("master.m3u8", "_HLS_pathway=A", "&_HLS_throughput="),
        ("manifest.mpd", "_DASH_pathway=%22A%22", "&_DASH_throughput="),
    ] {
        let mut world = loaded(&hosts(), manifest, Some(&steering(10, &["A", "B"])));
        world.run_for(Duration::from_secs(15));
        let asked = steering_requests(&world);
        // Nothing has been measured when it is asked first.
        assert!(asked[0].1.contains(pathway), "{}", asked[0].1);
        let (_, value) = asked[1].1.split_once(throughput).expect("a throughput");
        assert!((1_000_000..20_000_000).contains(&value.parse::<u64>().expect("a number")));
    }
}

#[test]
fn it_is_asked_elsewhere_from_then_on_if_it_says_so() {
    let again = "https://steer.example/again.json";
    let answer = steering_with(10, &["A", "B"], ",\"RELOAD-URI\":\"again.json?x=1\"");
    let mut world = loaded(&hosts(), "master.m3u8", Some(&answer));
    world.origin.add(again, JSON, steering(10, &["B", "A"]));
    world.run_for(Duration::from_secs(15));
    assert!(steering_requests(&world)[1].1.starts_with(&format!("{again}?x=1&_HLS_pathway=A")));
}

#[test]
fn asked_before_the_start_it_decides_the_first_segment() {
    let hosts = Hosts { before_start: true, ..hosts() };
    let mut world = loaded(&hosts, "manifest.mpd", Some(&steering(300, &["B", "A"])));
    world.run_for(Duration::from_secs(10));
    assert_eq!(hosts_since(&world, Timestamp::default()), ["b.example"]);
}

#[test]
fn a_server_that_is_silent_before_the_start_is_not_waited_for_long() {
    let hosts = Hosts { before_start: true, ..hosts() };
    let mut origin = hosts.publish();
    origin.fail("steer.example", u32::MAX, FaultKind::Silence);
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/manifest.mpd"));
    world.run_until("first frame", Duration::from_secs(5), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Ready)
    });
    world.run_to_end(Duration::from_secs(150));
    assert!(faults(&world).contains(&SteeringFault::Unreachable));
}

#[test]
fn a_server_that_dies_changes_nothing() {
    for manifest in MANIFESTS {
        let mut world = loaded(&hosts(), manifest, Some(&steering(10, &["B", "A"])));
        world.run_for(Duration::from_secs(5));
        world.origin.fail("steer.example", u32::MAX, FaultKind::Refuse);
        let died = world.now();
        world.run_to_end(Duration::from_secs(150));
        assert_eq!(hosts_since(&world, died), ["b.example"], "what it said holds on");
        assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
        assert!(faults(&world).iter().all(|fault| *fault == SteeringFault::Unreachable));
        // At its own pace, twice each time.
        assert!(steering_requests(&world).len() <= 26, "{}", steering_requests(&world).len());
    }
}

#[test]
fn a_server_that_is_gone_is_not_asked_again() {
    let mut origin = hosts().publish();
    origin.fail("steer.example", u32::MAX, FaultKind::Status(410));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&format!("{MAIN}/master.m3u8"));
    world.run_to_end(Duration::from_secs(150));
    assert_eq!((steering_requests(&world).len(), faults(&world)), (1, vec![SteeringFault::Gone]));
}

#[test]
fn lies_are_named_and_not_believed() {
    let huge = "[".repeat(1 << 19);
    for (answer, fault) in [
        ("<html>", SteeringFault::Malformed),
        (huge.as_str(), SteeringFault::Unreachable),
        ("{\"VERSION\":7,\"TTL\":10,\"PATHWAY-PRIORITY\":[\"B\"]}", SteeringFault::Version),
        ("{\"VERSION\":1,\"TTL\":0,\"PATHWAY-PRIORITY\":[\"A\"]}", SteeringFault::Ttl),
        ("{\"VERSION\":1,\"TTL\":1e30,\"PATHWAY-PRIORITY\":[\"A\"]}", SteeringFault::Ttl),
        ("{\"VERSION\":1,\"PATHWAY-PRIORITY\":[\"A\"]}", SteeringFault::Ttl),
        ("{\"VERSION\":1,\"TTL\":30,\"PATHWAY-PRIORITY\":[\"Z\"]}", SteeringFault::UnknownPathway),
        (
            "{\"VERSION\":1,\"TTL\":30,\"PATHWAY-PRIORITY\":[\"A\"],\"PATHWAY-CLONES\":[{\"BASE-ID\":\"Z\",\"ID\":\"Y\"}]}",
            SteeringFault::Clone,
        ),
    ] {
        let mut world = loaded(&hosts(), "master.m3u8", Some(answer));
        world.run_to_end(Duration::from_secs(150));
        assert_eq!(faults(&world).first(), Some(&fault), "{answer:.60}");
        assert_eq!(hosts_since(&world, Timestamp::default()), ["a.example"], "{answer:.60}");
        // Not even one that wants to be asked all the time is asked more often than that.
        assert!(steering_requests(&world).len() <= 30, "{}", steering_requests(&world).len());
        assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
    }
}

#[test]
fn a_cloned_pathway_is_used_like_any_other() {
    for manifest in MANIFESTS {
        let clones = ",\"PATHWAY-CLONES\":[{\"BASE-ID\":\"A\",\"ID\":\"C\",\
            \"URI-REPLACEMENT\":{\"HOST\":\"c.example\",\"PARAMS\":{\"who\":\"me\"}}}]";
        let answer = steering_with(300, &["C", "A", "B"], clones);
        let hosts = Hosts {
            hosts: vec![("A", "https://a.example/film"), ("B", "https://b.example/film")],
            ..hosts()
        };
        let mut origin = hosts.publish();
        origin.join(hosts.film.publish("https://c.example/film"));
        origin.add(STEERING, JSON, answer);
        let mut world = world_of(origin, Network::constant(8_000));
        world.load(&format!("{MAIN}/{manifest}"));
        world.run_for(Duration::from_secs(10));
        let settled = world.now();
        world.run_to_end(Duration::from_secs(150));
        assert_eq!(hosts_since(&world, settled), ["c.example"], "{manifest}");
        assert!(world.requests_for("c.example") > 0 && fatal(&world).is_none());
        // The parameters are the playlists' in HLS, and everything's in DASH.
        let what = if manifest == "master.m3u8" { ".m3u8?who=me" } else { ".m4s?who=me" };
        assert!(world.requests_for(what) > 0, "{manifest}: {what}");
        assert_eq!(faults(&world), []);
    }
}

#[test]
fn a_cloned_pathway_outlives_the_manifest_that_it_was_made_for() {
    let clones = ",\"PATHWAY-CLONES\":[{\"BASE-ID\":\"A\",\"ID\":\"C\",\
        \"URI-REPLACEMENT\":{\"HOST\":\"c.example\"}}]";
    let broadcast =
        Broadcast { steered: true, addressing: Addressing::Timeline, ..Broadcast::default() };
    let url = broadcast.dash();
    let mut origin = Origin::default();
    origin.broadcast = Some(broadcast);
    origin.add(STEERING, JSON, steering_with(300, &["C", "A"], clones));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&url);
    world.run_for(Duration::from_secs(10));
    let settled = world.now();
    world.run_for(Duration::from_secs(60));
    assert!(world.requests_for("live.mpd") > 10, "it was loaded again and again");
    assert_eq!(hosts_since(&world, settled), ["c.example"]);
    assert_eq!((fatal(&world), faults(&world)), (None, Vec::new()));
    assert_replays(&world);
}

#[test]
fn a_pathway_that_fails_is_left_whatever_the_server_prefers() {
    for manifest in MANIFESTS {
        let mut world = loaded(&hosts(), manifest, Some(&steering(10, &["A", "B"])));
        world.run_for(Duration::from_secs(5));
        world.origin.fail("a.example", u32::MAX, FaultKind::Refuse);
        world.run_for(Duration::from_secs(25));
        let late = world.now() + Duration::from_secs(0);
        world.run_for(Duration::from_secs(15));
        let hosts = hosts_since(&world, late);
        assert!(hosts.contains(&"b.example"), "{manifest}: {hosts:?}");
        assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
    }
}

/// A broadcast by number on the host of its MPD and a clone of that.
fn broadcast_on_two(broadcast: Broadcast) -> World {
    let clones = ",\"PATHWAY-CLONES\":[{\"BASE-ID\":\"A\",\"ID\":\"C\",\
        \"URI-REPLACEMENT\":{\"HOST\":\"c.example\"}}]";
    let broadcast = Broadcast { steered: true, ..broadcast };
    let url = broadcast.dash();
    let mut origin = Origin::default();
    origin.broadcast = Some(broadcast);
    origin.add(STEERING, JSON, steering_with(300, &["A", "C"], clones));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&url);
    world
}

fn origins_failed(world: &World, since: Timestamp) -> usize {
    let failed = |event: &Event| matches!(event, Event::OriginFailed { .. });
    world.events.iter().filter(|(at, event)| *at >= since && failed(event)).count()
}

#[test]
fn a_segment_that_is_not_there_yet_is_no_reason_to_leave_a_pathway() {
    for (encoding_ms, break_every) in [(100, Some(5)), (350, None), (900, None), (2_500, Some(7))] {
        let mut world =
            broadcast_on_two(Broadcast { break_every, encoding_ms, ..Broadcast::default() });
        world.run_for(Duration::from_secs(180));
        // What is later than a segment is long looks like a fault until it is learnt.
        let settled = Timestamp::default() + Duration::from_secs(20);
        let from = if encoding_ms > 2_000 { settled } else { Timestamp::default() };
        assert_eq!(origins_failed(&world, from), 0, "{encoding_ms} ms late");
        assert_eq!(hosts_since(&world, settled), ["live.example"], "{encoding_ms} ms late");
        assert_eq!(fatal(&world), None);
        // How late they come is learnt: few are asked for twice.
        let mut asked: Vec<_> = world.requests.iter().map(|(_, one)| one.url.as_str()).collect();
        asked.retain(|url| url.contains(".m4s"));
        let before = asked.len();
        asked.sort_unstable();
        asked.dedup();
        let twice = before - asked.len();
        assert!(twice <= before / 8, "{encoding_ms} ms late: {twice} of {before} again");
        assert_replays(&world);
    }
}

#[test]
fn a_pathway_that_lacks_what_another_has_is_left() {
    let mut world = broadcast_on_two(Broadcast::default());
    world.run_for(Duration::from_secs(20));
    world.origin.fail("https://live.example/show/v", u32::MAX, FaultKind::Status(404));
    world.origin.fail("https://live.example/show/audio", u32::MAX, FaultKind::Status(404));
    world.run_for(Duration::from_secs(12));
    let late = world.now();
    world.run_for(Duration::from_secs(15));
    assert!(origins_failed(&world, Timestamp::default()) > 0);
    assert_eq!(hosts_since(&world, late), ["c.example"]);
    assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
}
