//! However much goes wrong, there is a bound to how much is asked for.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::config::RetryConfig;
use kinora_core::io::Input;
use kinora_core::telemetry::TimerReason;
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, seconds};

use super::{BASE, hls};

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
