//! Cuts an encoded track into CMAF segments (ISO/IEC 23000-19): which samples go together, and their bytes.
//!
//! Every track starts at presentation time zero with no edit list: the encoder's priming is left out, and
//! composition offsets are signed (`trun` version 1), so that a segment's `baseMediaDecodeTime` is also the
//! earliest presentation time in it. Players, manifests and files then speak of the same times.

use super::{
    chunk::{self, TRACK_ID},
    fragmented::{Sample, Track},
};
use crate::{Error, Result};
use mp4_atom::{Encode, SegmentReference, Sidx};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
};

/// A track and the places it is cut at.
#[derive(Debug)]
pub(super) struct Cut {
    track: Track,
    /// The index of each segment's first sample, then the number of samples.
    bounds: Vec<usize>,
}

/// A track's bytes in the form CMAF gives them, read one segment at a time.
pub(super) struct Writer<'a> {
    cut: &'a Cut,
    file: File,
}

impl Cut {
    /// Cuts a video track at each random access point.
    pub(super) fn video(mut track: Track) -> Result<Self> {
        let first = track.samples.first().map_or(0, |s| s.time);
        let delay = track.samples.first().map_or(0, |s| s.composition);
        for sample in &mut track.samples {
            sample.time = sample.time.saturating_sub(first);
            sample.composition = sample.composition.saturating_sub(delay);
        }
        let mut bounds: Vec<usize> =
            (0..).zip(&track.samples).filter(|(_, s)| s.sync).map(|(i, _)| i).collect();
        bounds.push(track.samples.len());
        let cut = Self { track, bounds };
        cut.check_starts()?;
        Ok(cut)
    }

    /// Cuts an audio track at the frames nearest to where the video is cut (seconds), and once every
    /// `step` seconds where it runs on after the video's end.
    pub(super) fn audio(mut track: Track, video_starts: &[f64], step: f64) -> Result<Self> {
        let media_start = track.media_start;
        track.samples.retain(|s| s.time >= media_start);
        let first = track.samples.first().map_or(0, |s| s.time);
        for sample in &mut track.samples {
            sample.time = sample.time.saturating_sub(first);
        }
        let scale = f64::from(track.timescale);
        let end =
            track.samples.last().map_or(0.0, |s| (s.time + u64::from(s.duration)) as f64 / scale);
        let mut bounds = vec![0];
        let mut after_video = video_starts.last().copied().unwrap_or(0.0);
        let more = std::iter::from_fn(|| {
            after_video += step;
            Some(after_video)
        });
        // Wherever there is a video segment there is an audio segment, however short; after the video, a rest
        // of less than half a step stays with the segment before it.
        let within = video_starts.iter().skip(1).copied().take_while(|start| *start < end);
        let after = more.take_while(|start| start + step / 2.0 <= end);
        for start in within.chain(after) {
            let index = track.samples.partition_point(|s| {
                (s.time as f64 + f64::from(s.duration) / 2.0) / scale <= start
            });
            bounds.push(index);
        }
        bounds.push(track.samples.len());
        bounds.dedup();
        Ok(Self { track, bounds })
    }

    pub(super) fn track(&self) -> &Track {
        &self.track
    }

    /// How many segments there are.
    pub(super) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// The start of a segment (from 0) and its duration, in ticks.
    pub(super) fn time(&self, index: usize) -> Range<u64> {
        let samples = self.samples(index);
        let start = samples.first().map_or(0, |s| s.time);
        start..samples.last().map_or(start, |s| s.time + u64::from(s.duration))
    }

    /// The initialization segment.
    pub(super) fn initialization(&self) -> Result<Vec<u8>> {
        chunk::initialization(self.track.moov.clone()).map_err(|reason| self.malformed(0, &reason))
    }

    /// The box that opens a segment in a file of its own.
    pub(super) fn segment_type(&self) -> Result<Vec<u8>> {
        chunk::segment_type().map_err(|reason| self.malformed(0, &reason))
    }

    /// The index of a file that holds all segments (ISO/IEC 14496-12, 8.16.3), given their sizes.
    pub(super) fn index(&self, sizes: &[u64]) -> Result<Vec<u8>> {
        let reference = |(index, size): (usize, &u64)| {
            let time = self.time(index);
            Some(SegmentReference {
                reference_type: false,
                referenced_size: u32::try_from(*size)
                    .ok()
                    .filter(|size| *size <= i32::MAX as u32)?,
                subsegment_duration: u32::try_from(time.end - time.start).ok()?,
                starts_with_sap: true,
                sap_type: 1,
                sap_delta_time: 0,
            })
        };
        let references: Option<Vec<_>> = sizes.iter().enumerate().map(reference).collect();
        let references = references
            .filter(|references| references.len() <= usize::from(u16::MAX))
            .ok_or_else(|| self.malformed(0, "more or larger segments than one index can hold"))?;
        let sidx = Sidx {
            reference_id: TRACK_ID,
            timescale: self.track.timescale,
            earliest_presentation_time: 0,
            first_offset: 0,
            references,
        };
        let mut bytes = Vec::new();
        self.put(&mut bytes, &sidx)?;
        Ok(bytes)
    }

    /// Opens the track's media.
    pub(super) fn writer(&self) -> Result<Writer<'_>> {
        let file = File::open(&self.track.path).map_err(Error::io("open", &self.track.path))?;
        Ok(Writer { cut: self, file })
    }

    fn samples(&self, index: usize) -> &[Sample] {
        match self.bounds.get(index..index + 2) {
            Some([start, end]) => self.track.samples.get(*start..*end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Every segment must present its first sample first, or its start would not be its time.
    fn check_starts(&self) -> Result<()> {
        if self.bounds.first() != Some(&0) {
            return Err(self.malformed(0, "it does not start at a random access point"));
        }
        for index in 0..self.len() {
            let start = self.time(index).start;
            let present = |s: &Sample| s.time.checked_add_signed(s.composition);
            if self.samples(index).iter().map(present).min() != Some(Some(start)) {
                let offset = self.samples(index).first().map_or(0, |s| s.offset);
                return Err(self.malformed(offset, "pictures shown before the group's first"));
            }
        }
        Ok(())
    }

    fn malformed(&self, offset: u64, reason: &str) -> Error {
        Error::Container { path: self.track.path.clone(), offset, reason: reason.to_owned() }
    }

    fn put(&self, bytes: &mut Vec<u8>, atom: &impl Encode) -> Result<()> {
        atom.encode(bytes).map_err(|error| self.malformed(0, &error.to_string()))
    }
}

impl Writer<'_> {
    /// A segment's movie fragment and media (`moof` and `mdat`).
    pub(super) fn fragment(&mut self, index: usize) -> Result<Vec<u8>> {
        let samples = self.cut.samples(index);
        let size: usize = samples.iter().map(|s| s.size as usize).sum();
        let mut bytes = chunk::head(index as u32 + 1, samples)
            .map_err(|reason| self.cut.malformed(0, &reason))?;
        let length = bytes.len();
        for sample in samples {
            self.file
                .seek(SeekFrom::Start(sample.offset))
                .and_then(|_| (&mut self.file).take(sample.size.into()).read_to_end(&mut bytes))
                .map_err(Error::io("read", &self.cut.track.path))?;
        }
        if bytes.len() != length + size {
            return Err(self.cut.malformed(0, "the file became shorter while it was read"));
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fragmented::fixture, *};
    use std::path::PathBuf;

    fn track(bytes: &[u8]) -> (tempfile::TempDir, Track) {
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("track.mp4");
        std::fs::write(&path, bytes).unwrap();
        let track = Track::read(&path).unwrap();
        (directory, track)
    }

    fn times(cut: &Cut) -> Vec<Range<u64>> {
        (0..cut.len()).map(|i| cut.time(i)).collect()
    }

    #[test]
    fn video_is_cut_at_its_random_access_points_and_starts_at_zero() {
        let (_directory, track) = track(&fixture::video(&[4, 4, 2]));
        let cut = Cut::video(track).unwrap();
        assert_eq!(times(&cut), [0..4000, 4000..8000, 8000..10_000]);
        // Decoded first, shown first, at its decoding time.
        assert!(cut.track.samples.iter().filter(|s| s.sync).all(|s| s.composition == 0));
        assert!(cut.track.samples.iter().any(|s| s.composition < 0));
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_media() {
        let source = fixture::video(&[4, 3]);
        let (_directory, source_track) = track(&source);
        let cut = Cut::video(source_track).unwrap();
        let mut file = cut.initialization().unwrap();
        let mut media = cut.writer().unwrap();
        for index in 0..cut.len() {
            file.extend(cut.segment_type().unwrap());
            file.extend(media.fragment(index).unwrap());
        }
        let (_directory, copy) = track(&file);
        assert_eq!(copy.moov.trak[0].edts, None);
        assert_eq!(copy.samples.len(), cut.track.samples.len());
        for (a, b) in cut.track.samples.iter().zip(&copy.samples) {
            assert_eq!(Sample { offset: 0, ..*a }, Sample { offset: 0, ..*b });
            let bytes =
                |file: &[u8], s: &Sample| file[s.offset as usize..][..s.size as usize].to_vec();
            assert_eq!(bytes(&source, a), bytes(&file, b));
        }
    }

    #[test]
    fn audio_is_cut_at_the_frames_nearest_to_the_video() {
        let (_directory, track) = track(&fixture::audio(283, 1));
        // 282 frames, 6.016 s, beside three segments of video.
        let cut = Cut::audio(track, &[0.0, 2.0, 4.0], 2.0).unwrap();
        assert_eq!(times(&cut), [0..94 * 1024, 94 * 1024..188 * 1024, 188 * 1024..282 * 1024]);
    }

    #[test]
    fn audio_longer_than_the_video_goes_on_in_steps() {
        let (_directory, track) = track(&fixture::audio(47 * 7, 0));
        let cut = Cut::audio(track, &[0.0, 2.0], 2.0).unwrap();
        let lengths: Vec<u64> = times(&cut).iter().map(|t| (t.end - t.start) / 1024).collect();
        assert_eq!(lengths, [94, 94, 93, 48]);
        assert_eq!(cut.time(3).end, 47 * 7 * 1024);
    }

    #[test]
    fn the_last_video_segment_has_its_audio_however_short() {
        let (_directory, track) = track(&fixture::audio(94 + 10, 0));
        let cut = Cut::audio(track, &[0.0, 2.0], 2.0).unwrap();
        assert_eq!(times(&cut), [0..94 * 1024, 94 * 1024..104 * 1024]);
    }

    #[test]
    fn audio_shorter_than_the_video_just_ends() {
        let (_directory, track) = track(&fixture::audio(50, 0));
        let cut = Cut::audio(track, &[0.0, 2.0, 4.0, 6.0], 2.0).unwrap();
        assert_eq!((cut.len(), cut.time(0)), (1, 0..50 * 1024));
    }

    #[test]
    fn the_index_adds_up_to_the_file() {
        let (_directory, track) = track(&fixture::video(&[4, 3]));
        let cut = Cut::video(track).unwrap();
        let bytes = cut.index(&[100, 200]).unwrap();
        let sidx = <Sidx as mp4_atom::Decode>::decode(&mut bytes.as_slice()).unwrap();
        let references: Vec<_> =
            sidx.references.iter().map(|r| (r.referenced_size, r.subsegment_duration)).collect();
        assert_eq!(references, [(100, 4000), (200, 3000)]);
        assert_eq!(sidx.first_offset, 0);
        assert!(matches!(cut.index(&[u64::MAX, 1]), Err(Error::Container { .. })));
    }
}
