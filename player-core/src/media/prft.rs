//! When media was made: the producer reference time box (ISO/IEC 14496-12 §8.16.5).

use super::init::InitInfo;
use super::{BoxError, Boxes};
use crate::live::clock::ntp;
use crate::time::{MediaTime, WallTime};

/// Reads the first `prft` box of `head`, the boxes before a segment's or chunk's `mdat`: a wall-clock
/// time, and the media time of the same moment by the media's own timestamps. None if there is none,
/// or it is of a track that the initialisation segment does not have.
///
/// # Errors
/// If it, or a box before it, is damaged.
pub fn parse(head: &[u8], init: &InitInfo) -> Result<Option<(WallTime, MediaTime)>, BoxError> {
    let read = || {
        let Some(found) = Boxes::new(head, 0).find_kind(b"prft")? else { return Ok(None) };
        let mut reader = found.reader();
        let (version, _) = reader.full();
        let track_id = reader.u32();
        let wall = ntp(reader.u64().to_be_bytes());
        let time = reader.versioned(version);
        reader.check()?;
        let Some(track) = init.track(track_id) else { return Ok(None) };
        let ticks = i128::from(time) - i128::from(track.edit_start);
        let ticks = ticks.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Ok(Some((wall, MediaTime::from_scaled(ticks, track.timescale))))
    };
    read().map_err(|fault: super::error::Fault| *fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::init;
    use crate::media::testing::{full, init_segment, sample_entry};

    #[test]
    fn both_times_are_read() {
        let entry = sample_entry(b"avc1", b"vide", &[]);
        let init = init::parse(&init_segment(7, 1000, b"vide", &entry, Some(100)));
        let init = init.expect("a whole moov");
        let prft = |track: u32| full(b"prft", 1, 24, &[track, 0x83aa_7e80, 0x8000_0000, 0, 5_100]);
        let expected = (WallTime::from_micros(500_000), MediaTime::from_secs(5));
        assert_eq!(parse(&prft(7), &init), Ok(Some(expected)));
        assert_eq!(parse(&prft(8), &init), Ok(None));
        assert_eq!(parse(b"", &init), Ok(None));
        assert!(parse(b"\0\0\0\x0cprft\0\0\0\0", &init).is_err());
    }
}
