//! What an initialisation segment says of encryption: the sample entry becomes `encv` or `enca`, with the
//! original one's name and the defaults (`sinf`, ISO/IEC 14496-12, 8.12; `tenc`, ISO/IEC 23001-7, 8.2).

use super::boxes::{HEADER, Span, boxed, boxes, child, full_box, insert};
use crate::vault::KeyId;
use kinora_cenc::{Pattern, Scheme};

/// What holds for samples of which nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) scheme: Scheme,
    pub(super) pattern: Pattern,
    pub(super) key: KeyId,
    /// Bytes of the initialisation vector of each sample; 0: it is the constant one.
    pub(super) iv_size: u8,
    /// The constant initialisation vector, if that is used.
    pub(super) constant_iv: Option<[u8; 16]>,
}

impl Defaults {
    /// The fields that `tenc` and the group description `seig` share (ISO/IEC 23001-7, 6 and 8.2).
    pub(super) fn fields(&self) -> Vec<u8> {
        let mut bytes = vec![0, self.pattern.crypt << 4 | self.pattern.skip, 1, self.iv_size];
        bytes.extend(self.key.0);
        if let Some(iv) = &self.constant_iv {
            bytes.push(iv.len() as u8);
            bytes.extend(iv);
        }
        bytes
    }

    fn track_encryption(&self) -> Vec<u8> {
        let version = u8::from(self.scheme == Scheme::Cbcs); // 0 knows no patterns
        full_box(b"tenc", version, 0, &self.fields())
    }

    fn scheme_information(&self, original: [u8; 4]) -> Vec<u8> {
        let scheme = [self.scheme.code().as_slice(), &0x0001_0000_u32.to_be_bytes()].concat();
        let boxes = [
            boxed(b"frma", &original),
            full_box(b"schm", 0, 0, &scheme),
            boxed(b"schi", &self.track_encryption()),
        ];
        boxed(b"sinf", &boxes.concat())
    }
}

/// The initialisation segment of an encrypted track, made of that of the clear one; none if that is not
/// what the packager writes.
pub(super) fn encrypted(clear: &[u8], defaults: &Defaults, pssh: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut bytes = clear.to_vec();
    let moov = child(&bytes, 0..bytes.len(), b"moov")?;
    let mut inside = vec![moov.start];
    let mut range = moov.body();
    for kind in [b"trak", b"mdia", b"minf", b"stbl", b"stsd"] {
        let span = child(&bytes, range, kind)?;
        inside.push(span.start);
        range = span.body();
    }
    // Version, flags and the number of entries come before them.
    let entries = boxes(&bytes, range.start + 8..range.end)?;
    let [entry] = entries.as_slice() else { return None };
    inside.push(entry.start);
    let kind: &[u8; 4] = match &entry.kind {
        b"avc1" => b"encv",
        b"mp4a" => b"enca",
        _ => return None,
    };
    let sinf = defaults.scheme_information(entry.kind);
    bytes.get_mut(entry.start + 4..entry.start + HEADER)?.copy_from_slice(kind);
    insert(&mut bytes, &inside, entry.end, &sinf)?;
    let Span { start, end, .. } = child(&bytes, 0..bytes.len(), b"moov")?;
    insert(&mut bytes, &[start], end, &pssh.concat())?;
    Some(bytes)
}
