use kinora_abr::{Abr, Cause, Phase, Reasons, Rule};

use super::{has_codecs_of, names_codecs_of, same_codecs};
use crate::config::Config;
use crate::context::Context;
use crate::decoders::Decoders;
use crate::drm::Keys;
use crate::io::{AppendBody, Environment, MediaKind, Output, Quality, RequestId};
use crate::live::Live;
use crate::media::testing::{boxed, full, init_segment, sample_entry};
use crate::outbox::Outbox;
use crate::presentation::{Presentation, Segment};
use crate::requests::{OriginId, Requests};
use crate::stream::buffer::Held;
use crate::stream::init::InitKey;
use crate::stream::timeline::Timeline;
use crate::stream::{Chosen, Fetched, Key, Operation, Setbacks, Stream, Target, World};
use crate::telemetry::Totals;
use crate::time::{MediaTime, TimeRange, Timestamp};

/// All of them come from this request.
const BODY: RequestId = RequestId(7);

/// The boxes of one of them.
fn chunk_head(number: u32) -> Vec<u8> {
    lasting(number, 1)
}

/// The boxes of one that is so many milliseconds long.
fn lasting(number: u32, duration: u32) -> Vec<u8> {
    let mut traf = full(b"tfhd", 0, 0x02_0000, &[1]);
    traf.extend(full(b"tfdt", 0, 0, &[number]));
    traf.extend(full(b"trun", 0, 0x300, &[1, duration, 100]));
    let mut moof = full(b"mfhd", 0, 0, &[number]);
    moof.extend(boxed(b"traf", &traf));
    boxed(b"moof", &moof)
}

/// What a stream asks of the host with so many chunks of a millisecond each in its queue. All of the request has come.
fn outputs(
    count: u32,
    act: impl FnOnce(&mut Stream, &mut World<'_, '_>, TimeRange),
) -> (Stream, Vec<Output>) {
    let key = Key { period: 0, set: 0, representation: 0 };
    let quality = Quality {
        id: "v".to_owned(),
        bandwidth: 1,
        width: None,
        height: None,
        codecs: String::new(),
    };
    let mut stream = Stream::new(MediaKind::Video, vec![Some(0)], MediaTime::ZERO);
    let entry = sample_entry(b"avc1", b"vide", &[]);
    let bytes = init_segment(1, 1_000, b"vide", &entry, None);
    let init = stream.inits.made((key, &bytes, "video/mp4"), |_: InitKey| true).expect("init");
    stream.in_buffer = Some(init);
    let all = TimeRange { start: MediaTime::ZERO, end: MediaTime::from_millis(count.into()) };
    let mut abr = Abr::new(kinora_abr::Config::default());
    let reasons = Reasons {
        rule: Rule::default(),
        cause: Cause::Startup,
        estimate: abr.estimate(),
        candidates: Vec::new(),
    };
    let segment = Segment {
        number: 1,
        start: MediaTime::ZERO,
        duration: all.end,
        url: String::new(),
        range: None,
        init: Some(0),
        discontinuity: 0,
        size: None,
        gap: false,
        wall_time: None,
        key: None,
        bit_rate: None,
    };
    let chosen = Chosen {
        key,
        segment,
        init: Some(init),
        quality,
        reasons,
        target: Target::Next,
        media_offset: Some(MediaTime::ZERO),
        window: all,
        remux: false,
        partial: true,
        hinted: false,
        placed: None,
        chunks: count,
        piece: None,
        there: None,
        asked: Timestamp::default(),
        early_until: None,
    };
    stream.queue = (0..count)
        .map(|number| Fetched {
            chosen: chosen.clone(),
            body: AppendBody::Span {
                head: Vec::new(),
                id: BODY,
                start: number.into(),
                end: number.into(),
            },
            head: chunk_head(number),
            sealed: None,
            own: Some(None),
            bytes: 1,
            origin: OriginId::default(),
            arrived: Timestamp::default(),
            before: Setbacks::default(),
            last_of: (number + 1 == count).then_some(BODY),
            lost: false,
        })
        .collect();
    let (config, environment) = (Config::default(), Environment::default());
    let (mut totals, mut out) = (Totals::default(), Outbox::default());
    let now = Timestamp::default();
    let mut world = World {
        cx: &mut Context {
            now,
            offline: false,
            device_clock: None,
            muted: None,
            parting: &mut Vec::new(),
            config: &config,
            environment: &environment,
            abr: &mut abr,
            totals: &mut totals,
            out: &mut out,
        },
        presentation: &mut Presentation::default(),
        requests: &mut Requests::new(0, now),
        timeline: &mut Timeline::default(),
        decoders: &Decoders::default(),
        keys: &mut Keys::default(),
        live: &mut Live::new(None),
        playhead: MediaTime::ZERO,
        phase: Phase::Playing,
        rate: 1.0,
        attached: true,
        picture: None,
        fetch_limit: MediaTime::MAX,
    };
    act(&mut stream, &mut world, all);
    let outputs = core::iter::from_fn(|| out.pop()).collect();
    (stream, outputs)
}

/// A request was repeated, and brought once more what the buffer has: all of it is left out, however much it is.
#[test]
fn chunks_that_are_there_already_are_left_out_one_after_another() {
    let (stream, outputs) = outputs(6_000, |stream, world, all| {
        let chosen = &stream.queue[0].chosen;
        let (key, quality) = (chosen.key, chosen.quality.clone());
        let cause = Cause::Startup;
        stream.buffer.hold(Held { range: all, media: all, key, bytes: 1, quality, cause });
        stream.buffer.update(vec![all]);
        stream.feed(world).expect("nothing is wrong");
    });
    assert!(stream.queue.is_empty());
    assert_eq!(outputs, [Output::Cancel(BODY)], "the body is not needed any more");
}

/// What was cut into chunks while it was made may come in one when it is asked for again.
#[test]
fn what_is_there_in_part_is_appended() {
    let held = |to| {
        outputs(1, |stream, world, _| {
            stream.queue[0].head = lasting(0, 1_000);
            let chosen = &stream.queue[0].chosen;
            let (key, quality) = (chosen.key, chosen.quality.clone());
            let all = TimeRange { start: MediaTime::ZERO, end: MediaTime::from_millis(to) };
            let cause = Cause::Startup;
            stream.buffer.hold(Held { range: all, media: all, key, bytes: 1, quality, cause });
            stream.buffer.update(vec![all]);
            stream.feed(world).expect("nothing is wrong");
        })
    };
    let (stream, outputs) = held(700);
    assert_eq!(stream.queue.len(), 1);
    assert!(matches!(outputs[..], [Output::Media { .. }]), "{outputs:?}");
    let (stream, _) = held(1_000);
    assert!(stream.queue.is_empty());
}

/// The platform may have no room for it, and is given it once more.
#[test]
fn what_is_being_appended_keeps_its_body_though_what_follows_is_given_back() {
    let (stream, outputs) = outputs(3, |stream, world, _| {
        stream.operation = Some(Operation::Segment);
        stream.drop_queue(world);
    });
    assert_eq!(outputs, []);
    assert_eq!(stream.queue.len(), 1);
    assert_eq!(stream.queue[0].last_of, Some(BODY), "it is given back after that");
}

/// What waits before the place that is turned back to is still appended.
#[test]
fn what_waits_keeps_its_body_though_what_follows_is_given_back() {
    let (stream, outputs) = outputs(4, |stream, world, all| {
        for (fetched, number) in stream.queue.iter_mut().zip(0..) {
            fetched.chosen.segment.start = MediaTime::from_millis(number);
        }
        stream.turn_back(world, all.start + MediaTime::from_millis(2));
    });
    assert_eq!(outputs, []);
    let last_of: Vec<_> = stream.queue.iter().map(|fetched| fetched.last_of).collect();
    assert_eq!(last_of, [None, Some(BODY)]);
}

#[test]
fn a_manifest_that_leaves_a_codec_out_is_not_believed() {
    let declared = "video/mp4; codecs=\"avc1.42c01e,mp4a.40.2\"";
    assert!(names_codecs_of(declared, "video/mp4; codecs=\"avc1.64001f\""));
    assert!(!names_codecs_of(declared, "video/mp4; codecs=\"hvc1.1.6.L93\""));
    assert!(!names_codecs_of("video/mp4", "video/mp4; codecs=\"avc1.64001f\""));
    assert!(names_codecs_of(declared, "video/mp4"), "nothing is known to be left out");
}

#[test]
fn a_manifest_that_promises_more_than_there_is_is_not_believed_of_a_segment() {
    let muxed = "video/mp4; codecs=\"mp4a.40.5, avc1.42c01e\"";
    assert!(has_codecs_of(muxed, "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\""));
    assert!(!has_codecs_of(muxed, "video/mp4; codecs=\"avc1.64001f\""));
    assert!(!has_codecs_of("video/mp4", "video/mp4; codecs=\"avc1.64001f\""));
}

#[test]
fn profiles_may_differ_within_a_buffer_but_codecs_may_not() {
    let baseline = "video/mp4; codecs=\"avc1.42c01e\"";
    assert!(same_codecs(baseline, "video/mp4; codecs=\"avc1.64001f\""));
    assert!(!same_codecs(baseline, "video/mp4; codecs=\"hvc1.1.6.L93\""));
    assert!(!same_codecs(baseline, "video/mp4; codecs=\"avc1.64001f, mp4a.40.2\""));
    assert!(!same_codecs(baseline, "video/webm; codecs=\"vp09.00.10.08\""));
}
