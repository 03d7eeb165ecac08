//! Transport stream packets (ISO/IEC 13818-1 §2.4.3.2).

/// Bytes of a packet.
pub(super) const PACKET: usize = 188;
const SYNC: u8 = 0x47;

/// One packet that carries something, or says that a break is meant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) pid: u16,
    /// A section or a PES packet begins in it (`payload_unit_start_indicator`).
    pub(super) starts: bool,
    pub(super) payload: &'a [u8],
    pub(super) scrambled: bool,
    /// `continuity_counter`, if there is a payload, which alone is counted.
    pub(super) counter: Option<u8>,
    /// A break in the counter is meant (`discontinuity_indicator`).
    pub(super) breaks: bool,
}

/// The packets of a segment. What lies between them is passed over.
#[derive(Clone, Debug)]
pub(super) struct Packets<'a> {
    data: &'a [u8],
    at: usize,
}

/// Whether bytes look like packets: of so few that there is but one, by its first byte.
pub(super) fn look_like_packets(data: &[u8]) -> bool {
    find_sync(data, 0).is_some_and(|at| at < PACKET)
}

/// Where the next packet begins: where others follow at the right distance, as far as there is anything.
fn find_sync(data: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at + PACKET <= data.len() {
        let mut sure = true;
        for ahead in 0..3 {
            sure &= data.get(at + ahead * PACKET).is_none_or(|byte| *byte == SYNC);
        }
        if sure {
            return Some(at);
        }
        at += 1;
    }
    None
}

impl<'a> Packets<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The next packet with a payload, or with a break.
    pub(super) fn next_packet(&mut self) -> Option<Packet<'a>> {
        loop {
            if self.data.get(self.at) != Some(&SYNC) {
                self.at = find_sync(self.data, self.at)?;
            }
            let packet = self.data.get(self.at..self.at + PACKET)?;
            self.at += PACKET;
            if let Some(packet) = read(packet) {
                return Some(packet);
            }
        }
    }
}

fn read(packet: &[u8]) -> Option<Packet<'_>> {
    let (&[_, first, second, third], rest) = packet.split_first_chunk::<4>()?;
    // transport_error_indicator: what it says of itself cannot be relied on.
    if first & 0x80 != 0 {
        return None;
    }
    let (mut payload, mut breaks) = (rest, false);
    if third & 0x20 != 0 {
        let (length, rest) = rest.split_first()?;
        let field = rest.get(..usize::from(*length))?;
        breaks = field.first().is_some_and(|flags| flags & 0x80 != 0);
        payload = rest.get(usize::from(*length)..)?;
    }
    let carries = third & 0x10 != 0;
    if !carries {
        payload = &[];
    }
    (carries || breaks).then_some(Packet {
        pid: u16::from_be_bytes([first & 0x1f, second]),
        starts: carries && first & 0x40 != 0,
        payload,
        scrambled: carries && third & 0xc0 != 0,
        counter: carries.then_some(third & 0x0f),
        breaks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pid: u16, fill: u8) -> Vec<u8> {
        let mut packet = vec![SYNC, 0x40 | (pid >> 8) as u8, pid as u8, 0x10];
        packet.resize(PACKET, fill);
        packet
    }

    fn pids(data: &[u8]) -> Vec<u16> {
        let mut packets = Packets::new(data);
        std::iter::from_fn(|| packets.next_packet()).map(|packet| packet.pid).collect()
    }

    #[test]
    fn packets_are_found_again_after_what_is_none() {
        let mut data = b"lost ".to_vec();
        data.extend(packet(256, 0));
        data.extend(packet(257, 1));
        data.extend([0x47; 7]);
        data.extend(packet(258, 2));
        data.extend(packet(259, 3));
        assert!(look_like_packets(&data));
        assert_eq!(pids(&data[5..]), pids(&data));
        assert!(pids(&data).ends_with(&[259]));
        assert!(!look_like_packets(b"<html>this is a page, and it goes on for quite a while"));
    }

    #[test]
    fn an_adaptation_field_may_take_all_there_is_but_no_more() {
        let mut one = packet(17, 9);
        one[3] = 0x33;
        one[4] = 182;
        one[5] = 0x80;
        let read_one = read(&one).expect("whole");
        assert_eq!(
            (read_one.payload, read_one.breaks, read_one.counter),
            (&[9][..], true, Some(3))
        );
        one[4] = 184;
        assert!(read(&one).is_none());
        one[4] = 0;
        assert!(!read(&one).expect("whole").breaks, "a field of no length has no flags");
        one[3] = 0x23;
        assert!(read(&one).is_none(), "nothing is in it");
        one[4..6].copy_from_slice(&[183, 0x80]);
        let alone = read(&one).expect("a break");
        assert_eq!((alone.payload.len(), alone.breaks, alone.counter), (0, true, None));
        one[1] |= 0x80;
        assert!(read(&one).is_none(), "damaged on the way");
    }
}
