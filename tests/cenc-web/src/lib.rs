//! Decryption alone, for JavaScript, to be timed.

use kinora_cenc::{ContentKey, Layout, Pattern, SampleCipher, Scheme, Subsample, segment};
use wasm_bindgen::prelude::*;

/// The one of the module that ships.
#[cfg(target_arch = "wasm32")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

const KEY: [u8; 16] = [7; 16];
const IV: [u8; 16] = [1; 16];
/// Bytes of a sample that stay clear under `cbcs`.
const CLEAR: u16 = 384;

/// Something encrypted.
#[wasm_bindgen]
pub struct Workload {
    cipher: SampleCipher,
    sample: Vec<u8>,
    segment: Vec<u8>,
}

#[wasm_bindgen]
impl Workload {
    /// So many bytes, more than a few hundred.
    #[wasm_bindgen(constructor)]
    pub fn new(size: usize) -> Self {
        let mut workload = Self {
            cipher: SampleCipher::new(&ContentKey::from(KEY)),
            sample: vec![0x5a; size],
            segment: Vec::new(),
        };
        workload.seal();
        workload
    }

    /// Encrypts the segment anew, to be decrypted.
    pub fn seal(&mut self) {
        self.segment.clone_from(&self.sample);
        segment::encrypt(&ContentKey::from(KEY), &IV, &mut self.segment);
    }

    /// Decrypts a whole sample of `cenc`; whether that went well.
    pub fn cenc(&mut self) -> bool {
        self.cipher.decrypt(&Layout::whole(Scheme::Cenc, IV), &mut self.sample).is_ok()
    }

    /// Decrypts a sample of `cbcs`, one block in ten; whether that went well.
    pub fn cbcs(&mut self) -> bool {
        let protected = self.sample.len().saturating_sub(usize::from(CLEAR));
        let subsamples = [Subsample { clear: CLEAR, protected: protected as u32 }];
        let layout = Layout {
            pattern: Pattern { crypt: 1, skip: 9 },
            subsamples: &subsamples,
            ..Layout::whole(Scheme::Cbcs, IV)
        };
        self.cipher.decrypt(&layout, &mut self.sample).is_ok()
    }

    /// Decrypts the segment, once after each [`Workload::seal`]; whether that went well.
    pub fn segment(&mut self) -> bool {
        segment::decrypt(&ContentKey::from(KEY), &IV, &mut self.segment).is_ok()
    }
}
