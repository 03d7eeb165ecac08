//! The embedded storage in plain files: what is appended, and what is written whole.
//!
//! Several processes may share a directory. What a call has answered is on the disk.

mod blobs;
mod log;

pub use blobs::FileBlobs;
pub use log::{FileLog, Options as LogOptions};

use super::Error;
use std::{fs::File, io, path::Path};

/// Waits until the names in a directory are on the disk.
fn sync_directory(path: &Path) -> io::Result<()> {
    // What is above a relative path of one word is where the process is.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    // Elsewhere a directory cannot be opened, and its names are written with the files.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// What the system said of a file, for the log.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Unavailable {
        reason: format!("cannot {action} {}: {error}", path.display()),
    }
}
