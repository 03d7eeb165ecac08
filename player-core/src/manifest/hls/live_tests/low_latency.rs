//! Parts, hints and delta updates.

use super::*;

const HEAD: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3,HOLD-BACK=12,CAN-SKIP-UNTIL=24,CAN-SKIP-DATERANGES=YES\n";

#[test]
fn parts_belong_to_the_segment_after_them() {
    let text = format!(
        "{HEAD}#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"i.mp4\"\n\
             #EXTINF:2,\n7.mp4\n\
             #EXT-X-PART:DURATION=1,URI=\"8.mp4\",BYTERANGE=\"100@0\",INDEPENDENT=YES\n\
             #EXT-X-PART:DURATION=1,URI=\"8.mp4\",BYTERANGE=\"50\"\n\
             #EXTINF:2,\n8.mp4\n\
             #EXT-X-PART:DURATION=0.5,URI=\"9.mp4\",GAP=YES\n\
             #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.mp4\",BYTERANGE-START=70\n\
             #EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"j.mp4\"\n\
             #EXT-X-RENDITION-REPORT:URI=\"../b/main.m3u8?x\"\n\
             #EXT-X-RENDITION-REPORT:URI=\"../c/main.m3u8\",LAST-MSN=8,LAST-PART=1\n"
    );
    let playlist = first(&text);
    let part = |segment, index, start: i64, millis, range: Option<(u64, u64)>| Part {
        segment,
        index,
        start: MediaTime::from_millis(start),
        duration: MediaTime::from_millis(millis),
        url: format!("https://cdn.example/live/{segment}.mp4"),
        range: range.map(|(start, length)| crate::io::ByteRange { start, length: Some(length) }),
        independent: (segment, index) == (8, 0),
        gap: segment == 9,
        init: Some(0),
        key: None,
        discontinuity: 0,
    };
    assert_eq!(
        playlist.parts,
        [
            part(8, 0, 2000, 1000, Some((0, 100))),
            part(8, 1, 3000, 1000, Some((100, 50))),
            part(9, 0, 4000, 500, None),
        ]
    );
    assert_eq!(playlist.part_target, Some(MediaTime::from_secs(1)));
    assert_eq!(
        playlist.control,
        ServerControl {
            can_block_reload: true,
            can_skip_until: Some(MediaTime::from_secs(24)),
            can_skip_dateranges: true,
            hold_back: Some(MediaTime::from_secs(12)),
            part_hold_back: Some(MediaTime::from_secs(3)),
        }
    );
    let live = playlist.timing().expect("live");
    assert_eq!(
        (live.delay, live.part_delay),
        (Some(MediaTime::from_secs(12)), Some(MediaTime::from_secs(3)))
    );
    let hint =
        |kind, url: &str, range| PreloadHint { kind, url: url.into(), range, discontinuity: 0 };
    let open = crate::io::ByteRange { start: 70, length: None };
    assert_eq!(
        playlist.hints,
        [
            hint(HintKind::Part, "https://cdn.example/live/9.mp4", Some(open)),
            hint(HintKind::Map, "https://cdn.example/live/j.mp4", None),
        ]
    );
    // What a report leaves out is as in this playlist.
    let report = |url: &str, last_number, last_part| RenditionReport {
        url: url.into(),
        last_number,
        last_part: Some(last_part),
    };
    assert_eq!(
        playlist.reports,
        [
            report("https://cdn.example/b/main.m3u8?x", 9, 0),
            report("https://cdn.example/c/main.m3u8", 8, 1),
        ]
    );
    let other = playlist.report("https://cdn.example/b/main.m3u8?token=1").expect("a report");
    assert_eq!(other.request(), "https://cdn.example/b/main.m3u8?x&_HLS_msn=9&_HLS_part=0");
    assert_eq!(playlist.report("https://cdn.example/d/main.m3u8"), None);
}

#[test]
fn the_next_request_names_what_comes_next() {
    let text = |parts: u64| {
        let mut text = format!("{HEAD}#EXT-X-MEDIA-SEQUENCE:1\n");
        for number in 1..11 {
            text.push_str(&format!("#EXTINF:4,\n{number}.mp4\n"));
        }
        for part in 0..parts {
            text.push_str(&format!("#EXT-X-PART:DURATION=1,URI=\"11.{part}.mp4\"\n"));
        }
        text
    };
    let mut playlist = first(&text(0));
    playlist.requested(at(10));
    let reload = |playlist: &MediaPlaylist, seconds| {
        let url = format!("{URL}?a=1&_HLS_msn=3&b#x");
        playlist.reload(&url, at(seconds)).expect("live")
    };
    let base = format!("{URL}?a=1&b");
    assert_eq!(
        reload(&playlist, 11),
        Reload {
            url: format!("{base}&_HLS_msn=11&_HLS_part=0&_HLS_skip=v2"),
            at: at(10),
            blocking: true,
            delta: true,
        }
    );
    playlist.refresh(text(2).as_bytes(), URL, at(11)).expect("sound");
    assert_eq!(reload(&playlist, 12).url, format!("{base}&_HLS_msn=11&_HLS_part=2&_HLS_skip=v2"));
    // What is held is older than half the skip boundary.
    let old = reload(&playlist, 11 + 12);
    assert_eq!((old.url, old.delta), (format!("{base}&_HLS_msn=11&_HLS_part=2"), false));
    // A server that answers with nothing new is not asked again at once.
    playlist.refresh(text(2).as_bytes(), URL, at(13)).expect("sound");
    let later = reload(&playlist, 13);
    assert_eq!((later.blocking, later.at), (false, at(15)));
    assert_eq!(later.url, format!("{base}&_HLS_skip=v2"));
}

#[test]
fn without_blocking_a_playlist_is_asked_for_each_target_duration() {
    let mut playlist = first(&window(1..4));
    playlist.requested(at(10));
    let reload = playlist.reload(URL, at(11)).expect("live");
    assert_eq!((reload.url.as_str(), reload.at, reload.blocking), (URL, at(14), false));
    playlist.refresh(window(1..4).as_bytes(), URL, at(14)).expect("sound");
    assert_eq!(playlist.reload(URL, at(14)).map(|reload| reload.at), Some(at(16)));
    playlist.refresh(window(1..5).as_bytes(), URL, at(16)).expect("sound");
    assert_eq!(playlist.reload(URL, at(16)).map(|reload| reload.at), Some(at(20)));
    let ended = format!("{}#EXT-X-ENDLIST", window(1..5));
    playlist.refresh(ended.as_bytes(), URL, at(20)).expect("sound");
    assert_eq!(playlist.reload(URL, at(20)), None);
}

#[test]
fn a_delta_update_goes_on_from_what_is_held() {
    let segments = |numbers: core::ops::Range<u64>| {
        numbers.map(|number| format!("#EXTINF:4,\n{number}.mp4\n")).collect::<String>()
    };
    let range =
        |id: &str| format!("#EXT-X-DATERANGE:ID=\"{id}\",START-DATE=\"2026-01-01T00:00:00Z\"\n");
    let head = |first: u64| format!("{HEAD}#EXT-X-MEDIA-SEQUENCE:{first}\n");
    let mut playlist = first(&format!(
        "{}#EXT-X-MAP:URI=\"i.mp4\"\n{}{}{}{}",
        head(1),
        range("a"),
        segments(1..5),
        range("b"),
        segments(5..12)
    ));
    let delta = format!(
        "{}#EXT-X-SKIP:SKIPPED-SEGMENTS=6,RECENTLY-REMOVED-DATERANGES=\"a\tx\"\n{}{}{}",
        head(2),
        segments(8..12),
        range("c"),
        segments(12..14)
    );
    let refreshed = refresh(&mut playlist, &delta);
    assert_eq!((refreshed.added, refreshed.removed, refreshed.deviation), (2, 1, None));
    assert_eq!(numbers(&playlist), (2..14).collect::<Vec<_>>());
    assert_eq!(starts(&playlist)[0], "4.000");
    assert!(playlist.index.iter().all(|segment| segment.init == Some(0)));
    let ids: Vec<_> = playlist.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["b", "c"]);

    // One that leaves out what was never held is overlooked, and the whole asked for.
    let far = format!("{}#EXT-X-SKIP:SKIPPED-SEGMENTS=60\n{}", head(3), segments(63..70));
    let incomplete = Deviation::Incomplete { held: 13, skipped: 62 };
    assert_eq!(refresh(&mut playlist, &far).deviation, Some(incomplete));
    let reload = playlist.reload(URL, at(0)).expect("live");
    assert!(!reload.delta && !reload.url.contains("skip"), "{reload:?}");
    let unheard = parse_media(far.as_bytes(), URL).expect_err("nothing to go on from");
    assert!(matches!(unheard.kind, ManifestErrorKind::Unsupported { .. }), "{unheard}");
}
