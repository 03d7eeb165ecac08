//! How a player behaves.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::io::RequestKind;

/// How a player behaves. Every field has a default that suits video on demand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Record every input, so that the session can be replayed
    /// ([`Player::session_log`](crate::Player::session_log)).
    pub record: bool,
}

/// How much media to have ahead of and behind the playhead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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

impl Default for BufferConfig {
    fn default() -> Self {
        Self {
            forward: Duration::from_secs(30),
            back: Duration::from_secs(30),
            forward_bytes: 100 << 20,
            back_bytes: 50 << 20,
        }
    }
}

/// How qualities are chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AbrConfig {
    /// Name of the rule, as `kinora-abr` knows it; its default rule if absent.
    pub rule: Option<String>,
    /// Throughput to reckon with before anything was measured, in bit/s, such as the last session's.
    pub initial_throughput_bps: Option<f64>,
    /// Never choose a picture taller than this many pixels (unless all are).
    pub max_height: Option<u32>,
    /// Never choose a peak bit rate above this many bit/s (unless all are).
    pub max_bandwidth_bps: Option<u64>,
    /// Choose no picture with more lines than the area that shows it needs
    /// ([`Environment::viewport`](crate::io::Environment::viewport)).
    pub limit_to_viewport: bool,
    /// The viewer wants to save data: at most 480 lines, or 1 Mbit/s where heights are unknown.
    pub data_saver: bool,
    /// Fetch again, in a better quality, what waits in the buffer, where that pays. Costs up to three
    /// tenths more data on networks that become faster.
    pub replace: bool,
}

impl Default for AbrConfig {
    fn default() -> Self {
        Self {
            rule: None,
            initial_throughput_bps: None,
            max_height: None,
            max_bandwidth_bps: None,
            limit_to_viewport: false,
            data_saver: false,
            replace: true,
        }
    }
}

/// What CDNs are told with each request, and collectors of what happens: Common Media Client Data (CTA-5004).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CmcdConfig {
    /// Whether CDNs are told, and how.
    pub mode: CmcdMode,
    /// What CDNs are told: 1 (CTA-5004) or 2 (CTA-5004-A, -B). Collectors are always told of version 2.
    pub version: u8,
    /// Names the playback session (`sid`), best as a UUID; the player draws none by itself.
    pub session_id: Option<String>,
    /// Names the content (`cid`), the same in every session.
    pub content_id: Option<String>,
    /// A signature of the content (`cs`), such as that of its C2PA manifest.
    pub content_signature: Option<String>,
    /// Tell CDNs these keys alone; all that are known if empty, but for `tpb`, which tells devices apart and has to be
    /// named.
    pub keys: Vec<String>,
    /// Keys of the app's own with their values, of which CDNs and collectors are told as of any other. By their names they
    /// are nobody else's (`com.example-key`): lower-case letters, digits, `_`, `.`, `*` and at least one `-`, beginning with a
    /// letter. Any other is left out; of a value, what comes after 64 characters.
    pub custom: Vec<(String, String)>,
    /// Say that so many times an object's bit rate is fast enough to deliver it (`rtp`), which lets a
    /// CDN be slower; nothing is said if absent.
    pub throughput_factor: Option<u32>,
    /// Who is told of what happens (event mode), once the host has told the time
    /// ([`Input::WallClock`](crate::io::Input::WallClock)).
    pub targets: Vec<CmcdTarget>,
}

impl Default for CmcdConfig {
    fn default() -> Self {
        Self {
            mode: CmcdMode::Off,
            version: 1,
            session_id: None,
            content_id: None,
            content_signature: None,
            keys: Vec::new(),
            custom: Vec::new(),
            throughput_factor: None,
            targets: Vec::new(),
        }
    }
}

/// A collector that is told of what happens (CTA-5004-B §2.2, event mode), by POST of `application/cmcd`.
///
/// While one batch is on its way, what happens meanwhile waits for the next, at most 200 reports. Nothing more is sent in a
/// session to who answers 410. What waits when a session ends is sent at once, and once more if that fails.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CmcdTarget {
    /// Where to send reports: an absolute URL.
    pub url: String,
    /// The events to report, of `ps` (playback state), `e` (error), `t` (time interval), `rr` (response received), `bc` (bit
    /// rate), `pr` (playback rate), `b` (background), `c` (content ID), `h` (hostname), `m` (mute), `um` (unmute); the first
    /// three if empty.
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

impl Default for CmcdTarget {
    fn default() -> Self {
        Self {
            url: String::new(),
            events: Vec::new(),
            keys: Vec::new(),
            interval: Duration::from_secs(30),
            batch: 1,
            authorization: None,
        }
    }
}

/// It holds credentials.
impl core::fmt::Debug for CmcdTarget {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CmcdTarget").field("url", &self.url).finish_non_exhaustive()
    }
}

/// How Common Media Client Data is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CmcdMode {
    /// Not at all.
    #[default]
    Off,
    /// As the argument `CMCD` of each URL's query.
    Query,
    /// As header fields; in a browser, servers of other origins must allow them (CORS).
    Headers,
}

/// How failed requests are repeated, and how many there may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RetryConfig {
    /// Pause before the second attempt at a place; it doubles each time, with jitter. Where another
    /// place has the same, that is asked without a pause.
    pub base_delay: Duration,
    /// No pause is longer than this, unless a server asks for it (`Retry-After`). That is kept, at the start, too, where no
    /// other place has the same, up to the time of the resource's budget ([`RetryBudget::time`]); what asks for longer
    /// has failed at once. Asked sooner it would refuse again, and a viewer who is shown an error would ask at once.
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
    /// Licences, and keys of whole segments.
    pub license: RetryBudget,
    /// Reports to collectors ([`CmcdTarget`]): as many attempts as there is time for.
    pub report: RetryBudget,
}

/// How much is spent on one resource before it is given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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

impl RetryConfig {
    /// What is spent on one resource of a kind.
    pub const fn budget(&self, kind: RequestKind) -> &RetryBudget {
        match kind {
            RequestKind::Manifest => &self.manifest,
            RequestKind::MediaPlaylist(_) => &self.playlist,
            RequestKind::Initialization(_) | RequestKind::Index(_) => &self.init,
            RequestKind::Segment(_) => &self.segment,
            RequestKind::Steering | RequestKind::Clock => &self.steering,
            RequestKind::License | RequestKind::Key => &self.license,
            RequestKind::Report => &self.report,
        }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        let usual = RetryBudget::default();
        Self {
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(8),
            penalty: Duration::from_secs(30),
            // Parts of a third of a second, of sound and picture, with a playlist for each, are 720.
            requests_per_minute: 1_200,
            manifest: usual.clone(),
            playlist: usual.clone(),
            init: usual.clone(),
            segment: usual.clone(),
            steering: RetryBudget {
                attempts: 2,
                time: Duration::from_secs(10),
                first_byte_timeout: Duration::from_secs(5),
                stall_timeout: Duration::from_secs(5),
            },
            // Without one there is no playback: it is worth a longer wait.
            license: RetryBudget { attempts: 10, ..usual.clone() },
            report: RetryBudget { time: Duration::from_secs(300), ..usual },
        }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            attempts: 4,
            time: Duration::from_secs(30),
            first_byte_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(10),
        }
    }
}

/// How encrypted content gets its keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrmConfig {
    /// The key systems to use, the preferred one first; if empty, those for which the manifest has a
    /// licence URL, the best protecting first.
    pub key_systems: Vec<KeySystemConfig>,
}

/// A key system, and how its licences are had.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeySystemConfig {
    /// Its name, such as `org.w3.clearkey` or `com.widevine.alpha`.
    pub key_system: String,
    /// Where licences are, in place of where the manifest says.
    pub license_url: Option<String>,
    /// Header fields of licence requests, such as `Authorization`; those of ClearKey go with requests for bare keys
    /// (HLS `identity`), too. A session log has none of them.
    pub headers: Vec<(String, String)>,
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

/// Header fields do not print: they hold credentials.
impl core::fmt::Debug for KeySystemConfig {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KeySystemConfig")
            .field("key_system", &self.key_system)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// The same without what no log may hold.
    pub(crate) fn without_secrets(&self) -> Self {
        let mut config = self.clone();
        for system in &mut config.drm.key_systems {
            system.headers.clear();
        }
        for target in &mut config.cmcd.targets {
            target.authorization = None;
        }
        config
    }
}

/// How live presentations are followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveConfig {
    /// How far behind what happens to play; what the service asks for if absent
    /// (`ServiceDescription`, `suggestedPresentationDelay`, `PART-HOLD-BACK`, `HOLD-BACK`).
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

impl Default for LiveConfig {
    fn default() -> Self {
        Self { target_latency: None, catch_up: true, max_rate_change: None, jump_after: None }
    }
}
