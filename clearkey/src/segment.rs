//! Media segments, decrypted as a whole.

use kinora_core::media::encryption::{self, TrackEncryption};
use kinora_core::media::{Boxes, Mp4Box};
use mp4_atom::{Decode, Moof, Traf};

use crate::{KeyRing, Track};

impl KeyRing {
    /// Decrypts every sample of a media segment where it lies; `tracks` are those of its initialisation segment. The
    /// boxes that told of the encryption stay, which a player that was given the opened initialisation segment does not
    /// look at.
    ///
    /// # Errors
    /// When it is damaged, or a key is not here; in words. What was decrypted by then stays so.
    pub fn open_segment(&self, tracks: &[Track], segment: &mut [u8]) -> Result<(), String> {
        let mut samples = Vec::new();
        for found in Boxes::new(segment, 0) {
            // What follows the last whole box cannot be media of this segment's.
            let Ok(found) = found else { break };
            if found.is(b"moof") {
                fragment(segment, &found, tracks, &mut samples)?;
            }
        }
        for Sample { start, end, how, note } in samples {
            let there = segment.get_mut(start..end);
            let bytes = there.ok_or_else(|| format!("a sample lies at bytes {start} to {end}"))?;
            self.decrypt(&how, Some(&note), bytes)?;
        }
        Ok(())
    }
}

/// An encrypted sample.
struct Sample {
    start: usize,
    end: usize,
    how: TrackEncryption,
    note: encryption::SampleNote,
}

fn fragment(
    segment: &[u8],
    moof: &Mp4Box<'_>,
    tracks: &[Track],
    samples: &mut Vec<Sample>,
) -> Result<(), String> {
    let start = moof.start as usize;
    let mut whole = segment.get(start..moof.end() as usize).unwrap_or_default();
    let decoded = Moof::decode(&mut whole).map_err(|error| format!("bad moof box: {error}"))?;
    let boxes = moof.children().flatten().filter(|found| found.is(b"traf"));
    let mut next = start;
    for (traf, found) in decoded.traf.iter().zip(boxes) {
        next = run(traf, &found, tracks, (start, next), samples)?;
    }
    Ok(())
}

/// Finds the samples of a track fragment; where the next begins, if it does not say.
fn run(
    traf: &Traf,
    found: &Mp4Box<'_>,
    tracks: &[Track],
    (moof, mut next): (usize, usize),
    samples: &mut Vec<Sample>,
) -> Result<usize, String> {
    let header = &traf.tfhd;
    let Some(track) = tracks.iter().find(|track| track.id == header.track_id) else {
        return Ok(next);
    };
    if header.base_data_offset.is_some() {
        return Err("a track fragment uses an absolute data offset".into());
    }
    let own = encryption::of_fragment(found, &track.encryption).map_err(|e| e.to_string())?;
    let how = own.unwrap_or_else(|| track.encryption.clone());
    let notes = encryption::notes(found, how.iv_size).map_err(|e| e.to_string())?;
    let mut notes = notes.into_iter();
    let base = if header.default_base_is_moof { moof } else { next };
    next = base;
    for run in &traf.trun {
        if let Some(offset) = run.data_offset {
            let place = base.checked_add_signed(offset as isize);
            next = place.ok_or("a track run starts before its segment")?;
        }
        for entry in &run.samples {
            let size = entry.size.or(header.default_sample_size).unwrap_or(track.sample_size);
            let end = next.saturating_add(size as usize);
            if how.protected {
                let note = notes.next().unwrap_or_default();
                samples.push(Sample { start: next, end, how: how.clone(), note });
            }
            next = end;
        }
    }
    Ok(next)
}
