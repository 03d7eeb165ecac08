//! Reads little manifests while the real one is on its way.

use super::{dash, hls};
use crate::io::SourceFormat;
use crate::presentation::Segments;
use crate::time::Timestamp;
use crate::url;

/// Reads little manifests of the format that the name in a URL says, and forgets them.
///
/// For hosts whose code is compiled when it first runs, as a browser does with WebAssembly: called while
/// the manifest is on its way, the time for that passes with nothing to wait for. Once the code has run,
/// this takes microseconds. Where the name tells nothing, it does nothing.
pub fn rehearse(url: &str) {
    match format_by_name(url) {
        Some(SourceFormat::Dash) => rehearse_dash(),
        Some(SourceFormat::Hls) => rehearse_hls(),
        None => {}
    }
}

fn format_by_name(url: &str) -> Option<SourceFormat> {
    let path = url::path(url);
    if path.ends_with(".mpd") {
        Some(SourceFormat::Dash)
    } else if path.ends_with(".m3u8") {
        Some(SourceFormat::Hls)
    } else {
        None
    }
}

const BASE: &str = "https://a/b";

const MPD: &str = concat!(
    r#"<MPD mediaPresentationDuration="PT4S"><Period id="1" duration="PT4S">"#,
    r#"<EventStream schemeIdUri="1"><Event presentationTime="0">1</Event></EventStream>"#,
    r#"<AdaptationSet contentType="video" mimeType="video/mp4" frameRate="24">"#,
    r#"<SegmentTemplate timescale="24" "#,
    r#"initialization="$RepresentationID$/1.mp4" media="$RepresentationID$/$Time$.mp4"><SegmentTimeline>"#,
    r#"<S t="0" d="24" r="1"/><S d="23"/><S d="24"/></SegmentTimeline></SegmentTemplate>"#,
    r#"<Representation id="1" codecs="avc1.4d401e" bandwidth="3" width="16" height="9"/>"#,
    r#"<Representation id="2" codecs="avc1.4d401f" bandwidth="2"/>"#,
    "</AdaptationSet></Period></MPD>",
);

#[inline(never)]
fn rehearse_dash() {
    // Nothing that is made up here is refused, and nothing comes of it.
    let Ok(mpd) = dash::follow_mpd(MPD.as_bytes(), BASE) else { return };
    for set in mpd.value.1.periods.iter().flat_map(|period| &period.sets) {
        for representation in &set.representations {
            if let Segments::Known(index) = &representation.segments {
                index.iter().for_each(drop);
            }
        }
    }
}

const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI=\"1\"\n\
    #EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\n#EXTINF:1.0,\n#EXT-X-BYTERANGE:1@1\n1\n#EXTINF:1.0,\n1.mp4\n";

/// The next version of it, as a delta update.
const DELTA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n\
    #EXTINF:1.0,\n1.mp4\n#EXTINF:1.0,\n2.mp4\n";

#[inline(never)]
fn rehearse_hls() {
    if let Ok(mut media) = hls::parse_media(MEDIA.as_bytes(), BASE) {
        let _ = media.value.refresh(DELTA.as_bytes(), BASE, Timestamp::default());
        media.value.index.iter().for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rehearsed_is_understood_without_a_warning() {
        let mpd = dash::follow_mpd(MPD.as_bytes(), BASE).unwrap();
        assert_eq!(mpd.warnings, []);
        let set = &mpd.value.1.periods[0].sets[0];
        assert_eq!(set.representations.len(), 2);
        assert_eq!(mpd.value.1.periods[0].events.len(), 1);
        let Segments::Known(index) = &set.representations[0].segments else { panic!("no index") };
        assert_eq!(index.len(), 4);
        let mut media = hls::parse_media(MEDIA.as_bytes(), BASE).unwrap();
        assert_eq!(media.warnings, []);
        assert_eq!(media.value.index.len(), 2);
        let refreshed = media.value.refresh(DELTA.as_bytes(), BASE, Timestamp::default()).unwrap();
        assert_eq!((refreshed.added, refreshed.deviation, refreshed.warnings), (1, None, vec![]));
        assert_eq!(media.value.index.len(), 3);
    }

    #[test]
    fn the_name_tells_the_format() {
        for (url, expected) in [
            ("https://a/film.mpd", Some(SourceFormat::Dash)),
            ("https://a/film.mpd?token=.m3u8", Some(SourceFormat::Dash)),
            ("film/main.m3u8#t=3", Some(SourceFormat::Hls)),
            ("https://a/manifest?f=.mpd", None),
            ("", None),
        ] {
            assert_eq!(format_by_name(url), expected, "{url}");
        }
    }
}
