//! The keys that are there, and what a sample is with them.

use std::collections::HashMap;

use kinora_cenc::{ContentKey, Layout, Pattern, SampleCipher, Scheme, Subsample, widen};
use kinora_core::media::encryption::{SampleNote, TrackEncryption};
use kinora_core::presentation::KeyId;

/// The keys that media is decrypted with. They are wiped when they are dropped.
#[derive(Default)]
pub struct KeyRing(HashMap<KeyId, SampleCipher>);

impl KeyRing {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has samples that name this key decrypted with it.
    pub fn add(&mut self, id: KeyId, key: &ContentKey) {
        self.0.insert(id, SampleCipher::new(key));
    }

    /// Wipes a key.
    pub fn remove(&mut self, id: &KeyId) {
        self.0.remove(id);
    }

    /// Decrypts a sample where it lies.
    ///
    /// # Errors
    /// When its key is not here, or what is noted of it makes no sense; in words.
    pub fn decrypt(
        &self,
        encryption: &TrackEncryption,
        note: Option<&SampleNote>,
        sample: &mut [u8],
    ) -> Result<(), String> {
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
        cipher
            .decrypt(&Layout { scheme, pattern, iv, subsamples: &parts }, sample)
            .map_err(|error| error.to_string())
    }
}
