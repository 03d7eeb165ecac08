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

mod addressing;

mod inheritance;

mod periods;

mod tracks;

mod documents;

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
