//! Reading a log, from wherever it is asked for.

use super::{
    super::{super::Result, failed},
    segment::{self, Scan},
    write::LOCK,
};
use crate::storage::event_log::Record;
use std::{
    fs::File,
    io,
    ops::Range,
    path::Path,
    sync::{Mutex, PoisonError},
};

/// Bytes that are read at once.
const MOST_BYTES: usize = 4 << 20;
/// Places that are remembered: as many may read at once, each from where it stopped.
const PLACES: usize = 16;

/// Places in the files where readings ended, so that the next one goes on there.
#[derive(Default)]
pub(super) struct Cursors(Mutex<Vec<Place>>);

#[derive(Clone, Copy)]
struct Place {
    base: u64,
    position: u64,
    next: u64,
}

impl Cursors {
    pub(super) fn read(&self, directory: &Path, from: u64, most: usize) -> Result<Vec<Record>> {
        let cannot_read = || failed("read", directory);
        // While somebody writes, the end is not what it will be.
        let _lock = shared(directory).map_err(cannot_read())?;
        let bases = segment::bases(directory).map_err(cannot_read())?;
        let (mut records, mut bytes) = (Vec::new(), 0);
        let begin = bases.partition_point(|&base| base <= from).saturating_sub(1);
        for &base in &bases[begin.min(bases.len())..] {
            let Some(mut scan) = self.nearest(directory, base, from).map_err(cannot_read())? else {
                break;
            };
            while records.len() < most && bytes < MOST_BYTES {
                let Some(record) = scan.record().map_err(cannot_read())? else { break };
                if record.offset >= from {
                    bytes += record.value.len() + segment::HEAD;
                    records.push(record);
                }
            }
            self.remember(Place { base, position: scan.position, next: scan.next });
            if records.len() == most || bytes >= MOST_BYTES {
                break;
            }
        }
        Ok(records)
    }

    pub(super) fn range(&self, directory: &Path) -> Result<Range<u64>> {
        let cannot_read = || failed("read", directory);
        let _lock = shared(directory).map_err(cannot_read())?;
        let bases = segment::bases(directory).map_err(cannot_read())?;
        let Some((&first, &last)) = bases.first().zip(bases.last()) else { return Ok(0..0) };
        let mut next = last;
        if let Some(mut scan) = self.nearest(directory, last, u64::MAX).map_err(cannot_read())? {
            while scan.record().map_err(cannot_read())?.is_some() {}
            next = scan.next;
            self.remember(Place { base: last, position: scan.position, next });
        }
        Ok(first..next)
    }

    /// Begins in a file at the last place that is known before an offset.
    fn nearest(&self, directory: &Path, base: u64, from: u64) -> io::Result<Option<Scan>> {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = places.iter().filter(|place| place.base == base && place.next <= from);
        let place = known.max_by_key(|place| place.next).copied();
        drop(places);
        match place {
            Some(Place { position, next, .. }) => {
                Scan::from(directory, base, position, next).map(Some)
            }
            None => Scan::first(directory, base),
        }
    }

    fn remember(&self, place: Place) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|known| (known.base, known.next) != (place.base, place.next));
        if places.len() == PLACES {
            places.remove(0);
        }
        places.push(place);
    }
}

/// A lock that all who read have together.
fn shared(directory: &Path) -> io::Result<File> {
    let file = File::open(directory.join(LOCK))?;
    file.lock_shared()?;
    Ok(file)
}
