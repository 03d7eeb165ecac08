//! The simulator and the published rules give, trace by trace, the figures known for them.
//!
//! The recorded networks are not part of this repository. Name a folder that holds `traces/` and
//! `golden/` in `KINORA_ABR_DATA` and run with `--ignored`.
#![allow(
    clippy::disallowed_methods,
    reason = "the data come from files; the crate itself reads none"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use kinora_abr::sim::reference::{BolaBasic, DynamicBasic, Fixed};
use kinora_abr::sim::{Movie, Options, Outcome, Player, Replacement, Trace, play};
use kinora_abr::{Config, Rule};
use serde_json::Value;

/// File of known figures, traces, title, segments of it, buffer in seconds.
const SETS: [(&str, &str, &str, usize, f64); 8] = [
    ("3g_vod25", "3g", "movie_bbb", 199, 25.0),
    ("3g_live10", "3g", "movie_bbb", 199, 10.0),
    ("4g_4k25", "4g", "movie_bbb4k", 199, 25.0),
    ("4g_4k10", "4g", "movie_bbb4k", 199, 10.0),
    ("4g_bbb25", "4g", "movie_bbb", 199, 25.0),
    ("fccsd_25", "fcc_sd", "movie_bbb", 60, 25.0),
    ("fcchd_4k25", "fcc_hd", "movie_bbb4k", 60, 25.0),
    ("oboe_bbb25", "oboe", "movie_bbb", 199, 25.0),
];

fn contender(name: &str) -> (Player, Replacement) {
    let config = Config {
        dynamic_threshold_s: Some(10.0),
        bola_avoid_oscillation: name.ends_with("-ao"),
        min_sample_bytes: 0,
        ..Config::default()
    };
    let rule = |rule| Player::rule(rule, &config);
    let player = match name {
        "fixed0" => Player::new(Box::new(Fixed(0)), &config),
        "tput" => rule(Rule::Throughput),
        "bola-basic" => Player::new(Box::new(BolaBasic::new(false)), &config),
        "bola-basic-ao" => Player::new(Box::new(BolaBasic::new(true)), &config),
        "bolae" | "bolae-ao" | "bolae-FS" => rule(Rule::Bola),
        "dynamic" => Player::new(Box::new(DynamicBasic::new(&config)), &config),
        "dynamicdash" | "dynamicdash-ao" | "dynamicdash-FS" => rule(Rule::Dynamic),
        other => panic!("{other} is not a contender"),
    };
    let replacement = if name.ends_with("-FS") { Replacement::Soonest } else { Replacement::None };
    (player, replacement)
}

#[test]
#[ignore = "needs recorded networks: KINORA_ABR_DATA"]
fn published_rules_give_their_known_figures() {
    let data =
        PathBuf::from(std::env::var_os("KINORA_ABR_DATA").expect("KINORA_ABR_DATA names a folder"));
    let read =
        |path: PathBuf| fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut compared = 0;
    let mut deviations = BTreeMap::<(&str, &str), (usize, f64)>::new();
    for (golden, traces, title, segments, capacity_s) in SETS {
        let known: Value =
            serde_json::from_slice(&read(data.join(format!("golden/{golden}.json")))).unwrap();
        let movie: Movie =
            serde_json::from_slice(&read(data.join(format!("traces/{title}.json")))).unwrap();
        let movie = movie.beginning(segments);
        let contenders = [
            "fixed0",
            "tput",
            "bola-basic",
            "bola-basic-ao",
            "bolae",
            "bolae-ao",
            "bolae-FS",
            "dynamic",
            "dynamicdash",
            "dynamicdash-ao",
            "dynamicdash-FS",
        ];
        for name in contenders {
            for (file, figures) in known[name].as_object().expect("figures per trace") {
                let path = data.join("traces").join(traces).join(file);
                let trace: Trace = serde_json::from_slice(&read(path)).unwrap();
                let (player, replacement) = contender(name);
                let options = Options {
                    capacity_ms: capacity_s * 1000.0,
                    replacement,
                    abandon: name != "fixed0",
                    learn_from_abandoned: false,
                    ..Options::default()
                };
                let outcome = play(&movie, &trace, player, &options).outcome(&movie);
                let known: Outcome = serde_json::from_value(figures.clone()).unwrap();
                let worst = difference(&outcome, &known);
                // Start-up was reconstructed from figures rounded to six places.
                if worst > 2e-6 {
                    let entry = deviations.entry((golden, name)).or_default();
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
