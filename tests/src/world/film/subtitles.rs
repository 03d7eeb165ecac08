//! What is written, as HLS and DASH publish it: WebVTT in segments (RFC 8216bis §3.1.4) or as one file, WebVTT and TTML in
//! MP4 (ISO/IEC 14496-30), and captions inside the picture (CTA-608).

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
value=\"subtitle\"/><Representation id=\"text-en\" bandwidth=\"256\"><BaseURL>text-en/0.vtt</BaseURL></Representation>
</AdaptationSet>
<AdaptationSet contentType=\"text\" mimeType=\"application/mp4\" codecs=\"stpp.ttml.im1t\" lang=\"de\">
<SegmentTemplate timescale=\"1\" duration=\"2\" initialization=\"$RepresentationID$/init.mp4\" \
media=\"$RepresentationID$/$Number$.m4s\"/><Representation id=\"text-de\" bandwidth=\"1000\"/></AdaptationSet>
<AdaptationSet contentType=\"text\" mimeType=\"application/mp4\" codecs=\"wvtt\" lang=\"fr\">
<SegmentTemplate timescale=\"1\" duration=\"2\" initialization=\"$RepresentationID$/init.mp4\" \
media=\"$RepresentationID$/$Number$.m4s\"/><Representation id=\"text-fr\" bandwidth=\"1000\"/></AdaptationSet>
";

impl Film {
    /// The playlists and the text they list.
    pub(super) fn publish_subtitles(&self, base: &str, origin: &mut Origin) {
        for language in ["en", "de"] {
            let folder = format!("{base}/text-{language}");
            let playlist = format!(
                "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{0}\n#EXTINF:{0},\n0.vtt\n#EXT-X-ENDLIST\n",
                self.seconds
            );
            origin.add(&format!("{folder}/media.m3u8"), "application/vnd.apple.mpegurl", playlist);
            let text = "WEBVTT\n\n00:01.000 --> 00:04.000\nA word\n";
            origin.add(&format!("{folder}/0.vtt"), "text/vtt", text);
        }
    }
}
