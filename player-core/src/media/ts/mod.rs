//! MPEG-2 transport streams (ISO/IEC 13818-1) and packed audio (RFC 8216bis §3.4), turned into what a platform's
//! buffer takes: an initialisation segment and a fragment (ISO/IEC 14496-12).
//!
//! A segment is turned whole. Picture and sound that are in one segment are in one fragment, too: a buffer takes a
//! track of each (Media Source Extensions §3.5.7). What is carried is H.264 and AAC; of anything else
//! [`TransportFault::Unsupported`] says its name.

mod adts;
mod avc;
mod bits;
mod mp4;
mod packets;
mod parameters;
mod pes;
mod sps;
mod tables;

use core::fmt;

use kinora_cenc::TransportCipher;
use serde::{Deserialize, Serialize};

use self::adts::{Config, Sound};
use self::avc::Pictures;
use self::mp4::{Run, TIMESCALE};
use self::packets::Packets;
use self::parameters::Parameters;
use self::pes::Elementary;
use self::tables::{Tables, stream_type};
use crate::time::MediaTime;

/// The type of what sound alone is turned into, whatever is said of it.
pub(crate) const SOUND: &str = "audio/mp4; codecs=\"mp4a.40.2\"";

/// A segment has no more pictures, nor frames of sound: three hours of AAC, or two of pictures. What is kept of each takes
/// more than the least of its bytes.
const MOST_SAMPLES: usize = 1 << 19;

/// Why a segment cannot be turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TransportFault {
    /// It is neither a transport stream nor packed audio.
    NotTransport,
    /// There is no program in it (no sound program association and map, §2.4.4).
    NoProgram,
    /// There is no whole picture or frame of sound of what is wanted.
    NoMedia,
    /// Picture or sound is of a kind that is not turned.
    Unsupported {
        /// `stream_type` (table 2-34, and those of ATSC A/53 and Apple).
        stream_type: u8,
    },
    /// Packets are scrambled (`transport_scrambling_control`).
    Scrambled,
    /// Neither this nor an earlier segment has the parameter sets its pictures need.
    NoParameterSets,
    /// ADTS headers have no rate of sampling.
    InvalidAudio,
    /// AAC is laid out otherwise than in one block of a usual channel configuration.
    UnsupportedAudio,
    /// There are more pictures, or frames of sound, in one segment than anybody makes.
    TooManySamples,
}

impl TransportFault {
    /// Something that this player cannot do; otherwise it is damaged, or something else.
    pub(crate) const fn is_unsupported(self) -> bool {
        matches!(self, Self::Unsupported { .. } | Self::Scrambled | Self::UnsupportedAudio)
    }
}

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTransport => "this is neither an MPEG-2 transport stream nor packed audio",
            Self::NoProgram => "the transport stream has no program",
            Self::NoMedia => "the transport stream has no whole picture or sound",
            Self::Unsupported { stream_type } => return f.write_str(name(*stream_type)),
            Self::Scrambled => "a scrambled transport stream",
            Self::NoParameterSets => "the transport stream has no parameter sets for its pictures",
            Self::InvalidAudio => "the sound of the transport stream has no sampling rate",
            Self::UnsupportedAudio => "AAC of an unusual layout in a transport stream",
            Self::TooManySamples => "a segment of the transport stream has too many samples",
        })
    }
}

/// What cannot be played, in words.
const fn name(kind: u8) -> &'static str {
    match kind {
        0x01 | 0x02 => "MPEG-2 video in a transport stream",
        0x03 | 0x04 => "MPEG audio (MP3) in a transport stream or packed",
        0x10 => "MPEG-4 Visual in a transport stream",
        0x11 => "AAC in LATM in a transport stream",
        0x24 => "HEVC in a transport stream",
        0x33 => "VVC in a transport stream",
        0x81 | 0xc1 => "AC-3 in a transport stream or packed",
        0x87 | 0xc2 => "Enhanced AC-3 in a transport stream or packed",
        0xcf | 0xdb => "SAMPLE-AES in a transport stream",
        _ => "an unknown codec in a transport stream",
    }
}

/// What of a segment is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything.
    All,
    /// The picture alone: its sound is in another stream.
    Picture,
    /// The sound alone.
    Sound,
}

/// How a segment is turned.
#[derive(Debug)]
pub struct Options {
    /// What of it.
    pub wanted: Wanted,
    /// About when it begins, by timestamps that have been unwrapped before; none, if nothing is known of them.
    pub near: Option<MediaTime>,
    /// What its samples are encrypted with (HLS `SAMPLE-AES`).
    pub cipher: Option<TransportCipher>,
}

/// What became of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remuxed {
    /// The initialisation segment that [`media`](Self::media) needs: the same bytes as long as nothing changes.
    pub init: Vec<u8>,
    /// The fragment. Its timestamps are those of the transport stream, unwrapped; they are never negative.
    pub media: Vec<u8>,
}

/// Turns the segments of one stream, in the order they are played.
#[derive(Clone, Debug, Default)]
pub struct Remuxer {
    /// What the last picture was decoded with.
    parameters: Option<Parameters>,
    config: Option<Config>,
    /// What the stream before had last: a track that rests where this one begins is called the same, for a buffer has as
    /// many tracks in the end as at first (Media Source Extensions §3.5.8).
    before: (Option<Parameters>, Option<Config>),
    /// Where the last segment's sound ended: its rate, and the sample.
    sound_end: Option<(u32, i64)>,
    /// The beginning of a frame of sound that had no end there.
    rest: Vec<u8>,
}

/// One coded picture or frame of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    size: u32,
    duration: u32,
    composition: i32,
    sync: bool,
}

/// The clock of a segment.
#[derive(Clone, Copy, Debug)]
struct Times {
    near: i64,
}

impl Times {
    /// A clock whose first timestamp is that, and stands for the time nearest to `near`.
    fn around(near: Option<i64>, first: u64) -> Self {
        // Hundreds of turns are nobody's.
        let near = near.map(|near| near.clamp(0, 1 << 40));
        Self {
            near: near.map_or_else(|| pes::first_turn(first), |near| pes::unwrapped(first, near)),
        }
    }

    /// When it is, in units of 90 kHz.
    fn of(&self, timestamp: u64) -> i64 {
        pes::unwrapped(timestamp, self.near)
    }

    /// When it is, in samples of a rate.
    fn samples(&self, timestamp: u64, rate: u32) -> i64 {
        let (ticks, scale) = (self.of(timestamp), i64::from(TIMESCALE));
        let (seconds, rest) = (ticks / scale, ticks % scale);
        seconds * i64::from(rate) + (rest * i64::from(rate) + scale / 2) / scale
    }
}

impl Remuxer {
    /// Forgets what earlier segments said, but for what tracks there were: what comes next is of another stream.
    pub fn reset(&mut self) {
        let before = core::mem::take(self);
        self.before = (before.parameters.or(before.before.0), before.config.or(before.before.1));
    }

    /// Turns a segment.
    ///
    /// # Errors
    /// If it is not what it should be, nothing of what is wanted is in it, or it is coded in another way than H.264
    /// and AAC.
    pub fn remux(&mut self, segment: &[u8], options: &Options) -> Result<Remuxed, TransportFault> {
        let Options { wanted, near, cipher } = options;
        let cipher = cipher.as_ref();
        let near = near.map(|near| near.scaled(TIMESCALE));
        let (picture, mut sound) = match adts::unpack(segment, self.continues(near))? {
            Some(sound) => (None, Some(sound)),
            None => demultiplex(segment, *wanted, cipher.is_some())?,
        };
        let first = |stream: &Option<Elementary>| Some(stream.as_ref()?.units.first()?.pts);
        let first = first(&picture).or(first(&sound)).ok_or(TransportFault::NoMedia)?;
        let times = Times::around(near, first);
        let mut data = Vec::with_capacity(segment.len());
        let pictures = match &picture {
            Some(stream) => {
                avc::write(stream, (self.parameters.as_ref(), cipher), &times, &mut data)?
            }
            None => None,
        };
        let rest = core::mem::take(&mut self.rest);
        if let (Some(stream), Some(ended)) = (&mut sound, self.sound_end) {
            adts::join(stream, &rest, ended, &times);
        }
        let frames = match &sound {
            Some(stream) => adts::write(stream, (self.sound_end, cipher), &times, &mut data)?,
            None => None,
        };
        let (is_picture, is_sound) = (picture.is_some(), sound.is_some());
        // They have been read, and are large.
        drop((picture, sound));
        let mut runs = Vec::new();
        if let Some(Pictures { base, samples, .. }) = &pictures {
            runs.push(Run { samples, base: *base, is_picture: true });
        }
        if let Some(Sound { base, samples, end, config, rest }) = &frames {
            self.rest.clone_from(rest);
            self.sound_end = Some((config.rate, *end));
            self.config = Some(*config);
            runs.push(Run { samples, base: *base, is_picture: false });
        }
        if runs.is_empty() {
            return Err(TransportFault::NoMedia);
        }
        let media = mp4::fragment(&runs, data);
        let (parameters, after) = match pictures {
            Some(Pictures { parameters, after, .. }) => (Some(parameters), Some(after)),
            // A track that rests for a segment is still there.
            None => (self.parameters.clone(), self.parameters.take()),
        };
        self.parameters = after;
        let (picture, sound) = (&self.before.0, &self.before.1);
        let parameters = parameters.as_ref().or(picture.as_ref()).filter(|_| is_picture);
        let config = self.config.as_ref().or(sound.as_ref()).filter(|_| is_sound);
        let init = mp4::init(parameters, config);
        Ok(Remuxed { init, media })
    }
}

impl Remuxer {
    /// When packed audio begins that does not say it, in units of 90 kHz: where the last ended, if that is near.
    fn continues(&self, near: Option<i64>) -> u64 {
        let near = near.unwrap_or(0);
        let end = self
            .sound_end
            .and_then(|(rate, end)| (end * i64::from(TIMESCALE)).checked_div(rate.into()));
        let end = end.filter(|end| (end - near).abs() < i64::from(TIMESCALE) / 2);
        end.unwrap_or(near).max(0) as u64
    }
}

/// The elementary streams of a transport stream that are wanted and there.
fn demultiplex(
    segment: &[u8],
    wanted: Wanted,
    decrypts: bool,
) -> Result<(Option<Elementary>, Option<Elementary>), TransportFault> {
    if !packets::look_like_packets(segment) {
        return Err(TransportFault::NotTransport);
    }
    let mut tables = Tables::default();
    let mut packets = Packets::new(segment);
    let mut chosen: Option<[Option<u16>; 2]> = None;
    let (mut picture, mut sound) = (Elementary::default(), Elementary::default());
    while let Some(packet) = packets.next_packet() {
        if tables.take(&packet) {
            if let (None, Some(streams)) = (chosen, &tables.streams) {
                chosen = Some(choose(streams, wanted, decrypts)?);
            }
            continue;
        }
        let Some([picture_pid, sound_pid]) = chosen else { continue };
        let stream = match Some(packet.pid) {
            pid if pid == picture_pid => &mut picture,
            pid if pid == sound_pid => &mut sound,
            _ => continue,
        };
        if packet.scrambled {
            return Err(TransportFault::Scrambled);
        }
        stream.take(&packet);
    }
    let [picture_pid, sound_pid] = chosen.ok_or(TransportFault::NoProgram)?;
    Ok((picture_pid.map(|_| picture), sound_pid.map(|_| sound)))
}

/// The packets of picture and of sound that are wanted: of several, the first that can be turned.
fn choose(
    streams: &[tables::Stream],
    wanted: Wanted,
    decrypts: bool,
) -> Result<[Option<u16>; 2], TransportFault> {
    let find = |[turned, encrypted]: [u8; 2], others: &[u8]| {
        let mut other = None;
        for tables::Stream { pid, stream_type } in streams {
            if *stream_type == turned || decrypts && *stream_type == encrypted {
                return Ok(Some(*pid));
            }
            if *stream_type == encrypted || others.contains(stream_type) {
                other = other.or(Some(*stream_type));
            }
        }
        match other {
            Some(stream_type) => Err(TransportFault::Unsupported { stream_type }),
            None => Ok(None),
        }
    };
    let picture = match wanted {
        Wanted::Sound => None,
        _ => find(stream_type::AVC, &[0x01, 0x02, 0x10, 0x24, 0x33])?,
    };
    let sound = match wanted {
        Wanted::Picture => None,
        _ => find(stream_type::AAC, &[0x03, 0x04, 0x11, 0x81, 0x87, 0xc1, 0xc2])?,
    };
    Ok([picture, sound])
}
