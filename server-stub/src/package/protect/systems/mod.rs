//! What key systems want to know of a package: a `pssh` box each (ISO/IEC 23001-7, 8.1), in initialisation
//! segments and in manifests.

mod playready;
mod widevine;

use super::boxes::full_box;
use crate::vault::KeyId;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use kinora_cenc::Scheme;

/// A key system to write initialisation data for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum System {
    /// The W3C's common format, that ClearKey reads
    Common,
    /// Widevine, for a licence vendor's server
    Widevine,
    /// PlayReady, for a licence vendor's server
    Playready,
    /// FairPlay Streaming: a key tag in HLS, no box
    Fairplay,
}

impl System {
    /// Its id, as a UUID; FairPlay has one as well, but no box.
    pub(in crate::package) fn id(self) -> KeyId {
        KeyId(match self {
            Self::Common => [
                0x10, 0x77, 0xef, 0xec, 0xc0, 0xb2, 0x4d, 0x02, 0xac, 0xe3, 0x3c, 0x1e, 0x52, 0xe2,
                0xfb, 0x4b,
            ],
            Self::Widevine => [
                0xed, 0xef, 0x8b, 0xa9, 0x79, 0xd6, 0x4a, 0xce, 0xa3, 0xc8, 0x27, 0xdc, 0xd5, 0x1d,
                0x21, 0xed,
            ],
            Self::Playready => [
                0x9a, 0x04, 0xf0, 0x79, 0x98, 0x40, 0x42, 0x86, 0xab, 0x92, 0xe6, 0x5b, 0xe0, 0x88,
                0x5f, 0x95,
            ],
            Self::Fairplay => [
                0x94, 0xce, 0x86, 0xfb, 0x07, 0xff, 0x4f, 0x43, 0xad, 0xb8, 0x93, 0xd2, 0xfa, 0x96,
                0x8c, 0xa2,
            ],
        })
    }

    /// Its `pssh` box for these keys; FairPlay has none.
    pub(in crate::package) fn pssh(
        self,
        scheme: Scheme,
        content: &str,
        keys: &[KeyId],
    ) -> Option<Vec<u8>> {
        let (version, data) = match self {
            Self::Common => (1, Vec::new()),
            Self::Widevine => (0, widevine::header(scheme, content, keys)),
            Self::Playready => (1, playready::object(scheme, keys)),
            Self::Fairplay => return None,
        };
        let mut body = self.id().0.to_vec();
        if version > 0 {
            body.extend((keys.len() as u32).to_be_bytes());
            body.extend(keys.iter().flat_map(|key| key.0));
        }
        body.extend((data.len() as u32).to_be_bytes());
        body.extend(data);
        Some(full_box(b"pssh", version, 0, &body))
    }

    /// The `KEYFORMAT` and the `URI` of its key tag in HLS.
    pub(in crate::package) fn hls(
        self,
        scheme: Scheme,
        content: &str,
        key: KeyId,
    ) -> (&'static str, String) {
        let data = |bytes: &[u8]| format!("data:text/plain;base64,{}", BASE64.encode(bytes));
        let pssh = self.pssh(scheme, content, &[key]).unwrap_or_default();
        match self {
            Self::Common => ("org.w3.clearkey", data(&pssh)),
            Self::Widevine => ("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", data(&pssh)),
            Self::Playready => {
                let object = BASE64.encode(playready::object(scheme, &[key]));
                (
                    "com.microsoft.playready",
                    format!("data:text/plain;charset=UTF-16;base64,{object}"),
                )
            }
            Self::Fairplay => ("com.apple.streamingkeydelivery", format!("skd://{key}")),
        }
    }

    /// PlayReady's header object, which its DASH descriptor has beside the box.
    pub(in crate::package) fn playready_object(scheme: Scheme, keys: &[KeyId]) -> String {
        BASE64.encode(playready::object(scheme, keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [KeyId; 2] = [KeyId([0x11; 16]), KeyId([0x22; 16])];

    #[test]
    fn the_common_box_names_the_keys_and_nothing_else() {
        let pssh = System::Common.pssh(Scheme::Cenc, "content", &KEYS).unwrap();
        assert_eq!(pssh.len(), 8 + 4 + 16 + 4 + 32 + 4);
        assert_eq!(&pssh[..12], b"\0\0\0\x44pssh\x01\0\0\0");
        assert_eq!(pssh[12..28], System::Common.id().0);
        assert_eq!(pssh[28..32], [0, 0, 0, 2]);
        assert_eq!(pssh[32..64], [[0x11; 16], [0x22; 16]].concat());
        assert_eq!(pssh[64..], [0; 4]);
        assert_eq!(System::Common.id().to_string(), "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b");
    }

    #[test]
    fn fairplay_has_a_tag_and_no_box() {
        assert_eq!(System::Fairplay.pssh(Scheme::Cbcs, "content", &KEYS), None);
        let (format, uri) = System::Fairplay.hls(Scheme::Cbcs, "content", KEYS[0]);
        assert_eq!(format, "com.apple.streamingkeydelivery");
        assert_eq!(uri, "skd://11111111-1111-1111-1111-111111111111");
    }
}
