//! What of a picture is protected (ISO/IEC 23001-7, 9.5): of its slices all that comes after the slice header.
//! Parameter sets, messages and the heads of slices stay clear, so that a decoder's front end finds its way
//! without the key.

use super::{
    avc::{Avc, Unsupported},
    fragment::MOST_SUBSAMPLES,
};
use kinora_cenc::{BLOCK, Scheme, Subsample};

/// The layout of one sample of AVC.
pub(super) fn of_picture(
    avc: &mut Avc,
    scheme: Scheme,
    sample: &[u8],
) -> Result<Vec<Subsample>, Unsupported> {
    let mut map = Map::default();
    let mut rest = sample;
    while !rest.is_empty() {
        let (length, unit) = avc.unit(rest)?;
        let head = avc.clear_head(unit)?.unwrap_or(unit.len());
        let (head, data) = (length + head, unit.len() - head);
        // Only whole blocks of CTR are protected (10.1); CBC leaves a last partial one by itself (10.4).
        let partial = if scheme == Scheme::Cenc { data % BLOCK } else { 0 };
        map.add(head + partial, data - partial);
        rest = rest.get(length + unit.len()..).unwrap_or_default();
    }
    map.finish().ok_or(Unsupported("a picture of more parts than can be told of one"))
}

/// Clear bytes and protected ones in turn, in the making.
#[derive(Default)]
struct Map {
    /// Each ends in protected bytes.
    parts: Vec<(usize, usize)>,
    /// Clear bytes after those.
    clear: usize,
}

/// The most clear bytes that one subsample can have.
const MOST_CLEAR: usize = u16::MAX as usize;

impl Map {
    fn add(&mut self, clear: usize, protected: usize) {
        self.clear += clear;
        if protected < BLOCK {
            self.clear += protected;
        } else {
            self.parts.push((self.clear, protected));
            self.clear = 0;
        }
    }

    /// The subsamples. Of a picture of very many slices the smallest stay clear.
    fn finish(mut self) -> Option<Vec<Subsample>> {
        while self.len() > MOST_SUBSAMPLES {
            let sizes =
                self.parts.iter().enumerate().map(|(index, (_, protected))| (protected, index));
            let (_, smallest) = sizes.min()?;
            let (clear, protected) = self.parts.remove(smallest);
            let after = self.parts.get_mut(smallest).map_or(&mut self.clear, |(clear, _)| clear);
            *after += clear + protected;
        }
        let mut subsamples = Vec::with_capacity(self.len());
        let rest = (self.clear > 0).then_some((self.clear, 0));
        for (mut clear, protected) in self.parts.into_iter().chain(rest) {
            while clear > MOST_CLEAR {
                subsamples.push(Subsample { clear: u16::MAX, protected: 0 });
                clear -= MOST_CLEAR;
            }
            subsamples.push(Subsample { clear: clear as u16, protected: protected as u32 });
        }
        Some(subsamples)
    }

    fn len(&self) -> usize {
        let entries = |clear: usize| clear.div_ceil(MOST_CLEAR).max(1);
        let parts: usize = self.parts.iter().map(|(clear, _)| entries(*clear)).sum();
        parts + if self.clear > 0 { entries(self.clear) } else { 0 }
    }
}
