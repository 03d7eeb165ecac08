//! Common Encryption of one sample.

use crate::{BLOCK, ContentKey, Error};
use aes::Aes128;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit, StreamCipher};

type Ctr<'a> = ctr::Ctr64BE<&'a Aes128>;
type CtrCore<'a> = ctr::CtrCore<&'a Aes128, ctr::flavors::Ctr64BE>;

/// A protection scheme (ISO/IEC 23001-7 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// AES-CTR over all protected bytes (§10.1).
    Cenc,
    /// AES-CBC over a pattern of whole blocks, from the same initialisation vector in each subsample
    /// (§10.4); the rest stays clear.
    Cbcs,
}

impl Scheme {
    /// Its four-character code.
    pub const fn code(self) -> [u8; 4] {
        match self {
            Self::Cenc => *b"cenc",
            Self::Cbcs => *b"cbcs",
        }
    }

    /// The scheme of a four-character code.
    pub const fn of_code(code: [u8; 4]) -> Option<Self> {
        match &code {
            b"cenc" => Some(Self::Cenc),
            b"cbcs" => Some(Self::Cbcs),
            _ => None,
        }
    }

    /// Its name, as manifests have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cenc => "cenc",
            Self::Cbcs => "cbcs",
        }
    }
}

/// Of how many blocks how many are encrypted (§9.6). Both zero: all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pattern {
    /// `crypt_byte_block`.
    pub crypt: u8,
    /// `skip_byte_block`.
    pub skip: u8,
}

/// Bytes of a sample that stay clear, and bytes after them that are protected (§7.2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Subsample {
    /// `BytesOfClearData`.
    pub clear: u16,
    /// `BytesOfProtectedData`.
    pub protected: u32,
}

/// What of a sample is protected, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The pattern; `cenc` has none.
    pub pattern: Pattern,
    /// The initialisation vector; one of 8 bytes is [widened](widen).
    pub iv: [u8; 16],
    /// The parts of the sample, from its start to its end; none: all of it is protected.
    pub subsamples: &'a [Subsample],
}

impl Layout<'_> {
    /// All of a sample is protected.
    pub const fn whole(scheme: Scheme, iv: [u8; 16]) -> Self {
        Self { scheme, pattern: Pattern { crypt: 0, skip: 0 }, iv, subsamples: &[] }
    }
}

/// An initialisation vector of 8 or 16 bytes as the first counter block: the counter of one of 8 bytes
/// starts at 0 (§9.2).
pub fn widen(iv: &[u8]) -> Option<[u8; 16]> {
    let mut wide = [0; 16];
    match iv.len() {
        8 | 16 => wide.get_mut(..iv.len())?.copy_from_slice(iv),
        _ => return None,
    }
    Some(wide)
}

/// Encrypts and decrypts samples with one key, in place.
///
/// The expanded key is wiped when it is dropped.
pub struct SampleCipher(Aes128);

impl core::fmt::Debug for SampleCipher {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("SampleCipher(..)")
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

impl SampleCipher {
    /// A cipher of that key.
    pub fn new(key: &ContentKey) -> Self {
        Self(Aes128::new(key.expose().into()))
    }

    /// Encrypts a sample.
    ///
    /// # Errors
    /// [`Error::Subsamples`]
    pub fn encrypt(&self, layout: &Layout<'_>, sample: &mut [u8]) -> Result<(), Error> {
        self.apply(layout, sample, Direction::Encrypt)
    }

    /// Decrypts a sample. With a wrong key it becomes other bytes: Common Encryption does not tell.
    ///
    /// # Errors
    /// [`Error::Subsamples`]
    pub fn decrypt(&self, layout: &Layout<'_>, sample: &mut [u8]) -> Result<(), Error> {
        self.apply(layout, sample, Direction::Decrypt)
    }

    fn apply(
        &self,
        layout: &Layout<'_>,
        sample: &mut [u8],
        direction: Direction,
    ) -> Result<(), Error> {
        if !layout.subsamples.is_empty() {
            let bytes = |part: &Subsample| u64::from(part.clear) + u64::from(part.protected);
            let covered = layout.subsamples.iter().map(bytes).sum();
            let sample = sample.len() as u64;
            if covered != sample {
                return Err(Error::Subsamples { covered, sample });
            }
        }
        let mut counter = Ctr::from_core(CtrCore::inner_iv_init(&self.0, (&layout.iv).into()));
        let mut protected = |part: &mut [u8]| match layout.scheme {
            // One key stream runs through all of a sample, over the clear parts' heads.
            Scheme::Cenc => counter.apply_keystream(part),
            Scheme::Cbcs => self.chain(layout, part, direction),
        };
        if layout.subsamples.is_empty() {
            protected(sample);
            return Ok(());
        }
        let mut rest = sample;
        for part in layout.subsamples {
            let (_, tail) = rest.split_at_mut(usize::from(part.clear));
            let (part, tail) = tail.split_at_mut(part.protected as usize);
            protected(part);
            rest = tail;
        }
        Ok(())
    }

    /// One subsample of `cbcs`: the chain goes on over skipped blocks, and a last part of less than a block
    /// stays clear.
    fn chain(&self, layout: &Layout<'_>, part: &mut [u8], direction: Direction) {
        let (crypt, skip) = match layout.pattern {
            Pattern { crypt: 0, skip: 0 } => (usize::MAX, 0),
            Pattern { crypt, skip } => (usize::from(crypt), usize::from(skip)),
        };
        if crypt == 0 {
            return; // nothing but skipped blocks
        }
        let (blocks, _) = aes::Block::slice_as_chunks_mut(part);
        let step = crypt.saturating_add(skip);
        match direction {
            Direction::Encrypt => {
                let mut chain = cbc::Encryptor::inner_iv_init(&self.0, (&layout.iv).into());
                for run in blocks.chunks_mut(step) {
                    let end = run.len().min(crypt);
                    chain.encrypt_blocks(&mut run[..end]);
                }
            }
            Direction::Decrypt => {
                let mut chain = cbc::Decryptor::inner_iv_init(&self.0, (&layout.iv).into());
                for run in blocks.chunks_mut(step) {
                    let end = run.len().min(crypt);
                    chain.decrypt_blocks(&mut run[..end]);
                }
            }
        }
    }
}

const _: () = assert!(BLOCK == 16);
