//! Secret keys in a file that only its owner can read: made, rotated, and replaced in one step.

use crate::{
    clock::UnixTime,
    id::{hex, random},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::{Deserialize, Serialize};
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// A key signs for so long (30 days) before the next one takes over.
const PERIOD: u32 = 30 * 86_400;
/// A key is there so long before it signs, for whoever checks to have read it.
const AHEAD: u32 = 600;

/// What is wrong with the keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The file system refused.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The text is no set of keys.
    #[error("the signing keys cannot be read: {reason}")]
    Malformed {
        /// What is wrong; never the text itself.
        reason: &'static str,
    },
}

impl KeysError {
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::File { path, reason: error.to_string() }
    }
}

/// The file of secret keys.
#[derive(Serialize, Deserialize)]
struct SecretFile {
    keys: Vec<SecretKey>,
}

/// One of them.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SecretKey {
    pub(super) kid: String,
    /// 32 bytes, base64url.
    seed: String,
    pub(super) created_at: UnixTime,
}

impl SecretKey {
    pub(super) fn new(created_at: UnixTime) -> Self {
        Self { kid: hex(&random::<8>()), seed: BASE64URL.encode(random::<32>()), created_at }
    }

    /// Its 32 bytes.
    pub(super) fn bytes(&self) -> Result<[u8; 32], KeysError> {
        let seed = BASE64URL.decode(&self.seed).ok().and_then(|seed| seed.try_into().ok());
        seed.ok_or(KeysError::Malformed { reason: "a seed is not 32 bytes in base64url" })
    }
}

/// Whether a key made then signs by now.
pub(super) fn signs(created_at: UnixTime, now: UnixTime) -> bool {
    created_at.plus(AHEAD) <= now
}

/// The keys as they should be now, oldest first: a new one when the newest is due, without those that nothing
/// valid is signed with any more, `kept` seconds after they have signed for the last time.
pub(super) fn maintained(mut keys: Vec<SecretKey>, kept: u32, now: UnixTime) -> Vec<SecretKey> {
    keys.sort_by_key(|key| key.created_at);
    if keys.last().is_none_or(|newest| newest.created_at.plus(PERIOD) <= now) {
        keys.push(SecretKey::new(now));
    }
    // A key has signed for the last time when its successor began to.
    let over = |next: &SecretKey| next.created_at.plus(AHEAD + kept) <= now;
    let first = keys.iter().rposition(over).unwrap_or(0);
    keys.split_off(first)
}

/// The keys in the text of such a file; no two have the same id.
pub(super) fn parse(text: &[u8]) -> Result<Vec<SecretKey>, KeysError> {
    let malformed = |reason| KeysError::Malformed { reason };
    let SecretFile { keys } = serde_json::from_slice(text)
        .map_err(|_| malformed("this is not a file of signing keys"))?;
    let ids: std::collections::BTreeSet<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
    if ids.len() < keys.len() {
        return Err(malformed("two keys have the same id"));
    }
    Ok(keys)
}

/// Changes the file of secret keys, one process at a time.
pub(super) fn change(
    path: &Path,
    change: impl FnOnce(Vec<SecretKey>) -> Vec<SecretKey>,
) -> Result<Vec<SecretKey>, KeysError> {
    let failed = || KeysError::file(path);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed())?;
    }
    let lock = path.with_extension("lock");
    let lock = std::fs::File::options().create(true).append(true).open(lock).map_err(failed())?;
    lock.lock().map_err(failed())?;
    let before = match std::fs::read(path) {
        Ok(text) => parse(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed()(error)),
    };
    let ids = |keys: &[SecretKey]| keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>();
    let old = ids(&before);
    let after = change(before);
    if ids(&after) != old {
        let text = serde_json::to_vec(&SecretFile { keys: after.clone() }).unwrap_or_default();
        replace(path, &text, 0o600)?;
    }
    Ok(after)
}

/// Replaces a file at once: whoever reads it sees all of the old or all of the new.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeysError> {
    let write = || {
        let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        file.write_all(bytes)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(KeysError::file(path))
}
