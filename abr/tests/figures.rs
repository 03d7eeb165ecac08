//! The published rules over the small networks of `sessions` give the figures they gave while the
//! simulator was known to agree with the reference (see `golden`).

use std::collections::BTreeMap;

use kinora_abr::sim::{Goal, Movie, Options, Outcome, Published, Resolution, Trace, optimum, play};
use serde_json::Value;

const NETWORKS: [(&str, &str); 5] = [
    ("late.json", include_str!("sessions/networks/late.json")),
    ("outages.json", include_str!("sessions/networks/outages.json")),
    ("steady.json", include_str!("sessions/networks/steady.json")),
    ("steps.json", include_str!("sessions/networks/steps.json")),
    ("walk.json", include_str!("sessions/networks/walk.json")),
];
const CAPACITY_MS: f64 = 20_000.0;

type Figures = BTreeMap<String, BTreeMap<String, Value>>;

fn known() -> Figures {
    serde_json::from_str(include_str!("sessions/figures.json")).expect("well-formed")
}

fn title() -> Movie {
    serde_json::from_str(include_str!("sessions/title.json")).expect("well-formed")
}

fn networks() -> impl Iterator<Item = (&'static str, Trace)> {
    NETWORKS.iter().map(|(name, json)| (*name, serde_json::from_str(json).expect("well-formed")))
}

#[test]
fn published_rules_give_their_known_figures() {
    let (known, title) = (known(), title());
    assert!(title.is_sound());
    for rule in Published::ALL {
        for (name, trace) in networks() {
            let options = Options { capacity_ms: CAPACITY_MS, ..Options::default() };
            let (player, options) = rule.player(&options);
            let outcome = play(&title, &trace, player, &options).outcome(&title);
            let expected: Outcome = serde_json::from_value(known[rule.name][name].clone()).unwrap();
            let figures = |outcome: &Outcome| serde_json::to_value(outcome).unwrap();
            let (outcome, expected) = (figures(&outcome), figures(&expected));
            for (figure, expected) in expected.as_object().unwrap() {
                let (is, was) = (outcome[figure].as_f64().unwrap(), expected.as_f64().unwrap());
                // The known ones have six places.
                let close = (is - was).abs() < 1e-6;
                assert!(close, "{} over {name}: {figure} is {is}, was {was}", rule.name);
            }
        }
    }
}

#[test]
fn the_optimum_is_no_worse_than_it_was_and_than_any_rule() {
    let (known, title) = (known(), title());
    let options = Options { capacity_ms: CAPACITY_MS, first: None, ..Options::default() };
    for (name, trace) in networks() {
        for (goal, figure) in [(Goal::Linear, "lin"), (Goal::Score, "score")] {
            let session = optimum(&title, &trace, &options, goal, Resolution::usual(goal));
            let reached = goal.of(&session.outcome(&title));
            for figures in known.values() {
                assert!(
                    reached > figures[name][figure].as_f64().unwrap() - 1e-6,
                    "{name}: {reached}"
                );
            }
        }
    }
}
