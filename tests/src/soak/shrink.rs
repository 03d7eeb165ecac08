//! Leaving out of a plan whatever its violation does not need.

use std::time::Duration;

use super::run::quietly;
use super::{Plan, run};
use crate::world::element::ElementFaults;
use crate::world::fault::Fault;
use crate::world::invariants::Invariant;
use crate::world::network::{Protocol, Stretch};

/// So many worlds are lived through at most.
const MAX_RUNS: u32 = 400;

/// A plan that breaks the same invariant with less.
pub fn shrink(plan: &Plan, invariant: Invariant) -> Plan {
    quietly(|| {
        let mut shrinking = Shrinking { plan: plan.clone(), invariant, runs: 0 };
        shrinking.simplify();
        shrinking.plan
    })
}

struct Shrinking {
    plan: Plan,
    invariant: Invariant,
    runs: u32,
}

impl Shrinking {
    /// Takes a change of the plan if the violation stays.
    fn attempt(&mut self, change: impl FnOnce(&mut Plan)) -> bool {
        let mut smaller = self.plan.clone();
        change(&mut smaller);
        if self.runs >= MAX_RUNS {
            return false;
        }
        self.runs += 1;
        let violation = run(&smaller).violation;
        let stays = violation.is_some_and(|violation| violation.invariant == self.invariant);
        if stays {
            self.plan = smaller;
        }
        stays
    }

    fn simplify(&mut self) {
        self.attempt(|plan| plan.element = ElementFaults::default());
        self.attempt(|plan| plan.quota = 150 << 20);
        self.attempt(|plan| plan.managed = None);
        self.attempt(|plan| plan.network.trace = steady());
        self.attempt(|plan| {
            plan.network.protocol = Protocol::Http2;
            plan.network.connection_setup = Duration::ZERO;
            plan.network.per_connection_kbps = None;
        });
        self.attempt(|plan| plan.network.losses_per_minute = 0.0);
        self.attempt(|plan| plan.network.jitter = Duration::ZERO);
        self.attempt(|plan| plan.film.parts.clear());
        self.attempt(|plan| plan.film.variation = 0);
        self.attempt(|plan| plan.film.subtitles = false);
        self.attempt(|plan| plan.film.audio_lag = 0);
        self.attempt(|plan| plan.film.media_start = 0);
        self.attempt(|plan| plan.film.audio_kbps = None);
        self.attempt(|plan| plan.film.rungs.truncate(1));
        self.halve(|plan: &mut Plan| &mut plan.faults, 0);
        // The first action loads the film.
        self.halve(|plan: &mut Plan| &mut plan.actions, 1);
        for index in 0..self.plan.faults.len() {
            self.attempt(|plan| {
                let Fault { times, .. } = &mut plan.faults[index];
                *times = 1;
            });
        }
    }

    /// Leaves out half of a list, then quarters, then each on its own.
    fn halve<T: Clone>(&mut self, list: impl Fn(&mut Plan) -> &mut Vec<T>, keep: usize) {
        let mut size = list(&mut self.plan).len().saturating_sub(keep).div_ceil(2);
        while size > 0 {
            let mut at = keep;
            while at < list(&mut self.plan).len() {
                let gone = self.attempt(|plan| {
                    let list = list(plan);
                    let end = (at + size).min(list.len());
                    list.drain(at..end);
                });
                if !gone {
                    at += size;
                }
            }
            size /= 2;
        }
    }
}

fn steady() -> Vec<Stretch> {
    let latency = Duration::from_millis(20);
    vec![Stretch { duration: Duration::from_secs(3_600), kbps: 8_000, latency, offline: false }]
}
