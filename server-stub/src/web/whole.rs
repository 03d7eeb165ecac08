//! Whole numbers as JSON has them: `6.0` is the same number as `6`.
//!
//! JSON Schema counts both as integers; serde takes the second alone.

use serde::{Deserializer, de};
use std::{fmt, marker::PhantomData};

/// Beyond this, not everybody tells whole numbers from their neighbours (RFC 8259, 6).
const EXACT: u64 = (1 << 53) - 1;

/// For a member that has to be there.
pub(crate) fn required<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(Whole(PhantomData))
}

/// For one that may be missing or null; to be used with `default`.
pub(crate) fn optional<'de, T: TryFrom<u64>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_option(Maybe(Whole(PhantomData)))
}

/// One that stands by itself.
pub(crate) struct Number<T>(pub(crate) T);

impl<'de, T: TryFrom<u64>> serde::Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        required(deserializer).map(Self)
    }
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<u64>> de::Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number that is not too large")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        let too_large = || E::invalid_value(de::Unexpected::Unsigned(number), &self);
        if number > EXACT {
            return Err(too_large());
        }
        T::try_from(number).map_err(|_| too_large())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(number), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        if number.trunc() == number && (0.0..=EXACT as f64).contains(&number) {
            return self.visit_u64(number as u64);
        }
        Err(E::invalid_value(de::Unexpected::Float(number), &self))
    }
}

struct Maybe<T>(Whole<T>);

impl<'de, T: TryFrom<u64>> de::Visitor<'de> for Maybe<T> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number that is not too large, or null")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self.0).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Asked {
        #[serde(deserialize_with = "super::required")]
        must: u8,
        #[serde(default, deserialize_with = "super::optional")]
        may: Option<u16>,
        #[serde(default, deserialize_with = "super::optional")]
        large: Option<u64>,
    }

    fn read(text: &str) -> Option<(u8, Option<u16>)> {
        let asked: Asked = serde_json::from_str(text).ok()?;
        Some((asked.must, asked.may))
    }

    #[test]
    fn a_number_is_no_larger_than_everybody_can_count() {
        let read = |number: &str| {
            let text = format!(r#"{{"must":0,"large":{number}}}"#);
            serde_json::from_str::<Asked>(&text).ok().and_then(|asked| asked.large)
        };
        assert_eq!(read("9007199254740991"), Some((1 << 53) - 1));
        for number in ["9007199254740992", "9007199254740992.0", "18446744073709551615"] {
            assert_eq!(read(number), None, "{number}");
        }
    }

    #[test]
    fn a_number_is_whole_however_it_is_written() {
        assert_eq!(read(r#"{"must":6}"#), Some((6, None)));
        assert_eq!(read(r#"{"must":6.0,"may":6e2}"#), Some((6, Some(600))));
        assert_eq!(read(r#"{"must":0,"may":null}"#), Some((0, None)));
        for number in ["6.5", "-1", "-1.0", "256", "1e300", "\"6\"", "null", "true", "[6]"] {
            assert_eq!(read(&format!(r#"{{"must":{number}}}"#)), None, "{number}");
        }
        assert_eq!(read(r#"{"must":6,"may":65536}"#), None);
    }
}
