//! Decimal numbers of manifests, read exactly and without the standard library's floating-point
//! parser, which is larger than either manifest parser.

use crate::time::{FLICKS_PER_SECOND, MediaTime};
use crate::url::cut;

/// A time or duration in seconds, such as `6.006`, to the nearest flick; saturates. A leading sign,
/// and a point without digits on one side of it, are accepted.
pub(crate) fn seconds(text: &str) -> Option<MediaTime> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let (mut whole, mut fraction, mut places) = (0u64, 0u64, None);
    for &byte in digits {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        match &mut places {
            _ if digit > 9 => {
                if byte != b'.' || places.is_some() {
                    return None;
                }
                places = Some(0);
            }
            // Without the checks of a saturating product, which is one of 128 bits in WebAssembly.
            None if whole >= MANY => whole = u64::MAX,
            None => whole = whole * 10 + digit,
            // Ten digits are a fourteenth of a flick apart.
            Some(places) if *places < 10 => {
                fraction = fraction * 10 + digit;
                *places += 1;
            }
            Some(_) => {}
        }
    }
    if digits.len() == usize::from(places.is_some()) {
        return None;
    }
    let flicks = fraction_of(fraction, places.unwrap_or(0));
    let whole = MediaTime::from_secs(i64::try_from(whole).unwrap_or(i64::MAX));
    let time = whole + MediaTime::from_flicks(flicks);
    Some(if negative { -time } else { time })
}

/// `fraction` of 10^`places`, up to ten, in flicks.
#[inline]
fn fraction_of(fraction: u64, places: u32) -> i64 {
    // A second has five factors of ten in flicks; three places are by far the most common.
    const THOUSANDTH: u64 = FLICKS_PER_SECOND as u64 / 1000;
    if places == 3 {
        return (fraction * THOUSANDTH) as i64;
    }
    let scale = 10u64.pow(places);
    (fraction * FLICKS_PER_SECOND as u64 + scale / 2).checked_div(scale).unwrap_or(0) as i64
}

/// A positive decimal such as `23.976`, to the nearest `f64` for any number of sensible length.
pub(crate) fn float(text: &str) -> Option<f64> {
    let (whole, fraction) = split(text)?;
    let mut value = 0u64;
    let mut scale = 1.0;
    for digit in whole.bytes() {
        value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
    }
    for digit in fraction.bytes() {
        let Some(longer) = value.checked_mul(10) else { break };
        let Some(longer) = longer.checked_add(u64::from(digit - b'0')) else { break };
        value = longer;
        scale *= 10.0;
    }
    Some(value as f64 / scale)
}

/// What can grow by a digit for sure.
const MANY: u64 = 1_000_000_000_000_000_000;

/// A decimal integer without sign (RFC 8216bis §4.2; `xs:unsignedLong`).
pub(crate) fn integer(text: &str) -> Option<u64> {
    let mut value = 0u64;
    for &byte in text.as_bytes() {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        value = match value {
            0..MANY => value * 10 + digit,
            _ => value.checked_mul(10)?.checked_add(digit)?,
        };
    }
    (!text.is_empty()).then_some(value)
}

/// Digits before and after the point, of which there must be any.
fn split(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = cut(text, b'.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    (digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()))
        .then_some((whole, fraction))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds("6.006"), Some(MediaTime::from_millis(6006)));
        assert_eq!(seconds("4"), Some(MediaTime::from_secs(4)));
        assert_eq!(seconds("4."), Some(MediaTime::from_secs(4)));
        assert_eq!(seconds(".5"), Some(MediaTime::from_millis(500)));
        assert_eq!(seconds("-1.25"), Some(MediaTime::from_millis(-1250)));
        assert_eq!(seconds("0.0000000014"), Some(MediaTime::from_flicks(1)));
        assert_eq!(seconds("0.000000000708"), Some(MediaTime::ZERO));
        assert_eq!(seconds("0.99999999999999"), Some(MediaTime::from_secs(1)));
        assert_eq!(seconds("6.0060060"), Some(MediaTime::from_scaled(60_060_060, 10_000_000)));
        assert_eq!(seconds("99999999999999999999999"), Some(MediaTime::MAX));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", ".", "-", "1e3", "1,5", " 1", "0x1", "1.2.3", "NaN", "١"] {
            assert_eq!(seconds(text), None, "{text}");
            assert_eq!(float(text), None, "{text}");
            assert_eq!(integer(text), None, "{text}");
        }
        assert_eq!(integer("18446744073709551616"), None);
        assert_eq!(integer("18446744073709551615"), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn floats_are_those_of_the_standard_library(text in "[0-9]{1,6}(\\.[0-9]{0,8})?") {
            prop_assert_eq!(float(&text), text.parse().ok());
        }
    }
}
