//! Initialisation segments of encrypted tracks, as those of clear ones.

use kinora_core::media::encryption::TrackEncryption;
use kinora_core::media::{Boxes, Mp4Box, init};

/// An initialisation segment in which sample entries have the names they had before encryption.
#[derive(Debug)]
pub struct Opened {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The tracks of it that are encrypted.
    pub tracks: Vec<Track>,
}

/// A track whose samples are encrypted.
#[derive(Clone, Debug)]
pub struct Track {
    /// Its number.
    pub id: u32,
    /// How, unless a fragment says something else.
    pub encryption: TrackEncryption,
    /// Bytes of a sample, where fragments do not say.
    pub(crate) sample_size: u32,
}

/// Opens an initialisation segment, or its `moov` alone; none if no track of it is encrypted.
///
/// # Errors
/// When it is damaged; in words.
pub fn open_init(segment: &[u8]) -> Result<Option<Opened>, String> {
    let info = init::parse(segment).map_err(|error| error.to_string())?;
    if !info.tracks.iter().any(|track| track.encrypted) {
        return Ok(None);
    }
    let mut bytes = segment.to_vec();
    let (mut renamed, mut sizes) = (Vec::new(), Vec::new());
    for whole in Boxes::new(segment, 0).flatten().filter(|found| found.is(b"moov")) {
        default_sizes(&whole, &mut sizes);
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
    let size = |id| sizes.iter().find(|(track, _)| *track == id).map_or(0, |(_, size)| *size);
    let track = |track: init::Track| {
        let (id, encryption) = (track.id, track.encryption?);
        Some(Track { id, encryption, sample_size: size(id) })
    };
    let tracks = info.tracks.into_iter().filter_map(track).collect();
    Ok(Some(Opened { bytes, tracks }))
}

/// Sizes of samples that fragments need not say (`trex`, ISO/IEC 14496-12 §8.8.3), by track.
fn default_sizes(moov: &Mp4Box<'_>, sizes: &mut Vec<(u32, u32)>) {
    for mvex in moov.children().flatten().filter(|found| found.is(b"mvex")) {
        for trex in mvex.children().flatten().filter(|found| found.is(b"trex")) {
            let field = |at: usize| {
                let bytes = trex.body.get(at..)?.first_chunk::<4>()?;
                Some(u32::from_be_bytes(*bytes))
            };
            // Behind version and flags: the track, its sample description, a duration, a size.
            sizes.extend(field(4).zip(field(16)));
        }
    }
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
