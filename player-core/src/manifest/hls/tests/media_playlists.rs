//! Media playlists.

use super::*;
use crate::presentation::EventTime;
use crate::time::WallTime;

#[test]
fn a_film_in_fragments() {
    let parsed = media(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:5\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n\
             #EXTINF:4.0,\n1.m4s\n#EXTINF:3.5,title\n2.m4s\n#EXT-X-ENDLIST\n",
    );
    assert!(parsed.warnings.is_empty());
    let playlist = parsed.value;
    assert!(!playlist.live && playlist.independent);
    assert_eq!(playlist.playlist_type, Some(PlaylistType::Vod));
    assert_eq!(playlist.target_duration, MediaTime::from_secs(4));
    assert_eq!(playlist.format, SegmentFormat::FragmentedMp4);
    assert_eq!(playlist.bandwidth, None);
    assert_eq!(playlist.index.media_offset(), None);
    assert_eq!(
        playlist.index.iter().collect::<Vec<_>>(),
        [
            Segment::plain(
                5,
                MediaTime::ZERO,
                MediaTime::from_secs(4),
                "https://cdn.example/film/1.m4s"
            ),
            Segment::plain(
                6,
                MediaTime::from_secs(4),
                MediaTime::from_millis(3500),
                "https://cdn.example/film/2.m4s"
            ),
        ]
    );
    let init = InitSegment { url: "https://cdn.example/film/init.mp4".into(), range: None };
    assert_eq!(playlist.index.inits(), [init]);
}

#[test]
fn durations_add_up_exactly() {
    let mut text = String::from("#EXTM3U\n#EXT-X-TARGETDURATION:7\n");
    for _ in 0..1000 {
        text.push_str("#EXTINF:6.006,\na.ts\n");
    }
    text.push_str("#EXT-X-ENDLIST");
    let playlist = media(&text).value;
    assert_eq!(playlist.index.end(), MediaTime::from_secs(6006));
    assert_eq!(playlist.format, SegmentFormat::MpegTs);
}

#[test]
fn byte_ranges_go_on_where_the_last_ended() {
    let playlist = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"700@10\"\n\
             #EXT-X-BYTERANGE:1000@710\n#EXTINF:4,\nv.mp4\n#EXTINF:4,\n#EXT-X-BYTERANGE:3000\nv.mp4\n\
             #EXTINF:2,\n#EXT-X-BYTERANGE:500@0\nw.mp4\n#EXT-X-ENDLIST",
        )
        .value;
    let range = |start, length| Some(ByteRange { start, length: Some(length) });
    let ranges: Vec<_> = playlist.index.iter().map(|segment| segment.range).collect();
    assert_eq!(ranges, [range(710, 1000), range(1710, 3000), range(0, 500)]);
    assert_eq!(playlist.index.inits()[0].range, range(10, 700));
    assert_eq!(playlist.bandwidth, Some(6000));
    let sizes: Vec<_> = playlist.index.iter().map(|segment| segment.size).collect();
    assert_eq!(sizes, [Some(1000), Some(3000), Some(500)]);
}

#[test]
fn a_byte_range_without_anything_to_go_on_from_is_refused() {
    let missing = ManifestErrorKind::missing_attribute("EXT-X-BYTERANGE", "offset");
    for before in ["", "#EXTINF:4,\nv.mp4\n", "#EXT-X-BYTERANGE:9@0\n#EXTINF:4,\nu.mp4\n"] {
        let text = format!("#EXTM3U\n{before}#EXT-X-BYTERANGE:1000\n#EXTINF:4,\nv.mp4\n");
        assert_eq!(fault(&text).kind, missing, "{before}");
    }
    let invalid = |text: &str| ManifestErrorKind::invalid("EXT-X-BYTERANGE", text);
    for value in ["", "x", "1@", "@1", "-1@0", "1@18446744073709551615"] {
        let text = format!("#EXTM3U\n#EXTINF:4,\n#EXT-X-BYTERANGE:{value}\nv.mp4\n");
        assert_eq!(fault(&text), *invalid(value).at(3));
    }
}

#[test]
fn discontinuities_count_from_their_sequence() {
    let playlist = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DISCONTINUITY-SEQUENCE:7\n\
             #EXT-X-MAP:URI=\"a.mp4\"\n#EXTINF:4,\n1\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"b.mp4\"\n\
             #EXTINF:4,\n2\n#EXTINF:4,\n3\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"a.mp4\"\n#EXTINF:4,\n4\n",
        )
        .value;
    let marks: Vec<_> = playlist.index.iter().map(|s| (s.discontinuity, s.init)).collect();
    assert_eq!(marks, [(7, Some(0)), (8, Some(1)), (8, Some(1)), (9, Some(0))]);
    assert_eq!(playlist.index.inits().len(), 2);
    assert!(playlist.live);
}

#[test]
fn gaps_are_marked_and_end_with_their_segment() {
    let playlist = media(
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n#EXT-X-GAP\n1\n#EXTINF:4,\n2\n#EXT-X-ENDLIST",
        )
        .value;
    assert_eq!(playlist.index.iter().map(|s| s.gap).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn bit_rates_are_kilobits() {
    let playlist = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-BITRATE:800\n#EXTINF:4,\n1\n\
             #EXT-X-BITRATE:900\n#EXTINF:4,\n2\n#EXT-X-ENDLIST",
    )
    .value;
    assert_eq!(playlist.bandwidth, Some(900_000));
}

#[test]
fn a_target_duration_without_bounds_is_waited_for() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:99999999999\n#EXTINF:99999999999,\na\n";
    let mut playlist = parse_media(text.as_bytes(), "https://a/b").expect("read").value;
    let refreshed = playlist.refresh(text.as_bytes(), "https://a/b", Default::default());
    assert_eq!(refreshed.map(|refreshed| refreshed.deviation), Ok(None));
}

#[test]
fn numbers_that_have_no_next_are_merged() {
    let text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:18446744073709551614\n\
                    #EXTINF:4,\na\n#EXTINF:4,\nb\n#EXTINF:4,\nc\n#EXTINF:4,\nd\n";
    let mut playlist = parse_media(text.as_bytes(), "https://a/b").expect("read").value;
    let before = playlist.index.len();
    let refreshed = playlist.refresh(text.as_bytes(), "https://a/b", Default::default());
    assert!(refreshed.is_ok(), "{refreshed:?}");
    assert_eq!(playlist.index.len(), before);
}

#[test]
fn tags_after_their_place_are_overlooked() {
    let parsed = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1\n#EXT-X-MEDIA-SEQUENCE:9\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:9\n#EXTINF:4,\n2\n",
    );
    let lines: Vec<_> = parsed.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [5, 6]);
    assert_eq!(times(&parsed.value.index)[1].0, 1);
}

#[test]
fn wrong_values_are_named_with_their_line() {
    let parsed = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:four\n#EXT-X-MEDIA-SEQUENCE:-1\n#EXT-X-PLAYLIST-TYPE:LIVE\n\
             1.ts\n#EXT-X-UNHEARD-OF:1\n#EXTINF:4\n2.ts\n#EXT-X-ENDLIST\n",
    );
    let warnings: Vec<_> = parsed.warnings.iter().map(|w| (w.line, w.message.as_str())).collect();
    assert_eq!(
        warnings,
        [
            (2, "\"four\" is no value for EXT-X-TARGETDURATION"),
            (3, "\"-1\" is no value for EXT-X-MEDIA-SEQUENCE"),
            (4, "\"LIVE\" is no value for EXT-X-PLAYLIST-TYPE"),
            (5, "a segment without EXTINF is left out"),
            (6, "EXT-X-UNHEARD-OF is not known"),
            (9, "EXT-X-TARGETDURATION is missing"),
        ]
    );
    assert_eq!(parsed.value.target_duration, MediaTime::from_secs(4));
    assert_eq!(parsed.value.index.len(), 1);
}

#[test]
fn carriage_returns_a_mark_and_no_last_line_end() {
    let parsed = media(
        "\u{feff}#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n\r\n#EXTINF:4,\r\n1.ts \r\n#EXT-X-ENDLIST",
    );
    assert!(parsed.warnings.is_empty());
    assert!(!parsed.value.live);
    assert_eq!(parsed.value.index.get(0).map(|s| s.url.ends_with("/1.ts")), Some(true));
}

#[test]
fn variables_are_replaced() {
    let playlist = media(
            "#EXTM3U\n#EXT-X-VERSION:11\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"d\",VALUE=\"x\"\n\
             #EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXT-X-MAP:URI=\"{$d}/i.mp4\"\n#EXTINF:4,\n{$d}/1.m4s?t={$token}\n",
        )
        .value;
    let segment = playlist.index.get(0).expect("a segment");
    assert_eq!(segment.url, "https://cdn.example/film/x/1.m4s?t=1");
    assert_eq!(playlist.index.inits()[0].url, "https://cdn.example/film/x/i.mp4");
    let undefined = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"d\",VALUE=\"x\"\n\
                         #EXTINF:4,\n{$e}\n";
    let name = "e".to_owned();
    assert_eq!(fault(undefined), *ManifestErrorKind::UndefinedVariable { name }.at(5));
}

#[test]
fn unknown_tags_are_kept_with_what_they_apply_to() {
    let parsed = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:5\n#EXT-WHOLE:a\n#EXTINF:4,\n\
             #EXT-CUE:b=1,c\n1\n#EXT-CUE\n#EXTINF:4,\n2\n#EXT-CUE:end\n",
    );
    let kept: Vec<_> = parsed
        .value
        .unknown
        .iter()
        .map(|tag| (tag.line, tag.name.as_str(), tag.value.as_str(), tag.segment))
        .collect();
    assert_eq!(
        kept,
        [
            (4, "EXT-WHOLE", "a", None),
            (6, "EXT-CUE", "b=1,c", Some(5)),
            (8, "EXT-CUE", "", Some(6)),
            (11, "EXT-CUE", "end", Some(7)),
        ]
    );
    let warnings: Vec<_> = parsed.warnings.iter().map(|w| (w.line, w.code)).collect();
    let unknown = crate::manifest::WarningCode::Unknown;
    assert_eq!(warnings, [(4, unknown), (6, unknown)]);
}

#[test]
fn hostile_numbers_of_things_are_limited() {
    let head = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n";
    let kind = |lines: &mut dyn Iterator<Item = String>| {
        let text = format!("{head}{}", lines.collect::<String>());
        parse_media(text.as_bytes(), URL).map(|parsed| parsed.value).map_err(|error| error.kind)
    };
    let keys =
        &mut (0..10_001).map(|i| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{i}\"\n#EXTINF:1,\na\n"));
    assert_eq!(kind(keys), Err(ManifestErrorKind::limit("keys", 10_000)));
    let maps = &mut (0..10_001).map(|i| format!("#EXT-X-MAP:URI=\"{i}\"\n"));
    assert_eq!(kind(maps), Err(ManifestErrorKind::limit("EXT-X-MAP tags", 10_000)));
    let date = "START-DATE=\"2026-01-01T00:00:00Z\"";
    let ranges = &mut (0..10_001).map(|i| format!("#EXT-X-DATERANGE:ID=\"{i}\",{date}\n"));
    assert_eq!(kind(ranges), Err(ManifestErrorKind::limit("EXT-X-DATERANGE tags", 10_000)));
    let same = &mut (0..500).map(|i| format!("#EXT-X-DATERANGE:ID=\"a\",{date},X-{i}=1\n"));
    let events = kind(same).expect("one range").events;
    assert!(
        matches!(&events[0].data, crate::presentation::EventData::Attributes(all) if all.len() == 100)
    );
    let parts = &mut (0..5000).map(|i| format!("#EXT-X-PART:DURATION=1,URI=\"{i}\"\n"));
    let parts = kind(parts).expect("parts").parts;
    assert!(parts.len() <= 256 && parts.last().is_some_and(|last| last.index == 4999));
    let url = format!("https://cdn.example/{}/main.m3u8", "a".repeat(10_000));
    let many: String =
        (0..1000).map(|i| format!("#EXT-X-STREAM-INF:BANDWIDTH={i}\n{i}\n")).collect();
    let limit = ManifestErrorKind::limit("bytes in URLs", 4 << 20);
    let refused = parse(format!("#EXTM3U\n{many}").as_bytes(), &url).map_err(|error| error.kind);
    assert_eq!(refused, Err(limit));
}

#[test]
fn what_is_no_media_playlist_is_refused() {
    use ManifestErrorKind::*;
    let kind = |text: &str| parse_media(text.as_bytes(), URL).map_err(|error| error.kind);
    assert_eq!(kind(""), Err(NotPlaylist));
    assert_eq!(kind("<html>"), Err(NotPlaylist));
    assert_eq!(kind("#EXTM3U8-ISH\n"), Err(NotPlaylist));
    assert_eq!(kind("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"), Err(NotMediaPlaylist));
    assert_eq!(
        kind("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n"),
        Err(MixedPlaylist)
    );
    assert_eq!(kind("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-ENDLIST"), Err(Empty));
    assert_eq!(kind("#EXTM3U\n"), Err(ManifestErrorKind::missing("EXT-X-TARGETDURATION")));
    assert_eq!(kind("#EXTM3U\n#EXTINF:-1,\na\n"), Err(ManifestErrorKind::invalid("EXTINF", "-1")));
    let error = parse_media(b"#EXTM3U\n#EXTINF:4,\n\xff\n", URL).expect_err("no text");
    assert_eq!(error, *NotText.at(3));
}

#[test]
fn dates_and_hexadecimal_sequences_may_have_variables() {
    let parsed = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:NAME=\"iv\",VALUE=\"0102\"\n\
         #EXT-X-DEFINE:NAME=\"day\",VALUE=\"1970-01-02\"\n#EXT-X-DEFINE:NAME=\"cue\",VALUE=\"0xFC30\"\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x{$iv}\n\
         #EXT-X-DATERANGE:ID=\"a\",START-DATE=\"{$day}T00:00:00Z\",SCTE35-OUT={$cue}\n\
         #EXT-X-DATERANGE:ID=\"b\",START-DATE=\"{$cue}\"\n\
         #EXTINF:4,\n1.m4s\n#EXT-X-ENDLIST\n",
    );
    let playlist = parsed.value;
    let iv = playlist.index.keys()[0].iv.map(|iv| iv[13..].to_vec());
    assert_eq!(iv, Some(vec![0, 1, 2]));
    let event = &playlist.events[0];
    assert_eq!(event.start, EventTime::Wall(WallTime::from_micros(86_400_000_000)));
    assert_eq!(event.scte35.out, Some(vec![0xfc, 0x30]));
    // What they stand for is of no other form than what is written without them.
    let messages: Vec<_> = parsed.warnings.iter().map(|w| (w.line, w.message.as_str())).collect();
    assert_eq!(messages, [(8, "EXT-X-DATERANGE: \"0xFC30\" is no value for START-DATE")]);
    assert_eq!(playlist.events.len(), 1);
}
