//! Whole players on one link: fair to one another, undisturbed by their own audio, and close to the live
//! edge.

use kinora_abr::sim::reference::Fixed;
use kinora_abr::sim::shared::{Live, Viewer, Viewing, watch};
use kinora_abr::sim::{Movie, Options, Period, Player, Trace, play};
use kinora_abr::{CatchUp, Config, Rule, Source};

const LADDER: [f64; 6] = [300.0, 600.0, 1100.0, 1900.0, 3200.0, 5000.0];

fn movie(ladder: &[f64], segments: usize) -> Movie {
    Movie {
        segment_duration_ms: 2000.0,
        bitrates_kbps: ladder.to_vec(),
        segment_sizes_bits: vec![ladder.iter().map(|b| b * 2000.0).collect(); segments],
    }
}

fn viewer(movie: Movie) -> Viewer {
    Viewer {
        movie,
        config: Config::default(),
        capacity_ms: 30_000.0,
        joins_ms: 0.0,
        audio_kbps: None,
        live: None,
    }
}

fn trace(periods: &[(f64, f64)]) -> Trace {
    let period =
        |&(duration_ms, bandwidth_kbps)| Period { duration_ms, bandwidth_kbps, latency_ms: 30.0 };
    Trace(periods.iter().map(period).collect())
}

fn mean_kbps(viewing: &Viewing, segments: std::ops::Range<usize>) -> f64 {
    let rungs = &viewing.session.rungs[segments];
    rungs.iter().map(|&rung| LADDER[rung]).sum::<f64>() / rungs.len() as f64
}

#[test]
fn a_ladder_of_one_rung_plays_as_in_the_plain_simulator() {
    let one = movie(&[900.0], 30);
    let network = trace(&[(7000.0, 1500.0), (9000.0, 300.0), (3000.0, 0.0), (8000.0, 2500.0)]);
    let alone = &watch(&network, &[viewer(one.clone())], f64::INFINITY)[0].session;
    let options = Options { capacity_ms: 30_000.0, abandon: false, ..Options::default() };
    let player = Player::new(Box::new(Fixed(0)), &Config::default());
    let plain = play(&one, &network, player, &options);
    assert!(plain.stalled_ms > 1000.0);
    assert!((alone.startup_ms - plain.startup_ms).abs() < 0.01);
    assert!(
        (alone.stalled_ms - plain.stalled_ms).abs() < 1.0,
        "{} {}",
        alone.stalled_ms,
        plain.stalled_ms
    );
    assert_eq!(alone.stalls, plain.stalls);
    assert_eq!(alone.rungs, plain.rungs);
}

/// How far, of the mean, the mean bitrates of players are from it at most, who join one after the other;
/// the mean; and the largest share of time that any of them stalled. From when all are there until the
/// first is done.
fn sharing(network: &Trace, players: usize) -> (f64, f64, f64) {
    let viewers: Vec<Viewer> = (0..players)
        .map(|n| Viewer { joins_ms: 3100.0 * n as f64, ..viewer(movie(&LADDER, 150)) })
        .collect();
    let viewings = watch(network, &viewers, f64::INFINITY);
    let means: Vec<f64> = viewings.iter().map(|viewing| mean_kbps(viewing, 30..120)).collect();
    let mean = means.iter().sum::<f64>() / players as f64;
    let off = means.iter().map(|own| (own - mean).abs() / mean).fold(0.0, f64::max);
    let stalled = viewings.iter().map(|viewing| viewing.session.stalled_ms / 300_000.0);
    (off, mean, stalled.fold(0.0, f64::max))
}

#[test]
fn players_on_one_link_get_equal_shares() {
    let mut numbers = 7_u64;
    // Up to a quarter more or less, anew every five seconds.
    let variation: Vec<f64> = std::iter::repeat_with(|| {
        numbers =
            numbers.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        0.75 + 0.5 * (numbers >> 40) as f64 / (1_u64 << 24) as f64
    })
    .take(60)
    .collect();
    for players in 2..=8 {
        for share_kbps in [800.0, 1500.0, 2400.0, 4000.0] {
            let total_kbps = share_kbps * players as f64;
            let periods: Vec<_> = variation.iter().map(|by| (5000.0, by * total_kbps)).collect();
            let (off, mean, stalled) = sharing(&trace(&periods), players);
            assert!(off < 0.15, "{players} x {share_kbps}: {off}");
            assert!(mean > 0.9 * share_kbps, "{players} x {share_kbps}: {mean}");
            assert!(stalled < 0.01, "{players} x {share_kbps}: {stalled}");
        }
    }
}

#[test]
fn on_a_link_that_never_changes_shares_are_equal_in_time() {
    // Between two rungs, no player stays on the upper one for long while another waits on the lower.
    for players in 2..=8 {
        for share_kbps in [1000.0, 1500.0, 2400.0, 4000.0] {
            let network = trace(&[(1000.0, share_kbps * players as f64)]);
            let (off, mean, stalled) = sharing(&network, players);
            assert!(off < 0.15, "{players} x {share_kbps}: {off}");
            assert!(mean > 0.85 * share_kbps, "{players} x {share_kbps}: {mean}");
            assert!(stalled < 0.01, "{players} x {share_kbps}: {stalled}");
        }
    }
}

#[test]
fn audio_beside_the_video_does_not_move_the_estimate() {
    for kbps in [1200.0, 4000.0, 12_000.0] {
        let network = trace(&[(1000.0, kbps)]);
        let silent = viewer(movie(&LADDER, 60));
        let sounding = Viewer { audio_kbps: Some(128.0), ..silent.clone() };
        let [silent, sounding] =
            [silent, sounding].map(|v| watch(&network, &[v], f64::INFINITY).remove(0));
        let ratio = sounding.estimate.median_bps / silent.estimate.median_bps;
        assert!((ratio - 1.0).abs() < 0.03, "{kbps}: {ratio}");
        assert!((silent.estimate.median_bps / 1000.0 / kbps - 1.0).abs() < 0.05);
        assert_eq!(sounding.session.stalls, 0);
    }
}

fn live(target_ms: f64, chunks: u32) -> Viewer {
    let catch_up = CatchUp { max_change: 0.1, ..CatchUp::default() };
    let live = Live { target_ms, chunks, catch_up };
    Viewer { live: Some(live), capacity_ms: target_ms, ..viewer(movie(&LADDER, 30)) }
}

#[test]
fn live_latency_returns_to_its_target_after_an_outage() {
    for (target_ms, chunks) in [(6000.0, 1), (3000.0, 8)] {
        let network = trace(&[(60_000.0, 3000.0), (7000.0, 0.0), (200_000.0, 3000.0)]);
        let viewing = watch(&network, &[live(target_ms, chunks)], 180_000.0).remove(0);
        let at = |ms: f64| {
            let record = viewing.latency.iter().find(|(at_ms, _)| *at_ms >= ms);
            record.expect("still playing").1 - target_ms
        };
        assert!(at(58_000.0).abs() < 400.0, "{target_ms}: {} before", at(58_000.0));
        assert!(at(70_000.0) > 500.0, "{target_ms}: {} after the outage", at(70_000.0));
        assert!(at(175_000.0).abs() < 400.0, "{target_ms}: {} in the end", at(175_000.0));
        assert!(viewing.session.stalls <= 3, "{target_ms}: {}", viewing.session.stalls);
    }
}

#[test]
fn nothing_is_received_before_it_is_made() {
    let network = trace(&[(1000.0, 50_000.0)]);
    let viewing = watch(&network, &[live(2500.0, 8)], 60_000.0).remove(0);
    let transfers = &viewing.session.transfers;
    assert!(transfers.len() > 20);
    for transfer in &transfers[3..] {
        // The simulation begins a minute into what is being made.
        let made_ms = (transfer.segment as f64 + 1.0) * 2000.0 - 60_000.0;
        let end_ms = transfer.start_ms + transfer.elapsed_ms;
        assert!(end_ms > made_ms - 1.0 && end_ms < made_ms + 200.0, "{made_ms} {end_ms}");
        assert!(transfer.start_ms < made_ms - 1000.0, "requested while it is being made");
    }
}

#[test]
fn close_to_the_edge_the_default_rule_decides_by_latency() {
    let network = trace(&[(20_000.0, 4000.0), (20_000.0, 1500.0), (20_000.0, 2500.0)]);
    let of = |rule: Rule, target_ms: f64, chunks: u32| {
        let viewer = live(target_ms, chunks);
        let viewer = Viewer { config: Config { rule, ..viewer.config }, ..viewer };
        watch(&network, &[viewer], 120_000.0).remove(0).session.rungs
    };
    for (target_ms, close) in [(2500.0, true), (3500.0, true), (10_000.0, false)] {
        let [default, low_latency] =
            [Rule::Kinora, Rule::LowLatency].map(|rule| of(rule, target_ms, 8));
        assert_eq!(default == low_latency, close, "{target_ms}: {default:?} {low_latency:?}");
    }
}

#[test]
fn chunks_show_the_network_and_not_the_encoder() {
    let network = trace(&[(1000.0, 9000.0)]);
    let viewing = watch(&network, &[live(2500.0, 8)], 60_000.0).remove(0);
    assert_eq!(viewing.estimate.source, Source::Measured);
    let ratio = viewing.estimate.median_bps / 9e6;
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    assert!(mean_kbps(&viewing, 10..25) > 4000.0, "{:?}", viewing.session.rungs);
}

#[test]
fn what_waits_in_the_buffer_is_fetched_again_when_the_network_gets_better() {
    let network = trace(&[(60_000.0, 700.0), (200_000.0, 20_000.0)]);
    let [with, without] = [true, false].map(|replace| {
        let config = Config { replace, ..Config::default() };
        watch(&network, &[Viewer { config, ..viewer(movie(&LADDER, 60)) }], f64::INFINITY).remove(0)
    });
    assert!(mean_kbps(&with, 0..60) > mean_kbps(&without, 0..60) + 50.0);
    assert!(with.session.transfers.len() > without.session.transfers.len());
    assert_eq!(with.session.rungs.len(), 60);
    assert_eq!(with.session.stalls, 0);
}

#[test]
fn a_transfer_that_hopelessly_lags_is_given_up() {
    let config = Config { rule: Rule::Kinora, ..Config::default() };
    let network = trace(&[(20_000.0, 6000.0), (40_000.0, 250.0), (60_000.0, 6000.0)]);
    let viewer = Viewer { config, ..viewer(movie(&LADDER, 60)) };
    let viewing = watch(&network, &[viewer], f64::INFINITY).remove(0);
    assert!(viewing.session.abandoned >= 1);
    let given_up = viewing.session.transfers.iter().filter(|t| t.abandoned).count();
    assert_eq!(given_up as u32, viewing.session.abandoned);
    assert_eq!(viewing.session.rungs.len(), 60);
}
