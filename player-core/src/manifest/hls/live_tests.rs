//! Live playlists: what a server publishes one after another, merged.

use proptest::prelude::*;

use super::*;
use crate::presentation::Segment;
use crate::time::{MediaTime, Timestamp, WallTime};

const URL: &str = "https://cdn.example/live/main.m3u8";

fn first(text: &str) -> MediaPlaylist {
    parse_media(text.as_bytes(), URL).expect("a sound playlist").value
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn refresh(playlist: &mut MediaPlaylist, text: &str) -> Refreshed {
    playlist.refresh(text.as_bytes(), URL, at(0)).expect("a sound playlist")
}

fn numbers(playlist: &MediaPlaylist) -> Vec<u64> {
    playlist.index.iter().map(|segment| segment.number).collect()
}

fn starts(playlist: &MediaPlaylist) -> Vec<String> {
    playlist.index.iter().map(|segment| segment.start.to_string()).collect()
}

/// Plain segments of four seconds.
fn window(numbers: core::ops::Range<u64>) -> String {
    let mut text =
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{}\n", numbers.start);
    for number in numbers {
        text.push_str(&format!("#EXTINF:4,\n{number}.ts\n"));
    }
    text
}

mod windows {
    use super::*;

    #[test]
    fn move_without_moving_a_segment() {
        let mut playlist = first(&window(10..14));
        let refreshed = refresh(&mut playlist, &window(12..17));
        let Refreshed { changed, added, removed, deviation, warnings } = refreshed;
        assert_eq!((changed, added, removed, deviation), (true, 3, 2, None));
        assert!(warnings.is_empty());
        assert_eq!(numbers(&playlist), [12, 13, 14, 15, 16]);
        assert_eq!(starts(&playlist), ["8.000", "12.000", "16.000", "20.000", "24.000"]);
        assert_eq!(
            playlist.index.get(4).map(|s| s.url),
            Some("https://cdn.example/live/16.ts".into())
        );
    }

    #[test]
    fn end_with_the_end() {
        let mut playlist = first(&window(1..3));
        let refreshed = refresh(&mut playlist, &format!("{}#EXT-X-ENDLIST\n", window(1..3)));
        assert!(refreshed.changed && !playlist.live);
        // Nothing changes an ended playlist.
        assert_eq!(refresh(&mut playlist, &window(5..9)), Refreshed::default());
        assert_eq!(numbers(&playlist), [1, 2]);
    }

    #[test]
    fn begin_with_nothing() {
        let mut playlist = first(&window(7..7));
        assert!(playlist.index.is_empty());
        assert_eq!(refresh(&mut playlist, &window(7..9)).deviation, None);
        assert_eq!(starts(&playlist), ["0.000", "4.000"]);
    }

    #[test]
    fn a_fault_leaves_what_is_held() {
        let mut playlist = first(&window(1..4));
        let before = playlist.clone();
        let broken = format!("{}#EXT-X-MAP:URI=\"i\"\n#EXTINF:x,\n4.ts\n", window(1..4));
        let error = playlist.refresh(broken.as_bytes(), URL, at(0)).expect_err("no duration");
        assert_eq!(error, *ManifestErrorKind::invalid("EXTINF", "x").at(11));
        assert_eq!(playlist, before);
        assert_eq!(refresh(&mut playlist, &window(2..6)).added, 2);
    }

    #[test]
    fn follow_each_other_without_overlap() {
        let mut playlist = first(&window(1..3));
        let refreshed = refresh(&mut playlist, &window(3..5));
        assert_eq!((refreshed.added, refreshed.removed, refreshed.deviation), (2, 2, None));
        assert_eq!(starts(&playlist), ["8.000", "12.000"]);
    }

    #[test]
    fn state_their_tags_anew_at_their_start() {
        let head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n";
        let key =
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXT-X-BITRATE:9\n";
        let text = |first: u64, middle: u64, last: u64| {
            let mut text = format!("{head}#EXT-X-MEDIA-SEQUENCE:{first}\n{key}");
            for number in first..=last {
                if number == middle {
                    text.push_str("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"j.mp4\"\n");
                }
                text.push_str(&format!("#EXTINF:4,\n{number}.m4s\n"));
            }
            text
        };
        let mut playlist = first(&text(1, 3, 4));
        assert_eq!(refresh(&mut playlist, &text(2, 3, 6)).deviation, None);
        let marks: Vec<_> =
            playlist.index.iter().map(|s| (s.discontinuity, s.init, s.key, s.bit_rate)).collect();
        let (old, new) = ((0, Some(0), Some(0), Some(9000)), (1, Some(1), Some(0), Some(9000)));
        assert_eq!(marks, [old, new, new, new, new]);
        assert_eq!(playlist.index.inits().len(), 2);
        assert_eq!(playlist.index.keys().len(), 1);
        let segment = playlist.index.get(4).expect("five");
        assert_eq!(
            playlist.index.init(&segment).map(|i| i.url.as_str()),
            Some("https://cdn.example/live/j.mp4")
        );
        assert_eq!(playlist.index.init_key(&segment), playlist.index.keys().first());
    }

    #[test]
    fn number_discontinuities_on_if_the_server_does_not() {
        let text = |first: u64, last: u64| {
            let mut text =
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
            for number in first..=last {
                // Every segment is a stretch of its own.
                text.push_str(&format!("#EXT-X-DISCONTINUITY\n#EXTINF:4,\n{number}.ts\n"));
            }
            text
        };
        let mut playlist = first(&text(1, 3));
        for last in 4..9 {
            refresh(&mut playlist, &text(last - 2, last));
        }
        let marks: Vec<_> = playlist.index.iter().map(|s| (s.number, s.discontinuity)).collect();
        assert_eq!(marks, [(6, 6), (7, 7), (8, 8)]);
    }

    #[test]
    fn renew_their_tokens() {
        let text = |first: u64, token: u64| {
            window(first..first + 3).replace(".ts", &format!(".ts?t={token}"))
        };
        let mut playlist = first(&text(1, 1));
        for token in 2..50 {
            let refreshed = refresh(&mut playlist, &text(token, token));
            assert_eq!((refreshed.added, refreshed.deviation), (1, None));
        }
        let urls: Vec<_> = playlist.index.iter().map(|segment| segment.url).collect();
        assert!(urls.iter().all(|url| url.ends_with("?t=49")), "{urls:?}");
        assert_eq!(playlist.index.start(), MediaTime::from_secs(48 * 4));
    }

    #[test]
    fn keep_only_what_is_used() {
        let text = |number: u64| {
            format!(
                "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{number}\n\
                 #EXT-X-KEY:METHOD=AES-128,URI=\"k{number}\"\n#EXT-X-MAP:URI=\"i{number}.mp4\"\n\
                 #EXTINF:4,\n{number}.m4s\n"
            )
        };
        let mut playlist = first(&text(1));
        for number in 2..1000 {
            refresh(&mut playlist, &text(number));
        }
        assert!(playlist.index.inits().len() < 100 && playlist.index.keys().len() < 100);
        let segment = playlist.index.get(0).expect("one");
        let key = playlist.index.key(&segment).and_then(|key| key.systems[0].uri.clone());
        assert_eq!(key.as_deref(), Some("https://cdn.example/live/k999"));
        assert_eq!(playlist.index.init_key(&segment), playlist.index.key(&segment));
        let init = playlist.index.init(&segment).map(|init| init.url.as_str());
        assert_eq!(init, Some("https://cdn.example/live/i999.mp4"));
    }
}

mod deviations {
    use super::*;

    fn deviation(playlist: &mut MediaPlaylist, text: &str) -> Option<Deviation> {
        refresh(playlist, text).deviation
    }

    #[test]
    fn an_older_version_is_overlooked() {
        let mut playlist = first(&window(10..14));
        let older = deviation(&mut playlist, &window(9..13));
        assert_eq!(older, Some(Deviation::Older { held: 13, seen: 12 }));
        assert_eq!(numbers(&playlist), [10, 11, 12, 13]);
        assert_eq!(deviation(&mut playlist, &window(11..15)), None);
        assert_eq!(starts(&playlist)[0], "4.000");
    }

    #[test]
    fn a_history_rewritten_is_told() {
        let mut playlist = first(&window(10..14));
        let other = window(10..15).replace("12.ts", "other.ts");
        let rewritten = Deviation::Rewritten { number: 12, difference: Difference::Url };
        assert_eq!(deviation(&mut playlist, &other), Some(rewritten));
        let urls: Vec<_> = playlist.index.iter().map(|segment| segment.url).collect();
        assert!(urls[2].ends_with("/other.ts") && urls[4].ends_with("/14.ts"), "{urls:?}");
        let longer = other.replace("#EXTINF:4,\n13.ts", "#EXTINF:3,\n13.ts");
        let rewritten = Deviation::Rewritten { number: 13, difference: Difference::Duration };
        assert_eq!(deviation(&mut playlist, &longer), Some(rewritten));
        assert_eq!(starts(&playlist)[3..], ["12.000", "15.000"]);
        let gap = longer.replace("14.ts", "#EXT-X-GAP\n14.ts");
        let rewritten = Deviation::Rewritten { number: 14, difference: Difference::Tags };
        assert_eq!(deviation(&mut playlist, &gap), Some(rewritten));
    }

    #[test]
    fn numbers_that_begin_anew_go_on_in_time() {
        // Two segments of the same numbers are others.
        let mut playlist = first(&window(0..4));
        let anew = window(0..2).replace(".ts", "-b.ts");
        assert_eq!(
            deviation(&mut playlist, &anew),
            Some(Deviation::Restarted { held: 3, seen: 0 })
        );
        assert_eq!(starts(&playlist), ["16.000", "20.000"]);
        assert_eq!(playlist.index.get(0).map(|segment| segment.discontinuity), Some(1));

        // Dates that go on say so.
        let dated = |window: String, date: &str| {
            window.replacen("#EXTINF", &format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n#EXTINF"), 1)
        };
        let mut playlist = first(&dated(window(100..104), "2026-01-01T00:00:00Z"));
        let anew = dated(window(0..2), "2026-01-01T00:01:00Z");
        let restarted = Some(Deviation::Restarted { held: 103, seen: 0 });
        assert_eq!(deviation(&mut playlist, &anew), restarted);
        assert_eq!(starts(&playlist), ["60.000", "64.000"]);

        // Without dates, an answer far back is taken for an old one, until it goes on.
        let mut playlist = first(&window(100..104));
        let older = Some(Deviation::Older { held: 103, seen: 1 });
        assert_eq!(deviation(&mut playlist, &window(0..2)), older);
        let restarted = Some(Deviation::Restarted { held: 103, seen: 0 });
        assert_eq!(deviation(&mut playlist, &window(0..3)), restarted);
        assert_eq!(numbers(&playlist), [0, 1, 2]);
    }

    #[test]
    fn segments_that_came_and_went_are_told() {
        let mut playlist = first(&window(1..3));
        let missed = Some(Deviation::Missed { from: 3, to: 5 });
        assert_eq!(deviation(&mut playlist, &window(6..8)), missed);
        assert_eq!(starts(&playlist), ["20.000", "24.000"]);
        // The wildest numbers only saturate.
        let last = u64::MAX - 2;
        let missed = Some(Deviation::Missed { from: 8, to: last - 1 });
        assert_eq!(deviation(&mut playlist, &window(last..last + 1)), missed);
    }

    #[test]
    fn a_stall_is_told_once_it_has_lasted() {
        let mut playlist = first(&window(1..3));
        playlist.requested(at(100));
        let mut again = |seconds| {
            let text = window(1..3);
            playlist.refresh(text.as_bytes(), URL, at(seconds)).expect("sound").deviation
        };
        assert_eq!([again(104), again(106)], [None, None]);
        let (since, most) = (at(107).since(at(100)), at(6).since(at(0)));
        assert_eq!(again(107), Some(Deviation::Stalled { since, most }));
    }
}

mod low_latency {
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
            range: range
                .map(|(start, length)| crate::io::ByteRange { start, length: Some(length) }),
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
        let hint = |kind, url: &str, range| PreloadHint { kind, url: url.into(), range };
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
        assert_eq!(
            reload(&playlist, 12).url,
            format!("{base}&_HLS_msn=11&_HLS_part=2&_HLS_skip=v2")
        );
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
        let range = |id: &str| {
            format!("#EXT-X-DATERANGE:ID=\"{id}\",START-DATE=\"2026-01-01T00:00:00Z\"\n")
        };
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
}

mod date_ranges {
    use super::*;

    fn text(first: u64, last: u64, ranges: &[(u64, &str)]) -> String {
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for number in first..=last {
            for (_, tag) in ranges.iter().filter(|(before, _)| *before == number) {
                let date = "START-DATE=\"2026-01-01T00:00:00Z\"";
                text.push_str(&format!("#EXT-X-DATERANGE:{tag},{date}\n"));
            }
            text.push_str(&format!("#EXTINF:4,\n{number}.ts\n"));
        }
        text
    }

    #[test]
    fn those_that_are_listed_hold() {
        let ids = |playlist: &MediaPlaylist| {
            playlist.events.iter().map(|event| event.id.clone()).collect::<Vec<_>>()
        };
        let all = [(1, "ID=\"a\""), (4, "ID=\"b\""), (6, "ID=\"c\",END-ON-NEXT=YES")];
        let mut playlist = first(&text(1, 5, &all));
        assert_eq!(ids(&playlist), ["a", "b"]);
        // "a" stood before a segment that is gone, "b" in what is the same as before.
        refresh(&mut playlist, &text(2, 7, &all));
        assert_eq!(ids(&playlist), ["b", "c"]);
        // An attribute that comes later belongs to the one that is known.
        let late = [&all[..], &[(8, "ID=\"b\",DURATION=3,X-NEW=\"1\"")]].concat();
        refresh(&mut playlist, &text(3, 9, &late));
        let event = playlist.events.iter().find(|event| event.id == "b").expect("b");
        assert_eq!(event.duration, Some(MediaTime::from_secs(3)));
        // Taken back.
        refresh(&mut playlist, &text(3, 10, &all[..1]));
        assert!(playlist.events.is_empty());
    }

    #[test]
    fn they_are_placed_by_the_dates_of_segments() {
        let playlist = first(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n\
             #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04Z\n#EXTINF:4,\n2.ts\n#EXTINF:4,\n3.ts\n",
        );
        let wall = |seconds: i64| WallTime::from_micros((1_767_225_600 + seconds) * 1_000_000);
        let walls: Vec<_> = playlist.index.iter().map(|segment| segment.wall_time).collect();
        assert_eq!(walls, [Some(wall(0)), Some(wall(4)), Some(wall(8))]);
        assert_eq!(playlist.index.time_at(wall(6)), Some(MediaTime::from_secs(6)));
        assert_eq!(playlist.index.time_at(wall(-2)), Some(MediaTime::from_secs(-2)));
        assert_eq!(playlist.index.wall_time_at(MediaTime::from_secs(9)), Some(wall(9)));
        assert_eq!(playlist.timing().and_then(|live| live.origin), Some(wall(0)));
    }
}

/// A segment of a history.
#[derive(Clone, Debug)]
struct Told {
    millis: u32,
    name: String,
    range: Option<u32>,
    discontinuity: bool,
    gap: bool,
    init: Option<u8>,
    key: Option<u8>,
    date: bool,
    event: bool,
    bit_rate: Option<u8>,
    unknown: bool,
    parts: u8,
}

fn told() -> impl Strategy<Value = Told> {
    let rarely = || proptest::bool::weighted(0.15);
    let some = || proptest::option::weighted(0.2, 0u8..4);
    let first =
        (1u32..4000, "[a-c]{1,3}", proptest::option::weighted(0.3, 1u32..900), rarely(), rarely());
    let second = (some(), some(), rarely(), rarely(), some(), rarely(), 0u8..4);
    (first, second).prop_map(
        |(
            (millis, name, range, discontinuity, gap),
            (init, key, date, event, bit_rate, unknown, parts),
        )| Told {
            millis,
            name,
            range,
            discontinuity,
            gap,
            init,
            key,
            date,
            event,
            bit_rate,
            unknown,
            parts,
        },
    )
}

/// What holds at a place of a history.
#[derive(Clone, Copy, Default)]
struct Holding {
    init: Option<u8>,
    key: Option<u8>,
    bit_rate: Option<u8>,
    discontinuity: u64,
    millis: u64,
}

/// A server that knows what is to come.
struct Server {
    history: Vec<Told>,
}

impl Server {
    /// The segments of `window` and `parts` of the one after. `skip` of them are left out. Dates stand
    /// before every first segment if `dated`, else where the history has them.
    fn publish(
        &self,
        window: core::ops::Range<usize>,
        parts: usize,
        skip: usize,
        dated: bool,
    ) -> String {
        let mut holding = Holding::default();
        for before in &self.history[..window.start] {
            before.apply(&mut holding);
        }
        let mut text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            window.start, holding.discontinuity
        );
        if skip > 0 {
            text.push_str(&format!(
                "#EXT-X-SKIP:SKIPPED-SEGMENTS={skip},RECENTLY-REMOVED-DATERANGES=\"{}\"\n",
                (0..window.start).map(|number| format!("e{number}")).collect::<Vec<_>>().join("\t")
            ));
        } else {
            holding.print(&mut text);
        }
        for number in window.clone() {
            let segment = &self.history[number];
            let listed = number >= window.start + skip;
            if listed {
                // Parts go when their segments have grown old.
                let parts = if number + 2 >= window.end { usize::from(segment.parts) } else { 0 };
                segment.print(number, parts, &holding, dated && number == window.start, &mut text);
            }
            segment.apply(&mut holding);
        }
        if let Some(next) = self.history.get(window.end) {
            next.print_parts(window.end, parts.min(usize::from(next.parts)), &mut text);
        }
        if window.end == self.history.len() {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

fn print_map(init: Option<u8>, text: &mut String) {
    if let Some(init) = init {
        text.push_str(&format!("#EXT-X-MAP:URI=\"i{init}.mp4\"\n"));
    }
}

fn print_key(key: Option<u8>, text: &mut String) {
    match key {
        Some(0) => text.push_str("#EXT-X-KEY:METHOD=NONE\n"),
        Some(key) => {
            text.push_str(&format!("#EXT-X-KEY:METHOD=AES-128,URI=\"k{key}\",IV=0x{key}\n"))
        }
        None => {}
    }
}

fn print_bit_rate(bit_rate: Option<u8>, text: &mut String) {
    if let Some(bit_rate) = bit_rate {
        text.push_str(&format!("#EXT-X-BITRATE:{bit_rate}\n"));
    }
}

impl Holding {
    fn print(&self, text: &mut String) {
        print_key(self.key, text);
        print_map(self.init, text);
        print_bit_rate(self.bit_rate, text);
    }
}

impl Told {
    fn apply(&self, holding: &mut Holding) {
        holding.discontinuity += u64::from(self.discontinuity);
        // A key and what it encrypts change together, so that both are the same wherever told.
        if self.init.is_some() || self.key.is_some() {
            holding.key = self.key.or(holding.key);
            holding.init = self.init.or(holding.init);
        }
        holding.bit_rate = self.bit_rate.or(holding.bit_rate);
        holding.millis += u64::from(self.millis);
    }

    fn print(&self, number: usize, parts: usize, before: &Holding, dated: bool, text: &mut String) {
        if self.unknown {
            text.push_str(&format!("#EXTINF:1,\n#EXT-X-UNKNOWN:{number}\n"));
        }
        if self.event {
            text.push_str(&format!(
                "#EXT-X-DATERANGE:ID=\"e{number}\",START-DATE=\"2026-01-01T00:00:00Z\",X-A=\"{number}\"\n"
            ));
        }
        if self.discontinuity {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if self.init.is_some() || self.key.is_some() {
            print_key(self.key, text);
            print_map(self.init.or(before.init), text);
        }
        print_bit_rate(self.bit_rate, text);
        self.print_parts(number, parts, text);
        if self.date || dated {
            let (seconds, millis) = (before.millis / 1000, before.millis % 1000);
            text.push_str(&format!(
                "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:{:02}:{:02}.{millis:03}Z\n",
                seconds / 60,
                seconds % 60
            ));
        }
        if self.gap {
            text.push_str("#EXT-X-GAP\n");
        }
        if let Some(range) = self.range {
            text.push_str(&format!("#EXT-X-BYTERANGE:{range}@{number}\n"));
        }
        text.push_str(&format!("#EXTINF:{}.{:03},\n", self.millis / 1000, self.millis % 1000));
        text.push_str(&format!("{}{number}.m4s\n", self.name));
    }

    fn print_parts(&self, number: usize, parts: usize, text: &mut String) {
        for part in 0..parts {
            let millis = self.millis / u32::from(self.parts.max(1));
            text.push_str(&format!(
                "#EXT-X-PART:DURATION=0.{:03},URI=\"{number}.{part}.m4s\"\n",
                millis.min(999)
            ));
        }
    }
}

/// All that a segment is, resolved: numbers of initialisation segments and keys may differ.
fn resolved(playlist: &MediaPlaylist, dates: bool) -> Vec<(Segment, String)> {
    playlist
        .index
        .iter()
        .map(|segment| {
            let index = &playlist.index;
            let shared = format!(
                "{:?} {:?} {:?}",
                index.init(&segment),
                index.init_key(&segment),
                index.key(&segment)
            );
            let wall_time = segment.wall_time.filter(|_| dates);
            (Segment { init: None, key: None, wall_time, ..segment }, shared)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// However a history is told, in windows and deltas, parts before segments, the end of what was
    /// merged is the end of the whole.
    #[test]
    fn merged_windows_are_the_whole(
        history in proptest::collection::vec(told(), 2..30),
        steps in proptest::collection::vec(
            (0usize..4, 0usize..4, 0usize..4, proptest::bool::weighted(0.3), any::<bool>()),
            1..20,
        ),
        dated in any::<bool>(),
        length in 1usize..8,
    ) {
        let server = Server { history };
        let total = server.history.len();
        let mut window = 0..length.min(total);
        let mut text = server.publish(window.clone(), 0, 0, dated);
        let mut playlist = first(&text);
        for (forward, trim, parts, delta, no_last_end) in steps {
            let before = window.clone();
            window.end = (window.end + forward).min(total);
            window.start = (window.start + trim).min(before.end - 1);
            // At most what is held can be left out, and never the last two.
            let listed = before.end - window.start;
            let skip = if delta { listed.saturating_sub(2) } else { 0 };
            text = server.publish(window.clone(), parts, skip, dated);
            if no_last_end {
                text.truncate(text.len() - 1);
            }
            let was_live = playlist.live;
            let edge = (before.end, playlist.parts.last().map_or(0, |last| last.segment));
            let refreshed = refresh(&mut playlist, &text);
            if !was_live {
                prop_assert_eq!(refreshed, Refreshed::default());
                break;
            }
            if let Some(Deviation::Older { .. }) = refreshed.deviation {
                // Fewer parts than before of a segment that is still incomplete.
                prop_assert!(window.end == before.end && edge.1 == before.end as u64);
                window = before;
                continue;
            }
            prop_assert_eq!(&refreshed.deviation, &None, "{}", text);
            prop_assert_eq!(refreshed.added, (window.end - before.end) as u64);
            prop_assert_eq!(refreshed.removed, (window.start - before.start) as u64);

            // The whole, from the first segment on, and what is left of it.
            let whole = first(&server.publish(0..window.end, parts, 0, dated));
            let (merged, expected) = (resolved(&playlist, true), resolved(&whole, true));
            // Where the first date of all is beyond the window, only the whole knows dates.
            let known = merged.iter().any(|(segment, _)| segment.wall_time.is_some());
            let expected = expected[window.start..].to_vec();
            if known {
                prop_assert_eq!(&merged, &expected, "{}", text);
            } else {
                let blind: Vec<_> = resolved(&whole, false)[window.start..].to_vec();
                prop_assert_eq!(&merged, &blind, "{}", text);
            }
            prop_assert_eq!(playlist.live, whole.live);

            // What is told of the window as it is now.
            let now = first(&server.publish(window.clone(), parts, 0, dated));
            let ids = |playlist: &MediaPlaylist| {
                let mut ids: Vec<_> =
                    playlist.events.iter().map(|event| event.id.clone()).collect();
                ids.sort();
                ids
            };
            prop_assert_eq!(ids(&playlist), ids(&now));
            let parts_of = |playlist: &MediaPlaylist| {
                let parts = playlist.parts.iter();
                parts.map(|part| (part.segment, part.index, part.url.clone())).collect::<Vec<_>>()
            };
            if skip == 0 {
                prop_assert_eq!(parts_of(&playlist), parts_of(&now));
            }
            for part in &playlist.parts {
                let segment = whole.index.iter().find(|segment| segment.number == part.segment);
                let start = segment.map_or(whole.index.end(), |segment| segment.start);
                prop_assert!(part.start >= start, "{part:?} {window:?} {before:?} {refreshed:?} {skip}\n{text}");
            }
            let unknown = |playlist: &MediaPlaylist| {
                playlist.unknown.iter().map(|tag| tag.value.clone()).collect::<Vec<_>>()
            };
            prop_assert_eq!(unknown(&playlist), unknown(&now));
        }
    }

    /// Whatever comes next, there is an answer, and what is held stays in order.
    #[test]
    fn any_next_version_is_answered(
        versions in proptest::collection::vec(
            (0u64..12, proptest::collection::vec(prop_oneof![
                "#EXTINF:[0-9]{1,2},\n[a-c]{1,2}",
                "#EXT-X-SKIP:SKIPPED-SEGMENTS=[0-9]{1,2}",
                "#EXT-X-(DISCONTINUITY|GAP|ENDLIST|MAP:URI=\"[ab]\"|KEY:METHOD=AES-128,URI=\"[ab]\")",
                "#EXT-X-DISCONTINUITY-SEQUENCE:[0-9]{1,20}",
                "#EXT-X-PART:DURATION=1,URI=\"[ab]\"",
                "#EXT-X-DATERANGE:ID=\"[ab]\",START-DATE=\"2026-01-01T00:00:0[0-9]Z\"",
                "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:0[0-9]Z",
                "#EXT-[A-C]",
            ], 0..20)),
            2..6,
        ),
    ) {
        let texts: Vec<_> = versions
            .into_iter()
            .map(|(number, lines)| {
                let lines = lines.join("\n");
                format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{number}\n{lines}\n")
            })
            .collect();
        let Ok(parsed) = parse_media(texts[0].as_bytes(), URL) else { return Ok(()) };
        let mut playlist = parsed.value;
        for text in &texts[1..] {
            let _ = playlist.refresh(text.as_bytes(), URL, at(0));
            let mut end = None;
            for (segment, position) in playlist.index.iter().zip(0u64..) {
                let first = playlist.index.get(0).map_or(0, |first| first.number);
                prop_assert_eq!(segment.number, first + position);
                prop_assert!(end.is_none_or(|end| end == segment.start));
                end = Some(segment.end());
                prop_assert!(segment.init.is_none() || playlist.index.init(&segment).is_some());
                prop_assert!(segment.key.is_none() || playlist.index.key(&segment).is_some());
            }
        }
    }
}
