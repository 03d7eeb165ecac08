//! Boxes for tests.

/// A box.
pub(crate) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut whole = (body.len() as u32 + 8).to_be_bytes().to_vec();
    whole.extend(kind);
    whole.extend(body);
    whole
}

/// A full box whose body is 32-bit words.
pub(crate) fn full(kind: &[u8; 4], version: u8, flags: u32, words: &[u32]) -> Vec<u8> {
    let mut body = (u32::from(version) << 24 | flags).to_be_bytes().to_vec();
    body.extend(words.iter().flat_map(|word| word.to_be_bytes()));
    boxed(kind, &body)
}

/// A sample entry of 1280x720 video, of sound, or of something else.
pub(crate) fn sample_entry(kind: &[u8; 4], handler: &[u8; 4], inside: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 8];
    match handler {
        b"vide" => {
            body.extend([0; 16]);
            body.extend(1280u16.to_be_bytes());
            body.extend(720u16.to_be_bytes());
            body.extend([0; 50]);
        }
        b"soun" => body.extend([0; 20]),
        _ => {}
    }
    body.extend(inside);
    boxed(kind, &body)
}

/// An initialisation segment of one track whose `trex` says 512 units a sample, none of them sync.
pub(crate) fn init_segment(
    id: u32,
    timescale: u32,
    handler: &[u8; 4],
    entry: &[u8],
    edit: Option<u32>,
) -> Vec<u8> {
    let mut stsd = vec![0, 0, 0, 0, 0, 0, 0, 1];
    stsd.extend(entry);
    let stbl = boxed(b"stbl", &boxed(b"stsd", &stsd));
    let mut hdlr = vec![0; 8];
    hdlr.extend(handler);
    hdlr.extend([0; 13]);
    let mut mdia = full(b"mdhd", 0, 0, &[0, 0, timescale, 0, 0]);
    mdia.extend(boxed(b"hdlr", &hdlr));
    mdia.extend(boxed(b"minf", &stbl));
    let mut trak = full(b"tkhd", 0, 3, &[0, 0, id, 0, 0]);
    if let Some(media_time) = edit {
        let elst = full(b"elst", 0, 0, &[2, 40, u32::MAX, 0x1_0000, 0, media_time, 0x1_0000]);
        trak.extend(boxed(b"edts", &elst));
    }
    trak.extend(boxed(b"mdia", &mdia));
    let mut moov = full(b"mvhd", 0, 0, &[0, 0, 1000, 0]);
    moov.extend(boxed(b"trak", &trak));
    moov.extend(boxed(b"mvex", &full(b"trex", 0, 0, &[id, 1, 512, 0, 0x1_0000])));
    let mut whole = boxed(b"ftyp", b"cmfc\0\0\0\0");
    whole.extend(boxed(b"moov", &moov));
    whole
}
