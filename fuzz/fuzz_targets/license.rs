//! What licence and key servers answer, and what a key system makes of it, while a film waits for its keys.
#![no_main]

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::hash::DefaultHasher;

use kinora_core::config::AbrConfig;
use kinora_core::io::{
    Event, Input, KeySessionId, KeyState, KeyStatus, LicenseCommand, Output, RequestFailure,
    RequestId, RequestKind, ResponseHead, Source, Warning,
};
use kinora_core::time::Timestamp;
use kinora_core::{Config, Player};
use kinora_fuzz::{MOST_HELD, bounded_by};
use libfuzzer_sys::fuzz_target;

const FILMS: [&str; 3] = [
    // A key for each of two qualities, and a licence server.
    "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' xmlns:cenc='urn:mpeg:cenc:2013' \
     xmlns:dashif='https://dashif.org/CPS' mediaPresentationDuration='PT60S'><Period>\
     <AdaptationSet contentType='video' mimeType='video/mp4'>\
     <SegmentTemplate timescale='1' duration='4' initialization='i' media='$RepresentationID$-$Number$'/>\
     <Representation id='a' bandwidth='300000' codecs='avc1.4d401f' height='360'>\
     <ContentProtection schemeIdUri='urn:mpeg:dash:mp4protection:2011' value='cbcs' \
     cenc:default_KID='11111111-1111-1111-1111-111111111111'/>\
     <ContentProtection schemeIdUri='urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e'>\
     <dashif:Laurl>https://license.example/</dashif:Laurl></ContentProtection></Representation>\
     <Representation id='b' bandwidth='3000000' codecs='avc1.640028' height='1080'>\
     <ContentProtection schemeIdUri='urn:mpeg:dash:mp4protection:2011' value='cbcs' \
     cenc:default_KID='22222222-2222-2222-2222-222222222222'/>\
     <ContentProtection schemeIdUri='urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e'>\
     <dashif:Laurl>https://license.example/</dashif:Laurl></ContentProtection></Representation>\
     </AdaptationSet></Period></MPD>",
    // A bare key of samples.
    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n\
     #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"key\",KEYID=0x11111111111111111111111111111111\n\
     #EXT-X-MAP:URI=\"i\"\n#EXTINF:4,\n1\n#EXTINF:4,\n2\n#EXT-X-ENDLIST\n",
    // A key of whole segments.
    "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"key\"\n\
     #EXT-X-MAP:URI=\"i\"\n#EXTINF:4,\n1\n#EXTINF:4,\n2\n#EXT-X-ENDLIST\n",
];
const STATUSES: [KeyStatus; 8] = [
    KeyStatus::Usable,
    KeyStatus::Expired,
    KeyStatus::Released,
    KeyStatus::OutputRestricted,
    KeyStatus::OutputDownscaled,
    KeyStatus::UsableInFuture,
    KeyStatus::Pending,
    KeyStatus::InternalError,
];
/// As much of what a server said may be in a message.
const LONGEST: usize = 1_000;
/// Bytes of a key.
const KEY: usize = 16;

struct Host {
    player: Player,
    now: Timestamp,
    /// Requests for licences and keys, and for what else there is.
    keys: Vec<RequestId>,
    others: Vec<RequestId>,
    sessions: Vec<KeySessionId>,
    updates: Vec<Vec<u8>>,
}

impl Host {
    fn input(&mut self, input: Input) {
        self.now = self.now + Duration::from_millis(1);
        self.player.handle_input(self.now, input);
        loop {
            match self.player.poll_output() {
                Output::Timeout(_) => break,
                Output::Request(request) => match request.kind {
                    RequestKind::License | RequestKind::Key => self.keys.push(request.id),
                    _ => self.others.push(request.id),
                },
                Output::License(LicenseCommand::Create { session, .. }) => {
                    self.sessions.push(session);
                }
                Output::License(LicenseCommand::Update { response, .. }) => {
                    self.updates.push(response);
                }
                Output::Event(Event::Error(error) | Event::Warning(Warning::Key { error })) => {
                    assert!(error.message.chars().count() <= LONGEST, "{}", error.message);
                    assert!(!error.message.contains(char::is_control), "{:?}", error.message);
                }
                _ => {}
            }
        }
    }

    fn answer(&mut self, id: RequestId, status: u16, body: &[u8]) {
        let head = ResponseHead {
            url: "https://license.example/".into(),
            ..ResponseHead::of_status(status)
        };
        self.input(Input::ResponseHead { id, head });
        self.input(Input::Body { id, data: body.to_vec() });
        self.input(Input::BodyEnd { id, received: body.len() as u64, from_cache: false });
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&film, mut rest)) = data.split_first() else { return };
    let now = Timestamp::default();
    // A rule that is made in no time.
    let abr = AbrConfig { rule: Some("throughput".to_owned()), ..AbrConfig::default() };
    let player = Player::new(Config { abr, record: true, ..Config::default() }, now);
    let (keys, others, sessions, updates) = Default::default();
    let mut host = Host { player, now, keys, others, sessions, updates };
    let url = "https://cdn.example/film".to_owned();
    host.input(Input::Load(Source { url, format: None, start: None }));
    let Some(manifest) = host.others.pop() else { return };
    host.answer(manifest, 200, FILMS[usize::from(film) % FILMS.len()].as_bytes());
    host.now = host.now + Duration::from_secs(2);
    host.input(Input::Timeout);
    let opened = Some("org.w3.clearkey".to_owned());
    host.input(Input::KeySystem { opened, reason: String::new() });
    for session in host.sessions.clone() {
        host.input(Input::KeyMessage { session, message: b"{}".to_vec() });
    }
    let (mut answers, mut marks) = (Vec::new(), Vec::new());
    bounded_by(MOST_HELD, || {
        // What to do, with how many of the bytes that follow.
        while let [what, length, more @ ..] = rest {
            let (argument, after) = more.split_at(usize::from(*length).min(more.len()));
            rest = after;
            let session = host.sessions.get(usize::from(what >> 4)).copied();
            match (what & 7, session) {
                (0 | 1, _) => {
                    let Some(id) = host.keys.pop() else { continue };
                    let status = [200, 200, 400, 401, 403, 404, 429, 503][usize::from(what >> 5)];
                    let (body, mark) = marked(argument);
                    host.answer(id, status, &body);
                    answers.push(digest(&body));
                    marks.push(mark);
                }
                (2, Some(session)) => {
                    let ids = argument.chunks(17);
                    let state = |one: &[u8]| {
                        let (status, id) = one.split_first()?;
                        let status = STATUSES[usize::from(status % 8)];
                        Some(KeyState { id: id.to_vec(), status })
                    };
                    let statuses = ids.filter_map(state).collect();
                    host.input(Input::KeyStatuses { session, statuses });
                }
                (3, Some(session)) => {
                    host.input(Input::KeyMessage { session, message: argument.to_vec() });
                }
                (4, Some(session)) => {
                    let reason = String::from_utf8_lossy(argument).chars().take(99).collect();
                    let reason: String = reason;
                    let reason = reason.replace(char::is_control, " ");
                    host.input(Input::KeySessionFailed { session, reason });
                }
                (5, _) => {
                    let seconds = argument.first().copied().unwrap_or(1);
                    host.now = host.now + Duration::from_secs(seconds.into());
                    host.input(Input::Timeout);
                }
                (6, _) => {
                    let Some(id) = host.keys.pop() else { continue };
                    let failure = RequestFailure::Network("down".into());
                    host.input(Input::RequestFailed { id, failure });
                }
                _ => {}
            }
        }
    });
    if film % 3 == 0 {
        for update in &host.updates {
            assert!(answers.contains(&digest(update)), "a licence goes as it came");
        }
    }
    let log = host.player.session_log();
    for mark in marks.iter().flatten() {
        let wanted = digest(mark.as_bytes());
        let kept = log.windows(mark.len()).any(|window| digest(window) == wanted);
        assert!(!kept, "a session log holds what a licence server said");
    }
});

/// Marks are compared by this: what is compared as it is, the fuzzer learns, and says elsewhere.
fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// An answer with a mark that is nowhere else; but what may be a key stays as long as one.
fn marked(argument: &[u8]) -> (Vec<u8>, Option<String>) {
    if argument.len() == KEY {
        return (argument.to_vec(), None);
    }
    let mark = format!("{:016x}", digest(argument));
    ([argument, mark.as_bytes()].concat(), Some(mark))
}
