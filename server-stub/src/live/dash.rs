//! The broadcast as low-latency DASH (ISO/IEC 23009-1): segments by number and the clock, to be asked for from the moment
//! on that their first chunk is there.

use super::{
    broadcast::{Broadcast, Rendition, Run, WallMicros},
    hls::presentation,
};
use crate::{
    Result,
    package::{dash, presentation::Representation},
};
use chrono::{DateTime, Utc};
use dash_mpd_core::{
    AdaptationSet, Latency, MPD, Period, PlaybackRate, ProducerReferenceTime, ProgramInformation,
    SegmentTemplate, ServiceDescription, Title, UTCTiming,
};
use std::time::Duration;

const PROFILES: &str = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019,\
                        http://www.dashif.org/guidelines/low-latency-live-v5";
/// A resource that says what time it is, as an ISO 8601 date (5.8.4.11).
const CLOCK: &str = "urn:mpeg:dash:utc:http-iso:2014";
/// What players may change the speed by to keep the latency.
const RATES: (f64, f64) = (0.96, 1.04);

/// The MPD, for players that find the clock at `clock`.
pub(super) fn manifest(broadcast: &Broadcast, clock: &str) -> Result<String> {
    let shape = &broadcast.shape;
    let zero = broadcast.zero.unwrap_or(0);
    let latency = shape.latency_seconds * 1000.0;
    let live = !broadcast.ended;
    let segment = shape.segment_seconds();
    let mpd = MPD {
        xmlns: Some("urn:mpeg:dash:schema:mpd:2011".into()),
        id: Some("live".into()),
        profiles: Some(PROFILES.into()),
        mpdtype: Some(if live { "dynamic" } else { "static" }.into()),
        availabilityStartTime: live.then(|| instant(zero)),
        publishTime: Some(instant(broadcast.changed)),
        minimumUpdatePeriod: live.then(|| seconds(segment)),
        timeShiftBufferDepth: live.then(|| seconds(shape.window() as f64 * segment)),
        suggestedPresentationDelay: live.then(|| seconds(shape.latency_seconds)),
        mediaPresentationDuration: match live {
            true => None,
            false => broadcast.runs.back().map(|run| since(end_of(broadcast, run), zero)),
        },
        minBufferTime: Some(seconds(shape.part_seconds() * 2.0)),
        maxSegmentDuration: Some(seconds(segment + 0.1)),
        ProgramInformation: vec![ProgramInformation {
            Title: Some(Title { content: Some(broadcast.title.clone()) }),
            ..ProgramInformation::default()
        }],
        ServiceDescription: vec![ServiceDescription {
            id: Some("0".into()),
            Latency: vec![Latency {
                referenceId: Some("0".into()),
                target: Some(latency.round()),
                min: Some((shape.part_seconds() * 1500.0).round()),
                max: Some((latency * 3.0).round()),
            }],
            PlaybackRate: vec![PlaybackRate { min: Some(RATES.0), max: Some(RATES.1) }],
            ..ServiceDescription::default()
        }],
        periods: broadcast.runs.iter().map(|run| period(broadcast, run, clock)).collect(),
        UTCTiming: if live { vec![utc_timing(clock)] } else { Vec::new() },
        ..MPD::default()
    };
    dash::write(&mpd)
}

fn period(broadcast: &Broadcast, run: &Run, clock: &str) -> Period {
    let zero = broadcast.zero.unwrap_or(0);
    let first = first_of(broadcast, run);
    // Times go on through all runs; only where they lie on the clock is the run's own.
    let start = run.start + broadcast.shape.micros(first - run.first);
    let end = (run.end.is_some()).then(|| end_of(broadcast, run));
    let all = presentation(broadcast);
    let set = |id: u32, set: &[Representation]| {
        let rendition =
            broadcast.renditions.iter().find(|r| Some(&r.id) == set.first().map(|r| &r.id));
        let (Some(rendition), false) = (rendition, set.is_empty()) else { return None };
        let template = template(broadcast, rendition, run, first);
        Some(AdaptationSet {
            ProducerReferenceTime: vec![ProducerReferenceTime {
                id: Some("0".into()),
                inband: Some(true),
                prtType: Some("encoder".into()),
                wallClockTime: Some(instant(start)),
                presentationTime: template.presentationTimeOffset,
                UTCTiming: Some(utc_timing(clock)),
            }],
            SegmentTemplate: Some(template),
            ..dash::set(id, set)
        })
    };
    Period {
        id: Some(run.id.to_string()),
        start: Some(since(start, zero)),
        duration: end.map(|end| since(end, start)),
        adaptations: [set(0, &all.video), set(1, &all.audio)].into_iter().flatten().collect(),
        ..Period::default()
    }
}

fn template(
    broadcast: &Broadcast,
    rendition: &Rendition,
    run: &Run,
    first: u64,
) -> SegmentTemplate {
    let shape = &broadcast.shape;
    // The picture's ticks, in which a segment is a whole number of them; sound need not be.
    let timescale = broadcast.renditions.first().map_or(rendition.timescale, |r| r.timescale);
    let early = shape.segment_seconds() - shape.part_seconds();
    let live = !broadcast.ended;
    SegmentTemplate {
        timescale: Some(timescale.into()),
        initialization: Some(format!("init-{}.mp4", run.id)),
        media: Some("$Number$.m4s".into()),
        startNumber: Some(first),
        endNumber: told_end(broadcast, run).and_then(|end| end.checked_sub(1)),
        duration: Some(shape.ticks(1, timescale) as f64),
        presentationTimeOffset: Some(shape.ticks(first, timescale)),
        availabilityTimeOffset: live.then(|| (early * 1e6).round() / 1e6),
        availabilityTimeComplete: live.then_some(false),
        ..SegmentTemplate::default()
    }
}

/// The segment a period begins with. Of a live one that is where the run began; when it is over, what is gone for good
/// is not told of any more.
fn first_of(broadcast: &Broadcast, run: &Run) -> u64 {
    if broadcast.ended { run.first.max(broadcast.first_listed()) } else { run.first }
}

/// The segment after the last that a period holds, of a run that has ended. When an encoder ends, some renditions may
/// have come a segment further than others; numbers and a duration cannot tell of such a gap, so the period ends before.
fn told_end(broadcast: &Broadcast, run: &Run) -> Option<u64> {
    let is_gap = |number: u64| {
        let renditions = broadcast.renditions.iter();
        renditions.filter_map(|r| r.segment(number)).any(|segment| segment.is_gap())
    };
    let mut end = run.end?;
    while end > run.first && is_gap(end - 1) {
        end -= 1;
    }
    Some(end)
}

fn end_of(broadcast: &Broadcast, run: &Run) -> WallMicros {
    let shape = &broadcast.shape;
    let end = told_end(broadcast, run).unwrap_or(run.first);
    // The last segment may have been cut short.
    let last = end.checked_sub(1).and_then(|last| {
        broadcast.renditions.iter().find_map(|rendition| {
            let segment = rendition.segment(last)?;
            Some((rendition.seconds(segment.duration) * 1e6) as i64)
        })
    });
    match last {
        Some(length) => run.start + shape.micros(end - 1 - run.first) + length.min(shape.micros(1)),
        None => run.start + shape.micros(end - run.first),
    }
}

fn utc_timing(clock: &str) -> UTCTiming {
    UTCTiming { id: None, schemeIdUri: CLOCK.into(), value: Some(clock.into()) }
}

fn instant(wall: WallMicros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(wall).unwrap_or_default()
}

fn since(wall: WallMicros, zero: WallMicros) -> Duration {
    Duration::from_micros(wall.saturating_sub(zero).try_into().unwrap_or(0))
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_millis((seconds * 1000.0).round() as u64)
}
