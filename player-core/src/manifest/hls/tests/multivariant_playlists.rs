//! Multivariant playlists.

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
    assert_eq!((best.width, best.height, best.frame_rate), (Some(1280), Some(720), Some(23.976)));
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
fn what_is_only_for_those_who_ask_for_it_says_so() {
    let (sets, warnings) = first_period(
        "#EXTM3U\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Commentary\",AUTOSELECT=NO,URI=\"c.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"English\",AUTOSELECT=YES,BIT-DEPTH=24,URI=\"e.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Music\",URI=\"m.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Main\",DEFAULT=YES,AUTOSELECT=NO,URI=\"d.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1100000,CODECS=\"avc1.4d401e,mp4a.40.2\",AUDIO=\"a\"\nv.m3u8\n",
    );
    let sound: Vec<_> = sets[1..].iter().map(|s| (s.auto_select, s.default)).collect();
    assert_eq!(sound, [(false, false), (true, false), (false, false), (true, true)]);
    assert_eq!(sets[2].representations[0].bit_depth, Some(24));
    assert_eq!(warnings, ["EXT-X-MEDIA has DEFAULT=YES and AUTOSELECT=NO"]);
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
    assert_eq!((sets[2].in_stream.as_deref(), sets[2].label.as_deref()), (Some("CC1"), Some("CC")));
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
    let kind = |text: &str| parse_multivariant(text.as_bytes(), URL).map_err(|error| error.kind);
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
