//! Documents that are not as they should be.

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
    // A long id, over and over.
    let ids = "$RepresentationID$".repeat(2000);
    let bomb = format!(
        "<SegmentTemplate duration='1' media='{ids}'/><Representation id='{}' bandwidth='1'/>",
        "v".repeat(20_000)
    );
    assert_eq!(limit(kind(&film(1, &video(&bomb)))), "bytes unfolded by inheritance");
}
