use kinora_abr::Cause;

use crate::error::Error;
use crate::io::{MediaKind, RequestKind};
use crate::requests::{Outcome, Wish};
use crate::stream::buffer::Held;
use crate::stream::testing::outputs;
use crate::stream::{Fetch, TOLERANCE};
use crate::time::MediaTime;

/// A viewer has sought to the last moment of what is held: what follows is next, and nothing is fetched twice.
#[test]
fn the_last_moment_of_what_is_held_is_not_fetched_again() {
    let _ = outputs(1_000, |stream, world, all| {
        let chosen = stream.queue.remove(0).chosen;
        stream.queue.clear();
        let (key, quality, cause) = (chosen.key, chosen.quality, Cause::Startup);
        stream.buffer.hold(Held { range: all, media: all, key, bytes: 1, quality, cause });
        stream.buffer.update(vec![all]);
        stream.next = all.end - MediaTime::from_flicks(TOLERANCE.flicks() / 2);
        stream.seam = true;
        assert!(stream.fetch_next(world).expect("nothing is wrong"));
        assert_eq!(stream.next, all.end);
    });
}

/// What was live has ended, and a part of it that is listed is refused: it is looked for once more, and no more than that.
#[test]
fn a_part_that_is_refused_twice_is_lost() {
    let _ = outputs(1, |stream, world, all| {
        let chosen = stream.queue.remove(0).chosen;
        let mut refuse = || {
            let kind = RequestKind::Segment(MediaKind::Video);
            let places = world.requests.origins.place("part");
            let ticket = world.requests.start(world.cx, Wish::new(kind, places));
            let chosen = Box::new(chosen.clone());
            stream.fetch = Fetch::Segment { ticket, chosen, begun: None };
            let error = Error::HttpStatus { url: "part".to_owned(), status: 404 };
            let taken = stream.handle(world, Outcome::Failed { ticket, error });
            assert!(matches!(stream.fetch, Fetch::Idle));
            taken.map(|other| assert!(other.is_none()))
        };
        assert_eq!(refuse(), Ok(()));
        assert!(matches!(refuse(), Err(Error::HttpStatus { status: 404, .. })));
        assert_eq!(stream.next, all.start);
    });
}
