//! Fields of a box, in order.

use super::error::Fault;
use super::{BoxError, FourCc};

/// Reads big-endian fields from a box and never beyond its end.
///
/// What is missing reads as zero and is remembered: whoever has read all it needs asks
/// [`check`](Self::check). One test for many fields keeps the parsers small.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    offset: u64,
    within: FourCc,
    /// Where the data ended too early, and in which box.
    missing: Option<(u64, FourCc)>,
}

impl<'a> Reader<'a> {
    /// Reads `data`, which lies at `offset` and belongs to the box `within`.
    #[inline(never)]
    pub(super) fn new(data: &'a [u8], offset: u64, within: FourCc) -> Self {
        Self { rest: data, offset, within, missing: None }
    }

    /// Errors name this box from now on.
    pub(super) fn name(&mut self, within: FourCc) {
        self.within = within;
    }

    /// Whether everything asked for so far was there.
    #[inline(never)]
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self.missing {
            None => Ok(()),
            Some((offset, within)) => Err(BoxError::truncated(offset, within)),
        }
    }

    /// As [`check`](Self::check), to end loops whose count comes from outside.
    pub(super) fn is_whole(&self) -> bool {
        self.missing.is_none()
    }

    #[inline(never)]
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        match self.rest.split_at_checked(count) {
            Some((bytes, rest)) if self.missing.is_none() => {
                self.rest = rest;
                self.offset = self.offset.saturating_add(count as u64);
                bytes
            }
            _ => {
                self.missing.get_or_insert((self.offset, self.within));
                self.rest = &[];
                &[]
            }
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        self.bytes(N).try_into().unwrap_or([0; N])
    }

    #[inline(never)]
    pub(super) fn skip(&mut self, count: usize) {
        self.bytes(count);
    }

    #[inline(never)]
    pub(super) fn u8(&mut self) -> u8 {
        u8::from_be_bytes(self.array())
    }

    #[inline(never)]
    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    #[inline(never)]
    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }

    #[inline(never)]
    pub(super) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// A 64-bit field in version 1 of a box, a 32-bit field in version 0.
    #[inline(never)]
    pub(super) fn versioned(&mut self, version: u8) -> u64 {
        if version == 0 { self.u32().into() } else { self.u64() }
    }

    /// Version and flags of a full box (ISO/IEC 14496-12 §4.2.2).
    #[inline(never)]
    pub(super) fn full(&mut self) -> (u8, u32) {
        let word = self.u32();
        ((word >> 24) as u8, word & 0x00ff_ffff)
    }

    /// Where it is now.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}
