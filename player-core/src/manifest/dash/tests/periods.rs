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
