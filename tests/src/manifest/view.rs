//! The model as JSON: what is not stated is left out, times are seconds.

use kinora_core::io::{ByteRange, SourceFormat};
use kinora_core::manifest::{ManifestError, ManifestErrorKind, ManifestWarning};
use kinora_core::presentation::{
    Asset, Clock, Descriptor, EventData, EventTime, InitSegment, Live, Origin, Period,
    Presentation, Protection, ProtectionMethod, Purpose, Representation, Segment, SegmentIndex,
    Segments, ServiceDescription, SwitchingSet, Target, TimedEvent, VideoRange,
};
use kinora_core::time::{MediaTime, WallTime};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Answer;
use super::playlist;

/// What was understood of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PresentationView(Value);

/// A document that was not understood.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RefusalView {
    /// Its file; none: the manifest itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, counted from 1.
    pub line: u64,
    /// The fault, typed.
    pub kind: ManifestErrorKind,
    /// The fault, for people.
    pub message: String,
}

/// Every document that was not understood.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refusals {
    /// The manifest's own fault, or the first of those beside it.
    pub error: RefusalView,
    /// Further ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<RefusalView>,
}

impl Refusals {
    /// Those of an answer, if it has any.
    pub fn of(answer: &Answer) -> Option<Self> {
        let own = answer.manifest.as_ref().err().map(|error| refusal(None, error));
        let beside = answer.refused.iter().map(|(file, error)| refusal(Some(file.clone()), error));
        let mut all = own.into_iter().chain(beside);
        Some(Self { error: all.next()?, more: all.collect() })
    }
}

fn refusal(file: Option<String>, error: &ManifestError) -> RefusalView {
    RefusalView {
        file,
        line: error.line,
        kind: error.kind.clone(),
        message: error.kind.to_string(),
    }
}

impl PresentationView {
    /// All that was understood; besides first and last, so many segments of each representation. A live
    /// period of numbers has no end.
    pub fn of(answer: &Answer, most: usize) -> Option<Self> {
        let parsed = answer.manifest.as_ref().ok()?;
        let own = parsed.warnings.iter().map(|found| warning(None, found));
        let beside = answer.warnings.iter().map(|(file, found)| warning(Some(file), found));
        let presentation = &parsed.value;
        let mut view = Fields::default();
        view.put("kind", format_name(answer.format));
        view.put("live", presentation.live.is_some());
        view.put("duration_s", presentation.duration.map(seconds));
        view.add("id", presentation.id.clone());
        if let Some(following) = &presentation.live {
            view.add_object("timing", live(following));
        }
        view.add_object("update", update(presentation));
        if let Some(start) = presentation.start {
            view.put("start", json!({"offset_s": seconds(start.offset), "precise": start.precise}));
        }
        if let Some(steering) = &presentation.steering {
            view.put(
                "steering",
                json!({
                    "url": steering.url,
                    "default_pathways": steering.default_pathways,
                    "before_start": steering.before_start,
                }),
            );
        }
        view.add_list("services", presentation.services.iter().map(service));
        view.add_list("protection", presentation.protection.iter().map(protection));
        view.add_list(
            "data",
            presentation.data.iter().map(|data| {
                let mut view = Fields::default();
                view.put("id", data.id.clone());
                view.add("value", data.value.clone());
                view.add("url", data.url.clone());
                view.flag("raw", data.raw);
                view.add("lang", data.language.clone());
                view.value()
            }),
        );
        let variables = &presentation.variables;
        view.add("variables", (!variables.is_empty()).then_some(variables));
        view.add_list(
            "unknown",
            presentation.unknown.iter().map(|tag| {
                let mut view = Fields::default();
                view.put("line", tag.line);
                view.put("name", tag.name.clone());
                view.put("value", tag.value.clone());
                view.add("segment", tag.segment);
                view.add("start_s", tag.start.map(seconds));
                view.value()
            }),
        );
        view.put_list("periods", presentation.periods.iter().map(|of| period(of, answer, most)));
        view.put_list("warnings", own.chain(beside));
        Some(Self(view.value()))
    }

    /// The JSON itself.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

fn format_name(format: SourceFormat) -> &'static str {
    match format {
        SourceFormat::Hls => "hls",
        SourceFormat::Dash => "dash",
    }
}

fn warning(file: Option<&String>, warning: &ManifestWarning) -> Value {
    let mut view = Fields::default();
    view.add("file", file.cloned());
    view.put("line", warning.line);
    view.put("code", warning.code.name());
    view.put("text", warning.message.clone());
    view.value()
}

fn live(live: &Live) -> Fields {
    let mut view = Fields::default();
    view.add("origin", live.origin.map(date_time));
    view.add("until", live.until.map(date_time));
    view.add("window_s", live.window.map(seconds));
    view.add("delay_s", live.delay.map(seconds));
    view.add("part_delay_s", live.part_delay.map(seconds));
    view.add_list(
        "clocks",
        live.clocks.iter().map(|clock| match clock {
            Clock::Direct(at) => json!({"direct": date_time(*at)}),
            Clock::HttpHead(url) => json!({"head": url}),
            Clock::HttpXsDate(url) => json!({"xsdate": url}),
            Clock::HttpIso(url) => json!({"iso": url}),
            Clock::HttpNtp(url) => json!({"ntp": url}),
        }),
    );
    view
}

fn update(presentation: &Presentation) -> Fields {
    let update = &presentation.update;
    let mut view = Fields::default();
    view.add("period_s", update.period.map(seconds));
    view.add("published", update.published.map(date_time));
    view.add_list("locations", update.locations.iter().map(|url| json!(url)));
    view.add_list(
        "patches",
        update
            .patches
            .iter()
            .map(|(url, until)| json!({"url": url, "until": until.map(date_time)})),
    );
    view
}

fn service(service: &ServiceDescription) -> Value {
    let mut view = Fields::default();
    view.add("id", service.id.clone());
    view.add_list("scopes", service.scopes.iter().map(|scope| json!(scope)));
    if let Some(latency) = service.latency {
        view.put("latency_s", target(latency, seconds));
    }
    view.add("latency_reference", service.latency_reference.clone());
    if let Some(rate) = service.rate {
        view.put("rate", target(rate, |rate| rate));
    }
    if let Some(bandwidth) = service.bandwidth {
        view.put("bandwidth", target(bandwidth, |bandwidth| bandwidth));
    }
    view.value()
}

fn target<T, U: Serialize>(target: Target<T>, to: impl Fn(T) -> U) -> Value {
    let mut view = Fields::default();
    view.add("least", target.least.map(&to));
    view.add("target", target.target.map(&to));
    view.add("most", target.most.map(&to));
    view.value()
}

fn period(period: &Period, answer: &Answer, most: usize) -> Value {
    let mut view = Fields::default();
    view.put("id", period.id.clone());
    view.put("start_s", seconds(period.start));
    view.put("duration_s", period.duration.map(seconds));
    view.add("remote", period.remote.clone());
    view.add_list("events", period.events.iter().map(event));
    view.add_list(
        "preselections",
        period.preselections.iter().map(|preselection| {
            let mut view = Fields::default();
            view.add("id", preselection.id.clone());
            view.put("components", preselection.components.clone());
            view.add("lang", preselection.language.clone());
            view.add_list("labels", preselection.labels.iter().map(label));
            view.add_list("roles", preselection.roles.iter().map(|role| json!(role)));
            view.text("codecs", &preselection.codecs);
            view.value()
        }),
    );
    view.put_list("sets", period.sets.iter().map(|of| set(of, answer, most)));
    view.value()
}

fn label(label: &kinora_core::presentation::Label) -> Value {
    let mut view = Fields::default();
    view.add("lang", label.language.clone());
    view.put("text", label.text.clone());
    view.flag("group", label.group);
    view.value()
}

fn descriptor(descriptor: &Descriptor) -> Value {
    let mut view = Fields::default();
    view.put("scheme", descriptor.scheme.clone());
    view.text("value", &descriptor.value);
    view.add("id", descriptor.id.clone());
    view.value()
}

pub(super) fn event(event: &TimedEvent) -> Value {
    let mut view = Fields::default();
    view.put("id", event.id.clone());
    view.text("scheme", &event.scheme);
    view.text("value", &event.value);
    match event.start {
        EventTime::Media(at) => view.put("start_s", seconds(at)),
        EventTime::Wall(at) => view.put("start", date_time(at)),
    }
    view.add("duration_s", event.duration.map(seconds));
    view.add("planned_duration_s", event.planned_duration.map(seconds));
    view.flag("end_on_next", event.end_on_next);
    match &event.data {
        EventData::None => {}
        EventData::Text(text) => view.put("text", text),
        EventData::Bytes(bytes) => view.put("bytes", hexadecimal(bytes)),
        EventData::Attributes(attributes) => view.put("attributes", attributes),
    }
    for (name, bytes) in [
        ("scte35_command", &event.scte35.command),
        ("scte35_out", &event.scte35.out),
        ("scte35_in", &event.scte35.back),
    ] {
        view.add(name, bytes.as_deref().map(hexadecimal));
    }
    if let Some(interstitial) = &event.interstitial {
        let mut inner = Fields::default();
        match &interstitial.asset {
            Asset::Manifest(url) => inner.put("manifest", url),
            Asset::List(url) => inner.put("list", url),
        }
        inner.add("resume_offset_s", interstitial.resume_offset.map(seconds));
        inner.add("playout_limit_s", interstitial.playout_limit.map(seconds));
        for (name, on) in [
            ("snap_out", interstitial.snap_out),
            ("snap_in", interstitial.snap_in),
            ("restrict_jump", interstitial.restrict_jump),
            ("restrict_skip", interstitial.restrict_skip),
            ("before", interstitial.before),
            ("after", interstitial.after),
            ("once", interstitial.once),
            ("may_vary", interstitial.may_vary),
            ("occupies_range", interstitial.occupies_range),
            ("highlighted", interstitial.highlighted),
        ] {
            inner.flag(name, on);
        }
        view.put("interstitial", inner.value());
    }
    view.value()
}

fn set(set: &SwitchingSet, answer: &Answer, most: usize) -> Value {
    let mut view = Fields::default();
    view.add("id", set.id.clone());
    view.put("type", set.kind.name());
    match &set.purpose {
        Purpose::Playback => {}
        Purpose::TrickPlay { of } => view.put("trick_play", json!({"of": of})),
        Purpose::Thumbnails => view.put("thumbnails", true),
    }
    view.put("lang", set.language.clone());
    view.add("label", set.label.clone());
    view.add_list("labels", set.labels.iter().map(label));
    view.put("roles", set.roles.clone());
    view.add_list("accessibility", set.accessibility.iter().map(descriptor));
    view.add_list("properties", set.properties.iter().map(descriptor));
    view.flag("default", set.default);
    view.flag("only_if_asked_for", !set.auto_select);
    if set.priority != 1 {
        view.put("priority", set.priority);
    }
    view.add("in_stream", set.in_stream.clone());
    view.add_list("event_schemes", set.event_schemes.iter().map(descriptor));
    view.add_list(
        "reference_times",
        set.reference_times.iter().map(|reference| {
            json!({
                "id": reference.id,
                "inband": reference.inband,
                "captured": reference.captured,
                "wall": date_time(reference.wall),
                "media_s": seconds(reference.media),
            })
        }),
    );
    if let Some(continues) = &set.continues {
        view.put(
            "continues",
            json!({"periods": continues.periods, "timestamps": continues.timestamps}),
        );
    }
    view.put("codecs", codecs(set));
    view.put_list("protection", protections(set).into_iter().map(protection));
    view.put_list(
        "representations",
        set.representations.iter().map(|of| representation(of, answer, most)),
    );
    view.value()
}

/// Every codec of a set once, in the order they come.
fn codecs(set: &SwitchingSet) -> Vec<&str> {
    let mut codecs: Vec<&str> = Vec::new();
    for representation in &set.representations {
        for codec in representation.codecs.split(',').map(str::trim) {
            if !codec.is_empty() && !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
    }
    codecs
}

/// Every way a set is encrypted once: as the manifest says, and as its segments do.
fn protections(set: &SwitchingSet) -> Vec<&Protection> {
    let mut all: Vec<&Protection> = Vec::new();
    for representation in &set.representations {
        let of_segments = match &representation.segments {
            Segments::Known(index) => index.keys(),
            Segments::Playlist { .. } | Segments::IndexBox { .. } => &[],
        };
        for protection in representation.protection.as_deref().into_iter().chain(of_segments) {
            if !all.contains(&protection) {
                all.push(protection);
            }
        }
    }
    all
}

fn protection(protection: &Protection) -> Value {
    let mut view = Fields::default();
    view.put(
        "method",
        match &protection.method {
            ProtectionMethod::Cenc => "cenc",
            ProtectionMethod::Cbcs => "cbcs",
            ProtectionMethod::Other(code) => code,
            ProtectionMethod::SampleAes => "SAMPLE-AES",
            ProtectionMethod::Aes128 => "AES-128",
        },
    );
    view.add_list("key_ids", protection.key_ids.iter().map(|id| json!(hexadecimal(id))));
    view.add("iv", protection.iv.as_ref().map(|iv| hexadecimal(iv)));
    view.add_list(
        "systems",
        protection.systems.iter().map(|system| {
            let mut view = Fields::default();
            view.put("scheme", system.scheme.clone());
            view.add_list("versions", system.versions.iter().map(|version| json!(version)));
            view.add("uri", system.uri.clone());
            view.add("pssh", system.pssh.as_deref().map(hexadecimal));
            view.add_list("license_urls", system.license_urls.iter().map(|url| json!(url)));
            view.add("robustness", system.robustness.clone());
            view.add("pro", system.pro.as_deref().map(hexadecimal));
            view.value()
        }),
    );
    view.value()
}

fn representation(of: &Representation, answer: &Answer, most: usize) -> Value {
    let mut view = Fields::default();
    view.put("id", of.id.clone());
    view.put("bandwidth", of.bandwidth);
    view.add("average_bandwidth", of.average_bandwidth);
    view.put("width", of.width);
    view.put("height", of.height);
    view.add("frame_rate", of.frame_rate);
    view.text("container", &of.container);
    view.put("codecs", of.codecs.clone());
    view.text("supplemental_codecs", &of.supplemental_codecs);
    match of.video_range {
        VideoRange::Sdr => {}
        VideoRange::Hlg => view.put("video_range", "hlg"),
        VideoRange::Pq => view.put("video_range", "pq"),
    }
    view.add("channels", of.channels);
    view.add("sampling_rate", of.sampling_rate);
    view.add("bit_depth", of.bit_depth);
    view.add("score", of.score);
    view.add("layout", of.layout.clone());
    view.add("hdcp", of.hdcp.clone());
    view.add("allowed_cpc", of.allowed_cpc.clone());
    view.add("max_playout_rate", of.max_playout_rate);
    view.add("tiles", of.tiles);
    if let Some(chunked) = &of.chunked {
        let offset = (chunked.offset != MediaTime::MAX).then(|| seconds(chunked.offset));
        view.put(
            "chunked",
            json!({
                "offset_s": offset,
                "complete": chunked.complete,
                "resync_s": chunked.resync.map(seconds),
            }),
        );
    }
    view.add_list("origins", of.origins.iter().map(origin));
    let playlist = answer.playlists.iter().find(|(id, _)| *id == of.id);
    view.add("media_playlist", playlist.map(|(_, playlist)| playlist::describe(playlist)));
    match &of.segments {
        Segments::Known(index) => known(&mut view, index, most),
        Segments::Playlist { url } => {
            view.put("segments", Value::Null);
            view.put("playlist", url.clone());
        }
        Segments::IndexBox { url, range, init, media_offset, end } => {
            view.put("segments", Value::Null);
            let mut index = Fields::default();
            index.put("url", url.clone());
            index.add("range", range.map(byte_range));
            index.add("init", init.as_ref().map(init_segment));
            index.put("media_offset_s", seconds(*media_offset));
            index.add("end_s", end.map(seconds));
            view.put("index_box", index.value());
        }
    }
    view.value()
}

fn known(view: &mut Fields, index: &SegmentIndex, most: usize) {
    view.put("segments", index.len());
    view.add("media_offset_s", index.media_offset().map(seconds));
    view.add_list("inits", index.inits().iter().map(init_segment));
    view.add("first", index.get(0).as_ref().map(segment));
    view.add(
        "last",
        index.len().checked_sub(1).and_then(|last| index.get(last)).as_ref().map(segment),
    );
    if most > 0 {
        view.put_list("all", index.iter().take(most).map(|each| segment(&each)));
    }
}

fn segment(segment: &Segment) -> Value {
    let mut view = Fields::default();
    view.put("url", segment.url.clone());
    view.put("start_s", seconds(segment.start));
    view.put("duration_s", seconds(segment.duration));
    view.put("number", segment.number);
    view.add("range", segment.range.map(byte_range));
    view.add("init", segment.init);
    if segment.discontinuity > 0 {
        view.put("discontinuity", segment.discontinuity);
    }
    view.flag("gap", segment.gap);
    view.add("wall_time", segment.wall_time.map(date_time));
    view.add("key", segment.key);
    view.add("bit_rate", segment.bit_rate);
    view.value()
}

fn init_segment(init: &InitSegment) -> Value {
    let mut view = Fields::default();
    view.put("url", init.url.clone());
    view.add("range", init.range.map(byte_range));
    view.value()
}

fn origin(origin: &Origin) -> Value {
    let mut view = Fields::default();
    view.put("url", origin.url.clone());
    view.add("pathway", origin.pathway.clone());
    if (origin.priority, origin.weight) != (1, 1) {
        view.put("priority", origin.priority);
        view.put("weight", origin.weight);
    }
    view.value()
}

/// `length@start`, as HLS writes it; `@start` to the end of the resource.
pub(super) fn byte_range(range: ByteRange) -> String {
    let length = range.length.map(|length| length.to_string()).unwrap_or_default();
    format!("{length}@{}", range.start)
}

pub(super) fn seconds(time: MediaTime) -> f64 {
    time.seconds()
}

/// RFC 3339. Far from now, where that has no form, microseconds since 1970.
fn date_time(time: WallTime) -> String {
    match chrono::DateTime::from_timestamp_micros(time.micros()) {
        Some(moment) => moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        None => format!("{} us", time.micros()),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An object.
#[derive(Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// Always there, `null` if there is nothing.
    pub(super) fn put(&mut self, name: &str, value: impl Serialize) {
        // Only keys that are no strings, of which there are none, could fail.
        self.0.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
    }

    /// There if there is something.
    pub(super) fn add(&mut self, name: &str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    pub(super) fn flag(&mut self, name: &str, on: bool) {
        self.add(name, on.then_some(true));
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.add(name, (!text.is_empty()).then_some(text));
    }

    pub(super) fn put_list(&mut self, name: &str, values: impl Iterator<Item = Value>) {
        self.put(name, values.collect::<Vec<_>>());
    }

    pub(super) fn add_list(&mut self, name: &str, values: impl Iterator<Item = Value>) {
        let values: Vec<Value> = values.collect();
        self.add(name, (!values.is_empty()).then_some(values));
    }

    pub(super) fn add_object(&mut self, name: &str, fields: Fields) {
        self.add(name, (!fields.0.is_empty()).then(|| fields.value()));
    }

    pub(super) fn value(self) -> Value {
        Value::Object(self.0)
    }
}
