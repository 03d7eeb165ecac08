//! Program association and program map (ISO/IEC 13818-1 §2.4.4): which packets carry what.

use super::packets::Packet;

/// Sections of these tables are no longer (§2.4.4.3, §2.4.4.8).
const MOST: usize = 1024;

/// `stream_type`s (§2.4.4.9, table 2-34, and those of other standards).
pub(super) mod stream_type {
    /// In the clear, and with encrypted samples.
    pub(in super::super) const AAC: [u8; 2] = [0x0f, 0xcf];
    pub(in super::super) const AVC: [u8; 2] = [0x1b, 0xdb];
    pub(in super::super) const MP3: u8 = 0x03;
    pub(in super::super) const AC3: u8 = 0x81;
    pub(in super::super) const EC3: u8 = 0x87;
}

/// One elementary stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) pid: u16,
    pub(super) stream_type: u8,
}

/// The tables of a segment, as far as they have come. Of several programs it is the first that counts
/// (RFC 8216bis §3.1.1 allows one), and of several states of a table the first.
#[derive(Debug, Default)]
pub(super) struct Tables {
    association: Section,
    map: Section,
    map_pid: Option<u16>,
    /// The program's streams.
    pub(super) streams: Option<Vec<Stream>>,
}

impl Tables {
    /// Takes a packet of a table; whether it was one.
    pub(super) fn take(&mut self, packet: &Packet<'_>) -> bool {
        if packet.pid == 0 {
            if self.map_pid.is_none() {
                let map_pid = &mut self.map_pid;
                self.association.take(packet, 0, |section| *map_pid = map_pid.or(program(section)));
            }
            return true;
        }
        if self.map_pid != Some(packet.pid) {
            return false;
        }
        if self.streams.is_none() {
            let found = &mut self.streams;
            self.map.take(packet, 2, |section| {
                found.get_or_insert_with(|| streams(section));
            });
        }
        true
    }
}

/// Collects the sections of a table, each of which may take more than one packet.
#[derive(Debug, Default)]
struct Section {
    /// What there is of the one that is not whole.
    bytes: Vec<u8>,
    /// It has begun.
    begun: bool,
}

impl Section {
    /// Takes a packet. Of each section that is whole now, sound and in force, `found` gets the body: from behind its
    /// length up to its check.
    fn take(&mut self, packet: &Packet<'_>, table: u8, mut found: impl FnMut(&[u8])) {
        let mut payload = packet.payload;
        if packet.starts {
            let Some((pointer, rest)) = payload.split_first() else { return };
            let Some((end, next)) = rest.split_at_checked(usize::from(*pointer)) else { return };
            self.go_on(end, table, &mut found);
            self.bytes.clear();
            self.begun = true;
            payload = next;
        }
        self.go_on(payload, table, &mut found);
    }

    fn go_on(&mut self, payload: &[u8], table: u8, found: &mut dyn FnMut(&[u8])) {
        if !self.begun {
            return;
        }
        self.bytes.extend_from_slice(payload);
        let mut at = 0;
        while let Some(&[id, high, low]) = self.bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let length = 3 + usize::from(u16::from_be_bytes([high & 0x0f, low]));
            // After the last there is stuffing.
            if id == 0xff || length > MOST {
                self.bytes.clear();
                self.begun = false;
                return;
            }
            let Some(whole) = self.bytes.get(at..at + length) else { break };
            // One that is not in force yet (`current_next_indicator`) will come again.
            if let [body @ .., _, _, _, _] = whole.get(3..).unwrap_or_default()
                && id == table
                && body.get(2).is_some_and(|flags| flags & 1 != 0)
                && checksum(whole) == 0
            {
                found(body);
            }
            at += length;
        }
        self.bytes.drain(..at);
    }
}

/// The first program of an association: where its map is.
fn program(section: &[u8]) -> Option<u16> {
    let mut rest = section.get(5..)?;
    while let Some((&[a, b, high, low], after)) = rest.split_first_chunk::<4>() {
        // Program 0 is the network's own.
        if (a, b) != (0, 0) {
            return Some(u16::from_be_bytes([high & 0x1f, low]));
        }
        rest = after;
    }
    None
}

/// The streams of a map.
fn streams(section: &[u8]) -> Vec<Stream> {
    let mut streams = Vec::new();
    let length = |high: u8, low: u8| usize::from(u16::from_be_bytes([high & 0x0f, low]));
    let Some(&[high, low]) = section.get(7..9) else { return streams };
    let mut rest = section.get(9 + length(high, low)..).unwrap_or_default();
    while let Some((&[mut stream_type, pid, pid_low, high, low], after)) =
        rest.split_first_chunk::<5>()
    {
        let Some((descriptors, after)) = after.split_at_checked(length(high, low)) else { break };
        if stream_type == 0x06 {
            stream_type = private(descriptors).unwrap_or(stream_type);
        }
        let pid = u16::from_be_bytes([pid & 0x1f, pid_low]);
        streams.push(Stream { pid, stream_type });
        rest = after;
    }
    streams
}

/// What private data is, by its descriptors (ETSI EN 300 468 annex D).
fn private(mut descriptors: &[u8]) -> Option<u8> {
    while let Some((&[tag, length], after)) = descriptors.split_first_chunk::<2>() {
        match tag {
            0x6a => return Some(stream_type::AC3),
            0x7a => return Some(stream_type::EC3),
            _ => descriptors = after.get(usize::from(length)..)?,
        }
    }
    None
}

/// CRC_32 (annex A): of a section with its check it is 0.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte) << 24;
        for _ in 0..8 {
            crc = (crc << 1) ^ if crc & 0x8000_0000 != 0 { 0x04c1_1db7 } else { 0 };
        }
    }
    crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(table: u8, body: &[u8]) -> Vec<u8> {
        let length = body.len() as u16 + 4;
        let mut whole = vec![table, 0xb0 | (length >> 8) as u8, length as u8];
        whole.extend(body);
        let crc = checksum(&whole);
        whole.extend(crc.to_be_bytes());
        whole
    }

    fn packet(pid: u16, starts: bool, payload: &[u8]) -> Packet<'_> {
        Packet { pid, starts, payload, scrambled: false, counter: Some(0), breaks: false }
    }

    fn association() -> Vec<u8> {
        let body = [0, 1, 0xc1, 0, 0, 0, 0, 0xe0, 16, 0, 1, 0xf0, 0];
        [vec![0], section(0, &body)].concat()
    }

    #[test]
    fn a_map_may_span_packets_and_names_its_streams() {
        let mut tables = Tables::default();
        assert!(tables.take(&packet(0, true, &association())));
        let mut body = vec![0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 2, 0xff, 0];
        body.extend([0x1b, 0xe1, 0, 0xf0, 0]);
        body.extend([0x06, 0xe1, 1, 0xf0, 4, 0x05, 0, 0x7a, 0]);
        body.extend([0x06, 0xe1, 2, 0xf0, 0]);
        let map = [vec![2, 0xaa, 0xaa], section(2, &body)].concat();
        let (one, other) = map.split_at(20);
        assert!(tables.take(&packet(0x1000, true, one)));
        assert_eq!(tables.streams, None);
        assert!(tables.take(&packet(0x1000, false, other)));
        let stream = |pid, stream_type| Stream { pid, stream_type };
        let expected = [stream(256, 0x1b), stream(257, stream_type::EC3), stream(258, 0x06)];
        assert_eq!(tables.streams.as_deref(), Some(&expected[..]));
        assert!(!tables.take(&packet(256, true, &map)));
    }

    #[test]
    fn a_damaged_section_is_no_section() {
        let mut damaged = association();
        damaged[12] ^= 1;
        let mut tables = Tables::default();
        tables.take(&packet(0, true, &damaged));
        assert_eq!(tables.map_pid, None);
        tables.take(&packet(0, true, &association()));
        assert_eq!(tables.map_pid, Some(0x1000));
        for length in 0..40 {
            Tables::default().take(&packet(0, true, &vec![0; length]));
        }
    }

    #[test]
    fn sections_follow_one_another_and_those_to_come_do_not_count() {
        let network = section(0, &[0, 1, 0xc1, 0, 0, 0, 0, 0xe0, 16]);
        let to_come = section(0, &[0, 1, 0xc0, 0, 0, 0, 1, 0xe0, 17]);
        let program = section(0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0]);
        let mut tables = Tables::default();
        tables.take(&packet(0, true, &[vec![0], to_come.clone()].concat()));
        assert_eq!(tables.map_pid, None, "it is not in force");
        // The rest of one comes before the pointer of the next.
        let (one, other) = program.split_at(6);
        tables.take(&packet(0, true, &[&[0], network.as_slice(), &to_come, one].concat()));
        let rest = [&[other.len() as u8], other, network.as_slice(), &[0xff; 9]].concat();
        tables.take(&packet(0, true, &rest));
        assert_eq!(tables.map_pid, Some(0x1000));
        // Both in one packet.
        let mut tables = Tables::default();
        tables.take(&packet(0, true, &[vec![0], network, program].concat()));
        assert_eq!(tables.map_pid, Some(0x1000));
    }

    #[test]
    fn a_section_is_checked_once() {
        let network = section(0, &[0, 1, 0xc1, 0, 0, 0, 0, 0xe0, 16]);
        let mut section = Section::default();
        let mut count = 0;
        section.take(&packet(0, true, &[vec![0], network].concat()), 0, |_| count += 1);
        for _ in 0..9 {
            section.take(&packet(0, false, &[0xff; 184]), 0, |_| count += 1);
        }
        assert_eq!((count, section.bytes.len()), (1, 0));
    }
}
