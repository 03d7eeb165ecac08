//! Multivariant playlists (RFC 8216bis §4.4.6).

mod tracks;

use super::attributes::Attributes;
use super::key::{Encryption, Key};
use super::lines::{Content, Lines};
use super::reading::Reading;
use crate::manifest::{Fault, ManifestErrorKind, Parsed, WarningCode};
use crate::presentation::{Period, Presentation, Protection, SessionData, Steering, VideoRange};

/// The most variants, renditions, keys and pieces of data, of each.
const MOST: usize = 1000;

/// Reads a multivariant playlist whose text has been checked for its first line.
pub(super) fn parse(text: &str, url: &str) -> Result<Parsed<Presentation>, Fault> {
    let mut reader = MultivariantReader {
        reading: Reading::new(url),
        variants: Vec::new(),
        still: Vec::new(),
        renditions: Vec::new(),
        pending: None,
        data: Vec::new(),
        keys: Vec::new(),
        steering: None,
    };
    let mut lines = Lines::new(text);
    for line in lines.by_ref() {
        match line.content() {
            Content::Tag { name, value } => reader.tag(name, value, line.number),
            Content::Uri(reference) => reader.uri(reference, line.number),
        }
        reader.reading.check()?;
    }
    let MultivariantReader { mut reading, mut variants, mut still, renditions, .. } = reader;
    if let Some(pending) = reader.pending {
        let message = "EXT-X-STREAM-INF is not followed by a URI";
        reading.warnings.add(pending.line, WarningCode::Missing, message);
    }
    if variants.is_empty() {
        return Err(ManifestErrorKind::Empty.at(lines.number()));
    }
    if reader.steering.is_some() {
        for variant in variants.iter_mut().chain(&mut still) {
            // It is of the pathway of this name if it says nothing (§4.4.6.2).
            variant.pathway.get_or_insert_with(|| ".".to_owned());
        }
    }
    let first = reader.steering.as_ref().and_then(|steering| steering.default_pathways.first());
    let sets = tracks::sets(variants, &still, &renditions, first, &mut reading)?;
    let presentation = Presentation {
        start: reading.start,
        periods: vec![Period { sets, ..Period::default() }],
        steering: reader.steering,
        protection: reader.keys,
        data: reader.data,
        unknown: reading.unknown,
        variables: reading.variables.into_defined(),
        ..Presentation::default()
    };
    Ok(reading.warnings.with(presentation))
}

/// `EXT-X-STREAM-INF` (RFC 8216bis §4.4.6.2), `EXT-X-I-FRAME-STREAM-INF` (§4.4.6.3) or
/// `EXT-X-IMAGE-STREAM-INF`.
#[derive(Clone, Debug, Default)]
struct Variant {
    line: u64,
    /// It asks for nothing of which a player that does not know it must not choose it.
    understood: bool,
    /// As written, variables replaced.
    reference: String,
    /// It is of images.
    images: bool,
    bandwidth: u64,
    average_bandwidth: Option<u64>,
    score: Option<f64>,
    codecs: String,
    supplemental_codecs: String,
    resolution: Option<(u32, u32)>,
    frame_rate: Option<f64>,
    video_range: VideoRange,
    hdcp: Option<String>,
    allowed_cpc: Option<String>,
    layout: Option<String>,
    audio: Option<String>,
    video: Option<String>,
    subtitles: Option<String>,
    captions: Option<String>,
    stable_id: Option<String>,
    /// `PATHWAY-ID`.
    pathway: Option<String>,
    /// It is the same stream as another, from another place.
    redundant: bool,
}

/// `EXT-X-MEDIA` (RFC 8216bis §4.4.6.1).
#[derive(Clone, Debug)]
struct Rendition {
    kind: RenditionKind,
    line: u64,
    /// As written, variables replaced; none if it is muxed into the variants.
    reference: Option<String>,
    group: String,
    name: String,
    language: Option<String>,
    associated_language: Option<String>,
    default: bool,
    auto_select: bool,
    forced: bool,
    characteristics: String,
    in_stream: Option<String>,
    channels: Option<u32>,
    sampling_rate: Option<u32>,
    bit_depth: Option<u32>,
    stable_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RenditionKind {
    Audio,
    Video,
    Subtitles,
    Captions,
}

struct MultivariantReader<'a> {
    reading: Reading<'a>,
    variants: Vec<Variant>,
    /// Those of key frames, and of images.
    still: Vec<Variant>,
    renditions: Vec<Rendition>,
    /// A variant whose URI is still to come.
    pending: Option<Variant>,
    data: Vec<SessionData>,
    keys: Vec<Protection>,
    steering: Option<Steering>,
}

impl MultivariantReader<'_> {
    fn tag(&mut self, name: &str, value: &str, line: u64) {
        match name {
            "EXT-X-STREAM-INF" => {
                if let Some(before) = &self.pending {
                    let message = "EXT-X-STREAM-INF is not followed by a URI";
                    self.reading.warnings.add(before.line, WarningCode::Missing, message);
                }
                self.pending = Some(self.variant(name, value, line));
            }
            "EXT-X-I-FRAME-STREAM-INF" | "EXT-X-IMAGE-STREAM-INF" => {
                let mut variant = self.variant(name, value, line);
                variant.images = name == "EXT-X-IMAGE-STREAM-INF";
                if variant.reference.is_empty() {
                    let message = format!("{name} lacks its URI");
                    self.reading.warnings.add(line, WarningCode::Missing, message);
                    return;
                }
                self.reading.limit(self.still.len(), "variants of key frames", line);
                if variant.understood {
                    self.still.push(variant);
                }
            }
            "EXT-X-MEDIA" => self.rendition(value, line),
            "EXT-X-SESSION-DATA" => self.session_data(value, line),
            "EXT-X-SESSION-KEY" => {
                match Key::read("EXT-X-SESSION-KEY", value, line, &mut self.reading) {
                    Some(Encryption::Key(key)) => {
                        self.reading.limit(self.keys.len(), "keys", line);
                        self.keys.extend(Key::protection(&[*key]));
                    }
                    Some(Encryption::None) => {
                        self.reading.bad_value("METHOD", "NONE", line);
                    }
                    None => {}
                }
            }
            "EXT-X-CONTENT-STEERING" => self.content_steering(value, line),
            "EXTINF" | "EXT-X-TARGETDURATION" | "EXT-X-MEDIA-SEQUENCE" => {
                let empty = self.variants.is_empty() && self.renditions.is_empty();
                let kind = match empty && self.pending.is_none() {
                    true => ManifestErrorKind::NotMultivariantPlaylist,
                    false => ManifestErrorKind::MixedPlaylist,
                };
                self.reading.fail(kind, line);
            }
            _ if self.reading.common(name, value, line) => {}
            _ => self.reading.keep_unknown(name, value, line, None, None),
        }
    }

    fn variant(&mut self, tag: &str, value: &str, line: u64) -> Variant {
        let reading = &mut self.reading;
        let attributes = Attributes::read(tag, value, line, &mut reading.warnings);
        let bandwidth = attributes.integer("BANDWIDTH", reading);
        let average_bandwidth = attributes.integer("AVERAGE-BANDWIDTH", reading);
        if bandwidth.is_none() {
            attributes.lacks("BANDWIDTH", reading);
        }
        let (video_range, understood) = match attributes.word("VIDEO-RANGE") {
            None | Some("SDR") => (VideoRange::Sdr, true),
            Some("HLG") => (VideoRange::Hlg, true),
            Some("PQ") => (VideoRange::Pq, true),
            Some(_) => (VideoRange::Sdr, false),
        };
        if !understood {
            let message = format!("{tag} of an unknown VIDEO-RANGE is left out");
            reading.warnings.add(line, WarningCode::Unsupported, message);
        }
        let word = |name| attributes.word(name).map(str::to_owned);
        Variant {
            line,
            understood,
            reference: attributes.string("URI", reading).unwrap_or_default(),
            images: false,
            bandwidth: bandwidth.or(average_bandwidth).unwrap_or(0),
            average_bandwidth,
            score: attributes.float("SCORE", reading),
            codecs: attributes.string("CODECS", reading).unwrap_or_default(),
            supplemental_codecs: attributes
                .string("SUPPLEMENTAL-CODECS", reading)
                .unwrap_or_default(),
            resolution: attributes.resolution("RESOLUTION", reading),
            frame_rate: attributes.float("FRAME-RATE", reading).filter(|&rate| rate > 0.0),
            video_range,
            hdcp: word("HDCP-LEVEL"),
            allowed_cpc: attributes.string("ALLOWED-CPC", reading),
            layout: attributes.string("REQ-VIDEO-LAYOUT", reading),
            audio: attributes.string("AUDIO", reading),
            video: attributes.string("VIDEO", reading),
            subtitles: attributes.string("SUBTITLES", reading),
            captions: match attributes.word("CLOSED-CAPTIONS") {
                None | Some("NONE") => None,
                Some(_) => attributes.string("CLOSED-CAPTIONS", reading),
            },
            stable_id: attributes.string("STABLE-VARIANT-ID", reading),
            pathway: attributes.string("PATHWAY-ID", reading),
            redundant: false,
        }
    }

    fn rendition(&mut self, value: &str, line: u64) {
        const TAG: &str = "EXT-X-MEDIA";
        let reading = &mut self.reading;
        let attributes = Attributes::read(TAG, value, line, &mut reading.warnings);
        let kind = match attributes.word("TYPE") {
            Some("AUDIO") => RenditionKind::Audio,
            Some("VIDEO") => RenditionKind::Video,
            Some("SUBTITLES") => RenditionKind::Subtitles,
            Some("CLOSED-CAPTIONS") => RenditionKind::Captions,
            _ => {
                let message = "EXT-X-MEDIA without a known TYPE is left out";
                reading.warnings.add(line, WarningCode::Missing, message);
                return;
            }
        };
        reading.limit(self.renditions.len(), "renditions", line);
        let Some(group) = attributes.need_string("GROUP-ID", reading) else { return };
        let name = attributes.need_string("NAME", reading);
        let language = attributes.string("LANGUAGE", reading);
        let reference = match kind {
            RenditionKind::Captions => None,
            RenditionKind::Subtitles => match attributes.need_string("URI", reading) {
                Some(reference) => Some(reference),
                None => return,
            },
            _ => attributes.string("URI", reading),
        };
        let in_stream = attributes.string("INSTREAM-ID", reading);
        if kind == RenditionKind::Captions && in_stream.is_none() {
            attributes.lacks("INSTREAM-ID", reading);
            return;
        }
        let channels = attributes.string("CHANNELS", reading);
        let channels = channels.as_deref().and_then(|text| text.split('/').next());
        let (default, auto_select) = (attributes.yes("DEFAULT"), attributes.yes("AUTOSELECT"));
        if default && !auto_select && attributes.word("AUTOSELECT").is_some() {
            let message = "EXT-X-MEDIA has DEFAULT=YES and AUTOSELECT=NO";
            reading.warnings.add(line, WarningCode::Inconsistent, message);
        }
        let number = |text: Option<u64>| text.and_then(|number| u32::try_from(number).ok());
        self.renditions.push(Rendition {
            kind,
            line,
            reference,
            group,
            name: name.or_else(|| language.clone()).unwrap_or_default(),
            language,
            associated_language: attributes.string("ASSOC-LANGUAGE", reading),
            default,
            auto_select: auto_select || default,
            forced: attributes.yes("FORCED"),
            characteristics: attributes.string("CHARACTERISTICS", reading).unwrap_or_default(),
            in_stream,
            channels: number(channels.and_then(crate::manifest::decimal::integer)),
            sampling_rate: number(attributes.integer("SAMPLE-RATE", reading)),
            bit_depth: number(attributes.integer("BIT-DEPTH", reading)),
            stable_id: attributes.string("STABLE-RENDITION-ID", reading),
        });
    }

    /// `EXT-X-SESSION-DATA` (RFC 8216bis §4.4.6.4).
    fn session_data(&mut self, value: &str, line: u64) {
        let reading = &mut self.reading;
        let attributes = Attributes::read("EXT-X-SESSION-DATA", value, line, &mut reading.warnings);
        let Some(id) = attributes.need_string("DATA-ID", reading) else { return };
        reading.limit(self.data.len(), "EXT-X-SESSION-DATA tags", line);
        let value = attributes.text("VALUE", reading).map(|value| value.into_owned());
        let url = attributes.url("URI", reading);
        if value.is_none() && url.is_none() {
            attributes.lacks("VALUE", reading);
        }
        let language = attributes.string("LANGUAGE", reading);
        let raw = attributes.word("FORMAT") == Some("RAW");
        if self.data.iter().any(|known| known.id == id && known.language == language) {
            reading.twice("EXT-X-SESSION-DATA of one id and language", line);
            return;
        }
        self.data.push(SessionData { id, value, url, raw, language });
    }

    /// `EXT-X-CONTENT-STEERING` (RFC 8216bis §4.4.6.6).
    fn content_steering(&mut self, value: &str, line: u64) {
        const TAG: &str = "EXT-X-CONTENT-STEERING";
        let reading = &mut self.reading;
        let attributes = Attributes::read(TAG, value, line, &mut reading.warnings);
        let Some(url) = attributes.url("SERVER-URI", reading) else {
            attributes.lacks("SERVER-URI", reading);
            return;
        };
        if self.steering.is_some() {
            reading.twice(TAG, line);
            return;
        }
        let default_pathways = attributes.string("PATHWAY-ID", reading).into_iter().collect();
        self.steering = Some(Steering { url, default_pathways, before_start: false });
    }

    fn uri(&mut self, reference: &str, line: u64) {
        let Some(mut variant) = self.pending.take() else {
            let message = "a URI without EXT-X-STREAM-INF is left out";
            self.reading.warn(line, WarningCode::Misplaced, message);
            return;
        };
        if !variant.understood {
            return;
        }
        self.reading.limit(self.variants.len(), "variants", line);
        variant.reference = self.reading.substitute(reference, line).into_owned();
        self.variants.push(variant);
    }
}

impl Reading<'_> {
    /// Notes that there is too much of something, if there is as much of it as is accepted.
    fn limit(&mut self, length: usize, what: &str, line: u64) {
        if length >= MOST {
            self.fail_limit(what, MOST, line);
        }
    }
}
