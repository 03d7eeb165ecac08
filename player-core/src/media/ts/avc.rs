//! H.264 as byte streams carry it (ISO/IEC 14496-10 annex B), turned into samples (ISO/IEC 14496-15 §5).
//!
//! What a PES packet brings is one sample: an access unit, or the two fields of a frame.

use kinora_cenc::TransportCipher;

use super::bits::Bits;
use super::pes::{Elementary, Unit};
use super::sps::{Sps, unescaped};
use super::{Sample, Times, TransportFault};

/// The most parameter sets that `avcC` has room for.
const MOST_SPS: usize = 31;
const MOST_PPS: usize = 255;
/// A sample that nothing follows lasts so long, in units of 90 kHz, if it is alone.
const ALONE: i64 = 3_000;

/// `nal_unit_type` (table 7-1).
mod nal {
    pub(super) const SLICE: u8 = 1;
    pub(super) const IDR: u8 = 5;
    pub(super) const SEI: u8 = 6;
    pub(super) const SPS: u8 = 7;
    pub(super) const PPS: u8 = 8;
    pub(super) const DELIMITER: u8 = 9;
    pub(super) const END_OF_STREAM: u8 = 11;
    pub(super) const FILLER: u8 = 12;
}

/// The parameter sets that pictures refer to: what a decoder is set up with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) sps: Vec<(Sps, Vec<u8>)>,
    /// By id.
    pub(super) pps: Vec<(u32, Vec<u8>)>,
}

impl Parameters {
    /// Takes a parameter set. Whether samples need not carry it: another of its id may be known.
    fn take(&mut self, kind: u8, unit: &[u8]) -> bool {
        if kind == nal::SPS {
            if self.sps.iter().any(|(_, known)| known == unit) {
                return true;
            }
            let Some(sps) = Sps::read(unit) else { return true };
            let free = self.sps.iter().all(|(known, _)| known.id != sps.id);
            let room = free && self.sps.len() < MOST_SPS && unit.len() <= usize::from(u16::MAX);
            if room {
                self.sps.push((sps, unit.to_vec()));
            }
            return room;
        }
        let plain = unescaped(unit, 16);
        let id = Bits::new(plain.get(1..).unwrap_or_default()).unsigned();
        if let Some((_, known)) = self.pps.iter().find(|(known, _)| *known == id) {
            return known == unit;
        }
        let room = self.pps.len() < MOST_PPS && unit.len() <= usize::from(u16::MAX);
        if room {
            self.pps.push((id, unit.to_vec()));
        }
        room
    }
}

/// The samples of a segment, whose bytes are at the end of `out`.
#[derive(Debug)]
pub(super) struct Pictures {
    pub(super) parameters: Parameters,
    /// When the first is decoded, in units of 90 kHz.
    pub(super) base: i64,
    pub(super) samples: Vec<Sample>,
}

/// Writes the samples of a stream; nothing if it has none. `earlier` is what the segments before it were decoded with,
/// `cipher` what its slices are encrypted with.
pub(super) fn write(
    stream: &Elementary,
    (earlier, cipher): (Option<&Parameters>, Option<&TransportCipher>),
    times: &Times,
    out: &mut Vec<u8>,
) -> Result<Option<Pictures>, TransportFault> {
    let mut parameters = Parameters::default();
    let mut samples: Vec<Sample> = Vec::with_capacity(stream.units.len());
    let mut base = None;
    let mut last = 0;
    for (position, unit) in stream.units.iter().enumerate() {
        let end = stream.units.get(position + 1).map_or(stream.data.len(), |next| next.start);
        let data = stream.data.get(unit.start..end).unwrap_or_default();
        let begins = out.len();
        let Some(sync) = write_sample(data, &mut parameters, cipher, out) else {
            out.truncate(begins);
            continue;
        };
        let (pts, dts) = times_of(unit, times);
        if let Some(before) = samples.last_mut() {
            // Time goes on, whatever is said.
            let duration = (dts - last).clamp(1, i64::from(i32::MAX));
            before.duration = duration as u32;
            last += duration;
        } else {
            base = Some(dts);
            last = dts;
        }
        let composition = pts - last;
        let composition = composition.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        let size = (out.len() - begins) as u32;
        samples.push(Sample { size, duration: 0, composition, sync });
    }
    let Some(base) = base else { return Ok(None) };
    let usual = samples.iter().rev().nth(1).map_or(ALONE as u32, |before| before.duration);
    if let Some(last) = samples.last_mut() {
        last.duration = usual;
    }
    let earlier = earlier.cloned().unwrap_or_default();
    if parameters.sps.is_empty() {
        parameters.sps = earlier.sps;
    }
    if parameters.pps.is_empty() {
        parameters.pps = earlier.pps;
    }
    if parameters.sps.is_empty() || parameters.pps.is_empty() {
        return Err(TransportFault::NoParameterSets);
    }
    Ok(Some(Pictures { parameters, base, samples }))
}

fn times_of(unit: &Unit, times: &Times) -> (i64, i64) {
    let pts = times.of(unit.pts);
    // Nothing is decoded after it is shown.
    let dts = times.of(unit.dts);
    (pts, if dts > pts { pts } else { dts })
}

/// Writes the NAL units of a sample, each after its length. Whether it can be decoded alone; nothing if there is no
/// picture in it.
fn write_sample(
    data: &[u8],
    parameters: &mut Parameters,
    cipher: Option<&TransportCipher>,
    out: &mut Vec<u8>,
) -> Option<bool> {
    let (mut picture, mut sync, mut sets, mut recovers) = (false, false, false, false);
    let mut units = Nals::new(data);
    while let Some(unit) = units.next_unit() {
        let kind = unit.first().map_or(0, |header| header & 0x1f);
        match kind {
            nal::SPS | nal::PPS => {
                sets |= kind == nal::SPS;
                if parameters.take(kind, unit) {
                    continue;
                }
            }
            nal::DELIMITER..=nal::END_OF_STREAM | nal::FILLER => continue,
            nal::SEI => recovers |= is_recovery_point(unit),
            nal::IDR => (picture, sync) = (true, true),
            nal::SLICE => {
                // With parameter sets before it, a picture that needs no other is where to begin.
                sync |= !picture && (recovers || sets && is_intra(unit));
                picture = true;
            }
            _ => {}
        }
        let slice = matches!(kind, nal::SLICE | nal::IDR);
        if let Some(cipher) = cipher.filter(|_| slice) {
            // What was put in after it was encrypted comes out before it is decrypted.
            let mut unit = unescaped(unit, unit.len());
            cipher.decrypt_nal(&mut unit);
            push(&unit, out);
        } else {
            push(unit, out);
        }
    }
    picture.then_some(sync)
}

fn push(unit: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(unit.len() as u32).to_be_bytes());
    out.extend_from_slice(unit);
}

/// Whether every macroblock of the picture's slices is coded by itself (`slice_type`, table 7-6).
fn is_intra(unit: &[u8]) -> bool {
    let plain = unescaped(unit, 16);
    let mut bits = Bits::new(plain.get(1..).unwrap_or_default());
    bits.unsigned();
    matches!(bits.unsigned(), 7 | 9)
}

/// Whether the first message says that decoding can begin here (§D.1.8).
fn is_recovery_point(unit: &[u8]) -> bool {
    unit.get(1) == Some(&6)
}

/// The NAL units of a byte stream.
struct Nals<'a> {
    data: &'a [u8],
    at: Option<usize>,
}

impl<'a> Nals<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self { data, at: start_code(data, 0).map(|at| at + 3) }
    }

    fn next_unit(&mut self) -> Option<&'a [u8]> {
        loop {
            let begins = self.at?;
            let next = start_code(self.data, begins);
            self.at = next.map(|at| at + 3);
            let mut unit = self.data.get(begins..next.unwrap_or(self.data.len()))?;
            // trailing_zero_8bits, and the first byte of a long start code.
            while let [rest @ .., 0] = unit {
                unit = rest;
            }
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

/// Where the next start code is.
fn start_code(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(&[first, second, third]) = data.get(at..at + 3) {
        match third {
            1 if first == 0 && second == 0 => return Some(at),
            // It may be the first or the second of its zeros.
            0 => at += 1,
            _ => at += 3,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
    ];
    const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

    fn annex_b(units: &[&[u8]]) -> Vec<u8> {
        let mut data = Vec::new();
        for (position, unit) in units.iter().enumerate() {
            data.extend_from_slice(if position % 2 == 0 { &[0, 0, 0, 1] } else { &[0, 0, 1] });
            data.extend_from_slice(unit);
        }
        data
    }

    fn stream(pictures: &[(u64, u64, Vec<u8>)]) -> Elementary {
        let mut stream = Elementary::default();
        for (pts, dts, data) in pictures {
            stream.units.push(Unit { start: stream.data.len(), pts: *pts, dts: *dts });
            stream.data.extend_from_slice(data);
        }
        stream
    }

    fn written(stream: &Elementary) -> (Pictures, Vec<u8>) {
        let mut out = Vec::new();
        let times = Times::around(None, 0);
        let pictures = write(stream, (None, None), &times, &mut out).expect("parameter sets");
        (pictures.expect("pictures"), out)
    }

    #[test]
    fn samples_have_their_times_sizes_and_key_frames() {
        let data = stream(&[
            (9_000, 3_000, annex_b(&[&[9, 0xf0], SPS, PPS, &[0x65, 0x88, 1, 2]])),
            (18_000, 6_000, annex_b(&[&[9, 0xf0], &[0x41, 0x9a, 3]])),
            (12_000, 9_000, annex_b(&[&[9, 0xf0], &[0x01, 0x9e, 4], &[12, 0xff, 0xff]])),
        ]);
        let (pictures, out) = written(&data);
        let sample = |size, composition, sync| Sample { size, duration: 3_000, composition, sync };
        assert_eq!(
            pictures.samples,
            [sample(8, 6_000, true), sample(7, 12_000, false), sample(7, 3_000, false)]
        );
        assert_eq!(pictures.base, (1 << 33) + 3_000);
        assert_eq!(out[..8], [0, 0, 0, 4, 0x65, 0x88, 1, 2]);
        assert_eq!(out[8..15], [0, 0, 0, 3, 0x41, 0x9a, 3]);
        assert_eq!(pictures.parameters.sps[0].1, SPS);
        assert_eq!(pictures.parameters.pps, [(0, PPS.to_vec())]);
    }

    #[test]
    fn parameter_sets_of_earlier_segments_hold_on_and_changed_ones_stay_where_they_are() {
        let bare = stream(&[(0, 0, annex_b(&[&[0x41, 0x9a, 3]]))]);
        let times = Times::around(None, 0);
        let fault = write(&bare, (None, None), &times, &mut Vec::new()).map(|_| ());
        assert_eq!(fault, Err(TransportFault::NoParameterSets));

        let mut other = PPS.to_vec();
        *other.last_mut().unwrap() = 0xa0;
        let changes = stream(&[
            (0, 0, annex_b(&[SPS, PPS, &[0x65, 0x88]])),
            (3_000, 3_000, annex_b(&[SPS, &other, &[0x65, 0x88]])),
        ]);
        let (pictures, _) = written(&changes);
        assert_eq!(pictures.parameters.pps.len(), 1);
        assert_eq!(pictures.samples[1].size as usize, 4 + other.len() + 6);
        let after = write(&bare, (Some(&pictures.parameters), None), &times, &mut Vec::new());
        let after = after.expect("parameter sets").expect("pictures");
        assert_eq!(after.parameters, pictures.parameters);
    }

    #[test]
    fn where_decoding_can_begin_is_no_matter_of_idr_pictures_alone() {
        // slice_type 7 (I) and 5 (P), after first_mb_in_slice 0.
        let (intra, predicted) = ([0x41, 0b1000_1000], [0x41, 0b1001_1000]);
        let sync = |units: &[&[u8]]| {
            write_sample(&annex_b(units), &mut Parameters::default(), None, &mut Vec::new())
        };
        assert_eq!(sync(&[SPS, PPS, &intra]), Some(true));
        assert_eq!(sync(&[&intra]), Some(false));
        assert_eq!(sync(&[SPS, PPS, &predicted]), Some(false));
        assert_eq!(sync(&[&[6, 6, 1, 0xc4, 0x80], &predicted]), Some(true));
        assert_eq!(sync(&[&[9, 0x10]]), None);
        assert_eq!(sync(&[]), None);
    }

    #[test]
    fn times_that_stand_still_or_go_back_go_on() {
        let picture = || annex_b(&[SPS, PPS, &[0x65, 0x88]]);
        let data = stream(&[(50, 50, picture()), (50, 50, picture()), (40, 20, picture())]);
        let (pictures, _) = written(&data);
        let durations: Vec<_> = pictures.samples.iter().map(|sample| sample.duration).collect();
        assert_eq!(durations, [1, 1, 1]);
        assert_eq!(pictures.samples[2].composition, -12);
    }
}
