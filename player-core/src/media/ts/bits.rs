//! Syntax elements of parameter sets (ISO/IEC 14496-10 §7.2, §9.1).

/// Reads bits. What is missing reads as zero, and is remembered.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    pub(super) fn flag(&mut self) -> bool {
        self.bits(1) != 0
    }

    /// `u(count)`, of up to 32 bits.
    pub(super) fn bits(&mut self, count: u32) -> u32 {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.data.get(self.at >> 3).copied().unwrap_or(0);
            value = value << 1 | u32::from(byte >> (7 - (self.at & 7)) & 1);
            self.at += 1;
        }
        value
    }

    /// `ue(v)`
    pub(super) fn unsigned(&mut self) -> u32 {
        let mut zeros = 0;
        while zeros < 32 && self.is_whole() && !self.flag() {
            zeros += 1;
        }
        match zeros {
            32 => u32::MAX,
            _ => ((1 << zeros) - 1) + self.bits(zeros),
        }
    }

    /// `se(v)`
    pub(super) fn signed(&mut self) -> i32 {
        let coded = self.unsigned();
        let half = (coded / 2) as i32;
        if coded & 1 == 1 { half.saturating_add(1) } else { -half }
    }

    /// Whether everything asked for so far was there.
    pub(super) fn is_whole(&self) -> bool {
        self.at <= self.data.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_table_9_2() {
        // 1 010 011 00100 00101 00110 00111, and a few bits.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1001_1000, 0b1110_0000]);
        let codes: Vec<u32> = (0..7).map(|_| bits.unsigned()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
        assert!(bits.is_whole());
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010]);
        assert_eq!((0..4).map(|_| bits.signed()).collect::<Vec<_>>(), [0, 1, -1, 2]);
    }

    #[test]
    fn what_is_missing_is_noticed() {
        let mut bits = Bits::new(&[0x80]);
        assert_eq!(bits.bits(8), 0x80);
        assert!(bits.is_whole());
        bits.unsigned();
        assert!(!bits.is_whole());
        let mut zeros = Bits::new(&[0; 64]);
        assert_eq!(zeros.unsigned(), u32::MAX);
        assert_eq!(Bits::new(&[0xff; 4]).bits(32), u32::MAX);
    }
}
