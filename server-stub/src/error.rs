//! What can go wrong, one variant a deviation, and the exit code each one ends the program with.

use std::{io, path::PathBuf};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything this crate can fail with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program this command needs is not on `PATH`.
    #[error("`{tool}` is not installed or not on PATH; on Debian: apt-get install ffmpeg")]
    ToolMissing {
        /// The program looked for.
        tool: &'static str,
    },
    /// The source is not something a presentation can be made of.
    #[error("cannot use {source_name} as a source: {reason}")]
    Source {
        /// The source as the caller named it.
        source_name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A flag's value does not make sense, alone or beside another flag.
    #[error("{flag}: {reason}")]
    Option {
        /// The flag.
        flag: &'static str,
        /// What is wrong with its value.
        reason: String,
    },
    /// The output directory holds something already.
    #[error("{} is not empty; pass --force to replace it", path.display())]
    OutputNotEmpty {
        /// The output directory.
        path: PathBuf,
    },
    /// The encoder gave up.
    #[error("the encoder failed ({status}): {message}")]
    Encoder {
        /// Its exit status.
        status: String,
        /// The last lines it wrote to standard error.
        message: String,
    },
    /// A media file is not the ISO base media file it should be (ISO/IEC 14496-12).
    #[error("{}: at byte {offset}: {reason}", path.display())]
    Container {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// Two video representations are not cut at the same times.
    #[error("representation {id} is not aligned with {reference} at segment {segment}")]
    Misaligned {
        /// The representation that differs.
        id: String,
        /// The one it was compared with.
        reference: String,
        /// The first segment (from 1) that differs.
        segment: usize,
    },
    /// A manifest could not be put into words.
    #[error("cannot write the manifest: {reason}")]
    Manifest {
        /// The writer's complaint.
        reason: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {kind}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// The system's answer.
        kind: io::ErrorKind,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {kind}")]
    Listen {
        /// The address.
        address: String,
        /// The system's answer.
        kind: io::ErrorKind,
    },
    /// What the service keeps cannot be used.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] crate::token::KeysError),
    /// Content keys cannot be kept or found.
    #[error(transparent)]
    Vault(#[from] crate::vault::Error),
    /// Content keys made elsewhere cannot be read.
    #[error("{}: {error}", path.display())]
    Cpix {
        /// The document.
        path: PathBuf,
        /// What is wrong with it.
        error: crate::package::protect::cpix::CpixError,
    },
    /// There are no keys of that package.
    #[error("there are no keys of the package {content}")]
    NoKeys {
        /// The package.
        content: String,
    },
    /// There is no account of that address.
    #[error("there is no account of {email}")]
    NoAccount {
        /// The address.
        email: String,
    },
    /// Recommending failed.
    #[error(transparent)]
    Recommend(#[from] crate::recommend::Error),
    /// A signal ended the work before it was done.
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { action, path, kind: error.kind() }
    }

    /// The exit code a command ends with on this error; `--help` lists them.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Option { .. } => 2,
            Self::ToolMissing { .. } => 3,
            Self::Source { .. }
            | Self::Cpix { .. }
            | Self::Recommend(crate::recommend::Error::Input { .. }) => 4,
            Self::OutputNotEmpty { .. } => 5,
            Self::Listen { .. } => 6,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}
