//! What a multivariant playlist says beyond its ladder.

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
            SessionData { value: Some("b".into()), language: Some("en".into()), ..data.clone() },
            SessionData { url: Some("https://cdn.example/film/t.bin".into()), raw: true, ..data },
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
    let media = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-DEFINE:IMPORT=\"a\"\n#EXTINF:4,\n{$a}\n";
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
fn a_variant_that_names_no_pathway_is_of_the_one_called_dot() {
    let text = |steering| {
        format!(
            "#EXTM3U\n{steering}\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e\"\nhttps://a/lo\n\
             #EXT-X-STREAM-INF:BANDWIDTH=900000,CODECS=\"avc1.4d401e\",PATHWAY-ID=\"B\"\nhttps://b/lo\n"
        )
    };
    let pathways = |text: &str| -> Vec<Option<String>> {
        let whole = presentation(text);
        let origins = &whole.periods[0].sets[0].representations[0].origins;
        origins.iter().map(|origin| origin.pathway.clone()).collect()
    };
    let named = |name: &str| Some(name.to_owned());
    let steered = text("#EXT-X-CONTENT-STEERING:SERVER-URI=\"s\",PATHWAY-ID=\".\"\n");
    assert_eq!(pathways(&steered), [named("."), named("B")]);
    let steered = text("#EXT-X-CONTENT-STEERING:SERVER-URI=\"s\"\n");
    assert_eq!(pathways(&steered), [named("."), named("B")]);
    assert!(!pathways(&text("")).contains(&named(".")), "nobody asks for its name");
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
