//! Puts the samples of a track together to parts: all of the same length, cut at the same times in every track.

use super::broadcast::Shape;
use crate::{Error, Result, package::fragmented::Sample};
use bytes::Bytes;

/// The samples of one part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cut {
    /// Which part it is, counted from 0 since the encoder started.
    pub(super) index: u64,
    pub(super) samples: Vec<(Sample, Bytes)>,
}

/// Cuts one track.
#[derive(Debug)]
pub(super) struct Cutter {
    shape: Shape,
    timescale: u32,
    /// Pictures: a segment begins where decoding can.
    video: bool,
    /// Ticks of the coder's delay, that are not played.
    priming: u64,
    /// The part that is being made.
    index: u64,
    samples: Vec<(Sample, Bytes)>,
}

/// Frames before the first, in AAC as ffmpeg makes it.
const PRIMING: u64 = 1024;

impl Cutter {
    pub(super) fn new(shape: Shape, timescale: u32, video: bool) -> Self {
        let priming = if video { 0 } else { PRIMING };
        Self { shape, timescale, video, priming, index: 0, samples: Vec::new() }
    }

    /// Takes the next sample; gives the part that it ends.
    ///
    /// # Errors
    /// [`Error::Encoder`] when what comes does not join what came before.
    pub(super) fn push(&mut self, mut sample: Sample, bytes: Bytes) -> Result<Option<Cut>> {
        let Some(time) = sample.time.checked_sub(self.priming) else { return Ok(None) };
        sample.time = time;
        let next =
            self.shape.part_at(time + u64::from(sample.duration), sample.duration, self.timescale);
        if self.shape.part_at(time, sample.duration, self.timescale) != self.index {
            return Err(broken("a hole in what it made"));
        }
        let begins = self.samples.is_empty() && self.index.is_multiple_of(self.shape.parts.into());
        if self.video && begins && !sample.sync {
            return Err(broken("a segment that does not begin with a key frame"));
        }
        if sample.composition != 0 {
            return Err(broken("pictures out of order"));
        }
        self.samples.push((sample, bytes));
        if next == self.index {
            return Ok(None);
        }
        let cut = Cut { index: self.index, samples: std::mem::take(&mut self.samples) };
        self.index += 1;
        Ok(Some(cut))
    }
}

fn broken(message: &str) -> Error {
    Error::Encoder { status: "still running".into(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::shape, *};

    fn sample(time: u64, duration: u32, sync: bool) -> Sample {
        Sample { offset: 0, size: 1, time, duration, composition: 0, sync }
    }

    fn push(cutter: &mut Cutter, sample: Sample) -> Result<Option<Cut>> {
        cutter.push(sample, Bytes::from_static(b"x"))
    }

    #[test]
    fn a_part_is_there_with_its_last_frame() {
        let mut cutter = Cutter::new(shape(), 24_000, true);
        let lengths: Vec<usize> = (0..48_u64)
            .filter_map(|n| push(&mut cutter, sample(n * 1000, 1000, n == 0)).unwrap())
            .map(|cut| cut.samples.len())
            .collect();
        assert_eq!(lengths, [12; 4]);
    }

    #[test]
    fn sound_is_cut_nearest_to_the_pictures_and_its_priming_left_out() {
        let mut cutter = Cutter::new(shape(), 48_000, false);
        let cuts: Vec<Cut> = (0..190_u64)
            .filter_map(|n| push(&mut cutter, sample(n * 1024, 1024, true)).unwrap())
            .collect();
        assert_eq!(cuts[0].samples[0].0.time, 0);
        for cut in &cuts[..8] {
            let start = cut.samples[0].0.time as f64 / 48_000.0;
            assert!((start - cut.index as f64 * 0.5).abs() <= 0.0107, "{start}");
        }
    }

    #[test]
    fn what_does_not_join_is_refused() {
        let mut cutter = Cutter::new(shape(), 24_000, true);
        assert!(push(&mut cutter, sample(0, 1000, false)).is_err());
        let mut cutter = Cutter::new(shape(), 24_000, true);
        push(&mut cutter, sample(0, 1000, true)).unwrap();
        assert!(push(&mut cutter, sample(13_000, 1000, false)).is_err());
    }
}
