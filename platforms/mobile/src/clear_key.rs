//! ClearKey, for platforms whose own key system does not have it, and for tests: sessions and the decryption itself.

use std::sync::{Arc, Mutex, MutexGuard};

use kinora_clearkey::{KeyRing, open_init};
use kinora_core::io::{Input, LicenseCommand};

use crate::SdkError;

/// The key system `org.w3.clearkey`, and a decoder's way to what it opens. It is a key exchange for development and light
/// protection, not a DRM: whoever controls the process has the keys.
#[derive(uniffi::Object)]
pub struct ClearKey(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    sessions: kinora_clearkey::ClearKey,
    keys: KeyRing,
}

#[uniffi::export]
impl ClearKey {
    /// Without any key.
    #[uniffi::constructor]
    pub fn new() -> Result<Arc<Self>, SdkError> {
        Ok(Arc::new(Self(Mutex::default())))
    }

    /// Carries out what the player asks of its key system. What comes of it are inputs for the player.
    pub fn execute(&self, command: LicenseCommand) -> Result<Vec<Input>, SdkError> {
        let mut inner = self.lock()?;
        let Inner { sessions, keys } = &mut *inner;
        Ok(sessions.execute(command, keys))
    }

    /// The initialisation segment as that of a clear film; nothing if it is one.
    pub fn open_init(&self, segment: &[u8]) -> Result<Option<Vec<u8>>, SdkError> {
        let opened = open_init(segment).map_err(invalid)?;
        Ok(opened.map(|opened| opened.bytes))
    }

    /// A media segment, decrypted, of the encrypted film with that initialisation segment (as it came).
    pub fn open_segment(&self, init: &[u8], segment: &[u8]) -> Result<Vec<u8>, SdkError> {
        let mut bytes = segment.to_vec();
        if let Some(opened) = open_init(init).map_err(invalid)? {
            self.lock()?.keys.open_segment(&opened.tracks, &mut bytes).map_err(invalid)?;
        }
        Ok(bytes)
    }
}

impl ClearKey {
    fn lock(&self) -> Result<MutexGuard<'_, Inner>, SdkError> {
        self.0.lock().map_err(|_| SdkError::Broken)
    }
}

fn invalid(reason: String) -> SdkError {
    SdkError::InvalidMedia { reason }
}
