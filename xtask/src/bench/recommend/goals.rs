//! What is expected of the recommender, of the figures of one dataset.

use serde_json::Value;

/// The time for a page of rows inside the process, 99 times of 100, in milliseconds.
const PAGE_MS: f64 = 1.0;
/// Begins the names of what is ours.
const OURS: &str = "kinora";
/// What shares our code: it is beaten in what it finds, not in time.
const WITHIN: [&str; 2] = ["EASE alone", "popularity"];

/// The goals that a report misses, with the figures; none if it is no report.
pub(super) fn missed(report: &Value) -> Option<Vec<String>> {
    let splits = report.get("splits")?.as_array()?;
    let mean = |name: &str, what: &str| -> Option<f64> {
        let figures = splits.iter().map(|split| {
            let mut contenders = split.get("contenders")?.as_array()?.iter();
            contenders
                .find(|one| one.get("name").and_then(Value::as_str) == Some(name))?
                .get(what)?
                .as_f64()
        });
        Some(figures.sum::<Option<f64>>()? / splits.len() as f64)
    };
    let names = splits.first()?.get("contenders")?.as_array()?.iter();
    let names: Vec<&str> = names.map(|one| one.get("name")?.as_str()).collect::<Option<_>>()?;
    let mut missed = Vec::new();
    for other in names.into_iter().filter(|name| !name.starts_with(OURS)) {
        let (own, theirs) = (mean(OURS, "ndcg_at_10")?, mean(other, "ndcg_at_10")?);
        if own <= theirs {
            missed.push(format!("NDCG@10 of {own:.4}, and {theirs:.4} of {other}"));
        }
        if WITHIN.contains(&other) {
            continue;
        }
        let (own, theirs) = (mean(OURS, "cpu_seconds")?, mean(other, "cpu_seconds")?);
        if own >= theirs {
            missed.push(format!(
                "{own:.3} s of processor time to train, and {theirs:.3} s of {other}"
            ));
        }
    }
    for split in splits {
        let page = split.pointer("/page/p99_ms")?.as_f64()?;
        if page > PAGE_MS {
            missed.push(format!("{page:.2} ms for a page at the 99th percentile"));
        }
    }
    Some(missed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(ndcg: f64, cpu: f64, page: f64) -> Value {
        let one = |name: &str, ndcg: f64, cpu: f64| json!({"name": name, "ndcg_at_10": ndcg, "cpu_seconds": cpu});
        json!({"splits": [{
            "contenders": [
                one("kinora", ndcg, cpu), one("kinora, diversified", 0.1, cpu),
                one("EASE alone", 0.3, 0.0), one("als", 0.4, 2.0),
            ],
            "page": {"p99_ms": page},
        }]})
    }

    #[test]
    fn a_goal_is_missed_with_its_figures() {
        assert_eq!(missed(&report(0.45, 1.0, 0.5)), Some(vec![]));
        let all = missed(&report(0.25, 3.0, 2.0)).unwrap();
        let begins: Vec<&str> = all.iter().map(|goal| &goal[..6]).collect();
        assert_eq!(begins, ["NDCG@1", "NDCG@1", "3.000 ", "2.00 m"]);
        assert_eq!(missed(&json!({"splits": []})), None);
        assert_eq!(missed(&json!({"splits": [{"contenders": [{"name": "als"}]}]})), None);
    }
}
