//! When periods play.

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
    assert_eq!(found, [span("0.000", "10.000"), span("10.000", "5.000"), span("15.000", "5.000")]);
    assert_eq!((whole.as_deref(), warnings), (Some("20.000"), 0));
}

#[test]
fn each_ends_where_the_next_begins() {
    let (found, whole, _) = spans(
        "<Period start='PT1S'/><Period start='PT9.999S' duration='PT5S'/><Period start='PT12S' duration='PT3S'/>",
        "",
    );
    assert_eq!(found, [span("1.000", "8.999"), span("9.999", "2.001"), span("12.000", "3.000")]);
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
fn a_last_period_that_begins_at_the_end_of_all_is_left_out() {
    let periods = "<Period start='PT4S'/><Period start='PT9S'/>";
    let (found, whole, warnings) = spans(periods, "mediaPresentationDuration='PT9S'");
    assert_eq!(found, [span("4.000", "5.000")]);
    assert_eq!((whole.as_deref(), warnings), (Some("9.000"), 1));
    let (found, ..) = spans(periods, "mediaPresentationDuration='PT8S'");
    assert_eq!(found.len(), 2, "that says nothing");
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

/// A period whose tags are mostly those of others, among things that are written otherwise.
fn alike() -> impl Strategy<Value = String> {
    let inside = prop_oneof![
        4 => Just("<Representation id='v0' bandwidth='5' codecs='avc1.4d401e'/>"),
        4 => Just("<Representation id=\"v1\" bandwidth=\"7\"/>"),
        1 => Just("<Representation id='v1' bandwidth='7' />"),
        1 => Just("<Representation id='v2' bandwidth='8'><BaseURL>a/</BaseURL></Representation>"),
        1 => Just("<Representation id='v2' bandwidth='8'><BaseURL>b/</BaseURL></Representation>"),
        1 => Just("<x:Representation id='v3' bandwidth='9'></x:Representation >"),
        2 => Just("<SegmentTemplate media='$RepresentationID$/$Number$' duration='2'/>"),
        2 => Just("<SegmentTemplate media='$Time$'><SegmentTimeline><S d='5' r='2'/></SegmentTimeline></SegmentTemplate>"),
        2 => Just("<SegmentTemplate media='$Time$'><SegmentTimeline><S d='4'/><S t='9' d='3' n='7'/></SegmentTimeline></SegmentTemplate>"),
        1 => Just("<SegmentTemplate media='$Time$'><SegmentTimeline/></SegmentTemplate>"),
        1 => Just("<Role schemeIdUri='urn:mpeg:dash:role:2011' value='main'/>"),
        1 => Just("<Label lang='en'>a&amp;b</Label>"),
        1 => Just("<!-- a --> <unknown><Representation id='v9'/></unknown>"),
        1 => Just("<S d='1'/>"),
        1 => Just("</Representation>"),
    ];
    let set = (
        prop_oneof![
            3 => Just("<AdaptationSet id='1' mimeType='video/mp4'>"),
            1 => Just("<AdaptationSet id='2' mimeType='audio/mp4' lang='de'>"),
            1 => Just("<AdaptationSet mimeType='video/mp4' a='>'>"),
        ],
        proptest::collection::vec(inside, 0..6),
    );
    let set = set.prop_map(|(start, inside)| format!("{start}{}</AdaptationSet>", inside.concat()));
    let start = prop_oneof![3 => Just("<Period duration='PT9S'>"), 1 => Just("<Period id='a' duration='PT5S'>")];
    (start, proptest::collection::vec(set, 0..3))
        .prop_map(|(start, sets)| format!("{start}{}</Period>", sets.concat()))
}

proptest! {
    #[test]
    fn what_is_written_like_the_period_before_means_the_same(
        periods in proptest::collection::vec(alike(), 1..6),
        prefixed in proptest::bool::weighted(0.1),
    ) {
        let mut text = format!("<MPD>{}</MPD>", periods.concat());
        if prefixed {
            text = text.replace("<x:", "<").replace("</x:", "</");
            text = text.replace("</", "\u{0}").replace('<', "<x:").replace('\u{0}', "</x:").replace("<x:!", "<!");
        }
        // That of a document to be followed reads every tag.
        let whole = Document::parse(text.as_bytes(), URL);
        let whole = whole.map(|Parsed { value: (_, value), warnings }| Parsed { value, warnings });
        prop_assert_eq!(parse(&text), whole, "{}", text);
    }
}
