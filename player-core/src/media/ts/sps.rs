//! Sequence parameter sets of H.264 (ISO/IEC 14496-10 §7.3.2.1.1): what a sample entry says of pictures.

use super::bits::Bits;

/// What is read of a parameter set at most: one with every scaling list takes a few hundred bytes.
const MOST: usize = 2048;
/// The profiles whose parameter sets speak of chroma.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// `aspect_ratio_idc` from 1 on (table E-1).
const ASPECTS: [(u16, u16); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// What a sequence parameter set says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sps {
    pub(super) id: u32,
    /// Size of what is shown, in pixels.
    pub(super) width: u16,
    pub(super) height: u16,
    /// Shape of a pixel, width to height, if it is said and not square.
    pub(super) aspect: Option<(u16, u16)>,
    /// `chroma_format_idc`, and the bit depths of luma and chroma less 8: of the profiles that have them.
    pub(super) chroma: Option<[u8; 3]>,
    /// Pictures may come in two fields.
    pub(super) fields: bool,
}

/// Takes the bytes out that only keep start codes from arising (§7.4.1.1), of no more than so many bytes.
pub(super) fn unescaped(unit: &[u8], most: usize) -> Vec<u8> {
    let mut plain: Vec<u8> = Vec::with_capacity(unit.len().min(most));
    let mut zeros = 0;
    for byte in unit.iter().take(most) {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        plain.push(*byte);
    }
    plain
}

impl Sps {
    /// Reads a NAL unit, its header included; none if it is damaged or of a picture nobody can show.
    pub(super) fn read(unit: &[u8]) -> Option<Self> {
        let plain = unescaped(unit, MOST);
        let mut bits = Bits::new(plain.get(1..)?);
        let profile = bits.bits(8);
        bits.bits(16);
        let id = bits.unsigned();
        let (mut chroma, mut chroma_array) = (None, 1);
        if HIGH.contains(&profile) {
            let format = bits.unsigned();
            chroma_array = if format == 3 && bits.flag() { 0 } else { format };
            let depths = [bits.unsigned(), bits.unsigned()];
            if format > 3 || depths.iter().any(|depth| *depth > 6) {
                return None;
            }
            chroma = Some([format as u8, depths[0] as u8, depths[1] as u8]);
            bits.bits(1);
            if bits.flag() {
                skip_scaling_lists(&mut bits, if format == 3 { 12 } else { 8 });
            }
        }
        bits.unsigned();
        skip_order(&mut bits);
        bits.unsigned();
        bits.bits(1);
        let columns = bits.unsigned().saturating_add(1);
        let rows = bits.unsigned().saturating_add(1);
        let fields = if bits.flag() { 1 } else { 2 };
        if fields == 2 {
            bits.bits(1);
        }
        bits.bits(1);
        let mut crop = [0; 4];
        if bits.flag() {
            crop = [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()];
        }
        let unit_x = if matches!(chroma_array, 1 | 2) { 2 } else { 1 };
        let unit_y = if chroma_array == 1 { 2 } else { 1 };
        let [left, right, top, bottom] = crop;
        let size = |blocks: u32, [before, after]: [u32; 2], unit: u32| {
            let cut = before.checked_add(after)?.checked_mul(unit)?;
            let size = blocks.checked_mul(16)?.checked_sub(cut)?;
            u16::try_from(size).ok().filter(|size| *size > 0)
        };
        let width = size(columns, [left, right], unit_x)?;
        let height = size(rows.checked_mul(fields)?, [top, bottom], unit_y * fields)?;
        let whole = bits.is_whole();
        let aspect = if bits.flag() && bits.flag() { aspect(&mut bits) } else { None };
        let aspect = aspect.filter(|(x, y)| x != y && *x > 0 && *y > 0 && bits.is_whole());
        (whole && id < 32).then_some(Self {
            id,
            width,
            height,
            aspect,
            chroma,
            fields: fields == 2,
        })
    }
}

fn aspect(bits: &mut Bits<'_>) -> Option<(u16, u16)> {
    match bits.bits(8) {
        255 => Some((bits.bits(16) as u16, bits.bits(16) as u16)),
        named => ASPECTS.get((named as usize).checked_sub(1)?).copied(),
    }
}

/// `scaling_list()` (§7.3.2.1.1.1)
fn skip_scaling_lists(bits: &mut Bits<'_>, count: u32) {
    for list in 0..count {
        // What is cut off costs no more than it has bytes.
        if !bits.flag() || !bits.is_whole() {
            continue;
        }
        let (mut last, mut next) = (8, 8);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if !bits.is_whole() {
                break;
            }
            if next != 0 {
                next = (last + bits.signed() % 256) & 0xff;
            }
            if next != 0 {
                last = next;
            }
        }
    }
}

/// `pic_order_cnt_type`, and what it brings.
fn skip_order(bits: &mut Bits<'_>) {
    match bits.unsigned() {
        0 => {
            bits.unsigned();
        }
        1 => {
            bits.bits(1);
            bits.signed();
            bits.signed();
            let cycle = bits.unsigned();
            for _ in 0..cycle.min(255) {
                if !bits.is_whole() {
                    break;
                }
                bits.signed();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As x264 wrote them.
    const HIGH_720: [u8; 26] = [
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
    ];
    const INTERLACED_1080: [u8; 26] = [
        0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x04, 0x4f, 0xde, 0x02, 0x20, 0x00, 0x00,
        0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x43, 0xe2, 0xc5, 0xb2, 0xc0,
    ];
    const BASELINE_OF_WIDE_PIXELS: [u8; 25] = [
        0x67, 0x42, 0xc0, 0x0c, 0xd9, 0x01, 0x41, 0x9f, 0x9f, 0x0e, 0x10, 0x00, 0x00, 0x03, 0x00,
        0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x42, 0xa4, 0x80,
    ];
    const FULL_CHROMA: [u8; 27] = [
        0x67, 0xf4, 0x00, 0x0d, 0x91, 0x9b, 0x28, 0x2a, 0x33, 0xc7, 0xc5, 0xe0, 0x22, 0x00, 0x00,
        0x03, 0x00, 0x02, 0x00, 0x00, 0x03, 0x00, 0x64, 0x1e, 0x28, 0x53, 0x2c,
    ];

    #[test]
    fn a_size_is_what_is_shown() {
        let size = |unit: &[u8]| {
            let sps = Sps::read(unit).expect("whole");
            (sps.width, sps.height, sps.aspect, sps.chroma)
        };
        assert_eq!(size(&HIGH_720), (1280, 720, None, Some([1, 0, 0])));
        assert_eq!(size(&INTERLACED_1080), (1920, 1080, None, Some([1, 0, 0])));
        assert_eq!(size(&BASELINE_OF_WIDE_PIXELS), (320, 180, Some((4, 3)), None));
        assert_eq!(size(&FULL_CHROMA), (322, 182, None, Some([3, 0, 0])));
        let fields = |unit: &[u8]| Sps::read(unit).is_some_and(|sps| sps.fields);
        assert!(fields(&INTERLACED_1080) && !fields(&HIGH_720));
    }

    #[test]
    fn a_set_that_is_cut_off_is_none() {
        for length in 0..10 {
            assert_eq!(Sps::read(&HIGH_720[..length]), None, "{length}");
        }
        assert_eq!(Sps::read(&[0; 200]), None);
        assert_eq!(Sps::read(&[0x67, 66, 0, 30, 0x00, 0x00, 0x00]), None);
        let huge = [0x67, 66, 0, 30, 0b1111_1000, 0, 0, 0, 0b0100_0000, 0, 0, 0x80, 0xff];
        assert_eq!(Sps::read(&huge), None, "nobody shows millions of pixels a line");
    }

    #[test]
    fn bytes_against_start_codes_are_taken_out() {
        assert_eq!(unescaped(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3], 99), [0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(unescaped(&[0, 3, 0, 3, 3], 4), [0, 3, 0, 3]);
    }
}
