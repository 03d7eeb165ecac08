//! Queued segments are fetched again where it pays, and only there.

use kinora_abr::sim::{Movie, Options, Period, Player, Replacement, Session, Trace, play};
use kinora_abr::{Config, Rule};
use proptest::prelude::*;

const BITRATES_KBPS: [f64; 6] = [300.0, 700.0, 1500.0, 3000.0, 5000.0, 9000.0];
const SEGMENT_MS: f64 = 3000.0;

fn movie() -> Movie {
    let sizes = BITRATES_KBPS.map(|kbps| kbps * SEGMENT_MS).to_vec();
    Movie {
        segment_duration_ms: SEGMENT_MS,
        bitrates_kbps: BITRATES_KBPS.to_vec(),
        segment_sizes_bits: vec![sizes; 60],
    }
}

fn trace(rates_kbps: impl IntoIterator<Item = (f64, f64)>) -> Trace {
    let period = |(seconds, bandwidth_kbps)| Period {
        duration_ms: seconds * 1000.0,
        bandwidth_kbps,
        latency_ms: 40.0,
    };
    Trace(rates_kbps.into_iter().map(period).collect())
}

fn run(trace: &Trace, replacement: Replacement) -> Session {
    let config = Config::default();
    let options = Options { capacity_ms: 25_000.0, replacement, ..Options::default() };
    play(&movie(), trace, Player::rule(Rule::Kinora, &config), &options)
}

/// Bits that were fetched and not shown, as a part of all.
fn wasted(session: &Session) -> f64 {
    let all: f64 = session.transfers.iter().map(|transfer| transfer.bits).sum();
    let size = |rung: &usize| BITRATES_KBPS[*rung] * SEGMENT_MS;
    let shown: f64 = session.rungs.iter().map(size).sum();
    1.0 - shown / all
}

#[test]
fn a_step_up_improves_what_waits_already() {
    let step_up = trace([(60.0, 900.0), (600.0, 20_000.0)]);
    let without = run(&step_up, Replacement::None);
    let with = run(&step_up, Replacement::Rule);
    assert!(with.rungs.len() == without.rungs.len() && with.stalled_ms == 0.0);
    let low = |session: &Session| session.rungs.iter().filter(|rung| **rung < 5).count();
    assert!(low(&with) + 2 <= low(&without), "with {:?}, without {:?}", with.rungs, without.rungs);
}

#[test]
fn where_nothing_changes_nothing_is_fetched_twice() {
    for kbps in [900.0, 2000.0, 4000.0, 20_000.0] {
        let session = run(&trace([(600.0, kbps)]), Replacement::Rule);
        assert!(wasted(&session) < 0.1, "{kbps}: {}", wasted(&session));
        assert_eq!(session.stalled_ms, 0.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever the network does, what is replaced gets better, and little is thrown away.
    #[test]
    fn what_is_thrown_away_is_bounded(
        rates in prop::collection::vec((1.0..15.0_f64, 5.0..9.8_f64), 3..40),
    ) {
        let trace = trace(rates.iter().map(|(seconds, log)| (*seconds, log.exp())));
        let session = run(&trace, Replacement::Rule);
        let mut best = vec![None; session.rungs.len()];
        for transfer in session.transfers.iter().filter(|transfer| !transfer.abandoned) {
            let held = best.get_mut(transfer.segment).expect("a segment of the title");
            prop_assert!(held.is_none_or(|held| held < transfer.rung));
            *held = Some(transfer.rung);
        }
        let replaced = |t: &&kinora_abr::sim::TransferRecord| !t.abandoned;
        let complete: f64 = session.transfers.iter().filter(replaced).map(|t| t.bits).sum();
        let size = |rung: &usize| BITRATES_KBPS[*rung] * SEGMENT_MS;
        let shown: f64 = session.rungs.iter().map(size).sum();
        // What came too late to be shown may come on top.
        prop_assert!(complete - shown <= 0.35 * complete, "{} of {complete}", complete - shown);
    }
}
