//! Texts from outside, checked once, where they come in; the OpenAPI document says the same rule.

use serde::{Deserialize, Serialize};

/// A text that does not keep its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct Unfit(pub &'static str);

macro_rules! texts {
    ($($(#[$documentation:meta])* $name:ident($most:literal, $pattern:literal, $rule:literal) $check:expr;)*) => {$(
        $(#[$documentation])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Unfit;

            fn try_from(text: String) -> Result<Self, Unfit> {
                let check: fn(&str) -> bool = $check;
                // Bytes first: a text of megabytes is not counted.
                let short = text.len() <= 4 * $most && text.chars().count() <= $most;
                if short && check(&text) { Ok(Self(text)) } else { Err(Unfit($rule)) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Unfit;

            fn from_str(text: &str) -> Result<Self, Unfit> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($rule))
                    .pattern(Some($pattern))
                    .max_length(Some($most))
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

texts! {
    /// An address of electronic mail, as it was typed.
    Email(254, r"^[!-?A-~]{1,64}@[!-?A-~]{1,189}$", "an address such as ada@example.org, in ASCII") |text| {
        let printable = |part: &str| part.bytes().all(|b| b.is_ascii_graphic() && b != b'@');
        text.split_once('@').is_some_and(|(local, domain)| {
            (1..=64).contains(&local.len()) && (1..=189).contains(&domain.len())
                && printable(local) && printable(domain)
        })
    };
    /// A name that people read.
    Name(60, r"^[^\u0000-\u001f\u007f-\u009f]+$", "1 to 60 characters, none of them a control character") |text| {
        !text.is_empty() && !text.chars().any(char::is_control)
    };
    /// A line that people read.
    Line(200, r"^[^\u0000-\u001f\u007f-\u009f]+$", "1 to 200 characters, none of them a control character") |text| {
        !text.is_empty() && !text.chars().any(char::is_control)
    };
    /// A text that people read.
    Prose(4000, r"^[^\u0000-\u0009\u000b-\u001f\u007f-\u009f]*$", "at most 4000 characters, no control character but line feeds") |text| {
        !text.chars().any(|c| c.is_control() && c != '\n')
    };
    /// Where something is: an absolute URL of the web, or a path on this host.
    Link(2048, r"^(https?://[!-~]+|/[!-~]*)$", "an http or https URL, or a path that begins with /") |text| {
        let printable = text.bytes().all(|b| b.is_ascii_graphic());
        let rest = |scheme| text.strip_prefix(scheme).is_some_and(|rest: &str| !rest.is_empty());
        printable && (rest("https://") || rest("http://") || text.starts_with('/'))
    };
    /// A language (BCP 47).
    Language(35, r"^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$", "a language tag such as de or pt-BR") |text| {
        let mut parts = text.split('-');
        let first = parts.next().unwrap_or_default();
        (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic())
            && parts.all(|part| {
                (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
            })
    };
    /// A region (ISO 3166-1 alpha-2).
    Region(2, r"^[A-Z]{2}$", "a region of two capital letters such as DE") |text| {
        text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
    };
    /// Names a title, a season or an episode of the catalogue; it may stand in a path as it is.
    Slug(64, r"^[a-z0-9][a-z0-9-]*$", "lower-case letters, digits and hyphens, at most 64") |text| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.is_empty() && !text.starts_with('-')
    };
    /// A coding, as the first part of its name in RFC 6381.
    Codec(4, r"^[a-zA-Z0-9]{4}$", "four letters or digits such as avc1") |text| {
        text.len() == 4 && text.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    /// Names something of a client's own.
    EventId(64, r"^[A-Za-z0-9_-]+$", "letters, digits, hyphens and underscores, at most 64") |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    /// A word of another part of the system, carried along.
    Token(64, r"^[A-Za-z0-9_.:-]+$", "letters, digits and any of _.:- and at most 64 of them") |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b))
    };
    /// Where a page ended, as it said itself.
    Cursor(4096, r"^[A-Za-z0-9_-]+$", "what a page gave as `next`") |text| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
}

impl Email {
    /// The form that tells accounts apart. Capitals do not, whatever a mail server may make of them.
    pub fn normalised(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// A password; what it is never shows in a log.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The password itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it may become one: 8 to 128 characters (NIST SP 800-63B asks for no other rule).
    pub fn is_acceptable(&self) -> bool {
        self.0.len() <= 4 * 128 && (8..=128).contains(&self.0.chars().count())
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Password")
    }
}

impl utoipa::PartialSchema for Password {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("8 to 128 characters"))
            .min_length(Some(8))
            .max_length(Some(128))
            .into()
    }
}

impl utoipa::ToSchema for Password {
    fn name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits<T: TryFrom<String>>(text: &str) -> bool {
        T::try_from(text.to_owned()).is_ok()
    }

    #[test]
    fn texts_keep_their_rules() {
        assert!(fits::<Email>("ada+tv@example.org"));
        for text in ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\r\nBcc: c@d", "ä@example.org"] {
            assert!(!fits::<Email>(text), "{text:?}");
        }
        assert!(!fits::<Email>(&format!("a@{}", "b".repeat(253))));
        assert!(fits::<Name>("Åsa 👧"));
        assert!(fits::<Name>(&"ü".repeat(60)) && !fits::<Name>(&"ü".repeat(61)));
        for text in ["", "a\u{7}", "a\u{9b}", "a\n"] {
            assert!(!fits::<Name>(text), "{text:?}");
        }
        assert!(fits::<Language>("de") && fits::<Language>("zh-Hant-TW"));
        for text in ["", "d", "de-", "de_DE", "-de", "german"] {
            assert!(!fits::<Language>(text), "{text:?}");
        }
        assert!(fits::<Region>("DE") && !fits::<Region>("de") && !fits::<Region>("Ä"));
        assert!(fits::<Slug>("big-buck-bunny") && !fits::<Slug>("-x") && !fits::<Slug>("../x"));
    }
}
