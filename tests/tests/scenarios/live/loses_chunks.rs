//! A segment that comes in chunks breaks off, each time and everywhere.

use kinora_tests::world::content::FaultKind;
use kinora_tests::world::network::Network;

use super::*;

#[test]
fn what_comes_after_it_is_played() {
    // Several chunks come at once before the connection breaks.
    for bytes in [60_000, 150_000, 300_000] {
        let broadcast = Broadcast { window_s: 120, ..Way::Chunked.broadcast() };
        let url = broadcast.dash();
        let mut world = world(broadcast, Network::constant(200_000));
        world.origin.fail("/305.m4s", 100, FaultKind::Cut(bytes));
        start(&mut world, &url);
        world.input(Input::Seek(MediaTime::from_secs(605)));
        world.run_for(Duration::from_secs(40));
        assert!(errors(&world).is_empty(), "{:?}", errors(&world));
        let struck = world.origin.struck.iter().filter(|one| one.name == "reset").count();
        assert!(struck > 1, "it was asked for more than once");
        let position = world.element.position;
        assert!(position > MediaTime::from_secs(635), "{bytes}: {position}");
    }
}
