//! What is appended: an initialisation segment and a fragment (ISO/IEC 14496-12), as the ISO BMFF byte stream format
//! of Media Source Extensions asks for them.

use super::Sample;
use super::adts::Config;
use super::parameters::Parameters;
use crate::media::writer::Writer;

/// Units of the picture's time in a second.
pub(super) const TIMESCALE: u32 = 90_000;
/// `track_ID`s.
const PICTURE: u32 = 1;
const SOUND: u32 = 2;
/// `sample_flags` (§8.8.3.1): depends on no other; depends on others, and is no sync sample.
const SYNC: u32 = 0x0200_0000;
const NON_SYNC: u32 = 0x0101_0000;
/// The matrix that changes nothing (§6.2.2).
const UNITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

/// The initialisation segment of these tracks.
pub(super) fn init(picture: Option<&Parameters>, sound: Option<&Config>) -> Vec<u8> {
    let mut writer = Writer { out: Vec::with_capacity(1_400) };
    let at = writer.begin(b"ftyp");
    writer.bytes(b"iso6\0\0\0\0iso6cmfc");
    writer.end(at);
    let moov = writer.begin(b"moov");
    let mvhd = writer.begin(b"mvhd");
    writer.words(&[0, 0, 0, TIMESCALE, 0, 0x1_0000, 0x0100_0000, 0, 0]);
    writer.words(&UNITY);
    writer.words(&[0, 0, 0, 0, 0, 0, SOUND + 1]);
    writer.end(mvhd);
    if let Some(parameters) = picture {
        let (width, height) =
            parameters.sps.first().map_or((0, 0), |(sps, _)| (sps.width, sps.height));
        let size = [u32::from(width) << 16, u32::from(height) << 16];
        let track = Track { id: PICTURE, timescale: TIMESCALE, size, handler: b"vide" };
        track.write(&mut writer, |writer| avc1(writer, parameters));
    }
    if let Some(config) = sound {
        let track = Track { id: SOUND, timescale: config.rate, size: [0, 0], handler: b"soun" };
        track.write(&mut writer, |writer| mp4a(writer, config));
    }
    let mvex = writer.begin(b"mvex");
    for id in [picture.map(|_| PICTURE), sound.map(|_| SOUND)].into_iter().flatten() {
        writer.leaf(b"trex", &[0, id, 1, 0, 0, 0]);
    }
    writer.end(mvex);
    writer.end(moov);
    writer.out
}

struct Track {
    id: u32,
    timescale: u32,
    /// As `tkhd` has it.
    size: [u32; 2],
    handler: &'static [u8; 4],
}

impl Track {
    fn write(&self, writer: &mut Writer, entry: impl FnOnce(&mut Writer)) {
        let is_sound = self.handler == b"soun";
        let trak = writer.begin(b"trak");
        let tkhd = writer.begin(b"tkhd");
        let volume = if is_sound { 0x0100_0000 } else { 0 };
        writer.words(&[3, 0, 0, self.id, 0, 0, 0, 0, 0, volume]);
        writer.words(&UNITY);
        writer.words(&self.size);
        writer.end(tkhd);
        let mdia = writer.begin(b"mdia");
        // Of no language that is known ("und").
        writer.leaf(b"mdhd", &[0, 0, 0, self.timescale, 0, 0x55c4_0000]);
        let hdlr = writer.begin(b"hdlr");
        writer.words(&[0, 0]);
        writer.bytes(self.handler);
        writer.words(&[0, 0, 0]);
        writer.u8(0);
        writer.end(hdlr);
        let minf = writer.begin(b"minf");
        match is_sound {
            true => writer.leaf(b"smhd", &[0, 0]),
            false => writer.leaf(b"vmhd", &[1, 0, 0]),
        }
        let dinf = writer.begin(b"dinf");
        let dref = writer.begin(b"dref");
        writer.words(&[0, 1]);
        writer.leaf(b"url ", &[1]);
        writer.end(dref);
        writer.end(dinf);
        let stbl = writer.begin(b"stbl");
        let stsd = writer.begin(b"stsd");
        writer.words(&[0, 1]);
        entry(writer);
        writer.end(stsd);
        writer.leaf(b"stts", &[0, 0]);
        writer.leaf(b"stsc", &[0, 0]);
        writer.leaf(b"stsz", &[0, 0, 0]);
        writer.leaf(b"stco", &[0, 0]);
        writer.end(stbl);
        writer.end(minf);
        writer.end(mdia);
        writer.end(trak);
    }
}

/// `AVCSampleEntry` (ISO/IEC 14496-15 §5.4.2).
fn avc1(writer: &mut Writer, parameters: &Parameters) {
    let Some((sps, unit)) = parameters.sps.first() else { return };
    let entry = writer.begin(b"avc1");
    writer.words(&[0, 1, 0, 0, 0, 0]);
    writer.u16(sps.width);
    writer.u16(sps.height);
    // 72 dpi, one frame a sample, no name, a depth of 24.
    writer.words(&[0x48_0000, 0x48_0000, 0]);
    writer.u16(1);
    writer.bytes(&[0; 32]);
    writer.words(&[0x0018_ffff]);
    let config = writer.begin(b"avcC");
    writer.u8(1);
    writer.bytes(unit.get(1..4).unwrap_or_default());
    writer.u8(0xff);
    writer.u8(0xe0 | parameters.sps.len() as u8);
    for (_, unit) in &parameters.sps {
        writer.u16(unit.len() as u16);
        writer.bytes(unit);
    }
    writer.u8(parameters.pps.len() as u8);
    for (_, unit) in &parameters.pps {
        writer.u16(unit.len() as u16);
        writer.bytes(unit);
    }
    let high = matches!(unit.get(1), Some(100 | 110 | 122 | 144));
    if let Some([format, luma, chroma]) = sps.chroma.filter(|_| high) {
        writer.bytes(&[0xfc | format, 0xf8 | luma, 0xf8 | chroma, 0]);
    }
    writer.end(config);
    if let Some((x, y)) = sps.aspect {
        writer.leaf(b"pasp", &[x.into(), y.into()]);
    }
    writer.end(entry);
}

/// `MP4AudioSampleEntry` (ISO/IEC 14496-14 §6.7.2).
fn mp4a(writer: &mut Writer, config: &Config) {
    let entry = writer.begin(b"mp4a");
    writer.words(&[0, 1, 0, 0]);
    writer.u16(config.channels);
    writer.u16(16);
    writer.words(&[0, config.rate.min(0xffff) << 16]);
    let esds = writer.begin(b"esds");
    writer.u32(0);
    let [first, second] = config.specific;
    // ES_Descriptor; DecoderConfigDescriptor: MPEG-4 audio, an audio stream; DecoderSpecificInfo; SLConfigDescriptor.
    writer.bytes(&[3, 25, 0, 0, 0, 4, 17, 0x40, 0x15, 0, 0, 0]);
    writer.words(&[0, 0]);
    writer.bytes(&[5, 2, first, second, 6, 1, 2]);
    writer.end(esds);
    writer.end(entry);
}

/// The samples of one track of a fragment.
pub(super) struct Run<'a> {
    pub(super) samples: &'a [Sample],
    /// When the first is decoded, in units of the track's own.
    pub(super) base: i64,
    pub(super) is_picture: bool,
}

/// A fragment: the runs of its tracks, and the bytes of their samples, in this order.
pub(super) fn fragment(runs: &[Run<'_>], mut data: Vec<u8>) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new() };
    let moof = writer.begin(b"moof");
    writer.leaf(b"mfhd", &[0, 1]);
    let mut offsets: Vec<(usize, usize)> = Vec::new();
    let mut offset = 0_usize;
    for run in runs.iter().filter(|run| !run.samples.is_empty()) {
        let traf = writer.begin(b"traf");
        let id = if run.is_picture { PICTURE } else { SOUND };
        // Offsets are from the start of the fragment (default-base-is-moof).
        writer.leaf(b"tfhd", &[0x02_0000, id]);
        let base = run.base.max(0) as u64;
        writer.leaf(b"tfdt", &[0x0100_0000, (base >> 32) as u32, base as u32]);
        let trun = writer.begin(b"trun");
        // Offset of the data; of each sample its duration and size, of pictures flags and composition offset.
        writer.u32(if run.is_picture { 0x0100_0f01 } else { 0x0100_0301 });
        writer.u32(run.samples.len() as u32);
        offsets.push((writer.out.len(), offset));
        writer.u32(0);
        for sample in run.samples {
            writer.words(&[sample.duration, sample.size]);
            if run.is_picture {
                writer.u32(if sample.sync { SYNC } else { NON_SYNC });
                writer.u32(sample.composition as u32);
            }
            offset += sample.size as usize;
        }
        writer.end(trun);
        writer.end(traf);
    }
    writer.end(moof);
    let begins = writer.out.len() + 8;
    for (at, offset) in offsets {
        writer.set(at, (begins + offset) as u32);
    }
    writer.u32((data.len() + 8) as u32);
    writer.bytes(b"mdat");
    // The data moves within its own room: there may be a lot of it.
    data.splice(..0, writer.out);
    data
}
