//! What the servers of the virtual world hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kinora_core::io::{MediaKind, Request};
use kinora_core::media;
use kinora_core::time::{MediaTime, TimeRange, Timestamp};

pub use super::fault::{Fault, FaultKind, Struck};
pub use super::film::Film;
use super::invariants::Truth;
use super::live::{Broadcast, http_date};

/// What servers hold, and how they misbehave.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    resources: BTreeMap<String, Resource>,
    /// What is being made, if anything is.
    pub broadcast: Option<Broadcast>,
    /// Where there is nothing, and manifests say so.
    pub holes: Vec<TimeRange>,
    /// By so much manifests may be wrong about where segments lie.
    pub slack: MediaTime,
    /// What is true of segments, by the names of their resources.
    truths: HashMap<Box<str>, Truth>,
    /// Names of the representations that segments are known of.
    tracks: BTreeSet<String>,
    faults: Vec<Fault>,
    /// `CMSD-Dynamic` of all answers.
    pub cmsd_dynamic: Option<String>,
    /// How often the network took away what a server would have delivered.
    pub(crate) interruptions: u32,
    largest: u64,
    /// Faults that struck.
    pub struck: Vec<Struck>,
}

/// A resource: the bytes that matter, and how many there are of those that do not.
#[derive(Clone, Debug)]
pub struct Resource {
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The URL it was asked for by, and the first byte of the part.
    pub name: Arc<str>,
    /// Bytes in all; those that no piece holds are zero, and never held in memory.
    size: u64,
    /// Offset and bytes, in order.
    pieces: Vec<(u64, Arc<[u8]>)>,
    /// Frames from this offset on are damaged.
    pub(crate) damaged_from: Option<u64>,
    /// Bytes there would be, were it whole.
    pub(crate) whole: u64,
    /// The resource that it is a fragment of, which the player made, and whether it is the last.
    pub(crate) cut_from: Option<(Arc<str>, bool)>,
}

/// How a server answers a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) resource: Resource,
    pub(crate) status: u16,
    /// Nobody listens.
    pub(crate) refused: bool,
    /// Nothing is ever said.
    pub(crate) silent: bool,
    /// The body breaks off after so many bytes.
    pub(crate) cut: Option<u64>,
    pub(crate) stall: Option<u64>,
    pub(crate) kbps: Option<u64>,
    pub(crate) delay: Duration,
    pub(crate) retry_after: Option<u32>,
    /// `Content-Length`, if the server gives it.
    pub(crate) promised: Option<u64>,
    /// Where it was found after redirects.
    pub(crate) url: String,
    /// When how many bytes are there, if it is being made.
    pub(crate) made: Vec<(Timestamp, u64)>,
    /// `Date`.
    pub(crate) date: Option<String>,
}

impl Origin {
    /// Holds what the other holds, too.
    pub fn merge(&mut self, other: Self) {
        self.resources.extend(other.resources);
        self.truths.extend(other.truths);
        self.tracks.extend(other.tracks);
        self.know_flaws(other.slack, other.holes);
        self.faults.extend(other.faults);
        self.largest = self.largest.max(other.largest);
    }

    /// Adds a resource under an absolute URL.
    pub fn add(&mut self, url: &str, content_type: &'static str, bytes: impl Into<Vec<u8>>) {
        self.resources.insert(url.to_owned(), Resource::new(content_type, bytes.into()));
    }

    /// Adds a resource, of which not every byte may matter, under an absolute URL.
    pub fn add_resource(&mut self, url: String, resource: Resource) {
        self.resources.insert(url, resource);
    }

    /// Says what is true of the segment that is asked for by a URL, from this byte on.
    pub fn know(&mut self, url: &str, start: u64, bytes: u64, truth: Truth) {
        self.largest = self.largest.max(bytes);
        if !self.tracks.contains(&truth.representation) {
            self.tracks.insert(truth.representation.clone());
        }
        self.truths.insert(format!("{url}#{start}").into(), truth);
    }

    /// What is true of a segment, if that was said.
    pub(crate) fn truth(&self, name: &str) -> Option<&Truth> {
        self.truths.get(name)
    }

    /// Names of what there is of a segment, in all qualities.
    pub(crate) fn names(&self, kind: MediaKind, number: u32) -> impl Iterator<Item = &str> {
        let all = self.truths.iter();
        let found = all.filter(move |(_, truth)| (truth.kind, truth.number) == (kind, number));
        found.map(|(name, _)| &**name)
    }

    /// URLs of the qualities in which a segment of the picture is there.
    pub(crate) fn representations(&self, number: u32) -> Vec<&str> {
        let of_number = |truth: &Truth| truth.kind == MediaKind::Video && truth.number == number;
        let found = self.truths.iter().filter(|(_, truth)| of_number(truth));
        found.filter_map(|(name, _)| name.rsplit_once('#').map(|(url, _)| url)).collect()
    }

    /// URLs of a segment of the picture in lower qualities.
    pub(crate) fn lower(&self, than: &Truth) -> Vec<&str> {
        let lower = |truth: &Truth| {
            (truth.kind, truth.number) == (than.kind, than.number) && truth.kbps < than.kbps
        };
        let found = self.truths.iter().filter(|(_, truth)| lower(truth));
        found.filter_map(|(name, _)| name.rsplit_once('#').map(|(url, _)| url)).collect()
    }

    /// Whether there is a representation of this name.
    pub(crate) fn has_representation(&self, name: &str) -> bool {
        self.tracks.contains(name)
    }

    /// Bytes of the largest segment.
    pub(crate) fn largest_segment(&self) -> u64 {
        self.largest.max(self.broadcast.as_ref().map_or(0, Broadcast::largest_segment))
    }

    /// The bytes under an absolute URL, as far as they matter.
    pub fn body(&self, url: &str) -> Option<&[u8]> {
        self.resources.get(url)?.pieces.first().map(|(_, bytes)| &**bytes)
    }

    /// Makes it misbehave. Of several faults that fit a request, the first strikes.
    pub fn fail(&mut self, part: &str, times: u32, kind: FaultKind) {
        self.faults.push(Fault { part: part.to_owned(), times, kind });
    }

    /// Makes it behave again.
    pub fn heal(&mut self, part: &str) {
        self.faults.retain(|fault| fault.part != part);
    }

    /// Takes in what another holds.
    pub fn join(&mut self, other: Self) {
        self.resources.extend(other.resources);
        self.truths.extend(other.truths);
        self.faults.extend(other.faults);
        self.largest = self.largest.max(other.largest);
        self.know_flaws(other.slack, other.holes);
        self.tracks.extend(other.tracks);
    }

    fn know_flaws(&mut self, slack: MediaTime, holes: Vec<TimeRange>) {
        self.slack = self.slack.max(slack);
        let new: Vec<_> = holes.into_iter().filter(|hole| !self.holes.contains(hole)).collect();
        self.holes.extend(new);
    }

    /// The name of what a URL asks for: few servers look at a query.
    fn name<'a>(&self, url: &'a str) -> &'a str {
        if self.resources.contains_key(url) {
            return url;
        }
        url.split_once('?').map_or(url, |(before, _)| before)
    }

    /// Faults that have not run out.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().filter(|fault| fault.times > 0)
    }

    /// The fault that strikes a request, used up by one.
    fn fault_of(&mut self, url: &str, now: Timestamp) -> Option<FaultKind> {
        let active = |fault: &&mut Fault| fault.times > 0 && url.contains(fault.part.as_str());
        let fault = self.faults.iter_mut().find(active)?;
        fault.times -= 1;
        let kind = fault.kind.clone();
        self.strike(url, &kind, now);
        Some(kind)
    }

    fn strike(&mut self, url: &str, kind: &FaultKind, now: Timestamp) {
        self.struck.push(Struck {
            at: now,
            url: url.to_owned(),
            name: kind.name(),
            is_final: kind.is_final(),
            patience: kind.patience(),
            kbps: kind.kbps(),
        });
    }

    pub(crate) fn answer(&mut self, request: &Request, now: Timestamp) -> Answer {
        let fault = self.fault_of(&request.url, now);
        let name = self.name(&request.url);
        let live = self.broadcast.as_mut().and_then(|live| live.answer(request, now));
        if fault.is_none() && live.is_none() && !self.resources.contains_key(name) {
            self.strike(&request.url, &FaultKind::Status(404), now);
        }
        let found = self.resources.get(name);
        let (mut delay, mut made) = (Duration::ZERO, Vec::new());
        let (status, mut resource) = match (live, found, request.range) {
            (Some(live), ..) => {
                (delay, made) = (live.delay, live.made);
                (live.status, live.resource)
            }
            (None, None, _) => (404, Resource::text("not found")),
            (None, Some(resource), None) => (200, resource.clone()),
            (None, Some(resource), Some(range)) => {
                let end = range.length.map_or(resource.size, |length| range.start + length);
                (206, resource.part(range.start, end))
            }
        };
        let start = request.range.map_or(0, |range| range.start);
        resource.name = format!("{name}#{start}").into();
        let mut answer = Answer {
            // What is being made has no length yet.
            promised: Some(resource.size).filter(|_| made.is_empty()),
            made,
            resource,
            status,
            refused: false,
            silent: false,
            cut: None,
            stall: None,
            kbps: None,
            delay,
            retry_after: None,
            url: request.url.clone(),
            date: self.broadcast.as_ref().filter(|live| live.date_header).map(|_| http_date(now)),
        };
        if let Some(fault) = fault {
            answer.strike(fault);
        }
        answer
    }
}

impl Answer {
    fn strike(&mut self, fault: FaultKind) {
        match fault {
            FaultKind::Refuse => self.refused = true,
            FaultKind::Silence => self.silent = true,
            FaultKind::Status(status) => self.say(status),
            FaultKind::RetryAfter(status, seconds) => {
                self.say(status);
                self.retry_after = Some(seconds);
            }
            FaultKind::Delay(delay) => self.delay += delay,
            FaultKind::Cut(at) => self.cut = Some(at).filter(|at| *at < self.resource.size),
            FaultKind::Truncate(at) => self.resource.truncate(at),
            FaultKind::TruncateQuietly(at) => {
                self.resource.truncate(at);
                self.promised = None;
            }
            FaultKind::Stall(at) => self.stall = Some(at),
            FaultKind::Trickle(kbps) => self.kbps = Some(kbps),
            FaultKind::Corrupt(from) => self.resource.damage(from),
            FaultKind::Replace(content_type, bytes) => {
                let name = self.resource.name.clone();
                self.status = 200;
                self.resource = Resource { name, ..Resource::new(content_type, bytes) };
                self.promised = Some(self.resource.size);
            }
            FaultKind::Redirect(url) => self.url = url,
        }
    }

    fn say(&mut self, status: u16) {
        let name = self.resource.name.clone();
        self.status = status;
        self.resource = Resource { name, ..Resource::text("no") };
        self.promised = Some(self.resource.size);
    }
}

impl Resource {
    /// A resource of these bytes.
    pub fn new(content_type: &'static str, bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Self::sparse(content_type, size, vec![(0, bytes)])
    }

    /// A resource of which only some pieces matter: offset and bytes of each, in order.
    pub fn sparse(content_type: &'static str, size: u64, pieces: Vec<(u64, Vec<u8>)>) -> Self {
        let pieces = pieces.into_iter().map(|(at, bytes)| (at, bytes.into())).collect();
        Self {
            content_type,
            name: "".into(),
            size,
            pieces,
            damaged_from: None,
            whole: size,
            cut_from: None,
        }
    }

    fn text(text: &str) -> Self {
        Self::new("text/plain", text.as_bytes().to_vec())
    }

    /// Bytes in all.
    pub fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn slice(&self, from: u64, to: u64) -> Vec<u8> {
        let to = to.min(self.size);
        let mut bytes = vec![0; to.saturating_sub(from) as usize];
        for (at, piece) in &self.pieces {
            let (start, end) = (from.max(*at), to.min(at + piece.len() as u64));
            if start < end {
                let source = &piece[(start - at) as usize..(end - at) as usize];
                bytes[(start - from) as usize..(end - from) as usize].copy_from_slice(source);
            }
        }
        bytes
    }

    pub(crate) fn part(&self, from: u64, to: u64) -> Self {
        let (from, to) = (from.min(self.size), to.min(self.size));
        let overlaps = |(at, piece): &&(u64, Arc<[u8]>)| *at < to && from < at + piece.len() as u64;
        let moved = |(at, piece): &(u64, Arc<[u8]>)| match at.checked_sub(from) {
            Some(at) => (at, piece.clone()),
            None => (0, piece[(from - at) as usize..].into()),
        };
        let pieces = self.pieces.iter().filter(overlaps).map(moved).collect();
        let size = to.saturating_sub(from);
        let damaged_from = self.damaged_from.filter(|damaged| *damaged < to);
        let damaged_from = damaged_from.map(|damaged| damaged.saturating_sub(from));
        Self { size, pieces, damaged_from, whole: size, ..self.clone() }
    }

    /// A span of it as a fragment of its own, behind what the player put before it.
    pub(crate) fn fragment(&self, head: &[u8], (from, to): (u64, u64)) -> Self {
        let mut part = self.part(from, to);
        part.name = format!("{}+{from}", self.name).into();
        if !head.is_empty() {
            let before = head.len() as u64;
            part.pieces.iter_mut().for_each(|(at, _)| *at += before);
            part.pieces.insert(0, (0, head.into()));
            part.size += before;
            part.whole = part.size;
            part.damaged_from = part.damaged_from.map(|damaged| damaged + before);
            part.cut_from = Some((self.name.clone(), to >= self.size));
        }
        part
    }

    fn truncate(&mut self, at: u64) {
        self.size = self.size.min(at);
        let kept = |(start, piece): (u64, Arc<[u8]>)| {
            let length = at.saturating_sub(start).min(piece.len() as u64) as usize;
            (length > 0).then(|| (start, piece[..length].into()))
        };
        self.pieces = std::mem::take(&mut self.pieces).into_iter().filter_map(kept).collect();
    }

    fn damage(&mut self, from: u64) {
        self.damaged_from = Some(from);
        for (at, piece) in &mut self.pieces {
            let sound = from.saturating_sub(*at).min(piece.len() as u64) as usize;
            let bytes: Vec<u8> = piece[..sound]
                .iter()
                .copied()
                .chain(piece[sound..].iter().map(|byte| byte ^ 0xa5))
                .collect();
            *piece = bytes.into();
        }
    }

    /// What precedes the first `mdat`, as hosts cut it.
    pub fn media_head(&self) -> Vec<u8> {
        let Some((0, bytes)) = self.pieces.first() else { return Vec::new() };
        media::boxes_before_mdat(bytes).map_or_else(Vec::new, |length| bytes[..length].to_vec())
    }
}
