//! Playback over real HTTP, from the bundled server, in real time.

use std::future::pending;
use std::time::Duration;

use kinora_core::config::Config;
use kinora_core::error::ErrorCode;
use kinora_core::io::PlaybackStatus;
use kinora_native::headless::{HeadlessOptions, play};
use kinora_native::{MediaTime, Options, Player};
use kinora_server::delivery::{Mount, router};
use tokio::net::TcpListener;

/// Where the test film lies.
const MEDIA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media");

/// Serves the test film and gives its address.
async fn serve() -> String {
    let router =
        router(&[Mount::new("/", MEDIA).expect("a folder")], None, None).expect("a router");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(kinora_server::http::serve(listener, router, pending(), Duration::ZERO));
    format!("http://{address}")
}

#[tokio::test]
async fn one_second_plays_in_one_second() {
    let url = format!("{}/multivariant.m3u8", serve().await);
    let options =
        HeadlessOptions { player: Options::default(), play_for: Some(MediaTime::from_secs(1)) };
    let begin = std::time::Instant::now();
    let report = play(&url, options, pending(), |_| {}).await.expect("it plays").report;
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    assert_eq!((report.stalls, report.errors.len()), (0, 0), "{report:#?}");
    assert!(report.played_s >= 1.0 && report.decoded_audio_s > 0.9, "{report:#?}");
    assert!(report.video_frames >= 24 && report.audio_rms > 0.05, "{report:#?}");
}

#[tokio::test]
async fn what_the_server_does_not_have_is_an_error_with_its_status() {
    let url = format!("{}/nothing.m3u8", serve().await);
    let error = Player::open(&url, Config::default()).await.err().expect("an error");
    assert_eq!((error.code, error.http_status), (ErrorCode::HttpStatus, Some(404)));
    assert_eq!(error.url.as_deref(), Some(url.as_str()));
}

#[tokio::test]
async fn a_server_that_is_gone_is_an_error_and_no_hang() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/film.mpd", listener.local_addr().expect("an address"));
    drop(listener);
    let mut config = Config::default();
    config.retry.base_delay = Duration::from_millis(1);
    let options =
        HeadlessOptions { player: Options { config, ..Options::default() }, play_for: None };
    let report = play(&url, options, pending(), |_| {}).await.expect("it starts").report;
    assert_eq!(report.status.0, PlaybackStatus::Failed);
    let fatal = report.fatal().expect("an error");
    assert_eq!(fatal.code, ErrorCode::NetworkUnreachable, "{fatal}");
    assert!(fatal.message.contains("refused"), "{fatal}");
}
