//! Manifests of ten megabytes, as services with days of content publish them, are understood to the
//! last segment.

use std::fmt::Write as _;

use kinora_core::manifest::dash::{Document, parse_mpd};
use kinora_core::manifest::hls::parse_media;
use kinora_core::presentation::{SegmentIndex, Segments};
use kinora_core::time::{MediaTime, Timestamp};

const URL: &str = "https://cdn.example/days/main?session=1";
const LARGE: usize = 10 << 20;

/// Segments of a playlist from `first` on, so many.
fn playlist(first: u64, count: u64) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
         #EXT-X-MAP:URI=\"init.mp4\"\n"
    );
    for number in first..first + count {
        let _ = write!(
            text,
            "#EXTINF:6.00600,\n#EXT-X-BYTERANGE:{}@{}\nvideo/{:06}.mp4\n",
            400_000 + number % 1000,
            number % 100 * 500_000,
            number / 100
        );
    }
    text
}

#[test]
fn a_playlist_is_read_to_its_end_and_goes_on() {
    const COUNT: u64 = 200_000;
    let text = playlist(7, COUNT);
    assert!(text.len() > LARGE);
    let mut playlist_held = parse_media(text.as_bytes(), URL).expect("a sound playlist").value;
    let last = |index: &SegmentIndex| index.get(index.len() - 1).expect("a segment");
    let expected = |number: u64| format!("https://cdn.example/days/video/{:06}.mp4", number / 100);
    assert_eq!(playlist_held.index.len() as u64, COUNT);
    let end = last(&playlist_held.index);
    assert_eq!((end.number, end.url), (COUNT + 6, expected(COUNT + 6)));
    assert_eq!(playlist_held.index.end(), MediaTime::from_millis(6006).times(COUNT as i64));
    let next = playlist(9, COUNT + 1);
    let refreshed = playlist_held
        .refresh(next.as_bytes(), URL, Timestamp::default())
        .expect("a sound playlist");
    assert_eq!((refreshed.added, refreshed.removed, refreshed.deviation), (3, 2, None));
    let end = last(&playlist_held.index);
    assert_eq!((end.number, end.url), (COUNT + 9, expected(COUNT + 9)));
}

/// An MPD with one timeline of so many elements from the `first` on.
fn mpd(first: u64, count: u64) -> String {
    let mut text = String::from(
        "<MPD type=\"dynamic\" availabilityStartTime=\"2026-01-01T00:00:00Z\"><Period id=\"p\" start=\"PT0S\">\
         <AdaptationSet mimeType=\"video/mp4\"><SegmentTemplate timescale=\"1000\" media=\"$Time$.m4s\"><SegmentTimeline>\n",
    );
    let mut time: u64 = (0..first).map(duration).sum();
    for number in first..first + count {
        let _ = writeln!(text, "<S t=\"{time}\" d=\"{}\"/>", duration(number));
        time += duration(number);
    }
    text + "</SegmentTimeline></SegmentTemplate><Representation id=\"v\" bandwidth=\"1\"/></AdaptationSet></Period></MPD>"
}

fn duration(number: u64) -> u64 {
    2000 + number % 7
}

#[test]
fn an_mpd_is_read_to_its_end_and_goes_on() {
    const COUNT: u64 = 420_000;
    let text = mpd(0, COUNT);
    assert!(text.len() > LARGE);
    let parsed = Document::parse(text.as_bytes(), URL).expect("a sound MPD");
    let (mut document, mut presentation) = parsed.value;
    let next = mpd(2, COUNT);
    let refreshed =
        document.refresh(&mut presentation, next.as_bytes(), URL).expect("a sound MPD").value;
    assert!(refreshed.changed && refreshed.deviations.is_empty(), "{refreshed:?}");
    assert!(presentation == parse_mpd(next.as_bytes(), URL).expect("a sound MPD").value);
    let Segments::Known(index) = &presentation.periods[0].sets[0].representations[0].segments
    else {
        panic!("its segments are listed")
    };
    assert_eq!(index.len() as u64, COUNT);
    let end: u64 = (0..COUNT + 2).map(duration).sum();
    assert_eq!(index.end(), MediaTime::from_unsigned(end, 1000));
}
