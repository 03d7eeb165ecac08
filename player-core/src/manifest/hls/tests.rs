//! Playlists as services write them, and as they should not.

use proptest::prelude::*;

use super::*;
use crate::io::ByteRange;
use crate::presentation::{InitSegment, Segment};
use crate::time::MediaTime;

const URL: &str = "https://cdn.example/film/main.m3u8?token=1";

fn media(text: &str) -> Parsed<MediaPlaylist> {
    parse_media(text.as_bytes(), URL).expect("a sound playlist")
}

fn fault(text: &str) -> ManifestError {
    parse(text.as_bytes(), URL).expect_err("a fault")
}

fn first_period(text: &str) -> (Vec<SwitchingSet>, Vec<String>) {
    let parsed = parse(text.as_bytes(), URL).expect("a sound playlist");
    let period = parsed.value.periods.into_iter().next().expect("a period");
    (period.sets, parsed.warnings.into_iter().map(|warning| warning.message).collect())
}

/// kind, codecs and bandwidths of every set.
fn ladder(sets: &[SwitchingSet]) -> Vec<(MediaKind, Vec<(u64, &str)>)> {
    sets.iter()
        .map(|set| {
            let rungs = set.representations.iter();
            (set.kind, rungs.map(|rung| (rung.bandwidth, rung.codecs.as_str())).collect())
        })
        .collect()
}

fn times(index: &crate::presentation::SegmentIndex) -> Vec<(u64, String, String)> {
    index.iter().map(|s| (s.number, s.start.to_string(), s.duration.to_string())).collect()
}

mod media_playlists;

mod multivariant_playlists;

mod presentations;

#[test]
fn a_media_playlist_alone_is_a_presentation() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:4,\n1.m4s\n#EXT-X-ENDLIST";
    let presentation = parse(text.as_bytes(), URL).expect("sound").value;
    assert_eq!(presentation.duration, Some(MediaTime::from_secs(4)));
    let set = &presentation.periods[0].sets[0];
    assert_eq!(
        (set.kind, set.representations[0].mime_type().as_str()),
        (MediaKind::Video, "video/mp4")
    );
    assert!(matches!(&set.representations[0].segments, Segments::Known(index) if index.len() == 1));
    for (name, kind, container) in [
        ("1.ts", MediaKind::Video, "video/mp2t"),
        ("1.aac", MediaKind::Audio, "audio/aac"),
        ("1.m4a?x=.ts", MediaKind::Audio, "audio/mp4"),
        ("1.vtt", MediaKind::Text, "text/vtt"),
    ] {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{name}\n");
        let presentation = parse(text.as_bytes(), URL).expect("sound").value;
        assert!(presentation.live.is_some() && presentation.duration.is_none());
        let set = &presentation.periods[0].sets[0];
        assert_eq!((set.kind, &*set.representations[0].container), (kind, container));
    }
}

/// A segment as a playlist would say it.
#[derive(Clone, Debug)]
struct Printed {
    millis: u32,
    name: String,
    range: Option<(u32, u32)>,
    discontinuity: bool,
    gap: bool,
    init: u8,
}

fn printed() -> impl Strategy<Value = Printed> {
    let range = proptest::option::of((1u32..5000, 0u32..5000));
    (1u32..12_000, "[a-z]{1,8}", range, any::<bool>(), any::<bool>(), 0u8..3).prop_map(
        |(millis, name, range, discontinuity, gap, init)| Printed {
            millis,
            name,
            range,
            discontinuity,
            gap,
            init,
        },
    )
}

proptest! {
    #[test]
    fn what_is_printed_is_read(segments in proptest::collection::vec(printed(), 1..30), first: u32) {
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:12\n#EXT-X-MEDIA-SEQUENCE:{first}\n");
        for s in &segments {
            if s.discontinuity {
                text.push_str("#EXT-X-DISCONTINUITY\n");
            }
            text.push_str(&format!("#EXT-X-MAP:URI=\"i{}.mp4\"\n", s.init));
            if let Some((length, start)) = s.range {
                text.push_str(&format!("#EXT-X-BYTERANGE:{length}@{start}\n"));
            }
            if s.gap {
                text.push_str("#EXT-X-GAP\n");
            }
            text.push_str(&format!("#EXTINF:{}.{:03},\n{}\n", s.millis / 1000, s.millis % 1000, s.name));
        }
        let parsed = media(&text);
        prop_assert!(parsed.warnings.is_empty());
        let index = parsed.value.index;
        prop_assert_eq!(index.len(), segments.len());
        let (mut millis, mut discontinuity) = (0, 0);
        for (position, (s, read)) in segments.iter().zip(index.iter()).enumerate() {
            discontinuity += u64::from(s.discontinuity);
            prop_assert_eq!(read.start, MediaTime::from_millis(millis));
            prop_assert_eq!(read.duration, MediaTime::from_millis(s.millis.into()));
            prop_assert_eq!(read.number, u64::from(first) + position as u64);
            prop_assert_eq!(&read.url, &format!("https://cdn.example/film/{}", s.name));
            prop_assert_eq!(read.gap, s.gap);
            prop_assert_eq!(read.discontinuity, discontinuity);
            let range = s.range.map(|(length, start)| ByteRange {
                start: start.into(),
                length: Some(length.into()),
            });
            prop_assert_eq!(read.range, range);
            let init = index.init(&read).expect("an EXT-X-MAP before each");
            prop_assert_eq!(&init.url, &format!("https://cdn.example/film/i{}.mp4", s.init));
            prop_assert_eq!(index.position_at(read.start), Some(position));
            millis += i64::from(s.millis);
        }
        prop_assert_eq!(index.end(), MediaTime::from_millis(millis));
        prop_assert_eq!(index.position_at(index.end()), None);
    }

    #[test]
    fn any_lines_are_answered(lines in proptest::collection::vec(
        prop_oneof![
            "#EXT(INF|-X-(BYTERANGE|MAP|KEY|BITRATE|MEDIA-SEQUENCE|DEFINE|GAP|STREAM-INF|MEDIA)):\\PC{0,30}",
            "#EXT-X-STREAM-INF:BANDWIDTH=[0-9]{1,22},CODECS=\"\\PC{0,9}\",AUDIO=\"[ab]\"",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"[ab]\",NAME=\"\\PC{0,3}\",URI=\"\\PC{0,3}\"",
            "#EXTINF:[0-9.]{1,30},",
            "\\PC{0,20}",
        ],
        0..30,
    )) {
        let text = format!("#EXTM3U\n{}", lines.join("\n"));
        if let Ok(parsed) = parse(text.as_bytes(), URL) {
            for set in &parsed.value.periods[0].sets {
                prop_assert!(!set.representations.is_empty() || set.in_stream.is_some());
                prop_assert!(set.representations.is_sorted_by_key(|r| r.bandwidth));
            }
        }
        let _ = parse_media(text.as_bytes(), URL);
    }

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut text = b"#EXTM3U\n".to_vec();
        text.extend(bytes);
        let _ = parse(&text, URL);
        let _ = parse_media(&text, URL);
    }
}
