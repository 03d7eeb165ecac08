//! The broadcast as Low-Latency HLS (RFC 8216bis).

use super::broadcast::{Broadcast, Rendition, Run, Segment, WallMicros};
use crate::{
    Result,
    package::{
        hls,
        presentation::{Kind, Layout, Presentation, Representation, SegmentNames},
    },
};
use chrono::{DateTime, SecondsFormat};
use std::fmt::Write;

/// What `EXT-X-SKIP` asks for (RFC 8216bis, 8).
const VERSION: u32 = 9;
/// Target durations from the end before which a delta update may leave segments out: six at least (4.4.3.8).
const SKIP_UNTIL: u64 = 6;
/// Target durations from the end for which parts are listed (4.4.4.9: not for more than three).
const PARTS_FOR: u64 = 3;

/// The multivariant playlist.
pub(super) fn multivariant(broadcast: &Broadcast) -> Result<Vec<u8>> {
    hls::multivariant(&presentation(broadcast))
}

/// What is broadcast, in the terms of a package.
pub(super) fn presentation(broadcast: &Broadcast) -> Presentation {
    let representation = |rendition: &Rendition| Representation {
        id: rendition.id.clone(),
        directory: rendition.directory.clone(),
        codecs: rendition.codecs.clone(),
        kind: rendition.kind.clone(),
        timescale: rendition.timescale,
        bandwidth: rendition.bandwidth.0,
        average_bandwidth: rendition.bandwidth.1,
        layout: Layout::Files { names: SegmentNames::Number },
        protected: None,
        segments: Vec::new(),
    };
    let all = broadcast.renditions.iter().map(representation);
    let (video, audio) = all.partition(|r: &Representation| matches!(r.kind, Kind::Video { .. }));
    Presentation {
        title: broadcast.title.clone(),
        credit: None,
        license: None,
        poster: None,
        thumbnails: None,
        duration: 0.0,
        segment_duration: broadcast.shape.segment_seconds(),
        hls: "master.m3u8".into(),
        dash: vec!["manifest.mpd".into()],
        video,
        audio,
    }
}

/// A rendition's playlist; with `skip` only what a client lacks that has an older one.
pub(super) fn media(broadcast: &Broadcast, rendition: &Rendition, skip: bool) -> String {
    let writer = Writer { broadcast, rendition, target: target_duration(broadcast) };
    writer.write(skip)
}

/// Seconds that no segment exceeds when rounded.
pub(super) fn target_duration(broadcast: &Broadcast) -> u64 {
    let shape = &broadcast.shape;
    let frame = shape.sample_rate.map_or(0.0, |rate| 1024.0 / f64::from(rate));
    ((shape.segment_seconds() + frame).round() as u64).max(1)
}

/// How far from the end players are to play (4.4.3.8: three part targets at least), such that the latency is as wanted:
/// what the playlist ends with is on average half a part old.
fn part_hold_back(broadcast: &Broadcast) -> f64 {
    let shape = &broadcast.shape;
    let wanted = shape.latency_seconds - shape.part_seconds() * 0.5;
    wanted.max(shape.part_target() * 3.0)
}

struct Writer<'a> {
    broadcast: &'a Broadcast,
    rendition: &'a Rendition,
    target: u64,
}

impl Writer<'_> {
    fn write(&self, skip: bool) -> String {
        let Self { broadcast, rendition, target } = self;
        let shape = &broadcast.shape;
        let first = broadcast.first_listed();
        let segments: Vec<&Segment> =
            rendition.segments.iter().filter(|segment| segment.number >= first).collect();
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:{VERSION}\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-TARGETDURATION:{target}\n\
             #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={:.3},HOLD-BACK={}.0,CAN-SKIP-UNTIL={}.0\n\
             #EXT-X-PART-INF:PART-TARGET={:.5}\n#EXT-X-MEDIA-SEQUENCE:{first}\n",
            part_hold_back(broadcast),
            target * 3,
            target * SKIP_UNTIL,
            round_up(shape.part_target()),
        );
        // Each run is a discontinuity; those whose first segment is not listed any more are counted.
        let run = segments.first().map_or(0, |segment| segment.run);
        if run > 0 {
            let _ = writeln!(text, "#EXT-X-DISCONTINUITY-SEQUENCE:{run}");
        }
        let from_end = from_end(&segments, rendition);
        let skipped = match skip {
            true => from_end.iter().filter(|left| **left > (target * SKIP_UNTIL) as f64).count(),
            false => 0,
        };
        if skipped > 0 {
            let _ = writeln!(text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}");
        }
        let mut before = match skipped {
            0 => None,
            skipped => segments.get(skipped - 1).map(|segment| segment.run),
        };
        for (segment, left) in segments.iter().zip(&from_end).skip(skipped) {
            if before != Some(segment.run) {
                if before.is_some() {
                    text += "#EXT-X-DISCONTINUITY\n";
                }
                let _ = writeln!(text, "#EXT-X-MAP:URI=\"init-{}.mp4\"", segment.run);
                before = Some(segment.run);
            }
            self.segment(&mut text, segment, *left <= (target * PARTS_FOR) as f64);
        }
        if broadcast.ended {
            text += "#EXT-X-ENDLIST\n";
        } else {
            self.outlook(&mut text);
        }
        text
    }

    fn segment(&self, text: &mut String, segment: &Segment, with_parts: bool) {
        let number = segment.number;
        let seconds = |ticks| self.rendition.seconds(ticks);
        if let Some(run) = self.broadcast.run(segment.run).filter(|_| !segment.parts.is_empty()) {
            let date = date(self.starts(run, number));
            let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}");
        }
        if with_parts {
            for (index, part) in segment.parts.iter().enumerate() {
                let independent = if part.independent { ",INDEPENDENT=YES" } else { "" };
                let duration = seconds(part.duration);
                let _ = writeln!(
                    text,
                    "#EXT-X-PART:DURATION={duration:.5},URI=\"{number}.{index}.m4s\"{independent}"
                );
            }
        }
        if segment.is_gap() {
            text.push_str("#EXT-X-GAP\n");
        }
        if segment.complete {
            let _ = write!(text, "#EXTINF:{:.5},\n{number}.m4s\n", seconds(segment.duration));
        }
    }

    /// What comes next, and how far the other renditions are.
    fn outlook(&self, text: &mut String) {
        let (number, part) = match self.rendition.segments.back() {
            Some(segment) if !segment.complete => (segment.number, segment.parts.len()),
            Some(segment) => (segment.number + 1, 0),
            None => return,
        };
        let _ = writeln!(text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{number}.{part}.m4s\"");
        let mine = &self.rendition.directory;
        for other in self.broadcast.renditions.iter().filter(|other| other.directory != *mine) {
            if let Some((number, part)) = other.last_part() {
                let directory = &other.directory;
                let _ = writeln!(
                    text,
                    "#EXT-X-RENDITION-REPORT:URI=\"../{directory}/media.m3u8\",LAST-MSN={number},LAST-PART={part}"
                );
            }
        }
    }

    fn starts(&self, run: &Run, number: u64) -> WallMicros {
        run.start + self.broadcast.shape.micros(number - run.first)
    }
}

/// Seconds from where each segment begins to the end of all.
fn from_end(segments: &[&Segment], rendition: &Rendition) -> Vec<f64> {
    let mut left = 0;
    let mut all: Vec<f64> = segments
        .iter()
        .rev()
        .map(|segment| {
            left += segment.duration;
            rendition.seconds(left)
        })
        .collect();
    all.reverse();
    all
}

/// To five decimals, and no part is longer than that says.
fn round_up(seconds: f64) -> f64 {
    (seconds * 1e5).ceil() / 1e5
}

/// An ISO 8601 date, to the millisecond.
pub(super) fn date(wall: WallMicros) -> String {
    let date = DateTime::from_timestamp_micros(wall).unwrap_or_default();
    date.to_rfc3339_opts(SecondsFormat::Millis, true)
}
