//! Protection that the media tells of: `tenc` and `pssh` in an initialisation segment (ISO/IEC 23001-7 §8).

use crate::media::init::InitInfo;
use crate::media::{Boxes, pssh};
use crate::presentation::{Protection, ProtectionMethod, ProtectionSystem};

/// No initialisation segment has initialisation data for more key systems.
const MOST_SYSTEMS: usize = 32;

/// What an initialisation segment says of protection; none if its tracks are clear.
pub(crate) fn in_init(bytes: &[u8], info: &InitInfo) -> Option<Protection> {
    let mut protection: Option<Protection> = None;
    for encryption in info.tracks.iter().filter_map(|track| track.encryption.as_ref()) {
        if !encryption.protected {
            continue;
        }
        let protection = protection.get_or_insert_default();
        protection.method = match &encryption.scheme.0 {
            b"cenc" => ProtectionMethod::Cenc,
            b"cbcs" => ProtectionMethod::Cbcs,
            other => ProtectionMethod::Other(String::from_utf8_lossy(other).into_owned()),
        };
        if !protection.key_ids.contains(&encryption.key_id) {
            protection.key_ids.push(encryption.key_id);
        }
    }
    let mut protection = protection?;
    for moov in Boxes::new(bytes, 0).flatten().filter(|found| found.is(b"moov")) {
        for found in moov.children().flatten().filter(|found| found.is(b"pssh")) {
            let range = found.start as usize..found.end() as usize;
            let whole = bytes.get(range).unwrap_or_default();
            let parsed = pssh::parse(whole).unwrap_or_default();
            let Some(system) = parsed.first().map(|pssh| pssh.system) else { continue };
            if protection.systems.len() < MOST_SYSTEMS {
                protection.systems.push(ProtectionSystem {
                    scheme: urn(&system),
                    pssh: Some(whole.to_vec()),
                    ..ProtectionSystem::default()
                });
            }
        }
    }
    Some(protection)
}

/// As manifests name it.
fn urn(system: &[u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::from("urn:uuid:");
    for (index, byte) in system.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_named_as_in_manifests() {
        let widevine = [
            0xed, 0xef, 0x8b, 0xa9, 0x79, 0xd6, 0x4a, 0xce, 0xa3, 0xc8, 0x27, 0xdc, 0xd5, 0x1d,
            0x21, 0xed,
        ];
        assert_eq!(urn(&widevine), "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed");
    }
}
