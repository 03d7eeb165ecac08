//! Movie fragments: the `moof` box (ISO/IEC 14496-12 §8.8).

use super::error::Fault;
use super::init::{InitInfo, Track};
use super::{BoxError, Boxes, Mp4Box};
use crate::time::MediaTime;

/// When the media of a fragment plays, by its own timestamps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentInfo {
    /// Earliest decode time of any of its tracks (`baseMediaDecodeTime`).
    pub decode_time: MediaTime,
    /// Earliest presentation time of any of its samples, after composition offsets and the edit
    /// list of the initialisation segment.
    pub presentation_start: MediaTime,
    /// From the earliest decode time to the end of the last sample of any track.
    pub duration: MediaTime,
    /// Each track on its own. Never empty.
    pub tracks: Vec<TrackFragment>,
}

/// The part of a fragment that belongs to one track. Times are in units of its timescale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFragment {
    /// `track_ID`.
    pub track_id: u32,
    /// `baseMediaDecodeTime`.
    pub decode_time: u64,
    /// Sum of the samples' durations.
    pub duration: u64,
    /// Number of samples.
    pub samples: u64,
    /// Least of decode time plus composition offset, relative to `decode_time`.
    pub earliest_composition: i64,
    /// The first sample can be decoded without others before it.
    pub starts_with_sync: bool,
}

/// Reads the `moof` boxes of `head`, the boxes before a segment's first `mdat`.
///
/// # Errors
/// If there is none, it has no samples, names a track that the initialisation segment does not
/// have, or a box the above is taken from is missing or damaged.
pub fn parse(head: &[u8], init: &InitInfo) -> Result<FragmentInfo, BoxError> {
    read(head, init).map_err(|fault| *fault)
}

fn read(head: &[u8], init: &InitInfo) -> Result<FragmentInfo, Fault> {
    let mut tracks: Vec<TrackFragment> = Vec::new();
    let mut times: Option<(MediaTime, MediaTime, MediaTime)> = None;
    let mut found_any = false;
    let mut boxes = Boxes::new(head, 0);
    while let Some(moof) = boxes.next_box()? {
        if !moof.is(b"moof") {
            continue;
        }
        found_any = true;
        let mut children = moof.children();
        while let Some(traf) = children.next_box()? {
            if !traf.is(b"traf") {
                continue;
            }
            let Some((track, fragment)) = track_fragment(&traf, init)? else { continue };
            let scaled = |ticks: i128| {
                let ticks = ticks.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
                MediaTime::from_scaled(ticks, track.timescale)
            };
            let decode = i128::from(fragment.decode_time);
            let start = scaled(decode);
            let shown = decode + i128::from(fragment.earliest_composition);
            let shown = scaled(shown - i128::from(track.edit_start));
            let end = scaled(decode + i128::from(fragment.duration));
            times = Some(match times {
                None => (start, shown, end),
                Some(before) => (before.0.min(start), before.1.min(shown), before.2.max(end)),
            });
            tracks.push(fragment);
        }
    }
    match times {
        Some((decode_time, presentation_start, end)) => Ok(FragmentInfo {
            decode_time,
            presentation_start,
            duration: end - decode_time,
            tracks,
        }),
        None => Err(BoxError::missing(0, if found_any { b"trun" } else { b"moof" })),
    }
}

/// The least that precedes the samples in `mdat`: its size and type.
const MDAT_HEADER: u64 = 8;

/// How many bytes the samples of the `moof` boxes of `head` take: the `mdat` after them is no smaller.
/// Samples whose size only the initialisation segment tells count as nothing; so does all of what
/// cannot be read.
pub fn data_size(head: &[u8]) -> u64 {
    let mut size = 0;
    let mut boxes = Boxes::new(head, 0);
    while let Ok(Some(moof)) = boxes.next_box() {
        let mut children = moof.children();
        while let Ok(Some(traf)) = children.next_box() {
            if moof.is(b"moof") && traf.is(b"traf") {
                size = u64::saturating_add(size, track_data_size(&traf).unwrap_or(0));
            }
        }
    }
    size
}

/// No segment that begins with `head` and the `mdat` after it has fewer bytes than this, if it is whole. Where nothing is
/// known of its samples, nothing is known of that.
pub(crate) fn least_size(head: &[u8]) -> u64 {
    match data_size(head) {
        0 => 0,
        data => data.saturating_add(head.len() as u64 + MDAT_HEADER),
    }
}

fn track_data_size(traf: &Mp4Box<'_>) -> Result<u64, Fault> {
    let mut reader = traf.need(b"tfhd")?.reader();
    let (_, flags) = reader.full();
    reader.skip(4);
    for (flag, bytes) in [(0x01, 8), (0x02, 4), (0x08, 4)] {
        reader.skip(if flags & flag != 0 { bytes } else { 0 });
    }
    let usual = if flags & 0x10 != 0 { reader.u32() } else { 0 };
    reader.check()?;
    let mut size = 0_u64;
    let mut children = traf.children();
    while let Some(trun) = children.next_box()? {
        if !trun.is(b"trun") {
            continue;
        }
        let mut reader = trun.reader();
        let (_, flags) = reader.full();
        let count = reader.u32();
        let has = |flag: u32| flags & flag != 0;
        reader.skip(if has(0x001) { 4 } else { 0 });
        reader.skip(if has(0x004) { 4 } else { 0 });
        if !has(0x200) {
            size = size.saturating_add(u64::from(usual) * u64::from(count));
            continue;
        }
        for _ in 0..count {
            reader.skip(if has(0x100) { 4 } else { 0 });
            size = size.saturating_add(u64::from(reader.u32()));
            reader.skip(if has(0x400) { 4 } else { 0 });
            reader.skip(if has(0x800) { 4 } else { 0 });
            if !reader.is_whole() {
                break;
            }
        }
        reader.check()?;
    }
    Ok(size)
}

/// Sample flags: `sample_is_non_sync_sample` (ISO/IEC 14496-12 §8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// One `traf`, and the track it belongs to; nothing if it has no samples.
fn track_fragment<'a>(
    traf: &Mp4Box<'_>,
    init: &'a InitInfo,
) -> Result<Option<(&'a Track, TrackFragment)>, Fault> {
    let tfhd = traf.need(b"tfhd")?;
    let mut reader = tfhd.reader();
    let (_, flags) = reader.full();
    let track_id = reader.u32();
    reader.check()?;
    let track =
        init.track(track_id).ok_or_else(|| BoxError::invalid(tfhd.start, tfhd.kind, "track_ID"))?;
    let mut default_duration = track.default_sample_duration;
    let mut default_flags = track.default_sample_flags;
    if flags & 0x01 != 0 {
        reader.skip(8);
    }
    if flags & 0x02 != 0 {
        reader.skip(4);
    }
    if flags & 0x08 != 0 {
        default_duration = reader.u32();
    }
    if flags & 0x10 != 0 {
        reader.skip(4);
    }
    if flags & 0x20 != 0 {
        default_flags = reader.u32();
    }
    reader.check()?;

    let mut tfdt = traf.need(b"tfdt")?.reader();
    let (version, _) = tfdt.full();
    let decode_time = tfdt.versioned(version);
    tfdt.check()?;

    let mut fragment = TrackFragment {
        track_id,
        decode_time,
        duration: 0,
        samples: 0,
        earliest_composition: i64::MAX,
        starts_with_sync: false,
    };
    let mut children = traf.children();
    while let Some(trun) = children.next_box()? {
        if trun.is(b"trun") {
            add_run(&trun, default_duration, default_flags, &mut fragment)?;
        }
    }
    Ok((fragment.samples > 0).then_some((track, fragment)))
}

/// Adds the samples of a `trun` (ISO/IEC 14496-12 §8.8.8).
fn add_run(
    trun: &Mp4Box<'_>,
    default_duration: u32,
    default_flags: u32,
    fragment: &mut TrackFragment,
) -> Result<(), Fault> {
    let mut reader = trun.reader();
    let (version, flags) = reader.full();
    let count = reader.u32();
    let has = |flag: u32| flags & flag != 0;
    if has(0x001) {
        reader.skip(4);
    }
    let first_flags = if has(0x004) { Some(reader.u32()) } else { None };
    reader.check()?;
    if count == 0 {
        return Ok(());
    }
    let (durations, sizes, sample_flags, offsets) =
        (has(0x100), has(0x200), has(0x400), has(0x800));
    let first_in_fragment = fragment.samples == 0;
    fragment.samples += u64::from(count);

    if !(durations || sizes || sample_flags || offsets) {
        // No bytes stand for these samples, so they must not be counted one by one.
        let start = i64::try_from(fragment.duration).unwrap_or(i64::MAX);
        fragment.earliest_composition = fragment.earliest_composition.min(start);
        fragment.duration =
            fragment.duration.saturating_add(u64::from(default_duration) * u64::from(count));
        if first_in_fragment {
            fragment.starts_with_sync = first_flags.unwrap_or(default_flags) & NON_SYNC == 0;
        }
        return Ok(());
    }
    for sample in 0..count {
        if !reader.is_whole() {
            break;
        }
        let duration = if durations { reader.u32() } else { default_duration };
        if sizes {
            reader.skip(4);
        }
        let own_flags = if sample_flags { Some(reader.u32()) } else { None };
        let offset = match (offsets, version) {
            (false, _) => 0,
            (true, 0) => i64::from(reader.u32()),
            (true, _) => i64::from(reader.u32() as i32),
        };
        if sample == 0 && first_in_fragment {
            let flags = first_flags.or(own_flags).unwrap_or(default_flags);
            fragment.starts_with_sync = flags & NON_SYNC == 0;
        }
        let decode = i64::try_from(fragment.duration).unwrap_or(i64::MAX);
        fragment.earliest_composition =
            fragment.earliest_composition.min(decode.saturating_add(offset));
        fragment.duration = fragment.duration.saturating_add(u64::from(duration));
    }
    reader.check()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::testing::{boxed, full, init_segment, sample_entry};
    use crate::media::{BoxErrorKind, FourCc, init};
    use proptest::prelude::*;

    fn track(id: u32, timescale: u32, edit: Option<u32>) -> InitInfo {
        let entry = sample_entry(b"avc1", b"vide", &[]);
        init::parse(&init_segment(id, timescale, b"vide", &entry, edit)).expect("a whole moov")
    }

    fn moof(trafs: &[Vec<u8>]) -> Vec<u8> {
        let mut inside = full(b"mfhd", 0, 0, &[1]);
        inside.extend(trafs.iter().flatten());
        boxed(b"moof", &inside)
    }

    fn traf(id: u32, decode_time: u32, runs: &[Vec<u8>]) -> Vec<u8> {
        let mut inside = full(b"tfhd", 0, 0x02_0000, &[id]);
        inside.extend(full(b"tfdt", 0, 0, &[decode_time]));
        inside.extend(runs.iter().flatten());
        boxed(b"traf", &inside)
    }

    #[test]
    fn data_is_no_smaller_than_its_samples() {
        let sizes = full(b"trun", 0, 0x305, &[2, 0, 0, 40, 1_000, 40, 234]);
        assert_eq!(data_size(&moof(&[traf(1, 0, std::slice::from_ref(&sizes))])), 1_234);
        let mut usual = full(b"tfhd", 0, 0x02_0018, &[2, 512, 100]);
        usual.extend(full(b"trun", 0, 0, &[u32::MAX]));
        let usual = boxed(b"traf", &usual);
        let both = moof(&[traf(1, 0, &[sizes]), usual]);
        assert_eq!(data_size(&both), 1_234 + 100 * u64::from(u32::MAX));
        let mut endless = full(b"tfhd", 0, 0x02_0010, &[1, u32::MAX]);
        endless.extend(full(b"trun", 0, 0, &[u32::MAX]));
        let endless = boxed(b"traf", &endless);
        assert_eq!(data_size(&moof(&[endless.clone(), endless])), u64::MAX);
        let unknown = moof(&[traf(1, 0, &[full(b"trun", 0, 0, &[7])])]);
        assert_eq!((data_size(&unknown), least_size(&unknown)), (0, 0));
        assert_eq!(least_size(&both), both.len() as u64 + 8 + data_size(&both));
        assert_eq!(data_size(&both[..both.len() - 3]), 0);
    }

    #[test]
    fn times_are_those_of_the_samples() {
        let info = track(1, 1000, Some(80));
        // Durations and composition offsets; three samples in decode order I P B.
        let run = full(b"trun", 0, 0x905, &[3, 0, 0, 40, 80, 40, 120, 40, 40]);
        let fragment = parse(&moof(&[traf(1, 5000, &[run])]), &info).expect("a whole moof");
        assert_eq!(fragment.decode_time, MediaTime::from_millis(5000));
        assert_eq!(fragment.presentation_start, MediaTime::from_millis(5000));
        assert_eq!(fragment.duration, MediaTime::from_millis(120));
        assert_eq!(
            fragment.tracks,
            [TrackFragment {
                track_id: 1,
                decode_time: 5000,
                duration: 120,
                samples: 3,
                earliest_composition: 80,
                starts_with_sync: true,
            }]
        );
    }

    #[test]
    fn defaults_come_from_the_nearest_box() {
        let info = track(1, 1000, None);
        // trex: 512 a sample, not sync.
        let bare = full(b"trun", 0, 0, &[4]);
        let fragment = parse(&moof(&[traf(1, 0, &[bare.clone(), bare])]), &info).expect("whole");
        assert_eq!(fragment.tracks[0].duration, 8 * 512);
        assert!(!fragment.tracks[0].starts_with_sync);

        let mut inside = full(b"tfhd", 0, 0x3b, &[1, 0, 0, 0, 100, 9, 0]);
        inside[20..24].copy_from_slice(&[0; 4]);
        inside.extend(full(b"tfdt", 1, 0, &[1, 0]));
        inside.extend(full(b"trun", 1, 0x800, &[2, 0, (-3i32) as u32]));
        let fragment = parse(&moof(&[boxed(b"traf", &inside)]), &info).expect("whole");
        assert_eq!(
            fragment.tracks,
            [TrackFragment {
                track_id: 1,
                decode_time: 1 << 32,
                duration: 200,
                samples: 2,
                earliest_composition: 0,
                starts_with_sync: true,
            }]
        );
    }

    #[test]
    fn the_earliest_track_counts() {
        let mut info = track(1, 1000, None);
        info.tracks.push(Track { id: 2, timescale: 100, ..info.tracks[0].clone() });
        let run = |duration| full(b"trun", 0, 0x100, &[1, duration]);
        let head = moof(&[traf(1, 2000, &[run(500)]), traf(2, 190, &[run(100)])]);
        let fragment = parse(&head, &info).expect("a whole moof");
        assert_eq!(fragment.decode_time, MediaTime::from_millis(1900));
        assert_eq!(fragment.duration, MediaTime::from_millis(1000));
        assert_eq!(fragment.tracks.len(), 2);
    }

    #[test]
    fn a_billion_samples_without_bytes_cost_nothing() {
        let info = track(1, 1000, None);
        let run = full(b"trun", 0, 0, &[u32::MAX]);
        let fragment = parse(&moof(&[traf(1, 0, &[run])]), &info).expect("a whole moof");
        assert_eq!(fragment.tracks[0].samples, u64::from(u32::MAX));
    }

    #[test]
    fn damage_is_named() {
        let info = track(1, 1000, None);
        let kind = |head: &[u8]| parse(head, &info).map_err(|error| error.kind);
        let missing = |name: &[u8; 4]| Err(BoxErrorKind::Missing { name: FourCc(*name) });
        assert_eq!(kind(b""), missing(b"moof"));
        assert_eq!(kind(&moof(&[])), missing(b"trun"));
        assert_eq!(kind(&moof(&[boxed(b"traf", b"")])), missing(b"tfhd"));
        assert_eq!(
            kind(&moof(&[traf(9, 0, &[])])),
            Err(BoxErrorKind::InvalidValue { within: FourCc(*b"tfhd"), field: "track_ID".into() })
        );
        let cut = full(b"trun", 0, 0x100, &[2, 40]);
        assert_eq!(
            kind(&moof(&[traf(1, 0, &[cut])])),
            Err(BoxErrorKind::Truncated { within: FourCc(*b"trun") })
        );
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(at in any::<usize>(), with in any::<[u8; 4]>()) {
            let info = track(1, 1000, Some(80));
            let run = full(b"trun", 1, 0xf05, &[2, 0, 0, 40, 9, 0, 80, 40, 9, 0, 120]);
            let mut head = moof(&[traf(1, 5000, &[run])]);
            let at = at % (head.len() - 4);
            head[at..at + 4].copy_from_slice(&with);
            let _ = parse(&head, &info);
        }
    }
}
