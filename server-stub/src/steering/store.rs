//! Where what is known of the edges is kept: one record, for every process to see.

use super::health::Known;
use crate::{
    clock::UnixTime,
    storage::{
        self, Sessions,
        sessions::{Expected, Versioned},
    },
};
use std::sync::Arc;

const KEY: &str = "steering/edges";
/// What an operator said stays for ninety days after anything last changed.
const KEPT: u32 = 90 * 86_400;

/// The record, in a storage.
#[derive(Clone)]
pub struct Store(Arc<dyn Sessions>);

impl Store {
    /// The record in this storage.
    pub fn new(sessions: Arc<dyn Sessions>) -> Self {
        Self(sessions)
    }

    /// What is known.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn read(&self, now: UnixTime) -> storage::Result<Known> {
        Ok(self.versioned(now).await?.1)
    }

    /// Changes what is known; `change` may be asked several times.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn change(
        &self,
        now: UnixTime,
        mut change: impl FnMut(&mut Known),
    ) -> storage::Result<()> {
        loop {
            let (expected, mut known) = self.versioned(now).await?;
            change(&mut known);
            let value = serde_json::to_vec(&known).unwrap_or_default();
            if self.0.write(KEY, expected, &value, now.plus(KEPT), now).await?.is_some() {
                return Ok(());
            }
        }
    }

    async fn versioned(&self, now: UnixTime) -> storage::Result<(Expected, Known)> {
        let Some(Versioned { version, value }) = self.0.read(KEY, now).await? else {
            return Ok((Expected::Absent, Known::default()));
        };
        let known = serde_json::from_slice(&value).map_err(|error| storage::Error::Damaged {
            what: "record of the edges",
            reason: error.to_string(),
        })?;
        Ok((Expected::Version(version), known))
    }
}
