use kinora_abr::Cause;

use super::{has_codecs_of, names_codecs_of, same_codecs};
use crate::io::Output;
use crate::stream::Operation;
use crate::stream::buffer::Held;
use crate::stream::testing::{BODY, lasting, outputs};
use crate::time::{MediaTime, TimeRange};

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
