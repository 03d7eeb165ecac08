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

/// Reads the first `sidx` box in `data`, which lies at `offset` in its file. Boxes before it are
/// skipped; what follows need not be whole.
///
/// # Errors
/// If there is none before the end of the data or the first `moof` or `mdat`, or it is damaged.
pub fn parse(data: &[u8], offset: u64) -> Result<SegmentIndexBox, BoxError> {
    read(data, offset).map_err(|fault| *fault)
}

fn read(data: &[u8], offset: u64) -> Result<SegmentIndexBox, Fault> {
    let mut boxes = Boxes::new(data, offset);
    while let Some(found) = boxes.next_box()? {
        if found.is(b"moof") || found.is(b"mdat") {
            break;
        }
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
        reader.check()?;
        return Ok(SegmentIndexBox {
            start: found.start,
            timescale,
            earliest_presentation_time,
            references,
        });
    }
    Err(BoxError::missing(offset, b"sidx"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::ByteRange;
    use crate::media::BoxErrorKind;
    use crate::presentation::SegmentIndex;
    use crate::time::MediaTime;
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
    fn it_becomes_an_index_of_the_period() {
        let file = sidx(0, &[(false, 100, 2000), (false, 50, 2000), (false, 60, 2000)]);
        let parsed = parse(&file, 700).expect("a whole sidx");
        let index = SegmentIndex::from_sidx(
            &parsed,
            "https://a/v.mp4",
            None,
            MediaTime::from_millis(9500),
            Some(MediaTime::from_secs(13)),
        )
        .expect("no indexes inside");
        assert_eq!(index.len(), 2);
        let last = index.get(1).expect("two segments");
        assert_eq!((last.start, last.end()), (MediaTime::from_secs(12), MediaTime::from_secs(13)));
        let start = 700 + file.len() as u64 + 10 + 100;
        assert_eq!(last.range, Some(ByteRange { start, length: Some(50) }));
        assert_eq!(last.size, Some(50));
        let init = index.init(&last).expect("all before the sidx");
        assert_eq!(init.range, Some(ByteRange { start: 0, length: Some(700) }));
    }

    #[test]
    fn an_index_of_indexes_is_refused_by_name() {
        let parsed = parse(&sidx(1, &[(true, 100, 2000)]), 0).expect("a whole sidx");
        assert!(parsed.references[0].is_index);
        let index = SegmentIndex::from_sidx(&parsed, "u", None, MediaTime::ZERO, None);
        assert!(matches!(index.map_err(|error| error.kind), Err(BoxErrorKind::Unsupported { .. })));
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
            if let Ok(parsed) = parse(&file, u64::MAX / 2) {
                let _ = SegmentIndex::from_sidx(&parsed, "u", None, MediaTime::MIN, None);
            }
        }
    }
}
