//! Boxes (ISO/IEC 14496-12): enough of them for a player that never looks at frames.

/// What a segment holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Track {
    pub(crate) video: bool,
    /// Four-character code of the sample entry.
    pub(crate) entry: &'static [u8; 4],
    pub(crate) timescale: u32,
    /// The key of its samples, if they are encrypted.
    pub(crate) key_id: Option<[u8; 16]>,
}

/// An initialisation segment.
pub(crate) fn init_segment(track: Track) -> Vec<u8> {
    let handler = if track.video { b"vide" } else { b"soun" };
    let sinf = track.key_id.map_or_else(Vec::new, |id| protection(track.entry, id));
    let name = match (&track.key_id, track.video) {
        (None, _) => track.entry,
        (Some(_), true) => b"encv",
        (Some(_), false) => b"enca",
    };
    let entry = if track.video {
        let mut body = vec![0; 24];
        body.extend(1280u16.to_be_bytes());
        body.extend(720u16.to_be_bytes());
        body.extend([0; 50]);
        if track.entry == b"hvc1" {
            body.extend(boxed(b"hvcC", &[1, 1, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93]));
        } else {
            body.extend(boxed(b"avcC", &[1, 0x64, 0, 0x1f, 0xff, 0xe0, 0]));
        }
        body.extend(sinf);
        boxed(name, &body)
    } else {
        let mut body = vec![0; 28];
        body.extend(sinf);
        boxed(name, &body)
    };
    let mut stsd = vec![0, 0, 0, 0, 0, 0, 0, 1];
    stsd.extend(entry);
    let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
    let mut hdlr = vec![0; 8];
    hdlr.extend(handler);
    hdlr.extend([0; 13]);
    let mut mdia = full(b"mdhd", 0, 0, &[0, 0, track.timescale, 0, 0]);
    mdia.extend(boxed(b"hdlr", &hdlr));
    mdia.extend(boxed(b"minf", &stbl));
    let mut trak = full(b"tkhd", 0, 3, &[0, 0, 1, 0, 0]);
    trak.extend(boxed(b"mdia", &mdia));
    let mut moov = full(b"mvhd", 0, 0, &[0, 0, track.timescale, 0]);
    moov.extend(boxed(b"trak", &trak));
    moov.extend(boxed(b"mvex", &full(b"trex", 0, 0, &[1, 1, 0, 0, 0])));
    let mut whole = boxed(b"ftyp", b"cmfc\0\0\0\0");
    whole.extend(boxed(b"moov", &moov));
    whole
}

/// How the samples of a track are encrypted (ISO/IEC 23001-7 §8.2): by `cbcs` with a constant vector.
fn protection(entry: &[u8; 4], key_id: [u8; 16]) -> Vec<u8> {
    let mut tenc = vec![1, 0, 0, 0, 0, 0x19, 1, 0];
    tenc.extend(key_id);
    tenc.push(16);
    tenc.extend([7; 16]);
    let mut sinf = boxed(b"frma", entry);
    sinf.extend(boxed(b"schm", b"\0\0\0\0cbcs\0\x01\0\0"));
    sinf.extend(boxed(b"schi", &boxed(b"tenc", &tenc)));
    boxed(b"sinf", &sinf)
}

/// A key that the samples of one fragment have, in place of their track's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnKey {
    pub(crate) id: [u8; 16],
    /// A `pssh` box in the fragment names it, too.
    pub(crate) announced: bool,
}

/// The head of a segment of `size` bytes in so many samples and the header of its `mdat`; times in the track's units.
pub(crate) fn media_segment(
    (start, duration): (u64, u32),
    (size, samples): (u64, u32),
    key: Option<OwnKey>,
) -> Vec<u8> {
    let (pssh, group) = key.map_or_else(Default::default, own_key);
    let samples = samples.max(1);
    let listed = if samples > 1 { 8 * samples } else { 4 };
    let before_data = 100 + u64::from(listed) + pssh.len() as u64 + group.len() as u64;
    let data = size.saturating_sub(before_data).max(samples.into()) as u32;
    let mut traf = full(b"tfhd", 0, 0x02_0008, &[1, duration]);
    traf.extend(full(b"tfdt", 1, 0, &[(start >> 32) as u32, start as u32]));
    // Where the bytes are, behind the header of the `mdat`; of each sample, if there are several, duration and size.
    let mut run = vec![samples, before_data as u32];
    let mut left = [duration, data];
    for after in (0..samples).rev() {
        let mine = left.map(|left| left / (after + 1));
        run.extend(if samples > 1 { &mine[..] } else { &mine[1..] });
        left = [left[0] - mine[0], left[1] - mine[1]];
    }
    traf.extend(full(b"trun", 0, if samples > 1 { 0x301 } else { 0x201 }, &run));
    traf.extend(group);
    let mut moof = full(b"mfhd", 0, 0, &[1]);
    moof.extend(pssh);
    moof.extend(boxed(b"traf", &traf));
    let mut whole = boxed(b"moof", &moof);
    whole.extend((data + 8).to_be_bytes());
    whole.extend(b"mdat");
    debug_assert_eq!(whole.len() as u64, before_data);
    whole
}

/// When the media at a time, in the track's units, was captured: microseconds since 1970 (ISO/IEC 14496-12 §8.16.5).
pub(crate) fn producer_reference(wall_us: i64, media: u64) -> Vec<u8> {
    let (seconds, micros) = (wall_us.div_euclid(1_000_000), wall_us.rem_euclid(1_000_000));
    // Seconds since 1900, and their 2^32nds.
    let fraction = ((micros as u64) << 32) / 1_000_000;
    let ntp = [(seconds + 2_208_988_800) as u32, fraction as u32];
    full(b"prft", 1, 24, &[1, ntp[0], ntp[1], (media >> 32) as u32, media as u32])
}

/// The boxes that tell of a fragment's own key: `pssh`, and `sgpd` with a description of `seig` (ISO/IEC 23001-7 §6).
fn own_key(key: OwnKey) -> (Vec<u8>, Vec<u8>) {
    let mut pssh = Vec::new();
    if key.announced {
        let mut body = vec![1, 0, 0, 0];
        body.extend(0x1077_efec_c0b2_4d02_ace3_3c1e_52e2_fb4b_u128.to_be_bytes());
        body.extend(1_u32.to_be_bytes());
        body.extend(key.id);
        body.extend([0; 4]);
        pssh = boxed(b"pssh", &body);
    }
    let mut sgpd = vec![1, 0, 0, 0];
    sgpd.extend(b"seig");
    sgpd.extend(37_u32.to_be_bytes());
    sgpd.extend(1_u32.to_be_bytes());
    sgpd.extend([0, 0x19, 1, 0]);
    sgpd.extend(key.id);
    sgpd.push(16);
    sgpd.extend([7; 16]);
    (pssh, boxed(b"sgpd", &sgpd))
}

/// A segment index: bytes and duration of each segment, in the track's units.
pub(crate) fn segment_index(timescale: u32, start: u64, segments: &[(u32, u32)]) -> Vec<u8> {
    let mut words = vec![1, timescale, (start >> 32) as u32, start as u32, 0, 0];
    words.push(segments.len() as u32);
    for (bytes, duration) in segments {
        // Each starts with a stream access point.
        words.extend([*bytes, *duration, 0x9000_0000]);
    }
    full(b"sidx", 1, 0, &words)
}

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
    whole.extend(kind);
    whole.extend(body);
    whole
}

fn full(kind: &[u8; 4], version: u8, flags: u32, words: &[u32]) -> Vec<u8> {
    let mut body = (u32::from(version) << 24 | flags).to_be_bytes().to_vec();
    body.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    boxed(kind, &body)
}
