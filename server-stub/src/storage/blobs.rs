//! Things that are written whole and read in part: models, media, pictures.

use super::Result;
use async_trait::async_trait;
use std::ops::Range;

/// The name of a blob: words with `/` between them, of letters, digits, `.`, `_` and `-`, none of which begins
/// with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName(String);

/// The text names no blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the name of a blob: expected words of letters, digits, `.`, `_` and `-` with `/` between them, \
     no word with a dot at its front, at most 255 bytes"
)]
pub struct NotAName;

impl BlobName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BlobName {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let word =
            |word: &str| !word.is_empty() && !word.starts_with('.') && word.bytes().all(letter);
        if text.len() <= 255 && text.split('/').all(word) { Ok(Self(text)) } else { Err(NotAName) }
    }
}

impl std::str::FromStr for BlobName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        Self::try_from(text.to_owned())
    }
}

/// A blob in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its name.
    pub name: BlobName,
    /// Its size, bytes.
    pub size: u64,
}

/// Blobs by name.
///
/// A blob is there as a whole or not at all, for every reader and after every crash.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Writes a blob, in place of the one of that name. It is on the disk when this returns.
    async fn put(&self, name: &BlobName, bytes: Vec<u8>) -> Result<()>;
    /// Writes a blob if there is none of that name, of several writers one; false, and nothing is changed, if
    /// there is one.
    async fn create(&self, name: &BlobName, bytes: Vec<u8>) -> Result<bool>;
    /// The bytes of a blob in a range, as far as it has them; none when there is no such blob.
    async fn read(&self, name: &BlobName, range: Range<u64>) -> Result<Option<Vec<u8>>>;
    /// The size of a blob, bytes.
    async fn size(&self, name: &BlobName) -> Result<Option<u64>>;
    /// The blobs whose names begin with a text, in the order of their names.
    async fn list(&self, prefix: &str) -> Result<Vec<Blob>>;
    /// Removes a blob; false when there is none.
    async fn remove(&self, name: &BlobName) -> Result<bool>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!("models/00000001-0123456789ab.model".parse::<BlobName>().is_ok());
        let long = "a".repeat(256);
        for text in
            ["", "/", "a/", "/a", "a//b", "../a", "a/..", ".a", "a b", "a\\b", "ä", "a\0", &long]
        {
            assert_eq!(text.parse::<BlobName>(), Err(NotAName), "{text:?}");
        }
    }
}
