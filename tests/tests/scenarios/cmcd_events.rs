//! Collectors are told of what happens (CTA-5004-B, event mode), and nothing that plays depends on them.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::config::{CmcdConfig, CmcdTarget};
use kinora_core::io::{Event, Input, RequestKind};
use kinora_core::time::Timestamp;
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::live::wall;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays};

use super::{BASE, dash, fatal, hls};

const COLLECTOR: &str = "https://collector.example/cmcd";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn target(events: &[&str], keys: &[&str]) -> CmcdTarget {
    let (events, keys) = (names(events), names(keys));
    CmcdTarget { url: COLLECTOR.into(), events, keys, ..CmcdTarget::default() }
}

fn world_with(targets: Vec<CmcdTarget>, mut origin: Origin, network: Network) -> World {
    for target in &targets {
        origin.add(&target.url, "text/plain", "");
    }
    let cmcd = CmcdConfig { targets, ..CmcdConfig::default() };
    World::new(Config { cmcd, ..Config::default() }, origin, network)
}

fn film() -> Origin {
    Film::default().publish(BASE)
}

/// The batches that were sent, with when.
fn batches(world: &World) -> Vec<(Timestamp, String)> {
    let mut sent = Vec::new();
    for (at, request) in &world.requests {
        if request.kind == RequestKind::Report {
            let body = request.post.clone().expect("a report is posted");
            sent.push((*at, String::from_utf8(body).expect("UTF-8")));
        }
    }
    sent
}

/// Each report without its time.
fn reports(world: &World) -> Vec<String> {
    let mut reports = Vec::new();
    for (_, batch) in batches(world) {
        for line in batch.lines() {
            let keys = line.split(',').filter(|key| !key.starts_with("ts="));
            reports.push(keys.collect::<Vec<_>>().join(","));
        }
    }
    reports
}

#[test]
fn a_collector_follows_playback_from_the_start_to_the_end() {
    for url in [hls(), dash()] {
        let mut world = world_with(vec![target(&[], &["sn"])], film(), Network::constant(8_000));
        world.load(&url);
        world.run_to_end(Duration::from_secs(90));
        assert_eq!(fatal(&world), None);
        let said = reports(&world);
        let expected = [
            "e=ps,sn=0,sta=s,v=2",
            "e=t,sn=1,v=2",
            "e=ps,sn=2,sta=p,v=2",
            "e=t,sn=3,v=2",
            "e=t,sn=4,v=2",
            "e=ps,sn=5,sta=e,v=2",
        ];
        assert_eq!(said, expected);
        for (at, batch) in batches(&world) {
            let (_, ts) = batch.rsplit_once("ts=").expect("a time");
            let ts: i64 = ts.split(',').next().unwrap_or_default().parse().expect("milliseconds");
            let late = wall(at).micros() / 1_000 - ts;
            assert!((0..1_000).contains(&late), "{late} ms late: {batch}");
        }
        let report = world.requests.iter().find(|(_, one)| one.kind == RequestKind::Report);
        let (_, report) = report.expect("a report");
        let field = |(name, value): &(String, String)| (name.clone(), value.clone());
        let headers: Vec<_> = report.headers.iter().map(field).collect();
        assert_eq!(headers, [("Content-Type".to_owned(), "application/cmcd".to_owned())]);
        assert_replays(&world);
    }
}

#[test]
fn each_collector_is_told_what_it_wants_as_often_as_it_wants() {
    let often = CmcdTarget {
        url: "https://often.example/".into(),
        interval: Duration::from_secs(5),
        batch: 3,
        authorization: Some("Bearer secret".into()),
        ..target(&["t"], &["pt"])
    };
    let never = CmcdTarget {
        url: "https://never.example/".into(),
        interval: Duration::ZERO,
        ..target(&["t"], &[])
    };
    let media = CmcdTarget { url: "https://media.example/".into(), ..target(&["rr"], &["rc"]) };
    let mut world = world_with(vec![often, never, media], film(), Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(90));
    assert_eq!(world.requests_for("never.example"), 0);
    let to_often: Vec<_> =
        world.requests.iter().filter(|(_, one)| one.url.contains("often.example")).collect();
    let lengths: Vec<usize> = to_often
        .iter()
        .map(|(_, one)| one.post.as_deref().unwrap_or_default().split(|b| *b == b'\n').count())
        .collect();
    let (last, full) = lengths.split_last().expect("batches");
    assert!(full.len() >= 3 && full.iter().all(|length| *length == 3), "{lengths:?}");
    assert!((1..=3).contains(last), "what is left is sent at the end: {lengths:?}");
    assert!(to_often.iter().all(|(_, one)| one.headers.iter().any(|(name, value)| {
        (name.as_str(), value.as_str()) == ("Authorization", "Bearer secret")
    })));
    // Every request but the reports themselves, once.
    let told: usize =
        batches(&world).iter().map(|(_, batch)| batch.matches("e=rr,rc=200,").count()).sum();
    let asked = |kind: RequestKind| kind != RequestKind::Report;
    let made = world.requests.iter().filter(|(_, request)| asked(request.kind)).count();
    assert_eq!(made, told);
    assert!(!format!("{:?}", world.player.session_log()).contains("secret"));
    let log = world.player.session_log();
    assert!(!log.windows(6).any(|bytes| bytes == b"secret"), "a log has no credentials");
}

#[test]
fn a_collector_that_fails_harms_no_playback_and_hears_of_everything_later() {
    // It is on the host of the media, and asks to be left alone.
    let url = format!("{BASE}/collector");
    let collector = CmcdTarget { url: url.clone(), ..target(&["ps", "t"], &["sn"]) };
    let play = |faults: &[FaultKind]| {
        let mut origin = film();
        for fault in faults {
            origin.fail("/collector", 2, fault.clone());
        }
        let mut world = world_with(vec![collector.clone()], origin, Network::constant(8_000));
        world.load(&dash());
        world.run_to_end(Duration::from_secs(90));
        assert_replays(&world);
        world
    };
    let (well, ill) = (play(&[]), play(&[FaultKind::RetryAfter(429, 20), FaultKind::Refuse]));
    assert_eq!(fatal(&ill), None);
    assert_eq!(ill.player.state().totals.stalls, 0);
    assert!(!ill.events.iter().any(|(_, event)| matches!(event, Event::OriginFailed { .. })));
    let decided = |world: &World| -> Vec<String> {
        let segment = |one: &kinora_core::io::Request| matches!(one.kind, RequestKind::Segment(_));
        let all = world.requests.iter().filter(|(_, one)| segment(one));
        all.map(|(at, one)| format!("{at:?} {}", one.url)).collect()
    };
    assert_eq!(decided(&well).len(), decided(&ill).len());
    // What was refused is asked again with the same words; what happened meanwhile follows.
    let mut heard: Vec<String> = Vec::new();
    for report in reports(&ill) {
        if !heard.contains(&report) {
            heard.push(report);
        }
    }
    assert_eq!(heard, reports(&well));
}

#[test]
fn who_wants_to_hear_nothing_more_is_told_nothing_more() {
    let mut origin = film();
    origin.fail("collector.example", 1, FaultKind::Status(410));
    let second = CmcdTarget { url: "https://other.example/".into(), ..target(&[], &[]) };
    let mut world = world_with(vec![target(&[], &[]), second], origin, Network::constant(8_000));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(90));
    assert_eq!(fatal(&world), None);
    assert_eq!(world.requests_for("collector.example"), 1);
    assert!(world.requests_for("other.example") > 3);
}

#[test]
fn a_fatal_error_is_told_at_once_however_much_is_sent_at_a_time() {
    let mut origin = film();
    origin.fail("manifest.mpd", u32::MAX, FaultKind::Status(404));
    let patient = CmcdTarget { batch: 100, ..target(&["ps", "e"], &["sn"]) };
    let mut world = world_with(vec![patient], origin, Network::constant(8_000));
    world.load(&dash());
    world.run_until("error", Duration::from_secs(60), |world| fatal(world).is_some());
    let said = reports(&world);
    let (last, before) = said.split_last().expect("reports");
    let number = before.len();
    assert_eq!(*last, format!("e=ps,sn={number},sta=f,v=2"));
    let error = format!("e=e,ec=(\"HTTP_STATUS\"),sn={},v=2", number - 1);
    assert_eq!(before.last(), Some(&error));
    world.run_for(Duration::from_secs(5));
    world.act(&Action::Unload);
}

#[test]
fn a_viewer_who_leaves_is_told_of_and_nothing_is_left() {
    let patient = CmcdTarget { batch: 100, ..target(&["ps"], &["sn"]) };
    let mut world = world_with(vec![patient], film(), Network::constant(8_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(10));
    assert_eq!(batches(&world).len(), 0, "nothing has been sent yet");
    world.act(&Action::Unload);
    assert_eq!(
        reports(&world),
        ["e=ps,sn=0,sta=s,v=2", "e=ps,sn=1,sta=p,v=2", "e=ps,sn=2,sta=q,v=2"]
    );
    world.run_for(Duration::from_secs(5));
    assert_replays(&world);
}

#[test]
fn what_is_said_last_is_said_once_more_if_it_fails() {
    let patient = CmcdTarget { batch: 100, ..target(&["ps"], &["sn"]) };
    let said = |faults: &[FaultKind], fatal: bool| {
        let mut origin = film();
        for fault in faults {
            origin.fail("collector.example", 1, fault.clone());
        }
        if fatal {
            origin.fail("manifest.mpd", u32::MAX, FaultKind::Status(404));
        }
        let mut world = world_with(vec![patient.clone()], origin, Network::constant(8_000));
        world.load(&dash());
        world.run_for(Duration::from_secs(if fatal { 60 } else { 10 }));
        if !fatal {
            assert_eq!(batches(&world).len(), 0, "nothing has been sent yet");
        }
        world.act(&Action::Unload);
        world.run_for(Duration::from_secs(60));
        assert_replays(&world);
        let last = if fatal { "sta=f" } else { "sta=q" };
        let batches = batches(&world);
        for (_, batch) in &batches {
            assert!(batch.contains(last) && *batch == batches[0].1, "{batch}");
        }
        batches.len()
    };
    for fatal in [false, true] {
        assert_eq!(said(&[], fatal), 1);
        assert_eq!(said(&[FaultKind::Status(200)], fatal), 1);
        // A server that does not want it does not want it a second time.
        assert_eq!(said(&[FaultKind::Status(403)], fatal), 1);
        for fault in [FaultKind::Status(503), FaultKind::Status(429), FaultKind::Refuse] {
            assert_eq!(said(std::slice::from_ref(&fault), fatal), 2, "{fault:?}");
            assert_eq!(said(&[fault.clone(), fault.clone(), fault.clone()], fatal), 2, "{fault:?}");
        }
    }
}

#[test]
fn what_waits_to_be_said_again_when_a_viewer_leaves_is_said_then() {
    let mut origin = film();
    origin.fail("collector.example", u32::MAX, FaultKind::Status(503));
    let mut world = world_with(vec![target(&["ps"], &["sn"])], origin, Network::constant(8_000));
    world.load(&dash());
    // It has failed often enough by now to be asked seldom.
    world.run_for(Duration::from_secs(8));
    let before = batches(&world).len();
    world.act(&Action::Unload);
    let after: Vec<String> = batches(&world).into_iter().skip(before).map(|(_, one)| one).collect();
    let all = after.join("\n");
    for number in 0..3 {
        assert!(all.contains(&format!("sn={number},")), "{number} of {all}");
    }
    world.run_for(Duration::from_secs(60));
}

#[test]
fn mute_is_told_when_the_viewer_mutes() {
    let mut world =
        world_with(vec![target(&["m", "um"], &["pt"])], film(), Network::constant(8_000));
    world.input(Input::Muted(false));
    world.load(&hls());
    world.run_for(Duration::from_secs(5));
    world.input(Input::Muted(true));
    world.run_for(Duration::from_secs(5));
    world.input(Input::Muted(true));
    world.input(Input::Muted(false));
    world.run_for(Duration::from_secs(1));
    let events: Vec<String> =
        reports(&world).iter().map(|one| one.split(',').next().unwrap_or("").to_owned()).collect();
    assert_eq!(events, ["e=m", "e=um"]);
    assert_replays(&world);
}

#[test]
fn what_happens_offline_is_told_once_there_is_a_network() {
    let mut world = world_with(vec![target(&["t"], &["sn"])], film(), Network::constant(8_000));
    world.tells_of_network = true;
    world.load(&dash());
    world.run_for(Duration::from_secs(20));
    world.act(&Action::GoOffline(Duration::from_secs(15)));
    world.run_for(Duration::from_secs(14));
    assert_eq!(reports(&world).len(), 1, "the report of second 30 waits");
    world.run_for(Duration::from_secs(3));
    assert_eq!(reports(&world), ["e=t,sn=0,v=2", "e=t,sn=1,v=2"]);
}

#[test]
fn without_the_time_of_day_nobody_is_told_anything() {
    let mut origin = film();
    origin.add(COLLECTOR, "text/plain", "");
    let cmcd = CmcdConfig { targets: vec![target(&[], &[])], ..CmcdConfig::default() };
    let config = Config { cmcd, ..Config::default() };
    let mut world = World::new(config, origin, Network::constant(8_000));
    let source = kinora_core::io::Source { url: dash(), format: None, start: None };
    world.input(Input::Load(source));
    world.run_for(Duration::from_secs(20));
    assert_eq!(batches(&world).len(), 0);
}
