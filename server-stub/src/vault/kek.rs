//! The keys that wrap content keys: AES-256 key wrap (RFC 3394), which tells a damaged key from a whole one.

use crate::id::{hex, random};
use aes_kw::KwAes256;
use aes_kw::cipher::KeyInit;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use kinora_cenc::ContentKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// Bytes that wrapping adds.
const ADDED: usize = 8;

/// What is wrong with the key encryption keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KekError {
    /// The file system refused.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The text is no set of key encryption keys.
    #[error("the key encryption keys cannot be read: {reason}")]
    Malformed {
        /// What is wrong; never the text itself.
        reason: &'static str,
    },
}

/// The file of key encryption keys. The last wraps; all unwrap.
#[derive(Serialize, Deserialize)]
struct File {
    keys: Vec<FileKey>,
}

#[derive(Serialize, Deserialize)]
struct FileKey {
    /// 32 bytes, base64url.
    key: Zeroizing<String>,
}

/// The keys that wrap content keys.
pub struct KeyEncryptionKeys(Vec<Kek>);

struct Kek {
    /// The first bytes of the key's SHA-256.
    id: String,
    wrap: KwAes256,
}

impl KeyEncryptionKeys {
    /// Keys in a file that only its owner can read; made, with one key, if it is not there.
    ///
    /// # Errors
    /// When the file cannot be read or written, or makes no sense.
    pub fn open(path: &Path) -> Result<Self, KekError> {
        let failed = |error: std::io::Error| KekError::File {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        loop {
            match std::fs::read(path).map(Zeroizing::new) {
                Ok(text) => return Self::parse(&text),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
            // Of several processes that find none, one makes it; the others read that.
            match create(path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(failed(error));
                }
                _ => {}
            }
        }
    }

    /// Keys that someone else keeps, as the text of such a file.
    ///
    /// # Errors
    /// When the text makes no sense.
    pub fn parse(text: &[u8]) -> Result<Self, KekError> {
        let malformed = |reason| KekError::Malformed { reason };
        let file: File = serde_json::from_slice(text)
            .map_err(|_| malformed("this is not a file of key encryption keys"))?;
        let mut keys = Vec::new();
        for FileKey { key } in file.keys {
            let bytes = BASE64URL.decode(key.as_bytes()).map(Zeroizing::new).ok();
            let bytes: Option<Zeroizing<[u8; 32]>> =
                bytes.and_then(|bytes| bytes.as_slice().try_into().ok()).map(Zeroizing::new);
            let bytes = bytes.ok_or_else(|| malformed("a key is not 32 bytes in base64url"))?;
            let digest = Sha256::digest(*bytes);
            let id = hex(digest.get(..8).unwrap_or_default());
            keys.push(Kek { id, wrap: KwAes256::new((&*bytes).into()) });
        }
        if keys.is_empty() {
            return Err(malformed("there is no key"));
        }
        Ok(Self(keys))
    }

    /// A content key, wrapped, and the id of the key it is wrapped with.
    pub(super) fn wrap(&self, key: &ContentKey) -> (String, Vec<u8>) {
        let mut wrapped = vec![0; 16 + ADDED];
        match self.0.last() {
            Some(kek) if kek.wrap.wrap_key(key.expose(), &mut wrapped).is_ok() => {
                (kek.id.clone(), wrapped)
            }
            // There is always one, and 16 bytes can be wrapped.
            _ => (String::new(), Vec::new()),
        }
    }

    /// A content key unwrapped; none when it was wrapped with another key or is damaged.
    pub(super) fn unwrap(&self, id: &str, wrapped: &[u8]) -> Option<ContentKey> {
        let kek = self.0.iter().find(|kek| kek.id == id)?;
        if wrapped.len() != 16 + ADDED {
            return None;
        }
        let mut key = Zeroizing::new([0; 16]);
        kek.wrap.unwrap_key(wrapped, &mut *key).ok()?;
        Some(ContentKey::from(*key))
    }
}

fn create(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let key = Zeroizing::new(BASE64URL.encode(*Zeroizing::new(random::<32>())));
    let text = Zeroizing::new(serde_json::to_vec(&File { keys: vec![FileKey { key }] })?);
    // Readable by its owner alone from the start.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&text)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_3394_unwraps() {
        // Section 4.3 wraps 128 bits of key data with a KEK of 256 bits.
        let kek: Vec<u8> = (0..32).collect();
        let text = format!(r#"{{"keys":[{{"key":"{}"}}]}}"#, BASE64URL.encode(&kek));
        let keks = KeyEncryptionKeys::parse(text.as_bytes()).unwrap();
        let data: [u8; 16] = std::array::from_fn(|i| i as u8 * 0x11);
        let (id, wrapped) = keks.wrap(&ContentKey::from(data));
        assert_eq!(hex(&wrapped), "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7");
        assert_eq!(keks.unwrap(&id, &wrapped), Some(ContentKey::from(data)));
        for place in 0..wrapped.len() {
            let mut damaged = wrapped.clone();
            damaged[place] ^= 1;
            assert_eq!(keks.unwrap(&id, &damaged), None);
        }
        assert_eq!(keks.unwrap("other", &wrapped), None);
        assert_eq!(keks.unwrap(&id, &wrapped[1..]), None);
    }

    #[test]
    fn a_file_is_made_once_and_a_wrong_one_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secrets/kek.json");
        let (id, wrapped) =
            KeyEncryptionKeys::open(&path).unwrap().wrap(&ContentKey::from([1; 16]));
        assert!(KeyEncryptionKeys::open(&path).unwrap().unwrap(&id, &wrapped).is_some());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
        }
        for wrong in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"key":"AAAA"}]}"#] {
            std::fs::write(&path, wrong).unwrap();
            let refused = KeyEncryptionKeys::open(&path).err();
            assert!(matches!(refused, Some(KekError::Malformed { .. })), "{wrong}: {refused:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wrong);
        }
    }
}
