//! Initialisation segments: the `moov` box (ISO/IEC 14496-12 §8.2).

use super::encryption::TrackEncryption;
use super::error::Fault;
use super::{BoxError, Boxes, FourCc, Mp4Box, codec};

/// What an initialisation segment says of the media after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitInfo {
    /// Its tracks, in order. Never empty.
    pub tracks: Vec<Track>,
}

impl InitInfo {
    /// The track with this id.
    pub fn track(&self, id: u32) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// The codecs of all tracks (RFC 6381), comma-separated.
    pub fn codecs(&self) -> String {
        let mut all = String::new();
        for track in self.tracks.iter().filter(|track| !track.codecs.is_empty()) {
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(&track.codecs);
        }
        all
    }

    /// Whether any track is video.
    pub fn has_video(&self) -> bool {
        self.tracks.iter().any(|track| track.handler.0 == *b"vide")
    }
}

/// One track of an initialisation segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// `track_ID`.
    pub id: u32,
    /// Units of media time in a second; never 0.
    pub timescale: u32,
    /// What it carries: `vide`, `soun`, `text`, `subt` …
    pub handler: FourCc,
    /// The sample entry's type; of encrypted tracks, the one before encryption (`frma`).
    pub sample_entry: FourCc,
    /// Its samples are encrypted (`encv`, `enca`).
    pub encrypted: bool,
    /// How, unless a fragment says otherwise.
    pub encryption: Option<TrackEncryption>,
    /// Codec as in RFC 6381; just the sample entry's type where its configuration says no more.
    pub codecs: String,
    /// Width in pixels; video only.
    pub width: Option<u16>,
    /// Height in pixels; video only.
    pub height: Option<u16>,
    /// The media time presentation begins with, by the edit list (ISO/IEC 14496-12 §8.6.6), in
    /// units of the timescale; 0 without one.
    pub edit_start: i64,
    /// `default_sample_duration` of `trex`, in units of the timescale.
    pub default_sample_duration: u32,
    /// `default_sample_flags` of `trex`.
    pub default_sample_flags: u32,
}

/// Reads the first `moov` box in `data`.
///
/// # Errors
/// If there is none, it has no track, or a box the above is taken from is missing or damaged.
pub fn parse(data: &[u8]) -> Result<InitInfo, BoxError> {
    read(data).map_err(|fault| *fault)
}

fn read(data: &[u8]) -> Result<InitInfo, Fault> {
    let moov =
        Boxes::new(data, 0).find_kind(b"moov")?.ok_or_else(|| BoxError::missing(0, b"moov"))?;
    let mut tracks = Vec::new();
    let mut children = moov.children();
    while let Some(found) = children.next_box()? {
        if found.is(b"trak") {
            tracks.push(track(&found)?);
        }
    }
    if tracks.is_empty() {
        return Err(BoxError::missing(moov.start, b"trak"));
    }
    if let Some(mvex) = moov.child(b"mvex")? {
        let mut children = mvex.children();
        while let Some(found) = children.next_box()? {
            if found.is(b"trex") {
                read_defaults(&found, &mut tracks)?;
            }
        }
    }
    Ok(InitInfo { tracks })
}

fn track(trak: &Mp4Box<'_>) -> Result<Track, Fault> {
    let mut tkhd = trak.need(b"tkhd")?.reader();
    let (version, _) = tkhd.full();
    tkhd.skip(if version == 0 { 8 } else { 16 });
    let id = tkhd.u32();
    tkhd.check()?;

    let mdia = trak.need(b"mdia")?;
    let mdhd = mdia.need(b"mdhd")?;
    let mut reader = mdhd.reader();
    let (version, _) = reader.full();
    reader.skip(if version == 0 { 8 } else { 16 });
    let timescale = reader.u32();
    reader.check()?;
    if timescale == 0 {
        return Err(BoxError::invalid(mdhd.start, mdhd.kind, "timescale"));
    }

    let mut hdlr = mdia.need(b"hdlr")?.reader();
    hdlr.skip(8);
    let handler = FourCc(hdlr.array());
    hdlr.check()?;

    let stsd = mdia.need(b"minf")?.need(b"stbl")?.need(b"stsd")?;
    let mut reader = stsd.reader();
    reader.skip(8);
    reader.check()?;
    let entry = Boxes::new(reader.rest(), reader.offset())
        .next_box()?
        .ok_or_else(|| BoxError::invalid(stsd.start, stsd.kind, "entry count"))?;
    let description = codec::describe(&entry, handler)?;

    Ok(Track {
        id,
        timescale,
        handler,
        sample_entry: description.sample_entry,
        encrypted: description.encrypted,
        encryption: description.encryption,
        codecs: description.codecs,
        width: description.size.map(|(width, _)| width),
        height: description.size.map(|(_, height)| height),
        edit_start: edit_start(trak)?,
        default_sample_duration: 0,
        default_sample_flags: 0,
    })
}

/// The media time of the first edit that shows media.
fn edit_start(trak: &Mp4Box<'_>) -> Result<i64, Fault> {
    let Some(edts) = trak.child(b"edts")? else { return Ok(0) };
    let Some(elst) = edts.child(b"elst")? else { return Ok(0) };
    let mut reader = elst.reader();
    let (version, _) = reader.full();
    let count = reader.u32();
    for _ in 0..count {
        let _duration = reader.versioned(version);
        let media_time =
            if version == 0 { i64::from(reader.u32() as i32) } else { reader.u64() as i64 };
        reader.skip(4);
        reader.check()?;
        // -1 is an empty edit: a pause before the media.
        if media_time >= 0 {
            return Ok(media_time);
        }
    }
    Ok(0)
}

fn read_defaults(trex: &Mp4Box<'_>, tracks: &mut [Track]) -> Result<(), Fault> {
    let mut reader = trex.reader();
    reader.full();
    let id = reader.u32();
    let _description = reader.u32();
    let duration = reader.u32();
    let _size = reader.u32();
    let flags = reader.u32();
    reader.check()?;
    for track in tracks.iter_mut().filter(|track| track.id == id) {
        track.default_sample_duration = duration;
        track.default_sample_flags = flags;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::BoxErrorKind;
    use crate::media::testing::{boxed, init_segment, sample_entry};
    use proptest::prelude::*;

    #[test]
    fn a_video_track_is_described() {
        let avcc = boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff]);
        let entry = sample_entry(b"avc1", b"vide", &avcc);
        let info = parse(&init_segment(7, 12_800, b"vide", &entry, Some(1024))).expect("whole");
        assert_eq!(
            info.tracks,
            [Track {
                id: 7,
                timescale: 12_800,
                handler: FourCc(*b"vide"),
                sample_entry: FourCc(*b"avc1"),
                encrypted: false,
                encryption: None,
                codecs: "avc1.64001f".into(),
                width: Some(1280),
                height: Some(720),
                edit_start: 1024,
                default_sample_duration: 512,
                default_sample_flags: 0x0001_0000,
            }]
        );
        assert_eq!(info.codecs(), "avc1.64001f");
        assert!(info.has_video());
        assert_eq!(info.track(1), None);
    }

    #[test]
    fn every_cut_is_an_error_and_none_a_panic() {
        let entry = sample_entry(b"mp4a", b"soun", &[]);
        let whole = init_segment(1, 48_000, b"soun", &entry, None);
        assert!(parse(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(parse(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_file_without_tracks_is_refused() {
        let missing = |name: &[u8; 4]| Err(BoxErrorKind::Missing { name: FourCc(*name) });
        let kind = |data: &[u8]| parse(data).map_err(|error| error.kind);
        assert_eq!(kind(b""), missing(b"moov"));
        assert_eq!(kind(&boxed(b"moov", b"")), missing(b"trak"));
        assert_eq!(kind(&boxed(b"moov", &boxed(b"trak", b""))), missing(b"tkhd"));
    }

    proptest! {
        #[test]
        fn damaged_bytes_never_panic(at in 0usize..600, with in any::<[u8; 4]>()) {
            let avcc = boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff]);
            let entry = sample_entry(b"avc1", b"vide", &avcc);
            let mut data = init_segment(7, 12_800, b"vide", &entry, Some(1024));
            let at = at % (data.len() - 4);
            data[at..at + 4].copy_from_slice(&with);
            let _ = parse(&data);
        }
    }
}
