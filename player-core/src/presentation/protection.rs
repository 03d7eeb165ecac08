//! How content is encrypted, as a manifest tells it.

/// The id of a key (ISO/IEC 23001-7 `KID`).
pub type KeyId = [u8; 16];

/// How content is encrypted, and who can give the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protection {
    /// What was encrypted, and how.
    pub method: ProtectionMethod,
    /// The keys, if the manifest names them (`cenc:default_KID`, `KEYID`).
    pub key_ids: Vec<KeyId>,
    /// Who can give the key; any one of them will do.
    pub systems: Vec<ProtectionSystem>,
    /// The initialisation vector (`IV`); none: it is in the media, or the segment's number
    /// (RFC 8216bis §5.2).
    pub iv: Option<[u8; 16]>,
}

/// What was encrypted, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProtectionMethod {
    /// Common Encryption, AES-CTR (`cenc`, HLS `SAMPLE-AES-CTR`).
    #[default]
    Cenc,
    /// Common Encryption, AES-CBC with a pattern (`cbcs`, HLS `SAMPLE-AES` in fragmented MP4).
    Cbcs,
    /// Common Encryption of another four-character code.
    Other(String),
    /// HLS `SAMPLE-AES`: `cbcs` in fragmented MP4, its own scheme in transport streams.
    SampleAes,
    /// Whole segments, AES-CBC with a key of 128 bits (HLS `AES-128`).
    Aes128,
}

/// A key system and what it needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtectionSystem {
    /// `urn:uuid:...` in lower case (DASH `@schemeIdUri`) or HLS `KEYFORMAT`; `identity` if the URI
    /// gives the key itself.
    pub scheme: String,
    /// `KEYFORMATVERSIONS`; empty: 1.
    pub versions: Vec<u32>,
    /// Where the key is, or what the key system makes of it: absolute, unless it is of a scheme that
    /// has no relative form (`data:`, `skd:`).
    pub uri: Option<String>,
    /// Initialisation data: a `pssh` box (`cenc:pssh`, or a `data:` URI of HLS).
    pub pssh: Option<Vec<u8>>,
    /// Licence servers (`dashif:Laurl`, `clearkey:Laurl`, `ms:laurl`), absolute.
    pub license_urls: Vec<String>,
    /// `@robustness`.
    pub robustness: Option<String>,
    /// PlayReady's header object (`mspr:pro`).
    pub pro: Option<Vec<u8>>,
}
