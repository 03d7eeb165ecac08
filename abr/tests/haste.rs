//! What the first frame of a fast start does not wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kinora_abr::{
    Abr, Cause, Choice, Config, Controller, Estimate, Event, Phase, Rule, Rung, Situation, Step,
};

const MS: u64 = 1_000;

/// Counts the slices it is asked to prepare, and not to put off.
struct Counting(Arc<AtomicU32>);

impl Controller for Counting {
    fn rule(&self) -> Rule {
        Rule::Throughput
    }

    fn choose(&mut self, _: &Step, _: &Estimate) -> Choice {
        Choice { rung: 0, delay_ms: 0.0, cause: Cause::Startup, costs: Vec::new() }
    }

    fn prepare(&mut self, _: &Step) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        false
    }

    fn put_off(&mut self, _: &Step) {}
}

/// Slices prepared by a decision in this phase, and by one each of events so long after it.
fn slices(phase: Phase, after_ms: &[u64]) -> Vec<u32> {
    let ladder = [300e3, 750e3].map(Rung::new);
    let count = Arc::new(AtomicU32::new(0));
    let mut abr = Abr::with_controller(Config::default(), Box::new(Counting(Arc::clone(&count))));
    let began = 5_000 * MS;
    abr.decide(&Situation { phase, ..Situation::new(began, &ladder) });
    let mut slices = vec![count.load(Ordering::Relaxed)];
    for &after in after_ms {
        abr.handle(began + after * MS, Event::Progress { id: 1, bytes: after * 1000 });
        slices.push(count.load(Ordering::Relaxed));
    }
    slices
}

#[test]
fn nothing_is_prepared_while_the_first_segment_comes_quickly() {
    assert_eq!(slices(Phase::Starting, &[0, 40, 299]), [0, 0, 0, 0]);
}

#[test]
fn there_is_time_while_it_comes_slowly() {
    assert_eq!(slices(Phase::Starting, &[299, 300, 350]), [0, 0, 1, 2]);
}

#[test]
fn once_something_plays_each_decision_and_event_prepares_a_little() {
    assert_eq!(slices(Phase::Playing, &[0, 40]), [1, 2, 3]);
}
