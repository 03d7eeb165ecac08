//! AAC in ADTS frames (ISO/IEC 14496-3 §1.A.2), and audio without a container (RFC 8216bis §3.4).

use kinora_cenc::TransportCipher;

use super::pes::Elementary;
use super::tables::stream_type;
use super::{MOST_SAMPLES, Sample, Times, TransportFault};

/// Samples of sound in a frame (§4.5.1.1, `frameLengthFlag` 0).
const FRAME: i64 = 1_024;
/// Hz, by `sampling_frequency_index` (table 1.18).
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// Bytes of a frame, at most (`aac_frame_length`).
const MOST: usize = 1 << 13;
/// Who says when packed audio begins.
const OWNER: &[u8] = b"com.apple.streaming.transportStreamTimestamp\0";

/// How sound is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// Samples in a second.
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// `AudioSpecificConfig` (§1.6.2.1).
    pub(super) specific: [u8; 2],
}

/// A frame's header.
struct Header {
    /// What all frames of a stream share (`adts_fixed_header`), but for `protection_absent`; and how many more blocks
    /// are in them.
    fixed: [u8; 3],
    /// Bytes of the header, and of the frame with it.
    length: usize,
    frame: usize,
    /// One raw block more than this is in it.
    more_blocks: bool,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let &[sync, flags, second, third, fourth, fifth, sixth, ..] = bytes else { return None };
        if sync != 0xff || flags & 0xf6 != 0xf0 {
            return None;
        }
        let length = if flags & 1 == 0 { 9 } else { 7 };
        let frame =
            usize::from(third & 3) << 11 | usize::from(fourth) << 3 | usize::from(fifth >> 5);
        let more_blocks = sixth & 3 != 0;
        let fixed = [flags | 1, second & 0xfd, third & 0xc0 | sixth & 3];
        (frame > length).then_some(Self { fixed, length, frame, more_blocks })
    }

    fn config(&self) -> Result<Config, TransportFault> {
        let [_, second, third] = self.fixed;
        let (object, index) = ((second >> 6) + 1, second >> 2 & 0x0f);
        let channels = (second & 1) << 2 | third >> 6;
        let rate = RATES.get(usize::from(index)).copied().ok_or(TransportFault::InvalidAudio)?;
        // Channels that a program config element lays out cannot be told here.
        if channels == 0 || self.more_blocks {
            return Err(TransportFault::UnsupportedAudio);
        }
        Ok(Config {
            rate,
            channels: if channels == 7 { 8 } else { channels.into() },
            specific: [object << 3 | index >> 1, index << 7 | channels << 3],
        })
    }
}

/// The frames of a segment, whose bytes are at the end of `out`.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) config: Config,
    /// When the first begins, in samples.
    pub(super) base: i64,
    /// The first sample after the last.
    pub(super) end: i64,
    pub(super) samples: Vec<Sample>,
    /// The beginning of a frame whose rest is in the next segment.
    pub(super) rest: Vec<u8>,
}

/// Puts the beginning of a frame before a stream that has the rest of it: one that goes on where the last segment
/// `ended`, so many samples in a second.
pub(super) fn join(stream: &mut Elementary, rest: &[u8], ended: (u32, i64), times: &Times) {
    let Some(first) = stream.units.first() else { return };
    let begins = times.samples(first.pts, ended.0);
    if rest.is_empty() || (begins - ended.1 - FRAME).abs() > FRAME {
        return;
    }
    stream.data.splice(0..0, rest.iter().copied());
    for unit in &mut stream.units {
        unit.start += rest.len();
    }
}

/// Writes the frames of a stream; nothing if there are none. One that goes on where the last segment ended, `after`
/// so many samples in a second, goes on exactly there: timestamps are coarser than samples.
pub(super) fn write(
    stream: &Elementary,
    (after, cipher): (Option<(u32, i64)>, Option<&TransportCipher>),
    times: &Times,
    out: &mut Vec<u8>,
) -> Result<Option<Sound>, TransportFault> {
    let data = stream.data.as_slice();
    let mut sound: Option<(Sound, [u8; 3])> = None;
    let mut units = stream.units.iter().peekable();
    // When the frame at hand begins, in samples. One that began in the last segment has no time of its own.
    let mut clock = after.map_or(0, |(_, end)| end);
    let mut at = 0;
    let mut whole = 0;
    while at + 7 <= data.len() {
        let header = data.get(at..).and_then(Header::read).filter(|header| {
            let next = data.get(at + header.frame..).unwrap_or_default();
            let known = sound.as_ref().is_none_or(|(_, fixed)| *fixed == header.fixed);
            known && (next.len() < 7 || Header::read(next).is_some())
        });
        let raw = |header: &Header| data.get(at + header.length..at + header.frame);
        let Some((raw, header)) = header.and_then(|header| Some((raw(&header)?, header))) else {
            // What is no frame, or none that is whole, is passed over.
            at += 1;
            continue;
        };
        if sound.is_none() {
            let config = header.config()?;
            let start = Sound { config, base: 0, end: 0, samples: Vec::new(), rest: Vec::new() };
            sound = Some((start, header.fixed));
        }
        let Some((sound, _)) = &mut sound else { break };
        let mut stamped = None;
        while let Some(unit) = units.next_if(|unit| unit.start <= at) {
            stamped = Some(unit);
        }
        if let Some(unit) = stamped {
            clock = times.samples(unit.pts, sound.config.rate);
        }
        at += header.frame;
        whole = at;
        if sound.samples.is_empty() {
            let rate = sound.config.rate;
            let slack = i64::from(rate / 24_000 + 1);
            let exact = after.filter(|(of, end)| *of == rate && (end - clock).abs() <= slack);
            clock = exact.map_or(clock, |(_, end)| end);
            (sound.base, sound.end) = (clock, clock);
        }
        let gap = clock - sound.end;
        clock += FRAME;
        if gap < -FRAME {
            // It was there before.
            continue;
        }
        if gap > FRAME
            && let Some(before) = sound.samples.last_mut()
        {
            before.duration = before.duration.saturating_add(gap.min(i64::from(i32::MAX)) as u32);
            sound.end += gap;
        }
        if sound.samples.len() >= MOST_SAMPLES {
            return Err(TransportFault::TooManySamples);
        }
        let begins = out.len();
        out.extend_from_slice(raw);
        if let (Some(cipher), Some(frame)) = (cipher, out.get_mut(begins..)) {
            cipher.decrypt_frame(frame);
        }
        let (size, duration) = (raw.len() as u32, FRAME as u32);
        sound.samples.push(Sample { size, duration, composition: 0, sync: true });
        sound.end += FRAME;
    }
    let rest = data.get(whole..).filter(|rest| begins_frame(rest) && cipher.is_none());
    Ok(sound.map(|(sound, _)| Sound { rest: rest.unwrap_or_default().to_vec(), ..sound }))
}

/// Whether bytes may be the beginning of a frame, and no whole one.
fn begins_frame(bytes: &[u8]) -> bool {
    match bytes {
        [0xff] => true,
        [0xff, flags, ..] => flags & 0xf6 == 0xf0 && bytes.len() < MOST,
        _ => false,
    }
}

/// Packed audio as a stream of one unit; nothing if it is no audio. Without a timestamp it begins at `unsaid`.
pub(super) fn unpack(segment: &[u8], unsaid: u64) -> Result<Option<Elementary>, TransportFault> {
    let (mut data, mut pts) = (segment, unsaid);
    while let Some(tag) = tag_length(data) {
        let (tag, rest) = data.split_at_checked(tag).unwrap_or((data, &[]));
        let mut windows = tag.windows(OWNER.len() + 8);
        if let Some(found) = windows.find(|window| window.starts_with(OWNER))
            && let Some(stamp) = found.last_chunk::<8>()
        {
            pts = u64::from_be_bytes(*stamp);
        }
        data = rest;
    }
    match data {
        [0x0b, 0x77, ..] => Err(TransportFault::Unsupported { stream_type: stream_type::AC3 }),
        [0xff, flags, ..] if flags & 0xf6 == 0xf0 => {
            Ok(Some(Elementary::alone(data.to_vec(), pts)))
        }
        [0xff, flags, ..] if flags & 0xe0 == 0xe0 => {
            Err(TransportFault::Unsupported { stream_type: stream_type::MP3 })
        }
        _ => Ok(None),
    }
}

/// Bytes of the ID3v2 tag that comes first.
fn tag_length(data: &[u8]) -> Option<usize> {
    let &[b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = data else { return None };
    let mut length = 0;
    for byte in [a, b, c, d] {
        length = length << 7 | usize::from(byte & 0x7f);
    }
    Some(length + if flags & 0x10 != 0 { 20 } else { 10 })
}

#[cfg(test)]
mod tests {
    use super::super::pes::Unit;
    use super::*;

    /// A frame of 44.1 kHz stereo.
    fn frame(raw: &[u8]) -> Vec<u8> {
        let length = raw.len() + 7;
        let mut frame = vec![0xff, 0xf1, 0x50, 0x80 | (length >> 11) as u8, (length >> 3) as u8];
        frame.extend([(length << 5) as u8 | 0x1f, 0xfc]);
        frame.extend_from_slice(raw);
        frame
    }

    fn stream(packets: &[(u64, Vec<u8>)]) -> Elementary {
        let mut stream = Elementary::default();
        for (pts, data) in packets {
            stream.units.push(Unit { start: stream.data.len(), pts: *pts, dts: *pts });
            stream.data.extend_from_slice(data);
        }
        stream
    }

    fn written(stream: &Elementary, after: Option<(u32, i64)>) -> (Sound, Vec<u8>) {
        let mut out = Vec::new();
        let sound = write(stream, (after, None), &Times::around(None, 0), &mut out);
        (sound.expect("AAC").expect("frames"), out)
    }

    fn durations(sound: &Sound) -> Vec<u32> {
        sound.samples.iter().map(|sample| sample.duration).collect()
    }

    /// Samples of 44.1 kHz before the first turn of the clock ends.
    const TURN: i64 = (1 << 33) * 441 / 900;

    #[test]
    fn frames_run_on_from_packet_to_packet_whatever_their_stamps_are_rounded_to() {
        let (one, other) = (frame(b"first"), frame(b"second"));
        let split = [one.clone(), other[..4].to_vec()].concat();
        let rest = [other[4..].to_vec(), frame(b"third")].concat();
        // 1024 samples of 44.1 kHz are 2089.8 units; the third frame is the first that begins in its packet.
        let (sound, out) = written(&stream(&[(90_000, split), (90_000 + 4_180, rest)]), None);
        assert_eq!(out, b"firstsecondthird");
        assert_eq!(durations(&sound), [1024; 3]);
        assert_eq!(sound.base, TURN + 44_100);
        assert_eq!(sound.config, Config { rate: 44_100, channels: 2, specific: [0x12, 0x10] });
    }

    #[test]
    fn a_segment_goes_on_at_the_sample() {
        let one = stream(&[(2_090, frame(b"x"))]);
        let exact = TURN + 1_023;
        assert_eq!(written(&one, None).0.base, TURN + 1_024);
        assert_eq!(written(&one, Some((44_100, exact))).0.base, exact);
        assert_eq!(written(&one, Some((44_100, exact - 5))).0.base, TURN + 1_024);
        assert_eq!(written(&one, Some((48_000, exact))).0.base, TURN + 1_024);
    }

    #[test]
    fn a_frame_may_begin_in_one_segment_and_end_in_the_next() {
        let split = frame(b"of both");
        for at in [1, 5, 9] {
            let one = stream(&[(0, [frame(b"one"), split[..at].to_vec()].concat())]);
            let (before, _) = written(&one, None);
            assert_eq!(before.rest, split[..at]);
            let ended = (before.config.rate, before.end);
            let times = Times::around(None, 0);
            let next = || stream(&[(4_180, [split[at..].to_vec(), frame(b"two")].concat())]);
            let mut goes_on = next();
            join(&mut goes_on, &before.rest, ended, &times);
            let (sound, out) = written(&goes_on, Some(ended));
            assert_eq!(out, b"of bothtwo");
            assert_eq!((sound.base, sound.end), (before.end, before.end + 2 * FRAME));
            // After a jump it is of no use.
            let mut elsewhere = next();
            elsewhere.units[0].pts += 90_000;
            join(&mut elsewhere, &before.rest, ended, &times);
            assert_eq!(written(&elsewhere, Some(ended)).1, b"two");
        }
    }

    #[test]
    fn holes_are_kept_and_repetitions_left_out() {
        let data = stream(&[(0, frame(b"a")), (9_000, frame(b"b")), (9_000, frame(b"b"))]);
        let (sound, _) = written(&data, None);
        assert_eq!(
            durations(&sound),
            [4_410, 1_024, 1_024],
            "within a frame, stamps are not exact"
        );
        let data = stream(&[(9_000, frame(b"a")), (0, [frame(b"z"), frame(b"z")].concat())]);
        assert_eq!(written(&data, None).1, b"a");
    }

    #[test]
    fn what_is_no_frame_is_passed_over() {
        let mut data = b"\xff\xf1 noise".to_vec();
        data.extend(frame(b"one"));
        data.extend(b"\xff\xff");
        data.extend(frame(b"two"));
        data.extend(&frame(b"cut off")[..9]);
        let (_, out) = written(&stream(&[(0, data)]), None);
        assert_eq!(out, b"two");
        let silence = stream(&[(0, vec![0; 500])]);
        assert!(
            write(&silence, (None, None), &Times::around(None, 0), &mut Vec::new())
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn frames_without_end_are_an_error_and_no_memory() {
        use super::super::{Options, Remuxer, Wanted};
        // As many as there may be, of a byte each, are four megabytes.
        let tiny = frame(b"x");
        let mut segment = tiny.repeat(MOST_SAMPLES);
        let remux = |segment: &[u8]| {
            let options = Options { wanted: Wanted::Sound, near: None, cipher: None };
            Remuxer::default().remux(segment, &options).map(|_| ())
        };
        assert_eq!(remux(&segment), Ok(()));
        segment.extend(tiny);
        assert_eq!(remux(&segment), Err(TransportFault::TooManySamples));
    }

    #[test]
    fn packed_audio_says_when_it_begins() {
        let mut tag = b"ID3\x04\0\0\0\0\0\x3fPRIV\0\0\0\x35\0\0".to_vec();
        tag.extend(OWNER);
        tag.extend(90_000_u64.to_be_bytes());
        let segment = [tag.clone(), frame(b"x")].concat();
        let stream = unpack(&segment, 7).unwrap().expect("audio");
        assert_eq!(stream.units, [Unit { start: 0, pts: 90_000, dts: 90_000 }]);
        assert_eq!(stream.data, frame(b"x"));
        let unsaid = unpack(&frame(b"x"), 7).unwrap().expect("audio");
        assert_eq!(unsaid.units, [Unit { start: 0, pts: 7, dts: 7 }]);
        let layer_3 = [tag, vec![0xff, 0xfb, 0x90, 0]].concat();
        assert_eq!(
            unpack(&layer_3, 7).map(|_| ()),
            Err(TransportFault::Unsupported { stream_type: stream_type::MP3 })
        );
        assert!(unpack(b"ID3", 7).unwrap().is_none());
        assert!(unpack(b"WEBVTT", 7).unwrap().is_none());
    }
}
