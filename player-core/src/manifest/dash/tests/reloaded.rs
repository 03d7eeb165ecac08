//! MPDs that are loaded again, patched, and completed by what they point to.

use super::*;
use crate::manifest::dash::{Deviation, Document, PatchError, Refreshed};

/// One `S`, as it is written.
#[derive(Clone, Copy, Debug)]
struct Written {
    time: u64,
    duration: u64,
    repeat: u64,
}

/// A live MPD whose one timeline has these.
fn window(published: u32, listed: &[Written], attributes: &str, extra: &str) -> String {
    let mut s = String::new();
    let mut end = None;
    for (position, written) in listed.iter().enumerate() {
        let gap = end != Some(written.time);
        end = Some(written.time + written.duration * (written.repeat + 1));
        let t =
            if gap || position == 0 { format!("t=\"{}\" ", written.time) } else { String::new() };
        let r =
            if written.repeat > 0 { format!(" r=\"{}\"", written.repeat) } else { String::new() };
        s += &format!("\n      <S {t}d=\"{}\"{r}/>", written.duration);
    }
    format!(
        "<MPD type=\"dynamic\" id=\"m\" publishTime=\"2026-01-01T00:{:02}:{:02}Z\" availabilityStartTime=\"2026-01-01T00:00:00Z\" {attributes}>{extra}\
         <Period id=\"old\" start=\"PT0S\" duration=\"PT1S\"><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"o\" bandwidth=\"1\"/></AdaptationSet></Period>\
         <Period id=\"p\" start=\"PT1S\"><AdaptationSet id=\"1\" mimeType=\"video/mp4\"><SegmentTemplate timescale=\"10\" media=\"$RepresentationID$/$Time$\">\n    \
         <SegmentTimeline>{s}\n    </SegmentTimeline></SegmentTemplate><Representation id=\"v\" bandwidth=\"1\"/><Representation id=\"w\" bandwidth=\"2\"/>\
         </AdaptationSet></Period></MPD>",
        published / 60,
        published % 60,
    )
}

fn document(text: &str) -> (Document, Presentation) {
    Document::parse(text.as_bytes(), URL).expect("a sound MPD").value
}

fn refresh(document: &mut Document, presentation: &mut Presentation, text: &str) -> Refreshed {
    document.refresh(presentation, text.as_bytes(), URL).expect("a sound MPD").value
}

fn patch(content: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<Patch xmlns='urn:mpeg:dash:schema:mpd-patch:2020' mpdId='m' originalPublishTime='2026-01-01T00:00:00Z' publishTime='2026-01-01T00:00:02Z'>{content}</Patch>"
    )
}

const LISTED: [Written; 3] = [
    Written { time: 0, duration: 20, repeat: 1 },
    Written { time: 40, duration: 21, repeat: 0 },
    Written { time: 61, duration: 20, repeat: 0 },
];
const TIMELINE: &str =
    "/MPD/Period[@id='p']/AdaptationSet[@id='1']/SegmentTemplate/SegmentTimeline";

#[test]
fn unchanged_periods_stay_and_the_same_text_is_a_stall() {
    let before = window(0, &LISTED, "", "");
    let (mut kept, mut presentation) = document(&before);
    // What the player did to a period that does not change is not undone.
    presentation.periods[0].sets[0].representations[0].codecs = "loaded".into();
    assert_eq!(refresh(&mut kept, &mut presentation, &before), Refreshed::default());
    let after = window(2, &LISTED[1..], "", "");
    let refreshed = refresh(&mut kept, &mut presentation, &after);
    assert_eq!(refreshed, Refreshed { changed: true, deviations: vec![] });
    assert_eq!(presentation.periods[0].sets[0].representations[0].codecs, "loaded");
    presentation.periods[0].sets[0].representations[0].codecs.clear();
    assert_eq!(presentation, document(&after).1);
}

#[test]
fn what_periods_inherit_renews_them() {
    let (mut kept, mut presentation) = document(&window(0, &LISTED, "", ""));
    let after = window(2, &LISTED, "", "<BaseURL>https://other.example/</BaseURL>");
    refresh(&mut kept, &mut presentation, &after);
    assert_eq!(presentation, document(&after).1);
}

#[test]
fn an_index_that_was_loaded_stays() {
    let text = |published: u32, timescale: u32| {
        let text = window(published, &LISTED, "", "");
        let (head, rest) = text.split_once("<SegmentTemplate").expect("a template");
        let (_, tail) = rest.split_once("</SegmentTemplate>").expect("its end");
        format!(
            "{head}<BaseURL>v.mp4</BaseURL><SegmentBase timescale='{timescale}' presentationTimeOffset='90' indexRange='9-99'/>{tail}"
        )
    };
    let (mut kept, mut presentation) = document(&text(0, 90));
    let loaded = index("<BaseURL>v.mp4</BaseURL>");
    let of = |presentation: &Presentation| {
        presentation.periods[1].sets[0].representations[0].segments.clone()
    };
    presentation.periods[1].sets[0].representations[0].segments = Segments::Known(loaded.clone());
    refresh(&mut kept, &mut presentation, &text(2, 90));
    assert_eq!(of(&presentation), Segments::Known(loaded));
    refresh(&mut kept, &mut presentation, &text(4, 45));
    assert!(matches!(of(&presentation), Segments::IndexBox { .. }));
}

/// Representations that share a file may exchange their names, and then it is another's.
#[test]
fn an_index_that_was_loaded_of_another_part_of_the_file_does_not_stay() {
    let text = |published: u32, init: &str| {
        let text = window(published, &LISTED, "", "");
        let (head, rest) = text.split_once("<SegmentTemplate").expect("a template");
        let (_, tail) = rest.split_once("</SegmentTemplate>").expect("its end");
        format!(
            "{head}<BaseURL>v.mp4</BaseURL><SegmentBase timescale='90' presentationTimeOffset='90' indexRange='9-99'><Initialization range='{init}'/></SegmentBase>{tail}"
        )
    };
    let (mut kept, mut presentation) = document(&text(0, "0-8"));
    let loaded = index(
        "<BaseURL>v.mp4</BaseURL><SegmentList duration='2'><Initialization range='0-8'/><SegmentURL mediaRange='100-199'/></SegmentList>",
    );
    let of = |presentation: &Presentation| {
        presentation.periods[1].sets[0].representations[0].segments.clone()
    };
    presentation.periods[1].sets[0].representations[0].segments = Segments::Known(loaded.clone());
    refresh(&mut kept, &mut presentation, &text(2, "0-8"));
    assert_eq!(of(&presentation), Segments::Known(loaded));
    refresh(&mut kept, &mut presentation, &text(4, "200-208"));
    assert!(matches!(of(&presentation), Segments::IndexBox { .. }));
}

#[test]
fn what_a_server_must_not_do_is_told() {
    let seconds = MediaTime::from_millis;
    let deviations = |published: u32, listed: &[Written], attributes: &str| {
        let (mut kept, mut presentation) = document(&window(5, &LISTED, "", ""));
        let text = window(published, listed, attributes, "");
        let refreshed = refresh(&mut kept, &mut presentation, &text);
        if refreshed.changed {
            assert_eq!(presentation, document(&text).1);
        }
        refreshed.deviations
    };
    let (period, representation) = (Some("p".to_owned()), "v".to_owned());
    assert!(matches!(deviations(4, &LISTED, "")[..], [Deviation::Older { .. }]));
    assert_eq!(
        deviations(6, &LISTED[..2], ""),
        [Deviation::Shrunk {
            period: period.clone(),
            representation: representation.clone(),
            before: seconds(9_100),
            now: seconds(7_100)
        }]
    );
    let mut rewritten = LISTED;
    rewritten[1].duration = 22;
    rewritten[2].time = 62;
    assert_eq!(
        deviations(6, &rewritten, ""),
        [Deviation::Rewritten { period, representation, at: seconds(5_000) }]
    );
    let moved = window(6, &LISTED, "", "")
        .replace("Time=\"2026-01-01T00:00:00Z\"", "Time=\"2026-01-01T00:00:07Z\"");
    let (mut kept, mut presentation) = document(&window(5, &LISTED, "", ""));
    let refreshed = refresh(&mut kept, &mut presentation, &moved);
    assert!(matches!(refreshed.deviations[..], [Deviation::OriginMoved { .. }]));
}

#[test]
fn a_fault_changes_nothing() {
    let before = window(0, &LISTED, "", "");
    let (mut kept, mut presentation) = document(&before);
    let after = window(2, &LISTED, "", "");
    let broken = after.replace("</SegmentTimeline>", "<S d=''/></SegmentTimeline>");
    let error = kept.refresh(&mut presentation, broken.as_bytes(), URL).expect_err("no duration");
    assert_eq!(error, *ManifestErrorKind::invalid("S@d", "").at(6));
    assert_eq!(presentation, document(&before).1);
    refresh(&mut kept, &mut presentation, &after);
    assert_eq!(presentation, document(&after).1);
}

#[test]
fn patches_apply() {
    let cases: &[(&str, &str, &str)] = &[
        // What follows moves, because it does not say when it begins.
        ("<remove sel='{T}/S[1]'/>", "<S t=\"0\" d=\"20\" r=\"1\"/>\n      ", ""),
        (
            "<remove sel='{T}/S[3]'/><remove sel='{T}/S[1]'/>",
            "<S t=\"0\" d=\"20\" r=\"1\"/>\n      <S d=\"21\"/>\n      <S d=\"20\"/>",
            "<S d='21'/>",
        ),
        (
            "<add sel='{T}'>\n<S d='7'/><S d='8' r='1'/></add>",
            "\n    </SegmentTimeline>",
            "<S d='7'/><S d='8' r='1'/>\n    </SegmentTimeline>",
        ),
        (
            "<remove sel='{T}/S[1]'/><add sel='{T}/S[1]' type='@t'>40</add>",
            "<S t=\"0\" d=\"20\" r=\"1\"/>\n      <S d",
            "<S t='40' d",
        ),
        ("<replace sel='{T}/S[1]/@r'>-1</replace>", "r=\"1\"", "r='-1'"),
        ("<remove sel=\"{T}/S[@t='0']/@r\"/>", " r=\"1\"", ""),
        (
            "<replace sel='{T}/S[2]'><S d='21' k='3'/></replace>",
            "<S d=\"21\"/>",
            "<S d='21' k='3'/>",
        ),
        (
            "<add sel='{T}/S[3]' pos='before'><S d='1'/></add>",
            "<S d=\"20\"/>",
            "<S d='1'/><S d=\"20\"/>",
        ),
        ("<add sel='{T}' pos='prepend'><S d='1'/></add>", "<S t=\"0\"", "<S d='1'/><S t=\"0\""),
        (
            "<replace sel='{T}'><SegmentTimeline><S t='5' d='9'/></SegmentTimeline></replace>",
            "<S t=\"0\" d=\"20\" r=\"1\"/>\n      <S d=\"21\"/>\n      <S d=\"20\"/>",
            "<S t='5' d='9'/>",
        ),
        (
            "<replace sel='/MPD/@publishTime'>2026-01-01T00:00:02Z</replace>",
            "publishTime=\"2026-01-01T00:00:00Z\"",
            "publishTime='2026-01-01T00:00:02Z'",
        ),
        (
            "<add sel='/MPD' type='@minimumUpdatePeriod'>PT2S</add>",
            "id=\"m\"",
            "id=\"m\" minimumUpdatePeriod='PT2S'",
        ),
        (
            "<remove sel=\"/MPD/Period[@id='old']\"/>",
            "<Period id=\"old\" start=\"PT0S\" duration=\"PT1S\"><AdaptationSet mimeType=\"video/mp4\"><Representation id=\"o\" bandwidth=\"1\"/></AdaptationSet></Period>",
            "",
        ),
        (
            "<add sel='/MPD'><Period id='q' start='PT99S'><AdaptationSet mimeType='audio/mp4'><Representation id='a' bandwidth='9'><BaseURL>a&amp;b</BaseURL></Representation></AdaptationSet></Period></add>",
            "</MPD>",
            "<Period id='q' start='PT99S'><AdaptationSet mimeType='audio/mp4'><Representation id='a' bandwidth='9'><BaseURL>a&amp;b</BaseURL></Representation></AdaptationSet></Period></MPD>",
        ),
        (
            "<add sel='/MPD/Period[2]' pos='before'><BaseURL>https://b.example/</BaseURL></add>",
            "<Period id=\"p\"",
            "<BaseURL>https://b.example/</BaseURL><Period id=\"p\"",
        ),
        (
            "<add sel=\"/MPD/Period[@id='p']/AdaptationSet[1]/Representation[@id='v']\" pos='after'><Representation id='x' bandwidth='3'/></add>",
            "<Representation id=\"w\"",
            "<Representation id='x' bandwidth='3'/><Representation id=\"w\"",
        ),
        (
            "<remove sel=\"/MPD/Period[@id='p']/AdaptationSet/Representation[2]\"/>",
            "<Representation id=\"w\" bandwidth=\"2\"/>",
            "",
        ),
        (
            "<replace sel=\"/MPD/Period[@id='p']/AdaptationSet/Representation[2]/@bandwidth\">77</replace>",
            "bandwidth=\"2\"",
            "bandwidth='77'",
        ),
    ];
    for (operations, old, new) in cases {
        let before = window(0, &LISTED, "", "");
        let after = before.replacen(old, new, 1);
        assert_ne!(before, after, "{operations}");
        let (mut kept, mut presentation) = document(&before);
        let patch = patch(&operations.replace("{T}", TIMELINE).replace(
            "sel='/MPD/Period[@id='p']/AdaptationSet[@id='1']",
            "sel='/MPD/Period[2]/AdaptationSet[1]",
        ));
        let patched = kept.patch(&mut presentation, patch.as_bytes());
        patched.unwrap_or_else(|error| panic!("{operations}: {error}"));
        assert_eq!(presentation, document(&after).1, "{operations}");
        // What is patched is no longer what the text says.
        let next = window(9, &LISTED[1..], "", "");
        refresh(&mut kept, &mut presentation, &next);
        assert_eq!(presentation, document(&next).1, "{operations}");
    }
}

#[test]
fn a_patch_must_fit() {
    let before = window(0, &LISTED, "", "");
    let (mut kept, mut presentation) = document(&before);
    let good = patch("<remove sel='/MPD/Period[1]'/>");
    for (text, wanted) in [
        (good.replace("mpdId='m'", "mpdId='n'"), "it is for an MPD of another id"),
        (good.replace("00:00Z'", "00:01Z'"), "it is for another version of the MPD"),
        ("<MPD/>".to_owned(), "line 1: Patch is missing"),
        (good.replace("</Patch>", ""), "line 2: it ends in the middle"),
    ] {
        let error = kept.patch(&mut presentation, text.as_bytes()).expect_err("no fit");
        assert_eq!(error.to_string(), wanted);
    }
    assert_eq!(presentation, document(&before).1);
    kept.patch(&mut presentation, good.as_bytes()).expect("it is whole");
    assert_eq!(presentation.periods.len(), 1);

    for selector in [
        "/MPD/Period[3]",
        "/MPD/Period",
        "/MPD/Wat",
        "/MPD",
        "",
        "MPD",
        "/Period",
        "//Period",
        "/MPD/Period[1]/",
        "/MPD/Period[1",
        "/MPD/Period[@id=p]",
        "/MPD/Period[@id='p]",
        "/MPD/Period[0]",
    ] {
        let (mut kept, mut presentation) = document(&before);
        let text = patch(&format!("\n<remove sel=\"{selector}\"/>"));
        let error = kept.patch(&mut presentation, text.as_bytes()).expect_err(selector);
        let expected = PatchError::NotFound { line: 3, selector: selector.to_owned() };
        assert_eq!(error, expected, "{selector}");
        assert_eq!(kept.patch(&mut presentation, good.as_bytes()), Err(PatchError::Broken));
        let after = window(2, &LISTED, "", "");
        refresh(&mut kept, &mut presentation, &after);
        assert_eq!(presentation, document(&after).1);
    }
}

#[test]
fn names_that_only_a_patch_understood_are_not_taken_over() {
    let head = |published: &str, more: &str| {
        format!(
            "<MPD id='m' publishTime='{published}'><Period id='a' duration='PT4S'>{more}</Period>"
        )
    };
    let set = "<AdaptationSet mimeType='video/mp4'><Representation id='v' bandwidth='1'/></AdaptationSet>";
    let foreign = "<Period id='b' duration='PT4S'><p:AdaptationSet mimeType='video/mp4'>\
                   <p:Representation id='v' bandwidth='1'/></p:AdaptationSet></Period>";
    let first = head("2026-01-01T00:00:00Z", set) + "</MPD>";
    let (mut document, mut presentation) = document(&first);
    let patch = format!(
        "<p:Patch mpdId='m' originalPublishTime='2026-01-01T00:00:00Z'>\
         <add sel='/MPD'>{foreign}</add><replace sel='/MPD/@publishTime'>2026-01-01T00:00:02Z</replace></p:Patch>"
    );
    document.patch(&mut presentation, patch.as_bytes()).expect("a patch that fits");
    assert_eq!(presentation.periods.len(), 2);
    // The prefix means nothing in the MPD.
    let next = head("2026-01-01T00:00:04Z", "") + foreign + "</MPD>";
    let refused = document.refresh(&mut presentation, next.as_bytes(), URL);
    assert_eq!(refused, Err(parse_mpd(next.as_bytes(), URL).expect_err("nothing to play")));
    let next = head("2026-01-01T00:00:04Z", set) + foreign + "</MPD>";
    refresh(&mut document, &mut presentation, &next);
    assert_eq!(presentation, parse_mpd(next.as_bytes(), URL).expect("a sound MPD").value);
}

#[test]
fn times_that_go_back_are_read_anew() {
    let text = |s: &str| {
        let text = window(0, &[], "", "").replace("$Time$", "$Number$");
        text.replace("\n    </SegmentTimeline>", &format!("{s}</SegmentTimeline>"))
    };
    // The last takes the place of the second, and counts on from the third.
    let listed = "<S t=\"0\" d=\"10\"/><S d=\"10\"/><S d=\"10\"/><S t=\"10\" d=\"10\"/>";
    let (mut document, mut presentation) = document(&text(listed));
    let next = text(&format!("{listed}<S d=\"10\"/>"));
    refresh(&mut document, &mut presentation, &next);
    assert_eq!(presentation, parse_mpd(next.as_bytes(), URL).expect("a sound MPD").value);
}

/// A live MPD of video sets, each with its `SegmentTemplate`'s attributes, the elements of its timeline,
/// and its representation.
fn sets(sets: &[(&str, &str, &str)]) -> String {
    let mut all = String::new();
    for (attributes, s, id) in sets {
        all += &format!(
            "<AdaptationSet id='1' mimeType='video/mp4'><SegmentTemplate timescale='10' media='$RepresentationID$/$Time$' {attributes}>\
             <SegmentTimeline>{s}</SegmentTimeline></SegmentTemplate><Representation id='{id}' bandwidth='1'/></AdaptationSet>"
        );
    }
    format!("<MPD type='dynamic'><Period id='p' start='PT0S'>{all}</Period></MPD>")
}

#[test]
fn a_timeline_goes_on_from_its_own_earlier_state_alone() {
    let (one, other) = (
        r#"<S t="0" d="20" r="1"/><S d="2"/><S d="3"/>"#,
        r#"<S t="0" d="20" r="1"/><S d="3"/><S d="2"/>"#,
    );
    for (name, before, now) in [
        (
            "representations change places",
            [("", one, "v"), ("", other, "w")],
            [("", one, "w"), ("", other, "v")],
        ),
        (
            "the first has gone",
            [("", one, "v"), ("", other, "w")],
            [("", "", "v"), ("", other, "v")],
        ),
        (
            "it ended early",
            [("endNumber='3'", one, "v"), ("", other, "w")],
            [("", one, "v"), ("", other, "w")],
        ),
        (
            "it was counted otherwise",
            [("startNumber='7'", one, "v"), ("", other, "w")],
            [("startNumber='9'", one, "v"), ("", other, "w")],
        ),
    ] {
        let (mut kept, mut presentation) = document(&sets(&before));
        let now = sets(&now);
        refresh(&mut kept, &mut presentation, &now);
        assert_eq!(presentation, document(&now).1, "{name}");
    }
}

#[test]
fn a_timeline_goes_on_through_states_that_leave_it_as_it_was() {
    let text = |published: u32, s: &str| {
        let text = sets(&[("", s, "v")]);
        text.replace("<MPD ", &format!("<MPD publishTime='2026-01-01T00:00:0{published}Z' "))
    };
    let timeline = |presentation: &Presentation| {
        match &presentation.periods[0].sets[0].representations[0].segments {
            Segments::Known(index) => index.timeline().cloned(),
            _ => None,
        }
        .expect("a timeline")
    };
    let s = r#"<S t="0" d="20" r="1"/><S d="21"/>"#;
    let (mut kept, mut presentation) = document(&text(0, s));
    let first = timeline(&presentation);
    for (published, s) in [(1, s.to_owned()), (2, format!("{s}<S d=\"22\"/>"))] {
        let text = text(published, &s);
        refresh(&mut kept, &mut presentation, &text);
        assert_eq!(presentation, document(&text).1);
        assert!(timeline(&presentation).may_go_on_from(&first));
    }
    let other = text(3, "<S t=\"99\" d=\"1\"/>");
    refresh(&mut kept, &mut presentation, &other);
    assert!(!timeline(&presentation).may_go_on_from(&first));
}

#[test]
fn patched_representations_change_places_without_their_timelines() {
    let gone = "<S t='0' d='20'/>";
    let one = format!("{gone}<S t='20' d='20'/><S d='2'/><S d='3'/>");
    let other = format!("{gone}<S t='20' d='20'/><S d='3'/><S d='2'/>");
    let before = sets(&[("", &one, "v"), ("", &other, "w")])
        .replace("<MPD ", "<MPD id='m' publishTime='2026-01-01T00:00:00Z' ");
    let set = |position: u32| format!("/MPD/Period/AdaptationSet[{position}]");
    let operations = format!(
        "<replace sel='{}/Representation/@id'>w</replace><replace sel='{}/Representation/@id'>v</replace>\
         <remove sel='{0}/SegmentTemplate/SegmentTimeline/S[1]'/><remove sel='{1}/SegmentTemplate/SegmentTimeline/S[1]'/>",
        set(1),
        set(2),
    );
    let (mut kept, mut presentation) = document(&before);
    kept.patch(&mut presentation, patch(&operations).as_bytes()).expect("it fits");
    let swapped =
        before.replace("id='v'", "id='x'").replace("id='w'", "id='v'").replace("id='x'", "id='w'");
    assert_eq!(presentation, document(&swapped.replace(gone, "")).1);
}

#[test]
fn numbers_that_are_stated_stay_when_others_go() {
    let text = |s: &str| {
        sets(&[("", s, "v")])
            .replace("$Time$", "$Number$")
            .replace("<MPD ", "<MPD id='m' publishTime='2026-01-01T00:00:00Z' ")
    };
    let rest = "<S t='20' d='20'/><S d='20' n='9'/><S d='20'/>";
    let (mut kept, mut presentation) = document(&text(&format!("<S t='0' d='20'/>{rest}")));
    let operations =
        "<remove sel='/MPD/Period/AdaptationSet/SegmentTemplate/SegmentTimeline/S[1]'/>";
    kept.patch(&mut presentation, patch(operations).as_bytes()).expect("it fits");
    assert_eq!(presentation, document(&text(rest)).1);
}

#[test]
fn links_are_named_and_replaced() {
    let set = video("<Representation id='v' bandwidth='1'/>");
    let text = format!(
        "<MPD xmlns:xlink='http://www.w3.org/1999/xlink'><BaseURL>b/</BaseURL><Period id='1' duration='PT4S'>{set}</Period>\
         <Period id='ad' xlink:href='ad.xml' xlink:actuate='onLoad' duration='PT9S'/><Period xlink:href='urn:mpeg:dash:resolve-to-zero:2013'/>\
         <Period id='2' duration='PT5S'>{set}<AdaptationSet xlink:href='sound.xml'/></Period></MPD>"
    );
    let (mut kept, mut presentation) = document(&text);
    let links = kept.links();
    let brief: Vec<_> = links.iter().map(|l| (l.url.as_str(), l.element, l.on_load)).collect();
    assert_eq!(
        brief,
        [
            ("https://cdn.example/film/b/ad.xml", "Period", true),
            ("https://cdn.example/film/b/sound.xml", "AdaptationSet", false),
        ]
    );
    let two = format!(
        "<?xml version='1.0'?>\n<Period id='a' duration='PT1S'>{set}</Period>\n<Period id='b' duration='PT2S'>{set}</Period>"
    );
    kept.resolve(&mut presentation, &links[0], Some(two.as_bytes())).expect("two periods");
    let sound = "<AdaptationSet mimeType='audio/mp4'><Representation id='a' bandwidth='1'/></AdaptationSet>";
    kept.resolve(&mut presentation, &links[1], Some(sound.as_bytes())).expect("a set");
    assert!(kept.links().is_empty());
    let whole = text
        .replace(
            "<Period id='ad' xlink:href='ad.xml' xlink:actuate='onLoad' duration='PT9S'/>",
            &two.replace("<?xml version='1.0'?>", ""),
        )
        .replace("<AdaptationSet xlink:href='sound.xml'/>", sound);
    assert_eq!(presentation, document(&whole).1);
}

#[test]
fn a_link_that_fails_is_left_out() {
    let set = video("<Representation id='v' bandwidth='1'/>");
    let text = format!(
        "<MPD><Period id='1' duration='PT4S'>{set}</Period><Period id='ad' xlink:href='ad.xml' duration='PT9S'>{set}</Period></MPD>"
    );
    for bytes in [None, Some(&b"<html/>"[..]), Some(b"<Period")] {
        let (mut kept, mut presentation) = document(&text);
        let link = kept.links().remove(0);
        let resolved = kept.resolve(&mut presentation, &link, bytes);
        assert_eq!(resolved.is_ok(), bytes.is_none());
        assert!(kept.links().is_empty());
        assert_eq!(presentation, document(&text.replace("xlink:href='ad.xml'", "")).1);
    }
}

/// What a document means, worked out with nothing of what was before.
fn anew(document: &Document) -> Presentation {
    let (source, warnings) = (document.source(), &mut Warnings::default());
    let (mpd, bytes) = (source.element(0), document.text.len());
    let read = resolve::presentation(mpd, &document.url, bytes, Vec::new(), warnings, None);
    read.expect("a sound MPD").0
}

/// Something that a patch may do to what [`sets`] writes.
fn operation() -> impl Strategy<Value = String> {
    let set = (1u32..3).prop_map(|set| format!("/MPD/Period/AdaptationSet[{set}]"));
    let number = prop_oneof![Just(1u64), Just(2), Just(20), 0u64..100];
    (set, 0u32..12, 1u32..7, number.clone(), number).prop_map(|(set, kind, at, number, other)| {
        let template = format!("{set}/SegmentTemplate");
        let list = format!("{template}/SegmentTimeline");
        let s = format!("<S d='{}'/>", number.max(1));
        match kind {
            0 | 1 => format!("<remove sel='{list}/S[1]'/>"),
            2 => format!("<remove sel='{list}/S[{at}]'/>"),
            3 | 4 => format!("<add sel='{list}'>{s}</add>"),
            5 => format!("<add sel='{list}/S[{at}]' pos='before'>{s}</add>"),
            6 => format!(
                "<add sel='{list}' pos='prepend'><S t='{other}' d='{}'/></add>",
                number.max(1)
            ),
            7 => format!("<add sel='{list}/S[1]' type='@t'>{number}</add>"),
            8 | 9 => {
                let name = ["t", "d", "r", "n", "k", "r"][other as usize % 6];
                let number = if number == 20 { "-1".to_owned() } else { number.to_string() };
                format!("<add sel='{list}/S[{at}]' type='@{name}'>{number}</add>")
            }
            10 => {
                let name = ["startNumber", "endNumber", "timescale", "presentationTimeOffset"]
                    [at as usize % 4];
                format!("<add sel='{template}' type='@{name}'>{number}</add>")
            }
            _ => format!(
                "<replace sel='{set}/Representation[1]/@id'>{}</replace>",
                ["v", "w", "x"][other as usize % 3]
            ),
        }
    })
}

fn history() -> impl Strategy<Value = Vec<Written>> {
    let piece = (prop_oneof![4 => Just(0u64), 1 => 1u64..50], 1u64..40, 0u64..4);
    proptest::collection::vec(piece, 2..40).prop_map(|pieces| {
        let mut time = 0;
        let place = |(gap, duration, repeat): (u64, u64, u64)| {
            time += gap;
            let written = Written { time, duration, repeat };
            time += duration * (repeat + 1);
            written
        };
        pieces.into_iter().map(place).collect()
    })
}

proptest! {
    /// Any split of a timeline's history into windows that move on is the whole, window by window.
    #[test]
    fn windows_of_a_history_are_read_as_if_alone(
        history in history(),
        steps in proptest::collection::vec((0usize..6, 0usize..6, 0u64..3), 1..12),
    ) {
        let (mut first, mut last) = (0, 1 + history.len() / 3);
        let (mut kept, mut presentation) = document(&window(0, &history[first..last], "", ""));
        for (number, (dropped, came, cut)) in steps.into_iter().enumerate() {
            last = (last + came).min(history.len());
            first = (first + dropped).min(last - 1);
            let mut listed = history[first..last].to_vec();
            // The first may lose some of its repetitions, and the last some that are still to come.
            let cut = cut.min(listed[0].repeat);
            listed[0].time += cut * listed[0].duration;
            listed[0].repeat -= cut;
            let text = window(number as u32 + 1, &listed, "", "");
            let refreshed = refresh(&mut kept, &mut presentation, &text);
            prop_assert_eq!(refreshed.deviations, vec![]);
            prop_assert_eq!(&presentation, &document(&text).1);
        }
    }

    /// Patches that move a window on leave what reading the window anew does.
    #[test]
    fn patched_windows_are_read_as_if_alone(history in history(), steps in proptest::collection::vec((0usize..3, 0usize..4), 1..8)) {
        let (mut first, mut last) = (0, 1 + history.len() / 3);
        let (mut kept, mut presentation) = document(&window(0, &history[first..last], "", ""));
        for (number, (dropped, came)) in steps.into_iter().enumerate() {
            let sel = "/MPD/Period[@id='p']/AdaptationSet[@id='1']/SegmentTemplate/SegmentTimeline";
            let until = (last + came).min(history.len());
            let from = (first + dropped).min(until - 1);
            let mut operations = String::new();
            for written in &history[last..until] {
                operations += &format!("<add sel=\"{sel}\"><S t='{}' d='{}' r='{}'/></add>", written.time, written.duration, written.repeat);
            }
            operations += &format!("<remove sel=\"{sel}/S[1]\"/>").repeat(from - first);
            operations += &format!("<replace sel=\"{sel}/S[1]/@t\">{}</replace>", history[from].time);
            operations += &format!("<replace sel='/MPD/@publishTime'>2026-01-01T00:00:{:02}Z</replace>", number + 1);
            let text = patch(&operations).replace("00:00:00Z", &format!("00:00:{number:02}Z"));
            kept.patch(&mut presentation, text.as_bytes()).expect("it fits");
            (first, last) = (from, until);
            let whole = window(number as u32 + 1, &history[first..last], "", "");
            prop_assert_eq!(&presentation, &document(&whole).1);
        }
    }

    /// What is taken over from before a patch is what would be made without it.
    #[test]
    fn patched_timelines_are_what_they_would_be_anew(patches in proptest::collection::vec(proptest::collection::vec(operation(), 1..4), 1..5)) {
        let listed = r#"<S t="0" d="20" r="1"/><S d="2"/><S d="3"/><S t="60" d="9" r="2"/><S d="9"/>"#;
        let text = sets(&[("", listed, "v"), ("startNumber='5'", listed, "w")])
            .replace("<MPD ", "<MPD id='m' publishTime='2026-01-01T00:00:00Z' ")
            .replace("w' bandwidth='1'", "w' bandwidth='1'><SegmentTemplate media='$Number$'/></Representation><Representation id='x' bandwidth='2'");
        let (mut kept, mut presentation) = document(&text);
        for operations in patches {
            if kept.patch(&mut presentation, patch(&operations.concat()).as_bytes()).is_err() {
                break;
            }
            prop_assert_eq!(&presentation, &anew(&kept));
        }
    }

    /// Anything may come back.
    #[test]
    fn any_patch_is_answered(operations in "(<(add|remove|replace) sel='(/(MPD|Period|S|AdaptationSet|SegmentTimeline|SegmentTemplate|@t|@id)(\\[([0-9]|@id=\"p\")\\])?){0,7}'( pos='(before|after|prepend)')?>(<S d='[0-9]'/>|<Period/>|[0-9])?</(add|remove|replace)>){0,4}") {
        let (mut kept, mut presentation) = document(&window(0, &LISTED, "", ""));
        let _ = kept.patch(&mut presentation, patch(&operations).as_bytes());
    }
}
