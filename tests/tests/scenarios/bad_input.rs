//! Whatever a server sends instead of a manifest, the answer is a typed error that names it.

use std::time::Duration;

use kinora_core::PlayerError;
use kinora_core::error::ErrorCode;
use kinora_core::io::{Event, SourceFormat};
use kinora_tests::world::content::{FaultKind, Film};
use kinora_tests::world::network::Network;

use super::{BASE, dash, hls, world_of};

fn answer_to(url: &str, part: &str, body: &[u8]) -> PlayerError {
    let mut origin = Film::default().publish(BASE);
    origin.fail(part, u32::MAX, FaultKind::Replace("application/octet-stream", body.to_vec()));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(url);
    let failed = |world: &kinora_tests::world::World| {
        world.events.iter().any(|(_, event)| matches!(event, Event::Error(_)))
    };
    world.run_until("error", Duration::from_secs(60), failed);
    let error = world.events.iter().find_map(|(_, event)| match event {
        Event::Error(error) => Some(error.clone()),
        _ => None,
    });
    error.expect("there is an error")
}

#[test]
fn what_is_no_manifest_is_refused() {
    for body in [&b""[..], b"<html>404</html>", b"\0\0\0\x18ftypmp42", b"{}", &[0xff; 4096]] {
        let error = answer_to(&hls(), "master.m3u8", body);
        assert_eq!(error.code, ErrorCode::ManifestUnknownFormat);
        assert_eq!(error.url, Some(hls()));
    }
}

#[test]
fn a_manifest_without_media_is_refused() {
    let error = answer_to(&hls(), "master.m3u8", b"#EXTM3U\n#EXT-X-VERSION:7\n");
    assert!(
        matches!(error.code, ErrorCode::NothingPlayable | ErrorCode::ManifestInvalid),
        "{error:?}"
    );
}

#[test]
fn a_truncated_mpd_is_refused_with_the_place() {
    let error = answer_to(&dash(), "manifest.mpd", b"<?xml version=\"1.0\"?>\n<MPD><Period>\n<Ada");
    assert_eq!(error.code, ErrorCode::ManifestInvalid);
    assert!(error.message.contains("line 3"), "{}", error.message);
}

#[test]
fn garbage_in_place_of_a_media_playlist_is_refused() {
    let error = answer_to(&hls(), "media.m3u8", b"garbage");
    assert_eq!(error.code, ErrorCode::ManifestInvalid);
    assert!(error.url.is_some_and(|url| url.ends_with("/media.m3u8")));
}

#[test]
fn garbage_in_place_of_an_init_segment_is_refused() {
    let error = answer_to(&dash(), "init.mp4", b"garbage that is long enough to look at");
    assert_eq!(error.code, ErrorCode::MediaInvalid);
}

#[test]
fn every_prefix_of_a_manifest_is_survived() {
    let film = Film { seconds: 4, ..Film::default() };
    for (url, format) in [(hls(), SourceFormat::Hls), (dash(), SourceFormat::Dash)] {
        let origin = film.publish(BASE);
        let whole = origin.body(&url).expect("the manifest is there");
        for length in 0..whole.len() {
            let prefix = &whole[..length];
            let understood = match format {
                SourceFormat::Hls => kinora_core::manifest::hls::parse(prefix, &url).is_ok(),
                SourceFormat::Dash => kinora_core::manifest::dash::parse_mpd(prefix, &url).is_ok(),
            };
            // An MPD is whole or nothing; a playlist's lines stand for themselves.
            let whole = prefix.trim_ascii_end().ends_with(b"</MPD>");
            assert!(!understood || whole || format == SourceFormat::Hls);
        }
    }
}
