//! What the player asks of its host.

use std::time::Duration;

use kinora_core::abr::{Candidate, Cause, Reasons};
use kinora_core::error::PlayerError;
use kinora_core::io::{
    AppendBody, BodyHandling, ByteRange, Cue, Decision, DecoderQuery, Event, LatencyStanding,
    LicenseCommand, MediaCommand, MediaKind, MediaOperation, OperationId, Output, Picture,
    PlaybackStatus, Quality, Request, RequestId, RequestKind, Resource, SteeringFault, Tile,
    TrackInfo, Warning,
};
use kinora_core::manifest::WarningCode;
use kinora_core::time::{MediaTime, TimeRange, Timestamp};

/// What the player asks of its host.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum Output {
    /// Start an HTTP request, and report on it under its id.
    Request(Request),
    /// Abort the request if it still runs, and forget the body if it was kept.
    Cancel(RequestId),
    /// Do something to the media element or its buffers, and report under the operation's id.
    Media(MediaOperation),
    /// Do something with the platform's key system.
    License(LicenseCommand),
    /// Tell the app.
    Event(Event),
    /// Nothing more to do before this instant or the next input; if absent, only an input can matter.
    Timeout(Option<Timestamp>),
}

/// A request for the host to make: GET, or POST if it has a body.
#[uniffi::remote(Record)]
pub struct Request {
    /// Its name in every report on it.
    pub id: RequestId,
    /// What it is for.
    pub kind: RequestKind,
    /// Absolute URL.
    pub url: String,
    /// The part of the resource wanted (RFC 9110 §14); all of it if absent.
    pub range: Option<ByteRange>,
    /// Who keeps the body.
    pub body: BodyHandling,
    /// Header fields to send besides `Range`.
    pub headers: Vec<HeaderField>,
    /// What to send as the body.
    pub post: Option<Vec<u8>>,
}

/// A header field as the core has it.
pub(crate) type HeaderField = (String, String);

/// A header field of a request.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

uniffi::custom_type!(
    /// A header field of a request.
    HeaderField, Header, {
    remote,
    lower: |field| Header { name: field.0, value: field.1 },
    try_lift: |header| Ok((header.name, header.value)),
});

/// What a request is for.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum RequestKind {
    /// An HLS multivariant playlist (or a media playlist given directly) or an MPD.
    Manifest,
    /// An HLS media playlist.
    MediaPlaylist(MediaKind),
    /// An initialisation segment.
    Initialization(MediaKind),
    /// A segment index box.
    Index(MediaKind),
    /// A media segment, or a part of one.
    Segment(MediaKind),
    /// A steering manifest.
    Steering,
    /// A licence. Neither request nor response belong in any log.
    License,
    /// A key of whole segments (HLS `AES-128`). The response belongs in no log.
    Key,
    /// The server's time.
    Clock,
    /// What has happened, for a collector.
    Report,
}

/// A span of bytes of a resource.
#[uniffi::remote(Record)]
pub struct ByteRange {
    /// Offset of the first byte.
    pub start: u64,
    /// Count of bytes; to the end of the resource if absent.
    pub length: Option<u64>,
}

/// Who keeps a response's body.
#[uniffi::remote(Enum)]
pub enum BodyHandling {
    /// The player needs the bytes: send each chunk as a `Body` input.
    Deliver,
    /// The host keeps the bytes until an append of all of them is done or a cancel drops it. It reports
    /// progress and, as soon as it has them, the boxes before the first `mdat`. While they arrive, and
    /// after that, appends may name spans of them; a cancel names the request after the last.
    Keep,
    /// As `Keep`, and the host tells of each `moof` with its `mdat` once it is whole. It keeps the
    /// body until a cancel names the request.
    KeepChunks,
}

/// One thing to do to the media element or its buffers.
///
/// Operations are carried out in the order they were asked for, except that the buffers of
/// different kinds may work at the same time. Each is answered once, by a `MediaResult`.
#[uniffi::remote(Record)]
pub struct MediaOperation {
    /// Its name in the answer.
    pub id: OperationId,
    /// What to do.
    pub command: MediaCommand,
}

/// What to do to the media element or its buffers.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum MediaCommand {
    /// Attach an empty media source to the element, dropping whatever was there.
    Open,
    /// `addSourceBuffer`: all buffers are added before anything is appended.
    AddBuffer {
        /// The buffer's kind, its name from now on.
        kind: MediaKind,
        /// Container and codecs, such as `video/mp4; codecs="avc1.64001f"`.
        mime_type: String,
    },
    /// `changeType`: what is appended from here on is of another type.
    ChangeType {
        /// The buffer.
        kind: MediaKind,
        /// Container and codecs.
        mime_type: String,
    },
    /// `appendBuffer`.
    Append {
        /// The buffer.
        kind: MediaKind,
        /// What is added to the media's own timestamps.
        timestamp_offset: MediaTime,
        /// What lies outside is dropped.
        window: TimeRange,
        /// The bytes.
        body: AppendBody,
    },
    /// `remove`, of a span of the presentation timeline.
    Remove {
        /// The buffer.
        kind: MediaKind,
        /// What to drop.
        range: TimeRange,
    },
    /// Set the media source's duration; the greatest time while it is live and has no end.
    SetDuration(MediaTime),
    /// `setLiveSeekableRange`: where the viewer may go while the duration is without end.
    SetLiveSeekableRange(TimeRange),
    /// `endOfStream`: every buffer holds its last segment.
    EndOfStream,
    /// Set the element's `currentTime`.
    Seek(MediaTime),
    /// Set the element's `playbackRate`.
    SetRate(f64),
    /// Detach the media source and forget every kept body.
    Close,
    /// Find out whether the platform decodes this well. It stands outside the order of the others, and is
    /// best answered at once. `Done` says that it does; `NotSupported` that it does not, or not fluently;
    /// anything else that nobody knows.
    Probe(DecoderQuery),
}

/// Media that a platform may be able to decode.
#[uniffi::remote(Record)]
pub struct DecoderQuery {
    /// Picture or sound.
    pub kind: MediaKind,
    /// Container and codecs.
    pub mime_type: String,
    /// Width in pixels, if known.
    pub width: Option<u32>,
    /// Height in pixels, if known.
    pub height: Option<u32>,
    /// Frames in a second, if known.
    pub frame_rate: Option<f64>,
    /// Peak bit rate in bit/s.
    pub bandwidth: u64,
    /// Channels of sound, if known.
    pub channels: Option<u32>,
    /// Samples of sound in a second, if known.
    pub sampling_rate: Option<u32>,
}

/// The bytes of an append.
#[uniffi::remote(Enum)]
pub enum AppendBody {
    /// Bytes from the player: initialisation segments, and media it had to change.
    Bytes(Vec<u8>),
    /// The body the host kept for this request; the host may forget it once appended.
    Kept(RequestId),
    /// A span of the body the host keeps for this request: a chunk, or any part that has arrived.
    Span {
        /// Bytes from the player that stand before it; none before a chunk.
        head: Vec<u8>,
        /// The request.
        id: RequestId,
        /// First byte, counted from the start of the body.
        start: u64,
        /// The first byte after it.
        end: u64,
    },
}

/// What the player tells the app.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum Event {
    /// The manifest is understood: what there is to play.
    Loaded {
        /// Length of the presentation; absent while it is live.
        duration: Option<MediaTime>,
        /// It is still being made.
        live: bool,
        /// Everything that can be selected.
        tracks: Vec<TrackInfo>,
    },
    /// The first frame can play. Once for each load.
    Ready,
    /// The playhead moves.
    Playing,
    /// The playhead waits for data, because of a seek or because the network was too slow.
    Buffering {
        /// The viewer moved; otherwise playback ran dry.
        seeking: bool,
    },
    /// The viewer now sees or hears another quality.
    QualityChanged {
        /// Of the picture or of the sound.
        kind: MediaKind,
        /// What was shown before; nothing at the start.
        from: Option<Quality>,
        /// What is shown now.
        to: Quality,
        /// Why it was chosen.
        reason: Cause,
    },
    /// A segment was chosen for download.
    Decision(Box<Decision>),
    /// An origin (a CDN, pathway or host) failed, and is not asked for a while if others have the
    /// same.
    OriginFailed {
        /// Its pathway, or scheme and host.
        origin: String,
        /// What went wrong.
        error: PlayerError,
        /// How long it is not asked.
        penalty: Duration,
    },
    /// An origin that had failed delivers again.
    OriginRecovered {
        /// Its pathway, or scheme and host.
        origin: String,
    },
    /// Media comes from another origin now.
    PathwayChanged {
        /// Where it came from; nothing at the start.
        from: Option<String>,
        /// Where it comes from: a pathway, or scheme and host.
        to: String,
    },
    /// What played has ended, and the next item of the queue begins.
    Next {
        /// Where its manifest is.
        url: String,
    },
    /// The answer to the input `Picture`.
    Picture {
        /// Of this question.
        id: u64,
        /// The picture; none where the presentation has none for that time.
        picture: Option<Box<Picture>>,
    },
    /// Words of the text track that was chosen have come. Those told of before hold on.
    Cues(Vec<Cue>),
    /// Another text track was chosen, or none: no cue told of before holds any more.
    CuesCleared,
    /// Live: where the viewer may go has changed by more than the clock's going on explains, or for
    /// the first time.
    SeekableChanged(TimeRange),
    /// Live: how playback stands to the latency aimed for has changed.
    LatencyChanged {
        /// How it stands now.
        standing: LatencyStanding,
        /// From when something happens, or is published where no clock tells, to when it is shown.
        latency: MediaTime,
        /// What is aimed for.
        target: MediaTime,
    },
    /// The presentation will not grow any more.
    LiveEnded {
        /// Its length, if known.
        duration: Option<MediaTime>,
    },
    /// The playhead has reached the end.
    Ended,
    /// Something went wrong and the player went on.
    Warning(Warning),
    /// Playback cannot go on.
    Error(PlayerError),
}

/// Words to be shown for a time: a cue of WebVTT (W3C WebVTT §3.1).
#[uniffi::remote(Record)]
pub struct Cue {
    /// Its identifier; may be empty.
    pub id: String,
    /// When it is shown, on the presentation timeline.
    pub span: TimeRange,
    /// Where and how, as written (§3.1, cue settings); may be empty.
    pub settings: String,
    /// The words, with the tags of WebVTT (§3.5), lines apart by line feeds.
    pub text: String,
}

/// A picture beside the film, and where to get it.
#[uniffi::remote(Record)]
pub struct Picture {
    /// An image, or a media segment with a key frame.
    pub resource: Resource,
    /// What a decoder needs before the segment.
    pub init: Option<Resource>,
    /// Its type, as far as the manifest tells.
    pub mime_type: String,
    /// The time it stands for.
    pub span: TimeRange,
    /// The part of the image to show; all of it if absent.
    pub tile: Option<Tile>,
}

/// Where bytes are.
#[uniffi::remote(Record)]
pub struct Resource {
    /// Absolute URL.
    pub url: String,
    /// The part of it; all of it if absent.
    pub range: Option<ByteRange>,
}

/// A rectangle of an image, in its pixels.
#[uniffi::remote(Record)]
pub struct Tile {
    /// From the left edge.
    pub x: u32,
    /// From the top edge.
    pub y: u32,
    /// From side to side.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// How live playback stands to the latency aimed for.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum LatencyStanding {
    /// Near enough.
    OnTarget,
    /// Too far behind: playback is a little faster until it has caught up.
    CatchingUp,
    /// Too close to the live edge, or short of media: playback is a little slower.
    FallingBack,
    /// The viewer is elsewhere on purpose; nothing is done.
    Away,
}

/// A choice of quality for one segment, with the reasons for it.
#[uniffi::remote(Record)]
pub struct Decision {
    /// Picture or sound.
    pub kind: MediaKind,
    /// Start of the segment.
    pub segment_start: MediaTime,
    /// What will be fetched.
    pub quality: Quality,
    /// Media ahead of the playhead at that moment.
    pub buffer: MediaTime,
    /// It takes the place of the same segment in this quality, which waits in the buffer.
    pub replaces: Option<Quality>,
    /// Why.
    pub reasons: Reasons,
}

/// Why a decision fell as it did.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct DecisionReasons {
    /// Name of the rule that decided.
    pub rule: String,
    /// What tipped the balance: a stable name.
    pub cause: Cause,
    /// The same for people.
    pub explanation: String,
    /// Conservative estimate of the network, in bit/s.
    pub throughput_bps: f64,
    /// The qualities weighed, lowest first.
    pub candidates: Vec<DecisionCandidate>,
}

/// A quality that was weighed.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct DecisionCandidate {
    /// Its place on the ladder, from 0.
    pub rung: u32,
    /// Median time to fetch the segment, in seconds.
    pub download_s: f64,
    /// Median buffer once it has arrived, in seconds.
    pub predicted_buffer_s: f64,
    /// Probability that playback stalls before it has arrived, 0 to 1.
    pub stall_probability: f64,
    /// Its utility as the rule reckons it.
    pub quality: f64,
    /// What the rule holds against it; the lowest was preferred unless a safeguard stepped in.
    pub cost: f64,
}

impl From<Candidate> for DecisionCandidate {
    fn from(candidate: Candidate) -> Self {
        Self {
            rung: u32::try_from(candidate.rung).unwrap_or(u32::MAX),
            download_s: candidate.download_s,
            predicted_buffer_s: candidate.predicted_buffer_s,
            stall_probability: candidate.stall_probability,
            quality: candidate.quality,
            cost: candidate.cost,
        }
    }
}

impl From<Reasons> for DecisionReasons {
    fn from(reasons: Reasons) -> Self {
        Self {
            rule: reasons.rule.name().to_owned(),
            cause: reasons.cause,
            explanation: reasons.cause.to_string(),
            throughput_bps: reasons.estimate.throughput_bps,
            candidates: reasons.candidates.into_iter().map(DecisionCandidate::from).collect(),
        }
    }
}

uniffi::custom_type!(
    /// Why a decision fell as it did.
    Reasons, DecisionReasons, {
    remote,
    lower: |reasons| DecisionReasons::from(reasons),
    try_lift: |_reasons| Err(one_way("Reasons")),
});

uniffi::custom_type!(
    /// What tipped the balance of a decision: a stable name, such as `throughput-bound`.
    Cause, String, {
    remote,
    lower: |cause| cause.code().to_owned(),
    try_lift: |_code| Err(one_way("Cause")),
});

/// The binding generator wants both directions of every type; the host never sends these.
fn one_way(name: &str) -> uniffi::deps::anyhow::Error {
    uniffi::deps::anyhow::anyhow!("{name} only leaves the player")
}

/// One representation, as an app shows it.
#[uniffi::remote(Record)]
pub struct Quality {
    /// The representation's id.
    pub id: String,
    /// Peak bit rate in bit/s.
    pub bandwidth: u64,
    /// Width in pixels, if known.
    pub width: Option<u32>,
    /// Height in pixels, if known.
    pub height: Option<u32>,
    /// Codecs (RFC 6381), comma-separated.
    pub codecs: String,
}

/// One track: alternatives of content, each in one or more qualities.
#[uniffi::remote(Record)]
pub struct TrackInfo {
    /// Picture, sound or text.
    pub kind: MediaKind,
    /// Its number among those of its kind, for a selection.
    pub index: u32,
    /// Language (BCP 47), if known.
    pub language: Option<String>,
    /// A name for people, if given.
    pub label: Option<String>,
    /// Its qualities, lowest bit rate first.
    pub qualities: Vec<Quality>,
    /// Whether it is selected.
    pub selected: bool,
}

/// Something went wrong and the player went on.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum Warning {
    /// A manifest breaks its specification in a way that could be mended.
    Manifest {
        /// Where the manifest came from.
        url: String,
        /// Line of the fault, counted from 1.
        line: u64,
        /// What kind of fault it is.
        code: WarningCode,
        /// What is wrong.
        message: String,
    },
    /// Some of a text track could not be had or understood, and is left out.
    Text {
        /// Why.
        error: PlayerError,
    },
    /// Some of the content cannot be decrypted; what can be plays on.
    Key {
        /// Why, and what the licence server said.
        error: PlayerError,
    },
    /// A request failed and is tried again.
    Retry {
        /// Of what.
        url: String,
        /// What went wrong.
        error: PlayerError,
        /// How many attempts there have been.
        attempts: u32,
    },
    /// A download was given up because it would have come too late.
    Abandoned {
        /// Picture or sound.
        kind: MediaKind,
        /// Start of the segment.
        segment_start: MediaTime,
    },
    /// The playhead jumped over a hole in the media.
    GapJumped {
        /// Where the hole begins.
        from: MediaTime,
        /// Where playback goes on.
        to: MediaTime,
    },
    /// The app asked for something that makes no sense, and it was ignored.
    InvalidArgument {
        /// What, and what would make sense.
        message: String,
    },
    /// The media source was made anew in the middle of playback.
    Rebuilt {
        /// Where playback goes on.
        at: MediaTime,
        /// Why.
        reason: String,
    },
    /// Live: what was to be played next is no longer there, and playback goes on later.
    FellBehindWindow {
        /// Where the playhead was.
        from: MediaTime,
        /// Where playback goes on.
        to: MediaTime,
    },
    /// Live: playback was too late to catch up by playing faster, or stood where nothing will be for long because a clock
    /// had been wrong, and jumped.
    JumpedToLive {
        /// Where the playhead was.
        from: MediaTime,
        /// Where playback goes on.
        to: MediaTime,
    },
    /// Live: a manifest has brought nothing new for longer than it may.
    ManifestStalled {
        /// Of the playlist or MPD.
        url: String,
        /// For how long, in milliseconds.
        silence_ms: u64,
    },
    /// Live: it goes on.
    ManifestResumed {
        /// Of the playlist or MPD.
        url: String,
    },
    /// Live: responses take longer to begin than a part of Low-Latency HLS is long: whole segments are played.
    PartsTooFar {
        /// What it takes until the first byte, in milliseconds.
        first_byte_ms: u64,
        /// How long the longest part is, in milliseconds.
        part_ms: u64,
    },
    /// Live: parts are played again.
    PartsResumed,
    /// The platform's buffer is full; the player keeps less ahead from here on.
    BufferFull {
        /// Whose.
        kind: MediaKind,
    },
    /// A steering server does not do what it should; what it said before holds on.
    Steering {
        /// Where it was asked.
        url: String,
        /// What is wrong.
        fault: SteeringFault,
    },
}

/// A kind of deviation of a manifest from its specification.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum WarningCode {
    /// A tag, element or scheme this player does not know; reported where it first stands.
    Unknown,
    /// A value is not of the form its tag, element or attribute has.
    BadValue,
    /// A list of attributes is not written as one.
    Syntax,
    /// A tag, element or attribute that must be there is not.
    Missing,
    /// Something stands twice that may be there once; the first counts.
    Duplicate,
    /// Something stands where it has no meaning.
    Misplaced,
    /// It contradicts something else in the manifest.
    Inconsistent,
    /// Periods, segments or runs of them overlap.
    Overlap,
    /// It needs what this player cannot do, and is left out.
    Unsupported,
    /// There is more of something than is kept.
    Limit,
}

/// What a steering server does wrong (RFC 8216bis §7.2; ETSI TS 103 998).
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum SteeringFault {
    /// It does not answer. It is asked again.
    Unreachable,
    /// It does not want to be asked again (status 410).
    Gone,
    /// It answers with something else than a steering manifest.
    Malformed,
    /// It answers in a version other than 1.
    Version,
    /// It does not say when to ask again, or a time beyond reason.
    Ttl,
    /// It names pathways that there are not.
    UnknownPathway,
    /// It describes a clone of what there is not, or so that it cannot be made.
    Clone,
}

/// What playback is doing, in one word.
#[uniffi::remote(Enum)]
#[non_exhaustive]
pub enum PlaybackStatus {
    /// Nothing is loaded.
    Idle,
    /// On the way to the first frame.
    Loading,
    /// The playhead moves.
    Playing,
    /// The viewer paused.
    Paused,
    /// The playhead waits for data.
    Buffering,
    /// The end has been reached.
    Ended,
    /// Playback cannot go on.
    Failed,
}
