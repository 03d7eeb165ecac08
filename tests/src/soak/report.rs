//! What a soak has seen.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::Outcome;

/// What a soak has seen.
#[derive(Clone, Debug)]
pub struct Report {
    /// Seed of the first world.
    pub seed: u64,
    /// Worlds that were lived through.
    pub worlds: u64,
    /// Time that passed in them.
    pub simulated: Duration,
    /// Time that passed outside.
    pub wall: Duration,
    /// Faults that struck, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What viewers did, by kind.
    pub actions: BTreeMap<&'static str, u64>,
    /// Requests that the players made.
    pub requests: u64,
    /// Sessions that ended with a fatal error, each with a cause in its world, by error code.
    pub errors: BTreeMap<String, u64>,
    /// How often playback ran dry.
    pub stalls: u64,
    /// Sessions whose log was replayed.
    pub replayed: u64,
    /// Worlds in which something did not hold: seed and what.
    pub violations: Vec<(u64, String)>,
}

/// The report as scripts want it.
#[derive(Serialize)]
struct Json<'a> {
    seed: u64,
    worlds: u64,
    hours: f64,
    wall_seconds: f64,
    hours_per_second: f64,
    requests: u64,
    stalls: u64,
    replayed: u64,
    faults: &'a BTreeMap<&'static str, u64>,
    actions: &'a BTreeMap<&'static str, u64>,
    errors: &'a BTreeMap<String, u64>,
    violations: Vec<JsonViolation<'a>>,
}

#[derive(Serialize)]
struct JsonViolation<'a> {
    seed: u64,
    what: &'a str,
}

impl Report {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            worlds: 0,
            simulated: Duration::ZERO,
            wall: Duration::ZERO,
            faults: BTreeMap::new(),
            actions: BTreeMap::new(),
            requests: 0,
            errors: BTreeMap::new(),
            stalls: 0,
            replayed: 0,
            violations: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.worlds += 1;
        self.simulated += outcome.simulated;
        self.requests += outcome.requests;
        self.stalls += outcome.stalls;
        self.replayed += u64::from(outcome.replayed);
        for (all, of_one) in
            [(&mut self.faults, outcome.faults), (&mut self.actions, outcome.actions)]
        {
            for (kind, count) in of_one {
                *all.entry(kind).or_default() += count;
            }
        }
        if let Some(code) = outcome.error {
            *self.errors.entry(code).or_default() += 1;
        }
        if let Some(violation) = outcome.violation {
            self.violations.push((outcome.seed, violation.to_string()));
        }
    }

    /// Simulated hours.
    pub fn hours(&self) -> f64 {
        self.simulated.as_secs_f64() / 3_600.0
    }

    /// Simulated hours in each second of a clock on the wall.
    pub fn hours_per_second(&self) -> f64 {
        self.hours() / self.wall.as_secs_f64().max(1e-9)
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        let json = Json {
            seed: self.seed,
            worlds: self.worlds,
            hours: self.hours(),
            wall_seconds: self.wall.as_secs_f64(),
            hours_per_second: self.hours_per_second(),
            requests: self.requests,
            stalls: self.stalls,
            replayed: self.replayed,
            faults: &self.faults,
            actions: &self.actions,
            errors: &self.errors,
            violations: self
                .violations
                .iter()
                .map(|(seed, what)| JsonViolation { seed: *seed, what })
                .collect(),
        };
        serde_json::to_string_pretty(&json).expect("a report can be serialised")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |counts: &BTreeMap<&'static str, u64>| {
            let each = counts.iter().map(|(kind, count)| format!("{count} {kind}"));
            each.collect::<Vec<_>>().join(", ")
        };
        writeln!(
            f,
            "{:.1} simulated hours in {} worlds from seed {}, in {:.1} s: {:.1} hours a second",
            self.hours(),
            self.worlds,
            self.seed,
            self.wall.as_secs_f64(),
            self.hours_per_second()
        )?;
        writeln!(f, "faults that struck: {}", counts(&self.faults))?;
        writeln!(f, "viewers: {}", counts(&self.actions))?;
        let errors: Vec<_> =
            self.errors.iter().map(|(code, count)| format!("{count} {code}")).collect();
        writeln!(
            f,
            "{} requests, {} stalls, {} sessions replayed, fatal errors with a cause: {}",
            self.requests,
            self.stalls,
            self.replayed,
            if errors.is_empty() { "none".to_owned() } else { errors.join(", ") }
        )?;
        write!(f, "violations: {}", self.violations.len())?;
        for (seed, what) in &self.violations {
            write!(f, "\n  seed {seed}: {what}")?;
        }
        Ok(())
    }
}
