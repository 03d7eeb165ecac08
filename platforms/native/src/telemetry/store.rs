//! Where events wait that outlive the process: a file for each run, in a folder for each profile.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use super::ReporterOptions;

/// A longer file is none of ours.
const LONGEST: u64 = 4 << 20;
/// Runs whose events are taken over at most; the others' wait for the next one.
const MOST_RUNS: usize = 64;

pub(super) struct Store {
    folder: PathBuf,
    /// This run's.
    file: PathBuf,
    /// The state of the journal that is in the file.
    holds: Option<u64>,
}

impl Store {
    pub(super) fn new(folder: &Path, options: &ReporterOptions, name: &str) -> Self {
        let folder = folder.join(format!("events-{}", encoded(&options.profile)));
        Self { file: folder.join(format!("{name}.json")), folder, holds: None }
    }

    /// What earlier runs of the profile left, and where.
    pub(super) async fn left(&self) -> Vec<(PathBuf, String)> {
        let (folder, own) = (self.folder.clone(), self.file.clone());
        let read = move || -> io::Result<Vec<_>> {
            let mut left = Vec::new();
            for entry in fs::read_dir(folder)? {
                let path = entry?.path();
                let ours = path.extension().is_some_and(|extension| extension == "json");
                if !ours || path == own || fs::metadata(&path)?.len() > LONGEST {
                    continue;
                }
                // What another run has just taken, or nobody can read, is not ours.
                if let Ok(text) = fs::read_to_string(&path) {
                    left.push((path, text));
                }
                if left.len() == MOST_RUNS {
                    break;
                }
            }
            Ok(left)
        };
        // There is no folder before something had to wait.
        spawn_blocking(read).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    pub(super) async fn remove(&self, files: Vec<(PathBuf, String)>) {
        let remove = move || {
            for (file, _) in files {
                // Gone already, or sent again by the next run and counted once.
                let _ = fs::remove_file(file);
            }
        };
        let _ = spawn_blocking(remove).await;
    }

    /// Whether the file is not that state of the journal.
    pub(super) fn lacks(&self, changes: u64) -> bool {
        self.holds != Some(changes)
    }

    pub(super) async fn put(&mut self, changes: u64, kept: Option<String>) {
        self.holds = Some(changes);
        let (folder, file) = (self.folder.clone(), self.file.clone());
        // A full or forbidden disk: what waits is in memory alone.
        let _ = spawn_blocking(move || match kept {
            Some(kept) => write(&folder, &file, kept.as_bytes()),
            None => fs::remove_file(file),
        })
        .await;
    }
}

/// The file is whole whatever happens, and only its owner reads what somebody watched.
fn write(folder: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let fresh = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&fresh)?.write_all(bytes)?;
    fs::rename(fresh, file)
}

/// A name of a file for each name of a profile.
fn encoded(profile: &str) -> String {
    let mut name = String::new();
    for byte in profile.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            // Capitals as well: some file systems do not tell them apart.
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_a_folder_of_its_own_and_none_elsewhere() {
        assert_eq!(encoded("0af3-b"), "0af3-b");
        assert_eq!(encoded("../Ada"), "_2e_2e_2f_41da");
        assert_ne!(encoded("a/b"), encoded("a_2fb"));
    }
}
