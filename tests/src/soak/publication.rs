//! How what is played reaches the viewer: from one host, from several, or while it is made.

use std::time::Duration;

use fastrand::Rng;

use super::plan::pick;
use super::random;
use crate::world::content::{Fault, FaultKind, Film, Origin};
use crate::world::film::{Addressing as FilmAddressing, Carriage, Sealing};
use crate::world::hosts::{Hosts, MAIN, STEERING, steering};
use crate::world::live::{Addressing, Broadcast};

/// Where films are published that one host has.
const BASE: &str = "https://cdn.example/film";

/// How it reaches the viewer.
#[derive(Clone, Debug)]
pub enum Publication {
    /// One host has it.
    OneHost,
    /// Several have it, and a steering server may say which is to be asked.
    Hosts {
        /// The hosts; the film is the plan's.
        hosts: Hosts,
        /// What the steering server says.
        steering: String,
    },
    /// One host has it, in MPEG-2 transport streams.
    Transport(Carriage),
    /// One host has it, and all of its segments are encrypted as a whole.
    Sealed(Sealing),
    /// It is made while it is watched.
    Live {
        /// What is made.
        broadcast: Broadcast,
        /// What the device's clock is ahead, in microseconds.
        skew_us: i64,
    },
}

impl Publication {
    pub(super) fn draw(draw: &mut Rng, film: &Film, dash: bool) -> Self {
        match draw.u8(0..4) {
            // An index in the film's one file is asked for under the first host's name alone.
            0 if film.addressing != FilmAddressing::OneFile => hosts(draw, film),
            1 => live(draw, film, dash),
            _ => Self::OneHost,
        }
    }

    /// Another container, or encryption, for what is short enough to be made byte by byte.
    pub(super) fn pack(&mut self, draw: &mut Rng, film: &Film, dash: bool) {
        if let Self::Live { broadcast, .. } = self {
            broadcast.transport = !dash && broadcast.part_ms.is_none() && draw.u8(0..6) == 0;
            // Encoders' clocks are wrong by up to a thousandth.
            if draw.u8(0..3) == 0 {
                broadcast.drift_ppm = *pick(draw, &[-1_000, -300, -100, 100, 300, 1_000]);
            }
            return;
        }
        let short = film.seconds <= 120 && film.rungs.len() <= 3 && film.parts.is_empty();
        if dash || !short || !matches!(self, Self::OneHost) {
            return;
        }
        let sealing = Sealing {
            rotation: draw.u32(1..20),
            one_file: film.addressing == FilmAddressing::OneFile,
        };
        match draw.u8(0..3) {
            0 => {
                let samples = draw.bool();
                *self = Self::Transport(Carriage {
                    muxed: draw.bool(),
                    packed: draw.bool(),
                    sealing: draw.bool().then_some(Sealing { one_file: false, ..sealing }),
                    samples,
                    codecs: draw.bool(),
                });
            }
            1 => *self = Self::Sealed(sealing),
            _ => {}
        }
    }

    /// Whether a player changes media before it appends it.
    pub(super) fn changes_media(&self) -> bool {
        match self {
            Self::OneHost | Self::Hosts { .. } => false,
            Self::Transport(_) | Self::Sealed(_) => true,
            Self::Live { broadcast, .. } => broadcast.transport,
        }
    }

    /// The manifest.
    pub(super) fn url(&self, dash: bool) -> String {
        let name = if dash { "manifest.mpd" } else { "master.m3u8" };
        match self {
            Self::OneHost | Self::Transport(_) | Self::Sealed(_) => format!("{BASE}/{name}"),
            Self::Hosts { .. } => format!("{MAIN}/{name}"),
            Self::Live { broadcast, .. } if dash => broadcast.dash(),
            Self::Live { broadcast, .. } => broadcast.hls(),
        }
    }

    /// What servers hold.
    pub(super) fn publish(&self, film: &Film) -> Origin {
        match self {
            Self::OneHost => film.publish(BASE),
            Self::Transport(carriage) => film.publish_transport(BASE, *carriage),
            Self::Sealed(sealing) => film.publish_sealed(BASE, *sealing),
            Self::Hosts { hosts, steering } => {
                let hosts = Hosts { film: film.clone(), ..hosts.clone() };
                let mut origin = hosts.publish();
                origin.add(STEERING, "application/json", steering.clone());
                origin
            }
            Self::Live { broadcast, .. } => {
                let mut origin = Origin::default();
                origin.broadcast = Some(broadcast.clone());
                origin
            }
        }
    }

    /// What goes wrong at these servers besides.
    pub(super) fn faults(&self, draw: &mut Rng) -> Option<Vec<Fault>> {
        match self {
            Self::OneHost | Self::Transport(_) | Self::Sealed(_) => None,
            Self::Hosts { hosts, .. } => Some(host_faults(draw, hosts)),
            Self::Live { broadcast, .. } => {
                let count = *pick(draw, &[0, 0, 2, 5, 12]);
                Some((0..count).map(|_| live_fault(draw, broadcast)).collect())
            }
        }
    }
}

fn hosts(draw: &mut Rng, film: &Film) -> Publication {
    const ALL: [(&str, &str); 3] = [
        ("A", "https://a.example/film"),
        ("B", "https://b.example/film"),
        ("C", "https://c.example/film"),
    ];
    let count = draw.usize(2..=3);
    let steered = draw.bool();
    // What it prefers need not exist, nor all that exists be named.
    let named: Vec<&str> =
        (0..draw.usize(1..=4)).map(|_| *pick(draw, &["A", "B", "C", "D"])).collect();
    let ttl = *pick(draw, &[0, 5, 30, 300, 1_000_000]);
    let steering = match draw.u8(0..6) {
        0 => "{\"VERSION\":2}".to_owned(),
        1 => "<html>down</html>".to_owned(),
        _ => steering(ttl, &named),
    };
    let hosts = Hosts {
        film: film.clone(),
        hosts: ALL[..count].to_vec(),
        steered,
        before_start: steered && draw.bool(),
    };
    Publication::Hosts { hosts, steering }
}

/// One host may be gone for long or for good: the others have the same.
fn host_faults(draw: &mut Rng, hosts: &Hosts) -> Vec<Fault> {
    let mut faults = Vec::new();
    if draw.bool() {
        let (_, base) = *pick(draw, &hosts.hosts);
        let times = *pick(draw, &[3, 20, u32::MAX]);
        let kind = match draw.u8(0..5) {
            0 => FaultKind::Refuse,
            1 => FaultKind::Status(*pick(draw, &[403, 404, 500, 503])),
            2 => FaultKind::RetryAfter(503, draw.u32(1..30)),
            3 => FaultKind::Cut(draw.u64(0..200_000)),
            _ => FaultKind::Stall(draw.u64(0..100_000)),
        };
        faults.push(Fault { part: format!("{base}/"), times, kind });
    }
    if hosts.steered && draw.bool() {
        let kind = random::kind(draw);
        faults.push(Fault { part: STEERING.to_owned(), times: draw.u32(1..20), kind });
    }
    faults
}

fn live(draw: &mut Rng, film: &Film, dash: bool) -> Publication {
    let segment_ms = *pick(draw, &[2_000, 2_000, 4_000, 6_000]);
    let part_ms = draw.bool().then(|| *pick(draw, &[250, 500, 1_000]));
    let addressing =
        if part_ms.is_none() && draw.bool() { Addressing::Timeline } else { Addressing::Number };
    let watched_ms = u64::from(film.seconds) * 1_000;
    let stale = (draw.u8(0..4) == 0).then(|| {
        let from = draw.u64(5_000..watched_ms + 10_000);
        (from, from + draw.u64(3_000..60_000))
    });
    // By number and the clock, segments are there whether the manifest is loaded again or not.
    let skewed = draw.u8(0..3) == 0;
    let skew_us = if skewed { draw.i64(-7_200_000_000..7_200_000_000) } else { 0 };
    let (utc_timing, date_header) = if skewed {
        *pick(draw, &[(true, false), (false, true), (true, true)])
    } else {
        (draw.bool(), draw.bool())
    };
    Publication::Live {
        broadcast: Broadcast {
            segment_ms,
            part_ms,
            window_s: *pick(draw, &[30, 60, 300]),
            encoding_ms: *pick(draw, &[50, 100, 400]),
            rungs: film.rungs.clone(),
            audio_kbps: film.audio_kbps,
            dated: draw.u8(0..4) > 0,
            date_header,
            utc_timing,
            addressing,
            break_every: (draw.u8(0..4) == 0).then(|| draw.u64(6..60)),
            patches: dash && addressing == Addressing::Timeline && draw.bool(),
            stale,
            ends_ms: draw.bool().then(|| draw.u64(20_000..watched_ms + 60_000)),
            event: !dash && draw.u8(0..4) == 0,
            ..Broadcast::default()
        },
        skew_us,
    }
}

fn live_fault(draw: &mut Rng, broadcast: &Broadcast) -> Fault {
    let (_, height) = *pick(draw, &broadcast.rungs);
    let begun = broadcast.lead_ms / broadcast.segment_ms;
    let number = draw.u64(begun..begun + 200);
    let part = match draw.u8(0..12) {
        0 => "master.m3u8".to_owned(),
        1 => "live.mpd".to_owned(),
        2 => "live.mpp".to_owned(),
        3 => "/time".to_owned(),
        4 | 5 => format!("v{height}/media.m3u8"),
        6 => "audio/media.m3u8".to_owned(),
        7 => "/init.mp4".to_owned(),
        8 => format!("audio/{number}."),
        _ => format!("v{height}/{number}."),
    };
    Fault { part, times: draw.u32(1..3), kind: random::kind(draw) }
}

/// For how long something live is watched that a viewer of a film of this length would watch.
pub(super) fn watched(film: &Film) -> Duration {
    Duration::from_secs(u64::from(film.seconds).min(1_800))
}
