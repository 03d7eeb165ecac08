//! How samples are encrypted (ISO/IEC 23001-7): what the track says (`sinf` with `schm` and `tenc`, §8.2), what a
//! group of samples says in its place (`sgpd` of `seig`, §6), and what is noted of each sample (`senc`, §7.2).

use super::error::Fault;
use super::reader::Reader;
use super::{BoxError, FourCc, Mp4Box};
use crate::presentation::KeyId;

/// More descriptions than this do not belong to one fragment.
const MOST_GROUPS: usize = 64;
/// More samples than any sane fragment has.
const MOST_SAMPLES: u32 = 1 << 20;

/// How samples are encrypted unless more is said of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackEncryption {
    /// The scheme: `cenc`, `cbcs` …
    pub scheme: FourCc,
    /// They are, indeed.
    pub protected: bool,
    /// Of how many blocks (`crypt_byte_block` and `skip_byte_block` together) the first how many are
    /// encrypted; both 0: all.
    pub pattern: (u8, u8),
    /// The key.
    pub key_id: KeyId,
    /// Bytes of the initialisation vector that each sample has: 0, 8 or 16.
    pub iv_size: u8,
    /// The initialisation vector of all samples, where they have none: 8 or 16 bytes.
    pub constant_iv: Option<Vec<u8>>,
}

/// What is noted of one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleNote {
    /// Its initialisation vector, if it has one.
    pub iv: Vec<u8>,
    /// Clear bytes, and protected ones after them, in turn; empty: all is protected.
    pub subsamples: Vec<(u16, u32)>,
}

/// Reads `sinf`; none if it tells of no encryption of samples.
pub(super) fn track(sinf: &Mp4Box<'_>) -> Result<Option<TrackEncryption>, Fault> {
    let Some(schm) = sinf.child(b"schm")? else { return Ok(None) };
    let mut reader = schm.reader();
    reader.full();
    let scheme = FourCc(reader.array());
    reader.check()?;
    let Some(schi) = sinf.child(b"schi")? else { return Ok(None) };
    let Some(tenc) = schi.child(b"tenc")? else { return Ok(None) };
    let mut reader = tenc.reader();
    reader.full();
    fields(&mut reader, &tenc, scheme).map(Some)
}

/// The fields that `tenc` and `seig` share.
fn fields(
    reader: &mut Reader<'_>,
    from: &Mp4Box<'_>,
    scheme: FourCc,
) -> Result<TrackEncryption, Fault> {
    let [_, pattern, protected, iv_size] = reader.array();
    let key_id = reader.array();
    reader.check()?;
    if !matches!(iv_size, 0 | 8 | 16) {
        return Err(BoxError::invalid(from.start, from.kind, "Per_Sample_IV_Size"));
    }
    let mut constant_iv = None;
    if protected == 1 && iv_size == 0 {
        let [size] = reader.array();
        constant_iv = match size {
            8 => Some(reader.array::<8>().to_vec()),
            16 => Some(reader.array::<16>().to_vec()),
            _ => return Err(BoxError::invalid(from.start, from.kind, "constant_IV_size")),
        };
        reader.check()?;
    }
    Ok(TrackEncryption {
        scheme,
        protected: protected == 1,
        pattern: (pattern >> 4, pattern & 15),
        key_id,
        iv_size,
        constant_iv,
    })
}

/// What all samples of a track fragment have in place of the track's: the one description of `seig` in it that
/// they are of. None if there is none; groups that take turns within a fragment are not told apart.
///
/// # Errors
/// If the box is damaged.
pub fn of_fragment(
    traf: &Mp4Box<'_>,
    track: &TrackEncryption,
) -> Result<Option<TrackEncryption>, BoxError> {
    let first = groups(traf, track, 1).map_err(|fault| *fault)?;
    Ok(first.into_iter().next())
}

/// The keys of the samples of a track fragment, where it has descriptions of `seig` of its own: those of all of them
/// that are encrypted.
///
/// # Errors
/// If the box is damaged.
pub fn keys_of_fragment(
    traf: &Mp4Box<'_>,
    track: &TrackEncryption,
) -> Result<Vec<KeyId>, BoxError> {
    let groups = groups(traf, track, MOST_GROUPS).map_err(|fault| *fault)?;
    Ok(groups.into_iter().filter(|group| group.protected).map(|group| group.key_id).collect())
}

fn groups(
    traf: &Mp4Box<'_>,
    track: &TrackEncryption,
    most: usize,
) -> Result<Vec<TrackEncryption>, Fault> {
    let mut groups = Vec::new();
    let mut children = traf.children();
    while let Some(found) = children.next_box()? {
        if !found.is(b"sgpd") {
            continue;
        }
        let mut reader = found.reader();
        let (version, _) = reader.full();
        if reader.array() != *b"seig" {
            continue;
        }
        let length = if version > 0 { reader.u32() } else { 0 };
        if version >= 2 {
            reader.skip(4);
        }
        let count = reader.u32();
        reader.check()?;
        for _ in 0..count {
            if groups.len() >= most {
                return Ok(groups);
            }
            let own = if version > 0 && length == 0 { reader.u32() } else { length };
            let mut entry = reader.clone();
            groups.push(fields(&mut entry, &found, track.scheme)?);
            match version {
                // Its fields alone say how long it is.
                0 => reader = entry,
                _ => reader.skip(own as usize),
            }
        }
    }
    Ok(groups)
}

/// What is noted of each sample of a track fragment (`senc`); empty where nothing is.
///
/// # Errors
/// If the box is damaged, or notes more samples than it has room for.
pub fn notes(traf: &Mp4Box<'_>, iv_size: u8) -> Result<Vec<SampleNote>, BoxError> {
    read_notes(traf, iv_size).map_err(|fault| *fault)
}

fn read_notes(traf: &Mp4Box<'_>, iv_size: u8) -> Result<Vec<SampleNote>, Fault> {
    let Some(senc) = traf.child(b"senc")? else { return Ok(Vec::new()) };
    let mut reader = senc.reader();
    let (_, flags) = reader.full();
    let count = reader.u32();
    reader.check()?;
    let divided = flags & 2 != 0;
    let least = usize::from(iv_size) + if divided { 2 } else { 0 };
    let room = reader.rest().len();
    // Notes of no bytes are none: there may be any number of them.
    if least == 0 || count > MOST_SAMPLES || (count as usize).saturating_mul(least) > room {
        return match least {
            0 => Ok(Vec::new()),
            _ => Err(BoxError::invalid(senc.start, senc.kind, "sample_count")),
        };
    }
    let mut notes = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let iv = match iv_size {
            8 => reader.array::<8>().to_vec(),
            16 => reader.array::<16>().to_vec(),
            _ => Vec::new(),
        };
        let mut note = SampleNote { iv, subsamples: Vec::new() };
        if divided {
            let parts = u16::from_be_bytes(reader.array());
            for _ in 0..parts {
                let clear = u16::from_be_bytes(reader.array());
                let protected = reader.u32();
                reader.check()?;
                note.subsamples.push((clear, protected));
            }
        }
        reader.check()?;
        notes.push(note);
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Boxes;
    use crate::media::testing::boxed;
    use proptest::prelude::*;

    fn only(bytes: &[u8]) -> Mp4Box<'_> {
        Boxes::new(bytes, 0).next().expect("a box").expect("whole")
    }

    fn sinf(scheme: &[u8; 4], tenc: &[u8]) -> Vec<u8> {
        let schm = [&[0; 4], scheme.as_slice(), &[0, 1, 0, 0]].concat();
        let schi = boxed(b"schi", &boxed(b"tenc", tenc));
        boxed(b"sinf", &[boxed(b"frma", b"avc1"), boxed(b"schm", &schm), schi].concat())
    }

    fn tenc(pattern: u8, iv_size: u8, constant: &[u8]) -> Vec<u8> {
        let mut body = vec![1, 0, 0, 0, 0, pattern, 1, iv_size];
        body.extend([9; 16]);
        body.extend(constant);
        body
    }

    #[test]
    fn a_tracks_defaults_are_read() {
        let constant = [[16].as_slice(), &[5; 16]].concat();
        let bytes = sinf(b"cbcs", &tenc(0x19, 0, &constant));
        let expected = TrackEncryption {
            scheme: FourCc(*b"cbcs"),
            protected: true,
            pattern: (1, 9),
            key_id: [9; 16],
            iv_size: 0,
            constant_iv: Some(vec![5; 16]),
        };
        assert_eq!(track(&only(&bytes)).expect("whole"), Some(expected));
        let bytes = sinf(b"cenc", &tenc(0, 8, &[]));
        let cenc = track(&only(&bytes)).expect("whole").expect("encrypted");
        assert_eq!((cenc.iv_size, cenc.constant_iv, cenc.pattern), (8, None, (0, 0)));
        for wrong in [tenc(0, 7, &[]), tenc(0, 0, &[3, 1, 1, 1]), tenc(0, 0, &[])] {
            assert!(track(&only(&sinf(b"cenc", &wrong))).is_err());
        }
        assert_eq!(track(&only(&boxed(b"sinf", b""))).expect("whole"), None);
    }

    #[test]
    fn a_fragment_may_have_a_key_of_its_own() {
        let bytes = sinf(b"cenc", &tenc(0, 8, &[]));
        let of_track = track(&only(&bytes)).expect("whole").expect("encrypted");
        let mut entry = vec![0, 0, 1, 8];
        entry.extend([4; 16]);
        let group = |kind: &[u8; 4]| {
            let body = [
                &[1, 0, 0, 0],
                kind.as_slice(),
                &(entry.len() as u32).to_be_bytes(),
                &1_u32.to_be_bytes(),
                &entry,
            ]
            .concat();
            boxed(b"sgpd", &body)
        };
        let traf = boxed(b"traf", &[group(b"roll"), group(b"seig")].concat());
        let own = of_fragment(&only(&traf), &of_track).expect("whole").expect("its own");
        assert_eq!((own.key_id, own.iv_size), ([4; 16], 8));
        let other = boxed(b"traf", &group(b"roll"));
        assert_eq!(of_fragment(&only(&other), &of_track).expect("whole"), None);
    }

    #[test]
    fn samples_are_noted_and_what_there_is_no_room_for_is_not_believed() {
        let note = |clear: u16, protected: u32| {
            [[8; 8].as_slice(), &[0, 1], &clear.to_be_bytes(), &protected.to_be_bytes()].concat()
        };
        let senc = |count: u32, rest: &[u8]| {
            boxed(
                b"traf",
                &boxed(b"senc", &[&[0, 0, 0, 2], count.to_be_bytes().as_slice(), rest].concat()),
            )
        };
        let two = [note(1, 2), note(3, 4)].concat();
        let bytes = senc(2, &two);
        let notes = notes(&only(&bytes), 8).expect("whole");
        assert_eq!(notes[1], SampleNote { iv: vec![8; 8], subsamples: vec![(3, 4)] });
        for count in [3, u32::MAX] {
            assert!(super::notes(&only(&senc(count, &two)), 8).is_err(), "{count}");
        }
        assert_eq!(super::notes(&only(&boxed(b"traf", b"")), 8), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic(data in prop::collection::vec(any::<u8>(), 0..120), iv in prop_oneof![Just(0), Just(8), Just(16)]) {
            let track_encryption = TrackEncryption {
                scheme: FourCc(*b"cenc"), protected: true, pattern: (0, 0), key_id: [0; 16], iv_size: iv, constant_iv: None,
            };
            for kind in [b"senc", b"sgpd"] {
                let bytes = boxed(b"traf", &boxed(kind, &data));
                let _ = notes(&only(&bytes), iv);
                let _ = of_fragment(&only(&bytes), &track_encryption);
            }
            let bytes = sinf(b"cenc", &data);
            let _ = track(&only(&bytes));
        }
    }
}
