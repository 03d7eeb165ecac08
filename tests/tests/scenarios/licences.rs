//! Films whose samples are encrypted: keys that manifests or only the media name, and licences that expire.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::config::{DrmConfig, KeySystemConfig};
use kinora_core::error::ErrorCode;
use kinora_core::io::{MediaKind, RequestKind};
use kinora_tests::world::World;
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::film::{Codec, Part, Protection};
use kinora_tests::world::network::Network;

use super::{BASE, dash, fatal, hls, seconds, warnings};

mod of_fragments;
mod statuses;

const KEY: [u8; 16] = [0x22; 16];
pub(super) const LICENSE: &str = "https://license.example/clearkey";

/// What a manifest says of the film's protection.
#[derive(Clone, Copy, Debug)]
enum Told {
    /// All there is to say.
    Everything,
    /// That it is protected.
    Little,
    Nothing,
}

fn film(told: Told) -> Film {
    let (hls, dash) = match told {
        Told::Everything => (
            format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{BASE}/key.bin\",KEYID=0x$KID$\n"),
            "<ContentProtection schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\" value=\"cbcs\" \
             xmlns:cenc=\"urn:mpeg:cenc:2013\" cenc:default_KID=\"$UUID$\"/>\n"
                .to_owned(),
        ),
        Told::Little => (
            format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{BASE}/key.bin\"\n"),
            "<ContentProtection schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\" value=\"cbcs\"/>\n"
                .to_owned(),
        ),
        Told::Nothing => (String::new(), String::new()),
    };
    Film {
        seconds: 40,
        rungs: vec![(150, 240), (300, 360)],
        protection: Some(Protection { key_id: KEY, better: None, hls, dash, rotation: None }),
        ..Film::default()
    }
}

fn origin(told: Told, licence: &str) -> Origin {
    published(&film(told), licence)
}

fn published(film: &Film, licence: &str) -> Origin {
    let mut origin = film.publish(BASE);
    origin.add(LICENSE, "application/json", licence);
    origin
}

/// A world whose app names the licence server.
fn world(origin: Origin) -> World {
    World::new(config(), origin, Network::constant(4_000))
}

/// Names the licence server.
pub(super) fn config() -> Config {
    let system = KeySystemConfig {
        key_system: "org.w3.clearkey".into(),
        license_url: Some(LICENSE.into()),
        ..KeySystemConfig::default()
    };
    let drm = DrmConfig { key_systems: vec![system] };
    Config { drm, ..Config::default() }
}

fn asked(world: &World) -> usize {
    world.requests.iter().filter(|(_, request)| request.kind == RequestKind::License).count()
}

fn ends_well(world: &mut World) {
    world.run_to_end(Duration::from_secs(120));
    assert!(fatal(world).is_none());
    assert_eq!(world.player.state().totals.stalls, 0);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let [range] = world.element.buffered(kind).try_into().expect("no hole");
        assert_eq!(range.end, seconds(40.0), "{kind:?}");
    }
}

#[test]
fn keys_that_only_the_media_names_are_asked_for() {
    for told in [Told::Everything, Told::Little, Told::Nothing] {
        for url in [hls(), dash()] {
            let mut origin = origin(told, "{}");
            origin.fail(LICENSE, 1, FaultKind::Delay(Duration::from_secs(2)));
            let mut world = world(origin);
            world.load(&url);
            world.run_for(Duration::from_secs(1));
            assert_eq!(asked(&world), 1, "before anything is appended");
            for kind in [MediaKind::Video, MediaKind::Audio] {
                assert!(world.element.chunks(kind).is_empty(), "nothing is, without a key");
            }
            ends_well(&mut world);
            assert_eq!(asked(&world), 1, "one licence is enough for one key");
            assert!(warnings(&world).is_empty(), "{:?}", warnings(&world));
        }
    }
}

#[test]
fn a_refusal_of_a_key_that_only_the_media_names_is_told() {
    for url in [hls(), dash()] {
        let mut origin = origin(Told::Nothing, "{}");
        origin.fail(LICENSE, u32::MAX, FaultKind::Status(403));
        let mut world = world(origin);
        world.load(&url);
        world.run_until("error", Duration::from_secs(60), |world| fatal(world).is_some());
        let error = fatal(&world).expect("an error");
        assert_eq!((error.code, error.http_status), (ErrorCode::LicenseRefused, Some(403)));
        assert!(world.element.chunks(MediaKind::Video).is_empty());
    }
}

#[test]
fn the_key_of_a_playlist_becomes_a_licence() {
    for told in [Told::Everything, Told::Little] {
        let mut origin = origin(told, "{}");
        origin.add(&format!("{BASE}/key.bin"), "application/octet-stream", [0x33; 16]);
        let mut world = World::new(Config::default(), origin, Network::constant(4_000));
        world.load(&hls());
        ends_well(&mut world);
        let [(_, licence)] = world.keys.licences.as_slice() else { panic!("one licence") };
        let licence = String::from_utf8_lossy(licence);
        assert!(licence.contains("\"kid\":\"IiIiIiIiIiIiIiIiIiIiIg\""), "{licence}");
        assert!(licence.contains("\"k\":\"MzMzMzMzMzMzMzMzMzMzMw\""), "{licence}");
        let log = world.player.session_log();
        assert!(!log.windows(16).any(|window| window == [0x33; 16]), "a key in the log");
    }
}

#[test]
fn a_session_lasts_from_period_to_period() {
    let part = |segment| Part { segment, media_start: 7 * segment, codec: Codec::Avc };
    let film = Film { parts: vec![part(5), part(11)], ..film(Told::Everything) };
    for url in [hls(), dash()] {
        let mut world = world(published(&film, "{}"));
        world.load(&url);
        ends_well(&mut world);
        assert_eq!((asked(&world), world.keys.created.len()), (1, 1), "of three periods");
        assert!(warnings(&world).is_empty());
    }
}

#[test]
fn a_licence_that_says_when_it_expires_is_renewed_before() {
    let mut world = world(origin(Told::Everything, r#"{"keys":[],"expires_in":10}"#));
    world.keys.lasts = Some(Duration::from_secs(12));
    world.load(&dash());
    ends_well(&mut world);
    assert_eq!(asked(&world), 5, "at the start and every ten seconds");
    assert!(warnings(&world).is_empty());
}

#[test]
fn a_licence_that_expires_without_a_word_is_renewed_then() {
    let mut world = world(origin(Told::Everything, "{}"));
    world.keys.lasts = Some(Duration::from_secs(15));
    world.load(&dash());
    world.run_to_end(Duration::from_secs(120));
    assert!(fatal(&world).is_none());
    let state = world.player.state();
    assert!(state.totals.stalled < Duration::from_secs(1), "{:?}", state.totals);
    assert!((3..=4).contains(&asked(&world)), "{}", asked(&world));
}

#[test]
fn a_renewal_that_fails_costs_nothing_while_the_keys_last() {
    let mut world = world(origin(Told::Everything, r#"{"keys":[],"expires_in":10}"#));
    world.keys.lasts = Some(Duration::from_secs(38));
    world.load(&dash());
    world.run_for(Duration::from_secs(5));
    world.origin.fail(LICENSE, u32::MAX, FaultKind::Refuse);
    world.run_for(Duration::from_secs(20));
    world.origin.heal(LICENSE);
    ends_well(&mut world);
    assert!(world.keys.licences.len() >= 2, "it was renewed in the end");
}

#[test]
fn a_licence_that_is_not_renewed_ends_in_an_error_that_says_so() {
    let mut world = world(origin(Told::Everything, "{}"));
    world.keys.lasts = Some(Duration::from_secs(15));
    world.load(&dash());
    world.run_for(Duration::from_secs(5));
    world.origin.fail(LICENSE, u32::MAX, FaultKind::Status(403));
    world.run_until("error", Duration::from_secs(60), |world| fatal(world).is_some());
    assert_eq!(fatal(&world).map(|error| error.code), Some(ErrorCode::LicenseRefused));
}
