//! However much goes wrong, there is a bound to how much is asked for.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::config::RetryConfig;
use kinora_core::io::Input;
use kinora_core::telemetry::TimerReason;
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, seconds};

use super::{BASE, dash, hls};

#[test]
fn a_minute_has_only_so_many_requests() {
    let retry = RetryConfig { requests_per_minute: 60, ..RetryConfig::default() };
    let config = Config { retry, ..Config::default() };
    let film = Film { seconds: 600, ..Film::default() };
    let mut world = World::new(config, film.publish(BASE), Network::constant(50_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(2));
    // A viewer who cannot decide.
    let mut limited = false;
    for step in 0..600 {
        world.input(Input::Seek(seconds(step * 7 % 590)));
        world.run_for(Duration::from_millis(200));
        let timers = world.player.state().timers;
        limited |= timers.iter().any(|timer| timer.reason == TimerReason::RequestAllowance);
    }
    assert!(limited, "the bound was reached");
    for (first, (start, _)) in world.requests.iter().enumerate() {
        let minute = *start + Duration::from_secs(60);
        let within = world.requests[first..].iter().take_while(|(at, _)| *at < minute).count();
        assert!(within <= 60, "{within} requests in a minute");
    }
}

#[test]
fn a_host_that_is_gone_is_asked_ever_less_often() {
    let film = Film { seconds: 600, audio_kbps: None, rungs: vec![(800, 480)], ..Film::default() };
    let mut world = World::new(Config::default(), film.publish(BASE), Network::constant(8_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(20));
    world.origin.fail("cdn.example", u32::MAX, FaultKind::Refuse);
    world.run_for(Duration::from_secs(15));
    let gone = world.now();
    world.run_for(Duration::from_secs(40));
    let asked = world.requests.iter().filter(|(at, _)| *at >= gone).count();
    // Half of the longest pause is the shortest.
    assert!((4..=10).contains(&asked), "{asked} requests in 40 s");
}

#[test]
fn what_was_refused_before_is_asked_for_again_without_haste() {
    let film = Film {
        seconds: 300,
        segment_seconds: 10,
        rungs: vec![(250, 240), (700, 360), (2_000, 720)],
        audio_kbps: None,
        ..Film::default()
    };
    let mut origin = film.publish(BASE);
    // First and last resort: refused at the start, and twice more where nothing else is left.
    origin.fail("v240/init", 6, FaultKind::Refuse);
    origin.fail("v720/init", u32::MAX, FaultKind::Status(410));
    origin.fail("v360/3.m4s", u32::MAX, FaultKind::Status(410));
    let mut world = World::new(Config::default(), origin, Network::constant(8_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(100));
    let of_init = world.requests.iter().filter(|(_, request)| request.url.contains("v240/init"));
    let asked: Vec<_> = of_init.map(|(at, _)| *at).collect();
    let (start, again) = asked.split_at(4);
    assert!(start.windows(2).any(|pair| pair[1].since(pair[0]) < Duration::from_secs(1)));
    for pair in again.windows(2) {
        let pause = pair[1].since(pair[0]);
        assert!(pause > Duration::from_millis(1_500), "{pause:?} between two of {asked:?}");
    }
    assert!(world.element.position > seconds(85), "{}", world.element.position);
}
