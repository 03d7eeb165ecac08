//! Playback of what is still being made, one behaviour a file.

mod ends;
mod falls_behind;
mod joins;
mod keeps_its_keys;
mod keeps_latency;
mod knows_the_time;
mod lasts;
mod late_encoder;
mod long_playlists;
mod loses_chunks;
mod plays_breaks;
mod reloads;
mod stops_and_resumes;
mod subtitles;
mod tells_where_to_go;

use std::time::Duration;

use kinora_core::Config;
use kinora_core::io::{Event, Input};
use kinora_core::telemetry::LiveState;
use kinora_core::time::MediaTime;
use kinora_tests::world::World;
use kinora_tests::world::content::Origin;
use kinora_tests::world::live::{Addressing, Broadcast};
use kinora_tests::world::network::Network;

/// The ways a broadcast can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Hls,
    LowLatencyHls,
    Number,
    Timeline,
    Patched,
    Chunked,
}

const ALL: [Way; 6] =
    [Way::Hls, Way::LowLatencyHls, Way::Number, Way::Timeline, Way::Patched, Way::Chunked];

impl Way {
    fn broadcast(self) -> Broadcast {
        let usual = Broadcast::default();
        match self {
            Self::Hls | Self::Number => usual,
            Self::LowLatencyHls => Broadcast { part_ms: Some(500), ..usual },
            Self::Timeline => Broadcast { addressing: Addressing::Timeline, ..usual },
            Self::Patched => Broadcast { addressing: Addressing::Timeline, patches: true, ..usual },
            Self::Chunked => Broadcast { part_ms: Some(500), ..usual },
        }
    }

    fn url(self, broadcast: &Broadcast) -> String {
        match self {
            Self::Hls | Self::LowLatencyHls => broadcast.hls(),
            _ => broadcast.dash(),
        }
    }
}

fn world(broadcast: Broadcast, network: Network) -> World {
    world_with(Config::default(), broadcast, network)
}

fn world_with(config: Config, broadcast: Broadcast, network: Network) -> World {
    let mut origin = Origin::default();
    origin.broadcast = Some(broadcast);
    World::new(config, origin, network)
}

/// A world in which a broadcast plays.
fn playing(way: Way) -> World {
    let broadcast = way.broadcast();
    let url = way.url(&broadcast);
    let mut world = world(broadcast, Network::constant(8_000));
    start(&mut world, &url);
    world
}

fn start(world: &mut World, url: &str) {
    world.load(url);
    world.run_until("playback", Duration::from_secs(15), |world| {
        world.events.iter().any(|(_, event)| *event == Event::Playing)
    });
}

fn live(world: &World) -> LiveState {
    world.player.state().live.expect("live playback is described")
}

/// From when something happened to when it is shown, by the world's own clock. The broadcast's
/// timeline is DASH's; in HLS what was listed first is at zero.
fn latency(world: &World, zero: MediaTime) -> f64 {
    let broadcast = world.origin.broadcast.as_ref().expect("a broadcast");
    let now = MediaTime::from_micros((broadcast.moment(world.now()) * 1_000) as i64);
    (now - zero - world.element.position).seconds()
}

/// What of the broadcast is at zero of the presentation timeline.
fn zero(world: &World, way: Way) -> MediaTime {
    match way {
        Way::Hls | Way::LowLatencyHls => {
            let broadcast = world.origin.broadcast.as_ref().expect("a broadcast");
            let (loaded, _) = world
                .requests
                .iter()
                .find(|(_, request)| request.url.contains("media.m3u8"))
                .expect("a playlist was loaded");
            let moment = broadcast.moment(*loaded) - broadcast.encoding_ms + 20;
            let first =
                moment / broadcast.segment_ms - broadcast.window_s * 1_000 / broadcast.segment_ms;
            MediaTime::from_millis((first * broadcast.segment_ms) as i64)
        }
        _ => MediaTime::ZERO,
    }
}

fn stalls(world: &World) -> u32 {
    world.player.state().totals.stalls
}

/// No segment, part or chunk was served twice.
fn assert_nothing_twice(world: &World) {
    let broadcast = world.origin.broadcast.as_ref().expect("a broadcast");
    let twice: Vec<_> = broadcast.served.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "served twice: {twice:?}");
}

fn errors(world: &World) -> Vec<&Event> {
    let fatal = |event: &&Event| matches!(event, Event::Error(_));
    world.events.iter().map(|(_, event)| event).filter(fatal).collect()
}
