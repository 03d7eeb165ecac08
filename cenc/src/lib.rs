//! The ciphers that protect media: Common Encryption of samples (ISO/IEC 23001-7) in its schemes `cenc` and
//! `cbcs`, and HLS encryption of whole segments (`AES-128`, RFC 8216bis §4.4.4.4) and of samples in transport streams
//! (`SAMPLE-AES`).
//!
//! It knows bytes and keys, no boxes and no manifests: what is encrypted of a sample comes in as a
//! [`Layout`]. The ciphers are RustCrypto's, with AES instructions where the processor has them and
//! constant time where it has not. Keys are wiped from memory when they are dropped, compare in constant
//! time, and never print.
//!
//! ```
//! use kinora_cenc::{ContentKey, Layout, SampleCipher, Scheme, Subsample};
//!
//! let cipher = SampleCipher::new(&ContentKey::from([7; 16]));
//! let subsamples = [Subsample { clear: 9, protected: 32 }];
//! let layout = Layout { subsamples: &subsamples, ..Layout::whole(Scheme::Cenc, [1; 16]) };
//! let mut sample = *b"a picture of forty-one bytes, more or less";
//! let sample = &mut sample[..41];
//! cipher.encrypt(&layout, sample)?;
//! assert_eq!(&sample[..9], b"a picture");
//! cipher.decrypt(&layout, sample)?;
//! assert_eq!(sample, b"a picture of forty-one bytes, more or les");
//! # Ok::<(), kinora_cenc::Error>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod key;
mod sample;
pub mod segment;
mod transport;

pub use key::ContentKey;
pub use sample::{Layout, Pattern, SampleCipher, Scheme, Subsample, widen};
pub use transport::{NAL_SHORT, TransportCipher};

/// Bytes of an AES block.
pub const BLOCK: usize = 16;

/// Why something was not encrypted or decrypted. Nothing was changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The subsamples do not add up to the sample (ISO/IEC 23001-7 §7.2).
    Subsamples {
        /// Bytes that the subsamples cover.
        covered: u64,
        /// Bytes of the sample.
        sample: u64,
    },
    /// The ciphertext of a segment is not a whole number of blocks.
    Length,
    /// A segment does not end in padding: it is damaged, or the key or the initialisation vector is wrong.
    Padding,
}

impl core::fmt::Display for Error {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Subsamples { covered, sample } => {
                write!(formatter, "subsamples cover {covered} bytes of a sample of {sample}")
            }
            Self::Length => {
                formatter.write_str("an encrypted segment is no whole number of blocks")
            }
            Self::Padding => formatter.write_str("an encrypted segment does not end in padding"),
        }
    }
}

impl core::error::Error for Error {}
