//! Protection that the media tells of: `tenc` and `pssh` in an initialisation segment, `seig` and `pssh` in a fragment
//! (ISO/IEC 23001-7 §6, §8).

use crate::media::init::InitInfo;
use crate::media::{Boxes, FourCc, Mp4Box, encryption, pssh};
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
        protection.method = method(encryption.scheme);
        if !protection.key_ids.contains(&encryption.key_id) {
            protection.key_ids.push(encryption.key_id);
        }
    }
    let mut protection = protection?;
    for moov in Boxes::new(bytes, 0).flatten().filter(|found| found.is(b"moov")) {
        systems_in(bytes, &moov, &mut protection.systems);
    }
    Some(protection)
}

/// What the first fragment of a segment, of which `head` is what precedes its media, needs that is not known: keys of its
/// samples, or initialisation data for them. None where `known` says it all.
pub(crate) fn in_fragment(
    head: &[u8],
    info: &InitInfo,
    known: Option<&Protection>,
) -> Option<Protection> {
    let mut scheme = None;
    let (mut key_ids, mut systems) = (Vec::new(), Vec::new());
    for moof in Boxes::new(head, 0).flatten().filter(|found| found.is(b"moof")) {
        systems_in(head, &moof, &mut systems);
        for traf in moof.children().flatten().filter(|found| found.is(b"traf")) {
            let id = traf.children().flatten().find(|found| found.is(b"tfhd"));
            // Version and flags precede it.
            let id = id.and_then(|tfhd| tfhd.body.get(4..8)?.try_into().ok());
            let track = id.and_then(|id| info.track(u32::from_be_bytes(id)));
            let Some(track) = track.and_then(|track| track.encryption.as_ref()) else { continue };
            scheme = Some(track.scheme);
            for key in encryption::keys_of_fragment(&traf, track).unwrap_or_default() {
                if !key_ids.contains(&key) {
                    key_ids.push(key);
                }
            }
        }
    }
    let scheme = scheme?;
    let new_key = |id| known.is_none_or(|known| !known.key_ids.contains(id));
    let new_system = |new: &ProtectionSystem| {
        known.is_none_or(|known| known.systems.iter().all(|held| held.pssh != new.pssh))
    };
    if !key_ids.iter().any(new_key) && !systems.iter().any(new_system) {
        return None;
    }
    let mut own = known.cloned().unwrap_or_default();
    if known.is_none() {
        own.method = method(scheme);
    }
    if !key_ids.is_empty() {
        own.key_ids = key_ids;
    }
    // What comes with the fragment is meant for it.
    systems.append(&mut own.systems);
    own.systems = systems;
    Some(own)
}

fn method(scheme: FourCc) -> ProtectionMethod {
    match &scheme.0 {
        b"cenc" => ProtectionMethod::Cenc,
        b"cbcs" => ProtectionMethod::Cbcs,
        _ => ProtectionMethod::Other(scheme.to_string()),
    }
}

/// The key systems that `pssh` boxes in a box of `bytes` name.
fn systems_in(bytes: &[u8], parent: &Mp4Box<'_>, systems: &mut Vec<ProtectionSystem>) {
    for found in parent.children().flatten().filter(|found| found.is(b"pssh")) {
        let range = found.start as usize..found.end() as usize;
        let whole = bytes.get(range).unwrap_or_default();
        let parsed = pssh::parse(whole).unwrap_or_default();
        let Some(system) = parsed.first().map(|pssh| pssh.system) else { continue };
        if systems.len() < MOST_SYSTEMS {
            systems.push(ProtectionSystem {
                scheme: urn(&system),
                pssh: Some(whole.to_vec()),
                ..ProtectionSystem::default()
            });
        }
    }
}

/// As manifests name it.
fn urn(system: &[u8; 16]) -> String {
    let mut text = String::from("urn:uuid:");
    for (index, byte) in system.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
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
