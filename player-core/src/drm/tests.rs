//! A player with an encrypted film, and a host whose key system and licence server answer by hand.

use core::time::Duration;

use crate::Player;
use crate::config::{Config, DrmConfig, KeySystemConfig};
use crate::error::ErrorCode;
use crate::io::{
    Event, Input, KeySessionId, KeyState, KeyStatus, LicenseCommand, MediaKind, Output, Request,
    RequestFailure, RequestId, RequestKind, ResponseHead, Source, Warning,
};
use crate::telemetry::{MaskReason, TimerReason};
use crate::time::Timestamp;

const SD: [u8; 16] = [0x11; 16];
const HD: [u8; 16] = [0x22; 16];
const AUDIO: [u8; 16] = [0x33; 16];

/// A key for each quality, in sets between which a player may switch.
fn mpd() -> String {
    let set = |id: &str, kind: &str, switching: &str, key: &str, representation: &str| {
        format!(
            "<AdaptationSet id='{id}' contentType='{kind}' mimeType='{kind}/mp4'>{switching}\
             <ContentProtection schemeIdUri='urn:mpeg:dash:mp4protection:2011' value='cbcs' cenc:default_KID='{key}'/>\
             <ContentProtection schemeIdUri='urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e'>\
             <dashif:Laurl>https://license.example/clearkey</dashif:Laurl></ContentProtection>\
             <SegmentTemplate timescale='1' duration='4' initialization='{id}-i' media='{id}-$Number$'/>\
             {representation}</AdaptationSet>"
        )
    };
    let other = |id: &str| {
        format!(
            "<SupplementalProperty schemeIdUri='urn:mpeg:dash:adaptation-set-switching:2016' value='{id}'/>"
        )
    };
    let uuid = |byte: &str| {
        let part = |n: usize| byte.repeat(n);
        format!("{}-{}-{}-{}-{}", part(4), part(2), part(2), part(2), part(6))
    };
    format!(
        "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' xmlns:cenc='urn:mpeg:cenc:2013' \
         xmlns:dashif='https://dashif.org/CPS' mediaPresentationDuration='PT60S'><Period>{}{}{}</Period></MPD>",
        set(
            "hd",
            "video",
            &other("sd"),
            &uuid("22"),
            "<Representation id='hd' bandwidth='3000000' codecs='avc1.640028' height='1080'/>"
        ),
        set(
            "sd",
            "video",
            &other("hd"),
            &uuid("11"),
            "<Representation id='sd' bandwidth='300000' codecs='avc1.4d401f' height='360'/>"
        ),
        set(
            "audio",
            "audio",
            "",
            &uuid("33"),
            "<Representation id='a' bandwidth='100000' codecs='mp4a.40.2'/>"
        ),
    )
}

struct Rig {
    player: Player,
    now: Timestamp,
    outputs: Vec<Output>,
}

impl Rig {
    /// Loads the film; its manifest has arrived.
    fn new(config: Config) -> Self {
        Self::with(config, &mpd())
    }

    fn with(config: Config, mpd: &str) -> Self {
        let now = Timestamp::default();
        let mut rig = Self { player: Player::new(config, now), now, outputs: Vec::new() };
        let url = "https://cdn.example/film.mpd".to_owned();
        rig.input(Input::Load(Source { url, format: None, start: None }));
        let manifest = rig.request(|kind| kind == RequestKind::Manifest);
        rig.answer(manifest.id, 200, mpd.as_bytes());
        // This host says nothing of its decoders, which is waited for a moment.
        rig.now = rig.now + Duration::from_secs(2);
        rig.input(Input::Timeout);
        rig
    }

    fn input(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(1);
        self.player.handle_input(self.now, input);
        loop {
            match self.player.poll_output() {
                Output::Timeout(_) => break,
                output => self.outputs.push(output),
            }
        }
    }

    fn answer(&mut self, id: RequestId, status: u16, body: &[u8]) {
        let head = ResponseHead {
            url: "https://license.example/clearkey".into(),
            ..ResponseHead::of_status(status)
        };
        self.input(Input::ResponseHead { id, head });
        self.input(Input::Body { id, data: body.to_vec() });
        self.input(Input::BodyEnd { id, received: body.len() as u64, from_cache: false });
    }

    /// Takes the first request of a kind out of what was asked for.
    fn request(&mut self, wanted: impl Fn(RequestKind) -> bool) -> Request {
        self.try_request(wanted).expect("such a request")
    }

    fn try_request(&mut self, wanted: impl Fn(RequestKind) -> bool) -> Option<Request> {
        let place = self.outputs.iter().position(
            |output| matches!(output, Output::Request(request) if wanted(request.kind)),
        )?;
        match self.outputs.remove(place) {
            Output::Request(request) => Some(request),
            _ => None,
        }
    }

    /// Takes out the licence request with that body.
    fn renewal(&mut self, data: &[u8]) -> Request {
        loop {
            let request = self.request(|kind| kind == RequestKind::License);
            if request.post.as_deref() == Some(data) {
                return request;
            }
        }
    }

    /// Takes out what was asked of the key system.
    fn commands(&mut self) -> Vec<LicenseCommand> {
        let (mut commands, mut rest) = (Vec::new(), Vec::new());
        for output in self.outputs.drain(..) {
            match output {
                Output::License(command) => commands.push(command),
                other => rest.push(other),
            }
        }
        self.outputs = rest;
        commands
    }

    /// Opens ClearKey; the session of each key, and the licence request that it made.
    fn open(&mut self) -> Vec<(KeySessionId, Vec<u8>, Request)> {
        // No other key system would do: sessions need not wait for an answer.
        let mut commands = self.commands();
        let LicenseCommand::Open { systems } = commands.remove(0) else { panic!("{commands:?}") };
        assert_eq!(systems[0].key_system, "org.w3.clearkey");
        assert_eq!(systems[0].encryption_scheme, "cbcs");
        assert_eq!(systems[0].audio, ["audio/mp4; codecs=\"mp4a.40.2\""]);
        let opened = Some("org.w3.clearkey".to_owned());
        self.input(Input::KeySystem { opened, reason: String::new() });
        assert_eq!(self.commands(), []);
        let mut sessions = Vec::new();
        for command in commands {
            let LicenseCommand::Create { session, init_data_type, init_data, .. } = command else {
                panic!("{command:?}");
            };
            assert_eq!(init_data_type, "keyids");
            self.input(Input::KeyMessage { session, message: init_data.clone() });
            let request = self.request(|kind| kind == RequestKind::License);
            assert_eq!(request.post.as_ref(), Some(&init_data));
            sessions.push((session, init_data, request));
        }
        sessions
    }

    /// Lets the licence server give what a session asks for, and the key system take it.
    fn license(&mut self, session: KeySessionId, request: &Request, id: [u8; 16]) {
        self.answer(request.id, 200, b"canary of a licence");
        let commands = self.commands();
        let response = b"canary of a licence".to_vec();
        assert_eq!(commands, [LicenseCommand::Update { session, response }]);
        self.tell(session, id, KeyStatus::Usable);
    }

    fn tell(&mut self, session: KeySessionId, id: [u8; 16], status: KeyStatus) {
        let statuses = vec![KeyState { id: id.to_vec(), status }];
        self.input(Input::KeyStatuses { session, statuses });
    }

    fn warnings(&self) -> Vec<(ErrorCode, String)> {
        let key = |output: &Output| match output {
            Output::Event(Event::Warning(Warning::Key { error })) => {
                Some((error.code, error.message.clone()))
            }
            _ => None,
        };
        self.outputs.iter().filter_map(key).collect()
    }

    /// Qualities that may not be chosen for want of a key, once the next segment is chosen.
    fn locked(&mut self) -> Vec<String> {
        let segment = self.request(|kind| kind == RequestKind::Segment(MediaKind::Video));
        let id = segment.id;
        let head = ResponseHead { url: segment.url, ..ResponseHead::of_status(200) };
        self.input(Input::ResponseHead { id, head });
        self.input(Input::BodyHead { id, data: Vec::new() });
        self.input(Input::BodyEnd { id, received: 1000, from_cache: false });
        let state = self.player.state();
        let video = state.streams.iter().find(|stream| stream.kind == MediaKind::Video);
        let masked = &video.expect("a stream of video").masked;
        let for_keys = masked.iter().filter(|masked| masked.reason == MaskReason::Key);
        for_keys.map(|masked| masked.id.clone()).collect()
    }

    fn error(&self) -> Option<ErrorCode> {
        self.outputs.iter().find_map(|output| match output {
            Output::Event(Event::Error(error)) => Some(error.code),
            _ => None,
        })
    }
}

fn named(ids: [u8; 16], init_data: &[u8]) -> bool {
    init_data == super::json::key_ids(&[ids])
}

fn of(
    sessions: &[(KeySessionId, Vec<u8>, Request)],
    id: [u8; 16],
) -> &(KeySessionId, Vec<u8>, Request) {
    sessions.iter().find(|(_, data, _)| named(id, data)).expect("a session of that key")
}

#[test]
fn every_key_is_asked_for_once_from_the_manifest() {
    let mut rig = Rig::new(Config::default());
    let sessions = rig.open();
    assert_eq!(sessions.len(), 3);
    for id in [SD, HD, AUDIO] {
        let (.., request) = of(&sessions, id);
        assert_eq!(request.url, "https://license.example/clearkey");
        let json = ("Content-Type".to_owned(), "application/json".to_owned());
        assert_eq!(request.headers, [json]);
    }
    for (id, key) in [(SD, SD), (HD, HD), (AUDIO, AUDIO)] {
        let (session, _, request) = of(&sessions, id).clone();
        rig.license(session, &request, key);
    }
    assert!(rig.locked().is_empty());
    assert_eq!(rig.warnings(), []);
    assert!(rig.try_request(|kind| kind == RequestKind::License).is_none());
    rig.input(Input::Unload);
    assert_eq!(rig.commands(), [LicenseCommand::Shut]);
}

#[test]
fn keys_with_the_same_initialisation_data_share_a_session() {
    // Of version 0, which says nothing of keys to those that are not meant.
    let widevine = "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    let pssh = "AAAAJHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAQBAgME";
    let system = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e'>";
    let mpd = mpd().replace(system, &format!("{widevine}'><cenc:pssh>{pssh}</cenc:pssh>"));
    let mut rig = Rig::with(Config::default(), &mpd);
    let commands = rig.commands();
    let opened = Some("com.widevine.alpha".to_owned());
    rig.input(Input::KeySystem { opened, reason: String::new() });
    assert_eq!(rig.commands(), []);
    let [_, LicenseCommand::Create { session, init_data_type, init_data, .. }] =
        commands.as_slice()
    else {
        panic!("{commands:?}");
    };
    assert_eq!((init_data_type.as_str(), init_data.len()), ("cenc", 36));
    rig.input(Input::KeyMessage { session: *session, message: b"challenge".to_vec() });
    let request = rig.request(|kind| kind == RequestKind::License);
    rig.answer(request.id, 200, b"licence");
    let state = |id: [u8; 16], status| KeyState { id: id.to_vec(), status };
    let statuses = vec![
        state(SD, KeyStatus::Usable),
        state(AUDIO, KeyStatus::Usable),
        state(HD, KeyStatus::OutputRestricted),
    ];
    rig.input(Input::KeyStatuses { session: *session, statuses });
    assert_eq!(rig.locked(), ["hd"], "each key for itself");
    assert_eq!(rig.warnings().len(), 1);
    assert!(rig.try_request(|kind| kind == RequestKind::License).is_none());
}

#[test]
fn where_several_key_systems_would_do_sessions_wait_for_the_one_there_is() {
    let own = |name: &str| KeySystemConfig {
        key_system: name.to_owned(),
        license_url: Some("https://license.example/own".to_owned()),
        ..KeySystemConfig::default()
    };
    let key_systems = vec![own("com.widevine.alpha"), own("org.w3.clearkey")];
    let drm = DrmConfig { key_systems };
    let clear = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e'>";
    let both = format!(
        "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'><cenc:pssh>AAAAJHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAQBAgME\
         </cenc:pssh></ContentProtection><ContentProtection schemeIdUri='{clear}"
    );
    let mut rig = Rig::with(Config { drm, ..Config::default() }, &mpd().replace(clear, &both));
    let commands = rig.commands();
    assert!(matches!(commands.as_slice(), [LicenseCommand::Open { .. }]), "{commands:?}");
    let opened = Some("org.w3.clearkey".to_owned());
    rig.input(Input::KeySystem { opened, reason: String::new() });
    assert_eq!(rig.commands().len(), 3);
}

#[test]
fn a_quality_whose_licence_is_refused_is_not_chosen_and_the_reason_is_told() {
    let mut rig = Rig::new(Config::default());
    let sessions = rig.open();
    let (session, _, request) = of(&sessions, SD).clone();
    rig.license(session, &request, SD);
    let refusal = br#"{"code":"not_entitled","detail":"no HD here"}"#;
    rig.answer(of(&sessions, HD).2.id, 403, refusal);
    let [(code, message)] = rig.warnings().try_into().expect("one warning");
    assert_eq!(code, ErrorCode::LicenseRefused);
    assert!(message.contains("403") && message.contains("not_entitled: no HD here"), "{message}");
    assert_eq!(rig.locked(), ["hd"]);
    assert_eq!(rig.error(), None);
}

#[test]
fn without_any_key_playback_ends_with_what_the_server_said() {
    let mut rig = Rig::new(Config::default());
    let sessions = rig.open();
    for id in [SD, HD] {
        rig.answer(of(&sessions, id).2.id, 403, b"{}");
    }
    // The choice of the next segment finds nothing left.
    assert_eq!(
        rig.error().or_else(|| {
            rig.locked();
            rig.error()
        }),
        Some(ErrorCode::LicenseRefused)
    );
}

#[test]
fn a_key_that_the_licence_lacks_or_the_screen_forbids_is_not_used() {
    for status in [None, Some(KeyStatus::OutputRestricted), Some(KeyStatus::InternalError)] {
        let mut rig = Rig::new(Config::default());
        let sessions = rig.open();
        let (session, _, request) = of(&sessions, HD).clone();
        rig.answer(request.id, 200, b"licence");
        let state = |status| KeyState { id: HD.to_vec(), status };
        rig.input(Input::KeyStatuses {
            session,
            statuses: status.map(state).into_iter().collect(),
        });
        assert_eq!(rig.warnings().len(), 1, "{status:?}");
        assert_eq!(rig.warnings()[0].0, ErrorCode::KeyUnusable);
        assert_eq!(rig.locked(), ["hd"], "{status:?}");
    }
}

#[test]
fn where_the_platform_hides_which_key_it_is_the_session_stands_for_it() {
    for (status, locked) in [(KeyStatus::Usable, vec![]), (KeyStatus::OutputRestricted, vec!["hd"])]
    {
        let mut rig = Rig::new(Config::default());
        let sessions = rig.open();
        let (session, _, request) = of(&sessions, HD).clone();
        rig.answer(request.id, 200, b"licence");
        rig.input(Input::KeyStatuses {
            session,
            statuses: vec![KeyState { id: Vec::new(), status }],
        });
        assert_eq!(rig.locked(), locked, "{status:?}");
    }
}

#[test]
fn a_licence_server_that_is_down_is_asked_again_before_anything_is_given_up() {
    let mut rig = Rig::new(Config::default());
    let sessions = rig.open();
    let (_, _, request) = of(&sessions, HD).clone();
    let failure = RequestFailure::Network("down".into());
    rig.input(Input::RequestFailed { id: request.id, failure });
    assert_eq!(rig.warnings(), []);
    rig.now = rig.now + Duration::from_secs(2);
    rig.input(Input::Timeout);
    let again = rig.renewal(&request.post.expect("a body"));
    assert_eq!(again.url, request.url);
}

#[test]
fn a_licence_that_expires_is_renewed_and_so_is_one_whose_time_has_come() {
    let system = KeySystemConfig {
        key_system: "org.w3.clearkey".into(),
        headers: vec![("Authorization".into(), "Bearer canary-of-a-token".into())],
        renew_after: Some(Duration::from_secs(60)),
        ..KeySystemConfig::default()
    };
    let drm = DrmConfig { key_systems: vec![system] };
    let mut rig = Rig::new(Config { drm, record: true, ..Config::default() });
    let sessions = rig.open();
    let (session, data, request) = of(&sessions, SD).clone();
    let token = ("Authorization".to_owned(), "Bearer canary-of-a-token".to_owned());
    assert!(request.headers.contains(&token));
    rig.license(session, &request, SD);
    for id in [HD, AUDIO] {
        let (session, _, request) = of(&sessions, id).clone();
        rig.license(session, &request, id);
    }
    let due = |rig: &Rig| {
        let timers = rig.player.state().timers;
        timers.iter().find(|timer| timer.reason == TimerReason::License).map(|timer| timer.at)
    };
    rig.now = due(&rig).expect("a renewal");
    rig.input(Input::Timeout);
    let renewal = rig.renewal(&data);
    rig.license(session, &renewal, SD);
    rig.tell(session, SD, KeyStatus::Expired);
    let again = rig.renewal(&data);
    assert_eq!(rig.warnings(), []);
    rig.license(session, &again, SD);
    assert!(!rig.locked().contains(&"sd".to_owned()));

    // Nothing of that is in the session's log.
    let log = rig.player.session_log();
    for canary in [b"canary of a licence".as_slice(), b"canary-of-a-token", &data] {
        assert!(!log.windows(canary.len()).any(|window| window == canary));
    }
    assert!(log.windows(8).any(|window| window == b"film.mpd"), "the rest is");
}

#[test]
fn a_licence_that_comes_too_late_is_in_no_log() {
    let mut rig = Rig::new(Config { record: true, ..Config::default() });
    let sessions = rig.open();
    let (session, data, request) = of(&sessions, SD).clone();
    // A status that has it asked for again, with a body nevertheless.
    rig.answer(request.id, 503, b"canary of an overload");
    // An answer to a request that another has replaced.
    let (_, _, overtaken) = of(&sessions, HD).clone();
    let hd = of(&sessions, HD).0;
    rig.input(Input::KeyMessage { session: hd, message: data });
    rig.answer(overtaken.id, 200, b"canary of a licence");
    rig.tell(session, SD, KeyStatus::Pending);
    let log = rig.player.session_log();
    for canary in [b"canary of an overload".as_slice(), b"canary of a licence"] {
        assert!(!log.windows(canary.len()).any(|window| window == canary));
    }
}

#[test]
fn without_a_key_system_the_error_names_what_was_tried() {
    let mut rig = Rig::new(Config::default());
    let commands = rig.commands();
    rig.input(Input::KeySystem { opened: None, reason: "not here".into() });
    for command in commands {
        // What comes of that is no news.
        if let LicenseCommand::Create { session, .. } = command {
            let reason = "no key system is open".to_owned();
            rig.input(Input::KeySessionFailed { session, reason });
        }
    }
    assert_eq!(rig.warnings().len(), 1);
    assert_eq!(
        rig.error().or_else(|| {
            rig.locked();
            rig.error()
        }),
        Some(ErrorCode::KeySystemUnavailable)
    );
    let (_, message) = &rig.warnings()[0];
    assert!(message.contains("org.w3.clearkey") && message.contains("not here"), "{message}");
}

#[test]
fn licences_and_tokens_do_not_print() {
    let canary = b"canary".to_vec();
    let session = KeySessionId(1);
    let printed = [
        format!("{:?}", LicenseCommand::Update { session, response: canary.clone() }),
        format!(
            "{:?}",
            LicenseCommand::Create {
                session,
                init_data_type: "cenc".into(),
                init_data: canary,
                persistent: false
            }
        ),
        format!(
            "{:?}",
            KeySystemConfig {
                headers: vec![("a".into(), "canary".into())],
                ..KeySystemConfig::default()
            }
        ),
    ];
    for text in printed {
        assert!(!text.contains("canary") && !text.contains("99, 97, 110"), "{text}");
    }
}
