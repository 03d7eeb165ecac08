//! Live: joining, where the viewer may go, keeping the latency, and what was live and has ended.

use super::tracks::{choose_sets, wanted};
use super::{Session, known_end};
use crate::context::Context;
use crate::error::Error;
use crate::io::{Event, MediaCommand, PlaybackStatus, Warning};
use crate::live::{Timing, Told, Viewing};
use crate::requests::Outcome;
use crate::stream::moved::Identity;
use crate::stream::{Stream, TOLERANCE};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// Where the viewer may go moves with the clock, and is told anew so often.
const TELL_EVERY: core::time::Duration = core::time::Duration::from_secs(1);
/// Playback that begins so much too late is put right.
const LATE: MediaTime = MediaTime::from_millis(500);
/// What else moves it by this is news to the app.
const NEWS: MediaTime = MediaTime::from_secs(1);

impl Session {
    /// Takes what became of a request that follows the presentation.
    pub(super) fn take_live(
        &mut self,
        cx: &mut Context<'_>,
        outcome: &Outcome,
    ) -> Result<(), Error> {
        let Some(presentation) = &mut self.presentation else { return Ok(()) };
        let (ticket, whole) = match outcome {
            Outcome::Delivered { ticket, .. } | Outcome::Failed { ticket, .. } => (*ticket, true),
            _ => return Ok(()),
        };
        let identity = (whole && self.live.owns_mpd(ticket)).then(|| Identity::of(presentation));
        self.live.take(cx, &mut self.requests, presentation, outcome);
        if let Some(identity) = identity {
            if let Some(steering) = &self.steering {
                steering.clone_again(presentation);
            }
            let moves = identity.moves(presentation);
            identity.keep_protection(&moves, presentation);
            // What plays next may need keys that were not named before.
            self.keys.survey(cx, &mut self.requests, presentation);
            for stream in &mut self.streams {
                let wanted = wanted(&self.preferred, stream.kind);
                let sets = choose_sets(presentation, stream.kind, wanted);
                stream.adopt(&moves, sets);
            }
            self.each_stream(cx, |stream, world| {
                stream.settle(world);
                Ok(())
            })?;
        }
        self.note_end(cx)
    }

    /// Whether nothing more will come, and what follows from that.
    fn note_end(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(presentation) = &mut self.presentation else { return Ok(()) };
        if !self.was_live {
            return Ok(());
        }
        if !self.live.joined {
            if presentation.live.is_none() {
                // It ended before playback was placed: to this player it never was live.
                self.was_live = false;
                self.live.keeper.rest();
            }
            return Ok(());
        }
        if self.live.playlists.have_ended() {
            presentation.live = None;
        }
        if presentation.live.is_some() {
            // A live presentation may say when it will end.
            return Ok(());
        }
        self.was_live = false;
        let known_end = known_end(&self.streams, presentation);
        presentation.duration = match self.live.playlists.is_empty() {
            true => presentation.duration.or(known_end),
            false => known_end,
        };
        let duration = presentation.duration;
        if let Some(duration) = duration.filter(|_| self.attached) {
            // Frames may not lie beyond the end (MSE §3.15.2, duration change).
            let held = self.streams.iter().map(Stream::buffered_end).max();
            let duration = held.map_or(duration, |held| held.max(duration));
            self.operations.push(cx.out.media(MediaCommand::SetDuration(duration)));
        }
        self.set_live_rate(cx, 1.0);
        self.live.keeper.rest();
        cx.out.event(Event::LiveEnded { duration });
        self.each_stream(cx, |stream, world| {
            stream.leave_beyond_end(world);
            Ok(())
        })?;
        // By the clock it may have gone on.
        match known_end {
            Some(end) if self.playback.playhead(cx.now) > end => self.go_to(cx, end),
            _ => Ok(()),
        }
    }

    /// After any input: looks for what is due, joins, and keeps where playback is.
    pub(super) fn follow_live(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(presentation) = &mut self.presentation else { return Ok(()) };
        self.live.tick(cx, &mut self.requests, presentation);
        if presentation.live.is_none() {
            return Ok(());
        }
        self.was_live = true;
        // What follows costs something, and time alone changes little.
        if self.live.joined && !self.live.keeper.is_due(cx.now) {
            return Ok(());
        }
        self.live.keeper.look_again(cx.now);
        let Some(timing) = self.timing(cx.config, cx.now) else { return Ok(()) };
        if !self.live.joined {
            return self.join(cx, &timing);
        }
        self.tell_seekable(cx, false);
        self.catch_up_with_window(cx, &timing)?;
        self.keep_latency(cx, &timing)
    }

    pub(super) fn timing(&self, config: &crate::Config, now: Timestamp) -> Option<Timing> {
        self.live.timing(self.presentation.as_ref()?, &config.live, now)
    }

    /// Chooses where to begin.
    fn join(&mut self, cx: &mut Context<'_>, timing: &Timing) -> Result<(), Error> {
        if self.live.is_clock_awaited(cx.now) {
            return Ok(());
        }
        let Some(presentation) = &self.presentation else { return Ok(()) };
        let wished = self.playback.playhead(cx.now);
        let explicit = self.source.start.is_some() || wished > MediaTime::ZERO;
        let start = presentation.start.or(self.live.playlists.start());
        let seekable = timing.seekable();
        let to = match start {
            _ if explicit => wished,
            Some(point) if point.offset >= MediaTime::ZERO => timing.window.start + point.offset,
            Some(point) => timing.window.end + point.offset,
            None => seekable.end,
        };
        let to = to.clamp(seekable.start, seekable.end);
        self.live.joined = true;
        self.live.keeper.following = seekable.end - to <= timing.step;
        self.live.keeper.moved(cx.now);
        self.playback.seek(to);
        self.each_stream(cx, |stream, world| {
            stream.join(world, to);
            Ok(())
        })
    }

    /// Tells the platform and the app where the viewer may go; at once, if something goes there.
    pub(super) fn tell_seekable(&mut self, cx: &mut Context<'_>, at_once: bool) {
        let Some(timing) = self.timing(cx.config, cx.now).filter(|_| self.attached) else { return };
        let range = timing.seekable();
        let news = match self.live.told {
            None => true,
            Some(told) if !at_once && cx.now.since(told.at) < TELL_EVERY => return,
            Some(told) => {
                let passed = MediaTime::from_duration(cx.now.since(told.at));
                (range.end - told.range.end - passed).abs() > NEWS.max(timing.step)
                    || (range.start - told.range.start).abs()
                        > passed + NEWS.max(timing.step.times(2))
            }
        };
        if self.live.told.is_some_and(|told| told.range == range) {
            return;
        }
        self.live.told = Some(Told { range, at: cx.now });
        self.operations.push(cx.out.media(MediaCommand::SetLiveSeekableRange(range)));
        if news {
            cx.out.event(Event::SeekableChanged(range));
        }
    }

    /// A playhead with nothing left to play, whose place is no longer there, is taken on.
    fn catch_up_with_window(&mut self, cx: &mut Context<'_>, timing: &Timing) -> Result<(), Error> {
        let from = self.playback.playhead(cx.now);
        // What has not begun waits as well, whether anyone waits for it or not.
        let waits =
            !self.playback.is_ready() || self.playback.stuck_at().is_some_and(|at| at <= cx.now);
        // An element stops a little before its last frame.
        let held = self.streams.iter().all(|stream| stream.ahead(from) > TOLERANCE);
        // Before there is anything to play nobody waits for it, and it is looked for where it is all the same.
        if self.preloading || self.attached && (!waits || held) {
            return Ok(());
        }
        let seekable = timing.seekable();
        // Where one playlist is newer than another, nothing is there in both.
        if from - timing.window.end.max(seekable.end) > NEWS.max(timing.step) {
            // It was placed by a clock that has been put right since, or by a playlist that has begun anew.
            cx.out.warn(Warning::JumpedToLive { from, to: seekable.end });
            return self.go_to(cx, seekable.end);
        }
        if from >= timing.window.start {
            return Ok(());
        }
        if self.live.keeper.following {
            cx.out.warn(Warning::FellBehindWindow { from, to: seekable.end });
            return self.go_to(cx, seekable.end);
        }
        // Not to where the next segment goes at once.
        let to = (seekable.start + timing.margin).min(seekable.end);
        cx.out.warn(Warning::FellBehindWindow { from, to });
        self.leave_for(cx, to);
        self.each_stream(cx, |stream, world| {
            stream.take_on(world, to);
            Ok(())
        })
    }

    /// Before it has begun, and in its first moments, playback is put where it belongs as soon as media is held there:
    /// at the pace of catching up it would take a minute what a slow start cost.
    fn arrive(&mut self, cx: &mut Context<'_>, timing: &Timing) -> Result<bool, Error> {
        let from = self.playback.playhead(cx.now);
        let to = timing.live_position();
        let bound = if timing.low_latency { LATE } else { timing.step };
        let status = self.playback.status();
        // One who has not begun yet is not played to: that would go on for ever.
        let waits = matches!(status, PlaybackStatus::Paused | PlaybackStatus::Ended);
        let free = self.attached && !waits && self.seeking.is_none();
        if !free || to - from <= bound || !self.live.keeper.is_arriving() {
            return Ok(false);
        }
        let held = self.streams.iter().all(|stream| stream.ahead(to) >= timing.fair_buffer());
        if !held {
            return Ok(false);
        }
        self.live.keeper.arrives(status == PlaybackStatus::Playing);
        self.go_to(cx, to)?;
        Ok(true)
    }

    fn keep_latency(&mut self, cx: &mut Context<'_>, timing: &Timing) -> Result<(), Error> {
        if self.arrive(cx, timing)? || !self.attached || !self.playback.is_ready() {
            return Ok(());
        }
        let Some(presentation) = &self.presentation else { return Ok(()) };
        let playhead = self.playback.playhead(cx.now);
        let ahead = self.streams.iter().map(|stream| stream.ahead(playhead)).min();
        let status = self.playback.status();
        let at = Viewing {
            playhead,
            buffer: ahead.unwrap_or(MediaTime::ZERO),
            paused: matches!(status, PlaybackStatus::Paused | PlaybackStatus::Ended),
            playing: status == PlaybackStatus::Playing,
            free: self.rate == 1.0,
        };
        let verdict = self.live.judge(presentation, &cx.config.live, cx.now, timing, &at);
        let to = timing.live_position();
        // A jump is worth it only to where there is something to play: what does not come here has not come there, either.
        let missing = self.streams.iter().any(Stream::is_missing);
        if verdict.jump && to - playhead > timing.step && !missing {
            cx.out.warn(Warning::JumpedToLive { from: playhead, to });
            self.set_live_rate(cx, 1.0);
            return self.go_to(cx, to);
        }
        self.set_live_rate(cx, if status == PlaybackStatus::Playing { verdict.rate } else { 1.0 });
        if self.live.keeper.stands(verdict.standing) {
            cx.out.event(Event::LatencyChanged {
                standing: verdict.standing,
                latency: timing.reference + timing.lag - playhead,
                target: timing.delay + timing.lag,
            });
        }
        Ok(())
    }

    fn set_live_rate(&mut self, cx: &mut Context<'_>, rate: f64) {
        if self.live.keeper.rate == rate {
            return;
        }
        self.live.keeper.rate = rate;
        if self.attached && self.rate == 1.0 {
            self.operations.push(cx.out.media(MediaCommand::SetRate(rate)));
        }
    }

    /// Playback goes on elsewhere, by the player's own choice.
    pub(super) fn go_to(&mut self, cx: &mut Context<'_>, to: MediaTime) -> Result<(), Error> {
        self.leave_for(cx, to);
        self.each_stream(cx, |stream, world| {
            stream.seek(world, to);
            Ok(())
        })
    }

    fn leave_for(&mut self, cx: &mut Context<'_>, to: MediaTime) {
        self.live.keeper.moved(cx.now);
        self.place_element(cx, to);
        cx.abr.handle(cx.now.micros(), kinora_abr::Event::Seeked);
        self.end_of_stream = false;
    }

    /// Where a viewer who wants to be at `to` can be.
    pub(super) fn clamp_to_live(&mut self, cx: &Context<'_>, to: MediaTime) -> MediaTime {
        let Some(timing) = self.timing(cx.config, cx.now).filter(|_| self.live.joined) else {
            return to;
        };
        let TimeRange { start, end } = timing.seekable();
        let to = to.clamp(start, end);
        self.live.keeper.following = end - to <= timing.step.max(NEWS);
        self.live.keeper.moved(cx.now);
        to
    }
}
