use kinora_core::Error;
use kinora_core::abr::Cause;
use kinora_core::error::Severity;
use kinora_core::io::{Event, MediaKind, Quality};
use kinora_core::time::WallTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const START: i64 = 1_700_000_000_000;

/// So many milliseconds after the start.
fn at(ms: u64) -> Moment {
    Moment {
        now: Timestamp::from_micros(ms * 1000),
        wall: WallTime::from_micros((START + ms as i64) * 1000),
    }
}

fn journal() -> Journal {
    let options = Options { name: "me".into(), platform: "terminal".into(), ..Options::default() };
    Journal::new(options, at(0))
}

fn searched(found: u16) -> Interaction {
    Interaction::Searched { found }
}

fn status(status: u16) -> Answer {
    Answer::Status { status, retry_after: None }
}

/// The events of a body.
fn events(body: &str) -> Vec<Value> {
    let body: Value = serde_json::from_str(body).unwrap();
    body["events"].as_array().unwrap().clone()
}

fn found(body: &str) -> Vec<u64> {
    events(body).iter().map(|event| event["found"].as_u64().unwrap()).collect()
}

#[test]
fn nothing_is_sent_until_there_is_something_and_then_once_for_all_of_it() {
    let mut journal = journal();
    assert_eq!(journal.due(), None);
    let opened = Interaction::TitleOpened { title_id: "a".into(), row_id: None, place: Some(2) };
    journal.tell(&opened, at(0));
    journal.tell(&searched(3), at(500));
    assert_eq!(journal.due(), Some(at(30_000).now));
    assert_eq!(journal.batch(at(29_999)), None);
    let body = journal.batch(at(30_000)).unwrap();
    let expected = json!({"sent_at_ms": START + 30_000, "platform": "terminal", "events": [
        {"event_id": "me-0", "at_ms": START, "type": "title_opened", "title_id": "a", "place": 2},
        {"event_id": "me-1", "at_ms": START + 500, "type": "searched", "found": 3},
    ]});
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), expected);
    assert_eq!((journal.due(), journal.batch(at(90_000))), (None, None), "one at a time");
    journal.answered(&status(200), at(31_000));
    assert_eq!((journal.due(), journal.kept()), (None, None), "it has its verdict");
}

#[test]
fn what_fails_is_sent_again_under_the_same_name_ever_more_seldom() {
    let mut journal = journal();
    journal.tell(&searched(1), at(0));
    let asked = Answer::Status { status: 429, retry_after: Some("20".into()) };
    let (mut now, mut pauses, mut names) = (30_000, Vec::new(), Vec::new());
    for answer in [Answer::Unreachable, status(503), status(401), asked, status(200)] {
        names.push(events(&journal.batch(at(now)).unwrap())[0]["event_id"].clone());
        journal.answered(&answer, at(now));
        assert_eq!(journal.kept().is_some(), answer != status(200));
        if let Some(due) = journal.due() {
            let next = due.micros() / 1000;
            assert_eq!(journal.batch(at(next - 1)), None);
            pauses.push(next - now);
            now = next + 1;
        }
    }
    assert!(names.iter().all(|name| name == "me-0"), "{names:?}");
    let [first, second, third, fourth] = pauses[..] else { panic!("{pauses:?}") };
    assert!((500..=1000).contains(&first) && (1000..=2000).contains(&second), "{pauses:?}");
    assert!((2000..=4000).contains(&third) && fourth == 20_000, "{pauses:?}");
}

#[test]
fn what_the_service_will_never_take_does_not_hold_up_what_comes_after_it() {
    let mut journal = journal();
    for refusal in [400, 422, 413] {
        journal.tell(&searched(refusal), at(0));
        journal.flush(at(0));
        assert_eq!(found(&journal.batch(at(0)).unwrap()), [u64::from(refusal)]);
        journal.answered(&status(refusal), at(0));
    }
    assert_eq!(journal.kept(), None);
}

#[test]
fn many_events_go_in_several_batches_and_one_that_is_too_large_is_halved() {
    let mut journal = journal();
    (0..400).for_each(|found| journal.tell(&searched(found), at(0)));
    assert_eq!(journal.due(), Some(at(0).now), "so many do not wait");
    let mut told = Vec::new();
    let mut sizes = Vec::new();
    while let Some(body) = journal.batch(at(1)) {
        sizes.push(found(&body).len());
        let refused = sizes.len() == 2;
        if !refused {
            told.extend(found(&body));
        }
        journal.answered(&status(if refused { 413 } else { 200 }), at(1));
    }
    assert_eq!(sizes, [150, 150, 75, 75, 75, 25]);
    assert_eq!(told, (0..400).collect::<Vec<u64>>());
}

#[test]
fn long_events_go_fewer_at_once() {
    let mut journal = journal();
    let row = Interaction::RowShown {
        row_id: "trending".into(),
        title_ids: (0..60).map(|at| format!("{at:0>60}")).collect(),
    };
    (0..40).for_each(|_| journal.tell(&row, at(0)));
    journal.flush(at(0));
    let mut told = 0;
    while let Some(body) = journal.batch(at(0)) {
        assert!(body.len() < 64 << 10, "{}", body.len());
        for event in events(&body) {
            assert_eq!(event["title_ids"].as_array().unwrap().len(), 50, "no more are taken");
            told += 1;
        }
        journal.answered(&status(200), at(0));
    }
    assert_eq!(told, 40);
}

#[test]
fn without_a_token_everything_waits() {
    let mut journal = journal();
    journal.tell(&searched(1), at(0));
    assert!(journal.batch(at(30_000)).is_some());
    journal.answered(&Answer::Unsent, at(30_000));
    assert_eq!(journal.due(), Some(at(60_000).now));
    assert!(journal.kept().is_some());
}

#[test]
fn what_has_no_verdict_is_told_by_the_next_journal() {
    let mut journal = journal();
    journal.tell(&searched(7), at(0));
    journal.flush(at(0));
    assert!(journal.batch(at(0)).is_some());
    journal.answered(&status(503), at(0));
    assert_eq!(journal.batch(at(10)), None, "that is a pause");
    journal.leave(at(10));
    let last = journal.batch(at(10)).unwrap();
    assert_eq!(found(&last), [7]);
    let kept = journal.kept().unwrap();

    let options = Options { name: "next".into(), ..Options::default() };
    let mut next = Journal::new(options, at(0));
    next.adopt(&kept, at(0));
    for spoilt in ["", "nonsense", "{}", "[1, \"a\", {}, {\"event_id\": 3}]", &"[".repeat(100_000)]
    {
        next.adopt(spoilt, at(0));
    }
    let again = next.batch(at(0)).unwrap();
    assert_eq!(events(&again), events(&last), "the same name: it is counted once");
    next.answered(&status(200), at(0));
    assert_eq!(next.kept(), None);

    journal.answered(&status(200), at(20));
    assert_eq!(journal.kept(), None, "a verdict that comes while leaving counts");
    assert_eq!(journal.due(), None);
}

fn quality(kind: MediaKind, from: Option<u64>, to: u64) -> Event {
    let quality = |bandwidth: u64| Quality {
        id: bandwidth.to_string(),
        bandwidth,
        width: None,
        height: None,
        codecs: String::new(),
    };
    Event::QualityChanged { kind, from: from.map(quality), to: quality(to), reason: Cause::Startup }
}

struct Played {
    journal: Journal,
    id: WatchId,
    now: u64,
}

impl Played {
    fn begin() -> Self {
        let mut journal = journal();
        let playback = ReportedPlayback { playback_id: "pb".into(), item_id: "film".into() };
        let id = journal.watch(playback, at(0));
        Self { journal, id, now: 0 }
    }

    fn hears(&mut self, event: Event) {
        if let Some(observation) = Observation::of(&event) {
            self.journal.hear(self.id, observation, at(self.now));
        }
    }

    /// Looks four times a second for so many seconds.
    fn plays(&mut self, seconds: u64, from: i64) {
        for quarter in 1..=seconds as i64 * 4 {
            let position = MediaTime::from_millis(from * 1000 + quarter * 250);
            self.is(PlaybackStatus::Playing, position);
        }
    }

    /// Looks four times a second, and sees the same all the time.
    fn stays(&mut self, status: PlaybackStatus, seconds: u64, position: i64) {
        for _ in 0..seconds * 4 {
            self.is(status, MediaTime::from_secs(position));
        }
    }

    fn is(&mut self, status: PlaybackStatus, position: MediaTime) {
        self.now += 250;
        self.journal.look(self.id, status, position, at(self.now));
    }

    /// How long each stall was that is told of, in milliseconds.
    fn stalls(&mut self) -> Vec<u64> {
        let told = self.told().into_iter();
        let stalls = told.filter(|event| event["type"] == "playback_stalled");
        stalls.map(|event| event["duration_ms"].as_u64().unwrap()).collect()
    }

    /// Everything that is told until now, without names and times.
    fn told(&mut self) -> Vec<Value> {
        self.journal.flush(at(self.now));
        let mut told = Vec::new();
        while let Some(body) = self.journal.batch(at(self.now)) {
            told.extend(events(&body));
            self.journal.answered(&status(200), at(self.now));
        }
        for event in &mut told {
            let event = event.as_object_mut().unwrap();
            event.remove("event_id");
            event.remove("at_ms");
        }
        told
    }
}

#[test]
fn a_playback_is_told_as_it_went() {
    let mut played = Played::begin();
    played.now = 800;
    played.hears(quality(MediaKind::Video, None, 1_900_000));
    played.hears(quality(MediaKind::Audio, None, 100_000));
    played.hears(Event::Ready);
    played.hears(Event::Playing);
    played.plays(10, 0);
    played.hears(quality(MediaKind::Video, Some(1_900_000), 900_000));
    played.hears(Event::Buffering { seeking: false });
    played.now += 1500;
    played.hears(Event::Playing);
    played.hears(Event::Buffering { seeking: true });
    played.hears(Event::Playing);
    let about = |more: Value| {
        let mut event = json!({"playback_id": "pb", "item_id": "film"});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let told = played.told();
    assert_eq!(
        told,
        [
            about(json!({"type": "playback_started", "startup_ms": 800})),
            about(json!({"type": "quality_changed", "from_bps": 1_900_000, "to_bps": 900_000})),
            about(json!({"type": "playback_stalled", "position_seconds": 10, "duration_ms": 1500})),
            about(json!({"type": "playback_progressed", "position_seconds": 10,
                "watched_ms": 10_000, "bandwidth_bps": 2_000_000})),
        ]
    );
    played.plays(5, 10);
    // The host slept for an hour; that was not watched.
    played.now += 3_600_000;
    played.journal.end(played.id, at(played.now));
    played.journal.end(played.id, at(played.now));
    played.hears(Event::Ended);
    let last = about(json!({"type": "playback_ended", "position_seconds": 15,
        "watched_ms": 5000, "bandwidth_bps": 1_000_000, "reason": "left"}));
    assert_eq!(played.told(), [last]);
    assert_eq!(played.journal.due(), None, "nothing is followed any more");
}

#[test]
fn a_stall_lasts_as_long_as_somebody_waits() {
    let begin = || {
        let mut played = Played::begin();
        played.hears(Event::Ready);
        played.hears(Event::Playing);
        played.plays(1, 0);
        played.hears(Event::Buffering { seeking: false });
        played.stays(PlaybackStatus::Buffering, 2, 1);
        played
    };
    let mut paused = begin();
    paused.stays(PlaybackStatus::Paused, 3600, 1);
    paused.hears(Event::Playing);
    assert_eq!(paused.stalls(), [2250], "whoever pauses does not wait");

    let mut sought = begin();
    sought.hears(Event::Buffering { seeking: true });
    sought.stays(PlaybackStatus::Buffering, 60, 900);
    sought.hears(Event::Playing);
    assert_eq!(sought.stalls(), [2000], "whoever goes elsewhere does not wait here any more");

    let mut slept = begin();
    slept.now += 36_000_000;
    slept.stays(PlaybackStatus::Buffering, 1, 1);
    slept.hears(Event::Playing);
    assert_eq!(slept.stalls(), [7750], "a device that sleeps does not wait");

    let mut left = begin();
    left.journal.end(left.id, at(left.now));
    assert_eq!(left.stalls(), [2000]);

    let mut waits = begin();
    waits.stays(PlaybackStatus::Buffering, 120, 1);
    waits.hears(Event::Playing);
    assert_eq!(waits.stalls(), [122_000]);
}

#[test]
fn what_plays_is_told_while_it_plays() {
    let mut played = Played::begin();
    played.hears(Event::Playing);
    played.plays(40, 0);
    let due = played.journal.due().unwrap();
    assert!(due <= at(31_000).now, "{due:?}");
    let body = played.journal.batch(at(played.now)).unwrap();
    assert_eq!(events(&body)[0]["watched_ms"], 40_000);
}

#[test]
fn a_failure_and_the_end_are_told_once() {
    let url = "https://cdn.example/film.mpd".to_owned();
    let error = Error::HttpStatus { url, status: 404 }.to_player_error(Severity::Fatal);
    for (event, reason) in [(Event::Error(error), "failed"), (Event::Ended, "finished")] {
        let mut played = Played::begin();
        played.hears(event.clone());
        played.hears(event);
        let told = played.told();
        let ends: Vec<_> = told.iter().filter(|told| told["type"] == "playback_ended").collect();
        assert_eq!(ends.len(), 1);
        assert_eq!(ends[0]["reason"], reason);
        let failures = told.iter().filter(|told| told["type"] == "playback_failed");
        let codes: Vec<_> = failures.map(|told| told["code"].clone()).collect();
        assert_eq!(codes.len(), usize::from(reason == "failed"));
        assert!(codes.iter().all(|code| code == "HTTP_STATUS"), "{codes:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a service answers and when a host asks: each event reaches it, in bounded memory, unless it refused it or
    /// more waited than may; and nothing that has a verdict is sent again.
    #[test]
    fn every_event_is_sent_until_it_has_a_verdict(
        steps in proptest::collection::vec((0u64..40_000, 0usize..80, 0usize..7), 1..60),
    ) {
        let mut journal = journal();
        let (mut now, mut told, mut settled) = (0, 0u16, std::collections::BTreeSet::new());
        for (pause, tells, answer) in steps {
            now += pause;
            for _ in 0..tells {
                journal.tell(&searched(told), at(now));
                told += 1;
            }
            let answer = match answer {
                0 => Answer::Unreachable,
                1 => Answer::Unsent,
                2 => status(503),
                3 => status(413),
                _ => status(200),
            };
            let waits = journal.kept().map_or(0, |kept| serde_json::from_str::<Vec<Value>>(&kept).unwrap().len());
            prop_assert!(waits <= 2000, "{waits}");
            let Some(body) = journal.batch(at(now)) else { continue };
            let sent = found(&body);
            prop_assert!(sent.iter().all(|found| !settled.contains(found)), "{sent:?}");
            if answer == status(200) || (answer == status(413) && sent.len() == 1) {
                settled.extend(sent);
            }
            journal.answered(&answer, at(now));
        }
        now += 10_000_000;
        journal.flush(at(now));
        while let Some(body) = journal.batch(at(now)) {
            settled.extend(found(&body));
            journal.answered(&status(200), at(now));
        }
        let lost = usize::from(told).saturating_sub(2000);
        prop_assert!(settled.len() >= usize::from(told) - lost);
        prop_assert_eq!(journal.kept(), None);
        prop_assert_eq!(journal.due(), None);
    }
}
