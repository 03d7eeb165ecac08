use super::*;
use kinora_core::io::AppendBody;

const LOW_INIT: &[u8] = include_bytes!("../../tests/media/low-init.mp4");
const HIGH_INIT: &[u8] = include_bytes!("../../tests/media/high-init.mp4");
const TONE_INIT: &[u8] = include_bytes!("../../tests/media/tone-init.mp4");
const LOW: [&[u8]; 4] = [
    include_bytes!("../../tests/media/low-0.m4s"),
    include_bytes!("../../tests/media/low-1.m4s"),
    include_bytes!("../../tests/media/low-2.m4s"),
    include_bytes!("../../tests/media/low-3.m4s"),
];
const HIGH: [&[u8]; 4] = [
    include_bytes!("../../tests/media/high-0.m4s"),
    include_bytes!("../../tests/media/high-1.m4s"),
    include_bytes!("../../tests/media/high-2.m4s"),
    include_bytes!("../../tests/media/high-3.m4s"),
];
const TONE: [&[u8]; 5] = [
    include_bytes!("../../tests/media/tone-0.m4s"),
    include_bytes!("../../tests/media/tone-1.m4s"),
    include_bytes!("../../tests/media/tone-2.m4s"),
    include_bytes!("../../tests/media/tone-3.m4s"),
    include_bytes!("../../tests/media/tone-4.m4s"),
];

/// The frames of `LOW` and of `TONE`, in transport streams.
const TRANSPORT: [&[u8]; 4] = [
    include_bytes!("../../tests/media/transport-0.ts"),
    include_bytes!("../../tests/media/transport-1.ts"),
    include_bytes!("../../tests/media/transport-2.ts"),
    include_bytes!("../../tests/media/transport-3.ts"),
];

/// One frame of the picture, and one of the sound.
const PICTURE: f64 = 1.0 / 24.0;
const AAC: f64 = 1024.0 / 44_100.0;

/// An element and its clock.
struct Rig {
    element: MediaElement,
    now: Timestamp,
}

impl Rig {
    /// With a media source attached, a buffer for each kind and their initialisation segments.
    fn new() -> Self {
        Self::with(ElementConfig::default())
    }

    fn with(config: ElementConfig) -> Self {
        let mut rig = Self { element: MediaElement::new(config), now: Timestamp::default() };
        rig.done(MediaCommand::Open);
        rig.done(add(MediaKind::Video, "video/mp4; codecs=\"avc1.64000a\""));
        rig.done(add(MediaKind::Audio, "audio/mp4; codecs=\"mp4a.40.2\""));
        rig.append(MediaKind::Video, LOW_INIT);
        rig.append(MediaKind::Audio, TONE_INIT);
        rig
    }

    fn execute(&mut self, command: MediaCommand, body: Option<&'static [u8]>) -> OperationResult {
        self.element.execute(self.now, &command, body.map(Bytes::from_static))
    }

    fn done(&mut self, command: MediaCommand) -> Vec<TimeRange> {
        match self.execute(command, None) {
            OperationResult::Done { buffered } => buffered,
            OperationResult::Failed(failure) => panic!("{failure:?}"),
        }
    }

    fn append(&mut self, kind: MediaKind, data: &'static [u8]) -> Vec<TimeRange> {
        match self.execute(append(kind), Some(data)) {
            OperationResult::Done { buffered } => buffered,
            OperationResult::Failed(failure) => panic!("{failure:?}"),
        }
    }

    /// Both kinds, for the segments of these numbers.
    fn append_both(&mut self, segments: std::ops::Range<usize>) {
        for number in segments {
            self.append(MediaKind::Video, LOW[number]);
            self.append(MediaKind::Audio, TONE[number]);
        }
    }

    /// Lets the clock run, as a driver does: to each change and to the end.
    fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some(at) = self.element.next_change().filter(|at| *at < end) {
            self.now = at;
            self.element.advance(at);
        }
        self.now = end;
        self.element.advance(end);
    }

    fn position(&self) -> f64 {
        self.element.state().position.seconds()
    }
}

fn add(kind: MediaKind, mime_type: &str) -> MediaCommand {
    MediaCommand::AddBuffer { kind, mime_type: mime_type.into() }
}

fn append(kind: MediaKind) -> MediaCommand {
    append_at(kind, MediaTime::ZERO, MediaTime::MAX)
}

fn append_at(kind: MediaKind, timestamp_offset: MediaTime, end: MediaTime) -> MediaCommand {
    let window = TimeRange { start: MediaTime::ZERO, end };
    MediaCommand::Append { kind, timestamp_offset, window, body: AppendBody::Bytes(Vec::new()) }
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

#[test]
fn ranges_are_those_of_the_coded_frames() {
    let mut rig = Rig::new();
    let video = rig.append(MediaKind::Video, LOW[0]);
    assert_eq!(video.len(), 1);
    assert!(near(video[0].start.seconds(), 0.0, 1e-6), "{video:?}");
    assert!(near(video[0].end.seconds(), 2.0, 1e-6), "{video:?}");
    let audio = rig.append(MediaKind::Audio, TONE[0]);
    assert!(near(audio[0].end.seconds(), 2.0, AAC), "{audio:?}");
    let video = rig.append(MediaKind::Video, LOW[2]);
    assert_eq!(video.len(), 2, "the second segment is missing: {video:?}");
    let video = rig.append(MediaKind::Video, LOW[1]);
    assert_eq!(video.len(), 1);
    assert!(near(video[0].end.seconds(), 6.0, 1e-6), "{video:?}");
}

#[test]
fn the_playhead_moves_in_real_time_only_while_every_buffer_has_data() {
    let mut rig = Rig::new();
    rig.element.play(rig.now);
    rig.append(MediaKind::Video, LOW[0]);
    rig.run(500);
    assert_eq!(rig.position(), 0.0, "there is no sound yet");
    assert_eq!(rig.element.state().ready_state, ReadyState::HaveMetadata);
    rig.append(MediaKind::Audio, TONE[0]);
    assert_eq!(rig.element.state().ready_state, ReadyState::HaveEnoughData);
    rig.run(1500);
    assert!(near(rig.position(), 1.5, 1e-6), "{}", rig.position());
    rig.run(5000);
    assert!(near(rig.position(), 2.0, AAC), "it stalls where data ends: {}", rig.position());
    assert_eq!(rig.element.state().ready_state, ReadyState::HaveCurrentData);
    let stalled_at = rig.position();
    rig.append_both(1..2);
    rig.run(1000);
    assert!(near(rig.position(), stalled_at + 1.0, 1e-6), "and goes on from there");
    rig.element.pause(rig.now);
    rig.run(1000);
    assert!(near(rig.position(), stalled_at + 1.0, 1e-6), "but not while paused");
}

#[test]
fn every_second_is_accounted_for_to_the_end() {
    let mut rig = Rig::new();
    rig.append_both(0..4);
    rig.append(MediaKind::Audio, TONE[4]);
    rig.done(MediaCommand::EndOfStream);
    rig.element.play(rig.now);
    rig.run(20_000);
    let state = rig.element.state().clone();
    assert!(state.ended);
    assert!(near(state.position.seconds(), 8.0, 2.0 * AAC), "{state:?}");
    let presented = rig.element.presented();
    assert_eq!(presented.video_frames, 192);
    assert_eq!(presented.video_sizes, [(64, 36, 192)]);
    assert_eq!(state.total_frames, 192);
    assert!(near(presented.audio.seconds(), presented.played.seconds(), AAC), "{presented:?}");
    assert!(presented.audio_missing.seconds() <= AAC, "{presented:?}");
    assert!(presented.video_missing.seconds() <= PICTURE, "{presented:?}");
    assert_eq!(presented.audio_overlap, MediaTime::ZERO);
    // ffmpeg's sine has an amplitude of 1/8.
    assert!(near(presented.audio_rms(), 0.125 / 2f64.sqrt(), 0.01), "{}", presented.audio_rms());
    assert!(presented.audio_silent.seconds() < 0.1, "{presented:?}");
    let coded: usize = LOW.iter().chain(&TONE).map(|segment| segment.len()).sum();
    assert!(presented.bytes < coded as u64 && presented.bytes > coded as u64 / 2);
}

#[test]
fn a_hole_in_the_sound_is_seen() {
    let mut rig = Rig::new();
    rig.append_both(0..1);
    // A single frame of sound lost is too little to stop the playhead.
    let hole = TimeRange { start: MediaTime::from_millis(1000), end: MediaTime::from_millis(1024) };
    let buffered = rig.done(MediaCommand::Remove { kind: MediaKind::Audio, range: hole });
    assert_eq!(buffered.len(), 1, "{buffered:?}");
    rig.element.play(rig.now);
    rig.run(1900);
    let presented = rig.element.presented();
    assert!(near(presented.audio_missing.seconds(), AAC, 1e-4), "{presented:?}");
    assert!(near(presented.audio.seconds(), 1.9 - AAC, 1e-3), "{presented:?}");
}

#[test]
fn a_seek_waits_for_data_and_then_goes_on() {
    let mut rig = Rig::new();
    rig.append_both(0..1);
    rig.element.play(rig.now);
    rig.run(500);
    rig.done(MediaCommand::Seek(MediaTime::from_secs(5)));
    assert!(rig.element.state().seeking);
    rig.run(1000);
    assert!(rig.element.state().seeking);
    assert_eq!(rig.position(), 5.0);
    rig.append_both(2..3);
    assert!(!rig.element.state().seeking);
    rig.run(500);
    assert!(near(rig.position(), 5.5, 1e-6));
    rig.done(MediaCommand::Seek(MediaTime::from_millis(250)));
    assert!(!rig.element.state().seeking, "it is still buffered");
    let frames = rig.element.presented().video_frames;
    rig.run(250);
    // Six periods of a frame, and the frame that was on show at the start.
    assert_eq!(rig.element.presented().video_frames - frames, 6);
}

#[test]
fn a_seek_to_a_boundary_does_not_wait_for_sound_that_begins_a_little_later() {
    let mut rig = Rig::new();
    rig.element.play(rig.now);
    rig.append(MediaKind::Video, LOW[1]);
    let audio = rig.append(MediaKind::Audio, TONE[1])[0];
    let late = audio.start - MediaTime::from_millis(30);
    rig.append(MediaKind::Video, LOW[0]);
    rig.done(MediaCommand::Seek(late));
    assert!(!rig.element.state().seeking);
    rig.run(500);
    assert!(near(rig.position(), late.seconds() + 0.5, 1e-6));
    let missing = rig.element.presented().audio_missing.seconds();
    assert!(near(missing, 0.03, 1e-3), "it is counted: {missing}");
    rig.done(MediaCommand::Seek(audio.start - MediaTime::from_millis(300)));
    assert!(rig.element.state().seeking, "but not for long");
}

#[test]
fn the_rate_scales_the_clock() {
    let mut rig = Rig::new();
    rig.append_both(0..4);
    rig.element.play(rig.now);
    rig.done(MediaCommand::SetRate(2.0));
    rig.run(1000);
    assert!(near(rig.position(), 2.0, 1e-6));
    rig.done(MediaCommand::SetRate(0.0));
    rig.run(1000);
    assert!(near(rig.position(), 2.0, 1e-6));
    let refused = rig.execute(MediaCommand::SetRate(-1.0), None);
    assert!(matches!(refused, OperationResult::Failed(MediaFailure::NotSupported(_))));
}

#[test]
fn a_better_quality_takes_the_place_of_what_was_there() {
    let mut rig = Rig::new();
    rig.append_both(0..4);
    rig.append(MediaKind::Video, HIGH_INIT);
    let buffered = rig.append(MediaKind::Video, HIGH[1]);
    assert_eq!(buffered.len(), 1, "{buffered:?}");
    rig.element.play(rig.now);
    rig.run(7000);
    assert_eq!(rig.element.presented().video_sizes, [(64, 36, 120), (128, 72, 48)]);
}

#[test]
fn what_depends_on_a_removed_frame_goes_with_it() {
    let mut rig = Rig::new();
    rig.append_both(0..2);
    let range = TimeRange { start: MediaTime::from_millis(500), end: MediaTime::from_millis(600) };
    let buffered = rig.done(MediaCommand::Remove { kind: MediaKind::Video, range });
    assert_eq!(buffered.len(), 2, "{buffered:?}");
    assert!(near(buffered[0].end.seconds(), 0.5, PICTURE), "{buffered:?}");
    assert!(near(buffered[1].start.seconds(), 2.0, 1e-6), "the next key frame: {buffered:?}");
}

#[test]
fn the_offset_and_the_window_apply() {
    let mut rig = Rig::new();
    let offset = MediaTime::from_secs(10);
    let command = append_at(MediaKind::Video, offset, MediaTime::from_secs(11));
    let OperationResult::Done { buffered } = rig.execute(command, Some(LOW[0])) else {
        panic!("the append failed");
    };
    assert!(near(buffered[0].start.seconds(), 10.0, 1e-6), "{buffered:?}");
    // In decoding order, the first frame beyond the window takes those before it along.
    assert!((10.7..=11.0).contains(&buffered[0].end.seconds()), "{buffered:?}");
}

#[test]
fn a_full_buffer_refuses_and_keeps_what_it_has() {
    let config = ElementConfig { video_quota: 5_000, ..ElementConfig::default() };
    let mut rig = Rig::with(config);
    let before = rig.append(MediaKind::Video, LOW[0]);
    let refused = rig.execute(append(MediaKind::Video), Some(LOW[1]));
    assert_eq!(refused, OperationResult::Failed(MediaFailure::QuotaExceeded));
    let nothing = TimeRange::default();
    let after = rig.done(MediaCommand::Remove { kind: MediaKind::Video, range: nothing });
    assert_eq!(after, before);
    rig.done(MediaCommand::Remove { kind: MediaKind::Video, range: before[0] });
    let again = rig.append(MediaKind::Video, LOW[1]);
    assert!(near(again[0].start.seconds(), 2.0, 1e-6), "there is room again: {again:?}");
}

#[test]
fn operations_in_the_wrong_state_are_refused() {
    let mut rig = Rig::new();
    let twice = rig.execute(add(MediaKind::Video, "video/mp4; codecs=\"avc1.64000a\""), None);
    assert!(matches!(twice, OperationResult::Failed(MediaFailure::InvalidState(_))));
    let text = rig.execute(append(MediaKind::Text), Some(LOW[0]));
    assert!(matches!(text, OperationResult::Failed(MediaFailure::InvalidState(_))));
    let nobody = rig.execute(append(MediaKind::Video), None);
    assert!(matches!(nobody, OperationResult::Failed(MediaFailure::InvalidState(_))));
    rig.done(MediaCommand::Close);
    let closed = rig.execute(MediaCommand::EndOfStream, None);
    assert!(matches!(closed, OperationResult::Failed(MediaFailure::InvalidState(_))));
    assert_eq!(rig.element.state().ready_state, ReadyState::HaveNothing);
}

#[test]
fn garbage_is_a_decode_error_that_changes_nothing() {
    let mut rig = Rig::new();
    let before = rig.append(MediaKind::Video, LOW[0]);
    for length in 1..LOW[1].len() {
        let result = rig.execute(append(MediaKind::Video), Some(&LOW[1][..length]));
        assert!(
            matches!(result, OperationResult::Failed(MediaFailure::Decode(_)))
                || result == OperationResult::Done { buffered: before.clone() },
            "cut at {length}: {result:?}"
        );
    }
    let html: &[u8] = b"<!DOCTYPE html><title>404 Not Found</title>";
    let result = rig.execute(append(MediaKind::Video), Some(html));
    assert!(matches!(result, OperationResult::Failed(MediaFailure::Decode(_))), "{result:?}");
}

#[test]
fn broken_sound_is_an_error_of_the_element() {
    let mut rig = Rig::new();
    let mut broken = TONE[0].to_vec();
    let mdat = broken.windows(4).position(|bytes| bytes == b"mdat").expect("there is one") + 4;
    broken[mdat + 400..].fill(0xff);
    rig.append(MediaKind::Video, LOW[0]);
    rig.append(MediaKind::Audio, broken.leak());
    rig.element.play(rig.now);
    rig.run(2000);
    let error = rig.element.state().error.clone().expect("the decoder gave up");
    assert!(error.contains("AAC frame at"), "{error}");
}

/// The samples of one kind: their times from the first picture or frame on, whether they are key frames, and their bytes.
fn samples_of(segments: &[Bytes], audio: bool) -> Vec<(MediaTime, MediaTime, bool, Bytes)> {
    let mut tracks = Vec::new();
    let mut samples = Vec::new();
    for segment in segments {
        let parsed = mp4::parse(segment, &tracks, &KeyRing::default()).expect("media");
        tracks = parsed.init.unwrap_or(tracks);
        let of_kind = parsed.samples.into_iter().filter(|one| one.track.codec.is_audio() == audio);
        samples.extend(of_kind);
    }
    let first = samples.iter().map(|sample| sample.pts).min().expect("samples");
    let facts = |one: mp4::Sample| (one.pts - first, one.dts - first, one.sync, one.data);
    samples.into_iter().map(facts).collect()
}

#[test]
fn a_transport_stream_becomes_the_samples_it_was_made_of() {
    use kinora_core::media::ts::{Options, Remuxer, Wanted};

    let mut remuxer = Remuxer::default();
    let mut segments: Vec<Bytes> = Vec::new();
    for segment in TRANSPORT {
        let options = Options { wanted: Wanted::All, near: None, cipher: None };
        let turned = remuxer.remux(segment, &options).expect("H.264 and AAC");
        segments.extend([turned.init.into(), turned.media.into()]);
    }
    assert!(segments.iter().step_by(2).all(|init| *init == segments[0]), "it stays the same");
    let whole = |init, rest: &[&'static [u8]]| {
        let parts = std::iter::once(init).chain(rest.iter().copied());
        parts.map(Bytes::from_static).collect::<Vec<_>>()
    };
    for (original, audio) in [(whole(LOW_INIT, &LOW), false), (whole(TONE_INIT, &TONE), true)] {
        let (made, original) = (samples_of(&segments, audio), samples_of(&original, audio));
        assert_eq!(made.len(), original.len());
        for (number, (made, original)) in made.iter().zip(&original).enumerate() {
            assert_eq!(made, original, "sample {number}, sound: {audio}");
        }
    }
}
