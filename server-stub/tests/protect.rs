//! Packages encrypted clips with the real encoder, and has them read by others: ffmpeg, and `mp4ff-decrypt` where
//! that is installed.

#![allow(clippy::unwrap_used)]

use kinora_server::{
    package::{
        Options, package,
        presentation::{Presentation, Representation},
        protect::{self, Method, systems::System},
    },
    storage::sqlite::SqliteContentKeys,
    vault::{Key, Tier, Vault, kek::KeyEncryptionKeys},
};
use std::{
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};
use tempfile::TempDir;

struct Packaged {
    directory: TempDir,
    presentation: Presentation,
    keys: Vec<Key>,
}

fn missing(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
    let missing = command.status().is_err();
    if missing {
        eprintln!("SKIPPED: {tool} is not installed");
    }
    missing
}

async fn vault(directory: &Path) -> Vault {
    let storage = SqliteContentKeys::open(directory).await.unwrap();
    Vault::new(Arc::new(storage), KeyEncryptionKeys::open(&directory.join("kek.json")).unwrap())
}

async fn packaged(method: Method, change: impl FnOnce(&mut Options)) -> Packaged {
    let directory = tempfile::tempdir().unwrap();
    let vault = vault(directory.path()).await;
    let mut options =
        Options::new("testsrc:4:256x144:25".parse().unwrap(), directory.path().join("out"));
    options.preset = "ultrafast".into();
    options.threads = Some(NonZeroU32::MIN); // the same frames each time
    options.ladder = vec!["144:300".parse().unwrap(), "72:100".parse().unwrap()];
    options.protect = Some(protect::Options::new(method, vault.clone()));
    change(&mut options);
    let presentation = package(&options, |_| {}).await.unwrap();
    let content = presentation.video[0].protected.as_ref().unwrap().content.clone();
    let keys = vault.of_content(&content).await.unwrap();
    Packaged { directory, presentation, keys }
}

impl Packaged {
    fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// A representation's files in one, as a player would append them.
    fn joined(&self, representation: &Representation) -> PathBuf {
        let directory = self.out().join(&representation.directory);
        let mut bytes = fs::read(directory.join("init.mp4")).unwrap();
        for segment in &representation.segments {
            bytes.extend(fs::read(directory.join(&segment.file)).unwrap());
        }
        let path = self.directory.path().join(format!("{}.mp4", representation.id));
        fs::write(&path, bytes).unwrap();
        path
    }

    fn key(&self, tier: Tier, period: u32) -> &Key {
        self.keys.iter().find(|key| key.tier == tier && key.period == period).unwrap()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A checksum of each decoded frame, and what the decoder complains of.
fn frames(file: &Path, key: Option<&Key>) -> (Vec<String>, String) {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
    if let Some(key) = key {
        command.args(["-decryption_key", &hex(key.key.expose())]);
    }
    // Through a pipe: this reader keeps the notes of one fragment alone when it looks ahead in a file.
    let output = command
        .args(["-i", "pipe:0", "-f", "framemd5", "-"])
        .stdin(fs::File::open(file).unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned);
    (lines.collect(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Packages the same clip in the clear.
async fn clear() -> Packaged {
    let directory = tempfile::tempdir().unwrap();
    let mut options =
        Options::new("testsrc:4:256x144:25".parse().unwrap(), directory.path().join("out"));
    options.preset = "ultrafast".into();
    options.threads = Some(NonZeroU32::MIN); // the same frames each time
    options.ladder = vec!["144:300".parse().unwrap(), "72:100".parse().unwrap()];
    let presentation = package(&options, |_| {}).await.unwrap();
    Packaged { directory, presentation, keys: Vec::new() }
}

#[tokio::test]
async fn ffmpeg_decrypts_both_schemes_to_the_frames_of_the_clear_film() {
    if missing("ffmpeg") {
        return;
    }
    let clear = clear().await;
    for method in [Method::Cenc, Method::Cbcs] {
        let protected = packaged(method, |_| {}).await;
        let (all, expected) = (&protected.presentation, &clear.presentation);
        let pairs = all.video.iter().zip(&expected.video).map(|pair| (pair, Tier::Sd));
        let audio = all.audio.iter().zip(&expected.audio).map(|pair| (pair, Tier::Audio));
        for ((encrypted, clear_one), tier) in pairs.chain(audio) {
            let file = protected.joined(encrypted);
            let (expected, _) = frames(&clear.joined(clear_one), None);
            let (found, complaints) = frames(&file, Some(protected.key(tier, 0)));
            assert_eq!(complaints, "", "{method:?} {}", encrypted.id);
            assert!(expected.len() > 90, "{}", expected.len());
            assert_eq!(found, expected, "{method:?} {}", encrypted.id);
            let wrong = protected.keys.iter().find(|key| key.tier != tier).unwrap();
            assert_ne!(frames(&file, Some(wrong)).0, expected, "the other tier's key");
        }
    }
}

#[tokio::test]
async fn mp4ff_decrypts_what_we_encrypt_with_cbcs() {
    if missing("ffmpeg") || missing("mp4ff-decrypt") {
        return;
    }
    let (clear, protected) = (clear().await, packaged(Method::Cbcs, |_| {}).await);
    // Of the sound nothing is noted sample by sample, which ISO/IEC 23001-7 allows and this reader does not.
    for (encrypted, clear_one) in protected.presentation.video.iter().zip(&clear.presentation.video)
    {
        let tier = encrypted.protected.as_ref().unwrap().tier;
        let (file, decrypted) =
            (protected.joined(encrypted), protected.directory.path().join("d.mp4"));
        let key = hex(protected.key(tier, 0).key.expose());
        let output =
            Command::new("mp4ff-decrypt").args(["-key", &key]).arg(&file).arg(&decrypted).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let expected = frames(&clear.joined(clear_one), None).0;
        assert_eq!(frames(&decrypted, None).0, expected, "{}", encrypted.id);
    }
}

#[tokio::test]
async fn manifests_name_the_keys_and_no_file_holds_one() {
    if missing("ffmpeg") {
        return;
    }
    let protected = packaged(Method::Cbcs, |options| {
        let protect = options.protect.as_mut().unwrap();
        protect.systems =
            vec![System::Common, System::Widevine, System::Playready, System::Fairplay];
        protect.rotation_seconds = Some(2.0);
        protect.license_url = Some("https://licence.example/clearkey?a=1&b=2".into());
        protect.item = Some("film".into());
        // One rung above 576 lines, one below: two tiers.
        options.source = "testsrc:4:1024x720:25".parse().unwrap();
        options.ladder = vec!["720:500".parse().unwrap(), "144:100".parse().unwrap()];
    })
    .await;
    assert_eq!(protected.keys.len(), 6, "three tiers, two periods");
    assert!(protected.keys.iter().all(|key| key.item.as_deref() == Some("film")));
    let mpd = fs::read_to_string(protected.out().join("manifest.mpd")).unwrap();
    let parsed = dash_mpd_core::parse(&mpd).unwrap();
    let sets = &parsed.periods[0].adaptations;
    assert_eq!(
        sets.iter().map(|set| set.id.as_deref()).collect::<Vec<_>>(),
        [Some("0"), Some("2"), Some("1")]
    );
    for (set, tier) in sets.iter().zip([Tier::Hd, Tier::Sd, Tier::Audio]) {
        let first = &set.ContentProtection[0];
        assert_eq!(first.value.as_deref(), Some("cbcs"));
        let id = protected.key(tier, 0).id.to_string();
        assert_eq!(first.default_KID.as_ref(), Some(&id));
        assert_eq!(set.ContentProtection.len(), 5);
        let url = set.ContentProtection[4].laurl.as_ref().unwrap().content.as_deref();
        assert_eq!(url, Some("https://licence.example/clearkey?a=1&b=2"));
    }
    assert_eq!(sets[0].supplemental_property[0].value.as_deref(), Some("2"));
    assert!(mpd.contains("xmlns:dashif=\"https://dashif.org/CPS\""), "{mpd}");

    let master = fs::read_to_string(protected.out().join("master.m3u8")).unwrap();
    assert_eq!(master.matches("#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,").count(), 12);
    let video = &protected.presentation.video[0];
    let playlist =
        fs::read_to_string(protected.out().join(&video.directory).join("media.m3u8")).unwrap();
    for (period, segment) in [(0, "seg-00001"), (1, "seg-00002")] {
        let before = playlist.split(segment).next().unwrap();
        let id = protected.key(Tier::Hd, period).id;
        assert!(
            before.contains(&format!("KEYID=0x{},KEYFORMAT=\"org.w3.clearkey\"", id.hex())),
            "{playlist}"
        );
        assert!(before.contains(&format!("skd://{id}")), "{playlist}");
    }
    m3u8_rs::parse_media_playlist_res(playlist.as_bytes()).unwrap();

    // Nothing that is published or kept shows a key, neither its bytes nor a text of them.
    let mut stack = vec![protected.directory.path().to_owned()];
    let mut files = 0;
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        files += 1;
        let bytes = fs::read(&path).unwrap();
        for key in &protected.keys {
            let key = key.key.expose();
            for form in [key.to_vec(), hex(key).into_bytes()] {
                let shows = bytes.windows(form.len()).any(|window| window == form);
                assert!(!shows, "{} shows a key", path.display());
            }
        }
    }
    assert!(files > 10);
}

#[tokio::test]
async fn whole_segments_are_for_hls_alone() {
    if missing("ffmpeg") {
        return;
    }
    let clear = clear().await;
    let protected = packaged(Method::Aes128, |_| {}).await;
    assert!(protected.presentation.dash.is_empty());
    assert!(!protected.out().join("manifest.mpd").exists());
    let audio = &protected.presentation.audio[0];
    let key = protected.key(Tier::Audio, 0);
    let playlist = protected.out().join(&audio.directory).join("media.m3u8");
    let text = fs::read_to_string(&playlist).unwrap();
    let url = format!("METHOD=AES-128,URI=\"/v1/license/keys/{}\"", key.id);
    let (map, tag) = (text.find("#EXT-X-MAP").unwrap(), text.find(&url).expect("the key"));
    assert!(map < tag, "the initialisation segment is clear: {text}");
    // Another reader, with the key in a file beside.
    fs::write(playlist.with_file_name("key"), key.key.expose()).unwrap();
    fs::write(&playlist, text.replace(&format!("/v1/license/keys/{}", key.id), "key")).unwrap();
    let output = Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-nostdin",
            "-loglevel",
            "error",
            "-allowed_extensions",
            "ALL",
            "-i",
        ])
        .arg(&playlist)
        .args(["-f", "framemd5", "-"])
        .output()
        .unwrap();
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: Vec<&str> = found.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = frames(&clear.joined(&clear.presentation.audio[0]), None).0;
    let digest = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
    let digests = |lines: Vec<&str>| lines.into_iter().map(digest).collect::<Vec<_>>();
    assert_eq!(digests(found), digests(expected.iter().map(String::as_str).collect()));
}
