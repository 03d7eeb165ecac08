//! The player carries out what the simulator reckons: on the same networks, the same segments are shown
//! in the same rungs, replaced ones included. What the rules are worth is measured in the simulator, so
//! this is what makes those figures the player's.

use std::time::Duration;

use kinora_abr::sim::{Movie, Options, Period, Replacement, Trace, play};
use kinora_abr::{Config as AbrConfig, Rule};
use kinora_core::Config;
use kinora_core::io::MediaKind;
use kinora_tests::world::World;
use kinora_tests::world::content::Film;
use kinora_tests::world::network::{Network, Stretch};

use super::{BASE, dash, seconds};

const SEGMENT_SECONDS: u32 = 2;
const BUFFER_SECONDS: u64 = 30;

fn film() -> Film {
    Film { seconds: 240, segment_seconds: SEGMENT_SECONDS, audio_kbps: None, ..Film::default() }
}

/// Networks by name: seconds and kbit/s, repeated.
fn networks() -> Vec<(&'static str, Vec<(u64, u64)>)> {
    // A walk whose steps are fixed, so that nothing here is drawn at random.
    let walk = [1_900, 2_250, 2_340, 1_570, 1_820, 1_300, 900, 1_150, 1_700, 2_600, 3_900, 5_200];
    vec![
        ("steady", vec![(60, 2_400)]),
        ("up", vec![(40, 700), (400, 10_000)]),
        ("down", vec![(60, 8_000), (400, 900)]),
        ("steps", vec![(30, 500), (45, 6_000), (20, 800)]),
        ("walk", walk.map(|kbps| (8, kbps)).to_vec()),
        ("saw", [700, 1_400, 2_800, 5_600, 2_800, 1_400].map(|kbps| (15, kbps)).to_vec()),
    ]
}

fn simulated(steps: &[(u64, u64)], replacement: Replacement) -> Vec<usize> {
    let film = film();
    let duration_ms = f64::from(SEGMENT_SECONDS) * 1_000.0;
    let bitrates: Vec<f64> = film.rungs.iter().map(|(kbps, _)| f64::from(*kbps)).collect();
    let sizes: Vec<f64> = bitrates.iter().map(|kbps| kbps * duration_ms).collect();
    let movie = Movie {
        segment_duration_ms: duration_ms,
        bitrates_kbps: bitrates,
        segment_sizes_bits: vec![sizes; (film.seconds / SEGMENT_SECONDS) as usize],
    };
    let period = |&(seconds, kbps): &(u64, u64)| Period {
        duration_ms: seconds as f64 * 1_000.0,
        bandwidth_kbps: kbps as f64,
        latency_ms: 20.0,
    };
    let trace = Trace(steps.iter().map(period).collect());
    let options = Options {
        capacity_ms: BUFFER_SECONDS as f64 * 1_000.0,
        first: None,
        replacement,
        sizes_known: false,
        ..Options::default()
    };
    let config = AbrConfig::default();
    play(&movie, &trace, kinora_abr::sim::Player::rule(Rule::Kinora, &config), &options).rungs
}

/// The rungs that the player shows, segment by segment.
fn played(steps: &[(u64, u64)], replace: bool) -> Vec<usize> {
    let film = film();
    let stretch = |&(seconds, kbps): &(u64, u64)| Stretch {
        duration: Duration::from_secs(seconds),
        kbps,
        latency: Duration::from_millis(20),
        ..Stretch::default()
    };
    let network = Network::from_trace(steps.iter().map(stretch).collect());
    let mut config = Config::default();
    config.abr.replace = replace;
    config.buffer.forward = Duration::from_secs(BUFFER_SECONDS);
    let mut world = World::new(config, film.publish(BASE), network);
    world.load(&dash());
    let mut rungs = Vec::new();
    for segment in 0..film.seconds / SEGMENT_SECONDS {
        let middle = seconds(f64::from(segment * SEGMENT_SECONDS) + 1.0);
        world.run_until("the next segment", Duration::from_secs(60), |world| {
            world.element.position >= middle
        });
        let state = world.player.state();
        let video = state.streams.iter().find(|stream| stream.kind == MediaKind::Video);
        let shown = video.and_then(|video| video.shown.as_ref()?.height);
        let rung = film.rungs.iter().position(|(_, height)| Some(*height) == shown);
        rungs.push(rung.expect("a picture is shown"));
    }
    rungs
}

fn mean_kbps(rungs: &[usize]) -> f64 {
    let film = film();
    let sum: u32 = rungs.iter().map(|rung| film.rungs[*rung].0).sum();
    f64::from(sum) / rungs.len() as f64
}

#[test]
fn on_every_network_with_and_without_replacement() {
    let (mut same, mut all) = (0, 0);
    let (mut with, mut without) = (0.0, 0.0);
    for (name, steps) in networks() {
        for replace in [true, false] {
            let replacement = if replace { Replacement::Rule } else { Replacement::None };
            let (ours, reckoned) = (played(&steps, replace), simulated(&steps, replacement));
            let agree = ours.iter().zip(&reckoned).filter(|(a, b)| a == b).count();
            let (mean, reckoned_mean) = (mean_kbps(&ours), mean_kbps(&reckoned));
            println!(
                "{name:8} replace {replace:5}: {agree} of {} the same; {mean:.0} and {reckoned_mean:.0} kbit/s",
                ours.len(),
            );
            assert!(
                (mean / reckoned_mean - 1.0).abs() < 0.05,
                "{name}: {mean:.0} kbit/s shown, {reckoned_mean:.0} reckoned\n{ours:?}\n{reckoned:?}"
            );
            same += agree;
            all += ours.len();
            *(if replace { &mut with } else { &mut without }) += mean;
        }
    }
    println!(
        "{same} of {all} the same; {:.1} % gained by replacing",
        100.0 * (with / without - 1.0)
    );
    assert!(same * 100 >= all * 93, "only {same} of {all} segments are shown as reckoned");
    assert!(with > without);
}
