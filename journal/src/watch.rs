//! One playback: the player's events made into the service's.

use std::time::Duration;

use kinora_core::error::ErrorCode;
use kinora_core::io::{Event, MediaKind, PlaybackStatus};
use kinora_core::time::{MediaTime, Timestamp};

use crate::happening::{EndReason, Happening, ReportedPlayback, Watched};
use crate::outbox::{Moment, Outbox};

/// A host looks several times a second; one that slept did not play meanwhile.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// The largest figures that the service takes: seconds, milliseconds, bit/s.
const LAST_SECOND: u32 = 1_000_000;
const LONGEST_MS: u64 = 86_400_000;
const FASTEST: u64 = 100_000_000_000;

/// Names one playback of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(pub u64);

/// What a player tells, as far as a service wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// The first frame can play.
    Ready,
    /// The playhead moves.
    Playing,
    /// The playhead waits for data.
    Buffering {
        /// The viewer moved; otherwise playback ran dry.
        seeking: bool,
    },
    /// Another quality is shown or heard.
    QualityChanged {
        /// Of the picture or of the sound.
        kind: MediaKind,
        /// The peak bit rate until now in bit/s; nothing at the start.
        from_bps: Option<u64>,
        /// The peak bit rate from now on in bit/s.
        to_bps: u64,
    },
    /// Playback cannot go on.
    Failed {
        /// Why.
        code: ErrorCode,
    },
    /// The playhead has reached the end.
    Ended,
}

impl Observation {
    /// Of an event, what a service wants to know; `None` if that is nothing.
    pub fn of(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Ready => Self::Ready,
            Event::Playing => Self::Playing,
            Event::Buffering { seeking } => Self::Buffering { seeking: *seeking },
            Event::QualityChanged { kind, from, to, .. } => Self::QualityChanged {
                kind: *kind,
                from_bps: from.as_ref().map(|from| from.bandwidth),
                to_bps: to.bandwidth,
            },
            Event::Error(error) => Self::Failed { code: error.code },
            // What comes next in a queue is another playback.
            Event::Ended | Event::Next { .. } => Self::Ended,
            _ => return None,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Playhead {
    Moves,
    /// It stands still for want of data.
    Stalls,
    /// It is not meant to move, or has not moved yet.
    Rests,
}

pub(crate) struct Watch {
    of: ReportedPlayback,
    began: Timestamp,
    started: bool,
    over: bool,
    /// When it was last known what the playhead does, and what it did.
    last: Option<(Timestamp, Playhead)>,
    position: u32,
    /// Of a stall that lasts: so many microseconds until now.
    stalled: Option<u64>,
    /// Of what is shown of the picture and heard of the sound, in bit/s.
    rates: [u64; 2],
    /// Since it was told: microseconds that were played, and bits in them times a million.
    watched: u64,
    bits: u128,
}

impl Watch {
    pub(crate) fn new(of: ReportedPlayback, now: Timestamp) -> Self {
        Self {
            of,
            began: now,
            started: false,
            over: false,
            last: None,
            position: 0,
            stalled: None,
            rates: [0; 2],
            watched: 0,
            bits: 0,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    pub(crate) fn hear(&mut self, observation: Observation, at: Moment, outbox: &mut Outbox) {
        match observation {
            Observation::Ready if self.started => {}
            Observation::Ready => {
                self.started = true;
                let startup_ms = milliseconds(at.now.since(self.began));
                outbox.add(&Happening::PlaybackStarted { of: &self.of, startup_ms }, at);
            }
            Observation::Playing => {
                self.pass(Playhead::Moves, at);
                self.resumed(at, outbox);
            }
            Observation::Buffering { seeking } if seeking || !self.started => {
                self.pass(Playhead::Rests, at);
                self.resumed(at, outbox);
            }
            Observation::Buffering { .. } => {
                self.pass(Playhead::Stalls, at);
                self.stalled.get_or_insert(0);
            }
            Observation::QualityChanged { kind, from_bps, to_bps } => {
                // What was played until now was of the quality before.
                self.pass(self.last.map_or(Playhead::Rests, |(_, playhead)| playhead), at);
                let to_bps = to_bps.min(FASTEST);
                match kind {
                    MediaKind::Video => self.rates[0] = to_bps,
                    MediaKind::Audio => self.rates[1] = to_bps,
                    _ => {}
                }
                if let (MediaKind::Video, Some(from)) = (kind, from_bps) {
                    let from_bps = from.min(FASTEST);
                    let of = &self.of;
                    outbox.add(&Happening::QualityChanged { of, from_bps, to_bps }, at);
                }
            }
            Observation::Failed { code } => {
                let (of, code) = (&self.of, code.name());
                outbox.add(&Happening::PlaybackFailed { of, code, fatal: true }, at);
                self.end(EndReason::Failed, at, outbox);
            }
            Observation::Ended => self.end(EndReason::Finished, at, outbox),
        }
    }

    pub(crate) fn look(
        &mut self,
        status: PlaybackStatus,
        position: MediaTime,
        at: Moment,
        outbox: &mut Outbox,
    ) {
        let playhead = match status {
            PlaybackStatus::Playing => Playhead::Moves,
            PlaybackStatus::Buffering if self.stalled.is_some() => Playhead::Stalls,
            _ => Playhead::Rests,
        };
        self.pass(playhead, at);
        // Whoever pauses does not wait any more, and no event says so.
        if playhead == Playhead::Rests {
            self.resumed(at, outbox);
        }
        self.position = (position.seconds().max(0.0) as u32).min(LAST_SECOND);
    }

    /// Tells how far it is, if anything was played since that was told.
    pub(crate) fn progress(&mut self, at: Moment, outbox: &mut Outbox) {
        if self.watched < 1000 {
            return;
        }
        let watched = self.sums();
        outbox.add(&Happening::PlaybackProgressed { watched }, at);
        (self.watched, self.bits) = (0, 0);
    }

    pub(crate) fn end(&mut self, reason: EndReason, at: Moment, outbox: &mut Outbox) {
        if self.over {
            return;
        }
        self.over = true;
        if self.stalled.is_some() {
            self.pass(Playhead::Rests, at);
        }
        self.resumed(at, outbox);
        let watched = self.sums();
        outbox.add(&Happening::PlaybackEnded { watched, reason }, at);
        outbox.want(at.now);
    }

    fn resumed(&mut self, at: Moment, outbox: &mut Outbox) {
        let Some(micros) = self.stalled.take() else { return };
        let happening = Happening::PlaybackStalled {
            of: &self.of,
            position_seconds: self.position,
            duration_ms: (micros / 1000).min(LONGEST_MS),
        };
        outbox.add(&happening, at);
    }

    /// Counts the time since it was last known what the playhead does.
    fn pass(&mut self, playhead: Playhead, at: Moment) {
        if let Some((since, before)) = self.last {
            let micros = at.now.since(since).min(LONGEST_LOOK).as_micros() as u64;
            match (before, &mut self.stalled) {
                (Playhead::Moves, _) => {
                    let rate: u64 = self.rates.iter().sum();
                    self.watched += micros;
                    self.bits += u128::from(rate) * u128::from(micros);
                }
                (Playhead::Stalls, Some(stalled)) => *stalled += micros,
                _ => {}
            }
        }
        self.last = Some((at.now, playhead));
    }

    fn sums(&self) -> Watched<'_> {
        let bandwidth = self.bits.checked_div(u128::from(self.watched)).unwrap_or(0);
        Watched {
            of: &self.of,
            position_seconds: self.position,
            watched_ms: (self.watched / 1000).min(LONGEST_MS),
            bandwidth_bps: u64::try_from(bandwidth).ok().filter(|rate| *rate > 0),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MS)
}
