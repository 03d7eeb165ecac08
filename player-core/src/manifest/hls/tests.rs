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

mod media_playlists {
    use super::*;

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
                Segment {
                    number: 5,
                    start: MediaTime::ZERO,
                    duration: MediaTime::from_secs(4),
                    url: "https://cdn.example/film/1.m4s".into(),
                    range: None,
                    init: Some(0),
                    discontinuity: 0,
                    size: None,
                    gap: false,
                    wall_time: None,
                    key: None,
                    bit_rate: None,
                },
                Segment {
                    number: 6,
                    start: MediaTime::from_secs(4),
                    duration: MediaTime::from_millis(3500),
                    url: "https://cdn.example/film/2.m4s".into(),
                    range: None,
                    init: Some(0),
                    discontinuity: 0,
                    size: None,
                    gap: false,
                    wall_time: None,
                    key: None,
                    bit_rate: None,
                },
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
        let warnings: Vec<_> =
            parsed.warnings.iter().map(|w| (w.line, w.message.as_str())).collect();
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
        let keys = &mut (0..10_001)
            .map(|i| format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{i}\"\n#EXTINF:1,\na\n"));
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
        let refused =
            parse(format!("#EXTM3U\n{many}").as_bytes(), &url).map_err(|error| error.kind);
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
        assert_eq!(
            kind("#EXTM3U\n#EXTINF:-1,\na\n"),
            Err(ManifestErrorKind::invalid("EXTINF", "-1"))
        );
        let error = parse_media(b"#EXTM3U\n#EXTINF:4,\n\xff\n", URL).expect_err("no text");
        assert_eq!(error, *NotText.at(3));
    }
}

mod multivariant_playlists {
    use super::*;
    use MediaKind::{Audio, Text, Video};

    #[test]
    fn pictures_and_sound_apart() {
        let (sets, warnings) = first_period(
            "#EXTM3U\n#EXT-X-VERSION:7\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,URI=\"en.m3u8\",CHANNELS=\"2\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Fran\u{e7}ais\",LANGUAGE=\"fr\",URI=\"fr.m3u8\",CHANNELS=\"2\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=23.976,AUDIO=\"a\"\n720/m.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=23.976,AUDIO=\"a\"\n360/m.m3u8\n",
        );
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(
            ladder(&sets),
            [
                (Video, vec![(872_000, "avc1.4d401e"), (2_872_000, "avc1.64001f")]),
                (Audio, vec![(128_000, "mp4a.40.2")]),
                (Audio, vec![(128_000, "mp4a.40.2")]),
            ]
        );
        let best = &sets[0].representations[1];
        assert_eq!(best.id, "1280x720-3000000");
        assert_eq!(
            (best.width, best.height, best.frame_rate),
            (Some(1280), Some(720), Some(23.976))
        );
        assert_eq!(best.mime_type(), "video/mp4; codecs=\"avc1.64001f\"");
        let url = "https://cdn.example/film/720/m.m3u8".to_owned();
        assert_eq!(best.segments, Segments::Playlist { url });
        let tracks: Vec<_> = sets[1..]
            .iter()
            .map(|s| (s.language.as_deref(), s.label.as_deref(), s.default, s.roles.len()))
            .collect();
        assert_eq!(
            tracks,
            [(Some("en"), Some("English"), true, 1), (Some("fr"), Some("Fran\u{e7}ais"), false, 0)]
        );
        assert_eq!(sets[1].representations[0].id, "a/English");
        assert_eq!(sets[1].representations[0].container, "audio/mp4");
    }

    #[test]
    fn one_picture_with_several_audio_groups_is_one_representation() {
        let (sets, _) = first_period(
            "#EXTM3U\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"lo\",NAME=\"English\",LANGUAGE=\"en\",URI=\"lo.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"hi\",NAME=\"English\",LANGUAGE=\"en\",URI=\"hi.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"5.1\",NAME=\"English\",LANGUAGE=\"en\",URI=\"51.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1100000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"lo\"\nv.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1200000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"hi\"\nv.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1500000,CODECS=\"avc1.4d401e,ec-3\",AUDIO=\"5.1\"\nv.m3u8\n",
        );
        assert_eq!(
            ladder(&sets),
            [
                (Video, vec![(972_000, "avc1.4d401e")]),
                (Audio, vec![(128_000, "mp4a.40.2"), (228_000, "mp4a.40.2")]),
                (Audio, vec![(528_000, "ec-3")]),
            ]
        );
    }

    #[test]
    fn muxed_sound_stays_in_the_picture() {
        for text in [
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.4d401e,mp4a.40.2\"\nv.m3u8\n",
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Main\",DEFAULT=YES\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\nv.m3u8\n",
        ] {
            let (sets, warnings) = first_period(text);
            assert_eq!(ladder(&sets), [(Video, vec![(2_000_000, "avc1.4d401e,mp4a.40.2")])]);
            assert!(warnings.is_empty());
        }
        let (sets, warnings) = first_period(
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Main\",DEFAULT=YES\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Other\",URI=\"o.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\nv.m3u8\n",
        );
        assert_eq!(sets.len(), 1);
        assert_eq!(warnings.len(), 1);
    }

    #[test]
    fn sound_alone() {
        let (sets, _) = first_period(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.5\"\nlo.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS=\"mp4a.40.2\"\nhi.m3u8\n",
        );
        assert_eq!(ladder(&sets), [(Audio, vec![(64_000, "mp4a.40.5"), (128_000, "mp4a.40.2")])]);
        assert_eq!(sets[0].representations[0].container, "audio/mp4");

        let (sets, _) = first_period(
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Radio\",URI=\"a.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=96000,CODECS=\"mp4a.40.2\",AUDIO=\"a\"\na.m3u8\n",
        );
        assert_eq!(ladder(&sets), [(Audio, vec![(96_000, "mp4a.40.2")])]);
    }

    #[test]
    fn sound_alone_in_a_ladder_of_pictures_is_left_out() {
        let (sets, _) = first_period(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS=\"mp4a.40.2\"\na.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e,mp4a.40.2\",RESOLUTION=640x360\nv.m3u8\n",
        );
        assert_eq!(ladder(&sets), [(Video, vec![(900_000, "avc1.4d401e,mp4a.40.2")])]);
    }

    #[test]
    fn pictures_of_different_coding_are_not_switched_between() {
        let (sets, _) = first_period(
            "#EXTM3U\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e\",RESOLUTION=640x360\na\n\
             #EXT-X-STREAM-INF:BANDWIDTH=700000,CODECS=\"hvc1.1.6.L93.90\",RESOLUTION=640x360\nb\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1900000,CODECS=\"avc3.64001f\",RESOLUTION=1280x720\nc\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1500000,CODECS=\"hvc1.2.4.L93.90\",RESOLUTION=1280x720,VIDEO-RANGE=PQ\nd\n",
        );
        let rungs: Vec<_> = sets.iter().map(|set| set.representations.len()).collect();
        assert_eq!(rungs, [1, 2, 1]);
        assert_eq!(sets.iter().map(|set| set.default).collect::<Vec<_>>(), [true, false, false]);
    }

    #[test]
    fn the_same_quality_from_another_server_is_not_another_quality() {
        let (sets, _) = first_period(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nhttps://one/v.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nhttps://two/v.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=854x480\nhttps://one/w.m3u8\n",
        );
        let ids: Vec<_> = sets[0].representations.iter().map(|r| r.id.as_str()).collect();
        assert_eq!(ids, ["640x360-900000", "854x480-900000"]);
    }

    #[test]
    fn bandwidths_never_fall_or_vanish() {
        let (sets, _) = first_period(
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"A\",URI=\"a.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"A\",URI=\"b.m3u8\",CHANNELS=\"16/JOC\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=100,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\n1\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1000000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\",RESOLUTION=1x1\n2\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1000001,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"b\",RESOLUTION=2x2\n3\n\
             #EXT-X-STREAM-INF:CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\n0\n",
        );
        let bandwidths: Vec<_> = sets[0].representations.iter().map(|r| r.bandwidth).collect();
        assert!(bandwidths.is_sorted() && bandwidths[0] > 0, "{bandwidths:?}");
        assert!(sets[1].representations.iter().all(|r| r.bandwidth > 0));
    }

    #[test]
    fn whatever_lacks_its_bandwidth_has_one() {
        let (sets, _) = first_period(
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"v\",NAME=\"Other\",URI=\"o\"\n\
             #EXT-X-STREAM-INF:CODECS=\"avc1.4d401e\",VIDEO=\"v\"\n1\n\
             #EXT-X-I-FRAME-STREAM-INF:URI=\"i\"\n#EXT-X-IMAGE-STREAM-INF:URI=\"p\"\n",
        );
        assert_eq!(sets.len(), 4);
        assert!(sets.iter().flat_map(|set| &set.representations).all(|r| r.bandwidth > 0));
    }

    #[test]
    fn subtitles_of_the_variants_are_tracks() {
        let (sets, _) = first_period(
            "#EXTM3U\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"Deutsch\",LANGUAGE=\"de\",FORCED=YES,URI=\"de.m3u8\",CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog\"\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"unused\",NAME=\"Suomi\",LANGUAGE=\"fi\",URI=\"fi.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"CC\",INSTREAM-ID=\"CC1\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,SUBTITLES=\"s\",CLOSED-CAPTIONS=\"c\"\nv\n",
        );
        assert_eq!(sets.iter().map(|set| set.kind).collect::<Vec<_>>(), [Video, Text, Text]);
        assert_eq!(sets[1].roles, ["forced-subtitle", "caption"]);
        assert_eq!(
            sets[1].accessibility.iter().map(|it| it.scheme.as_str()).collect::<Vec<_>>(),
            ["public.accessibility.transcribes-spoken-dialog"]
        );
        assert_eq!(sets[1].representations[0].container, "text/vtt");
        // Captions are inside the picture.
        assert_eq!(
            (sets[2].in_stream.as_deref(), sets[2].label.as_deref()),
            (Some("CC1"), Some("CC"))
        );
        assert!(sets[2].representations.is_empty());
    }

    #[test]
    fn incomplete_tags_are_named_with_their_line() {
        let parsed = parse(
            b"#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"x\",URI=\"x\"\n#EXT-X-MEDIA:NAME=\"x\"\n\
              stray.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-STREAM-INF:BANDWIDTH=2,AUDIO=\"none\"\nv\n\
              #EXT-X-STREAM-INF:BANDWIDTH=3\n",
            URL,
        )
        .expect("one variant is sound");
        let lines: Vec<_> = parsed.warnings.iter().map(|warning| warning.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 8, 6]);
        assert_eq!(parsed.value.periods[0].sets[0].representations.len(), 1);
    }

    #[test]
    fn what_is_no_multivariant_playlist_is_refused() {
        use ManifestErrorKind::*;
        let kind =
            |text: &str| parse_multivariant(text.as_bytes(), URL).map_err(|error| error.kind);
        assert_eq!(kind("#EXTM3U\n#EXTINF:4,\na\n"), Err(NotMultivariantPlaylist));
        assert_eq!(
            kind("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n#EXTINF:4,\na\n"),
            Err(MixedPlaylist)
        );
        assert_eq!(kind("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"), Err(Empty));
        assert_eq!(fault("#EXTM3U\n#EXT-X-VERSION:3\n").kind, Empty);
        let many = "#EXT-X-STREAM-INF:BANDWIDTH=1\na\n".repeat(1001);
        let limit = ManifestErrorKind::limit("variants", 1000);
        assert_eq!(kind(&format!("#EXTM3U\n{many}")), Err(limit));
    }
}

mod presentations {
    use super::*;
    use crate::presentation::{Purpose, SessionData, StartPoint, Steering, VideoRange};

    fn presentation(text: &str) -> Presentation {
        let parsed = parse_multivariant(text.as_bytes(), URL).expect("a sound playlist");
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        parsed.value
    }

    #[test]
    fn what_holds_for_all_of_it() {
        let whole = presentation(
            "#EXTM3U\n#EXT-X-VERSION:12\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-START:TIME-OFFSET=-12.5,PRECISE=YES\n\
             #EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"\n\
             #EXT-X-SESSION-DATA:DATA-ID=\"t\",VALUE=\"{$a}\",LANGUAGE=\"en\"\n\
             #EXT-X-SESSION-DATA:DATA-ID=\"t\",URI=\"t.bin\",FORMAT=RAW\n\
             #EXT-X-CONTENT-STEERING:SERVER-URI=\"/steer?x\",PATHWAY-ID=\"B\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1\nv\n",
        );
        assert_eq!(
            whole.start,
            Some(StartPoint { offset: MediaTime::from_millis(-12_500), precise: true })
        );
        let data = SessionData { id: "t".into(), ..SessionData::default() };
        assert_eq!(
            whole.data,
            [
                SessionData {
                    value: Some("b".into()),
                    language: Some("en".into()),
                    ..data.clone()
                },
                SessionData {
                    url: Some("https://cdn.example/film/t.bin".into()),
                    raw: true,
                    ..data
                },
            ]
        );
        assert_eq!(
            whole.steering,
            Some(Steering {
                url: "https://cdn.example/steer?x".into(),
                default_pathways: vec!["B".into()],
                before_start: false,
            })
        );
        // A media playlist may import what is defined here.
        let media =
            "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:IMPORT=\"a\"\n#EXTINF:4,\n{$a}\n";
        let playlist = parse_media_with(media.as_bytes(), URL, &whole.variables).expect("sound");
        let url = playlist.value.index.get(0).map(|segment| segment.url);
        assert_eq!(url.as_deref(), Some("https://cdn.example/film/b"));
    }

    #[test]
    fn what_a_variant_says_of_itself() {
        let whole = presentation(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=5000,AVERAGE-BANDWIDTH=4000,SCORE=2.5,\
             CODECS=\"hvc1.2.4.L123.B0\",SUPPLEMENTAL-CODECS=\"dvh1.08.07/db4h\",RESOLUTION=1920x1080,\
             FRAME-RATE=59.94,HDCP-LEVEL=TYPE-1,ALLOWED-CPC=\"com.example:HW\",VIDEO-RANGE=HLG,\
             REQ-VIDEO-LAYOUT=\"CH-STEREO\",STABLE-VARIANT-ID=\"hd\"\nv\n",
        );
        let url = "https://cdn.example/film/v".to_owned();
        assert_eq!(
            whole.periods[0].sets[0].representations[0],
            Representation {
                average_bandwidth: Some(4000),
                container: "video/mp4".into(),
                codecs: "hvc1.2.4.L123.B0".into(),
                supplemental_codecs: "dvh1.08.07/db4h".into(),
                width: Some(1920),
                height: Some(1080),
                frame_rate: Some(59.94),
                video_range: VideoRange::Hlg,
                score: Some(2.5),
                layout: Some("CH-STEREO".into()),
                hdcp: Some("TYPE-1".into()),
                allowed_cpc: Some("com.example:HW".into()),
                ..Representation::new("hd", 5000, Segments::Playlist { url })
            }
        );
    }

    #[test]
    fn a_range_that_is_not_known_is_not_chosen() {
        let parsed = parse_multivariant(
            b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,VIDEO-RANGE=XYZ\na\n#EXT-X-STREAM-INF:BANDWIDTH=2\nb\n",
            URL,
        )
        .expect("another");
        assert_eq!(parsed.value.periods[0].sets[0].representations.len(), 1);
        assert_eq!((parsed.warnings.len(), parsed.warnings[0].line), (1, 2));
    }

    #[test]
    fn pathways_are_places_of_one_representation() {
        let whole = presentation(
            "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"s\",PATHWAY-ID=\"B\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",LANGUAGE=\"en\",URI=\"https://a/en\",STABLE-RENDITION-ID=\"en\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"b\",NAME=\"English\",LANGUAGE=\"en\",URI=\"https://b/en\",STABLE-RENDITION-ID=\"en\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\",PATHWAY-ID=\"A\"\nhttps://a/lo\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2900000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\",PATHWAY-ID=\"A\"\nhttps://a/hi\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"b\",PATHWAY-ID=\"B\"\nhttps://b/lo\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2900000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"b\",PATHWAY-ID=\"B\"\nhttps://b/hi\n",
        );
        let places: Vec<Vec<Vec<_>>> = whole.periods[0]
            .sets
            .iter()
            .map(|set| {
                let origins = set.representations.iter().map(|r| &r.origins);
                origins
                    .map(|origins| {
                        let each = origins.iter();
                        each.map(|o| (o.pathway.as_deref().unwrap_or(""), o.url.as_str())).collect()
                    })
                    .collect()
            })
            .collect();
        assert_eq!(
            places,
            [
                vec![
                    vec![("B", "https://b/lo"), ("A", "https://a/lo")],
                    vec![("B", "https://b/hi"), ("A", "https://a/hi")],
                ],
                vec![vec![("A", "https://a/en"), ("B", "https://b/en")]],
            ]
        );
    }

    #[test]
    fn redundant_variants_are_places_of_one_representation() {
        let whole = presentation(
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=6x4\nhttps://one/v\n\
             #EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=6x4\nhttps://two/v\n",
        );
        let representations = &whole.periods[0].sets[0].representations;
        let urls: Vec<_> = representations[0].origins.iter().map(|o| o.url.as_str()).collect();
        assert_eq!((representations.len(), urls), (1, vec!["https://one/v", "https://two/v"]));
    }

    #[test]
    fn angles_key_frames_and_images_are_sets_of_their_own() {
        let whole = presentation(
            "#EXTM3U\n\
             #EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"v\",NAME=\"Centre\",DEFAULT=YES\n\
             #EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"v\",NAME=\"Bench\",URI=\"bench\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=6x4,VIDEO=\"v\",CODECS=\"avc1.4d401e\"\ncentre\n\
             #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=2,RESOLUTION=6x4,CODECS=\"avc1.4d401e\",URI=\"i\"\n\
             #EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,RESOLUTION=3x2,CODECS=\"jpeg\",URI=\"t\"\n",
        );
        let sets: Vec<_> = whole.periods[0]
            .sets
            .iter()
            .map(|set| {
                let first = &set.representations[0];
                (set.label.as_deref(), set.purpose.clone(), first.bandwidth, first.width)
            })
            .collect();
        let trick_play = Purpose::TrickPlay { of: None };
        assert_eq!(
            sets,
            [
                (Some("Centre"), Purpose::Playback, 9, Some(6)),
                (Some("Bench"), Purpose::Playback, 9, Some(6)),
                (None, trick_play, 2, Some(6)),
                (None, Purpose::Thumbnails, 1, Some(3)),
            ]
        );
    }

    #[test]
    fn captions_are_inside_and_subtitles_may_be_ttml() {
        let whole = presentation(
            "#EXTM3U\n\
             #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"English\",LANGUAGE=\"en\",URI=\"s\"\n\
             #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"CC\",INSTREAM-ID=\"SERVICE3\",DEFAULT=YES\n\
             #EXT-X-STREAM-INF:BANDWIDTH=9,SUBTITLES=\"s\",CLOSED-CAPTIONS=\"c\",CODECS=\"avc1.4d401e,stpp.ttml.im1t\"\nv\n\
             #EXT-X-STREAM-INF:BANDWIDTH=8,CLOSED-CAPTIONS=NONE,CODECS=\"avc1.4d401e\"\nw\n",
        );
        let text: Vec<_> =
            whole.periods[0].sets.iter().filter(|set| set.kind == MediaKind::Text).collect();
        assert_eq!(
            text[0].representations[0].mime_type(),
            "application/mp4; codecs=\"stpp.ttml.im1t\""
        );
        assert_eq!((text[1].in_stream.as_deref(), text[1].default), (Some("SERVICE3"), true));
    }
}

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
        assert_eq!((set.kind, set.representations[0].container.as_str()), (kind, container));
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
