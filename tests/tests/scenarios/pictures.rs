//! Where the pictures for a seek bar are, and the key frames to move fast by.

use std::time::Duration;

use kinora_core::io::{ByteRange, Event, Input, Picture, PictureKind, Tile};
use kinora_core::time::MediaTime;
use kinora_tests::world::World;
use kinora_tests::world::content::{Film, Origin};
use kinora_tests::world::network::Network;

use super::{BASE, dash, hls, seconds, world_of};

/// The film, whose MPD has tiles of five by two for each 20 s, and whose multivariant playlist has
/// key frames, and a picture every ten seconds.
fn origin() -> Origin {
    let film = Film { seconds: 60, ..Film::default() };
    let mut origin = film.publish(BASE);
    let mpd = String::from_utf8(origin.body(&dash()).expect("an MPD").to_vec()).expect("text");
    let set = "<AdaptationSet contentType=\"image\" mimeType=\"image/jpeg\">\
               <SegmentTemplate media=\"tiles-$Number$.jpg\" duration=\"20\" startNumber=\"1\"/>\
               <Representation id=\"tiles\" bandwidth=\"10000\" width=\"800\" height=\"180\">\
               <EssentialProperty schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\" \
               value=\"5x2\"/></Representation></AdaptationSet></Period>";
    origin.add(&dash(), "application/dash+xml", mpd.replace("</Period>", set));
    let playlist = String::from_utf8(origin.body(&hls()).expect("a playlist").to_vec());
    let more = "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=80000,RESOLUTION=426x240,CODECS=\"avc1.64001f\",\
                URI=\"keys-240.m3u8\"\n\
                #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1920x1080,\
                CODECS=\"avc1.64001f\",URI=\"keys-1080.m3u8\"\n\
                #EXT-X-IMAGE-STREAM-INF:BANDWIDTH=10000,RESOLUTION=320x180,CODECS=\"jpeg\",\
                URI=\"images.m3u8\"\n";
    origin.add(&hls(), "application/vnd.apple.mpegurl", playlist.expect("text") + more);
    for lines in [240, 1080] {
        let mut text = String::from(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n\
                                     #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n\
                                     #EXT-X-MAP:URI=\"v240/init.mp4\"\n",
        );
        for number in 0..30 {
            text += &format!("#EXTINF:2,\n#EXT-X-BYTERANGE:1000@0\nv{lines}/{number}.m4s\n");
        }
        let url = format!("{BASE}/keys-{lines}.m3u8");
        origin.add(&url, "application/vnd.apple.mpegurl", text + "#EXT-X-ENDLIST\n");
    }
    let mut text = String::from(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:10\n\
                                 #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-IMAGES-ONLY\n",
    );
    for number in 0..6 {
        text += &format!("#EXTINF:10,\nimage-{number}.jpg\n");
    }
    let url = format!("{BASE}/images.m3u8");
    origin.add(&url, "application/vnd.apple.mpegurl", text + "#EXT-X-ENDLIST\n");
    origin
}

fn ask(world: &mut World, id: u64, at: f64, kind: PictureKind) -> Option<Picture> {
    world.input(Input::Picture { id, at: seconds(at), kind });
    world.run_for(Duration::from_secs(1));
    let answer = world.events.iter().find_map(|(_, event)| match event {
        Event::Picture { id: of, picture } if *of == id => Some(picture.clone()),
        _ => None,
    });
    answer.expect("a question is answered").map(|picture| *picture)
}

#[test]
fn a_tile_of_a_dash_image() {
    let mut world = world_of(origin(), Network::constant(8_000));
    world.load(&dash());
    world.run_for(Duration::from_secs(3));
    let picture = ask(&mut world, 7, 33.0, PictureKind::Thumbnail).expect("there is one");
    assert_eq!(picture.resource.url, format!("{BASE}/tiles-2.jpg"));
    // Two seconds a tile: the seventh of the second image.
    assert_eq!(picture.tile, Some(Tile { x: 160, y: 90, width: 160, height: 90 }));
    assert_eq!((picture.span.start, picture.span.end), (seconds(32.0), seconds(34.0)));
    assert_eq!(ask(&mut world, 8, 90.0, PictureKind::Thumbnail), None, "the film is over by then");
    assert_eq!(world.requests_for("tiles"), 0, "the image is the app's to fetch");
    assert_eq!(ask(&mut world, 9, 3.0, PictureKind::KeyFrame { rate: 8 }), None);
    world.run_to_end(Duration::from_secs(70));
}

#[test]
fn an_image_of_an_hls_playlist_that_is_loaded_when_it_is_wanted() {
    let mut world = world_of(origin(), Network::constant(8_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.requests_for("images.m3u8"), 0);
    let picture = ask(&mut world, 1, 44.0, PictureKind::Thumbnail).expect("there is one");
    assert_eq!(picture.resource.url, format!("{BASE}/image-4.jpg"));
    assert_eq!(picture.tile, None);
    ask(&mut world, 2, 12.0, PictureKind::Thumbnail);
    assert_eq!(world.requests_for("images.m3u8"), 1);
}

#[test]
fn key_frames_in_a_quality_that_the_network_sustains_at_the_speed() {
    let mut world = world_of(origin(), Network::constant(8_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(5));
    let slow = ask(&mut world, 1, 20.5, PictureKind::KeyFrame { rate: 2 }).expect("there is one");
    assert_eq!(slow.resource.url, format!("{BASE}/v1080/10.m4s"));
    assert_eq!(slow.resource.range, Some(ByteRange { start: 0, length: Some(1_000) }));
    assert!(slow.init.is_some());
    let fast = ask(&mut world, 2, 20.5, PictureKind::KeyFrame { rate: -16 }).expect("there is one");
    assert_eq!(fast.resource.url, format!("{BASE}/v240/10.m4s"));
    assert_eq!(fast.span.start, MediaTime::from_secs(20));
}

#[test]
fn nothing_is_played_that_is_only_for_looking_up() {
    for url in [hls(), dash()] {
        let mut world = world_of(origin(), Network::constant(8_000));
        world.load(&url);
        world.run_to_end(Duration::from_secs(70));
        assert_eq!(world.requests_for("keys") + world.requests_for("tiles-"), 0);
        let loaded = world.events.iter().find_map(|(_, event)| match event {
            Event::Loaded { tracks, .. } => Some(tracks.len()),
            _ => None,
        });
        assert_eq!(loaded, Some(2));
    }
}

#[test]
fn a_list_that_cannot_be_had_is_no_picture_and_no_error() {
    let mut origin = origin();
    origin.fail("images.m3u8", 100, kinora_tests::world::fault::FaultKind::Status(404));
    let mut world = world_of(origin, Network::constant(8_000));
    world.load(&hls());
    world.run_for(Duration::from_secs(3));
    assert_eq!(ask(&mut world, 1, 44.0, PictureKind::Thumbnail), None);
    world.run_to_end(Duration::from_secs(70));
}
