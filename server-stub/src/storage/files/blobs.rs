//! Blobs as files of one directory.
//!
//! A blob is written beside its place, under a name that begins with a dot, and moved there when all of it is on
//! the disk. Who writes holds a lock on that file: what is left of a process that died has none, and goes.

use super::{
    super::{Error, Result, blocking},
    failed, sync_directory,
};
use crate::{
    crash, id,
    storage::blobs::{Blob, BlobName, Blobs},
};
use async_trait::async_trait;
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

/// Blobs in a directory.
#[derive(Debug, Clone)]
pub struct FileBlobs {
    directory: PathBuf,
}

const PART: &str = ".part";

impl FileBlobs {
    /// Blobs in a directory, which is made when there is something to write.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn open(directory: &Path) -> Result<Self> {
        let this = Self { directory: directory.to_owned() };
        let swept = this.clone();
        blocking(move || swept.sweep(&swept.directory)).await?;
        Ok(this)
    }

    fn path(&self, name: &BlobName) -> PathBuf {
        name.as_str().split('/').fold(self.directory.clone(), |path, word| path.join(word))
    }

    /// Removes what processes left behind that ended while they wrote.
    fn sweep(&self, folder: &Path) -> Result<()> {
        for (path, is_folder) in entries(folder)? {
            if is_folder {
                self.sweep(&path)?;
            } else if file_name(&path).starts_with('.') && file_name(&path).ends_with(PART) {
                let abandoned = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
                if abandoned {
                    // Another process may have done so at the same time.
                    let _ = fs::remove_file(&path);
                }
            }
        }
        Ok(())
    }

    /// Writes a blob; false if `place` finds another in its place.
    fn write(
        &self,
        name: &BlobName,
        bytes: &[u8],
        place: impl FnOnce(&Path, &Path) -> io::Result<bool>,
    ) -> Result<bool> {
        let path = self.path(name);
        let folder = path.parent().unwrap_or(&self.directory);
        self.create_folder(folder)?;
        let part = folder.join(format!(".{}{PART}", id::hex(&id::random::<8>())));
        let written = (|| {
            let mut file = File::create_new(&part)?;
            file.lock()?;
            crash::point("blobs/created");
            if crash::due("blobs/torn") {
                file.write_all(&bytes[..bytes.len() / 2])?;
                std::process::abort();
            }
            file.write_all(bytes)?;
            file.sync_all()?;
            crash::point("blobs/written");
            let placed = place(&part, &path)?;
            crash::point("blobs/placed");
            sync_directory(folder)?;
            Ok(placed)
        })();
        if !matches!(written, Ok(true)) {
            // Where the move was made, there is nothing left to remove.
            let _ = fs::remove_file(&part);
        }
        written.map_err(failed("write", &path))
    }

    /// Makes a folder and those above it, up to the directory's own, each of them on the disk.
    fn create_folder(&self, folder: &Path) -> Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.create_folder(above)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create", folder)(error));
            }
            _ => {}
        }
        match folder.parent() {
            Some(above) => sync_directory(above).map_err(failed("write", above)),
            None => Ok(()),
        }
    }

    fn list_in(&self, folder: &Path, prefix: &str, found: &mut Vec<Blob>) -> Result<()> {
        for (path, is_folder) in entries(folder)? {
            let Ok(relative) = path.strip_prefix(&self.directory) else { continue };
            let words: Option<Vec<&str>> = relative.iter().map(|word| word.to_str()).collect();
            let Some(name) = words.map(|words| words.join("/")) else { continue };
            if is_folder {
                let inside = format!("{name}/");
                if inside.starts_with(prefix) || prefix.starts_with(&inside) {
                    self.list_in(&path, prefix, found)?;
                }
            } else if name.starts_with(prefix)
                && let Ok(name) = BlobName::try_from(name)
                && let Ok(metadata) = fs::metadata(&path)
            {
                found.push(Blob { name, size: metadata.len() });
            }
        }
        Ok(())
    }
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// What is in a folder, and whether it is one itself; nothing if there is no folder.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let read = || -> io::Result<_> {
        let entries = fs::read_dir(folder)?;
        entries.map(|entry| entry.and_then(|e| Ok((e.path(), e.file_type()?.is_dir())))).collect()
    };
    unless_missing(read()).map(Option::unwrap_or_default).map_err(failed("look into", folder))
}

fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory | IsADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(&self, name: &BlobName, bytes: Vec<u8>) -> Result<()> {
        let (this, name) = (self.clone(), name.clone());
        blocking(move || {
            this.write(&name, &bytes, |part, path| fs::rename(part, path).map(|()| true)).map(drop)
        })
        .await
    }

    async fn create(&self, name: &BlobName, bytes: Vec<u8>) -> Result<bool> {
        let (this, name) = (self.clone(), name.clone());
        blocking(move || {
            this.write(&name, &bytes, |part, path| match fs::hard_link(part, path) {
                Ok(()) => fs::remove_file(part).map(|()| true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                Err(error) => Err(error),
            })
        })
        .await
    }

    async fn read(&self, name: &BlobName, range: Range<u64>) -> Result<Option<Vec<u8>>> {
        let path = self.path(name);
        blocking(move || {
            let read = || -> io::Result<Vec<u8>> {
                let mut file = File::open(&path)?;
                if range.start > 0 {
                    file.seek(SeekFrom::Start(range.start))?;
                }
                let mut bytes = Vec::new();
                let length = range.end.saturating_sub(range.start);
                file.take(length).read_to_end(&mut bytes)?;
                Ok(bytes)
            };
            unless_missing(read()).map_err(failed("read", &path))
        })
        .await
    }

    async fn size(&self, name: &BlobName) -> Result<Option<u64>> {
        let path = self.path(name);
        blocking(move || match unless_missing(fs::metadata(&path)) {
            Ok(metadata) => Ok(metadata.filter(fs::Metadata::is_file).map(|found| found.len())),
            Err(error) => Err(failed("look at", &path)(error)),
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Blob>> {
        let (this, prefix) = (self.clone(), prefix.to_owned());
        blocking(move || {
            let mut found = Vec::new();
            this.list_in(&this.directory, &prefix, &mut found)?;
            found.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(found)
        })
        .await
    }

    async fn remove(&self, name: &BlobName) -> Result<bool> {
        let path = self.path(name);
        let folder = path.parent().map_or_else(|| self.directory.clone(), Path::to_owned);
        blocking(move || {
            crash::point("blobs/remove");
            let removed =
                unless_missing(fs::remove_file(&path)).map_err(failed("remove", &path))?;
            if removed.is_some() {
                crash::point("blobs/removed");
                sync_directory(&folder).map_err(failed("write", &folder))?;
            }
            Ok(removed.is_some())
        })
        .await
    }

    async fn ready(&self) -> Result<()> {
        let directory = self.directory.clone();
        blocking(move || match unless_missing(fs::read_dir(&directory)) {
            Ok(_) => Ok(()),
            Err(error) => Err::<_, Error>(failed("look into", &directory)(error)),
        })
        .await
    }
}
