//! What the player tells the app.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ByteRange, MediaKind};
use crate::error::PlayerError;
use crate::manifest::WarningCode;
use crate::time::{MediaTime, TimeRange};

/// What the player tells the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
        reason: kinora_abr::Cause,
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
    /// The answer to [`Input::Picture`](super::Input::Picture).
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
    /// The presentation will not grow any more: it can be played to its end like any other.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Absolute URL.
    pub url: String,
    /// The part of it; all of it if absent.
    pub range: Option<ByteRange>,
}

/// A rectangle of an image, in its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LatencyStanding {
    /// Near enough.
    OnTarget,
    /// Too far behind: playback is a little faster until it has caught up.
    CatchingUp,
    /// Too close to the live edge, or short of media: playback is a little slower.
    FallingBack,
    /// The viewer is elsewhere on purpose, by a seek, a pause or another speed; nothing is done.
    Away,
}

impl LatencyStanding {
    /// A short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnTarget => "on-target",
            Self::CatchingUp => "catching-up",
            Self::FallingBack => "falling-back",
            Self::Away => "away",
        }
    }
}

/// A choice of quality for one segment, with the reasons for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    pub reasons: kinora_abr::Reasons,
}

/// One representation, as an app shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackInfo {
    /// Picture, sound or text.
    pub kind: MediaKind,
    /// Its number among those of its kind, for [`Selection::Track`](super::Selection::Track).
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Live: a manifest has brought nothing new for longer than it may. What is there is played; the
    /// manifest is asked for less and less often.
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
    /// Live: responses take longer to begin than a part of Low-Latency HLS is long, and have for a while: whole segments
    /// are played, further behind.
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

/// What a steering server does wrong (RFC 8216bis §7.2; ETSI TS 103 998).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl SteeringFault {
    /// The name in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Gone => "gone",
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Ttl => "ttl",
            Self::UnknownPathway => "unknown-pathway",
            Self::Clone => "clone",
        }
    }
}

/// What playback is doing, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PlaybackStatus {
    /// Nothing is loaded.
    #[default]
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

impl PlaybackStatus {
    /// The word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Loading => "loading",
            Self::Playing => "playing",
            Self::Paused => "paused",
            Self::Buffering => "buffering",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for PlaybackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
