//! What accounts pay for: on how many devices they play at once, and in which quality at best.

use crate::{vault::Tier, web::text::Slug};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Devices that may play at once.
    pub streams: u8,
    /// No picture has more lines; any if it is not said.
    #[serde(default)]
    pub max_height: Option<u16>,
}

impl Plan {
    /// The best quality that it has keys of.
    pub fn tier(&self) -> Tier {
        self.max_height.map_or(Tier::Uhd, |lines| Tier::of_height(lines.into()))
    }
}

/// The plans there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plans {
    /// What an account has that nobody gave another.
    pub usual: Plan,
    named: BTreeMap<Slug, Plan>,
}

impl Default for Plans {
    fn default() -> Self {
        Self::new(Plan { streams: 2, max_height: None })
    }
}

impl Plans {
    /// No other plan than the usual one.
    pub fn new(usual: Plan) -> Self {
        Self { usual, named: BTreeMap::new() }
    }

    /// Adds the plans of a JSON object, by name: `{"basic": {"streams": 1, "max_height": 720}}`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn with(mut self, json: &str) -> Result<Self, String> {
        self.named = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let nothing = self.named.iter().find(|(_, plan)| plan.streams == 0);
        match nothing {
            Some((name, _)) => Err(format!("with the plan {:?} nothing would play", name.as_str())),
            None => Ok(self),
        }
    }

    /// The plan of that name; the usual one if an account has no other, or one that there is no more.
    pub fn of(&self, name: Option<&Slug>) -> Plan {
        let Some(name) = name else { return self.usual };
        self.named.get(name).copied().unwrap_or_else(|| {
            tracing::warn!(plan = name.as_str(), "there is no such plan: the usual one counts");
            self.usual
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_found_by_its_name_and_nonsense_is_refused() {
        let plans = |json: &str| Plans::default().with(json);
        let some = plans(r#"{"basic": {"streams": 1, "max_height": 576}, "all": {"streams": 4}}"#);
        let some = some.unwrap();
        let of = |name: &str| some.of(Some(&name.parse().unwrap()));
        assert_eq!((of("basic").streams, of("basic").tier()), (1, Tier::Sd));
        assert_eq!((of("all").streams, of("all").tier()), (4, Tier::Uhd));
        assert_eq!(of("gone"), some.usual);
        assert_eq!(some.of(None), Plan { streams: 2, max_height: None });
        for nonsense in [
            "",
            "[]",
            r#"{"basic": {}}"#,
            r#"{"basic": {"streams": 0}}"#,
            r#"{"basic": {"streams": 256}}"#,
            r#"{"Basic plan": {"streams": 1}}"#,
            r#"{"basic": {"streams": 1, "max_width": 9}}"#,
        ] {
            assert!(plans(nonsense).is_err(), "{nonsense}");
        }
    }
}
