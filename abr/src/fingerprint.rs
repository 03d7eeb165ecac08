//! A run whose every decision goes into one number, to compare platforms by.

use crate::math::{clamp, exp, micros};
use crate::{
    Abr, Action, Config, Decision, Event, InFlight, Kind, Phase, Queued, Rule, Rung, Situation,
    Verdict,
};

/// Plays a made-up title over a made-up network with every rule, and digests all that was decided and
/// why, to the last bit of every figure. The same `seed` gives the same number on every platform.
pub fn fingerprint(seed: u64) -> u64 {
    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    for &rule in Rule::ALL {
        for link in [ERRATIC, TIGHT] {
            session(rule, link, &mut Noise(seed), &mut digest);
        }
    }
    digest.0
}

/// FNV-1a over words.
struct Digest(u64);

impl Digest {
    fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn figure(&mut self, figure: f64) {
        self.word(figure.to_bits());
    }

    fn decision(&mut self, decision: &Decision) {
        match decision.action {
            Action::Fetch { rung } => self.word(rung as u64),
            Action::Replace { queued, rung } => self.word((queued as u64 + 1) << 32 | rung as u64),
            Action::WaitUntil { at_us } => self.word(!at_us),
        }
        let reasons = &decision.reasons;
        self.word(reasons.cause as u64);
        self.figure(reasons.estimate.median_bps);
        self.figure(reasons.estimate.throughput_bps);
        self.figure(reasons.estimate.spread);
        for candidate in &reasons.candidates {
            self.figure(candidate.cost);
            self.figure(candidate.stall_probability);
            self.figure(candidate.predicted_buffer_s);
        }
    }
}

/// Numbers that look random (SplitMix64).
struct Noise(u64);

impl Noise {
    /// From 0 up to 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const SEGMENTS: u64 = 60;
const SEGMENT_S: f64 = 3.0;
const BITRATES: [f64; 6] = [3e5, 7e5, 1.5e6, 3e6, 5e6, 9e6];
const TTFB_S: f64 = 0.05;
/// How often a transfer in flight is looked at, seconds.
const LOOK_S: f64 = 0.3;

#[derive(Clone, Copy)]
struct Held {
    rung: usize,
    bytes: [Option<u64>; BITRATES.len()],
}

/// A link whose level wanders, with a dip now and then.
#[derive(Clone, Copy)]
struct Link {
    /// Logarithm of bits per second at the start.
    level: f64,
    wander: f64,
    /// How many transfers meet a dip.
    dips: f64,
}

const ERRATIC: Link = Link { level: 14.5, wander: 0.5, dips: 0.06 };
/// It just carries one of the rungs.
const TIGHT: Link = Link { level: 15.54, wander: 0.02, dips: 0.01 };

fn session(rule: Rule, link: Link, noise: &mut Noise, digest: &mut Digest) {
    let ladder = BITRATES.map(Rung::new);
    let mut abr = Abr::new(Config { rule, ..Config::default() });
    let (mut now_s, mut buffer_s) = (1.0, 0.0);
    let mut level = link.level;
    let mut held: Vec<Held> = Vec::new();
    let mut next = sizes(noise);
    let mut id = 0;
    let mut abandoned = 0;
    while (held.len() as u64) < SEGMENTS {
        let whole = (buffer_s / SEGMENT_S) as usize;
        let start = held.len() - whole.min(held.len());
        let queued: Vec<Queued<'_>> = held[start..]
            .iter()
            .enumerate()
            .map(|(at, one)| Queued {
                rung: one.rung,
                ahead_s: buffer_s - (held.len() - start - at) as f64 * SEGMENT_S,
                duration_s: SEGMENT_S,
                bytes: &one.bytes,
            })
            .collect();
        let situation = Situation {
            phase: if held.is_empty() { Phase::Starting } else { Phase::Playing },
            buffer_s,
            buffer_goal_s: 24.0,
            segment_duration_s: SEGMENT_S,
            next_bytes: &next,
            current: held.last().map(|one| one.rung),
            queued: &queued,
            segments_remaining: Some(SEGMENTS - held.len() as u64),
            live_latency_s: Some(buffer_s + 2.0),
            live_target_s: Some(20.0),
            ..Situation::new(micros(now_s * 1e3), &ladder)
        };
        let decision = abr.decide(&situation);
        digest.decision(&decision);
        let (mut rung, replaces) = match decision.action {
            Action::Fetch { rung } => (rung, None),
            Action::Replace { queued, rung } => (rung, Some(start + queued)),
            Action::WaitUntil { at_us } => {
                let until_s = at_us as f64 / 1e6;
                buffer_s = (buffer_s - (until_s - now_s)).max(0.0);
                now_s = until_s;
                continue;
            }
        };
        let bytes = |rung: usize| match replaces.and_then(|at| held.get(at)) {
            Some(one) => one.bytes[rung].unwrap_or(1),
            None => next[rung].unwrap_or(1),
        };
        let complete = 'requests: loop {
            level = clamp(level + link.wander * (noise.next() - 0.5), 12.0, 17.0);
            let dip = if noise.next() < link.dips { 0.15 } else { 1.0 };
            let rate = exp(level) * dip / 8.0;
            let total = bytes(rung);
            let started_us = micros(now_s * 1e3);
            id += 1;
            abr.handle(
                started_us,
                Event::RequestStarted { id, kind: Kind::Video, rung: Some(rung) },
            );
            now_s += TTFB_S;
            let first_s = now_s;
            abr.handle(micros(now_s * 1e3), Event::FirstByte { id });
            let end_s = first_s + total as f64 / rate;
            while now_s + LOOK_S < end_s {
                now_s += LOOK_S;
                let loaded = ((now_s - first_s) * rate) as u64;
                let now_us = micros(now_s * 1e3);
                abr.handle(now_us, Event::Progress { id, bytes: loaded });
                let left_s = (buffer_s - (now_s - first_s + TTFB_S)).max(0.0);
                let in_flight = InFlight {
                    rung,
                    started_us,
                    first_byte_us: Some(micros(first_s * 1e3)),
                    bytes_loaded: loaded,
                    bytes_total: Some(total),
                    abandoned,
                    replaces_ahead_s: replaces
                        .map(|at| left_s - (held.len() - at) as f64 * SEGMENT_S),
                };
                let moment = Situation { now_us, buffer_s: left_s, queued: &[], ..situation };
                let verdict = abr.check_in_flight(&in_flight, &moment).verdict;
                if verdict != Verdict::Continue {
                    abr.handle(now_us, Event::RequestCancelled { id });
                    let elapsed_s = now_s - first_s + TTFB_S;
                    buffer_s = if held.is_empty() { 0.0 } else { (buffer_s - elapsed_s).max(0.0) };
                    match verdict {
                        Verdict::AbandonTo { rung: to } => {
                            digest.word(to as u64 | 1 << 40);
                            rung = to;
                            abandoned += 1;
                            continue 'requests;
                        }
                        _ => break 'requests false,
                    }
                }
            }
            now_s = end_s;
            abr.handle(
                micros(now_s * 1e3),
                Event::RequestEnded {
                    id,
                    bytes: total,
                    from_cache: false,
                    application_limited: false,
                },
            );
            let elapsed_s = now_s - first_s + TTFB_S;
            buffer_s = if held.is_empty() { 0.0 } else { (buffer_s - elapsed_s).max(0.0) };
            break true;
        };
        match replaces {
            Some(at) => {
                let plays_later = (held.len() - at) as f64 * SEGMENT_S <= buffer_s;
                if let Some(one) = held.get_mut(at).filter(|_| complete && plays_later) {
                    one.rung = rung;
                }
            }
            None => {
                held.push(Held { rung, bytes: next });
                buffer_s += SEGMENT_S;
                abandoned = 0;
                next = sizes(noise);
            }
        }
    }
}

fn sizes(noise: &mut Noise) -> [Option<u64>; BITRATES.len()] {
    let scene = 0.6 + 0.8 * noise.next();
    BITRATES.map(|bitrate| Some((bitrate * SEGMENT_S / 8.0 * scene) as u64))
}
