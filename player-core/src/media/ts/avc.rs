//! H.264 as byte streams carry it (ISO/IEC 14496-10 annex B), turned into samples (ISO/IEC 14496-15 §5).
//!
//! A sample is an access unit, wherever packets begin and end: several may come in one PES packet, of which the first
//! has its times, and one may take several packets. Of pictures that may be fields, what comes with one time is one
//! sample, be it a frame or its two fields.

use kinora_cenc::{NAL_SHORT, TransportCipher};

use super::bits::Bits;
use super::parameters::{Parameters, Sets};
use super::pes::{Elementary, Unit};
use super::sps::unescaped;
use super::{MOST_SAMPLES, Sample, Times, TransportFault};

/// A sample that nothing follows lasts so long, in units of 90 kHz, if it is alone.
const ALONE: i64 = 3_000;
/// How long the last sample lasts is told by so many before it.
const RECENT: usize = 4;
/// Times are rounded to units, and durations between them differ by so much.
const ROUNDING: u32 = 2;
/// What is read of supplemental information, in bytes.
const MOST_SEI: usize = 1_024;

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

/// The samples of a segment, whose bytes are at the end of `out`.
#[derive(Debug)]
pub(super) struct Pictures {
    /// What a decoder is to be set up with.
    pub(super) parameters: Parameters,
    /// What is in effect after them.
    pub(super) after: Parameters,
    /// When the first is decoded, in units of 90 kHz.
    pub(super) base: i64,
    pub(super) samples: Vec<Sample>,
}

/// Writes the samples of a stream; nothing if it has none. `earlier` is what was in effect after the segments before it,
/// `cipher` what its slices are encrypted with.
pub(super) fn write(
    stream: &Elementary,
    (earlier, cipher): (Option<&Parameters>, Option<&TransportCipher>),
    times: &Times,
    out: &mut Vec<u8>,
) -> Result<Option<Pictures>, TransportFault> {
    let mut writer = Writer {
        cipher,
        sets: Sets::after(earlier),
        pictures: Vec::with_capacity(stream.units.len()),
        stamp: None,
        open: Open { begins: out.len(), ..Open::default() },
        out,
    };
    let mut stamps = stream.units.iter().peekable();
    let mut units = Nals::new(&stream.data);
    while let Some((at, unit)) = units.next_unit() {
        // Times are those of the first access unit that begins in their packet (ISO/IEC 13818-1 §2.4.3.7).
        while let Some(stamp) = stamps.next_if(|stamp| stamp.start <= at) {
            writer.stamp = Some(*stamp);
        }
        writer.take(unit);
        if writer.pictures.len() > MOST_SAMPLES {
            return Err(TransportFault::TooManySamples);
        }
    }
    writer.close();
    let Writer { sets, pictures, .. } = writer;
    let times = times_of(&pictures, times);
    let Some((base, samples)) = samples(&pictures, &times) else { return Ok(None) };
    let (parameters, after) = sets.finish()?;
    Ok(Some(Pictures { parameters, after, base, samples }))
}

/// An access unit that has been written.
struct Picture {
    /// When it is shown and decoded, if that is said.
    stamp: Option<Unit>,
    size: u32,
    sync: bool,
}

/// Writes NAL units, each after its length, and finds out which are of one picture.
struct Writer<'a, 'o> {
    cipher: Option<&'a TransportCipher>,
    sets: Sets<'a>,
    pictures: Vec<Picture>,
    /// The times of what begins next.
    stamp: Option<Unit>,
    open: Open,
    out: &'o mut Vec<u8>,
}

/// The access unit that is being written.
#[derive(Default)]
struct Open {
    begins: usize,
    /// Something of it has come.
    begun: bool,
    stamp: Option<Unit>,
    /// There is a slice in it.
    picture: bool,
    /// It can be decoded alone.
    sync: bool,
    sets: bool,
    recovers: bool,
}

impl Writer<'_, '_> {
    fn take(&mut self, unit: &[u8]) {
        let kind = unit.first().map_or(0, |header| header & 0x1f);
        let slice = matches!(kind, nal::SLICE | nal::IDR);
        // §7.4.1.2.3, as far as it matters; first_mb_in_slice 0 is one bit.
        let begins = match kind {
            nal::DELIMITER => true,
            nal::SEI..=nal::PPS => self.open.picture,
            _ => slice && self.open.picture && unit.get(1).is_some_and(|byte| byte & 0x80 != 0),
        };
        if begins && (self.stamp.is_some() || !self.sets.may_have_fields()) {
            self.close();
        }
        let open = &mut self.open;
        if !core::mem::replace(&mut open.begun, true) {
            open.stamp = self.stamp.take();
        }
        match kind {
            nal::SPS | nal::PPS => {
                open.sets |= kind == nal::SPS;
                if self.sets.take(kind == nal::SPS, unit) {
                    return;
                }
            }
            nal::DELIMITER..=nal::END_OF_STREAM | nal::FILLER => return,
            nal::SEI => open.recovers |= has_recovery_point(unit),
            _ if slice => {
                // With parameter sets before it, a picture that needs no other is where to begin.
                open.sync |= kind == nal::IDR
                    || !open.picture && (open.recovers || open.sets && is_intra(unit));
                open.picture = true;
            }
            _ => {}
        }
        match self.cipher {
            Some(cipher) if slice && unit.len() > NAL_SHORT => {
                // What was put in after it was encrypted comes out before it is decrypted.
                let mut unit = unescaped(unit, unit.len());
                cipher.decrypt_nal(&mut unit);
                push(&unit, self.out);
            }
            _ => push(unit, self.out),
        }
    }

    /// The access unit is whole.
    fn close(&mut self) {
        let Open { begins, stamp, picture, sync, .. } = core::mem::take(&mut self.open);
        if picture {
            let size = (self.out.len() - begins) as u32;
            self.pictures.push(Picture { stamp, size, sync });
        } else {
            self.out.truncate(begins);
            self.stamp = self.stamp.or(stamp);
        }
        self.open.begins = self.out.len();
    }
}

/// When pictures are shown and decoded. Those between two of which that is said are spread evenly.
fn times_of(pictures: &[Picture], times: &Times) -> Vec<(i64, i64)> {
    let mut all: Vec<(i64, i64)> = Vec::with_capacity(pictures.len());
    let (mut known, mut step) = ((0, 0), ALONE);
    let mut unsaid = 0;
    let spread =
        |all: &mut Vec<(i64, i64)>, count: i64, (pts, dts): (i64, i64), span: i64, parts| {
            for number in 1..=count {
                let on = (span * number).checked_div(parts).unwrap_or(0);
                all.push((pts + on, dts + on));
            }
        };
    for picture in pictures {
        let Some(stamp) = picture.stamp else {
            unsaid += 1;
            continue;
        };
        let (pts, dts) = (times.of(stamp.pts), times.of(stamp.dts));
        // Nothing is decoded after it is shown.
        let dts = dts.min(pts);
        spread(&mut all, unsaid, known, dts - known.1, unsaid + 1);
        let steps = (dts - known.1).checked_div(unsaid + 1);
        step = steps.filter(|_| !all.is_empty()).unwrap_or(step);
        (known, unsaid) = ((pts, dts), 0);
        all.push(known);
    }
    spread(&mut all, unsaid, known, step, 1);
    all
}

/// Lays samples out one after another, and says when the first is decoded.
fn samples(pictures: &[Picture], times: &[(i64, i64)]) -> Option<(i64, Vec<Sample>)> {
    let &(_, base) = times.first()?;
    let mut samples: Vec<Sample> = Vec::with_capacity(pictures.len());
    let mut last = base;
    let mut latest = (i64::MIN, 0);
    for (number, (picture, (pts, dts))) in pictures.iter().zip(times).enumerate() {
        if let Some(before) = samples.last_mut() {
            // Time goes on, whatever is said.
            let duration = (dts - last).clamp(1, i64::from(i32::MAX));
            before.duration = duration as u32;
            last += duration;
        }
        let composition = (pts - last).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        samples.push(Sample { size: picture.size, duration: 0, composition, sync: picture.sync });
        latest = latest.max((*pts, number));
    }
    // What is shown last must not reach into the next segment by a unit: a platform takes away the key frame that it
    // covers, and all that depends on it (MSE §3.5.8).
    let recent = samples.iter().rev().skip(1).take(RECENT);
    let usual = recent.map(|sample| sample.duration).min().unwrap_or(ALONE as u32);
    if let Some(last) = samples.last_mut() {
        last.duration = usual;
    }
    if let Some([shown, after, ..]) = samples.get_mut(latest.1..) {
        let excess = shown.duration.saturating_sub(usual);
        if excess <= ROUNDING {
            shown.duration -= excess;
            after.duration = after.duration.saturating_add(excess);
            after.composition = after.composition.saturating_add(excess as i32);
        }
    }
    Some((base, samples))
}

fn push(unit: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(unit.len() as u32).to_be_bytes());
    out.extend_from_slice(unit);
}

/// Whether every macroblock of the slice is coded by itself (`slice_type`, table 7-6). What else is in its picture is
/// as a rule of the same type, which not all encoders promise by types from 5 on.
fn is_intra(unit: &[u8]) -> bool {
    let plain = unescaped(unit, 16);
    let mut bits = Bits::new(plain.get(1..).unwrap_or_default());
    bits.unsigned();
    matches!(bits.unsigned(), 2 | 4 | 7 | 9)
}

/// Whether a message says that decoding can begin here (§D.1.8).
fn has_recovery_point(unit: &[u8]) -> bool {
    let plain = unescaped(unit, MOST_SEI);
    let mut rest = plain.get(1..).unwrap_or_default();
    // Each has its type and its size, of as many bytes as it takes (§7.3.2.3.1); after them comes a stop bit.
    while rest.len() > 1 {
        let (Some(kind), Some(size)) = (number(&mut rest), number(&mut rest)) else { break };
        if kind == 6 {
            return true;
        }
        rest = rest.get(size..).unwrap_or_default();
    }
    false
}

fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number += usize::from(*byte);
        if *byte != 0xff {
            return Some(number);
        }
    }
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

    /// The next, and where its start code is.
    fn next_unit(&mut self) -> Option<(usize, &'a [u8])> {
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
                return Some((begins - 3, unit));
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
pub(super) mod tests {
    use super::*;

    pub(in super::super) const SPS: &[u8] = &[
        0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03,
        0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
    ];
    pub(in super::super) const PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

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
    fn pictures_without_end_are_an_error_and_no_memory() {
        let mut data = annex_b(&[SPS, PPS]);
        for _ in 0..MOST_SAMPLES + 10 {
            data.extend_from_slice(&[0, 0, 1, 0x65, 0x88]);
        }
        let data = stream(&[(9_000, 3_000, data)]);
        let written = write(&data, (None, None), &Times::around(None, 0), &mut Vec::new());
        assert_eq!(written.map(|_| ()), Err(TransportFault::TooManySamples));
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
        let after = write(&bare, (Some(&pictures.after), None), &times, &mut Vec::new());
        let after = after.expect("parameter sets").expect("pictures");
        assert_eq!(after.parameters, pictures.after);
        assert_eq!(after.parameters.pps, [(0, other)], "that is what the decoder had last");
    }

    #[test]
    fn where_decoding_can_begin_is_no_matter_of_idr_pictures_alone() {
        // slice_type 7 (I) and 5 (P), after first_mb_in_slice 0.
        let (intra, predicted) = ([0x41, 0b1000_1000], [0x41, 0b1001_1000]);
        let sync = |units: &[&[u8]]| {
            let first = annex_b(&[SPS, PPS, &[0x65, 0x88]]);
            let units = stream(&[(0, 0, first), (3_000, 3_000, annex_b(units))]);
            written(&units).0.samples.get(1).map(|sample| sample.sync)
        };
        // slice_type 2 (I) and 0 (P), of whose pictures other slices may be of other types.
        let (alone, other) = ([0x41, 0b1011_1000], [0x41, 0b1110_0000]);
        assert_eq!(sync(&[SPS, PPS, &alone]), Some(true));
        assert_eq!(sync(&[&alone]), Some(false));
        assert_eq!(sync(&[SPS, PPS, &other]), Some(false));
        // A buffering period comes before the recovery point, in one unit with it.
        assert_eq!(sync(&[&[6, 0, 2, 0x80, 0x40, 6, 1, 0xc4, 0x80], &predicted]), Some(true));
        assert_eq!(sync(&[&[6, 0, 2, 6, 1, 0x80], &predicted]), Some(false));
        assert_eq!(sync(&[&[6, 0xff], &predicted]), Some(false));
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

    #[test]
    fn pictures_are_told_apart_whatever_packets_they_come_in() {
        let (first, second, third) = ([0x65, 0x88, 1], [0x41, 0x9a, 2], [0x41, 0x9a, 3]);
        let sizes = |data: &Elementary| -> Vec<u32> {
            written(data).0.samples.iter().map(|sample| sample.size).collect()
        };
        // Two in one packet, by their delimiters or by their first slices: the second has no times of its own.
        for delimiter in [&[&[9, 0xf0][..]][..], &[]] {
            let both = [&[SPS, PPS, &first[..]], delimiter, &[&second[..]]].concat();
            let data = stream(&[
                (6_000, 0, annex_b(&both)),
                (12_000, 6_000, annex_b(&[delimiter, &[&third[..]]].concat())),
            ]);
            let (pictures, _) = written(&data);
            let sample = |composition, sync| Sample { size: 7, duration: 3_000, composition, sync };
            assert_eq!(
                pictures.samples,
                [sample(6_000, true), sample(6_000, false), sample(6_000, false)]
            );
        }
        // One in two packets, each with the times of both.
        let rest = [0x65, 0x48, 4];
        let data = stream(&[
            (0, 0, annex_b(&[SPS, PPS, &first])),
            (0, 0, annex_b(&[&rest])),
            (3_000, 3_000, annex_b(&[&second])),
        ]);
        assert_eq!(sizes(&data), [14, 7]);
        assert_eq!(written(&data).0.samples[0].duration, 3_000);
        // A packet that begins in the middle of a picture.
        let whole = annex_b(&[SPS, PPS, &[0x65, 0x88, 1, 2, 3, 4], &second]);
        let (one, other) = whole.split_at(whole.len() - 9);
        let data = stream(&[(0, 0, one.to_vec()), (3_000, 3_000, other.to_vec())]);
        assert_eq!(sizes(&data), [10, 7]);
        assert_eq!(written(&data).0.samples[0].duration, 3_000);
    }

    #[test]
    fn any_number_of_pictures_without_times_may_follow() {
        let slice = annex_b(&[&[0x41, 0x9a]]);
        let data = stream(&[
            (0, 0, annex_b(&[SPS, PPS, &[0x65, 0x88]])),
            (1 << 31, 1 << 31, slice.repeat(70_000)),
        ]);
        let (pictures, _) = written(&data);
        assert_eq!(pictures.samples.len(), 70_001);
        assert!(pictures.samples.iter().all(|sample| sample.duration == i32::MAX as u32));
    }

    #[test]
    fn two_fields_of_one_time_are_one_sample() {
        let interlaced = [
            0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x04, 0x4f, 0xde, 0x02, 0x20, 0x00,
            0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x06, 0x43, 0xe2, 0xc5, 0xb2, 0xc0,
        ];
        let field = |slice| annex_b(&[&[9, 0xf0], &[slice, 0x88, 1]]);
        let frame = [annex_b(&[&interlaced[..], PPS]), field(0x65), field(0x41)].concat();
        let data = stream(&[(0, 0, frame), (3_600, 3_600, [field(0x41), field(0x41)].concat())]);
        let (pictures, _) = written(&data);
        assert_eq!(pictures.samples.iter().map(|sample| sample.size).collect::<Vec<_>>(), [14, 14]);
    }

    #[test]
    fn what_is_shown_last_does_not_reach_into_the_next_segment() {
        // 24000/1001 pictures a second, whose times are rounded; every third is shown before the two it follows.
        let tick = |picture: u64| picture * 15_015 / 4;
        for begins in 0..4 {
            let slice = annex_b(&[&[0x41, 0x9a, 3]]);
            let mut pictures =
                vec![(tick(begins + 1), tick(begins), annex_b(&[SPS, PPS, &[0x65, 0x88]]))];
            for group in 0..3 {
                let at = begins + 1 + group * 3;
                for (number, shown) in [3, 1, 2].into_iter().enumerate() {
                    pictures.push((tick(at + shown), tick(at + number as u64), slice.clone()));
                }
            }
            let next = begins + pictures.len() as u64;
            let (pictures, _) = written(&stream(&pictures));
            let mut at = pictures.base;
            let mut ends = 0;
            for (position, sample) in pictures.samples.iter().enumerate() {
                let shown = at + i64::from(sample.composition);
                ends = ends.max(shown + i64::from(sample.duration));
                if position > 0 && position % 3 == 1 {
                    let picture = begins + position as u64 + 3;
                    assert_eq!(shown, (1 << 33) + tick(picture) as i64, "no picture moves");
                }
                at += i64::from(sample.duration);
            }
            let next_shown = (1 << 33) + tick(next + 1) as i64;
            assert!((next_shown - 2..=next_shown).contains(&ends), "{ends} {next_shown}");
        }
    }

    #[test]
    fn slices_too_short_to_be_encrypted_stay_as_they_are() {
        let key = kinora_cenc::ContentKey::from([7; 16]);
        let cipher = TransportCipher::new(&key, [9; 16]);
        let short = [0x65, 0x88, 0, 0, 3, 1, 0, 0, 3, 2];
        let data = stream(&[(0, 0, annex_b(&[SPS, PPS, &short]))]);
        let mut out = Vec::new();
        let written = write(&data, (None, Some(&cipher)), &Times::around(None, 0), &mut out);
        assert_eq!(written.expect("sets").expect("pictures").samples[0].size, 14);
        assert_eq!(out[4..], short);
    }
}
