//! Reads a fragmented MP4 file of one track (ISO/IEC 14496-12, 8.8): where its samples lie, how long they
//! last, which of them are random access points.
//!
//! `mp4-atom` knows the boxes; this file walks over them without reading media into memory, and keeps every
//! number inside the file it came from.

use crate::{Error, Result};
use mp4_atom::{Codec, Decode, FourCC, Moof, Moov, Traf, Trak, Trex};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A header larger than this is not one: a fragment of ten seconds has a few kilobytes.
const MAX_HEADER: u64 = 16 << 20;
/// `sample_is_non_sync_sample` (ISO/IEC 14496-12, 8.8.3.1).
pub(crate) const NON_SYNC: u32 = 0x0001_0000;

/// A track and its samples in decoding order.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) path: PathBuf,
    pub(crate) moov: Moov,
    /// Ticks a second.
    pub(crate) timescale: u32,
    pub(crate) samples: Vec<Sample>,
    /// Where the presentation starts in the track's own time, by its edit list: what comes before is priming.
    pub(crate) media_start: u64,
}

/// One coded picture or audio frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Where its bytes start in the file.
    pub(crate) offset: u64,
    pub(crate) size: u32,
    /// Decoding time in ticks.
    pub(crate) time: u64,
    /// In ticks.
    pub(crate) duration: u32,
    /// Presentation time less decoding time, in ticks.
    pub(crate) composition: i64,
    /// Whether decoding can start here.
    pub(crate) sync: bool,
}

impl Track {
    /// Reads the headers of a file.
    ///
    /// # Errors
    /// [`Error::Container`] that says at which byte the file is not what it should be.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let mut walk = Walk::open(path)?;
        let mut moov: Option<Moov> = None;
        let mut samples = Vec::new();
        let mut clock = 0;
        while let Some(span) = walk.next_box()? {
            match &span.kind {
                b"moov" if moov.is_some() => return Err(walk.malformed("a second moov")),
                b"moov" => moov = Some(walk.decode(&span)?),
                b"moof" => {
                    let moof: Moof = walk.decode(&span)?;
                    let Some(moov) = &moov else {
                        return Err(walk.malformed("a fragment before the header"));
                    };
                    let trex = moov.mvex.as_ref().and_then(|mvex| mvex.trex.first());
                    let [traf] = moof.traf.as_slice() else {
                        return Err(walk.malformed("expected one track in a fragment"));
                    };
                    let run = Fragment {
                        path: &walk.path,
                        start: span.start,
                        end: walk.length,
                        traf,
                        trex,
                    };
                    clock = run.collect(clock, &mut samples)?;
                }
                _ => {}
            }
        }
        let Some(moov) = moov else { return Err(walk.malformed("it has no moov")) };
        let [trak] = moov.trak.as_slice() else {
            return Err(walk.malformed("expected one track"));
        };
        let timescale = trak.mdia.mdhd.timescale;
        if timescale == 0 || samples.is_empty() {
            return Err(walk.malformed("a track without a timescale or without samples"));
        }
        let edits = trak.edts.as_ref().and_then(|edts| edts.elst.as_ref());
        let media_start =
            edits.and_then(|elst| elst.entries.iter().find_map(|e| e.media_time)).unwrap_or(0);
        Ok(Self { path: path.to_owned(), timescale, samples, media_start, moov })
    }

    /// The parameter of a MIME type's `codecs` that names how this track is coded (RFC 6381).
    pub(crate) fn codecs(&self) -> Result<String> {
        self.moov.trak.first().and_then(codecs).ok_or_else(|| Error::Container {
            path: self.path.clone(),
            offset: 0,
            reason: NO_CODEC.into(),
        })
    }
}

/// What is said of a track that [`codecs`] cannot name.
pub(crate) const NO_CODEC: &str = "its sample entry is neither avc1 nor mp4a";

/// The parameter of a MIME type's `codecs` that names how a track is coded (RFC 6381).
pub(crate) fn codecs(trak: &Trak) -> Option<String> {
    match trak.mdia.minf.stbl.stsd.codecs.first()? {
        Codec::Avc1(avc1) => {
            let avcc = &avc1.avcc;
            Some(format!(
                "avc1.{:02x}{:02x}{:02x}",
                avcc.avc_profile_indication, avcc.profile_compatibility, avcc.avc_level_indication
            ))
        }
        Codec::Mp4a(mp4a) => {
            let config = &mp4a.esds.es_desc.dec_config;
            let object_type = config.object_type_indication;
            Some(match &config.dec_specific {
                Some(specific) => format!("mp4a.{object_type:x}.{}", specific.profile),
                None => format!("mp4a.{object_type:x}"),
            })
        }
        _ => None,
    }
}

/// A walk over the boxes at the top of a file.
struct Walk {
    path: PathBuf,
    file: File,
    length: u64,
    /// Where the next box starts.
    position: u64,
}

/// Where a box lies: all of it, header included.
struct Span {
    kind: [u8; 4],
    start: u64,
    size: u64,
}

impl Walk {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("measure", path))?.len();
        Ok(Self { path: path.to_owned(), file, length, position: 0 })
    }

    fn malformed(&self, reason: impl Into<String>) -> Error {
        Error::Container { path: self.path.clone(), offset: self.position, reason: reason.into() }
    }

    /// The next box, or none at the end of the file. Its size lies within the file.
    fn next_box(&mut self) -> Result<Option<Span>> {
        let start = self.position;
        let rest = self.length.saturating_sub(start);
        if rest == 0 {
            return Ok(None);
        }
        if rest < 8 {
            return Err(self.malformed("the file ends inside a box header"));
        }
        let header: [u8; 8] = self.read_at(start)?;
        let [a, b, c, d, kind @ ..] = header;
        let (size, header_size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (rest, 8),
            1 if rest < 16 => return Err(self.malformed("the file ends inside a box header")),
            1 => (u64::from_be_bytes(self.read_at(start + 8)?), 16),
            size => (size.into(), 8),
        };
        if size < header_size || size > rest {
            let name = FourCC::from(kind);
            return Err(self.malformed(format!("box {name} of {size} bytes where {rest} are left")));
        }
        self.position = start + size;
        Ok(Some(Span { kind, start, size }))
    }

    fn read_at<const N: usize>(&mut self, offset: u64) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(Error::io("read", &self.path))?;
        Ok(bytes)
    }

    fn decode<T: Decode>(&mut self, span: &Span) -> Result<T> {
        let malformed = |reason: String| Error::Container {
            path: self.path.clone(),
            offset: span.start,
            reason,
        };
        if span.size > MAX_HEADER {
            return Err(malformed(format!("a header of {} bytes", span.size)));
        }
        let mut bytes = vec![0; span.size as usize];
        self.file
            .seek(SeekFrom::Start(span.start))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(Error::io("read", &self.path))?;
        T::decode(&mut bytes.as_slice()).map_err(|error| malformed(error.to_string()))
    }
}

/// One movie fragment's runs of samples.
pub(crate) struct Fragment<'a> {
    pub(crate) path: &'a Path,
    /// Where its `moof` begins in the file.
    pub(crate) start: u64,
    /// Where the file ends.
    pub(crate) end: u64,
    pub(crate) traf: &'a Traf,
    pub(crate) trex: Option<&'a Trex>,
}

impl Fragment<'_> {
    /// Adds the fragment's samples and returns the decoding time after the last; `clock` is the one after
    /// the fragment before.
    pub(crate) fn collect(&self, clock: u64, samples: &mut Vec<Sample>) -> Result<u64> {
        let tfhd = &self.traf.tfhd;
        let base = match (tfhd.base_data_offset, tfhd.default_base_is_moof) {
            (Some(base), _) => base,
            (None, true) => self.start,
            (None, false) => return Err(self.malformed("sample offsets with no base")),
        };
        let duration =
            tfhd.default_sample_duration.or(self.trex.map(|t| t.default_sample_duration));
        let size = tfhd.default_sample_size.or(self.trex.map(|t| t.default_sample_size));
        let flags = tfhd.default_sample_flags.or(self.trex.map(|t| t.default_sample_flags));
        let mut time = self.traf.tfdt.as_ref().map_or(clock, |tfdt| tfdt.base_media_decode_time);
        let mut offset = base;
        for run in &self.traf.trun {
            if let Some(data_offset) = run.data_offset {
                offset = base
                    .checked_add_signed(data_offset.into())
                    .ok_or_else(|| self.malformed("a run that starts before the file"))?;
            }
            for entry in run.samples.iter() {
                let sample = Sample {
                    offset,
                    size: entry.size.or(size).unwrap_or(0),
                    time,
                    duration: entry.duration.or(duration).unwrap_or(0),
                    composition: entry.cts.unwrap_or(0),
                    sync: entry.flags.or(flags).unwrap_or(0) & NON_SYNC == 0,
                };
                // A sample with bytes bounds how many there can be; one without would not.
                if sample.size == 0 || sample.duration == 0 {
                    return Err(self.malformed("a sample without bytes or without duration"));
                }
                offset = offset
                    .checked_add(sample.size.into())
                    .filter(|end| *end <= self.end)
                    .ok_or_else(|| self.malformed("a sample that lies outside the file"))?;
                time = time
                    .checked_add(sample.duration.into())
                    .ok_or_else(|| self.malformed("a time too large to count"))?;
                samples.push(sample);
            }
        }
        Ok(time)
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::Container {
            path: self.path.to_owned(),
            offset: self.start,
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Small fragmented files, made without an encoder.

    use super::NON_SYNC;
    use mp4_atom::*;

    pub(crate) const TIMESCALE: u32 = 24_000;

    /// A video file of groups of pictures, one fragment each; a picture lasts 1000 ticks, is shown two
    /// pictures after it is decoded or the other way round within its pair, and has as many bytes as its
    /// number says, all of that value.
    pub(crate) fn video(groups: &[u32]) -> Vec<u8> {
        let mut file = header(avc1(), None);
        let mut number = 1_u32;
        for group in groups {
            let composition = |i: u32| match i {
                0 => 2000,
                i if i % 2 == 1 && i + 1 < *group => 3000,
                i if i % 2 == 0 => 1000,
                _ => 2000,
            };
            let samples: Vec<TrunEntry> = (0..*group)
                .map(|i| TrunEntry {
                    duration: None,
                    size: Some(number + i),
                    flags: Some(if i == 0 { 0x0200_0000 } else { NON_SYNC }),
                    cts: Some(composition(i)),
                })
                .collect();
            fragment(&mut file, u64::from(number - 1) * 1000, 1000, samples, number);
            number += group;
        }
        file
    }

    /// A track of so many frames, like audio but for its codec, of 1024 ticks at 48 kHz, the first of which are priming.
    pub(crate) fn audio(frames: u32, priming: u32) -> Vec<u8> {
        let mut file = header(avc1(), Some(u64::from(priming) * 1024));
        let samples = (0..frames)
            .map(|_| TrunEntry { size: Some(3), flags: Some(0x0200_0000), ..TrunEntry::default() })
            .collect();
        fragment(&mut file, 0, 1024, samples, 7);
        file
    }

    fn avc1() -> Codec {
        let avcc = Avcc {
            configuration_version: 1,
            avc_profile_indication: 0x4d,
            profile_compatibility: 0x40,
            avc_level_indication: 0x1e,
            length_size: 4,
            sequence_parameter_sets: vec![vec![0x67, 0x4d, 0x40, 0x1e]],
            picture_parameter_sets: vec![vec![0x68, 0xee]],
            ext: None,
        };
        Codec::Avc1(Avc1 { avcc, ..Avc1::default() })
    }

    fn header(codec: Codec, media_start: Option<u64>) -> Vec<u8> {
        let is_audio = media_start.is_some();
        let timescale = if is_audio { 48_000 } else { TIMESCALE };
        let edit = |start| ElstEntry {
            segment_duration: 0,
            media_time: Some(start),
            media_rate: 1.into(),
        };
        let mut trak = Trak::default();
        trak.tkhd.track_id = 1;
        trak.edts =
            media_start.map(|start| Edts { elst: Some(Elst { entries: vec![edit(start)] }) });
        trak.mdia.mdhd = Mdhd { timescale, language: "und".into(), ..Mdhd::default() };
        trak.mdia.hdlr.handler = FourCC::new(if is_audio { b"soun" } else { b"vide" });
        trak.mdia.minf.stbl.stsd.codecs = vec![codec];
        trak.mdia.minf.stbl.stco = Some(Stco::default());
        let trex = Trex { track_id: 1, default_sample_description_index: 1, ..Trex::default() };
        let moov = Moov {
            mvhd: Mvhd { timescale: 1000, ..Mvhd::default() },
            trak: vec![trak],
            mvex: Some(Mvex { mehd: None, trex: vec![trex] }),
            ..Moov::default()
        };
        let mut file = Vec::new();
        moov.encode(&mut file).unwrap();
        file
    }

    fn fragment(file: &mut Vec<u8>, time: u64, duration: u32, samples: Vec<TrunEntry>, fill: u32) {
        let sizes: Vec<u32> = samples.iter().filter_map(|s| s.size).collect();
        let mut moof = Moof {
            mfhd: Mfhd { sequence_number: 1 },
            traf: vec![Traf {
                tfhd: Tfhd {
                    track_id: 1,
                    default_sample_duration: Some(duration),
                    default_base_is_moof: true,
                    ..Tfhd::default()
                },
                tfdt: Some(Tfdt { base_media_decode_time: time }),
                trun: vec![Trun { data_offset: Some(0), samples: samples.into() }],
                ..Traf::default()
            }],
        };
        let mut bytes = Vec::new();
        moof.encode(&mut bytes).unwrap();
        moof.traf[0].trun[0].data_offset = Some(bytes.len() as i32 + 8);
        moof.encode(file).unwrap();
        let data = (fill..).zip(sizes).flat_map(|(n, size)| vec![n as u8; size as usize]).collect();
        Mdat { data }.encode(file).unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Track> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("track.mp4");
        std::fs::write(&path, bytes).unwrap();
        Track::read(&path)
    }

    fn reason(bytes: &[u8]) -> String {
        match read(bytes) {
            Err(Error::Container { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn samples_lie_where_the_headers_say() {
        let file = fixture::video(&[4, 3]);
        let track = read(&file).unwrap();
        assert_eq!(track.timescale, fixture::TIMESCALE);
        assert_eq!(track.codecs().unwrap(), "avc1.4d401e");
        let times: Vec<u64> = track.samples.iter().map(|s| s.time).collect();
        assert_eq!(times, [0, 1000, 2000, 3000, 4000, 5000, 6000]);
        let sync: Vec<usize> = (0..7).filter(|i| track.samples[*i].sync).collect();
        assert_eq!(sync, [0, 4]);
        for (number, sample) in (1..).zip(&track.samples) {
            let bytes = &file[sample.offset as usize..][..sample.size as usize];
            assert_eq!(bytes, vec![number; usize::from(number)]);
        }
    }

    #[test]
    fn sizes_that_lie_are_told_apart() {
        let good = fixture::video(&[4]);
        let with_size = |size: u32| {
            let mut file = good.clone();
            file[..4].copy_from_slice(&size.to_be_bytes());
            file
        };
        assert!(reason(&with_size(u32::MAX)).contains("box moov of 4294967295 bytes"));
        assert!(reason(&with_size(7)).contains("box moov of 7 bytes"));
        let mut large = [0, 0, 0, 1].to_vec();
        large.extend(b"moov");
        large.extend(u64::MAX.to_be_bytes());
        assert!(reason(&large).contains("box moov of 18446744073709551615 bytes"));
        assert_eq!(reason(&large[..12]), "the file ends inside a box header");
        assert_eq!(reason(b"abc"), "the file ends inside a box header");
        assert_eq!(reason(b""), "it has no moov");
    }

    #[test]
    fn samples_beyond_the_file_are_refused() {
        let mut file = fixture::video(&[4]);
        // The mdat shrinks to nothing and its bytes are gone, but the run still speaks of them.
        let media = file.len() - 10;
        file.truncate(media);
        let mdat = media - 8;
        file[mdat..mdat + 4].copy_from_slice(&8_u32.to_be_bytes());
        assert_eq!(reason(&file), "a sample that lies outside the file");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn a_damaged_file_is_an_error_or_stays_within_itself(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
            cuts in any::<bool>(),
        ) {
            let mut file = fixture::video(&[5, 4]);
            for (index, byte) in damage {
                let index = index.index(file.len());
                file[index] = byte;
            }
            if cuts {
                file.truncate(cut.index(file.len()));
            }
            if let Ok(track) = read(&file) {
                for sample in &track.samples {
                    prop_assert!(sample.offset + u64::from(sample.size) <= file.len() as u64);
                }
                // Whatever it now says, cutting it does not panic either.
                let _ = crate::package::cmaf::Cut::video(track);
            }
        }
    }
}
