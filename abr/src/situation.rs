//! What the caller knows at the moment of a decision.

/// One representation of the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Rung {
    /// Bits per second of media time: `@bandwidth` (ISO/IEC 23009-1 5.3.5.2) or `AVERAGE-BANDWIDTH`,
    /// else `BANDWIDTH` (RFC 8216bis 4.4.6.2).
    pub bitrate_bps: f64,
    /// Perceptual quality on any scale (VMAF, SSIM in dB, `SCORE`), higher is better. Used only when
    /// every rung of the ladder carries one.
    pub quality: Option<f64>,
    /// Picture height in pixels.
    pub height: Option<u32>,
    /// Frames per second.
    pub frame_rate: Option<f64>,
}

impl Rung {
    /// A rung known by its bitrate alone.
    pub const fn new(bitrate_bps: f64) -> Self {
        Self { bitrate_bps, quality: None, height: None, frame_rate: None }
    }
}

/// What playback is doing while the decision is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Phase {
    /// Nothing has been shown yet since the load or the last seek.
    Starting,
    /// Media time advances.
    #[default]
    Playing,
    /// The viewer paused: the buffer does not drain.
    Paused,
    /// Playback stopped because the buffer ran dry.
    Stalled,
}

/// A segment that waits in the buffer, whole, before its playback began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queued<'a> {
    /// Index into the ladder.
    pub rung: usize,
    /// Seconds of media between the playhead and its start.
    pub ahead_s: f64,
    /// Seconds of media in it.
    pub duration_s: f64,
    /// Its size in bytes per rung, in the ladder's order; missing entries mean bitrate × duration.
    pub bytes: &'a [Option<u64>],
}

/// The moment of a decision. Any number may be absurd: it is checked before a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// Monotonic time, microseconds. The same clock as the one events are stamped with.
    pub now_us: u64,
    /// What playback is doing.
    pub phase: Phase,
    /// Seconds of contiguous media ahead of the playhead, of the media this ladder encodes.
    pub buffer_s: f64,
    /// The most the buffer may hold, seconds. A segment is requested only if it fits below it.
    pub buffer_goal_s: f64,
    /// Seconds of media in the segment to be chosen.
    pub segment_duration_s: f64,
    /// Playback rate while playing; 1 is real time.
    pub playback_rate: f64,
    /// The representations, in any order; ascending bitrate is usual. Answers are indices into it.
    pub ladder: &'a [Rung],
    /// Which rungs may be chosen, in the ladder's order; missing entries mean "allowed". When it
    /// allows none, the lowest rung is used.
    pub allowed: &'a [bool],
    /// Size of the segment to be chosen, in bytes, per rung in the ladder's order (`sidx`, byte
    /// ranges); missing entries mean bitrate × duration.
    pub next_bytes: &'a [Option<u64>],
    /// The rung of the segment before this one in playback order, if there is one.
    pub current: Option<usize>,
    /// Segments that may be fetched again in another rung, in playback order; the last one is the one
    /// before the segment to be chosen. Empty where the player cannot replace what it has.
    pub queued: &'a [Queued<'a>],
    /// Segments left to fetch, this one included; `None` when the end is unknown.
    pub segments_remaining: Option<u64>,
    /// Seconds between the live edge and the playhead, when live.
    pub live_latency_s: Option<f64>,
    /// The latency aimed for, seconds, when live.
    pub live_target_s: Option<f64>,
    /// Quality of the segment to be chosen, per rung in the ladder's order, on the scale of
    /// [`Rung::quality`]; missing entries mean the rung's own.
    pub next_quality: &'a [Option<f64>],
}

impl<'a> Situation<'a> {
    /// A moment with an empty buffer, a 30 s goal, 4 s segments, real-time playback and no constraint.
    pub const fn new(now_us: u64, ladder: &'a [Rung]) -> Self {
        Self {
            now_us,
            phase: Phase::Playing,
            buffer_s: 0.0,
            buffer_goal_s: 30.0,
            segment_duration_s: 4.0,
            playback_rate: 1.0,
            ladder,
            allowed: &[],
            next_bytes: &[],
            current: None,
            queued: &[],
            segments_remaining: None,
            live_latency_s: None,
            live_target_s: None,
            next_quality: &[],
        }
    }
}

/// The transfer of a segment that is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InFlight {
    /// Index into the ladder of the representation in flight.
    pub rung: usize,
    /// When it was requested, microseconds.
    pub started_us: u64,
    /// When its first body byte arrived, microseconds.
    pub first_byte_us: Option<u64>,
    /// Body bytes received.
    pub bytes_loaded: u64,
    /// Body bytes in all, if known (`Content-Length`, byte range); else bitrate × duration is assumed.
    pub bytes_total: Option<u64>,
    /// How many requests for this same segment were abandoned before.
    pub abandoned: u32,
    /// When it is to replace a queued segment: seconds of media between the playhead and that one.
    pub replaces_ahead_s: Option<f64>,
}
