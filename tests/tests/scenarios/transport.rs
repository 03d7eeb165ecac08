//! Films in MPEG-2 transport streams: the player turns them into what a buffer takes.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{
    AppendBody, BodyHandling, Event, Input, MediaCommand, MediaKind, Output, RequestKind, Source,
    Warning,
};
use kinora_core::media::ts::{Options, Remuxer, Wanted};
use kinora_core::time::MediaTime;
use kinora_tests::mpegts::{AAC, AVC, Muxer, PPS, SPS, Stream, Unit, adts, annex_b};
use kinora_tests::world::World;
use kinora_tests::world::content::{FaultKind, Film, Origin};
use kinora_tests::world::film::{Carriage, Codec, Part, Sealing};
use kinora_tests::world::network::Network;
use kinora_tests::world::viewer::Action;

use super::sealed::assert_replays;
use super::{
    BASE, assert_nothing_fetched_twice, fatal, heights_shown, hls, millis, seconds, warnings,
    world_of,
};

const MUXED: Carriage =
    Carriage { muxed: true, packed: false, sealing: None, samples: false, codecs: true };
const APART: Carriage = Carriage { muxed: false, ..MUXED };

fn film() -> Film {
    Film { seconds: 24, rungs: vec![(150, 240), (300, 360), (600, 480)], ..Film::default() }
}

fn loaded(film: &Film, carriage: Carriage, kbps: u64) -> World {
    let mut world = world_of(film.publish_transport(BASE, carriage), Network::constant(kbps));
    world.element.remember = true;
    world.load(&hls());
    world
}

fn played(film: &Film, carriage: Carriage) -> World {
    let mut world = loaded(film, carriage, 4_000);
    world.run_to_end(Duration::from_secs(120));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    assert_eq!(world.player.state().totals.stalls, 0);
    assert_replays(&world);
    world
}

/// The types of the buffers that were asked for.
fn buffers(world: &World) -> Vec<(MediaKind, &str)> {
    let added = |command| match command {
        &MediaCommand::AddBuffer { kind, ref mime_type } => Some((kind, mime_type.as_str())),
        _ => None,
    };
    world.element.commands.iter().filter_map(added).collect()
}

/// One range from the first frame to the last.
fn assert_whole(world: &World, kind: MediaKind, end: f64) {
    let [range] = world.element.buffered(kind).try_into().expect("no hole");
    assert!(range.start <= millis(1), "{kind:?} begins at {}", range.start);
    assert!((range.end - seconds(end)).abs() < millis(120), "{kind:?} ends at {}", range.end);
}

#[test]
fn picture_and_sound_in_one_stream_play_from_one_buffer() {
    for codecs in [true, false] {
        let world = played(&film(), Carriage { codecs, ..MUXED });
        // As the playlist says, or as the stream does.
        let named = "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"";
        assert_eq!(buffers(&world), [(MediaKind::Video, named)]);
        assert_whole(&world, MediaKind::Video, 24.0);
        assert_nothing_fetched_twice(&world);
        assert_eq!(warnings(&world), Vec::<&Warning>::new());
        assert_eq!(*heights_shown(&world).last().expect("a quality"), 480);
        let requests = world.requests.iter().map(|(_, request)| request);
        for request in requests.filter(|one| matches!(one.kind, RequestKind::Segment(_))) {
            assert_eq!(request.body, BodyHandling::Deliver);
        }
        // It holds what was found in the media, not the media.
        let log = world.player.session_log().len();
        assert!(log < 120_000, "{log} bytes of a log");
    }
}

#[test]
fn what_has_a_stream_of_its_own_is_in_no_other_buffer() {
    for (packed, codecs) in [(false, true), (true, true), (false, false), (true, false)] {
        let world = played(&film(), Carriage { packed, codecs, ..APART });
        let [(MediaKind::Video, picture), (MediaKind::Audio, sound)] = buffers(&world)[..] else {
            panic!("{:?}", buffers(&world));
        };
        assert_eq!(picture, "video/mp4; codecs=\"avc1.64001f\"");
        assert_eq!(sound, "audio/mp4; codecs=\"mp4a.40.2\"");
        for kind in [MediaKind::Video, MediaKind::Audio] {
            assert_whole(&world, kind, 24.0);
        }
    }
}

#[test]
fn the_picture_says_where_a_clock_begins_however_late_it_comes() {
    let mut origin = film().publish_transport(BASE, APART);
    origin.fail("/v240/0.ts", 1, FaultKind::Delay(Duration::from_secs(2)));
    origin.fail("/v360/0.ts", 1, FaultKind::Delay(Duration::from_secs(2)));
    let mut world = world_of(origin, Network::constant(4_000));
    world.element.remember = true;
    world.load(&hls());
    world.run_to_end(Duration::from_secs(60));
    let offset = |wanted: MediaKind| {
        world.element.commands.iter().find_map(|command| match command {
            &MediaCommand::Append { kind, timestamp_offset, .. }
                if kind == wanted && timestamp_offset != MediaTime::ZERO =>
            {
                Some(timestamp_offset)
            }
            _ => None,
        })
    };
    // Pictures are shown two after they are decoded, one turn of the clock on.
    let begins = MediaTime::from_scaled(-(1 << 33) - 7_200, 90_000);
    for kind in [MediaKind::Video, MediaKind::Audio] {
        assert_eq!(offset(kind), Some(begins), "{kind:?}");
    }
    assert_replays(&world);
}

#[test]
fn packed_sound_goes_with_a_picture_in_fragments_though_nothing_names_a_codec() {
    let packed = Carriage { packed: true, codecs: false, ..APART };
    let transport = film().publish_transport(BASE, packed);
    let mut origin = film().publish(BASE);
    let take = |origin: &mut Origin, name: &str, content_type| {
        let url = format!("{BASE}/{name}");
        origin.add(&url, content_type, transport.body(&url).expect("it is there"));
    };
    for name in ["master.m3u8", "audio/media.m3u8"] {
        take(&mut origin, name, "application/vnd.apple.mpegurl");
    }
    for number in 0..film().segments() {
        take(&mut origin, &format!("audio/{number}.aac"), "audio/aac");
    }
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(60));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    for kind in [MediaKind::Video, MediaKind::Audio] {
        let [range] = world.element.buffered(kind).try_into().expect("no hole");
        assert!(range.duration() > seconds(23.5), "{kind:?}");
    }
    assert_replays(&world);
}

#[test]
fn sound_that_is_muxed_beside_a_track_of_its_own_is_left_out() {
    let mut origin = film().publish_transport(BASE, MUXED);
    origin.merge(film().publish_transport(BASE, APART));
    // The pictures' segments hold sound all the same.
    let muxed = film().publish_transport(BASE, MUXED);
    for number in 0..film().segments() {
        for height in [240, 360, 480] {
            let url = format!("{BASE}/v{height}/{number}.ts");
            origin.add(&url, "video/mp2t", muxed.body(&url).expect("a segment"));
        }
    }
    let mut world = world_of(origin, Network::constant(4_000));
    world.element.remember = true;
    world.load(&hls());
    world.run_to_end(Duration::from_secs(60));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    assert_eq!(buffers(&world)[0], (MediaKind::Video, "video/mp4; codecs=\"avc1.64001f\""));
    assert_whole(&world, MediaKind::Audio, 24.0);
}

#[test]
fn a_clock_that_turns_over_and_one_that_starts_anew_go_unnoticed() {
    // 2³³ units of 90 kHz are 95 443.7 seconds.
    let part = Part { segment: 7, media_start: 3, codec: Codec::Avc };
    let film = Film { media_start: 95_438, parts: vec![part], ..film() };
    for carriage in [MUXED, APART, Carriage { packed: true, ..APART }] {
        let world = played(&film, carriage);
        assert_whole(&world, MediaKind::Video, 24.0);
        if !carriage.muxed {
            assert_whole(&world, MediaKind::Audio, 24.0);
        }
    }
}

#[test]
fn a_viewer_may_go_anywhere() {
    for carriage in [MUXED, APART] {
        let mut world = loaded(&film(), carriage, 4_000);
        world.run_for(Duration::from_secs(4));
        for to in [20.0, 5.0, 0.0, 13.3] {
            world.input(Input::Seek(seconds(to)));
            world.run_for(Duration::from_secs(3));
            assert!(world.element.position > seconds(to), "it plays on from {to}");
        }
        world.run_to_end(Duration::from_secs(60));
        assert!(fatal(&world).is_none());
        assert_replays(&world);
    }
}

#[test]
fn a_viewer_may_go_back_to_before_the_clock_turned_over() {
    let film = Film { media_start: 95_438, ..film() };
    for carriage in [MUXED, APART] {
        let origin = film.publish_transport(BASE, carriage);
        let mut world = world_of(origin, Network::constant(4_000));
        let start = Some(seconds(16.0));
        world.act(&Action::Load(Source { url: hls(), format: None, start }));
        world.run_for(Duration::from_secs(4));
        world.input(Input::Seek(seconds(1.0)));
        world.run_to_end(Duration::from_secs(60));
        assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
        let [range] = world.element.buffered(MediaKind::Video).try_into().expect("no hole");
        assert!(range.start <= seconds(1.0) && range.end > seconds(23.9));
        assert_replays(&world);
    }
}

#[test]
fn what_is_encrypted_as_a_whole_is_decrypted_first() {
    let sealing = Some(Sealing { rotation: 4, one_file: false });
    for carriage in [MUXED, Carriage { packed: true, ..APART }] {
        let world = played(&film(), Carriage { sealing, ..carriage });
        assert_eq!(world.requests_for("key-"), 3);
        assert_whole(&world, MediaKind::Video, 24.0);
    }
    let mut origin = film().publish_transport(BASE, Carriage { sealing, ..MUXED });
    let wrong = FaultKind::Replace("application/octet-stream", Sealing::key(77).to_vec());
    origin.fail("key-0.bin", u32::MAX, wrong);
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
    assert_eq!(fatal(&world).expect("an error").code, ErrorCode::DecryptionFailed);
    assert!(world.element.chunks(MediaKind::Video).is_empty());
    assert_replays(&world);
}

/// What was appended, but for what the initialisation segments are.
fn appended(world: &World) -> Vec<(MediaKind, &[u8])> {
    let bytes = |command| match command {
        &MediaCommand::Append { kind, body: AppendBody::Bytes(ref bytes), .. } => {
            Some((kind, bytes.as_slice()))
        }
        _ => None,
    };
    world.element.commands.iter().filter_map(bytes).collect()
}

#[test]
fn samples_that_are_encrypted_become_what_they_were() {
    let film = Film { rungs: vec![(300, 360)], ..film() };
    let sealing = Some(Sealing { rotation: 5, one_file: false });
    for carriage in [MUXED, APART, Carriage { packed: true, ..APART }] {
        let clear = played(&film, carriage);
        let world = played(&film, Carriage { sealing, samples: true, ..carriage });
        assert_eq!(world.requests_for("key-"), 3, "each key once");
        let licences = world.outputs.iter().filter(|(_, one)| matches!(one, Output::License(_)));
        assert_eq!(licences.count(), 0, "no key system has to do with it");
        for kind in [MediaKind::Video, MediaKind::Audio] {
            let of_kind = |world| {
                let all: Vec<(MediaKind, &[u8])> = appended(world);
                all.into_iter().filter(|(of, _)| *of == kind).collect::<Vec<_>>()
            };
            assert!(of_kind(&clear) == of_kind(&world), "{kind:?} differs");
        }
    }
}

#[test]
fn samples_of_which_there_is_no_key_are_told_of() {
    let sealing = Some(Sealing { rotation: 100, one_file: false });
    let encrypted = || film().publish_transport(BASE, Carriage { sealing, samples: true, ..MUXED });
    let until_it_fails = |origin| {
        let mut world = world_of(origin, Network::constant(4_000));
        // The servers do nothing wrong.
        world.strict = false;
        world.load(&hls());
        world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
        assert!(world.element.chunks(MediaKind::Video).is_empty());
        assert_replays(&world);
        fatal(&world).expect("an error").clone()
    };
    let mut origin = encrypted();
    origin.fail("key-0.bin", u32::MAX, FaultKind::Status(403));
    assert_eq!(until_it_fails(origin).code, ErrorCode::LicenseRefused);

    // A playlist that says nothing of it, and one that names a key system which knows no transport streams.
    let other = "METHOD=SAMPLE-AES,KEYFORMAT=\"com.apple.streamingkeydelivery\",URI=\"skd://1\"";
    for (tag, says) in [("", "SAMPLE-AES"), (other, "com.apple.streamingkeydelivery")] {
        let mut origin = encrypted();
        let playlist = origin.body(&format!("{BASE}/v240/media.m3u8")).expect("a playlist");
        let playlist = String::from_utf8(playlist.to_vec()).expect("text");
        let key = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"../key-0.bin\"";
        let instead = if tag.is_empty() { String::new() } else { format!("#EXT-X-KEY:{tag}") };
        assert!(playlist.contains(key));
        let bytes = playlist.replace(key, &instead).into_bytes();
        let replaced = FaultKind::Replace("application/vnd.apple.mpegurl", bytes);
        origin.fail("media.m3u8", u32::MAX, replaced);
        let error = until_it_fails(origin);
        assert!(error.message.contains(says), "{error:?}");
    }
}

#[test]
fn what_cannot_be_turned_is_called_by_its_name() {
    let unit = || vec![Unit { pts: 0, dts: 0, data: annex_b(&[&[0x40, 1, 2, 3]]) }];
    let stream = |pid, stream_type| Stream { pid, stream_type, units: unit() };
    for (streams, code, says) in [
        (vec![stream(256, 0x24)], ErrorCode::FeatureUnsupported, "HEVC"),
        (
            vec![stream(256, 0x1b), stream(257, 0x81)],
            ErrorCode::FeatureUnsupported,
            "AC-3 in a transport stream",
        ),
        (vec![stream(256, 0x06)], ErrorCode::MediaInvalid, "no whole picture or sound"),
    ] {
        let mut origin = film().publish_transport(BASE, MUXED);
        let segment = Muxer::default().segment(&streams);
        origin.fail(".ts", u32::MAX, FaultKind::Replace("video/mp2t", segment));
        let mut world = world_of(origin, Network::constant(4_000));
        world.load(&hls());
        world.run_until("error", Duration::from_secs(120), |world| fatal(world).is_some());
        let error = fatal(&world).expect("an error");
        assert_eq!(error.code, code, "{error:?}");
        assert!(error.message.contains(says), "{error:?}");
        assert!(world.requests.len() < 60, "there is no storm: {}", world.requests.len());
        assert_replays(&world);
    }
}

#[test]
fn a_page_in_place_of_a_segment_is_asked_for_again() {
    let mut origin = film().publish_transport(BASE, MUXED);
    origin.fail("/3.ts", 1, FaultKind::Replace("text/html", b"<html>busy".repeat(40)));
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(60));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    assert_whole(&world, MediaKind::Video, 24.0);
    assert_replays(&world);
}

#[test]
fn a_playlist_without_names_or_a_multivariant_one_plays_too() {
    let mut origin = film().publish_transport(BASE, MUXED);
    let playlist = origin.body(&format!("{BASE}/v360/media.m3u8")).expect("a playlist");
    let playlist = String::from_utf8(playlist.to_vec()).expect("text").replace(".ts", "");
    for number in 0..film().segments() {
        let url = format!("{BASE}/v360/{number}");
        let bytes = origin.body(&format!("{url}.ts")).expect("a segment").to_vec();
        origin.add(&url, "application/octet-stream", bytes);
    }
    origin.add(&format!("{BASE}/v360/bare.m3u8"), "application/vnd.apple.mpegurl", playlist);
    let mut world = world_of(origin, Network::constant(4_000));
    world.element.remember = true;
    world.load(&format!("{BASE}/v360/bare.m3u8"));
    world.run_to_end(Duration::from_secs(60));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    assert_whole(&world, MediaKind::Video, 24.0);
    assert_eq!(buffers(&world).len(), 1);
    assert_replays(&world);
}

/// A segment in which there is nothing of a stream is a rest, and no fault of who delivered it.
#[test]
fn a_stream_may_rest_for_some_segments() {
    let film = Film { seconds: 90, ..film() };
    let mut origin = film.publish_transport(BASE, APART);
    let empty = |units| {
        let stream = Stream { pid: 257, stream_type: AAC, units };
        Muxer::default().segment(&[stream])
    };
    for number in [5, 6] {
        origin.add(&format!("{BASE}/audio/{number}.ts"), "video/mp2t", empty(Vec::new()));
    }
    // The last of the picture has sound alone.
    let frame = Unit { pts: 90_000 * 88, dts: 90_000 * 88, data: adts(&[0x21; 64]) };
    for (_, lines) in &film.rungs {
        let last = film.segments() - 1;
        let url = format!("{BASE}/v{lines}/{last}.ts");
        origin.add(&url, "video/mp2t", empty(vec![frame.clone()]));
    }
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    world.run_to_end(Duration::from_secs(150));
    assert!(fatal(&world).is_none(), "{:?}", fatal(&world));
    let failed = |(_, event): &&(_, Event)| matches!(event, Event::OriginFailed { .. });
    assert_eq!(world.events.iter().find(failed), None);
    let rest = |warning: &&Warning| matches!(warning, Warning::GapJumped { .. });
    assert_eq!(warnings(&world).into_iter().filter(rest).count(), 1, "{:?}", warnings(&world));
    assert_replays(&world);
}

/// A stream in which there is never anything is not played in silence.
#[test]
fn a_stream_of_nothing_is_an_error() {
    let film = film();
    let mut origin = film.publish_transport(BASE, APART);
    let stream = Stream { pid: 257, stream_type: AAC, units: Vec::new() };
    for number in 0..film.segments() {
        let empty = Muxer::default().segment(std::slice::from_ref(&stream));
        origin.add(&format!("{BASE}/audio/{number}.ts"), "video/mp2t", empty);
    }
    let mut world = world_of(origin, Network::constant(4_000));
    world.strict = false;
    world.load(&hls());
    world.run_for(Duration::from_secs(60));
    let error = fatal(&world).expect("an error");
    assert_eq!(error.code, ErrorCode::MediaInvalid);
}

/// A buffer takes as many tracks in each initialisation segment as in the first (Media Source Extensions §3.5.8).
#[test]
fn a_quality_of_which_a_track_rests_at_first_has_as_many_tracks_as_the_one_before() {
    let unit = |pts, data| Unit { pts, dts: pts, data };
    let pictures = vec![unit(90_000, annex_b(&[SPS, PPS, &[0x65, 0x88, 1, 2]]))];
    let sound = || vec![unit(90_000, adts(&[7; 40])), unit(91_920, adts(&[7; 40]))];
    let segment = |pictures: Vec<Unit>, sound: Vec<Unit>| {
        Muxer::default().segment(&[
            Stream { pid: 0x100, stream_type: AVC, units: pictures },
            Stream { pid: 0x101, stream_type: AAC, units: sound },
        ])
    };
    let mut remuxer = Remuxer::default();
    let mut tracks = |segment: &[u8]| {
        let options = Options { wanted: Wanted::All, near: None, cipher: None };
        let init = remuxer.remux(segment, &options).expect("a segment").init;
        remuxer.reset();
        init.windows(4).filter(|bytes| bytes == b"trak").count()
    };
    assert_eq!(tracks(&segment(pictures.clone(), sound())), 2);
    assert_eq!(tracks(&segment(Vec::new(), sound())), 2, "the picture rests");
    assert_eq!(tracks(&segment(pictures, Vec::new())), 2, "the sound rests");
}

/// Where a stream rests, nobody waits for it, and one who comes by several times has heard of no other rest.
#[test]
fn playback_goes_on_at_once_after_a_rest_however_often_it_is_passed() {
    // Of which soon everything else has come.
    let film = film();
    let mut origin = film.publish_transport(BASE, APART);
    let stream = Stream { pid: 257, stream_type: AAC, units: Vec::new() };
    // As many in a row as are taken for a rest.
    for number in 3..7 {
        let empty = Muxer::default().segment(std::slice::from_ref(&stream));
        origin.add(&format!("{BASE}/audio/{number}.ts"), "video/mp2t", empty);
    }
    let mut world = world_of(origin, Network::constant(4_000));
    world.load(&hls());
    let length = f64::from(film.segment_seconds);
    let (rest, after) = (seconds(3.0 * length), seconds(7.0 * length));
    for pass in 0..6 {
        world.run_until("the rest", Duration::from_secs(30), |world| {
            world.element.position + millis(200) >= rest
        });
        let came = world.now();
        world.run_until("what follows", Duration::from_secs(5), |world| {
            world.element.position > after && world.element.moves()
        });
        let waited = world.now().since(came);
        assert!(waited < Duration::from_secs(1), "{pass}: waited {waited:?}");
        // Of what follows nothing need be fetched again.
        world.input(Input::Seek(rest - millis(1_500)));
    }
    assert_eq!(fatal(&world), None);
    world.run_to_end(Duration::from_secs(90));
    assert_replays(&world);
}
