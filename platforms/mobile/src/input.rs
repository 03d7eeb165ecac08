//! What a host tells the player.

use kinora_core::abr::Network;
use kinora_core::config::Config;
use kinora_core::io::{
    Area, ElementState, Environment, Input, KeySessionId, KeyState, MediaFailure, MediaKind,
    NetworkState, OperationId, OperationResult, PictureKind, ReadyState, RequestFailure, RequestId,
    ResponseHead, Selection, Source, SourceFormat,
};
use kinora_core::time::{MediaTime, TimeRange, Timestamp, WallTime};

/// An input, and when it happened.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct TimedInput {
    /// When, on the host's monotonic clock.
    pub at: Timestamp,
    /// What.
    pub input: Input,
}

/// What a host tells the player.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum Input {
    /// The instant of the last timeout has come.
    Timeout,
    /// The device's wall clock shows this now. Sent before a load, and again whenever the two clocks
    /// may have parted.
    WallClock(WallTime),
    /// Play this, instead of whatever was playing.
    Load(Source),
    /// The app expects to load this soon: it is fetched ahead as soon as what plays needs nothing more.
    Preload(Source),
    /// From now on, play these one after another when what plays has ended.
    Queue(Vec<Source>),
    /// Stop, and give everything back.
    Unload,
    /// The viewer wants to be here.
    Seek(MediaTime),
    /// The viewer wants this speed; 1.0 is normal.
    SetRate(f64),
    /// From now on, this configuration.
    Configure(Box<Config>),
    /// From now on, this choice of track or quality.
    Select(Selection),
    /// Where is the picture for this time? Answered by the event `Picture` under the same number.
    Picture {
        /// A number of the app's choice.
        id: u64,
        /// The time.
        at: MediaTime,
        /// Which.
        kind: PictureKind,
    },
    /// From now on, the device and its surroundings are like this.
    Environment(Environment),
    /// A response has begun.
    ResponseHead {
        /// Of this request.
        id: RequestId,
        /// Its status and header fields.
        head: ResponseHead,
    },
    /// The next bytes of a delivered body.
    Body {
        /// Of this request.
        id: RequestId,
        /// The bytes that follow those sent before.
        data: Vec<u8>,
    },
    /// The boxes before the first `mdat` of a kept body, whole, from `boxes_before_mdat`. Sent once,
    /// before `BodyEnd`; empty when the body has no `mdat` or does not look like ISO BMFF.
    BodyHead {
        /// Of this request.
        id: RequestId,
        /// The boxes.
        data: Vec<u8>,
    },
    /// A chunk of a body kept in chunks is whole: a `moof`, what stands before it, and its `mdat`.
    /// Chunks follow one another without gaps.
    BodyChunk {
        /// Of this request.
        id: RequestId,
        /// The boxes before its `mdat`.
        head: Vec<u8>,
        /// Where it begins in the body, in bytes.
        start: u64,
        /// The first byte after it.
        end: u64,
        /// When its first byte arrived, on the clock that inputs are stamped with.
        began: Timestamp,
    },
    /// So much of a kept body has arrived. Sent at the first byte, then no oftener than every 10 ms
    /// for 100 ms, and every 50 ms after that.
    BodyProgress {
        /// Of this request.
        id: RequestId,
        /// Bytes since the start of the body.
        received: u64,
    },
    /// The body is complete.
    BodyEnd {
        /// Of this request.
        id: RequestId,
        /// Bytes of the whole body.
        received: u64,
        /// The host knows that the bytes came from a cache and say nothing of the network.
        from_cache: bool,
    },
    /// The request came to nothing.
    RequestFailed {
        /// This request.
        id: RequestId,
        /// Why.
        failure: RequestFailure,
    },
    /// A media operation is over.
    MediaResult {
        /// This operation.
        id: OperationId,
        /// What came of it.
        result: OperationResult,
    },
    /// The platform's key system is open, or none is.
    KeySystem {
        /// Which of those that were asked for.
        opened: Option<String>,
        /// Why none is.
        reason: String,
    },
    /// A key session asks the licence server: at first, and whenever the key system wants to.
    KeyMessage {
        /// The session.
        session: KeySessionId,
        /// What to send.
        message: Vec<u8>,
    },
    /// What may be done with the keys of a session: all of them, after every update and every change.
    KeyStatuses {
        /// The session.
        session: KeySessionId,
        /// Its keys.
        statuses: Vec<KeyState>,
    },
    /// A key session could not be created, or did not take its licence.
    KeySessionFailed {
        /// The session.
        session: KeySessionId,
        /// Why.
        reason: String,
    },
    /// The state of the media element: at every event of it that changes a field, and at least four
    /// times a second while playing.
    Element(ElementState),
    /// What the platform says of the device's network. A host that cannot tell says nothing.
    Network(NetworkState),
    /// The platform has dropped media from a buffer by itself. Sent in the order of the buffer's operations' results.
    Evicted {
        /// The buffer.
        kind: MediaKind,
        /// What it holds now, in order, without overlaps.
        buffered: Vec<TimeRange>,
    },
    /// The platform wants media, or has enough for now: then no segment is asked for.
    Streaming(bool),
    /// The viewer hears nothing, because the sound is off or its volume zero, or does again. What is sent first tells how it
    /// is, and every other one that it has changed.
    Muted(bool),
}

/// What a platform knows of the device's network.
#[uniffi::remote(Enum)]
pub enum NetworkState {
    /// There is none: requests rest until there is.
    Offline,
    /// There is one again.
    Online,
    /// There is another, as from Wi-Fi to mobile: what was measured no longer holds.
    Changed,
}

/// What to play.
#[uniffi::remote(Record)]
pub struct Source {
    /// Absolute URL of a multivariant playlist, media playlist or MPD.
    pub url: String,
    /// The manifest's format, if the app knows it; otherwise its first bytes tell.
    pub format: Option<SourceFormat>,
    /// Where to start; the beginning (or the live edge) if absent.
    pub start: Option<MediaTime>,
}

/// What a host knows of the device and its surroundings.
#[uniffi::remote(Record)]
pub struct Environment {
    /// Size of the area that shows the picture; absent where it cannot be known.
    pub viewport: Option<Area>,
    /// Nobody sees the picture: an app in the background, a locked device.
    pub hidden: bool,
    /// The network is paid for by volume.
    pub metered: bool,
    /// The viewer asked the device to save data.
    pub data_saver: bool,
    /// What the device is connected by, if the host knows.
    pub network: Option<Network>,
}

/// Which of the pictures beside the film is wanted.
#[uniffi::remote(Enum)]
pub enum PictureKind {
    /// A small one for a seek bar.
    Thumbnail,
    /// A key frame, to move by at this many times the normal speed.
    KeyFrame {
        /// Speed; backwards if negative.
        rate: i32,
    },
}

/// A size in physical pixels.
#[uniffi::remote(Record)]
pub struct Area {
    /// Pixels from side to side.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// What a device is connected by.
#[uniffi::remote(Enum)]
pub enum Network {
    /// A cable.
    Wired,
    /// Wi-Fi.
    Wifi,
    /// 5G.
    Cellular5G,
    /// 4G (LTE).
    Cellular4G,
    /// 3G (UMTS, HSPA).
    Cellular3G,
    /// 2G (GPRS, EDGE).
    Cellular2G,
}

/// The format of a manifest.
#[uniffi::remote(Enum)]
pub enum SourceFormat {
    /// HTTP Live Streaming (RFC 8216bis).
    Hls,
    /// MPEG-DASH (ISO/IEC 23009-1).
    Dash,
}

/// The kinds of media that have a buffer of their own. Audio muxed into the video's segments is
/// part of `Video`.
#[uniffi::remote(Enum)]
pub enum MediaKind {
    /// Pictures, or pictures and sound in one.
    Video,
    /// Sound.
    Audio,
    /// Subtitles and captions.
    Text,
}

/// A viewer's or an app's choice.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum Selection {
    /// Play this representation and no other; without an id, the choice is the player's again.
    Representation {
        /// Whose.
        kind: MediaKind,
        /// The id of a quality.
        id: Option<String>,
    },
    /// Play this track.
    Track {
        /// Whose.
        kind: MediaKind,
        /// Its number among those of its kind.
        index: u32,
    },
    /// Play no track of this kind. Only text can be done without.
    NoTrack {
        /// Which.
        kind: MediaKind,
    },
}

/// Status line and header fields of a response, once they have arrived.
#[uniffi::remote(Record)]
pub struct ResponseHead {
    /// HTTP status code.
    pub status: u16,
    /// URL after redirects; relative URLs inside the body resolve against it.
    pub url: String,
    /// `Content-Type`, if the host can see it.
    pub content_type: Option<String>,
    /// `Content-Length` in bytes, if the host can see it and it is that of the body as it is handed
    /// on: `None` where a content coding was undone, or may have been. A body that ends before it
    /// counts as interrupted.
    pub content_length: Option<u64>,
    /// `Retry-After` as it came: seconds or a date.
    pub retry_after: Option<String>,
    /// `Date` as it came, if the host can see it.
    pub date: Option<String>,
    /// `CMSD-Dynamic` as it came, if the host can see it (CTA-5006): what servers say of the network.
    pub cmsd_dynamic: Option<String>,
    /// `CMSD-Static` as it came, if the host can see it (CTA-5006): what servers say of the object.
    pub cmsd_static: Option<String>,
    /// `SMRT-Data` as it came, if the host can see it: how the response was made (streaming media response tracing).
    pub smrt_data: Option<String>,
}

/// Why a request came to nothing. Bad statuses are not failures to the host: it reports the head
/// and the body as usual, and the player judges.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum RequestFailure {
    /// No response: name resolution, connection, TLS or an offline device.
    Network(String),
    /// The body broke off before its end.
    Interrupted(String),
    /// The request itself could not be made, such as a URL the host refuses.
    Invalid(String),
}

/// What came of a media operation.
#[uniffi::remote(Enum)]
pub enum OperationResult {
    /// Done. For an append or a removal: what the buffer now holds, in order, without overlaps.
    Done {
        /// The buffer's ranges; empty for other operations.
        buffered: Vec<TimeRange>,
    },
    /// Not done.
    Failed(MediaFailure),
}

/// Why a media operation failed.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum MediaFailure {
    /// The buffer is full.
    QuotaExceeded,
    /// The platform cannot play this type.
    NotSupported(String),
    /// The bytes could not be parsed or decoded.
    Decode(String),
    /// The element or media source was not in a state to do it.
    InvalidState(String),
}

/// The state of the media element, in the terms of HTML.
#[uniffi::remote(Record)]
pub struct ElementState {
    /// `currentTime`.
    pub position: MediaTime,
    /// `playbackRate`.
    pub rate: f64,
    /// `paused`.
    pub paused: bool,
    /// `seeking`.
    pub seeking: bool,
    /// `ended`.
    pub ended: bool,
    /// `readyState`.
    pub ready_state: ReadyState,
    /// Frames presented and dropped since the media source was opened, where the platform counts.
    pub total_frames: u64,
    /// Frames dropped of these.
    pub dropped_frames: u64,
    /// The element has given up, for this reason.
    pub error: Option<String>,
}

/// `HTMLMediaElement.readyState`.
#[uniffi::remote(Enum)]
pub enum ReadyState {
    /// Nothing is known of the media.
    HaveNothing,
    /// Duration and dimensions are known.
    HaveMetadata,
    /// The frame at the current position is there, but not the next.
    HaveCurrentData,
    /// Playback can go on for at least a little.
    HaveFutureData,
    /// Playback is expected to go on to the end.
    HaveEnoughData,
}
