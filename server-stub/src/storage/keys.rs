//! Content keys, wrapped.

use super::Result;
use crate::vault::{KeyId, Tier};
use async_trait::async_trait;

/// A content key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Names it.
    pub id: KeyId,
    /// The package that it encrypts.
    pub content: String,
    /// The film or episode that the package plays.
    pub item: Option<String>,
    /// What of the package it encrypts.
    pub tier: Tier,
    /// The crypto period, from 0.
    pub period: u32,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// The id of the key that it is wrapped with.
    pub wrapped_with: String,
}

/// Content keys by id and by package. A key is written once and never changed.
#[async_trait]
pub trait ContentKeys: Send + Sync + 'static {
    /// Adds keys: all of them; or none, when the id of one is taken, which is told.
    async fn add(&self, keys: &[WrappedKey]) -> Result<Option<KeyId>>;
    /// The keys of those ids that there are, in no order.
    async fn find(&self, ids: &[KeyId]) -> Result<Vec<WrappedKey>>;
    /// The keys of a package, by tier and period.
    async fn of_content(&self, content: &str) -> Result<Vec<WrappedKey>>;
    /// The keys of all packages of a film or episode.
    async fn of_item(&self, item: &str) -> Result<Vec<WrappedKey>>;
    /// Whether there are keys of a film or episode.
    async fn protects(&self, item: &str) -> Result<bool>;

    /// Whether the storage answers.
    async fn ready(&self) -> Result<()>;
}
