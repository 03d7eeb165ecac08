//! WebM, as far as finding its segments takes: where clusters begin, and when (RFC 9559).

use super::error::Fault;
use super::{BoxError, BoxErrorKind, FourCc};
use crate::time::MediaTime;

/// Names of elements (RFC 9559 §5.1).
mod id {
    pub(super) const EBML: u32 = 0x1A45_DFA3;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const SEEK_HEAD: u32 = 0x114D_9B74;
    pub(super) const SEEK: u32 = 0x4DBB;
    pub(super) const SEEK_ID: u32 = 0x53AB;
    pub(super) const SEEK_POSITION: u32 = 0x53AC;
    pub(super) const INFO: u32 = 0x1549_A966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const CLUSTER: u32 = 0x1F43_B675;
    pub(super) const CUES: u32 = 0x1C53_BB6B;
    pub(super) const CUE_POINT: u32 = 0xBB;
    pub(super) const CUE_TIME: u32 = 0xB3;
    pub(super) const CUE_TRACK_POSITIONS: u32 = 0xB7;
    pub(super) const CUE_CLUSTER_POSITION: u32 = 0xF1;
}

/// What errors call the parts.
const EBML: FourCc = FourCc(*b"EBML");
const INFO: FourCc = FourCc(*b"Info");
const CUES: FourCc = FourCc(*b"Cues");

/// The most clusters that are listed.
pub(super) const MOST_CLUSTERS: usize = 100_000;

/// What the beginning of a file says of the rest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// Where the segment's own positions count from.
    pub(super) origin: u64,
    /// Where the segment ends, if it says so.
    pub(super) end: Option<u64>,
    /// Nanoseconds in a unit of time.
    scale: u64,
    /// In units of time.
    duration: Option<f64>,
    /// Where the cues lie, if the beginning says so.
    pub(super) cues: Option<u64>,
}

/// A cluster by its cue: its time in units of the file, and its place from the segment's origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) time: u64,
    pub(super) position: u64,
}

/// Whether a file begins like this.
pub(super) fn is_head(data: &[u8]) -> bool {
    data.starts_with(&id::EBML.to_be_bytes())
}

/// Whether cues begin like this.
pub(super) fn is_cues(data: &[u8]) -> bool {
    data.starts_with(&id::CUES.to_be_bytes())
}

impl Head {
    /// Reads the beginning of a file as far as it is there. None if what matters has not been
    /// reached: more is needed.
    pub(super) fn read(data: &[u8]) -> Result<Option<Self>, Fault> {
        let mut file = Elements::new(data, 0);
        let first = file.next_header()?;
        let Some(ebml) = first.filter(|first| first.id == id::EBML) else {
            return Err(BoxError::missing(0, b"EBML"));
        };
        if file.skip(&ebml).is_none() {
            return Ok(None);
        }
        let Some(segment) = file.next_header()? else {
            return Ok(None);
        };
        if segment.id != id::SEGMENT {
            return Err(BoxErrorKind::Missing { name: FourCc(*b"Segm") }.at(segment.start));
        }
        let origin = segment.body;
        let mut head =
            Self { origin, end: segment.end(), scale: 1_000_000, duration: None, cues: None };
        let mut informed = false;
        let mut elements = file;
        while let Some(element) = elements.next_header()? {
            if element.id == id::CUES {
                head.cues = Some(element.start);
            }
            if element.id == id::CLUSTER || (informed && head.cues.is_some()) {
                break;
            }
            match element.id {
                id::SEEK_HEAD => {
                    let Some(body) = elements.body(&element) else { return Ok(None) };
                    head.cues = head.cues.or(cues_by_seek_head(body, origin)?);
                }
                id::INFO => {
                    let Some(body) = elements.body(&element) else { return Ok(None) };
                    head.take_info(body)?;
                    informed = true;
                }
                _ => {}
            }
            if elements.skip(&element).is_none() {
                break;
            }
        }
        Ok(informed.then_some(head))
    }

    fn take_info(&mut self, mut info: Elements<'_>) -> Result<(), Fault> {
        while let Some(element) = info.next_header()? {
            let body = info.need(&element, INFO)?;
            match element.id {
                id::TIMESTAMP_SCALE => match unsigned(body) {
                    Some(scale) if scale > 0 => self.scale = scale,
                    _ => return Err(BoxError::invalid(element.start, INFO, "TimestampScale")),
                },
                id::DURATION => {
                    let duration = float(body).filter(|duration| *duration > 0.0);
                    self.duration = duration.filter(|duration| duration.is_finite());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Media time of a time in units of the file.
    pub(super) fn media_time(&self, time: u64) -> MediaTime {
        const NANOSECONDS: u32 = 1_000_000_000;
        MediaTime::from_unsigned(time.saturating_mul(self.scale), NANOSECONDS)
    }

    /// Media time of the end, if the file says it.
    pub(super) fn media_end(&self) -> Option<MediaTime> {
        // Exact enough for an end: a double holds the units of years.
        self.duration.map(|duration| self.media_time(duration as u64))
    }
}

/// Where the cues are said to lie (§5.1.1).
fn cues_by_seek_head(mut seek_head: Elements<'_>, origin: u64) -> Result<Option<u64>, Fault> {
    while let Some(element) = seek_head.next_header()? {
        let body = seek_head.need(&element, EBML)?;
        if element.id != id::SEEK {
            continue;
        }
        let mut seek = Elements::new(body, element.body);
        let (mut wanted, mut position) = (false, None);
        while let Some(field) = seek.next_header()? {
            let value = seek.need(&field, EBML)?;
            match field.id {
                id::SEEK_ID => wanted = value == id::CUES.to_be_bytes(),
                id::SEEK_POSITION => position = unsigned(value),
                _ => {}
            }
        }
        if wanted {
            return Ok(position.map(|position| origin.saturating_add(position)));
        }
    }
    Ok(None)
}

/// What cues say, or how many bytes of them are needed to know.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum CuesRead {
    /// In order of time and place.
    Whole(Vec<Cue>),
    /// The element has this many bytes, and so many are not there.
    Cut(u64),
}

/// Reads the cues that `data`, which lies at `offset` in its file, begins with (§5.1.5). Cues that
/// do not lead on, in time and in the file, are left out: they are of other tracks.
pub(super) fn read_cues(data: &[u8], offset: u64) -> Result<CuesRead, Fault> {
    let mut elements = Elements::new(data, offset);
    let first = elements.next_header()?.filter(|first| first.id == id::CUES);
    let Some(whole) = first else {
        return Err(BoxError::missing(offset, b"Cues"));
    };
    let Some(mut points) = elements.body(&whole) else {
        let size = whole.end().unwrap_or(u64::MAX) - offset;
        return Ok(CuesRead::Cut(size));
    };
    let mut cues: Vec<Cue> = Vec::new();
    while let Some(element) = points.next_header()? {
        let body = points.need(&element, CUES)?;
        if element.id != id::CUE_POINT {
            continue;
        }
        let Some(cue) = read_cue(body, element.body)? else { continue };
        let leads = cues.last().is_none_or(|l| cue.time > l.time && cue.position > l.position);
        if leads {
            if cues.len() >= MOST_CLUSTERS {
                let feature = "an index of so many clusters".to_owned();
                return Err(BoxErrorKind::Unsupported { feature }.at(element.start));
            }
            cues.push(cue);
        }
    }
    Ok(CuesRead::Whole(cues))
}

fn read_cue(body: &[u8], offset: u64) -> Result<Option<Cue>, Fault> {
    let mut fields = Elements::new(body, offset);
    let (mut time, mut position) = (None, None);
    while let Some(field) = fields.next_header()? {
        let value = fields.need(&field, CUES)?;
        match field.id {
            id::CUE_TIME => time = unsigned(value),
            id::CUE_TRACK_POSITIONS if position.is_none() => {
                let mut inner = Elements::new(value, field.body);
                while let Some(field) = inner.next_header()? {
                    let value = inner.need(&field, CUES)?;
                    if field.id == id::CUE_CLUSTER_POSITION {
                        position = unsigned(value);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(time.zip(position).map(|(time, position)| Cue { time, position }))
}

/// The header of an element (RFC 8794 §4).
#[derive(Clone, Copy, Debug)]
struct Element {
    id: u32,
    /// Where its header begins in the file.
    start: u64,
    /// Where its body begins in the file.
    body: u64,
    /// Of its body; none: unknown, it goes on to the end of what is around it.
    size: Option<u64>,
}

impl Element {
    fn end(&self) -> Option<u64> {
        self.size.map(|size| self.body.saturating_add(size))
    }
}

/// Elements one after another. A header is read, and then its body is taken or skipped.
#[derive(Clone, Debug)]
struct Elements<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Elements<'a> {
    fn new(data: &'a [u8], offset: u64) -> Self {
        Self { rest: data, offset }
    }

    /// Reads the next header, and stands at its body then. None at the end of what is there.
    fn next_header(&mut self) -> Result<Option<Element>, Fault> {
        let start = self.offset;
        let Some(&first) = self.rest.first() else {
            return Ok(None);
        };
        let id_length = first.leading_zeros() as usize + 1;
        if id_length > 4 {
            return Err(BoxErrorKind::InvalidSize { within: EBML }.at(start));
        }
        let size_length = match self.rest.get(id_length) {
            None => {
                self.rest = &[];
                return Ok(None);
            }
            Some(0) => return Err(BoxErrorKind::InvalidSize { within: EBML }.at(start)),
            Some(first) => first.leading_zeros() as usize + 1,
        };
        let length = id_length + size_length;
        let Some((header, rest)) = self.rest.split_at_checked(length) else {
            self.rest = &[];
            return Ok(None);
        };
        let (id, size) = header.split_at_checked(id_length).unwrap_or_default();
        let id = unsigned(id).unwrap_or(0) as u32;
        // The marker of the length is no part of the number; all ones mean unknown.
        let mask = (1u64 << (7 * size_length)) - 1;
        let size = unsigned(size).unwrap_or(0) & mask;
        self.rest = rest;
        self.offset = start.saturating_add(length as u64);
        Ok(Some(Element { id, start, body: self.offset, size: (size != mask).then_some(size) }))
    }

    /// The elements inside the one whose header was read, if they are all there. Where it stands
    /// does not change.
    fn body(&self, element: &Element) -> Option<Elements<'a>> {
        let body = match element.size {
            Some(size) => self.rest.get(..usize::try_from(size).ok()?)?,
            None => self.rest,
        };
        Some(Elements::new(body, element.body))
    }

    /// Goes on after the element whose header was read. None if that is beyond what is there.
    fn skip(&mut self, element: &Element) -> Option<&'a [u8]> {
        let size = usize::try_from(element.size?).ok()?;
        let (body, rest) = self.rest.split_at_checked(size)?;
        self.rest = rest;
        self.offset = self.offset.saturating_add(size as u64);
        Some(body)
    }

    /// As [`skip`](Self::skip), where all must be there.
    fn need(&mut self, element: &Element, within: FourCc) -> Result<&'a [u8], Fault> {
        self.skip(element).ok_or_else(|| BoxError::truncated(element.start, within))
    }
}

/// A big-endian number of up to eight bytes.
fn unsigned(bytes: &[u8]) -> Option<u64> {
    (bytes.len() <= 8).then(|| bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)))
}

fn float(bytes: &[u8]) -> Option<f64> {
    match bytes.len() {
        4 => Some(f32::from_be_bytes(bytes.try_into().ok()?).into()),
        8 => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An element: its id, its size in as few bytes as it takes, its body.
    pub(crate) fn element(id: u32, body: &[u8]) -> Vec<u8> {
        let id: Vec<u8> = id.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
        let length = (1..=8).find(|n| (body.len() as u64) < (1 << (7 * n)) - 1).unwrap_or(8);
        let size = body.len() as u64 | 1 << (7 * length);
        let mut whole = id;
        whole.extend(&size.to_be_bytes()[8 - length..]);
        whole.extend(body);
        whole
    }

    fn number(id: u32, value: u64) -> Vec<u8> {
        element(id, &value.to_be_bytes())
    }

    pub(crate) fn cues(points: &[(u64, u64)]) -> Vec<u8> {
        let points = points.iter().flat_map(|&(time, position)| {
            let positions = [number(0xF7, 1), number(id::CUE_CLUSTER_POSITION, position)].concat();
            let fields = [number(id::CUE_TIME, time), element(id::CUE_TRACK_POSITIONS, &positions)];
            element(id::CUE_POINT, &fields.concat())
        });
        element(id::CUES, &points.collect::<Vec<_>>())
    }

    /// The beginning of a file whose cues lie at `cues` after the segment's origin, milliseconds
    /// long; and where its origin is.
    pub(crate) fn head(cues: u64, duration: f64) -> (Vec<u8>, u64) {
        let seek = [element(id::SEEK_ID, &id::CUES.to_be_bytes()), number(id::SEEK_POSITION, cues)];
        let info = [
            number(id::TIMESTAMP_SCALE, 1_000_000),
            element(id::DURATION, &duration.to_be_bytes()),
            element(0x4D80, b"somebody"),
        ];
        let mut file = element(id::EBML, b"\x42\x82\x84webm");
        // Unknown in size, as a live recording begins.
        file.extend(id::SEGMENT.to_be_bytes());
        file.push(0xff);
        let origin = file.len() as u64;
        file.extend(element(id::SEEK_HEAD, &element(id::SEEK, &seek.concat())));
        file.extend(element(0xEC, &[0; 30]));
        file.extend(element(id::INFO, &info.concat()));
        file.extend(element(0x1654_AE6B, &[0; 100]));
        (file, origin)
    }

    #[test]
    fn the_beginning_tells_of_the_rest() {
        let (file, origin) = head(5000, 12_345.6);
        let head = Head::read(&file).expect("WebM").expect("all that matters");
        assert_eq!((head.origin, head.end, head.cues), (origin, None, Some(origin + 5000)));
        assert_eq!(head.media_time(1500), MediaTime::from_millis(1500));
        assert_eq!(head.media_end(), Some(MediaTime::from_millis(12_345)));
        // What has not arrived is waited for, wherever it ends.
        for length in 5..file.len() - 110 {
            assert_eq!(Head::read(&file[..length]), Ok(None), "{length}");
        }
        assert!(Head::read(b"\0\0\0\x08ftyp").is_err());
    }

    #[test]
    fn cues_lead_on() {
        let whole = cues(&[(0, 100), (2000, 900), (2000, 900), (3000, 800), (4000, 1700)]);
        let Ok(CuesRead::Whole(found)) = read_cues(&whole, 70) else { panic!("whole") };
        let found: Vec<_> = found.iter().map(|cue| (cue.time, cue.position)).collect();
        assert_eq!(found, [(0, 100), (2000, 900), (4000, 1700)]);
        let cut = &whole[..whole.len() - 1];
        assert_eq!(read_cues(cut, 70), Ok(CuesRead::Cut(whole.len() as u64)));
        assert!(read_cues(&whole[1..], 0).is_err());
    }

    #[test]
    fn a_time_beyond_all_bounds_is_the_last_there_is() {
        let (file, _) = head(0, f64::MAX);
        let head = Head::read(&file).expect("WebM").expect("all that matters");
        assert_eq!(head.media_time(u64::MAX), MediaTime::MAX);
        assert_eq!(head.media_end(), Some(MediaTime::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Head::read(&[&id::EBML.to_be_bytes()[..], &data].concat());
            let _ = read_cues(&[&id::CUES.to_be_bytes()[..], &data].concat(), u64::MAX - 9);
        }

        #[test]
        fn damaged_files_are_read(
            at in any::<prop::sample::Index>(),
            byte: u8,
            points in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..9),
        ) {
            for mut file in [head(5000, 9.0).0, cues(&points)] {
                *at.get_mut(&mut file) = byte;
                let _ = Head::read(&file);
                if let Ok(CuesRead::Whole(cues)) = read_cues(&file, 0) {
                    prop_assert!(cues.is_sorted_by(|a, b| a.time < b.time && a.position < b.position));
                }
            }
        }
    }
}
