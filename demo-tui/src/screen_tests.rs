use std::time::Duration;

use kinora_native::core::Error;
use kinora_native::core::error::Severity;
use kinora_native::core::io::{Cue, MediaKind, PlaybackStatus, Quality, TrackInfo};
use kinora_native::core::time::TimeRange;
use kinora_native::{Event, MediaTime};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::screen::draw;
use crate::title::Title;
use crate::view::{LogLine, StreamView, Tone, View};

/// What the screen of this size shows, as text.
fn drawn(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, view)).unwrap();
    terminal.backend().to_string()
}

fn quality(height: u32, bandwidth: u64) -> Quality {
    Quality {
        id: format!("video-{height}p"),
        bandwidth,
        width: Some(height * 16 / 9),
        height: Some(height),
        codecs: "avc1.64001f".into(),
    }
}

/// Two minutes into the film, on the way from 432p to 720p.
fn playing() -> View {
    let ladder = [quality(270, 504_541), quality(432, 1_194_025), quality(720, 2_902_245)];
    let mut view = View::new("http://127.0.0.1:8080/film/master.m3u8");
    view.title = Title {
        title: "Big Buck Bunny".into(),
        credit: Some("(c) Blender Foundation".into()),
        license: Some("CC-BY 3.0".into()),
    };
    view.status = PlaybackStatus::Playing;
    view.position = MediaTime::from_secs(125);
    view.duration = Some(MediaTime::from_millis(596_458));
    view.streams = vec![
        StreamView {
            kind: MediaKind::Video,
            ahead: MediaTime::from_secs(12),
            goal: MediaTime::from_secs(30),
            shown: Some(ladder[1].clone()),
            next: Some(ladder[2].clone()),
            why: Some("the highest rung the network sustains".into()),
        },
        StreamView {
            kind: MediaKind::Audio,
            ahead: MediaTime::from_secs(30),
            goal: MediaTime::from_secs(30),
            shown: None,
            next: None,
            why: None,
        },
    ];
    view.qualities = ladder.to_vec();
    view.throughput = (0..240).map(|at| 4e6 + 1e6 * (f64::from(at) / 20.0).sin()).collect();
    view.bitrate = (0..240).map(|at| if at < 120 { 504_541.0 } else { 1_194_025.0 }).collect();
    view.stalls = 1;
    view.switches = 2;
    view.bytes = 34_500_000;
    for (at, tone, text) in [
        (10, Tone::Plain, "loaded: 9:56, 3 qualities"),
        (800, Tone::Good, "the first frame can play"),
        (61_300, Tone::Warning, "buffering: playback ran dry"),
    ] {
        view.log_line(LogLine { at: Duration::from_millis(at), tone, text: text.into() });
    }
    view
}

#[test]
fn a_film_that_plays() {
    insta::assert_snapshot!(drawn(&playing(), 100, 30));
}

#[test]
fn a_small_terminal() {
    insta::assert_snapshot!(drawn(&playing(), 50, 12));
}

#[test]
fn a_tiny_terminal() {
    insta::assert_snapshot!(drawn(&playing(), 20, 3));
}

#[test]
fn nothing_is_known_yet() {
    insta::assert_snapshot!(drawn(&View::new("http://127.0.0.1:8080/film/master.m3u8"), 80, 24));
}

#[test]
fn a_pinned_quality_and_a_log_scrolled_back() {
    let mut view = playing();
    view.paused = true;
    view.pinned = Some(0);
    view.scroll_by(2);
    let screen = drawn(&view, 100, 30);
    assert!(screen.contains("quality (pinned)"), "{screen}");
    assert!(screen.contains("log (2 newer below)"), "{screen}");
    assert!(screen.contains("paused"), "{screen}");
    assert!(screen.contains("loaded: 9:56") && !screen.contains("ran dry"), "{screen}");
}

#[test]
fn subtitles_are_read_while_some_are_shown() {
    let mut view = playing();
    let start = MediaTime::from_secs(124);
    let cue = |text: &str| Cue {
        id: String::new(),
        span: TimeRange { start, end: MediaTime::from_secs(126) },
        settings: String::new(),
        text: text.to_owned(),
    };
    let track = TrackInfo {
        kind: MediaKind::Text,
        index: 0,
        language: Some("en".into()),
        label: None,
        qualities: Vec::new(),
        selected: false,
    };
    let tracks = vec![track];
    view.subtitles.note(&Event::Loaded { duration: view.duration, live: false, tracks });
    let before = drawn(&view, 100, 30);
    assert!(view.subtitles.turn().is_some());
    view.subtitles.note(&Event::Cues(vec![cue("one"), cue("<i>two</i>\nthree")]));
    let screen = drawn(&view, 100, 30);
    let lines: Vec<&str> = screen.lines().map(|line| line.trim_matches(['"', ' '])).collect();
    assert_eq!(lines[2..4], ["two", "three"]);
    assert!(lines[4].contains("buffer ahead"), "{screen}");
    let small = drawn(&view, 50, 12);
    assert_eq!(small.lines().nth(2).map(|line| line.trim_matches(['"', ' '])), Some("three"));
    // Nothing is said then, and nothing has jumped.
    view.position = MediaTime::from_secs(126);
    let later = drawn(&view, 100, 30);
    assert!(later.lines().nth(4).unwrap().contains("buffer ahead"), "{later}");
    view.position = MediaTime::from_secs(125);
    assert!(view.subtitles.turn().is_some());
    assert_eq!(drawn(&view, 100, 30), before);
}

#[test]
fn a_fatal_error_is_seen() {
    let mut view = playing();
    let error = Error::HttpStatus { url: "http://127.0.0.1/seg-3.m4s".into(), status: 404 };
    view.status = PlaybackStatus::Failed;
    view.note(Duration::from_secs(61), &Event::Error(error.to_player_error(Severity::Fatal)));
    let text = "HTTP_STATUS: http://127.0.0.1/seg-3.m4s answered with status 404";
    let screen = drawn(&view, 100, 30);
    assert!(screen.contains("failed") && screen.contains(text), "{screen}");
    let small = drawn(&view, 66, 8);
    assert!(small.contains(text), "{small}");
}

#[test]
fn every_size_can_be_drawn() {
    let view = playing();
    for width in 1..90 {
        for height in [1, 2, 3, 5, 6, 7, 12, 19, 20, 21, 24, 50] {
            drawn(&view, width, height);
        }
    }
}
