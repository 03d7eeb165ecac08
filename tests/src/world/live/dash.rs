//! The broadcast as DASH.

use std::fmt::Write;

use super::super::hosts::STEERING;
use super::{Broadcast, Reply, TIMESCALE, iso, missing, text};

/// How an MPD addresses segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// By number and the clock.
    Number,
    /// By a timeline.
    Timeline,
}

impl Broadcast {
    pub(super) fn mpd(&self, moment: u64) -> String {
        let (first, complete) = (self.first(moment), self.complete(moment));
        let over = self.end().is_some_and(|end| complete >= end / self.segment_ms);
        let kind = if over { "static" } else { "dynamic" };
        let seconds = |millis: u64| format!("PT{}.{:03}S", millis / 1_000, millis % 1_000);
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" id=\"show\" \
             type=\"{kind}\" minBufferTime=\"PT1S\" availabilityStartTime=\"{}\" publishTime=\"{}\" \
             profiles=\"urn:mpeg:dash:profile:isoff-live:2011\"",
            iso(self.wall_of(0)),
            iso(self.wall_of(complete * self.segment_ms)),
        );
        if over {
            let _ = write!(
                text,
                " mediaPresentationDuration=\"{}\"",
                seconds(complete * self.segment_ms)
            );
        } else {
            let period =
                if self.addressing == Addressing::Number { 30_000 } else { self.segment_ms };
            let period = if self.ends_ms.is_some() || self.break_every.is_some() {
                self.segment_ms
            } else {
                period
            };
            let period = self.update_ms.unwrap_or(period);
            let _ = write!(
                text,
                " minimumUpdatePeriod=\"{}\" timeShiftBufferDepth=\"{}\"",
                seconds(period),
                seconds(self.window_s * 1_000),
            );
        }
        text += ">\n";
        if self.patches {
            text += "<PatchLocation ttl=\"60\">live.mpp?from=";
            let _ = writeln!(text, "{complete}</PatchLocation>");
        }
        if let Some(length) = self.part_ms {
            let target = self.encoding_ms + length + 1_500;
            let _ = writeln!(
                text,
                "<ServiceDescription id=\"0\"><Latency target=\"{target}\" max=\"{}\"/>\
                 <PlaybackRate min=\"0.95\" max=\"1.05\"/></ServiceDescription>",
                target * 3
            );
        }
        if self.utc_timing {
            let scheme = "urn:mpeg:dash:utc:http-iso:2014";
            let _ = writeln!(
                text,
                "<UTCTiming schemeIdUri=\"{scheme}\" value=\"{}/time\"/>",
                self.base
            );
        }
        if self.steered {
            let _ = writeln!(
                text,
                "<ContentSteering defaultServiceLocation=\"A\">{STEERING}</ContentSteering>\n\
                 <BaseURL serviceLocation=\"A\">{}/</BaseURL>",
                self.base
            );
        }
        let every = self.break_every.unwrap_or(u64::MAX);
        let periods = match self.break_every {
            Some(every) => first / every..=self.announced(moment),
            None => 0..=0,
        };
        for period in periods {
            let start = period * every.min(1 << 40) * u64::from(self.break_every.is_some());
            let length = match self.break_every {
                Some(every) if self.periods_end => {
                    format!(" duration=\"{}\"", seconds(every * self.segment_ms))
                }
                _ => String::new(),
            };
            let _ = writeln!(
                text,
                "<Period id=\"p{period}\" start=\"{}\"{length}>",
                seconds(start * self.segment_ms)
            );
            let last = (start + every.min(1 << 40)).min(complete);
            for video in [true, false] {
                self.set(&mut text, video, start, first.max(start)..last);
            }
            if self.subtitles && !self.patches {
                self.written_set(&mut text, start, first.max(start)..last);
            }
            text += "</Period>\n";
        }
        text + "</MPD>\n"
    }

    fn set(&self, text: &mut String, video: bool, start: u64, listed: std::ops::Range<u64>) {
        let renditions: Vec<_> =
            self.renditions().into_iter().filter(|(.., kind)| *kind == video).collect();
        if renditions.is_empty() {
            return;
        }
        let (content, codecs) =
            if video { ("video", "avc1.64001f") } else { ("audio", "mp4a.40.2") };
        let _ = writeln!(
            text,
            "<AdaptationSet id=\"{}\" contentType=\"{content}\" mimeType=\"{content}/mp4\" lang=\"en\">",
            u8::from(video)
        );
        let offset = self.timestamps(start).1;
        let common = format!(
            "timescale=\"{TIMESCALE}\" presentationTimeOffset=\"{offset}\" \
             initialization=\"$RepresentationID$/init.mp4\" media=\"$RepresentationID$/$Number$.m4s\""
        );
        match self.addressing {
            Addressing::Number => {
                let early = self.part_ms.map(|length| {
                    let offset = self.segment_ms - length - self.encoding_ms;
                    format!(
                        " availabilityTimeOffset=\"{}.{:03}\" availabilityTimeComplete=\"false\"",
                        offset / 1_000,
                        offset % 1_000
                    )
                });
                let _ = writeln!(
                    text,
                    "<SegmentTemplate {common} startNumber=\"{start}\" duration=\"{}\"{}/>",
                    self.segment_ms,
                    early.unwrap_or_default()
                );
            }
            Addressing::Timeline => {
                let time = offset + (listed.start - start) * self.segment_ms;
                let count = listed.end.saturating_sub(listed.start);
                let _ = write!(
                    text,
                    "<SegmentTemplate {common} startNumber=\"{}\"><SegmentTimeline>",
                    listed.start
                );
                if count > 0 {
                    let _ = write!(
                        text,
                        "<S t=\"{time}\" d=\"{}\" r=\"{}\"/>",
                        self.segment_ms,
                        count - 1
                    );
                }
                *text += "</SegmentTimeline></SegmentTemplate>\n";
            }
        }
        for (name, kbps, _) in renditions {
            let height = name.strip_prefix('v').map(|height| format!(" height=\"{height}\""));
            let _ = writeln!(
                text,
                "<Representation id=\"{name}\" bandwidth=\"{}\" codecs=\"{codecs}\"{}/>",
                kbps * 1_000,
                height.unwrap_or_default()
            );
        }
        *text += "</AdaptationSet>\n";
    }

    /// What has changed since so many segments were there.
    pub(super) fn patch(&self, query: &str, moment: u64) -> Reply {
        let moment = self.published(moment);
        let (now, from) = (self.complete(moment), query.strip_prefix("from="));
        let Some(from) = from.and_then(|from| from.parse::<u64>().ok()) else { return missing() };
        let over = self.end().is_some_and(|end| now >= end / self.segment_ms);
        if !self.patches || over || from > now || self.break_every.is_some() {
            return missing();
        }
        let published = |complete: u64| iso(self.wall_of(complete * self.segment_ms));
        let mut patch = format!(
            "<?xml version=\"1.0\"?>\n<Patch xmlns=\"urn:mpeg:dash:schema:mpd-patch:2020\" mpdId=\"show\" \
             originalPublishTime=\"{}\" publishTime=\"{}\">\n\
             <replace sel=\"/MPD/@publishTime\">{}</replace>\n\
             <replace sel=\"/MPD/PatchLocation[1]\"><PatchLocation ttl=\"60\">live.mpp?from={now}</PatchLocation></replace>\n",
            published(from),
            published(now),
            published(now),
        );
        for set in [1, 2] {
            let timeline =
                format!("/MPD/Period[1]/AdaptationSet[{set}]/SegmentTemplate/SegmentTimeline");
            for segment in from..now {
                let (time, duration) = (self.timestamps(segment).1, self.segment_ms);
                let _ = writeln!(
                    patch,
                    "<add sel=\"{timeline}\"><S t=\"{time}\" d=\"{duration}\"/></add>"
                );
            }
        }
        text("application/dash-patch+xml", patch + "</Patch>\n")
    }
}
