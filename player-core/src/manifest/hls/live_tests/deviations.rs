//! What servers must not do.

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
    assert_eq!(deviation(&mut playlist, &anew), Some(Deviation::Restarted { held: 3, seen: 0 }));
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
