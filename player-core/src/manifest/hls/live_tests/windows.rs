//! Windows of segments that move.

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
    assert_eq!(playlist.index.get(4).map(|s| s.url), Some("https://cdn.example/live/16.ts".into()));
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
    let key = "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXT-X-BITRATE:9\n";
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
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
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
    let text =
        |first: u64, token: u64| window(first..first + 3).replace(".ts", &format!(".ts?t={token}"));
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
