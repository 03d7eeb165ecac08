//! The chunks of a segment that is sent while it is made (CMAF, ISO/IEC 23000-19 §7.3.2.3): each a
//! `moof` with its `mdat`, found as they arrive by looking at little more than what is before each
//! `mdat`.

use super::boxes::Header;
use crate::time::Timestamp;

/// Where the first chunk of some bytes has its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLayout {
    /// Bytes before the `mdat`.
    pub head: u64,
    /// Bytes of the whole; none if its `mdat` goes on to the end of the body.
    pub length: Option<u64>,
}

/// The layout of the chunk that `data` begins with, once the header of its `mdat` has arrived; none as
/// long as it has not, or if `data` is not ISO BMFF.
pub fn chunk_layout(data: &[u8]) -> Option<ChunkLayout> {
    let mut start = 0u64;
    loop {
        let header = Header::read(data.get(usize::try_from(start).ok()?..)?, 0).ok()?;
        if header.kind.0 == *b"mdat" {
            let length = header.size.map(|size| start.saturating_add(size));
            return Some(ChunkLayout { head: start, length });
        }
        start = start.checked_add(header.size?)?;
    }
}

/// A chunk that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The boxes before its `mdat`.
    pub head: Vec<u8>,
    /// Where it begins in the body.
    pub start: u64,
    /// The first byte after it.
    pub end: u64,
    /// When its first byte arrived.
    pub began: Timestamp,
}

/// Finds the chunks of one body as it arrives, for hosts that keep bodies
/// ([`BodyHandling::KeepChunks`](crate::io::BodyHandling::KeepChunks)).
#[derive(Debug, Default)]
pub struct ChunkHunt {
    start: u64,
    /// What has been read of the chunk so far: all of its beginning.
    prefix: Vec<u8>,
    layout: Option<ChunkLayout>,
    began: Option<Timestamp>,
    lost: bool,
}

impl ChunkHunt {
    /// Bytes read at first; as many again each time they do not suffice.
    const STEP: u64 = 2048;
    /// A head larger than this is taken for something else.
    const MOST: usize = 1 << 20;

    /// Takes note that `received` bytes of the body have arrived by now. `read` gives a span of them,
    /// which lies within what arrived last. Call until there is nothing.
    pub fn advance(
        &mut self,
        received: u64,
        now: Timestamp,
        read: &mut dyn FnMut(u64, u64) -> Vec<u8>,
    ) -> Option<Chunk> {
        if received <= self.start || self.lost {
            return None;
        }
        self.began.get_or_insert(now);
        while self.layout.is_none() {
            let from = self.start + self.prefix.len() as u64;
            let step = Self::STEP.max(self.prefix.len() as u64);
            let to = received.min(from + step);
            if from >= to {
                return None;
            }
            self.prefix.extend_from_slice(&read(from, to));
            self.layout = chunk_layout(&self.prefix);
            if self.layout.is_none() && self.prefix.len() > Self::MOST {
                self.lost = true;
                return None;
            }
        }
        let length = self.layout?.length?;
        self.finish(self.start.checked_add(length)?, received)
    }

    /// The body has ended after so many bytes. The chunk that goes on to its end, if there is one.
    pub fn end(&mut self, received: u64) -> Option<Chunk> {
        if self.layout?.length.is_some() {
            return None;
        }
        self.finish(received, received)
    }

    fn finish(&mut self, end: u64, received: u64) -> Option<Chunk> {
        let layout = self.layout.filter(|_| end <= received && end > self.start)?;
        let mut head = core::mem::take(&mut self.prefix);
        head.truncate(usize::try_from(layout.head).unwrap_or(0));
        let start = core::mem::replace(&mut self.start, end);
        self.layout = None;
        Some(Chunk { head, start, end, began: self.began.take()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body() -> Vec<u8> {
        let mut body = b"\0\0\0\x09stypX\0\0\0\x0amoofAA\0\0\0\x0dmdat12345".to_vec();
        body.extend(b"\0\0\0\x0amoofBB\0\0\0\x01mdat\0\0\0\0\0\0\0\x12XX");
        body.extend(b"\0\0\0\x0amoofCC\0\0\0\0mdatto the end");
        body
    }

    fn hunt(pieces: &[usize]) -> Vec<Chunk> {
        let body = body();
        let (mut hunt, mut received, mut found) = (ChunkHunt::default(), 0, Vec::new());
        for &piece in pieces.iter().chain([&body.len()]) {
            let last = received;
            received = (received + piece).min(body.len());
            let now = Timestamp::from_micros(received as u64);
            let mut read = |from: u64, to: u64| {
                assert!(from >= last as u64 && to <= received as u64 && from < to);
                body[from as usize..to as usize].to_vec()
            };
            while let Some(chunk) = hunt.advance(received as u64, now, &mut read) {
                found.push(chunk);
            }
        }
        found.extend(hunt.end(received as u64));
        found
    }

    #[test]
    fn chunks_are_found_in_one_piece() {
        let found = hunt(&[]);
        let spans: Vec<_> = found.iter().map(|chunk| (chunk.start, chunk.end)).collect();
        assert_eq!(spans, [(0, 32), (32, 60), (60, body().len() as u64)]);
        assert_eq!(found[0].head, b"\0\0\0\x09stypX\0\0\0\x0amoofAA");
        assert_eq!(found[1].head, b"\0\0\0\x0amoofBB");
    }

    #[test]
    fn a_chunk_begins_when_its_first_byte_arrives() {
        let found = hunt(&[32, 1, 40]);
        assert_eq!(found[0].began.micros(), 32);
        assert_eq!(found[1].began.micros(), 33);
        assert_eq!(found[2].began.micros(), 73);
    }

    #[test]
    fn what_is_no_media_has_no_chunks() {
        let mut hunt = ChunkHunt::default();
        let mut read = |from: u64, to: u64| vec![b'<'; (to - from) as usize];
        assert_eq!(hunt.advance(5_000_000, Timestamp::default(), &mut read), None);
        assert_eq!(hunt.end(5_000_000), None);
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(pieces in proptest::collection::vec(1usize..40, 0..12)) {
            let strip = |chunks: Vec<Chunk>| -> Vec<_> {
                chunks.into_iter().map(|chunk| (chunk.head, chunk.start, chunk.end)).collect()
            };
            prop_assert_eq!(strip(hunt(&pieces)), strip(hunt(&[])));
        }
    }
}
