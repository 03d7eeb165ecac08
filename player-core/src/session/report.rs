//! What a session tells: changes of quality, what it waits for, its state.

use super::Session;
use super::element::ASK_AGAIN_AFTER;
use crate::config::{CmcdMode, Config, RetryConfig};
use crate::context::Context;
use crate::io::{Event, PlaybackStatus};
use crate::steering::Steering;
use crate::stream::Stream;
use crate::telemetry::{State, TimerReason, TimerState};
use crate::time::{MediaTime, Timestamp};

impl Session {
    /// Whether the playhead moves.
    pub(crate) fn is_playing(&self) -> bool {
        self.playback.status() == PlaybackStatus::Playing
    }

    /// Tells when the playhead enters a segment of another quality.
    pub(super) fn report_quality(&mut self, cx: &mut Context<'_>) {
        if !self.playback.is_ready() {
            return;
        }
        let playhead = self.playback.playhead(cx.now);
        for stream in &self.streams {
            let Some(held) = stream.buffer.held_at(playhead) else { continue };
            let known = self.shown.iter_mut().find(|(kind, _)| *kind == stream.kind);
            let from = match known {
                Some((_, shown)) if *shown == held.quality => continue,
                Some((_, shown)) => Some(core::mem::replace(shown, held.quality.clone())),
                None => {
                    self.shown.push((stream.kind, held.quality.clone()));
                    None
                }
            };
            let (to, reason) = (held.quality.clone(), held.cause);
            if from.is_some() {
                cx.totals.quality_changes = cx.totals.quality_changes.saturating_add(1);
            }
            cx.out.event(Event::QualityChanged { kind: stream.kind, from, to, reason });
        }
    }

    /// Keeps at hand what CDNs and collectors are told.
    pub(super) fn inform_cdns(&mut self, cx: &Context<'_>) {
        let config = &cx.config.cmcd;
        if config.mode == CmcdMode::Off && config.targets.is_empty() {
            return;
        }
        let playhead = self.playback.playhead(cx.now);
        let live = self.presentation.as_ref().and_then(|presentation| presentation.live.as_ref());
        let timing = self.was_live.then(|| self.timing(cx.config, cx.now)).flatten();
        self.requests.cmcd.stalled(cx.totals.stalled);
        for facts in &mut self.requests.cmcd.media {
            let Some(stream) = self.streams.iter().find(|stream| stream.kind == facts.kind) else {
                continue;
            };
            facts.buffer = stream.ahead(playhead);
            facts.shown = stream.buffer.held_at(playhead).map(|held| held.quality.bandwidth);
        }
        let situation = &mut self.requests.cmcd.situation;
        situation.live = live.map(|live| live.part_delay.is_some());
        situation.status = self.playback.status();
        situation.seeking = self.playback.is_excused();
        situation.rate = self.playback.rate();
        situation.hidden = cx.environment.hidden;
        situation.muted = cx.muted;
        situation.playhead = playhead;
        situation.startup = cx.totals.startup;
        situation.stalls = cx.totals.stalls;
        situation.dropped_frames = cx.totals.dropped_frames;
        situation.preloading = self.preloading;
        situation.latency = timing.map(|timing| timing.reference - playhead);
    }

    /// Tells collectors what has happened.
    pub(super) fn report_events(&mut self, cx: &mut Context<'_>) {
        // What is fetched ahead is no session yet.
        if cx.config.cmcd.targets.is_empty() || self.preloading {
            return;
        }
        self.inform_cdns(cx);
        let over = matches!(self.playback.status(), PlaybackStatus::Ended | PlaybackStatus::Failed);
        let all = over || self.requests.cmcd.situation.quit;
        self.requests.report(cx, all);
    }

    /// The viewer leaves.
    pub(super) fn part(&mut self, cx: &mut Context<'_>) {
        let over = matches!(self.playback.status(), PlaybackStatus::Ended | PlaybackStatus::Failed);
        self.requests.cmcd.situation.quit = !over;
        if !over {
            self.report_events(cx);
        }
        self.text.leave(cx);
        self.requests.cancel_all(cx);
    }

    /// What the session waits for, soonest first.
    pub(crate) fn timers(
        &self,
        now: Timestamp,
        retry: &RetryConfig,
        offline: bool,
    ) -> Vec<TimerState> {
        let mut timers = Vec::new();
        // Inserted where they belong: they are few, and sorting code is large.
        let mut add = |timer: TimerState| {
            let key = |timer: &TimerState| (timer.at, timer.reason);
            let position = timers.partition_point(|other| key(other) <= key(&timer));
            timers.insert(position, timer);
        };
        if self.playback.status() == PlaybackStatus::Failed {
            return timers;
        }
        self.requests.timers(retry, offline).into_iter().for_each(&mut add);
        let steering = self.steering.as_ref().and_then(|steering| steering.timer(now));
        steering.into_iter().for_each(&mut add);
        self.streams.iter().filter_map(Stream::timer).for_each(&mut add);
        self.keys.timer().into_iter().for_each(&mut add);
        self.live.timers(&mut add);
        // A playhead that was looked at twice and left where it is needs no third look by the clock.
        if self.attached
            && let Some(first) = self.playback.stuck_at()
            && let Some(at) = [first, first + ASK_AGAIN_AFTER].into_iter().find(|at| *at > now)
        {
            add(TimerState { reason: TimerReason::Gap, at });
        }
        timers
    }

    /// Fills in what a session knows.
    pub(crate) fn describe(&self, state: &mut State, now: Timestamp, config: &Config) {
        let goal = MediaTime::from_duration(config.buffer.forward);
        let playhead = self.playback.playhead(now);
        state.status = self.playback.status();
        state.satisfied = self.requests.satisfied;
        state.position = playhead;
        state.duration = self.presentation.as_ref().and_then(|presentation| presentation.duration);
        state.streams = self.streams.iter().map(|stream| stream.state(goal, playhead)).collect();
        state.requests = self.requests.states();
        state.requests_waiting = self.requests.waiting() as u32;
        state.origins = self.requests.origins.states(now);
        state.pathway = self.requests.origins.pathway().map(str::to_owned);
        state.steering = self.steering.as_ref().map(Steering::state);
        if self.was_live {
            let timing = self.timing(config, now);
            state.live = Some(self.live.state(timing.as_ref(), playhead, now));
        }
    }
}
