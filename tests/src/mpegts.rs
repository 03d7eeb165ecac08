//! A multiplexer of MPEG-2 transport streams (ISO/IEC 13818-1): what segments are made of that the player takes apart.

/// Timestamps have so many bits.
const STAMP: u64 = (1 << 33) - 1;
const PACKET: usize = 188;
const MAP_PID: u16 = 0x1000;

/// `stream_type` of H.264.
pub const AVC: u8 = 0x1b;
/// `stream_type` of AAC in ADTS.
pub const AAC: u8 = 0x0f;
/// The same of what `SAMPLE-AES` encrypts.
pub const ENCRYPTED: [(u8, u8); 2] = [(AVC, 0xdb), (AAC, 0xcf)];
/// Parameter sets of High 1280x720, as x264 writes them.
pub const SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
    0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
];
/// The picture parameter set that goes with it.
pub const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// An access unit: one picture, or some frames of sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// When it is presented, in units of 90 kHz; any number of turns of the clock on.
    pub pts: u64,
    /// When it is decoded.
    pub dts: u64,
    /// As a PES packet carries it.
    pub data: Vec<u8>,
}

/// An elementary stream of a segment.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Names its packets.
    pub pid: u16,
    /// How it is coded.
    pub stream_type: u8,
    /// In the order they are decoded.
    pub units: Vec<Unit>,
}

/// Writes segments one after another.
#[derive(Clone, Debug, Default)]
pub struct Muxer {
    /// Of each stream, what its next packet is counted as.
    counters: Vec<(u16, u8)>,
}

impl Muxer {
    /// A segment: the tables, and every unit in a PES packet of its own.
    pub fn segment(&mut self, streams: &[Stream]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut association = vec![0, 1, 0xc1, 0, 0, 0, 1];
        association.extend((0xe000 | MAP_PID).to_be_bytes());
        self.section(0, 0, &association, &mut out);
        let mut map = vec![0, 1, 0xc1, 0, 0];
        map.extend((0xe000 | streams.first().map_or(0x1fff, |first| first.pid)).to_be_bytes());
        map.extend([0xf0, 0]);
        for stream in streams {
            map.push(stream.stream_type);
            map.extend((0xe000 | stream.pid).to_be_bytes());
            map.extend([0xf0, 0]);
        }
        self.section(MAP_PID, 2, &map, &mut out);
        let mut units: Vec<(&Stream, &Unit)> =
            streams.iter().flat_map(|one| one.units.iter().map(move |unit| (one, unit))).collect();
        units.sort_by_key(|(_, unit)| unit.dts);
        for (stream, unit) in units {
            let pes = pes(stream.stream_type, unit);
            self.packets(stream.pid, &pes, &mut out);
        }
        out
    }

    fn section(&mut self, pid: u16, table: u8, body: &[u8], out: &mut Vec<u8>) {
        let mut section = vec![table];
        section.extend((0xb000 | (body.len() as u16 + 4)).to_be_bytes());
        section.extend(body);
        section.extend(checksum(&section).to_be_bytes());
        let mut payload = vec![0];
        payload.extend(section);
        payload.resize(PACKET - 4, 0xff);
        self.packets(pid, &payload, out);
    }

    fn packets(&mut self, pid: u16, payload: &[u8], out: &mut Vec<u8>) {
        let position = self.counters.iter().position(|(known, _)| *known == pid);
        let position = position.unwrap_or_else(|| {
            self.counters.push((pid, 0));
            self.counters.len() - 1
        });
        let counter = &mut self.counters[position].1;
        for (number, piece) in payload.chunks(PACKET - 4).enumerate() {
            let [high, low] = pid.to_be_bytes();
            let stuffing = PACKET - 4 - piece.len();
            let start = if number == 0 { 0x40 } else { 0 };
            let field = if stuffing > 0 { 0x20 } else { 0 };
            out.extend([0x47, start | high, low, 0x10 | field | *counter]);
            *counter = (*counter + 1) & 0x0f;
            if let Some(length) = stuffing.checked_sub(1) {
                out.push(length as u8);
                out.extend((0..length).map(|at| if at == 0 { 0 } else { 0xff }));
            }
            out.extend(piece);
        }
    }
}

fn pes(stream_type: u8, unit: &Unit) -> Vec<u8> {
    let sound = stream_type == AAC || stream_type == 0xcf;
    let mut fields = Vec::new();
    let both = unit.dts != unit.pts;
    stamp(if both { 3 } else { 2 }, unit.pts, &mut fields);
    if both {
        stamp(1, unit.dts, &mut fields);
    }
    // Pictures may be longer than a length can say.
    let length = if sound { 3 + fields.len() + unit.data.len() } else { 0 };
    let mut pes = vec![0, 0, 1, if sound { 0xc0 } else { 0xe0 }];
    pes.extend((length as u16).to_be_bytes());
    pes.extend([0x84, if both { 0xc0 } else { 0x80 }, fields.len() as u8]);
    pes.extend(fields);
    pes.extend(&unit.data);
    pes
}

fn stamp(mark: u8, time: u64, out: &mut Vec<u8>) {
    let time = time & STAMP;
    out.push(mark << 4 | (time >> 29) as u8 & 0x0e | 1);
    out.extend((((time >> 15) as u16) << 1 | 1).to_be_bytes());
    out.extend(((time as u16) << 1 | 1).to_be_bytes());
}

/// `CRC_32` of a section (annex A).
fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
    bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte) << 24, step))
}

/// NAL units as a byte stream has them (ISO/IEC 14496-10 annex B).
pub fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| [&[0, 0, 0, 1], *unit].concat()).collect()
}

/// A NAL unit with what keeps start codes from arising in it (ISO/IEC 14496-10 §7.4.1.1).
pub fn escaped(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for byte in unit {
        if zeros == 2 && *byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        out.push(*byte);
    }
    // A zero at the end would be taken for one of the start code after it.
    if out.last() == Some(&0) {
        out.push(3);
    }
    out
}

/// An ADTS frame of AAC-LC in stereo at 48 kHz.
pub fn adts(raw: &[u8]) -> Vec<u8> {
    let length = raw.len() as u16 + 7;
    let mut frame = vec![0xff, 0xf1, 0x4c, 0x80 | (length >> 11) as u8, (length >> 3) as u8];
    frame.extend([(length << 5) as u8 | 0x1f, 0xfc]);
    frame.extend(raw);
    frame
}
