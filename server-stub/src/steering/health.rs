//! What is known of an edge: whether it answers probes, how players fare with it, and what an operator said.

use crate::clock::UnixTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// So many probes in a row change an opinion: one that gets lost does not.
const IN_A_ROW: u8 = 2;
/// What players said counts for so many minutes.
const MINUTES: i64 = 3;
/// Fewer requests say nothing.
const ENOUGH: u64 = 20;
/// One error in so many requests, or more, is too much.
const ONE_IN: u64 = 5;

/// What is known of each edge, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known(BTreeMap<String, Health>);

impl Known {
    /// What is known of one.
    pub fn edge(&self, name: &str) -> Health {
        self.0.get(name).cloned().unwrap_or_default()
    }

    /// The same, to change.
    pub fn of(&mut self, name: &str) -> &mut Health {
        self.0.entry(name.to_owned()).or_default()
    }
}

/// What is known of an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// An operator sends no playback there.
    #[serde(default)]
    pub drained: bool,
    /// It does not answer probes.
    #[serde(default)]
    silent: bool,
    /// Probes in a row that say otherwise.
    #[serde(default)]
    contrary: u8,
    /// What players said, by minute.
    #[serde(default)]
    minutes: Vec<Minute>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Minute {
    minute: i64,
    requests: u64,
    errors: u64,
}

/// What a player says of an edge since it last did.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The edge: its `PATHWAY-ID` or `serviceLocation`.
    #[schema(max_length = 64)]
    pub edge: String,
    /// Requests that ended, well or not.
    #[serde(deserialize_with = "crate::web::whole::required")]
    #[schema(minimum = 0, maximum = 100_000)]
    pub requests: u32,
    /// Those that failed: no connection, no answer in time, or a status of 500 or more.
    #[serde(deserialize_with = "crate::web::whole::required")]
    #[schema(minimum = 0, maximum = 100_000)]
    pub errors: u32,
}

/// What one report can say at most: one player is not many.
const MOST_SAID: u32 = 50;

impl Health {
    /// Whether players should be sent there: it answers, and those who use it fare well.
    pub fn is_good(&self, now: UnixTime) -> bool {
        let (requests, errors) = self.said(now);
        !self.silent && (requests < ENOUGH || errors * ONE_IN < requests)
    }

    /// Requests and errors in the last minutes, as players said.
    pub fn said(&self, now: UnixTime) -> (u64, u64) {
        let first = now.0.div_euclid(60) - MINUTES;
        let recent = self.minutes.iter().filter(|minute| minute.minute > first);
        recent.fold((0, 0), |(requests, errors), minute| {
            (requests + minute.requests, errors + minute.errors)
        })
    }

    /// Whether a probe with that result is worth writing down.
    pub fn would_change(&self, answered: bool) -> bool {
        (answered == self.silent) || self.contrary > 0
    }

    /// Takes in a probe; true when that changes what is thought of the edge.
    pub fn probed(&mut self, answered: bool) -> bool {
        if answered != self.silent {
            self.contrary = 0;
            return false;
        }
        self.contrary += 1;
        let changed = self.contrary >= IN_A_ROW;
        if changed {
            self.silent = !answered;
            self.contrary = 0;
        }
        changed
    }

    /// Takes in what a player says.
    pub fn report(&mut self, report: &Report, now: UnixTime) {
        let minute = now.0.div_euclid(60);
        self.minutes.retain(|known| known.minute > minute - MINUTES && known.minute <= minute);
        let requests = report.requests.min(MOST_SAID);
        let errors = u64::from(report.errors.min(requests));
        let requests = u64::from(requests);
        match self.minutes.iter_mut().find(|known| known.minute == minute) {
            Some(known) => {
                known.requests += requests;
                known.errors += errors;
            }
            None => self.minutes.push(Minute { minute, requests, errors }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_000_000);

    fn report(requests: u32, errors: u32) -> Report {
        Report { edge: "a".to_owned(), requests, errors }
    }

    #[test]
    fn one_lost_probe_changes_nothing_and_two_do() {
        let mut health = Health::default();
        for (answered, good) in [
            (true, true),
            (false, true),
            (true, true),
            (false, true),
            (false, false),
            (true, false),
            (false, false),
            (true, false),
            (true, true),
        ] {
            health.probed(answered);
            assert_eq!(health.is_good(NOW), good, "{health:?}");
        }
    }

    #[test]
    fn many_errors_of_several_players_count_for_some_minutes() {
        let mut health = Health::default();
        health.report(&report(100_000, 0), NOW);
        assert_eq!(health.said(NOW), (50, 0), "one player is not many");
        health.report(&report(3, 9), NOW);
        assert_eq!(health.said(NOW), (53, 3));
        assert!(health.is_good(NOW));
        health.report(&report(10, 10), NOW);
        assert!(!health.is_good(NOW));
        assert!(health.is_good(NOW.plus(180)));
        health.report(&report(1, 0), NOW.plus(600));
        assert_eq!(health.minutes.len(), 1);
        let mut new = Health::default();
        new.report(&report(19, 19), NOW);
        assert!(new.is_good(NOW), "too few to say");
    }
}
