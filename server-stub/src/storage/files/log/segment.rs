//! One file of a log: a head, and records one after the other.

use super::super::super::{Error, Result};
use crate::{
    clock::UnixTime,
    storage::event_log::{Key, LARGEST, Record},
};
use std::{
    fs::{self, File},
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

const MAGIC: [u8; 8] = *b"KNRLOG1\n";
/// What a file begins with: the magic number, the offset of its first record, and the CRC of both.
pub(super) const FILE_HEAD: usize = 20;
/// What a record begins with: the CRC of all that follows, the length of its value, its offset, the time, the key.
pub(super) const HEAD: usize = 4 + 4 + 8 + 8 + 16;
const EXTENSION: &str = ".log";

/// Where the file of those records is.
pub(super) fn path(directory: &Path, base: u64) -> PathBuf {
    directory.join(format!("{base:020}{EXTENSION}"))
}

/// The first offsets of the files in a directory, the oldest first.
pub(super) fn bases(directory: &Path) -> io::Result<Vec<u64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let base = name.to_str().and_then(|name| name.strip_suffix(EXTENSION));
        bases
            .extend(base.filter(|base| base.len() == 20).and_then(|base| base.parse::<u64>().ok()));
    }
    bases.sort_unstable();
    Ok(bases)
}

pub(super) fn file_head(base: u64) -> [u8; FILE_HEAD] {
    let mut head = [0; FILE_HEAD];
    head[..8].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&base.to_le_bytes());
    let crc = crc32fast::hash(&head[..16]);
    head[16..].copy_from_slice(&crc.to_le_bytes());
    head
}

/// Appends a record's bytes.
pub(super) fn encode(into: &mut Vec<u8>, offset: u64, at: UnixTime, key: Key, value: &[u8]) {
    let start = into.len();
    into.extend([0; 4]);
    into.extend((value.len() as u32).to_le_bytes());
    into.extend(offset.to_le_bytes());
    into.extend(at.0.to_le_bytes());
    into.extend(key.0);
    into.extend(value);
    let crc = crc32fast::hash(&into[start + 4..]);
    into[start..start + 4].copy_from_slice(&crc.to_le_bytes());
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut number = [0; N];
    number.copy_from_slice(&bytes[at..at + N]);
    number
}

/// The length and the offset that a record's head says.
fn said(head: &[u8]) -> (usize, u64) {
    (u32::from_le_bytes(number(head, 4)) as usize, u64::from_le_bytes(number(head, 8)))
}

/// The record that these bytes begin with, if it is whole and has that offset.
fn decode(bytes: &[u8], offset: u64) -> Option<Record> {
    let head = bytes.get(..HEAD)?;
    let (length, found) = said(head);
    if length > LARGEST || found != offset {
        return None;
    }
    let rest = bytes.get(4..HEAD + length)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(number(head, 0)) {
        return None;
    }
    Some(Record {
        offset,
        at: UnixTime(i64::from_le_bytes(number(head, 16))),
        key: Key(number(head, 24)),
        value: bytes[HEAD..HEAD + length].to_vec(),
    })
}

/// Reads records one after the other, until there is none that is whole.
pub(super) struct Scan {
    path: PathBuf,
    reader: BufReader<File>,
    buffer: Vec<u8>,
    /// Where the next record begins.
    pub(super) position: u64,
    /// The offset it has.
    pub(super) next: u64,
}

impl Scan {
    /// From the first record of a file; none if its head is not whole.
    pub(super) fn first(directory: &Path, base: u64) -> io::Result<Option<Self>> {
        let path = path(directory, base);
        let mut file = File::open(&path)?;
        let mut head = [0; FILE_HEAD];
        match file.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let whole = head == file_head(base);
        Ok(whole.then(|| Self::new(path, file, FILE_HEAD as u64, base)))
    }

    /// From a record that is known to be there.
    pub(super) fn from(directory: &Path, base: u64, position: u64, next: u64) -> io::Result<Self> {
        let path = path(directory, base);
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start(position))?;
        Ok(Self::new(path, file, position, next))
    }

    fn new(path: PathBuf, file: File, position: u64, next: u64) -> Self {
        let reader = BufReader::with_capacity(64 * 1024, file);
        Self { path, reader, buffer: Vec::new(), position, next }
    }

    /// The next record; none at the end of what is whole.
    pub(super) fn record(&mut self) -> io::Result<Option<Record>> {
        self.buffer.resize(HEAD, 0);
        if !filled(&mut self.reader, &mut self.buffer)? {
            return Ok(None);
        }
        let (length, offset) = said(&self.buffer);
        if length > LARGEST || offset != self.next {
            return Ok(None);
        }
        self.buffer.resize(HEAD + length, 0);
        if !filled(&mut self.reader, &mut self.buffer[HEAD..])? {
            return Ok(None);
        }
        let record = decode(&self.buffer, self.next);
        if record.is_some() {
            self.position += (HEAD + length) as u64;
            self.next += 1;
        }
        Ok(record)
    }

    /// Makes sure that nothing whole comes after the end that was reached: a record that is not whole may be cut
    /// off when it is the last, and not when others were acknowledged after it.
    pub(super) fn check_is_end(&self) -> Result<()> {
        let unavailable = super::super::failed("read", &self.path);
        let rest = (|| {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.position))?;
            let mut rest = Vec::new();
            // A torn write is no longer than what is written at once.
            file.take(2 * super::MOST_AT_ONCE as u64).read_to_end(&mut rest)?;
            Ok(rest)
        })()
        .map_err(unavailable)?;
        let later = (1..rest.len().saturating_sub(HEAD)).any(|start| {
            let (_, offset) = said(&rest[start..start + HEAD]);
            (self.next + 1..self.next + 100_000).contains(&offset)
                && decode(&rest[start..], offset).is_some()
        });
        if later {
            let reason = format!(
                "record {} in {} at byte {} is not whole, and others follow it",
                self.next,
                self.path.display(),
                self.position
            );
            return Err(Error::Damaged { what: "event log", reason });
        }
        Ok(())
    }
}

/// Fills a buffer; false if there is less.
fn filled(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
