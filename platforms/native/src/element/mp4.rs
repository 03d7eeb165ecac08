//! Fragmented MP4 as it is appended: initialisation segments and media segments in, samples out
//! (ISO/IEC 14496-12; the ISO BMFF byte stream format of Media Source Extensions).

use std::sync::Arc;

use bytes::Bytes;
use kinora_core::media::encryption::{self, SampleNote, TrackEncryption};
use kinora_core::media::{BoxError, Boxes};
use kinora_core::time::MediaTime;
use mp4_atom::{Codec, Decode, Moof, Moov, Trak, Trex};

use crate::drm::{self, KeyRing, Opened};

/// More samples than any sane segment has: an hour at 50 frames a second.
const MAX_SAMPLES: usize = 180_000;

/// `sample_is_non_sync_sample` of the sample flags (ISO/IEC 14496-12 §8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// What an append brought.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// The tracks of the initialisation segment, if there was one.
    pub(super) init: Option<Vec<Arc<Track>>>,
    /// The samples, track by track, in decoding order.
    pub(super) samples: Vec<Sample>,
}

/// One track of an initialisation segment.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: u32,
    pub(super) codec: TrackCodec,
    timescale: u32,
    /// Media time at which the presentation begins (a single `elst` entry), in timescale units.
    edit_start: i64,
    /// How its samples are encrypted.
    encryption: Option<TrackEncryption>,
    defaults: Trex,
}

/// What a track holds, as far as this element cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TrackCodec {
    /// Pictures of this many luma samples.
    Video { width: u32, height: u32 },
    /// AAC, with its AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
    Aac { config: Vec<u8> },
}

impl TrackCodec {
    pub(super) fn is_audio(&self) -> bool {
        matches!(self, Self::Aac { .. })
    }
}

/// One coded frame.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) track: Arc<Track>,
    pub(super) pts: MediaTime,
    pub(super) dts: MediaTime,
    pub(super) duration: MediaTime,
    /// How long it would last if nothing had cut it short since.
    pub(super) coded_duration: MediaTime,
    /// A random access point.
    pub(super) sync: bool,
    pub(super) data: Bytes,
}

impl Sample {
    pub(super) fn end(&self) -> MediaTime {
        self.pts + self.duration
    }
}

/// Reads whole boxes. `tracks` are those of the last initialisation segment; one inside `data`
/// takes their place.
pub(super) fn parse(data: &Bytes, tracks: &[Arc<Track>], keys: &KeyRing) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut position = 0;
    while position < data.len() {
        let found = BoxAt::read(data, position)?;
        let mut whole = &data[position..found.end];
        match &found.kind {
            b"moov" => {
                let opened = drm::open_init(whole)?;
                if let Some(opened) = &opened {
                    whole = &opened.bytes;
                }
                let moov =
                    Moov::decode(&mut whole).map_err(|error| format!("bad moov box: {error}"))?;
                parsed.init = Some(read_init(moov, opened.as_ref())?);
            }
            b"moof" => {
                let moof =
                    Moof::decode(&mut whole).map_err(|error| format!("bad moof box: {error}"))?;
                let tracks = parsed.init.as_deref().unwrap_or(tracks);
                if tracks.is_empty() {
                    return Err("a media segment came before any initialisation segment".into());
                }
                let fragment = Fragment { data, start: position, end: found.end, keys };
                fragment.read(&moof, tracks, &mut parsed.samples)?;
            }
            _ => {}
        }
        position = found.end;
    }
    Ok(parsed)
}

/// Where a box lies in its file.
struct BoxAt {
    kind: [u8; 4],
    end: usize,
}

impl BoxAt {
    fn read(data: &[u8], start: usize) -> Result<Self, String> {
        let rest = &data[start..];
        let header =
            rest.first_chunk::<8>().ok_or_else(|| format!("cut-off box at byte {start}"))?;
        let [a, b, c, d, kind @ ..] = *header;
        let (header_length, length) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (8, rest.len()),
            1 => {
                let large = rest
                    .get(8..16)
                    .and_then(|bytes| bytes.first_chunk::<8>())
                    .ok_or_else(|| format!("cut-off box at byte {start}"))?;
                (16, usize::try_from(u64::from_be_bytes(*large)).unwrap_or(usize::MAX))
            }
            length => (8, length as usize),
        };
        let name = String::from_utf8_lossy(&kind);
        if length < header_length {
            return Err(format!("the {name} box at byte {start} claims to be {length} bytes long"));
        }
        if length > rest.len() {
            return Err(format!(
                "the {name} box at byte {start} claims {length} bytes, but {} are there",
                rest.len()
            ));
        }
        Ok(Self { kind, end: start + length })
    }
}

fn read_init(moov: Moov, opened: Option<&Opened>) -> Result<Vec<Arc<Track>>, String> {
    let defaults = moov.mvex.map(|mvex| mvex.trex).unwrap_or_default();
    let tracks: Vec<_> = moov
        .trak
        .iter()
        .filter_map(|trak| {
            let id = trak.tkhd.track_id;
            let defaults = defaults.iter().find(|trex| trex.track_id == id).cloned();
            Some(Arc::new(Track {
                id,
                codec: codec_of(trak)?,
                timescale: trak.mdia.mdhd.timescale,
                edit_start: edit_start_of(trak),
                encryption: opened.and_then(|opened| {
                    let mut tracks = opened.tracks.iter();
                    tracks.find(|track| track.id == id).map(|track| track.encryption.clone())
                }),
                defaults: defaults.unwrap_or_default(),
            }))
        })
        .collect();
    if tracks.is_empty() {
        return Err("the initialisation segment has no track of a known codec".into());
    }
    if tracks.iter().any(|track| track.timescale == 0) {
        return Err("a track has a timescale of zero".into());
    }
    Ok(tracks)
}

fn codec_of(trak: &Trak) -> Option<TrackCodec> {
    trak.mdia.minf.stbl.stsd.codecs.iter().find_map(|codec| {
        let visual = match codec {
            Codec::Avc1(entry) => &entry.visual,
            Codec::Avc3(entry) => &entry.visual,
            Codec::Hev1(entry) => &entry.visual,
            Codec::Hvc1(entry) => &entry.visual,
            Codec::Vp09(entry) => &entry.visual,
            Codec::Av01(entry) => &entry.visual,
            Codec::Mp4a(entry) => {
                let config = entry.esds.es_desc.dec_config.dec_specific.as_ref()?.raw.clone();
                return Some(TrackCodec::Aac { config });
            }
            _ => return None,
        };
        Some(TrackCodec::Video { width: visual.width.into(), height: visual.height.into() })
    })
}

/// Encoders hide their delay behind an edit that starts after zero; browsers honour just that.
fn edit_start_of(trak: &Trak) -> i64 {
    trak.edts
        .as_ref()
        .and_then(|edts| edts.elst.as_ref())
        .and_then(|elst| elst.entries.iter().find_map(|entry| entry.media_time))
        .and_then(|time| i64::try_from(time).ok())
        .unwrap_or(0)
}

/// One movie fragment.
struct Fragment<'a> {
    data: &'a Bytes,
    /// Where its header begins and ends.
    start: usize,
    end: usize,
    keys: &'a KeyRing,
}

/// How the samples of a track fragment are encrypted, and what is noted of each.
type Notes = (TrackEncryption, Vec<SampleNote>);

impl Fragment<'_> {
    /// What of the `number`th track fragment must be known to decrypt it.
    fn notes(&self, number: usize, track: &Track) -> Result<Option<Notes>, String> {
        let Some(of_track) = &track.encryption else { return Ok(None) };
        let moof = Boxes::new(&self.data[self.start..self.end], 0).flatten().next();
        let trafs = moof.into_iter().flat_map(|moof| moof.children().flatten());
        let traf = trafs.filter(|found| found.is(b"traf")).nth(number);
        let traf = traf.ok_or("a track fragment is not where it was")?;
        let words = |error: BoxError| error.to_string();
        let own = encryption::of_fragment(&traf, of_track).map_err(words)?;
        let how = own.unwrap_or_else(|| of_track.clone());
        if !how.protected {
            return Ok(None);
        }
        let notes = encryption::notes(&traf, how.iv_size).map_err(words)?;
        Ok(Some((how, notes)))
    }

    fn read(
        &self,
        moof: &Moof,
        tracks: &[Arc<Track>],
        samples: &mut Vec<Sample>,
    ) -> Result<(), String> {
        let (data, moof_start) = (self.data, self.start);
        // Without a data offset a run follows the one before; the very first follows the moof.
        let mut next_data = moof_start;
        for (number, traf) in moof.traf.iter().enumerate() {
            let header = &traf.tfhd;
            let Some(track) = tracks.iter().find(|track| track.id == header.track_id) else {
                continue;
            };
            if header.base_data_offset.is_some() {
                return Err("a track fragment uses an absolute data offset".into());
            }
            let Some(tfdt) = &traf.tfdt else {
                return Err("a track fragment has no decode time (tfdt)".into());
            };
            let base = if header.default_base_is_moof { moof_start } else { next_data };
            next_data = base;
            let notes = self.notes(number, track)?;
            let mut noted = 0;
            let mut decode_time = i64::try_from(tfdt.base_media_decode_time)
                .map_err(|_| "a decode time does not fit in 63 bits".to_owned())?;
            for run in &traf.trun {
                if let Some(offset) = run.data_offset {
                    next_data = base
                        .checked_add_signed(offset as isize)
                        .ok_or("a track run starts before its file")?;
                }
                if samples.len().saturating_add(run.samples.len()) > MAX_SAMPLES {
                    return Err(format!("a segment of more than {MAX_SAMPLES} samples"));
                }
                for entry in run.samples.iter() {
                    let duration = entry
                        .duration
                        .or(header.default_sample_duration)
                        .unwrap_or(track.defaults.default_sample_duration);
                    let size = entry
                        .size
                        .or(header.default_sample_size)
                        .unwrap_or(track.defaults.default_sample_size);
                    let flags = entry
                        .flags
                        .or(header.default_sample_flags)
                        .unwrap_or(track.defaults.default_sample_flags);
                    let end = next_data.saturating_add(size as usize);
                    if end > data.len() {
                        return Err(format!(
                            "a sample lies at bytes {next_data} to {end} of a body of {}",
                            data.len()
                        ));
                    }
                    let bytes = match &notes {
                        None => data.slice(next_data..end),
                        Some((how, notes)) => {
                            noted += 1;
                            let mut bytes = data[next_data..end].to_vec();
                            self.keys.decrypt(how, notes.get(noted - 1), &mut bytes)?;
                            Bytes::from(bytes)
                        }
                    };
                    let decode_end = decode_time.saturating_add(duration.into());
                    let dts = track.time(decode_time);
                    let pts = track.time(decode_time.saturating_add(entry.cts.unwrap_or(0)));
                    // The difference of rounded times, so that neighbours touch exactly.
                    let duration = track.time(decode_end) - dts;
                    samples.push(Sample {
                        track: track.clone(),
                        pts,
                        dts,
                        duration,
                        coded_duration: duration,
                        sync: track.codec.is_audio() || flags & NON_SYNC == 0,
                        data: bytes,
                    });
                    next_data = end;
                    decode_time = decode_end;
                }
            }
        }
        Ok(())
    }
}

impl Track {
    fn time(&self, media_time: i64) -> MediaTime {
        MediaTime::from_scaled(media_time.saturating_sub(self.edit_start), self.timescale)
    }
}
