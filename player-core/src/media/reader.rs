//! Fields of a box, in order.

use super::{BoxError, FourCc};

/// Reads big-endian fields from a box and never beyond its end.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    offset: u64,
    within: FourCc,
}

impl<'a> Reader<'a> {
    /// Reads `data`, which lies at `offset` and belongs to the box `within`.
    pub(crate) fn new(data: &'a [u8], offset: u64, within: FourCc) -> Self {
        Self { rest: data, offset, within }
    }

    /// Errors name this box from now on.
    pub(crate) fn name(&mut self, within: FourCc) {
        self.within = within;
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], BoxError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            return Err(BoxError::truncated(self.offset, self.within));
        };
        self.rest = rest;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], BoxError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Result<(), BoxError> {
        self.bytes(count).map(|_| ())
    }

    pub(crate) fn u8(&mut self) -> Result<u8, BoxError> {
        self.array().map(u8::from_be_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, BoxError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, BoxError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, BoxError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A 64-bit field in version 1 of a box, a 32-bit field in version 0.
    pub(crate) fn versioned(&mut self, version: u8) -> Result<u64, BoxError> {
        if version == 0 { self.u32().map(u64::from) } else { self.u64() }
    }

    /// Version and flags of a full box (ISO/IEC 14496-12 §4.2.2).
    pub(crate) fn full(&mut self) -> Result<(u8, u32), BoxError> {
        let word = self.u32()?;
        Ok(((word >> 24) as u8, word & 0x00ff_ffff))
    }

    /// Where it is now.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}
