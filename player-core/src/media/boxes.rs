//! The boxes of a piece of media, one after another (ISO/IEC 14496-12 §4.2).

use super::error::Fault;
use super::reader::Reader;
use super::{BoxError, BoxErrorKind, FourCc};

/// One box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mp4Box<'a> {
    /// Its type.
    pub kind: FourCc,
    /// Where its header begins, counted from the start of the piece examined.
    pub start: u64,
    /// Where its body begins.
    pub body_start: u64,
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Mp4Box<'a> {
    /// Whether it is of this type.
    pub fn is(&self, kind: &[u8; 4]) -> bool {
        self.kind.0 == *kind
    }

    /// The first byte after it.
    pub fn end(&self) -> u64 {
        self.body_start.saturating_add(self.body.len() as u64)
    }

    /// The boxes inside, if it is a plain container.
    pub fn children(&self) -> Boxes<'a> {
        Boxes::new(self.body, self.body_start)
    }

    /// The first box of a type inside.
    ///
    /// # Errors
    /// That of the first child that is no box.
    #[inline(never)]
    pub(super) fn child(&self, kind: &[u8; 4]) -> Result<Option<Self>, Fault> {
        self.children().find_kind(kind)
    }

    /// As [`child`](Self::child), where it must be there.
    #[inline(never)]
    pub(super) fn need(&self, kind: &[u8; 4]) -> Result<Self, Fault> {
        self.child(kind)?.ok_or_else(|| BoxError::missing(self.start, kind))
    }

    /// Reads its body.
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader::new(self.body, self.body_start, self.kind)
    }
}

/// Iterates over boxes. After an error it ends.
#[derive(Clone, Debug)]
pub struct Boxes<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Boxes<'a> {
    /// The boxes in `data`, which lies at `offset` in the piece examined.
    #[inline(never)]
    pub fn new(data: &'a [u8], offset: u64) -> Self {
        Self { rest: data, offset }
    }

    /// The first box of a type.
    #[inline(never)]
    pub(super) fn find_kind(mut self, kind: &[u8; 4]) -> Result<Option<Mp4Box<'a>>, Fault> {
        while let Some(found) = self.next_box()? {
            if found.is(kind) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Type and size of the next box, which need not be whole; none if its header is not, either.
    pub(super) fn peek(&self) -> Result<Option<(FourCc, Option<u64>)>, Fault> {
        match Header::read(self.rest, self.offset) {
            Ok(header) => Ok(Some((header.kind, header.size))),
            Err(fault) if matches!(fault.kind, BoxErrorKind::Truncated { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Where the next box begins, counted from the start of the piece examined.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes are left.
    pub(super) fn len(&self) -> u64 {
        self.rest.len() as u64
    }

    /// The next box; none after the last.
    #[inline(never)]
    pub(super) fn next_box(&mut self) -> Result<Option<Mp4Box<'a>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let rest = core::mem::take(&mut self.rest);
        let header = Header::read(rest, self.offset)?;
        let size = match header.size {
            Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
            None => rest.len(),
        };
        let (Some(body), Some(after)) = (rest.get(header.length..size), rest.get(size..)) else {
            return Err(BoxError::truncated(self.offset, header.kind));
        };
        let start = self.offset;
        self.rest = after;
        self.offset = self.offset.saturating_add(size as u64);
        let body_start = start.saturating_add(header.length as u64);
        Ok(Some(Mp4Box { kind: header.kind, start, body_start, body }))
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<Mp4Box<'a>, BoxError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_box().map_err(|fault| *fault).transpose()
    }
}

/// How many bytes stand before the first `mdat` box, once its header has arrived; none as long as it
/// has not.
///
/// `data` is what has arrived so far of a segment, from its start: hosts call this with a growing
/// prefix to find what [`Input::BodyHead`](crate::io::Input::BodyHead) must carry. When `data`
/// can never have an answer, because it is not ISO BMFF, there is none either.
///
/// ```
/// use kinora_core::media::boxes_before_mdat;
/// let segment = b"\0\0\0\x08styp\0\0\0\x0cmoof....\0\0\x10\0mdat";
/// assert_eq!(boxes_before_mdat(&segment[..27]), None);
/// assert_eq!(boxes_before_mdat(segment), Some(20));
/// ```
pub fn boxes_before_mdat(data: &[u8]) -> Option<usize> {
    let mut start = 0usize;
    loop {
        let rest = data.get(start..)?;
        if rest.get(4..8)? == b"mdat" {
            return Some(start);
        }
        let size = Header::read(rest, 0).ok()?.size?;
        start = start.checked_add(usize::try_from(size).ok()?)?;
    }
}

/// The header of a box.
pub(super) struct Header {
    pub(super) kind: FourCc,
    /// Of the header itself.
    length: usize,
    /// Of the whole box; none if it goes on to the end of the file.
    pub(super) size: Option<u64>,
}

impl Header {
    #[inline(never)]
    pub(super) fn read(data: &[u8], offset: u64) -> Result<Self, Fault> {
        let mut reader = Reader::new(data, offset, FourCc(*b"????"));
        let size = reader.u32();
        let kind = FourCc(reader.array());
        reader.name(kind);
        let (length, size) = match size {
            0 => (8, None),
            1 => (16, Some(reader.u64())),
            size => (8, Some(u64::from(size))),
        };
        reader.check()?;
        if size.is_some_and(|size| size < length) {
            return Err(BoxErrorKind::InvalidSize { within: kind }.at(offset));
        }
        Ok(Self { kind, length: length as usize, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds(data: &[u8]) -> Vec<Result<(String, usize), BoxErrorKind>> {
        Boxes::new(data, 0)
            .map(|found| {
                found.map(|b| (b.kind.to_string(), b.body.len())).map_err(|error| error.kind)
            })
            .collect()
    }

    #[test]
    fn all_forms_of_size() {
        let data = b"\0\0\0\x0aabcdXX\0\0\0\x01long\0\0\0\0\0\0\0\x13XXX\0\0\0\0lastXXXX";
        assert_eq!(
            kinds(data),
            [Ok(("abcd".into(), 2)), Ok(("long".into(), 3)), Ok(("last".into(), 4))]
        );
    }

    #[test]
    fn cut_off_and_impossible_sizes() {
        let truncated = |within: &[u8; 4]| Err(BoxErrorKind::Truncated { within: FourCc(*within) });
        assert_eq!(kinds(b"\0\0\0\x0aabcdX"), [truncated(b"abcd")]);
        assert_eq!(kinds(b"\0\0\0\x08ab"), [truncated(b"????")]);
        assert_eq!(kinds(b"\0\0\0\x01abcd\xff\xff\xff\xff\xff\xff\xff\xff"), [truncated(b"abcd")]);
        let invalid = Err(BoxErrorKind::InvalidSize { within: FourCc(*b"abcd") });
        assert_eq!(kinds(b"\0\0\0\x07abcd\0\0\0\x08efgh"), [invalid]);
    }

    #[test]
    fn the_head_of_a_segment_is_found_as_it_arrives() {
        let segment = b"\0\0\0\x09stypX\0\0\0\x0amoofXX\0\0\0\x01mdat\0\0\0\0\0\0\0\x12XX";
        for arrived in 0..segment.len() {
            let expected = (arrived >= 27).then_some(19);
            assert_eq!(boxes_before_mdat(&segment[..arrived]), expected, "{arrived}");
        }
        assert_eq!(boxes_before_mdat(b"WEBVTT\n\n00:00.000 --> 00:01.000"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Boxes::new(&data, 0).count() <= data.len());
            if let Some(length) = boxes_before_mdat(&data) {
                prop_assert_eq!(&data[length + 4..length + 8], b"mdat");
                prop_assert_eq!(boxes_before_mdat(&data[..length + 7]), None);
            }
        }
    }
}
