//! Everything the screen shows, as plain data: filled from events and snapshots, drawn by
//! [`crate::screen`].

use std::collections::VecDeque;
use std::time::Duration;

use kinora_native::core::io::{Decision, Event, MediaKind, PlaybackStatus, Quality, Warning};
use kinora_native::core::time::Timestamp;
use kinora_native::{MediaTime, Snapshot};

use crate::subtitles::Subtitles;
use crate::title::Title;

/// Samples of the history: two minutes at two a second.
pub(crate) const HISTORY: usize = 240;

/// Time between samples of the history.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);

/// Lines of the log that are kept.
const LOG_LINES: usize = 500;

/// Everything the screen shows.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) title: Title,
    pub(crate) status: PlaybackStatus,
    /// What ended playback.
    pub(crate) error: Option<String>,
    pub(crate) paused: bool,
    pub(crate) live: bool,
    pub(crate) position: MediaTime,
    pub(crate) duration: Option<MediaTime>,
    pub(crate) streams: Vec<StreamView>,
    /// The qualities of the picture, lowest bit rate first; of the sound if there is no picture.
    pub(crate) qualities: Vec<Quality>,
    /// The kind that `qualities` are of.
    pub(crate) pinnable: MediaKind,
    /// Number of the quality that the viewer pinned.
    pub(crate) pinned: Option<usize>,
    pub(crate) subtitles: Subtitles,
    /// Expected throughput over time, oldest first, in bit/s.
    pub(crate) throughput: VecDeque<f64>,
    /// Bit rate shown over time, oldest first, in bit/s.
    pub(crate) bitrate: VecDeque<f64>,
    pub(crate) stalls: u32,
    pub(crate) switches: u32,
    pub(crate) bytes: u64,
    pub(crate) log: VecDeque<LogLine>,
    /// Lines that the log is scrolled back by.
    pub(crate) scroll: usize,
    sampled: Option<Timestamp>,
}

/// One kind of media.
#[derive(Clone, Debug)]
pub(crate) struct StreamView {
    pub(crate) kind: MediaKind,
    pub(crate) ahead: MediaTime,
    pub(crate) goal: MediaTime,
    pub(crate) shown: Option<Quality>,
    pub(crate) next: Option<Quality>,
    /// Why the next quality was chosen, in words.
    pub(crate) why: Option<String>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LogLine {
    /// Since the load.
    pub(crate) at: Duration,
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// How a line of the log is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Decision,
    Good,
    Warning,
    Error,
}

impl View {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            title: Title::from_url(url),
            status: PlaybackStatus::Loading,
            error: None,
            paused: false,
            live: false,
            position: MediaTime::ZERO,
            duration: None,
            streams: Vec::new(),
            qualities: Vec::new(),
            pinnable: MediaKind::Video,
            pinned: None,
            subtitles: Subtitles::default(),
            throughput: VecDeque::new(),
            bitrate: VecDeque::new(),
            stalls: 0,
            switches: 0,
            bytes: 0,
            log: VecDeque::new(),
            scroll: 0,
            sampled: None,
        }
    }

    /// Takes over what a snapshot says.
    pub(crate) fn update(&mut self, snapshot: &Snapshot) {
        let state = &snapshot.state;
        self.status = state.status;
        self.paused = snapshot.element.paused;
        self.position = snapshot.element.position;
        self.duration = state.duration;
        self.stalls = state.totals.stalls;
        self.switches = state.totals.quality_changes;
        self.bytes = state.totals.bytes;
        self.streams = state
            .streams
            .iter()
            .map(|stream| StreamView {
                kind: stream.kind,
                ahead: stream.buffer_ahead,
                goal: stream.buffer_goal,
                shown: stream.shown.clone(),
                next: stream.next.clone(),
                why: stream.reason.as_ref().map(|reasons| reasons.cause.to_string()),
            })
            .collect();
        let due = self.sampled.is_none_or(|sampled| snapshot.now.since(sampled) >= SAMPLE_INTERVAL);
        if due {
            self.sampled = Some(snapshot.now);
            let shown = self.streams.iter().filter_map(|stream| stream.shown.as_ref());
            let bitrate = shown.map(|quality| quality.bandwidth as f64).sum();
            push(&mut self.bitrate, bitrate, HISTORY);
            push(&mut self.throughput, state.throughput_bps.unwrap_or(0.0), HISTORY);
        }
    }

    /// Takes note of an event.
    pub(crate) fn note(&mut self, at: Duration, event: &Event) {
        self.subtitles.note(event);
        let (tone, text) = match event {
            Event::Loaded { duration, live, tracks } => {
                self.live = *live;
                self.duration = *duration;
                let track = [MediaKind::Video, MediaKind::Audio].into_iter().find_map(|kind| {
                    tracks.iter().find(|track| track.kind == kind && track.selected)
                });
                if let Some(track) = track {
                    self.pinnable = track.kind;
                    self.qualities = track.qualities.clone();
                }
                let length = duration.map_or("live".to_owned(), clock);
                (Tone::Plain, format!("loaded: {length}, {} qualities", self.qualities.len()))
            }
            Event::Ready => (Tone::Good, "the first frame can play".to_owned()),
            Event::Playing => (Tone::Plain, "playing".to_owned()),
            Event::Buffering { seeking: true } => {
                (Tone::Plain, "buffering after a seek".to_owned())
            }
            Event::Buffering { seeking: false } => {
                (Tone::Warning, "buffering: playback ran dry".to_owned())
            }
            Event::QualityChanged { kind, to, reason, .. } => {
                (Tone::Good, format!("{} now {}: {reason}", kind.name(), quality_text(to)))
            }
            Event::Decision(decision) => (Tone::Decision, decision_text(decision)),
            Event::OriginFailed { origin, error, penalty } => {
                let seconds = penalty.as_secs();
                (Tone::Warning, format!("{origin} is left alone for {seconds} s: {error}"))
            }
            Event::OriginRecovered { origin } => (Tone::Good, format!("{origin} delivers again")),
            Event::PathwayChanged { to, .. } => (Tone::Plain, format!("loading from {to}")),
            Event::Ended => (Tone::Good, "the end".to_owned()),
            Event::Warning(warning) => (Tone::Warning, warning_text(warning)),
            Event::Error(error) => {
                self.error = Some(error.to_string());
                (Tone::Error, error.to_string())
            }
            _ => return,
        };
        self.log_line(LogLine { at, tone, text });
    }

    /// Adds a line to the log. A reader who has scrolled back keeps the lines they look at.
    pub(crate) fn log_line(&mut self, line: LogLine) {
        push(&mut self.log, line, LOG_LINES);
        if self.scroll > 0 {
            self.scroll_by(1);
        }
    }

    /// Scrolls the log: back in time if positive.
    pub(crate) fn scroll_by(&mut self, lines: isize) {
        let furthest = self.log.len().saturating_sub(1);
        self.scroll = self.scroll.saturating_add_signed(lines).min(furthest);
    }
}

fn push<T>(queue: &mut VecDeque<T>, value: T, most: usize) {
    if queue.len() >= most {
        queue.pop_front();
    }
    queue.push_back(value);
}

fn decision_text(decision: &Decision) -> String {
    format!(
        "{} {}: {} with {:.1} s ahead, because {}",
        decision.kind.name(),
        clock(decision.segment_start),
        quality_text(&decision.quality),
        decision.buffer.seconds(),
        decision.reasons.cause
    )
}

fn warning_text(warning: &Warning) -> String {
    match warning {
        Warning::Manifest { url, line, message, .. } => format!("{url}, {line}: {message}"),
        Warning::Retry { error, attempts, .. } => format!("attempt {attempts} failed: {error}"),
        Warning::Abandoned { kind, segment_start } => {
            format!(
                "{} {} given up: it would have come too late",
                kind.name(),
                clock(*segment_start)
            )
        }
        Warning::Text { error } => format!("some of the subtitles are missing: {error}"),
        Warning::GapJumped { from, to } => format!("jumped a hole from {from} s to {to} s"),
        Warning::FellBehindWindow { to, .. } => {
            format!("fell out of what the broadcast keeps; went on from {to} s")
        }
        Warning::JumpedToLive { from, to } => {
            format!("was too far behind the broadcast; jumped from {from} s to {to} s")
        }
        Warning::ManifestStalled { silence_ms, .. } => {
            format!("the manifest has not changed for {} s", silence_ms / 1_000)
        }
        Warning::ManifestResumed { .. } => "the manifest changes again".to_owned(),
        Warning::PartsTooFar { first_byte_ms, part_ms } => format!(
            "the server answers after {first_byte_ms} ms, parts of {part_ms} ms come too slowly; playing whole segments"
        ),
        Warning::PartsResumed => "the server is near enough to play parts again".to_owned(),
        Warning::Rebuilt { reason, .. } => format!("the media source was made anew: {reason}"),
        Warning::BufferFull { kind } => format!("the {} buffer is full", kind.name()),
        Warning::Steering { url, fault } => format!("steering by {url}: {}", fault.name()),
        _ => "something went wrong and playback went on".to_owned(),
    }
}

/// A quality on one line.
pub(crate) fn quality_text(quality: &Quality) -> String {
    let rate = bit_rate(quality.bandwidth as f64);
    match quality.height {
        Some(height) => format!("{height}p {rate}"),
        None => rate,
    }
}

/// A bit rate for people.
pub(crate) fn bit_rate(bits_per_second: f64) -> String {
    if bits_per_second >= 10e6 {
        format!("{:.0} Mbit/s", bits_per_second / 1e6)
    } else if bits_per_second >= 1e6 {
        format!("{:.1} Mbit/s", bits_per_second / 1e6)
    } else {
        format!("{:.0} kbit/s", bits_per_second / 1e3)
    }
}

/// A time as a clock shows it.
pub(crate) fn clock(time: MediaTime) -> String {
    let seconds = time.seconds().max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
