//! The state of a broadcast: what there is to fetch, and since when. It reads no clock.
//!
//! A *run* is one encoder from its start to its end; when one dies, the next begins at the next segment, later. Times
//! go on through all runs, each segment beginning at its number times its length, so that only the wall clock jumps.

use super::cut::{Cut, Cutter};
use crate::{
    Error, Result,
    package::{
        chunk,
        fragmented::{self, NO_CODEC, Sample},
        ladder::Rung,
        presentation::Kind,
        source::FrameRate,
    },
};
use bytes::Bytes;
use mp4_atom::{Encode, Moov, Prft, ReferenceTime};
use std::collections::VecDeque;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type WallMicros = i64;

/// The lengths of things.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Frames a second.
    pub frame_rate: FrameRate,
    /// Frames in a part.
    pub part_frames: u32,
    /// Parts in a segment.
    pub parts: u32,
    /// Samples a second of the sound, if there is any.
    pub sample_rate: Option<u32>,
    /// Seconds that playlists reach back.
    pub window_seconds: f64,
    /// Seconds that players are to play behind what happens.
    pub latency_seconds: f64,
    /// Bytes of media to hold at most.
    pub most_bytes: u64,
}

impl Shape {
    /// Seconds of a part.
    pub fn part_seconds(&self) -> f64 {
        f64::from(self.part_frames) / self.frame_rate.as_f64()
    }

    /// Seconds of a segment.
    pub fn segment_seconds(&self) -> f64 {
        self.part_seconds() * f64::from(self.parts)
    }

    /// The longest that a part can be: sound is cut at whole frames.
    pub fn part_target(&self) -> f64 {
        let frame = self.sample_rate.map_or(0.0, |rate| 1024.0 / f64::from(rate));
        if frame == 0.0 {
            self.part_seconds()
        } else {
            (self.part_seconds() / frame).ceil() * frame
        }
    }

    /// The segments that playlists list.
    pub fn window(&self) -> u64 {
        (self.window_seconds / self.segment_seconds()).ceil().max(4.0) as u64
    }

    /// Ticks from zero to where a segment begins.
    pub fn ticks(&self, segment: u64, timescale: u32) -> u64 {
        self.ticks_of(u128::from(segment) * u128::from(self.parts), timescale)
    }

    fn ticks_of(&self, parts: u128, timescale: u32) -> u64 {
        let FrameRate { frames, seconds } = self.frame_rate;
        let ticks =
            parts * u128::from(self.part_frames) * u128::from(seconds) * u128::from(timescale);
        (ticks / u128::from(frames)) as u64
    }

    /// Microseconds of so many segments.
    pub fn micros(&self, segments: u64) -> i64 {
        self.ticks(segments, 1_000_000) as i64
    }

    /// The part that the middle of a sample lies in.
    pub(super) fn part_at(&self, time: u64, duration: u32, timescale: u32) -> u64 {
        let FrameRate { frames, seconds } = self.frame_rate;
        let middle = 2 * u128::from(time) + u128::from(duration);
        let part = 2 * u128::from(timescale) * u128::from(self.part_frames) * u128::from(seconds);
        (middle * u128::from(frames) / part) as u64
    }
}

/// A broadcast.
#[derive(Debug)]
pub struct Broadcast {
    pub(super) shape: Shape,
    pub(super) title: String,
    /// Video, best first, then sound; empty until an encoder has described them.
    pub(super) renditions: Vec<Rendition>,
    /// The oldest of which something is left first.
    pub(super) runs: VecDeque<Run>,
    rungs: Vec<Rung>,
    audio: Option<(u32, u64)>,
    /// Names what this process broadcasts, in paths: what they lead to never changes.
    name: String,
    starting: Option<Starting>,
    /// Whether it is over.
    pub(super) ended: bool,
    /// How many segments are not listed any more.
    gone: u64,
    /// When what is known changed in a manner that an MPD tells.
    pub(super) changed: WallMicros,
    /// Where the wall clock was at the first frame of all.
    pub(super) zero: Option<WallMicros>,
}

/// One encoder's work.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    pub(super) id: u64,
    /// Its first segment.
    pub(super) first: u64,
    /// What the wall clock showed at its first frame.
    pub(super) start: WallMicros,
    /// The segment after its last.
    pub(super) end: Option<u64>,
}

/// One encoding of the picture, or of the sound.
#[derive(Debug)]
pub(super) struct Rendition {
    pub(super) id: String,
    /// Where its files are.
    pub(super) directory: String,
    pub(super) kind: Kind,
    pub(super) codecs: String,
    /// Bits a second: at most, and on average.
    pub(super) bandwidth: (u64, u64),
    pub(super) timescale: u32,
    /// Headers, by run.
    inits: VecDeque<(u64, Bytes)>,
    /// Without a gap in their numbers; the last may be in the making.
    pub(super) segments: VecDeque<Segment>,
}

#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) run: u64,
    /// Ticks.
    pub(super) duration: u64,
    pub(super) parts: Vec<Part>,
    /// Nothing will be added.
    pub(super) complete: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Ticks.
    pub(super) duration: u64,
    pub(super) bytes: Bytes,
    /// Decoding can start here.
    pub(super) independent: bool,
}

/// An encoder whose first segment is being made. How late its output comes is not known before.
#[derive(Debug)]
struct Starting {
    inits: Vec<Bytes>,
    cutters: Vec<Cutter>,
    /// What the wall clock showed at its first frame, at the latest.
    start: Option<WallMicros>,
    held: Vec<(usize, Cut)>,
    run: Option<Run>,
}

impl Broadcast {
    /// A broadcast of which there is nothing yet. `audio` is channels and bits a second.
    pub fn new(
        shape: Shape,
        title: String,
        name: String,
        rungs: Vec<Rung>,
        audio: Option<(u32, u64)>,
    ) -> Self {
        Self {
            shape,
            title,
            renditions: Vec::new(),
            runs: VecDeque::new(),
            rungs,
            audio,
            name,
            starting: None,
            ended: false,
            gone: 0,
            changed: 0,
            zero: None,
        }
    }

    /// Whether there is something to play.
    pub fn is_on(&self) -> bool {
        !self.runs.is_empty()
    }

    /// Whether it is over.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many encodings of the picture there are.
    pub fn qualities(&self) -> usize {
        self.rungs.len()
    }

    // ---- what the encoder does ----------------------------------------------------------------------

    /// A new encoder has described its tracks.
    ///
    /// # Errors
    /// [`Error::Container`] when they are not those that were asked for.
    pub(super) fn begin(&mut self, moov: &Moov) -> Result<()> {
        let malformed = |reason: String| Error::Container {
            path: "the encoder's output".into(),
            offset: 0,
            reason,
        };
        let expected = self.rungs.len() + usize::from(self.audio.is_some());
        if moov.trak.len() != expected {
            let reason = format!("{} tracks where {expected} were asked for", moov.trak.len());
            return Err(malformed(reason));
        }
        let mut described = Vec::new();
        let mut starting = Starting {
            inits: Vec::new(),
            cutters: Vec::new(),
            start: None,
            held: Vec::new(),
            run: None,
        };
        for (index, trak) in moov.trak.iter().enumerate() {
            let timescale = trak.mdia.mdhd.timescale;
            if timescale == 0 {
                return Err(malformed("a track without a timescale".into()));
            }
            let codecs = fragmented::codecs(trak).ok_or_else(|| malformed(NO_CODEC.into()))?;
            let alone = Moov { trak: vec![trak.clone()], ..moov.clone() };
            starting.inits.push(chunk::initialization(alone).map_err(malformed)?.into());
            let video = index < self.rungs.len();
            starting.cutters.push(Cutter::new(self.shape, timescale, video));
            described.push((codecs, timescale));
        }
        if self.renditions.is_empty() {
            self.renditions = self.describe(described);
        }
        self.starting = Some(starting);
        Ok(())
    }

    fn describe(&self, tracks: Vec<(String, u32)>) -> Vec<Rendition> {
        let rendition = |(index, (codecs, timescale)): (usize, (String, u32))| {
            let (id, kind, bandwidth) = match (self.rungs.get(index), self.audio) {
                (Some(rung), _) => {
                    let twice = self.rungs.iter().filter(|r| r.height == rung.height).count() > 1;
                    let suffix = if twice { format!("-{index}") } else { String::new() };
                    let kind = Kind::Video {
                        width: rung.width,
                        height: rung.height,
                        frame_rate: self.shape.frame_rate,
                    };
                    let id = format!("video-{}p{suffix}", rung.height);
                    (id, kind, (rung.peak(), rung.bitrate))
                }
                (None, audio) => {
                    let (channels, bitrate) = audio.unwrap_or((2, 0));
                    let kind = Kind::Audio { sample_rate: timescale, channels };
                    // Frames differ a little in size.
                    ("audio".into(), kind, (bitrate * 5 / 4, bitrate))
                }
            };
            Rendition {
                directory: format!("{id}.{}", self.name),
                id,
                kind,
                codecs,
                bandwidth,
                timescale,
                inits: VecDeque::new(),
                segments: VecDeque::new(),
            }
        };
        tracks.into_iter().enumerate().map(rendition).collect()
    }

    /// Samples of a track have come. True when there is something new for players.
    ///
    /// # Errors
    /// [`Error::Encoder`] when they do not join what came before.
    pub(super) fn push(
        &mut self,
        track: usize,
        samples: Vec<(Sample, Bytes)>,
        now: WallMicros,
    ) -> Result<bool> {
        let mut news = false;
        for (sample, bytes) in samples {
            let Some(starting) = &mut self.starting else { return Ok(news) };
            let Some(cutter) = starting.cutters.get_mut(track) else { return Ok(news) };
            let Some(cut) = cutter.push(sample, bytes)? else { continue };
            match &starting.run {
                Some(run) => {
                    let run = run.clone();
                    self.publish(&run, track, cut)?;
                    news = true;
                }
                None => news |= self.hold(track, cut, now)?,
            }
        }
        Ok(news)
    }

    /// Keeps a part back until the first segment is whole: by then it is known how early its frames can be there.
    fn hold(&mut self, track: usize, cut: Cut, now: WallMicros) -> Result<bool> {
        let shape = self.shape;
        let Some(starting) = &mut self.starting else { return Ok(false) };
        let ended = shape.ticks_of(u128::from(cut.index) + 1, 1_000_000) as i64;
        let start = now - ended;
        if track < self.rungs.len() {
            starting.start = Some(starting.start.map_or(start, |earliest| earliest.min(start)));
        }
        starting.held.push((track, cut));
        let parts = u64::from(shape.parts);
        let whole =
            |track| starting.held.iter().filter(|(of, _)| *of == track).count() as u64 >= parts;
        if !(0..starting.cutters.len()).all(whole) {
            return Ok(false);
        }
        let last = self.runs.back();
        let first = last.map_or(0, |run| run.end.unwrap_or(run.first));
        let earliest = last.map_or(i64::MIN, |run| run.start + shape.micros(first - run.first));
        let run = Run {
            id: last.map_or(0, |run| run.id + 1),
            first,
            start: starting.start.unwrap_or(now).max(earliest),
            end: None,
        };
        self.zero.get_or_insert(run.start);
        self.changed = now;
        starting.run = Some(run.clone());
        let (inits, held) =
            (std::mem::take(&mut starting.inits), std::mem::take(&mut starting.held));
        for (rendition, init) in self.renditions.iter_mut().zip(inits) {
            rendition.inits.push_back((run.id, init));
        }
        self.runs.push_back(run.clone());
        for (track, cut) in held {
            self.publish(&run, track, cut)?;
        }
        Ok(true)
    }

    fn publish(&mut self, run: &Run, track: usize, cut: Cut) -> Result<()> {
        let shape = self.shape;
        let Some(rendition) = self.renditions.get_mut(track) else { return Ok(()) };
        let number = run.first + cut.index / u64::from(shape.parts);
        let position = cut.index % u64::from(shape.parts);
        if position == 0 {
            let run = run.id;
            let segment = Segment { number, run, duration: 0, parts: Vec::new(), complete: false };
            rendition.segments.push_back(segment);
        }
        let offset = shape.ticks(run.first, rendition.timescale);
        let part = part(rendition, run, offset, position == 0, number, cut).map_err(|reason| {
            Error::Container { path: rendition.directory.clone().into(), offset: 0, reason }
        })?;
        if let Some(segment) = rendition.segments.back_mut() {
            segment.duration += part.duration;
            segment.parts.push(part);
            segment.complete = segment.parts.len() as u64 == u64::from(shape.parts);
        }
        self.trim();
        Ok(())
    }

    /// The encoder is gone; what it made stays.
    pub(super) fn break_off(&mut self, now: WallMicros) {
        self.starting = None;
        let Some(run) = self.runs.back_mut().filter(|run| run.end.is_none()) else { return };
        let next = |rendition: &Rendition| rendition.segments.back().map_or(0, |s| s.number + 1);
        let end = self.renditions.iter().map(next).max().unwrap_or(run.first);
        run.end = Some(end);
        for rendition in &mut self.renditions {
            if let Some(segment) = rendition.segments.back_mut() {
                segment.complete = true;
            }
            // Numbers mean the same in all renditions: where one has come further, the others have a gap.
            for number in next(rendition)..end {
                let duration = shape_ticks(&self.shape, rendition.timescale);
                rendition.segments.push_back(Segment {
                    number,
                    run: run.id,
                    duration,
                    parts: Vec::new(),
                    complete: true,
                });
            }
        }
        self.changed = now;
    }

    /// It is over.
    pub(super) fn end(&mut self, now: WallMicros) {
        self.break_off(now);
        self.ended = true;
        self.changed = now;
    }

    /// Drops what nobody may ask for any more: segments stay for as long as the longest playlist that listed them (RFC
    /// 8216bis, 6.2.2).
    fn trim(&mut self) {
        let window = self.shape.window();
        let edge = self.edge().unwrap_or(0);
        self.gone = self.gone.max(edge.saturating_sub(window));
        let bytes =
            |rendition: &Rendition| -> u64 { rendition.segments.iter().map(Segment::size).sum() };
        let mut held: u64 = self.renditions.iter().map(bytes).sum();
        let mut keep = self.gone.saturating_sub(window);
        loop {
            for rendition in &mut self.renditions {
                while rendition.segments.front().is_some_and(|s| s.number < keep) {
                    held -= rendition.segments.pop_front().map_or(0, |s| s.size());
                }
            }
            if held <= self.shape.most_bytes || keep + 4 >= edge {
                break;
            }
            keep = self.first_kept() + 1;
        }
        self.gone = self.gone.max(keep);
        while let [first, _, ..] = self.runs.make_contiguous()
            && first.end.is_some_and(|end| end <= keep)
        {
            let id = first.id;
            self.runs.pop_front();
            for rendition in &mut self.renditions {
                rendition.inits.retain(|(run, _)| *run != id);
            }
        }
    }

    fn first_kept(&self) -> u64 {
        self.renditions.iter().filter_map(|r| Some(r.segments.front()?.number)).min().unwrap_or(0)
    }

    // ---- what there is ------------------------------------------------------------------------------

    /// The number after the last segment that is whole in every rendition.
    pub(super) fn edge(&self) -> Option<u64> {
        self.renditions.iter().map(Rendition::edge).min().flatten()
    }

    /// The first segment that playlists list.
    pub(super) fn first_listed(&self) -> u64 {
        self.gone
    }

    pub(super) fn run(&self, id: u64) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    /// The rendition in a directory.
    pub(super) fn rendition(&self, directory: &str) -> Option<&Rendition> {
        self.renditions.iter().find(|rendition| rendition.directory == directory)
    }

    /// Bytes of media that are held.
    pub fn held(&self) -> u64 {
        self.renditions.iter().flat_map(|r| &r.segments).map(Segment::size).sum()
    }
}

fn shape_ticks(shape: &Shape, timescale: u32) -> u64 {
    shape.ticks(1, timescale)
}

impl Rendition {
    pub(super) fn init(&self, run: u64) -> Option<&Bytes> {
        self.inits.iter().find(|(id, _)| *id == run).map(|(_, bytes)| bytes)
    }

    pub(super) fn segment(&self, number: u64) -> Option<&Segment> {
        let first = self.segments.front()?.number;
        self.segments.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// The number after the last segment that is whole.
    pub(super) fn edge(&self) -> Option<u64> {
        let last = self.segments.back()?;
        Some(last.number + u64::from(last.complete))
    }

    /// The last part that there is: its segment's number, and its own within that.
    pub(super) fn last_part(&self) -> Option<(u64, u64)> {
        let segment = self.segments.iter().rev().find(|s| !s.parts.is_empty())?;
        Some((segment.number, segment.parts.len() as u64 - 1))
    }

    pub(super) fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / f64::from(self.timescale)
    }
}

impl Segment {
    pub(super) fn size(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes.len() as u64).sum()
    }

    /// The encoder ended before it made any of it.
    pub(super) fn is_gap(&self) -> bool {
        self.complete && self.parts.is_empty()
    }
}

/// The bytes of a part: a CMAF chunk, with what opens a segment before the first.
fn part(
    rendition: &Rendition,
    run: &Run,
    offset: u64,
    opens: bool,
    number: u64,
    mut cut: Cut,
) -> Result<Part, String> {
    let mut samples = Vec::with_capacity(cut.samples.len());
    for (sample, _) in &mut cut.samples {
        sample.time += offset;
        samples.push(*sample);
    }
    let first = samples.first();
    let start = first.map_or(0, |sample| sample.time);
    let mut bytes = Vec::new();
    if opens {
        bytes.extend(chunk::segment_type()?);
        let since = (start - offset) as i128 * 1_000_000 / i128::from(rendition.timescale);
        let reference = Prft {
            reference_track_id: chunk::TRACK_ID,
            ntp_timestamp: ntp(run.start + since as i64),
            media_time: start,
            utc_time_semantics: ReferenceTime::Input,
        };
        reference.encode(&mut bytes).map_err(|error| error.to_string())?;
    }
    let sequence = (number << 8 | cut.index & 0xff) as u32;
    bytes.extend(chunk::head(sequence, &samples)?);
    for (_, media) in &cut.samples {
        bytes.extend_from_slice(media);
    }
    Ok(Part {
        duration: samples.iter().map(|sample| u64::from(sample.duration)).sum(),
        independent: first.is_some_and(|sample| sample.sync),
        bytes: bytes.into(),
    })
}

/// Seconds since 1900 in 32 bits, and as many of their fraction (RFC 5905, 6).
fn ntp(wall: WallMicros) -> u64 {
    const SECONDS_TO_1970: i64 = 2_208_988_800;
    let (seconds, micros) = (wall.div_euclid(1_000_000), wall.rem_euclid(1_000_000));
    let fraction = ((micros as u64) << 32) / 1_000_000;
    ((seconds + SECONDS_TO_1970) as u64) << 32 | fraction
}
