//! What plays next is fetched while what plays needs nothing more, and begins at once when its time
//! comes.

use std::time::Duration;

use kinora_core::Config;
use kinora_core::io::{Event, Input, MediaKind, Selection, Source};
use kinora_tests::world::content::{Film, Origin};
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays};

const BASES: [&str; 2] = ["https://cdn.example/first", "https://cdn.example/second"];

fn source(number: usize) -> Source {
    let url = format!("{}/master.m3u8", BASES[number]);
    Source { url, format: None, start: None }
}

/// Two films of half a minute.
fn two_films(network: Network) -> World {
    let film = Film { seconds: 30, ..Film::default() };
    let mut origin = Origin::default();
    for base in BASES {
        origin.merge(film.publish(base));
    }
    let mut world = World::new(Config::default(), origin, network);
    // What must hold is checked for one film at a time.
    world.strict = false;
    world
}

fn count(world: &World, wanted: impl Fn(&Event) -> bool) -> usize {
    world.events.iter().filter(|(_, event)| wanted(event)).count()
}

#[test]
fn the_queue_goes_on_at_once_where_one_film_ends() {
    let mut world = two_films(Network::constant(4_000));
    world.load(&source(0).url);
    world.input(Input::Queue(vec![source(1)]));
    world.run_until("next item", Duration::from_secs(40), |world| {
        count(world, |event| matches!(event, Event::Next { .. })) == 1
    });
    let before = world.requests_for("second");
    assert!((5..=14).contains(&before), "{before} requests were made ahead");
    world.run_until("its first frame", Duration::from_millis(200), |world| {
        count(world, |event| *event == Event::Ready) == 2
    });
    assert_eq!(world.requests_for("second/master"), 1);
    world.run_until("end of the second", Duration::from_secs(40), |world| {
        count(world, |event| *event == Event::Ended) == 2
    });
    assert_eq!(world.player.state().totals.stalls, 0);
    assert!(world.player.state().queue.is_empty());
    assert_eq!(world.kept_bodies(), 0);
}

#[test]
fn nothing_is_fetched_ahead_while_the_film_needs_the_network() {
    let mut world = two_films(Network::constant(1_000));
    world.load(&source(0).url);
    world.input(Input::Queue(vec![source(1)]));
    let missing =
        |world: &World| world.player.state().streams.iter().any(|stream| !stream.complete);
    while missing(&world) || world.player.state().streams.is_empty() {
        assert_eq!(world.requests_for("second"), 0);
        world.run_for(Duration::from_millis(100));
    }
    world.run_until("preloading", Duration::from_secs(5), |world| world.requests_for("second") > 0);
    assert_eq!(world.player.state().preloading, Some(source(1).url));
}

#[test]
fn what_was_preloaded_is_loaded_without_another_request() {
    let mut world = two_films(Network::constant(4_000));
    world.input(Input::Preload(source(1)));
    world.run_for(Duration::from_secs(5));
    let ahead = world.requests.len();
    assert!(count(&world, |_| true) == 0, "the app hears nothing: {:?}", world.events);
    world.load(&source(1).url);
    world.run_until("first frame", Duration::from_millis(100), |world| {
        count(world, |event| *event == Event::Ready) == 1
    });
    let again = world.requests[ahead..].iter().filter(|(_, request)| {
        world.requests[..ahead].iter().any(|(_, before)| before.url == request.url)
    });
    assert_eq!(again.count(), 0);
}

#[test]
fn what_was_preloaded_and_is_not_wanted_is_given_back() {
    let mut world = two_films(Network::constant(4_000));
    world.input(Input::Preload(source(1)));
    world.run_for(Duration::from_secs(5));
    assert!(world.kept_bodies() > 0);
    world.input(Input::Unload);
    assert_eq!(world.kept_bodies(), 0);
}

#[test]
fn an_item_that_cannot_be_had_ahead_does_no_harm_until_its_time() {
    let mut world = two_films(Network::constant(4_000));
    world.load(&source(0).url);
    let lost = Source { url: "https://cdn.example/nowhere.mpd".to_owned(), ..source(0) };
    world.input(Input::Queue(vec![lost]));
    world.run_until("end", Duration::from_secs(40), World::has_ended);
    assert_eq!(count(&world, |event| matches!(event, Event::Error(_))), 0);
    world.run_until("error", Duration::from_secs(40), |world| {
        count(world, |event| matches!(event, Event::Error(_))) == 1
    });
}

/// The track that is heard, by its folder.
fn heard(world: &World) -> String {
    let position = world.element.position;
    let chunks = world.element.chunks(MediaKind::Audio);
    let chunk = chunks.iter().find(|chunk| chunk.range.contains(position)).expect("sound");
    chunk.name.rsplit('/').nth(1).expect("a folder").to_owned()
}

#[test]
fn the_next_film_of_the_queue_plays_the_tracks_that_the_viewer_chose() {
    // Before anything of it is fetched ahead, and after.
    for late in [false, true] {
        for manifest in ["master.m3u8", "manifest.mpd"] {
            let film = Film { seconds: 30, languages: 2, subtitles: true, ..Film::default() };
            let mut origin = Origin::default();
            BASES.iter().for_each(|base| origin.merge(film.publish(base)));
            let mut world = World::new(Config::default(), origin, Network::constant(8_000));
            world.strict = false;
            let sources = BASES.map(|base| Source {
                url: format!("{base}/{manifest}"),
                format: None,
                start: None,
            });
            let choose = |world: &mut World, index| {
                for kind in [MediaKind::Audio, MediaKind::Text] {
                    world.input(Input::Select(Selection::Track { kind, index }));
                }
            };
            world.load(&sources[0].url);
            world.input(Input::Queue(vec![sources[1].clone()]));
            if late {
                world.run_until("preloading", Duration::from_secs(30), |world| {
                    world.requests_for("second/audio/") > 1
                });
            }
            choose(&mut world, 1);
            world.run_until("the next film", Duration::from_secs(40), |world| {
                count(world, |event| *event == Event::Ready) == 2
            });
            world.run_for(Duration::from_secs(5));
            assert_eq!(heard(&world), "audio-1", "{manifest}, {late}");
            if !late {
                assert_eq!(world.requests_for("second/audio/"), 0, "{manifest}");
            }
            let begun =
                world.events.iter().rposition(|(_, event)| matches!(event, Event::Next { .. }));
            let since = &world.events[begun.expect("the next film")..];
            let told = since.iter().find_map(|(_, event)| match event {
                Event::Cues(cues) => Some(&cues[0].text),
                _ => None,
            });
            assert!(told.is_some_and(|text| text.starts_with("de")), "{told:?}");
            let selected = since.iter().find_map(|(_, event)| match event {
                Event::Loaded { tracks, .. } => Some(tracks),
                _ => None,
            });
            let selected = selected.expect("tracks").iter().filter(|track| track.selected);
            let languages: Vec<_> =
                selected.filter_map(|track| track.language.as_deref()).collect();
            assert_eq!(languages, ["de", "de"], "{manifest}");
            // What the app loads begins anew.
            world.load(&sources[0].url);
            world.run_for(Duration::from_secs(5));
            assert_eq!(heard(&world), "audio");
            assert_replays(&world);
        }
    }
}
