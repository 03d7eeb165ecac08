//! Content keys: what films are encrypted with. They are kept [wrapped](kek), and no text shows one.
//!
//! The packager puts keys in before it publishes what they encrypt; the role `license` takes them out for
//! those who may play it.

pub mod kek;

use crate::{
    id::random,
    storage::{
        self,
        keys::{ContentKeys, WrappedKey},
    },
};
use kek::KeyEncryptionKeys;
use kinora_cenc::ContentKey;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};
use utoipa::ToSchema;

/// Names a content key (ISO/IEC 23001-7, 7.1 `KID`). Written as a UUID (RFC 9562, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(pub [u8; 16]);

/// The text is no key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key id: expected a UUID")]
pub struct NotAKeyId;

impl KeyId {
    /// A new one: a UUID of version 4.
    pub fn random() -> Self {
        let mut bytes: [u8; 16] = random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Its 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        crate::id::hex(&self.0)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if matches!(index, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(formatter, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for KeyId {
    type Err = NotAKeyId;

    fn from_str(text: &str) -> Result<Self, NotAKeyId> {
        let mut bytes = [0; 16];
        let mut digits = text.chars().filter(|c| *c != '-');
        for byte in &mut bytes {
            let mut digit = || digits.next().and_then(|c| c.to_digit(16)).ok_or(NotAKeyId);
            *byte = (digit()? << 4 | digit()?) as u8;
        }
        let id = Self(bytes);
        let written = text.len() == 32 || id.to_string().eq_ignore_ascii_case(text);
        if written && digits.next().is_none() { Ok(id) } else { Err(NotAKeyId) }
    }
}

impl TryFrom<String> for KeyId {
    type Error = NotAKeyId;

    fn try_from(text: String) -> Result<Self, NotAKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

impl utoipa::PartialSchema for KeyId {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("A UUID, or its 32 hexadecimal digits"))
            .pattern(Some("^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$"))
            .into()
    }
}

impl ToSchema for KeyId {
    fn name() -> std::borrow::Cow<'static, str> {
        "KeyId".into()
    }
}

/// What a key protects. Each has keys of its own, so that a licence can give one without the others.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Sound
    Audio,
    /// Pictures of up to 576 lines
    Sd,
    /// Pictures of up to 1080 lines
    Hd,
    /// Larger pictures
    Uhd,
}

impl Tier {
    /// The tier of pictures of so many lines.
    pub fn of_height(lines: u32) -> Self {
        match lines {
            0..=576 => Self::Sd,
            577..=1080 => Self::Hd,
            _ => Self::Uhd,
        }
    }

    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Sd => "sd",
            Self::Hd => "hd",
            Self::Uhd => "uhd",
        }
    }

    /// The tier of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Audio, Self::Sd, Self::Hd, Self::Uhd].into_iter().find(|tier| tier.name() == name)
    }
}

/// A content key and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Names it.
    pub id: KeyId,
    /// The package that it encrypts.
    pub content: String,
    /// The film or episode that the package plays; a key of none is given to nobody.
    pub item: Option<String>,
    /// What of the package it encrypts.
    pub tier: Tier,
    /// When: the crypto period, from 0, of a package whose keys rotate.
    pub period: u32,
    /// The key.
    pub key: ContentKey,
}

/// Why a key was not kept or found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The key encryption keys cannot be used.
    #[error(transparent)]
    Kek(#[from] kek::KekError),
    /// A key was wrapped with a key encryption key that is not here, or has been damaged since.
    #[error(
        "content key {id} cannot be unwrapped: it was wrapped with key encryption key {kek}, which is not here or not the same"
    )]
    Unwrap {
        /// The content key.
        id: KeyId,
        /// The key encryption key.
        kek: String,
    },
    /// Another key of that id is kept already.
    #[error("there is a content key {id} already")]
    Taken {
        /// The id.
        id: KeyId,
    },
}

/// Keeps content keys, wrapped. Clones share it.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keys: Arc<dyn ContentKeys>,
    kek: KeyEncryptionKeys,
}

impl Vault {
    /// A vault over a storage.
    pub fn new(keys: Arc<dyn ContentKeys>, kek: KeyEncryptionKeys) -> Self {
        Self(Arc::new(Inner { keys, kek }))
    }

    /// Keeps keys: all of them, or none.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id of one is taken; or when the storage fails.
    pub async fn keep(&self, keys: &[Key]) -> Result<(), Error> {
        let wrap = |key: &Key| {
            let (wrapped_with, wrapped) = self.0.kek.wrap(&key.key);
            WrappedKey {
                id: key.id,
                content: key.content.clone(),
                item: key.item.clone(),
                tier: key.tier,
                period: key.period,
                wrapped,
                wrapped_with,
            }
        };
        let wrapped: Vec<WrappedKey> = keys.iter().map(wrap).collect();
        match self.0.keys.add(&wrapped).await? {
            Some(id) => Err(Error::Taken { id }),
            None => Ok(()),
        }
    }

    /// The keys of those ids that there are.
    ///
    /// # Errors
    /// When one cannot be unwrapped, or the storage fails.
    pub async fn find(&self, ids: &[KeyId]) -> Result<Vec<Key>, Error> {
        self.0.keys.find(ids).await?.into_iter().map(|key| self.unwrap(key)).collect()
    }

    /// The keys of a package, by tier and period.
    ///
    /// # Errors
    /// When one cannot be unwrapped, or the storage fails.
    pub async fn of_content(&self, content: &str) -> Result<Vec<Key>, Error> {
        self.0.keys.of_content(content).await?.into_iter().map(|key| self.unwrap(key)).collect()
    }

    /// The keys of all packages of a film or episode.
    ///
    /// # Errors
    /// When one cannot be unwrapped, or the storage fails.
    pub async fn of_item(&self, item: &str) -> Result<Vec<Key>, Error> {
        self.0.keys.of_item(item).await?.into_iter().map(|key| self.unwrap(key)).collect()
    }

    /// Whether there are keys of a film or episode.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn protects(&self, item: &str) -> storage::Result<bool> {
        self.0.keys.protects(item).await
    }

    /// Whether the storage answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ready(&self) -> storage::Result<()> {
        self.0.keys.ready().await
    }

    fn unwrap(&self, wrapped: WrappedKey) -> Result<Key, Error> {
        let WrappedKey { id, content, item, tier, period, wrapped, wrapped_with } = wrapped;
        match self.0.kek.unwrap(&wrapped_with, &wrapped) {
            Some(key) => Ok(Key { id, content, item, tier, period, key }),
            None => Err(Error::Unwrap { id, kek: wrapped_with }),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Vault(..)")
    }
}

/// The same vault.
impl PartialEq for Vault {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::sqlite::SqliteContentKeys;

    #[test]
    fn a_key_id_is_a_uuid_and_nothing_else() {
        let id = KeyId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.hex().to_uppercase().parse(), Ok(id));
        let text = id.to_string();
        for wrong in [
            "",
            "-",
            &text[1..],
            &format!("{text}0"),
            &text.replace('-', "g"),
            &format!("-{}", &text[1..]),
        ] {
            assert_eq!(wrong.parse::<KeyId>(), Err(NotAKeyId), "{wrong}");
        }
        let misplaced = format!("{}-", id.hex());
        assert_eq!(misplaced.parse::<KeyId>(), Err(NotAKeyId));
        assert_eq!("é".repeat(16).parse::<KeyId>(), Err(NotAKeyId));
    }

    #[tokio::test]
    async fn keys_are_kept_wrapped_and_only_their_kek_opens_them() {
        let directory = tempfile::tempdir().unwrap();
        let storage = Arc::new(SqliteContentKeys::open(directory.path()).await.unwrap());
        let kek = KeyEncryptionKeys::open(&directory.path().join("kek.json")).unwrap();
        let vault = Vault::new(storage.clone(), kek);
        let canary = *b"canary of a key!";
        let key = Key {
            id: KeyId::random(),
            content: "abc".into(),
            item: Some("film".into()),
            tier: Tier::Hd,
            period: 3,
            key: ContentKey::from(canary),
        };
        vault.keep(std::slice::from_ref(&key)).await.unwrap();
        assert_eq!(
            vault.find(&[KeyId::random(), key.id]).await.unwrap(),
            std::slice::from_ref(&key)
        );
        assert_eq!(vault.of_content("abc").await.unwrap(), std::slice::from_ref(&key));
        assert_eq!(vault.keep(std::slice::from_ref(&key)).await, Err(Error::Taken { id: key.id }));
        for file in std::fs::read_dir(directory.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(16).any(|window| window == canary), "the key lies open");
        }
        assert!(!format!("{key:?}").contains("canary"), "the key prints");

        let other = KeyEncryptionKeys::open(&directory.path().join("other.json")).unwrap();
        let refused = Vault::new(storage, other).find(&[key.id]).await;
        assert!(matches!(refused, Err(Error::Unwrap { id, .. }) if id == key.id), "{refused:?}");
    }
}
