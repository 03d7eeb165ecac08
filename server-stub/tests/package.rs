//! Packages generated clips with the real encoder, and has them read by others: ffprobe, `m3u8-rs`,
//! `dash-mpd-core`, `mp4-atom`.

#![allow(clippy::unwrap_used)]

use kinora_server::{
    Error,
    package::{
        Addressing, Options, Step, package,
        presentation::{Kind, Presentation, Representation},
    },
};
use mp4_atom::{Decode, Moof, Sidx};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// A clip as the tests want it: small, quickly encoded.
fn options(source: &str, output: &Path) -> Options {
    let mut options = Options::new(source.parse().unwrap(), output);
    options.preset = "ultrafast".into();
    options
}

/// Whether there is an encoder to test with; says so when there is not.
fn encoder_missing() -> bool {
    let runs = |tool| {
        let mut command = Command::new(tool);
        command.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let missing = !(runs("ffmpeg") && runs("ffprobe"));
    if missing {
        eprintln!("SKIPPED: ffmpeg and ffprobe are not installed, so nothing was packaged");
    }
    missing
}

async fn packaged(source: &str, change: impl FnOnce(&mut Options)) -> (TempDir, Presentation) {
    let directory = tempfile::tempdir().unwrap();
    let mut options = options(source, &directory.path().join("out"));
    change(&mut options);
    let presentation = package(&options, |_| {}).await.unwrap();
    (directory, presentation)
}

fn ffprobe(args: &[&str], file: &Path) -> serde_json::Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "json"])
        .args(args)
        .arg(file)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", file.display());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A representation's initialization and segments in one file, as a player would append them.
fn joined(out: &Path, representation: &Representation) -> tempfile::NamedTempFile {
    let directory = out.join(&representation.directory);
    let mut bytes = fs::read(directory.join("init.mp4")).unwrap();
    for segment in &representation.segments {
        bytes.extend(fs::read(directory.join(&segment.file)).unwrap());
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}

#[tokio::test]
async fn a_package_is_what_its_manifests_say() {
    if encoder_missing() {
        return;
    }
    let (directory, presentation) = packaged("testsrc:5:256x144:30000/1001", |_| {}).await;
    let out = directory.path().join("out");
    assert_eq!(presentation.video.len(), 5);
    assert!((presentation.duration - 5.0).abs() < 0.05, "{}", presentation.duration);

    for (representation, codec) in presentation
        .video
        .iter()
        .map(|r| (r, "h264"))
        .chain(presentation.audio.iter().map(|r| (r, "aac")))
    {
        let id = &representation.id;
        let file = joined(&out, representation);
        let report = ffprobe(&["-show_streams", "-show_packets"], file.path());
        let stream = &report["streams"][0];
        assert_eq!(stream["codec_name"], codec);
        let packets = report["packets"].as_array().unwrap();
        let key_times: Vec<u64> = packets
            .iter()
            .filter(|packet| packet["flags"].as_str().unwrap().starts_with('K'))
            .map(|packet| packet["dts"].as_u64().unwrap())
            .collect();
        let starts: Vec<u64> = representation.segments.iter().map(|s| s.start).collect();
        match representation.kind {
            Kind::Video { width, height, .. } => {
                assert_eq!((&stream["width"], &stream["height"]), (&width.into(), &height.into()));
                assert_eq!(stream["avg_frame_rate"], "30000/1001");
                assert_eq!(
                    key_times, starts,
                    "{id}: every segment starts at a key frame, and only they"
                );
                assert_eq!(starts, [0, 60_060, 120_120], "{id}: two seconds of whole frames");
                assert_eq!(packets.len(), 150, "{id}: every frame is there");
                let profile = match stream["profile"].as_str().unwrap() {
                    "Constrained Baseline" => "42c0",
                    "Main" => "4d40",
                    "High" => "6400",
                    other => panic!("{other}"),
                };
                let level = stream["level"].as_u64().unwrap();
                assert_eq!(representation.codecs, format!("avc1.{profile}{level:02x}"));
            }
            Kind::Audio { .. } => {
                assert_eq!(representation.codecs, "mp4a.40.2");
                assert!(starts.iter().all(|start| key_times.contains(start)), "{id}");
                for (start, video) in starts.iter().zip(&presentation.video[0].segments) {
                    let apart = *start as f64 / 48_000.0 - video.start as f64 / 30_000.0;
                    assert!(apart.abs() <= 1024.0 / 2.0 / 48_000.0 + 1e-9, "{id}: {apart}");
                }
            }
        }
        for (index, segment) in representation.segments.iter().enumerate() {
            let bytes = fs::read(out.join(&representation.directory).join(&segment.file)).unwrap();
            assert_eq!(bytes.len() as u64, segment.size);
            check_segment(&bytes, index as u32 + 1, segment.start, segment.duration);
        }
    }
}

/// An independent reading of one segment: what its boxes say of its time.
fn check_segment(bytes: &[u8], number: u32, start: u64, duration: u64) {
    let at = bytes.windows(4).position(|window| window == b"moof").unwrap() - 4;
    let moof = Moof::decode(&mut &bytes[at..]).unwrap();
    assert_eq!(moof.mfhd.sequence_number, number);
    let traf = &moof.traf[0];
    assert_eq!(traf.tfdt.as_ref().unwrap().base_media_decode_time, start);
    let default = traf.tfhd.default_sample_duration.unwrap_or(0);
    let mut time = 0_i64;
    let mut earliest = i64::MAX;
    for sample in traf.trun[0].samples.iter() {
        earliest = earliest.min(time + sample.cts.unwrap_or(0));
        time += i64::from(sample.duration.unwrap_or(default));
    }
    assert_eq!(time, duration as i64);
    assert_eq!(earliest, 0, "the earliest presentation time is the decoding time");
}

#[tokio::test]
async fn other_readers_play_both_manifests_to_the_end() {
    if encoder_missing() {
        return;
    }
    let (directory, presentation) = packaged("testsrc:4.5:192x108:25", |_| {}).await;
    let out = directory.path().join("out");
    for manifest in ["master.m3u8", "manifest.mpd"] {
        let report = ffprobe(&["-show_streams", "-count_packets"], &out.join(manifest));
        let streams = report["streams"].as_array().unwrap();
        let of_kind =
            |kind: &str| streams.iter().filter(|s| s["codec_type"] == kind).collect::<Vec<_>>();
        let video = of_kind("video");
        assert_eq!(video.len(), presentation.video.len(), "{manifest}");
        for stream in video {
            // 4.5 seconds of 25 frames, the half frame rounded either way.
            let packets: u64 = stream["nb_read_packets"].as_str().unwrap().parse().unwrap();
            assert!((112..=113).contains(&packets), "{manifest}: {packets}");
        }
        let audio: u64 = of_kind("audio")[0]["nb_read_packets"].as_str().unwrap().parse().unwrap();
        let expected = presentation.audio[0].duration() * 48_000.0 / 1024.0;
        assert_eq!(audio, expected.round() as u64, "{manifest}");
    }

    let text = fs::read_to_string(out.join("manifest.mpd")).unwrap();
    let mpd = dash_mpd_core::parse(&text).unwrap();
    assert_eq!(mpd.periods[0].adaptations.len(), 2);
    let master = fs::read(out.join("master.m3u8")).unwrap();
    let master = m3u8_rs::parse_master_playlist_res(&master).unwrap();
    for (variant, video) in master.variants.iter().zip(&presentation.video) {
        let text = fs::read(out.join(&variant.uri)).unwrap();
        let media = m3u8_rs::parse_media_playlist_res(&text).unwrap();
        let total: f64 = media.segments.iter().map(|s| f64::from(s.duration)).sum();
        assert!((total - video.duration()).abs() < 1e-3, "{total}");
        let most = media.segments.iter().map(|s| s.duration.round() as u64).max();
        assert!(most <= Some(media.target_duration));
        for segment in &video.segments {
            let seconds = video.segment_seconds(segment);
            let rate = (segment.size * 8) as f64 / seconds;
            assert!(seconds < 1.0 || rate <= variant.bandwidth as f64, "{rate} in {variant:?}");
        }
    }
}

#[tokio::test]
async fn one_file_with_an_index_holds_the_same_media() {
    if encoder_missing() {
        return;
    }
    let (directory, presentation) = packaged("testsrc:4:128x72", |options| {
        options.single_file = true;
        options.addressing = vec![Addressing::Base, Addressing::List];
    })
    .await;
    let out = directory.path().join("out");
    assert_eq!(presentation.dash, ["manifest.mpd", "manifest-list.mpd"]);
    for representation in presentation.video.iter().chain(&presentation.audio) {
        let bytes = fs::read(out.join(&representation.directory).join("media.mp4")).unwrap();
        let at = bytes.windows(4).position(|window| window == b"sidx").unwrap() - 4;
        let sidx = Sidx::decode(&mut &bytes[at..]).unwrap();
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as u64;
        let mut offset = at as u64 + size + sidx.first_offset;
        assert_eq!(sidx.references.len(), representation.segments.len());
        for (index, (reference, segment)) in
            sidx.references.iter().zip(&representation.segments).enumerate()
        {
            assert_eq!(
                (offset, u64::from(reference.referenced_size)),
                (segment.offset, segment.size)
            );
            let range = segment.offset as usize..(segment.offset + segment.size) as usize;
            check_segment(&bytes[range], index as u32 + 1, segment.start, segment.duration);
            offset += segment.size;
        }
        assert_eq!(offset, bytes.len() as u64, "the index covers the file");
    }
    for manifest in ["master.m3u8", "manifest.mpd"] {
        let report = ffprobe(&["-show_streams", "-count_packets"], &out.join(manifest));
        assert_eq!(report["streams"].as_array().unwrap().len(), 6, "{manifest}");
    }
}

#[tokio::test]
async fn every_file_a_manifest_names_by_time_is_there() {
    if encoder_missing() {
        return;
    }
    let (directory, presentation) = packaged("silent:3:96x64:10", |options| {
        options.segment_seconds = 1.0;
        options.addressing = vec![Addressing::Time, Addressing::List];
        options.title = Some("No sound".into());
    })
    .await;
    let out = directory.path().join("out");
    assert!(presentation.audio.is_empty());
    let mpd = fs::read_to_string(out.join("manifest.mpd")).unwrap();
    assert!(mpd.contains("seg-$Time$.m4s"), "{mpd}");
    for representation in &presentation.video {
        for start in [0, 10_000, 20_000] {
            let file = out.join(&representation.directory).join(format!("seg-{start}.m4s"));
            assert!(file.is_file(), "{}", file.display());
        }
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("package.json")).unwrap()).unwrap();
    assert_eq!(summary["title"], "No sound");
    assert_eq!(summary["video"][0]["video"]["frame_rate"], "10");
}

#[tokio::test]
async fn an_output_is_replaced_only_when_asked_and_only_as_a_whole() {
    if encoder_missing() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("precious"), "x").unwrap();
    let mut options = options("silent:1:64x64:10", &out);
    let result = package(&options, |_| {}).await;
    assert_eq!(result, Err(Error::OutputNotEmpty { path: out.clone() }));

    // Given up in the middle: what was there stays, and nothing else does.
    options.force = true;
    options.source = "silent:600:640x360".parse().unwrap();
    let (began, begun) = tokio::sync::oneshot::channel();
    let mut began = Some(began);
    let work = package(&options, |step| {
        if matches!(step, Step::Encoded(_)) {
            began.take().map(|began| began.send(()));
        }
    });
    tokio::select! {
        result = work => panic!("it should not be done: {result:?}"),
        begun = begun => begun.unwrap(),
    }
    let names = || -> Vec<_> {
        fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect()
    };
    assert_eq!(names(), ["out"]);
    assert!(out.join("precious").is_file());

    options.source = "silent:1:64x64:10".parse().unwrap();
    package(&options, |_| {}).await.unwrap();
    assert_eq!(names(), ["out"]);
    assert!(!out.join("precious").exists());
    assert!(out.join("master.m3u8").is_file());
}

#[tokio::test]
async fn what_cannot_be_packaged_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let missing = package(&options("/does/not/exist.mp4", &out), |_| {}).await;
    assert!(matches!(missing, Err(Error::Source { .. })), "{missing:?}");
    let mut mixed = options("silent:1:64x64:10", &out);
    mixed.addressing = vec![Addressing::Base];
    let mixed = package(&mixed, |_| {}).await;
    assert!(matches!(mixed, Err(Error::Option { flag: "--dash-addressing", .. })), "{mixed:?}");
    if encoder_missing() {
        return;
    }
    let garbage = directory.path().join("garbage.mp4");
    fs::write(&garbage, b"this is no film").unwrap();
    let garbage = package(&options(garbage.to_str().unwrap(), &out), |_| {}).await;
    assert!(matches!(garbage, Err(Error::Source { .. })), "{garbage:?}");
    assert!(!out.exists());
}
