//! What only an HLS media playlist says.

use kinora_core::manifest::hls::{HintKind, MediaPlaylist, Part, PlaylistType, SegmentFormat};
use serde_json::{Value, json};

use super::view::{Fields, byte_range, event, seconds};

pub(super) fn describe(playlist: &MediaPlaylist) -> Value {
    let mut view = Fields::default();
    view.put("target_duration_s", seconds(playlist.target_duration));
    view.add(
        "type",
        playlist.playlist_type.map(|kind| match kind {
            PlaylistType::Event => "event",
            PlaylistType::Vod => "vod",
        }),
    );
    view.flag("live", playlist.live);
    view.flag("independent", playlist.independent);
    view.flag("i_frames_only", playlist.i_frames_only);
    view.put(
        "format",
        match playlist.format {
            SegmentFormat::FragmentedMp4 => "fmp4",
            SegmentFormat::MpegTs => "ts",
            SegmentFormat::PackedAudio => "packed audio",
            SegmentFormat::WebVtt => "webvtt",
            SegmentFormat::Unknown => "unknown",
        },
    );
    view.add("bandwidth", playlist.bandwidth);
    if let Some(start) = playlist.start {
        view.put("start", json!({"offset_s": seconds(start.offset), "precise": start.precise}));
    }
    let control = &playlist.control;
    let mut controls = Fields::default();
    controls.flag("can_block_reload", control.can_block_reload);
    controls.add("can_skip_until_s", control.can_skip_until.map(seconds));
    controls.flag("can_skip_dateranges", control.can_skip_dateranges);
    controls.add("hold_back_s", control.hold_back.map(seconds));
    controls.add("part_hold_back_s", control.part_hold_back.map(seconds));
    view.add_object("control", controls);
    view.add("part_target_s", playlist.part_target.map(seconds));
    view.add_list("parts", playlist.parts.iter().map(part));
    view.add_list(
        "hints",
        playlist.hints.iter().map(|hint| {
            let kind = match hint.kind {
                HintKind::Part => "part",
                HintKind::Map => "map",
            };
            let mut view = Fields::default();
            view.put("type", kind);
            view.put("url", &hint.url);
            view.add("range", hint.range.map(byte_range));
            view.value()
        }),
    );
    view.add_list(
        "reports",
        playlist.reports.iter().map(|report| {
            let mut view = Fields::default();
            view.put("url", &report.url);
            view.put("last_number", report.last_number);
            view.add("last_part", report.last_part);
            view.value()
        }),
    );
    view.add_list("events", playlist.events.iter().map(event));
    view.value()
}

fn part(part: &Part) -> Value {
    let mut view = Fields::default();
    view.put("segment", part.segment);
    view.put("index", part.index);
    view.put("start_s", seconds(part.start));
    view.put("duration_s", seconds(part.duration));
    view.put("url", &part.url);
    view.add("range", part.range.map(byte_range));
    view.flag("independent", part.independent);
    view.flag("gap", part.gap);
    view.value()
}
