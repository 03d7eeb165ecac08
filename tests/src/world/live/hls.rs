//! The broadcast as HLS.

use std::fmt::Write;
use std::time::Duration;

use super::{Broadcast, Reply, iso, missing, text};

impl Broadcast {
    pub(super) fn multivariant(&self) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        let mut group = "";
        let mut codecs = "avc1.64001f";
        if self.audio_kbps.is_some() {
            text += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"English\",LANGUAGE=\"en\",\
                     DEFAULT=YES,AUTOSELECT=YES,URI=\"audio/media.m3u8\"\n";
            group = ",AUDIO=\"sound\"";
            codecs = "avc1.64001f,mp4a.40.2";
        }
        let mut written = "";
        if self.subtitles {
            text += Self::GROUP;
            written = ",SUBTITLES=\"written\"";
        }
        for (kbps, height) in &self.rungs {
            let bandwidth = (kbps + self.audio_kbps.unwrap_or(0)) * 1_000;
            let width = height * 16 / 9;
            let _ = writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height},\
                 CODECS=\"{codecs}\"{group}{written}\nv{height}/media.m3u8"
            );
        }
        text
    }

    /// The media playlist; with delivery directives, as of when it has what they ask for.
    pub(super) fn playlist(&self, name: &str, query: &str, moment: u64) -> Reply {
        let directive = |name: &str| {
            let value =
                query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.and_then(|value| value.parse::<u64>().ok())
        };
        let mut at = moment;
        if let Some(segment) = directive("_HLS_msn") {
            let begins = segment * self.segment_ms;
            let there = match (directive("_HLS_part"), self.part_ms) {
                (Some(part), Some(length)) => begins + (part + 1) * length,
                _ => begins + self.segment_ms,
            };
            let there = self.end().map_or(there, |end| there.min(end)) + self.encoding_ms;
            // Too far ahead is refused (RFC 8216bis §6.2.5.2).
            if there > moment + 3 * self.segment_ms {
                return missing();
            }
            at = at.max(there);
        }
        let skip = query.contains("_HLS_skip=");
        let mut reply = text(
            "application/vnd.apple.mpegurl",
            self.media_playlist(name, self.published(at), skip),
        );
        reply.delay = Duration::from_millis(at - moment);
        reply
    }

    fn media_playlist(&self, name: &str, moment: u64, skip: bool) -> String {
        let (first, complete) = (self.first(moment), self.complete(moment));
        let over = self.end().is_some_and(|end| complete >= end / self.segment_ms);
        let target = self.segment_ms.div_ceil(1_000);
        let written = name == "text";
        // Text has no parts.
        let part_ms = self.part_ms.filter(|_| !written);
        let mut text = format!("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target}\n");
        let seconds = |millis: u64| format!("{}.{:03}", millis / 1_000, millis % 1_000);
        if let Some(length) = part_ms {
            let _ = write!(
                text,
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={},CAN-SKIP-UNTIL={}\n\
                 #EXT-X-PART-INF:PART-TARGET={}\n",
                seconds(length * 3),
                target * 6,
                seconds(length)
            );
        }
        if self.event {
            text += "#EXT-X-PLAYLIST-TYPE:EVENT\n";
        }
        let _ = writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{first}");
        if let Some(every) = self.break_every {
            let _ =
                writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", first.saturating_sub(1) / every);
        }
        let skipped = complete.saturating_sub(first).saturating_sub(6);
        let from = if skip && skipped > 0 { first + skipped } else { first };
        if from > first {
            let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        } else if !self.transport && !written {
            text += "#EXT-X-MAP:URI=\"init.mp4\"\n";
        }
        let extension = match (written, self.transport) {
            (true, _) => "vtt",
            (false, true) => "ts",
            (false, false) => "m4s",
        };
        for segment in from..complete + u64::from(part_ms.is_some() && !over) {
            if self.break_every.is_some_and(|every| segment % every == 0 && segment > 0) {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            let begins = segment * self.segment_ms;
            if self.dated && segment < complete {
                let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", iso(self.wall_of(begins)));
            }
            if let Some(length) = part_ms.filter(|_| segment + 3 > complete) {
                for part in 0..self.segment_ms.div_ceil(length) {
                    let duration = length.min(self.segment_ms - part * length);
                    let ends = begins + part * length + duration;
                    let uri = format!("URI=\"{segment}.{part}.m4s\"");
                    if ends + self.encoding_ms > moment {
                        let _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,{uri}");
                        break;
                    }
                    let independent = if part == 0 { ",INDEPENDENT=YES" } else { "" };
                    let duration = seconds(duration);
                    let _ = writeln!(text, "#EXT-X-PART:DURATION={duration},{uri}{independent}");
                }
            }
            if segment < complete {
                let length = seconds(self.segment_ms);
                let _ = write!(text, "#EXTINF:{length},\n{segment}.{extension}\n");
            }
        }
        if over {
            text += "#EXT-X-ENDLIST\n";
        } else if let Some(length) = part_ms {
            let parts = moment.saturating_sub(self.encoding_ms) % self.segment_ms / length;
            for (other, ..) in self.renditions().iter().filter(|(other, ..)| other != name) {
                let last = parts.checked_sub(1).map(|part| format!(",LAST-PART={part}"));
                let (number, last) = match last {
                    Some(last) => (complete, last),
                    None => (complete - 1, String::new()),
                };
                let _ = writeln!(
                    text,
                    "#EXT-X-RENDITION-REPORT:URI=\"../{other}/media.m3u8\",LAST-MSN={number}{last}"
                );
            }
        }
        text
    }
}
