//! The samples of a fragment, one by one: so that those that have arrived can be appended as a fragment of their own,
//! while the rest is on its way.

use super::error::Fault;
use super::init::InitInfo;
use super::writer::Writer;
use super::{BoxError, Boxes, Mp4Box};

/// The samples of a fragment of one track (ISO/IEC 14496-12 §8.8).
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Samples {
    track_id: u32,
    /// `sample_description_index`, where it is not that of the initialisation segment.
    description: Option<u32>,
    /// When the next is decoded, in units of the track's timescale.
    decode_time: u64,
    /// Where the next begins, in bytes from the start of the body.
    at: u64,
    /// Those that have not been taken yet, the last first.
    rest: Vec<Sample>,
}

#[derive(Clone, Copy, Debug)]
#[cfg_attr(test, derive(PartialEq))]
struct Sample {
    duration: u32,
    size: u32,
    flags: u32,
    /// Composition time offset.
    composition: i32,
}

/// Samples that make a fragment of their own.
#[derive(Debug)]
#[cfg_attr(test, derive(PartialEq))]
pub(crate) struct Piece {
    /// Its `moof`, and the header of its `mdat`.
    pub(crate) head: Vec<u8>,
    /// Where its samples are in the body: the first byte.
    pub(crate) start: u64,
    /// The first byte after them.
    pub(crate) end: u64,
    /// Sum of their durations, in units of the track's timescale.
    pub(crate) duration: u64,
}

impl Samples {
    /// The samples of what `head` announces, the boxes before a segment's first `mdat`. None unless it is one `moof` with
    /// one track that is not encrypted, says the size of each sample, and has them one after another in that `mdat`.
    pub(crate) fn read(head: &[u8], init: &InitInfo) -> Option<Self> {
        read(head, init).ok().flatten()
    }

    /// Where the next begins, in bytes from the start of the body.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// How long those play, in units of the track's timescale, that are whole once so many bytes of the body have arrived.
    pub(crate) fn arrived(&self, bytes: u64) -> u64 {
        self.whole(bytes).map(|sample| u64::from(sample.duration)).sum()
    }

    /// Bytes of the body up to the last sample.
    pub(crate) fn end(&self) -> u64 {
        self.rest.iter().fold(self.at, |end, sample| end.saturating_add(sample.size.into()))
    }

    /// Takes those that are whole once so many bytes of the body have arrived; none if there are none.
    pub(crate) fn take(&mut self, bytes: u64) -> Option<Piece> {
        let count = self.whole(bytes).count();
        if count == 0 {
            return None;
        }
        let position = self.rest.len() - count;
        let taken = crate::items::split(&mut self.rest, position);
        let mut writer = Writer { out: Vec::with_capacity(128 + 16 * count) };
        let moof = writer.begin(b"moof");
        writer.leaf(b"mfhd", &[0, 1]);
        let traf = writer.begin(b"traf");
        match self.description {
            // Offsets are from the start of the fragment (default-base-is-moof).
            None => writer.leaf(b"tfhd", &[0x02_0000, self.track_id]),
            Some(index) => writer.leaf(b"tfhd", &[0x02_0002, self.track_id, index]),
        }
        let time = self.decode_time;
        writer.leaf(b"tfdt", &[0x0100_0000, (time >> 32) as u32, time as u32]);
        let trun = writer.begin(b"trun");
        // Offset of the data; of each sample its duration, size, flags and composition offset.
        writer.words(&[0x0100_0f01, count as u32]);
        let offset = writer.out.len();
        writer.u32(0);
        let (mut size, mut duration) = (0, 0);
        for sample in taken.iter().rev() {
            writer.words(&[sample.duration, sample.size, sample.flags]);
            writer.u32(sample.composition as u32);
            size += u64::from(sample.size);
            duration += u64::from(sample.duration);
        }
        writer.end(trun);
        writer.end(traf);
        writer.end(moof);
        let begins = writer.out.len() + 8;
        writer.set(offset, begins as u32);
        writer.u32(u32::try_from(size + 8).ok()?);
        writer.bytes(b"mdat");
        let start = self.at;
        self.at = start.saturating_add(size);
        self.decode_time = self.decode_time.saturating_add(duration);
        Some(Piece { head: writer.out, start, end: self.at, duration })
    }

    /// Those that are whole once so many bytes of the body have arrived.
    fn whole(&self, bytes: u64) -> impl Iterator<Item = &Sample> {
        let mut end = self.at;
        self.rest.iter().rev().take_while(move |sample| {
            end = end.saturating_add(sample.size.into());
            end <= bytes
        })
    }
}

fn read(head: &[u8], init: &InitInfo) -> Result<Option<Samples>, Fault> {
    let (mut traf, mut boxes) = (None, Boxes::new(head, 0));
    while let Some(moof) = boxes.next_box()? {
        let mut inside = moof.children();
        while moof.is(b"moof")
            && let Some(found) = inside.next_box()?
        {
            // What else there may be is another track, or describes encryption.
            let is_track = found.is(b"traf");
            if !is_track && !found.is(b"mfhd") || is_track && traf.is_some() {
                return Ok(None);
            }
            if is_track {
                traf = Some((found, moof.start));
            }
        }
    }
    let Some((traf, base)) = traf else { return Ok(None) };
    read_track(&traf, init, (base, head.len() as u64))
}

/// The samples of a `traf`, whose `moof` begins at `base` and whose data is behind the header of an `mdat` at `end`.
fn read_track(
    traf: &Mp4Box<'_>,
    init: &InitInfo,
    (base, end): (u64, u64),
) -> Result<Option<Samples>, Fault> {
    let tfhd = traf.need(b"tfhd")?;
    let mut reader = tfhd.reader();
    let (_, flags) = reader.full();
    let track_id = reader.u32();
    let has = |flag: u32| flags & flag != 0;
    let Some(track) = init.track(track_id).filter(|track| !track.encrypted) else {
        return Ok(None);
    };
    // Data that is counted from elsewhere (`base-data-offset-present`) is nothing to be counted on here.
    if has(0x01) {
        return Ok(None);
    }
    let description = has(0x02).then(|| reader.u32());
    let duration = if has(0x08) { reader.u32() } else { track.default_sample_duration };
    reader.skip(if has(0x10) { 4 } else { 0 });
    let default_flags = if has(0x20) { reader.u32() } else { track.default_sample_flags };
    reader.check()?;
    let mut tfdt = traf.need(b"tfdt")?.reader();
    let (version, _) = tfdt.full();
    let decode_time = tfdt.versioned(version);
    tfdt.check()?;

    let (mut at, mut next, mut rest) = (0, 0_u64, Vec::new());
    let mut inside = traf.children();
    while let Some(trun) = inside.next_box()? {
        if !trun.is(b"trun") {
            // What is not among these describes encryption, or samples by their place among all.
            if [b"tfhd", b"tfdt", b"sgpd", b"sbgp"].iter().any(|kind| trun.is(kind)) {
                continue;
            }
            return Ok(None);
        }
        let mut reader = trun.reader();
        let (version, flags) = reader.full();
        let count = reader.u32();
        let has = |flag: u32| flags & flag != 0;
        if !has(0x200) {
            return Ok(None);
        }
        if has(0x001) {
            let begins = base.saturating_add_signed((reader.u32() as i32).into());
            if rest.is_empty() {
                (at, next) = (begins, begins);
            } else if begins != next {
                return Ok(None);
            }
        }
        let first_flags = has(0x004).then(|| reader.u32());
        for sample in 0..count {
            let duration = if has(0x100) { reader.u32() } else { duration };
            let size = reader.u32();
            let own_flags = has(0x400).then(|| reader.u32());
            let composition = if has(0x800) { reader.u32() as i32 } else { 0 };
            if !reader.is_whole() || version == 0 && composition < 0 {
                return Err(BoxError::truncated(trun.start, trun.kind));
            }
            let first = first_flags.filter(|_| sample == 0);
            let flags = first.or(own_flags).unwrap_or(default_flags);
            next = next.saturating_add(size.into());
            rest.push(Sample { duration, size, flags, composition });
        }
    }
    rest.reverse();
    // The header of an `mdat` is of 8 bytes, or 16.
    let sound = matches!(at.checked_sub(end), Some(8 | 16)) && !rest.is_empty();
    Ok(sound.then_some(Samples { track_id, description, decode_time, at, rest }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{boxed, full, init_segment, sample_entry};
    use crate::media::{fragment, init};
    use crate::time::MediaTime;
    use proptest::prelude::*;

    fn info() -> InitInfo {
        let entry = sample_entry(b"avc1", b"vide", &[]);
        init::parse(&init_segment(1, 1000, b"vide", &entry, None)).expect("a whole moov")
    }

    /// A head of two runs: durations, sizes and composition offsets of three samples, then sizes of two.
    fn head(extra: &[u8]) -> Vec<u8> {
        let offset = 8 + 16 + 8 + 20 + 20 + (20 + 4 + 36) + (16 + 8) + extra.len() as u32 + 8;
        let mut inside = full(b"tfhd", 0, 0x02_0008, &[1, 30]);
        inside.extend(full(b"tfdt", 1, 0, &[1, 5]));
        let run = [3, offset, 0x0200_0000, 40, 100, 80, 40, 50, 120, 40, 20, 0];
        inside.extend(full(b"trun", 1, 0xb05, &run));
        inside.extend(full(b"trun", 1, 0x200, &[2, 7, 8]));
        inside.extend_from_slice(extra);
        let mut moof = full(b"mfhd", 0, 0, &[9]);
        moof.extend(boxed(b"traf", &inside));
        let mut head = boxed(b"styp", b"msdh");
        head.extend(boxed(b"moof", &moof));
        head
    }

    fn samples() -> (Samples, u64) {
        let head = head(&[]);
        let begins = head.len() as u64 + 8;
        (Samples::read(&head, &info()).expect("samples to tell apart"), begins)
    }

    #[test]
    fn what_has_arrived_is_a_fragment_of_its_own() {
        let (mut samples, begins) = samples();
        assert_eq!((samples.at(), samples.end()), (begins, begins + 185));
        assert_eq!(samples.arrived(begins + 169), 80);
        assert_eq!(samples.take(begins + 99), None);

        let first = samples.take(begins + 169).expect("two samples");
        assert_eq!((first.start, first.end, first.duration), (begins, begins + 150, 80));
        let second = samples.take(u64::MAX).expect("three samples");
        assert_eq!((second.start, second.end, second.duration), (begins + 150, begins + 185, 100));
        assert_eq!(samples.take(u64::MAX), None);

        let boxes = first.head.len() - 8;
        assert_eq!(first.head[boxes..], *b"\0\0\0\x9emdat");
        let found = fragment::parse(&first.head[..boxes], &info()).expect("a whole moof");
        assert_eq!(found.decode_time, MediaTime::from_millis((1 << 32) + 5));
        assert_eq!(found.presentation_start, MediaTime::from_millis((1 << 32) + 85));
        assert_eq!(found.duration, MediaTime::from_millis(80));
        assert!(found.tracks[0].starts_with_sync);
        assert_eq!(fragment::data_size(&first.head[..boxes]), 150);
        let again = Samples::read(&first.head[..boxes], &info()).expect("samples to tell apart");
        assert_eq!((again.at(), again.end()), (boxes as u64 + 8, boxes as u64 + 158));

        let boxes = second.head.len() - 8;
        let found = fragment::parse(&second.head[..boxes], &info()).expect("a whole moof");
        assert_eq!(found.decode_time, MediaTime::from_millis((1 << 32) + 85));
        assert!(!found.tracks[0].starts_with_sync);
    }

    #[test]
    fn what_cannot_be_told_apart_is_left_whole() {
        let none = |head: &[u8]| assert_eq!(Samples::read(head, &info()), None);
        // Encrypted, or described sample by sample.
        none(&head(&full(b"senc", 0, 0, &[5])));
        none(&head(&full(b"subs", 0, 0, &[0])));
        // Two fragments; two tracks; data that lies elsewhere; no sizes.
        let whole = head(&[]);
        none(&[&whole[..], &whole[12..]].concat());
        none(&[&whole[..], &boxed(b"free", b"")].concat());
        let mut inside = full(b"tfhd", 0, 0, &[1]);
        inside.extend(full(b"tfdt", 0, 0, &[0]));
        inside.extend(full(b"trun", 0, 0x101, &[1, 88, 40]));
        let traf = boxed(b"traf", &inside);
        none(&boxed(b"moof", &traf));
        none(&boxed(b"moof", &[&traf[..], &traf].concat()));
        none(b"");

        let mut info = info();
        info.tracks[0].encrypted = true;
        assert_eq!(Samples::read(&whole, &info), None);
        info.tracks.clear();
        assert_eq!(Samples::read(&whole, &info), None);
    }

    proptest! {
        #[test]
        fn pieces_make_the_whole(arrivals in proptest::collection::vec(0_u64..400, 0..8)) {
            let (mut samples, begins) = samples();
            let (mut at, mut duration, mut seen) = (begins, 0, 0);
            for arrived in arrivals.into_iter().chain([u64::MAX]) {
                seen = arrived.max(seen);
                if let Some(piece) = samples.take(seen) {
                    prop_assert!(piece.start == at && piece.end <= seen);
                    (at, duration) = (piece.end, duration + piece.duration);
                }
            }
            prop_assert_eq!((at, duration), (begins + 185, 180));
        }

        #[test]
        fn damaged_bytes_never_panic(at in any::<usize>(), with in any::<[u8; 4]>()) {
            let mut head = head(&[]);
            let at = at % (head.len() - 4);
            head[at..at + 4].copy_from_slice(&with);
            if let Some(mut samples) = Samples::read(&head, &info()) {
                let _ = (samples.end(), samples.take(1_000), samples.take(u64::MAX));
            }
        }
    }
}
