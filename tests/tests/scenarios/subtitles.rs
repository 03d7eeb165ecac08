//! Subtitles: what was chosen is told, each cue once and at its time, and picture and sound go on as if nobody had asked.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{Cue, Event, Input, MediaKind, Selection, Warning};
use kinora_core::time::{MediaTime, TimeRange};
use kinora_tests::world::content::Film;
use kinora_tests::world::fault::FaultKind;
use kinora_tests::world::network::Network;
use kinora_tests::world::{World, assert_replays, seconds};

use super::{BASE, dash, fatal, hls, warnings, world};

fn playing(url: &str, subtitles: bool) -> World {
    let film = Film { subtitles, media_start: 7, ..Film::default() };
    let mut world = world(&film, Network::constant(4_000));
    world.load(url);
    world
}

fn choose(world: &mut World, index: u32) {
    world.input(Input::Select(Selection::Track { kind: MediaKind::Text, index }));
}

/// The cues that hold, as the app knows them.
fn cues(world: &World) -> Vec<&Cue> {
    let mut cues = Vec::new();
    for (_, event) in &world.events {
        match event {
            Event::Cues(more) => cues.extend(more),
            Event::CuesCleared => cues.clear(),
            _ => {}
        }
    }
    cues
}

/// What the film shows: every four seconds words for three and a half.
fn assert_all(world: &World, language: &str, count: i64) {
    let mut told = cues(world);
    told.sort_by_key(|cue| cue.span.start);
    let expected: Vec<Cue> = (0..count)
        .map(|number| {
            let start = MediaTime::from_secs(number * 4);
            Cue {
                id: String::new(),
                span: TimeRange { start, end: start + MediaTime::from_millis(3_500) },
                settings: "line:0".to_owned(),
                text: format!("{language} <i>{}</i>", number * 4),
            }
        })
        .collect();
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
}

/// What was asked for of picture and sound.
fn media(world: &World) -> Vec<&str> {
    let urls = world.requests.iter().map(|(_, request)| request.url.as_str());
    urls.filter(|url| !url.contains("/text-")).collect()
}

fn refusals(world: &World) -> usize {
    let refused = |warning: &&Warning| matches!(warning, Warning::InvalidArgument { .. });
    warnings(world).into_iter().filter(refused).count()
}

#[test]
fn nothing_is_fetched_that_nobody_asked_for() {
    for url in [hls(), dash()] {
        let mut with = playing(&url, true);
        with.run_to_end(Duration::from_secs(70));
        let mut without = playing(&url, false);
        without.run_to_end(Duration::from_secs(70));
        assert_eq!(with.requests.len(), without.requests.len());
        assert_eq!(media(&with), media(&without));
        let offered = with.events.iter().find_map(|(_, event)| match event {
            Event::Loaded { tracks, .. } => Some(tracks),
            _ => None,
        });
        let text: Vec<_> = offered
            .expect("tracks")
            .iter()
            .filter(|track| track.kind == MediaKind::Text)
            .map(|track| (track.index, track.language.as_deref(), track.selected))
            .collect();
        assert_eq!(text, [(0, Some("en"), false), (1, Some("de"), false)], "what can be read");
    }
}

#[test]
fn every_cue_is_told_once_and_at_its_time() {
    for url in [hls(), dash()] {
        for (index, language) in [(0, "en"), (1, "de")] {
            let mut world = playing(&url, true);
            choose(&mut world, index);
            world.run_to_end(Duration::from_secs(70));
            assert_all(&world, language, 15);
            super::assert_nothing_fetched_twice(&world);
            // Where there is text in MP4, that is said.
            assert_eq!(
                warnings(&world).len(),
                usize::from(url == dash()),
                "{:?}",
                warnings(&world)
            );
            assert_replays(&world);
        }
    }
}

#[test]
fn another_language_and_none_leave_picture_and_sound_alone() {
    for url in [hls(), dash()] {
        let mut world = playing(&url, true);
        world.run_for(Duration::from_secs(12));
        choose(&mut world, 0);
        world.run_for(Duration::from_secs(5));
        let told = cues(&world);
        assert!(told.iter().all(|cue| cue.text.starts_with("en")), "{told:?}");
        let now = world.element.position;
        assert!(told.iter().any(|cue| cue.span.start <= now && now < cue.span.start + seconds(4)));
        choose(&mut world, 1);
        assert!(cues(&world).is_empty(), "those of the other hold no more");
        world.run_for(Duration::from_secs(5));
        assert!(cues(&world).iter().all(|cue| cue.text.starts_with("de")));
        world.input(Input::Select(Selection::NoTrack { kind: MediaKind::Text }));
        assert!(cues(&world).is_empty());
        let asked = world.requests.len() - media(&world).len();
        world.run_for(Duration::from_secs(10));
        assert_eq!(world.requests.len() - media(&world).len(), asked, "none is fetched any more");
        choose(&mut world, 0);
        world.run_to_end(Duration::from_secs(60));
        assert_eq!(world.player.state().totals.stalls, 0);
        let mut without = playing(&url, false);
        without.run_to_end(Duration::from_secs(70));
        assert_eq!(media(&world), media(&without));
        super::assert_nothing_fetched_twice(&without);
    }
}

#[test]
fn a_seek_fetches_what_is_missing_and_nothing_again() {
    for url in [hls(), dash()] {
        let mut world = playing(&url, true);
        choose(&mut world, 1);
        world.run_for(Duration::from_secs(8));
        for to in [50, 12, 31, 0] {
            world.input(Input::Seek(seconds(to)));
            world.run_for(Duration::from_secs(4));
        }
        world.run_to_end(Duration::from_secs(80));
        assert_all(&world, "de", 15);
        let urls = world.requests.iter().map(|(_, request)| request.url.as_str());
        let mut text: Vec<&str> = urls.filter(|url| url.contains("/text-")).collect();
        let count = text.len();
        text.sort_unstable();
        text.dedup();
        assert_eq!(text.len(), count);
    }
}

#[test]
fn what_cannot_be_had_or_read_is_left_out_and_said() {
    for url in [hls(), dash()] {
        let mut world = playing(&url, true);
        for part in ["/text-de/2.vtt", "/text-de/plain-2.vtt"] {
            world.origin.fail(part, 99, FaultKind::Status(404));
        }
        choose(&mut world, 1);
        world.run_to_end(Duration::from_secs(70));
        let told = warnings(&world);
        let of_it = |warning: &&&Warning| matches!(warning, Warning::Text { error } if error.code == ErrorCode::HttpStatus);
        assert_eq!(told.iter().filter(of_it).count(), 1, "{told:?}");
        let missed = |cue: &&&Cue| cue.span.start >= seconds(20) && cue.span.start < seconds(28);
        let told = cues(&world);
        // What lasts into the next segment stands there, too, in DASH.
        let count = if url == dash() { 13 } else { 12 };
        assert_eq!((told.len(), told.iter().filter(missed).count()), (count, 0), "{told:?}");
        assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
    }
}

#[test]
fn what_there_is_not_is_refused() {
    for url in [hls(), dash()] {
        let mut world = playing(&url, true);
        choose(&mut world, 2);
        world.run_for(Duration::from_secs(5));
        assert_eq!(refusals(&world), 1);
        world.input(Input::Select(Selection::NoTrack { kind: MediaKind::Audio }));
        assert_eq!(refusals(&world), 2);
        world.run_to_end(Duration::from_secs(70));
        assert_eq!(fatal(&world), None);
    }
}

#[test]
fn a_file_without_end_is_not_waited_for() {
    let film = Film { subtitles: true, ..Film::default() };
    let mut world = world(&film, Network::constant(80_000));
    let endless = hls().replace("master.m3u8", "text-de/2.vtt");
    world.origin.add(&endless, "text/vtt", format!("WEBVTT\n{}", " ".repeat(9 << 20)));
    world.load(&hls());
    choose(&mut world, 1);
    world.run_to_end(Duration::from_secs(70));
    let told = warnings(&world);
    let code = told.iter().find_map(|warning| match warning {
        Warning::Text { error } => Some(error.code.name()),
        _ => None,
    });
    assert_eq!(code, Some("RESPONSE_TOO_LARGE"), "{told:?}");
    assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
}

/// What was said of text that is left out.
fn left_out(world: &World) -> Vec<String> {
    let mut said = Vec::new();
    for warning in warnings(world) {
        if let Warning::Text { error } = warning {
            assert_eq!(error.code, ErrorCode::FeatureUnsupported);
            said.push(error.message.clone());
        }
    }
    said
}

/// Changes a text that is published.
fn rewrite(world: &mut World, url: &str, content_type: &'static str, from: &str, to: &str) {
    let text = world.origin.body(url).expect("it is published").to_vec();
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains(from), "{text}");
    world.origin.add(url, content_type, text.replacen(from, to, 1));
}

#[test]
fn each_track_that_cannot_be_read_is_told_once() {
    let film = Film { subtitles: true, ..Film::default() };
    let mut world = world(&film, Network::constant(4_000));
    let sets = [("stpp.ttml.im1t", "fr"), ("wvtt", "ja")].map(|(codec, language)| {
        format!("text in application/mp4; codecs=\"{codec}\" ({language})")
    });
    let more = "<AdaptationSet contentType=\"text\" mimeType=\"application/mp4\" codecs=\"wvtt\" lang=\"ja\">\
        <SegmentTemplate timescale=\"1\" duration=\"2\" media=\"$Number$.m4s\"/>\
        <Representation id=\"text-ja\" bandwidth=\"1000\"/></AdaptationSet></Period>";
    rewrite(&mut world, &dash(), "application/dash+xml", "</Period>", more);
    let locked = "mimeType=\"text/vtt\" lang=\"de\"><ContentProtection \
        schemeIdUri=\"urn:mpeg:dash:mp4protection:2011\" value=\"cenc\" \
        cenc:default_KID=\"00000000-0000-0000-0000-000000000001\" xmlns:cenc=\"urn:mpeg:cenc:2013\"/>";
    let open = "mimeType=\"text/vtt\" lang=\"de\">";
    rewrite(&mut world, &dash(), "application/dash+xml", open, locked);
    world.strict = false;
    world.load(&dash());
    choose(&mut world, 0);
    world.run_for(Duration::from_secs(30));
    let said = left_out(&world);
    assert_eq!(said.len(), 3, "{said:?}");
    for what in sets.iter().map(String::as_str).chain(["encrypted text in text/vtt (de)"]) {
        assert_eq!(said.iter().filter(|said| said.ends_with(what)).count(), 1, "{what}: {said:?}");
    }
    assert!(cues(&world).iter().all(|cue| cue.text.starts_with("en")));
    assert!(cues(&world).len() >= 7);
}

#[test]
fn text_that_its_playlist_says_is_encrypted_or_in_mp4_is_told_once() {
    let playlist = format!("{BASE}/text-de/media.m3u8");
    for (from, to, what, count) in [
        // From the second of six segments to the fourth.
        (
            "#EXTINF:10,\n1.vtt\n",
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXTINF:10,\n1.vtt\n",
            "encrypted text",
            8,
        ),
        ("#EXTINF", "#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF", "text in MP4", 0),
    ] {
        let film = Film { subtitles: true, media_start: 7, ..Film::default() };
        let mut world = world(&film, Network::constant(4_000));
        let hls_type = "application/vnd.apple.mpegurl";
        rewrite(&mut world, &playlist, hls_type, from, to);
        if count > 0 {
            rewrite(
                &mut world,
                &playlist,
                hls_type,
                "#EXTINF:10,\n4",
                "#EXT-X-KEY:METHOD=NONE\n#EXTINF:10,\n4",
            );
        }
        world.load(&hls());
        choose(&mut world, 1);
        world.run_to_end(Duration::from_secs(70));
        let said = left_out(&world);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].ends_with(what), "{said:?}");
        assert_eq!(cues(&world).len(), count);
        assert_eq!((fatal(&world), world.player.state().totals.stalls), (None, 0));
        assert_replays(&world);
    }
}
