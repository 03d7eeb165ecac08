//! The simulator's figures against sessions worked out by hand.

use kinora_abr::sim::reference::Fixed;
use kinora_abr::sim::{Movie, Options, Outcome, Period, Player, Trace, play};
use kinora_abr::{Config, Rule};

fn movie(segments: usize) -> Movie {
    Movie {
        segment_duration_ms: 2000.0,
        bitrates_kbps: vec![500.0, 1000.0, 2000.0],
        segment_sizes_bits: vec![vec![1e6, 2e6, 4e6]; segments],
    }
}

fn trace(periods: &[(f64, f64)]) -> Trace {
    let period =
        |&(duration_ms, bandwidth_kbps)| Period { duration_ms, bandwidth_kbps, latency_ms: 100.0 };
    Trace(periods.iter().map(period).collect())
}

fn fixed(
    rung: usize,
    first: usize,
    segments: usize,
    capacity_ms: f64,
    network: &[(f64, f64)],
) -> Outcome {
    let movie = movie(segments);
    let options = Options { capacity_ms, first: Some(first), ..Options::default() };
    let player = Player::new(Box::new(Fixed(rung)), &Config::default());
    play(&movie, &trace(network), player, &options).outcome(&movie)
}

#[test]
fn a_network_that_is_too_slow_stalls_for_the_difference() {
    // Every segment of 2 s takes 0.1 + 4 s: 2.1 s of stall for each but the first.
    let outcome = fixed(2, 2, 5, 20_000.0, &[(1000.0, 1000.0)]);
    assert_eq!(outcome.startup_s, 4.1);
    assert!((outcome.stalled_s - 4.0 * 2.1).abs() < 1e-9);
    assert_eq!(outcome.stalls, 4.0);
    assert_eq!(outcome.kbps, 2000.0);
    let session_s = 4.1 + 8.4 + 10.0;
    assert!((outcome.stall_ratio - 8.4 / session_s).abs() < 1e-12);
    assert!((outcome.linear - (2.0 - 2.0 * (4.1 + 8.4) / 5.0)).abs() < 1e-12);
    let score = (5.0 * 4.0_f64.ln() - 5.0 * 8.4 / 2.0) / (session_s / 2.0);
    assert!((outcome.score - score).abs() < 1e-9);
}

#[test]
fn a_full_buffer_waits_and_an_outage_is_survived_from_it() {
    // Two segments fit. After them one is fetched whenever one was played; the outage of 1.5 s is
    // shorter than what is queued.
    let outcome = fixed(0, 0, 10, 4000.0, &[(5000.0, 8000.0), (1500.0, 0.0)]);
    assert_eq!(outcome.stalled_s, 0.0);
    assert_eq!(outcome.startup_s, 0.225);
    // An outage longer than the buffer is not.
    let outcome = fixed(0, 0, 10, 4000.0, &[(5000.0, 8000.0), (6000.0, 0.0)]);
    assert!(outcome.stalled_s > 1.0 && outcome.stalled_s < 6.0);
}

#[test]
fn a_change_of_bitrate_counts_once() {
    let outcome = fixed(2, 0, 4, 20_000.0, &[(1000.0, 50_000.0)]);
    assert_eq!(outcome.kbps, 1625.0);
    assert_eq!(outcome.change_kbps, 1500.0 / 4.0);
}

#[test]
fn a_rule_may_choose_the_first_segment() {
    let movie = movie(20);
    let config = Config { initial_throughput_bps: 20e6, ..Config::default() };
    let options = Options { first: None, ..Options::default() };
    let network = trace(&[(1000.0, 20_000.0)]);
    let session = play(&movie, &network, Player::rule(Rule::Dynamic, &config), &options);
    assert_eq!(session.rungs, vec![2; 20]);
}

#[test]
fn what_cannot_be_played_is_recognised() {
    assert!(movie(3).is_sound());
    assert!(!Movie { bitrates_kbps: vec![500.0, f64::NAN, 2000.0], ..movie(3) }.is_sound());
    assert!(!Movie { segment_sizes_bits: vec![vec![1.0, 2.0]], ..movie(3) }.is_sound());
    assert!(!Movie { segment_sizes_bits: Vec::new(), ..movie(3) }.is_sound());
    assert!(trace(&[(1000.0, 1.0)]).is_sound());
    assert!(!trace(&[(1000.0, 0.0)]).is_sound());
    assert!(!trace(&[(f64::INFINITY, 10.0)]).is_sound());
}
