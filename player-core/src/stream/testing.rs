//! A stream with media in its queue, and the world around it, for tests.

use kinora_abr::{Abr, Cause, Phase, Reasons, Rule};

use super::init::InitKey;
use super::timeline::Timeline;
use super::{Chosen, Fetched, Key, Setbacks, Stream, Target, World};
use crate::config::Config;
use crate::context::Context;
use crate::decoders::Decoders;
use crate::drm::Keys;
use crate::io::{AppendBody, Environment, MediaKind, Output, Quality, RequestId};
use crate::live::Live;
use crate::media::testing::{boxed, full, init_segment, sample_entry};
use crate::outbox::Outbox;
use crate::presentation::{Period, Presentation, Representation, Segment, Segments, SwitchingSet};
use crate::requests::{OriginId, Requests};
use crate::telemetry::Totals;
use crate::time::{MediaTime, TimeRange, Timestamp};

/// All of them come from this request.
pub(super) const BODY: RequestId = RequestId(7);

/// The boxes of one of them.
fn chunk_head(number: u32) -> Vec<u8> {
    lasting(number, 1)
}

/// The boxes of one that is so many milliseconds long.
pub(super) fn lasting(number: u32, duration: u32) -> Vec<u8> {
    let mut traf = full(b"tfhd", 0, 0x02_0000, &[1]);
    traf.extend(full(b"tfdt", 0, 0, &[number]));
    traf.extend(full(b"trun", 0, 0x300, &[1, duration, 100]));
    let mut moof = full(b"mfhd", 0, 0, &[number]);
    moof.extend(boxed(b"traf", &traf));
    boxed(b"moof", &moof)
}

/// A film in one quality, of which the segments are not known.
fn presentation() -> Presentation {
    let only = Representation::new("v", 1, Segments::Playlist { url: String::new() });
    let set = SwitchingSet { representations: vec![only], ..SwitchingSet::new(MediaKind::Video) };
    let periods = vec![Period { sets: vec![set], ..Period::default() }];
    Presentation { periods, ..Presentation::default() }
}

/// What a stream asks of the host with so many chunks of a millisecond each in its queue. All of the request has come.
pub(super) fn outputs(
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
    let segment = Segment::plain(1, MediaTime::ZERO, all.end, "");
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
        presentation: &mut presentation(),
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
