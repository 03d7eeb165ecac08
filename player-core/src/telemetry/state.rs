//! Everything a support engineer wants to know of a player, at one instant.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::io::MediaKind;
use crate::io::{PlaybackStatus, Quality, RequestId, RequestKind};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// Everything a support engineer wants to know of a player, at one instant
/// ([`Player::state`](crate::Player::state)).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What playback is doing.
    pub status: PlaybackStatus,
    /// Where the playhead is.
    pub position: MediaTime,
    /// Length of the presentation, if known.
    pub duration: Option<MediaTime>,
    /// The speed the viewer asked for.
    pub rate: f64,
    /// What is known of live playback; absent when nothing live is loaded.
    pub live: Option<LiveState>,
    /// One for each kind of media that plays.
    pub streams: Vec<StreamState>,
    /// Expected throughput in bit/s; absent until something was measured or configured.
    pub throughput_bps: Option<f64>,
    /// Expected time from a request to its first byte, if measured.
    pub time_to_first_byte: Option<Duration>,
    /// Name of the rule that chooses qualities.
    pub rule: String,
    /// Requests in flight, oldest first.
    pub requests: Vec<RequestState>,
    /// Requests that wait to be made: again, for the network, or for their turn.
    pub requests_waiting: u32,
    /// The places content is loaded from, in the order they became known.
    pub origins: Vec<OriginState>,
    /// The origin that media was loaded from last: its pathway, or scheme and host.
    pub pathway: Option<String>,
    /// The steering server, if there is one.
    pub steering: Option<SteeringState>,
    /// The platform says that there is no network.
    pub offline: bool,
    /// The platform says that it has enough media for now: no segment is asked for.
    pub satisfied: bool,
    /// What the player waits for, soonest first.
    pub timers: Vec<TimerState>,
    /// What is fetched ahead, if something is.
    pub preloading: Option<String>,
    /// What plays next, in order.
    pub queue: Vec<String>,
    /// Totals since the load.
    pub totals: Totals,
}

/// Live playback.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveState {
    /// From when something happens, or is published where no clock tells, to when it is shown.
    pub latency: Option<MediaTime>,
    /// What is aimed for.
    pub target: Option<MediaTime>,
    /// The live edge: what can be played last.
    pub edge: MediaTime,
    /// Where the viewer may go.
    pub seekable: TimeRange,
    /// The latency is kept; otherwise the viewer is elsewhere on purpose.
    pub following: bool,
    /// The speed that keeps it.
    pub rate: f64,
    /// What the server's time is known from.
    pub clock: Option<ClockSource>,
    /// By how much that may be wrong.
    pub clock_uncertainty: Option<Duration>,
    /// The manifest has stopped to bring anything new.
    pub stalled: bool,
    /// The server is too far for the parts of Low-Latency HLS: whole segments are played.
    pub far: bool,
    /// Reloads of the manifest or of playlists since the load.
    pub reloads: u32,
}

/// What the server's time is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ClockSource {
    /// The device's own clock.
    Device,
    /// `Date` of responses.
    Date,
    /// `UTCTiming`.
    UtcTiming,
}

impl ClockSource {
    /// A short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Date => "date",
            Self::UtcTiming => "utc-timing",
        }
    }
}

/// One kind of media.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamState {
    /// Which.
    pub kind: MediaKind,
    /// What the platform's buffer holds.
    pub buffered: Vec<TimeRange>,
    /// Media ahead of the playhead without a hole.
    pub buffer_ahead: MediaTime,
    /// What the player fills the buffer to.
    pub buffer_goal: MediaTime,
    /// What the viewer sees or hears now.
    pub shown: Option<Quality>,
    /// What was chosen last.
    pub next: Option<Quality>,
    /// Why it was chosen.
    pub reason: Option<kinora_abr::Reasons>,
    /// What could not be chosen then, and why.
    pub masked: Vec<Masked>,
    /// Everything up to the end has been fetched.
    pub complete: bool,
}

/// A quality that may not be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masked {
    /// Its id, as [`Quality::id`] has it.
    pub id: String,
    /// What keeps it from being chosen.
    pub reason: MaskReason,
}

/// What keeps a quality from being chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MaskReason {
    /// Another one is pinned.
    Pinned,
    /// It could not deliver the next segment.
    Failed,
    /// Its key may not be used.
    Key,
    /// The platform does not decode it, or not fluently.
    Decoder,
    /// [`AbrConfig::max_bandwidth_bps`](crate::config::AbrConfig::max_bandwidth_bps).
    MaxBandwidth,
    /// [`AbrConfig::max_height`](crate::config::AbrConfig::max_height).
    MaxHeight,
    /// One with fewer lines fills the area that shows the picture.
    Viewport,
    /// The viewer wants to save data.
    DataSaver,
    /// The network is paid for by volume.
    Metered,
    /// The device dropped too many frames of it, or of a less demanding one, a while ago.
    DroppedFrames,
    /// The server suggests no more (CTA-5006, `mb`).
    Suggested,
}

impl MaskReason {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Failed => "failed",
            Self::Key => "key",
            Self::Decoder => "decoder",
            Self::MaxBandwidth => "max-bandwidth",
            Self::MaxHeight => "max-height",
            Self::Viewport => "viewport",
            Self::DataSaver => "data-saver",
            Self::Metered => "metered",
            Self::DroppedFrames => "dropped-frames",
            Self::Suggested => "suggested",
        }
    }
}

/// A request in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestState {
    /// Its id.
    pub id: RequestId,
    /// What it is for.
    pub kind: RequestKind,
    /// Of what.
    pub url: String,
    /// When it left.
    pub started: Timestamp,
    /// Bytes of the body so far.
    pub received: u64,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

/// A place content is loaded from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginState {
    /// Its pathway (`PATHWAY-ID`, `@serviceLocation`), or scheme and host.
    pub name: String,
    /// Whether it is asked.
    pub health: OriginHealth,
    /// Until when it is not.
    pub until: Option<Timestamp>,
    /// How many requests it failed.
    pub failures: u32,
}

/// Whether an origin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OriginHealth {
    /// It is.
    Healthy,
    /// It failed, and is not asked while there is another.
    Penalised,
    /// Its penalty is over; a request that has time to spare will try it.
    Probation,
}

impl OriginHealth {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Penalised => "penalised",
            Self::Probation => "probation",
        }
    }
}

/// A steering server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteeringState {
    /// Where it is asked next.
    pub url: String,
    /// The pathways it prefers, best first.
    pub priority: Vec<String>,
    /// When it is asked again; never if absent, unless it is being asked now.
    pub reload_at: Option<Timestamp>,
}

/// Something the player waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerState {
    /// What happens then.
    pub reason: TimerReason,
    /// When.
    pub at: Timestamp,
}

/// Why the player wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimerReason {
    /// A failed request is due again.
    Retry,
    /// A request may have stopped delivering.
    StallTimeout,
    /// Enough is buffered; by then it is not.
    BufferGoal,
    /// Old media behind the playhead is due to be dropped.
    BackBuffer,
    /// The rule wants to be asked again.
    Rule,
    /// The playhead may be stuck before a hole.
    Gap,
    /// No response has begun.
    FirstByteTimeout,
    /// The pace of a transfer is due to be looked at.
    SlowTransfer,
    /// There have been as many requests as a minute may have.
    RequestAllowance,
    /// A request waits for the network.
    Offline,
    /// The platform is about to say what it can decode.
    Decoders,
    /// The steering server is due to be asked, or has been waited for long enough.
    Steering,
    /// A licence is due to be renewed.
    License,
    /// A live playlist or MPD is due to be loaded again.
    ManifestReload,
    /// The next segment will be there.
    Availability,
    /// How far behind the live edge playback is wants to be looked at.
    Latency,
    /// The server's time is due to be asked for.
    ClockSync,
    /// A collector is due to be told how things stand.
    Report,
}

impl TimerReason {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::StallTimeout => "stall-timeout",
            Self::BufferGoal => "buffer-goal",
            Self::BackBuffer => "back-buffer",
            Self::Rule => "rule",
            Self::Gap => "gap",
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::SlowTransfer => "slow-transfer",
            Self::RequestAllowance => "request-allowance",
            Self::Offline => "offline",
            Self::Decoders => "decoders",
            Self::Steering => "steering",
            Self::License => "license",
            Self::ManifestReload => "manifest-reload",
            Self::Availability => "availability",
            Self::Latency => "latency",
            Self::ClockSync => "clock-sync",
            Self::Report => "report",
        }
    }
}

/// Totals since the load.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// From the load to the first frame that could play.
    pub startup: Option<Duration>,
    /// How often playback ran dry, seeks and the start not counted.
    pub stalls: u32,
    /// How long it was dry.
    pub stalled: Duration,
    /// Changes of the quality shown.
    pub quality_changes: u32,
    /// Bytes of bodies received, whatever for.
    pub bytes: u64,
    /// Requests made.
    pub requests: u32,
    /// Requests that failed and were repeated.
    pub retries: u32,
    /// Segments fetched again for a better picture while they waited.
    pub replaced: u32,
    /// Bytes of segments that were fetched and not shown: replaced, or given up on the way.
    pub discarded: u64,
    /// Frames dropped, as the element counts them.
    pub dropped_frames: u64,
}
