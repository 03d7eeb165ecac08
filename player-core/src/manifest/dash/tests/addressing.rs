//! How segments are addressed.

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

/// Timelines that are read into runs at once, as those of films are, mean what they mean element by element,
/// as a document that is kept reads them.
#[test]
fn timelines_read_at_once_are_those_of_their_elements() {
    let same = |template: &str, timeline: &str, others: &str| {
        let text = format!(
            "<MPD mediaPresentationDuration='PT9S'><Period><AdaptationSet mimeType='video/mp4'>\
             <SegmentTemplate media='$Number$-$Time$' timescale='10' {template}><SegmentTimeline>{timeline}</SegmentTimeline>\
             </SegmentTemplate><Representation id='a' bandwidth='1'/>{others}</AdaptationSet></Period></MPD>"
        );
        let parsed = parse(&text).expect("a sound MPD");
        let kept = Document::parse(text.as_bytes(), URL).expect("a sound MPD");
        assert_eq!(parsed.value, kept.value.1, "{text}");
        assert_eq!(parsed.warnings, kept.warnings, "{text}");
        let sets = &parsed.value.periods[0].sets;
        let Segments::Known(last) = &sets[0].representations.last().expect("one").segments else {
            panic!("its segments are listed")
        };
        (last.iter().next().map(|first| first.number), last.len())
    };
    let plain =
        "\n<S t=\"5\" d=\"20\"/>\n<S d=\"20\" r=\"1\"/>\n<S d=\"7\"/>\n<S d=\"9\"/>\n<S d=\"20\"/>";
    assert_eq!(same("", plain, ""), (Some(1), 6));
    // Cut at either end, or to a number.
    assert_eq!(same("presentationTimeOffset='26'", plain, ""), (Some(2), 5));
    assert_eq!(same("", &format!("{plain}\n<S d=\"20\"/>\n<S d=\"20\"/>"), ""), (Some(1), 6));
    assert_eq!(same("startNumber='7' endNumber='9'", plain, ""), (Some(7), 3));
    assert_eq!(same("startNumber='18446744073709551615'", plain, ""), (Some(u64::MAX), 6));
    // Something unusual after them.
    assert_eq!(same("", &format!("{plain}<!-- --><S d=\"1\"/>"), "").1, 6);
    assert_eq!(same("", &format!("{plain}<S d='1' r='-1'/>"), "").1, 6);
    assert_eq!(same("", &format!("{plain}<S t=\"3\" d=\"1\"/>"), ""), (Some(7), 1));
    // Others count it in their own way.
    let other = |number| {
        format!(
            "<Representation id='b{number}' bandwidth='{number}'><SegmentTemplate startNumber='{number}'/></Representation>"
        )
    };
    let others = format!("{}{}", other(20), other(30));
    assert_eq!(same("", plain, &others), (Some(30), 6));
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
        ("<SegmentTemplate duration='2'/>", Kind::missing_attribute("SegmentTemplate", "media")),
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
