//! Bits of a unit's payload (H.264, 7.3.1 and 9.1).

use super::{Result, Unsupported};

/// Reads bits, over the bytes that keep start codes from appearing.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The byte that is being read, and the bits of it that were.
    at: usize,
    used: u8,
    zeros: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, used: 0, zeros: 0 }
    }

    /// How many bytes were read, the last perhaps in part.
    pub(super) fn bytes(&self) -> usize {
        self.at + usize::from(self.used > 0)
    }

    /// The bits of the last byte that were not read.
    #[cfg(test)]
    pub(super) fn rest_of_byte(&self) -> Option<(u8, u8)> {
        let left = 8 - self.used;
        (self.used > 0).then(|| (self.bytes[self.at] & ((1 << left) - 1), left))
    }

    pub(super) fn bit(&mut self) -> Result<bool> {
        let ended = Unsupported("a unit that ends too early");
        if self.used == 0 && self.zeros >= 2 && self.bytes.get(self.at) == Some(&3) {
            (self.at, self.zeros) = (self.at + 1, 0);
        }
        let byte = *self.bytes.get(self.at).ok_or(ended)?;
        let bit = byte >> (7 - self.used) & 1 == 1;
        self.used += 1;
        if self.used == 8 {
            self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
            (self.at, self.used) = (self.at + 1, 0);
        }
        Ok(bit)
    }

    /// `u(n)`
    pub(super) fn number(&mut self, bits: u32) -> Result<u32> {
        let mut number = 0;
        for _ in 0..bits {
            number = number << 1 | u32::from(self.bit()?);
        }
        Ok(number)
    }

    /// `ue(v)`
    pub(super) fn unsigned(&mut self) -> Result<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return Err(Unsupported("a number of more than 32 bits"));
            }
        }
        Ok((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// `se(v)`; its value is of no interest here, but to scaling lists.
    pub(super) fn signed(&mut self) -> Result<i64> {
        let code = i64::from(self.unsigned()?);
        Ok(if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 })
    }

    /// Reads over so many `ue(v)` or `se(v)`.
    pub(super) fn skip_numbers(&mut self, count: u32) -> Result<()> {
        for _ in 0..count {
            self.unsigned()?;
        }
        Ok(())
    }
}
