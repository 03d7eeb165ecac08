//! What a player asks for, and what it gives up.

use core::ops::Range;

use crate::{Action, Event, InFlight, Kind, Queued, Situation, Verdict};

use super::MOMENT_MS;
use super::fetch::{Fetch, micros};
use super::link::SharedLink;
use super::viewer::{Client, made};

/// Audio is fetched no further ahead of the video than this, in segments.
const AUDIO_AHEAD: f64 = 1.0;
/// How often a transfer is looked at.
const CHECK_MS: f64 = 100.0;

impl Client<'_> {
    pub(super) fn check_in_flight(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
        let Some(fetch) = self.video.fetch.filter(|_| now_ms >= self.checks_at_ms) else { return };
        let Some(flow) = link.flow(fetch.id).copied() else { return };
        self.checks_at_ms = now_ms + CHECK_MS;
        let in_flight = InFlight {
            rung: fetch.rung,
            started_us: micros(fetch.started_ms),
            first_byte_us: fetch.first_byte_ms.map(micros),
            bytes_loaded: (flow.received / 8.0) as u64,
            bytes_total: Some((flow.bits / 8.0) as u64),
            abandoned: self.abandoned,
            replaces_ahead_s: fetch.replaces.then(|| self.ahead_s(fetch.segment)),
        };
        let bytes = self.bytes(fetch.segment);
        let moment = self.moment(now_ms, self.level_of(&self.video, link));
        let situation = moment.situation(&self.ladder, &bytes);
        let verdict = self.abr.check_in_flight(&in_flight, &situation).verdict;
        if verdict == Verdict::Continue {
            return;
        }
        self.abr.handle(micros(now_ms), Event::RequestCancelled { id: fetch.id });
        link.close(fetch.id);
        self.record(&fetch, now_ms, flow.received, true);
        self.session.abandoned += 1;
        self.video.fetch = None;
        self.asks_at_ms = now_ms;
        if let Verdict::AbandonTo { rung } = verdict {
            self.abandoned += 1;
            self.request_video(self.video.next, rung, now_ms, link);
        }
    }

    pub(super) fn fetch_video(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
        let segment = self.video.next;
        let waits = now_ms < self.asks_at_ms - MOMENT_MS || !self.is_there(segment, now_ms);
        if self.video.fetch.is_some() || waits {
            return;
        }
        let bytes = self.bytes(segment);
        let sizes: Vec<_> = self.replaceable().map(|queued| self.bytes(queued)).collect();
        let queued: Vec<Queued<'_>> = self
            .replaceable()
            .zip(&sizes)
            .map(|(queued, bytes)| Queued {
                rung: self.session.rungs[queued - self.first],
                ahead_s: self.ahead_s(queued),
                duration_s: self.duration_ms() / 1000.0,
                bytes,
            })
            .collect();
        let moment = self.moment(now_ms, self.level_of(&self.video, link));
        let situation = moment.situation(&self.ladder, &bytes);
        match self.abr.decide(&Situation { queued: &queued, ..situation }).action {
            Action::Fetch { rung } => self.request_video(segment, rung, now_ms, link),
            Action::Replace { queued: at, rung } => {
                if let Some(again) = self.replaceable().nth(at) {
                    self.request_video(again, rung, now_ms, link);
                }
            }
            Action::WaitUntil { at_us } => {
                self.asks_at_ms = (at_us as f64 / 1000.0).max(now_ms + 1.0);
            }
        }
    }

    /// Segments that wait in the buffer; one that is playing does not.
    fn replaceable(&self) -> Range<usize> {
        let from =
            libm::ceil((self.playhead_ms - MOMENT_MS) / self.duration_ms()).max(0.0) as usize;
        from.max(self.first).min(self.video.next)..self.video.next
    }

    /// Requests the next segment, or one that waits.
    fn request_video(
        &mut self,
        segment: usize,
        rung: usize,
        now_ms: f64,
        link: &mut SharedLink<'_>,
    ) {
        let bits = self.viewer.movie.size(segment % self.segments(), rung);
        let fetch = self.open(segment, rung, bits, now_ms, link);
        self.video.fetch = Some(Fetch { replaces: segment < self.video.next, ..fetch });
        self.checks_at_ms = now_ms + CHECK_MS;
        let started = Event::RequestStarted { id: fetch.id, kind: Kind::Video, rung: Some(rung) };
        self.abr.handle(micros(now_ms), started);
    }

    pub(super) fn fetch_audio(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
        let (Some(audio), Some(kbps)) = (&self.audio, self.viewer.audio_kbps) else { return };
        let segment = audio.next;
        let due = self.level_of(audio, link) + self.duration_ms() <= self.viewer.capacity_ms
            && segment as f64 <= self.video.next as f64 + AUDIO_AHEAD
            && self.is_there(segment, now_ms);
        if audio.fetch.is_some() || !due {
            return;
        }
        let fetch = self.open(segment, 0, kbps * self.duration_ms(), now_ms, link);
        if let Some(audio) = &mut self.audio {
            audio.fetch = Some(fetch);
        }
        let started = Event::RequestStarted { id: fetch.id, kind: Kind::Audio, rung: None };
        self.abr.handle(micros(now_ms), started);
    }

    fn open(
        &mut self,
        segment: usize,
        rung: usize,
        bits: f64,
        now_ms: f64,
        link: &mut SharedLink<'_>,
    ) -> Fetch {
        self.next_id += 1;
        let (chunks, made) = match self.viewer.live {
            None => (1, 1.0),
            Some(live) => (live.chunks, made(&live, segment, self.duration_ms(), now_ms)),
        };
        let buffer_ms = self.level_ms(link);
        link.open(self.next_id, bits, chunks, bits * made);
        Fetch {
            id: self.next_id,
            segment,
            rung,
            started_ms: now_ms,
            first_byte_ms: None,
            buffer_ms,
            replaces: false,
            limited: false,
            chunks: 0,
            chunk_since_ms: None,
        }
    }
}
