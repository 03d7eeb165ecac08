//! What initialisation segments tell of encryption holds on when the manifest is loaded again.

use std::time::Duration;

use kinora_core::io::{MediaKind, RequestKind};
use kinora_tests::world::World;
use kinora_tests::world::content::FaultKind;
use kinora_tests::world::live::Broadcast;
use kinora_tests::world::network::Network;

use super::super::fatal;
use super::super::licences::{LICENSE, config};
use super::{Way, stalls, world_with};

fn asked(world: &World) -> usize {
    world.requests.iter().filter(|(_, request)| request.kind == RequestKind::License).count()
}

#[test]
fn nothing_is_appended_without_a_key_however_often_the_manifest_comes() {
    for way in [Way::Timeline, Way::Patched, Way::Hls] {
        let broadcast = Broadcast { key_id: Some([0x22; 16]), ..way.broadcast() };
        let url = way.url(&broadcast);
        let mut world = world_with(config(), broadcast, Network::constant(8_000));
        world.origin.add(LICENSE, "application/json", "{}");
        world.origin.fail(LICENSE, 1, FaultKind::Delay(Duration::from_secs(9)));
        world.load(&url);
        world.run_for(Duration::from_secs(8));
        let reloads = |kind| world.requests.iter().filter(|(_, one)| one.kind == kind).count();
        let manifests =
            reloads(RequestKind::Manifest) + reloads(RequestKind::MediaPlaylist(MediaKind::Video));
        assert!(manifests > 3, "{way:?}: {manifests}");
        for kind in [MediaKind::Video, MediaKind::Audio] {
            assert!(world.element.chunks(kind).is_empty(), "{way:?} {kind:?}");
        }
        world.run_for(Duration::from_secs(30));
        assert!(fatal(&world).is_none(), "{way:?}");
        assert!(world.element.position.seconds() > 0.0 && stalls(&world) <= 1, "{way:?}");
        assert_eq!(asked(&world), 1, "{way:?}");
    }
}
