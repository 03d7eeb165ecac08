//! `xs:duration` (XML Schema part 2 §3.2.6).

use crate::manifest::decimal;
use crate::time::MediaTime;
use crate::url::cut;

/// A duration such as `PT1H2M3.5S`. Years count 365 days and months 30, as no MPD should use them.
pub(super) fn parse(text: &str) -> Option<MediaTime> {
    let text = text.trim_ascii();
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let text = text.strip_prefix('P')?;
    let (date, time) = match cut(text, b'T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if text.is_empty() => return None,
        None => (text, ""),
    };
    const DAY: i64 = 86_400;
    let date = sum(date, &[(b'Y', 365 * DAY), (b'M', 30 * DAY), (b'D', DAY)])?;
    let time = sum(time, &[(b'H', 3600), (b'M', 60), (b'S', 1)])?;
    let duration = date + time;
    Some(if negative { -duration } else { duration })
}

/// Adds up numbers, each followed by its unit, in the order of the units.
fn sum(mut text: &str, units: &[(u8, i64)]) -> Option<MediaTime> {
    let mut total = MediaTime::ZERO;
    for &(unit, seconds) in units {
        let Some((number, rest)) = cut(text, unit) else { continue };
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        total = total + decimal::seconds(number)?.times(seconds);
        text = rest;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_parts_count() {
        let millis = |text| parse(text).map(|duration| duration.to_string());
        for (text, expected) in [
            ("PT0S", "0.000"),
            ("PT9M56.46S", "596.460"),
            ("PT1H0M0.040S", "3600.040"),
            ("P1DT1M", "86460.000"),
            ("P1Y1M1D", "34214400.000"),
            ("-PT2S", "-2.000"),
            (" PT1.001S\n", "1.001"),
            ("PT0.5H", "1800.000"),
            ("PT36000000000000000000S", "13071709056.000"),
        ] {
            let expected =
                if text.len() > 20 { MediaTime::MAX.to_string() } else { expected.into() };
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "P", "PT", "T1S", "PT1", "1S", "PT1S1M", "PT-1S", "PTS", "P1S", "PT1,5S"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "-?P?[0-9YMDTHS.]{0,20}") {
            let _ = parse(&text);
        }
    }
}
