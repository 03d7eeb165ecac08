//! What is written, as HLS and DASH publish it: WebVTT in segments (RFC 8216bis §3.1.4) or as one file, WebVTT and TTML in
//! MP4 (ISO/IEC 14496-30), and captions inside the picture (CTA-608).

use std::fmt::Write;

use kinora_core::time::{MediaTime, TimeRange};

use super::Film;
use crate::world::content::Origin;

/// Renditions of a multivariant playlist.
pub(super) const GROUPS: &str = "\
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"written\",NAME=\"English\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,\
URI=\"text-en/media.m3u8\"
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"written\",NAME=\"Deutsch\",LANGUAGE=\"de\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,\
URI=\"text-de/media.m3u8\"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"inside\",NAME=\"English\",LANGUAGE=\"en\",INSTREAM-ID=\"CC1\"
";

/// Attributes of each variant that has them.
pub(super) const IN_THEM: &str = ",SUBTITLES=\"written\",CLOSED-CAPTIONS=\"inside\"";

/// Adaptation sets.
pub(super) const SETS: &str = "\
<AdaptationSet contentType=\"text\" mimeType=\"text/vtt\" lang=\"en\"><Role schemeIdUri=\"urn:mpeg:dash:role:2011\" \
value=\"subtitle\"/><Representation id=\"text-en\" bandwidth=\"256\"><BaseURL>text-en/whole.vtt</BaseURL></Representation>
</AdaptationSet>
<AdaptationSet contentType=\"text\" mimeType=\"application/mp4\" codecs=\"stpp.ttml.im1t\" lang=\"fr\">
<SegmentTemplate timescale=\"1\" duration=\"2\" initialization=\"$RepresentationID$/init.mp4\" \
media=\"$RepresentationID$/$Number$.m4s\"/><Representation id=\"text-fr\" bandwidth=\"1000\"/></AdaptationSet>
<AdaptationSet contentType=\"text\" mimeType=\"text/vtt\" lang=\"de\"><SegmentTemplate timescale=\"1\" duration=\"10\" \
startNumber=\"0\" media=\"$RepresentationID$/plain-$Number$.vtt\"/><Representation id=\"text-de\" bandwidth=\"256\"/>
</AdaptationSet>
";

/// Seconds of a segment of text.
const EACH: u32 = 10;
/// The languages that can be read, in the order of their tracks.
const LANGUAGES: [&str; 2] = ["en", "de"];
/// Seconds from words to words.
const EVERY: usize = 4;
/// Milliseconds that words last.
const LASTS: u32 = 3_500;

/// Where words of a track belong; nowhere if they are none of it.
pub(in crate::world) fn span_of(text: &str, track: u32) -> Option<TimeRange> {
    let words = text.strip_prefix(LANGUAGES.get(track as usize)?)?;
    let begins: i64 = words.strip_prefix(" <i>")?.strip_suffix("</i>")?.parse().ok()?;
    let start = MediaTime::from_secs(begins);
    let end = start + MediaTime::from_millis(LASTS.into());
    (begins % EVERY as i64 == 0).then_some(TimeRange { start, end })
}

impl Film {
    /// The playlists and the text they list: every four seconds words that say their language and when they begin, for
    /// three and a half.
    pub(super) fn publish_subtitles(&self, base: &str, origin: &mut Origin) {
        for language in LANGUAGES {
            let folder = format!("{base}/text-{language}");
            let mut playlist = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{EACH}\n");
            let mut add = |name: &str, text: String| {
                origin.add(&format!("{folder}/{name}"), "text/vtt", text);
            };
            for number in 0..self.seconds.div_ceil(EACH) {
                let (from, to) = (number * EACH, ((number + 1) * EACH).min(self.seconds));
                let _ = write!(playlist, "#EXTINF:{},\n{number}.vtt\n", to - from); // a String takes all
                // One counts from the beginning of the film, the other from that of each segment.
                let zero = if language == "de" { from } else { 0 };
                let stamp = u64::from(self.media_start + zero) * 90_000;
                let map = format!("X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{stamp}\n");
                add(&format!("{number}.vtt"), written(language, &map, from..to, zero));
                // A period's own clock begins where the media's does.
                let plain = written(language, "", from..to, 0);
                add(&format!("plain-{number}.vtt"), plain);
            }
            add("whole.vtt", written(language, "", 0..self.seconds, 0));
            playlist += "#EXT-X-ENDLIST\n";
            origin.add(&format!("{folder}/media.m3u8"), "application/vnd.apple.mpegurl", playlist);
        }
    }
}

/// What is shown in some seconds, with times from `zero` on. What began before `zero` is not repeated.
fn written(language: &str, header: &str, seconds: std::ops::Range<u32>, zero: u32) -> String {
    let mut text = format!("WEBVTT\n{header}");
    let time = |millis: u32| {
        let (seconds, millis) = (millis / 1000, millis % 1000);
        format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    for begins in (0..seconds.end).step_by(EVERY) {
        let (start, end) = (begins * 1000, begins * 1000 + LASTS);
        if end > seconds.start * 1000 && begins >= zero {
            let [start, end] = [start, end].map(|at| time(at - zero * 1000));
            let line = format!("{start} --> {end} line:0");
            let _ = write!(text, "\n{line}\n{language} <i>{begins}</i>\n"); // a String takes all
        }
    }
    text
}
