//! The offline optimum against every plan there is, where there are few enough, and against known figures.
#![allow(
    clippy::disallowed_methods,
    reason = "the data come from files; the crate itself reads none"
)]

use std::thread;

use kinora_abr::Config;
use kinora_abr::sim::reference::Script;
use kinora_abr::sim::{
    Goal, Movie, Options, Outcome, Period, Player, Resolution, Trace, optimum, play,
};

mod data;

const GOALS: [Goal; 2] = [Goal::Linear, Goal::Score];

/// Numbers that look random and are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn problem(seed: u64) -> (Movie, Trace) {
    let mut numbers = Numbers(seed);
    let mut varied = |mean: f64| mean * (0.7 + 0.006 * numbers.below(100) as f64);
    let movie = Movie {
        segment_duration_ms: 2000.0,
        bitrates_kbps: vec![300.0, 750.0, 1200.0],
        segment_sizes_bits: (0..8).map(|_| [6e5, 1.5e6, 2.4e6].map(&mut varied).to_vec()).collect(),
    };
    let periods = (0..12).map(|_| Period {
        duration_ms: 500.0 + 100.0 * numbers.below(20) as f64,
        bandwidth_kbps: 50.0 * numbers.below(40) as f64,
        latency_ms: 20.0 * numbers.below(5) as f64,
    });
    (movie, Trace(periods.collect()))
}

fn outcome_of(rungs: Vec<usize>, movie: &Movie, trace: &Trace, options: &Options) -> Outcome {
    let options = Options { first: rungs.first().copied(), abandon: false, ..*options };
    let player = Player::new(Box::new(Script(rungs)), &Config::default());
    play(movie, trace, player, &options).outcome(movie)
}

/// Every plan, the first segment in the lowest rung or in any.
fn best_of_all(goal: Goal, movie: &Movie, trace: &Trace, options: &Options) -> f64 {
    let rungs = movie.bitrates_kbps.len();
    let segments = movie.segment_sizes_bits.len();
    let plans = rungs.pow(segments as u32);
    let digits = |plan: usize| (0..segments).map(move |k| plan / rungs.pow(k as u32) % rungs);
    (0..plans)
        .filter(|plan| options.first.is_none_or(|first| plan % rungs == first))
        .map(|plan| goal.of(&outcome_of(digits(plan).collect(), movie, trace, options)))
        .fold(f64::NEG_INFINITY, f64::max)
}

#[test]
fn no_plan_is_better() {
    for seed in 0..12 {
        let (movie, trace) = problem(seed);
        let first = if seed % 2 == 0 { Some(0) } else { None };
        let options = Options { capacity_ms: 6000.0, first, ..Options::default() };
        for goal in GOALS {
            let session = optimum(&movie, &trace, &options, goal, Resolution::usual(goal));
            let found = goal.of(&session.outcome(&movie));
            let best = best_of_all(goal, &movie, &trace, &options);
            assert!(found <= best + 1e-9);
            assert!(found > best - 0.05, "{seed} {goal:?}: {found} of {best}");
            let fine = Resolution { buffer_ms: 5.0, stalled_ms: 5.0, patience_ms: 60_000.0 };
            let session = optimum(&movie, &trace, &options, goal, fine);
            let found = goal.of(&session.outcome(&movie));
            assert!(found > best - 1e-3, "{seed} {goal:?}, finely: {found} of {best}");
        }
    }
}

#[test]
fn a_network_that_carries_the_top_rung_gets_it() {
    let (movie, _) = problem(1);
    let period = Period { duration_ms: 1000.0, bandwidth_kbps: 20_000.0, latency_ms: 10.0 };
    let options = Options::default();
    for goal in GOALS {
        let session =
            optimum(&movie, &Trace(vec![period]), &options, goal, Resolution::usual(goal));
        assert_eq!(session.rungs, [0, 2, 2, 2, 2, 2, 2, 2]);
    }
}

#[test]
#[ignore = "needs recorded networks: KINORA_ABR_DATA; minutes, even with --release"]
fn known_optima_are_reached() {
    let sets = thread::scope(|scope| {
        let sets: Vec<_> = data::SETS.iter().map(|set| scope.spawn(|| below_known(set))).collect();
        sets.into_iter().map(|set| set.join().expect("compared")).collect::<Vec<_>>()
    });
    let compared: usize = sets.iter().map(|(compared, _)| compared).sum();
    let below: Vec<_> = sets.into_iter().flat_map(|(_, below)| below).collect();
    assert!(below.is_empty(), "of {compared}: {below:#?}");
    assert!(compared > 800);
}

/// How many optima of a set were compared with known ones, and those that fall short of them.
fn below_known(set: &data::Set) -> (usize, Vec<String>) {
    let (movie, known) = (set.movie(), set.known());
    let capacity_ms = set.buffer_s * 1000.0;
    let options = Options { capacity_ms, first: None, ..Options::default() };
    let (mut compared, mut below) = (0, Vec::new());
    for (file, figures) in known["OPT"].as_object().expect("figures per trace") {
        let trace = set.trace(file);
        for (goal, name) in [(Goal::Linear, "lin"), (Goal::Score, "score")] {
            let session = optimum(&movie, &trace, &options, goal, Resolution::usual(goal));
            let found = goal.of(&session.outcome(&movie));
            let known = figures[name].as_f64().expect("a figure");
            compared += 1;
            if found < known - 0.01 * known.abs().max(1.0) {
                below.push(format!("{} {file} {name}: {found} of {known}", set.name));
            }
        }
    }
    (compared, below)
}
