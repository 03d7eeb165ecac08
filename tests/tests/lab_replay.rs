//! `kinora-lab replay` as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

use kinora_core::io::{Input, Output as PlayerOutput, Source};
use kinora_core::time::Timestamp;
use kinora_core::{Config, Player};

#[test]
fn a_log_is_printed_written_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("session.log");
    let raw = folder.path().join("outputs");
    std::fs::write(&log, session()).unwrap();

    let printed = lab(&[log.as_os_str().as_ref(), "--raw".as_ref(), raw.as_ref()]);
    assert!(printed.status.success());
    let lines = String::from_utf8(printed.stdout).unwrap();
    let mut lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    let request = lines.find_map(|line: serde_json::Value| line["output"].get("Request").cloned());
    assert_eq!(request.unwrap()["url"], "http://cdn.example/film.mpd");

    let verified = lab(&[log.as_ref(), "--verify".as_ref(), raw.as_ref()]);
    assert_eq!(verified.status.code(), Some(0));

    std::fs::write(&raw, b"other").unwrap();
    let different = lab(&[log.as_ref(), "--verify".as_ref(), raw.as_ref()]);
    assert_eq!(different.status.code(), Some(3));
    assert!(String::from_utf8(different.stdout).unwrap().starts_with("output 0 differs"));
}

#[test]
fn what_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("playlist");
    std::fs::write(&log, "#EXTM3U\n").unwrap();
    let refused = lab(&[log.as_ref()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty());
    let missing = lab(&[folder.path().join("nothing").as_ref()]);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(lab(&[]).status.code(), Some(2));
}

fn lab(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kinora-lab"))
        .arg("replay")
        .args(arguments)
        .output()
        .expect("kinora-lab starts")
}

fn session() -> Vec<u8> {
    let mut player =
        Player::new(Config { record: true, ..Config::default() }, Timestamp::default());
    let source = Source { url: "http://cdn.example/film.mpd".into(), format: None, start: None };
    player.handle_input(Timestamp::default(), Input::Load(source));
    while !matches!(player.poll_output(), PlayerOutput::Timeout(_)) {}
    player.session_log().to_vec()
}
