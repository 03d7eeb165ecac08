//! The head of a slice (H.264, 7.3.3): nothing in it is of interest but where it ends.

use super::{
    Avc, Bits, Result, Unsupported,
    parameters::{Order, Picture, Sequence},
};

/// `slice_type` modulo 5 (table 7-6).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    P,
    B,
    I,
    Sp,
    Si,
}

impl Avc {
    /// Reads over the head of a slice.
    pub(super) fn read_slice(&self, bits: &mut Bits<'_>, idr: bool, reference: bool) -> Result<()> {
        bits.unsigned()?; // the first macroblock
        let kind = match bits.unsigned()? % 5 {
            0 => Kind::P,
            1 => Kind::B,
            2 => Kind::I,
            3 => Kind::Sp,
            _ => Kind::Si,
        };
        let unknown = Unsupported("a slice whose parameter sets are not known");
        let picture = self.pictures.get(&bits.unsigned()?).ok_or(unknown.clone())?;
        let sequence = self.sequences.get(&picture.sequence).ok_or(unknown)?;
        if sequence.separate_planes {
            bits.number(2)?;
        }
        bits.number(sequence.frame_num_bits)?;
        let field = !sequence.only_frames && bits.bit()?;
        if field {
            bits.bit()?; // top or bottom
        }
        if idr {
            bits.unsigned()?;
        }
        let both_fields = picture.bottom_order && !field;
        match sequence.order {
            Order::Written { bits: length } => {
                bits.number(length)?;
                bits.skip_numbers(u32::from(both_fields))?;
            }
            Order::Expected { always_zero: false } => {
                bits.skip_numbers(1 + u32::from(both_fields))?;
            }
            Order::Expected { always_zero: true } | Order::Decoding => {}
        }
        if picture.redundant {
            bits.unsigned()?;
        }
        references(bits, kind, picture, sequence)?;
        if reference {
            marking(bits, idr)?;
        }
        if picture.arithmetic && !matches!(kind, Kind::I | Kind::Si) {
            bits.unsigned()?;
        }
        bits.signed()?; // quantiser
        if kind == Kind::Sp {
            bits.bit()?;
        }
        if matches!(kind, Kind::Sp | Kind::Si) {
            bits.signed()?;
        }
        if picture.deblocking && bits.unsigned()? != 1 {
            bits.skip_numbers(2)?;
        }
        Ok(())
    }
}

/// From `direct_spatial_mv_pred_flag` to the weights.
fn references(
    bits: &mut Bits<'_>,
    kind: Kind,
    picture: &Picture,
    sequence: &Sequence,
) -> Result<()> {
    if matches!(kind, Kind::I | Kind::Si) {
        return Ok(());
    }
    let lists = if kind == Kind::B { 2 } else { 1 };
    if kind == Kind::B {
        bits.bit()?;
    }
    let mut counts = picture.references;
    if bits.bit()? {
        for count in counts.iter_mut().take(lists) {
            *count = bits.unsigned()?.min(31) + 1;
        }
    }
    // 7.3.3.1
    for _ in 0..lists {
        if bits.bit()? {
            while bits.unsigned()? != 3 {
                bits.unsigned()?;
            }
        }
    }
    let weights = if kind == Kind::B { picture.weighted_both } else { picture.weighted };
    if !weights {
        return Ok(());
    }
    // 7.3.3.2
    bits.unsigned()?;
    if sequence.has_chroma {
        bits.unsigned()?;
    }
    for count in counts.iter().take(lists) {
        for _ in 0..*count {
            if bits.bit()? {
                bits.skip_numbers(2)?;
            }
            if sequence.has_chroma && bits.bit()? {
                bits.skip_numbers(4)?;
            }
        }
    }
    Ok(())
}

/// 7.3.3.3
fn marking(bits: &mut Bits<'_>, idr: bool) -> Result<()> {
    if idr {
        bits.number(2)?;
        return Ok(());
    }
    if !bits.bit()? {
        return Ok(());
    }
    loop {
        match bits.unsigned()? {
            0 => return Ok(()),
            3 => bits.skip_numbers(2)?,
            5 => {}
            _ => bits.skip_numbers(1)?,
        }
    }
}
