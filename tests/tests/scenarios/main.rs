//! The whole player against a virtual world, one behaviour a file.

mod adapts;
mod agrees_with_the_simulator;
mod background;
mod bad_input;
mod cmcd;
mod cmcd_events;
mod corrupt_at_one_host;
mod cut_playlists;
mod ends;
mod failing_server;
mod full_buffer;
mod gaps;
mod holes;
mod host_dies;
mod languages;
mod licences;
mod limits;
mod live;
mod managed;
mod offline;
mod pictures;
mod pieces;
mod pins;
mod queues;
mod rebuilds;
mod replaces;
mod replays;
mod request_storm;
mod retry_after;
mod sealed;
mod seeks;
mod sleeps;
mod slow_loris;
mod starts;
mod steering;
mod subtitles;
mod survives;
mod tracks;
mod transport;

use kinora_core::io::{Event, MediaKind, Warning};
use kinora_core::time::MediaTime;
use kinora_core::{Config, PlayerError};
use kinora_tests::world::World;
use kinora_tests::world::content::{Film, Origin};
use kinora_tests::world::network::Network;

const BASE: &str = "https://cdn.example/film";

fn hls() -> String {
    format!("{BASE}/master.m3u8")
}

fn dash() -> String {
    format!("{BASE}/manifest.mpd")
}

fn world(film: &Film, network: Network) -> World {
    world_of(film.publish(BASE), network)
}

fn world_of(origin: Origin, network: Network) -> World {
    World::new(Config::default(), origin, network)
}

/// Heights of the pictures shown, in order.
fn heights_shown(world: &World) -> Vec<u32> {
    let shown = |event: &Event| match event {
        Event::QualityChanged { kind: MediaKind::Video, to, .. } => to.height,
        _ => None,
    };
    world.events.iter().filter_map(|(_, event)| shown(event)).collect()
}

fn warnings(world: &World) -> Vec<&Warning> {
    let mut warnings = Vec::new();
    for (_, event) in &world.events {
        if let Event::Warning(warning) = event {
            warnings.push(warning);
        }
    }
    warnings
}

/// The fatal error, if there was one.
fn fatal(world: &World) -> Option<&PlayerError> {
    world.events.iter().find_map(|(_, event)| match event {
        Event::Error(error) => Some(error),
        _ => None,
    })
}

/// No segment was asked for twice in one representation.
fn assert_nothing_fetched_twice(world: &World) {
    let mut urls: Vec<&str> =
        world.requests.iter().map(|(_, request)| request.url.as_str()).collect();
    let all = urls.len();
    urls.sort_unstable();
    urls.dedup();
    assert_eq!(urls.len(), all, "something was asked for twice");
}

fn seconds(seconds: f64) -> MediaTime {
    MediaTime::from_seconds(seconds)
}

fn millis(millis: i64) -> MediaTime {
    MediaTime::from_millis(millis)
}
