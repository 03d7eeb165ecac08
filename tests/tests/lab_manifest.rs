//! `kinora-lab manifest` as a user runs it.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const MULTIVARIANT: &str = "#EXTM3U\n\
    #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401f\",RESOLUTION=640x360\n\
    low/media.m3u8?token=1\n\
    #EXT-X-STREAM-INF:BANDWIDTH=1900000,CODECS=\"avc1.4d401f\",RESOLUTION=1280x720\n\
    high/media.m3u8\n";
const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0.m4s\n#EXTINF:2.5,\n1.m4s\n\
    #EXT-X-ENDLIST\n";

#[test]
fn a_manifest_is_printed_as_json_and_as_a_tree() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/dash/periods.mpd");
    let url = "https://cdn.example/one/manifest.mpd";
    let printed = lab(&[corpus.as_ref(), "--json".as_ref(), "--url".as_ref(), url.as_ref()]);
    assert_eq!(printed.status.code(), Some(0));
    let view: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!((&view["kind"], &view["live"]), (&"dash".into(), &false.into()));
    assert_eq!(view["duration_s"], 20.0);
    assert_eq!(view["periods"].as_array().unwrap().len(), 3);
    let representation = &view["periods"][1]["sets"][0]["representations"][0];
    assert_eq!(representation["segments"], 2);
    assert_eq!(representation["last"]["url"], "https://cdn.example/one/ad-2.m4s");
    assert_eq!(representation["last"]["duration_s"], 2.0);

    let tree = lab(&[corpus.as_ref()]);
    assert_eq!(tree.status.code(), Some(0));
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.starts_with("DASH, on demand, 20 s long\n  period film-1: from 0 s"), "{tree}");
}

#[test]
fn a_folder_stands_for_all_of_a_presentation() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.m3u8"), MULTIVARIANT).unwrap();
    fs::create_dir(folder.path().join("low")).unwrap();
    fs::write(folder.path().join("low/media.m3u8"), MEDIA).unwrap();
    let printed = lab(&[folder.path().as_ref(), "--json".as_ref(), "--segments".as_ref()]);
    assert_eq!(printed.status.code(), Some(0));
    let view: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(view["duration_s"], 6.5);
    let representations = &view["periods"][0]["sets"][0]["representations"];
    assert_eq!(representations[0]["all"][1]["start_s"], 4.0);
    assert_eq!(representations[0]["segments"], 2);
    assert_eq!(representations[1]["segments"], Value::Null, "high/media.m3u8 is not there");

    fs::write(folder.path().join("other.m3u8"), MULTIVARIANT).unwrap();
    let ambiguous = lab(&[folder.path().as_ref()]);
    assert_eq!(ambiguous.status.code(), Some(1));
    assert!(String::from_utf8(ambiguous.stderr).unwrap().contains("name the file"));
}

#[test]
fn what_is_refused_says_why_and_where() {
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("media.m3u8");
    fs::write(&media, "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:four,\n0.m4s\n").unwrap();
    let refused = lab(&[media.as_ref(), "--json".as_ref()]);
    assert_eq!(refused.status.code(), Some(1));
    let refusal: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refusal["error"]["line"], 3);
    assert_eq!(refusal["error"]["kind"]["InvalidValue"]["value"], "four");
    let refused = lab(&[media.as_ref()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty());
    assert!(String::from_utf8(refused.stderr).unwrap().contains("line 3: \"four\" is no value"));

    // One of the documents beside it is at fault.
    fs::write(
        folder.path().join("main.m3u8"),
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\nmedia.m3u8\n",
    )
    .unwrap();
    let refused = lab(&[folder.path().as_ref(), "--json".as_ref()]);
    assert_eq!(refused.status.code(), Some(1));
    let refusal: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refusal["error"]["file"], "media.m3u8");

    assert_eq!(lab(&[folder.path().join("nothing").as_ref()]).status.code(), Some(1));
    assert_eq!(lab(&[]).status.code(), Some(2));
}

fn lab(arguments: &[&OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kinora-lab"))
        .arg("manifest")
        .args(arguments)
        .output()
        .expect("kinora-lab starts")
}
