//! PlayReady's object: a `WRMHEADER` of version 4.3, the first that knows several keys and `cbcs`.

use crate::vault::KeyId;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use kinora_cenc::Scheme;

/// The type of the one record: a rights management header.
const HEADER_RECORD: u16 = 1;

pub(super) fn object(scheme: Scheme, keys: &[KeyId]) -> Vec<u8> {
    let algorithm = match scheme {
        Scheme::Cenc => "AESCTR",
        Scheme::Cbcs => "AESCBC",
    };
    let ids: String = keys
        .iter()
        .map(|key| {
            let id = BASE64.encode(guid(*key));
            format!("<KID ALGID=\"{algorithm}\" VALUE=\"{id}\"></KID>")
        })
        .collect();
    let header = format!(
        "<WRMHEADER xmlns=\"http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader\" \
         version=\"4.3.0.0\"><DATA><PROTECTINFO><KIDS>{ids}</KIDS></PROTECTINFO></DATA></WRMHEADER>"
    );
    let record: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bytes = ((record.len() + 10) as u32).to_le_bytes().to_vec();
    bytes.extend(1_u16.to_le_bytes());
    bytes.extend(HEADER_RECORD.to_le_bytes());
    bytes.extend((record.len() as u16).to_le_bytes());
    bytes.extend(record);
    bytes
}

/// A key's id as a GUID in memory: the first three numbers are little-endian.
fn guid(KeyId([a, b, c, d, e, f, g, h, rest @ ..]): KeyId) -> [u8; 16] {
    let mut bytes = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
    if let Some(tail) = bytes.get_mut(8..) {
        tail.copy_from_slice(&rest);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_counts_its_bytes_and_swaps_those_of_the_id() {
        let id: KeyId = "6f651ae1-dbe4-4434-bcb4-690d1564c41c".parse().unwrap();
        let object = object(Scheme::Cbcs, &[id]);
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([object[at], object[at + 1]]));
        assert_eq!(u16_at(0), object.len());
        assert_eq!((u16_at(4), u16_at(6), u16_at(8)), (1, 1, object.len() - 10));
        let text: Vec<u16> =
            object[10..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let text = String::from_utf16(&text).unwrap();
        // The id as PlayReady's documentation writes that UUID.
        assert!(text.contains("ALGID=\"AESCBC\" VALUE=\"4Rplb+TbNES8tGkNFWTEHA==\""), "{text}");
    }
}
