//! A megabyte of any text is told with bounded work: no more than 16 MB are held at any time for it.
//!
//! One test alone, because the allocator counts for the whole process. With `--nocapture` it prints how long each took.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kinora_core::config::AbrConfig;
use kinora_core::io::{
    AppendBody, BodyHandling, Cue, Event, Input, MediaCommand, MediaKind, OperationResult, Output,
    Request, RequestKind, ResponseHead, Selection, Source,
};
use kinora_core::time::{MediaTime, TimeRange, Timestamp};
use kinora_core::{Config, Player};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MEGABYTE: usize = 1 << 20;
const MOST_HELD: usize = 16 << 20;
/// As much is kept of one file.
const MOST_CUES: usize = 65_536;
const MOST_TEXT: usize = 4 << 20;

/// A film of four segments of pictures, and as many of text.
const FILM: &str = "<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' mediaPresentationDuration='PT16S'><Period>\
    <AdaptationSet contentType='video' mimeType='video/mp4'>\
    <SegmentTemplate timescale='1' duration='4' media='v$Number$'/>\
    <Representation id='v' bandwidth='300000' codecs='avc1.4d401f'/></AdaptationSet>\
    <AdaptationSet contentType='text' mimeType='text/vtt' lang='en'>\
    <SegmentTemplate timescale='1' duration='4' startNumber='0' media='t$Number$'/>\
    <Representation id='t' bandwidth='1'/></AdaptationSet></Period></MPD>";

/// A host with nothing but what a server says.
struct Host {
    player: Player,
    now: Timestamp,
    asked: VecDeque<Request>,
    appended: i64,
    cues: Vec<Cue>,
}

impl Host {
    fn input(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.now = self.now + Duration::from_millis(1);
            self.player.handle_input(self.now, input);
            loop {
                match self.player.poll_output() {
                    Output::Timeout(_) => break,
                    Output::Request(request) => self.asked.push_back(request),
                    Output::Media(operation) => {
                        if matches!(
                            operation.command,
                            MediaCommand::Append { body: AppendBody::Kept(_), .. }
                        ) {
                            self.appended += 1;
                        }
                        let end = MediaTime::from_secs(4 * self.appended);
                        let held = TimeRange { start: MediaTime::ZERO, end };
                        let buffered = if self.appended > 0 { vec![held] } else { Vec::new() };
                        let result = OperationResult::Done { buffered };
                        inputs.push_back(Input::MediaResult { id: operation.id, result });
                    }
                    Output::Event(Event::Cues(cues)) => self.cues.extend(cues),
                    Output::Event(Event::Error(error)) => panic!("{error}"),
                    _ => {}
                }
            }
        }
    }

    fn answer(&mut self, request: &Request, body: &[u8]) {
        let (id, url) = (request.id, request.url.clone());
        self.input(Input::ResponseHead {
            id,
            head: ResponseHead { url, ..ResponseHead::of_status(200) },
        });
        match request.body {
            BodyHandling::Deliver => self.input(Input::Body { id, data: body.to_vec() }),
            _ => self.input(Input::BodyHead { id, data: body.to_vec() }),
        }
        self.input(Input::BodyEnd { id, received: body.len() as u64, from_cache: false });
    }
}

/// The cues that a player tells of these segments of text.
fn told(files: &[&[u8]]) -> Vec<Cue> {
    // A rule that is made in no time.
    let abr = AbrConfig { rule: Some("throughput".to_owned()), ..AbrConfig::default() };
    let now = Timestamp::default();
    let player = Player::new(Config { abr, ..Config::default() }, now);
    let mut host = Host { player, now, asked: VecDeque::new(), appended: 0, cues: Vec::new() };
    let url = "https://cdn.example/film".to_owned();
    host.input(Input::Load(Source { url, format: None, start: None }));
    host.input(Input::Select(Selection::Track { kind: MediaKind::Text, index: 0 }));
    while let Some(request) = host.asked.pop_front() {
        let number =
            request.url.rsplit_once('t').and_then(|(_, number)| number.parse::<usize>().ok());
        match request.kind {
            RequestKind::Manifest => host.answer(&request, FILM.as_bytes()),
            RequestKind::Segment(MediaKind::Text) => {
                let file = number.and_then(|number| files.get(number).copied());
                host.answer(&request, file.unwrap_or(b"WEBVTT"));
            }
            _ => host.answer(&request, b""),
        }
    }
    assert_eq!(host.appended, 4);
    host.cues
}

/// So much of something over and over.
fn filled(begin: &str, each: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = begin.to_owned();
    for number in 0.. {
        text += &each(number);
        if text.len() >= MEGABYTE {
            break;
        }
    }
    text.into_bytes()
}

fn texts() -> Vec<(&'static str, Vec<u8>)> {
    let time = |seconds: usize| {
        format!("{:02}:{:02}:{:02}.000", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    let begin = "WEBVTT\n\n";
    vec![
        ("cues without words", filled(begin, |_| "00:00.000-->00:01.000\n".into())),
        ("cues that are all different", filled(begin, |n| format!("{}-->99:00:00.000\n", time(n)))),
        ("cues backwards", filled(begin, |n| format!("{}-->99:00:00.000\n", time(300_000 - n)))),
        ("arrows", filled(begin, |_| "-->".into())),
        ("lines of arrows", filled(begin, |_| "-->\n".into())),
        ("hyphens", filled(begin, |_| "-".into())),
        ("empty lines", filled(begin, |_| "\r".into())),
        ("digits", filled("WEBVTT\n\n1:00.000 --> ", |_| "9".into())),
        ("a long header", filled("WEBVTT ", |_| "X-TIMESTAMP-MAP=".into())),
        ("maps", filled("WEBVTT\n", |_| "X-TIMESTAMP-MAP=MPEGTS:1,LOCAL:x\n".into())),
        ("a map of many fields", filled("WEBVTT\nX-TIMESTAMP-MAP=", |_| "LOCAL:00:00.000,".into())),
        ("words", filled("WEBVTT\n\n00:00.000-->00:01.000\n", |_| "a\n".into())),
        ("NULs", filled("WEBVTT\n\n00:00.000-->00:01.000\n", |_| "\0".into())),
        ("settings", filled("WEBVTT\n\n00:00.000-->00:01.000", |_| " line:0".into())),
        ("no text", [b"WEBVTT\n\n00:00.000-->00:01.000\n".to_vec(), vec![0xe2; MEGABYTE]].concat()),
        ("names", filled(begin, |_| "a\n00:00.000-->00:01.000\nb\n\n".into())),
    ]
}

#[test]
fn a_megabyte_of_any_text_is_bounded_work() {
    for (name, text) in texts() {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let started = Instant::now();
        // The same again is told once more at most.
        let cues = told(&[&text, b"WEBVTT", &text]);
        let held = ALLOCATOR.peak_usage().saturating_sub(before);
        println!("{name}: {} cues, {held} bytes held, {:?}", cues.len(), started.elapsed());
        assert!(held <= MOST_HELD, "{name}: {held} bytes are held");
        assert!(cues.len() <= 2 * MOST_CUES, "{name}: {} cues", cues.len());
        let bytes: usize =
            cues.iter().map(|cue| cue.id.len() + cue.settings.len() + cue.text.len()).sum();
        assert!(bytes <= 2 * MOST_TEXT, "{name}: {bytes} bytes of text");
        for cue in &cues {
            assert!(
                cue.span.start < cue.span.end && !cue.text.contains(['\0', '\r']),
                "{name}: {cue:?}"
            );
        }
    }
}
