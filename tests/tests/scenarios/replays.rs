//! A session's log replays exactly, and answers "what if".

use std::time::Duration;

use kinora_core::io::{Event, Output};
use kinora_core::telemetry::log::{Log, LogError, replay, replay_to_bytes};
use kinora_tests::world::content::{Film, Origin};
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{hls, world, world_of};

fn recorded() -> World {
    let network = Network::steps(&[(15, 9_000), (15, 900), (3_600, 5_000)]);
    let mut world = world(&Film::default(), network);
    world.load(&hls());
    world.run_to_end(Duration::from_secs(90));
    world
}

#[test]
fn a_changing_network_replays_exactly() {
    let world = recorded();
    assert_replays(&world);
    let bytes = replay_to_bytes(world.player.session_log());
    assert!(bytes.is_ok_and(|bytes| !bytes.is_empty()));
}

#[test]
fn hours_of_low_latency_fit_into_a_log() {
    let broadcast = Broadcast { part_ms: Some(250), window_s: 300, ..Broadcast::default() };
    let url = broadcast.hls();
    let mut origin = Origin::default();
    origin.broadcast = Some(broadcast);
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&url);
    world.run_for(Duration::from_secs(60));
    let first = world.player.session_log().len();
    world.run_for(Duration::from_secs(60));
    let minute = world.player.session_log().len() - first;
    // 64 MiB are two hours at the least.
    assert!(minute < (64 << 20) / 120, "{minute} bytes a minute");
    assert_replays(&world);
}

#[test]
fn another_rule_decides_otherwise_on_the_same_inputs() {
    let world = recorded();
    let decisions = |rule: Option<&str>| {
        let mut log = Log::parse(world.player.session_log()).expect("the log reads");
        log.config.abr.rule = rule.map(str::to_owned);
        let mut causes = Vec::new();
        replay(log, |_, output| {
            if let Output::Event(Event::Decision(decision)) = output {
                causes.push((decision.reasons.rule, decision.reasons.cause));
            }
        })
        .expect("the log replays");
        causes
    };
    assert_ne!(decisions(None), decisions(Some("throughput")));
}

#[test]
fn a_log_that_breaks_off_says_where() {
    let world = recorded();
    let log = world.player.session_log();
    assert!(matches!(
        replay_to_bytes(&log[..log.len() - 1]),
        Err(LogError::Corrupt { offset }) if offset < log.len()
    ));
    assert_eq!(replay_to_bytes(b"something else"), Err(LogError::NotALog));
}
