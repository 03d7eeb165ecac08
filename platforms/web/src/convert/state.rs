//! The player's state, as `stats()` gives it.

use kinora_core::telemetry::{
    ClockSource, LiveState, Masked, OriginState, RequestState, State, SteeringState, StreamState,
    TimerState, Totals,
};
use kinora_core::time::Timestamp;
use wasm_bindgen::prelude::*;

use super::event::reasons;
use super::object::{
    array, count, duration, number, object, option, quality, range, seconds, text,
};

/// The fields of the npm package's `Stats`.
pub(crate) fn state(state: &State, now: Timestamp) -> JsValue {
    object(&[
        ("status", text(state.status.name())),
        ("position", seconds(state.position)),
        ("duration", option(state.duration, seconds)),
        ("rate", number(state.rate)),
        ("live", option(state.live.as_ref(), live)),
        ("streams", array(&state.streams, stream)),
        ("throughput", option(state.throughput_bps, JsValue::from_f64)),
        ("timeToFirstByte", option(state.time_to_first_byte, duration)),
        ("rule", text(&state.rule)),
        ("requests", array(&state.requests, |each| request(each, now))),
        ("requestsWaiting", number(state.requests_waiting)),
        ("origins", array(&state.origins, |each| origin(each, now))),
        ("pathway", option(state.pathway.as_deref(), text)),
        ("steering", option(state.steering.as_ref(), |each| steering(each, now))),
        ("offline", state.offline.into()),
        ("satisfied", state.satisfied.into()),
        ("timers", array(&state.timers, |each| timer(each, now))),
        ("preloading", option(state.preloading.as_deref(), text)),
        ("queue", array(&state.queue, |url| text(url))),
        ("totals", totals(&state.totals)),
    ])
}

fn live(live: &LiveState) -> JsValue {
    object(&[
        ("latency", option(live.latency, seconds)),
        ("target", option(live.target, seconds)),
        ("edge", seconds(live.edge)),
        ("seekable", range(&live.seekable)),
        ("following", live.following.into()),
        ("rate", number(live.rate)),
        ("clock", option(live.clock.map(ClockSource::name), text)),
        ("clockUncertainty", option(live.clock_uncertainty, duration)),
        ("stalled", live.stalled.into()),
        ("far", live.far.into()),
        ("reloads", number(live.reloads)),
    ])
}

fn stream(stream: &StreamState) -> JsValue {
    object(&[
        ("kind", text(stream.kind.name())),
        ("buffered", array(&stream.buffered, range)),
        ("bufferAhead", seconds(stream.buffer_ahead)),
        ("bufferGoal", seconds(stream.buffer_goal)),
        ("shown", option(stream.shown.as_ref(), quality)),
        ("next", option(stream.next.as_ref(), quality)),
        ("reasons", option(stream.reason.as_ref(), reasons)),
        ("masked", array(&stream.masked, masked)),
        ("complete", stream.complete.into()),
    ])
}

fn masked(masked: &Masked) -> JsValue {
    object(&[("id", text(&masked.id)), ("reason", text(masked.reason.name()))])
}

fn request(request: &RequestState, now: Timestamp) -> JsValue {
    object(&[
        ("kind", text(request.kind.name())),
        ("media", option(request.kind.media(), |kind| text(kind.name()))),
        ("url", text(&request.url)),
        ("age", duration(now.since(request.started))),
        ("received", count(request.received)),
        ("attempt", number(request.attempt)),
    ])
}

fn origin(origin: &OriginState, now: Timestamp) -> JsValue {
    object(&[
        ("name", text(&origin.name)),
        ("health", text(origin.health.name())),
        ("penalty", option(origin.until, |until| duration(until.since(now)))),
        ("failures", number(origin.failures)),
    ])
}

fn steering(steering: &SteeringState, now: Timestamp) -> JsValue {
    object(&[
        ("url", text(&steering.url)),
        ("priority", array(&steering.priority, |pathway| text(pathway))),
        ("reload", option(steering.reload_at, |at| duration(at.since(now)))),
    ])
}

fn timer(timer: &TimerState, now: Timestamp) -> JsValue {
    object(&[("reason", text(timer.reason.name())), ("due", duration(timer.at.since(now)))])
}

fn totals(totals: &Totals) -> JsValue {
    object(&[
        ("startup", option(totals.startup, duration)),
        ("stalls", number(totals.stalls)),
        ("stalled", duration(totals.stalled)),
        ("qualityChanges", number(totals.quality_changes)),
        ("bytes", count(totals.bytes)),
        ("requests", number(totals.requests)),
        ("retries", number(totals.retries)),
        ("replaced", number(totals.replaced)),
        ("discarded", count(totals.discarded)),
        ("droppedFrames", count(totals.dropped_frames)),
    ])
}
