//! MPDs as services write them, and as they should not.

use proptest::prelude::*;

use super::*;
use crate::io::{ByteRange, MediaKind};
use crate::manifest::{ManifestErrorKind, WarningCode};
use crate::presentation::{InitSegment, Origin, Representation, SegmentIndex, Segments};
use crate::time::MediaTime;

const URL: &str = "https://cdn.example/film/main.mpd?token=1";

fn parse(text: &str) -> Result<Parsed<Presentation>, ManifestError> {
    parse_mpd(text.as_bytes(), URL)
}

fn kind(text: &str) -> ManifestErrorKind {
    parse(text).map(|parsed| parsed.value).expect_err("a fault").kind
}

/// A static MPD of so many seconds around the content of its one period.
fn film(seconds: u32, content: &str) -> String {
    format!("<MPD mediaPresentationDuration='PT{seconds}S'><Period>{content}</Period></MPD>")
}

/// A video adaptation set around its content.
fn video(content: &str) -> String {
    format!("<AdaptationSet mimeType='video/mp4' codecs='avc1.64001f'>{content}</AdaptationSet>")
}

/// Reads a film of 10 s whose one representation has this content.
fn sole(content: &str) -> Result<(Representation, Vec<String>), ManifestError> {
    let set =
        video(&format!("<Representation id='v1' bandwidth='5000'>{content}</Representation>"));
    let Parsed { value, warnings } = parse(&film(10, &set))?;
    let mut sets = value.periods.into_iter().flat_map(|period| period.sets);
    let set = sets.next().expect("a set");
    let representation = set.representations.into_iter().next().expect("a representation");
    Ok((representation, warnings.into_iter().map(|warning| warning.message).collect()))
}

fn index(content: &str) -> SegmentIndex {
    match sole(content).expect("a sound MPD").0.segments {
        Segments::Known(index) => index,
        other => panic!("{other:?}"),
    }
}

/// Name, start and duration of every segment.
fn brief(index: &SegmentIndex) -> Vec<(String, String, String)> {
    index
        .iter()
        .map(|s| {
            let name = s.url.strip_prefix("https://cdn.example/film/").unwrap_or(&s.url).to_owned();
            (name, s.start.to_string(), s.duration.to_string())
        })
        .collect()
}

fn row(name: &str, start: &str, duration: &str) -> (String, String, String) {
    (name.into(), start.into(), duration.into())
}

fn bytes(start: u64, length: u64) -> Option<ByteRange> {
    Some(ByteRange { start, length: Some(length) })
}

mod described;
mod reloaded;

mod addressing {
    use super::*;

    #[test]
    fn segments_without_length_are_counted_and_passed_over() {
        let text = "<MPD type='static' mediaPresentationDuration='PT20S'><Period><AdaptationSet mimeType='video/mp4'>\
         <SegmentTemplate timescale='1' media='$Number$-$Time$'><SegmentTimeline><S t=\"0\" d=\"4\"/><S d=\"0\" r=\"1\"/>\
         <S t=\"6\" d=\"0\"/>\n<S d=\"4\"/>      <S d=\"3\"/><S d=\"0\"/></SegmentTimeline></SegmentTemplate>\
         <Representation id='v' bandwidth='1'/></AdaptationSet></Period></MPD>";
        let parsed = parse_mpd(text.as_bytes(), "https://a/b.mpd").expect("a sound MPD");
        let Segments::Known(index) = &parsed.value.periods[0].sets[0].representations[0].segments
        else {
            panic!("its segments are listed")
        };
        let urls: Vec<_> = index.iter().map(|segment| segment.url).collect();
        assert_eq!(urls, ["https://a/1-0", "https://a/5-6", "https://a/6-10"]);
        let warnings: Vec<_> = parsed.warnings.iter().map(|w| (w.line, w.code)).collect();
        assert_eq!(warnings, [(1, WarningCode::BadValue)]);
    }

    #[test]
    fn sequences_and_patterns_are_expanded() {
        let sequences = index(
            "<SegmentTemplate timescale='10' media='$Number$_$SubNumber%02d$'><SegmentTimeline><S t='0' n='7' d='40' k='2' r='1'/><S d='20'/></SegmentTimeline></SegmentTemplate>",
        );
        assert_eq!(
            brief(&sequences),
            [
                row("7_01", "0.000", "2.000"),
                row("7_02", "2.000", "2.000"),
                row("8_01", "4.000", "2.000"),
                row("8_02", "6.000", "2.000"),
                row("9_01", "8.000", "2.000"),
            ]
        );
        let patterned = index(
            "<SegmentTemplate timescale='10' media='$Time$'><SegmentTimeline><Pattern id='1'><P d='30' r='1'/><P d='20'/></Pattern>\
             <S t='0' d='80' p='1' pE='2' r='9'/></SegmentTimeline></SegmentTemplate>",
        );
        assert_eq!(
            brief(&patterned),
            [
                row("0", "0.000", "2.000"),
                row("20", "2.000", "3.000"),
                row("50", "5.000", "3.000"),
                row("80", "8.000", "2.000"),
            ]
        );
    }

    #[test]
    fn numbers_of_one_duration_fill_the_period() {
        let index = index(
            "<SegmentTemplate timescale='10' duration='40' startNumber='5' media='$RepresentationID$/$Number%03d$.m4s' initialization='$RepresentationID$/i.mp4'/>",
        );
        assert_eq!(
            brief(&index),
            [
                row("v1/005.m4s", "0.000", "4.000"),
                row("v1/006.m4s", "4.000", "4.000"),
                row("v1/007.m4s", "8.000", "2.000"),
            ]
        );
        let first = index.get(0).expect("three segments");
        assert_eq!(first.number, 5);
        let init = InitSegment { url: "https://cdn.example/film/v1/i.mp4".into(), range: None };
        assert_eq!(index.init(&first), Some(&init));
        assert_eq!(index.media_offset(), Some(MediaTime::ZERO));
    }

    #[test]
    fn less_than_a_millisecond_at_the_end_is_no_segment() {
        // Five segments of 2.0000001 s in 10 s, and of 1.9999 s.
        let of = |duration| {
            let template = format!(
                "<SegmentTemplate timescale='10000000' duration='{duration}' media='$Number$'/>"
            );
            index(&template).len()
        };
        assert_eq!([of(20_000_001), of(20_000_000), of(19_999_000), of(19_990_000)], [5, 5, 5, 6]);
    }

    #[test]
    fn an_end_number_ends() {
        let index = index("<SegmentTemplate duration='2' endNumber='3' media='$Number$'/>");
        assert_eq!(index.len(), 3);
    }

    #[test]
    fn timelines_are_listed_with_their_gaps() {
        let index = index(
            "<SegmentTemplate timescale='1000' media='$Time$-$Number$'><SegmentTimeline>\
             <S t='0' d='2000' r='1'/><S d='1000'/><S t='6000' d='2000' r='-1'/></SegmentTimeline></SegmentTemplate>",
        );
        assert_eq!(
            brief(&index),
            [
                row("0-1", "0.000", "2.000"),
                row("2000-2", "2.000", "2.000"),
                row("4000-3", "4.000", "1.000"),
                row("6000-4", "6.000", "2.000"),
                row("8000-5", "8.000", "2.000"),
            ]
        );
        assert_eq!(index.position_at(MediaTime::from_millis(5500)), Some(3));
        assert_eq!(index.end(), MediaTime::from_secs(10));
        assert!(index.inits().is_empty());
    }

    #[test]
    fn an_offset_moves_the_media_into_the_period() {
        let index = index(
            "<SegmentTemplate timescale='1000' presentationTimeOffset='5000' media='$Time$'><SegmentTimeline>\
             <S t='1000' d='2000' r='20'/></SegmentTimeline></SegmentTemplate>",
        );
        let brief = brief(&index);
        assert_eq!(brief.first(), Some(&row("5000", "0.000", "2.000")));
        assert_eq!(brief.last(), Some(&row("13000", "8.000", "2.000")));
        assert_eq!(index.get(0).map(|segment| segment.number), Some(3));
        assert_eq!(index.media_offset(), Some(MediaTime::from_secs(-5)));
    }

    #[test]
    fn overlaps_are_cut_and_named() {
        let (representation, warnings) = sole(
            "<SegmentTemplate media='$Number$'><SegmentTimeline><S t='0' d='4'/><S t='3' d='4'/></SegmentTimeline></SegmentTemplate>",
        )
        .expect("a sound MPD");
        let Segments::Known(index) = representation.segments else { panic!("known") };
        assert_eq!(brief(&index), [row("1", "0.000", "3.000"), row("2", "3.000", "4.000")]);
        assert_eq!(warnings, ["segments of the SegmentTimeline overlap; the later ones count"]);
    }

    #[test]
    fn ten_hours_cost_what_their_runs_cost() {
        let text = film(
            36_000,
            &video(
                "<SegmentTemplate timescale='48000' media='$Number$'><SegmentTimeline><S t='0' d='96000' r='17999'/></SegmentTimeline></SegmentTemplate>\
                 <Representation id='a' bandwidth='1'/>",
            ),
        );
        let presentation = parse(&text).expect("a sound MPD").value;
        let Segments::Known(index) = &presentation.periods[0].sets[0].representations[0].segments
        else {
            panic!("known")
        };
        assert_eq!(index.len(), 18_000);
        assert!(format!("{index:?}").len() < 1000);
    }

    #[test]
    fn lists_name_each_segment() {
        let index = index(
            "<BaseURL>v/</BaseURL><SegmentList timescale='2' duration='8' startNumber='3'>\
             <Initialization sourceURL='i.mp4' range='0-99'/>\
             <SegmentURL media='a.m4s'/><SegmentURL mediaRange='100-199'/><SegmentURL media='c.m4s' mediaRange='7-'/><SegmentURL media='beyond.m4s'/></SegmentList>",
        );
        assert_eq!(
            brief(&index),
            [
                row("v/a.m4s", "0.000", "4.000"),
                row("v/", "4.000", "4.000"),
                row("v/c.m4s", "8.000", "2.000"),
            ]
        );
        let ranges: Vec<_> = index.iter().map(|segment| segment.range).collect();
        assert_eq!(ranges, [None, bytes(100, 100), Some(ByteRange { start: 7, length: None })]);
        assert_eq!(index.iter().map(|s| s.number).collect::<Vec<_>>(), [3, 4, 5]);
        let url = "https://cdn.example/film/v/i.mp4".to_owned();
        assert_eq!(index.inits(), [InitSegment { url, range: bytes(0, 100) }]);
        assert!(index.iter().all(|segment| segment.init == Some(0)));
    }

    #[test]
    fn lists_may_have_timelines() {
        let index = index(
            "<SegmentList><SegmentTimeline><S t='0' d='3'/><S d='4' r='1'/></SegmentTimeline>\
             <SegmentURL media='a'/><SegmentURL media='b'/></SegmentList>",
        );
        assert_eq!(brief(&index), [row("a", "0.000", "3.000"), row("b", "3.000", "4.000")]);
    }

    #[test]
    fn an_index_in_the_file_is_pointed_to() {
        let (representation, _) = sole(
            "<BaseURL>v.mp4</BaseURL><SegmentBase indexRange='700-899' timescale='1000' presentationTimeOffset='500'><Initialization range='0-699'/></SegmentBase>",
        )
        .expect("a sound MPD");
        let url = "https://cdn.example/film/v.mp4".to_owned();
        assert_eq!(
            representation.segments,
            Segments::IndexBox {
                url: url.clone(),
                range: bytes(700, 200),
                init: Some(InitSegment { url, range: bytes(0, 700) }),
                media_offset: MediaTime::from_millis(-500),
                end: Some(MediaTime::from_secs(10)),
            }
        );
    }

    #[test]
    fn without_any_information_the_file_is_one_segment() {
        let index = index("<BaseURL>v.mp4</BaseURL>");
        assert_eq!(brief(&index), [row("v.mp4", "0.000", "10.000")]);
        let index = super::index("<SegmentTemplate media='$RepresentationID$.mp4'/>");
        assert_eq!(brief(&index), [row("v1.mp4", "0.000", "10.000")]);
    }

    #[test]
    fn what_is_incomplete_is_named() {
        use ManifestErrorKind as Kind;
        for (content, expected) in [
            (
                "<SegmentTemplate duration='2'/>",
                Kind::missing_attribute("SegmentTemplate", "media"),
            ),
            (
                "<SegmentTemplate duration='0' media='a'/>",
                Kind::invalid("SegmentTemplate@duration", "0"),
            ),
            (
                "<SegmentTemplate timescale='0' media='a'/>",
                Kind::invalid("SegmentTemplate@timescale", "0"),
            ),
            (
                "<SegmentTemplate duration='2' media='$Wat$'/>",
                Kind::invalid("SegmentTemplate", "$Wat$"),
            ),
            ("<SegmentList duration='2'/>", Kind::missing("SegmentURL")),
            (
                "<SegmentList><SegmentURL/><SegmentURL/></SegmentList>",
                Kind::missing_attribute("SegmentList", "duration"),
            ),
            ("<SegmentBase indexRange='9-3'/>", Kind::invalid("SegmentBase@indexRange", "9-3")),
            (
                "<SegmentTemplate media='a'><SegmentTimeline><S t='0'/></SegmentTimeline></SegmentTemplate>",
                Kind::missing_attribute("S", "d"),
            ),
            (
                "<SegmentTemplate media='a'><SegmentTimeline><S d='1' r='-x'/></SegmentTimeline></SegmentTemplate>",
                Kind::invalid("S@r", "-x"),
            ),
            (
                "<SegmentTemplate media='a'><SegmentTimeline><S d='1' k='0'/></SegmentTimeline></SegmentTemplate>",
                Kind::invalid("S@k", "0"),
            ),
            (
                "<SegmentTemplate media='a'><SegmentTimeline><S d='1' p='2'/></SegmentTimeline></SegmentTemplate>",
                Kind::invalid("S@p", "2"),
            ),
            (
                "<SegmentTemplate media='a'><SegmentTimeline><Pattern id='2'><P r='1'/></Pattern></SegmentTimeline></SegmentTemplate>",
                Kind::missing_attribute("P", "d"),
            ),
        ] {
            assert_eq!(sole(content).expect_err(content).kind, expected, "{content}");
        }
    }
}

mod inheritance {
    use super::*;

    #[test]
    fn attributes_come_from_the_nearest_level_that_has_them() {
        let text = "<MPD mediaPresentationDuration='PT8S'><BaseURL>https://other.example/</BaseURL><Period>\
            <BaseURL>p/</BaseURL><SegmentTemplate timescale='10' duration='20' initialization='$RepresentationID$.init'/>\
            <AdaptationSet contentType='video' mimeType='video/mp4' width='640' height='360' frameRate='30000/1001'>\
            <SegmentTemplate duration='40' media='s-$Number$'/>\
            <Representation id='lo' bandwidth='1' codecs='avc1.42c01e'/>\
            <Representation id='hi' bandwidth='2' codecs='avc1.64001f' width='1280' height='720'>\
            <BaseURL>hi/</BaseURL><SegmentTemplate media='h-$Number$' startNumber='0'/></Representation>\
            </AdaptationSet></Period></MPD>";
        let presentation = parse(text).expect("a sound MPD").value;
        let set = &presentation.periods[0].sets[0];
        let rungs: Vec<_> = set
            .representations
            .iter()
            .map(|r| {
                let Segments::Known(index) = &r.segments else { panic!("known") };
                let last = index.get(index.len() - 1).expect("segments");
                (r.id.as_str(), r.width, r.height, last.url, index.inits()[0].url.clone())
            })
            .collect();
        let base = "https://other.example/p/";
        assert_eq!(
            rungs,
            [
                ("lo", Some(640), Some(360), format!("{base}s-2"), format!("{base}lo.init")),
                ("hi", Some(1280), Some(720), format!("{base}hi/h-1"), format!("{base}hi/hi.init")),
            ]
        );
        assert_eq!(set.representations[0].frame_rate, Some(30_000.0 / 1001.0));
        assert_eq!(set.representations[1].mime_type(), "video/mp4; codecs=\"avc1.64001f\"");
    }

    #[test]
    fn the_nearest_kind_of_addressing_decides() {
        let text = film(
            4,
            &video(
                "<SegmentTemplate duration='2' media='$Number$'/>\
                 <Representation id='a' bandwidth='1'><BaseURL>a.mp4</BaseURL><SegmentBase indexRange='0-9'/></Representation>",
            ),
        );
        let presentation = parse(&text).expect("a sound MPD").value;
        let segments = &presentation.periods[0].sets[0].representations[0].segments;
        assert!(matches!(segments, Segments::IndexBox { .. }));
    }

    #[test]
    fn of_several_base_urls_the_best_counts() {
        let (representation, warnings) = sole(
            "<BaseURL dvb:priority='3'>one/</BaseURL><BaseURL dvb:priority='2' dvb:weight='5' serviceLocation='b'>two/</BaseURL>\
             <BaseURL dvb:priority='2'>https://other.example/</BaseURL><SegmentTemplate duration='9' media='$Number$'/>",
        )
        .expect("a sound MPD");
        let Segments::Known(index) = &representation.segments else { panic!("known") };
        assert_eq!(brief(index)[0].0, "two/1");
        let origin = |pathway: Option<&str>, priority, weight, url: &str| Origin {
            pathway: pathway.map(str::to_owned),
            priority,
            weight,
            url: url.to_owned(),
            query: String::new(),
        };
        assert_eq!(
            representation.origins,
            [
                origin(Some("b"), 2, 5, "https://cdn.example/film/two/"),
                origin(None, 3, 1, "https://cdn.example/film/one/"),
                origin(None, 2, 1, "https://other.example/"),
            ]
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn base_urls_of_two_levels_multiply_up_to_a_limit() {
        let (bases, own): (String, String) = (0..6)
            .map(|n| {
                (
                    format!("<BaseURL serviceLocation='{n}'>https://{n}.example/</BaseURL>"),
                    format!("<BaseURL>{n}/</BaseURL>"),
                )
            })
            .unzip();
        let set = video(&format!(
            "<Representation id='v' bandwidth='1'>{own}<SegmentTemplate duration='9' media='$Number$'/></Representation>"
        ));
        let text =
            format!("<MPD mediaPresentationDuration='PT9S'>{bases}<Period>{set}</Period></MPD>");
        let parsed = parse(&text).expect("a sound MPD");
        let origins = &parsed.value.periods[0].sets[0].representations[0].origins;
        let urls: Vec<_> = origins.iter().map(|origin| origin.url.as_str()).collect();
        assert_eq!(urls.len(), 16);
        assert_eq!(urls[..2], ["https://0.example/0/", "https://1.example/0/"]);
        assert_eq!(urls[6], "https://0.example/1/");
        assert_eq!(origins[7].pathway.as_deref(), Some("1"));
        assert!(!parsed.warnings.is_empty());
    }

    #[test]
    fn entities_and_cdata_are_text() {
        let index = index("<BaseURL>a?x=1&amp;y=&#50;<![CDATA[&z]]></BaseURL>");
        assert_eq!(brief(&index)[0].0, "a?x=1&y=2&z");
        let index = super::index("<SegmentTemplate duration='9' media='$Number$?a&amp;b=&#x41;'/>");
        assert_eq!(brief(&index)[0].0, "1?a&b=A");
    }
}

mod periods {
    use super::*;

    type Span = (String, Option<String>);

    fn spans(periods: &str, whole: &str) -> (Vec<Span>, Option<String>, usize) {
        let periods = periods.replace(
            "/>",
            "><AdaptationSet mimeType='video/mp4'><Representation id='v' bandwidth='1'><SegmentTemplate media='$Number$'><SegmentTimeline><S d='5'/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period>",
        );
        let parsed = parse(&format!("<MPD {whole}>{periods}</MPD>")).expect("a sound MPD");
        let spans = parsed.value.periods.iter();
        let spans =
            spans.map(|p| (p.start.to_string(), p.duration.map(|duration| duration.to_string())));
        let duration = parsed.value.duration.map(|duration| duration.to_string());
        (spans.collect(), duration, parsed.warnings.len())
    }

    fn span(start: &str, duration: &str) -> Span {
        (start.into(), Some(duration.into()))
    }

    #[test]
    fn each_begins_where_the_last_ends() {
        let (found, whole, warnings) = spans(
            "<Period duration='PT10S'/><Period duration='PT5S'/><Period/>",
            "mediaPresentationDuration='PT20S'",
        );
        assert_eq!(
            found,
            [span("0.000", "10.000"), span("10.000", "5.000"), span("15.000", "5.000")]
        );
        assert_eq!((whole.as_deref(), warnings), (Some("20.000"), 0));
    }

    #[test]
    fn each_ends_where_the_next_begins() {
        let (found, whole, _) = spans(
            "<Period start='PT1S'/><Period start='PT9.999S' duration='PT5S'/><Period start='PT12S' duration='PT3S'/>",
            "",
        );
        assert_eq!(
            found,
            [span("1.000", "8.999"), span("9.999", "2.001"), span("12.000", "3.000")]
        );
        assert_eq!(whole.as_deref(), Some("15.000"));
    }

    #[test]
    fn what_cannot_be_placed_is_left_out() {
        let (found, _, warnings) = spans(
            "<Period start='PT5S'/><Period start='PT1S'/><Period start='PT9S'/><Period/><Period start='PT9S' duration='PT1S'/>",
            "",
        );
        assert_eq!(found, [span("5.000", "4.000"), span("9.000", "1.000")]);
        assert_eq!(warnings, 3);
    }

    #[test]
    fn the_end_of_the_last_may_be_that_of_its_segments() {
        let (found, whole, _) = spans("<Period start='PT2S'/>", "");
        assert_eq!(found, [("2.000".into(), None)]);
        assert_eq!(whole.as_deref(), Some("7.000"));
    }

    #[test]
    fn segments_are_placed_in_their_period() {
        let set = video(
            "<Representation id='v' bandwidth='1'><SegmentTemplate timescale='10' presentationTimeOffset='70' duration='40' media='$Number$'/></Representation>",
        );
        let text = format!(
            "<MPD><Period duration='PT3S'>{set}</Period><Period duration='PT6S'>{set}</Period></MPD>"
        );
        let presentation = parse(&text).expect("a sound MPD").value;
        let Segments::Known(index) = &presentation.periods[1].sets[0].representations[0].segments
        else {
            panic!("known")
        };
        assert_eq!(brief(index), [row("1", "3.000", "4.000"), row("2", "7.000", "2.000")]);
        assert_eq!(index.media_offset(), Some(MediaTime::from_secs(-4)));
    }

    #[test]
    fn remote_periods_are_pointed_to() {
        let set = video("<Representation id='v' bandwidth='1'/>");
        let text = format!(
            "<MPD xmlns:xlink='http://www.w3.org/1999/xlink'><Period xlink:href='ad.xml' duration='PT5S'/>\
             <Period xlink:href='urn:mpeg:dash:resolve-to-zero:2013'/><Period duration='PT4S'>{set}</Period></MPD>"
        );
        let parsed = parse(&text).expect("a sound MPD");
        let remote: Vec<_> = parsed.value.periods.iter().map(|p| p.remote.as_deref()).collect();
        assert_eq!(remote, [Some("https://cdn.example/film/ad.xml"), None]);
        assert_eq!(parsed.value.periods[1].start, MediaTime::from_secs(5));
        assert!(parsed.warnings.is_empty());
    }
}

mod tracks {
    use super::*;

    fn sets(content: &str) -> (Vec<crate::presentation::SwitchingSet>, Vec<String>) {
        let parsed = parse(&film(10, content)).expect("a sound MPD");
        let period = parsed.value.periods.into_iter().next().expect("a period");
        (period.sets, parsed.warnings.into_iter().map(|warning| warning.message).collect())
    }

    #[test]
    fn kinds_are_told_by_the_best_there_is() {
        for (attributes, inside, expected) in [
            ("contentType='video'", "", Some(MediaKind::Video)),
            ("contentType='text' mimeType='application/mp4'", "", Some(MediaKind::Text)),
            ("contentType='image' mimeType='image/jpeg'", "", None),
            ("mimeType='audio/mp4'", "", Some(MediaKind::Audio)),
            ("mimeType='application/ttml+xml'", "", Some(MediaKind::Text)),
            ("mimeType='application/mp4' codecs='stpp.ttml.im1t'", "", Some(MediaKind::Text)),
            (
                "contentType='application' mimeType='application/mp4' codecs='wvtt'",
                "",
                Some(MediaKind::Text),
            ),
            ("codecs='mp4a.40.2,avc1.64001f'", "", Some(MediaKind::Video)),
            (
                "mimeType='video/mp4'",
                "<ContentComponent contentType='audio'/><ContentComponent contentType='video'/>",
                Some(MediaKind::Video),
            ),
            ("mimeType='application/mp4'", "", None),
        ] {
            let content = format!(
                "<AdaptationSet {attributes}>{inside}<Representation id='x' bandwidth='1'/></AdaptationSet>"
            );
            let other = video("<Representation id='v' bandwidth='1'/>");
            let (sets, _) = sets(&format!("{content}{other}"));
            let found = (sets.len() == 2).then(|| sets[0].kind);
            assert_eq!(found, expected, "{attributes}");
        }
    }

    #[test]
    fn roles_labels_and_languages_are_kept() {
        let (sets, warnings) = sets(
            "<AdaptationSet mimeType='audio/mp4' lang='en'><Role schemeIdUri='urn:mpeg:dash:role:2011' value='main'/>\
             <Role schemeIdUri='urn:other' value='x'/><Label>English &amp; more</Label><Representation id='a' bandwidth='1'/></AdaptationSet>\
             <AdaptationSet mimeType='audio/mp4' lang=''><Representation id='b' bandwidth='1'/></AdaptationSet>",
        );
        assert!(warnings.is_empty());
        let tracks: Vec<_> = sets
            .iter()
            .map(|s| (s.language.as_deref(), s.label.as_deref(), s.roles.join(","), s.default))
            .collect();
        assert_eq!(
            tracks,
            [
                (Some("en"), Some("English & more"), "main".into(), true),
                (None, None, "".into(), false)
            ]
        );
    }

    #[test]
    fn representations_are_sorted_and_switchable() {
        let (sets, _) = sets(
            "<AdaptationSet mimeType='video/mp4'><Representation id='c' bandwidth='3' codecs='avc1.64001f'/>\
             <Representation id='a' bandwidth='1' codecs='avc3.42c01e'/><Representation id='b' bandwidth='2' codecs='hvc1.1.6.L93.90'/></AdaptationSet>",
        );
        let ids = |set: &crate::presentation::SwitchingSet| {
            set.representations.iter().map(|r| r.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(sets.iter().map(ids).collect::<Vec<_>>(), [vec!["a", "c"], vec!["b"]]);
    }

    #[test]
    fn essential_properties_that_are_not_understood_are_respected() {
        let (sets, warnings) = sets(
            "<AdaptationSet mimeType='video/mp4'><EssentialProperty schemeIdUri='urn:mpeg:dash:srd:2014' value='1'/><Representation id='t' bandwidth='1'/></AdaptationSet>\
             <AdaptationSet mimeType='video/mp4'><EssentialProperty schemeIdUri='urn:mpeg:mpegB:cicp:ColourPrimaries' value='9'/><Representation id='v' bandwidth='1'/>\
             <Representation id='w' bandwidth='2'><EssentialProperty schemeIdUri='urn:x'/></Representation></AdaptationSet>",
        );
        assert_eq!(sets.len(), 1);
        assert_eq!(sets[0].representations.len(), 1);
        assert_eq!(
            warnings,
            [
                "left out for its EssentialProperty urn:mpeg:dash:srd:2014",
                "left out for its EssentialProperty urn:x"
            ]
        );
    }

    #[test]
    fn a_broken_representation_leaves_the_others() {
        let (sets, warnings) = sets(&video(
            "<Representation id='a' bandwidth='1'><SegmentTemplate duration='2'/></Representation>\
             <Representation id='b' bandwidth='x'><SegmentTemplate duration='2' media='$Number$'/></Representation>",
        ));
        assert_eq!(sets[0].representations.len(), 1);
        assert_eq!(
            warnings,
            [
                "a Representation is left out: SegmentTemplate lacks its media",
                "\"x\" is no value for Representation@bandwidth",
                "Representation lacks its bandwidth",
            ]
        );
    }
}

mod documents {
    use super::*;

    #[test]
    fn prefixes_comments_marks_and_foreign_elements() {
        let text = "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\r\n<!-- c --><m:MPD xmlns:m='urn:mpeg:dash:schema:mpd:2011' xmlns:x='urn:x' mediaPresentationDuration='PT4S'>\
            <m:ProgramInformation><m:Title>T</m:Title></m:ProgramInformation><x:Period/><m:Period><x:AdaptationSet><m:Representation/></x:AdaptationSet>\
            <m:AdaptationSet mimeType='video/mp4'><m:Representation id='v' bandwidth='1'/></m:AdaptationSet></m:Period></m:MPD>\n<!-- end -->";
        let parsed = parse(text).expect("a sound MPD");
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
        assert_eq!(parsed.value.duration, Some(MediaTime::from_secs(4)));
        assert_eq!(parsed.value.periods[0].sets.len(), 1);
    }

    #[test]
    fn lines_are_counted() {
        let text = "<MPD mediaPresentationDuration='PT4S'>\n<Period>\n<AdaptationSet\n mimeType='video/mp4'>\n<Representation\n id='v'\n bandwidth='x'/></AdaptationSet></Period></MPD>";
        let parsed = parse(text).expect("a sound MPD");
        let lines: Vec<_> = parsed.warnings.iter().map(|warning| warning.line).collect();
        assert_eq!(lines, [5, 5]);
        let error = parse("<MPD>\n\n<Period start='1'/></MPD>").expect_err("no duration");
        assert_eq!(error, *ManifestErrorKind::invalid("Period@start", "1").at(3));
    }

    #[test]
    fn a_dynamic_mpd_with_a_timeline_is_live() {
        let set = video(
            "<Representation id='v' bandwidth='1'><SegmentTemplate timescale='1' media='$Time$'><SegmentTimeline><S t='100' d='4' r='4'/></SegmentTimeline></SegmentTemplate></Representation>",
        );
        let text = format!(
            "<MPD type='dynamic' availabilityStartTime='2026-01-01T00:00:00Z'><Period start='PT0S'>{set}</Period></MPD>"
        );
        let presentation = parse(&text).expect("a sound MPD").value;
        assert!(presentation.live.is_some());
        assert_eq!(presentation.duration, None);
        let numbered = text.replace(
            "$Time$'><SegmentTimeline><S t='100' d='4' r='4'/></SegmentTimeline></SegmentTemplate>",
            "$Number$' duration='4'/>",
        );
        // Which of its segments there are yet is a matter of the clock.
        let presentation = parse(&numbered).expect("a sound MPD").value;
        let Segments::Known(index) = &presentation.periods[0].sets[0].representations[0].segments
        else {
            panic!("known")
        };
        let start = MediaTime::from_secs(4_000_000_000);
        let position = index.position_at(start).expect("no end");
        let segment = index.get(position).expect("no end");
        assert_eq!((segment.start, segment.number), (start, 1_000_000_001));
    }

    #[test]
    fn what_is_no_mpd_is_refused() {
        use ManifestErrorKind::*;
        assert_eq!(kind(""), NotMpd);
        assert_eq!(kind("no XML"), NotMpd);
        assert_eq!(kind("<html/>"), NotMpd);
        assert_eq!(kind("<MPD>"), UnexpectedEnd);
        assert_eq!(kind("<MPD/>"), Empty);
        assert_eq!(kind("<MPD><Period/></MPD>"), Empty);
        assert!(matches!(kind("<MPD></Period>"), Xml { .. }));
        assert!(matches!(kind("<MPD a=b/>"), Xml { .. }));
        assert!(matches!(kind("<MPD/><MPD/>"), Xml { .. }));
        assert!(matches!(kind("<MPD><BaseURL>&bomb;</BaseURL></MPD>"), Xml { .. }));
        assert_eq!(kind("<!DOCTYPE MPD [<!ENTITY a 'b'>]><MPD/>"), DocumentType);
        assert_eq!(parse_mpd(b"<MPD>\n\xff</MPD>", URL).expect_err("no text"), *NotText.at(2));
        let no_end = video(
            "<Representation id='v' bandwidth='1'><SegmentTemplate duration='2' media='a'/></Representation>",
        );
        assert_eq!(
            kind(&format!("<MPD><Period>{no_end}</Period></MPD>")),
            ManifestErrorKind::missing_attribute("MPD", "mediaPresentationDuration")
        );
    }

    #[test]
    fn excess_is_refused_in_time() {
        let limit = |kind: ManifestErrorKind| match kind {
            ManifestErrorKind::Limit { what, .. } => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(limit(kind(&format!("<MPD>{}", "<a>".repeat(100_000)))), "levels of elements");
        let many = "<Representation/>".repeat(60_000);
        assert_eq!(limit(kind(&film(1, &video(&many)))), "adaptation sets and representations");
        assert_eq!(limit(kind(&format!("<MPD>{}", "<Period/>".repeat(60_000)))), "periods");
        // A long list, inherited by many with a small difference each.
        let list = "<S d='1'/><S d='2'/>".repeat(10_000);
        let heirs: String = (0..2_000)
            .map(|n| format!("<Representation id='{n}' bandwidth='1'><SegmentTemplate startNumber='{n}'/></Representation>"))
            .collect();
        let bomb = video(&format!(
            "<SegmentTemplate media='$Number$'><SegmentTimeline>{list}</SegmentTimeline></SegmentTemplate>{heirs}"
        ));
        assert_eq!(limit(kind(&film(99_999, &bomb))), "bytes unfolded by inheritance");
    }
}

proptest! {
    #[test]
    fn any_document_is_answered(parts in proptest::collection::vec(
        prop_oneof![
            Just("<Period>".to_owned()), Just("</Period>".to_owned()),
            Just("<AdaptationSet mimeType='video/mp4'>".to_owned()), Just("</AdaptationSet>".to_owned()),
            Just("<Representation id='a' bandwidth='1'>".to_owned()), Just("</Representation>".to_owned()),
            "<S( t='[0-9]{1,20}')? d='[0-9]{1,20}'( r='-?[0-9]{1,20}')?/>",
            "<SegmentTemplate media='[$%a-zNumber0-9]{0,12}' duration='[0-9]{1,20}' timescale='[0-9]{1,10}' presentationTimeOffset='[0-9]{1,20}'>",
            Just("</SegmentTemplate>".to_owned()), Just("<SegmentTimeline>".to_owned()), Just("</SegmentTimeline>".to_owned()),
            "<SegmentList duration='[0-9]{1,20}'><SegmentURL/></SegmentList>",
            "<Period start='PT[0-9]{1,20}S' duration='PT[0-9.]{1,9}S'/>",
            "\\PC{0,12}",
        ],
        0..24,
    )) {
        let text = format!("<MPD mediaPresentationDuration='PT99S'>{}</MPD>", parts.concat());
        let _ = parse(&text);
    }

    /// Well-formed documents of extreme numbers: what is understood holds together.
    #[test]
    fn what_is_understood_holds_together(
        timescale in 1u32..,
        offset: u64,
        s in proptest::collection::vec((proptest::option::of(any::<u64>()), 1u64.., -1i64..), 0..6),
        duration in proptest::option::of(1u64..),
        start in 0u32..,
        length in 1u32..,
    ) {
        let s: String = s.iter().map(|(t, d, r)| {
            let t = t.map_or(String::new(), |t| format!("t='{t}' "));
            format!("<S {t}d='{d}' r='{r}'/>")
        }).collect();
        let (attribute, timeline) = match duration {
            Some(duration) => (format!("duration='{duration}'"), String::new()),
            None => (String::new(), format!("<SegmentTimeline>{s}</SegmentTimeline>")),
        };
        let text = format!(
            "<MPD><Period start='PT{start}S' duration='PT{length}S'><AdaptationSet mimeType='video/mp4'><Representation id='a' bandwidth='1'>\
             <SegmentTemplate timescale='{timescale}' presentationTimeOffset='{offset}' media='$Number$-$Time$' {attribute}>{timeline}</SegmentTemplate>\
             </Representation></AdaptationSet></Period></MPD>"
        );
        let presentation = parse(&text).expect("a sound MPD").value;
        let period = &presentation.periods[0];
        let Segments::Known(index) = &period.sets[0].representations[0].segments else { panic!("known") };
        let end = period.start + period.duration.expect("stated");
        for position in [0, 1, index.len() / 2, index.len().saturating_sub(1)] {
            let Some(segment) = index.get(position) else { continue };
            prop_assert!(period.start <= segment.start && segment.end() <= end);
            if segment.duration > MediaTime::ZERO {
                prop_assert_eq!(index.position_at(segment.start), Some(position));
            }
        }
        prop_assert_eq!(index.get(index.len()), None);
        prop_assert_eq!(index.position_at(end), None);
    }
}
