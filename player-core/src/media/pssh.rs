//! What key systems want to know of content: the `pssh` box (ISO/IEC 23001-7 §8.1).

use super::error::Fault;
use super::{BoxError, Boxes, Mp4Box};
use crate::presentation::KeyId;

/// More keys than this in one box are not those of one presentation.
const MOST_KEYS: u32 = 4096;

/// One `pssh` box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pssh {
    /// The key system (`SystemID`).
    pub system: [u8; 16],
    /// The keys it names; boxes of version 0 name none.
    pub key_ids: Vec<KeyId>,
}

/// The `pssh` boxes in bytes of nothing else, such as initialisation data.
///
/// # Errors
/// That of the first box that is damaged.
pub fn parse(data: &[u8]) -> Result<Vec<Pssh>, BoxError> {
    read(data).map_err(|fault| *fault)
}

fn read(data: &[u8]) -> Result<Vec<Pssh>, Fault> {
    let mut found = Vec::new();
    let mut boxes = Boxes::new(data, 0);
    while let Some(next) = boxes.next_box()? {
        if next.is(b"pssh") {
            found.push(one(&next)?);
        }
    }
    Ok(found)
}

pub(super) fn one(pssh: &Mp4Box<'_>) -> Result<Pssh, Fault> {
    let mut reader = pssh.reader();
    let (version, _) = reader.full();
    let system = reader.array();
    let mut key_ids = Vec::new();
    if version > 0 {
        let count = reader.u32();
        reader.check()?;
        if count > MOST_KEYS {
            return Err(BoxError::invalid(pssh.start, pssh.kind, "KID_count"));
        }
        for _ in 0..count {
            let id = reader.array();
            reader.check()?;
            key_ids.push(id);
        }
    }
    let size = reader.u32();
    reader.skip(size as usize);
    reader.check()?;
    Ok(Pssh { system, key_ids })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::boxed;
    use proptest::prelude::*;

    fn pssh(version: u8, keys: &[KeyId], data: &[u8]) -> Vec<u8> {
        let mut body = vec![version, 0, 0, 0];
        body.extend([7; 16]);
        if version > 0 {
            body.extend((keys.len() as u32).to_be_bytes());
            body.extend(keys.concat());
        }
        body.extend((data.len() as u32).to_be_bytes());
        body.extend(data);
        boxed(b"pssh", &body)
    }

    #[test]
    fn both_versions_are_read() {
        let keys = [[1; 16], [2; 16]];
        let data = [pssh(0, &[], b"data"), boxed(b"free", b""), pssh(1, &keys, b"")].concat();
        let system = [7; 16];
        let expected =
            [Pssh { system, key_ids: Vec::new() }, Pssh { system, key_ids: keys.to_vec() }];
        assert_eq!(parse(&data).expect("whole"), expected);
    }

    #[test]
    fn a_count_that_is_not_true_is_an_error() {
        let mut data = pssh(1, &[[1; 16]], b"");
        data[28..32].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(parse(&data).is_err());
        data[28..32].copy_from_slice(&4000_u32.to_be_bytes());
        assert!(parse(&data).is_err());
        let whole = pssh(1, &[[1; 16]], b"data");
        for length in 1..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&data);
            let _ = parse(&boxed(b"pssh", &data));
        }
    }
}
