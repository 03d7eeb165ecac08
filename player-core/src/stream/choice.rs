//! Asking `kinora-abr` which representation to fetch.

use kinora_abr::{Action, Cause, Phase, Reasons, Rule, Rung, Situation};

use crate::context::Context;
use crate::io::{MediaKind, Quality};
use crate::presentation::{Representation, Segment, Segments, SwitchingSet};
use crate::time::{MediaTime, Timestamp};

/// Sound may take this much of the throughput: it is small, and silence is worse than blur.
const AUDIO_SHARE: f64 = 0.15;

/// What to fetch, or until when to wait.
pub(crate) enum Choice {
    Fetch { representation: usize, reasons: Reasons },
    Wait { until: Timestamp },
}

/// The moment of a choice.
pub(crate) struct Moment<'a> {
    pub(crate) kind: MediaKind,
    pub(crate) set: &'a SwitchingSet,
    /// Where the segment to be chosen starts.
    pub(crate) start: MediaTime,
    pub(crate) ahead: MediaTime,
    pub(crate) goal: MediaTime,
    pub(crate) phase: Phase,
    pub(crate) rate: f64,
    /// Representation of the segment before.
    pub(crate) current: Option<usize>,
    pub(crate) pinned: Option<&'a str>,
    /// Representations that failed to deliver this segment.
    pub(crate) failed: &'a [usize],
}

impl Moment<'_> {
    pub(crate) fn choose(&self, cx: &mut Context<'_>) -> Choice {
        match self.kind {
            MediaKind::Video => self.choose_video(cx),
            MediaKind::Audio | MediaKind::Text => self.choose_audio(cx),
        }
    }

    fn choose_video(&self, cx: &mut Context<'_>) -> Choice {
        let ladder = ladder(self.set);
        let allowed = self.allowed(cx);
        let sizes = self.sizes();
        let now = cx.now;
        let decision = cx.abr.decide(&self.situation(now, &ladder, &allowed, &sizes));
        match decision.action {
            // No queued segment is offered, so that none is replaced.
            Action::Fetch { rung } | Action::Replace { rung, .. } => Choice::Fetch {
                representation: rung.min(self.set.representations.len().saturating_sub(1)),
                reasons: decision.reasons,
            },
            Action::WaitUntil { at_us } => {
                Choice::Wait { until: Timestamp::from_micros(at_us.max(now.micros() + 1)) }
            }
        }
    }

    /// The highest representation within sound's share of the throughput; the lowest until there is
    /// an estimate.
    fn choose_audio(&self, cx: &mut Context<'_>) -> Choice {
        let estimate = cx.abr.estimate();
        let allowed = self.allowed(cx);
        let share = estimate.throughput_bps * AUDIO_SHARE;
        let candidates = || (0..self.set.representations.len()).filter(|&index| allowed[index]);
        let affordable =
            |index: &usize| (self.set.representations[*index].bandwidth as f64) <= share;
        let lowest = candidates().next().unwrap_or(0);
        let representation = candidates().rfind(affordable).unwrap_or(lowest);
        let cause = if candidates().count() > 1 { Cause::ThroughputBound } else { Cause::OnlyRung };
        let reasons = Reasons { rule: Rule::Throughput, cause, estimate, candidates: Vec::new() };
        Choice::Fetch { representation, reasons }
    }

    pub(crate) fn situation<'s>(
        &self,
        now: Timestamp,
        ladder: &'s [Rung],
        allowed: &'s [bool],
        sizes: &'s [Option<u64>],
    ) -> Situation<'s> {
        let segment = self.known_segment();
        let remaining = self.known_index().and_then(|index| {
            let position = index.position_at(self.start)?;
            Some(index.len().saturating_sub(position) as u64)
        });
        Situation {
            phase: self.phase,
            buffer_s: self.ahead.seconds(),
            buffer_goal_s: self.goal.seconds(),
            segment_duration_s: segment.map_or(4.0, |segment| segment.duration.seconds()),
            playback_rate: self.rate,
            allowed,
            next_bytes: sizes,
            current: self.current,
            segments_remaining: remaining,
            ..Situation::new(now.micros(), ladder)
        }
    }

    fn known_index(&self) -> Option<&crate::presentation::SegmentIndex> {
        let preferred = self.current.and_then(|index| self.set.representations.get(index));
        preferred.into_iter().chain(&self.set.representations).find_map(|representation| {
            match &representation.segments {
                Segments::Known(index) => Some(index),
                _ => None,
            }
        })
    }

    fn known_segment(&self) -> Option<Segment> {
        let index = self.known_index()?;
        index.get(index.position_at(self.start)?)
    }

    /// Which representations may be chosen. If the caps leave none, the lowest; a pin beats the caps.
    pub(crate) fn allowed(&self, cx: &Context<'_>) -> Vec<bool> {
        let representations = &self.set.representations;
        let usable = |index: usize| !self.failed.contains(&index);
        if let Some(pinned) = self.pinned
            && let Some(index) = representations.iter().position(|one| one.id == pinned)
            && usable(index)
        {
            return (0..representations.len()).map(|one| one == index).collect();
        }
        let abr = &cx.config.abr;
        let within = |representation: &Representation| {
            let height = abr.max_height.zip(representation.height);
            let bandwidth = abr.max_bandwidth_bps;
            height.is_none_or(|(cap, height)| height <= cap)
                && bandwidth.is_none_or(|cap| representation.bandwidth <= cap)
        };
        let capped: Vec<bool> = representations
            .iter()
            .enumerate()
            .map(|(index, representation)| usable(index) && within(representation))
            .collect();
        if capped.contains(&true) {
            return capped;
        }
        let lowest = (0..representations.len()).find(|&index| usable(index)).unwrap_or(0);
        (0..representations.len()).map(|index| index == lowest).collect()
    }

    /// Sizes of the next segment where an index tells them.
    pub(crate) fn sizes(&self) -> Vec<Option<u64>> {
        let size = |representation: &Representation| match &representation.segments {
            Segments::Known(index) => index.get(index.position_at(self.start)?)?.size,
            _ => None,
        };
        self.set.representations.iter().map(size).collect()
    }
}

/// The set as `kinora-abr` sees it; rungs are numbered like representations.
pub(crate) fn ladder(set: &SwitchingSet) -> Vec<Rung> {
    set.representations
        .iter()
        .map(|representation| Rung {
            height: representation.height,
            ..Rung::new(representation.bandwidth as f64)
        })
        .collect()
}

/// A representation as apps see it.
pub(crate) fn quality(representation: &Representation) -> Quality {
    Quality {
        id: representation.id.clone(),
        bandwidth: representation.bandwidth,
        width: representation.width,
        height: representation.height,
        codecs: representation.codecs.clone(),
    }
}
