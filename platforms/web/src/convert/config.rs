//! What the app configures. JavaScript may say anything, so every field is checked.

use core::time::Duration;

use js_sys::{Array, Object, Reflect, Uint8Array};
use kinora_abr::{Network, Rule};
use kinora_core::Config;
use kinora_core::config::{CmcdMode, CmcdTarget, KeySystemConfig, RetryBudget};
use kinora_core::io::{MediaKind, SourceFormat};
use wasm_bindgen::prelude::*;

/// No span in a configuration is longer than a day, in seconds.
const LONGEST_S: f64 = 86_400.0;
/// The largest integer a JavaScript number holds exactly.
const LARGEST: f64 = 9_007_199_254_740_991.0;

/// Changes the fields of `config` that `changes` has.
///
/// # Errors
/// Which field makes no sense, and what would.
pub(crate) fn merge_config(config: &mut Config, changes: &JsValue) -> Result<(), String> {
    let root = Fields { value: changes.clone(), path: "" };
    if let Some(buffer) = root.section("buffer")? {
        buffer.span("forward", &mut config.buffer.forward)?;
        buffer.span("back", &mut config.buffer.back)?;
        if let Some(bytes) = buffer.number("forwardBytes", 0.0, LARGEST)? {
            config.buffer.forward_bytes = bytes as u64;
        }
        if let Some(bytes) = buffer.number("backBytes", 0.0, LARGEST)? {
            config.buffer.back_bytes = bytes as u64;
        }
    }
    if let Some(abr) = root.section("abr")? {
        if let Some(rule) = abr.nullable("rule", |value| value.as_string(), "a string")? {
            if let Some(name) = &rule
                && Rule::from_name(name).is_none()
            {
                let mut wanted = String::from("one of");
                for rule in Rule::ALL {
                    wanted.push(' ');
                    wanted.push_str(rule.name());
                }
                return Err(abr.complaint("rule", &wanted));
            }
            config.abr.rule = rule;
        }
        let whole = |high: f64| move |value: &JsValue| in_range(value, 0.0, high);
        if let Some(bps) = abr.nullable("initialThroughput", whole(LARGEST), "bit/s")? {
            config.abr.initial_throughput_bps = bps;
        }
        if let Some(height) = abr.nullable("maxHeight", whole(f64::from(u32::MAX)), "pixels")? {
            config.abr.max_height = height.map(|height| height as u32);
        }
        if let Some(bps) = abr.nullable("maxBandwidth", whole(LARGEST), "bit/s")? {
            config.abr.max_bandwidth_bps = bps.map(|bps| bps as u64);
        }
        abr.flag("limitToViewport", &mut config.abr.limit_to_viewport)?;
        abr.flag("dataSaver", &mut config.abr.data_saver)?;
        abr.flag("replace", &mut config.abr.replace)?;
    }
    if let Some(retry) = root.section("retry")? {
        let into = &mut config.retry;
        retry.span("baseDelay", &mut into.base_delay)?;
        retry.span("maxDelay", &mut into.max_delay)?;
        retry.span("penalty", &mut into.penalty)?;
        if let Some(requests) = retry.number("requestsPerMinute", 1.0, 1e6)? {
            into.requests_per_minute = requests as u32;
        }
        let budgets = [
            ("manifest", &mut into.manifest),
            ("playlist", &mut into.playlist),
            ("init", &mut into.init),
            ("segment", &mut into.segment),
            ("steering", &mut into.steering),
            ("license", &mut into.license),
            ("report", &mut into.report),
        ];
        for (name, budget) in budgets {
            // What is said of all kinds, and then of this.
            merge_budget(&retry, budget)?;
            if let Some(own) = retry.section(name)? {
                merge_budget(&own, budget)?;
            }
        }
    }
    if let Some(cmcd) = root.section("cmcd")? {
        let into = &mut config.cmcd;
        if let Some(mode) = cmcd.field("mode") {
            into.mode = match mode.as_string().as_deref() {
                Some("off") => CmcdMode::Off,
                Some("query") => CmcdMode::Query,
                Some("headers") => CmcdMode::Headers,
                _ => return Err(cmcd.complaint("mode", "'off', 'query' or 'headers'")),
            };
        }
        if let Some(version) = cmcd.number("version", 1.0, 2.0)? {
            into.version = version as u8;
        }
        let string = |value: &JsValue| value.as_string();
        if let Some(id) = cmcd.nullable("sessionId", string, "a string")? {
            into.session_id = id;
        }
        if let Some(id) = cmcd.nullable("contentId", string, "a string")? {
            into.content_id = id;
        }
        let factor = |value: &JsValue| in_range(value, 1.0, 1000.0);
        if let Some(times) = cmcd.nullable("throughputFactor", factor, "a factor from 1 on")? {
            into.throughput_factor = times.map(|times| times as u32);
        }
        if let Some(signature) = cmcd.nullable("contentSignature", string, "a string")? {
            into.content_signature = signature;
        }
        cmcd.names("keys", &mut into.keys)?;
        cmcd.strings("custom", &mut into.custom)?;
        if let Some(targets) = cmcd.field("targets") {
            into.targets.clear();
            for value in Array::from(&targets).iter() {
                into.targets.push(cmcd_target(&Fields { value, path: "cmcd.targets" })?);
            }
        }
    }
    if let Some(drm) = root.section("drm")?
        && let Some(systems) = drm.field("keySystems")
    {
        config.drm.key_systems.clear();
        for value in Array::from(&systems).iter() {
            let system = Fields { value, path: "drm.keySystems" };
            config.drm.key_systems.push(key_system(&system)?);
        }
    }
    if let Some(live) = root.section("live")? {
        let span = |value: &JsValue| {
            in_range(value, 0.0, LONGEST_S)
                .map(|seconds| Duration::from_millis((seconds * 1e3) as u64))
        };
        if let Some(latency) = live.nullable("targetLatency", span, "seconds")? {
            config.live.target_latency = latency;
        }
        if let Some(after) = live.nullable("jumpAfter", span, "seconds")? {
            config.live.jump_after = after;
        }
        let change = |value: &JsValue| in_range(value, 0.0, 0.5);
        if let Some(change) = live.nullable("maxRateChange", change, "a number from 0 to 0.5")? {
            config.live.max_rate_change = change;
        }
        if let Some(catch_up) = live.field("catchUp") {
            config.live.catch_up =
                catch_up.as_bool().ok_or_else(|| live.complaint("catchUp", "true or false"))?;
        }
    }
    if let Some(seed) = root.number("seed", 0.0, LARGEST)? {
        config.seed = seed as u64;
    }
    root.flag("record", &mut config.record)?;
    Ok(())
}

fn cmcd_target(from: &Fields) -> Result<CmcdTarget, String> {
    let string = |value: &JsValue| value.as_string();
    let mut target = CmcdTarget {
        url: from.nullable("url", string, "a string")?.flatten().unwrap_or_default(),
        authorization: from.nullable("authorization", string, "a string")?.flatten(),
        ..CmcdTarget::default()
    };
    from.names("events", &mut target.events)?;
    from.names("keys", &mut target.keys)?;
    from.span("interval", &mut target.interval)?;
    if let Some(batch) = from.number("batch", 1.0, 200.0)? {
        target.batch = batch as u32;
    }
    Ok(target)
}

fn key_system(from: &Fields) -> Result<KeySystemConfig, String> {
    let string = |name: &str| -> Result<Option<String>, String> {
        match from.field(name) {
            None => Ok(None),
            Some(value) => {
                value.as_string().map(Some).ok_or_else(|| from.complaint(name, "a string"))
            }
        }
    };
    let key_system =
        string("name")?.ok_or_else(|| from.complaint("name", "the name of a key system"))?;
    let mut headers = Vec::new();
    from.strings("headers", &mut headers)?;
    let mut renew_after = Duration::ZERO;
    from.span("renewAfter", &mut renew_after)?;
    Ok(KeySystemConfig {
        key_system,
        license_url: string("licenseUrl")?,
        headers,
        video_robustness: string("videoRobustness")?,
        audio_robustness: string("audioRobustness")?,
        certificate: from.field("serverCertificate").map(|bytes| Uint8Array::new(&bytes).to_vec()),
        persistent: from.field("persistent").is_some_and(|value| value.is_truthy()),
        renew_after: (renew_after > Duration::ZERO).then_some(renew_after),
    })
}

fn merge_budget(from: &Fields, budget: &mut RetryBudget) -> Result<(), String> {
    if let Some(attempts) = from.number("attempts", 1.0, 100.0)? {
        budget.attempts = attempts as u32;
    }
    from.span("time", &mut budget.time)?;
    from.span("firstByteTimeout", &mut budget.first_byte_timeout)?;
    from.span("stallTimeout", &mut budget.stall_timeout)
}

/// # Errors
/// When it is no kind of media.
pub(crate) fn media_kind(name: &str) -> Result<MediaKind, String> {
    [MediaKind::Video, MediaKind::Audio, MediaKind::Text]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| "kind must be 'video', 'audio' or 'text'".to_owned())
}

/// What the Network Information API calls a network.
pub(crate) fn network(name: &str) -> Option<Network> {
    match name {
        "ethernet" => Some(Network::Wired),
        "wifi" => Some(Network::Wifi),
        "slow-2g" | "2g" => Some(Network::Cellular2G),
        "3g" => Some(Network::Cellular3G),
        "4g" => Some(Network::Cellular4G),
        _ => None,
    }
}

/// # Errors
/// When it is no format the player knows.
pub(crate) fn source_format(name: Option<String>) -> Result<Option<SourceFormat>, String> {
    match name.as_deref() {
        None => Ok(None),
        Some("hls") => Ok(Some(SourceFormat::Hls)),
        Some("dash") => Ok(Some(SourceFormat::Dash)),
        Some(_) => Err("format must be 'hls' or 'dash'".to_owned()),
    }
}

/// An object of the configuration, and what to call it in complaints.
struct Fields {
    value: JsValue,
    path: &'static str,
}

impl Fields {
    /// The field, unless it is absent.
    fn field(&self, name: &str) -> Option<JsValue> {
        if !self.value.is_object() {
            return None;
        }
        let value = Reflect::get(&self.value, &name.into()).ok()?;
        (!value.is_undefined()).then_some(value)
    }

    fn section(&self, name: &'static str) -> Result<Option<Self>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(value) if value.is_object() => Ok(Some(Self { value, path: name })),
            Some(_) => Err(self.complaint(name, "an object")),
        }
    }

    /// A field that `null` resets.
    fn nullable<T>(
        &self,
        name: &str,
        read: impl FnOnce(&JsValue) -> Option<T>,
        wanted: &str,
    ) -> Result<Option<Option<T>>, String> {
        match self.field(name) {
            None => Ok(None),
            Some(value) if value.is_null() => Ok(Some(None)),
            Some(value) => match read(&value) {
                Some(value) => Ok(Some(Some(value))),
                None => Err(self.complaint(name, wanted)),
            },
        }
    }

    fn number(&self, name: &str, low: f64, high: f64) -> Result<Option<f64>, String> {
        let Some(value) = self.field(name) else { return Ok(None) };
        in_range(&value, low, high).map(Some).ok_or_else(|| {
            let bounds = [(low as u64).to_string(), (high as u64).to_string()];
            self.complaint(name, &["a number from ", &bounds[0], " to ", &bounds[1]].concat())
        })
    }

    fn span(&self, name: &str, span: &mut Duration) -> Result<(), String> {
        if let Some(seconds) = self.number(name, 0.0, LONGEST_S)? {
            *span = Duration::from_millis((seconds * 1000.0) as u64);
        }
        Ok(())
    }

    fn names(&self, name: &str, names: &mut Vec<String>) -> Result<(), String> {
        let read = |value: &JsValue| {
            let names: &Array = value.dyn_ref()?;
            names.iter().map(|name| name.as_string()).collect::<Option<Vec<_>>>()
        };
        if let Some(read) = self.nullable(name, read, "an array of strings")? {
            *names = read.unwrap_or_default();
        }
        Ok(())
    }

    fn strings(&self, name: &str, strings: &mut Vec<(String, String)>) -> Result<(), String> {
        let Some(object) = self.field(name) else { return Ok(()) };
        strings.clear();
        for pair in Object::entries(object.unchecked_ref()).iter() {
            let pair: Array = pair.unchecked_into();
            match (pair.get(0).as_string(), pair.get(1).as_string()) {
                (Some(name), Some(value)) => strings.push((name, value)),
                _ => return Err(self.complaint(name, "an object of strings")),
            }
        }
        Ok(())
    }

    fn flag(&self, name: &str, flag: &mut bool) -> Result<(), String> {
        if let Some(value) = self.field(name) {
            *flag = value.as_bool().ok_or_else(|| self.complaint(name, "true or false"))?;
        }
        Ok(())
    }

    fn complaint(&self, name: &str, wanted: &str) -> String {
        let dot = if self.path.is_empty() { "" } else { "." };
        ["the configuration's ", self.path, dot, name, " must be ", wanted].concat()
    }
}

fn in_range(value: &JsValue, low: f64, high: f64) -> Option<f64> {
    value.as_f64().filter(|number| (low..=high).contains(number))
}
