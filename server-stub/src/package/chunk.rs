//! The boxes around media in CMAF (ISO/IEC 23000-19): of a header, of a segment, and of the chunks in it.

use super::fragmented::Sample;
use mp4_atom::{
    Codec, Encode, FourCC, Ftyp, Header, Mfhd, Moof, Moov, Mvex, Styp, Tfdt, Tfhd, Traf, Trex,
    Trun, TrunEntry,
};

/// Sample flags (ISO/IEC 14496-12, 8.8.3.1): depends on no other sample, is a sync sample.
const SYNC: u32 = 0x0200_0000;
/// Sample flags: depends on others, is not a sync sample.
const NOT_SYNC: u32 = 0x0101_0000;
/// Every file holds one track, under this number.
pub(crate) const TRACK_ID: u32 = 1;

/// The initialization segment of a track that an encoder has described.
pub(crate) fn initialization(mut moov: Moov) -> Result<Vec<u8>, String> {
    let ftyp = Ftyp {
        major_brand: FourCC::new(b"cmf2"),
        minor_version: 0,
        compatible_brands: [b"cmf2", b"cmfc", b"iso6", b"dash"].map(FourCC::new).into(),
    };
    moov.mvhd.duration = 0;
    moov.mvhd.next_track_id = TRACK_ID + 1;
    (moov.meta, moov.udta) = (None, None);
    moov.mvex = Some(Mvex {
        mehd: None,
        trex: vec![Trex {
            track_id: TRACK_ID,
            default_sample_description_index: 1,
            ..Trex::default()
        }],
    });
    for trak in &mut moov.trak {
        (trak.edts, trak.meta, trak.udta) = (None, None, None);
        trak.tkhd.track_id = TRACK_ID;
        trak.tkhd.duration = 0;
        trak.mdia.mdhd.duration = 0;
        for codec in &mut trak.mdia.minf.stbl.stsd.codecs {
            // What the encoder was told, not what it did; the manifests say what was measured.
            match codec {
                Codec::Avc1(avc1) => avc1.btrt = None,
                Codec::Mp4a(mp4a) => mp4a.btrt = None,
                _ => {}
            }
        }
    }
    let mut bytes = Vec::new();
    put(&mut bytes, &ftyp)?;
    put(&mut bytes, &moov)?;
    Ok(bytes)
}

/// The box that opens a segment in a file of its own.
pub(crate) fn segment_type() -> Result<Vec<u8>, String> {
    let styp = Styp {
        major_brand: FourCC::new(b"msdh"),
        minor_version: 0,
        compatible_brands: [b"msdh", b"cmfs"].map(FourCC::new).into(),
    };
    let mut bytes = Vec::new();
    put(&mut bytes, &styp)?;
    Ok(bytes)
}

/// A chunk up to where the bytes of its samples begin: `moof`, and the header of `mdat`.
pub(crate) fn head(sequence: u32, samples: &[Sample]) -> Result<Vec<u8>, String> {
    // The media's place depends on the length of the header before it, whose length does not depend on
    // that place.
    let size = samples.iter().map(|s| s.size as usize).sum();
    let mut moof = movie_fragment(sequence, samples);
    let mdat = Header { kind: FourCC::new(b"mdat"), size: Some(size) };
    let mut bytes = Vec::new();
    put(&mut bytes, &moof)?;
    put(&mut bytes, &mdat)?;
    let media_start =
        i32::try_from(bytes.len()).map_err(|_| "a fragment with too many samples".to_owned())?;
    for run in moof.traf.iter_mut().flat_map(|traf| &mut traf.trun) {
        run.data_offset = Some(media_start);
    }
    bytes.clear();
    put(&mut bytes, &moof)?;
    put(&mut bytes, &mdat)?;
    Ok(bytes)
}

fn put(bytes: &mut Vec<u8>, atom: &impl Encode) -> Result<(), String> {
    atom.encode(bytes).map_err(|error| error.to_string())
}

fn movie_fragment(sequence: u32, samples: &[Sample]) -> Moof {
    let first = samples.first();
    let all_sync = samples.iter().all(|s| s.sync);
    let only_first_syncs = samples.iter().skip(1).all(|s| !s.sync);
    let equal_durations = samples.iter().all(|s| Some(s.duration) == first.map(|f| f.duration));
    let composed = samples.iter().any(|s| s.composition != 0);
    let entry = |(position, sample): (usize, &Sample)| TrunEntry {
        duration: (!equal_durations).then_some(sample.duration),
        size: Some(sample.size),
        flags: if all_sync || (only_first_syncs && position > 0) {
            None
        } else {
            Some(if sample.sync { SYNC } else { NOT_SYNC })
        },
        cts: composed.then_some(sample.composition),
    };
    let entries: Vec<TrunEntry> = samples.iter().enumerate().map(entry).collect();
    Moof {
        mfhd: Mfhd { sequence_number: sequence },
        traf: vec![Traf {
            tfhd: Tfhd {
                track_id: TRACK_ID,
                default_sample_duration: first.filter(|_| equal_durations).map(|f| f.duration),
                default_sample_flags: Some(if all_sync { SYNC } else { NOT_SYNC }),
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt { base_media_decode_time: first.map_or(0, |s| s.time) }),
            trun: vec![Trun { data_offset: Some(0), samples: entries.into() }],
            ..Traf::default()
        }],
    }
}
