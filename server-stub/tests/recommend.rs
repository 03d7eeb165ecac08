//! The `recommend` commands, as someone at a terminal or a script sees them.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

/// A folder with events of two crowds: one watches the titles of space, the other those of the sea.
struct Folder {
    directory: TempDir,
}

impl Folder {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut events = String::new();
        let mut titles = String::new();
        for (crowd, first) in [("space", 0), ("sea", 30)] {
            for title in 0..12 {
                writeln!(titles, r#"{{"id":"{crowd}-{title:02}","genres":["{crowd}"]}}"#).unwrap();
            }
            for profile in first..first + 30 {
                // Nobody watches all; title 11 nobody at all.
                for title in (0..11).filter(|title| (title * 7 + profile * 3) % 4 != 0) {
                    writeln!(
                        events,
                        r#"{{"profile":"p{profile}","item":"{crowd}-{title:02}","at":{},"kind":"watch","weight":0.9}}"#,
                        1_700_000_000 + profile * 100 + title * 5000,
                    )
                    .unwrap();
                }
            }
        }
        fs::write(directory.path().join("events.jsonl"), events).unwrap();
        fs::write(directory.path().join("titles.jsonl"), titles).unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_kinora-server"))
            .arg("recommend")
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn train(&self) -> String {
        let trained =
            self.json(&["train", "events.jsonl", "--titles", "titles.jsonl", "--models", "models"]);
        assert_eq!((&trained["profiles"], &trained["titles"]), (&60.into(), &24.into()));
        trained["version"].as_str().unwrap().to_owned()
    }

    fn append(&self, line: &str) {
        let path = self.path("events.jsonl");
        fs::write(&path, fs::read_to_string(&path).unwrap() + line + "\n").unwrap();
    }
}

fn row<'a>(page: &'a Value, reason: &str) -> Option<Vec<&'a str>> {
    let rows = page["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["reason"]["reason"] == reason)?;
    Some(row["items"].as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect())
}

fn failed(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{said}");
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_profile_gets_rows_of_its_own_crowd() {
    let folder = Folder::new();
    let version = folder.train();
    let page = folder.json(&["rows", "p3", "events.jsonl", "--models", "models"]);
    assert_eq!(page["version"], version.as_str());
    let best = row(&page, "for_you").unwrap();
    assert!(best[..2].iter().all(|item| item.starts_with("space-")), "{best:?}");

    let stranger = folder.json(&["rows", "stranger", "events.jsonl", "--models", "models"]);
    assert!(row(&stranger, "for_you").is_none() && row(&stranger, "trending").is_some());

    // No training in between.
    for title in 0..3 {
        folder.append(&format!(
            r#"{{"profile":"stranger","item":"sea-{title:02}","at":1800000000,"kind":"like"}}"#
        ));
    }
    let known = folder.json(&["rows", "stranger", "events.jsonl", "--models", "models"]);
    let best = row(&known, "for_you").unwrap();
    assert!(best[..5].iter().all(|item| item.starts_with("sea-")), "{best:?}");
}

#[test]
fn the_same_events_make_the_same_model() {
    let (one, two) = (Folder::new(), Folder::new());
    assert_eq!(one.train(), two.train());
}

#[test]
fn versions_are_listed_and_rolled_back() {
    let folder = Folder::new();
    let first = folder.train();
    folder.append(r#"{"profile":"p1","item":"sea-03","at":1800000000,"kind":"like"}"#);
    let second = folder.train();
    let listed = folder.json(&["list", "--models", "models"]);
    assert_eq!(listed["versions"][0]["version"], first.as_str());
    assert_eq!(listed["versions"][1]["current"], true);

    let rolled_back = folder.json(&["rollback", "--models", "models"]);
    assert_eq!(rolled_back["version"], first.as_str());
    failed(&folder.run(&["rollback", "--models", "models"]), 1, "nothing was changed");

    // Forward again, and that version breaks.
    let third = folder.train();
    flip(&folder.path(&format!("models/{third}.model")));
    let output = folder.run(&["rows", "p3", "events.jsonl", "--models", "models"]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is refused: it is damaged") && said.contains(&second), "{said}");
}

#[test]
fn mistakes_are_explained() {
    let folder = Folder::new();
    let rows = ["rows", "p3", "events.jsonl", "--models", "models"];
    failed(&folder.run(&rows), 1, "train one with `kinora-server recommend train`");
    folder.append("{\"profile\":");
    let train = ["train", "events.jsonl", "--models", "models"];
    failed(&folder.run(&train), 4, "events.jsonl, line 496: not what it should be");
    assert!(!folder.path("models").exists());
    let output = folder.run(&[&train[..], &["--skip-invalid"]].concat());
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("left out 1 line"));
    fs::write(folder.path("empty"), "").unwrap();
    failed(&folder.run(&["train", "empty", "--models", "models"]), 1, "no events");
    failed(&folder.run(&["train", "absent", "--models", "models"]), 1, "cannot open absent");
}

#[test]
fn a_dataset_is_evaluated_beside_another_programs_rankings() {
    let folder = Folder::new();
    let mut table = String::from("user,item,rating,timestamp\n");
    for user in 0..40 {
        for item in (0..30).filter(|item| (item * 5 + user * 3 + item * user) % 7 < 3) {
            let item = (user % 2) * 15 + item % 15;
            writeln!(table, "{user},{item},{},{}", 1 + (user + item) % 5, 1000 + user * 50 + item)
                .unwrap();
        }
    }
    fs::write(folder.path("table.csv"), table).unwrap();
    let evaluate = ["evaluate", "table.csv", "--seeds", "1,2", "--no-tune"];
    let written = folder.run(&[&evaluate[..], &["--write-splits", "splits"]].concat());
    assert!(written.status.success());

    // A clairvoyant: it has seen the answers.
    let mut splits = Vec::new();
    for number in 0..2 {
        let split = fs::read_to_string(folder.path(&format!("splits/split-{number}.csv"))).unwrap();
        let mut rankings = serde_json::Map::new();
        for line in split.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let ranking = rankings.entry(fields[0]).or_insert_with(|| Value::Array(vec![]));
            if fields[4] == "test" {
                ranking.as_array_mut().unwrap().push(fields[1].into());
            }
        }
        splits.push(serde_json::json!({ "cpu_seconds": 1.5, "rankings": rankings }));
    }
    let peer = serde_json::json!({ "name": "clairvoyant", "splits": splits });
    fs::write(folder.path("peer.json"), peer.to_string()).unwrap();
    let report = folder.json(&[&evaluate[..], &["--compare", "peer.json"]].concat());
    for split in report["splits"].as_array().unwrap() {
        let named = |name: &str| {
            let contenders = split["contenders"].as_array().unwrap();
            contenders.iter().find(|contender| contender["name"] == name).unwrap().clone()
        };
        assert_eq!(named("clairvoyant")["ndcg_at_10"], 1.0);
        assert_eq!(named("clairvoyant")["recall_at_20"], 1.0);
        let kinora = named("kinora")["ndcg_at_10"].as_f64().unwrap();
        assert!(kinora > 0.2 && kinora < 1.0, "{kinora}");
        assert!(split["page"]["p99_ms"].as_f64().unwrap() > 0.0);
    }
    assert!(report["pooled"][3]["interval"][1].as_f64().unwrap() < 0.0);
    fs::write(folder.path("peer.json"), r#"{"name":"short","splits":[]}"#).unwrap();
    let output = folder.run(&[&evaluate[..], &["--compare", "peer.json"]].concat());
    failed(&output, 1, "the rankings of short lack all of split `random 1`");
}
