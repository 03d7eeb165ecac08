//! Common Media Client Data: what a player tells a CDN with each request (CTA-5004 for version 1,
//! CTA-5004-A and -B, request mode, for version 2).
//!
//! Keys come sorted, as a dictionary of structured fields (RFC 9651). Nothing is sent that an app has
//! not been asked for by [`CmcdConfig`](crate::config::CmcdConfig): no URL but a relative path, and that
//! without its query, where signatures stand.

use crate::config::{CmcdConfig, CmcdMode};
use crate::io::{MediaKind, PlaybackStatus, RequestKind, SourceFormat};
use crate::time::MediaTime;
use crate::url;

/// What the session knows that is told with every request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Situation {
    pub(crate) format: Option<SourceFormat>,
    /// It is live, and if so with little latency.
    pub(crate) live: Option<bool>,
    pub(crate) status: PlaybackStatus,
    pub(crate) seeking: bool,
    /// Nobody sees it.
    pub(crate) hidden: bool,
    pub(crate) rate: f64,
    pub(crate) playhead: MediaTime,
    /// From the load to the first frame.
    pub(crate) startup: Option<core::time::Duration>,
    pub(crate) stalls: u32,
    pub(crate) stalled: core::time::Duration,
    pub(crate) dropped_frames: u64,
    /// Latency behind the live edge, if there is one.
    pub(crate) latency: Option<MediaTime>,
    /// Bit rate of what is shown, in bit/s.
    pub(crate) shown: Option<u64>,
}

/// What is told of one object.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Sound comes with the picture.
    pub(crate) muxed: bool,
    /// Bit rate of the representation in bit/s, and the lowest and highest of its set.
    pub(crate) bandwidth: u64,
    pub(crate) lowest: u64,
    pub(crate) highest: u64,
    pub(crate) duration: MediaTime,
    /// Media ahead of the playhead, and how much is aimed at.
    pub(crate) buffer: MediaTime,
    pub(crate) goal: MediaTime,
    /// URL of what is most likely asked for next.
    pub(crate) next: Option<String>,
}

/// What is told with one request.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) url: &'a str,
    pub(crate) facts: Option<&'a Facts>,
    /// Expected throughput in bit/s, once measured.
    pub(crate) throughput_bps: Option<f64>,
    /// Time until it is needed, if that is known.
    pub(crate) deadline: Option<core::time::Duration>,
    /// The pathway it is asked of, if that has a name.
    pub(crate) pathway: Option<&'a str>,
}

/// What has been told, so that it is not told twice.
#[derive(Debug, Default)]
pub(crate) struct Cmcd {
    pub(crate) situation: Situation,
    sequence: u64,
    stalls_told: u32,
    startup_told: bool,
}

/// The header field that a key belongs to, in the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shard {
    Object,
    Request,
    Session,
    Status,
}

const SHARDS: [(Shard, &str); 4] = [
    (Shard::Object, "CMCD-Object"),
    (Shard::Request, "CMCD-Request"),
    (Shard::Session, "CMCD-Session"),
    (Shard::Status, "CMCD-Status"),
];

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

    /// Every key with its value, sorted by key.
    fn keys(&mut self, config: &CmcdConfig, asked: &Asked<'_>) -> Vec<Key> {
        let mut report = Report {
            keys: Vec::new(),
            config,
            object: object_type(asked.kind, asked.facts),
            second: config.version >= 2,
        };
        self.tell(&mut report, asked);
        report.keys
    }

    fn tell(&mut self, report: &mut Report<'_>, asked: &Asked<'_>) {
        use Shard::{Object, Request, Session, Status};
        let (now, second) = (&self.situation, report.second);
        let media = asked.facts;
        let starved = now.stalls > self.stalls_told;
        let starting = matches!(now.status, PlaybackStatus::Loading | PlaybackStatus::Buffering)
            || now.startup.is_none();
        // In the order of their names.
        report.flag("bg", Status, second && now.hidden);
        if let Some(facts) = media {
            report.measure("bl", Request, nearest_hundred(millis(facts.buffer)));
            report.measure("br", Object, kilobits(facts.bandwidth));
        }
        report.flag("bs", Status, starved);
        if second && now.stalls > 0 {
            report.measure("bsa", Status, u64::from(now.stalls));
            report.measure("bsda", Status, now.stalled.as_millis() as u64);
        }
        if second && let Some(pathway) = asked.pathway {
            report.string("cdn", Status, pathway, 128);
        }
        if let Some(content) = &report.config.content_id {
            report.string("cid", Session, content, if second { 128 } else { 64 });
        }
        if let Some(facts) = media.filter(|facts| facts.duration > MediaTime::ZERO) {
            report.number("d", Object, millis(facts.duration));
        }
        if second && matches!(report.object, "v" | "av") {
            report.number("dfa", Request, now.dropped_frames);
        }
        if media.is_some()
            && let Some(deadline) = asked.deadline
        {
            report.number("dl", Request, nearest_hundred(deadline.as_millis() as u64));
        }
        if second && let Some(facts) = media.filter(|facts| facts.lowest > 0) {
            report.measure("lb", Object, kilobits(facts.lowest));
        }
        if second && let Some(latency) = now.latency {
            report.number("ltc", Request, millis(latency));
        }
        let startup = now.startup.filter(|_| second && !self.startup_told);
        if let Some(startup) = startup {
            report.number("msd", Session, startup.as_millis() as u64);
        }
        if let Some(throughput) = asked.throughput_bps {
            report.measure("mtp", Request, nearest_hundred(kilobits(throughput as u64)));
        }
        if let Some(next) = media.and_then(|facts| facts.next.as_deref())
            && let Some(path) = url::relative_path(asked.url, next)
        {
            report.path("nor", Request, &path);
        }
        report.token("ot", Object, report.object);
        if second && let Some(shown) = now.shown {
            report.measure("pb", Request, kilobits(shown));
        }
        if now.rate != 1.0 {
            report.decimal("pr", Status, now.rate);
        }
        if second && now.startup.is_some() {
            report.number("pt", Status, millis(now.playhead));
        }
        if let (Some(facts), Some(factor)) = (media, report.config.throughput_factor) {
            let enough = kilobits(facts.bandwidth).saturating_mul(u64::from(factor));
            report.number("rtp", Status, nearest_hundred(enough));
        }
        match now.format {
            Some(SourceFormat::Dash) => report.token("sf", Session, "d"),
            Some(SourceFormat::Hls) => report.token("sf", Session, "h"),
            None => {}
        }
        if let Some(session) = &report.config.session_id {
            report.string("sid", Session, session, 64);
        }
        if second {
            report.number("sn", Request, self.sequence);
            self.sequence += 1;
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
        report.flag("su", Request, starting && report.object != "k");
        if let Some(facts) = media.filter(|facts| facts.highest > 0) {
            report.measure("tb", Object, kilobits(facts.highest));
        }
        if second && let Some(facts) = media {
            report.measure("tbl", Request, nearest_hundred(millis(facts.goal)));
        }
        if second {
            report.number("v", Session, 2);
        }
        self.startup_told |= startup.is_some();
        self.stalls_told = self.situation.stalls;
    }
}

#[derive(Debug)]
struct Key {
    name: &'static str,
    shard: Shard,
    /// What follows the name, with the equals sign; nothing for what is true.
    value: String,
}

struct Report<'a> {
    keys: Vec<Key>,
    config: &'a CmcdConfig,
    /// `ot`.
    object: &'static str,
    /// Of version 2.
    second: bool,
}

impl Report<'_> {
    fn put(&mut self, name: &'static str, shard: Shard, value: String) {
        let wanted = &self.config.keys;
        // The version is no choice.
        if wanted.is_empty() || name == "v" || wanted.iter().any(|key| key == name) {
            self.keys.push(Key { name, shard, value });
        }
    }

    fn flag(&mut self, name: &'static str, shard: Shard, value: bool) {
        if value {
            self.put(name, shard, String::new());
        }
    }

    fn number(&mut self, name: &'static str, shard: Shard, value: u64) {
        self.put(name, shard, ["=", &value.to_string()].concat());
    }

    /// In version 2 a list of one, that says of which media it is.
    fn measure(&mut self, name: &'static str, shard: Shard, value: u64) {
        if !self.second {
            return self.number(name, shard, value);
        }
        let media = matches!(self.object, "a" | "v" | "av" | "tt" | "c");
        let of = if media { [";", self.object].concat() } else { String::new() };
        self.put(name, shard, ["=(", &value.to_string(), &of, ")"].concat());
    }

    fn token(&mut self, name: &'static str, shard: Shard, value: &str) {
        self.put(name, shard, ["=", value].concat());
    }

    fn string(&mut self, name: &'static str, shard: Shard, value: &str, most: usize) {
        self.put(name, shard, ["=", &quoted(value, most)].concat());
    }

    fn path(&mut self, name: &'static str, shard: Shard, path: &str) {
        let value = if self.second {
            ["=(", &quoted(path, usize::MAX), ")"].concat()
        } else {
            // CTA-5004 wants it encoded, besides what the query does.
            let mut encoded = String::new();
            url::push_encoded(&mut encoded, path);
            ["=", &quoted(&encoded, usize::MAX)].concat()
        };
        self.put(name, shard, value);
    }

    /// With at most three digits after the point (RFC 9651 §3.3.2).
    fn decimal(&mut self, name: &'static str, shard: Shard, value: f64) {
        let thousandths = (value.clamp(0.0, 1e6) * 1000.0 + 0.5) as u64;
        let mut text = ["=", &(thousandths / 1000).to_string()].concat();
        let mut fraction = thousandths % 1000;
        if fraction > 0 {
            text.push('.');
        }
        let mut digit = 100;
        while fraction > 0 {
            text.push(char::from(b'0' + (fraction / digit) as u8));
            fraction %= digit;
            digit /= 10;
        }
        self.put(name, shard, text);
    }
}

/// The keys of one header field, or all.
fn joined(keys: &[Key], shard: Option<Shard>) -> String {
    let mut out = String::new();
    for key in keys {
        if shard.is_none_or(|shard| shard == key.shard) {
            if !out.is_empty() {
                out.push(',');
            }
            out.push_str(key.name);
            out.push_str(&key.value);
        }
    }
    out
}

/// A string of structured fields (RFC 9651 §3.3.3), which knows ASCII only; what else there is becomes
/// a question mark.
fn quoted(text: &str, most: usize) -> String {
    let mut out = String::from("\"");
    for char in text.chars().take(most) {
        match char {
            '"' | '\\' => {
                out.push('\\');
                out.push(char);
            }
            ' '..='~' => out.push(char),
            _ => out.push('?'),
        }
    }
    out.push('"');
    out
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
        RequestKind::Steering | RequestKind::Clock => "o",
    }
}

fn state(situation: &Situation) -> &'static str {
    match situation.status {
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    fn config(mode: CmcdMode, version: u8) -> CmcdConfig {
        CmcdConfig {
            mode,
            version,
            session_id: Some("6e2fb550-c457-11e9-bb97-0800200c9a66".into()),
            content_id: Some("say \"film\"".into()),
            ..CmcdConfig::default()
        }
    }

    fn facts() -> Facts {
        Facts {
            muxed: false,
            bandwidth: 3_200_400,
            lowest: 300_000,
            highest: 6_000_000,
            duration: MediaTime::from_millis(4_004),
            buffer: MediaTime::from_millis(21_349),
            goal: MediaTime::from_secs(30),
            next: Some("https://cdn.example/film/v/8.m4s?token=secret".into()),
        }
    }

    fn asked(facts: Option<&Facts>) -> Asked<'_> {
        Asked {
            kind: RequestKind::Segment(MediaKind::Video),
            url: "https://cdn.example/film/v/7.m4s",
            facts,
            throughput_bps: Some(25_361_000.0),
            deadline: Some(Duration::from_millis(21_351)),
            pathway: Some("A"),
        }
    }

    fn playing() -> Cmcd {
        Cmcd {
            situation: Situation {
                format: Some(SourceFormat::Dash),
                status: PlaybackStatus::Playing,
                rate: 1.0,
                startup: Some(Duration::from_millis(812)),
                playhead: MediaTime::from_millis(65_432),
                shown: Some(1_500_000),
                ..Situation::default()
            },
            ..Cmcd::default()
        }
    }

    fn sent(cmcd: &mut Cmcd, version: u8, asked: &Asked<'_>) -> String {
        joined(&cmcd.keys(&config(CmcdMode::Query, version), asked), None)
    }

    #[test]
    fn the_first_version_tells_its_keys_in_order() {
        let facts = facts();
        assert_eq!(
            sent(&mut playing(), 1, &asked(Some(&facts))),
            "bl=21300,br=3200,cid=\"say \\\"film\\\"\",d=4004,dl=21400,mtp=25400,nor=\"8.m4s\",ot=v,\
             sf=d,sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\",st=v,tb=6000"
        );
    }

    #[test]
    fn the_second_version_says_of_which_media() {
        let facts = facts();
        let mut cmcd = playing();
        cmcd.situation.latency = Some(MediaTime::from_millis(3_210));
        cmcd.situation.live = Some(true);
        let first = sent(&mut cmcd, 2, &asked(Some(&facts)));
        assert_eq!(
            first,
            "bl=(21300;v),br=(3200;v),cdn=\"A\",cid=\"say \\\"film\\\"\",d=4004,dfa=0,dl=21400,\
             lb=(300;v),ltc=3210,msd=812,mtp=(25400;v),nor=(\"8.m4s\"),ot=v,pb=(1500;v),pt=65432,sf=d,\
             sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\",sn=0,st=ll,sta=p,tb=(6000;v),tbl=(30000;v),v=2"
        );
        let second = sent(&mut cmcd, 2, &asked(Some(&facts)));
        assert!(second.contains("sn=1") && !second.contains("msd"), "{second}");
    }

    #[test]
    fn keys_are_sorted_and_never_twice() {
        let facts = facts();
        for version in [1, 2] {
            let mut cmcd = playing();
            cmcd.situation = Situation {
                stalls: 2,
                rate: 1.5,
                status: PlaybackStatus::Buffering,
                live: Some(false),
                latency: Some(MediaTime::from_secs(9)),
                ..cmcd.situation
            };
            let config =
                CmcdConfig { throughput_factor: Some(5), ..config(CmcdMode::Query, version) };
            let names: Vec<_> =
                cmcd.keys(&config, &asked(Some(&facts))).iter().map(|key| key.name).collect();
            assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        }
    }

    #[test]
    fn a_player_in_the_background_says_so_in_the_second_version() {
        let facts = facts();
        let mut cmcd = playing();
        cmcd.situation.hidden = true;
        assert!(sent(&mut cmcd, 1, &asked(Some(&facts))).starts_with("bl=21300,br=3200,"));
        assert!(sent(&mut cmcd, 2, &asked(Some(&facts))).starts_with("bg,bl=(21300;v),br="));
        let (_, headers) = cmcd.decorate(&config(CmcdMode::Headers, 2), &asked(Some(&facts)));
        let (name, status) = headers.last().expect("header fields");
        assert_eq!((name.as_str(), status.as_str()), ("CMCD-Status", "bg,cdn=\"A\",pt=65432"));
    }

    #[test]
    fn a_stall_is_told_once() {
        let facts = facts();
        let mut cmcd = playing();
        cmcd.situation.stalls = 1;
        assert!(sent(&mut cmcd, 1, &asked(Some(&facts))).contains("br=3200,bs,cid"));
        assert!(!sent(&mut cmcd, 1, &asked(Some(&facts))).contains(",bs,"));
    }

    #[test]
    fn a_query_is_one_argument_and_keeps_the_others() {
        let facts = facts();
        let asked = Asked { url: "https://cdn.example/v/7.m4s?a=b", ..asked(Some(&facts)) };
        let config = CmcdConfig {
            keys: vec!["br".into(), "cid".into(), "su".into()],
            ..config(CmcdMode::Query, 1)
        };
        let mut cmcd = playing();
        cmcd.situation.status = PlaybackStatus::Buffering;
        let (url, headers) = cmcd.decorate(&config, &asked);
        assert_eq!(
            url,
            "https://cdn.example/v/7.m4s?a=b&CMCD=br%3D3200%2Ccid%3D%22say%20%5C%22film%5C%22%22%2Csu"
        );
        assert!(headers.is_empty());
    }

    #[test]
    fn headers_hold_what_belongs_to_them() {
        let facts = facts();
        let mut cmcd = playing();
        cmcd.situation.rate = 1.25;
        let (url, headers) = cmcd.decorate(&config(CmcdMode::Headers, 1), &asked(Some(&facts)));
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(url, "https://cdn.example/film/v/7.m4s");
        assert_eq!(
            headers,
            [
                header("CMCD-Object", "br=3200,d=4004,ot=v,tb=6000"),
                header("CMCD-Request", "bl=21300,dl=21400,mtp=25400,nor=\"8.m4s\""),
                header(
                    "CMCD-Session",
                    "cid=\"say \\\"film\\\"\",sf=d,sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\",st=v"
                ),
                header("CMCD-Status", "pr=1.25"),
            ]
        );
    }

    #[test]
    fn secrets_of_a_url_stay_in_it() {
        let facts = facts();
        for version in [1, 2] {
            assert!(!sent(&mut playing(), version, &asked(Some(&facts))).contains("secret"));
        }
    }

    #[test]
    fn manifests_have_no_media_keys() {
        let asked = Asked { kind: RequestKind::Manifest, deadline: None, ..asked(None) };
        let mut cmcd =
            Cmcd { situation: Situation { rate: 1.0, ..Default::default() }, ..Cmcd::default() };
        let config =
            CmcdConfig { content_id: None, session_id: None, ..config(CmcdMode::Query, 1) };
        assert_eq!(joined(&cmcd.keys(&config, &asked), None), "mtp=25400,ot=m,su");
        cmcd.situation.rate = 0.0;
        assert_eq!(joined(&cmcd.keys(&config, &asked), None), "mtp=25400,ot=m,pr=0,su");
    }

    #[test]
    fn what_is_not_ascii_is_no_string() {
        assert_eq!(quoted("caf\u{e9}\n\\", 99), "\"caf??\\\\\"");
        assert_eq!(quoted("abcdef", 3), "\"abc\"");
    }
}
