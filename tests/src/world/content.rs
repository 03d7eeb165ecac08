//! What the servers of the virtual world hold: films described by their ladder, published as HLS and
//! DASH, with media segments whose boxes are real and whose frames are only a size.

use std::collections::BTreeMap;
use std::fmt::Write;

use kinora_core::io::Request;

use super::head_of;

/// What servers hold, and how they misbehave.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    resources: BTreeMap<String, Resource>,
    faults: Vec<Fault>,
}

/// A resource: the bytes that matter, and a count of those that do not.
#[derive(Clone, Debug)]
pub struct Resource {
    /// `Content-Type`.
    pub content_type: &'static str,
    bytes: Vec<u8>,
    /// Zero bytes that follow, never held in memory.
    padding: u64,
}

/// A way in which a server misbehaves.
#[derive(Clone, Debug)]
pub struct Fault {
    /// URLs that contain this are affected.
    pub part: String,
    /// So many more times.
    pub times: u32,
    /// How.
    pub kind: FaultKind,
}

/// How a server misbehaves.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Nobody listens.
    Refuse,
    /// It answers with this status.
    Status(u16),
    /// The body breaks off after so many bytes.
    Cut(u64),
    /// Nothing comes after so many bytes, and the connection stays open.
    Stall(u64),
    /// It sends something else.
    Replace(&'static str, Vec<u8>),
}

/// How a server answers a request.
pub(crate) enum Answer {
    Refused,
    Body { status: u16, resource: Resource, cut: Option<u64>, stall: Option<u64> },
}

impl Origin {
    /// Adds a resource under an absolute URL.
    pub fn add(&mut self, url: &str, content_type: &'static str, bytes: impl Into<Vec<u8>>) {
        let resource = Resource { content_type, bytes: bytes.into(), padding: 0 };
        self.resources.insert(url.to_owned(), resource);
    }

    /// The bytes under an absolute URL.
    pub fn body(&self, url: &str) -> Option<&[u8]> {
        self.resources.get(url).map(|resource| resource.bytes.as_slice())
    }

    /// Makes it misbehave.
    pub fn fail(&mut self, part: &str, times: u32, kind: FaultKind) {
        self.faults.push(Fault { part: part.to_owned(), times, kind });
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        let active =
            |fault: &&mut Fault| fault.times > 0 && request.url.contains(fault.part.as_str());
        let fault = self.faults.iter_mut().find(active).map(|fault| {
            fault.times -= 1;
            fault.kind.clone()
        });
        let found = self.resources.get(&request.url).cloned();
        let (status, resource) = match (found, request.range) {
            (None, _) => (404, Resource::text("text/plain", "not found")),
            (Some(resource), None) => (200, resource),
            (Some(resource), Some(range)) => {
                let end = range.length.map_or(resource.size(), |length| range.start + length);
                (206, resource.part(range.start, end))
            }
        };
        let (mut cut, mut stall) = (None, None);
        let (status, resource) = match fault {
            None => (status, resource),
            Some(FaultKind::Refuse) => return Answer::Refused,
            Some(FaultKind::Status(status)) => (status, Resource::text("text/plain", "no")),
            Some(FaultKind::Replace(content_type, bytes)) => {
                (200, Resource { content_type, bytes, padding: 0 })
            }
            Some(FaultKind::Cut(at)) => {
                cut = Some(at);
                (status, resource)
            }
            Some(FaultKind::Stall(at)) => {
                stall = Some(at);
                (status, resource)
            }
        };
        Answer::Body { status, resource, cut, stall }
    }
}

impl Resource {
    fn text(content_type: &'static str, text: &str) -> Self {
        Self { content_type, bytes: text.as_bytes().to_vec(), padding: 0 }
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64 + self.padding
    }

    pub(crate) fn slice(&self, from: u64, to: u64) -> Vec<u8> {
        let byte = |at: u64| self.bytes.get(at as usize).copied().unwrap_or(0);
        (from..to.min(self.size())).map(byte).collect()
    }

    fn part(&self, from: u64, to: u64) -> Self {
        let known = self.bytes.len() as u64;
        let to = to.min(self.size());
        let bytes = self.bytes[from.min(known) as usize..to.min(known) as usize].to_vec();
        let padding = (to - from.min(to)) - bytes.len() as u64;
        Self { content_type: self.content_type, bytes, padding }
    }

    /// What precedes the first `mdat`.
    pub fn media_head(&self) -> Vec<u8> {
        head_of(&self.bytes)
    }
}

/// A film, described by its ladder.
#[derive(Clone, Debug)]
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
        }
    }
}

const TIMESCALE: u32 = 1_000;

impl Film {
    /// Everything a server needs to publish the film as `master.m3u8` and `manifest.mpd` under `base`.
    pub fn publish(&self, base: &str) -> Origin {
        let mut origin = Origin::default();
        origin.add(
            &format!("{base}/master.m3u8"),
            "application/vnd.apple.mpegurl",
            self.multivariant(),
        );
        origin.add(&format!("{base}/manifest.mpd"), "application/dash+xml", self.mpd());
        for (name, kbps, video) in self.renditions() {
            let folder = format!("{base}/{name}");
            origin.add(
                &format!("{folder}/media.m3u8"),
                "application/vnd.apple.mpegurl",
                self.playlist(video),
            );
            origin.add(&format!("{folder}/init.mp4"), "video/mp4", init_segment(video));
            for number in 0..self.segments() {
                let (start, duration) = self.segment(number, video);
                let size = u64::from(kbps) * 125 * u64::from(duration) / 1_000;
                let head =
                    media_segment(u64::from(self.media_start) * 1_000 + u64::from(start), duration);
                let padding = size.saturating_sub(head.len() as u64);
                let resource = Resource { content_type: "video/iso.segment", bytes: head, padding };
                origin.resources.insert(format!("{folder}/{number}.m4s"), resource);
            }
        }
        origin
    }

    fn renditions(&self) -> Vec<(String, u32, bool)> {
        let video = self.rungs.iter().map(|(kbps, height)| (format!("v{height}"), *kbps, true));
        let audio = self.audio_kbps.map(|kbps| ("audio".to_owned(), kbps, false));
        video.chain(audio).collect()
    }

    fn segments(&self) -> u32 {
        self.seconds.div_ceil(self.segment_seconds)
    }

    /// Start and duration of a segment, in milliseconds.
    fn segment(&self, number: u32, video: bool) -> (u32, u32) {
        let boundary = |number: u32| {
            let lag = if video || number == 0 { 0 } else { self.audio_lag };
            (number * self.segment_seconds * 1_000 + lag).min(self.seconds * 1_000)
        };
        (boundary(number), boundary(number + 1) - boundary(number))
    }

    fn multivariant(&self) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        let mut group = "";
        let mut codecs = "avc1.64001f";
        if self.audio_kbps.is_some() {
            text += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"English\",LANGUAGE=\"en\",\
                     DEFAULT=YES,AUTOSELECT=YES,URI=\"audio/media.m3u8\"\n";
            group = ",AUDIO=\"sound\"";
            codecs = "avc1.64001f,mp4a.40.2";
        }
        for (kbps, height) in &self.rungs {
            let bandwidth = (kbps + self.audio_kbps.unwrap_or(0)) * 1_000;
            let width = height * 16 / 9;
            let _ = writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},RESOLUTION={width}x{height},\
                 CODECS=\"{codecs}\"{group}\nv{height}/media.m3u8"
            );
        }
        text
    }

    fn playlist(&self, video: bool) -> String {
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXT-X-MAP:URI=\"init.mp4\"\n",
            self.segment_seconds
        );
        for number in 0..self.segments() {
            let (_, duration) = self.segment(number, video);
            let _ = write!(
                text,
                "#EXTINF:{}.{:03},\n{number}.m4s\n",
                duration / 1_000,
                duration % 1_000
            );
        }
        text + "#EXT-X-ENDLIST\n"
    }

    fn mpd(&self) -> String {
        let template = format!(
            "<SegmentTemplate timescale=\"{TIMESCALE}\" duration=\"{}\" startNumber=\"0\" \
             presentationTimeOffset=\"{}\" initialization=\"$RepresentationID$/init.mp4\" \
             media=\"$RepresentationID$/$Number$.m4s\"/>",
            self.segment_seconds * TIMESCALE,
            self.media_start * TIMESCALE,
        );
        let mut text = format!(
            "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
             mediaPresentationDuration=\"PT{}S\" minBufferTime=\"PT2S\" \
             profiles=\"urn:mpeg:dash:profile:isoff-live:2011\">\n<Period>\n\
             <AdaptationSet contentType=\"video\" mimeType=\"video/mp4\" segmentAlignment=\"true\">\n\
             {template}\n",
            self.seconds
        );
        for (kbps, height) in &self.rungs {
            let _ = writeln!(
                text,
                "<Representation id=\"v{height}\" bandwidth=\"{}\" codecs=\"avc1.64001f\" \
                 width=\"{}\" height=\"{height}\"/>",
                kbps * 1_000,
                height * 16 / 9
            );
        }
        text += "</AdaptationSet>\n";
        if let Some(kbps) = self.audio_kbps {
            let _ = write!(
                text,
                "<AdaptationSet contentType=\"audio\" mimeType=\"audio/mp4\" lang=\"en\">\n{template}\n\
                 <Representation id=\"audio\" bandwidth=\"{}\" codecs=\"mp4a.40.2\"/>\n\
                 </AdaptationSet>\n",
                kbps * 1_000
            );
        }
        text + "</Period>\n</MPD>\n"
    }
}

// ---- boxes (ISO/IEC 14496-12) -----------------------------------------------------------------------

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
    whole.extend(kind);
    whole.extend(body);
    whole
}

fn full(kind: &[u8; 4], version: u8, flags: u32, words: &[u32]) -> Vec<u8> {
    let mut body = (u32::from(version) << 24 | flags).to_be_bytes().to_vec();
    body.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    boxed(kind, &body)
}

fn init_segment(video: bool) -> Vec<u8> {
    let (handler, entry) = if video {
        let mut body = vec![0; 24];
        body.extend(1280u16.to_be_bytes());
        body.extend(720u16.to_be_bytes());
        body.extend([0; 50]);
        body.extend(boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff, 0xe0, 0]));
        (b"vide", boxed(b"avc1", &body))
    } else {
        (b"soun", boxed(b"mp4a", &[0; 28]))
    };
    let mut stsd = vec![0, 0, 0, 0, 0, 0, 0, 1];
    stsd.extend(entry);
    let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
    let mut hdlr = vec![0; 8];
    hdlr.extend(handler);
    hdlr.extend([0; 13]);
    let mut mdia = full(b"mdhd", 0, 0, &[0, 0, TIMESCALE, 0, 0]);
    mdia.extend(boxed(b"hdlr", &hdlr));
    mdia.extend(boxed(b"minf", &stbl));
    let mut trak = full(b"tkhd", 0, 3, &[0, 0, 1, 0, 0]);
    trak.extend(boxed(b"mdia", &mdia));
    let mut moov = full(b"mvhd", 0, 0, &[0, 0, TIMESCALE, 0]);
    moov.extend(boxed(b"trak", &trak));
    moov.extend(boxed(b"mvex", &full(b"trex", 0, 0, &[1, 1, 0, 0, 0])));
    let mut whole = boxed(b"ftyp", b"cmfc\0\0\0\0");
    whole.extend(boxed(b"moov", &moov));
    whole
}

/// The head of a segment and the header of its `mdat`.
fn media_segment(start: u64, duration: u32) -> Vec<u8> {
    // One sample as long as the segment: the player never looks at frames.
    let mut traf = full(b"tfhd", 0, 0x02_0008, &[1, duration]);
    traf.extend(full(b"tfdt", 1, 0, &[(start >> 32) as u32, start as u32]));
    traf.extend(full(b"trun", 0, 0, &[1]));
    let mut moof = full(b"mfhd", 0, 0, &[1]);
    moof.extend(boxed(b"traf", &traf));
    let mut whole = boxed(b"moof", &moof);
    // A size of zero: to the end of the file (§4.2).
    whole.extend([0, 0, 0, 0]);
    whole.extend(b"mdat");
    whole
}
