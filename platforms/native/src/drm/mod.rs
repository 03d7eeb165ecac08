//! ClearKey (W3C EME §9.1) without a browser: sessions that ask for keys, and the decryption of what they open.
//!
//! It is a key exchange for development and light protection, not a DRM: whoever controls the process has the keys.

mod clear_key;
mod config;
mod decrypt;

pub(crate) use clear_key::ClearKey;
pub use config::{clear_key, header};
pub(crate) use decrypt::{Opened, open_init};

use bytes::Bytes;
use kinora_cenc::{ContentKey, Layout, Pattern, SampleCipher, Scheme, Subsample, widen};
use kinora_core::media::encryption::{SampleNote, TrackEncryption};
use kinora_core::presentation::KeyId;
use std::collections::HashMap;

/// The keys that an element decrypts with. They are wiped when they are dropped.
#[derive(Default)]
pub(crate) struct KeyRing(HashMap<KeyId, SampleCipher>);

impl KeyRing {
    pub(super) fn add(&mut self, id: KeyId, key: &ContentKey) {
        self.0.insert(id, SampleCipher::new(key));
    }

    pub(super) fn remove(&mut self, id: &KeyId) {
        self.0.remove(id);
    }

    /// A sample, decrypted.
    ///
    /// # Errors
    /// When its key is not here, or what is noted of it makes no sense.
    pub(crate) fn decrypt(
        &self,
        encryption: &TrackEncryption,
        note: Option<&SampleNote>,
        sample: &[u8],
    ) -> Result<Bytes, String> {
        let scheme = Scheme::of_code(encryption.scheme.0)
            .ok_or_else(|| format!("samples are encrypted by the scheme {}", encryption.scheme))?;
        let cipher = self.0.get(&encryption.key_id).ok_or("there is no key for a sample")?;
        let own = note.map(|note| note.iv.as_slice()).filter(|iv| !iv.is_empty());
        let iv = own.or(encryption.constant_iv.as_deref()).and_then(widen);
        let iv = iv.ok_or("a sample has no initialisation vector")?;
        let part = |&(clear, protected): &(u16, u32)| Subsample { clear, protected };
        let parts: Vec<Subsample> =
            note.into_iter().flat_map(|note| &note.subsamples).map(part).collect();
        let (crypt, skip) = encryption.pattern;
        let pattern = Pattern { crypt, skip };
        let mut bytes = sample.to_vec();
        cipher
            .decrypt(&Layout { scheme, pattern, iv, subsamples: &parts }, &mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(Bytes::from(bytes))
    }
}
