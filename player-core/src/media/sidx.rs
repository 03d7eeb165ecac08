//! The segment index box (ISO/IEC 14496-12 §8.16.3).

use super::error::Fault;
use super::{BoxError, Boxes};

/// What a `sidx` box says of the file it lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentIndexBox {
    /// Where the box itself begins in the file.
    pub start: u64,
    /// Units of time in a second; never 0.
    pub timescale: u32,
    /// Media time of the first subsegment, in units of the timescale.
    pub earliest_presentation_time: u64,
    /// The subsegments, one after another in time and in the file.
    pub references: Vec<Reference>,
}

/// One subsegment, or an index of further subsegments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Refers to another `sidx` box.
    pub is_index: bool,
    /// Where it begins in the file.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// In units of the timescale.
    pub duration: u32,
    /// It begins with a stream access point.
    pub starts_with_sap: bool,
}

const REFERENCE_BYTES: usize = 12;

/// What looking for a `sidx` box led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// The box.
    Found(SegmentIndexBox),
    /// The data ends before that is known. Further data is needed from `start`, of this length if
    /// that is known: all of the box.
    Cut { start: u64, length: Option<u64> },
}

/// Reads the first `sidx` box in `data`, which lies at `offset` in its file. Boxes before it are
/// skipped; what follows need not be whole.
///
/// # Errors
/// If there is none before the end of the data or the first `moof` or `mdat`, or it is damaged.
pub fn parse(data: &[u8], offset: u64) -> Result<SegmentIndexBox, BoxError> {
    match search(data, offset) {
        Ok(Search::Found(found)) => Ok(found),
        Ok(Search::Cut { start, length: Some(_) }) => {
            Err(*BoxError::truncated(start, super::FourCc(*b"sidx")))
        }
        Ok(Search::Cut { start, length: None }) => Err(*BoxError::missing(start, b"sidx")),
        Err(fault) => Err(*fault),
    }
}

/// As [`parse`], where data that ends too early is no error but a wish for more.
pub(super) fn search(data: &[u8], offset: u64) -> Result<Search, Fault> {
    if data.is_empty() {
        return Err(BoxError::missing(offset, b"sidx"));
    }
    let mut boxes = Boxes::new(data, offset);
    loop {
        let Some((kind, size)) = boxes.peek()? else {
            return Ok(Search::Cut { start: boxes.offset(), length: None });
        };
        let is = |wanted: &[u8; 4]| kind.0 == *wanted;
        if is(b"moof") || is(b"mdat") {
            return Err(BoxError::missing(offset, b"sidx"));
        }
        let here = boxes.offset();
        if let Some(size) = size.filter(|&size| size > boxes.len()) {
            return Ok(if is(b"sidx") {
                Search::Cut { start: here, length: Some(size) }
            } else {
                Search::Cut { start: here.saturating_add(size), length: None }
            });
        }
        let Some(found) = boxes.next_box()? else { continue };
        if !found.is(b"sidx") {
            continue;
        }
        let mut reader = found.reader();
        let (version, _) = reader.full();
        let _reference_id = reader.u32();
        let timescale = reader.u32();
        let earliest_presentation_time = reader.versioned(version);
        let first_offset = reader.versioned(version);
        let _reserved = reader.u16();
        let count = reader.u16();
        reader.check()?;
        if timescale == 0 {
            return Err(BoxError::invalid(found.start, found.kind, "timescale"));
        }
        let mut start = found.end().saturating_add(first_offset);
        // Only as many as there are bytes for, whatever the count says.
        if reader.rest().len() / REFERENCE_BYTES < usize::from(count) {
            return Err(BoxError::truncated(found.end(), found.kind));
        }
        let mut references = Vec::with_capacity(count.into());
        for _ in 0..count {
            let word = reader.u32();
            let duration = reader.u32();
            let access = reader.u32();
            let size = u64::from(word & 0x7fff_ffff);
            references.push(Reference {
                is_index: word >> 31 == 1,
                start,
                size,
                duration,
                starts_with_sap: access >> 31 == 1,
            });
            start = start.saturating_add(size);
        }
        return Ok(Search::Found(SegmentIndexBox {
            start: found.start,
            timescale,
            earliest_presentation_time,
            references,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sidx(version: u8, references: &[(bool, u32, u32)]) -> Vec<u8> {
        let mut body = vec![version, 0, 0, 0, 0, 0, 0, 1];
        body.extend(1000u32.to_be_bytes());
        if version == 0 {
            body.extend([500u32, 10].iter().flat_map(|value| value.to_be_bytes()));
        } else {
            body.extend([500u64, 10].iter().flat_map(|value| value.to_be_bytes()));
        }
        body.extend([0, 0]);
        body.extend((references.len() as u16).to_be_bytes());
        for &(is_index, size, duration) in references {
            body.extend((u32::from(is_index) << 31 | size).to_be_bytes());
            body.extend(duration.to_be_bytes());
            body.extend(0x9000_0000u32.to_be_bytes());
        }
        let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
        whole.extend(b"sidx");
        whole.extend(body);
        whole
    }

    #[test]
    fn both_versions_after_other_boxes() {
        for version in [0, 1] {
            let mut file = b"\0\0\0\x08ftyp".to_vec();
            file.extend(sidx(version, &[(false, 100, 2000), (false, 50, 1000)]));
            let parsed = parse(&file, 0).expect("a whole sidx");
            let first = file.len() as u64 + 10;
            assert_eq!(parsed.start, 8);
            assert_eq!(parsed.earliest_presentation_time, 500);
            let spans: Vec<_> =
                parsed.references.iter().map(|r| (r.start, r.size, r.duration)).collect();
            assert_eq!(spans, [(first, 100, 2000), (first + 100, 50, 1000)]);
            assert!(parsed.references.iter().all(|r| r.starts_with_sap && !r.is_index));
        }
    }

    #[test]
    fn damage_is_named() {
        let whole = sidx(0, &[(false, 100, 2000)]);
        for length in 0..whole.len() {
            assert!(parse(&whole[..length], 0).is_err(), "{length}");
        }
        let mut timeless = whole;
        timeless[16..20].fill(0);
        let error = parse(&timeless, 0).map_err(|error| error.to_string());
        assert_eq!(error, Err("byte 0: the box 'sidx' has an impossible timescale".into()));
    }

    proptest! {
        #[test]
        fn any_body_is_read(version in 0u8..3, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = (body.len() as u32 + 12).to_be_bytes().to_vec();
            file.extend(b"sidx");
            file.extend([version, 0, 0, 0]);
            file.extend(body);
            let _ = parse(&file, u64::MAX / 2);
        }
    }
}
