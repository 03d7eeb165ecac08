//! Following a presentation that is still being made: what time it is, what is there, how far behind
//! to play, and when to look for more.
//!
//! Two moments are told apart. The *reference* is what latency is kept by: in DASH what happens now by
//! the presentation's clock, in HLS the end of the playlist, going on with time. How far the reference
//! is behind what really happens (`lag`) is known where dates tell; it is part of the latency that is
//! shown and changes nothing in how it is kept.

pub(crate) mod clock;
mod latency;
mod mpd;
pub(crate) mod playlists;

use core::time::Duration;

pub(crate) use clock::Clock;
pub(crate) use latency::Keeper;
use latency::{Look, Verdict};
use mpd::Mpd;
pub(crate) use playlists::{Place, Playlists};

use crate::config::LiveConfig;
use crate::context::Context;
use crate::io::{RequestKind, ResponseHead, Warning};
use crate::manifest::dash::{Document, availability};
use crate::manifest::{ManifestError, WarningCode};
use crate::presentation::{Presentation, ReferenceTime, ServiceDescription};
use crate::requests::{Outcome, Requests, Ticket};
use crate::telemetry::{LiveState, TimerReason, TimerState};
use crate::time::{MediaTime, TimeRange, Timestamp, WallTime};

/// Where nothing says how far behind to play, this many segments.
const SEGMENTS_BEHIND: i64 = 3;
/// What playing faster makes good within a minute or two is not jumped over, unless the app or the
/// service says so.
const LEAST_JUMP: MediaTime = MediaTime::from_secs(5);
/// Latencies outside of this are those of clocks that are wrong.
const SANE_LAG: (MediaTime, MediaTime) = (MediaTime::from_secs(-2), MediaTime::from_secs(120));
/// What is asked for within so much of when it could be tells how late it may be.
const LEAST_LATE: MediaTime = MediaTime::from_millis(50);
/// Each segment that comes at once is followed by one that is asked for so much sooner.
const SOONER: MediaTime = MediaTime::from_millis(5);
/// The longest pause between two attempts at a manifest that has stopped: somebody may be waiting for it to go on.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What it takes to follow a live presentation. There is one for each load, live or not.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) clock: Clock,
    pub(crate) playlists: Playlists,
    mpd: Option<Mpd>,
    pub(crate) keeper: Keeper,
    /// Playback has been placed.
    pub(crate) joined: bool,
    /// Segments come so much later than they should by the clock, as far as asking for them, or what is listed, has shown.
    pub(crate) lateness: MediaTime,
    /// Counts what has brought something to fetch.
    pub(crate) version: u32,
    /// The newest tie of media to wall-clock time that the media itself held (`prft`).
    reference: Option<(WallTime, MediaTime)>,
    /// What the app and the platform were told.
    pub(crate) told: Option<Told>,
}

/// What the app was told of where the viewer may go, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) range: TimeRange,
    pub(crate) at: Timestamp,
}

/// How live playback stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// What latency is kept by.
    pub(crate) reference: MediaTime,
    /// How far behind it to play.
    pub(crate) delay: MediaTime,
    /// How far it is behind what happens.
    pub(crate) lag: MediaTime,
    /// What is there.
    pub(crate) window: TimeRange,
    /// How much goes at once at the beginning of what is there.
    pub(crate) margin: MediaTime,
    /// The longest segment, or part where parts are played.
    pub(crate) step: MediaTime,
    /// Segments are played while they are made.
    pub(crate) low_latency: bool,
}

impl Timing {
    /// Where playback is on time; as near to that as there is media.
    pub(crate) fn live_position(&self) -> MediaTime {
        let wanted = self.reference - self.delay;
        wanted.min(self.window.end - self.least_buffer()).max(self.window.start)
    }

    /// So much must be ahead for playback to begin.
    fn least_buffer(&self) -> MediaTime {
        self.step.min(self.delay)
    }

    /// So much must be ahead of where playback is put for it to go on from there as if it had come there by itself.
    pub(crate) fn fair_buffer(&self) -> MediaTime {
        MediaTime::from_flicks(self.delay.flicks() / 2).max(self.least_buffer())
    }

    /// Where the viewer may go.
    pub(crate) fn seekable(&self) -> TimeRange {
        let end = self.live_position().max(MediaTime::ZERO);
        // What goes next is gone by the time it is fetched.
        let start = (self.window.start + self.margin).min(end).max(MediaTime::ZERO);
        TimeRange { start, end }
    }
}

impl Live {
    pub(crate) fn new(device: Option<i64>) -> Self {
        let mut clock = Clock::default();
        clock.set_device(device);
        Self {
            clock,
            playlists: Playlists::default(),
            mpd: None,
            keeper: Keeper::new(),
            joined: false,
            lateness: MediaTime::ZERO,
            version: 0,
            reference: None,
            told: None,
        }
    }

    /// Follows an MPD that was asked for at `asked`.
    pub(crate) fn follow_mpd(
        &mut self,
        document: Document,
        presentation: &Presentation,
        url: &str,
        asked: Timestamp,
        now: Timestamp,
    ) {
        self.mpd = Some(Mpd::new(document, presentation, url, asked, now));
        self.take_clocks(presentation, asked, now);
    }

    fn take_clocks(&mut self, presentation: &Presentation, asked: Timestamp, now: Timestamp) {
        if let Some(live) = &presentation.live {
            self.clock.set_methods(&live.clocks, asked, now);
        }
    }

    // ---- requests -----------------------------------------------------------------------------------

    /// Asks for whatever is due.
    pub(crate) fn tick(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        presentation: &Presentation,
    ) {
        self.clock.tick(cx, requests);
        if self.playlists.measure(cx) {
            self.version = self.version.wrapping_add(1);
        }
        self.playlists.tick(cx, requests);
        let wall = self.clock.now(cx.now);
        if let Some(mpd) = &mut self.mpd {
            mpd.tick(cx, requests, presentation, wall);
            self.lateness = mpd.lateness(presentation, wall, cx.now).unwrap_or(self.lateness);
        }
    }

    /// Listens to a response's head: most tell what time it is, if only to the second.
    pub(crate) fn hear(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        (ticket, kind, sent): (Ticket, RequestKind, Timestamp),
        head: &ResponseHead,
    ) {
        if self.clock.owns(ticket) {
            self.clock.take_head(cx, requests, head.date.as_deref());
        }
        // Segments may have lain in caches for long, and their dates with them.
        let fresh = matches!(kind, RequestKind::Manifest | RequestKind::MediaPlaylist(_));
        if let Some(date) = head.date.as_deref().filter(|_| fresh && head.status < 400) {
            self.clock.hear_date(date, sent, cx.now);
        }
    }

    /// Whether a request is one of these.
    pub(crate) fn owns(&self, ticket: Ticket) -> bool {
        self.clock.owns(ticket) || self.playlists.owns(ticket) || self.owns_mpd(ticket)
    }

    /// Whether a request is for the MPD.
    pub(crate) fn owns_mpd(&self, ticket: Ticket) -> bool {
        self.mpd.as_ref().is_some_and(|mpd| mpd.owns(ticket))
    }

    /// Takes what became of one of these requests.
    pub(crate) fn take(
        &mut self,
        cx: &mut Context<'_>,
        requests: &mut Requests,
        presentation: &mut Presentation,
        outcome: &Outcome,
    ) {
        let (ticket, answer) = match outcome {
            Outcome::Delivered { ticket, body, url, .. } => {
                (*ticket, Some((body.as_slice(), url.as_str())))
            }
            Outcome::Failed { ticket, .. } => (*ticket, None),
            _ => return,
        };
        if self.clock.owns(ticket) {
            self.clock.take_answer(cx, requests, answer.map(|(body, _)| body));
        } else if self.playlists.take(cx, presentation, ticket, answer).is_some() {
            self.version = self.version.wrapping_add(1);
        } else if let Some(mpd) = self.mpd.as_mut().filter(|mpd| mpd.owns(ticket)) {
            let asked = mpd.asked();
            if mpd.take(cx, presentation, answer) {
                self.version = self.version.wrapping_add(1);
                self.take_clocks(presentation, asked, cx.now);
            }
        }
    }

    /// Nothing more is listed: looks for more sooner than planned.
    pub(crate) fn starve(&mut self, presentation: &Presentation, now: Timestamp) {
        if let Some(mpd) = self.mpd.as_mut().filter(|mpd| !mpd.stalled) {
            mpd.hurry(presentation, now);
        }
    }

    /// A segment came that was asked for so long after it should have been there; it was asked for `early`, too, in vain.
    /// An encoder takes its time, and its clock may be slow: what comes next is asked for as late, or each would be
    /// asked for in vain.
    pub(crate) fn learn_lateness(&mut self, late: Duration, early: bool) {
        let late = MediaTime::from_duration(late);
        if early {
            self.lateness = self.lateness.max(late);
        } else if late <= self.lateness + LEAST_LATE {
            // It may have been the network once; what is too little is found again.
            let less = MediaTime::from_flicks(self.lateness.flicks() / 256);
            self.lateness = (self.lateness - less.max(SOONER)).max(MediaTime::ZERO);
        }
    }

    /// Media that was made at a time says so itself.
    pub(crate) fn note_reference(&mut self, wall: WallTime, media: MediaTime) {
        self.reference = Some((wall, media));
    }

    // ---- time ---------------------------------------------------------------------------------------

    /// Whether nothing sensible can be said of time yet, but soon.
    pub(crate) fn is_clock_awaited(&self, now: Timestamp) -> bool {
        self.playlists.is_empty() && self.clock.is_awaited(now)
    }

    /// How things stand; nothing as long as there is no media, or no clock.
    pub(crate) fn timing(
        &self,
        presentation: &Presentation,
        config: &LiveConfig,
        now: Timestamp,
    ) -> Option<Timing> {
        let live = presentation.live.as_ref()?;
        let service = service(presentation);
        let asked = config.target_latency.map(MediaTime::from_duration);
        let wall = self.clock.now(now);
        if !self.playlists.is_empty() {
            let (start, end) = self.playlists.span(presentation)?;
            let window = TimeRange { start, end };
            let (delay, low_latency) = self.playlists.hold_back()?;
            let reference = self.playlists.edge(now)?.max(end);
            let step = self.playlists.step()?;
            let published = wall.zip(self.playlists.wall_time_at(presentation, reference));
            let published = published.map(|(now, then)| now - then);
            let lag = sane(published).unwrap_or(MediaTime::ZERO);
            let delay = asked.map_or(delay, |asked| (asked - lag).max(step));
            let margin = self.playlists.margin();
            return Some(Timing { reference, delay, lag, window, margin, step, low_latency });
        }
        let wall = wall?;
        let reference = availability::media_time(live, wall)?;
        // What an encoder is late with is not there yet, and not gone as early.
        let window = availability::window(presentation, wall - self.lateness)?;
        let end = window.end.min(reference - self.lateness).max(window.start);
        let window = TimeRange { end, ..window };
        let segment = mpd::longest_segment(presentation).unwrap_or(MediaTime::from_secs(2));
        let chunk = chunk_duration(presentation, segment);
        let tie = self.reference.or_else(|| reference_time(presentation, service));
        let lag = tie.and_then(|(then, media)| sane(Some(media + (wall - then) - reference)));
        let lag = lag.unwrap_or(MediaTime::ZERO);
        let wanted = service.and_then(|service| service.latency?.target);
        let delay = match (asked, wanted) {
            (Some(asked), _) => asked - lag,
            (None, Some(wanted)) => wanted - lag,
            (None, None) => live.delay.unwrap_or(segment.times(SEGMENTS_BEHIND)),
        };
        let step = chunk.unwrap_or(segment);
        let low_latency = chunk.is_some();
        let delay = delay.max(step).max(self.lateness + step.times(2));
        let margin = if live.window.is_some() { segment } else { MediaTime::ZERO };
        Some(Timing { reference, delay, lag, window, margin, step, low_latency })
    }

    /// What is to be done about the latency at `playhead`, with so much ahead of it.
    pub(crate) fn judge(
        &mut self,
        presentation: &Presentation,
        config: &LiveConfig,
        now: Timestamp,
        timing: &Timing,
        at: &Viewing,
    ) -> Verdict {
        let service = service(presentation);
        let rates = service.and_then(|service| service.rate);
        let keeps = timing.low_latency
            || config.target_latency.is_some()
            || service.is_some_and(|service| service.latency.is_some());
        let late = if keeps { timing.step.times(4) } else { timing.step.times(2) };
        let jump_after =
            match (config.jump_after, service.and_then(|service| service.latency?.most)) {
                (Some(after), _) => MediaTime::from_duration(after),
                (None, Some(most)) => (most - timing.delay - timing.lag).max(late),
                (None, None) => late,
            };
        let look = Look {
            latency: timing.reference - at.playhead + timing.lag,
            target: timing.delay + timing.lag,
            buffer: at.buffer,
            tolerance: match keeps {
                true => MediaTime::from_millis(150),
                false => timing.step,
            },
            step: timing.step,
            rates: rates.map_or((None, None), |rates| (rates.least, rates.most)),
            max_change: config.max_rate_change,
            jump_after: match config.jump_after {
                Some(_) => jump_after,
                None => jump_after.max(LEAST_JUMP),
            },
            paused: at.paused,
            playing: at.playing,
            free: at.free && config.catch_up,
        };
        self.keeper.judge(now, &look)
    }

    /// What is waited for.
    pub(crate) fn timers(&self, add: &mut impl FnMut(TimerState)) {
        let reload = [self.playlists.due(), self.mpd.as_ref().and_then(Mpd::due)];
        for at in reload.into_iter().flatten() {
            add(TimerState { reason: TimerReason::ManifestReload, at });
        }
        if let Some(at) = self.clock.due() {
            add(TimerState { reason: TimerReason::ClockSync, at });
        }
        if let Some(at) = self.keeper.due() {
            add(TimerState { reason: TimerReason::Latency, at });
        }
    }

    pub(crate) fn is_stalled(&self) -> bool {
        self.playlists.are_stalled() || self.mpd.as_ref().is_some_and(|mpd| mpd.stalled)
    }

    /// Fills in what is known.
    pub(crate) fn state(
        &self,
        timing: Option<&Timing>,
        playhead: MediaTime,
        now: Timestamp,
    ) -> LiveState {
        let (clock, clock_uncertainty) = self.clock.source(now).unzip();
        LiveState {
            latency: timing.map(|timing| timing.reference + timing.lag - playhead),
            target: timing.map(|timing| timing.delay + timing.lag),
            edge: timing.map_or(MediaTime::ZERO, |timing| timing.window.end),
            seekable: timing.map(Timing::seekable).unwrap_or_default(),
            following: self.keeper.following,
            rate: self.keeper.rate,
            clock,
            clock_uncertainty: clock_uncertainty.flatten(),
            stalled: self.is_stalled(),
            far: self.playlists.are_far(),
            reloads: self.playlists.reloads + self.mpd.as_ref().map_or(0, |mpd| mpd.reloads),
        }
    }
}

/// Where the viewer is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewing {
    pub(crate) playhead: MediaTime,
    /// Media ahead.
    pub(crate) buffer: MediaTime,
    pub(crate) paused: bool,
    pub(crate) playing: bool,
    /// The viewer has not chosen a speed.
    pub(crate) free: bool,
}

fn sane(lag: Option<MediaTime>) -> Option<MediaTime> {
    lag.filter(|lag| (SANE_LAG.0..=SANE_LAG.1).contains(lag))
}

/// The description that is for every client, or else the first.
fn service(presentation: &Presentation) -> Option<&ServiceDescription> {
    let services = &presentation.services;
    services.iter().find(|service| service.scopes.is_empty()).or_else(|| services.first())
}

/// How long before its end a segment can be asked for, less its own length: the length of its chunks.
fn chunk_duration(presentation: &Presentation, segment: MediaTime) -> Option<MediaTime> {
    let sets = presentation.periods.iter().rev().flat_map(|period| &period.sets);
    let mut representations = sets.flat_map(|set| &set.representations);
    let chunked = representations.find_map(|one| one.chunked.as_ref())?;
    let left = segment - chunked.offset;
    // What begins when it is asked for, or says nothing of its chunks, is taken to have some.
    Some(if left > MediaTime::ZERO { left } else { MediaTime::from_millis(500).min(segment) })
}

/// What the manifest says ties media to wall-clock time, as far as the service measures latency by it.
fn reference_time(
    presentation: &Presentation,
    service: Option<&ServiceDescription>,
) -> Option<(WallTime, MediaTime)> {
    let id = service.and_then(|service| service.latency_reference.as_deref());
    let sets = presentation.periods.iter().rev().flat_map(|period| &period.sets);
    let fits = |time: &&ReferenceTime| id.is_none_or(|id| time.id == id);
    let time = sets.flat_map(|set| &set.reference_times).find(fits)?;
    Some((time.wall, time.media))
}

/// The pause after so many attempts in a row that brought nothing new.
fn backoff(base: Duration, attempts: u32) -> Duration {
    let doubled = base.saturating_mul(1 << attempts.saturating_sub(1).min(8));
    doubled.min(LONGEST_PAUSE).max(base)
}

/// A version that is not understood is passed over.
fn complain(cx: &mut Context<'_>, url: &str, error: &ManifestError) {
    let (line, code, message) = (error.line, WarningCode::BadValue, error.to_string());
    cx.out.warn(Warning::Manifest { url: url.to_owned(), line, code, message });
}
