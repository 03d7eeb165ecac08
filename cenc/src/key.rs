//! Keys that do not get out.

use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A content key of 128 bits. It is wiped when it is dropped, compares in constant time, and does not print.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ContentKey([u8; 16]);

impl ContentKey {
    /// The key itself, for whoever wraps it or gives it to a key system.
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }

    /// A key of 16 bytes; none of another length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl From<[u8; 16]> for ContentKey {
    fn from(mut bytes: [u8; 16]) -> Self {
        let key = Self(bytes);
        bytes.zeroize();
        key
    }
}

impl PartialEq for ContentKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ContentKey {}

impl fmt::Debug for ContentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ContentKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_does_not_print() {
        let key = ContentKey::from(*b"canary-canary-ca");
        assert_eq!(format!("{key:?}"), "ContentKey(..)");
        assert_eq!(key, ContentKey::from(*b"canary-canary-ca"));
        assert_ne!(key, ContentKey::from([0; 16]));
        assert!(ContentKey::from_slice(&[0; 15]).is_none());
    }
}
