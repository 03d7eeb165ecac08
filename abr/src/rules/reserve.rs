//! Media kept against outages, in the quality that costs least.
//!
//! On a link that just carries what it plays, a rule that looks for quality holds a few seconds of buffer,
//! and by its objective is right to: filling the buffer by playing worse costs more than an outage that
//! may never come. But a buffer need not look good to keep playback going. Behind the *head*, the segments
//! chosen to be shown, lies the *reserve*: segments of the lowest rung, a few percent of the bits. The rule
//! plans as if the buffer ended with the head, and what it fetches next takes the place of the reserve's
//! first segment. When the network fails, the reserve is shown as it is.

use crate::rules::Download;
use crate::{Estimate, Observation, Phase, Step};

/// What lies behind the head.
#[derive(Clone, Debug, Default)]
pub(super) struct Reserve {
    /// The player offers what waits, so that it can be fetched again.
    offered: bool,
    /// How many segments at the end of the queue belong to it.
    segments: usize,
    /// Rung of the head's last segment.
    head: Option<usize>,
    /// The next segment is one for the reserve.
    extending: bool,
    /// What is being replaced has so many segments of the reserve behind it.
    replacing: Option<usize>,
    /// Bits of it that were replaced since playback began or stood still.
    spent_bits: f64,
}

/// The buffer is filled up to here, but for this part of what it may hold, milliseconds.
const AIM_MS: f64 = 16_000.0;
const AIM_PART: f64 = 0.6;
/// A head as long as this looks after itself, milliseconds.
const LONG_HEAD_MS: f64 = 4_000.0;
/// Nor is there a reserve when the title ends as soon as this, milliseconds.
const END_MS: f64 = 2.0 * AIM_MS;
/// Where what the network sustains takes less than this part of its duration to arrive, the head grows by
/// itself. Less is asked where there is a reserve, so that it does not come and go with the measurements.
const TIGHT: f64 = 0.85;
const TIGHT_STILL: f64 = 0.7;
/// A segment of the reserve takes no more than this part of the bits of one that the network sustains.
const CHEAP: f64 = 0.1;
/// Beyond this part, as when the network has fallen to the lowest rungs, it is a segment to be shown, like any
/// other.
const DEAR: f64 = 0.7;
/// What all of it may cost: what the network carries in so many seconds, and this part of all else.
const ALLOWANCE_S: f64 = 1.3;
const ALLOWANCE_PART: f64 = 0.02;
/// What comes this shortly before it is shown is too late, milliseconds.
const COMMIT_MS: f64 = 600.0;
/// The part of the time until it is shown that the transfer of a segment may be expected to take; and how
/// much longer than expected one for the reserve may take.
const IN_TIME: f64 = 0.9;
const SURPRISE: f64 = 2.0;

impl Reserve {
    /// Brings it in line with what the player has.
    pub(super) fn look(&mut self, step: &Step, estimate: &Estimate) {
        self.extending = false;
        self.offered |= !step.queued.is_empty();
        self.segments = self.segments.min(step.queued.len());
        if size(step, 0) > DEAR * size(step, sustained(step, estimate)) {
            self.segments = 0;
        }
        if matches!(step.phase, Phase::Starting | Phase::Stalled) {
            self.spent_bits = 0.0;
        }
    }

    /// The problem of its first segment, were the buffer to end there; and its position in the queue.
    pub(super) fn first(&self, step: &Step) -> Option<(usize, Step)> {
        let at = step.queued.len().checked_sub(self.segments)?;
        let waiting = step.queued.get(at)?;
        let before = at.checked_sub(1).and_then(|before| step.queued.get(before));
        let previous = before.map(|before| before.rung).or(self.head);
        let buffer_ms = (waiting.ahead_ms - COMMIT_MS).max(0.0);
        Some((at, step.instead(waiting, previous, buffer_ms, self.segments)))
    }

    /// Its first segment stays as it is, as part of the head.
    pub(super) fn keep_first(&mut self, rung: usize) {
        self.segments = self.segments.saturating_sub(1);
        self.head = Some(rung);
    }

    /// Its first segment is replaced.
    pub(super) fn replace_first(&mut self, step: &Step) {
        self.replacing = Some(self.segments.saturating_sub(1));
        self.spent_bits += size(step, 0);
    }

    /// Another segment is replaced.
    pub(super) fn replace_other(&mut self) {
        self.replacing = None;
    }

    /// While it is short, what is shown is one rung below what the network sustains, instead of `rung`; but
    /// what the head has reached is not given up again. `head` is the problem of the segment behind the head, and `asked_bits` have been asked for. `None`
    /// when nothing is missing, or none of it worth its cost.
    pub(super) fn modest(
        &self,
        rung: usize,
        step: &Step,
        head: &Step,
        estimate: &Estimate,
        asked_bits: f64,
    ) -> Option<usize> {
        let sustained = sustained(step, estimate);
        let bits = size(step, 0);
        let nominal = step.bitrates_kbps.get(sustained).copied().unwrap_or(0.0) * step.duration_ms;
        let left_ms = step.remaining.map_or(f64::INFINITY, |left| left as f64 * step.duration_ms);
        let tight = if self.segments > 0 { TIGHT_STILL } else { TIGHT };
        let cost_bits = self.spent_bits + bits * (self.segments + 1) as f64;
        let allowance_bits = ALLOWANCE_S * estimate.median_bps + ALLOWANCE_PART * asked_bits;
        let wanted = self.offered
            && step.phase == Phase::Playing
            && step.buffer_ms + step.duration_ms <= AIM_MS.min(AIM_PART * step.capacity_ms)
            && head.buffer_ms < LONG_HEAD_MS
            && left_ms >= END_MS
            && takes_ms(nominal, step, estimate) >= tight * step.duration_ms
            && sustained > 1
            && bits <= CHEAP * size(step, sustained)
            && cost_bits <= allowance_bits;
        wanted.then(|| rung.min(kept(step, head, estimate).max(sustained - 1)))
    }

    /// Makes the next segment one for the reserve, if one of `rung`, or as good as the one before, still
    /// arrives in time after it. Whether it does.
    pub(super) fn extend(
        &mut self,
        rung: usize,
        step: &Step,
        head: &Step,
        estimate: &Estimate,
    ) -> bool {
        let shown = rung.max(kept(step, head, estimate));
        let shown_ms = takes_ms(size(head, shown), step, estimate);
        let own_ms = takes_ms(size(step, 0), step, estimate);
        self.extending = SURPRISE * own_ms + shown_ms / IN_TIME <= head.buffer_ms;
        self.extending
    }

    /// Whether the next segment is one for the reserve.
    pub(super) fn is_extending(&self) -> bool {
        self.extending
    }

    /// Whether the replacement under way still comes in time at this rate; `None` where it is none of the
    /// reserve's.
    pub(super) fn comes_in_time(&self, in_flight: &Download, rate_kbps: f64) -> Option<bool> {
        self.replacing?;
        let ahead_ms = in_flight.replaces_ahead_ms.unwrap_or(0.0);
        Some(in_flight.remaining_bits() / rate_kbps <= ahead_ms - COMMIT_MS)
    }

    pub(super) fn observe(&mut self, observation: &Observation) {
        match *observation {
            Observation::Fetched { replaced: false, .. } if self.extending => self.segments += 1,
            Observation::Fetched { replaced: false, rung, .. } => {
                self.segments = 0;
                self.head = Some(rung);
            }
            Observation::Fetched { replaced: true, rung, .. } => {
                if let Some(behind) = self.replacing.take() {
                    self.segments = behind;
                    self.head = Some(rung);
                }
            }
            Observation::Seeked => *self = Self { offered: self.offered, ..Self::default() },
            Observation::Abandoned { .. } | Observation::Idle { .. } => {}
        }
    }
}

/// The highest rung that the network sustains, half the time.
fn sustained(step: &Step, estimate: &Estimate) -> usize {
    step.sustained(estimate.median_bps / 1000.0, estimate.ttfb_ms())
}

/// The head's last rung, as far as the network sustains it.
fn kept(step: &Step, head: &Step, estimate: &Estimate) -> usize {
    head.previous.unwrap_or(0).min(sustained(step, estimate))
}

fn size(step: &Step, rung: usize) -> f64 {
    step.sizes_bits.get(rung).copied().unwrap_or(0.0)
}

/// How much of the buffer is played while so many bits arrive, milliseconds.
fn takes_ms(bits: f64, step: &Step, estimate: &Estimate) -> f64 {
    (estimate.ttfb_ms() + bits * 1000.0 / estimate.median_bps) * step.rate
}
