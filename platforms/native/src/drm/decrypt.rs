//! Initialisation segments of encrypted tracks, as those of clear ones.

use kinora_core::media::encryption::TrackEncryption;
use kinora_core::media::{Boxes, Mp4Box, init};

/// A movie header in which sample entries have the names they had before encryption.
pub(crate) struct Opened {
    /// The box `moov`.
    pub(crate) moov: Vec<u8>,
    /// How tracks are encrypted, by their ids.
    pub(crate) tracks: Vec<(u32, TrackEncryption)>,
}

/// Opens a movie header; none if no track of it is encrypted.
///
/// # Errors
/// When it is damaged.
pub(crate) fn open_init(moov: &[u8]) -> Result<Option<Opened>, String> {
    let info = init::parse(moov).map_err(|error| error.to_string())?;
    if !info.tracks.iter().any(|track| track.encrypted) {
        return Ok(None);
    }
    let tracks = info.tracks.into_iter().filter_map(|track| Some((track.id, track.encryption?)));
    let tracks = tracks.collect();
    let mut bytes = moov.to_vec();
    let mut renamed = Vec::new();
    for whole in Boxes::new(moov, 0).flatten() {
        for trak in whole.children().flatten().filter(|found| found.is(b"trak")) {
            entries(&trak, &mut renamed);
        }
    }
    for (at, kind) in renamed {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        if let Some(place) = bytes.get_mut(at.saturating_add(4)..at.saturating_add(8)) {
            place.copy_from_slice(&kind);
        }
    }
    Ok(Some(Opened { moov: bytes, tracks }))
}

/// The boxes to rename: where they begin, and as what.
fn entries(trak: &Mp4Box<'_>, renamed: &mut Vec<(u64, [u8; 4])>) {
    let mut inside = *trak;
    for kind in [b"mdia", b"minf", b"stbl", b"stsd"] {
        let Some(found) = inside.children().flatten().find(|found| found.is(kind)) else { return };
        inside = found;
    }
    // Version, flags and the number of entries.
    let Some(entries) = inside.body.get(8..) else { return };
    for entry in Boxes::new(entries, inside.body_start + 8).flatten() {
        // Fields of visual and of audio sample entries (ISO/IEC 14496-12 §12.1.3 and §12.2.3).
        let fields = match &entry.kind.0 {
            b"encv" => 78,
            b"enca" => 28,
            _ => continue,
        };
        let Some(children) = entry.body.get(fields..) else { continue };
        let mut children = Boxes::new(children, entry.body_start + fields as u64).flatten();
        let Some(sinf) = children.find(|child| child.is(b"sinf")) else { continue };
        let frma = sinf.children().flatten().find(|child| child.is(b"frma"));
        let original = frma.and_then(|frma| frma.body.first_chunk::<4>().copied());
        if let Some(original) = original {
            renamed.push((entry.start, original));
            renamed.push((sinf.start, *b"free"));
        }
    }
}
