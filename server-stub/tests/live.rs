//! `kinora-server live` as a process: how it begins, how it ends, and what it says when it cannot.

#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinora-server"));
    command.arg("live").args(args).env("RUST_LOG", "error").stdin(Stdio::null());
    command
}

/// The exit code and what was said.
fn fails(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Ends with the test, whatever that comes to.
struct Broadcast(Child);

impl Drop for Broadcast {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SMALL: [&str; 7] =
    ["silent:64x36:12", "--ladder", "36:60", "--preset", "ultrafast", "--listen", "127.0.0.1:0"];

#[test]
fn what_cannot_be_broadcast_is_said() {
    let (code, text) = fails(command(&["no-such-file.mp4", "--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("no-such-file.mp4") && text.contains("no such file"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    std::fs::write(&path, b"no film").unwrap();
    let (code, text) = fails(command(&[path.to_str().unwrap(), "--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(4), "{text}");

    let (code, text) = fails(command(&["testsrc", "--latency", "0.2"]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--latency"), "{text}");

    let mut without_ffmpeg = command(&SMALL);
    without_ffmpeg.env("PATH", "");
    let (code, text) = fails(without_ffmpeg);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("`ffmpeg` is not installed"), "{text}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = fails(command(&["testsrc", "--listen", &address]));
    assert_eq!(code, Some(6), "{text}");
    assert!(text.contains(&address), "{text}");
}

#[tokio::test]
async fn a_broadcast_begins_ends_and_can_be_played_when_it_is_over() {
    let mut child = command(&SMALL)
        .args(["--duration", "4", "--segment-seconds", "1", "--part-seconds", "0.25"])
        .args(["--after-end", "3600", "--latency", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .map(Broadcast)
        .unwrap();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let url = line.strip_prefix("listening on ").unwrap().to_owned();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let get = async |path: &str| {
        let response = reqwest::get(format!("{url}/{path}")).await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.bytes().await.unwrap()
    };
    let master = String::from_utf8(get("master.m3u8").await.to_vec()).unwrap();
    let playlist = master.lines().find(|line| line.starts_with("video-36p.")).unwrap();
    let directory = playlist.trim_end_matches("/media.m3u8");
    // Each reload waits for the next segment, until there is none; on a machine that is busy that may take too long.
    let mut next = 1;
    let text = loop {
        let path = format!("{url}/{playlist}?_HLS_msn={next}");
        let response = reqwest::get(path).await.unwrap();
        if response.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE {
            continue;
        }
        assert!(response.status().is_success(), "{}", response.status());
        let text = response.text().await.unwrap();
        if text.contains("#EXT-X-ENDLIST") {
            break text;
        }
        assert!(text.contains(&format!("\n{next}.m4s\n")), "{text}");
        next += 1;
    };
    assert!(text.contains("\n0.m4s\n"), "{text}");
    let init = get(&format!("{directory}/init-0.mp4")).await;
    assert_eq!(&init[4..8], b"ftyp");
    for uri in text.lines().filter(|line| line.ends_with(".m4s") && !line.starts_with('#')) {
        let segment = get(&format!("{directory}/{uri}")).await;
        assert_eq!(&segment[4..8], b"styp");
    }
    let mpd = String::from_utf8(get("manifest.mpd").await.to_vec()).unwrap();
    assert!(mpd.contains("type=\"static\""), "{mpd}");
}
