//! Asking `kinora-abr` which representation to fetch.

use kinora_abr::{Action, Cause, Mask, Phase, Queued, Reasons, Rule, Rung, Situation};

use super::buffer::TOLERANCE;
use super::replace::Waiting;
use crate::context::Context;
use crate::decoders::Decoders;
use crate::io::{MediaKind, Quality};
use crate::limits;
use crate::presentation::{Representation, Segment, Segments, SwitchingSet};
use crate::telemetry::{MaskReason, Masked};
use crate::time::{MediaTime, Timestamp};

/// Sound may take this much of the throughput: it is small, and silence is worse than blur.
const AUDIO_SHARE: f64 = 0.15;

/// What to fetch, or until when to wait.
pub(crate) enum Choice {
    Fetch {
        representation: usize,
        reasons: Reasons,
    },
    /// A waiting segment again.
    Replace {
        waiting: usize,
        representation: usize,
        reasons: Reasons,
    },
    /// Ask again then; `full`: because the buffer is.
    Wait {
        until: Timestamp,
        full: bool,
    },
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
    /// Representations whose keys may not be used.
    pub(crate) locked: &'a [usize],
    /// Segments that may be fetched again, up to the one to be chosen.
    pub(crate) waiting: &'a [Waiting],
    /// Live: how far behind the newest media the viewer is, and is to be.
    pub(crate) behind: Option<[MediaTime; 2]>,
    pub(crate) decoders: &'a Decoders,
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
        let allowed = self.allowed();
        let sizes = self.sizes();
        self.limit(cx);
        let now = cx.now;
        let queued: Vec<Queued<'_>> = self.waiting.iter().map(|one| self.queued(one)).collect();
        let situation = self.situation(now, &ladder, &allowed, &sizes);
        let decision = cx.abr.decide(&Situation { queued: &queued, ..situation });
        let reasons = decision.reasons;
        let known = |rung: usize| rung.min(self.set.representations.len().saturating_sub(1));
        match decision.action {
            Action::Fetch { rung } => Choice::Fetch { representation: known(rung), reasons },
            Action::Replace { queued, rung } => {
                Choice::Replace { waiting: queued, representation: known(rung), reasons }
            }
            Action::WaitUntil { at_us } => Choice::Wait {
                until: Timestamp::from_micros(at_us.max(now.micros() + 1)),
                full: reasons.cause == Cause::BufferFull,
            },
        }
    }

    fn queued<'w>(&self, waiting: &'w Waiting) -> Queued<'w> {
        // The segment to be chosen lies `ahead` of the playhead, and this one so much nearer.
        let until_next = self.start - TOLERANCE - waiting.range.start;
        Queued {
            rung: waiting.representation,
            ahead_s: (self.ahead - until_next).max(MediaTime::ZERO).seconds(),
            duration_s: waiting.range.duration().seconds(),
            bytes: &waiting.bytes,
        }
    }

    /// The highest representation within sound's share of the throughput; the lowest until there is
    /// an estimate.
    fn choose_audio(&self, cx: &mut Context<'_>) -> Choice {
        let estimate = cx.abr.estimate();
        let allowed = self.allowed();
        let share = estimate.throughput_bps * AUDIO_SHARE;
        let candidates = || {
            (0..self.set.representations.len()).filter(|&index| allowed.get(index) == Some(&true))
        };
        let affordable = |index: &usize| {
            self.set.representations.get(*index).is_some_and(|one| one.bandwidth as f64 <= share)
        };
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
        let behind = self.behind.map(|behind| behind.map(MediaTime::seconds));
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
            live_latency_s: behind.map(|[latency, _]| latency),
            live_target_s: behind.map(|[_, target]| target),
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

    /// The segment to be chosen; the last one, where that is yet to be told of.
    fn known_segment(&self) -> Option<Segment> {
        let index = self.known_index()?;
        index.get(index.position_at(self.start).unwrap_or_else(|| index.len().saturating_sub(1)))
    }

    /// What keeps each representation from being chosen, apart from the limits that the rule is told of.
    /// Something always remains; a pin beats everything but failure.
    fn masks(&self) -> Vec<Option<MaskReason>> {
        let representations = &self.set.representations;
        let locked = |index: usize| self.locked.contains(&index);
        let usable = |index: usize| !self.failed.contains(&index) && !locked(index);
        let pinned = self.pinned.and_then(|pinned| {
            representations.iter().position(|one| one.id == pinned).filter(|index| usable(*index))
        });
        let of = |(index, one): (usize, &Representation)| {
            if pinned.is_some_and(|pinned| pinned != index) {
                Some(MaskReason::Pinned)
            } else if pinned.is_some() {
                None
            } else if locked(index) {
                Some(MaskReason::Key)
            } else if !usable(index) {
                Some(MaskReason::Failed)
            } else {
                self.decoders.refusal(self.kind, one).map(|_| MaskReason::Decoder)
            }
        };
        let mut masks: Vec<_> = representations.iter().enumerate().map(of).collect();
        if !masks.contains(&None)
            && let lowest = (0..masks.len()).find(|&index| usable(index)).unwrap_or(0)
            && let Some(mask) = masks.get_mut(lowest)
        {
            *mask = None;
        }
        masks
    }

    /// Which representations may be chosen.
    pub(crate) fn allowed(&self) -> Vec<bool> {
        self.masks().iter().map(Option::is_none).collect()
    }

    /// The rule's limits; none for what is pinned.
    fn limit(&self, cx: &mut Context<'_>) {
        let limits = match self.pinned {
            Some(_) => kinora_abr::Limits::default(),
            None => limits::limits(&cx.config.abr, cx.environment, self.set),
        };
        cx.abr.limit(limits);
    }

    /// What may not be chosen, and why.
    pub(crate) fn masked(&self, cx: &Context<'_>) -> Vec<Masked> {
        let own = self.masks();
        let theirs = match self.kind {
            MediaKind::Video => {
                let (ladder, allowed) = (ladder(self.set), self.allowed());
                cx.abr.masks(&self.situation(cx.now, &ladder, &allowed, &[]))
            }
            _ => Vec::new(),
        };
        let mut masked = Vec::new();
        for (index, representation) in self.set.representations.iter().enumerate() {
            let theirs = theirs.get(index).copied().flatten().and_then(reason);
            if let Some(reason) = own.get(index).copied().flatten().or(theirs) {
                masked.push(Masked { id: representation.id.clone(), reason });
            }
        }
        masked
    }

    /// Sizes of the next segment where an index tells them.
    pub(crate) fn sizes(&self) -> Vec<Option<u64>> {
        let size = |representation: &Representation| match &representation.segments {
            Segments::Known(index) => index.get(index.position_at(self.start)?)?.expected_size(),
            _ => None,
        };
        self.set.representations.iter().map(size).collect()
    }
}

/// What the rule's limits are called here.
fn reason(mask: Mask) -> Option<MaskReason> {
    Some(match mask {
        Mask::MaxBitrate => MaskReason::MaxBandwidth,
        Mask::Suggested => MaskReason::Suggested,
        Mask::MaxHeight => MaskReason::MaxHeight,
        Mask::Viewport => MaskReason::Viewport,
        Mask::Decoder => MaskReason::Decoder,
        Mask::DataSaver => MaskReason::DataSaver,
        Mask::Metered => MaskReason::Metered,
        Mask::DroppedFrames => MaskReason::DroppedFrames,
        _ => return None,
    })
}

/// The set as `kinora-abr` sees it; rungs are numbered like representations.
pub(crate) fn ladder(set: &SwitchingSet) -> Vec<Rung> {
    set.representations
        .iter()
        .map(|representation| Rung {
            height: representation.height,
            frame_rate: representation.frame_rate,
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
