//! Widevine's header: a message `WidevinePsshData` in the encoding of Protocol Buffers.

use crate::vault::KeyId;
use kinora_cenc::Scheme;

/// Field numbers and wire types of the message.
mod field {
    /// `repeated bytes key_ids = 2`
    pub(super) const KEY_ID: u8 = 2 << 3 | 2;
    /// `optional bytes content_id = 4`
    pub(super) const CONTENT_ID: u8 = 4 << 3 | 2;
    /// `optional uint32 protection_scheme = 9`, a four-character code
    pub(super) const SCHEME: u8 = 9 << 3;
}

pub(super) fn header(scheme: Scheme, content: &str, keys: &[KeyId]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for key in keys {
        bytes.extend([field::KEY_ID, 16]);
        bytes.extend(key.0);
    }
    // Ids of content are hexadecimal digits, far fewer than a length of one byte can tell.
    let content = content.as_bytes().get(..content.len().min(127)).unwrap_or_default();
    bytes.extend([field::CONTENT_ID, content.len() as u8]);
    bytes.extend(content);
    bytes.push(field::SCHEME);
    let mut code = u32::from_be_bytes(scheme.code());
    while code >= 0x80 {
        bytes.push(code as u8 | 0x80);
        code >>= 7;
    }
    bytes.push(code as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_its_code_as_a_number() {
        let header = header(Scheme::Cbcs, "ab", &[KeyId([7; 16])]);
        let mut expected = vec![0x12, 16];
        expected.extend([7; 16]);
        expected.extend([0x22, 2, b'a', b'b']);
        // What others write for `cbcs` in this field: 1667392371 in seven-bit groups.
        expected.extend([0x48, 0xf3, 0xc6, 0x89, 0x9b, 0x06]);
        assert_eq!(header, expected);
    }
}
