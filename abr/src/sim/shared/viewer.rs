//! One player of a [`watch`](super::watch).

use core::ops::Range;

use crate::sim::{Session, TransferRecord};
use crate::{Abr, Action, Event, InFlight, Kind, Phase, Queued, Rung, Situation, Verdict};

use super::link::{Flow, SharedLink};
use super::{Live, MOMENT_MS, Viewer, Viewing};

/// What is being made is this long when the simulation begins, milliseconds.
const LIVE_SINCE_MS: f64 = 60_000.0;
/// Audio is fetched no further ahead of the video than this, in segments.
const AUDIO_AHEAD: f64 = 1.0;
const CHECK_MS: f64 = 100.0;
const LATENCY_RECORD_MS: f64 = 1000.0;

pub(super) struct Client<'a> {
    viewer: &'a Viewer,
    abr: Abr,
    ladder: Vec<Rung>,
    phase: Phase,
    /// Position of playback in the media, milliseconds.
    playhead_ms: f64,
    rate: f64,
    video: Track,
    audio: Option<Track>,
    /// The first segment of the session.
    first: usize,
    /// How many requests for the next video segment were given up.
    abandoned: u32,
    /// The engine wants to be asked again then.
    asks_at_ms: f64,
    checks_at_ms: f64,
    records_at_ms: f64,
    joined: bool,
    next_id: u64,
    session: Session,
    latency: Vec<(f64, f64)>,
}

/// Video or audio.
#[derive(Default)]
struct Track {
    /// Number of the next segment to be requested.
    next: usize,
    fetch: Option<Fetch>,
}

#[derive(Clone, Copy)]
struct Fetch {
    id: u64,
    segment: usize,
    rung: usize,
    started_ms: f64,
    first_byte_ms: Option<f64>,
    buffer_ms: f64,
    /// It is to take the place of a queued segment.
    replaces: bool,
    /// It had to wait for its source.
    limited: bool,
    /// Chunks reported, and since when the one after them is being received.
    chunks: u32,
    chunk_since_ms: Option<f64>,
}

impl Fetch {
    /// The report of a chunk that has just been received.
    fn chunk(&mut self, now_ms: f64, flow: &Flow) -> Option<Event> {
        let complete = flow.chunks() > self.chunks;
        let started_us = self.chunk_since_ms.filter(|_| complete).map(micros);
        if complete {
            self.chunks = flow.chunks();
            self.chunk_since_ms = None;
        }
        if self.chunk_since_ms.is_none() && flow.has_begun() && !flow.awaits_source() {
            self.chunk_since_ms = Some(now_ms);
        }
        let bytes = (flow.chunk_bits() / 8.0) as u64;
        started_us.map(|started_us| Event::Chunk { id: self.id, bytes, started_us })
    }
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

    fn check_in_flight(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
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

    fn fetch_video(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
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

    fn fetch_audio(&mut self, now_ms: f64, link: &mut SharedLink<'_>) {
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

    /// Whether a segment can be requested: live, it has to exist, if only its first chunk.
    fn is_there(&self, segment: usize, now_ms: f64) -> bool {
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
    fn level_ms(&self, link: &SharedLink<'_>) -> f64 {
        let audio = self.audio.iter().map(|audio| self.level_of(audio, link));
        audio.fold(self.level_of(&self.video, link), f64::min)
    }

    /// Media of one track ahead of the playhead; segments in chunks count as far as they arrived.
    fn level_of(&self, track: &Track, link: &SharedLink<'_>) -> f64 {
        let flow =
            track.fetch.filter(|fetch| !fetch.replaces).and_then(|fetch| link.flow(fetch.id));
        let part =
            flow.map_or(0.0, |flow| f64::from(flow.chunks()) * flow.chunk_bits() / flow.bits);
        let end_ms = (track.next as f64 + part) * self.duration_ms();
        (end_ms - self.playhead_ms).max(0.0)
    }

    fn moment(&self, now_ms: f64, level_ms: f64) -> Moment {
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

    fn bytes(&self, segment: usize) -> Vec<Option<u64>> {
        let size = |rung| self.viewer.movie.size(segment % self.segments(), rung);
        (0..self.ladder.len()).map(|rung| Some((size(rung) / 8.0) as u64)).collect()
    }

    fn record(&mut self, fetch: &Fetch, now_ms: f64, bits: f64, abandoned: bool) {
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
    fn start_ms(&self, segment: usize) -> f64 {
        segment as f64 * self.duration_ms()
    }

    fn ahead_s(&self, segment: usize) -> f64 {
        (self.start_ms(segment) - self.playhead_ms).max(0.0) / 1000.0
    }

    fn segments(&self) -> usize {
        self.viewer.movie.segment_sizes_bits.len()
    }

    fn duration_ms(&self) -> f64 {
        self.viewer.movie.segment_duration_ms
    }

    fn total_ms(&self) -> f64 {
        self.duration_ms() * self.segments() as f64
    }
}

/// What the engine is told about a moment.
#[derive(Clone, Copy)]
struct Moment {
    now_us: u64,
    phase: Phase,
    buffer_s: f64,
    buffer_goal_s: f64,
    duration_s: f64,
    rate: f64,
    current: Option<usize>,
    remaining: Option<u64>,
    latency_s: Option<f64>,
    target_s: Option<f64>,
}

impl Moment {
    fn situation<'a>(&self, ladder: &'a [Rung], next_bytes: &'a [Option<u64>]) -> Situation<'a> {
        Situation {
            phase: self.phase,
            buffer_s: self.buffer_s,
            buffer_goal_s: self.buffer_goal_s,
            segment_duration_s: self.duration_s,
            playback_rate: self.rate,
            next_bytes,
            current: self.current,
            segments_remaining: self.remaining,
            live_latency_s: self.latency_s,
            live_target_s: self.target_s,
            ..Situation::new(self.now_us, ladder)
        }
    }
}

/// The end of what has been made.
fn edge_ms(now_ms: f64) -> f64 {
    LIVE_SINCE_MS + now_ms
}

/// The part of a segment that has been made, in whole chunks, 0 to 1.
fn made(live: &Live, segment: usize, duration_ms: f64, now_ms: f64) -> f64 {
    let chunks = f64::from(live.chunks.max(1));
    let segments = (edge_ms(now_ms) - segment as f64 * duration_ms) / duration_ms;
    libm::floor(segments.clamp(0.0, 1.0) * chunks + 1e-9) / chunks
}

fn micros(ms: f64) -> u64 {
    libm::round(ms * 1000.0) as u64
}
