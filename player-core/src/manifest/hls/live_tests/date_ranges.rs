//! Date ranges of a window that moves.

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
