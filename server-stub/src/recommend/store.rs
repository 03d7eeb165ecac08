//! Models on disk: one file for each version, and one that names the current version.
//!
//! A file gets its name only when all of it is on the disk, and `CURRENT` is replaced in one step after that,
//! so that a crash at any moment leaves a model that loads.

use super::{Error, Result, codec, model::Model};
use serde::Serialize;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

const CURRENT: &str = "CURRENT";
const EXTENSION: &str = ".model";

/// A directory of models.
#[derive(Debug, Clone)]
pub struct Store<F = Disk> {
    directory: PathBuf,
    files: F,
}

/// A version in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its name: a number that rises, and the beginning of the file's SHA-256.
    pub version: String,
    /// The size of its file, bytes.
    pub bytes: u64,
    /// Whether it is the one to use.
    pub current: bool,
}

/// A model that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// Its version.
    pub version: String,
    /// The model.
    pub model: Model,
    /// What was refused before it.
    pub refused: Vec<Error>,
}

impl Store {
    /// The store in this directory, which is made when something is published.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), files: Disk }
    }
}

impl<F: Files> Store<F> {
    /// Writes a model as a new version and makes it the current one.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Model`]; the current version is then either the one it was or the new one.
    pub fn publish(&self, model: &Model) -> Result<String> {
        let refused = |reason| Error::Model { version: "to be".into(), reason };
        let file = codec::encode(model).map_err(refused)?;
        codec::decode(&file).map_err(refused)?;
        let directory = &self.directory;
        self.files.create_directory(directory).map_err(Error::io("create", directory))?;
        let last = self.versions()?.pop().and_then(|version| number(&version.version));
        let version = format!("{:08}-{}", last.unwrap_or(0) + 1, codec::fingerprint(&file));
        self.put(&format!("{version}{EXTENSION}"), &file)?;
        self.set_current(&version)?;
        Ok(version)
    }

    /// The versions, the oldest first.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn versions(&self) -> Result<Vec<Version>> {
        let current = self.current()?;
        let listed = match self.files.list(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(Error::io("look into", &self.directory))?,
        };
        let mut versions: Vec<Version> = listed
            .into_iter()
            .filter_map(|(name, bytes)| {
                let version = name.strip_suffix(EXTENSION)?.to_owned();
                number(&version)?;
                let current = Some(&version) == current.as_ref();
                Some(Version { version, bytes, current })
            })
            .collect();
        versions
            .sort_unstable_by_key(|version| (number(&version.version), version.version.clone()));
        Ok(versions)
    }

    /// The current model; where that one is refused, the latest before it that loads.
    ///
    /// # Errors
    /// [`Error::NoModel`] when nothing was published, the refusal when nothing loads, or [`Error::Io`].
    pub fn load(&self) -> Result<Loaded> {
        let Some(current) = self.current()? else {
            let reason = format!(
                "no model in {}; train one with `kinora-server recommend train`",
                self.directory.display()
            );
            return Err(Error::NoModel { reason });
        };
        let mut refused = Vec::new();
        for version in std::iter::once(current.clone()).chain(self.before(&current)?) {
            match self.read(&version) {
                Ok(model) => return Ok(Loaded { version, model, refused }),
                Err(error) => refused.push(error),
            }
        }
        Err(refused.swap_remove(0))
    }

    /// Makes the latest version before the current one that loads the current one.
    ///
    /// # Errors
    /// [`Error::NoModel`] when there is none; the current version stays.
    pub fn roll_back(&self) -> Result<String> {
        let current = self.current()?.unwrap_or_default();
        match self.before(&current)?.into_iter().find(|version| self.read(version).is_ok()) {
            Some(version) => self.set_current(&version).map(|()| version),
            None => {
                let reason = format!("no model before {current} that loads; nothing was changed");
                Err(Error::NoModel { reason })
            }
        }
    }

    /// Removes all but the `keep` latest versions; the current one stays, and the one before it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn prune(&self, keep: usize) -> Result<Vec<String>> {
        let versions = self.versions()?;
        let current = versions.iter().position(|version| version.current).unwrap_or(0);
        let first = versions.len().saturating_sub(keep).min(current.saturating_sub(1));
        let mut removed = Vec::new();
        for Version { version, .. } in versions.into_iter().take(first) {
            let path = self.directory.join(format!("{version}{EXTENSION}"));
            self.files.remove(&path).map_err(Error::io("remove", &path))?;
            removed.push(version);
        }
        Ok(removed)
    }

    fn current(&self) -> Result<Option<String>> {
        let path = self.directory.join(CURRENT);
        match self.files.read(&path, 256) {
            Ok(name) => Ok(Some(String::from_utf8_lossy(&name).trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path)(error)),
        }
    }

    /// The versions before this one, the latest first.
    fn before(&self, version: &str) -> Result<Vec<String>> {
        let mut versions = self.versions()?;
        versions.retain(|other| number(&other.version) < number(version));
        Ok(versions.into_iter().rev().map(|version| version.version).collect())
    }

    fn read(&self, version: &str) -> Result<Model> {
        let refused = |reason| Error::Model { version: version.to_owned(), reason };
        if number(version).is_none() {
            return Err(refused("it is no version's name".to_owned()));
        }
        let path = self.directory.join(format!("{version}{EXTENSION}"));
        let file = self
            .files
            .read(&path, codec::MAX_FILE)
            .map_err(|error| refused(format!("it cannot be read: {}", error.kind())))?;
        codec::decode(&file).map_err(refused)
    }

    fn set_current(&self, version: &str) -> Result<()> {
        self.put(CURRENT, format!("{version}\n").as_bytes())
    }

    /// Writes a file beside its place, then moves it there.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.directory.join(name);
        let part = self.directory.join(format!(".{name}.{}.part", std::process::id()));
        let written = self
            .files
            .write(&part, bytes)
            .and_then(|()| self.files.rename(&part, &path))
            .and_then(|()| self.files.sync_directory(&self.directory));
        if written.is_err() {
            // Best effort: a part is never read, and the next one of the same name replaces it.
            let _ = self.files.remove(&part);
        }
        written.map_err(Error::io("write", &path))
    }
}

/// The number in a version's name, if it is one.
fn number(version: &str) -> Option<u64> {
    let (number, fingerprint) = version.split_once('-')?;
    let named = fingerprint.len() == 12 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit());
    if named && number.bytes().all(|b| b.is_ascii_digit()) { number.parse().ok() } else { None }
}

/// What a store does to files, so that tests can fail each step.
///
/// Each fails with what the system says.
pub trait Files {
    /// Makes a directory and those above it.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Writes a whole file and waits until it is on the disk.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Moves a file, over another if there is one, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Waits until the names in a directory are on the disk.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Reads a file of at most `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
    /// The files in a directory with their sizes.
    fn list(&self, path: &Path) -> io::Result<Vec<(String, u64)>>;
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if let (true, Ok(name)) = (metadata.is_file(), entry.file_name().into_string()) {
                files.push((name, metadata.len()));
            }
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recommend::testing::trained;
    use std::cell::Cell;

    /// The disk of a program that dies: from the nth change on nothing happens any more, and the nth write
    /// itself stops half way.
    struct Dying {
        left: Cell<usize>,
    }

    impl Dying {
        fn step(&self) -> io::Result<()> {
            let left = self.left.get();
            self.left.set(left.saturating_sub(1));
            if left == 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        }
    }

    impl Files for Dying {
        fn create_directory(&self, path: &Path) -> io::Result<()> {
            Disk.create_directory(path)
        }
        fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            if let Err(error) = self.step() {
                Disk.write(path, &bytes[..bytes.len() / 2])?;
                return Err(error);
            }
            Disk.write(path, bytes)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.step().and_then(|()| Disk.rename(from, to))
        }
        fn sync_directory(&self, path: &Path) -> io::Result<()> {
            self.step().and_then(|()| Disk.sync_directory(path))
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.step().and_then(|()| Disk.remove(path))
        }
        fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
            Disk.read(path, limit)
        }
        fn list(&self, path: &Path) -> io::Result<Vec<(String, u64)>> {
            Disk.list(path)
        }
    }

    #[test]
    fn versions_rise_and_roll_back() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().join("models"));
        assert!(matches!(store.load(), Err(Error::NoModel { .. })));
        let first = store.publish(&trained(1)).unwrap();
        let second = store.publish(&trained(2)).unwrap();
        assert!(first.starts_with("00000001-") && second.starts_with("00000002-"));
        assert_eq!(store.load().unwrap().model, trained(2));

        assert_eq!(store.roll_back(), Ok(first.clone()));
        assert_eq!(store.load().unwrap().version, first);
        assert!(matches!(store.roll_back(), Err(Error::NoModel { .. })));
        assert_eq!(store.load().unwrap().model, trained(1));

        let third = store.publish(&trained(3)).unwrap();
        assert!(third.starts_with("00000003-"), "a number is not used twice: {third}");
        let listed = store.versions().unwrap();
        assert_eq!(listed.iter().map(|v| v.current).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(store.prune(1), Ok(vec![first]), "a step back stays possible");
        assert_eq!(store.roll_back(), Ok(second));
    }

    #[test]
    fn a_damaged_model_is_refused_and_the_one_before_it_used() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        let first = store.publish(&trained(1)).unwrap();
        let second = store.publish(&trained(2)).unwrap();
        let path = directory.path().join(format!("{second}.model"));
        let file = fs::read(&path).unwrap();
        fs::write(&path, &file[..file.len() - 9]).unwrap();
        let loaded = store.load().unwrap();
        assert_eq!(loaded.version, first);
        let refusal = Error::Model { version: second, reason: "it is cut off".into() };
        assert_eq!(loaded.refused, std::slice::from_ref(&refusal));

        fs::remove_file(directory.path().join(format!("{first}.model"))).unwrap();
        assert_eq!(store.load().unwrap_err(), refusal);
        fs::write(directory.path().join(CURRENT), "../../etc/passwd").unwrap();
        assert!(matches!(store.load(), Err(Error::Model { .. })));
    }

    #[test]
    fn dying_at_any_step_leaves_a_model_that_loads() {
        let mut steps = 0;
        loop {
            let directory = tempfile::tempdir().unwrap();
            let store = Store::new(directory.path());
            store.publish(&trained(1)).unwrap();
            let dying = Dying { left: Cell::new(steps) };
            let dying = Store { directory: directory.path().to_owned(), files: dying };
            let published = dying.publish(&trained(2));
            let loaded = store.load().unwrap();
            assert_eq!(loaded.refused, [], "dead after {steps} steps");
            let expected = if published.is_ok() { 2 } else { loaded.model.trained_at() };
            assert_eq!(loaded.model, trained(expected), "dead after {steps} steps");
            // Whatever was left behind is in nobody's way.
            store.publish(&trained(3)).unwrap();
            assert_eq!(store.load().unwrap().model, trained(3));
            if published.is_ok() {
                break;
            }
            steps += 1;
        }
        assert_eq!(steps, 6, "two files, each written, moved, and its name synced");
    }
}
