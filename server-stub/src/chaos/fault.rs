//! Faults by path.

use serde::{Deserialize, Serialize};
use std::{
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// What is done to an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// It is only this status.
    Status {
        /// The status.
        status: u16,
    },
    /// It ends after so many bytes as if that were all of it.
    Truncate {
        /// Bytes of the body.
        after: u64,
    },
    /// The connection breaks off after so many bytes.
    Abort {
        /// Bytes of the body.
        after: u64,
    },
    /// Nothing comes after so many bytes, until the faults are cleared.
    Stall {
        /// Bytes of the body.
        after: u64,
    },
}

/// Which answers meet a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Those to requests whose path holds this text.
    pub matches: String,
    /// What happens to them.
    #[serde(flatten)]
    pub action: Action,
    /// How many more; none: all.
    pub times: Option<NonZeroU32>,
}

/// A rule as the control endpoint is asked for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    r#match: String,
    action: String,
    status: Option<u16>,
    #[serde(default)]
    after: u64,
    times: Option<NonZeroU32>,
}

impl Request {
    pub(super) fn rule(self) -> Result<Rule, String> {
        let after = self.after;
        let action = match self.action.as_str() {
            "status" => {
                let status = self.status.unwrap_or(503);
                if !(400..=599).contains(&status) {
                    return Err(format!("{status} is no error status"));
                }
                Action::Status { status }
            }
            "truncate" => Action::Truncate { after },
            "abort" => Action::Abort { after },
            "stall" => Action::Stall { after },
            other => return Err(format!("{other:?} is none of status, truncate, abort, stall")),
        };
        Ok(Rule { matches: self.r#match, action, times: self.times })
    }
}

/// The rules in force, oldest first; the first that matches acts.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Mutex<Vec<Rule>>,
    cleared: Notify,
}

impl Faults {
    pub(super) fn add(&self, rule: Rule) {
        self.lock().push(rule);
    }

    pub(super) fn rules(&self) -> Vec<Rule> {
        self.lock().clone()
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
        self.cleared.notify_waiters();
    }

    /// Waits for the next [`Faults::clear`].
    pub(super) async fn cleared(&self) {
        self.cleared.notified().await;
    }

    /// What happens to a request for this path. Counts it against the rule.
    pub(super) fn take(&self, path: &str) -> Option<Action> {
        let mut rules = self.lock();
        let index = rules.iter().position(|rule| path.contains(&rule.matches))?;
        let rule = rules.get_mut(index)?;
        let action = rule.action;
        if let Some(times) = rule.times {
            match NonZeroU32::new(times.get() - 1) {
                Some(left) => rule.times = Some(left),
                None => {
                    rules.remove(index);
                }
            }
        }
        Some(action)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_acts_as_often_as_it_says() {
        let faults = Faults::default();
        let rule = |matches: &str, status, times| Rule {
            matches: matches.into(),
            action: Action::Status { status },
            times: NonZeroU32::new(times),
        };
        faults.add(rule("seg-2", 404, 2));
        faults.add(rule("seg", 503, 0));
        let status = |path| match faults.take(path) {
            Some(Action::Status { status }) => status,
            _ => 200,
        };
        let seen: Vec<u16> = ["/seg-2", "/seg-1", "/seg-2", "/seg-2", "/x"].map(status).into();
        assert_eq!(seen, [404, 503, 404, 503, 200]);
        faults.clear();
        assert_eq!(status("/seg-1"), 200);
    }
}
