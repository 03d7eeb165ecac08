//! Packetised elementary streams (ISO/IEC 13818-1 §2.4.3.6): the bytes of one stream, and their times.

use super::packets::Packet;

/// Timestamps count modulo this.
const WRAP: i64 = 1 << 33;

/// An elementary stream, gathered from its packets.
#[derive(Debug, Default)]
pub(super) struct Elementary {
    pub(super) data: Vec<u8>,
    /// What of it has times, in order. Nothing precedes the first.
    pub(super) units: Vec<Unit>,
    state: State,
    counter: Option<u8>,
    /// Something is missing since the last unit.
    lost: bool,
}

/// What a PES packet with timestamps brought, together with those without that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Its first byte.
    pub(super) start: usize,
    /// When it is presented and when it is decoded, in units of 90 kHz, modulo 2³³.
    pub(super) pts: u64,
    pub(super) dts: u64,
}

#[derive(Debug, Default)]
enum State {
    /// For a packet to begin.
    #[default]
    Waiting,
    /// For the whole of its header.
    Header(Vec<u8>),
    /// For its body: for so many bytes, or until another begins.
    Body(Option<usize>),
}

impl Elementary {
    /// A stream that came without packets, and begins at `pts`.
    pub(super) fn alone(data: Vec<u8>, pts: u64) -> Self {
        let units = vec![Unit { start: 0, pts, dts: pts }];
        Self { data, units, ..Self::default() }
    }

    /// Takes the next packet of the stream.
    pub(super) fn take(&mut self, packet: &Packet<'_>) {
        let Some(counter) = packet.counter else {
            // A break that is meant comes before the next.
            self.counter = None;
            return;
        };
        let before = self.counter.replace(counter);
        if let Some(before) = before.filter(|_| !packet.breaks) {
            if before == counter {
                // Sent twice (§2.4.3.3).
                return;
            }
            if (before + 1) & 0x0f != counter {
                self.lose();
            }
        }
        if packet.starts {
            self.state = State::Header(Vec::new());
        }
        match &mut self.state {
            State::Waiting => {}
            State::Header(header) => {
                header.extend_from_slice(packet.payload);
                let Some((body, head)) = read_header(header) else { return };
                let body = header.get(body..).unwrap_or_default().to_vec();
                self.begin(head, &body);
            }
            State::Body(_) => self.append(packet.payload),
        }
    }

    fn begin(&mut self, head: Head, body: &[u8]) {
        if let Some((pts, dts)) = head.times {
            self.units.push(Unit { start: self.data.len(), pts, dts });
            self.lost = false;
        }
        // What is missing may be what has the times of this.
        if !head.is_media || self.units.is_empty() || self.lost {
            self.state = State::Waiting;
            return;
        }
        self.state = State::Body(head.length);
        self.append(body);
    }

    fn append(&mut self, bytes: &[u8]) {
        let State::Body(left) = &mut self.state else { return };
        let length = left.map_or(bytes.len(), |left| left.min(bytes.len()));
        if let Some(left) = left {
            *left -= length;
        }
        self.data.extend_from_slice(bytes.get(..length).unwrap_or_default());
    }

    /// Packets are missing: what they are of is not whole, and nothing is better than half a picture.
    fn lose(&mut self) {
        // A body that came to its end is whole, whatever follows it.
        if matches!(self.state, State::Body(left) if left != Some(0))
            && let Some(unit) = self.units.pop()
        {
            self.data.truncate(unit.start);
        }
        self.state = State::Waiting;
        self.lost = true;
    }
}

/// What a header says.
struct Head {
    times: Option<(u64, u64)>,
    /// Bytes of the body, if it says.
    length: Option<usize>,
    is_media: bool,
}

/// Reads a header that is whole: where the body begins, and what it says. What is no header is of no use.
fn read_header(bytes: &[u8]) -> Option<(usize, Head)> {
    let &[a, b, c, id, high, low, _, flags, length, ..] = bytes else { return None };
    let fields = bytes.get(9..9 + usize::from(length))?;
    let body = 9 + usize::from(length);
    // Picture and sound (table 2-22); others have no such header.
    let is_media = (a, b, c) == (0, 0, 1) && ((0xc0..=0xef).contains(&id) || id == 0xbd);
    let pts = (flags & 0x80 != 0).then(|| timestamp(fields)).flatten();
    let later = fields.get(5..).filter(|_| flags & 0x40 != 0);
    let times = pts.map(|pts| (pts, later.and_then(timestamp).unwrap_or(pts)));
    let length = match u16::from_be_bytes([high, low]) {
        0 => None,
        length => Some(usize::from(length).saturating_sub(body - 6)),
    };
    Some((body, Head { times: times.filter(|_| is_media), length, is_media }))
}

/// A timestamp of 33 bits (§2.4.3.7).
fn timestamp(fields: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e, ..] = fields else { return None };
    let [a, b, c, d, e] = [a, b, c, d, e].map(u64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// The time nearest to `near` that a timestamp may stand for. It is never negative.
pub(super) fn unwrapped(timestamp: u64, near: i64) -> i64 {
    let stamp = (timestamp & (WRAP as u64 - 1)) as i64;
    let turns = (near - stamp + WRAP / 2).div_euclid(WRAP).max(0);
    stamp + turns * WRAP
}

/// Where timestamps begin of which nothing is known: one turn on, so that what precedes them a little is not
/// negative, either.
pub(super) fn first_turn(timestamp: u64) -> i64 {
    unwrapped(timestamp, WRAP + WRAP / 2 - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(mark: u8, stamp: u64) -> [u8; 5] {
        [
            mark << 4 | (stamp >> 29) as u8 & 0x0e | 1,
            (stamp >> 22) as u8,
            (stamp >> 14) as u8 | 1,
            (stamp >> 7) as u8,
            (stamp << 1) as u8 | 1,
        ]
    }

    fn pes(times: Option<(u64, u64)>, length: Option<u16>, body: &[u8]) -> Vec<u8> {
        let stamps =
            times.map_or(Vec::new(), |(pts, dts)| [fields(3, pts), fields(1, dts)].concat());
        let flags = if times.is_some() { 0xc0 } else { 0 };
        let [high, low] = length.map_or(0, |body| body + 3 + stamps.len() as u16).to_be_bytes();
        let mut bytes = vec![0, 0, 1, 0xe0, high, low, 0x80, flags, stamps.len() as u8];
        bytes.extend(stamps);
        bytes.extend(body);
        bytes
    }

    fn packet(counter: u8, starts: bool, payload: &[u8]) -> Packet<'_> {
        Packet {
            pid: 256,
            starts,
            payload,
            scrambled: false,
            counter: Some(counter),
            breaks: false,
        }
    }

    #[test]
    fn timestamps_have_thirty_three_bits() {
        for stamp in [0, 1, 0x7fff, 0x8000, 0x1_2345_6789, (1 << 33) - 1] {
            assert_eq!(timestamp(&fields(2, stamp)), Some(stamp));
        }
        assert_eq!(timestamp(&[0; 4]), None);
    }

    #[test]
    fn time_goes_on_where_stamps_begin_again() {
        let last = (1 << 33) - 1;
        let start = first_turn(last);
        assert_eq!(start, (1 << 34) - 1);
        assert_eq!(unwrapped(0, start), 1 << 34);
        assert_eq!(unwrapped(last, 1 << 34), start);
        assert_eq!(unwrapped(last, 5), last as i64, "never negative");
        assert_eq!(first_turn(0), 1 << 33);
        assert_eq!(unwrapped(last, first_turn(0)), (1 << 33) - 1);
    }

    #[test]
    fn a_header_may_be_split_and_a_body_without_length_goes_on() {
        let whole = pes(Some((9_000, 6_000)), None, b"abc");
        let mut stream = Elementary::default();
        stream.take(&packet(0, false, b"nothing has begun"));
        stream.take(&packet(1, true, &whole[..11]));
        stream.take(&packet(2, false, &whole[11..]));
        stream.take(&packet(3, false, b"def"));
        stream.take(&packet(3, false, b"def"));
        stream.take(&packet(4, true, &pes(None, Some(2), b"gh, and stuffing")));
        stream.take(&packet(5, true, &pes(Some((12_000, 9_000)), Some(1), b"i")));
        assert_eq!(stream.data, b"abcdefghi");
        let unit = |start, pts, dts| Unit { start, pts, dts };
        assert_eq!(stream.units, [unit(0, 9_000, 6_000), unit(8, 12_000, 9_000)]);
    }

    #[test]
    fn what_lacks_a_packet_is_left_out() {
        let mut stream = Elementary::default();
        stream.take(&packet(14, true, &pes(Some((1, 1)), None, b"whole")));
        stream.take(&packet(15, true, &pes(Some((2, 2)), None, b"half")));
        stream.take(&packet(1, false, b"its rest is gone"));
        stream.take(&packet(2, true, &pes(Some((3, 3)), None, b"next")));
        assert_eq!(stream.data, b"wholenext");
        assert_eq!(stream.units.len(), 2);
        let meant = Packet { breaks: true, ..packet(9, false, b"!") };
        stream.take(&meant);
        assert_eq!(stream.data, b"wholenext!");
        let alone = Packet { breaks: true, counter: None, ..packet(0, false, b"") };
        stream.take(&alone);
        stream.take(&packet(3, false, b"?"));
        assert_eq!(stream.data, b"wholenext!?");
        stream.take(&packet(5, true, &pes(None, None, b"of a picture that is gone")));
        stream.take(&packet(6, true, &pes(Some((4, 4)), None, b"last")));
        assert_eq!(stream.data, b"wholelast");
    }

    #[test]
    fn no_header_is_too_short_or_strange() {
        let whole = pes(Some((1, 1)), Some(1), b"x");
        for length in 0..whole.len() {
            let mut stream = Elementary::default();
            stream.take(&packet(0, true, &whole[..length]));
            assert!(stream.data.is_empty());
        }
        let mut other = whole;
        other[2] = 7;
        let mut stream = Elementary::default();
        stream.take(&packet(0, true, &other));
        assert!(stream.units.is_empty());
    }
}
