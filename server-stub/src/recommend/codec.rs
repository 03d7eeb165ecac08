//! The file of a model.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `KINORARM` |
//! | 2 | the format's version, little endian: 1 |
//! | 8 | the payload's length, little endian |
//! | 32 | the payload's SHA-256 |
//! | … | the payload: [`Model`] in [postcard](https://postcard.jamesmunns.com/wire-format)'s encoding |
//!
//! The sum finds damage. Against a file made to harm, the decoder never reserves more than what it has read
//! calls for, and every number that points somewhere is checked before the model is used.

use super::model::Model;
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"KINORARM";
const FORMAT: u16 = 1;
const HEADER: usize = 8 + 2 + 8 + 32;
/// The longest file that is read, bytes.
pub(super) const MAX_FILE: u64 = 512 * 1024 * 1024;

/// A model as the bytes of its file.
pub(super) fn encode(model: &Model) -> Result<Vec<u8>, String> {
    let payload = postcard::to_allocvec(model).map_err(|error| error.to_string())?;
    let mut file = Vec::with_capacity(HEADER + payload.len());
    file.extend(MAGIC);
    file.extend(FORMAT.to_le_bytes());
    file.extend((payload.len() as u64).to_le_bytes());
    file.extend(Sha256::digest(&payload));
    file.extend(payload);
    if file.len() as u64 > MAX_FILE {
        let reason = "keep fewer neighbours for each title";
        return Err(format!("{} bytes are more than {MAX_FILE}; {reason}", file.len()));
    }
    Ok(file)
}

/// The model in a file.
pub(super) fn decode(file: &[u8]) -> Result<Model, String> {
    let Some((header, payload)) = file.split_at_checked(HEADER) else {
        return Err("it is cut off".into());
    };
    let (magic, header) = header.split_at(8);
    let (format, header) = header.split_at(2);
    let (length, digest) = header.split_at(8);
    if magic != MAGIC {
        return Err("it is no model".into());
    }
    if format != FORMAT.to_le_bytes() {
        let format = u16::from_le_bytes([format[0], format[1]]);
        return Err(format!("its format is {format}, and this program reads {FORMAT}"));
    }
    if length != (payload.len() as u64).to_le_bytes() {
        return Err("it is cut off".into());
    }
    if digest != Sha256::digest(payload).as_slice() {
        return Err("it is damaged: its SHA-256 is another".into());
    }
    let (model, rest) = postcard::take_from_bytes::<Model>(payload)
        .map_err(|error| format!("it does not decode: {error}"))?;
    if !rest.is_empty() {
        return Err("something follows the model".into());
    }
    model.check()?;
    Ok(model)
}

/// The first digits of a file's sum, to name it by.
pub(super) fn fingerprint(file: &[u8]) -> String {
    let digest = &file[HEADER - 32..HEADER];
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::testing::trained;
    use proptest::prelude::*;

    /// The file of a model whose payload was changed and signed again.
    fn forged(change: impl FnOnce(&mut Model)) -> Vec<u8> {
        let mut model = trained(7);
        change(&mut model);
        encode(&model).unwrap()
    }

    #[test]
    fn a_file_holds_the_model() {
        let model = trained(7);
        assert_eq!(decode(&encode(&model).unwrap()).unwrap(), model);
    }

    #[test]
    fn a_cut_or_flipped_file_is_refused() {
        let file = encode(&trained(7)).unwrap();
        for length in [0, 1, HEADER - 1, HEADER, file.len() / 2, file.len() - 1] {
            assert_eq!(decode(&file[..length]), Err("it is cut off".to_owned()));
        }
        for at in (0..file.len()).step_by(11) {
            let mut file = file.clone();
            file[at] ^= 4;
            assert!(decode(&file).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_forged_file_is_refused() {
        let reason = |change: fn(&mut Model)| decode(&forged(change)).unwrap_err();
        assert_eq!(reason(|m| m.neighbours.items[0] = 9999), "a number points at nothing");
        assert_eq!(reason(|m| m.neighbours.weights[0] = f32::NAN), "a weight is not a number");
        assert_eq!(reason(|m| m.neighbours.offsets[1] = u32::MAX), "its rows are out of order");
        assert_eq!(reason(|m| m.items.reverse()), "identifiers are out of order");
        assert_eq!(reason(|m| m.support.clear()), "its parts are of different sizes");
        assert_eq!(reason(|m| m.content.postings.clear()), "a number points at nothing");
        assert_eq!(reason(|m| m.content.genres_of[0] = vec![99]), "a number points at nothing");
    }

    proptest! {
        #[test]
        fn no_payload_makes_it_panic(payload in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut file = MAGIC.to_vec();
            file.extend(FORMAT.to_le_bytes());
            file.extend((payload.len() as u64).to_le_bytes());
            file.extend(Sha256::digest(&payload));
            file.extend(payload);
            prop_assert!(decode(&file).is_err());
        }
    }
}
