//! Writing a log: what waits, at once, under the lock.

use super::{
    super::{
        super::{Error, Result},
        failed, sync_directory,
    },
    Options,
    recent::Recent,
    segment::{self, FILE_HEAD, Scan},
};
use crate::{
    clock::UnixTime,
    crash,
    storage::event_log::{Appended, Entry, Retention},
};
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

pub(super) const LOCK: &str = "LOCK";

/// What writes a log.
pub(super) struct Writer {
    directory: PathBuf,
    options: Options,
    lock: File,
    recent: Recent,
    active: Option<Active>,
    /// The offset of the next record.
    next: u64,
}

/// The file that is written to.
struct Active {
    base: u64,
    file: File,
    /// The end of what is known to be whole.
    length: u64,
}

impl Writer {
    pub(super) fn open(directory: &Path, options: Options) -> Result<Self> {
        let lock = (|| {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(directory)?;
            OpenOptions::new().create(true).truncate(false).write(true).open(directory.join(LOCK))
        })()
        .map_err(failed("open the log in", directory))?;
        let mut this = Self {
            directory: directory.to_owned(),
            options,
            lock,
            recent: Recent::new(options.window),
            active: None,
            next: 0,
        };
        this.locked(Self::catch_up)?;
        Ok(this)
    }

    /// Appends what several callers ask for, and says of each entry of each what became of it.
    pub(super) fn append(
        &mut self,
        batch: &[(Vec<Entry>, UnixTime)],
    ) -> Result<Vec<Vec<Appended>>> {
        self.locked(|this| {
            this.catch_up()?;
            let mut bytes = Vec::new();
            let (mut new, mut order) = (HashSet::new(), Vec::new());
            let mut next = this.next;
            let mut all = Vec::with_capacity(batch.len());
            for (entries, now) in batch {
                let outcome = entries.iter().map(|Entry { key, value }| {
                    if this.recent.knows(*key) || !new.insert(*key) {
                        return Appended::Known;
                    }
                    segment::encode(&mut bytes, next, *now, *key, value);
                    order.push(*key);
                    next += 1;
                    Appended::At(next - 1)
                });
                all.push(outcome.collect());
            }
            if !bytes.is_empty() {
                this.write(&bytes)?;
                this.next = next;
                order.into_iter().for_each(|key| this.recent.learn(key));
            }
            Ok(all)
        })
    }

    /// Removes whole files of records that need not be kept, never the one that is written to.
    pub(super) fn retain(&mut self, retention: Retention) -> Result<u64> {
        self.locked(|this| {
            this.catch_up()?;
            let directory = this.directory.clone();
            let retain = || -> io::Result<u64> {
                let mut bases = segment::bases(&directory)?;
                let sizes = bases.iter().map(|&base| fs::metadata(segment::path(&directory, base)));
                let mut total: u64 =
                    sizes.map(|metadata| metadata.map(|m| m.len())).sum::<io::Result<u64>>()?;
                while let [oldest, second, ..] = bases[..] {
                    // All in a file is older than the first record of the next one.
                    let begun = Scan::first(&directory, second)?
                        .and_then(|mut scan| scan.record().transpose())
                        .transpose()?;
                    let old = begun.is_some_and(|record| record.at < retention.from);
                    if !old && total <= retention.bytes {
                        break;
                    }
                    let path = segment::path(&directory, oldest);
                    total -= fs::metadata(&path)?.len();
                    fs::remove_file(&path)?;
                    crash::point("event-log/removed");
                    bases.remove(0);
                }
                sync_directory(&directory)?;
                Ok(bases.first().copied().unwrap_or(0))
            };
            let first = retain();
            first.map_err(failed("remove old files of", &this.directory))
        })
    }

    /// Does something while no other process writes.
    fn locked<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.lock.lock().map_err(failed("lock", &self.directory))?;
        let outcome = work(self);
        // The system unlocks at the latest when the process ends.
        let _ = self.lock.unlock();
        outcome
    }

    /// Reads what is there and not known yet, and cuts off at the end what is not whole.
    fn catch_up(&mut self) -> Result<()> {
        let directory = self.directory.clone();
        let cannot_read = || failed("read", &directory);
        let bases = segment::bases(&directory).map_err(cannot_read())?;
        let unread = match &self.active {
            None => {
                self.recent = Recent::new(self.options.window);
                self.window_begins(&bases)?
            }
            // Another process let go of what was written to here, and perhaps of more: the log goes on with what it
            // has left, as it does when it is opened. Old files go first, so that nothing is missing in between.
            Some(active) if bases.first().is_some_and(|&first| first > active.base) => {
                self.active = None;
                self.window_begins(&bases)?
            }
            Some(active) => bases.partition_point(|&base| base < active.base),
        };
        for (at, &base) in bases.iter().enumerate().skip(unread) {
            let last = at + 1 == bases.len();
            let known = self.active.as_ref().filter(|active| active.base == base);
            if let Some(active) = known
                && last
                && fs::metadata(segment::path(&directory, base)).map_err(cannot_read())?.len()
                    == active.length
            {
                break;
            }
            let scan = match known {
                Some(active) => Scan::from(&directory, base, active.length, self.next).map(Some),
                None => Scan::first(&directory, base),
            };
            let Some(mut scan) = scan.map_err(cannot_read())? else {
                self.without_head(base, last)?;
                continue;
            };
            if known.is_none() && self.active.is_some() && base != self.next {
                let reason = format!("records {} to {base} are missing", self.next);
                return Err(Error::Damaged { what: "event log", reason });
            }
            while let Some(record) = scan.record().map_err(cannot_read())? {
                self.recent.learn(record.key);
            }
            let active = self.cut_off(base, &scan, last).map_err(|error| match error {
                Ok(error) => error,
                Err(error) => cannot_read()(error),
            })?;
            (self.active, self.next) = (Some(active), scan.next);
        }
        Ok(())
    }

    /// The first file of the latest that hold all keys that are to be known.
    fn window_begins(&self, bases: &[u64]) -> Result<usize> {
        let Some((&last, _)) = bases.split_last() else { return Ok(0) };
        // How many records the last file has is not known yet, and none is counted on.
        let from = last.saturating_sub(self.recent.most() as u64);
        Ok(bases.partition_point(|&base| base <= from).saturating_sub(1))
    }

    /// A file is not even begun: its maker ended before anything was in it.
    fn without_head(&mut self, base: u64, last: bool) -> Result<()> {
        let path = segment::path(&self.directory, base);
        let length = fs::metadata(&path).map_err(failed("read", &path))?.len();
        if !last || length > FILE_HEAD as u64 {
            let reason = format!("{} does not begin as it should", path.display());
            return Err(Error::Damaged { what: "event log", reason });
        }
        fs::remove_file(&path).map_err(failed("remove", &path))
    }

    fn cut_off(
        &self,
        base: u64,
        scan: &Scan,
        last: bool,
    ) -> std::result::Result<Active, Result<Error, io::Error>> {
        let path = segment::path(&self.directory, base);
        let file = OpenOptions::new().write(true).open(&path).map_err(Err)?;
        let length = file.metadata().map_err(Err)?.len();
        if length > scan.position {
            scan.check_is_end().map_err(Ok)?;
            if !last {
                let reason = format!("{} ends in the middle of a record", path.display());
                return Err(Ok(Error::Damaged { what: "event log", reason }));
            }
            tracing::warn!(
                path = %path.display(),
                bytes = length - scan.position,
                "a record that was not written to its end is cut off"
            );
            file.set_len(scan.position).map_err(Err)?;
        }
        // Who wrote this may have ended before it was on the disk: from here on it is counted on.
        file.sync_all().map_err(Err)?;
        Ok(Active { base, file, length: scan.position })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let full = self.active.as_ref().is_none_or(|active| active.length >= self.options.segment);
        if full {
            self.begin_file().map_err(failed("begin a file in", &self.directory))?;
        }
        let Some(active) = &mut self.active else {
            return Err(Error::Unavailable { reason: "no file is open".to_owned() });
        };
        let written = (|| {
            active.file.seek(SeekFrom::Start(active.length))?;
            crash::point("event-log/begun");
            if crash::due("event-log/torn") {
                active.file.write_all(&bytes[..bytes.len() / 2])?;
                active.file.sync_data()?;
                std::process::abort();
            }
            active.file.write_all(bytes)?;
            crash::point("event-log/written");
            active.file.sync_data()?;
            crash::point("event-log/synced");
            Ok(())
        })();
        match written {
            Ok(()) => active.length += bytes.len() as u64,
            Err(error) => {
                // What may or may not be on the disk must not become a record later.
                if active.file.set_len(active.length).is_err() {
                    self.active = None;
                }
                return Err(failed("write", &self.directory)(error));
            }
        }
        Ok(())
    }

    fn begin_file(&mut self) -> io::Result<()> {
        let path = segment::path(&self.directory, self.next);
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        crash::point("event-log/file-created");
        file.write_all(&segment::file_head(self.next))?;
        file.sync_all()?;
        sync_directory(&self.directory)?;
        crash::point("event-log/file-begun");
        self.active = Some(Active { base: self.next, file, length: FILE_HEAD as u64 });
        Ok(())
    }
}
