//! What is written in a broadcast: the number of each segment, for as long as it lasts.

use std::fmt::Write;

use super::{Broadcast, Reply, TIMESCALE, missing, text};

impl Broadcast {
    /// The rendition of a multivariant playlist.
    pub(super) const GROUP: &str = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"written\",NAME=\"English\",\
LANGUAGE=\"en\",AUTOSELECT=YES,URI=\"text/media.m3u8\"\n";

    /// A segment of text, counting from its own beginning (`12.vtt`, HLS) or as the media does (`plain-12.vtt`, DASH).
    pub(super) fn written(&self, file: &str, moment: u64) -> Reply {
        let name = file.strip_suffix(".vtt").unwrap_or(file);
        let (plain, number) = match name.strip_prefix("plain-") {
            Some(number) => (true, number),
            None => (false, name),
        };
        let Ok(segment) = number.parse::<u64>() else { return missing() };
        let (from, to) = (segment * self.segment_ms, (segment + 1) * self.segment_ms);
        let over = self.end().is_some_and(|end| to > end);
        if segment + 3 < self.first(moment) || to + self.encoding_ms > moment || over {
            return missing();
        }
        let stamp = self.timestamps(segment).1;
        let time = |millis: u64| {
            let (seconds, millis) = (millis / 1_000, millis % 1_000);
            format!(
                "{:02}:{:02}:{:02}.{millis:03}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            )
        };
        let zero = if plain { stamp } else { 0 };
        let mut said = String::from("WEBVTT\n");
        if !plain {
            let _ = writeln!(said, "X-TIMESTAMP-MAP=MPEGTS:{},LOCAL:00:00:00.000", stamp * 90);
        }
        let (begins, ends) = (time(zero), time(zero + to - from));
        let _ = write!(said, "\n{begins} --> {ends}\n{segment}\n");
        text("text/vtt", said)
    }

    /// The adaptation set of a period that begins with the segment `start`.
    pub(super) fn written_set(&self, said: &mut String, start: u64, listed: std::ops::Range<u64>) {
        let offset = self.timestamps(start).1;
        let common = format!(
            "timescale=\"{TIMESCALE}\" presentationTimeOffset=\"{offset}\" media=\"text/plain-$Number$.vtt\""
        );
        let template = match self.addressing {
            super::Addressing::Number => format!(
                "<SegmentTemplate {common} startNumber=\"{start}\" duration=\"{}\"/>",
                self.segment_ms
            ),
            super::Addressing::Timeline => {
                let time = offset + (listed.start - start) * self.segment_ms;
                let count = listed.end.saturating_sub(listed.start);
                let run = count.checked_sub(1).map_or(String::new(), |more| {
                    format!("<S t=\"{time}\" d=\"{}\" r=\"{more}\"/>", self.segment_ms)
                });
                format!(
                    "<SegmentTemplate {common} startNumber=\"{}\"><SegmentTimeline>{run}</SegmentTimeline></SegmentTemplate>",
                    listed.start
                )
            }
        };
        let _ = writeln!(
            said,
            "<AdaptationSet id=\"2\" contentType=\"text\" mimeType=\"text/vtt\" lang=\"en\">{template}\
             <Representation id=\"text\" bandwidth=\"100\"/></AdaptationSet>"
        );
    }
}
