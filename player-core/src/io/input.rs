//! What a host tells the player.

use serde::{Deserialize, Serialize};

use super::{
    KeySessionId, KeyState, MediaKind, OperationId, OperationResult, RequestFailure, RequestId,
    ResponseHead,
};
use crate::config::Config;
use crate::time::{MediaTime, TimeRange, Timestamp, WallTime};

/// What a host tells the player, by [`Player::handle_input`](crate::Player::handle_input).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Input {
    /// The instant of the last [`Output::Timeout`](super::Output::Timeout) has come.
    Timeout,
    /// The device's wall clock shows this now. Sent before a load, and again whenever the two clocks
    /// may have parted, as after sleep or when the user has set the clock. Live playback needs it
    /// where no server tells the time.
    WallClock(WallTime),
    /// Play this, instead of whatever was playing.
    Load(Source),
    /// The app expects to load this soon: its manifest and first segments are fetched as soon as what
    /// plays needs nothing more, or at once if nothing plays.
    Preload(Source),
    /// From now on, play these one after another when what plays has ended; fetched ahead likewise. Of each plays the
    /// sound and text that the viewer chose before, or what is most like it: in its language, roles and name.
    Queue(Vec<Source>),
    /// Stop, and give everything back.
    Unload,
    /// The viewer wants to be here. The element has not been moved yet; a host whose element was
    /// moved by its own controls sends [`Input::Element`] with `seeking` instead.
    Seek(MediaTime),
    /// The viewer wants this speed; 1.0 is normal.
    SetRate(f64),
    /// From now on, this configuration.
    Configure(Box<Config>),
    /// From now on, this choice of track or quality. Before the manifest has come it waits for it.
    Select(Selection),
    /// Where is the picture for this time? Answered by [`Event::Picture`](super::Event::Picture) under
    /// the same number; what it takes is loaded when it is first asked for.
    Picture {
        /// A number of the app's choice.
        id: u64,
        /// The time.
        at: MediaTime,
        /// Which.
        kind: PictureKind,
    },
    /// From now on, the device and its surroundings are like this. Sent whenever a field changes; until
    /// it is sent, nothing is known of them.
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
    /// The boxes before the first `mdat` of a kept body, whole. Sent once, before `BodyEnd`; empty
    /// when the body has no `mdat` or does not look like ISO BMFF.
    BodyHead {
        /// Of this request.
        id: RequestId,
        /// The boxes.
        data: Vec<u8>,
    },
    /// A chunk of a body under [`BodyHandling::KeepChunks`](super::BodyHandling::KeepChunks) is whole:
    /// a `moof`, what stands before it, and its `mdat`. Chunks follow one another without gaps.
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
    /// The platform's key system is open, or none is ([`LicenseCommand::Open`](super::LicenseCommand::Open)).
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
    /// The platform has dropped media from a buffer by itself (`bufferedchange` of a `ManagedSourceBuffer`). Sent in the
    /// order of the buffer's operations' results.
    Evicted {
        /// The buffer.
        kind: MediaKind,
        /// What it holds now, in order, without overlaps.
        buffered: Vec<TimeRange>,
    },
    /// The platform wants media, or has enough for now (`startstreaming` and `endstreaming` of a `ManagedMediaSource`): then
    /// no segment is asked for. A media source that has said nothing since it was opened wants media.
    Streaming(bool),
    /// The viewer hears nothing (`muted`, or a `volume` of zero), or does again. What is sent first tells how it is, and every
    /// other one that it has changed.
    Muted(bool),
}

/// What a platform knows of the device's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkState {
    /// There is none: requests rest until there is.
    Offline,
    /// There is one again.
    Online,
    /// There is another, as from Wi-Fi to mobile: what was measured no longer holds.
    Changed,
}

/// What to play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Absolute URL of a multivariant playlist, media playlist or MPD.
    pub url: String,
    /// The manifest's format, if the app knows it; otherwise its first bytes tell.
    pub format: Option<SourceFormat>,
    /// Where to start; the beginning (or the live edge) if absent.
    pub start: Option<MediaTime>,
}

/// The format of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceFormat {
    /// HTTP Live Streaming (RFC 8216bis).
    Hls,
    /// MPEG-DASH (ISO/IEC 23009-1).
    Dash,
}

/// What a host knows of the device and its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Size of the area that shows the picture; absent where it cannot be known.
    pub viewport: Option<Area>,
    /// Nobody sees the picture: a page in the background, a locked device.
    pub hidden: bool,
    /// The network is paid for by volume.
    pub metered: bool,
    /// The viewer asked the device to save data.
    pub data_saver: bool,
    /// What the device is connected by, if the host knows.
    pub network: Option<kinora_abr::Network>,
}

/// Which of the pictures beside the film is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PictureKind {
    /// A small one for a seek bar (DASH thumbnail tiles, `EXT-X-IMAGE-STREAM-INF`).
    Thumbnail,
    /// A key frame, to move by at this many times the normal speed, in a quality that the network
    /// sustains at it (DASH trick mode, `EXT-X-I-FRAME-STREAM-INF`).
    KeyFrame {
        /// Speed; backwards if negative.
        rate: i32,
    },
}

/// A size in physical pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Pixels from side to side.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// A viewer's or an app's choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Selection {
    /// Play this representation and no other; `None` hands the choice back.
    Representation {
        /// Whose.
        kind: MediaKind,
        /// Its id, as [`Quality::id`](super::Quality::id) has it.
        id: Option<String>,
    },
    /// Play this track, as numbered by [`TrackInfo::index`](super::TrackInfo::index).
    Track {
        /// Whose.
        kind: MediaKind,
        /// Its number.
        index: u32,
    },
    /// Play no track of this kind. Only text can be done without.
    NoTrack {
        /// Which.
        kind: MediaKind,
    },
}

/// The state of the media element.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// `error`: the element has given up, for this reason.
    pub error: Option<String>,
}

/// `HTMLMediaElement.readyState`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ReadyState {
    /// Nothing is known of the media.
    #[default]
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
