//! As much of AVC (ITU-T H.264) as tells where the head of a slice ends.

mod bits;
mod parameters;
mod slice;

use bits::Bits;
use parameters::{Picture, Sequence};
use std::collections::BTreeMap;

/// A stream that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsupported(pub(super) &'static str);

type Result<T, E = Unsupported> = std::result::Result<T, E>;

/// Follows a stream: its slices are read with the parameter sets that came before them.
#[derive(Debug, Clone)]
pub(super) struct Avc {
    /// Bytes of the length before each unit.
    length_size: usize,
    sequences: BTreeMap<u32, Sequence>,
    pictures: BTreeMap<u32, Picture>,
}

/// `nal_unit_type` (H.264, table 7-1).
mod unit_type {
    pub(super) const SLICE: u8 = 1;
    pub(super) const PARTITIONS: std::ops::RangeInclusive<u8> = 2..=4;
    pub(super) const IDR_SLICE: u8 = 5;
    pub(super) const SEQUENCE: u8 = 7;
    pub(super) const PICTURE: u8 = 8;
}

impl Avc {
    /// A stream with these parameter sets, whose units have lengths of that many bytes (ISO/IEC 14496-15, 5.3.3.1).
    pub(super) fn new(avcc: &mp4_atom::Avcc) -> Result<Self> {
        let mut avc = Self {
            length_size: usize::from(avcc.length_size).clamp(1, 4),
            sequences: BTreeMap::new(),
            pictures: BTreeMap::new(),
        };
        for unit in avcc.sequence_parameter_sets.iter().chain(&avcc.picture_parameter_sets) {
            avc.clear_head(unit)?;
        }
        Ok(avc)
    }

    /// The length's bytes and the unit at the start of what is left of a sample.
    pub(super) fn unit<'a>(&self, rest: &'a [u8]) -> Result<(usize, &'a [u8])> {
        let outside = Unsupported("a unit that reaches out of its sample");
        let (length, units) = rest.split_at_checked(self.length_size).ok_or(outside.clone())?;
        let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        Ok((self.length_size, units.get(..length).ok_or(outside)?))
    }

    /// How many bytes at the start of a slice are its head; none for any other unit.
    pub(super) fn clear_head(&mut self, unit: &[u8]) -> Result<Option<usize>> {
        let Some((first, payload)) = unit.split_first() else { return Ok(None) };
        match first & 0x1f {
            unit_type::SEQUENCE => {
                let (id, sequence) = Sequence::read(payload)?;
                self.sequences.insert(id, sequence);
                Ok(None)
            }
            unit_type::PICTURE => {
                let (id, picture) = Picture::read(payload)?;
                self.pictures.insert(id, picture);
                Ok(None)
            }
            kind @ (unit_type::SLICE | unit_type::IDR_SLICE) => {
                let bits = self.after_slice_head(kind, *first, payload)?;
                Ok(Some(1 + bits.bytes()))
            }
            kind if unit_type::PARTITIONS.contains(&kind) => Err(Unsupported("data partitions")),
            _ => Ok(None),
        }
    }

    fn after_slice_head<'a>(&self, kind: u8, first: u8, payload: &'a [u8]) -> Result<Bits<'a>> {
        let mut bits = Bits::new(payload);
        let reference = first >> 5 & 3 != 0;
        self.read_slice(&mut bits, kind == unit_type::IDR_SLICE, reference)?;
        Ok(bits)
    }

    /// What is left of the byte in which a slice's head ends, if it ends in one.
    #[cfg(test)]
    pub(super) fn after_head(&mut self, unit: &[u8]) -> Result<Option<Option<(u8, u8)>>> {
        if self.clear_head(unit)?.is_none() {
            return Ok(None);
        }
        let bits = self.after_slice_head(unit[0] & 0x1f, unit[0], &unit[1..])?;
        Ok(Some(bits.rest_of_byte()))
    }
}
