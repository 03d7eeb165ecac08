//! CDNs are told what the app allows, with every request (CTA-5004).

use std::time::Duration;

use kinora_core::Config;
use kinora_core::config::{CmcdConfig, CmcdMode};
use kinora_core::io::{MediaKind, RequestKind};
use kinora_tests::world::content::Film;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

use super::{BASE, dash, fatal, hls};

fn played(mode: CmcdMode, version: u8, url: &str) -> World {
    let cmcd = CmcdConfig {
        mode,
        version,
        session_id: Some("6e2fb550-c457-11e9-bb97-0800200c9a66".into()),
        content_id: Some("film".into()),
        ..CmcdConfig::default()
    };
    let config = Config { cmcd, ..Config::default() };
    let mut world = World::new(config, Film::default().publish(BASE), Network::constant(8_000));
    world.load(url);
    world.run_to_end(Duration::from_secs(90));
    assert_eq!(fatal(&world), None);
    assert_replays(&world);
    world
}

/// What each request told, decoded, with its kind.
fn told(world: &World) -> Vec<(RequestKind, String)> {
    let decoded = |text: &str| {
        let parsed = url::form_urlencoded::parse(text.as_bytes()).next();
        parsed.map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    let one = |request: &kinora_core::io::Request| match request.url.split_once("CMCD=") {
        Some((_, text)) => decoded(&format!("CMCD={text}")),
        None => {
            let values = request.headers.iter().map(|(_, value)| value.as_str());
            values.collect::<Vec<_>>().join(";")
        }
    };
    world.requests.iter().map(|(_, request)| (request.kind, one(request))).collect()
}

#[test]
fn every_request_tells_who_asks_and_what_for() {
    for url in [hls(), dash()] {
        for (mode, version) in [(CmcdMode::Query, 1), (CmcdMode::Query, 2), (CmcdMode::Headers, 1)]
        {
            let world = played(mode, version, &url);
            for (kind, text) in told(&world) {
                assert!(text.contains("sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\""), "{text}");
                assert!(text.contains("cid=\"film\""), "{text}");
                let object = match kind {
                    RequestKind::Manifest | RequestKind::MediaPlaylist(_) => "ot=m",
                    RequestKind::Initialization(_) | RequestKind::Index(_) => "ot=i",
                    RequestKind::Segment(MediaKind::Audio) => "ot=a",
                    _ => "ot=v",
                };
                assert!(text.contains(object), "{kind:?}: {text}");
                if matches!(kind, RequestKind::Segment(_)) {
                    for key in ["br=", "d=2000", "bl=", "tb=", "st=v", "sf="] {
                        assert!(text.contains(key), "{key} is missing of {text}");
                    }
                }
            }
        }
    }
}

#[test]
fn it_tells_that_it_starts_and_then_what_is_buffered() {
    let told = told(&played(CmcdMode::Query, 1, &dash()));
    assert!(told[0].1.ends_with("su"), "{}", told[0].1);
    let media: Vec<_> =
        told.iter().filter(|(kind, _)| matches!(kind, RequestKind::Segment(_))).collect();
    let (_, last) = media.last().expect("segments");
    assert!(!last.contains(",su") && last.contains("mtp="), "{last}");
    let (_, buffer) = last.split_once("bl=").expect("a buffer length");
    let length: u64 = buffer.split(',').next().unwrap_or_default().parse().expect("milliseconds");
    assert!((5_000..=30_000).contains(&length) && length.is_multiple_of(100), "{last}");
    // The next one of the same representation is what it says it is.
    let (_, next) = media[4].1.split_once("nor=\"").expect("a next object");
    assert!(next.contains(".m4s\""), "{next}");
}

#[test]
fn reports_of_the_second_version_are_numbered() {
    let told = told(&played(CmcdMode::Query, 2, &hls()));
    for (number, (_, text)) in told.iter().enumerate() {
        assert!(text.contains(&format!("sn={number},")), "{text}");
        assert!(text.ends_with("v=2") && text.contains("sta="), "{text}");
    }
    let delays = told.iter().filter(|(_, text)| text.contains("msd=")).count();
    assert_eq!(delays, 1, "the start is told once");
}

#[test]
fn nothing_is_told_unless_it_is_asked_for() {
    let world = played(CmcdMode::Off, 2, &hls());
    assert!(world.requests.iter().all(|(_, request)| request.headers.is_empty()));
    assert_eq!(world.requests_for("CMCD"), 0);
}
