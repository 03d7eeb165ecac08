//! A decision problem made safe: what every rule sees.

use crate::math::{clamp, finite_or, ln};
use crate::{Objective, Phase, Situation, Utility};

/// A checked decision problem, in milliseconds and kbit/s (bits per millisecond). The rungs are ascending in bitrate, masked and absurd ones are gone,
/// there is at least one, and every number is finite. Rungs are named by their position in *this*
/// ladder; [`Step::original`] translates back.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What playback is doing.
    pub phase: Phase,
    /// Buffer level, milliseconds.
    pub buffer_ms: f64,
    /// The most the buffer may hold, milliseconds; at least two segments.
    pub goal_ms: f64,
    /// The most it can hold, milliseconds; at least two segments. Live there is no more ahead of the viewer than
    /// the latency.
    pub capacity_ms: f64,
    /// Duration of the segment, milliseconds of media, above 0.
    pub duration_ms: f64,
    /// Media time played per unit of time: 0 when paused, stalled or starting.
    pub drain: f64,
    /// Media time played per unit of time once playback runs, above 0.
    pub rate: f64,
    /// Nominal bitrate per rung, kbit/s (bits per millisecond).
    pub bitrates_kbps: Vec<f64>,
    /// Size of the segment per rung, bits: real where known, else nominal.
    pub sizes_bits: Vec<f64>,
    /// Utility per rung; 1 for the highest rung of the whole ladder.
    pub qualities: Vec<f64>,
    /// Utility of this segment per rung, where it is known to differ.
    pub segment_qualities: Vec<f64>,
    /// How far the viewer is behind the latency aimed for, milliseconds; `None` when not live.
    pub excess_latency_ms: Option<f64>,
    /// The rung of the segment before, or the highest one below it that may be chosen.
    pub previous: Option<usize>,
    /// Segments that may be fetched again, in playback order, the last one fetched at the end.
    pub queued: Vec<Waiting>,
    /// Segments left to fetch, this one included.
    pub remaining: Option<u64>,
    ladder: Vec<usize>,
}

/// A segment that waits in the buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// Its rung, or the highest one below it that may be chosen.
    pub rung: usize,
    /// Media between the playhead and its start, milliseconds.
    pub ahead_ms: f64,
    /// Its size per rung, bits: real where known, else nominal.
    pub sizes_bits: Vec<f64>,
}

impl Step {
    /// Checks a situation.
    pub fn new(situation: &Situation<'_>, objective: &Objective) -> Self {
        let is_usable = |rung: usize| {
            situation
                .ladder
                .get(rung)
                .is_some_and(|r| r.bitrate_bps.is_finite() && r.bitrate_bps > 0.0)
        };
        let allowed = |rung: usize| situation.allowed.get(rung).copied().unwrap_or(true);
        let bitrate = |rung: usize| {
            let bitrate = situation.ladder.get(rung).map_or(1.0, |r| finite_or(r.bitrate_bps, 1.0));
            clamp(bitrate, 1.0, 1e12)
        };

        // Ladders come in order nearly always, and the standard library's sort is large.
        let mut usable: Vec<usize> = Vec::new();
        for rung in (0..situation.ladder.len()).filter(|&rung| is_usable(rung)) {
            let place = usable.partition_point(|&before| bitrate(before) <= bitrate(rung));
            usable.insert(place, rung);
        }
        let mut ladder: Vec<usize> = usable.iter().copied().filter(|&r| allowed(r)).collect();
        if ladder.is_empty() {
            let lowest_allowed = (0..situation.ladder.len()).find(|&r| allowed(r));
            ladder.push(lowest_allowed.or(usable.first().copied()).unwrap_or(0));
        }

        let duration_s = clamp(finite_or(situation.segment_duration_s, 4.0), 1e-3, 3600.0);
        let rate = clamp(finite_or(situation.playback_rate, 1.0), 0.0, 16.0);
        let rate = if rate > 0.0 { rate } else { 1.0 };
        let bitrates_kbps: Vec<f64> = ladder.iter().map(|&r| bitrate(r) / 1000.0).collect();
        let sizes_bits = |bytes: &[Option<u64>], duration_s: f64| {
            let bits = |&rung: &usize| {
                let known = bytes.get(rung).copied().flatten().filter(|&b| b > 0);
                known.map_or(bitrate(rung) * duration_s, |bytes| bytes as f64 * 8.0)
            };
            ladder.iter().map(bits).collect()
        };
        // A rung may be masked by now: its nearest neighbour below stands in for it.
        let standing_for = |original: usize| {
            let at = bitrate(original) / 1000.0;
            bitrates_kbps.iter().rposition(|&b| b <= at).unwrap_or(0)
        };
        let previous = situation.current.filter(|&r| r < situation.ladder.len()).map(standing_for);
        let queued = situation.queued.iter().take(MAX_QUEUED).map(|queued| Waiting {
            rung: standing_for(queued.rung),
            ahead_ms: clamp(queued.ahead_s, 0.0, 1e6) * 1000.0,
            sizes_bits: sizes_bits(queued.bytes, clamp(queued.duration_s, 1e-3, 3600.0)),
        });
        let queued = queued.collect();
        let sizes_bits = sizes_bits(situation.next_bytes, duration_s);
        let qualities = qualities(situation, &ladder, &bitrates_kbps, objective.utility);
        let latency = situation.live_latency_s.zip(situation.live_target_s);
        let excess_latency_ms =
            latency.map(|(latency, target)| clamp(latency - target, 0.0, 3600.0) * 1000.0);
        let goal_s = clamp(finite_or(situation.buffer_goal_s, 30.0), 0.0, 1e6);
        // In whole delays: nothing has to be planned anew while a delay is won back.
        let room_s = latency.map_or(goal_s, |(latency, target)| {
            let target = clamp(finite_or(target, goal_s), 1e-3, 1e6);
            target * libm::round(clamp(finite_or(latency, target) / target, 1.0, 1e6))
        });
        Self {
            phase: situation.phase,
            buffer_ms: clamp(situation.buffer_s, 0.0, 1e6) * 1000.0,
            goal_ms: goal_s.max(2.0 * duration_s) * 1000.0,
            capacity_ms: goal_s.min(room_s).max(2.0 * duration_s) * 1000.0,
            duration_ms: duration_s * 1000.0,
            drain: if situation.phase == Phase::Playing { rate } else { 0.0 },
            rate,
            segment_qualities: segment_qualities(situation, &ladder, objective, &qualities),
            qualities,
            excess_latency_ms,
            bitrates_kbps,
            sizes_bits,
            previous,
            queued,
            remaining: situation.segments_remaining,
            ladder,
        }
    }

    /// The problem of fetching a segment that waits, were the buffer to end with the one before it, at
    /// `buffer_ms`, and had as many segments as `behind` yet to be fetched besides those that are left.
    pub(crate) fn instead(
        &self,
        waiting: &Waiting,
        previous: Option<usize>,
        buffer_ms: f64,
        behind: usize,
    ) -> Self {
        Self {
            bitrates_kbps: self.bitrates_kbps.clone(),
            sizes_bits: waiting.sizes_bits.clone(),
            qualities: self.qualities.clone(),
            segment_qualities: self.qualities.clone(),
            ladder: self.ladder.clone(),
            queued: Vec::new(),
            remaining: self.remaining.map(|left| left.saturating_add(behind as u64)),
            previous,
            buffer_ms,
            ..*self
        }
    }

    /// How many rungs may be chosen; at least 1.
    pub fn rungs(&self) -> usize {
        self.ladder.len()
    }

    /// The highest rung.
    pub fn top(&self) -> usize {
        self.ladder.len().saturating_sub(1)
    }

    /// The index into the caller's ladder.
    pub fn original(&self, rung: usize) -> usize {
        self.ladder.get(rung.min(self.top())).copied().unwrap_or(0)
    }

    /// The rung of this ladder that stands for an index into the caller's: itself, or the highest one
    /// that is not above it.
    pub fn standing_for(&self, original: usize, ladder: &[crate::Rung]) -> usize {
        if let Some(rung) = self.ladder.iter().position(|&r| r == original) {
            return rung;
        }
        let at = ladder.get(original).map_or(0.0, |r| finite_or(r.bitrate_bps, 0.0) / 1000.0);
        self.bitrates_kbps.iter().rposition(|&b| b <= at).unwrap_or(0)
    }

    /// The highest rung whose segments, at nominal size, arrive within their own duration.
    pub fn sustained(&self, throughput_kbps: f64, ttfb_ms: f64) -> usize {
        let fits = |bitrate: f64| {
            ttfb_ms + self.duration_ms * bitrate / throughput_kbps <= self.duration_ms
        };
        let above = self.bitrates_kbps.iter().skip(1).take_while(|&&b| fits(b));
        above.count()
    }
}

/// More segments than a buffer holds are not looked at.
const MAX_QUEUED: usize = 256;
/// The logarithm's part in [`Utility::Balanced`].
const LOG_SHARE: f64 = 0.25;

fn qualities(
    situation: &Situation<'_>,
    ladder: &[usize],
    bitrates_kbps: &[f64],
    utility: Utility,
) -> Vec<f64> {
    // Scaled over the whole ladder, so that a mask does not change what a rung is worth.
    let all = || situation.ladder.iter();
    let bitrates = || {
        all()
            .map(|r| r.bitrate_bps)
            .filter(|b| b.is_finite() && *b > 0.0)
            .map(|b| clamp(b, 1.0, 1e12) / 1000.0)
    };
    let lowest = bitrates().fold(f64::INFINITY, f64::min);
    let highest = bitrates().fold(0.0, f64::max);
    let table_top = table_top(situation);
    let share = |b: &f64| b / highest;
    let log_share =
        |b: &f64| if highest > lowest { ln(b / lowest) / ln(highest / lowest) } else { 1.0 };
    match utility {
        _ if highest <= 0.0 => vec![1.0; ladder.len()],
        Utility::Table if table_top > 0.0 => ladder
            .iter()
            .map(|&r| situation.ladder.get(r).and_then(|r| r.quality).unwrap_or(0.0) / table_top)
            .collect(),
        Utility::LogBitrate => bitrates_kbps.iter().map(log_share).collect(),
        Utility::Balanced => bitrates_kbps
            .iter()
            .map(|b| (1.0 - LOG_SHARE) * share(b) + LOG_SHARE * log_share(b))
            .collect(),
        Utility::Bitrate | Utility::Table => bitrates_kbps.iter().map(share).collect(),
    }
}

/// The highest quality of the ladder; not above 0, or not a number, where not every rung carries one.
fn table_top(situation: &Situation<'_>) -> f64 {
    situation.ladder.iter().map(|r| r.quality.unwrap_or(f64::NAN)).fold(0.0, |top: f64, q| {
        if q.is_finite() && top.is_finite() { top.max(q) } else { f64::NAN }
    })
}

/// The rungs' own qualities, but for what is known of this segment.
fn segment_qualities(
    situation: &Situation<'_>,
    ladder: &[usize],
    objective: &Objective,
    qualities: &[f64],
) -> Vec<f64> {
    let top = table_top(situation);
    let known = |rung: usize| {
        let quality = situation.next_quality.get(rung).copied().flatten();
        quality.filter(|q| q.is_finite() && top > 0.0 && objective.utility == Utility::Table)
    };
    let each = ladder.iter().zip(qualities);
    each.map(|(&rung, &usual)| known(rung).map_or(usual, |quality| quality / top)).collect()
}
