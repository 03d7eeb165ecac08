//! URLs that differ between segments only in a number.

/// An absolute URL with places for a segment's number or time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UrlPattern {
    parts: Vec<PatternPart>,
}

/// A stretch of a [`UrlPattern`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PatternPart {
    /// The same in every URL.
    Literal(String),
    /// The segment's number, in at least so many digits.
    Number {
        /// Least count of digits; leading zeroes fill it.
        width: u8,
    },
    /// The segment's earliest presentation time in units of the timescale.
    Time {
        /// Least count of digits; leading zeroes fill it.
        width: u8,
    },
    /// The number of a segment within its sequence.
    SubNumber {
        /// Least count of digits; leading zeroes fill it.
        width: u8,
    },
}

impl UrlPattern {
    pub(crate) fn new(parts: Vec<PatternPart>) -> Self {
        Self { parts }
    }

    /// URLs differ by number alone.
    pub(crate) fn is_numbered(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, PatternPart::Time { .. }))
    }

    /// The URL of one segment.
    pub(crate) fn expand(&self, number: u64, time: u64, part: u64) -> String {
        // Most numbers are far shorter than the longest.
        let length = |part: &PatternPart| match part {
            PatternPart::Literal(text) => text.len(),
            _ => 12,
        };
        let mut url = String::with_capacity(self.parts.iter().map(length).sum());
        for piece in &self.parts {
            let (value, width) = match piece {
                PatternPart::Literal(text) => {
                    url.push_str(text);
                    continue;
                }
                PatternPart::Number { width } => (number, *width),
                PatternPart::Time { width } => (time, *width),
                PatternPart::SubNumber { width } => (part, *width),
            };
            push_padded(&mut url, value, width);
        }
        url
    }
}

/// Decimal digits without the formatting machinery, which dominates the cost of long timelines.
fn push_padded(out: &mut String, mut value: u64, width: u8) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (value % 10) as u8;
        first = place;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    let significant = digits.len() - first;
    for _ in significant..usize::from(width) {
        out.push('0');
    }
    // ASCII is always text.
    out.push_str(digits.get(first..).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or(""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_and_never_cut() {
        for (value, width, expected) in [
            (0, 0, "0"),
            (7, 5, "00007"),
            (123_456, 5, "123456"),
            (u64::MAX, 0, "18446744073709551615"),
            (1, 25, "0000000000000000000000001"),
        ] {
            let mut out = String::new();
            push_padded(&mut out, value, width);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn number_and_time_take_their_places() {
        let pattern = UrlPattern::new(vec![
            PatternPart::Literal("https://a/v-".into()),
            PatternPart::Number { width: 3 },
            PatternPart::Literal("-".into()),
            PatternPart::Time { width: 1 },
            PatternPart::Literal(".m4s".into()),
        ]);
        assert_eq!(pattern.expand(12, 96_000, 1), "https://a/v-012-96000.m4s");
    }
}
