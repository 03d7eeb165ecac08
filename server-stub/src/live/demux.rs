//! Takes samples out of the fragmented MP4 that ffmpeg writes, while it writes it.

use crate::{
    Error, Result,
    package::fragmented::{Fragment, Sample},
};
use bytes::{Bytes, BytesMut};
use mp4_atom::{Decode, FourCC, Moof, Moov};
use std::path::Path;

/// A box of more bytes is none: a frame of the largest picture has less.
const LARGEST_BOX: usize = 64 << 20;
/// What errors call the file.
const NAME: &str = "the encoder's output";

/// Reads boxes as they come.
#[derive(Debug, Default)]
pub(super) struct Demuxer {
    buffer: BytesMut,
    /// Where the buffer begins in what was written.
    position: u64,
    moov: Option<Moov>,
    /// A fragment whose media is still to come, and its size.
    moof: Option<(Moof, usize)>,
    /// The decoding time after each track's last sample.
    clocks: Vec<u64>,
}

/// What comes out.
#[derive(Debug, PartialEq)]
pub(super) enum Item {
    /// The headers of all tracks.
    Header(Box<Moov>),
    /// Samples of a track, counted from 0, and their bytes.
    Samples(usize, Vec<(Sample, Bytes)>),
}

impl Demuxer {
    /// Takes in what was written next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What is whole by now. Call it until it is empty.
    ///
    /// # Errors
    /// [`Error::Container`] when this is no such file.
    pub(super) fn next(&mut self) -> Result<Vec<Item>> {
        loop {
            let Some((kind, whole)) = self.next_box()? else { return Ok(Vec::new()) };
            let body = whole.slice(8..);
            match &kind {
                b"moov" => {
                    let moov = Moov::decode(&mut whole.as_ref()).map_err(|e| self.decoding(&e))?;
                    self.clocks = vec![0; moov.trak.len()];
                    self.moov = Some(moov.clone());
                    return Ok(vec![Item::Header(Box::new(moov))]);
                }
                b"moof" => {
                    let moof = Moof::decode(&mut whole.as_ref()).map_err(|e| self.decoding(&e))?;
                    self.moof = Some((moof, whole.len()));
                }
                b"mdat" => {
                    if let Some((moof, size)) = self.moof.take() {
                        return self.samples(&moof, size, &body);
                    }
                }
                _ => {}
            }
        }
    }

    fn samples(&mut self, moof: &Moof, size: usize, media: &Bytes) -> Result<Vec<Item>> {
        let Some(moov) = &self.moov else { return Err(self.malformed("media before a header")) };
        let header = size + 8;
        let mut items = Vec::new();
        for traf in &moof.traf {
            let id = traf.tfhd.track_id;
            let track = moov.trak.iter().position(|trak| trak.tkhd.track_id == id);
            let Some((track, clock)) =
                track.and_then(|track| Some((track, self.clocks.get_mut(track)?)))
            else {
                return Err(self.malformed("a fragment of an unknown track"));
            };
            let trex = moov.mvex.as_ref();
            let fragment = Fragment {
                path: Path::new(NAME),
                start: 0,
                end: (header + media.len()) as u64,
                traf,
                trex: trex.and_then(|mvex| mvex.trex.iter().find(|trex| trex.track_id == id)),
            };
            let mut samples = Vec::new();
            *clock = fragment.collect(*clock, &mut samples)?;
            let take = |sample: Sample| {
                let from = usize::try_from(sample.offset).ok()?.checked_sub(header)?;
                let to = from.checked_add(sample.size as usize)?;
                (to <= media.len()).then(|| (sample, media.slice(from..to)))
            };
            let Some(samples) = samples.into_iter().map(take).collect() else {
                return Err(self.malformed("a sample outside of its media"));
            };
            items.push(Item::Samples(track, samples));
        }
        Ok(items)
    }

    /// The next whole box, if it is all there.
    fn next_box(&mut self) -> Result<Option<([u8; 4], Bytes)>> {
        let Some([a, b, c, d, kind @ ..]) = self.buffer.first_chunk::<8>().copied() else {
            return Ok(None);
        };
        let size = u32::from_be_bytes([a, b, c, d]) as usize;
        if !(8..=LARGEST_BOX).contains(&size) {
            let name = FourCC::from(kind);
            return Err(self.malformed(&format!("a box {name} of {size} bytes")));
        }
        if self.buffer.len() < size {
            self.buffer.reserve(size - self.buffer.len());
            return Ok(None);
        }
        self.position += size as u64;
        Ok(Some((kind, self.buffer.split_to(size).freeze())))
    }

    fn decoding(&self, error: &mp4_atom::Error) -> Error {
        self.malformed(&error.to_string())
    }

    fn malformed(&self, reason: &str) -> Error {
        Error::Container { path: NAME.into(), offset: self.position, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::fragmented::fixture;
    use proptest::prelude::*;

    fn read(bytes: &[u8], step: usize) -> Result<Vec<Item>> {
        let mut demuxer = Demuxer::default();
        let mut items = Vec::new();
        for piece in bytes.chunks(step) {
            demuxer.push(piece);
            loop {
                let more = demuxer.next()?;
                if more.is_empty() {
                    break;
                }
                items.extend(more);
            }
        }
        Ok(items)
    }

    #[test]
    fn samples_come_out_however_the_bytes_come_in() {
        let file = fixture::video(&[4, 3]);
        let whole = read(&file, file.len()).unwrap();
        assert_eq!(read(&file, 7).unwrap(), whole);
        let samples: Vec<_> = whole
            .iter()
            .flat_map(|item| match item {
                Item::Samples(0, samples) => samples.clone(),
                _ => Vec::new(),
            })
            .collect();
        assert_eq!(samples.len(), 7);
        for (number, (sample, bytes)) in (1_u8..).zip(samples) {
            assert_eq!(sample.time, u64::from(number - 1) * 1000);
            assert_eq!(bytes, vec![number; number.into()]);
        }
    }

    proptest! {
        #[test]
        fn damage_is_an_error_or_stays_within_itself(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            step in 1_usize..4000,
        ) {
            let mut file = fixture::video(&[5, 4]);
            for (index, byte) in damage {
                let index = index.index(file.len());
                file[index] = byte;
            }
            let _ = read(&file, step);
        }
    }
}
