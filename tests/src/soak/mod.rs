//! Random worlds, by the thousand: whether what must hold does hold, in hours that nobody has to wait
//! for.
//!
//! A seed makes a [`Plan`]: a film, a network, faults, an element, a viewer. [`run`] lives through it
//! and gives an [`Outcome`]. A violation is [shrunk](shrink) to the few things that it takes.

pub mod plan;
mod publication;
mod random;
mod report;
mod run;
mod shrink;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub use self::plan::Plan;
pub use self::report::Report;
pub use self::run::{Outcome, run, trace};
pub use self::shrink::shrink;

/// How much to soak.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Stop after so many simulated hours.
    pub hours: f64,
    /// Seed of the first world; the next worlds have the next seeds.
    pub seed: u64,
    /// Worlds at a time.
    pub jobs: usize,
    /// Stop after so many worlds.
    pub worlds: u64,
    /// Stop after so many violations.
    pub max_violations: usize,
}

/// Runs worlds until there were enough hours; tells `progress` about twice a second.
pub fn soak(options: &Options, mut progress: impl FnMut(&Report)) -> Report {
    let started = Instant::now();
    let next = AtomicU64::new(options.seed);
    let enough = AtomicBool::new(false);
    let (outcomes, finished) = mpsc::channel();
    let mut report = Report::new(options.seed);
    run::quietly(|| {
        std::thread::scope(|scope| {
            for _ in 0..options.jobs.max(1) {
                let outcomes = outcomes.clone();
                let (next, enough) = (&next, &enough);
                scope.spawn(move || {
                    while !enough.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed - options.seed >= options.worlds {
                            return;
                        }
                        if outcomes.send(run(&Plan::from_seed(seed))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(outcomes);
            let mut told = Instant::now();
            for outcome in &finished {
                report.add(outcome);
                report.wall = started.elapsed();
                let done = report.hours() >= options.hours
                    || report.violations.len() >= options.max_violations;
                if done {
                    enough.store(true, Ordering::Relaxed);
                }
                if told.elapsed() > Duration::from_millis(500) {
                    told = Instant::now();
                    progress(&report);
                }
            }
        });
    });
    report.wall = started.elapsed();
    report
}
