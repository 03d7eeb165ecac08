//! What the media element is doing, and what that means to a viewer.

use core::time::Duration;

use kinora_abr::Phase;

use crate::context::Context;
use crate::error::Error;
use crate::io::{ElementState, Event, PlaybackStatus, ReadyState};
use crate::time::{MediaTime, Timestamp};

/// A playhead that waits this long with media close ahead is stuck before a hole.
const STUCK_AFTER: Duration = Duration::from_millis(250);
/// An element confirms a seek by a position this close to it.
const SEEK_SLACK: MediaTime = MediaTime::from_millis(50);
/// A playhead this far from where it should be has been moved.
const DRIFT_SLACK: MediaTime = MediaTime::from_secs(1);
/// Between two reports the playhead is taken to move on, but no longer than this.
const MAX_EXTRAPOLATION: Duration = Duration::from_millis(500);

/// What the media element is doing.
#[derive(Debug)]
pub(crate) struct Playback {
    element: ElementState,
    reported: Timestamp,
    /// A seek that the element has not confirmed yet.
    target: Option<MediaTime>,
    status: PlaybackStatus,
    ready: bool,
    /// A seek, or the start, explains why the playhead waits.
    excused: bool,
    waiting_since: Option<Timestamp>,
    stalled_since: Option<Timestamp>,
}

impl Playback {
    pub(crate) fn new(now: Timestamp, start: MediaTime) -> Self {
        Self {
            element: ElementState { position: start, rate: 1.0, ..ElementState::default() },
            reported: now,
            target: Some(start),
            status: PlaybackStatus::Loading,
            ready: false,
            excused: true,
            waiting_since: None,
            stalled_since: None,
        }
    }

    /// Where the playhead is, as far as can be known between reports.
    pub(crate) fn playhead(&self, now: Timestamp) -> MediaTime {
        if let Some(target) = self.target {
            return target;
        }
        if self.status != PlaybackStatus::Playing {
            return self.element.position;
        }
        let elapsed = now.since(self.reported).min(MAX_EXTRAPOLATION);
        let moved = MediaTime::from_seconds(elapsed.as_secs_f64() * self.element.rate.max(0.0));
        self.element.position + moved
    }

    pub(crate) fn status(&self) -> PlaybackStatus {
        self.status
    }

    /// A seek, or the start, explains why the playhead waits.
    pub(crate) fn is_excused(&self) -> bool {
        self.excused
    }

    pub(crate) fn rate(&self) -> f64 {
        self.element.rate
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.status {
            PlaybackStatus::Idle | PlaybackStatus::Loading => Phase::Starting,
            PlaybackStatus::Paused if !self.ready => Phase::Starting,
            PlaybackStatus::Paused => Phase::Paused,
            PlaybackStatus::Buffering if self.excused => Phase::Starting,
            PlaybackStatus::Buffering => Phase::Stalled,
            PlaybackStatus::Playing | PlaybackStatus::Ended | PlaybackStatus::Failed => {
                Phase::Playing
            }
        }
    }

    /// The player moves the element.
    pub(crate) fn seek(&mut self, to: MediaTime) {
        self.target = Some(to);
        self.excused = true;
    }

    /// Takes the element's word, and tells the app what changed. Where the element went on its own,
    /// such as by native controls, if it did. While the host has yet to carry out a seek
    /// (`seek_pending`), what the element says of its position is out of date.
    pub(crate) fn update(
        &mut self,
        cx: &mut Context<'_>,
        element: ElementState,
        seek_pending: bool,
    ) -> Result<Option<MediaTime>, Error> {
        if let Some(reason) = &element.error {
            return Err(Error::Element { reason: reason.clone() });
        }
        let expected = self.playhead(cx.now);
        let arrived = !element.seeking && element.ready_state >= ReadyState::HaveMetadata;
        let slack = if self.target.is_some() { SEEK_SLACK } else { DRIFT_SLACK };
        // What has arrived may have played on before it says so.
        let moves = arrived && self.target.is_some() && !element.paused;
        let since = if moves { cx.now.since(self.reported) } else { Duration::ZERO };
        let since = since.min(MAX_EXTRAPOLATION).as_secs_f64() * element.rate.max(0.0);
        let beyond = element.position - expected;
        let elsewhere = beyond < -slack || beyond > slack + MediaTime::from_seconds(since);
        let mut moved = None;
        if !seek_pending {
            if elsewhere && (arrived || element.seeking) {
                moved = Some(element.position);
                self.excused = true;
            }
            if elsewhere && element.seeking {
                self.target = Some(element.position);
            } else if arrived {
                self.target = None;
            }
        }
        cx.totals.dropped_frames = element.dropped_frames;
        self.element = element;
        self.reported = cx.now;
        self.settle(cx);
        Ok(moved)
    }

    fn settle(&mut self, cx: &mut Context<'_>) {
        let element = &self.element;
        let can_show = element.ready_state >= ReadyState::HaveCurrentData
            && !element.seeking
            && self.target.is_none();
        let status = if self.status == PlaybackStatus::Failed {
            PlaybackStatus::Failed
        } else if element.ended {
            PlaybackStatus::Ended
        } else if !self.ready && !can_show {
            PlaybackStatus::Loading
        } else if element.paused {
            PlaybackStatus::Paused
        } else if can_show && element.ready_state >= ReadyState::HaveFutureData {
            PlaybackStatus::Playing
        } else {
            PlaybackStatus::Buffering
        };
        if can_show && !self.ready {
            self.ready = true;
            cx.out.event(Event::Ready);
        }
        let starved =
            !element.paused && !element.ended && (!can_show || status == PlaybackStatus::Buffering);
        if starved {
            self.waiting_since.get_or_insert(cx.now);
        } else {
            self.waiting_since = None;
        }
        if status == self.status {
            return;
        }
        self.leave(cx);
        self.status = status;
        match status {
            PlaybackStatus::Playing => {
                self.excused = false;
                cx.out.event(Event::Playing);
            }
            PlaybackStatus::Buffering => {
                if !self.excused {
                    cx.totals.stalls = cx.totals.stalls.saturating_add(1);
                    self.stalled_since = Some(cx.now);
                }
                cx.out.event(Event::Buffering { seeking: self.excused });
            }
            PlaybackStatus::Ended => cx.out.event(Event::Ended),
            _ => {}
        }
    }

    fn leave(&mut self, cx: &mut Context<'_>) {
        if let Some(since) = self.stalled_since.take() {
            cx.totals.stalled += cx.now.since(since);
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready
    }

    pub(crate) fn fail(&mut self, cx: &mut Context<'_>) {
        self.leave(cx);
        self.status = PlaybackStatus::Failed;
        self.waiting_since = None;
    }

    /// The device slept for so long: a wait that began before was no longer than until then.
    pub(crate) fn slept(&mut self, now: Timestamp, long: Duration) {
        for since in [&mut self.waiting_since, &mut self.stalled_since].into_iter().flatten() {
            *since = (*since + long).min(now);
        }
        self.reported = now;
    }

    /// When the playhead counts as stuck, if it waits.
    pub(crate) fn stuck_at(&self) -> Option<Timestamp> {
        self.waiting_since.map(|since| since + STUCK_AFTER)
    }

    /// The player takes the playhead out of a hole.
    pub(crate) fn leave_hole(&mut self, now: Timestamp, to: MediaTime) {
        self.target = Some(to);
        self.waiting_since = Some(now);
    }
}
