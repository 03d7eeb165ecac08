//! An encrypted film over a virtual network, with ClearKey: packaged by the server, decrypted in this process.

use std::collections::HashMap;
use std::future::pending;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use kinora_core::config::{Config, DrmConfig, KeySystemConfig};
use kinora_core::error::ErrorCode;
use kinora_core::io::{KeyState, KeyStatus, LicenseCommand, PlaybackStatus};
use kinora_native::drm::{ContentKey, KeyAnswers, KeyRing, KeySystem};
use kinora_native::headless::{HeadlessOptions, HeadlessRun, play};
use kinora_native::transport::{Entry, MemoryTransport};
use kinora_native::{HeadlessReport, Options};
use kinora_server::package::protect::{self, Method};
use kinora_server::package::{self, package};
use kinora_server::storage::sqlite::SqliteContentKeys;
use kinora_server::vault::{Key, Vault, kek::KeyEncryptionKeys};

const BASE: &str = "http://cdn.example/film/";
const LICENSE: &str = "http://license.example/clearkey";
const TOKEN: &str = "canary-of-a-token";

fn encoder_missing() -> bool {
    let mut command = Command::new("ffmpeg");
    command.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
    let missing = command.status().is_err();
    if missing {
        eprintln!("SKIPPED: ffmpeg is not installed");
    }
    missing
}

/// Every file under a folder, behind [`BASE`].
fn insert(transport: &MemoryTransport, root: &Path, folder: &Path) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            insert(transport, root, &path);
            continue;
        }
        let name = path.strip_prefix(root).expect("inside").to_str().expect("a name");
        let content_type = match name.rsplit('.').next() {
            Some("m3u8") => "application/vnd.apple.mpegurl",
            Some("mpd") => "application/dash+xml",
            _ => "video/mp4",
        };
        let body = std::fs::read(&path).expect("a readable file");
        transport.insert(format!("{BASE}{name}"), Entry::new(content_type, body));
    }
}

/// A film of four seconds, encrypted, and its keys.
async fn film(method: Method, rotation: Option<f64>) -> (MemoryTransport, Vec<Key>) {
    let directory = tempfile::tempdir().expect("a directory");
    let storage = SqliteContentKeys::open(directory.path()).await.expect("a storage");
    let kek = KeyEncryptionKeys::open(&directory.path().join("kek.json")).expect("a key");
    let vault = Vault::new(Arc::new(storage), kek);
    let out = directory.path().join("out");
    let source = "testsrc:4:128x72:25".parse().expect("a source");
    let mut options = package::Options::new(source, &out);
    options.preset = "ultrafast".into();
    options.ladder = vec!["72:100".parse().expect("a rung")];
    options.segment_seconds = 1.0;
    let mut protection = protect::Options::new(method, vault.clone());
    protection.rotation_seconds = rotation;
    options.protect = Some(protection);
    let presentation = package(&options, |_| {}).await.expect("a package");
    let content = presentation.video[0].protected.as_ref().expect("protected").content.clone();
    let transport = MemoryTransport::default();
    insert(&transport, &out, &out);
    (transport, vault.of_content(&content).await.expect("its keys"))
}

/// A licence with all of these keys.
fn license(keys: &[Key]) -> String {
    let key = |key: &Key| {
        let (kid, k) = (BASE64URL.encode(key.id.0), BASE64URL.encode(key.key.expose()));
        format!(r#"{{"kty":"oct","kid":"{kid}","k":"{k}"}}"#)
    };
    let keys: Vec<String> = keys.iter().map(key).collect();
    format!(r#"{{"keys":[{}],"type":"temporary"}}"#, keys.join(","))
}

/// No key, and no token of who asked, in anything that the player tells or keeps.
fn assert_nothing_shows(run: &HeadlessRun, keys: &[Key]) {
    let log: String = run.session_log.iter().copied().map(char::from).collect();
    let json = serde_json::to_string(&run.report).expect("a report in JSON");
    let told = format!("{:?}", run.report);
    assert!(log.contains("film/"), "there is a log");
    for (place, text) in [("log", &log), ("report", &json), ("report's debug format", &told)] {
        assert!(!text.contains(TOKEN), "a token in the {place}");
        for Key { key, .. } in keys {
            let bytes = key.expose();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let raw: String = bytes.iter().copied().map(char::from).collect();
            for spelling in [hex, raw, BASE64URL.encode(bytes), format!("{bytes:?}")] {
                assert!(!text.contains(&spelling), "a key in the {place}");
            }
        }
    }
}

async fn played(transport: &MemoryTransport, manifest: &str) -> HeadlessReport {
    run(transport, manifest).await.report
}

async fn run(transport: &MemoryTransport, manifest: &str) -> HeadlessRun {
    let system = KeySystemConfig {
        key_system: "org.w3.clearkey".into(),
        license_url: Some(LICENSE.into()),
        headers: vec![("Authorization".into(), format!("Bearer {TOKEN}"))],
        ..KeySystemConfig::default()
    };
    let drm = DrmConfig { key_systems: vec![system] };
    let config = Config { drm, record: true, ..Config::default() };
    let player =
        Options { config, transport: Some(Arc::new(transport.clone())), ..Options::default() };
    let options = HeadlessOptions { player, play_for: None };
    let run = play(&format!("{BASE}{manifest}"), options, pending(), |_| {}).await;
    run.expect("the player starts")
}

#[tokio::test(start_paused = true)]
async fn what_the_packager_encrypts_plays_with_its_keys() {
    if encoder_missing() {
        return;
    }
    for (method, rotation) in
        [(Method::Cenc, None), (Method::Cbcs, None), (Method::Cbcs, Some(2.0))]
    {
        let (transport, keys) = film(method, rotation).await;
        transport.insert(LICENSE, Entry::new("application/json", license(&keys)));
        for manifest in ["master.m3u8", "manifest.mpd"] {
            let run = run(&transport, manifest).await;
            assert_nothing_shows(&run, &keys);
            let report = run.report;
            let what = format!("{method:?} {rotation:?} {manifest}: {report:#?}");
            assert_eq!(report.status.0, PlaybackStatus::Ended, "{what}");
            assert_eq!((report.stalls, report.errors.len()), (0, 0), "{what}");
            assert_eq!(report.video_frames, 100, "{what}");
            // Sound that was not decrypted is none, or noise: this is the tone of the clip.
            assert!((report.decoded_audio_s - 4.0).abs() < 0.1, "{what}");
            assert!(
                (0.01..0.5).contains(&report.audio_rms) && report.silent_audio_s < 0.5,
                "{what}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn segments_encrypted_as_a_whole_play_with_their_keys() {
    if encoder_missing() {
        return;
    }
    let (transport, keys) = film(Method::Aes128, Some(2.0)).await;
    for Key { id, key, .. } in &keys {
        let url = format!("http://cdn.example/v1/license/keys/{id}");
        transport.insert(url, Entry::new("application/octet-stream", key.expose().to_vec()));
    }
    let run = run(&transport, "master.m3u8").await;
    assert_nothing_shows(&run, &keys);
    let report = run.report;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    assert_eq!((report.stalls, report.errors.len(), report.video_frames), (0, 0, 100));
    assert!((report.decoded_audio_s - 4.0).abs() < 0.1, "{report:#?}");
    assert!((0.01..0.5).contains(&report.audio_rms) && report.silent_audio_s < 0.5, "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_licence_the_error_says_so_and_nothing_plays() {
    if encoder_missing() {
        return;
    }
    let (transport, _) = film(Method::Cbcs, None).await;
    let refusal = r#"{"code":"not_entitled","detail":"no"}"#;
    transport
        .insert(LICENSE, Entry { status: 403, ..Entry::new("application/problem+json", refusal) });
    let report = played(&transport, "master.m3u8").await;
    assert_eq!(report.status.0, PlaybackStatus::Failed, "{report:#?}");
    let fatal = report.fatal().expect("an error");
    assert_eq!((fatal.code, fatal.http_status), (ErrorCode::LicenseRefused, Some(403)));
    assert!(fatal.message.contains("not_entitled: no"), "{}", fatal.message);
    assert_eq!(report.video_frames, 0);
}

/// A key system that has the keys already, and asks nobody for licences. It answers from another thread, as a device does.
struct Drawer {
    keys: HashMap<[u8; 16], ContentKey>,
    did: Arc<Mutex<Vec<String>>>,
}

impl Drawer {
    fn with(keys: &[Key]) -> Self {
        let key = |key: &Key| (key.id.0, key.key.clone());
        Self { keys: keys.iter().map(key).collect(), did: Arc::default() }
    }

    fn note(&self, what: impl Into<String>) {
        self.did.lock().expect("a lock").push(what.into());
    }
}

impl KeySystem for Drawer {
    fn execute(&mut self, command: LicenseCommand, ring: &mut KeyRing, answers: &KeyAnswers) {
        let answers = answers.clone();
        match command {
            LicenseCommand::Open { systems } if self.keys.is_empty() => {
                let offered: Vec<_> =
                    systems.iter().map(|offer| offer.key_system.as_str()).collect();
                answers.unavailable(format!("no drawer for {}", offered.join(", ")));
            }
            LicenseCommand::Open { systems } => {
                self.note("open");
                let name = systems[0].key_system.clone();
                std::thread::spawn(move || answers.opened(name)).join().expect("it answers");
            }
            LicenseCommand::Create { session, .. } => {
                self.note("create");
                let usable =
                    |id: &[u8; 16]| KeyState { id: id.to_vec(), status: KeyStatus::Usable };
                let statuses = self.keys.keys().map(usable).collect();
                for (id, key) in &self.keys {
                    ring.add(*id, key);
                }
                answers.statuses(session, statuses);
            }
            LicenseCommand::Shut => self.note("shut"),
            _ => {}
        }
    }
}

async fn with_key_system(transport: &MemoryTransport, system: Drawer) -> HeadlessReport {
    let named = KeySystemConfig {
        key_system: "org.w3.clearkey".into(),
        license_url: Some(LICENSE.into()),
        ..KeySystemConfig::default()
    };
    let config = Config { drm: DrmConfig { key_systems: vec![named] }, ..Config::default() };
    let player = Options {
        config,
        transport: Some(Arc::new(transport.clone())),
        key_system: Some(Box::new(system)),
        ..Options::default()
    };
    let options = HeadlessOptions { player, play_for: None };
    let run = play(&format!("{BASE}master.m3u8"), options, pending(), |_| {}).await;
    run.expect("the player starts").report
}

#[tokio::test(start_paused = true)]
async fn a_key_system_of_the_apps_takes_the_place_of_clearkey() {
    if encoder_missing() {
        return;
    }
    // There is no licence server in this world.
    let (transport, keys) = film(Method::Cbcs, None).await;
    let drawer = Drawer::with(&keys);
    let did = drawer.did.clone();
    let report = with_key_system(&transport, drawer).await;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    assert_eq!((report.video_frames, report.errors.len()), (100, 0), "{report:#?}");
    assert!((report.decoded_audio_s - 4.0).abs() < 0.1, "{report:#?}");
    let did = did.lock().expect("a lock").clone();
    assert_eq!(did.first().map(String::as_str), Some("open"), "{did:?}");
    assert_eq!(
        did.iter().filter(|what| *what == "create").count(),
        2,
        "picture and sound: {did:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_key_system_of_the_apps_says_is_told() {
    if encoder_missing() {
        return;
    }
    let (transport, _) = film(Method::Cbcs, None).await;
    let report = with_key_system(&transport, Drawer::with(&[])).await;
    let codes: Vec<ErrorCode> = report.errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, [ErrorCode::KeySystemUnavailable], "{report:#?}");
    let said = &report.errors[0].message;
    assert!(said.contains("no drawer for org.w3.clearkey"), "{said}");
}
