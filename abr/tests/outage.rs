//! What happens when the network fails without warning.

use kinora_abr::sim::shared::{Viewer, watch};
use kinora_abr::sim::{Movie, Period, Session, Trace};
use kinora_abr::{Config, Rule};

const LADDER_KBPS: [f64; 5] = [235.0, 560.0, 1050.0, 2350.0, 4300.0];
const AUDIO_KBPS: f64 = 130.0;
const SEGMENT_MS: f64 = 2000.0;

fn run(trace: &Trace, config: Config, until_ms: f64) -> Session {
    let viewer = Viewer {
        movie: Movie {
            segment_duration_ms: SEGMENT_MS,
            bitrates_kbps: LADDER_KBPS.to_vec(),
            segment_sizes_bits: vec![LADDER_KBPS.map(|kbps| kbps * SEGMENT_MS).to_vec(); 90],
        },
        config,
        capacity_ms: 30_000.0,
        joins_ms: 0.0,
        audio_kbps: Some(AUDIO_KBPS),
        live: None,
    };
    watch(trace, &[viewer], until_ms).remove(0).session
}

fn trace(periods: &[(f64, f64)]) -> Trace {
    let period = |&(seconds, bandwidth_kbps): &(f64, f64)| Period {
        duration_ms: seconds * 1000.0,
        bandwidth_kbps,
        latency_ms: 40.0,
    };
    Trace(periods.iter().map(period).collect())
}

/// A link that just carries the highest rung: a rule that takes what the link sustains holds almost no
/// buffer, and one with a margin of 30 % plays a rung lower and holds as much as it has played.
#[test]
fn an_outage_is_ridden_out_as_by_a_player_that_plays_a_rung_lower() {
    let (until_s, link_kbps) = (15.0, 5000.0);
    let outage = trace(&[(until_s, link_kbps), (25.0, 0.0), (600.0, link_kbps)]);
    let session = run(&outage, Config::default(), 120_000.0);

    let cautious_kbps = LADDER_KBPS[3] + AUDIO_KBPS;
    let fetched_s = until_s * link_kbps / cautious_kbps;
    let cautious_stall_s = 25.0 - (fetched_s - until_s);
    let stalled_s = session.stalled_ms / 1000.0;
    assert!(stalled_s < cautious_stall_s + 1.0, "{stalled_s}, not {cautious_stall_s}");

    // Most of what was shown before was in the highest rung all the same.
    let before = &session.rungs[1..7];
    assert!(before.iter().filter(|rung| **rung == 4).count() >= 3, "{before:?}");
    // It returns to it.
    assert!(session.rungs[20..40].iter().all(|rung| *rung == 4), "{:?}", session.rungs);
}

#[test]
fn a_shorter_outage_is_not_noticed() {
    for (before_s, outage_s) in [(15.0, 10.0), (15.0, 14.0), (20.0, 12.0)] {
        let outage = trace(&[(before_s, 5000.0), (outage_s, 0.0), (600.0, 5000.0)]);
        let session = run(&outage, Config::default(), 60_000.0);
        assert_eq!(session.stalled_ms, 0.0, "{outage_s} s after {before_s} s");
    }
}

/// Where nothing may be replaced, what is fetched is what is shown.
#[test]
fn without_replacement_there_is_no_reserve() {
    let steady = trace(&[(600.0, 5000.0)]);
    for config in [
        Config { replace: false, ..Config::default() },
        Config { rule: Rule::Dynamic, ..Config::default() },
    ] {
        let session = run(&steady, config, 60_000.0);
        let mut fetched: Vec<usize> = session.transfers.iter().map(|t| t.segment).collect();
        fetched.dedup();
        assert_eq!(fetched.len(), session.transfers.len(), "nothing is fetched twice");
        assert!(session.rungs[3..].iter().all(|rung| *rung >= 3), "{:?}", session.rungs);
    }
}

/// A reserve is replaced before it is shown, and costs little of what is fetched.
#[test]
fn while_nothing_fails_the_reserve_is_not_seen() {
    for link_kbps in [4800.0, 5000.0, 5200.0] {
        let session = run(&trace(&[(600.0, link_kbps)]), Config::default(), 100_000.0);
        assert_eq!(session.stalled_ms, 0.0);
        let shown = &session.rungs[1..45];
        assert!(shown.iter().all(|rung| *rung >= 3), "{link_kbps}: {shown:?}");
        let sum = |kbps: &mut dyn Iterator<Item = f64>| kbps.sum::<f64>();
        let fetched = sum(&mut session.transfers.iter().map(|t| t.bits));
        let kept = sum(&mut session.rungs.iter().map(|rung| LADDER_KBPS[*rung] * SEGMENT_MS));
        assert!(kept > 0.93 * fetched, "{link_kbps}: {kept} of {fetched}");
    }
}

/// A link that is steady on the whole, and measured now as more than enough, now as less.
#[test]
fn while_the_reserve_fills_the_picture_does_not_come_and_go() {
    let swing = [0.86, 1.12, 0.97, 1.15, 0.9, 1.0, 1.08, 0.92];
    for turn in 0..swing.len() {
        let factors = swing.iter().cycle().skip(turn).take(200);
        let periods: Vec<_> = factors.map(|factor| (0.3, 5000.0 * factor)).collect();
        let session = run(&trace(&periods), Config::default(), 30_000.0);
        let shown = &session.rungs[..11];
        let falls = shown.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(falls <= 1, "from the {turn}th on: {shown:?}");
    }
}

/// The network falls to a fifth: what was kept in the lowest quality is replaced as far as it still carries.
#[test]
fn a_reserve_is_replaced_on_a_worse_network_too() {
    for before_s in [14.0, 17.0, 20.0, 23.0] {
        let drop = trace(&[(before_s, 5000.0), (600.0, 1000.0)]);
        let session = run(&drop, Config::default(), 120_000.0);
        assert_eq!(session.stalled_ms, 0.0);
        let later = session.rungs.iter().skip(1).skip_while(|rung| **rung > 0);
        let lowest = later.take_while(|rung| **rung == 0).count();
        assert!((1..=2).contains(&lowest), "{before_s}: {:?}", session.rungs);
    }
}
