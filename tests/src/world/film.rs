//! Films described by their ladder, published as HLS and DASH, with media segments whose boxes are
//! real and whose frames are only a size.

mod sealed;
mod subtitles;
mod transport;

use std::fmt::Write;

pub use sealed::Sealing;
pub(super) use subtitles::span_of;
pub use transport::Carriage;
pub(super) use transport::live_segment;

use kinora_core::io::MediaKind;
use kinora_core::time::{MediaTime, TimeRange};

use super::boxes::{self, OwnKey, Track};
use super::content::{Origin, Resource};
use super::invariants::Truth;

/// A film, described by its ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct Film {
    /// Whole seconds.
    pub seconds: u32,
    /// Seconds of a segment.
    pub segment_seconds: u32,
    /// Video rungs: kbit/s and height, lowest first.
    pub rungs: Vec<(u32, u32)>,
    /// Audio in kbit/s, if there is sound.
    pub audio_kbps: Option<u32>,
    /// Media time of the first frame, in seconds.
    pub media_start: u32,
    /// Milliseconds by which segments of sound begin later than those of the picture, the first
    /// excepted: frames of sound do not fit the picture's segments. Only HLS tells of it.
    pub audio_lag: u32,
    /// Tracks of sound, each in a language of its own.
    pub languages: u32,
    /// It has subtitles, of every kind that its format knows, and captions inside the picture.
    pub subtitles: bool,
    /// Where the film goes on as a new discontinuity (HLS) or period (DASH).
    pub parts: Vec<Part>,
    /// Segments are up to so many percent larger or smaller than their rung says.
    pub variation: u32,
    /// How segments are named.
    pub addressing: Addressing,
    /// How its samples are encrypted, if they are.
    pub protection: Option<Protection>,
    /// Segments begin up to so many milliseconds before or after where manifests and indexes say.
    pub wobble_ms: u32,
    /// The last frame of a segment of pictures reaches so many milliseconds into the next segment.
    pub overhang_ms: u32,
    /// Samples of a segment.
    pub samples: u32,
    /// Segments that there are in no quality. HLS tells of it (`EXT-X-GAP`).
    pub gaps: Vec<u32>,
}

/// How samples are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The key of everything.
    pub key_id: [u8; 16],
    /// From so many lines on, pictures have a key of their own.
    pub better: Option<(u32, [u8; 16])>,
    /// Lines of a media playlist that tell of it; `$KID$` stands for the key's id in hexadecimal digits.
    pub hls: String,
    /// Elements of a representation that tell of it; `$UUID$` stands for the key's id.
    pub dash: String,
    /// Other keys from time to time, that only fragments name.
    pub rotation: Option<Rotation>,
}

/// Keys that change, and that only fragments name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// For so many segments there is one.
    pub every: u32,
    /// By `pssh` boxes, too.
    pub announced: bool,
}

impl Rotation {
    /// The key of a segment.
    pub fn key(self, number: u32) -> [u8; 16] {
        [0x80 + (number / self.every) as u8; 16]
    }
}

impl Protection {
    fn key_of(&self, rendition: &Rendition) -> [u8; 16] {
        let lines = rendition.name.strip_prefix('v').and_then(|lines| lines.parse::<u32>().ok());
        match (self.better, lines) {
            (Some((from, key)), Some(lines)) if lines >= from => key,
            _ => self.key_id,
        }
    }

    fn told(&self, text: &str, rendition: &Rendition) -> String {
        let digits = format!("{:032x}", u128::from_be_bytes(self.key_of(rendition)));
        let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &digits[range]);
        text.replace("$KID$", &digits).replace("$UUID$", &parts.join("-"))
    }
}

/// Where a film goes on with another clock, and maybe another codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of its first segment.
    pub segment: u32,
    /// Media time of its first frame, in seconds.
    pub media_start: u32,
    /// How the picture is coded.
    pub codec: Codec,
}

/// How a picture is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// H.264.
    #[default]
    Avc,
    /// H.265.
    Hevc,
}

/// How segments are named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// A file each, named by number; DASH counts durations.
    #[default]
    Number,
    /// A file each; DASH lists durations (`SegmentTimeline`).
    Timeline,
    /// Parts of one file, listed by byte ranges (HLS) or by an index inside it (DASH).
    OneFile,
}

impl Default for Film {
    fn default() -> Self {
        Self {
            seconds: 60,
            segment_seconds: 2,
            rungs: vec![(300, 240), (750, 360), (1_500, 480), (3_000, 720), (6_000, 1080)],
            audio_kbps: Some(96),
            media_start: 0,
            audio_lag: 0,
            languages: 1,
            subtitles: false,
            parts: Vec::new(),
            variation: 0,
            addressing: Addressing::Number,
            protection: None,
            wobble_ms: 0,
            overhang_ms: 0,
            samples: 1,
            gaps: Vec::new(),
        }
    }
}

impl Codec {
    fn entry(self) -> &'static [u8; 4] {
        match self {
            Self::Avc => b"avc1",
            Self::Hevc => b"hvc1",
        }
    }

    /// The codec string (RFC 6381).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avc => "avc1.64001f",
            Self::Hevc => "hvc1.1.6.L93.B0",
        }
    }
}

const TIMESCALE: u32 = 1_000;
const LANGUAGES: [&str; 4] = ["en", "de", "fr", "ja"];

/// One representation.
struct Rendition {
    name: String,
    kbps: u32,
    video: bool,
}

impl Film {
    /// Everything a server needs to publish the film as `master.m3u8` and `manifest.mpd` under `base`.
    pub fn publish(&self, base: &str) -> Origin {
        let mut origin = self.origin();
        for gap in self.gaps.iter().filter(|gap| **gap < self.segments()) {
            let (start, duration) = self.listed(*gap, true);
            let start = MediaTime::from_millis(start.into());
            let end = start + MediaTime::from_millis(duration.into());
            origin.holes.push(TimeRange { start, end });
        }
        let hls = "application/vnd.apple.mpegurl";
        origin.add(&format!("{base}/master.m3u8"), hls, self.multivariant());
        origin.add(&format!("{base}/manifest.mpd"), "application/dash+xml", self.mpd());
        if self.subtitles {
            self.publish_subtitles(base, &mut origin);
        }
        for rendition in self.renditions() {
            let folder = format!("{base}/{}", rendition.name);
            origin.add(&format!("{folder}/media.m3u8"), hls, self.playlist(&rendition));
            for part in 0..=self.parts.len() {
                let track = self.track(part, &rendition);
                let init = boxes::init_segment(track);
                if self.addressing == Addressing::OneFile {
                    let file = self.file(part, &rendition);
                    let url = format!("{folder}/media-{part}.mp4");
                    let mut at = file.init + file.index;
                    for number in self.part_segments(part) {
                        let size = self.size(number, &rendition);
                        origin.know(&url, at, size, self.truth(number, &rendition));
                        at += size;
                    }
                    origin.add_resource(url, file.resource);
                } else {
                    origin.add(&format!("{folder}/init-{part}.mp4"), "video/mp4", init.clone());
                    if part == 0 {
                        origin.add(&format!("{folder}/init.mp4"), "video/mp4", init);
                    }
                }
            }
            if self.addressing != Addressing::OneFile {
                for number in (0..self.segments()).filter(|number| !self.gaps.contains(number)) {
                    let (head, size) = self.media_segment(number, &rendition);
                    let resource = Resource::sparse("video/iso.segment", size, vec![(0, head)]);
                    let url = format!("{folder}/{number}.m4s");
                    origin.know(&url, 0, size, self.truth(number, &rendition));
                    origin.add_resource(url, resource);
                }
            }
        }
        origin
    }

    /// A server that has nothing of it yet, and knows how wrong manifests are.
    fn origin(&self) -> Origin {
        let mut origin = Origin::default();
        origin.slack = MediaTime::from_millis(self.wobble_ms.into());
        origin
    }

    /// Name of a track of sound.
    pub fn audio_name(language: u32) -> String {
        if language == 0 { "audio".to_owned() } else { format!("audio-{language}") }
    }

    /// Number of segments of each representation.
    pub fn segments(&self) -> u32 {
        self.seconds.div_ceil(self.segment_seconds)
    }

    /// Start and duration of a segment on the presentation timeline, in milliseconds.
    pub fn segment(&self, number: u32, video: bool) -> (u32, u32) {
        let boundary =
            |number| self.boundary(number, video).saturating_add_signed(self.wobble(number, video));
        (boundary(number), boundary(number + 1) - boundary(number))
    }

    /// The same, as manifests and indexes say.
    fn listed(&self, number: u32, video: bool) -> (u32, u32) {
        let start = self.boundary(number, video);
        (start, self.boundary(number + 1, video) - start)
    }

    fn boundary(&self, number: u32, video: bool) -> u32 {
        let lag = if video || number == 0 { 0 } else { self.audio_lag };
        (number * self.segment_seconds * 1_000 + lag).min(self.seconds * 1_000)
    }

    /// By how much the truth is off at the beginning of a segment: nothing where the film or a part of it begins or ends.
    fn wobble(&self, number: u32, video: bool) -> i32 {
        let fixed = number == 0
            || number >= self.segments()
            || self.parts.iter().any(|part| part.segment == number);
        if self.wobble_ms == 0 || fixed {
            return 0;
        }
        let most = self.wobble_ms as i32;
        fastrand::Rng::with_seed(u64::from(number) * 2 + u64::from(video)).i32(-most..=most)
    }

    fn renditions(&self) -> Vec<Rendition> {
        let video = self.rungs.iter().map(|(kbps, height)| Rendition {
            name: format!("v{height}"),
            kbps: *kbps,
            video: true,
        });
        let audio = (0..self.languages).filter_map(|language| {
            let kbps = self.audio_kbps?;
            Some(Rendition { name: Self::audio_name(language), kbps, video: false })
        });
        video.chain(audio).collect()
    }

    fn truth(&self, number: u32, rendition: &Rendition) -> Truth {
        let (start, duration) = self.segment(number, rendition.video);
        let start = MediaTime::from_millis(start.into());
        Truth {
            kind: if rendition.video { MediaKind::Video } else { MediaKind::Audio },
            representation: rendition.name.clone(),
            kbps: rendition.kbps,
            number,
            range: TimeRange { start, end: start + MediaTime::from_millis(duration.into()) },
        }
    }

    fn part_of(&self, number: u32) -> usize {
        self.parts.iter().take_while(|part| part.segment <= number).count()
    }

    fn part_segments(&self, part: usize) -> std::ops::Range<u32> {
        let start = if part == 0 { 0 } else { self.parts[part - 1].segment };
        let end = self.parts.get(part).map_or(self.segments(), |next| next.segment);
        start..end.min(self.segments())
    }

    /// Media time of a part's first frame, in milliseconds.
    fn clock(&self, part: usize) -> u64 {
        let start = if part == 0 { self.media_start } else { self.parts[part - 1].media_start };
        u64::from(start) * 1_000
    }

    fn track(&self, part: usize, rendition: &Rendition) -> Track {
        let codec = if part == 0 { Codec::Avc } else { self.parts[part - 1].codec };
        let entry = if rendition.video { codec.entry() } else { b"mp4a" };
        let key_id = self.protection.as_ref().map(|protection| protection.key_of(rendition));
        Track { video: rendition.video, entry, timescale: TIMESCALE, key_id }
    }

    fn size(&self, number: u32, rendition: &Rendition) -> u64 {
        let (_, duration) = self.segment(number, rendition.video);
        let size = u64::from(rendition.kbps) * 125 * u64::from(duration) / 1_000;
        if self.variation == 0 {
            return size.max(200);
        }
        // The same for every rung: a scene that costs much costs all of them much.
        let draw =
            fastrand::Rng::with_seed(u64::from(number)).u64(0..=u64::from(self.variation) * 2);
        (size * (100 + draw - u64::from(self.variation)) / 100).max(200)
    }

    /// The boxes of a segment, and its size.
    fn media_segment(&self, number: u32, rendition: &Rendition) -> (Vec<u8>, u64) {
        let (start, duration) = self.segment(number, rendition.video);
        let part = self.part_of(number);
        let (first, _) = self.segment(self.part_segments(part).start, true);
        let media_time = self.clock(part) + u64::from(start - first);
        let size = self.size(number, rendition);
        let rotation = self.protection.as_ref().and_then(|protection| protection.rotation);
        let own = rotation
            .map(|rotation| OwnKey { id: rotation.key(number), announced: rotation.announced });
        let overhang = if rendition.video { self.overhang_ms } else { 0 };
        (boxes::media_segment((media_time, duration + overhang), (size, self.samples), own), size)
    }

    fn multivariant(&self) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        let mut group = "";
        let mut codecs = Codec::Avc.name().to_owned();
        if self.audio_kbps.is_some() {
            for language in 0..self.languages {
                let default = if language == 0 { "YES" } else { "NO" };
                let tag = LANGUAGES[language as usize % LANGUAGES.len()];
                let _ = writeln!(
                    text,
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"{tag} {language}\",\
                     LANGUAGE=\"{tag}\",DEFAULT={default},AUTOSELECT=YES,URI=\"{}/media.m3u8\"",
                    Self::audio_name(language)
                );
            }
            group = ",AUDIO=\"sound\"";
            codecs += ",mp4a.40.2";
        }
        let mut written = "";
        if self.subtitles {
            text += subtitles::GROUPS;
            written = subtitles::IN_THEM;
        }
        for (kbps, height) in &self.rungs {
            let bandwidth = (kbps + self.audio_kbps.unwrap_or(0)) * 1_000;
            let width = height * 16 / 9;
            let _ = writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height},\
                 CODECS=\"{codecs}\"{group}{written}\nv{height}/media.m3u8"
            );
        }
        text
    }

    fn playlist(&self, rendition: &Rendition) -> String {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n",
            self.segment_seconds
        );
        if let Some(protection) = &self.protection {
            text += &protection.told(&protection.hls, rendition);
        }
        for part in 0..=self.parts.len() {
            if part > 0 {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            let file = (self.addressing == Addressing::OneFile).then(|| self.file(part, rendition));
            match &file {
                Some(file) => {
                    let init = file.init;
                    let _ = writeln!(
                        text,
                        "#EXT-X-MAP:URI=\"media-{part}.mp4\",BYTERANGE=\"{init}@0\""
                    );
                }
                None if self.parts.is_empty() => text += "#EXT-X-MAP:URI=\"init.mp4\"\n",
                None => {
                    let _ = writeln!(text, "#EXT-X-MAP:URI=\"init-{part}.mp4\"");
                }
            }
            let mut at = file.as_ref().map_or(0, |file| file.init + file.index);
            for number in self.part_segments(part) {
                let (_, duration) = self.listed(number, rendition.video);
                if self.gaps.contains(&number) {
                    text += "#EXT-X-GAP\n";
                }
                let _ = writeln!(text, "#EXTINF:{}.{:03},", duration / 1_000, duration % 1_000);
                if file.is_some() {
                    let size = self.size(number, rendition);
                    let _ = writeln!(text, "#EXT-X-BYTERANGE:{size}@{at}\nmedia-{part}.mp4");
                    at += size;
                } else {
                    let _ = writeln!(text, "{number}.m4s");
                }
            }
        }
        text + "#EXT-X-ENDLIST\n"
    }

    fn mpd(&self) -> String {
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
             mediaPresentationDuration=\"PT{}S\" minBufferTime=\"PT2S\" \
             profiles=\"urn:mpeg:dash:profile:isoff-live:2011\">\n",
            self.seconds
        );
        for part in 0..=self.parts.len() {
            self.mpd_period(part, &mut text);
        }
        text + "</MPD>\n"
    }

    fn mpd_period(&self, part: usize, text: &mut String) {
        let segments = self.part_segments(part);
        let (start, _) = self.segment(segments.start, true);
        let _ = if self.parts.is_empty() {
            writeln!(text, "<Period>")
        } else {
            writeln!(text, "<Period id=\"p{part}\" start=\"PT{}S\">", start / 1_000)
        };
        let mut renditions = self.renditions();
        let sound = renditions.split_off(self.rungs.len());
        let codec = if part == 0 { Codec::Avc } else { self.parts[part - 1].codec };
        *text += "<AdaptationSet contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\">\n";
        let protection = |rendition: &Rendition| {
            let protection = self.protection.as_ref();
            protection.map_or_else(String::new, |one| one.told(&one.dash, rendition))
        };
        for (rendition, (kbps, height)) in renditions.iter().zip(&self.rungs) {
            let _ = write!(
                text,
                "<Representation id=\"v{height}\" bandwidth=\"{}\" codecs=\"{}\" width=\"{}\" \
                 height=\"{height}\">\n{}{}</Representation>\n",
                kbps * 1_000,
                codec.name(),
                height * 16 / 9,
                protection(rendition),
                self.mpd_segments(part, rendition),
            );
        }
        *text += "</AdaptationSet>\n";
        for (language, rendition) in sound.iter().enumerate() {
            let _ = write!(
                text,
                "<AdaptationSet contentType=\"audio\" mimeType=\"audio/mp4\" lang=\"{}\">\n\
                 <Representation id=\"{}\" bandwidth=\"{}\" codecs=\"mp4a.40.2\">\n{}{}\
                 </Representation>\n</AdaptationSet>\n",
                LANGUAGES[language % LANGUAGES.len()],
                rendition.name,
                rendition.kbps * 1_000,
                protection(rendition),
                self.mpd_segments(part, rendition),
            );
        }
        if self.subtitles {
            *text += subtitles::SETS;
        }
        *text += "</Period>\n";
    }

    fn mpd_segments(&self, part: usize, rendition: &Rendition) -> String {
        let segments = self.part_segments(part);
        let (name, offset) = (&rendition.name, self.clock(part));
        let init = if self.parts.is_empty() { "init".to_owned() } else { format!("init-{part}") };
        let template = format!(
            "<SegmentTemplate timescale=\"{TIMESCALE}\" startNumber=\"{}\" \
             presentationTimeOffset=\"{offset}\" initialization=\"{name}/{init}.mp4\" \
             media=\"{name}/$Number$.m4s\"",
            segments.start
        );
        match self.addressing {
            Addressing::Number => {
                format!("{template} duration=\"{}\"/>\n", self.segment_seconds * TIMESCALE)
            }
            Addressing::Timeline => {
                let (first, _) = self.listed(segments.start, true);
                let mut text = format!("{template}><SegmentTimeline>");
                for number in segments {
                    let (start, duration) = self.listed(number, rendition.video);
                    let time = offset + u64::from(start - first);
                    let _ = write!(text, "<S t=\"{time}\" d=\"{duration}\"/>");
                }
                text + "</SegmentTimeline></SegmentTemplate>\n"
            }
            Addressing::OneFile => {
                let file = self.file(part, rendition);
                let index_end = file.init + file.index - 1;
                format!(
                    "<BaseURL>{name}/media-{part}.mp4</BaseURL><SegmentBase timescale=\"{TIMESCALE}\" \
                     presentationTimeOffset=\"{offset}\" indexRange=\"{}-{index_end}\">\
                     <Initialization range=\"0-{}\"/></SegmentBase>\n",
                    file.init,
                    file.init - 1,
                )
            }
        }
    }

    /// All of a part in one file: initialisation segment, index, segments.
    fn file(&self, part: usize, rendition: &Rendition) -> File {
        let init = boxes::init_segment(self.track(part, rendition));
        let segments = self.part_segments(part);
        let sizes: Vec<(u32, u32)> = segments
            .clone()
            .map(|number| {
                let (_, duration) = self.listed(number, rendition.video);
                (self.size(number, rendition) as u32, duration)
            })
            .collect();
        let (lag, _) = self.listed(segments.start, rendition.video);
        let (first, _) = self.segment(segments.start, true);
        let start = self.clock(part) + u64::from(lag - first);
        let index = boxes::segment_index(TIMESCALE, start, &sizes);
        let lengths = (init.len() as u64, index.len() as u64);
        let mut pieces = vec![(0, init), (lengths.0, index)];
        let mut at = lengths.0 + lengths.1;
        for number in segments {
            let (head, size) = self.media_segment(number, rendition);
            pieces.push((at, head));
            at += size;
        }
        File {
            init: lengths.0,
            index: lengths.1,
            resource: Resource::sparse("video/mp4", at, pieces),
        }
    }
}

struct File {
    /// Bytes of the initialisation segment.
    init: u64,
    /// Bytes of the index.
    index: u64,
    resource: Resource,
}
