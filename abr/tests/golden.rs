//! The simulator and the published rules give, trace by trace, the figures known for them.
//!
//! The recorded networks are not part of this repository: see `data`, and run with `--ignored`.
#![allow(
    clippy::disallowed_methods,
    reason = "the data come from files; the crate itself reads none"
)]

use std::collections::BTreeMap;

use kinora_abr::sim::{Options, Outcome, Published, play};

mod data;

#[test]
#[ignore = "needs recorded networks: KINORA_ABR_DATA"]
fn published_rules_give_their_known_figures() {
    let mut compared = 0;
    let mut deviations = BTreeMap::<(&str, &str), (usize, f64)>::new();
    for set in data::SETS {
        let (movie, known) = (set.movie(), set.known());
        for rule in Published::ALL {
            for (file, figures) in known[rule.name].as_object().expect("figures per trace") {
                let options = Options { capacity_ms: set.buffer_s * 1000.0, ..Options::default() };
                let (player, options) = rule.player(&options);
                let outcome = play(&movie, &set.trace(file), player, &options).outcome(&movie);
                let known: Outcome = serde_json::from_value(figures.clone()).unwrap();
                let worst = difference(&outcome, &known);
                if worst > 1e-6 {
                    let entry = deviations.entry((set.name, rule.name)).or_default();
                    entry.0 += 1;
                    entry.1 = entry.1.max(worst);
                }
                compared += 1;
            }
        }
    }
    assert!(deviations.is_empty(), "of {compared}: {deviations:#?}");
    assert!(compared > 4000);
}

/// The largest relative difference (absolute below 1) of any figure.
fn difference(a: &Outcome, b: &Outcome) -> f64 {
    let figures = |o: &Outcome| {
        [
            o.kbps,
            o.utility,
            o.stall_ratio,
            o.stalled_s,
            o.stalls,
            o.change_kbps,
            o.score,
            o.startup_s,
            o.linear,
        ]
    };
    let pairs = figures(a).into_iter().zip(figures(b));
    pairs.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f64::max)
}
