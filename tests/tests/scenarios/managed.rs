//! A managed media source (Safari) says when it wants media, and drops what it likes between appends.

use std::time::Duration;

use kinora_core::io::{Input, MediaCommand, MediaKind, RequestKind, Selection, Warning};
use kinora_core::time::{MediaTime, TimeRange};
use kinora_tests::world::content::Film;
use kinora_tests::world::element::Managed;
use kinora_tests::world::fault::FaultKind;
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{dash, hls, warnings, world};

fn playing(url: &str, length: u32, managed: Managed) -> World {
    let film = Film { seconds: length, rungs: vec![(1_000, 480)], ..Film::default() };
    let mut world = world(&film, Network::constant(20_000));
    world.element.managed = Some(managed);
    world.load(url);
    world
}

/// How often each segment of the picture was asked for, in the order of the first time.
fn segments(world: &World) -> Vec<(&str, u32)> {
    let mut asked: Vec<(&str, u32)> = Vec::new();
    for (_, request) in &world.requests {
        if request.kind != RequestKind::Segment(MediaKind::Video) {
            continue;
        }
        match asked.iter_mut().find(|(url, _)| *url == request.url) {
            Some((_, times)) => *times += 1,
            None => asked.push((&request.url, 1)),
        }
    }
    asked
}

fn ends_of_stream(world: &World) -> usize {
    let ended = |command: &&MediaCommand| **command == MediaCommand::EndOfStream;
    world.element.commands.iter().filter(ended).count()
}

/// That segments are asked for only while they are wanted, the world itself sees to.
#[test]
fn segments_are_asked_for_when_they_are_wanted_and_not_otherwise() {
    for url in [hls(), dash()] {
        // Less than what the player would have by itself, which is 30 seconds.
        let managed = Managed { low: seconds(6), enough: seconds(16), ..Managed::default() };
        let mut world = playing(&url, 120, managed);
        let (mut most, mut least, mut rested) = (MediaTime::ZERO, MediaTime::MAX, 0);
        let mut rests = false;
        while !world.has_ended() {
            world.run_for(Duration::from_millis(500));
            let satisfied = world.player.state().satisfied;
            rested += u32::from(satisfied && !rests);
            rests = satisfied;
            let ends = world.element.buffered(MediaKind::Video).last().map(|range| range.end);
            let ahead = ends.unwrap_or_default() - world.element.position;
            if (10..90).contains(&(world.element.position.seconds() as i64)) {
                (most, least) = (most.max(ahead), least.min(ahead));
            }
        }
        // What was on its way when it had enough is taken, too.
        assert!(most >= seconds(15) && most < seconds(24), "{most}");
        assert!(least > seconds(3) && least < seconds(8), "{least}");
        assert!(rested >= 8, "it rested {rested} times");
        assert_eq!(world.player.state().totals.stalls, 0);
        super::assert_nothing_fetched_twice(&world);
        assert_replays(&world);
    }
}

/// What a server wanted to be asked for later was wanted when it was chosen, and is not when its time comes.
#[test]
fn what_was_put_off_leaves_once_there_is_not_enough_any_more() {
    let managed = Managed { low: seconds(6), enough: seconds(15), ..Managed::default() };
    let mut world = playing(&dash(), 60, managed);
    // Sound is one segment ahead of the picture, whose next one is chosen before the platform says that it has enough.
    world.origin.fail("audio/9.m4s", 1, FaultKind::RetryAfter(503, 5));
    world.run_until("rest", Duration::from_secs(10), |world| world.player.state().satisfied);
    let before = (world.requests.len(), world.player.state().requests_waiting);
    world.run_for(Duration::from_secs(6));
    assert_eq!(before.1, 2, "put off");
    assert_eq!(world.requests.len(), before.0, "asked for though there is enough");
    world.run_to_end(Duration::from_secs(70));
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_eq!((world.requests_for("audio/9.m4s"), world.requests_for("v480/8.m4s")), (2, 1));
    assert_replays(&world);
}

#[test]
fn who_seeks_out_of_a_full_buffer_is_served_at_once() {
    let managed = Managed { low: seconds(6), enough: seconds(16), ..Managed::default() };
    let mut world = playing(&dash(), 300, managed);
    world.run_until("rest", Duration::from_secs(20), |world| world.player.state().satisfied);
    world.act(&Action::Seek(seconds(200)));
    world.run_for(Duration::from_secs(2));
    assert!(world.element.position > seconds(201), "{}", world.element.position);
    world.act(&Action::Unload);
}

#[test]
fn who_goes_back_after_the_end_has_come_to_what_never_came_is_served_at_once() {
    let mut world = playing(&dash(), 120, Managed::default());
    world.run_for(Duration::from_secs(2));
    world.act(&Action::Seek(seconds(112)));
    world.run_until("the end", Duration::from_secs(5), |world| ends_of_stream(world) > 0);
    world.run_for(Duration::from_secs(1));
    world.act(&Action::Seek(seconds(70)));
    world.run_for(Duration::from_secs(3));
    assert!(world.element.position > seconds(72), "{}", world.element.position);
}

#[test]
fn who_chooses_another_language_hears_it_though_there_was_enough_of_the_other() {
    let film = Film { seconds: 120, languages: 2, rungs: vec![(1_000, 480)], ..Film::default() };
    let mut world = world(&film, Network::constant(20_000));
    world.element.managed =
        Some(Managed { low: seconds(6), enough: seconds(20), ..Managed::default() });
    world.load(&hls());
    world.run_until("rest", Duration::from_secs(20), |world| world.player.state().satisfied);
    world.input(Input::Select(Selection::Track { kind: MediaKind::Audio, index: 1 }));
    world.run_for(Duration::from_secs(3));
    let position = world.element.position;
    let heard =
        world.element.chunks(MediaKind::Audio).iter().find(|one| one.range.contains(position));
    assert!(heard.is_some_and(|one| one.name.contains("/audio-1/")), "{heard:?}");
    world.run_to_end(Duration::from_secs(130));
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn who_comes_to_what_another_language_left_hears_the_one_that_was_chosen() {
    let film = Film { seconds: 200, languages: 2, rungs: vec![(1_000, 480)], ..Film::default() };
    let mut world = world(&film, Network::constant(20_000));
    world.element.managed =
        Some(Managed { low: seconds(6), enough: seconds(20), ..Managed::default() });
    world.load(&hls());
    world.run_for(Duration::from_secs(2));
    world.act(&Action::Seek(seconds(100)));
    world.run_for(Duration::from_secs(2));
    world.run_until("rest", Duration::from_secs(20), |world| world.player.state().satisfied);
    world.act(&Action::Seek(seconds(82)));
    world.run_for(Duration::from_millis(100));
    world.act(&Action::SelectAudio(1));
    world.run_until("media", Duration::from_secs(5), |world| {
        world.element.position > seconds(84) && world.player.state().satisfied
    });
    while world.element.position < seconds(130) {
        world.run_for(Duration::from_millis(500));
        let position = world.element.position;
        let sound = world.element.chunks(MediaKind::Audio);
        let heard = sound.iter().find(|chunk| chunk.range.contains(position));
        assert!(heard.is_some_and(|chunk| chunk.name.contains("/audio-1/")), "{heard:?}");
    }
    assert_eq!(world.player.state().totals.stalls, 0);
}

#[test]
fn what_was_dropped_ahead_is_fetched_once_more_and_nothing_else() {
    for url in [hls(), dash()] {
        let managed = Managed { enough: seconds(26), ..Managed::default() };
        let mut world = playing(&url, 80, managed);
        world.run_until("rest", Duration::from_secs(20), |world| world.player.state().satisfied);
        // What is on its way has come.
        world.run_for(Duration::from_secs(1));
        let position = world.element.position;
        let before = segments(&world).len();
        // In the middle of what waits, so that some is left behind it.
        let gone = TimeRange { start: position + seconds(12), end: position + seconds(18) };
        let lost: Vec<String> = world
            .element
            .chunks(MediaKind::Video)
            .iter()
            .filter(|chunk| chunk.range.start < gone.end && gone.start < chunk.range.end)
            .map(|chunk| chunk.name.rsplit_once('#').map_or("", |(url, _)| url).to_owned())
            .collect();
        assert!((2..=4).contains(&lost.len()), "{lost:?}");
        world.evict(MediaKind::Video, gone);
        world.run_for(Duration::from_secs(2));
        assert_eq!(segments(&world).len(), before, "it was told to rest");
        world.run_to_end(Duration::from_secs(90));
        assert_eq!(world.player.state().totals.stalls, 0);
        for (url, times) in segments(&world) {
            let expected = if lost.iter().any(|lost| lost == url) { 2 } else { 1 };
            assert_eq!(times, expected, "{url}");
        }
        let full = |warning: &&Warning| matches!(warning, Warning::BufferFull { .. });
        assert_eq!(warnings(&world).into_iter().filter(full).count(), 1, "it is said");
        assert_replays(&world);
    }
}

#[test]
fn what_was_dropped_behind_is_not_missed() {
    let mut world = playing(&hls(), 60, Managed::default());
    world.run_for(Duration::from_secs(25));
    world.evict(MediaKind::Video, TimeRange { start: MediaTime::ZERO, end: seconds(20) });
    world.run_for(Duration::from_secs(3));
    let held = world.player.state().streams[0].buffered.first().map(|range| range.start);
    assert!(held.is_some_and(|start| start >= seconds(19)), "{held:?}");
    world.run_to_end(Duration::from_secs(60));
    super::assert_nothing_fetched_twice(&world);
}

#[test]
fn what_was_dropped_after_the_end_had_come_is_fetched_and_ends_again() {
    let mut world = playing(&hls(), 24, Managed::default());
    world.run_until("end of stream", Duration::from_secs(20), |world| ends_of_stream(world) == 1);
    world.evict(MediaKind::Video, TimeRange { start: seconds(16), end: seconds(24) });
    world.run_to_end(Duration::from_secs(40));
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_eq!(ends_of_stream(&world), 2);
    assert!(world.element.position > seconds(23), "{}", world.element.position);
}

#[test]
fn a_platform_with_little_memory_is_lived_with() {
    for url in [hls(), dash()] {
        // Ten seconds of picture: it never has enough, and drops the rest again and again.
        let managed = Managed { memory: 1_250_000, ..Managed::default() };
        let mut world = playing(&url, 300, managed);
        world.run_to_end(Duration::from_secs(310));
        assert_eq!(world.player.state().totals.stalls, 0);
        let asked = segments(&world);
        let twice: u32 = asked.iter().map(|(_, times)| times - 1).sum();
        // Every minute the player finds out whether there is more room by now.
        assert!((1..=16).contains(&twice), "{twice} of {} were fetched again", asked.len());
        assert!(asked.iter().all(|(_, times)| *times <= 3), "{asked:?}");
        assert_replays(&world);
    }
}

/// Nothing frees any room while the viewer pauses: what was dropped for want of it would be dropped again.
#[test]
fn what_is_dropped_while_the_viewer_pauses_is_not_fetched_over_and_over() {
    for paused_at in 30..36 {
        let film = Film { seconds: 120, segment_seconds: 6, ..Film::default() };
        let film = Film { rungs: vec![(800, 480)], ..film };
        let mut world = world(&film, Network::constant(20_000));
        // Less than three segments of 600 kB.
        world.element.managed = Some(Managed { memory: 1_600_000, ..Managed::default() });
        world.load(&dash());
        world.run_for(Duration::from_secs(paused_at));
        world.act(&Action::Pause);
        world.run_for(Duration::from_secs(2));
        let before = world.requests.len();
        world.run_for(Duration::from_secs(60));
        let asked = world.requests.len() - before;
        assert!(asked <= 4, "{asked} requests while nothing moved");
        world.act(&Action::Play);
        world.run_to_end(Duration::from_secs(100));
        assert_eq!(world.player.state().totals.stalls, 0);
    }
}
