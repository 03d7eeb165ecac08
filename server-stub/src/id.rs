//! Names that nobody can guess and everybody can carry: 128 random bits as 32 hexadecimal digits.

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Bytes from the system's source of randomness.
///
/// # Panics
/// When the system has no randomness to give; there is nothing safe to do without.
#[expect(clippy::expect_used, reason = "without randomness no secret can be made")]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected 32 lower-case hexadecimal digits")]
pub struct NotAnId;

/// One kind of id, so that an account cannot be passed for a profile.
macro_rules! ids {
    ($($(#[$documentation:meta])* $name:ident)*) => {$(
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new one.
            pub fn random() -> Self {
                Self(hex(&random::<16>()))
            }

            /// Its text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Its 16 bytes.
            pub fn to_bytes(&self) -> [u8; 16] {
                let mut bytes = [0; 16];
                for (byte, digits) in bytes.iter_mut().zip(self.0.as_bytes().chunks(2)) {
                    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
                    *byte = digits.iter().fold(0, |byte, digit| byte << 4 | value(*digit));
                }
                bytes
            }

            /// The id of these bytes; none if they are not 16.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                (bytes.len() == 16).then(|| Self(hex(bytes)))
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Self::try_from(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if text.len() == 32 && text.bytes().all(digit) { Ok(Self(text)) } else { Err(NotAnId) }
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some("^[0-9a-f]{32}$"))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

ids! {
    /// Names an account.
    AccountId
    /// Names a profile of an account.
    ProfileId
    /// Names one signed-in device of an account: a family of refresh tokens.
    SessionId
    /// Names one playback: a lease on one of an account's streams.
    PlaybackId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_does() {
        let id = AccountId::random();
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert_ne!(id, AccountId::random());
        assert_eq!(AccountId::from_bytes(&id.to_bytes()), Some(id.clone()));
        assert_eq!(AccountId::from_bytes(&id.to_bytes()[1..]), None);
        let upper = "A".repeat(32);
        let umlaut = "ä".repeat(16);
        for text in ["", "1", "../../../../../../../../../etc/pa", &upper, &umlaut] {
            assert_eq!(text.parse::<AccountId>(), Err(NotAnId), "{text}");
        }
    }
}
