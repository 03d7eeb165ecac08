//! Boxes as bytes (ISO/IEC 14496-12, 4.2): found, read and put into files that are otherwise left as they are.

use std::ops::Range;

/// Bytes of the header of a box of less than 4 GiB.
pub(super) const HEADER: usize = 8;

/// Where a box lies, header included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) kind: [u8; 4],
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// What is in it.
    pub(super) fn body(self) -> Range<usize> {
        self.start + HEADER..self.end
    }
}

/// The boxes one after the other in a range of bytes; none if they do not fill it.
pub(super) fn boxes(bytes: &[u8], range: Range<usize>) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let size = be32(bytes, start)? as usize;
        let kind = bytes.get(start + 4..start + HEADER)?.try_into().ok()?;
        let end = start.checked_add(size).filter(|end| *end <= range.end && size >= HEADER)?;
        spans.push(Span { kind, start, end });
        start = end;
    }
    Some(spans)
}

/// The one box of a kind in a range.
pub(super) fn child(bytes: &[u8], range: Range<usize>, kind: &[u8; 4]) -> Option<Span> {
    let mut found = boxes(bytes, range)?.into_iter().filter(|span| span.kind == *kind);
    found.next().filter(|_| found.next().is_none())
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// A box.
pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = ((body.len() + HEADER) as u32).to_be_bytes().to_vec();
    bytes.extend(kind);
    bytes.extend(body);
    bytes
}

/// A box with a version and flags.
pub(super) fn full_box(kind: &[u8; 4], version: u8, flags: u32, body: &[u8]) -> Vec<u8> {
    let head = u32::from(version) << 24 | flags;
    boxed(kind, &[&head.to_be_bytes(), body].concat())
}

/// Puts bytes into the boxes that start at `inside`, which grow; none if one of them cannot.
pub(super) fn insert(bytes: &mut Vec<u8>, inside: &[usize], at: usize, new: &[u8]) -> Option<()> {
    let more = u32::try_from(new.len()).ok()?;
    for start in inside {
        let size = be32(bytes, *start)?.checked_add(more)?;
        bytes.get_mut(*start..start + 4)?.copy_from_slice(&size.to_be_bytes());
    }
    bytes.splice(at..at, new.iter().copied());
    Some(())
}
