//! Random films, networks, faults, elements and viewers.

use std::time::Duration;

use fastrand::Rng;
use kinora_core::io::Source;
use kinora_core::time::MediaTime;

use super::plan::{NetworkPlan, pick};
use super::publication::Publication;
use crate::world::content::{Fault, FaultKind, Film};
use crate::world::element::{ElementFaults, Managed};
use crate::world::film::{Addressing, Codec, Part};
use crate::world::network::{Protocol, Stretch};
use crate::world::viewer::Action;

const LADDERS: &[&[(u32, u32)]] = &[
    &[(800, 480)],
    &[(300, 240), (1_200, 480)],
    &[(250, 240), (700, 360), (2_000, 720)],
    &[(300, 240), (750, 360), (1_500, 480), (3_000, 720), (6_000, 1080)],
    &[
        (235, 240),
        (375, 288),
        (560, 384),
        (750, 480),
        (1_750, 540),
        (3_000, 720),
        (5_800, 1080),
        (12_000, 2160),
    ],
];

pub(super) fn film(draw: &mut Rng, dash: bool) -> Film {
    // Most are short enough to be seen to their end, a few are whole evenings.
    let seconds = match draw.u8(0..10) {
        0..=2 => draw.u32(5..120),
        3..=7 => draw.u32(120..3_000),
        _ => draw.u32(3_000..9_000),
    };
    let segment_seconds = *pick(draw, &[2, 4, 4, 6, 6, 10]);
    let segments = seconds.div_ceil(segment_seconds);
    let addressing = *pick(draw, &[Addressing::Number, Addressing::Timeline, Addressing::OneFile]);
    let mut parts = Vec::new();
    if draw.u8(0..3) == 0 && segments > 4 {
        let mut at = 0;
        for _ in 0..draw.u32(1..5) {
            at += draw.u32(1..=(segments / 4).max(1));
            if at >= segments {
                break;
            }
            let codec = if dash && draw.u8(0..3) == 0 { Codec::Hevc } else { Codec::Avc };
            parts.push(Part { segment: at, media_start: draw.u32(0..100_000), codec });
        }
    }
    Film {
        seconds,
        segment_seconds,
        rungs: pick(draw, LADDERS).to_vec(),
        audio_kbps: (draw.u8(0..8) > 0).then(|| *pick(draw, &[48, 96, 128])),
        media_start: *pick(draw, &[0, 0, 10, 40_000]),
        audio_lag: *pick(draw, &[0, 0, 11, 21]),
        languages: *pick(draw, &[1, 1, 2, 3]),
        subtitles: false,
        parts,
        variation: *pick(draw, &[0, 20, 50]),
        addressing,
        protection: None,
        wobble_ms: 0,
        overhang_ms: 0,
        // Drawn aside, so that everything else of a world stays as it was.
        samples: *pick(&mut draw.clone(), &[1, 24, 50]),
        gaps: Vec::new(),
    }
}

/// A media source that manages itself, in one world of sixteen; `segment` is the size of a large one.
pub(super) fn managed(draw: &mut Rng, segment: u64) -> Option<Managed> {
    (draw.u8(0..16) == 0).then(|| Managed {
        enough: MediaTime::from_secs(*pick(draw, &[15, 30, 30])),
        memory: if draw.bool() { segment * draw.u64(6..20) } else { u64::MAX },
        ..Managed::default()
    })
}

/// What is not as the manifest says, or not there at all.
pub(super) fn flaws(draw: &mut Rng, film: &mut Film, dash: bool) {
    if draw.u8(0..4) == 0 {
        film.wobble_ms = *pick(draw, &[40, 150, 400]);
    }
    if draw.u8(0..6) == 0 {
        film.overhang_ms = 40;
    }
    let by_file = film.addressing != Addressing::OneFile;
    if !dash && by_file && film.segments() > 3 && draw.u8(0..5) == 0 {
        film.gaps = (0..draw.u32(1..4)).map(|_| draw.u32(0..film.segments())).collect();
        film.gaps.sort_unstable();
        film.gaps.dedup();
    }
}

pub(super) fn network(draw: &mut Rng) -> NetworkPlan {
    let trace = match draw.u8(0..6) {
        0 => constant(draw),
        1 => steps(draw),
        2 | 3 => mobile(draw),
        4 => walk(draw),
        _ => outages(draw),
    };
    let protocol = if draw.bool() {
        Protocol::Http2
    } else {
        Protocol::Http1 { connections: *pick(draw, &[2, 6]) }
    };
    NetworkPlan {
        trace,
        per_connection_kbps: (draw.u8(0..8) == 0).then(|| draw.u64(3_000..10_000)),
        connection_setup: Duration::from_millis(*pick(draw, &[0, 40, 150])),
        protocol,
        jitter: Duration::from_millis(*pick(draw, &[0, 10, 80])),
        losses_per_minute: *pick(draw, &[0.0, 0.0, 5.0, 40.0]),
        progress: Duration::from_millis(*pick(draw, &[100, 250, 500])),
    }
}

fn latency(draw: &mut Rng) -> Duration {
    Duration::from_millis(*pick(draw, &[8, 20, 50, 120, 300]))
}

/// Between these, each order of magnitude is as likely as the next.
fn rate(draw: &mut Rng, least: f64, most: f64) -> u64 {
    (least * (most / least).powf(draw.f64())) as u64
}

fn constant(draw: &mut Rng) -> Vec<Stretch> {
    let (kbps, latency) = (rate(draw, 600.0, 60_000.0), latency(draw));
    vec![Stretch { duration: Duration::from_secs(3_600), kbps, latency, offline: false }]
}

fn steps(draw: &mut Rng) -> Vec<Stretch> {
    let latency = latency(draw);
    (0..draw.usize(2..8))
        .map(|_| Stretch {
            duration: Duration::from_secs(draw.u64(5..120)),
            kbps: rate(draw, 300.0, 30_000.0),
            latency,
            offline: false,
        })
        .collect()
}

/// A Markov chain over a few states of a cell, with sojourns of seconds.
fn mobile(draw: &mut Rng) -> Vec<Stretch> {
    let states: Vec<(u64, Duration)> =
        (0..draw.usize(3..7)).map(|_| (rate(draw, 200.0, 40_000.0), latency(draw))).collect();
    let mut state = 0;
    (0..200)
        .map(|_| {
            // Mostly to a neighbour: cells get better and worse, and seldom jump.
            state = match draw.u8(0..10) {
                0 => draw.usize(0..states.len()),
                1..=4 => (state + 1).min(states.len() - 1),
                5..=8 => state.saturating_sub(1),
                _ => state,
            };
            let (kbps, latency) = states[state];
            let duration = Duration::from_millis(draw.u64(1_000..20_000));
            Stretch { duration, kbps, latency, offline: false }
        })
        .collect()
}

/// A rate that wanders, every few seconds, by up to a third.
fn walk(draw: &mut Rng) -> Vec<Stretch> {
    let (mut kbps, latency) = (rate(draw, 1_000.0, 20_000.0) as f64, latency(draw));
    (0..300)
        .map(|_| {
            kbps = (kbps * (0.67 + 0.8 * draw.f64())).clamp(150.0, 60_000.0);
            let duration = Duration::from_millis(draw.u64(2_000..8_000));
            Stretch { duration, kbps: kbps as u64, latency, offline: false }
        })
        .collect()
}

/// A good network with holes: tunnels, in which nothing comes, and moments without any network.
fn outages(draw: &mut Rng) -> Vec<Stretch> {
    let (kbps, latency) = (rate(draw, 1_500.0, 30_000.0), latency(draw));
    let mut trace = Vec::new();
    for _ in 0..20 {
        let duration = Duration::from_secs(draw.u64(20..200));
        trace.push(Stretch { duration, kbps, latency, offline: false });
        let offline = draw.bool();
        let duration = Duration::from_millis(draw.u64(500..if offline { 8_000 } else { 15_000 }));
        trace.push(Stretch { duration, kbps: 0, latency, offline });
    }
    trace
}

pub(super) fn faults(draw: &mut Rng, film: &Film) -> Vec<Fault> {
    let count = *pick(draw, &[0, 0, 2, 5, 12, 40]);
    (0..count).map(|_| fault(draw, film)).collect()
}

fn fault(draw: &mut Rng, film: &Film) -> Fault {
    let number = draw.u32(0..film.segments());
    let (_, height) = *pick(draw, &film.rungs);
    let file = if film.addressing == Addressing::OneFile { "media-0.mp4" } else { "init" };
    let part = match draw.u8(0..12) {
        0 => ".m3u8".to_owned(),
        1 => "manifest.mpd".to_owned(),
        2 => format!("v{height}/media.m3u8"),
        3 => format!("v{height}/{file}"),
        4 => format!("audio/{file}"),
        5..=6 => format!("/{number}.m4s"),
        7 => format!("audio/{number}.m4s"),
        _ => format!("v{height}/{number}.m4s"),
    };
    let one_rung = part.starts_with('v') && film.rungs.len() > 2;
    let kind = kind(draw);
    // What one quality lacks for good, another may have; else a fault passes.
    let for_good = one_rung && draw.u8(0..4) == 0;
    Fault { part, times: if for_good { u32::MAX } else { draw.u32(1..3) }, kind }
}

pub(super) fn kind(draw: &mut Rng) -> FaultKind {
    let at = draw.u64(0..200_000);
    match draw.u8(0..13) {
        0 => FaultKind::Refuse,
        1 => FaultKind::Silence,
        2 => FaultKind::Status(*pick(draw, &[500, 502, 504])),
        3 => FaultKind::RetryAfter(*pick(draw, &[429, 503]), draw.u32(1..6)),
        4 => FaultKind::Delay(Duration::from_millis(draw.u64(500..8_000))),
        5 => FaultKind::Cut(at),
        6 => FaultKind::Truncate(at),
        7 => FaultKind::TruncateQuietly(at),
        8 => FaultKind::Stall(at),
        9 => FaultKind::Trickle(draw.u64(8..200)),
        10 => FaultKind::Status(*pick(draw, &[403, 404, 410])),
        11 => FaultKind::Replace("text/html", b"<html>Please log in</html>".to_vec()),
        _ => FaultKind::Corrupt(draw.u64(0..100)),
    }
}

pub(super) fn element(draw: &mut Rng) -> ElementFaults {
    ElementFaults {
        evicts: draw.bool(),
        refuses_change_type: false,
        refuses_types: None,
        quota_at_append: (draw.u8(0..10) == 0).then(|| draw.u32(2..60)),
        dies_at_append: None,
        refuses_autoplay: draw.u8(0..10) == 0,
        ..ElementFaults::default()
    }
}

pub(super) fn actions(draw: &mut Rng, film: &Film) -> Vec<(Duration, Action)> {
    let again = Source { url: String::new(), format: None, start: None };
    let length = u64::from(film.seconds);
    // Most watch; some cannot sit still.
    let count = *pick(draw, &[0, 0, 1, 3, 8, 30]);
    let fast = draw.u8(0..5) == 0;
    let mut at = Duration::ZERO;
    let mut actions = Vec::new();
    for _ in 0..count {
        let pause =
            if fast { draw.u64(0..3_000) } else { draw.u64(0..length * 1_000 / (count + 1) + 1) };
        at += Duration::from_millis(pause);
        let place = MediaTime::from_millis(draw.i64(0..i64::from(film.seconds) * 1_000 + 2_000));
        let action = match draw.u8(0..20) {
            0..=6 => Action::Seek(place),
            7..=8 => Action::SeekByControls(place),
            9 | 10 => {
                actions.push((at, Action::Pause));
                let most = *pick(draw, &[5, 60, 7_200]);
                at += Duration::from_secs(draw.u64(0..most) + 1);
                Action::Play
            }
            11 => Action::SetRate(*pick(draw, &[0.5, 1.0, 1.5, 2.0])),
            12 | 13 => Action::SelectAudio(draw.u32(0..film.languages)),
            14 => {
                let (_, height) = *pick(draw, &film.rungs);
                Action::Pin(draw.bool().then_some(height))
            }
            15 => Action::Cap(draw.bool().then(|| *pick(draw, &[240, 480, 720]))),
            16 => Action::Sleep(Duration::from_secs(draw.u64(1..20_000))),
            17 => Action::GoOffline(Duration::from_millis(draw.u64(200..6_000))),
            18 => Action::Load(again.clone()),
            _ => {
                actions.push((at, Action::Unload));
                at += Duration::from_secs(1);
                Action::Load(again.clone())
            }
        };
        actions.push((at, action));
    }
    actions
}

/// In one world of four there are subtitles, and a viewer who turns them on, off, and to the other language.
pub(super) fn text(
    draw: &mut Rng,
    film: &mut Film,
    publication: &mut Publication,
    actions: &mut Vec<(Duration, Action)>,
) {
    if draw.u8(0..4) > 0 {
        return;
    }
    let languages = match publication {
        // Those of the virtual world are of one piece.
        Publication::OneHost if film.parts.is_empty() => 2,
        Publication::Live { .. } => 1,
        _ => return,
    };
    match publication {
        Publication::Live { broadcast, .. } => broadcast.subtitles = true,
        _ => film.subtitles = true,
    }
    for _ in 0..draw.u8(1..6) {
        let at = Duration::from_millis(draw.u64(0..u64::from(film.seconds) * 1_000));
        let index = (draw.u8(0..4) > 0).then(|| draw.u32(0..languages));
        actions.push((at, Action::SelectText(index)));
    }
    actions.sort_by_key(|(at, _)| *at);
}

/// What was to be done with a film is done with a broadcast that is watched for so long.
pub(super) fn stay_live(actions: &mut Vec<(Duration, Action)>, watched: Duration, lead_ms: u64) {
    actions.retain(|(at, _)| *at < watched);
    let begun = MediaTime::from_millis(lead_ms as i64);
    for (_, action) in actions {
        match action {
            // Somewhere around what can be reached.
            Action::Seek(place) | Action::SeekByControls(place) => *place = *place + begun,
            Action::SelectAudio(index) => *index = 0,
            _ => {}
        }
    }
}
