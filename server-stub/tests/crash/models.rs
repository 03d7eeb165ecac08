//! There is always a model that loads.

use crate::process::Process;
use std::{
    fmt::Write as _,
    path::Path,
    process::{Command, Output},
};

fn recommend(folder: &Path, crash: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
    command.arg("recommend").args(arguments).current_dir(folder).env("RUST_LOG", "warn");
    if let Some(place) = crash {
        command.env("KINORA_CRASH", place);
    }
    command.output().unwrap()
}

fn version(folder: &Path) -> String {
    let output = recommend(folder, None, &["rows", "p1", "events", "--models", "models", "--json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "no model is refused");
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    page["version"].as_str().unwrap().to_owned()
}

/// What a few profiles watched.
fn write_events(folder: &Path) {
    let mut events = String::new();
    for (number, profile) in (0..12).flat_map(|number| (0..12).map(move |p| (number, p))) {
        if (number * 5 + profile * 3) % 4 != 0 {
            let event = format!(
                r#"{{"profile":"p{profile}","item":"t{number}","at":{number},"kind":"watch"}}"#
            );
            writeln!(events, "{event}").unwrap();
        }
    }
    std::fs::write(folder.join("events"), events).unwrap();
}

#[test]
fn dying_at_any_step_of_a_swap_leaves_a_model_that_loads() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    write_events(folder);
    let train = ["train", "events", "--models", "models", "--no-tune"];
    assert!(recommend(folder, None, &train).status.success());
    let mut last = version(folder);
    // The first blob is the model, the second the name of the current one.
    for (place, becomes_current) in [
        ("blobs/created:1", false),
        ("blobs/torn:1", false),
        ("blobs/written:1", false),
        ("blobs/placed:1", false),
        ("models/published", false),
        ("blobs/created:2", false),
        ("blobs/torn:2", false),
        ("blobs/written:2", false),
        ("blobs/placed:2", true),
    ] {
        let died = recommend(folder, Some(place), &train);
        assert_eq!(died.status.code(), None, "it dies at {place}");
        let now = version(folder);
        assert_eq!(now != last, becomes_current, "{place}");
        assert!(recommend(folder, None, &train).status.success(), "after {place}");
        let next = version(folder);
        assert_ne!(next, now, "training after {place} makes a new version");
        last = next;
    }
    let left = std::fs::read_dir(folder.join("models")).unwrap();
    let parts = left
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(parts.count(), 0, "what the dead left behind is gone");
}

/// Going back, and letting old versions go, take steps as well.
#[test]
fn dying_on_the_way_back_or_over_old_versions_leaves_a_model_that_loads() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    write_events(folder);
    let train = ["train", "events", "--models", "models", "--no-tune"];
    let rollback = ["rollback", "--models", "models"];
    let versions = || {
        let output = recommend(folder, None, &["list", "--models", "models", "--json"]);
        let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        listed["versions"].as_array().unwrap().len()
    };
    for _ in 0..6 {
        assert!(recommend(folder, None, &train).status.success());
    }
    for (place, goes_back) in [
        ("blobs/created", false),
        ("blobs/torn", false),
        ("blobs/written", false),
        ("blobs/placed", true),
    ] {
        let before = version(folder);
        let died = recommend(folder, Some(place), &rollback);
        assert_eq!(died.status.code(), None, "it dies at {place}");
        assert_eq!(version(folder) != before, goes_back, "{place}");
        assert_eq!(versions(), 6, "{place}");
    }
    // Training writes two blobs and removes what is too old.
    let keep = [&train[..], &["--keep", "3"]].concat();
    for (place, left) in [
        ("blobs/remove:1", 7),
        ("blobs/removed:1", 7),
        ("blobs/removed:2", 6),
        ("blobs/remove:3", 5),
    ] {
        let before = version(folder);
        let died = recommend(folder, Some(place), &keep);
        assert_eq!(died.status.code(), None, "it dies at {place}");
        assert_ne!(version(folder), before, "the new version is current: {place}");
        assert_eq!(versions(), left, "{place}");
    }
    assert!(recommend(folder, None, &keep).status.success());
    assert_eq!(versions(), 3);
    assert!(recommend(folder, None, &rollback).status.success());
}

/// A service that is killed comes back with the model that was current.
#[tokio::test]
async fn a_service_comes_back_with_its_model() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path();
    let seed = ["seed", "--viewers", "40", "--data"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
    assert!(command.args(seed).arg(data).output().unwrap().status.success());
    let mut token = None;
    let mut models = Vec::new();
    for _ in 0..2 {
        let mut process = Process::start(data, None).unwrap();
        let known = match &token {
            Some(token) => String::clone(token),
            None => process.household("ada").await,
        };
        let mut page = process.get("/v1/rows", &known).await;
        let mut asked = 0;
        while page["model"].is_null() {
            asked += 1;
            assert!(asked < 3000 && !process.is_dead(), "no model is taken over");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            page = process.get("/v1/rows", &known).await;
        }
        models.push(page["model"].as_str().unwrap().to_owned());
        token = Some(known);
        process.kill();
    }
    assert_eq!(models[0], models[1]);
}
