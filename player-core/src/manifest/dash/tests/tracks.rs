//! Tracks and what is said of them.

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
        [(Some("en"), Some("English & more"), "main".into(), true), (None, None, "".into(), false)]
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
