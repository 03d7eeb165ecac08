//! A broadcast made by a pretend encoder in virtual time: what players are told, and how long they wait.

use super::{
    Options, Plan,
    broadcast::{Broadcast, Shape},
    channel::Channel,
    demux::{Demuxer, Item},
    routes::{self, Place},
};
use crate::package::{
    fragmented::{Sample, fixture},
    ladder::{Profile, Rung},
    source::{AudioProbe, FrameRate},
};
use axum::{
    body::{Body, Bytes},
    http::{Request, StatusCode},
    response::Response,
};
use http_body::Body as _;
use mp4_atom::Moov;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::time::Instant;
use tower_service::Service;

/// 24 frames a second, four parts of half a second in a segment, sound at 48 kHz.
pub(super) fn shape() -> Shape {
    Shape {
        frame_rate: FrameRate { frames: 24, seconds: 1 },
        part_frames: 12,
        parts: 4,
        sample_rate: Some(48_000),
        window_seconds: 30.0,
        latency_seconds: 2.2,
        most_bytes: 512 << 20,
    }
}

/// Two rungs and sound.
pub(super) fn plan() -> Plan {
    let rung = |height: u32| Rung {
        width: height * 16 / 9,
        height,
        bitrate: u64::from(height) * 1000,
        profile: Profile::Baseline,
    };
    let options = Options::new("testsrc:320x180:24".parse().unwrap());
    let super::input::Input::Pattern(pattern) = &options.input else { unreachable!() };
    let probe = crate::package::source::Probe {
        audio: Some(AudioProbe { sample_rate: 48_000, channels: 2 }),
        ..pattern.probe()
    };
    Plan { options, probe, rungs: vec![rung(180), rung(90)], shape: shape() }
}

fn header() -> Box<Moov> {
    let moov = |bytes: &[u8]| {
        let mut demuxer = Demuxer::default();
        demuxer.push(bytes);
        match demuxer.next().unwrap().remove(0) {
            Item::Header(moov) => moov,
            Item::Samples(..) => panic!("no header"),
        }
    };
    let mut all = moov(&fixture::video(&[1]));
    let sound = moov(&fixture::audio(1, 1));
    all.trak.extend([all.trak[0].clone(), sound.trak[0].clone()]);
    for (id, trak) in (1..).zip(&mut all.trak) {
        trak.tkhd.track_id = id;
    }
    all
}

/// An encoder that makes so many segments, in the time that takes.
pub(super) async fn feed(channel: &Channel, segments: Range<u64>) {
    let parts = (segments.end - segments.start) * 4;
    channel.take(Item::Header(header())).unwrap();
    for part in 0..parts {
        tokio::time::sleep(Duration::from_millis(500)).await;
        feed_part(channel, part);
    }
}

/// The pictures and the sound of half a second.
fn feed_part(channel: &Channel, part: u64) {
    feed_pictures(channel, part);
    let middle = |n: u64| (n.max(1) - 1) * 1024 + 512;
    let belongs = |n: &u64| middle(*n) / 24_000 == part && (*n > 0 || part == 0);
    let sound = (0..=(part + 1) * 24).filter(belongs).map(|n| sample(n * 1024, 1024, true));
    channel.take(Item::Samples(2, sound.collect())).unwrap();
}

fn feed_pictures(channel: &Channel, part: u64) {
    for track in 0..2 {
        let frames = (part * 12..part * 12 + 12).map(|n| sample(n * 1000, 1000, n % 48 == 0));
        channel.take(Item::Samples(track, frames.collect())).unwrap();
    }
}

fn sample(time: u64, duration: u32, sync: bool) -> (Sample, Bytes) {
    let sample = Sample { offset: 0, size: 4, time, duration, composition: 0, sync };
    (sample, Bytes::from_static(b"data"))
}

struct Answer {
    status: StatusCode,
    text: String,
    took: Duration,
}

/// The names of the directories, of the best rung and of the sound.
fn directories(channel: &Channel) -> (String, String) {
    channel.look(|b| (b.renditions[0].directory.clone(), b.renditions[2].directory.clone()))
}

async fn respond(channel: &Arc<Channel>, path: &str) -> Response {
    let place = Place { channel: channel.clone(), public_url: Some("https://live.example".into()) };
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    routes::router(place).call(request).await.unwrap()
}

async fn ask(channel: &Arc<Channel>, path: &str) -> Answer {
    let asked = Instant::now();
    let response = respond(channel, path).await;
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status, text, took: asked.elapsed() }
}

/// A channel on which so many segments have been made, and nothing more is.
async fn after(segments: u64) -> Arc<Channel> {
    let channel = Arc::new(Channel::new(&plan()));
    feed(&channel, 0..segments).await;
    channel
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_before_there_is_a_segment() {
    let channel = Arc::new(Channel::new(&plan()));
    for path in ["/master.m3u8", "/manifest.mpd"] {
        assert_eq!(ask(&channel, path).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    feed(&channel, 0..1).await;
    for path in ["/master.m3u8", "/manifest.mpd"] {
        assert_eq!(ask(&channel, path).await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_playlist_lists_segments_parts_and_what_comes_next() {
    let channel = after(4).await;
    feed_part(&channel, 16);
    let (video, audio) = directories(&channel);
    let text = ask(&channel, &format!("/{video}/media.m3u8")).await.text;
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.950,HOLD-BACK=6.0,CAN-SKIP-UNTIL=12.0",
        "#EXT-X-PART-INF:PART-TARGET=0.51200",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-MAP:URI=\"init-0.mp4\"",
        "#EXTINF:2.00000,",
        "#EXT-X-PART:DURATION=0.50000,URI=\"4.0.m4s\",INDEPENDENT=YES",
        "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"4.1.m4s\"",
    ] {
        assert!(lines.contains(&line), "{line} is not in\n{text}");
    }
    // Not the first parts: they are more than three target durations from the end.
    assert!(!text.contains("URI=\"0.0.m4s\"") && text.contains("URI=\"2.0.m4s\""), "{text}");
    let report = format!("URI=\"../{audio}/media.m3u8\",LAST-MSN=4,LAST-PART=0");
    assert!(text.contains(&report), "{text}");
    assert!(!text.contains("ENDLIST"), "{text}");
    // No part of the sound is longer than the target, none but the last of a segment much shorter.
    let sound = ask(&channel, &format!("/{audio}/media.m3u8")).await.text;
    let durations = sound.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:DURATION="));
    for duration in durations {
        let duration: f64 = duration.split(',').next().unwrap().parse().unwrap();
        assert!((0.85 * 0.512..=0.512).contains(&duration), "{duration}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_waits_for_the_part_it_asks_for() {
    let channel = after(3).await;
    let (video, _) = directories(&channel);
    let encoder = channel.clone();
    tokio::spawn(async move {
        for part in 12..20 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            feed_part(&encoder, part);
        }
    });
    let path = format!("/{video}/media.m3u8?_HLS_msn=3&_HLS_part=1");
    let answer = ask(&channel, &path).await;
    assert_eq!((answer.status, answer.took), (StatusCode::OK, Duration::from_secs(1)));
    assert!(answer.text.contains("URI=\"3.1.m4s\"") && answer.text.contains("\"3.2.m4s\""));
    // It is there by now.
    assert_eq!(ask(&channel, &path).await.took, Duration::ZERO);
    // A whole segment; and a part after the last of a segment, which is the next one's first.
    let whole = ask(&channel, &format!("/{video}/media.m3u8?_HLS_msn=3")).await;
    assert!(whole.text.contains("\n3.m4s\n") && whole.took == Duration::from_secs(1));
    let next = ask(&channel, &format!("/{video}/media.m3u8?_HLS_msn=3&_HLS_part=4")).await;
    assert_eq!(next.took, Duration::from_millis(500));
    assert!(next.text.contains("\"4.0.m4s\""));
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_cannot_be_answered_is_refused() {
    let channel = after(3).await;
    let (video, _) = directories(&channel);
    let ask_for = async |query: &str| ask(&channel, &format!("/{video}/media.m3u8?{query}")).await;
    assert_eq!(ask_for("_HLS_msn=5").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask_for("_HLS_part=1").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask_for("_HLS_msn=x").await.status, StatusCode::BAD_REQUEST);
    // The encoder has stopped: after three target durations it is said so.
    let stuck = ask_for("_HLS_msn=3&_HLS_part=0").await;
    assert_eq!((stuck.status, stuck.took.as_secs()), (StatusCode::SERVICE_UNAVAILABLE, 6));
    assert_eq!(ask(&channel, "/video-9p.x/media.m3u8").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_delta_update_leaves_out_what_the_client_has() {
    let channel = after(12).await;
    let (video, _) = directories(&channel);
    let whole = ask(&channel, &format!("/{video}/media.m3u8")).await.text;
    let delta = ask(&channel, &format!("/{video}/media.m3u8?_HLS_skip=YES")).await.text;
    // Six target durations are 12 seconds: of 24, the first twelve are skipped, and those are six segments.
    assert!(delta.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=6\n"), "{delta}");
    let listed = |text: &str| text.lines().filter(|line| line.starts_with("#EXTINF")).count();
    assert_eq!((listed(&whole), listed(&delta)), (12, 6));
    let tail = |text: &str| text[text.find("\n6.m4s").unwrap()..].to_owned();
    assert_eq!(tail(&whole), tail(&delta));
}

#[tokio::test(start_paused = true)]
async fn a_hinted_part_and_a_segment_in_the_making_come_as_they_are_made() {
    let channel = after(3).await;
    let (video, _) = directories(&channel);
    let encoder = channel.clone();
    tokio::spawn(async move {
        for part in 12..16 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            feed_part(&encoder, part);
        }
    });
    let hinted = ask(&channel, &format!("/{video}/3.0.m4s")).await;
    assert_eq!((hinted.status, hinted.took), (StatusCode::OK, Duration::from_millis(500)));

    let asked = Instant::now();
    let response = respond(&channel, &format!("/{video}/3.m4s")).await;
    assert_eq!((response.status(), asked.elapsed()), (StatusCode::OK, Duration::ZERO));
    assert!(response.body().size_hint().exact().is_none());
    let chunked = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert_eq!(asked.elapsed(), Duration::from_millis(1500));
    // The same bytes as when it is whole, and as its parts.
    let whole = respond(&channel, &format!("/{video}/3.m4s")).await;
    let whole = axum::body::to_bytes(whole.into_body(), 1 << 20).await.unwrap();
    assert_eq!(whole, chunked);
    let mut parts = Vec::new();
    for part in 0..4 {
        let part = respond(&channel, &format!("/{video}/3.{part}.m4s")).await;
        parts.extend(axum::body::to_bytes(part.into_body(), 1 << 20).await.unwrap());
    }
    assert_eq!(parts, chunked);
    // What is not the next is not waited for.
    let far = ask(&channel, &format!("/{video}/9.m4s")).await;
    assert_eq!((far.status, far.took), (StatusCode::NOT_FOUND, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn the_window_slides_and_what_left_it_stays_as_long_again() {
    let channel = after(40).await;
    let (video, _) = directories(&channel);
    let text = ask(&channel, &format!("/{video}/media.m3u8")).await.text;
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:25\n"), "{text}");
    let there = async |number: u64| ask(&channel, &format!("/{video}/{number}.m4s")).await.status;
    assert_eq!(there(9).await, StatusCode::NOT_FOUND);
    assert_eq!(there(10).await, StatusCode::OK);
    let held = channel.look(Broadcast::held);
    assert!(held > 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_bounded_in_bytes() {
    let mut plan = plan();
    plan.shape.most_bytes = 20_000;
    let channel = Arc::new(Channel::new(&plan));
    feed(&channel, 0..40).await;
    assert!(channel.look(Broadcast::held) <= 20_000);
    let (video, _) = directories(&channel);
    let text = ask(&channel, &format!("/{video}/media.m3u8")).await.text;
    let listed = text.lines().filter(|line| line.starts_with("#EXTINF")).count();
    assert!((4..15).contains(&listed), "{listed}");
    let first = text.lines().find(|line| line.ends_with(".m4s")).unwrap();
    assert_eq!(ask(&channel, &format!("/{video}/{first}")).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn another_encoder_goes_on_after_a_discontinuity() {
    let channel = after(3).await;
    // The first one dies within a segment: three parts of the picture are there, and two of the sound.
    for part in 12..14 {
        feed_part(&channel, part);
    }
    channel.break_off();
    tokio::time::sleep(Duration::from_secs(7)).await;
    feed(&channel, 0..2).await;
    let (video, audio) = directories(&channel);
    let text = ask(&channel, &format!("/{video}/media.m3u8")).await.text;
    let after = &text[text.find("#EXT-X-DISCONTINUITY\n").unwrap()..];
    assert!(after.starts_with("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"init-1.mp4\"\n"), "{text}");
    assert!(text.contains("#EXTINF:1.00000,\n3.m4s\n") && after.contains("\n4.m4s\n"), "{text}");
    assert_eq!(ask(&channel, &format!("/{video}/init-1.mp4")).await.status, StatusCode::OK);
    // The clock jumps by what it took to begin again.
    let dates: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:"))
        .map(|date| date.parse::<chrono::DateTime<chrono::Utc>>().unwrap())
        .collect();
    // 8 seconds: what was made in no time at all of the fourth segment, seven of nothing.
    let jump = dates[4] - dates[3];
    assert_eq!(jump.num_milliseconds(), 7_000);
    let sound = ask(&channel, &format!("/{audio}/media.m3u8")).await.text;
    assert_eq!(sound.matches("#EXT-X-DISCONTINUITY\n").count(), 1);

    let mpd = ask(&channel, "/manifest.mpd").await.text;
    let mpd: dash_mpd_core::MPD = dash_mpd_core::parse(&mpd).unwrap();
    let [first, second] = mpd.periods.as_slice() else { panic!("{} periods", mpd.periods.len()) };
    assert_eq!(first.duration, Some(Duration::from_secs(7)));
    assert_eq!(second.start, Some(Duration::from_secs(13)));
    let template = second.adaptations[0].SegmentTemplate.as_ref().unwrap();
    assert_eq!(
        (template.startNumber, template.presentationTimeOffset),
        (Some(4), Some(8 * 24_000))
    );
}

#[tokio::test(start_paused = true)]
async fn an_mpd_says_when_segments_are_there_and_what_time_it_is() {
    let channel = after(3).await;
    let text = ask(&channel, "/manifest.mpd").await.text;
    let mpd: dash_mpd_core::MPD = dash_mpd_core::parse(&text).unwrap();
    assert_eq!(mpd.mpdtype.as_deref(), Some("dynamic"));
    let zero = mpd.availabilityStartTime.unwrap().timestamp_micros();
    // The first frame was made two seconds before the first segment was whole.
    let now = channel.now();
    assert_eq!(now - zero, 6_000_000, "{text}");
    let clock = ask(&channel, "/time").await.text;
    let clock: chrono::DateTime<chrono::Utc> = clock.parse().unwrap();
    assert!((clock.timestamp_micros() - now).abs() < 1000);
    assert_eq!(mpd.UTCTiming[0].value.as_deref(), Some("https://live.example/time"));
    let [latency] = mpd.ServiceDescription[0].Latency.as_slice() else { panic!("{text}") };
    assert_eq!((latency.target, latency.referenceId.as_deref()), (Some(2200.0), Some("0")));
    for set in &mpd.periods[0].adaptations {
        let template = set.SegmentTemplate.as_ref().unwrap();
        assert_eq!(template.availabilityTimeOffset, Some(1.5));
        assert_eq!(template.availabilityTimeComplete, Some(false));
        assert_eq!((template.duration, template.timescale), (Some(48_000.0), Some(24_000)));
        let tie = &set.ProducerReferenceTime[0];
        assert_eq!(tie.wallClockTime.map(|t| t.timestamp_micros()), Some(zero));
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_is_told_in_both_and_what_is_left_can_be_played() {
    let channel = after(40).await;
    let (video, _) = directories(&channel);
    let waiting = {
        let (channel, path) = (channel.clone(), format!("/{video}/media.m3u8?_HLS_msn=40"));
        tokio::spawn(async move { ask(&channel, &path).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    channel.end();
    // Whoever waits for more is told, too.
    let answer = waiting.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.ends_with("#EXT-X-ENDLIST\n"), "{}", answer.text);
    assert!(!answer.text.contains("PRELOAD-HINT"), "{}", answer.text);

    let text = ask(&channel, "/manifest.mpd").await.text;
    let mpd: dash_mpd_core::MPD = dash_mpd_core::parse(&text).unwrap();
    assert_eq!((mpd.mpdtype.as_deref(), mpd.minimumUpdatePeriod), (Some("static"), None));
    assert_eq!(mpd.mediaPresentationDuration, Some(Duration::from_secs(80)));
    let period = &mpd.periods[0];
    assert_eq!(
        (period.start, period.duration),
        (Some(Duration::from_secs(50)), Some(Duration::from_secs(30)))
    );
    let template = period.adaptations[0].SegmentTemplate.as_ref().unwrap();
    assert_eq!((template.startNumber, template.endNumber), (Some(25), Some(39)));
    assert_eq!(template.presentationTimeOffset, Some(50 * 24_000));
    let next = ask(&channel, &format!("/{video}/40.m4s")).await;
    assert_eq!((next.status, next.took), (StatusCode::NOT_FOUND, Duration::ZERO));
}

/// The sound comes after the pictures, and the last of it may never come.
#[tokio::test(start_paused = true)]
async fn an_end_within_a_segment_tells_of_nothing_that_is_not_there() {
    let channel = after(2).await;
    feed_pictures(&channel, 8);
    let (video, audio) = directories(&channel);
    channel.end();
    let playlist = ask(&channel, &format!("/{audio}/media.m3u8")).await.text;
    assert!(playlist.contains("#EXT-X-GAP\n#EXTINF:2.00000,\n2.m4s\n"), "{playlist}");
    let text = ask(&channel, "/manifest.mpd").await.text;
    let mpd: dash_mpd_core::MPD = dash_mpd_core::parse(&text).unwrap();
    assert_eq!(mpd.mediaPresentationDuration, Some(Duration::from_secs(4)));
    assert_eq!(mpd.periods[0].duration, Some(Duration::from_secs(4)));
    for set in &mpd.periods[0].adaptations {
        let template = set.SegmentTemplate.as_ref().unwrap();
        let last = template.endNumber.unwrap();
        for directory in [&video, &audio] {
            let file = ask(&channel, &format!("/{directory}/{last}.m4s")).await;
            assert_eq!(file.status, StatusCode::OK, "{text}");
        }
    }
}

/// The project's own players understand all of it, and find nothing to complain of.
#[tokio::test(start_paused = true)]
async fn players_understand_what_is_written() {
    use kinora_core::manifest::{Parsed, dash, hls};
    use kinora_core::time::Timestamp;
    let channel = after(12).await;
    feed_part(&channel, 48);
    channel.break_off();
    tokio::time::sleep(Duration::from_secs(3)).await;
    feed(&channel, 0..2).await;
    let (video, audio) = directories(&channel);
    for ended in [false, true] {
        if ended {
            channel.end();
        }
        for directory in [&video, &audio] {
            let url = format!("https://live.example/{directory}/media.m3u8");
            let whole = ask(&channel, &format!("/{directory}/media.m3u8")).await.text;
            let parsed = hls::parse_media(whole.as_bytes(), &url).unwrap();
            assert_eq!(parsed.warnings, [], "{whole}");
            let mut playlist = parsed.value;
            assert_eq!(playlist.timing().is_some(), !ended);
            // A delta update brings nothing that was not there.
            let listed = playlist.index.iter().count();
            let delta = ask(&channel, &format!("/{directory}/media.m3u8?_HLS_skip=YES")).await.text;
            assert!(delta.contains("#EXT-X-SKIP"), "{delta}");
            let news = playlist.refresh(delta.as_bytes(), &url, Timestamp::default()).unwrap();
            assert_eq!(news.warnings, [], "{delta}");
            assert_eq!(playlist.index.iter().count(), listed);
        }
        let master = ask(&channel, "/master.m3u8").await.text;
        let parsed = hls::parse(master.as_bytes(), "https://live.example/master.m3u8").unwrap();
        assert_eq!(parsed.warnings, []);
        let text = ask(&channel, "/manifest.mpd").await.text;
        let url = "https://live.example/manifest.mpd";
        let Parsed { value, warnings } = dash::parse_mpd(text.as_bytes(), url).unwrap();
        assert_eq!(warnings, [], "{text}");
        assert_eq!((value.live.is_some(), value.periods.len()), (!ended, 2));
        let [video, audio] = value.periods[1].sets.as_slice() else { panic!("{text}") };
        assert_eq!((video.representations.len(), audio.representations.len()), (2, 1));
    }
}
