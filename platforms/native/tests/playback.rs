//! Whole playback over a virtual network, under a paused clock: it takes as long as decoding does.

mod common;

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use common::{BASE, film, media, options, options_up_to, url};
use kinora_core::config::{BufferConfig, Config};
use kinora_core::error::ErrorCode;
use kinora_core::io::{MediaKind, Output, PlaybackStatus};
use kinora_core::telemetry::log;
use kinora_native::element::ElementConfig;
use kinora_native::headless::{HeadlessOptions, HeadlessRun, play};
use kinora_native::transport::{Entry, MemoryTransport};
use kinora_native::{Event, HeadlessReport, MediaTime, Options, Player, Selection};

/// One frame of AAC.
const AAC: f64 = 1024.0 / 44_100.0;

async fn run(options: Options) -> HeadlessRun {
    let options = HeadlessOptions { player: options, play_for: None };
    play(&url(), options, pending(), |_| {}).await.expect("the player starts")
}

async fn report(options: Options) -> HeadlessReport {
    run(options).await.report
}

#[tokio::test(start_paused = true)]
async fn the_film_plays_to_its_end_and_every_second_is_accounted_for() {
    let transport = film();
    transport.set_latency(Duration::from_millis(20));
    transport.set_bits_per_second(Some(10_000_000));
    let report = report(options(&transport)).await;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    assert_eq!((report.stalls, report.errors.len()), (0, 0), "{report:#?}");
    assert!((report.played_s - 8.0).abs() < 2.0 * AAC, "{report:#?}");
    assert!((report.decoded_audio_s - report.played_s).abs() < 2.0 * AAC, "{report:#?}");
    assert!(report.missing_audio_s < 2.0 * AAC && report.silent_audio_s < 0.1, "{report:#?}");
    assert!((report.audio_rms - 0.088).abs() < 0.01, "{report:#?}");
    assert_eq!(report.video_frames, 192);
    assert!(report.startup_ms.is_some_and(|ms| (40.0..1000.0).contains(&ms)), "{report:#?}");
    let bytes: u64 = transport.requests().len() as u64;
    assert_eq!(u64::from(report.requests), bytes, "{report:#?}");
    assert!(report.qualities.iter().any(|shown| shown.kind == "video"), "{report:#?}");
    assert!(report.qualities.iter().any(|shown| shown.kind == "audio"), "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_transport_stream_of_picture_and_sound_plays_to_its_end() {
    let options = HeadlessOptions { player: options(&film()), play_for: None };
    let url = format!("{BASE}transport.m3u8");
    let report = play(&url, options, pending(), |_| {}).await.expect("the player starts").report;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    assert_eq!((report.stalls, report.errors.len()), (0, 0), "{report:#?}");
    assert_eq!(report.video_frames, 192);
    assert!((report.decoded_audio_s - 8.0).abs() < 3.0 * AAC, "{report:#?}");
    assert!(report.missing_audio_s < 2.0 * AAC && report.silent_audio_s < 0.1, "{report:#?}");
    assert!((report.audio_rms - 0.088).abs() < 0.01, "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_height_limit_is_kept() {
    let report = report(options_up_to(&film(), 36)).await;
    let heights: Vec<_> = report.video_sizes.iter().map(|size| size.height).collect();
    assert_eq!(heights, [36], "{report:#?}");
    assert_eq!(report.switches, 0);
}

#[tokio::test(start_paused = true)]
async fn a_network_slower_than_the_lowest_quality_stalls_but_loses_nothing() {
    let transport = film();
    transport.set_bits_per_second(Some(32_000));
    let report = report(options(&transport)).await;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    assert!(report.stalls > 0 && report.stall_s > 1.0, "{report:#?}");
    assert_eq!(report.video_frames, 192, "{report:#?}");
    assert!((report.decoded_audio_s - report.played_s).abs() < 2.0 * AAC, "{report:#?}");
}

/// What has come of the first segments is appended by spans, behind a box of the player's, and the rest after it.
#[tokio::test(start_paused = true)]
async fn playback_starts_before_the_first_segments_are_there_and_misses_nothing_of_them() {
    let transport = film();
    transport.set_bits_per_second(Some(100_000));
    let report = report(options_up_to(&transport, 36)).await;
    let before_it = [
        ["multivariant.m3u8", "low.m3u8", "tone.m3u8"].as_slice(),
        &["low-init.mp4", "low-0.m4s", "tone-init.mp4", "tone-0.m4s"],
    ]
    .concat();
    let size = |name| std::fs::metadata(media().join(name)).expect("the film is there").len();
    let there_ms = before_it.into_iter().map(size).sum::<u64>() as f64 * 8.0 / 100.0;
    assert!(report.startup_ms.is_some_and(|ms| ms < 0.9 * there_ms), "{there_ms}: {report:#?}");
    assert_eq!((report.status.0, report.video_frames), (PlaybackStatus::Ended, 192), "{report:#?}");
    assert!((report.decoded_audio_s - 8.0).abs() < 2.0 * AAC, "{report:#?}");
    assert!(report.missing_audio_s < 2.0 * AAC && report.silent_audio_s < 0.1, "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_network_that_slows_down_brings_the_quality_down() {
    let transport = film();
    transport.set_bits_per_second(Some(2_000_000));
    let mut player_options = options(&transport);
    player_options.config.buffer =
        BufferConfig { forward: Duration::from_secs(3), ..BufferConfig::default() };
    let mut player = Player::start(url(), player_options).expect("the player starts");
    player.play().await;
    let mut heights = Vec::new();
    while let Some(event) = player.next_event().await {
        match event {
            Event::Decision(decision) if decision.kind == MediaKind::Video => {
                heights.push(decision.quality.height);
                if heights.len() == 2 {
                    transport.set_bits_per_second(Some(50_000));
                }
            }
            Event::Ended => break,
            Event::Error(error) => panic!("{error}"),
            _ => {}
        }
    }
    assert!(heights.contains(&Some(72)), "{heights:?}");
    assert_eq!(heights.last(), Some(&Some(36)), "{heights:?}");
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_is_missing_is_named() {
    let transport = film();
    let missing = format!("{BASE}tone-2.m4s");
    transport.insert(&missing, Entry { status: 404, ..Entry::new("text/html", "<h1>404</h1>") });
    let report = report(options(&transport)).await;
    assert_eq!(report.status.0, PlaybackStatus::Failed, "{report:#?}");
    let fatal = report.fatal().expect("an error");
    assert_eq!(fatal.code, ErrorCode::HttpStatus);
    assert_eq!((fatal.url.as_deref(), fatal.http_status), (Some(missing.as_str()), Some(404)));
}

#[tokio::test(start_paused = true)]
async fn connections_that_break_are_retried_and_then_named() {
    let transport = film();
    let broken = format!("{BASE}tone-0.m4s");
    let body = std::fs::read(media().join("tone-0.m4s")).expect("the segment");
    let entry = Entry { breaks_after: Some(1000), ..Entry::new("video/mp4", body) };
    transport.insert(&broken, entry);
    let report = report(options(&transport)).await;
    let fatal = report.fatal().expect("an error");
    assert_eq!(fatal.code, ErrorCode::NetworkInterrupted);
    let attempts = transport.requests().iter().filter(|request| request.url == broken).count();
    assert_eq!(attempts, Config::default().retry.manifest.attempts as usize);
}

#[tokio::test(start_paused = true)]
async fn garbage_for_a_manifest_is_named() {
    for (body, code) in [
        ("<!DOCTYPE html>", ErrorCode::ManifestUnknownFormat),
        ("#EXTM3U\n#EXT-X-STREAM-INF:", ErrorCode::ManifestInvalid),
        ("", ErrorCode::ManifestUnknownFormat),
    ] {
        let transport = MemoryTransport::default();
        transport.insert(url(), Entry::new("text/html", Bytes::from_static(body.as_bytes())));
        let report = report(options(&transport)).await;
        let fatal = report.fatal().expect("an error");
        assert_eq!(fatal.code, code, "{body:?}: {fatal}");
        assert_eq!(report.startup_ms, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffer_too_small_for_the_film_still_plays_it() {
    let transport = film();
    let element = ElementConfig { video_quota: 30_000, ..ElementConfig::default() };
    let report = report(Options { element, ..options(&transport) }).await;
    assert_eq!(report.status.0, PlaybackStatus::Ended, "{report:#?}");
    assert_eq!(report.video_frames, 192, "{report:#?}");
    assert!(!report.warnings.is_empty(), "the buffer was full: {report:#?}");
}

#[tokio::test(start_paused = true)]
async fn pause_seek_rate_and_pin() {
    let transport = film();
    let mut player = Player::start(url(), options(&transport)).expect("the player starts");
    wait(&mut player, |event| matches!(event, Event::Ready)).await;
    let low = Selection::Representation { kind: MediaKind::Video, id: Some(lowest(&player).await) };
    player.select(low).await;
    player.seek(MediaTime::from_secs(5)).await;
    player.set_rate(2.0).await;
    let paused = player.state().await.expect("a running player");
    assert!(paused.element.paused);
    let begin = tokio::time::Instant::now();
    player.play().await;
    wait(&mut player, |event| matches!(event, Event::Ended)).await;
    let end = player.state().await.expect("a running player");
    let elapsed = begin.elapsed().as_secs_f64();
    assert!((elapsed - 1.5).abs() < 0.5, "3 s at twice the speed took {elapsed} s");
    assert!((end.presented.played.seconds() - 3.0).abs() < 0.3, "{:?}", end.presented);
    assert!(end.element.ended);
    // From the end, playing goes on at the start.
    player.play().await;
    wait(&mut player, |event| matches!(event, Event::Playing)).await;
    let again = player.state().await.expect("a running player");
    assert!(again.element.position < MediaTime::from_secs(2), "{:?}", again.element);
    player.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_player_asks_for_nothing_more() {
    let transport = film();
    transport.set_bits_per_second(Some(100_000));
    let player = Player::open(url(), Config::default()).await;
    assert!(player.is_err(), "there is no such host");
    let mut player = Player::start(url(), options(&transport)).expect("the player starts");
    wait(&mut player, |event| matches!(event, Event::Ready)).await;
    player.stop().await;
    let requests = transport.requests().len();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(transport.requests().len(), requests);
}

#[tokio::test(start_paused = true)]
async fn a_recorded_session_replays_with_the_same_requests() {
    let transport = film();
    transport.set_bits_per_second(Some(200_000));
    let mut player_options = options(&transport);
    player_options.config.record = true;
    let run = run(player_options).await;
    let mut replayed = Vec::new();
    let parsed = log::Log::parse(&run.session_log).expect("a log");
    log::replay(parsed, |_, output| {
        if let Output::Request(request) = output {
            replayed.push(request);
        }
    })
    .expect("a log that replays");
    assert_eq!(replayed, transport.requests());
}

async fn wait(player: &mut Player, wanted: impl Fn(&Event) -> bool) {
    loop {
        let event = player.next_event().await.expect("the player goes on");
        if wanted(&event) {
            return;
        }
        assert!(!matches!(event, Event::Error(_)), "{event:?}");
    }
}

/// The id of the lowest quality of the picture.
async fn lowest(player: &Player) -> String {
    let state = player.state().await.expect("a running player").state;
    let stream = state.streams.iter().find(|stream| stream.kind == MediaKind::Video);
    stream.and_then(|stream| stream.next.clone()).expect("a quality").id
}
