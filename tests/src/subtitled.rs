//! A player of a film with subtitles and no host but a script: whatever is in the files of the text track
//! is told at once.
//!
//! The fuzz target `webvtt` has this file as a module, too, and nothing else of this crate: it uses the core alone.

use core::time::Duration;
use std::collections::VecDeque;

use kinora_core::config::AbrConfig;
use kinora_core::io::{
    AppendBody, BodyHandling, Cue, Event, Input, MediaCommand, MediaKind, OperationResult, Output,
    Request, RequestKind, ResponseHead, Selection, Source,
};
use kinora_core::time::{MediaTime, TimeRange, Timestamp};
use kinora_core::{Config, Player};

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

/// The cues that a player tells of these segments of text; of those that are not there it tells none.
pub fn told(files: &[&[u8]]) -> Vec<Cue> {
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
