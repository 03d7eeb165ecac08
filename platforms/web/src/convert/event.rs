//! Events, under the names and with the details that the npm package documents.

use kinora_abr::{Candidate, Reasons};
use kinora_core::PlayerError;
use kinora_core::io::{Cue, Decision, Event, Picture, Resource, Tile, TrackInfo, Warning};
use kinora_core::time::MediaTime;
use wasm_bindgen::prelude::*;

use super::error::error;
use super::object::{
    array, count, duration, number, object, option, quality, range, seconds, text,
};

/// The event's name and its `detail`; nothing for an event that this package does not know.
pub(crate) fn event(event: &Event) -> Option<(&'static str, JsValue)> {
    Some(match event {
        Event::Loaded { duration, live, tracks } => (
            "loaded",
            object(&[
                ("duration", option(*duration, seconds)),
                ("live", (*live).into()),
                ("tracks", array(tracks, track)),
            ]),
        ),
        Event::Ready => ("ready", JsValue::NULL),
        Event::Playing => ("playing", JsValue::NULL),
        Event::Buffering { seeking } => ("buffering", object(&[("seeking", (*seeking).into())])),
        Event::QualityChanged { kind, from, to, reason } => (
            "qualitychange",
            object(&[
                ("kind", text(kind.name())),
                ("from", option(from.as_ref(), quality)),
                ("to", quality(to)),
                ("reason", text(reason.code())),
                ("explanation", text(&reason.to_string())),
            ]),
        ),
        Event::Decision(choice) => ("decision", decision(choice)),
        Event::OriginFailed { origin, error: failed, penalty } => (
            "originfailed",
            object(&[
                ("origin", text(origin)),
                ("error", error(failed)),
                ("penalty", duration(*penalty)),
            ]),
        ),
        Event::OriginRecovered { origin } => {
            ("originrecovered", object(&[("origin", text(origin))]))
        }
        Event::PathwayChanged { from, to } => {
            ("pathwaychange", object(&[("from", option(from.as_deref(), text)), ("to", text(to))]))
        }
        Event::Next { url } => ("next", object(&[("url", text(url))])),
        Event::Picture { id, picture: found } => (
            "picture",
            object(&[("id", count(*id)), ("picture", option(found.as_deref(), picture))]),
        ),
        Event::Cues(cues) => ("cues", array(cues, cue)),
        Event::CuesCleared => ("cuescleared", JsValue::NULL),
        Event::SeekableChanged(span) => ("seekablechange", range(span)),
        Event::LatencyChanged { standing, latency, target } => (
            "latencychange",
            object(&[
                ("standing", text(standing.name())),
                ("latency", seconds(*latency)),
                ("target", seconds(*target)),
            ]),
        ),
        Event::LiveEnded { duration } => {
            ("liveended", object(&[("duration", option(*duration, seconds))]))
        }
        Event::Ended => ("ended", JsValue::NULL),
        Event::Warning(warned) => ("warning", warning(warned)?),
        Event::Error(fatal) => ("error", error(fatal)),
        _ => return None,
    })
}

fn track(track: &TrackInfo) -> JsValue {
    object(&[
        ("kind", text(track.kind.name())),
        ("index", number(track.index)),
        ("language", option(track.language.as_deref(), text)),
        ("label", option(track.label.as_deref(), text)),
        ("qualities", array(&track.qualities, quality)),
        ("selected", track.selected.into()),
    ])
}

fn picture(picture: &Picture) -> JsValue {
    object(&[
        ("resource", resource(&picture.resource)),
        ("init", option(picture.init.as_ref(), resource)),
        ("mimeType", text(&picture.mime_type)),
        ("start", seconds(picture.span.start)),
        ("end", seconds(picture.span.end)),
        ("tile", option(picture.tile.as_ref(), tile)),
    ])
}

fn cue(cue: &Cue) -> JsValue {
    object(&[
        ("id", text(&cue.id)),
        ("start", seconds(cue.span.start)),
        ("end", seconds(cue.span.end)),
        ("settings", text(&cue.settings)),
        ("text", text(&cue.text)),
    ])
}

fn resource(resource: &Resource) -> JsValue {
    let range = resource.range.map(|range| range.header_value());
    object(&[("url", text(&resource.url)), ("range", option(range.as_deref(), text))])
}

fn tile(tile: &Tile) -> JsValue {
    object(&[
        ("x", number(tile.x)),
        ("y", number(tile.y)),
        ("width", number(tile.width)),
        ("height", number(tile.height)),
    ])
}

fn decision(decision: &Decision) -> JsValue {
    object(&[
        ("kind", text(decision.kind.name())),
        ("segmentStart", seconds(decision.segment_start)),
        ("quality", quality(&decision.quality)),
        ("buffer", seconds(decision.buffer)),
        ("replaces", option(decision.replaces.as_ref(), quality)),
        ("reasons", reasons(&decision.reasons)),
    ])
}

pub(super) fn reasons(reasons: &Reasons) -> JsValue {
    object(&[
        ("rule", text(reasons.rule.name())),
        ("reason", text(reasons.cause.code())),
        ("explanation", text(&reasons.cause.to_string())),
        ("throughput", number(reasons.estimate.throughput_bps)),
        ("throughputLow", number(reasons.estimate.low_bps)),
        ("throughputHigh", number(reasons.estimate.high_bps)),
        ("candidates", array(&reasons.candidates, candidate)),
    ])
}

fn candidate(candidate: &Candidate) -> JsValue {
    object(&[
        ("rung", count(candidate.rung as u64)),
        ("downloadTime", number(candidate.download_s)),
        ("predictedBuffer", number(candidate.predicted_buffer_s)),
        ("stallProbability", number(candidate.stall_probability)),
    ])
}

fn warning(warning: &Warning) -> Option<JsValue> {
    Some(match warning {
        Warning::Manifest { url, line, code, message } => object(&[
            ("type", text("manifest")),
            ("url", text(url)),
            ("line", count(*line)),
            ("code", text(code.name())),
            ("message", text(message)),
        ]),
        Warning::Key { error: failed } => failure("key", failed),
        Warning::Text { error: failed } => failure("text", failed),
        Warning::Retry { url, error: failed, attempts } => object(&[
            ("type", text("retry")),
            ("url", text(url)),
            ("error", error(failed)),
            ("attempts", number(*attempts)),
        ]),
        Warning::Abandoned { kind, segment_start } => object(&[
            ("type", text("abandoned")),
            ("kind", text(kind.name())),
            ("segmentStart", seconds(*segment_start)),
        ]),
        Warning::GapJumped { from, to } => moved("gap-jumped", *from, *to),
        Warning::FellBehindWindow { from, to } => moved("fell-behind-window", *from, *to),
        Warning::JumpedToLive { from, to } => moved("jumped-to-live", *from, *to),
        Warning::ManifestStalled { url, silence_ms } => object(&[
            ("type", text("manifest-stalled")),
            ("url", text(url)),
            ("silence", number(*silence_ms as f64 / 1000.0)),
        ]),
        Warning::ManifestResumed { url } => {
            object(&[("type", text("manifest-resumed")), ("url", text(url))])
        }
        Warning::PartsTooFar { first_byte_ms, part_ms } => object(&[
            ("type", text("parts-too-far")),
            ("firstByte", number(*first_byte_ms as f64 / 1000.0)),
            ("part", number(*part_ms as f64 / 1000.0)),
        ]),
        Warning::PartsResumed => object(&[("type", text("parts-resumed"))]),
        Warning::Rebuilt { at, reason } => {
            object(&[("type", text("rebuilt")), ("at", seconds(*at)), ("reason", text(reason))])
        }
        Warning::BufferFull { kind } => {
            object(&[("type", text("buffer-full")), ("kind", text(kind.name()))])
        }
        Warning::Steering { url, fault } => {
            object(&[("type", text("steering")), ("url", text(url)), ("fault", text(fault.name()))])
        }
        _ => return None,
    })
}

fn failure(name: &str, failed: &PlayerError) -> JsValue {
    object(&[("type", text(name)), ("error", error(failed))])
}

fn moved(name: &str, from: MediaTime, to: MediaTime) -> JsValue {
    object(&[("type", text(name)), ("from", seconds(from)), ("to", seconds(to))])
}
