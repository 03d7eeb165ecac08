//! Milliseconds of contenders in cases, and how they compare.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

/// Whose figures the others are divided by.
const OURS: &str = "kinora";

/// What was measured in one environment.
pub(crate) struct Figures {
    raw: Value,
    cases: Vec<Case>,
    /// The longest that ours prepared while a manifest was on its way, in milliseconds.
    ahead: Option<f64>,
}

struct Case {
    name: String,
    contenders: Vec<Contender>,
}

struct Contender {
    name: String,
    /// It yields less than the others, and is no measure of them.
    partial: bool,
    /// First call and best call; or why there are none.
    times: Result<(f64, f64), String>,
}

impl Figures {
    /// Reads `[{case, contender, partial?, cold_ms, best_ms, ahead_ms?} or {…, error}]`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let raw: Value = serde_json::from_str(text).context("no figures")?;
        let mut cases: Vec<Case> = Vec::new();
        let mut ahead: Option<f64> = None;
        for figure in raw.as_array().context("the figures are no list")? {
            let text = |key| figure.get(key).and_then(Value::as_str);
            let number = |key| figure.get(key).and_then(Value::as_f64);
            ahead = ahead.into_iter().chain(number("ahead_ms")).reduce(f64::max);
            let name = text("case").context("a figure without a case")?;
            let contender = Contender {
                name: text("contender").context("a figure without a contender")?.to_owned(),
                partial: figure.get("partial").and_then(Value::as_bool).unwrap_or(false),
                times: number("cold_ms")
                    .zip(number("best_ms"))
                    .ok_or_else(|| text("error").unwrap_or("no figure").to_owned()),
            };
            match cases.iter_mut().find(|case| case.name == name) {
                Some(case) => case.contenders.push(contender),
                None => cases.push(Case { name: name.to_owned(), contenders: vec![contender] }),
            }
        }
        Ok(Self { raw, cases, ahead })
    }

    pub(crate) fn as_json(&self) -> &Value {
        &self.raw
    }

    /// One line for each contender of each case, and how many times faster ours is than the fastest.
    pub(crate) fn table(&self) -> String {
        let mut table = format!(
            "{:<24} {:<16} {:>10} {:>10} {:>9} {:>9}\n",
            "", "", "cold ms", "best ms", "cold", "best"
        );
        for case in &self.cases {
            let ours = case.times(OURS);
            for (place, contender) in case.contenders.iter().enumerate() {
                let name = if place == 0 { case.name.as_str() } else { "" };
                let mark = if contender.partial { "*" } else { "" };
                let who = format!("{}{mark}", contender.name);
                let line = match &contender.times {
                    Ok((cold, best)) => {
                        let ratio = |theirs: f64, ours: Option<f64>| match ours {
                            Some(ours) if contender.name != OURS => {
                                format!("{:.1}x", theirs / ours)
                            }
                            _ => String::new(),
                        };
                        format!(
                            "{name:<24} {who:<16} {cold:>10.2} {best:>10.3} {:>9} {:>9}",
                            ratio(*cold, ours.map(|(cold, _)| cold)),
                            ratio(*best, ours.map(|(_, best)| best)),
                        )
                    }
                    Err(error) => format!("{name:<24} {who:<16} {error}"),
                };
                let _ = writeln!(table, "{}", line.trim_end()); // a String takes all
            }
            if let Some((cold, best)) = case.lead() {
                let _ = writeln!(
                    table,
                    "{:<24} {:<16} {:>10} {:>10} {cold:>8.1}x {best:>8.1}x",
                    "", "fastest peer", "", ""
                );
            }
        }
        if self.cases.iter().flat_map(|case| &case.contenders).any(|contender| contender.partial) {
            table.push_str("* yields less than the others, and is left out of \"fastest peer\".\n");
        }
        if let Some(ahead) = self.ahead {
            let _ = writeln!(
                table,
                "Neither figure of kinora has what it rehearses while a manifest is on its way, as the player \
                 does: up to {ahead:.1} ms."
            );
        }
        table
    }
}

impl Case {
    fn times(&self, name: &str) -> Option<(f64, f64)> {
        let contender = self.contenders.iter().find(|contender| contender.name == name)?;
        contender.times.as_ref().ok().copied()
    }

    /// How many times longer the fastest peer takes, cold and at its best.
    fn lead(&self) -> Option<(f64, f64)> {
        let (cold, best) = self.times(OURS)?;
        let peers = || {
            self.contenders
                .iter()
                .filter(|contender| contender.name != OURS && !contender.partial)
                .filter_map(|contender| contender.times.as_ref().ok())
        };
        peers().next()?;
        let fastest =
            |time: fn(&(f64, f64)) -> f64| peers().map(time).fold(f64::INFINITY, f64::min);
        Some((fastest(|times| times.0) / cold, fastest(|times| times.1) / best))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_peer_is_the_measure() {
        let figures = Figures::parse(
            r#"[{"case": "a", "contender": "kinora", "cold_ms": 2, "best_ms": 1},
                {"case": "a", "contender": "slow", "cold_ms": 20, "best_ms": 30},
                {"case": "a", "contender": "mixed", "cold_ms": 40, "best_ms": 6},
                {"case": "a", "contender": "less", "partial": true, "cold_ms": 1, "best_ms": 1},
                {"case": "a", "contender": "broken", "error": "it fell over"},
                {"case": "b", "contender": "kinora", "cold_ms": 2, "best_ms": 1}]"#,
        )
        .unwrap();
        assert_eq!(figures.cases[0].lead(), Some((10.0, 6.0)));
        assert_eq!(figures.cases[1].lead(), None);
        assert!(!figures.table().contains("rehearses"));
        let table = figures.table();
        let line = |name: &str| {
            let line = table.lines().find(|line| line.contains(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(line("mixed"), ["mixed", "40.00", "6.000", "20.0x", "6.0x"]);
        assert_eq!(line("fastest"), ["fastest", "peer", "10.0x", "6.0x"]);
        assert!(table.contains("it fell over") && table.contains("less*"), "{table}");
    }

    #[test]
    fn what_ours_does_ahead_is_told() {
        let figures = Figures::parse(
            r#"[{"case": "a", "contender": "kinora", "cold_ms": 2, "best_ms": 1, "ahead_ms": 2.04},
                {"case": "b", "contender": "kinora", "cold_ms": 2, "best_ms": 1, "ahead_ms": 3.16}]"#,
        );
        let table = figures.unwrap().table();
        assert!(table.lines().last().unwrap().ends_with("up to 3.2 ms."), "{table}");
    }

    #[test]
    fn figures_without_names_are_an_error() {
        assert!(Figures::parse("[{\"case\": \"a\"}]").is_err());
        assert!(Figures::parse("{}").is_err());
    }
}
