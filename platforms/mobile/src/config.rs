//! How a player behaves.

use std::time::Duration;

use kinora_core::config::{
    AbrConfig, BufferConfig, CmcdConfig, CmcdMode, CmcdTarget, Config, DrmConfig, KeySystemConfig,
    LiveConfig, RetryBudget, RetryConfig,
};

use crate::SdkError;
use crate::output::HeaderField;

/// The configuration that suits video on demand; copy it with the fields that should differ.
#[uniffi::export]
pub fn default_config() -> Result<Config, SdkError> {
    Ok(Config::default())
}

/// How a player behaves.
#[uniffi::remote(Record)]
pub struct Config {
    /// How much media to have ahead of the playhead.
    pub buffer: BufferConfig,
    /// How qualities are chosen.
    pub abr: AbrConfig,
    /// How failed requests are repeated.
    pub retry: RetryConfig,
    /// What CDNs are told with each request.
    pub cmcd: CmcdConfig,
    /// How encrypted content gets its keys.
    pub drm: DrmConfig,
    /// How live presentations are followed.
    pub live: LiveConfig,
    /// Seed of everything that looks random, such as the jitter of retries.
    pub seed: u64,
    /// Record every input, so that the session can be replayed.
    pub record: bool,
}

/// How much media to have ahead of and behind the playhead.
#[uniffi::remote(Record)]
pub struct BufferConfig {
    /// Stop fetching with so much ahead.
    pub forward: Duration,
    /// Drop what is further behind than this.
    pub back: Duration,
    /// Stop fetching a kind of media with so many bytes of it ahead, however little time they last; at
    /// least two segments.
    pub forward_bytes: u64,
    /// Drop what is behind so many bytes of a kind of media, counted back from the playhead.
    pub back_bytes: u64,
}

/// How qualities are chosen.
#[uniffi::remote(Record)]
pub struct AbrConfig {
    /// Name of the rule; the default rule if absent.
    pub rule: Option<String>,
    /// Throughput to reckon with before anything was measured, in bit/s, such as the last session's.
    pub initial_throughput_bps: Option<f64>,
    /// Never choose a picture taller than this many pixels (unless all are).
    pub max_height: Option<u32>,
    /// Never choose a peak bit rate above this many bit/s (unless all are).
    pub max_bandwidth_bps: Option<u64>,
    /// Choose no picture with more lines than the area that shows it needs.
    pub limit_to_viewport: bool,
    /// The viewer wants to save data: at most 480 lines, or 1 Mbit/s where heights are unknown.
    pub data_saver: bool,
    /// Fetch again, in a better quality, what waits in the buffer, where that pays. Costs up to three
    /// tenths more data on networks that become faster.
    pub replace: bool,
}

/// What CDNs are told with each request, and collectors of what happens: Common Media Client Data (CTA-5004).
#[uniffi::remote(Record)]
pub struct CmcdConfig {
    /// Whether CDNs are told, and how.
    pub mode: CmcdMode,
    /// What CDNs are told: 1 (CTA-5004) or 2 (CTA-5004-A, -B). Collectors are always told of version 2.
    pub version: u8,
    /// Names the playback session (`sid`), best as a UUID; the player draws none by itself.
    pub session_id: Option<String>,
    /// Names the content (`cid`), the same in every session.
    pub content_id: Option<String>,
    /// A signature of the content (`cs`).
    pub content_signature: Option<String>,
    /// Tell CDNs these keys alone; all that are known if empty, but for `tpb`, which has to be named.
    pub keys: Vec<String>,
    /// Keys of the app's own with their values (`com.example-key`): lower-case letters, digits, `_`, `.`, `*` and at least one
    /// `-`, beginning with a letter.
    pub custom: Vec<HeaderField>,
    /// Say that so many times an object's bit rate is fast enough to deliver it (`rtp`), which lets a
    /// CDN be slower; nothing is said if absent.
    pub throughput_factor: Option<u32>,
    /// Who is told of what happens (event mode).
    pub targets: Vec<CmcdTarget>,
}

/// A collector that is told of what happens (CTA-5004-B, event mode), by POST of `application/cmcd`.
#[uniffi::remote(Record)]
pub struct CmcdTarget {
    /// Where to send reports: an absolute URL.
    pub url: String,
    /// The events to report, of `ps` (playback state), `e` (error), `t` (time interval), `rr` (response received), `bc` (bit
    /// rate), `pr` (playback rate), `b` (background), `c` (content ID), `h` (hostname); the first three if empty.
    pub events: Vec<String>,
    /// Tell these keys alone, besides those an event must have; all that are known if empty, but for `tpb`.
    pub keys: Vec<String>,
    /// Pause between reports of the event `t`; none are made if it is zero.
    pub interval: Duration,
    /// Send so many reports at a time.
    pub batch: u32,
    /// The field `Authorization` of its requests. A session log does not have it.
    pub authorization: Option<String>,
}

/// How Common Media Client Data is sent.
#[uniffi::remote(Enum)]
pub enum CmcdMode {
    /// Not at all.
    Off,
    /// As the argument `CMCD` of each URL's query.
    Query,
    /// As header fields.
    Headers,
}

/// How failed requests are repeated, and how many there may be.
#[uniffi::remote(Record)]
pub struct RetryConfig {
    /// Pause before the second attempt at a place; it doubles each time, with jitter. Where another
    /// place has the same, that is asked without a pause.
    pub base_delay: Duration,
    /// No pause is longer than this, unless a server asks for it (`Retry-After`).
    pub max_delay: Duration,
    /// A place that failed is not asked for so long while there is another; twice as long the next
    /// time.
    pub penalty: Duration,
    /// No more requests than this in any minute, whatever happens.
    pub requests_per_minute: u32,
    /// Manifests: multivariant playlists and MPDs.
    pub manifest: RetryBudget,
    /// Media playlists.
    pub playlist: RetryBudget,
    /// Initialisation segments and segment indexes.
    pub init: RetryBudget,
    /// Media segments.
    pub segment: RetryBudget,
    /// Steering manifests.
    pub steering: RetryBudget,
    /// Licences.
    pub license: RetryBudget,
    /// Reports to collectors: as many attempts as there is time for.
    pub report: RetryBudget,
}

/// How encrypted content gets its keys.
#[uniffi::remote(Record)]
pub struct DrmConfig {
    /// The key systems to use, the preferred one first; if empty, those for which the manifest has a
    /// licence URL.
    pub key_systems: Vec<KeySystemConfig>,
}

/// A key system, and how its licences are had.
#[uniffi::remote(Record)]
pub struct KeySystemConfig {
    /// Its name, such as `com.widevine.alpha`.
    pub key_system: String,
    /// Where licences are, in place of where the manifest says.
    pub license_url: Option<String>,
    /// Header fields of licence requests, such as `Authorization`. A session log has none of them.
    pub headers: Vec<HeaderField>,
    /// How well pictures must be protected, in the key system's words.
    pub video_robustness: Option<String>,
    /// How well sound must be protected.
    pub audio_robustness: Option<String>,
    /// The licence server's certificate.
    pub certificate: Option<Vec<u8>>,
    /// Keep licences on the device, where the platform can.
    pub persistent: bool,
    /// Ask for a licence again so long after it came, where the key system does not do so by itself.
    pub renew_after: Option<Duration>,
}

/// How much is spent on one resource before it is given up.
#[uniffi::remote(Record)]
pub struct RetryBudget {
    /// Attempts, the first included; one more for each further place that has it. Once playback has
    /// begun, as many as there is time for are made.
    pub attempts: u32,
    /// No attempt begins later than so long after the first, or after the buffer has run dry. A
    /// transfer that is unlikely to end by then is given up, if it is slower than the network or has crawled for as long as
    /// `stall_timeout` while playback stood, twice as long with each attempt.
    pub time: Duration,
    /// Give an attempt up when no response has begun for so long; a third where another place has it.
    pub first_byte_timeout: Duration,
    /// Give an attempt up when nothing more has arrived for so long; a third where another place has
    /// it.
    pub stall_timeout: Duration,
}

/// How live presentations are followed.
#[uniffi::remote(Record)]
pub struct LiveConfig {
    /// How far behind what happens to play; what the service asks for if absent.
    pub target_latency: Option<Duration>,
    /// Play a little faster or slower to keep the latency, as long as the viewer's speed is 1.
    pub catch_up: bool,
    /// The most the rate may differ from 1 for that, 0 to 0.5; what the service allows, or else 0.05,
    /// if absent.
    pub max_rate_change: Option<f64>,
    /// Jump to the target when playback is this much later than it; absent: chosen by the segments'
    /// length.
    pub jump_after: Option<Duration>,
}
