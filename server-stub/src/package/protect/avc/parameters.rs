//! Parameter sets (H.264, 7.3.2), as far as the head of a slice depends on them.

use super::{Bits, Result, Unsupported};

/// Of a sequence (7.3.2.1.1).
#[derive(Debug, Clone)]
pub(super) struct Sequence {
    pub(super) separate_planes: bool,
    /// `ChromaArrayType` is not 0.
    pub(super) has_chroma: bool,
    pub(super) frame_num_bits: u32,
    pub(super) order: Order,
    pub(super) only_frames: bool,
}

/// `pic_order_cnt_type`
#[derive(Debug, Clone)]
pub(super) enum Order {
    Written { bits: u32 },
    Expected { always_zero: bool },
    Decoding,
}

/// Of a picture (7.3.2.2).
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) sequence: u32,
    pub(super) arithmetic: bool,
    pub(super) bottom_order: bool,
    /// References in each list unless a slice says otherwise.
    pub(super) references: [u32; 2],
    pub(super) weighted: bool,
    pub(super) weighted_both: bool,
    pub(super) deblocking: bool,
    pub(super) redundant: bool,
}

/// The profiles whose sequences say more of colour (7.3.2.1.1).
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// A number of bits that H.264 allows, less 4.
fn bits_less_4(bits: &mut Bits<'_>) -> Result<u32> {
    let count = bits.unsigned()?;
    if count <= 12 { Ok(count + 4) } else { Err(Unsupported("a counter of more than 16 bits")) }
}

impl Sequence {
    pub(super) fn read(payload: &[u8]) -> Result<(u32, Self)> {
        let mut bits = Bits::new(payload);
        let profile = bits.number(8)?;
        bits.number(16)?; // constraints, level
        let id = bits.unsigned()?;
        let (mut chroma, mut separate_planes) = (1, false);
        if HIGH.contains(&profile) {
            chroma = bits.unsigned()?;
            separate_planes = chroma == 3 && bits.bit()?;
            bits.skip_numbers(2)?; // bit depths
            bits.bit()?;
            if bits.bit()? {
                for list in 0..if chroma == 3 { 12 } else { 8 } {
                    if bits.bit()? {
                        skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                    }
                }
            }
        }
        let frame_num_bits = bits_less_4(&mut bits)?;
        let order = match bits.unsigned()? {
            0 => Order::Written { bits: bits_less_4(&mut bits)? },
            1 => {
                let always_zero = bits.bit()?;
                bits.skip_numbers(2)?;
                let cycle = bits.unsigned()?;
                bits.skip_numbers(cycle.min(255))?;
                Order::Expected { always_zero }
            }
            _ => Order::Decoding,
        };
        bits.unsigned()?; // reference frames
        bits.bit()?; // gaps
        bits.skip_numbers(2)?; // width, height
        let only_frames = bits.bit()?;
        let has_chroma = chroma != 0 && !separate_planes;
        Ok((id, Self { separate_planes, has_chroma, frame_num_bits, order, only_frames }))
    }
}

/// 7.3.2.1.1.1
fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Result<()> {
    let (mut last, mut next) = (8, 8);
    for _ in 0..size {
        if next != 0 {
            next = (last + bits.signed()?).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Ok(())
}

impl Picture {
    pub(super) fn read(payload: &[u8]) -> Result<(u32, Self)> {
        let mut bits = Bits::new(payload);
        let id = bits.unsigned()?;
        let sequence = bits.unsigned()?;
        let arithmetic = bits.bit()?;
        let bottom_order = bits.bit()?;
        if bits.unsigned()? > 0 {
            return Err(Unsupported("slice groups"));
        }
        let mut references = [0; 2];
        for list in &mut references {
            *list = bits.unsigned()?.min(31) + 1;
        }
        let weighted = bits.bit()?;
        let weighted_both = bits.number(2)? == 1;
        bits.skip_numbers(3)?; // quantisers
        let deblocking = bits.bit()?;
        bits.bit()?; // constrained intra prediction
        let redundant = bits.bit()?;
        let picture = Self {
            sequence,
            arithmetic,
            bottom_order,
            references,
            weighted,
            weighted_both,
            deblocking,
            redundant,
        };
        Ok((id, picture))
    }
}
