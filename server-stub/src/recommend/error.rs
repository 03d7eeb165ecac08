//! What can go wrong in recommending, one variant a deviation.

use std::{io, path::PathBuf};

/// This module's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything recommending can fail with.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A line of events, titles or ratings is not what it should be.
    #[error("{source_name}, line {line}: {reason}")]
    Input {
        /// The file as the caller named it.
        source_name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The events do not hold what a model needs.
    #[error("cannot train: {reason}")]
    Training {
        /// What is missing, and what to do.
        reason: String,
    },
    /// A stored model is damaged, cut off, or of another format; it was not loaded.
    #[error("model {version} is refused: {reason}")]
    Model {
        /// The version as `recommend list` names it.
        version: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store holds no model, or none that a rollback could return to.
    #[error("{reason}")]
    NoModel {
        /// What was looked for, and what to do.
        reason: String,
    },
    /// A dataset is too small, or its split leaves nobody to test with.
    #[error("cannot evaluate: {reason}")]
    Evaluation {
        /// What is missing.
        reason: String,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
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
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { action, path, kind: error.kind() }
    }
}
