//! One player of a [`watch`](super::watch).

use crate::sim::{Session, TransferRecord};
use crate::{Abr, Event, Phase, Rung};

use super::fetch::{Fetch, Track, micros};
use super::link::{Flow, SharedLink};
use super::moment::Moment;
use super::{Live, MOMENT_MS, Viewer, Viewing};

/// What is being made is this long when the simulation begins, milliseconds.
const LIVE_SINCE_MS: f64 = 60_000.0;
const LATENCY_RECORD_MS: f64 = 1000.0;

pub(super) struct Client<'a> {
    pub(super) viewer: &'a Viewer,
    pub(super) abr: Abr,
    pub(super) ladder: Vec<Rung>,
    phase: Phase,
    /// Position of playback in the media, milliseconds.
    pub(super) playhead_ms: f64,
    rate: f64,
    pub(super) video: Track,
    pub(super) audio: Option<Track>,
    /// The first segment of the session.
    pub(super) first: usize,
    /// How many requests for the next video segment were given up.
    pub(super) abandoned: u32,
    /// The engine wants to be asked again then.
    pub(super) asks_at_ms: f64,
    pub(super) checks_at_ms: f64,
    records_at_ms: f64,
    joined: bool,
    pub(super) next_id: u64,
    pub(super) session: Session,
    latency: Vec<(f64, f64)>,
}

impl<'a> Client<'a> {
    pub(super) fn new(viewer: &'a Viewer, number: u64) -> Self {
        let bitrates = viewer.movie.bitrates_kbps.iter();
        Self {
            viewer,
            abr: Abr::new(viewer.config),
            ladder: bitrates.map(|b| Rung::new(b * 1000.0)).collect(),
            phase: Phase::Starting,
            playhead_ms: 0.0,
            rate: 1.0,
            video: Track::default(),
            audio: viewer.audio_kbps.map(|_| Track::default()),
            first: 0,
            abandoned: 0,
            asks_at_ms: 0.0,
            checks_at_ms: 0.0,
            records_at_ms: 0.0,
            joined: false,
            next_id: number << 32,
            session: Session::default(),
            latency: Vec::new(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.viewer.live.is_none() && self.playhead_ms >= self.total_ms() - MOMENT_MS
    }

    pub(super) fn into_viewing(self) -> Viewing {
        Viewing { estimate: self.abr.estimate(), session: self.session, latency: self.latency }
    }

    /// Does all that is to be done at this moment.
    pub(super) fn act(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
        if now_ms < self.viewer.joins_ms || self.is_done() {
            return;
        }
        if !self.joined {
            self.join(now_ms);
        }
        self.take_in(now_ms, link);
        self.set_phase(now_ms, link);
        self.check_in_flight(now_ms, link);
        self.fetch_video(now_ms, link);
        self.fetch_audio(now_ms, link);
    }

    /// How long nothing happens on this side, milliseconds.
    pub(super) fn until_event(&self, now_ms: f64) -> f64 {
        let later = |at_ms: f64| {
            let ms = at_ms - now_ms;
            if ms > MOMENT_MS { ms } else { f64::INFINITY }
        };
        let joins_ms = later(self.viewer.joins_ms);
        joins_ms.min(later(self.asks_at_ms)).min(self.until_segment(now_ms))
    }

    /// Lets time pass: plays what is there, and stands still for the rest.
    pub(super) fn advance(&mut self, ms: f64, link: &SharedLink<'_>) {
        match self.phase {
            Phase::Playing => {
                let playable_ms = (self.level_ms(link) / self.rate).max(0.0);
                self.playhead_ms += self.rate * ms.min(playable_ms);
                if ms > playable_ms + MOMENT_MS && !self.is_done() {
                    self.session.stalls += 1;
                    self.session.stalled_ms += ms - playable_ms;
                    self.phase = Phase::Stalled;
                }
            }
            Phase::Stalled => self.session.stalled_ms += ms,
            Phase::Starting if self.joined => self.session.startup_ms += ms,
            Phase::Starting | Phase::Paused => {}
        }
    }

    fn join(&mut self, now_ms: f64) {
        self.joined = true;
        if let Some(live) = self.viewer.live {
            self.playhead_ms = (edge_ms(now_ms) - live.target_ms).max(0.0);
            let first = (self.playhead_ms / self.duration_ms()) as usize;
            self.video.next = first;
            self.first = first;
            if let Some(audio) = &mut self.audio {
                audio.next = first;
            }
        }
        let moment = self.moment(now_ms, 0.0);
        let situation = moment.situation(&self.ladder, &[]);
        while !self.abr.prepare(&situation) {}
    }

    /// Reports what has arrived.
    fn take_in(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
        let audio = self.audio.as_mut().and_then(|audio| audio.fetch.as_mut());
        for fetch in self.video.fetch.iter_mut().chain(audio) {
            if let Some(live) = self.viewer.live {
                let size = link.flow(fetch.id).map_or(0.0, |flow| flow.bits);
                let made =
                    made(&live, fetch.segment, self.viewer.movie.segment_duration_ms, now_ms);
                link.make_available(fetch.id, size * made);
            }
            let Some(flow) = link.flow(fetch.id) else { continue };
            fetch.limited |= flow.awaits_source();
            if fetch.first_byte_ms.is_none() && flow.has_begun() {
                fetch.first_byte_ms = Some(now_ms);
                self.abr.handle(micros(now_ms), Event::FirstByte { id: fetch.id });
            }
            if fetch.first_byte_ms.is_some() && !flow.is_complete() {
                let bytes = (flow.received / 8.0) as u64;
                self.abr.handle(micros(now_ms), Event::Progress { id: fetch.id, bytes });
            }
            if self.viewer.live.is_some_and(|live| live.chunks > 1)
                && let Some(chunk) = fetch.chunk(now_ms, flow)
            {
                self.abr.handle(micros(now_ms), chunk);
            }
        }
        if let Some(audio) = &mut self.audio
            && let Some(fetch) = audio.fetch
            && let Some(flow) = link.flow(fetch.id).copied().filter(Flow::is_complete)
        {
            audio.next += 1;
            audio.fetch = None;
            self.end(now_ms, &fetch, &flow, link);
        }
        if let Some(fetch) = self.video.fetch
            && let Some(flow) = link.flow(fetch.id).copied().filter(Flow::is_complete)
        {
            self.video.fetch = None;
            self.asks_at_ms = now_ms;
            if !fetch.replaces {
                self.video.next += 1;
                self.abandoned = 0;
                self.session.rungs.push(fetch.rung);
            } else if self.start_ms(fetch.segment) >= self.playhead_ms
                && let Some(rung) = self.session.rungs.get_mut(fetch.segment - self.first)
            {
                *rung = fetch.rung;
            }
            self.record(&fetch, now_ms, flow.received, false);
            self.end(now_ms, &fetch, &flow, link);
        }
    }

    fn end(&mut self, now_ms: f64, fetch: &Fetch, flow: &Flow, link: &mut SharedLink<'_>) {
        link.close(fetch.id);
        let ended = Event::RequestEnded {
            id: fetch.id,
            bytes: (flow.bits / 8.0) as u64,
            from_cache: false,
            application_limited: fetch.limited,
        };
        self.abr.handle(micros(now_ms), ended);
    }

    fn set_phase(&mut self, now_ms: f64, link: &SharedLink<'_>) {
        let level_ms = self.level_ms(link);
        if matches!(self.phase, Phase::Starting | Phase::Stalled) && level_ms > MOMENT_MS {
            self.phase = Phase::Playing;
        }
        let Some(live) = self.viewer.live.filter(|_| self.phase == Phase::Playing) else { return };
        let latency_ms = edge_ms(now_ms) - self.playhead_ms;
        self.rate =
            live.catch_up.rate(latency_ms / 1000.0, live.target_ms / 1000.0, level_ms / 1000.0);
        if now_ms >= self.records_at_ms {
            self.latency.push((now_ms, latency_ms));
            self.records_at_ms = now_ms + LATENCY_RECORD_MS;
        }
    }

    /// Whether a segment can be requested: live, it has to exist, if only its first chunk.
    pub(super) fn is_there(&self, segment: usize, now_ms: f64) -> bool {
        match self.viewer.live {
            None => segment < self.segments(),
            Some(live) => made(&live, segment, self.duration_ms(), now_ms) > 0.0,
        }
    }

    /// Until the next segment is there, or a chunk of one in flight.
    fn until_segment(&self, now_ms: f64) -> f64 {
        let Some(live) = self.viewer.live else { return f64::INFINITY };
        let chunk_ms = self.duration_ms() / f64::from(live.chunks.max(1));
        let left_ms = chunk_ms - edge_ms(now_ms) % chunk_ms;
        if left_ms > MOMENT_MS { left_ms } else { chunk_ms }
    }

    /// Media that can be played, milliseconds.
    pub(super) fn level_ms(&self, link: &SharedLink<'_>) -> f64 {
        let audio = self.audio.iter().map(|audio| self.level_of(audio, link));
        audio.fold(self.level_of(&self.video, link), f64::min)
    }

    /// Media of one track ahead of the playhead; segments in chunks count as far as they arrived.
    pub(super) fn level_of(&self, track: &Track, link: &SharedLink<'_>) -> f64 {
        let flow =
            track.fetch.filter(|fetch| !fetch.replaces).and_then(|fetch| link.flow(fetch.id));
        let part =
            flow.map_or(0.0, |flow| f64::from(flow.chunks()) * flow.chunk_bits() / flow.bits);
        let end_ms = (track.next as f64 + part) * self.duration_ms();
        (end_ms - self.playhead_ms).max(0.0)
    }

    pub(super) fn moment(&self, now_ms: f64, level_ms: f64) -> Moment {
        let left = || (self.segments() - self.video.next.min(self.segments())) as u64;
        let latency_ms = || edge_ms(now_ms) - self.playhead_ms;
        Moment {
            now_us: micros(now_ms),
            phase: self.phase,
            buffer_s: level_ms / 1000.0,
            buffer_goal_s: self.viewer.capacity_ms / 1000.0,
            duration_s: self.duration_ms() / 1000.0,
            rate: self.rate,
            current: self.session.rungs.last().copied(),
            remaining: self.viewer.live.is_none().then(left),
            latency_s: self.viewer.live.map(|_| latency_ms() / 1000.0),
            target_s: self.viewer.live.map(|live| live.target_ms / 1000.0),
        }
    }

    pub(super) fn bytes(&self, segment: usize) -> Vec<Option<u64>> {
        let size = |rung| self.viewer.movie.size(segment % self.segments(), rung);
        (0..self.ladder.len()).map(|rung| Some((size(rung) / 8.0) as u64)).collect()
    }

    pub(super) fn record(&mut self, fetch: &Fetch, now_ms: f64, bits: f64, abandoned: bool) {
        self.session.transfers.push(TransferRecord {
            segment: fetch.segment,
            rung: fetch.rung,
            start_ms: fetch.started_ms,
            elapsed_ms: now_ms - fetch.started_ms,
            bits,
            buffer_ms: fetch.buffer_ms,
            abandoned,
        });
    }

    /// Where a segment begins in the media, milliseconds.
    pub(super) fn start_ms(&self, segment: usize) -> f64 {
        segment as f64 * self.duration_ms()
    }

    pub(super) fn ahead_s(&self, segment: usize) -> f64 {
        (self.start_ms(segment) - self.playhead_ms).max(0.0) / 1000.0
    }

    pub(super) fn segments(&self) -> usize {
        self.viewer.movie.segment_sizes_bits.len()
    }

    pub(super) fn duration_ms(&self) -> f64 {
        self.viewer.movie.segment_duration_ms
    }

    fn total_ms(&self) -> f64 {
        self.duration_ms() * self.segments() as f64
    }
}

/// The end of what has been made.
fn edge_ms(now_ms: f64) -> f64 {
    LIVE_SINCE_MS + now_ms
}

/// The part of a segment that has been made, in whole chunks, 0 to 1.
pub(super) fn made(live: &Live, segment: usize, duration_ms: f64, now_ms: f64) -> f64 {
    let chunks = f64::from(live.chunks.max(1));
    let segments = (edge_ms(now_ms) - segment as f64 * duration_ms) / duration_ms;
    libm::floor(segments.clamp(0.0, 1.0) * chunks + 1e-9) / chunks
}
