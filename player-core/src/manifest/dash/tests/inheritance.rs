//! What is inherited from level to level.

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
fn the_only_place_keeps_the_name_that_a_steering_server_knows_it_by() {
    let origins = |base: &str| {
        let (representation, _) =
            sole(&format!("{base}<SegmentTemplate duration='9' media='$Number$'/>"))
                .expect("a sound MPD");
        let names = representation.origins.into_iter().map(|origin| (origin.pathway, origin.url));
        names.collect::<Vec<_>>()
    };
    let alpha = (Some("alpha".to_owned()), "https://cdn.example/film/a/".to_owned());
    assert_eq!(origins("<BaseURL serviceLocation='alpha'>a/</BaseURL>"), [alpha]);
    assert_eq!(origins("<BaseURL>a/</BaseURL>"), []);
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
    let text = format!("<MPD mediaPresentationDuration='PT9S'>{bases}<Period>{set}</Period></MPD>");
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
