//! What is told, word for word.

use core::time::Duration;

use super::fields::{joined, quoted};
use super::*;
use crate::config::{CmcdConfig, CmcdMode, CmcdTarget};
use crate::io::SourceFormat;

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
        kind: MediaKind::Video,
        muxed: false,
        bandwidth: 3_200_400,
        lowest: 300_000,
        highest: 6_000_000,
        playable: Some(3_000_000),
        shown: Some(1_500_000),
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
        deadline: Some(Duration::from_millis(21_351)),
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
            throughput_bps: Some(25_361_000.0),
            pathway: Some("A".into()),
            ..Situation::default()
        },
        media: vec![facts()],
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
        let config = CmcdConfig { throughput_factor: Some(5), ..config(CmcdMode::Query, version) };
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
    let mut cmcd = Cmcd {
        situation: Situation {
            rate: 1.0,
            throughput_bps: Some(25_361_000.0),
            ..Default::default()
        },
        ..Cmcd::default()
    };
    let config = CmcdConfig { content_id: None, session_id: None, ..config(CmcdMode::Query, 1) };
    assert_eq!(joined(&cmcd.keys(&config, &asked), None), "mtp=25400,ot=m,su");
    cmcd.situation.rate = 0.0;
    assert_eq!(joined(&cmcd.keys(&config, &asked), None), "mtp=25400,ot=m,pr=0,su");
}

#[test]
fn what_is_not_ascii_is_no_string() {
    assert_eq!(quoted("caf\u{e9}\n\\", 99), "\"caf??\\\\\"");
    assert_eq!(quoted("abcdef", 3), "\"abc\"");
}

/// Two kinds of media, of which the picture was shown in another quality before.
fn both() -> Vec<Facts> {
    let sound = Facts {
        kind: MediaKind::Audio,
        bandwidth: 128_000,
        lowest: 64_000,
        highest: 128_000,
        playable: Some(128_000),
        shown: Some(128_000),
        buffer: MediaTime::from_secs(12),
        ..facts()
    };
    vec![facts(), sound]
}

#[test]
fn what_the_second_version_tells_besides_has_to_be_so_or_to_be_asked_for() {
    let facts = facts();
    let mut cmcd = playing();
    cmcd.media = both();
    cmcd.stalled(Duration::from_millis(720));
    cmcd.stalled(Duration::from_millis(1_000));
    cmcd.failed("network-timeout");
    cmcd.failed("http-status");
    cmcd.situation.stalls = 2;
    cmcd.situation.preloading = true;
    let keys = ["bsa", "bsd", "bsda", "cs", "ec", "nr", "pb", "sta", "tpb"];
    let config = CmcdConfig {
        content_signature: Some("g48djn236sk2".into()),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        ..config(CmcdMode::Query, 2)
    };
    let mut told = || joined(&cmcd.keys(&config, &asked(Some(&facts))), None);
    assert_eq!(
        told(),
        "bsa=(2),bsd=(720 280),bsda=(1000),cs=\"g48djn236sk2\",ec=(\"network-timeout\" \"http-status\"),nr,\
         pb=(1500;v 128;a),sta=d,tpb=(3000;v),v=2"
    );
    let again = told();
    assert!(!again.contains("bsd=") && !again.contains("ec="), "told once: {again}");
    let all = sent(&mut cmcd, 2, &asked(Some(&facts)));
    assert!(!all.contains("tpb"), "only where it is named: {all}");
    let first = sent(&mut cmcd, 1, &asked(Some(&facts)));
    for key in ["bsa", "cs=", "nr", "pb=", "sta="] {
        assert!(!first.contains(key), "{key} is not of version 1: {first}");
    }
}

#[test]
fn what_nobody_is_told_is_not_kept_for_ever() {
    let mut cmcd = playing();
    for second in 1..1_000 {
        cmcd.stalled(Duration::from_secs(second));
        cmcd.failed("http-status");
    }
    cmcd.failed("network-timeout");
    let text = sent(&mut cmcd, 2, &asked(None));
    assert!(text.contains("bsd=(1000 1000 1000 1000 1000 1000 1000 1000),"), "{text}");
    assert_eq!(text.matches("http-status").count(), 7, "{text}");
    assert!(text.contains("\"http-status\" \"network-timeout\")"), "the last ones: {text}");
}

// ---- event mode -----------------------------------------------------------------------------------------

const WALL_US: i64 = 1_764_752_400_000_000;

fn told_to(targets: Vec<CmcdTarget>) -> crate::Config {
    let cmcd = CmcdConfig { targets, ..config(CmcdMode::Off, 1) };
    crate::Config { cmcd, ..crate::Config::default() }
}

fn target(events: &[&str], keys: &[&str]) -> CmcdTarget {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let (events, keys) = (owned(events), owned(keys));
    CmcdTarget { url: "https://c.example/".into(), events, keys, ..CmcdTarget::default() }
}

/// What one collector would be sent now.
fn batch(cmcd: &mut Cmcd, config: &crate::Config, second: u64) -> Option<String> {
    cmcd.look(config, crate::time::Timestamp::from_micros(second * 1_000_000), WALL_US);
    cmcd.events.batch(0, 1, false)
}

#[test]
fn an_event_tells_of_each_kind_of_media() {
    let config = told_to(vec![target(&["t"], &[])]);
    let mut cmcd = playing();
    cmcd.media = both();
    cmcd.events.asking("https://cdn.example:8443/film/v/7.m4s");
    assert_eq!(
        batch(&mut cmcd, &config, 0).as_deref(),
        Some(
            "bl=(21300;v 12000;a),br=(3200;v 128;a),cdn=\"A\",cid=\"say \\\"film\\\"\",dfa=0,e=t,\
             h=\"cdn.example:8443\",lb=(300;v 64;a),msd=812,mtp=(25400),pb=(1500;v 128;a),pt=65432,sf=d,\
             sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\",sn=0,st=v,sta=p,tb=(6000;v 128;a),\
             tbl=(30000;v 30000;a),ts=1764752400000,v=2"
        )
    );
    assert_eq!(batch(&mut cmcd, &config, 29), None);
    let later = batch(&mut cmcd, &config, 30).unwrap_or_default();
    assert!(later.contains("sn=1,") && later.contains("ts=1764752430000,"), "{later}");
    assert!(!later.contains("msd="), "{later}");
}

#[test]
fn what_changes_is_told_with_what_it_is_now_whichever_keys_are_wanted() {
    let config = told_to(vec![target(&["ps", "pr", "b", "bc", "h", "c", "e"], &["sid"])]);
    let mut cmcd = playing();
    cmcd.asking("https://a.example/1", &facts());
    let sid = "sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\"";
    let said = |cmcd: &mut Cmcd, config: &crate::Config| {
        batch(cmcd, config, 1).map(|text| text.replace(sid, "S").replace("ts=1764752401000", "T"))
    };
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("e=ps,S,sta=p,T,v=2"));
    assert_eq!(said(&mut cmcd, &config), None, "nothing has changed");
    cmcd.situation.rate = 1.5;
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("e=pr,pr=1.5,S,T,v=2"));
    cmcd.situation.rate = 1.0;
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("e=pr,pr=1,S,T,v=2"));
    cmcd.situation.hidden = true;
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("bg,e=b,S,T,v=2"));
    cmcd.situation.hidden = false;
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("e=b,S,T,v=2"));
    cmcd.asking("https://a.example/2", &Facts { bandwidth: 6_000_000, ..facts() });
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("br=(6000;v),e=bc,S,T,v=2"));
    cmcd.asking("https://b.example/3", &Facts { bandwidth: 6_000_000, ..facts() });
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("e=h,h=\"b.example\",S,T,v=2"));
    cmcd.failed("http-status");
    assert_eq!(said(&mut cmcd, &config).as_deref(), Some("e=e,ec=(\"http-status\"),S,T,v=2"));
    let mut other = config;
    other.cmcd.content_id = Some("two".into());
    assert_eq!(said(&mut cmcd, &other).as_deref(), Some("cid=\"two\",e=c,S,T,v=2"));
}

#[test]
fn a_response_is_told_of_without_what_a_url_keeps_secret() {
    let config = told_to(vec![target(&["rr"], &["ot", "rc", "ttfb", "ttfbb", "ttlb"])]);
    let mut cmcd = playing();
    cmcd.look(&config, crate::time::Timestamp::default(), WALL_US);
    let response = Response {
        kind: RequestKind::Segment(MediaKind::Video),
        url: "https://a.example/7.m4s?token=secret#x",
        status: 200,
        started: crate::time::Timestamp::from_micros(2_000_000),
        head: Some(Duration::from_millis(512)),
        first: Some(Duration::from_millis(632)),
        last: None,
        fields: None,
    };
    cmcd.answered(&config.cmcd, WALL_US, &response);
    assert_eq!(
        cmcd.events.batch(0, 1, false).as_deref(),
        Some(
            "e=rr,ot=v,rc=200,ts=1764752402000,ttfb=512,ttfbb=632,url=\"https://a.example/7.m4s\",v=2"
        )
    );
}

#[test]
fn what_waits_for_a_collector_is_bounded_and_its_numbers_show_the_gap() {
    let config =
        told_to(vec![CmcdTarget { interval: Duration::from_secs(1), ..target(&["t"], &["sn"]) }]);
    let mut cmcd = playing();
    for second in 0..1_000 {
        cmcd.look(&config, crate::time::Timestamp::from_micros(second * 1_000_000), WALL_US);
    }
    let all = cmcd.events.batch(0, 1, false).unwrap_or_default();
    assert_eq!(all.lines().count(), 200);
    assert!(all.starts_with("e=t,sn=800,ts=1764753200000,v=2\n"), "{all}");
    assert!(!all.ends_with('\n'), "lines are separated, not ended");
}

#[test]
fn a_response_is_told_of_with_what_servers_said_in_it() {
    let config = told_to(vec![target(&["rr"], &["cmsdd", "cmsds", "rc", "smrt"])]);
    let mut cmcd = playing();
    cmcd.look(&config, crate::time::Timestamp::default(), WALL_US);
    let mut fields = crate::io::ResponseHead {
        cmsd_dynamic: Some("\"cdn\";etp=9".into()),
        cmsd_static: Some("ot=v??".into()),
        smrt_data: Some("~".into()),
        ..crate::io::ResponseHead::of_status(200)
    };
    let mut told = |fields: &crate::io::ResponseHead| {
        let response = Response {
            kind: RequestKind::Segment(MediaKind::Video),
            url: "https://a.example/7.m4s",
            status: 200,
            started: crate::time::Timestamp::from_micros(2_000_000),
            head: None,
            first: None,
            last: None,
            fields: Some(fields),
        };
        cmcd.answered(&config.cmcd, WALL_US, &response);
        cmcd.events.batch(0, 1, false).unwrap_or_default()
    };
    let usual = "rc=200,ts=1764752402000,url=\"https://a.example/7.m4s\",v=2";
    assert_eq!(
        told(&fields),
        "cmsdd=\"ImNkbiI7ZXRwPTk=\",cmsds=\"b3Q9dj8/\",e=rr,rc=200,smrt=\"fg==\",ts=1764752402000,\
         url=\"https://a.example/7.m4s\",v=2"
    );
    // What is longer than any server's word is not told.
    fields.cmsd_dynamic = Some("x".repeat(5_000));
    (fields.cmsd_static, fields.smrt_data) = (None, None);
    assert_eq!(told(&fields), ["e=rr,", usual].concat());
}

#[test]
fn keys_of_the_apps_own_stand_among_the_others() {
    let facts = facts();
    let custom = [
        ("com.example-tier", "gold \"1\""),
        ("a-first", "1"),
        ("z-last", "caf\u{e9}"),
        // What is none, or may be taken for another.
        ("br", "1"),
        ("Big-Key", "1"),
        ("-x", "1"),
        ("with space-x", "1"),
        ("a=b-c", "1"),
    ];
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut config =
        CmcdConfig { custom: custom.iter().map(owned).collect(), ..config(CmcdMode::Headers, 1) };
    let told = |config: &CmcdConfig| {
        joined(&playing().keys(config, &asked(Some(&facts))), None)
            .replace("sid=\"6e2fb550-c457-11e9-bb97-0800200c9a66\"", "S")
    };
    assert_eq!(
        told(&config),
        "a-first=\"1\",bl=21300,br=3200,cid=\"say \\\"film\\\"\",com.example-tier=\"gold \\\"1\\\"\",d=4004,\
         dl=21400,mtp=25400,nor=\"8.m4s\",ot=v,sf=d,S,st=v,tb=6000,z-last=\"caf?\""
    );
    let (_, headers) = playing().decorate(&config, &asked(Some(&facts)));
    let session = headers.iter().find(|(name, _)| name == "CMCD-Session").expect("a session");
    assert!(session.1.contains(",com.example-tier=\"gold"), "{}", session.1);
    // Named keys alone are told, of these, too.
    config.keys = vec!["br".into(), "z-last".into()];
    config.custom.push(("y-long".into(), "x".repeat(99)));
    assert_eq!(told(&config), "br=3200,z-last=\"caf?\"");
    config.keys = vec!["y-long".into()];
    assert_eq!(told(&config), format!("y-long=\"{}\"", "x".repeat(64)));
}

#[test]
fn mute_and_unmute_are_told_but_not_how_it_was_at_first() {
    let config = told_to(vec![target(&["m", "um"], &["sn"])]);
    let mut cmcd = playing();
    let mut said = |muted| {
        cmcd.situation.muted = muted;
        batch(&mut cmcd, &config, 1)
    };
    assert_eq!(said(None), None);
    assert_eq!(said(Some(true)), None);
    assert_eq!(said(Some(false)).as_deref(), Some("e=um,sn=0,ts=1764752401000,v=2"));
    assert_eq!(said(Some(false)), None);
    assert_eq!(said(Some(true)).as_deref(), Some("e=m,sn=1,ts=1764752401000,v=2"));
}
