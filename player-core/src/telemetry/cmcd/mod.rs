//! Common Media Client Data: what a player tells (CTA-5004 for version 1, CTA-5004-A and -B for version 2).
//!
//! A CDN is told with each request (request mode); collectors that the app names are told of what happens (event mode,
//! always of version 2, `events.rs`). Keys come sorted, as a dictionary of structured fields (`fields.rs`). Nothing is sent
//! that an app has not been asked for by [`CmcdConfig`](crate::config::CmcdConfig): of URLs what comes before the query,
//! for in that stand signatures, and to CDNs a relative path alone.
//!
//! `ab`, `lab` and `tab` are never told: they are for who does not know the bit rate of each kind of media (Table 1 forbids
//! them otherwise), and the player knows them, or makes them out from what variants have in common.

mod events;
mod fields;
#[cfg(test)]
mod tests;

use core::time::Duration;

use self::events::{Events, Occasion};
use self::fields::{Key, Report, SHARDS, Shard, joined};
use crate::config::{CmcdConfig, CmcdMode};
use crate::io::{MediaKind, PlaybackStatus, RequestKind, SourceFormat};
use crate::time::MediaTime;
use crate::url;

pub(crate) use self::events::Response;

/// Errors and stalls that wait to be told: beyond so many the oldest are forgotten.
const MOST_UNTOLD: usize = 8;

/// What the session knows that is told on every occasion.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    pub(crate) format: Option<SourceFormat>,
    /// It is live, and if so with little latency.
    pub(crate) live: Option<bool>,
    pub(crate) status: PlaybackStatus,
    pub(crate) seeking: bool,
    /// Nobody sees it.
    pub(crate) hidden: bool,
    /// Nobody hears it, if that is known.
    pub(crate) muted: Option<bool>,
    /// It is fetched ahead, and not rendered.
    pub(crate) preloading: bool,
    /// The viewer leaves before the end.
    pub(crate) quit: bool,
    pub(crate) rate: f64,
    pub(crate) playhead: MediaTime,
    /// From the load to the first frame.
    pub(crate) startup: Option<Duration>,
    pub(crate) stalls: u32,
    pub(crate) stalled: Duration,
    pub(crate) dropped_frames: u64,
    /// Latency behind the live edge, if there is one.
    pub(crate) latency: Option<MediaTime>,
    /// Expected throughput in bit/s, once measured.
    pub(crate) throughput_bps: Option<f64>,
    /// The pathway or host of media, if it is known.
    pub(crate) pathway: Option<String>,
}

/// What is told of one kind of media, or of one object of it.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) kind: MediaKind,
    /// Sound comes with the picture.
    pub(crate) muxed: bool,
    /// Bit rate of the representation in bit/s, and the lowest and highest of its set; and the highest that the device
    /// and the app's limits let it play.
    pub(crate) bandwidth: u64,
    pub(crate) lowest: u64,
    pub(crate) highest: u64,
    pub(crate) playable: Option<u64>,
    /// Bit rate of what is shown, in bit/s.
    pub(crate) shown: Option<u64>,
    pub(crate) duration: MediaTime,
    /// Media ahead of the playhead, and how much is aimed at.
    pub(crate) buffer: MediaTime,
    pub(crate) goal: MediaTime,
    /// URL of what is most likely asked for next.
    pub(crate) next: Option<String>,
}

impl Facts {
    /// Its `ot`.
    fn object(&self) -> &'static str {
        match self.kind {
            MediaKind::Audio => "a",
            MediaKind::Video if self.muxed => "av",
            MediaKind::Video => "v",
            MediaKind::Text => "tt",
        }
    }
}

/// What is told with one request.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) url: &'a str,
    pub(crate) facts: Option<&'a Facts>,
    /// Time until it is needed, if that is known.
    pub(crate) deadline: Option<Duration>,
}

/// What is told on one occasion: with a request, of a response, or of what has happened.
struct Told<'a> {
    object: &'static str,
    /// The object that it is about.
    facts: Option<&'a Facts>,
    /// What there is to say of media: of the object alone, or of each kind.
    media: &'a [Facts],
    deadline: Option<Duration>,
    /// What comes next, seen from the object.
    next: Option<String>,
    occasion: Option<&'a Occasion<'a>>,
    second: bool,
}

/// What one destination has been told, so that it is not told twice, and what it is still to be told.
#[derive(Debug, Default)]
struct Ledger {
    sequence: u64,
    stalls: u32,
    startup: bool,
    /// How long stalls that are over lasted, in milliseconds; of which kind of media there was too little, nobody knows.
    stalled: Vec<(u64, &'static str)>,
    errors: Vec<&'static str>,
}

/// All that is told.
#[derive(Debug, Default)]
pub(crate) struct Cmcd {
    pub(crate) situation: Situation,
    /// Of each kind of media what was asked for last.
    pub(crate) media: Vec<Facts>,
    /// CDNs, which are told with each request.
    cdns: Ledger,
    pub(crate) events: Events,
}

impl Cmcd {
    /// The URL to ask and the header fields to send, with what is to be told.
    pub(crate) fn decorate(
        &mut self,
        config: &CmcdConfig,
        asked: &Asked<'_>,
    ) -> (String, Vec<(String, String)>) {
        let url = asked.url.to_owned();
        match config.mode {
            CmcdMode::Off => (url, Vec::new()),
            CmcdMode::Query => {
                let mut all = String::from("CMCD=");
                url::push_encoded(&mut all, &joined(&self.keys(config, asked), None));
                (url::with_query(&url, &all), Vec::new())
            }
            CmcdMode::Headers => {
                let keys = self.keys(config, asked);
                let mut headers = Vec::new();
                for (shard, name) in SHARDS {
                    let value = joined(&keys, Some(shard));
                    if !value.is_empty() {
                        headers.push((name.to_owned(), value));
                    }
                }
                (url, headers)
            }
        }
    }

    /// Every key of a request with its value, sorted by key.
    fn keys<'a>(&mut self, config: &'a CmcdConfig, asked: &Asked<'_>) -> Vec<Key<'a>> {
        let next = asked.facts.and_then(|facts| facts.next.as_deref());
        let told = Told {
            object: object_type(asked.kind, asked.facts),
            facts: asked.facts,
            media: asked.facts.map(core::slice::from_ref).unwrap_or_default(),
            deadline: asked.deadline,
            next: next.and_then(|next| url::relative_path(asked.url, next)),
            occasion: None,
            second: config.version >= 2,
        };
        write(config, &config.keys, (&self.situation, &self.media), &mut self.cdns, &told)
    }

    /// Something is about to be asked for.
    pub(crate) fn asking(&mut self, url: &str, facts: &Facts) {
        self.events.asking(url);
        match self.media.iter_mut().find(|known| known.kind == facts.kind) {
            Some(known) => {
                self.events.bitrate_changed |= known.bandwidth != facts.bandwidth;
                let shown = known.shown;
                *known = Facts { shown, ..facts.clone() };
            }
            None => {
                let place = self.media.iter().filter(|known| known.kind < facts.kind).count();
                crate::items::put(&mut self.media, place, facts.clone());
            }
        }
    }

    /// Something went wrong; `code` names it.
    pub(crate) fn failed(&mut self, code: &'static str) {
        self.note(None, Some(code));
    }

    /// So long has been spent in stalls.
    pub(crate) fn stalled(&mut self, all: Duration) {
        let before = core::mem::replace(&mut self.situation.stalled, all);
        if all > before {
            self.note(Some((all - before).as_millis() as u64), None);
        }
    }

    /// Notes for each destination what it is still to be told.
    fn note(&mut self, stalled: Option<u64>, error: Option<&'static str>) {
        self.cdns.note(stalled, error);
        for ledger in self.events.ledgers() {
            ledger.note(stalled, error);
        }
    }
}

impl Ledger {
    fn note(&mut self, stalled: Option<u64>, error: Option<&'static str>) {
        if let Some(length) = stalled {
            if self.stalled.len() >= MOST_UNTOLD {
                crate::items::take(&mut self.stalled, 0);
            }
            self.stalled.push((length, ""));
        }
        if let Some(code) = error {
            if self.errors.len() >= MOST_UNTOLD {
                crate::items::take(&mut self.errors, 0);
            }
            self.errors.push(code);
        }
    }
}

/// Every key with its value, sorted by key.
fn write<'a>(
    config: &'a CmcdConfig,
    wanted: &'a [String],
    (now, known): (&Situation, &[Facts]),
    ledger: &mut Ledger,
    told: &Told<'_>,
) -> Vec<Key<'a>> {
    use Shard::{Object, Request, Session, Status};
    let second = told.second;
    let (occasion, media) = (told.occasion, told.media);
    let required = occasion.map_or("", |occasion| occasion.carries);
    let object = told.object;
    let mut report = Report { keys: Vec::new(), wanted, required, object, second };
    let report = &mut report;
    let starting = matches!(now.status, PlaybackStatus::Loading | PlaybackStatus::Buffering)
        || now.startup.is_none();
    // In the order of their names.
    report.flag("bg", Status, second && now.hidden);
    report.each("bl", Request, media, |facts| Some(nearest_hundred(millis(facts.buffer))));
    report.each("br", Object, media, |facts| Some(kilobits(facts.bandwidth)));
    report.flag("bs", Status, now.stalls > ledger.stalls);
    if second {
        if now.stalls > 0 {
            report.list("bsa", Status, &[(u64::from(now.stalls), "")]);
        }
        report.list("bsd", Status, &ledger.stalled);
        if now.stalls > 0 {
            report.list("bsda", Status, &[(now.stalled.as_millis() as u64, "")]);
        }
        if let Some(pathway) = now.pathway.as_deref().filter(|_| !media.is_empty()) {
            report.string("cdn", Status, pathway, 128);
        }
    }
    if let Some(content) = &config.content_id {
        report.string("cid", Session, content, if second { 128 } else { 64 });
    }
    let response = occasion.and_then(|occasion| occasion.response);
    let fields = response.and_then(|response| response.fields);
    if let Some(fields) = fields {
        report.echo("cmsdd", fields.cmsd_dynamic.as_deref());
        report.echo("cmsds", fields.cmsd_static.as_deref());
    }
    if let Some(signature) = config.content_signature.as_ref().filter(|_| second) {
        report.string("cs", Request, signature, usize::MAX);
    }
    if let Some(facts) = told.facts.filter(|facts| facts.duration > MediaTime::ZERO) {
        report.number("d", Object, millis(facts.duration));
    }
    if second && (matches!(object, "v" | "av") || occasion.is_some()) {
        report.number("dfa", Request, now.dropped_frames);
    }
    if let Some(deadline) = told.deadline.filter(|_| !media.is_empty()) {
        report.number("dl", Request, nearest_hundred(deadline.as_millis() as u64));
    }
    if let Some(occasion) = occasion {
        report.token("e", Request, occasion.event);
    }
    if second {
        report.strings("ec", Status, &ledger.errors);
    }
    if let Some(host) = occasion.and_then(|occasion| occasion.host) {
        report.string("h", Request, host, 128);
    }
    if second {
        report.each("lb", Object, media, |facts| {
            (facts.lowest > 0).then_some(kilobits(facts.lowest))
        });
        if let Some(latency) = now.latency {
            report.number("ltc", Request, millis(latency));
        }
    }
    let startup = now.startup.filter(|_| second && !ledger.startup);
    if let Some(startup) = startup {
        report.number("msd", Session, startup.as_millis() as u64);
    }
    if let Some(throughput) = now.throughput_bps {
        report.measure("mtp", Request, nearest_hundred(kilobits(throughput as u64)));
    }
    if let Some(next) = &told.next {
        report.path("nor", Request, next);
    }
    report.flag("nr", Status, second && now.preloading);
    if !object.is_empty() {
        report.token("ot", Object, object);
    }
    if second {
        report.each("pb", Request, known, |facts| facts.shown.map(kilobits));
    }
    if now.rate != 1.0 || required == "pr" {
        report.decimal("pr", Status, now.rate);
    }
    if second && now.startup.is_some() {
        report.number("pt", Status, millis(now.playhead));
    }
    if let Some(response) = response {
        report.number("rc", Request, u64::from(response.status));
    }
    if let (Some(facts), Some(factor)) = (told.facts, config.throughput_factor) {
        let enough = kilobits(facts.bandwidth).saturating_mul(u64::from(factor));
        report.number("rtp", Status, nearest_hundred(enough));
    }
    match now.format {
        Some(SourceFormat::Dash) => report.token("sf", Session, "d"),
        Some(SourceFormat::Hls) => report.token("sf", Session, "h"),
        None => {}
    }
    if let Some(session) = &config.session_id {
        report.string("sid", Session, session, 64);
    }
    report.echo("smrt", fields.and_then(|fields| fields.smrt_data.as_deref()));
    if second {
        report.number("sn", Request, ledger.sequence);
        ledger.sequence += 1;
    }
    if now.format.is_some() {
        let kind = match now.live {
            None => "v",
            // Version 1 knows nothing of little latency.
            Some(low) => {
                if low && second {
                    "ll"
                } else {
                    "l"
                }
            }
        };
        report.token("st", Session, kind);
    }
    if second {
        report.token("sta", Request, state(now));
    }
    report.flag("su", Request, starting && object != "k");
    report
        .each("tb", Object, media, |facts| (facts.highest > 0).then_some(kilobits(facts.highest)));
    if second {
        report.each("tbl", Request, media, |facts| Some(nearest_hundred(millis(facts.goal))));
        // It tells devices apart, and is no default.
        if report.is_named("tpb") {
            report.each("tpb", Object, media, |facts| facts.playable.map(kilobits));
        }
    }
    if let Some(occasion) = occasion {
        report.number("ts", Request, occasion.at_ms);
    }
    if let Some(response) = response {
        let times = [("ttfb", response.head), ("ttfbb", response.first), ("ttlb", response.last)];
        for (name, time) in times {
            if let Some(time) = time {
                report.number(name, Request, time.as_millis() as u64);
            }
        }
        // Where signatures stand is nobody's business.
        let url = response.url;
        let url = url::cut(url, b'#').map_or(url, |(before, _)| before);
        let url = url::cut(url, b'?').map_or(url, |(before, _)| before);
        report.string("url", Request, url, 2_000);
    }
    if second {
        report.number("v", Session, 2);
        ledger.errors.clear();
        ledger.stalled.clear();
    }
    ledger.startup |= startup.is_some();
    ledger.stalls = now.stalls;
    for (name, value) in &config.custom {
        report.custom(name, value);
    }
    core::mem::take(&mut report.keys)
}

fn object_type(kind: RequestKind, facts: Option<&Facts>) -> &'static str {
    match kind {
        RequestKind::Manifest | RequestKind::MediaPlaylist(_) => "m",
        RequestKind::Initialization(_) | RequestKind::Index(_) => "i",
        RequestKind::Segment(MediaKind::Audio) => "a",
        RequestKind::Segment(MediaKind::Video) if facts.is_some_and(|facts| facts.muxed) => "av",
        RequestKind::Segment(MediaKind::Video) => "v",
        RequestKind::Segment(MediaKind::Text) => "tt",
        RequestKind::License | RequestKind::Key => "k",
        RequestKind::Steering | RequestKind::Clock | RequestKind::Report => "o",
    }
}

fn state(situation: &Situation) -> &'static str {
    match situation.status {
        _ if situation.quit => "q",
        _ if situation.preloading => "d",
        PlaybackStatus::Idle | PlaybackStatus::Loading => "s",
        PlaybackStatus::Playing => "p",
        PlaybackStatus::Buffering if situation.seeking => "k",
        PlaybackStatus::Buffering => "r",
        PlaybackStatus::Paused => "a",
        PlaybackStatus::Ended => "e",
        PlaybackStatus::Failed => "f",
    }
}

fn millis(time: MediaTime) -> u64 {
    time.to_duration().as_millis() as u64
}

/// The nearest kbit/s.
const fn kilobits(bits: u64) -> u64 {
    bits.saturating_add(500) / 1000
}

const fn nearest_hundred(value: u64) -> u64 {
    value.saturating_add(50) / 100 * 100
}
